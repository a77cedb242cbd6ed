//! The values of a BLOB column that is kept in files of its own: which file gives which row, and their rows in order.
//!
//! The first files of a row group follow one another. Updates add newer ones, each over a part of the rows, in which they
//! may leave rows open: those are looked for in older files (Java `BlobFallbackRecordReader`).

use std::{cmp::Reverse, ops::Range, sync::Arc};

use arrow::array::{Array, ArrayRef, MutableArrayData, make_array};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use paimon_io::{BatchStream, FileRead, TableStore, evolve_array};
use paimon_spec::{DataField, Error, Result, RowSet};

use crate::{columns::Columns, opening::SplitFile};

/// Files that are looked at at the same time: only their indexes are read.
const AT_ONCE: usize = 2;
/// The same where each of them takes a round trip.
const REMOTE_AT_ONCE: usize = 16;

/// A BLOB column of a row group.
#[derive(Debug, Clone)]
pub(crate) struct BlobColumn {
    /// As the table has it.
    pub(crate) field: DataField,
    pub(crate) files: Vec<SplitFile>,
    /// The id of the group's first row.
    pub(crate) first_row_id: i64,
}

/// A file, and the rows of the group whose values it gives; there is one at least.
#[derive(Debug)]
struct Owner {
    file: SplitFile,
    /// The position in the group of its first row.
    start: u64,
    rows: RowSet,
}

/// The values of the column for `wanted`, positions in the group, in their order.
///
/// # Errors
/// `CorruptData` when no file has a row, when files of one commit share rows, and as [`TableStore::open_file`].
pub(crate) async fn read_blobs(
    store: &TableStore,
    bucket_path: &str,
    column: &BlobColumn,
    wanted: &RowSet,
    batch_rows: usize,
) -> Result<BoxStream<'static, Result<Columns>>> {
    let owners = column.owners(store, bucket_path, wanted).await.map_err(|error| column.naming(error))?;
    let turns = turns(&owners);
    let mut order: Vec<usize> = Vec::with_capacity(owners.len());
    let mut seen = vec![false; owners.len()];
    for (_, owner) in &turns {
        if !std::mem::replace(&mut seen[*owner], true) {
            order.push(*owner);
        }
    }
    let mut owners: Vec<_> = owners.into_iter().map(Some).collect();
    let in_order: Vec<_> = order.into_iter().filter_map(|at| Some((at, owners[at].take()?))).collect();
    let (opener, bucket_path, field) = (store.clone(), bucket_path.to_owned(), column.field.clone());
    let opening = stream::iter(in_order)
        .map(move |(at, owner)| {
            let (store, bucket_path, field) = (opener.clone(), bucket_path.clone(), field.clone());
            async move { Ok((at, owner.open(&store, &bucket_path, &field, batch_rows).await?)) }
        })
        .buffered(at_once(store));
    let mut opening = opening.boxed();
    // The first ones are asked for now, beside the files of other columns.
    let first = opening.next().await;
    let rows = InTurn {
        turns: turns.into_iter(),
        turn: None,
        open: seen.iter().map(|_| None).collect(),
        opening: stream::iter(first).chain(opening).boxed(),
        batch_rows,
    };
    let name = column.clone();
    let batches = stream::try_unfold(rows, |mut rows| async move { Ok(rows.next().await?.map(|next| (next, rows))) });
    Ok(batches.map_err(move |error| name.naming(error)).boxed())
}

fn at_once(store: &TableStore) -> usize {
    if store.storage().is_local() { AT_ONCE } else { REMOTE_AT_ONCE }
}

