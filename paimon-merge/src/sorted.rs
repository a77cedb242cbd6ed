//! Merging runs that are sorted.

use std::{cmp::Ordering, sync::Arc};

use arrow::array::RecordBatch;
use futures::{
    StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use paimon_io::BatchStream;
use paimon_spec::{Error, Result};

use crate::{
    KeyedLayout, MergeFunction,
    chunk::{Chunk, Ranks, RowOrder, Source, Ties},
    loser_tree::{Head, LoserTree},
    merging::Merging,
};

/// Rows sorted by key, in batches; each with the ranks of what its rows came from, by which ties are broken.
pub(crate) type RankedBatches = BoxStream<'static, Result<(Ranks, RecordBatch)>>;

/// Merges runs of rows of `layout` that are each sorted by key; a run may hold several rows of a key, one after the
/// other. Rows of one key are taken by the table's sequence fields, then by sequence number, then by the order of runs,
/// then as they stand in the run. The result has keys ascending, in batches of about `batch_rows` rows that went in.
///
/// In memory are one batch of each run, or few of them, and the rows that come out next. Keys that have a result all make
/// batches that are not empty; the first error ends the stream.
pub fn merge_sorted(
    layout: Arc<KeyedLayout>,
    runs: Vec<BatchStream>,
    function: Box<dyn MergeFunction>,
    batch_rows: usize,
    keep_deletes: bool,
) -> BatchStream {
    let runs = runs.into_iter().map(|run| run.map_ok(|batch| (Ranks::One(0), batch)).boxed()).collect();
    match Merging::new(layout, function, Ties::Arrival, keep_deletes) {
        Ok(merging) => merge_chunks(merging, runs, batch_rows),
        Err(error) => stream::iter([Err(error)]).boxed(),
    }
}

/// What becomes of runs under a merge.
pub(crate) trait Finish: Send + 'static {
    type Output: Send;

    /// How rows stand.
    fn order(&self) -> &RowOrder;

    /// What is merged of rows that arrive, and what they are ordered by.
    fn arrive(&self, batch: RecordBatch, ranks: Ranks) -> Result<(RecordBatch, Source)> {
        let source = self.order().source(&batch, ranks)?;
        Ok((batch, source))
    }

    /// Makes something of rows of whole keys, and forgets them; the batches stay.
    fn finish(&mut self, chunk: &mut Chunk) -> Result<Option<Self::Output>>;
}

impl Finish for Merging {
    type Output = RecordBatch;

    fn order(&self) -> &RowOrder {
        &self.order
    }

    fn finish(&mut self, chunk: &mut Chunk) -> Result<Option<RecordBatch>> {
        let merged = self.merge(chunk)?;
        Ok((merged.num_rows() > 0).then_some(merged))
    }
}

/// Takes the rows of all runs in the order of [`merge_sorted`], and gives what `finish` makes of chunks of them.
pub(crate) fn merge_chunks<F: Finish>(
    finish: F,
    runs: Vec<RankedBatches>,
    batch_rows: usize,
) -> BoxStream<'static, Result<F::Output>> {
    let (leaves, chunk_rows) = (Vec::new(), batch_rows.max(1));
    let merge = Merge { finish, runs, leaves, tree: None, chunk: Chunk::default(), last_lead: 0, chunk_rows };
    stream::try_unfold(merge, |mut merge| async move { Ok(merge.next().await?.map(|output| (output, merge))) }).boxed()
}

struct Merge<F> {
    finish: F,
    runs: Vec<RankedBatches>,
    /// Where each run stands.
    leaves: Vec<Leaf>,
    /// Absent before the first rows.
    tree: Option<LoserTree>,
    chunk: Chunk,
    /// What the key of the chunk's last row starts with.
    last_lead: u64,
    /// Rows that make a chunk, which ends at the end of a key.
    chunk_rows: usize,
}

/// The next row of a run.
#[derive(Debug, Clone, Copy, Default)]
struct Leaf {
    source: usize,
    row: usize,
    /// Rows of the source.
    rows: usize,
}

/// Why rows do not go on.
enum Pause {
    /// The batch of this run is used up.
    Batch(usize),
    /// The chunk is full, at the end of a key.
    Full,
    /// All runs have ended.
    End,
}

impl<F: Finish> Merge<F> {
    async fn next(&mut self) -> Result<Option<F::Output>> {
        loop {
            let Some(mut tree) = self.tree.take() else {
                self.start().await?;
                continue;
            };
            let exact = self.finish.order().keys.is_exact();
            let pause = if exact { self.fill::<true>(&mut tree) } else { self.fill::<false>(&mut tree) }?;
            if let Pause::Batch(run) = pause {
                let rows = next_rows(&mut self.runs[run]).await?;
                let head = self.arrive(run, rows)?;
                tree.replace(run, head, |a, b| self.less(a, b));
            }
            self.tree = Some(tree);
            match pause {
                Pause::Batch(_) => continue,
                Pause::End if self.chunk.rows.is_empty() => return Ok(None),
                Pause::Full | Pause::End => {}
            }
            let output = self.finish.finish(&mut self.chunk)?;
            self.release();
            if output.is_some() {
                return Ok(output);
            }
        }
    }

