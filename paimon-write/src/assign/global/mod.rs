//! Buckets by where each key of the table is: keys that may move between partitions. Java: `GlobalIndexAssigner`.
//!
//! Before the first row, the keys of all rows that are there are read, with their partition and bucket. As long as they fit
//! their part of the memory, rows come out as they go in. When they do not, keys and rows are kept apart by the hashes of
//! the keys and wait on disk; one shard after the other is then worked off, and divided again if it has to be.
//!
//! ```text
//! keys of the table -> index in memory --------------------------> rows -> index -> rows in buckets
//!                      else: shards on disk (keys; rows) -> one: keys -> index, rows -> index -> rows in buckets
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `bootstrap` | the keys of a snapshot |
//! | `keys` | keys as bytes and hashes |
//! | `index` | keys and their places in memory |
//! | `partitions` | partitions by number |
//! | `buckets` | which bucket a new key gets |
//! | `rules` | what becomes of a row, by where its key is |
//! | `output` | rows on their way to their buckets |
//! | `shards` | what waits on disk |

mod bootstrap;
mod buckets;
mod index;
mod keys;
mod output;
mod partitions;
mod rules;
mod shards;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, Int32Array, RecordBatch, UInt32Array};
use arrow::datatypes::{Int32Type, UInt32Type};
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::{BatchStream, SpillSpace, TableStore};
use paimon_spec::{Error, Result, Snapshot};

use self::bootstrap::{Bootstrap, FoundKeys};
use self::index::{BYTES_BESIDE_KEY, KeyIndex, Place};
use self::keys::hash_of;
use self::rules::Rules;
use self::shards::{Kind, Shard, Shards};
use super::Share;
use crate::existing::describe_partition;
use crate::key_value::IncomingRows;
use crate::route::Routed;

/// The least that an index may take: less would divide keys without end.
const LEAST_INDEX_BYTES: u64 = 4 << 10;

/// Bytes in memory of each shard that is being filled, about: with less, it would become very many files.
const SHARD_BYTES: u64 = 64 << 10;

/// Two to the power of it is how many shards are filled at a time, at most and at least.
const MOST_BITS: u32 = 8;
const LEAST_BITS: u32 = 2;

/// How many times more keys than there is room for are expected, where nobody knows how many more come.
const PARTS: u64 = 4;

/// Keys of a batch on their way to disk.
const KEYS_OF_A_BATCH: usize = 8 << 10;

/// Decides on the buckets of rows of a table whose keys may move between partitions.
///
/// Of the memory that it is given, keys take a half at most, and rows and keys on their way to disk a quarter.
pub(crate) struct GlobalAssigner {
    store: TableStore,
    rules: Rules,
    base: Option<Arc<Snapshot>>,
    memory_bytes: u64,
    space: Option<SpillSpace>,
    state: State,
}

/// Where the keys are.
enum State {
    /// In the table.
    Unread,
    /// In memory.
    Known(KeyIndex),
    /// In shards that take rows.
    Divided(Shards),
    /// In shards that are worked off.
    Finishing { current: Option<Current>, waiting: Vec<Shard> },
}

/// A shard whose keys are in memory.
struct Current {
    index: KeyIndex,
    /// How many bits all hashes have in common.
    bits: u32,
    rows: BatchStream,
}

impl GlobalAssigner {
    /// An assigner as of the latest snapshot; no key is read yet. `ignores_existing`: what is there is going to be
    /// replaced. `ordered`: rows have a place in the caller's order in front.
    ///
    /// # Errors
    /// As [`Rules::of`]; `Storage` and its kin.
    pub(super) async fn open(
        store: &TableStore,
        share: Share,
        memory_bytes: u64,
        ignores_existing: bool,
        ordered: bool,
    ) -> Result<Self> {
        let options = store.options();
        let space = SpillSpace::new(store.context(), options.write_buffer_spill_max_disk_bytes()?);
        let spillable = options.write_buffer_spillable()?;
        Ok(Self {
            rules: Rules::of(store.schema(), share, usize::from(ordered) + 1)?,
            base: if ignores_existing { None } else { store.latest_snapshot().await? },
            memory_bytes,
            space: space.filter(|_| spillable),
            state: State::Unread,
            store: store.clone(),
        })
    }

