use std::collections::{BTreeMap, BTreeSet, HashMap};

use paimon_spec::ErrorKind;
use proptest::prelude::*;
use rstest::rstest;

use super::known::KnownHashes;
use super::partition::{BucketLimits, OwnBuckets, PartitionBuckets};
use super::{LAST_BUCKET, assigner_of};
use crate::assign::Share;

/// What Java's assigners do, by their rules, with the plainest of structures.
struct Naive {
    share: Share,
    known: HashMap<i32, u16>,
    rows: BTreeMap<u16, u64>,
}

impl Naive {
    /// `None`: there are no buckets left, and any will do.
    fn assign(&mut self, hash: i32, limits: &BucketLimits) -> Option<u16> {
        if let Some(bucket) = self.known.get(&hash) {
            return Some(*bucket);
        }
        let end = limits.max_buckets.map_or(u16::MAX, |most| most as u16);
        let open = self.rows.iter().find(|(_, rows)| **rows < limits.target_rows).map(|(bucket, _)| *bucket);
        let unused = || (0..end).find(|bucket| self.share.owns((*bucket).into()) && !self.rows.contains_key(bucket));
        let bucket = open.or_else(unused)?;
        *self.rows.entry(bucket).or_insert(0) += 1;
        self.known.insert(hash, bucket);
        Some(bucket)
    }
}

fn limits(target_rows: u64, max_buckets: Option<i32>) -> BucketLimits {
    BucketLimits { target_rows, max_buckets }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn buckets_are_those_of_a_naive_assigner(
        there in prop::collection::btree_map(0..6_u16, prop::collection::btree_set(-40..40_i32, 0..12), 0..4),
        hashes in prop::collection::vec(-60..60_i32, 0..80),
        assigners in 1..4_u32,
        assigner in 0..4_u32,
        target_rows in 1..9_u64,
        max_buckets in prop::option::of(3..9_i32),
    ) {
        let share = Share { assigner: assigner % assigners, assigners };
        let mine = |hash: i32| assigner_of(7, hash, assigners, assigners) == share.assigner;
        let limits = limits(target_rows, max_buckets);
        let mut found = PartitionBuckets::new(share);
        let mut naive = Naive { share, known: HashMap::new(), rows: BTreeMap::new() };
        for (bucket, hashes) in &there {
            let hashes: Vec<i32> = hashes.iter().copied().collect();
            found.restore(*bucket, hashes.iter().copied(), mine);
            naive.known.extend(hashes.iter().filter(|hash| mine(**hash)).map(|hash| (*hash, *bucket)));
            if share.owns((*bucket).into()) && !hashes.is_empty() {
                naive.rows.insert(*bucket, hashes.len() as u64);
            }
        }
        let mut added = BTreeMap::new();
        for hash in hashes.into_iter().filter(|hash| mine(*hash)) {
            let is_new = !naive.known.contains_key(&hash);
            let bucket = found.assign(hash, &limits).unwrap();
            match naive.assign(hash, &limits) {
                Some(wanted) => prop_assert_eq!(bucket, wanted),
                None => {
                    prop_assert!(naive.rows.contains_key(&bucket), "one of those that are there");
                    naive.known.insert(hash, bucket);
                }
            }
            if is_new {
                added.insert(hash, bucket);
            }
        }
        prop_assert_eq!(found.into_added().collect::<BTreeMap<_, _>>(), added);
    }

    #[test]
    fn known_hashes_are_a_map(
        steps in prop::collection::vec((any::<i32>(), 0..=LAST_BUCKET, any::<bool>()), 0..400),
        room in 0..1000_usize,
        spread in prop::sample::select(vec![1_i32, 16, 1 << 20]),
    ) {
        let mut map: HashMap<i32, (u16, bool)> = HashMap::new();
        let mut known = KnownHashes::default();
        known.reserve(room);
        for (hash, bucket, new) in steps {
            // Many that differ in few bits.
            let hash = (hash % 64).wrapping_mul(spread);
            prop_assert_eq!(known.get(hash), map.get(&hash).map(|(bucket, _)| *bucket));
            if new { known.add(hash, bucket) } else { known.restore(hash, bucket) }
            map.insert(hash, (bucket, new));
        }
        prop_assert!(map.iter().all(|(hash, (bucket, _))| known.get(*hash) == Some(*bucket)));
        let added: BTreeSet<(i32, u16)> = known.into_added().collect();
        let wanted = map.into_iter().filter(|(_, (_, new))| *new).map(|(hash, (bucket, _))| (hash, bucket));
        prop_assert_eq!(added, wanted.collect::<BTreeSet<_>>());
    }

    #[test]
    fn every_key_of_a_partition_has_one_assigner(hash: i32, partition: i32, channels in 1..40_u32, wanted in 1..40_u32) {
        let assigners = wanted.min(channels);
        let assigner = assigner_of(partition, hash, channels, assigners);
        prop_assert!(assigner < channels);
        let start = (i64::from(partition) % i64::from(channels)).unsigned_abs() as u32;
        prop_assert!((0..assigners).any(|at| (start + at) % channels == assigner), "of those that the partition has");
    }
}

#[test]
fn ten_million_keys_take_little_memory() {
    const KEYS: i32 = 2_000_000;
    for room in [0, KEYS as usize] {
        let mut known = KnownHashes::default();
        known.reserve(room);
        (0..KEYS).for_each(|key| known.add(key.wrapping_mul(0x85eb_ca6b_u32 as i32), 3));
        let bytes = known.bytes() as f64 / f64::from(KEYS);
        assert!(bytes < 12.5, "{bytes} bytes a key");
    }
}

#[rstest]
#[case::by_the_number_of_a_short(None, 32_767)]
#[case::by_option(Some(2), 2)]
#[case::by_the_smaller_one(Some(i32::MAX), 32_767)]
fn a_partition_has_so_many_buckets(#[case] max_buckets: Option<i32>, #[case] most: u32) {
    let mut buckets = OwnBuckets::new(Share::default());
    let limits = limits(1, max_buckets);
    for bucket in 0..most {
        assert_eq!(u32::from(buckets.take(-7, &limits).unwrap()), bucket);
    }
    match (buckets.take(i32::MIN, &limits), max_buckets) {
        (Ok(bucket), Some(_)) => assert!(u32::from(bucket) < most),
        (Err(error), None) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.message().contains("dynamic-bucket.target-row-num"), "{error}");
        }
        (other, _) => panic!("{other:?}"),
    }
}

#[rstest]
#[case(0, 0, 3, 3, 0)]
#[case(-5, 0, 3, 3, 2)]
#[case(i32::MIN, i32::MIN, 3, 3, (2 + 2) % 3)]
#[case(7, -9, 8, 4, (7 + 1) % 8)]
fn assigners_are_those_of_java(
    #[case] partition: i32,
    #[case] hash: i32,
    #[case] channels: u32,
    #[case] assigners: u32,
    #[case] wanted: u32,
) {
    assert_eq!(assigner_of(partition, hash, channels, assigners), wanted);
}
