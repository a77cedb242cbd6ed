//! Where each key is: an index of keys in memory.

use std::ops::Range;

use paimon_spec::{Error, Result};

/// Slots for each key, at least: with fewer, those of other keys are in the way too often.
const SLOTS_PER_KEY: (usize, usize) = (4, 3);

const LEAST_SLOTS: usize = 16;

/// Bytes that a key takes beside its own, about: its place, and its slots after and while they are made more.
pub(super) const BYTES_BESIDE_KEY: u64 = 8 + 8 * 8 / 3;

/// A bucket of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The number of the partition, see [`Partitions`](super::partitions::Partitions).
    pub(super) partition: u32,
    pub(super) bucket: i32,
}

/// Keys, as bytes that are equal where the keys are, and the place of each.
///
/// A table of slots with open addressing; keys stand one after another in one allocation. A slot has half of a key's hash
/// and the key's number, from 1. Keys are never taken out.
#[derive(Debug)]
pub(super) struct KeyIndex {
    slots: Vec<u64>,
    bytes: Vec<u8>,
    ends: Ends,
    places: Vec<Place>,
}

/// Where keys end among the bytes.
#[derive(Debug)]
enum Ends {
    /// All have the length of the first.
    Equal(usize),
    Each(Vec<usize>),
}

impl KeyIndex {
    /// With room for so many keys, about.
    pub(super) fn with_room_for(keys: usize) -> Self {
        Self {
            slots: vec![0; slots_for(keys)],
            bytes: Vec::new(),
            ends: Ends::Equal(0),
            places: Vec::with_capacity(keys),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Bytes that it takes in memory, about.
    pub(super) fn memory(&self) -> u64 {
        let ends = match &self.ends {
            Ends::Equal(_) => 0,
            Ends::Each(ends) => ends.len() * size_of::<usize>(),
        };
        (self.slots.len() * size_of::<u64>() + self.bytes.len() + self.places.len() * size_of::<Place>() + ends) as u64
    }

    /// The number of a key that is there.
    pub(super) fn find(&self, hash: u64, key: &[u8]) -> Option<usize> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            let number = (slot as u32).checked_sub(1)? as usize;
            if slot >> 32 == hash >> 32 && self.key(number) == key {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }

    pub(super) fn place(&self, number: usize) -> Place {
        self.places[number]
    }

    pub(super) fn set(&mut self, number: usize, place: Place) {
        self.places[number] = place;
    }

    /// Takes a key that is not there.
    ///
    /// # Errors
    /// `Internal` when there are more keys than numbers.
    pub(super) fn insert(&mut self, hash: u64, key: &[u8], place: Place) -> Result<()> {
        let next = self.len() + 1;
        let number = u32::try_from(next).map_err(|_| Error::internal("paimon-write", "an index of too many keys"))?;
        if next * SLOTS_PER_KEY.0 / SLOTS_PER_KEY.1 > self.slots.len() {
            self.grow();
        }
        self.bytes.extend_from_slice(key);
        match &mut self.ends {
            Ends::Equal(length) if self.places.is_empty() => *length = key.len(),
            Ends::Equal(length) if *length == key.len() => {}
            Ends::Equal(length) => {
                let length = *length;
                self.ends = Ends::Each((1..next).map(|number| number * length).chain([self.bytes.len()]).collect());
            }
            Ends::Each(ends) => ends.push(self.bytes.len()),
        }
        self.places.push(place);
        put(&mut self.slots, hash, number);
        Ok(())
    }

    /// Keys of these numbers with their places. Numbers ascend from 0, as keys came.
    pub(super) fn keys(&self, numbers: Range<usize>) -> impl Iterator<Item = (&[u8], Place)> {
        numbers.map(|number| (self.key(number), self.places[number]))
    }

    fn key(&self, number: usize) -> &[u8] {
        match &self.ends {
            Ends::Equal(length) => &self.bytes[number * length..(number + 1) * length],
            Ends::Each(ends) => {
                let start = number.checked_sub(1).map_or(0, |before| ends[before]);
                &self.bytes[start..ends[number]]
            }
        }
    }

    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        for number in 0..self.len() {
            put(&mut slots, super::keys::hash_of(self.key(number)), number as u32 + 1);
        }
        self.slots = slots;
    }
}

fn put(slots: &mut [u64], hash: u64, number: u32) {
    let mask = slots.len() - 1;
    let mut at = hash as usize & mask;
    while slots[at] != 0 {
        at = (at + 1) & mask;
    }
    slots[at] = hash >> 32 << 32 | u64::from(number);
}

/// A power of two.
fn slots_for(keys: usize) -> usize {
    (keys.saturating_mul(SLOTS_PER_KEY.0) / SLOTS_PER_KEY.1).max(LEAST_SLOTS).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::keys::hash_of;
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_index_is_a_map_of_keys(
            keys in prop::collection::vec((prop::collection::vec(0..3_u8, 0..5), 0..4_u32, 0..4_i32), 0..300),
            room in 0..40_usize,
            // As if hashes of different keys were the same.
            kept_bits in prop::sample::select(vec![u64::MAX, 1, 0xffff_ffff_0000_0000]),
        ) {
            let mut index = KeyIndex::with_room_for(room);
            let mut model: HashMap<Vec<u8>, Place> = HashMap::new();
            // Growing goes by the true hash, so hashes that are not are only for indexes that do not grow.
            let kept_bits = if room < 30 { u64::MAX } else { kept_bits };
            let keys = keys.into_iter().take(if kept_bits == u64::MAX { 300 } else { 30 });
            for (key, partition, bucket) in keys {
                let (hash, place) = (hash_of(&key) & kept_bits, Place { partition, bucket });
                match index.find(hash, &key) {
                    Some(number) => {
                        prop_assert_eq!(model.insert(key, place), Some(index.place(number)));
                        index.set(number, place);
                    }
                    None => {
                        index.insert(hash, &key, place).unwrap();
                        prop_assert_eq!(model.insert(key, place), None);
                    }
                }
            }
            prop_assert_eq!(index.len(), model.len());
            for (key, place) in index.keys(0..index.len()) {
                prop_assert_eq!(model.remove(key), Some(place));
            }
        }
    }

    #[test]
    fn memory_is_about_what_a_key_is_said_to_take() {
        let mut index = KeyIndex::with_room_for(0);
        for key in 0..100_000_u64 {
            index.insert(hash_of(&key.to_be_bytes()), &key.to_be_bytes(), Place { partition: 0, bucket: 0 }).unwrap();
        }
        let said = 100_000 * (8 + BYTES_BESIDE_KEY);
        assert!(index.memory() <= said && index.memory() > said / 2, "{} of {said}", index.memory());
    }
}