    /// The snapshot whose keys are known; `None`: there are none.
    pub(super) fn base_snapshot(&self) -> Option<i64> {
        self.base.as_ref().map(|snapshot| snapshot.id)
    }

    /// Bytes that keys and waiting rows take in memory.
    pub(super) fn memory(&self) -> u64 {
        match &self.state {
            State::Unread => 0,
            State::Known(index) => index.memory(),
            State::Divided(shards) => shards.held_bytes(),
            State::Finishing { current, waiting } => {
                let index = current.as_ref().map_or(0, |current| current.index.memory());
                index + waiting.iter().map(Shard::held_bytes).sum::<u64>()
            }
        }
    }

    /// Rows in their buckets, in the order in which they are to be written; none while they have to wait.
    ///
    /// # Errors
    /// Those of reading the table; `CorruptData` when a key of the table is in two places; `InvalidInput` when keys take
    /// more than their part of the memory, and there is no room on disk.
    pub(super) async fn assign(&mut self, incoming: IncomingRows) -> Result<Vec<Routed>> {
        if matches!(self.state, State::Unread) {
            self.bootstrap().await?;
        }
        let rows = incoming.rows;
        match &mut self.state {
            State::Known(index) => {
                let routed = self.rules.assign(index, &rows)?;
                if index.memory() > index_bytes(self.memory_bytes) {
                    self.divide().await?;
                }
                Ok(routed)
            }
            State::Divided(shards) => {
                shards.add(Kind::Rows, &rows, &self.rules.hashes(&rows)?)?;
                shards.relieve(self.space.as_ref(), self.memory_bytes / 4).await?;
                Ok(Vec::new())
            }
            State::Unread | State::Finishing { .. } => {
                Err(Error::internal("paimon-write", "rows come after the last one"))
            }
        }
    }

