//! Runs of files on their way into a merge, within a number of bytes.
//!
//! An open run takes memory however few of its rows are merged at a time: pages of its file, and batches of rows that wait.
//! Where runs are too many for that, the smallest are put together first: their rows, sorted by key and otherwise as they
//! are, go into temporary files, of which each is a run (Java's `MergeSorter` sorts the rows of all of them).

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, UInt32Array},
    compute::interleave_record_batch,
    datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type},
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use paimon_io::{SpillSpace, SpilledRun, TableStore, background};
use paimon_spec::{Error, Result};

use crate::{
    KeyedLayout,
    chunk::{Chunk, Ranks, RowOrder, Ties},
    opening::SplitFile,
    sorted::{Finish, RankedBatches, merge_chunks},
    stretches::Ages,
    width::{batch_rows_within, file_bytes},
};

/// Bytes of rows that a merge holds when the request leaves it open.
const MEMORY_BYTES: u64 = 256 << 20;

/// Rows of a run's batch, at most: more of them leave the processor's caches before they are merged.
pub(crate) const RUN_ROWS: usize = 32 << 10;

/// Batches of each run that wait to be merged, or are being decoded.
const WAITING_BATCHES: usize = 1;

/// What is there of each run at the same time, in batches: one that is merged, those that wait, the pages they are decoded
/// from, and the first batch of the run's next file.
const BATCHES_OF_A_RUN: usize = WAITING_BATCHES + 3;

/// The fewest bytes of a batch: shorter ones make no progress worth the work.
const LEAST_BATCH_BYTES: u64 = 64 << 10;

/// What an open run of files takes, at most: pages of its columns, beside its batches.
const MOST_RUN_BYTES: u64 = 4 << 20;

/// What an open run of a temporary file takes: its batches are of 256 KiB.
const SPILLED_RUN_BYTES: u64 = 1 << 20;

/// Rows of a merge at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchSize {
    pub(crate) rows: usize,
    /// See [`paimon_io::FileRead`].
    pub(crate) held_bytes: u64,
}

impl BatchSize {
    /// Of each of several runs, so that all batches of a merge take about `memory`. The runs of the next stretch may be
    /// open too.
    pub(crate) fn within<'a>(
        memory: Option<u64>,
        runs: usize,
        layout: &KeyedLayout,
        files: impl Iterator<Item = &'a SplitFile>,
    ) -> Self {
        let memory = memory.unwrap_or(MEMORY_BYTES);
        let held_bytes = (memory / 2 / (runs * BATCHES_OF_A_RUN + 1) as u64).max(LEAST_BATCH_BYTES);
        Self { rows: batch_rows_within(held_bytes, layout, files).min(RUN_ROWS), held_bytes }
    }
}

/// How files are read for a merge.
pub(crate) trait Reads: Send + Sync + 'static {
    fn store(&self) -> &TableStore;

    /// The columns of rows that are merged.
    fn layout(&self) -> &Arc<KeyedLayout>;

    /// Bytes that the merge may hold, about.
    fn memory(&self) -> Option<u64>;

    /// Rows of a batch, at most.
    fn most_rows(&self) -> usize;

    /// Whether all rows of a file have the columns of the layout, and nothing more.
    fn is_whole(&self, file: &SplitFile) -> bool;

    /// The rows of files whose keys ascend from one to the next.
    fn read(&self, files: Vec<SplitFile>, size: BatchSize, ages: Ages) -> Result<RankedBatches>;
}

/// Merges runs of files that `ages` is of. What is made of the rows may ask how ties are broken.
pub(crate) fn merge_files<R: Reads, F: Finish>(
    reads: &Arc<R>,
    runs: Vec<Vec<SplitFile>>,
    ages: Ages,
    finish: impl FnOnce(Ties) -> Result<F>,
) -> Result<BoxStream<'static, Result<F::Output>>> {
    let runs: Vec<Run> = runs.into_iter().map(|files| Run::of(files, &**reads)).collect();
    let room = reads.memory().unwrap_or(MEMORY_BYTES);
    let context = reads.store().context();
    // Without a folder for temporary files all runs are open at the same time.
    let space = if too_many(&runs, room) { SpillSpace::new(context, u64::MAX) } else { None };
    let Some(space) = space else {
        let (runs, size) = open(&**reads, runs, ages)?;
        return Ok(merge_chunks(finish(ages.ties)?, runs, size.rows));
    };
    // Runs are no longer in the order of their age.
    let (finish, reads) = (finish(Ties::RetractFirst)?, Arc::clone(reads));
    let merged = async move {
        let runs = put_together(&*reads, runs, ages, room, &space).await?;
        let (runs, size) = open(&*reads, runs, ages)?;
        Ok(merge_chunks(finish, runs, size.rows))
    };
    Ok(stream::once(merged).try_flatten().boxed())
}

