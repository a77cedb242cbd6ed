//! A bucket of twenty times the budget is compacted within the budget and a constant.
#![expect(clippy::unwrap_used, reason = "a test says no by panicking")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use conformance::Counting;
use paimon_io::{Storage, TableStore, testkit};
use paimon_spec::Schema;
use paimon_write::{
    BATCH_IDENTIFIER, CommitMode, CommitRequest, CompactRequest, TableWriter, WriteOptions, commit, compact,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BUDGET: usize = 8 << 20;

/// What a compaction takes beside the budget: pages of the files that are open, a batch of each run, those that the
/// merge makes, and a row group in the making.
const BESIDE: usize = 48 << 20;

const RUNS: i64 = 16;
const BATCHES: i64 = 10;
const BATCH_ROWS: i64 = 8 << 10;

/// About 0.9 MiB of keys that are spread over all; half of them are in the run before, too.
fn batch(run: i64, number: i64) -> RecordBatch {
    let first = (run * BATCHES / 2 + number) * BATCH_ROWS;
    let keys: Vec<i64> = (first..first + BATCH_ROWS).map(|key| key.wrapping_mul(0x5851_f42d_4c95_7f2d)).collect();
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(keys.iter().map(|key| format!("{key:096}"))));
    let keys: ArrayRef = Arc::new(Int64Array::from(keys));
    RecordBatch::try_from_iter([("id", keys), ("text", texts)]).unwrap()
}

async fn request(table: &TableStore) -> CommitRequest {
    CommitRequest {
        user: "memory".to_owned(),
        identifier: BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity: table.identity().await.unwrap(),
    }
}

async fn upsert(table: &TableStore, run: i64) {
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    for number in 0..BATCHES {
        writer.write(&batch(run, number)).await.unwrap();
    }
    let messages = writer.prepare_commit().await.unwrap();
    commit(table, &request(table).await, &messages).await.map(drop).unwrap();
}

/// One after the other, because all threads share the count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_many_runs_is_compacted_within_the_budget() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("compaction_memory");
    let _ = std::fs::remove_dir_all(&folder);
    for (name, options) in [
        ("parquet", r#""file.format": "parquet""#),
        ("avro", r#""file.format": "avro""#),
        ("deletion-vectors", r#""deletion-vectors.enabled": "true""#),
        ("changelog", r#""changelog-producer": "full-compaction""#),
    ] {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let schema = Schema::from_json(&format!(
            r#"{{"fields": [{{"name": "id", "type": "BIGINT"}}, {{"name": "text", "type": "STRING"}}],
                 "primaryKeys": ["id"], "options": {{"bucket": "1", "write-only": "true", {options}}}}}"#
        ));
        let mut context = testkit::context();
        context.spill_folder = Some(folder.as_path().into());
        let storage = Storage::open(folder.join("table").to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
        let table = testkit::create_table_at(storage, schema.unwrap(), context).await;
        for run in 0..RUNS {
            upsert(&table, run).await;
        }
        let wanted = CompactRequest { full: true, memory_bytes: Some(BUDGET as u64), ..CompactRequest::default() };
        let before = Counting::start();
        compact(&table, &wanted, &request(&table).await, &|_| ()).await.unwrap();
        let taken = Counting::peak() - before;
        println!("{name}: {:.1} MiB", taken as f64 / (1 << 20) as f64);

        let rows = table.latest_snapshot().await.unwrap().unwrap().total_record_count;
        assert_eq!(rows, Some((RUNS + 1) * BATCHES / 2 * BATCH_ROWS), "{name}");
        assert!(taken < BUDGET + BESIDE, "{name}: {taken} bytes");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