impl BlobColumn {
    /// Which file gives which of the rows: the newest one that has a row and does not leave it to an older one. The
    /// oldest one that has it has the last word.
    async fn owners(&self, store: &TableStore, bucket_path: &str, wanted: &RowSet) -> Result<Vec<Owner>> {
        let mut files = self.files.iter().map(|file| Ok((self.positions(file)?, file))).collect::<Result<Vec<_>>>()?;
        files.sort_by_key(|(rows, file)| (Reverse(file.file.max_sequence_number), rows.start));
        check_apart(&files)?;
        let ranges: Vec<_> = files.iter().map(|(rows, _)| rows.clone()).collect();
        let ranges = &ranges;
        let left_open = files.iter().enumerate().map(|(at, (rows, file))| async move {
            let below = older_rows(&ranges[at..])?.and(wanted);
            if below.is_empty() {
                return Ok(below);
            }
            let open = store.rows_left_open(bucket_path, &file.file).await?;
            // Positions fit 32 bits.
            Ok(open.shifted(rows.start.cast_signed()).and(&below))
        });
        let left_open: Vec<RowSet> =
            stream::iter(left_open.collect::<Vec<_>>()).buffered(at_once(store)).try_collect().await?;
        let mut missing = wanted.clone();
        let mut owners = Vec::with_capacity(files.len());
        for ((rows, file), open) in files.iter().zip(left_open) {
            let own = RowSet::from_range(rows.clone())?.and(&missing).and_not(&open);
            if !own.is_empty() {
                missing = missing.and_not(&own);
                owners.push(Owner { file: SplitFile::clone(file), start: rows.start, rows: own });
            }
        }
        match missing.ranges_in(0, 1 << 32).next() {
            None => Ok(owners),
            Some(rows) => {
                let id = |position| self.first_row_id.saturating_add_unsigned(position);
                let names: Vec<_> = files.iter().map(|(_, file)| file.file.file_name.as_str()).collect();
                Err(Error::corrupt(format!(
                    "expected values of the rows from row id {} to {} in .blob files, found none in {}",
                    id(rows.start),
                    id(rows.end - 1),
                    names.join(", ")
                )))
            }
        }
    }

    /// The rows of a file, as positions in the group.
    fn positions(&self, file: &SplitFile) -> Result<Range<u64>> {
        let ids = file.file.row_ids().filter(|ids| self.first_row_id <= ids.start && ids.start <= ids.end);
        let ids = ids.ok_or_else(|| {
            Error::corrupt(format!("expected rows from row id {}, found others", self.first_row_id))
                .with_context("file", &file.file.file_name)
        })?;
        Ok(ids.start.abs_diff(self.first_row_id)..ids.end.abs_diff(self.first_row_id))
    }

    fn naming(&self, error: Error) -> Error {
        if error.context("column").is_some() { error } else { error.with_context("column", &self.field.name) }
    }
}

/// What older files have of the rows of the first.
fn older_rows(ranges: &[Range<u64>]) -> Result<RowSet> {
    let Some((rows, older)) = ranges.split_first() else { return Ok(RowSet::default()) };
    let shared = older.iter().map(|other| rows.start.max(other.start)..rows.end.min(other.end));
    RowSet::from_ranges(shared)
}

/// Of files that are equally new none could be said to come before the other.
fn check_apart(newest_first: &[(Range<u64>, &SplitFile)]) -> Result<()> {
    for pair in newest_first.windows(2) {
        let [(rows, file), (other_rows, other)] = pair else { continue };
        let (file, other) = (&file.file, &other.file);
        if file.max_sequence_number == other.max_sequence_number && other_rows.start < rows.end {
            return Err(Error::corrupt(format!(
                "expected .blob files of one commit to have distinct rows, found {} and {}",
                file.file_name, other.file_name
            )));
        }
    }
    Ok(())
}

/// Stretches of rows and whose they are, in the order of rows.
fn turns(owners: &[Owner]) -> Vec<(Range<u64>, usize)> {
    let stretches =
        |(at, owner): (usize, &Owner)| owner.rows.ranges_in(0, 1 << 32).map(move |rows| (rows, at)).collect::<Vec<_>>();
    let mut turns: Vec<_> = owners.iter().enumerate().flat_map(stretches).collect();
    turns.sort_unstable_by_key(|(rows, _)| rows.start);
    turns
}

impl Owner {
    async fn open(
        self,
        store: &TableStore,
        bucket_path: &str,
        field: &DataField,
        batch_rows: usize,
    ) -> Result<BoxStream<'static, Result<ArrayRef>>> {
        let file = &self.file.file;
        let written = self.file.written.field_by_id(field.id).ok_or_else(|| {
            Error::corrupt(format!("expected the column of field id {} in the schema of the file", field.id))
                .with_context("file", &file.file_name)
        })?;
        let all = u64::try_from(file.row_count).is_ok_and(|rows| rows == self.rows.len());
        let read = FileRead {
            columns: vec![written.clone()],
            predicate: None,
            deletions: None,
            rows: (!all).then(|| Arc::new(self.rows.shifted(-self.start.cast_signed()))),
            limit: None,
            batch_rows,
            held_bytes: None,
        };
        let batches: BatchStream = store.open_file(bucket_path, file, &read).await?;
        let (name, old, new) = (file.file_name.clone(), written.data_type.clone(), field.data_type.clone());
        Ok(batches
            .map(move |batch| match batch?.columns() {
                [values] => evolve_array(values, &old, &new),
                columns => Err(Error::internal("paimon-merge", format!("{} columns of one", columns.len()))),
            })
            // Whatever goes on reading expects all rows.
            .chain(stream::once(async move {
                Err(Error::corrupt("expected more rows in the file, found its end").with_context("file", name))
            }))
            .try_filter(|values| std::future::ready(!values.is_empty()))
            .boxed())
    }
}