/// A run that is not open yet.
enum Run {
    Files {
        files: Vec<SplitFile>,
        /// What it takes when it is open.
        held: u64,
        /// Bytes of all of its rows.
        bytes: u64,
        /// Whether it may go into a temporary file.
        is_whole: bool,
    },
    Spilled(SpilledRun),
}

impl Run {
    fn of(files: Vec<SplitFile>, reads: &impl Reads) -> Self {
        let bytes = |file: &SplitFile| {
            let in_storage = u64::try_from(file.file.file_size).unwrap_or(0);
            // Once as pages, and once as batches.
            file_bytes(reads.layout(), file).saturating_mul(2).saturating_add(in_storage)
        };
        Self::Files {
            held: files.iter().map(bytes).max().unwrap_or(0).min(MOST_RUN_BYTES),
            bytes: files.iter().map(bytes).fold(0, u64::saturating_add),
            is_whole: files.iter().all(|file| reads.is_whole(file)),
            files,
        }
    }

    fn held(&self) -> u64 {
        match self {
            Self::Files { held, .. } => *held,
            Self::Spilled(_) => SPILLED_RUN_BYTES,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Files { bytes, .. } => *bytes,
            // Many runs made it, so it is read after those that files are.
            Self::Spilled(_) => u64::MAX,
        }
    }

    fn may_be_spilled(&self) -> bool {
        match self {
            Self::Files { is_whole, .. } => *is_whole,
            Self::Spilled(_) => true,
        }
    }
}

fn too_many(runs: &[Run], room: u64) -> bool {
    runs.len() > 2 && runs.iter().map(Run::held).fold(0, u64::saturating_add) > room
}

/// Opens runs that are merged at the same time.
fn open(reads: &impl Reads, runs: Vec<Run>, ages: Ages) -> Result<(Vec<RankedBatches>, BatchSize)> {
    let files = runs.iter().flat_map(|run| if let Run::Files { files, .. } = run { files.as_slice() } else { &[] });
    let size = BatchSize::within(reads.memory(), runs.len(), reads.layout(), files);
    let size = BatchSize { rows: size.rows.min(reads.most_rows()), ..size };
    let opened = runs.into_iter().map(|run| {
        let batches = match run {
            Run::Files { files, .. } => reads.read(files, size, ages)?,
            Run::Spilled(run) => run.read().map(|batch| without_ranks(batch?)).boxed(),
        };
        Ok(background(reads.store().context(), batches, WAITING_BATCHES))
    });
    Ok((opened.collect::<Result<_>>()?, size))
}

/// Merges runs into fewer ones that may all be open at the same time.
async fn put_together(
    reads: &impl Reads,
    mut runs: Vec<Run>,
    ages: Ages,
    room: u64,
    space: &SpillSpace,
) -> Result<Vec<Run>> {
    while too_many(&runs, room) {
        let before = runs.len();
        let (mut fewer, groups) = grouped(runs, room);
        for group in groups {
            let (opened, size) = open(reads, group, ages)?;
            let sorted = Sorted::new(reads.layout())?;
            let schema = Arc::clone(&sorted.schema);
            let rows = merge_chunks(sorted, opened, size.rows);
            fewer.push(Run::Spilled(space.spill(&schema, rows).await?));
        }
        runs = fewer;
        if runs.len() >= before {
            break;
        }
    }
    Ok(runs)
}

/// Which runs stay as they are, and groups of those that become one run each: the smaller ones.
fn grouped(mut runs: Vec<Run>, room: u64) -> (Vec<Run>, Vec<Vec<Run>>) {
    runs.sort_by_key(|run| (run.may_be_spilled(), std::cmp::Reverse(run.bytes())));
    let mut held = 0_u64;
    let stays = |run: &&Run| {
        held = held.saturating_add(run.held());
        !run.may_be_spilled() || held <= room / 2
    };
    let staying = runs.iter().take_while(stays).count();
    let others = runs.split_off(staying);
    let mut groups: Vec<Vec<Run>> = Vec::new();
    let mut of_group = 0_u64;
    for run in others {
        of_group = of_group.saturating_add(run.held());
        match groups.last_mut() {
            Some(group) if of_group <= room || group.len() < 2 => group.push(run),
            _ => {
                of_group = run.held();
                groups.push(vec![run]);
            }
        }
    }
    if groups.last().is_some_and(|group| group.len() < 2) {
        runs.extend(groups.pop().into_iter().flatten());
    }
    (runs, groups)
}

