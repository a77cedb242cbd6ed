use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use paimon_io::testkit;
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{DataField, DataType, ErrorKind, FileSource, Schema, TypeKind};
use rstest::rstest;

use super::*;
use crate::testing::{request, schema};
use crate::{CommitMode, Committed, commit};

/// Rows of (p, id).
fn batch(rows: &[(Option<i32>, i32)]) -> RecordBatch {
    let p: ArrayRef = Arc::new(rows.iter().map(|(p, _)| *p).collect::<Int32Array>());
    let id: ArrayRef = Arc::new(rows.iter().map(|(_, id)| Some(*id)).collect::<Int32Array>());
    RecordBatch::try_from_iter_with_nullable([("id", id, true), ("p", p, true)]).unwrap()
}

async fn write(table: &TableStore, options: WriteOptions, batches: &[RecordBatch]) -> Vec<CommitMessage> {
    let mut writer = TableWriter::open(table.clone(), options).await.unwrap();
    for batch in batches {
        writer.write(batch).await.unwrap();
    }
    writer.prepare_commit().await.unwrap()
}

/// Rows of (p, id) of the latest snapshot, sorted.
async fn rows(table: &TableStore) -> Vec<(Option<i32>, i32)> {
    let mut rows = Vec::new();
    for split in plan(table, &ScanRequest::default()).await.unwrap().splits {
        let batches: Vec<RecordBatch> =
            read(table, &split, &ReadRequest::default()).await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            let (p, id) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int32Type>());
            rows.extend((0..batch.num_rows()).map(|row| (p.is_valid(row).then(|| p.value(row)), id.value(row))));
        }
    }
    rows.sort_unstable();
    rows
}

async fn files_in(table: &TableStore, folder: &str) -> usize {
    match table.storage().list(folder).await {
        Ok(files) => files.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(error) => panic!("{error}"),
    }
}

#[rstest]
#[tokio::test]
async fn what_is_written_is_read_back(
    #[values("parquet", "avro")] format: &str,
    #[values(false, true)] partitioned: bool,
    #[values(false, true)] bucketed: bool,
) {
    let mut options = vec![("file.format", format)];
    if bucketed {
        options.extend([("bucket", "3"), ("bucket-key", "id")]);
    }
    let table = testkit::create_table(schema(partitioned, &options)).await;
    let first = [batch(&[(Some(1), 1), (None, 2), (Some(2), 3)]), batch(&[(Some(1), 4)])];
    let messages = write(&table, WriteOptions::default(), &first).await;
    let append = request(&table, CommitMode::Append).await;
    assert_eq!(commit(&table, &append, &messages).await.unwrap(), Committed::Snapshot(1));
    let messages = write(&table, WriteOptions::default(), &[batch(&[(Some(2), 5)])]).await;
    assert_eq!(commit(&table, &append, &messages).await.unwrap(), Committed::Snapshot(2));
    assert_eq!(rows(&table).await, [(None, 2), (Some(1), 1), (Some(1), 4), (Some(2), 3), (Some(2), 5)]);
}

#[tokio::test]
async fn a_file_is_described_as_other_writers_do() {
    let table = testkit::create_table(schema(false, &[])).await;
    let messages = write(&table, WriteOptions::default(), &[batch(&[(Some(1), 5), (None, 7)])]).await;
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((message.bucket, message.total_buckets), (0, -1));
    let [file] = message.new_files.as_slice() else { panic!("{message:?}") };
    assert!(file.file_name.starts_with("data-") && file.file_name.ends_with("-0.parquet"), "{}", file.file_name);
    assert_eq!((file.row_count, file.delete_row_count, file.level), (2, Some(0), 0));
    assert_eq!((file.min_sequence_number, file.max_sequence_number), (0, 1));
    assert_eq!(file.file_source, Some(FileSource::Append));
    assert_eq!((&file.min_key, &file.max_key), (&BinaryRow::empty(), &BinaryRow::empty()));
    assert_eq!((&file.value_stats_cols, &file.external_path, file.first_row_id), (&None, &None, None));
    assert_eq!(file.value_stats.null_counts, [Some(1), Some(0)]);
    let types = vec![DataType::nullable(TypeKind::Int); 2];
    let value = |value| Some(paimon_spec::Datum::Int(value));
    assert_eq!(file.value_stats.min_values.values(&types).unwrap(), [value(1), value(5)]);
    assert_eq!(file.value_stats.max_values.values(&types).unwrap(), [value(1), value(7)]);
    let path = format!("{}/{}", table.bucket_path(&message.partition, 0).unwrap(), file.file_name);
    assert_eq!(table.storage().read(&path).await.unwrap().len() as i64, file.file_size);
}

#[tokio::test]
async fn nothing_written_is_nothing_to_commit() {
    let table = testkit::create_table(schema(true, &[])).await;
    assert!(write(&table, WriteOptions::default(), &[batch(&[])]).await.is_empty());
    assert_eq!(files_in(&table, "").await, 1, "only the schema is there");
}

