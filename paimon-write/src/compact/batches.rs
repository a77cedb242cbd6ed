//! How many rows go through a compaction at a time.

/// Bytes of a batch of rows on its way, about, and its rows.
const BATCH_BYTES: u64 = 16 << 20;
const FEWEST_ROWS: u64 = 1 << 10;
const MOST_ROWS: u64 = 128 << 10;

/// Rows take so many times more in memory than in their files, about.
const UNPACKED: u64 = 4;

/// Rows of a batch, by the bytes that `rows` rows have in files.
pub(super) fn batch_rows(bytes: u64, rows: u64) -> u64 {
    let row_bytes = bytes.saturating_mul(UNPACKED).checked_div(rows).unwrap_or(0).max(1);
    (BATCH_BYTES / row_bytes).clamp(FEWEST_ROWS, MOST_ROWS)
}
