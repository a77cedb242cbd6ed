//! Tables whose schema and options have changed since their files were written.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::{TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{SchemaChange, TypeKind};
use rstest::rstest;

use super::model::{check_files, compacted, entries, levels, schema};
use crate::testing::request;
use crate::tests::stores::{create, open};
use crate::{CommitMode, TableWriter, WriteOptions, commit};

/// Each of them before a commit of rows.
const CHANGES: [&str; 7] = [
    "[]",
    r#"[{"action": "addColumn", "fieldNames": ["x"], "dataType": "INT"}]"#,
    r#"[{"action": "renameColumn", "fieldNames": ["v"], "newName": "w"}]"#,
    r#"[{"action": "updateColumnType", "fieldNames": ["n"], "newDataType": "BIGINT"}]"#,
    r#"[{"action": "dropColumn", "fieldNames": ["x"]}, {"action": "addColumn", "fieldNames": ["v"], "dataType": "STRING"}]"#,
    r#"[{"action": "addColumn", "fieldNames": ["x"], "dataType": "STRING", "move": {"fieldName": "x", "type": "FIRST"}}]"#,
    r#"[{"action": "renameColumn", "fieldNames": ["k"], "newName": "key"}]"#,
];

/// Rows of these keys with a value of this commit in each column.
fn rows_of(table: &TableStore, keys: std::ops::Range<i64>, commit: i64) -> RecordBatch {
    let keys: Vec<i64> = keys.collect();
    let columns = table.schema().fields.iter().map(|field| {
        let column: ArrayRef = match &field.data_type.kind {
            _ if field.id == 0 => Arc::new(Int32Array::from(vec![0; keys.len()])),
            _ if field.id == 1 => Arc::new(Int64Array::from(keys.clone())),
            TypeKind::Int => Arc::new(Int32Array::from(vec![commit as i32; keys.len()])),
            TypeKind::BigInt => Arc::new(Int64Array::from(vec![commit; keys.len()])),
            _ => Arc::new(keys.iter().map(|key| Some(format!("{} {key} {commit}", field.id))).collect::<StringArray>()),
        };
        (field.name.clone(), column, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

async fn write(table: &TableStore, keys: std::ops::Range<i64>, number: i64) {
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&rows_of(table, keys, number)).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let _ = commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap();
}

/// Rows as text, sorted.
async fn text(table: &TableStore) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut rows = Vec::new();
    for split in plan(table, &ScanRequest::default()).await.unwrap().splits {
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let columns: Vec<ArrayFormatter<'_>> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options).unwrap()).collect();
            rows.extend(
                (0..batch.num_rows()).map(|row| {
                    columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join(", ")
                }),
            );
        }
    }
    rows.sort();
    rows
}

/// The table after all changes, of which `compacts` says after which it is compacted, and how.
async fn changed(options: &[(&str, &str)], compacts: impl Fn(usize) -> Option<bool>) -> TableStore {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let mut table = create(Arc::clone(&store), schema(options)).await;
    for (number, changes) in CHANGES.iter().enumerate() {
        let changes = SchemaChange::from_json(changes).unwrap();
        if !changes.is_empty() {
            let schema = table.schema().apply(&changes, true, 0).unwrap();
            let _ = table.commit_schema(&schema).await.unwrap();
            table = open(Arc::clone(&store), number as u64).await;
            assert_eq!(table.schema().id, number as i64);
        }
        // Some keys are new, some are there, some stay as they are.
        let first = 4 * number as i64;
        write(&table, first..first + 9, number as i64).await;
        if let Some(full) = compacts(number) {
            compacted(&table, full).await;
        }
    }
    table
}

const PLAIN: &[(&str, &str)] = &[("bucket", "1")];

/// Only the newest row of a key counts, so that all of these have the same rows.
#[rstest]
#[case::plain(PLAIN)]
#[case::vectors(&[("bucket", "1"), ("deletion-vectors.enabled", "true")])]
#[case::lookup(&[("bucket", "1"), ("changelog-producer", "lookup")])]
#[case::full_changelog(&[("bucket", "1"), ("changelog-producer", "full-compaction")])]
#[case::formats(&[("bucket", "1"), ("file.format.per.level", "0:avro,5:orc")])]
#[tokio::test]
async fn files_of_older_schemas_are_compacted(#[case] options: &[(&str, &str)]) {
    let expected = text(&changed(PLAIN, |_| None).await).await;
    assert_eq!(expected.len(), 4 * 6 + 9);
    for compacts in [|_| None, |number| (number == 3).then_some(false), |number| Some(number % 2 == 0)] {
        let table = changed(options, compacts).await;
        compacted(&table, false).await;
        compacted(&table, true).await;
        assert_eq!(text(&table).await, expected);
        let latest = table.latest_snapshot().await.unwrap().unwrap();
        check_files(&table, &latest).await;
        assert_eq!(latest.schema_id, CHANGES.len() as i64 - 1);
    }
}

/// Large files only go to another level, and stay of their schemas.
#[tokio::test]
async fn files_that_go_up_keep_their_schema() {
    let options = [("bucket", "1"), ("target-file-size", "1 b")];
    let table = changed(&options, |_| None).await;
    let expected = text(&table).await;
    write(&table, 100..105, 9).await;
    compacted(&table, true).await;
    write(&table, 200..205, 9).await;
    compacted(&table, true).await;
    let found: Vec<String> = text(&table).await.into_iter().filter(|row| expected.contains(row)).collect();
    assert_eq!(found, expected);
    check_files(&table, &table.latest_snapshot().await.unwrap().unwrap()).await;
}

/// The same rows merged one by one, and together, whatever their columns were.
#[rstest]
#[case::partial_update(&[("bucket", "1"), ("merge-engine", "partial-update")])]
#[case::partial_update_with_lookup(&[("bucket", "1"), ("merge-engine", "partial-update"), ("changelog-producer", "lookup")])]
#[case::partial_update_with_vectors(&[("bucket", "1"), ("merge-engine", "partial-update"), ("deletion-vectors.enabled", "true")])]
#[case::aggregation(&[("bucket", "1"), ("merge-engine", "aggregation"), ("fields.n.aggregate-function", "sum")])]
#[case::first_row(&[("bucket", "1"), ("merge-engine", "first-row")])]
#[tokio::test]
async fn rows_of_older_schemas_are_merged_alike_one_by_one_and_together(#[case] options: &[(&str, &str)]) {
    let together = changed(options, |_| None).await;
    compacted(&together, true).await;
    for compacts in [|_| Some(false), |_| Some(true), |number| (number % 3 == 1).then_some(number == 4)] {
        let one_by_one = changed(options, compacts).await;
        compacted(&one_by_one, true).await;
        assert_eq!(text(&one_by_one).await, text(&together).await);
        check_files(&one_by_one, &one_by_one.latest_snapshot().await.unwrap().unwrap()).await;
    }
}

/// The same table with an option altered.
fn altered(table: &TableStore, options: &[(&str, &str)]) -> TableStore {
    let mut schema = table.schema().as_ref().clone();
    schema.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    table.with_schema(Arc::new(schema))
}

#[rstest]
#[case::fewer_levels(&[("num-levels", "2")])]
#[case::more_levels(&[("num-levels", "9")])]
#[case::more_buckets(&[("bucket", "7")])]
#[case::another_format(&[("file.format", "orc"), ("file.format.per.level", "5:avro")])]
#[case::another_changelog(&[("changelog-producer", "lookup")])]
#[case::other_statistics(&[("metadata.stats-mode", "none"), ("file-index.bloom-filter.columns", "n")])]
#[tokio::test]
async fn options_may_change_between_compactions(#[case] options: &[(&str, &str)]) {
    let table = testkit::create_table(schema(PLAIN)).await;
    write(&table, 0..10, 1).await;
    compacted(&table, true).await;
    write(&table, 5..15, 2).await;
    compacted(&table, false).await;
    write(&table, 8..20, 3).await;
    let before = text(&table).await;
    let altered = altered(&table, options);
    compacted(&altered, false).await;
    assert_eq!(text(&altered).await, before);
    compacted(&altered, true).await;
    assert_eq!((text(&altered).await, text(&table).await), (before.clone(), before));
    let latest = altered.latest_snapshot().await.unwrap().unwrap();
    check_files(&altered, &latest).await;
    let last = if options[0].1 == "9" { 8 } else { 5 };
    assert_eq!(levels(&altered).await, [last]);
    let file = entries(&altered, &latest).await.remove(0).file;
    assert_eq!((file.delete_row_count, file.file_source), (Some(0), Some(paimon_spec::FileSource::Compact)));
    assert_eq!((file.min_sequence_number, file.max_sequence_number), (0, 31));
}