/// Rows of several files, each when it is its turn.
struct InTurn {
    turns: std::vec::IntoIter<(Range<u64>, usize)>,
    /// Rows that are left of the turn, and whose it is.
    turn: Option<(usize, usize)>,
    open: Vec<Option<OpenFile>>,
    /// Files that are not open yet, by the order of their first turns.
    opening: BoxStream<'static, Result<(usize, BoxStream<'static, Result<ArrayRef>>)>>,
    batch_rows: usize,
}

struct OpenFile {
    batches: BoxStream<'static, Result<ArrayRef>>,
    /// Rows that came and were not given yet.
    values: Option<ArrayRef>,
    /// Where `values` is among the arrays that a batch is made of.
    source: Option<usize>,
    next: usize,
}

impl InTurn {
    async fn next(&mut self) -> Result<Option<Columns>> {
        let mut sources: Vec<ArrayRef> = Vec::new();
        // Source, first row, rows.
        let mut pieces: Vec<(usize, usize, usize)> = Vec::new();
        let mut rows = 0;
        self.open.iter_mut().flatten().for_each(|file| file.source = None);
        while rows < self.batch_rows {
            let Some((left, owner)) = self.turn.take().or_else(|| self.next_turn()) else { break };
            let file = self.file(owner).await?;
            let values = file.values().await?;
            let source = *file.source.get_or_insert(sources.len());
            let available = values.len() - file.next;
            let count = left.min(available);
            pieces.push((source, file.next, count));
            file.next += count;
            if source == sources.len() {
                sources.push(values);
            }
            if count == available {
                (file.values, file.source) = (None, None);
            }
            rows += count;
            self.turn = (count < left).then_some((left - count, owner));
        }
        if rows == 0 {
            return Ok(None);
        }
        Ok(Some(Columns { columns: vec![joined(&sources, &pieces, rows)?], rows }))
    }

    fn next_turn(&mut self) -> Option<(usize, usize)> {
        let (rows, owner) = self.turns.next()?;
        Some((usize::try_from(rows.end - rows.start).unwrap_or(usize::MAX), owner))
    }

    async fn file(&mut self, owner: usize) -> Result<&mut OpenFile> {
        while self.open[owner].is_none() {
            let Some((at, batches)) = self.opening.try_next().await? else {
                return Err(Error::internal("paimon-merge", "a .blob file has its turn and was not opened"));
            };
            self.open[at] = Some(OpenFile { batches, values: None, source: None, next: 0 });
        }
        self.open[owner].as_mut().ok_or_else(|| Error::internal("paimon-merge", "an open file is gone"))
    }
}

impl OpenFile {
    async fn values(&mut self) -> Result<ArrayRef> {
        if let Some(values) = &self.values {
            return Ok(Arc::clone(values));
        }
        let values = self.batches.try_next().await?;
        let values = values.ok_or_else(|| Error::internal("paimon-merge", "rows of a file went on after an error"))?;
        (self.source, self.next) = (None, 0);
        self.values = Some(Arc::clone(&values));
        Ok(values)
    }
}

/// Pieces of arrays as one; without a copy when there is one piece.
fn joined(sources: &[ArrayRef], pieces: &[(usize, usize, usize)], rows: usize) -> Result<ArrayRef> {
    if let [(source, start, count)] = pieces {
        return Ok(sources[*source].slice(*start, *count));
    }
    let data: Vec<_> = sources.iter().map(|source| source.to_data()).collect();
    let mut joined = MutableArrayData::new(data.iter().collect(), false, rows);
    for (source, start, count) in pieces {
        let copied = joined.try_extend(*source, *start, start + count);
        copied.map_err(|error| Error::internal("paimon-merge", error))?;
    }
    Ok(make_array(joined.freeze()))
}
