//! Whether rows that a commit changes by their ids are still there as they were. Java: `DataEvolutionConflictDetection`.
//!
//! A file that changes columns of rows names them by a range of row ids, for which there must be files of the same range.
//! Which rows those are was decided on an older snapshot; what was committed since must have left them alone.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use paimon_io::TableStore;
use paimon_scan::delta_entries;
use paimon_spec::{
    BinaryRow, CommitKind, DataFileMeta, Error, ErrorKind, FieldId, FileIdentifier, FileKind, IndexManifestEntry,
    ManifestEntry, Result, Snapshot, is_row_tracking_field_name, row_groups,
};

use super::conflict::{Conflict, live_after};

/// Whether the files of `delta` with row ids fit the live files `base` (all of the partitions that `delta` touches).
///
/// A file to be deleted has the row ids that it had. A new file with row ids (which only changes of rows and compactions
/// have before the commit) has those of a file that is there; what a compaction made has those of files that are there
/// together. After a compaction and after a change of rows as of a snapshot (`is_update`) files of columns have the same
/// row ids or none in common, and each `.blob` file is within those of one.
///
/// # Errors
/// `Unsupported` for vector and video files.
pub(super) fn find_row_conflict(
    base: &[ManifestEntry],
    delta: &[ManifestEntry],
    kind: CommitKind,
    is_update: bool,
) -> Result<Option<Conflict>> {
    if let Some(conflict) = find_moved(base, delta).or_else(|| find_missing(base, delta, kind)) {
        return Ok(Some(conflict));
    }
    if is_update || kind == CommitKind::Compact { find_apart(base, delta) } else { Ok(None) }
}

/// A file to be deleted whose row ids are others by now.
fn find_moved(base: &[ManifestEntry], delta: &[ManifestEntry]) -> Option<Conflict> {
    let deleted: HashMap<FileIdentifier, &DataFileMeta> =
        of_kind(delta, FileKind::Delete).map(|entry| (entry.identifier(), &entry.file)).collect();
    if deleted.is_empty() {
        return None;
    }
    let is_moved = |entry: &&ManifestEntry| {
        deleted.get(&entry.identifier()).is_some_and(|deleted| {
            (deleted.first_row_id, deleted.row_count) != (entry.file.first_row_id, entry.file.row_count)
        })
    };
    base.iter().find(is_moved).map(|entry| rows_gone(&entry.file))
}

/// A new file of rows that are not there.
fn find_missing(base: &[ManifestEntry], delta: &[ManifestEntry], kind: CommitKind) -> Option<Conflict> {
    let mut there: HashMap<(&BinaryRow, i32), Vec<Range<i64>>> = HashMap::new();
    for entry in base.iter().filter(|entry| !entry.file.is_blob()) {
        if let Some(rows) = entry.file.row_ids() {
            there.entry((&entry.partition, entry.bucket)).or_default().push(rows);
        }
    }
    let compacts = kind == CommitKind::Compact;
    let there: HashMap<_, _> = there.into_iter().map(|(place, rows)| (place, join(rows, compacts))).collect();
    let is_missing = |entry: &&ManifestEntry| {
        let Some(rows) = entry.file.row_ids() else { return false };
        let ranges = there.get(&(&entry.partition, entry.bucket)).map(Vec::as_slice).unwrap_or_default();
        let range = ranges.get(ranges.partition_point(|range| range.end <= rows.start));
        let may_be_a_part = compacts || entry.file.is_blob();
        !range.is_some_and(|range| {
            if may_be_a_part { range.start <= rows.start && rows.end <= range.end } else { *range == rows }
        })
    };
    of_kind(delta, FileKind::Add).find(is_missing).map(|entry| rows_gone(&entry.file))
}

