//! Our file indexes beside those that Java made of the same rows.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

use std::collections::BTreeMap;
use std::path::Path;

use conformance::{Case, cases};
use futures::TryStreamExt;
use paimon_io::{TableStore, testkit};
use paimon_merge::ReadRequest;
use paimon_scan::ScanRequest;
use paimon_spec::{DataFileMeta, DataSplit, Schema};
use paimon_write::{TableWriter, WriteOptions};

fn case(name: &str) -> Case {
    let cases = cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/read")).unwrap();
    cases.into_iter().find(|case| case.name == format!("java-1.4.2-index-{name}")).unwrap()
}

/// The indexes of a file, by column and kind.
async fn indexes(table: &TableStore, bucket_path: &str, file: &DataFileMeta) -> BTreeMap<(String, String), Vec<u8>> {
    let container = match &file.embedded_index {
        Some(bytes) => bytes.clone(),
        None => table.storage().read(&format!("{bucket_path}/{}", file.extra_files[0])).await.unwrap(),
    };
    let number = |at: usize| i32::from_be_bytes(container[at..at + 4].try_into().unwrap());
    let text = |at: usize| {
        let end = at + 2 + usize::from(u16::from_be_bytes(container[at..at + 2].try_into().unwrap()));
        (String::from_utf8(container[at + 2..end].to_vec()).unwrap(), end)
    };
    let mut indexes = BTreeMap::new();
    let mut at = 20;
    for _ in 0..number(16) {
        let (column, after) = text(at);
        at = after + 4;
        for _ in 0..number(after) {
            let (kind, after) = text(at);
            let (start, len) = (number(after) as usize, number(after + 4) as usize);
            indexes.insert((column.clone(), kind), container[start..start + len].to_vec());
            at = after + 8;
        }
    }
    indexes
}

/// Java's indexes of the rows of each file of a table without buckets, and those that we make of them.
async fn both(case: &Case) -> Vec<[BTreeMap<(String, String), Vec<u8>>; 2]> {
    let table = case.table().await.unwrap();
    let schema = table.schema();
    let plan = paimon_scan::plan(&table, &ScanRequest::default()).await.unwrap();
    let files = plan.splits.iter().flat_map(|split| split.files.iter().map(move |file| (split, file)));
    let mut pairs = Vec::new();
    for (split, file) in files {
        let of_java = indexes(&table, &split.bucket_path, file).await;

        let same = Schema { fields: schema.fields.clone(), options: schema.options.clone(), ..Schema::default() };
        let copy = testkit::create_table(same).await;
        let mut writer = TableWriter::open(copy.clone(), WriteOptions::default()).await.unwrap();
        let alone = DataSplit { files: vec![file.clone()], ..split.clone() };
        let mut batches = paimon_merge::read(&table, &alone, &ReadRequest::default()).await.unwrap();
        while let Some(batch) = batches.try_next().await.unwrap() {
            writer.write(&batch).await.unwrap();
        }
        let messages = writer.prepare_commit().await.unwrap();
        let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
        let bucket_path = copy.bucket_path(&message.partition, message.bucket).unwrap();
        pairs.push([of_java, indexes(&copy, &bucket_path, &message.new_files[0]).await]);
    }
    pairs
}

#[tokio::test]
async fn indexes_have_the_bytes_that_java_gives_them() {
    let mut compared = 0;
    for name in ["bloom", "bitmap-v1", "bitmap-v2", "bsi", "range", "blocks", "extremes", "embedded", "map-keys"] {
        for [of_java, ours] in both(&case(name)).await {
            assert!(of_java.keys().eq(ours.keys()), "{name}: {:?} and {:?}", of_java.keys(), ours.keys());
            for (index, wanted) in &of_java {
                compared += 1;
                // Java stores the bitmaps of a `bitmap` index in the order of a hash table, so only their places differ.
                if index.1 == "bitmap" {
                    assert_eq!(without_places(&ours[index]), without_places(wanted), "{name}: {index:?}");
                } else {
                    assert_eq!(&ours[index], wanted, "{name}: {index:?}");
                }
            }
        }
    }
    assert!(compared > 90, "{compared} indexes were compared");
}

/// The length of an index, and how often each byte comes in the bitmaps at its end.
fn without_places(index: &[u8]) -> (usize, Vec<u8>) {
    let first = index.windows(4).position(|word| word == b"\x3a\x30\0\0" || word[..2] == *b"\x3b\x30");
    let mut bitmaps = index[first.unwrap_or(index.len())..].to_vec();
    bitmaps.sort_unstable();
    (index.len(), bitmaps)
}