/// Rows in the order of their keys, as they are, with the ranks of what they came from.
struct Sorted {
    order: RowOrder,
    schema: SchemaRef,
}

impl Sorted {
    fn new(layout: &Arc<KeyedLayout>) -> Result<Self> {
        let ranks = Arc::new(Field::new("_RANK", DataType::UInt32, false));
        let fields = layout.schema().fields().iter().cloned().chain([ranks]);
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { order: RowOrder::new(Arc::clone(layout), Ties::RetractFirst)?, schema })
    }
}

impl Finish for Sorted {
    type Output = RecordBatch;

    fn order(&self) -> &RowOrder {
        &self.order
    }

    fn finish(&mut self, chunk: &mut Chunk) -> Result<Option<RecordBatch>> {
        let sources: Vec<&RecordBatch> = chunk.batches.iter().collect();
        let rows = interleave_record_batch(&sources, &chunk.rows).map_err(internal)?;
        let rank = |(source, row): &(usize, usize)| u32::try_from(chunk.sources[*source].rank(*row));
        let ranks = chunk.rows.iter().map(rank).collect::<Result<UInt32Array, _>>();
        let ranks = Arc::new(ranks.map_err(|_| Error::invalid("there are too many files to be merged"))?) as ArrayRef;
        chunk.forget_rows();
        let columns = rows.columns().iter().cloned().chain([ranks]).collect();
        Ok(Some(RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(internal)?))
    }
}

/// What [`Sorted`] put together.
fn without_ranks(mut batch: RecordBatch) -> Result<(Ranks, RecordBatch)> {
    let last =
        batch.num_columns().checked_sub(1).ok_or_else(|| internal("rows of a temporary file have no columns"))?;
    let ranks = batch.remove_column(last);
    let ranks =
        ranks.as_primitive_opt::<UInt32Type>().ok_or_else(|| internal("rows of a temporary file have no ranks"))?;
    Ok((Ranks::Each(ranks.values().clone()), batch))
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::internal("paimon-merge", error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(held: u64, bytes: u64, is_whole: bool) -> Run {
        Run::Files { files: Vec::new(), held, bytes, is_whole }
    }

    #[test]
    fn few_runs_are_merged_as_they_are() {
        assert!(!too_many(&[run(50, 1, true), run(60, 1, true)], 1), "a temporary file of one would win nothing");
        assert!(!too_many(&[run(50, 1, true), run(50, 1, true), run(50, 1, true)], 150));
        assert!(too_many(&[run(50, 1, true), run(50, 1, true), run(51, 1, true)], 150));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_smaller_runs_are_put_together_in_groups_that_fit(
            sizes in prop::collection::vec((1_u64..40, 0_u64..1000, prop::bool::weighted(0.8)), 0..40),
        ) {
            let room = 100;
            let (staying, groups) = grouped(sizes.iter().map(|(held, bytes, whole)| run(*held, *bytes, *whole)).collect(), room);
            prop_assert_eq!(staying.len() + groups.iter().map(Vec::len).sum::<usize>(), sizes.len());
            let held = |runs: &[Run]| runs.iter().map(Run::held).sum::<u64>();
            let smallest_that_stays = staying.iter().take(staying.len().saturating_sub(1)).filter(|run| run.may_be_spilled());
            let smallest_that_stays = smallest_that_stays.map(Run::bytes).min();
            for group in &groups {
                prop_assert!(group.len() > 1 && held(group) <= room);
                prop_assert!(group.iter().all(Run::may_be_spilled));
                let largest = group.iter().map(Run::bytes).max();
                prop_assert!(smallest_that_stays.is_none_or(|smallest| largest.is_some_and(|largest| largest <= smallest)));
            }
            let of_files: Vec<Run> = staying.into_iter().filter(Run::may_be_spilled).collect();
            prop_assert!(held(&of_files) <= room / 2 + 40, "what stays, and one run that is left over");
        }
    }
}
