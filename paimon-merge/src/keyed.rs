//! The rows of a split whose files overlap: merged by primary key (format facts §9).

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt, future, stream};
use paimon_io::{BatchStream, TableStore};
use paimon_spec::{
    DataSplit, Datum, Error, FieldId, KeyComparator, MergeEngine, MergeOptions, Result, RowKind, SEQUENCE_NUMBER_ID,
    VALUE_KIND_ID, sections,
};

use crate::{
    KeyedLayout, ReadRequest,
    chunk::{Ranks, Ties},
    files::{Unopened, in_order},
    function::merge_function,
    levels::Origin,
    look_up::{newest, newest_decides},
    many_runs::{BatchSize, Reads, merge_files},
    merging::Merging,
    opening::{Opening, SplitFile, split_file},
    plan::{FilePlan, Target},
    sorted::{RankedBatches, merge_chunks},
    stretches::{Ages, Stretch, rank_by_age, stretches},
};

/// The merged rows of a split, section by section, in the order of keys. A section of one run is not merged, and takes
/// the whole predicate; of others only what [`paimon_spec::Predicate::below_merge`] allows.
///
/// # Errors
/// As [`crate::read()`]; `Unsupported` when only some rows of the files are asked for.
pub(crate) async fn read_keyed(
    store: &TableStore,
    split: &DataSplit,
    request: &ReadRequest,
    target: &Arc<Target>,
) -> Result<BatchStream> {
    if split.rows.iter().any(Option::is_some) {
        return Err(Error::unsupported("ranges of rows of files that have to be merged are not supported"));
    }
    let Some(after) = FilePlan::after_merge(target)? else { return Ok(stream::empty().boxed()) };
    let schema = store.schema();
    let wanted: Vec<FieldId> = after.columns.iter().map(|field| field.id).collect();
    let options = MergeOptions::of(schema)?;
    let layout = KeyedLayout::new(schema, &options.fields_needed(&wanted))?.with_result(&wanted)?;
    let before = target.before_merge(&layout);
    let mut files = Vec::with_capacity(split.files.len());
    for position in 0..split.files.len() {
        files.extend(split_file(store, split, position).await?);
    }
    rank_by_age(&mut files);
    let by_level = store.options().need_lookup()? && options.engine != MergeEngine::FirstRow;
    let origin = |file: &SplitFile| Origin { level: file.file.level, deeper: None };
    let reading = Reading {
        origins: if by_level { files.iter().map(origin).collect() } else { Vec::new() },
        store: store.clone(),
        bucket_path: split.bucket_path.clone(),
        target: Arc::clone(target),
        // From afar the runs are asked together: one after the other takes longer than a few requests more.
        newest_decides: store.storage().is_local() && newest_decides(schema, &options, &before.predicate),
        before: Arc::new(before),
        layout: Arc::new(layout),
        after: Arc::new(after),
        limit: request.limit.unwrap_or(usize::MAX),
        most_rows: request.most_rows(),
        memory: request.memory_bytes,
    };
    let reading = Arc::new(reading);
    let sections = sections(files, &KeyComparator::of(schema))?;
    // The next stretch is opened while one is read, so that its rows are there.
    let opened = stream::iter(stretches(sections)).map(move |stretch| future::ready(reading.open(stretch))).buffered(2);
    Ok(opened.try_flatten().boxed())
}

struct Reading {
    store: TableStore,
    bucket_path: String,
    /// What is asked of files that are not merged.
    target: Arc<Target>,
    /// What is asked of files that are.
    before: Arc<Target>,
    /// See [`newest_decides`].
    newest_decides: bool,
    layout: Arc<KeyedLayout>,
    /// By rank, of tables that need look-up.
    origins: Vec<Origin>,
    /// What becomes of merged rows.
    after: Arc<FilePlan>,
    limit: usize,
    most_rows: usize,
    memory: Option<u64>,
}

impl Reading {
    fn open(self: &Arc<Self>, stretch: Stretch) -> Result<BatchStream> {
        match stretch {
            Stretch::Plain(files) => {
                let openings = self.openings(&self.target, files, self.most_rows, None, |_| Vec::new())?;
                Ok(in_order(&self.store, openings, self.limit).map_ok(|(_, batch)| batch).boxed())
            }
            Stretch::Merged(runs) => self.merge(runs),
        }
    }

