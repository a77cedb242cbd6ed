//! Rows of a partition that wait for its number of buckets.

use arrow::array::RecordBatch;
use futures::stream::{self, StreamExt};
use paimon_io::{BatchStream, SpillSpace, SpilledRun};
use paimon_spec::Result;

use crate::append::bytes_of;

/// In the order in which they came: those on disk are older than those in memory.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    spilled: Vec<SpilledRun>,
    held: Vec<RecordBatch>,
    held_bytes: u64,
    rows: u64,
    bytes: u64,
}

impl Waiting {
    pub(super) fn push(&mut self, rows: RecordBatch) {
        let bytes = bytes_of(&rows);
        self.rows += rows.num_rows() as u64;
        self.bytes += bytes;
        self.held_bytes += bytes;
        self.held.push(rows);
    }

    /// Bytes in memory.
    pub(super) fn memory(&self) -> u64 {
        self.held_bytes
    }

    /// All rows, and what they take in memory.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.rows, self.bytes)
    }

    /// Moves the rows in memory to disk.
    pub(super) async fn spill(&mut self, space: &SpillSpace) -> Result<()> {
        let Some(schema) = self.held.first().map(RecordBatch::schema) else { return Ok(()) };
        let rows = stream::iter(std::mem::take(&mut self.held)).map(Ok).boxed();
        self.held_bytes = 0;
        self.spilled.push(space.spill(&schema, rows).await?);
        Ok(())
    }

    /// All rows.
    pub(super) fn read(self) -> BatchStream {
        let spilled = stream::iter(self.spilled).map(|run| run.read()).flatten();
        spilled.chain(stream::iter(self.held).map(Ok)).boxed()
    }
}
