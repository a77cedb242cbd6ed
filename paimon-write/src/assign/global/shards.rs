//! Keys and rows that wait on disk, because memory has no room for all keys: apart by the hashes of their keys.

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::error::ArrowError;
use futures::stream::{self, StreamExt};
use paimon_io::{BatchStream, SpillSpace, SpilledRun};
use paimon_spec::{Error, Result};

use crate::append::bytes_of;

/// Bits of a hash by which keys are kept apart, at most. Keys that have all of them in common stay together.
const MOST_BITS: u32 = 28;

/// Rows of a batch on disk, at least, where there are so many.
const SPILLED_ROWS: usize = 4096;

/// Keys that are in memory together, and the rows that have them.
#[derive(Debug)]
pub(super) struct Shard {
    /// How many bits all hashes have in common, from the highest one.
    bits: u32,
    /// The keys that are there, with their places.
    pub(super) keys: Waiting,
    /// The rows that came for them.
    pub(super) rows: Waiting,
}

/// Rows in the order in which they came. Those on disk are older than those in memory.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    spilled: Vec<SpilledRun>,
    held: Vec<RecordBatch>,
    held_bytes: u64,
    rows: u64,
}

/// What waits in a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Keys,
    Rows,
}

/// Shards that are being filled.
#[derive(Debug)]
pub(super) struct Shards {
    shards: Vec<Shard>,
    /// Bits that do not tell these shards apart, from the highest one.
    known_bits: u32,
    own_bits: u32,
    held_bytes: u64,
}

impl Shard {
    /// Whether it can become several.
    pub(super) fn is_divisible(bits: u32) -> bool {
        bits < MOST_BITS
    }

    pub(super) fn bits(&self) -> u32 {
        self.bits
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.keys.held_bytes + self.rows.held_bytes
    }
}

impl Shards {
    /// Two to the power of `bits` shards, or fewer when that many bits are not left, of keys whose hashes have
    /// `known_bits` in common.
    pub(super) fn new(known_bits: u32, bits: u32) -> Self {
        let own_bits = bits.min(MOST_BITS.saturating_sub(known_bits));
        let shard = |_| Shard { bits: known_bits + own_bits, keys: Waiting::default(), rows: Waiting::default() };
        Self { shards: (0..1_u32 << own_bits).map(shard).collect(), known_bits, own_bits, held_bytes: 0 }
    }

    /// Takes rows with keys of these hashes.
    pub(super) fn add(&mut self, kind: Kind, rows: &RecordBatch, hashes: &[u64]) -> Result<()> {
        let mut chosen: Vec<Vec<u32>> = vec![Vec::new(); self.shards.len()];
        for (row, hash) in hashes.iter().enumerate() {
            chosen[self.shard_of(*hash)].push(row as u32);
        }
        for (shard, chosen) in self.shards.iter_mut().zip(chosen) {
            if !chosen.is_empty() {
                // A copy, so that a few rows do not keep all of a batch.
                let rows = take_record_batch(rows, &UInt32Array::from(chosen)).map_err(failed)?;
                self.held_bytes += shard.waiting(kind).add(rows);
            }
        }
        Ok(())
    }

    pub(super) fn held_bytes(&self) -> u64 {
        self.held_bytes
    }

    /// Spills rows until no more than `most` bytes of them are in memory.
    ///
    /// # Errors
    /// `InvalidInput` when there is no room on disk; `Storage` and its kin.
    pub(super) async fn relieve(&mut self, space: Option<&SpillSpace>, most: u64) -> Result<()> {
        while self.held_bytes > most {
            let waiting = self.shards.iter_mut().flat_map(|shard| [&mut shard.keys, &mut shard.rows]);
            let Some(largest) = waiting.max_by_key(|waiting| waiting.held_bytes) else { return Ok(()) };
            let space = space.filter(|space| space.has_room()).ok_or_else(no_room)?;
            self.held_bytes -= largest.spill(space).await?;
        }
        Ok(())
    }

    /// The shards in which rows wait. Keys of others change nothing.
    pub(super) fn with_rows(self) -> impl Iterator<Item = Shard> {
        self.shards.into_iter().filter(|shard| shard.rows.rows > 0)
    }

    fn shard_of(&self, hash: u64) -> usize {
        // Shifting by all bits is not shifting at all.
        let own = hash.checked_shl(self.known_bits).unwrap_or(0);
        own.checked_shr(u64::BITS - self.own_bits).unwrap_or(0) as usize
    }
}

impl Shard {
    fn waiting(&mut self, kind: Kind) -> &mut Waiting {
        match kind {
            Kind::Keys => &mut self.keys,
            Kind::Rows => &mut self.rows,
        }
    }
}