    /// Waits for the first rows of all runs.
    async fn start(&mut self) -> Result<()> {
        let runs = self.runs.len();
        u32::try_from(runs).map_err(|_| Error::invalid(format!("{runs} runs are too many to be merged")))?;
        let first = future::try_join_all(self.runs.iter_mut().map(next_rows)).await?;
        self.leaves = vec![Leaf::default(); runs];
        let heads = first.into_iter().enumerate().map(|(run, rows)| self.arrive(run, rows));
        let heads = heads.collect::<Result<Vec<_>>>()?;
        self.tree = Some(LoserTree::new(&heads, |a, b| self.less(a, b)));
        Ok(())
    }

    /// Takes rows in order until something has to happen.
    fn fill<const EXACT: bool>(&mut self, tree: &mut LoserTree) -> Result<Pause> {
        loop {
            let winner = tree.winner();
            if winner == Head::END {
                self.chunk.end_key();
                return Ok(Pause::End);
            }
            let run = winner.run();
            let Leaf { source, row, rows } = self.leaves[run];
            if let Some(last) = self.chunk.rows.last()
                && !(self.last_lead == winner.lead() && (EXACT || self.chunk.same_key(*last, (source, row))))
            {
                self.chunk.end_key();
                if self.chunk.rows.len() >= self.chunk_rows || self.chunk.sources.len() > 2 * self.runs.len() {
                    return Ok(Pause::Full);
                }
            }
            self.last_lead = winner.lead();
            self.chunk.rows.push((source, row));
            let next = row + 1;
            self.leaves[run].row = next;
            if next == rows {
                return Ok(Pause::Batch(run));
            }
            let head = Head::new(self.chunk.sources[source].keys.lead()[next], run);
            self.check_sorted::<EXACT>(winner, (source, row), head, (source, next))?;
            tree.replace(run, head, |a, b| if EXACT { a < b } else { self.less(a, b) });
        }
    }

    /// Goes on with the next rows of a run, and gives its head.
    fn arrive(&mut self, run: usize, rows: Option<(Ranks, RecordBatch)>) -> Result<Head> {
        let Some((ranks, batch)) = rows else { return Ok(Head::END) };
        let rows = batch.num_rows();
        let (batch, source) = self.finish.arrive(batch, ranks)?;
        let head = Head::new(source.keys.lead()[0], run);
        let before = self.leaves[run];
        let source = self.chunk.add(batch, source);
        self.leaves[run] = Leaf { source, row: 0, rows };
        if before.rows > 0 {
            // The last row before is the last one that was taken, so its batch is still there.
            let last = (before.source, before.row - 1);
            let winner = Head::new(self.last_lead, run);
            self.check_sorted::<false>(winner, last, head, (source, 0))?;
        }
        Ok(head)
    }

    fn check_sorted<const EXACT: bool>(
        &self,
        before: Head,
        last: (usize, usize),
        head: Head,
        next: (usize, usize),
    ) -> Result<()> {
        if head.lead() > before.lead() || (head.lead() == before.lead() && EXACT) {
            return Ok(());
        }
        match self.chunk.compare_keys(last, next) {
            Ordering::Greater => Err(Error::corrupt("rows of a sorted run are not in the order of their keys")),
            _ => Ok(()),
        }
    }

    fn less(&self, a: Head, b: Head) -> bool {
        if a.lead() != b.lead() || self.finish.order().keys.is_exact() || a == Head::END || b == Head::END {
            return a < b;
        }
        let place = |head: Head| (self.leaves[head.run()].source, self.leaves[head.run()].row);
        self.chunk.compare_keys(place(a), place(b)).then(a.cmp(&b)).is_lt()
    }

    /// Lets go of batches whose rows have all been merged.
    fn release(&mut self) {
        let mut held: Vec<_> = self.chunk.take_sources().map(Some).collect();
        for leaf in &mut self.leaves {
            if leaf.row < leaf.rows
                && let Some((batch, source)) = held[leaf.source].take()
            {
                leaf.source = self.chunk.add(batch, source);
            }
        }
    }
}

/// The next rows of a run; `None` at its end.
async fn next_rows(run: &mut RankedBatches) -> Result<Option<(Ranks, RecordBatch)>> {
    while let Some((ranks, batch)) = run.try_next().await? {
        if batch.num_rows() > 0 {
            return Ok(Some((ranks, batch)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