    /// Rows that had to wait, some of them; `None`: there are no more.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub(super) async fn finish(&mut self) -> Result<Option<Vec<Routed>>> {
        if let State::Divided(shards) = &mut self.state {
            // What is left in memory leaves room for an index and for dividing a shard.
            shards.relieve(self.space.as_ref(), self.memory_bytes / 8).await?;
            let waiting = std::mem::replace(shards, Shards::new(0, 0)).with_rows().collect();
            self.state = State::Finishing { current: None, waiting };
        }
        loop {
            let State::Finishing { current, waiting } = &mut self.state else { return Ok(None) };
            let Some(Current { index, bits, rows }) = current else {
                let Some(shard) = waiting.pop() else { return Ok(None) };
                self.open_shard(shard).await?;
                continue;
            };
            let Some(batch) = rows.try_next().await? else {
                *current = None;
                continue;
            };
            let routed = self.rules.assign(index, &batch)?;
            if index.memory() > index_bytes(self.memory_bytes)
                && Shard::is_divisible(*bits)
                && let Some(current) = current.take()
            {
                self.divide_again(current, stream::empty().boxed()).await?;
            }
            return Ok(Some(routed));
        }
    }

    /// Learns where the keys of the table are.
    async fn bootstrap(&mut self) -> Result<()> {
        let Some(snapshot) = self.base.clone() else {
            self.state = State::Known(KeyIndex::with_room_for(0));
            return Ok(());
        };
        let bootstrap = Bootstrap::plan(&self.store, snapshot).await?;
        let most_keys = bootstrap.most_keys() / self.rules.keys.sharers();
        let expected = most_keys.saturating_mul(self.rules.keys.expected_bytes() + BYTES_BESIDE_KEY);
        let room = index_bytes(self.memory_bytes);
        self.state = if expected <= room {
            State::Known(KeyIndex::with_room_for(usize::try_from(most_keys).unwrap_or(0)))
        } else {
            State::Divided(Shards::new(0, bits_for(expected / room, self.memory_bytes)))
        };
        let mut found = bootstrap.read(&self.store, self.rules.keys.fields(), self.memory_bytes / 2);
        while let Some(found) = found.try_next().await? {
            self.learn(&found).await?;
        }
        Ok(())
    }

    /// Takes keys of the table.
    async fn learn(&mut self, found: &FoundKeys) -> Result<()> {
        self.take(found)?;
        match &mut self.state {
            State::Known(index) if index.memory() > index_bytes(self.memory_bytes) => self.divide().await,
            State::Divided(shards) => shards.relieve(self.space.as_ref(), self.memory_bytes / 4).await,
            _ => Ok(()),
        }
    }

    fn take(&mut self, found: &FoundKeys) -> Result<()> {
        let place = Place { partition: self.rules.partitions.number(&found.partition)?, bucket: found.bucket };
        let columns = found.rows.columns();
        let (keys, own) = (self.rules.keys.rows(columns)?, self.rules.keys.own(columns)?);
        let is_own = |(row, key)| own.as_ref().is_none_or(|own| own[row]).then_some(key);
        let mut taken = 0;
        let keys = keys.iter().enumerate().filter_map(is_own).inspect(|_| taken += 1);
        match &mut self.state {
            State::Known(index) => {
                for key in keys {
                    restore(index, &self.store, &self.rules, key, place)?;
                }
            }
            State::Divided(shards) => add_keys(shards, keys.map(|(key, hash)| (key, hash, place)))?,
            State::Unread | State::Finishing { .. } => {}
        }
        self.rules.buckets.count(place.partition, place.bucket, taken);
        Ok(())
    }

    /// Moves the keys in memory into shards: rows wait from now on.
    async fn divide(&mut self) -> Result<()> {
        let State::Known(index) = &mut self.state else { return Ok(()) };
        let index = std::mem::replace(index, KeyIndex::with_room_for(0));
        let mut shards = Shards::new(0, bits_for(PARTS, self.memory_bytes));
        spill_index(&mut shards, &index, self.space.as_ref(), self.memory_bytes / 4).await?;
        self.state = State::Divided(shards);
        Ok(())
    }

    /// Begins with a shard: its keys into memory.
    async fn open_shard(&mut self, shard: Shard) -> Result<()> {
        let room = index_bytes(self.memory_bytes);
        let expected = shard.keys.len().min(room / BYTES_BESIDE_KEY);
        let index = KeyIndex::with_room_for(usize::try_from(expected).unwrap_or(0));
        let mut opened = Current { index, bits: shard.bits(), rows: shard.rows.read() };
        let mut keys = shard.keys.read();
        while let Some(batch) = keys.try_next().await? {
            for (key, place) in keys_of(&batch)? {
                restore(&mut opened.index, &self.store, &self.rules, (key, hash_of(key)), place)?;
            }
            if opened.index.memory() > room && Shard::is_divisible(opened.bits) {
                return self.divide_again(opened, keys).await;
            }
        }
        if let State::Finishing { current, .. } = &mut self.state {
            *current = Some(opened);
        }
        Ok(())
    }

    /// Makes several shards of one that has turned out to be too large: of its keys in memory, `more` keys, and the rows
    /// that are left.
    async fn divide_again(&mut self, current: Current, mut more: BatchStream) -> Result<()> {
        let Current { index, bits, mut rows } = current;
        let mut shards = Shards::new(bits, bits_for(PARTS, self.memory_bytes));
        spill_index(&mut shards, &index, self.space.as_ref(), self.memory_bytes / 4).await?;
        drop(index);
        let most = self.memory_bytes / 4;
        while let Some(batch) = more.try_next().await? {
            add_keys(&mut shards, keys_of(&batch)?.map(|(key, place)| (key, hash_of(key), place)))?;
            shards.relieve(self.space.as_ref(), most).await?;
        }
        while let Some(batch) = rows.try_next().await? {
            shards.add(Kind::Rows, &batch, &self.rules.hashes(&batch)?)?;
            shards.relieve(self.space.as_ref(), most).await?;
        }
        // Nothing of them stays in memory, however often shards are divided.
        shards.relieve(self.space.as_ref(), 0).await?;
        if let State::Finishing { waiting, .. } = &mut self.state {
            waiting.extend(shards.with_rows());
        }
        Ok(())
    }
}

