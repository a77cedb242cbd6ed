//! Merging rows that are held in memory.

use std::sync::Arc;

use arrow::array::RecordBatch;
use paimon_spec::Result;

use crate::{
    KeyedLayout, MergeFunction,
    chunk::{Chunk, Ranks, Ties},
    merging::Merging,
};

/// Merges rows of `layout` that are held in memory, in any order: the result has keys ascending, in batches of about
/// `batch_rows` rows that went in. Rows of one key are taken by the table's sequence fields, then by sequence number,
/// then as they stand in `batches`. No batch is empty.
///
/// # Errors
/// `InvalidInput` when a batch does not have the layout's columns, `Unsupported` when rows have no order by its key or
/// sequence fields; those of the function come from the iterator, which ends then.
pub fn merge_buffer(
    layout: Arc<KeyedLayout>,
    batches: Vec<RecordBatch>,
    function: Box<dyn MergeFunction>,
    batch_rows: usize,
    keep_deletes: bool,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send> {
    let merging = Merging::new(layout, function, Ties::Arrival, keep_deletes)?;
    let mut chunk = Chunk::default();
    for batch in batches {
        let source = merging.order.source(&batch, Ranks::One(0))?;
        chunk.add(batch, source);
    }
    let sorted = sorted_rows(&chunk, merging.order.keys.is_exact());
    let buffer = Buffer { merging, chunk, sorted, next: 0, batch_rows: batch_rows.max(1) };
    Ok(buffer)
}

/// Rows in the order of their keys, on their way out.
struct Buffer {
    merging: Merging,
    chunk: Chunk,
    sorted: Vec<Row>,
    next: usize,
    batch_rows: usize,
}

/// A row: what its key starts with, then where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row(u128);

impl Row {
    fn new(lead: u64, source: usize, row: usize) -> Self {
        // Batches and rows of memory are counted by 32 bits.
        Self(u128::from(lead) << 64 | u128::from(source as u32) << 32 | u128::from(row as u32))
    }

    fn lead(self) -> u64 {
        (self.0 >> 64) as u64
    }

    fn place(self) -> (usize, usize) {
        ((self.0 >> 32) as u32 as usize, self.0 as u32 as usize)
    }
}

/// All rows by key; rows of one key as they came.
fn sorted_rows(chunk: &Chunk, exact: bool) -> Vec<Row> {
    let leads = chunk.sources.iter().map(|source| source.keys.lead());
    let rows = leads
        .enumerate()
        .flat_map(|(source, leads)| leads.iter().enumerate().map(move |(row, lead)| Row::new(*lead, source, row)));
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_unstable();
    if !exact {
        // Only rows whose keys start alike are looked at again, which is stable as they are in the order of arrival.
        rows.chunk_by_mut(|a, b| a.lead() == b.lead())
            .for_each(|alike| alike.sort_by(|a, b| chunk.compare_keys(a.place(), b.place())));
    }
    rows
}

impl Iterator for Buffer {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let exact = self.merging.order.keys.is_exact();
        while self.next < self.sorted.len() {
            let mut last: Option<Row> = None;
            for row in &self.sorted[self.next..] {
                let same =
                    |last: Row| last.lead() == row.lead() && (exact || self.chunk.same_key(last.place(), row.place()));
                if last.is_some_and(|last| !same(last)) {
                    self.chunk.end_key();
                    if self.chunk.rows.len() >= self.batch_rows {
                        break;
                    }
                }
                self.chunk.rows.push(row.place());
                last = Some(*row);
            }
            self.chunk.end_key();
            self.next += self.chunk.rows.len();
            match self.merging.merge(&mut self.chunk) {
                Ok(merged) if merged.num_rows() == 0 => {}
                Ok(merged) => return Some(Ok(merged)),
                Err(error) => {
                    self.next = self.sorted.len();
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