/// Files beside those of `delta` that would not make rows with them.
fn find_apart(base: &[ManifestEntry], delta: &[ManifestEntry]) -> Result<Option<Conflict>> {
    for entries in live_beside(base, delta).values() {
        match row_groups(entries) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::CorruptData => {
                return Ok(Some(Conflict::RowsApart { reason: error.message().to_owned() }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The live files, once `delta` is applied to `base`, of the row groups that share row ids with files of `delta`, by
/// partition and bucket.
pub(super) fn live_beside<'e>(
    base: &'e [ManifestEntry],
    delta: &'e [ManifestEntry],
) -> HashMap<(&'e BinaryRow, i32), Vec<&'e ManifestEntry>> {
    let changed = join(delta.iter().filter_map(|entry| entry.file.row_ids()).collect(), false);
    let shares = |ranges: &[Range<i64>], rows: &Range<i64>| {
        let range = ranges.get(ranges.partition_point(|range| range.end <= rows.start));
        range.is_some_and(|range| range.start < rows.end)
    };
    // A row group has the rows of its data files, also where `delta` has files of some of them.
    let data = live_after(base, delta).filter(|entry| !entry.file.is_blob()).filter_map(|entry| entry.file.row_ids());
    let groups = data.filter(|rows| shares(&changed, rows)).collect();
    let touched = join([changed.clone(), groups].concat(), false);
    let mut beside: HashMap<(&BinaryRow, i32), Vec<&ManifestEntry>> = HashMap::new();
    for entry in live_after(base, delta) {
        let Some(rows) = entry.file.row_ids() else { continue };
        if shares(&touched, &rows) {
            beside.entry((&entry.partition, entry.bucket)).or_default().push(entry);
        }
    }
    beside
}

fn of_kind(entries: &[ManifestEntry], kind: FileKind) -> impl Iterator<Item = &ManifestEntry> {
    entries.iter().filter(move |entry| entry.kind == kind)
}

fn rows_gone(file: &DataFileMeta) -> Conflict {
    Conflict::RowsGone { file: file.file_name.clone() }
}

/// Ranges in order, those that overlap made one, and with `adjacent` those that touch, too.
pub(super) fn join(mut ranges: Vec<Range<i64>>, adjacent: bool) -> Vec<Range<i64>> {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<i64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start < last.end || (adjacent && range.start == last.end) => {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    joined
}

/// The columns of rows that a commit changes.
#[derive(Debug)]
pub(super) struct RowUpdate {
    /// In order, disjoint.
    changed: Vec<Changed>,
    /// Snapshots up to this one have left the rows alone: at first the one by which it was decided what to change. `None`:
    /// it does not matter what others have changed since.
    checked: Option<i64>,
}

/// Columns that files of overlapping row ids have together.
#[derive(Debug)]
struct Changed {
    rows: Range<i64>,
    fields: HashSet<FieldId>,
}

impl RowUpdate {
    /// What the new files of `delta` with row ids change, by what the table was in the snapshot `as_of`.
    ///
    /// # Errors
    /// `InvalidInput` when two of them change the same column of a row: which value would stay cannot be told;
    /// `CorruptData` when a file names a column that its schema does not have.
    pub(super) async fn of(store: &TableStore, as_of: Option<i64>, delta: &[ManifestEntry]) -> Result<Self> {
        let mut files = Vec::new();
        for entry in of_kind(delta, FileKind::Add) {
            if let Some(rows) = entry.file.row_ids() {
                files.push((rows, written_fields(store, &entry.file).await?, &entry.file));
            }
        }
        files.sort_by_key(|(rows, _, _)| (rows.start, rows.end));
        let mut changed: Vec<Changed> = Vec::new();
        for (at, (rows, fields, file)) in files.iter().enumerate() {
            let overlapping = files[at + 1..].iter().take_while(|(other, _, _)| other.start < rows.end);
            for (_, other_fields, other) in overlapping {
                if !fields.is_disjoint(other_fields) {
                    return Err(Error::invalid(format!(
                        "data files {} and {} of one commit change the same column of the same rows: change each row once",
                        file.file_name, other.file_name
                    )));
                }
            }
            match changed.last_mut() {
                Some(last) if rows.start < last.rows.end => {
                    last.rows.end = last.rows.end.max(rows.end);
                    last.fields.extend(fields);
                }
                _ => changed.push(Changed { rows: rows.clone(), fields: fields.clone() }),
            }
        }
        Ok(Self { changed, checked: as_of })
    }

    /// Whether a snapshot up to `latest` has changed the same columns of these rows. Compactions change no rows.
    ///
    /// # Errors
    /// `CommitConflict` when that cannot be told, because snapshots are gone; those of reading them.
    pub(super) async fn find_conflict(&mut self, store: &TableStore, latest: &Snapshot) -> Result<Option<Conflict>> {
        let Some(checked) = self.checked.filter(|_| !self.changed.is_empty()) else { return Ok(None) };
        if latest.id < checked {
            return Err(gone(checked));
        }
        for id in checked.saturating_add(1)..=latest.id {
            let snapshot = store.snapshot(id).await?.ok_or_else(|| gone(id))?;
            if snapshot.commit_kind != CommitKind::Compact {
                for entry in delta_entries(store, &snapshot).await? {
                    if self.touches(store, &entry.file).await? {
                        return Ok(Some(Conflict::RowsChanged { file: entry.file.file_name, snapshot: id }));
                    }
                }
            }
            self.checked = Some(id);
        }
        Ok(None)
    }

    /// Refuses to change what a global index has (Java option `global-index.column-update-action`, whose default this is):
    /// readers that use the index would not find the new values.
    ///
    /// # Errors
    /// `Unsupported`, naming the index file.
    pub(super) fn check_indexes(&self, indexes: &[IndexManifestEntry]) -> Result<()> {
        for index in indexes {
            let Some(meta) = &index.global_index else { continue };
            let is_indexed = |field: &FieldId| {
                *field == meta.index_field_id || meta.extra_field_ids.iter().flatten().any(|extra| extra == field)
            };
            let is_stale = |changed: &Changed| {
                let apart = changed.rows.end <= meta.row_range_start || changed.rows.start > meta.row_range_end;
                !apart && changed.fields.iter().any(is_indexed)
            };
            if self.changed.iter().any(is_stale) {
                return Err(Error::unsupported(
                    "changing a column that has a global index is not supported yet: drop the index first",
                )
                .with_context("index", &index.file_name)
                .with_context("column", format_args!("field {}", meta.index_field_id)));
            }
        }
        Ok(())
    }

    /// Whether a file has columns that are changed, of rows that are changed.
    async fn touches(&self, store: &TableStore, file: &DataFileMeta) -> Result<bool> {
        let Some(rows) = file.row_ids() else { return Ok(false) };
        let first = self.changed.partition_point(|changed| changed.rows.end <= rows.start);
        let overlapping = || self.changed[first..].iter().take_while(|changed| changed.rows.start < rows.end);
        if overlapping().next().is_none() {
            return Ok(false);
        }
        if file.write_cols.is_none() {
            return Ok(true);
        }
        let fields = written_fields(store, file).await?;
        Ok(overlapping().any(|changed| !changed.fields.is_disjoint(&fields)))
    }
}

/// The columns that a file has, by the schema that it was written with.
pub(super) async fn written_fields(store: &TableStore, file: &DataFileMeta) -> Result<HashSet<FieldId>> {
    let schema = store.schema_at(file.schema_id).await?;
    let Some(columns) = &file.write_cols else {
        return Ok(schema.fields.iter().map(|field| field.id).collect());
    };
    let own = columns.iter().filter(|column| !is_row_tracking_field_name(column));
    own.map(|column| match schema.field(column) {
        Some(field) => Ok(field.id),
        None => Err(Error::corrupt(format!("expected the column '{column}' in schema {}, found none", schema.id))
            .with_context("file", &file.file_name)),
    })
    .collect()
}

fn gone(snapshot: i64) -> Error {
    Error::new(
        ErrorKind::CommitConflict,
        format!(
            "whether other commits have changed the same rows cannot be told, because snapshot {snapshot} is gone: run the \
             update again"
        ),
    )
}
