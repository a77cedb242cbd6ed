//! The row groups of a snapshot.

use std::ops::Range;
use std::sync::Arc;

use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::TableStore;
use paimon_scan::{ReadPoint, ScanRequest, plan};
use paimon_spec::{
    CompareOp, DataSplit, Datum, DeletionFile, DeletionVector, Error, Predicate, ROW_ID_ID, Result, RowGroup, Snapshot,
    Test, row_groups,
};

/// Row ids up to this number are looked for one by one; more of them by their range.
const MOST_SINGLE_ROWS: usize = 1_000;

/// Row ids that an error names.
const NAMED_ROWS: usize = 5;

/// Deletion vectors read at the same time.
const VECTORS_AT_ONCE: usize = 16;

/// A group, and the places of its rows among row ids.
pub(super) type Placed<'g> = (&'g Group, Range<usize>);

/// Files whose rows are the same.
#[derive(Debug, Clone)]
pub(super) struct Group {
    /// The files, with their deletions; all rows.
    pub(super) split: DataSplit,
    /// Which of them are what.
    pub(super) files: RowGroup,
}

impl Group {
    /// The ids of the rows.
    pub(super) fn rows(&self) -> &Range<i64> {
        &self.files.rows
    }

    /// The name of the file whose deletion vector counts, and where that is.
    pub(super) fn anchor(&self) -> Result<(&str, Option<&DeletionFile>)> {
        let Some(anchor) = self.files.anchor(&self.split.files) else {
            return Err(Error::internal("paimon-write", "a row group without a data file"));
        };
        let name = self.split.files[anchor].file_name.as_str();
        Ok((name, self.split.deletions.get(anchor).and_then(Option::as_ref)))
    }

    /// The positions of the deleted rows.
    ///
    /// # Errors
    /// Those of [`TableStore::deletion_vector`].
    pub(super) async fn deleted(&self, store: &TableStore) -> Result<Arc<DeletionVector>> {
        match self.anchor()? {
            (_, Some(file)) => store.deletion_vector(file).await,
            (_, None) => Ok(Arc::default()),
        }
    }

    /// What reads every row, also those that are deleted.
    pub(super) fn with_deleted_rows(&self) -> DataSplit {
        DataSplit { deletions: Vec::new(), ..self.split.clone() }
    }
}

/// The row groups of a snapshot that may have rows for which the condition is true, by row id.
pub(super) async fn groups(
    store: &TableStore,
    snapshot: &Snapshot,
    condition: Option<Predicate>,
) -> Result<Vec<Group>> {
    let request = ScanRequest {
        at: ReadPoint::Snapshot(snapshot.id),
        predicate: condition,
        // Deleting a file needs all of its metadata, statistics too.
        with_stats: true,
        ..ScanRequest::default()
    };
    let mut groups = Vec::new();
    for split in plan(store, &request).await?.splits {
        for group in row_groups(&split.files)? {
            groups.push(alone(&split, &group)?);
        }
    }
    groups.sort_unstable_by_key(|group| group.rows().start);
    Ok(groups)
}

/// A split of the files of one group.
fn alone(split: &DataSplit, group: &RowGroup) -> Result<Group> {
    let files: Vec<_> = group.files().filter_map(|at| split.files.get(at)).cloned().collect();
    let deletions = group.files().filter_map(|at| split.deletions.get(at)).cloned().collect();
    let groups = row_groups(&files)?;
    let Ok([group]) = <[RowGroup; 1]>::try_from(groups) else {
        return Err(Error::internal("paimon-write", "the files of one row group are not one"));
    };
    let raw_convertible = files.len() == 1;
    let split = DataSplit { files, deletions, raw_convertible, rows: Vec::new(), ..split.clone() };
    Ok(Group { split, files: group })
}

/// The condition that a row has one of these ids, or one that is near.
pub(super) fn around(sorted_ids: &[i64]) -> Predicate {
    let (Some(first), Some(last)) = (sorted_ids.first(), sorted_ids.last()) else { return Predicate::Constant(false) };
    if sorted_ids.len() <= MOST_SINGLE_ROWS {
        let ids = sorted_ids.iter().map(|id| Datum::BigInt(*id)).collect();
        return Predicate::leaf(ROW_ID_ID, Test::In(ids));
    }
    Predicate::and([
        Predicate::compare(ROW_ID_ID, CompareOp::GtEq, Datum::BigInt(*first)),
        Predicate::compare(ROW_ID_ID, CompareOp::LtEq, Datum::BigInt(*last)),
    ])
}

/// Each of the groups that has some of the ids, with the range of `sorted_ids` that are in it.
///
/// # Errors
/// `InvalidInput` naming ids that no group has.
pub(super) fn place<'g>(groups: &'g [Group], sorted_ids: &[i64]) -> Result<Vec<Placed<'g>>> {
    let mut places: Vec<Placed<'_>> = Vec::new();
    let mut unknown = Vec::new();
    for (at, id) in sorted_ids.iter().enumerate() {
        if let Some((group, ids)) = places.last_mut()
            && group.rows().contains(id)
        {
            ids.end = at + 1;
            continue;
        }
        let next = groups.partition_point(|group| group.rows().end <= *id);
        match groups.get(next).filter(|group| group.rows().contains(id)) {
            Some(group) => places.push((group, at..at + 1)),
            None => unknown.push(*id),
        }
    }
    if unknown.is_empty() {
        return Ok(places);
    }
    Err(Error::invalid(format!("{} not belong to any valid range of the table's row ids", named("do", &unknown))))
}

/// The deleted rows of each group, in order.
pub(super) async fn deletions(store: &TableStore, places: &[Placed<'_>]) -> Result<Vec<Arc<DeletionVector>>> {
    let reads: Vec<_> = places.iter().map(|(group, _)| group.deleted(store)).collect();
    stream::iter(reads).buffered(VECTORS_AT_ONCE).try_collect().await
}

/// `Row ID 7 does`, or `Row IDs 7, 8, 9, .. do`.
pub(super) fn named(verb: &str, ids: &[i64]) -> String {
    let shown: Vec<String> = ids.iter().take(NAMED_ROWS).map(i64::to_string).collect();
    let more = if ids.len() > NAMED_ROWS { format!(" and {} more", ids.len() - NAMED_ROWS) } else { String::new() };
    let (noun, verb) = match (ids.len(), verb) {
        (1, "do") => ("Row ID", "does"),
        (1, "are") => ("Row ID", "is"),
        (_, verb) => ("Row IDs", verb),
    };
    format!("{noun} {}{more} {verb}", shown.join(", "))
}