    fn merge(self: &Arc<Self>, runs: Vec<Vec<SplitFile>>) -> Result<BatchStream> {
        let ages = Ages::of(&runs);
        let has_levels = !self.origins.is_empty() && has_levels(runs.iter().flatten());
        let finish = |ties| {
            let function = merge_function(self.store.schema(), &self.layout)?;
            let merging = Merging::new(Arc::clone(&self.layout), function, ties, false)?;
            Ok(if has_levels { merging.with_levels(&self.origins) } else { merging })
        };
        let merged = if self.newest_decides && ages.ties == Ties::Settled {
            let size = BatchSize::within(self.memory, runs.len(), &self.layout, runs.iter().flatten());
            let size = BatchSize { rows: size.rows.min(self.most_rows), ..size };
            let runs = runs.into_iter().map(|files| self.read(files, size, ages)).collect::<Result<_>>()?;
            merge_chunks(finish(ages.ties)?, vec![newest(runs)], size.rows)
        } else {
            merge_files(self, runs, ages, finish)?
        };
        let after = Arc::clone(&self.after);
        let bucket = self.bucket_path.clone();
        let rows = merged.map(move |merged| after.finish(&merged?));
        let rows = rows.map_err(move |error| error.with_context("bucket", &bucket));
        Ok(rows.try_filter(|batch: &RecordBatch| future::ready(batch.num_rows() > 0)).boxed())
    }

    fn openings(
        &self,
        target: &Arc<Target>,
        files: Vec<SplitFile>,
        batch_rows: usize,
        held_bytes: Option<u64>,
        known: impl Fn(&SplitFile) -> Vec<(FieldId, Datum)>,
    ) -> Result<Vec<Unopened>> {
        let mut openings = Vec::with_capacity(files.len());
        for file in files {
            let Some(plan) = FilePlan::new(target, &file.written, &file.file, &known(&file))? else { continue };
            let opening = Opening::new(&self.store, &self.bucket_path, file, plan, batch_rows)?;
            openings.push(Unopened::File(Box::new(Opening { held_bytes, ..opening })));
        }
        Ok(openings)
    }
}

impl Reads for Reading {
    fn store(&self) -> &TableStore {
        &self.store
    }

    fn layout(&self) -> &Arc<KeyedLayout> {
        &self.layout
    }

    fn memory(&self) -> Option<u64> {
        self.memory
    }

    fn most_rows(&self) -> usize {
        self.most_rows
    }

    fn is_whole(&self, _: &SplitFile) -> bool {
        true
    }

    fn read(&self, files: Vec<SplitFile>, size: BatchSize, ages: Ages) -> Result<RankedBatches> {
        let known = |file: &SplitFile| known(file, ages.are_apart);
        let openings = self.openings(&self.before, files, size.rows, Some(size.held_bytes), known)?;
        Ok(in_order(&self.store, openings, usize::MAX).map_ok(|(rank, batch)| (Ranks::One(rank), batch)).boxed())
    }
}

/// Values of system columns that need not be read.
fn known(file: &SplitFile, in_order_of_age: bool) -> Vec<(FieldId, Datum)> {
    let file = &file.file;
    let number = in_order_of_age.then_some((SEQUENCE_NUMBER_ID, Datum::BigInt(file.min_sequence_number)));
    // Whether a row is new or changed makes no difference; whether it takes back does.
    let kind = (file.delete_row_count == Some(0)).then(|| (VALUE_KIND_ID, Datum::TinyInt(RowKind::Insert.code())));
    number.into_iter().chain(kind).collect()
}

/// Whether there are files of several levels above 0.
pub(crate) fn has_levels<'a>(files: impl Iterator<Item = &'a SplitFile>) -> bool {
    let mut levels = files.map(|file| file.file.level).filter(|level| *level > 0);
    levels.next().is_some_and(|first| levels.any(|level| level != first))
}

#[cfg(test)]
pub(crate) mod tests;
