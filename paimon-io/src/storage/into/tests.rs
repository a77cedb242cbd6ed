#![expect(clippy::single_range_in_vec_init, reason = "a list of one range is meant")]

use std::{collections::BTreeMap, sync::Arc};

use bytes::BytesMut;
use object_store::memory::InMemory;
use paimon_spec::ErrorKind;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::testkit::{self, CountingStore};

const FILE: &[u8] = b"0123456789abcdefghij";

fn parts(ranges: &[Range<u64>]) -> Vec<FilePart> {
    let part = |range: &Range<u64>| {
        let length = usize::try_from(range.end - range.start).unwrap();
        FilePart { start: range.start, bytes: BytesMut::zeroed(length) }
    };
    ranges.iter().map(part).collect()
}

/// A file on this machine and one in memory, with the store that counts the reads of the latter.
async fn files(bytes: &'static [u8]) -> (tempfile::TempDir, [Storage; 2], Arc<CountingStore>) {
    let folder = tempfile::tempdir().unwrap();
    let context = testkit::context();
    let local = Storage::open(folder.path().to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
    let counting = CountingStore::new(Arc::new(InMemory::new()));
    let memory = Storage::from_store(counting.clone(), "test://memory", &context);
    for storage in [&local, &memory] {
        storage.put("file", bytes.into()).await.unwrap();
    }
    counting.take_log();
    (folder, [local, memory], counting)
}

#[rstest]
#[case::nothing(&[], 0, 0)]
#[case::empty_parts(&[5..5, 20..20], 0, 0)]
#[case::the_whole_file(&[0..20], 0, 1)]
#[case::neighbours(&[0..4, 4..5, 5..5, 5..20], 0, 1)]
#[case::a_gap(&[0..4, 6..8], 1, 2)]
#[case::a_small_gap(&[0..4, 6..8, 10..12, 19..20], 2, 2)]
#[case::backwards(&[10..12, 0..4], 100, 2)]
#[case::overlapping(&[0..8, 4..12], 100, 2)]
#[tokio::test]
async fn parts_are_filled_and_near_ones_share_a_request(
    #[case] ranges: &[Range<u64>],
    #[case] gap: u64,
    #[case] requests: usize,
) {
    let (_folder, storages, counting) = files(FILE).await;
    for storage in storages {
        let filled = storage.read_into("file", parts(ranges), gap).await.unwrap();
        for (part, range) in filled.iter().zip(ranges) {
            assert_eq!(part.range(), *range);
            assert_eq!(part.bytes, FILE[range.start as usize..range.end as usize]);
        }
    }
    assert_eq!(counting.take_log().len(), requests);
}

#[tokio::test]
async fn a_part_beyond_the_end_and_a_missing_file_are_told() {
    let (_folder, storages, _) = files(FILE).await;
    for storage in storages {
        let error = storage.read_into("file", parts(&[0..4, 18..21]), 100).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
        assert!(error.message().contains("18..21") && error.message().contains("has 20"), "{error}");
        let error = storage.read_into("absent", parts(&[0..4]), 0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_parts_hold_what_the_file_has(ranges in proptest::collection::vec((0u64..200, 0u64..40), 0..12), gap in 0u64..50, ascending: bool) {
        static BYTES: [u8; 240] = {
            let mut bytes = [0; 240];
            let mut index = 0;
            while index < 240 {
                bytes[index] = index as u8;
                index += 1;
            }
            bytes
        };
        let mut ranges: Vec<Range<u64>> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
        if ascending {
            ranges.sort_by_key(|range| range.start);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_folder, storages, _) = files(&BYTES).await;
            for storage in storages {
                for (part, range) in storage.read_into("file", parts(&ranges), gap).await.unwrap().iter().zip(&ranges) {
                    assert_eq!(part.bytes, BYTES[range.start as usize..range.end as usize]);
                }
            }
        });
    }
}
