//! The rows of a split whose files overlap: merged by primary key (format facts §9).

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::{StreamExt, TryStreamExt, future, stream};
use paimon_io::{BatchStream, TableStore, background};
use paimon_spec::{
    DataSplit, Datum, Error, FieldId, KeyComparator, MergeEngine, MergeOptions, Result, RowKind, SEQUENCE_NUMBER_ID,
    SortedRun, VALUE_KIND_ID, sections,
};

use crate::{
    KeyedLayout, ReadRequest,
    chunk::{Merging, Ties},
    files::{Unopened, in_order},
    function::merge_function,
    levels::Origin,
    look_up::{newest, newest_decides},
    opening::{Opening, SplitFile, split_file},
    plan::{FilePlan, Target},
    sorted::{RankedBatches, merge_runs},
    width::batch_rows_within,
};

/// Bytes of rows that a merge holds when the request leaves it open.
pub(crate) const MEMORY_BYTES: u64 = 256 << 20;

/// Rows of a run's batch, at most: more of them leave the processor's caches before they are merged.
pub(crate) const RUN_ROWS: usize = 32 << 10;

/// Batches of each run that wait to be merged, or are being decoded.
pub(crate) const WAITING_BATCHES: usize = 1;

/// What is there of each run at the same time, in batches: one that is merged, those that wait, the pages they are decoded
/// from, and the first batch of the run's next file.
const BATCHES_OF_A_RUN: usize = WAITING_BATCHES + 3;

/// The fewest bytes of a batch: shorter ones make no progress worth the work.
const LEAST_BATCH_BYTES: u64 = 64 << 10;

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
        memory: request.memory_bytes.unwrap_or(MEMORY_BYTES),
    };
    let sections = sections(files, &KeyComparator::of(schema))?;
    // The next stretch is opened while one is read, so that its rows are there.
    let opened = stream::iter(stretches(sections)).map(move |stretch| future::ready(reading.open(stretch))).buffered(2);
    Ok(opened.try_flatten().boxed())
}

/// Gives each file its place by age, which decides where sequence numbers are equal: so the same row of a key wins
/// whatever else is read. (Java leaves it to the order of its runs.)
///
/// Gives the ranks that they had before, in the new order.
pub(crate) fn rank_by_age(files: &mut [SplitFile]) -> Vec<usize> {
    files.sort_by(|a, b| {
        let (a, b) = (&a.file, &b.file);
        (b.level.cmp(&a.level))
            .then(a.max_sequence_number.cmp(&b.max_sequence_number))
            .then(a.creation_time_millis.cmp(&b.creation_time_millis))
            .then_with(|| a.file_name.cmp(&b.file_name))
    });
    files.iter_mut().enumerate().map(|(rank, file)| std::mem::replace(&mut file.rank, rank)).collect()
}

/// What is read the same way.
pub(crate) enum Stretch {
    /// Files whose keys ascend from one to the next.
    Plain(Vec<SplitFile>),
    /// Runs that overlap.
    Merged(Vec<Vec<SplitFile>>),
}

/// Neighbouring sections of one run are read as one run. Sections of several runs are too: run after run, as keys ascend
/// from section to section.
pub(crate) fn stretches(sections: Vec<Vec<SortedRun<SplitFile>>>) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    for mut section in sections {
        // Older runs first, so that rows of a key mostly come in their order.
        section.sort_by_key(|run| run.files.iter().map(|file| file.rank).max());
        let mut runs: Vec<_> = section.into_iter().map(|run| run.files).collect();
        match (stretches.last_mut(), runs.len()) {
            (_, 0) => {}
            (Some(Stretch::Plain(files)), 1) => files.extend(runs.into_iter().flatten()),
            (_, 1) => stretches.push(Stretch::Plain(runs.into_iter().flatten().collect())),
            (Some(Stretch::Merged(before)), count) => {
                before.resize_with(before.len().max(count), Vec::new);
                before.iter_mut().zip(runs.drain(..)).for_each(|(before, run)| before.extend(run));
            }
            _ => stretches.push(Stretch::Merged(runs)),
        }
    }
    stretches
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
    memory: u64,
}

