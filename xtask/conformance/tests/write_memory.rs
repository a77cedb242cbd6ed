//! A bucket of ten times the write buffer is written within the buffer and a stated constant.
#![expect(clippy::unwrap_used, reason = "a test says no by panicking")]

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use conformance::Counting;
use paimon_io::{Storage, testkit};
use paimon_spec::Schema;
use paimon_write::{TableWriter, WriteOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BUDGET: usize = 8 << 20;

/// What writing takes beside the budget: the batch at hand, a batch of each spilled run, those that a merge makes, and a
/// file in the making, which is less than the 7 MiB that it is in the end.
const BESIDE: usize = 48 << 20;

const BATCHES: i64 = 100;
const BATCH_ROWS: i64 = 8 << 10;

/// About 0.9 MiB; the keys of all batches are mixed, and nearly a tenth of them are there twice.
fn batch(number: i64) -> RecordBatch {
    let keys = (0..BATCH_ROWS).map(|row| {
        let key = number * BATCH_ROWS + row;
        let key = if key % 10 == 0 { key / 10 } else { key };
        key.wrapping_mul(0x5851_f42d_4c95_7f2d)
    });
    let keys: Vec<i64> = keys.collect();
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(keys.iter().map(|key| format!("{key:096}"))));
    let keys: ArrayRef = Arc::new(Int64Array::from(keys));
    RecordBatch::try_from_iter([("id", keys), ("text", texts)]).unwrap()
}

/// One after the other, because all threads share the count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_ten_times_the_budget_is_written_within_it() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("write_memory");
    let _ = std::fs::remove_dir_all(&folder);
    for (name, options) in [
        ("avro", r#""file.format": "avro""#),
        ("parquet", r#""file.format": "parquet""#),
        ("partial-update", r#""merge-engine": "partial-update", "file.format": "avro""#),
        ("changelog", r#""changelog-producer": "input", "file.format": "avro""#),
        ("not-spillable", r#""write-buffer-spillable": "false""#),
    ] {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let schema = Schema::from_json(&format!(
            r#"{{"fields": [{{"name": "id", "type": "BIGINT"}}, {{"name": "text", "type": "STRING"}}],
                 "primaryKeys": ["id"], "options": {{"bucket": "1", {options}}}}}"#
        ));
        let mut context = testkit::context();
        context.spill_folder = Some(folder.as_path().into());
        let storage = Storage::open(folder.join("table").to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
        let table = testkit::create_table_at(storage, schema.unwrap(), context).await;

        let options = WriteOptions { memory_bytes: Some(BUDGET as u64), ..WriteOptions::default() };
        let before = Counting::start();
        let mut writer = TableWriter::open(table, options).await.unwrap();
        for number in 0..BATCHES {
            writer.write(&batch(number)).await.unwrap();
        }
        let messages = writer.prepare_commit().await.unwrap();
        let taken = Counting::peak() - before;
        println!("{name}: {:.1} MiB", taken as f64 / (1 << 20) as f64);

        let rows: i64 = messages[0].new_files.iter().map(|file| file.row_count).sum();
        let all = BATCHES * BATCH_ROWS;
        // Those that are no multiples of ten, and those of multiples of ten that are in the place of others.
        let keys = all * 9 / 10 + all / 100;
        assert!(if name == "not-spillable" { rows > keys } else { rows == keys }, "{name}: {rows} rows");
        assert!(taken < BUDGET + BESIDE, "{name}: {taken} bytes");
        assert_eq!(messages[0].new_files.len() > 1, name == "not-spillable");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
