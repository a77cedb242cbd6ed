//! Rows that belong together, cut out of a batch.

use std::collections::HashMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use paimon_spec::Result;

use super::arrow_error;

/// Partitions times buckets up to which a table of all of them is cheaper than a map of those that occur.
const DENSE_TARGETS: usize = 1 << 16;

/// The group of each row, numbered from 0 by first appearance.
#[derive(Debug)]
pub(super) enum Groups {
    One,
    Many(Vec<u32>),
}

impl Groups {
    pub(super) fn of(&self, row: usize) -> u32 {
        match self {
            Self::One => 0,
            Self::Many(groups) => groups[row],
        }
    }

    /// The rows of each group. Rows that stand together are not copied.
    pub(super) fn split(&self, batch: &RecordBatch, count: usize) -> Result<Vec<RecordBatch>> {
        let Self::Many(groups) = self else { return Ok(vec![batch.clone()]) };
        if count == 1 {
            return Ok(vec![batch.clone()]);
        }
        // A counting sort: `ends[g]` is where group g ends in `rows`.
        let mut ends = vec![0_usize; count];
        for group in groups {
            ends[*group as usize] += 1;
        }
        let mut at = 0;
        let mut next: Vec<usize> = Vec::with_capacity(count);
        for end in &mut ends {
            next.push(at);
            at += *end;
            *end = at;
        }
        let mut rows = vec![0_u32; groups.len()];
        for (row, group) in groups.iter().enumerate() {
            let place = &mut next[*group as usize];
            rows[*place] = row as u32;
            *place += 1;
        }
        let mut start = 0;
        ends.into_iter()
            .map(|end| {
                let rows = &rows[start..end];
                start = end;
                let (first, last) = (rows[0] as usize, rows[rows.len() - 1] as usize);
                if last - first + 1 == rows.len() {
                    return Ok(batch.slice(first, rows.len()));
                }
                take_record_batch(batch, &UInt32Array::from(rows.to_vec())).map_err(arrow_error)
            })
            .collect()
    }
}

/// The buckets of partitions that occur, numbered from 0 by first appearance.
pub(super) struct Targets {
    pub(super) found: Vec<(u32, i32)>,
    /// Of each bucket of each partition, one more than its number; 0: it has none yet. Empty: there are too many.
    dense: Vec<u32>,
    sparse: HashMap<(u32, i32), u32>,
    buckets: usize,
}

impl Targets {
    /// `buckets` is positive.
    pub(super) fn new(partitions: usize, buckets: i32) -> Self {
        let buckets = buckets as usize;
        let all = partitions.checked_mul(buckets).filter(|all| *all <= DENSE_TARGETS);
        Self { found: Vec::new(), dense: vec![0; all.unwrap_or(0)], sparse: HashMap::new(), buckets }
    }

    pub(super) fn group_of(&mut self, partition: u32, bucket: i32) -> u32 {
        let next = self.found.len() as u32;
        let group = match self.dense.get_mut(partition as usize * self.buckets + bucket as usize) {
            Some(place) => {
                if *place == 0 {
                    *place = next + 1;
                }
                *place - 1
            }
            None => *self.sparse.entry((partition, bucket)).or_insert(next),
        };
        if group == next {
            self.found.push((partition, bucket));
        }
        group
    }
}