impl Waiting {
    /// How many they are.
    pub(super) fn len(&self) -> u64 {
        self.rows
    }

    /// All rows, in their order.
    pub(super) fn read(self) -> BatchStream {
        let spilled = stream::iter(self.spilled).flat_map(|run| run.read());
        spilled.chain(stream::iter(self.held).map(Ok)).boxed()
    }

    /// Bytes that it takes.
    fn add(&mut self, rows: RecordBatch) -> u64 {
        let bytes = bytes_of(&rows);
        self.rows += rows.num_rows() as u64;
        self.held_bytes += bytes;
        self.held.push(rows);
        bytes
    }

    /// Bytes that it frees.
    async fn spill(&mut self, space: &SpillSpace) -> Result<u64> {
        let mut held = std::mem::take(&mut self.held).into_iter().peekable();
        if let Some(schema) = held.peek().map(RecordBatch::schema) {
            let of_rows = schema.clone();
            let joined = std::iter::from_fn(move || {
                let mut rows = 0;
                let mut some: Vec<RecordBatch> = Vec::new();
                while rows < SPILLED_ROWS
                    && let Some(next) = held.next()
                {
                    rows += next.num_rows();
                    some.push(next);
                }
                (!some.is_empty()).then(|| concat_batches(&of_rows, &some).map_err(failed))
            });
            self.spilled.push(space.spill(&schema, stream::iter(joined).boxed()).await?);
        }
        Ok(std::mem::take(&mut self.held_bytes))
    }
}

fn no_room() -> Error {
    Error::invalid(
        "the keys of the table take more than their part of the write buffer, and cannot be spilled to disk: raise \
         'write-buffer-size', or give temporary files room ('write-buffer-spillable', 'write-buffer-spill.max-disk-size')",
    )
}

fn failed(error: ArrowError) -> Error {
    Error::internal("paimon-write", "rows could not be kept apart by their keys").with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use futures::TryStreamExt;
    use paimon_io::testkit;
    use paimon_spec::ErrorKind;
    use rstest::rstest;

    use super::super::keys::hash_of;
    use super::*;

    fn numbers(range: std::ops::Range<i64>) -> (RecordBatch, Vec<u64>) {
        let hashes = range.clone().map(|number| hash_of(&number.to_be_bytes())).collect();
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(range));
        (RecordBatch::try_from_iter([("n", column)]).unwrap(), hashes)
    }

    async fn read(waiting: Waiting) -> Vec<i64> {
        let batches: Vec<RecordBatch> = waiting.read().try_collect().await.unwrap();
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    #[rstest]
    #[case::at_first(0, 3, 3)]
    #[case::later(3, 4, 7)]
    #[case::with_few_bits_left(MOST_BITS - 1, 4, MOST_BITS)]
    #[case::with_none_left(MOST_BITS, 4, MOST_BITS)]
    #[tokio::test]
    async fn rows_are_kept_in_order_and_apart_by_their_hash(
        #[case] known: u32,
        #[case] bits: u32,
        #[case] expected: u32,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut context = testkit::context();
        context.spill_folder = Some(folder.path().into());
        let space = SpillSpace::new(&context, u64::MAX).unwrap();
        let mut shards = Shards::new(known, bits);
        for start in (0..1000).step_by(100) {
            let (rows, hashes) = numbers(start..start + 100);
            shards.add(Kind::Rows, &rows, &hashes).unwrap();
            shards.relieve(Some(&space), 500).await.unwrap();
            assert!(shards.held_bytes() <= 500);
        }
        let mut all = Vec::new();
        for shard in shards.with_rows() {
            assert_eq!(shard.bits(), expected);
            assert_eq!(shard.keys.len(), 0);
            let numbers = read(shard.rows).await;
            assert!(numbers.is_sorted());
            let own = |number: &i64| (hash_of(&number.to_be_bytes()) << known).checked_shr(64 + known - expected);
            assert!(numbers.iter().all(|number| own(number) == own(&numbers[0])));
            all.extend(numbers);
        }
        all.sort_unstable();
        assert_eq!(all, (0..1000).collect::<Vec<i64>>());
    }

    #[tokio::test]
    async fn without_room_on_disk_the_error_says_what_to_do() {
        let mut shards = Shards::new(0, 1);
        let (rows, hashes) = numbers(0..10);
        shards.add(Kind::Keys, &rows, &hashes).unwrap();
        let error = shards.relieve(None, 10).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("'write-buffer-size'"), "{error}");
        shards.relieve(None, 1000).await.unwrap();
        // Keys alone change nothing.
        assert_eq!(shards.with_rows().count(), 0);
    }
}