/// What keys in memory may take.
fn index_bytes(memory_bytes: u64) -> u64 {
    (memory_bytes / 2).max(LEAST_INDEX_BYTES)
}

/// Bits that tell shards apart, when there is room for one of `parts` parts at a time: shards are not equally large.
fn bits_for(parts: u64, memory_bytes: u64) -> u32 {
    let filled = (memory_bytes / 4 / SHARD_BYTES).checked_ilog2().unwrap_or(0);
    (parts.checked_ilog2().unwrap_or(0) + 2).min(filled).clamp(LEAST_BITS, MOST_BITS)
}

/// Takes a key that is in the table.
fn restore(index: &mut KeyIndex, store: &TableStore, rules: &Rules, key: (&[u8], u64), place: Place) -> Result<()> {
    let (key, hash) = key;
    let Some(number) = index.find(hash, key) else { return index.insert(hash, key, place) };
    let name = |place: Place| {
        let partition = describe_partition(store, rules.partitions.row(place.partition))?;
        Ok::<_, Error>(format!("bucket {} of {partition}", place.bucket))
    };
    Err(Error::corrupt(format!(
        "expected each key in one place, found the row of key ({}) in {} and in {}: several jobs wrote to the table at once, or \
         'cross-partition-upsert.index-ttl' let the older one be forgotten; delete one of the two rows",
        rules.keys.show(key),
        name(index.place(number))?,
        name(place)?,
    )))
}

/// Moves keys in memory into shards, of which no more than `most` bytes stay in memory.
async fn spill_index(shards: &mut Shards, index: &KeyIndex, space: Option<&SpillSpace>, most: u64) -> Result<()> {
    for start in (0..index.len()).step_by(KEYS_OF_A_BATCH) {
        let some = index.keys(start..index.len().min(start + KEYS_OF_A_BATCH));
        add_keys(shards, some.map(|(key, place)| (key, hash_of(key), place)))?;
        shards.relieve(space, most).await?;
    }
    Ok(())
}

/// Keys and places as rows on disk.
fn add_keys<'a>(shards: &mut Shards, keys: impl Iterator<Item = (&'a [u8], u64, Place)>) -> Result<()> {
    let (mut bytes, mut hashes, mut partitions, mut buckets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (key, hash, place) in keys {
        bytes.push(key);
        hashes.push(hash);
        partitions.push(place.partition);
        buckets.push(place.bucket);
    }
    if hashes.is_empty() {
        return Ok(());
    }
    let columns: [(&str, ArrayRef); 3] = [
        ("key", Arc::new(BinaryArray::from_vec(bytes))),
        ("partition", Arc::new(UInt32Array::from(partitions))),
        ("bucket", Arc::new(Int32Array::from(buckets))),
    ];
    let rows = RecordBatch::try_from_iter(columns)
        .map_err(|error| Error::internal("paimon-write", "keys could not be made rows").with_source(error))?;
    shards.add(Kind::Keys, &rows, &hashes)
}

/// The keys and places of [`add_keys`].
fn keys_of(rows: &RecordBatch) -> Result<impl Iterator<Item = (&[u8], Place)>> {
    let [keys, partitions, buckets] = rows.columns() else {
        return Err(Error::internal("paimon-write", "keys on disk are not what was written"));
    };
    let places =
        partitions.as_primitive::<UInt32Type>().values().iter().zip(buckets.as_primitive::<Int32Type>().values());
    let places = places.map(|(partition, bucket)| Place { partition: *partition, bucket: *bucket });
    Ok(keys.as_binary::<i32>().iter().flatten().zip(places))
}