impl Reading {
    fn open(&self, stretch: Stretch) -> Result<BatchStream> {
        match stretch {
            Stretch::Plain(files) => {
                let openings = self.openings(&self.target, files, self.most_rows, None, |_| Vec::new())?;
                Ok(in_order(&self.store, openings, self.limit).map_ok(|(_, batch)| batch).boxed())
            }
            Stretch::Merged(runs) => self.merge(runs),
        }
    }

    fn merge(&self, runs: Vec<Vec<SplitFile>>) -> Result<BatchStream> {
        let in_order_of_age = sequences_are_disjoint(runs.iter().flatten());
        let ties = if in_order_of_age && sequences_ascend(&runs) { Ties::Settled } else { Ties::RetractFirst };
        let held_bytes = batch_bytes(self.memory, runs.len());
        let has_levels = !self.origins.is_empty() && has_levels(runs.iter().flatten());
        let batch_rows = batch_rows_within(held_bytes, &self.layout, runs.iter().flatten());
        let batch_rows = batch_rows.min(RUN_ROWS).min(self.most_rows);
        let run = |files: Vec<SplitFile>| -> Result<RankedBatches> {
            let known = |file: &SplitFile| known(file, in_order_of_age);
            let openings = self.openings(&self.before, files, batch_rows, Some(held_bytes), known)?;
            Ok(in_order(&self.store, openings, usize::MAX).boxed())
        };
        let runs = runs.into_iter().map(run).collect::<Result<Vec<_>>>()?;
        let runs = match ties {
            Ties::Settled if self.newest_decides => vec![newest(runs)],
            _ => runs.into_iter().map(|run| background(self.store.context(), run, WAITING_BATCHES)).collect(),
        };
        let function = merge_function(self.store.schema(), &self.layout)?;
        let mut merging = Merging::new(Arc::clone(&self.layout), function, ties, false)?;
        if has_levels {
            merging = merging.with_levels(&self.origins);
        }
        let after = Arc::clone(&self.after);
        let bucket = self.bucket_path.clone();
        let rows = merge_runs(merging, runs, batch_rows).map(move |merged| after.finish(&merged?));
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

/// Bytes of a batch, so that all batches of a merge take about `memory`. The runs of the next stretch may be open too.
pub(crate) fn batch_bytes(memory: u64, runs: usize) -> u64 {
    (memory / 2 / (runs * BATCHES_OF_A_RUN + 1) as u64).max(LEAST_BATCH_BYTES)
}

/// Values of system columns that need not be read.
fn known(file: &SplitFile, in_order_of_age: bool) -> Vec<(FieldId, Datum)> {
    let file = &file.file;
    let number = in_order_of_age.then_some((SEQUENCE_NUMBER_ID, Datum::BigInt(file.min_sequence_number)));
    // Whether a row is new or changed makes no difference; whether it takes back does.
    let kind = (file.delete_row_count == Some(0)).then(|| (VALUE_KIND_ID, Datum::TinyInt(RowKind::Insert.code())));
    number.into_iter().chain(kind).collect()
}

/// Whether no row of a file has a sequence number between those of another file, so that files as a whole are older or
/// newer. A key stands once in a file.
pub(crate) fn sequences_are_disjoint<'a>(files: impl Iterator<Item = &'a SplitFile>) -> bool {
    let mut ranges: Vec<_> = files.map(|file| (file.file.min_sequence_number, file.file.max_sequence_number)).collect();
    ranges.sort_unstable();
    ranges.windows(2).all(|pair| pair[0].1 < pair[1].0) && ranges.iter().all(|(min, max)| min <= max)
}

/// Whether all rows of a run are newer than those of the run before it, where files as a whole are older or newer.
pub(crate) fn sequences_ascend(runs: &[Vec<SplitFile>]) -> bool {
    let last = |run: &Vec<SplitFile>| run.iter().map(|file| file.file.max_sequence_number).max();
    let first = |run: &Vec<SplitFile>| run.iter().map(|file| file.file.min_sequence_number).min();
    runs.windows(2).all(|pair| last(&pair[0]) < first(&pair[1]))
}

/// Whether there are files of several levels above 0.
pub(crate) fn has_levels<'a>(files: impl Iterator<Item = &'a SplitFile>) -> bool {
    let mut levels = files.map(|file| file.file.level).filter(|level| *level > 0);
    levels.next().is_some_and(|first| levels.any(|level| level != first))
}

#[cfg(test)]
pub(crate) mod tests;
