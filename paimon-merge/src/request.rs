//! What is asked of a split.

use paimon_spec::{FieldId, Predicate};

/// Rows of a batch when the request leaves it open. Large, because what takes batches over (Python, Daft) pays per batch.
const BATCH_ROWS: usize = 128 << 10;

/// What is wanted of a split.
#[derive(Debug, Clone, Default)]
pub struct ReadRequest {
    /// Output columns in order; `None`: all of the table's.
    pub projection: Option<Vec<FieldId>>,
    /// Only rows for which it is true. Exact, and on any columns of the table.
    pub predicate: Option<Predicate>,
    /// Stop after this many rows of the split.
    pub limit: Option<usize>,
    /// Rows of a batch, at most.
    pub batch_rows: Option<usize>,
    /// Bytes that a merge may hold, about: batches of its runs, and what they are decoded from; `None`: 256 MiB.
    pub memory_bytes: Option<u64>,
}

impl ReadRequest {
    pub(crate) fn most_rows(&self) -> usize {
        self.batch_rows.unwrap_or(BATCH_ROWS).max(1)
    }
}
