//! A table of a million keys, which may be in any partition, is written to within a small write buffer and a constant.
#![expect(clippy::unwrap_used, reason = "a test says no by panicking")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use conformance::Counting;
use futures::TryStreamExt;
use paimon_io::{Storage, TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::Schema;
use paimon_write::{BATCH_IDENTIFIER, CommitMode, CommitRequest, TableWriter, WriteOptions, commit};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// An index of all keys would take about 30 MiB.
const KEYS: i64 = 1_000_000;
const BUDGET: usize = 4 << 20;

/// What writing takes beside the budget: batches of the table that are read, the batch at hand, and files in the making.
const BESIDE: usize = 48 << 20;

const BATCH_ROWS: i64 = 8 << 10;

/// Keys that are mixed, each in the partition of a part of them, or in the next one.
fn batch(first: i64, partitions_on: i32) -> RecordBatch {
    let keys = (first..(first + BATCH_ROWS).min(KEYS)).map(|key| key.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let keys: Vec<i64> = keys.collect();
    let partitions: ArrayRef =
        Arc::new(Int32Array::from_iter_values(keys.iter().map(|key| ((key >> 60) as i32 & 3) + partitions_on)));
    let keys: ArrayRef = Arc::new(Int64Array::from(keys));
    RecordBatch::try_from_iter([("p", partitions), ("k", keys)]).unwrap()
}

async fn upsert(table: &TableStore, partitions_on: i32) {
    let options = WriteOptions { memory_bytes: Some(BUDGET as u64), ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.clone(), options).await.unwrap();
    for first in (0..KEYS).step_by(BATCH_ROWS as usize) {
        writer.write(&batch(first, partitions_on)).await.unwrap();
    }
    let messages = writer.prepare_commit().await.unwrap();
    let request = CommitRequest {
        user: "memory".to_owned(),
        identifier: BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity: table.identity().await.unwrap(),
    };
    commit(table, &request, &messages).await.map(drop).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_keys_move_within_the_budget() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("moving_keys_memory");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let schema = Schema::from_json(
        r#"{"fields": [{"name": "p", "type": "INT"}, {"name": "k", "type": "BIGINT"}], "partitionKeys": ["p"],
            "primaryKeys": ["k"], "options": {"bucket": "-1", "target-file-size": "2 mb"}}"#,
    );
    let mut context = testkit::context();
    context.spill_folder = Some(folder.as_path().into());
    let storage = Storage::open(folder.join("table").to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
    let table = testkit::create_table_at(storage, schema.unwrap(), context).await;
    for (name, partitions_on) in [("new keys", 0), ("keys that move", 1)] {
        let before = Counting::start();
        upsert(&table, partitions_on).await;
        let taken = Counting::peak() - before;
        println!("{name}: {:.1} MiB", taken as f64 / (1 << 20) as f64);
        assert!(taken < BUDGET + BESIDE, "{name}: {taken} bytes");

        let mut rows = 0;
        for split in plan(&table, &ScanRequest::default()).await.unwrap().splits {
            let batches = read(&table, &split, &ReadRequest::default()).await.unwrap();
            rows += batches.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await.unwrap();
        }
        assert_eq!(rows, KEYS as usize);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
