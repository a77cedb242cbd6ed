//! Whether the `.blob` files of a column have all rows of a row group, or none.
//!
//! A change of a BLOB column leaves rows out that older files have. When a compaction has joined the row group with others
//! meanwhile, or joins it while the column gets its first files, nobody could tell the values of the other rows.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use paimon_io::TableStore;
use paimon_spec::{BinaryRow, CommitKind, FieldId, FileKind, ManifestEntry, Result, row_groups};

use super::conflict::Conflict;
use super::row_ids::{join, live_beside, written_fields};

/// A column that changes, and the ids of its rows.
type ChangedColumn = (Range<i64>, FieldId);

/// A row group in which a column has `.blob` files of some rows only, once `delta` is applied to the live files `base`:
/// of the columns that `delta` has files of, and of those of rows that it compacts.
///
/// # Errors
/// As [`TableStore::schema_at`] and [`row_groups`].
pub(super) async fn find_uncovered(
    store: &TableStore,
    base: &[ManifestEntry],
    delta: &[ManifestEntry],
    kind: CommitKind,
) -> Result<Option<Conflict>> {
    let compacts = kind == CommitKind::Compact;
    let is_new = |entry: &&ManifestEntry| entry.kind == FileKind::Add && entry.file.first_row_id.is_some();
    let new: Vec<&ManifestEntry> =
        delta.iter().filter(is_new).filter(|entry| compacts || entry.file.is_blob()).collect();
    if new.is_empty() {
        return Ok(None);
    }
    let mut changed: HashMap<(&BinaryRow, i32), Vec<ChangedColumn>> = HashMap::new();
    for entry in new.iter().filter(|entry| entry.file.is_blob()) {
        let fields = written_fields(store, &entry.file).await?;
        let rows = entry.file.row_ids().unwrap_or_default();
        changed
            .entry((&entry.partition, entry.bucket))
            .or_default()
            .extend(fields.into_iter().map(|field| (rows.clone(), field)));
    }
    for (place, entries) in live_beside(base, delta) {
        for group in row_groups(&entries)? {
            let is_changed = |field: &FieldId| {
                let mut changed = changed.get(&place).into_iter().flatten();
                changed.any(|(rows, other)| other == field && group.rows.contains(&rows.start))
            };
            let mut there: BTreeMap<FieldId, Vec<Range<i64>>> = BTreeMap::new();
            for entry in group.blobs.iter().filter_map(|at| entries.get(*at)) {
                for field in written_fields(store, &entry.file).await? {
                    there.entry(field).or_default().extend(entry.file.row_ids());
                }
            }
            for (field, rows) in there.into_iter().filter(|(field, _)| compacts || is_changed(field)) {
                if join(rows, true) != [group.rows.clone()] {
                    return Ok(Some(Conflict::RowsApart {
                        reason: format!(
                            "not all of the rows from row id {} to {} would have .blob files of the column of field id \
                             {field}",
                            group.rows.start,
                            group.rows.end - 1
                        ),
                    }));
                }
            }
        }
    }
    Ok(None)
}