#[tokio::test]
async fn files_are_no_longer_than_the_target() {
    let table = testkit::create_table(schema(false, &[("target-file-row-num", "1000")])).await;
    let ids: Vec<(Option<i32>, i32)> = (0..2_500).map(|id| (None, id)).collect();
    let messages = write(&table, WriteOptions::default(), &[batch(&ids[..700]), batch(&ids[700..])]).await;
    let files = &messages[0].new_files;
    assert_eq!(files.iter().map(|file| file.row_count).collect::<Vec<_>>(), [1_000, 1_000, 500]);
    let sequences: Vec<_> = files.iter().map(|file| (file.min_sequence_number, file.max_sequence_number)).collect();
    assert_eq!(sequences, [(0, 999), (1_000, 1_999), (2_000, 2_499)]);
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    assert_eq!(rows(&table).await, ids);
}

#[tokio::test]
async fn files_are_about_as_large_as_the_target() {
    let fields = vec![DataField::new(0, "text", DataType::string())];
    let options = [("target-file-size", "200 kb"), ("file.compression", "none")];
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let table = testkit::create_table(Schema { fields, options, ..Schema::default() }).await;
    // 2 MB that neither repeat nor compress.
    let text: ArrayRef = Arc::new(
        (0..20_000_u64).map(|n| Some(format!("{n:050}{:050}", n.wrapping_mul(0x9e37_79b9)))).collect::<StringArray>(),
    );
    let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let messages = write(&table, WriteOptions::default(), &[batch]).await;
    let files = &messages[0].new_files;
    assert!((5..=20).contains(&files.len()), "{}", files.len());
    assert!(files.iter().all(|file| file.file_size < 500_000), "{files:?}");
}

#[tokio::test]
async fn a_small_memory_budget_makes_more_files_and_loses_nothing() {
    let table = testkit::create_table(schema(true, &[])).await;
    let batches: Vec<RecordBatch> = (0..5).map(|n| batch(&[(Some(1), n), (Some(2), n), (Some(3), n)])).collect();
    let messages = write(&table, WriteOptions { memory_bytes: Some(0), ..WriteOptions::default() }, &batches).await;
    assert_eq!(messages.iter().map(|message| message.new_files.len()).collect::<Vec<_>>(), [5, 5, 5]);
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    assert_eq!(rows(&table).await.len(), 15);
}

#[tokio::test]
async fn sequence_numbers_of_a_bucket_go_on_from_those_that_are_there() {
    let options = [("bucket", "1"), ("bucket-key", "id")];
    let table = testkit::create_table(schema(false, &options)).await;
    for expected in [(0, 1), (2, 3)] {
        let messages = write(&table, WriteOptions::default(), &[batch(&[(None, 1), (None, 2)])]).await;
        let file = &messages[0].new_files[0];
        assert_eq!((file.min_sequence_number, file.max_sequence_number), expected);
        assert_eq!(messages[0].total_buckets, 1);
        let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    }
}

#[tokio::test]
async fn files_with_row_ids_leave_their_sequence_numbers_to_the_commit() {
    let options = [("row-tracking.enabled", "true"), ("target-file-row-num", "2")];
    let table = testkit::create_table(schema(false, &options)).await;
    let messages = write(&table, WriteOptions::default(), &[batch(&[(None, 1), (None, 2), (None, 3)])]).await;
    let sequences: Vec<_> =
        messages[0].new_files.iter().map(|file| (file.min_sequence_number, file.max_sequence_number)).collect();
    assert_eq!(sequences, [(0, 1), (0, 0)], "each file begins at 0, which stands for the snapshot");
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &messages).await.unwrap();
    assert_eq!(rows(&table).await, [(None, 1), (None, 2), (None, 3)]);
}

#[tokio::test]
async fn an_aborted_writer_leaves_no_files() {
    let table = testkit::create_table(schema(false, &[("target-file-row-num", "2")])).await;
    let mut writer =
        TableWriter::open(table.clone(), WriteOptions { memory_bytes: Some(0), ..WriteOptions::default() })
            .await
            .unwrap();
    writer.write(&batch(&[(None, 1), (None, 2), (None, 3)])).await.unwrap();
    assert_eq!(files_in(&table, "bucket-0").await, 2);
    writer.abort().await.unwrap();
    assert_eq!(files_in(&table, "bucket-0").await, 0);
}

#[tokio::test]
async fn a_refused_batch_names_the_column_and_the_rest_can_be_aborted() {
    let mut schema = schema(false, &[]);
    schema.fields[1].data_type.nullable = false;
    let table = testkit::create_table(schema).await;
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    let id: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let p: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let error = writer.write(&RecordBatch::try_from_iter([("p", p), ("id", id)]).unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("id"), "{error}");
    writer.abort().await.unwrap();
}

#[rstest]
#[case::the_type(&[("type", "format-table")], "format-table")]
#[case::external_paths(&[("data-file.external-paths", "file:///elsewhere")], "external-paths")]
#[tokio::test]
async fn tables_that_are_not_written_yet_say_so(#[case] options: &[(&str, &str)], #[case] named: &str) {
    let table = testkit::create_table(schema(false, options)).await;
    let error = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains(named) && error.message().ends_with("is not supported yet"), "{error}");
    let error = commit(&table, &request(&table, CommitMode::Append).await, &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
