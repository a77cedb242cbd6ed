use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int8Type, Int32Type, Int64Type};
use futures::TryStreamExt;
use paimon_io::{FileRead, Storage, TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{
    BinaryRow, CommitMessage, DataFileMeta, DataType, Datum, ErrorKind, FileSource, RowKind, Schema, TypeKind,
};
use proptest::prelude::*;
use rstest::rstest;

use crate::testing::{keyed, request};
use crate::{CommitMode, Committed, TableWriter, WriteOptions, abort, commit};

/// A key, its columns, and what the row does.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Row {
    k: i64,
    v: Option<&'static str>,
    n: Option<i32>,
    kind: RowKind,
}

fn row(k: i64, n: i32) -> Row {
    Row { k, v: Some("v"), n: Some(n), kind: RowKind::Insert }
}

fn deleted(k: i64) -> Row {
    Row { k, v: None, n: None, kind: RowKind::Delete }
}

/// Rows of partition 0, with their kinds in the column `kind` and their places in the column `at`.
fn batch(rows: &[Row], at: impl Iterator<Item = i64>) -> RecordBatch {
    let columns: [(&str, ArrayRef, bool); 6] = [
        ("p", Arc::new(Int32Array::from(vec![0; rows.len()])), false),
        ("k", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.k))), false),
        ("v", Arc::new(rows.iter().map(|row| row.v).collect::<StringArray>()), true),
        ("n", Arc::new(rows.iter().map(|row| row.n).collect::<Int32Array>()), true),
        ("kind", Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.kind.text()))), false),
        ("at", Arc::new(Int64Array::from_iter_values(at.take(rows.len()))), false),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn without(mut batch: RecordBatch, name: &str) -> RecordBatch {
    batch.remove_column(batch.schema().index_of(name).unwrap());
    batch
}

/// A table in memory that may spill to a folder of its own.
struct Table {
    store: TableStore,
    folder: tempfile::TempDir,
}

impl Table {
    async fn new(schema: Schema) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut context = testkit::context();
        context.spill_folder = Some(folder.path().into());
        let storage = Storage::open("memory://keyed/table", &BTreeMap::new(), &context).unwrap();
        Self { store: testkit::create_table_at(storage, schema, context).await, folder }
    }

    /// With one bucket and no partitions.
    async fn of(options: &[(&str, &str)]) -> Self {
        let bucket = [("bucket", "1")];
        Self::new(keyed(false, &[&bucket[..], options].concat())).await
    }

    async fn write(&self, options: WriteOptions, batches: &[RecordBatch]) -> paimon_spec::Result<Vec<CommitMessage>> {
        let mut writer = TableWriter::open(self.store.clone(), options).await?;
        for batch in batches {
            writer.write(batch).await?;
        }
        writer.prepare_commit().await
    }

    async fn commit(&self, mode: CommitMode, messages: &[CommitMessage]) -> paimon_spec::Result<Committed> {
        commit(&self.store, &request(&self.store, mode).await, messages).await
    }

    /// Writes rows, in batches of three, and commits them.
    async fn upsert(&self, rows: &[Row]) -> Vec<CommitMessage> {
        self.upsert_within(rows, None).await
    }

    async fn upsert_within(&self, rows: &[Row], memory_bytes: Option<u64>) -> Vec<CommitMessage> {
        let options = WriteOptions { memory_bytes, ..kinds() };
        let batches: Vec<_> = rows.chunks(3).map(|rows| without(batch(rows, 0..), "at")).collect();
        let messages = self.write(options, &batches).await.unwrap();
        assert!(matches!(self.commit(CommitMode::Append, &messages).await.unwrap(), Committed::Snapshot(_)));
        messages
    }

    /// What is there: each key once, with `v` and `n`.
    async fn rows(&self) -> BTreeMap<i64, (Option<String>, Option<i32>)> {
        let mut found = BTreeMap::new();
        for split in plan(&self.store, &ScanRequest::default()).await.unwrap().splits {
            let batches = read(&self.store, &split, &ReadRequest::default()).await.unwrap();
            for batch in batches.try_collect::<Vec<_>>().await.unwrap() {
                let k = batch.column(1).as_primitive::<Int64Type>();
                let (v, n) = (batch.column(2).as_string::<i32>(), batch.column(3).as_primitive::<Int32Type>());
                for row in 0..batch.num_rows() {
                    let values =
                        (v.is_valid(row).then(|| v.value(row).to_owned()), n.is_valid(row).then(|| n.value(row)));
                    assert_eq!(found.insert(k.value(row), values), None, "key {} is there twice", k.value(row));
                }
            }
        }
        found
    }

    /// `n` of what is there.
    async fn numbers(&self) -> Vec<(i64, i32)> {
        self.rows().await.into_iter().map(|(k, (_, n))| (k, n.unwrap_or(-1))).collect()
    }

    /// (sequence number, kind, key) of the rows of a data file.
    async fn raw(&self, file: &DataFileMeta) -> Vec<(i64, i8, i64)> {
        let thin = self.store.options().data_file_thin_mode().unwrap();
        let columns = self.store.schema().key_value_file_fields(thin);
        let read = FileRead {
            columns,
            predicate: None,
            deletions: None,
            rows: None,
            limit: None,
            batch_rows: 1024,
            held_bytes: None,
        };
        let batches = self.store.open_file("bucket-0", file, &read).await.unwrap();
        let mut rows = Vec::new();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let column = |name: &str| batch.column_by_name(name).unwrap().clone();
            let (sequence, kind, k) = (column("_SEQUENCE_NUMBER"), column("_VALUE_KIND"), column("k"));
            if !thin {
                assert_eq!(&column("_KEY_k"), &k);
            }
            rows.extend((0..batch.num_rows()).map(|row| {
                let sequence = sequence.as_primitive::<Int64Type>().value(row);
                (sequence, kind.as_primitive::<Int8Type>().value(row), k.as_primitive::<Int64Type>().value(row))
            }));
        }
        rows
    }

    fn spilled_files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }

    async fn files_on_storage(&self) -> usize {
        match self.store.storage().list("bucket-0").await {
            Ok(files) => files.len(),
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Options of a writer that is told the kinds of rows.
fn kinds() -> WriteOptions {
    WriteOptions { row_kind_column: Some("kind".to_owned()), ..WriteOptions::default() }
}

fn only(messages: &[CommitMessage]) -> &CommitMessage {
    let [message] = messages else { panic!("{messages:?}") };
    message
}

fn key(k: i64) -> BinaryRow {
    BinaryRow::from_values(&[Some(Datum::BigInt(k))], &[DataType::not_null(TypeKind::BigInt)]).unwrap()
}

#[rstest]
#[tokio::test]
async fn rows_become_one_sorted_file_of_level_zero(#[values("parquet", "avro", "orc")] format: &str) {
    let table = Table::of(&[("file.format", format)]).await;
    let messages = table.upsert(&[row(7, 1), row(3, 2), row(7, 3), row(5, 4), deleted(3), row(9, 5)]).await;
    let message = only(&messages);
    assert_eq!((message.bucket, message.total_buckets, message.new_files.len()), (0, 1, 1));
    let file = &message.new_files[0];
    assert!(file.file_name.starts_with("data-") && file.file_name.ends_with(format), "{}", file.file_name);
    // The newest row of each key, by key, with the number of its arrival.
    assert_eq!(table.raw(file).await, [(4, 3, 3), (3, 0, 5), (2, 0, 7), (5, 0, 9)]);
    assert_eq!((&file.min_key, &file.max_key), (&key(3), &key(9)));
    assert_eq!((file.min_sequence_number, file.max_sequence_number), (2, 5));
    assert_eq!((file.level, file.row_count, file.delete_row_count), (0, 4, Some(1)));
    assert_eq!((file.schema_id, file.file_source), (0, Some(FileSource::Append)));
    assert_eq!((&file.key_stats.min_values, &file.key_stats.max_values), (&nullable_key(3), &nullable_key(9)));
    assert_eq!(file.key_stats.null_counts, [Some(0)]);
    assert_eq!(file.value_stats_cols, None);
    let stats = file.column_stats(table.store.schema(), 3);
    assert_eq!((stats.min, stats.max, stats.null_count), (Some(Datum::Int(3)), Some(Datum::Int(5)), Some(1)));
    assert_eq!(table.numbers().await, [(5, 4), (7, 3), (9, 5)]);
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.total_record_count, snapshot.changelog_record_count), (Some(4), None));
}

fn nullable_key(k: i64) -> BinaryRow {
    BinaryRow::from_values(&[Some(Datum::BigInt(k))], &[DataType::nullable(TypeKind::BigInt)]).unwrap()
}

#[rstest]
#[case::whole(&[], &["_KEY_keycol", "_SEQUENCE_NUMBER", "_VALUE_KIND", "valcol", "keycol"])]
#[case::thin(&[("data-file.thin-mode", "true")], &["_SEQUENCE_NUMBER", "_VALUE_KIND", "valcol", "keycol"])]
#[tokio::test]
async fn columns_stand_in_javas_order(#[case] options: &[(&str, &str)], #[case] wanted: &[&str]) {
    let json = r#"{"fields": [{"name": "valcol", "type": "INT"}, {"name": "keycol", "type": "STRING"}],
                   "primaryKeys": ["keycol"], "options": {"bucket": "1", "metadata.stats-mode": "none"}}"#;
    let mut schema = Schema::from_json(json).unwrap();
    schema.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    let table = Table::new(schema).await;
    let long = "x".repeat(200);
    let keys: ArrayRef = Arc::new(StringArray::from(vec![long.as_str(), "a"]));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let rows = RecordBatch::try_from_iter([("keycol", keys), ("valcol", values)]).unwrap();
    let messages = table.write(WriteOptions::default(), &[rows]).await.unwrap();
    let file = &only(&messages).new_files[0];

    let path = format!("bucket-0/{}", file.file_name);
    let bytes = table.store.storage().read(&path).await.unwrap();
    let end = bytes.len() - 8;
    let footer = u32::from_le_bytes(bytes[end..end + 4].try_into().unwrap()) as usize;
    let footer = String::from_utf8_lossy(&bytes[end - footer..end]).into_owned();
    let mut rest = footer.as_str();
    for name in wanted {
        let at = rest.find(name).unwrap_or_else(|| panic!("{name} is not where it should be"));
        rest = &rest[at + name.len()..];
    }
    assert_eq!(footer.contains("_KEY_"), options.is_empty());

    // Statistics of keys keep 128 characters, whatever the table's mode; thin files have them from the column itself.
    let types = [DataType::string()];
    let bound = |row: &BinaryRow| row.get(0, &types[0]).unwrap();
    let next = format!("{}y", "x".repeat(127));
    assert_eq!(bound(&file.key_stats.min_values), Some(Datum::String("a".to_owned())));
    assert_eq!(bound(&file.key_stats.max_values), Some(Datum::String(next.clone())));
    assert_eq!(bound(&file.max_key), Some(Datum::String(long)));
    let thin = !options.is_empty();
    assert_eq!(file.value_stats_cols, Some(if thin { vec!["keycol".to_owned()] } else { Vec::new() }));
    let stats = file.column_stats(table.store.schema(), 1);
    assert_eq!(stats.max, thin.then_some(Datum::String(next)));
}

#[tokio::test]
async fn sequence_numbers_go_on_where_the_bucket_ended() {
    let table = Table::of(&[]).await;
    table.upsert(&[row(1, 1), row(1, 2), row(2, 3)]).await;
    let messages = table.upsert(&[row(1, 4)]).await;
    assert_eq!(table.raw(&only(&messages).new_files[0]).await, [(3, 0, 1)]);
    assert_eq!(table.numbers().await, [(1, 4), (2, 3)]);
    // What is replaced has no order that new rows go on from.
    let overwrite = WriteOptions { overwrite: true, ..kinds() };
    let messages = table.write(overwrite, &[without(batch(&[row(2, 5)], 0..), "at")]).await.unwrap();
    assert_eq!(table.raw(&only(&messages).new_files[0]).await, [(0, 0, 2)]);
}

#[tokio::test]
async fn sequence_numbers_may_follow_those_that_snapshots_keep() {
    let table = Table::of(&[("write.sequence-number-init-mode", "snapshot")]).await;
    table.upsert(&[row(1, 1), row(2, 1), row(3, 1)]).await;
    assert!(matches!(table.commit(CommitMode::Truncate(Vec::new()), &[]).await.unwrap(), Committed::Snapshot(2)));
    let messages = table.upsert(&[row(1, 2)]).await;
    assert_eq!(only(&messages).new_files[0].min_sequence_number, 3);
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(snapshot.properties.as_ref().unwrap()["sequence.generation.max-sequence-number"], "3");
}

#[rstest]
#[case::deletes(&[("ignore-delete", "true")], &[(1, 1), (2, 2)])]
#[case::updates_before(&[("ignore-update-before", "true")], &[(2, 2)])]
#[case::neither(&[], &[])]
#[tokio::test]
async fn rows_that_the_table_ignores_are_not_written(#[case] options: &[(&str, &str)], #[case] wanted: &[(i64, i32)]) {
    let table = Table::of(options).await;
    let before = Row { kind: RowKind::UpdateBefore, ..row(2, 0) };
    let messages = table.upsert(&[row(1, 1), row(2, 2), deleted(1), before]).await;
    assert_eq!(table.numbers().await, wanted);
    let largest = only(&messages).new_files[0].max_sequence_number;
    let ignored = if options.is_empty() { 0 } else { wanted.len() as i64 };
    assert_eq!(largest, 3 - ignored, "ignored rows take no numbers");
}

#[tokio::test]
async fn a_column_of_the_table_may_say_what_rows_do() {
    let mut schema = keyed(false, &[("bucket", "1"), ("rowkind.field", "v")]);
    schema.fields[2].data_type = DataType::string();
    let table = Table::new(schema).await;
    let rows =
        [Row { v: Some("+I"), ..row(1, 1) }, Row { v: Some("+u"), ..row(2, 2) }, Row { v: Some("-D"), ..row(1, 3) }];
    let plain = without(without(batch(&rows, 0..), "at"), "kind");
    let messages = table.write(WriteOptions::default(), &[plain]).await.unwrap();
    assert_eq!(table.raw(&only(&messages).new_files[0]).await, [(2, 3, 1), (1, 2, 2)]);
    table.commit(CommitMode::Append, &messages).await.map(drop).unwrap();
    assert_eq!(table.rows().await, BTreeMap::from([(2, (Some("+u".to_owned()), Some(2)))]));
}

fn with_column(batch: RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let batch = without(batch, name);
    let schema = batch.schema();
    let columns = schema.fields().iter().map(|field| field.name().clone()).zip(batch.columns().to_vec());
    RecordBatch::try_from_iter(columns.chain([(name.to_owned(), column)])).unwrap()
}

#[rstest]
#[case::an_unknown_kind("kind", Arc::new(StringArray::from(vec!["+I", "++"])), "found '++'")]
#[case::no_kind("kind", Arc::new(StringArray::from(vec![Some("+I"), None])), "column: kind")]
#[case::kinds_that_are_no_texts("kind", Arc::new(arrow::array::BooleanArray::from(vec![true, false])), "kind")]
#[case::a_key_without_value("k", Arc::new(Int64Array::from(vec![Some(1), None])), "column: k")]
#[case::no_place("at", Arc::new(Int64Array::from(vec![Some(1), None])), "column: at")]
#[tokio::test]
async fn rows_that_cannot_be_written_say_why_before_anything_is_written(
    #[case] column: &str,
    #[case] values: ArrayRef,
    #[case] named: &str,
) {
    let table = Table::of(&[("write-buffer-spillable", "false")]).await;
    let options = WriteOptions { memory_bytes: Some(0), order_column: Some("at".to_owned()), ..kinds() };
    let error = table.write(options, &[with_column(batch(&[row(1, 1), row(2, 2)], 0..), column, values)]).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains(named), "{error}");
    assert_eq!(table.files_on_storage().await, 0);
}

#[rstest]
#[case::missing(WriteOptions { row_kind_column: Some("no".into()), ..WriteOptions::default() }, "no column 'no'")]
#[case::of_the_table(WriteOptions { row_kind_column: Some("v".into()), ..WriteOptions::default() }, "is a column of the table")]
#[case::order_of_the_table(WriteOptions { order_column: Some("n".into()), ..WriteOptions::default() }, "is a column of the table")]
#[tokio::test]
async fn columns_that_cannot_say_what_rows_do_are_refused(#[case] options: WriteOptions, #[case] named: &str) {
    let table = Table::of(&[]).await;
    let plain = without(without(batch(&[row(1, 1)], 0..), "at"), "kind");
    let error = table.write(options, &[plain]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains(named), "{error}");
}

#[tokio::test]
async fn kinds_are_said_in_one_place() {
    let table = Table::of(&[("rowkind.field", "v")]).await;
    let error = TableWriter::open(table.store.clone(), kinds()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("rowkind.field"), "{error}");
}

#[tokio::test]
async fn rows_of_append_tables_do_nothing_to_keys() {
    let table = Table::new(crate::testing::schema(false, &[])).await;
    let error = TableWriter::open(table.store.clone(), kinds()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("no primary key"), "{error}");
}

#[tokio::test]
async fn a_first_row_table_takes_no_deletes() {
    let first_row = [("merge-engine", "first-row"), ("write-only", "true")];
    let table = Table::of(&first_row).await;
    let rows = without(batch(&[row(1, 1), deleted(1)], 0..), "at");
    let error = table.write(kinds(), std::slice::from_ref(&rows)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("-D") && error.message().contains("ignore-delete"), "{error}");
    assert_eq!(table.files_on_storage().await, 0);

    let table = Table::of(&[&first_row[..], &[("ignore-delete", "true")]].concat()).await;
    let messages = table.write(kinds(), &[rows]).await.unwrap();
    assert_eq!(table.raw(&only(&messages).new_files[0]).await, [(0, 0, 1)]);
}

#[tokio::test]
async fn files_of_a_level_and_of_changelogs_have_options_of_their_own() {
    let table = Table::of(&[
        ("file.format", "orc"),
        ("file.format.per.level", "0:avro,5:orc"),
        ("metadata.stats-mode.per.level", "0:none"),
        ("changelog-producer", "input"),
        ("changelog-file.format", "parquet"),
        ("changelog-file.prefix", "log-"),
        ("changelog-file.stats-mode", "full"),
    ])
    .await;
    let messages = table.upsert(&[row(2, 1), row(1, 1), row(2, 2), deleted(2)]).await;
    let message = only(&messages);
    let (data, changelog) = (&message.new_files[0], &message.changelog_files[0]);
    assert!(data.file_name.ends_with(".avro"), "{}", data.file_name);
    assert!(changelog.file_name.starts_with("log-") && changelog.file_name.ends_with(".parquet"), "{changelog:?}");
    assert_eq!((&data.value_stats_cols, &changelog.value_stats_cols), (&Some(Vec::new()), &None));
    // All that came in, by key and then as it came.
    assert_eq!(table.raw(changelog).await, [(1, 0, 1), (0, 0, 2), (2, 0, 2), (3, 3, 2)]);
    assert_eq!((changelog.delete_row_count, changelog.row_count), (Some(1), 4));

    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.changelog_record_count, snapshot.delta_record_count), (Some(4), Some(2)));
    let list = snapshot.changelog_manifest_list.clone().unwrap();
    let manifests = table.store.manifest_list(&list, snapshot.changelog_manifest_list_size).await.unwrap();
    let mut found = Vec::new();
    let mut keep = |entry: paimon_spec::ManifestEntry| {
        found.push((entry.kind, entry.file.file_name));
        Ok(())
    };
    table.store.read_manifest(&manifests[0], &mut |_| true, &mut keep).await.unwrap();
    assert_eq!(found, [(paimon_spec::FileKind::Add, changelog.file_name.clone())]);
    assert_eq!(table.numbers().await, [(1, 1)]);
}

#[tokio::test]
async fn files_of_changelogs_are_deleted_with_the_others() {
    let table = Table::of(&[("changelog-producer", "input")]).await;
    let rows = without(batch(&[row(1, 1)], 0..), "at");
    let messages = table.write(kinds(), std::slice::from_ref(&rows)).await.unwrap();
    assert_eq!(table.files_on_storage().await, 2);
    abort(&table.store, &messages).await.unwrap();
    assert_eq!(table.files_on_storage().await, 0);

    let mut writer =
        TableWriter::open(table.store.clone(), WriteOptions { memory_bytes: Some(0), ..kinds() }).await.unwrap();
    writer.write(&rows).await.unwrap();
    writer.abort().await.unwrap();
    assert_eq!((table.files_on_storage().await, table.spilled_files()), (0, 0));
}

#[tokio::test]
async fn an_overwrite_has_no_changelog() {
    let table = Table::of(&[("changelog-producer", "input")]).await;
    table.upsert(&[row(1, 1)]).await;
    let rows = [without(batch(&[row(2, 1)], 0..), "at")];
    // Even when the writer was not told.
    for overwrite in [true, false] {
        let messages = table.write(WriteOptions { overwrite, ..kinds() }, &rows).await.unwrap();
        assert_eq!(only(&messages).changelog_files.is_empty(), overwrite);
        table.commit(CommitMode::OverwriteDynamic, &messages).await.map(drop).unwrap();
        let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
        assert_eq!((snapshot.changelog_manifest_list.clone(), snapshot.changelog_record_count), (None, None));
    }
    assert_eq!(table.numbers().await, [(2, 1)]);
}

#[rstest]
#[case::upgraded(&[], 5)]
#[case::to_the_last_level_there_is(&[("num-levels", "3")], 2)]
#[case::by_the_trigger(&[("num-sorted-run.compaction-trigger", "7")], 7)]
#[case::not_upgraded(&[("overwrite-upgrade", "false")], 0)]
#[tokio::test]
async fn files_of_an_overwrite_go_to_the_last_level(#[case] options: &[(&str, &str)], #[case] level: i32) {
    let table = Table::of(options).await;
    table.upsert(&[row(1, 1)]).await;
    let rows = [without(batch(&[row(2, 1), row(3, 1)], 0..), "at")];
    let messages = table.write(WriteOptions { overwrite: true, ..kinds() }, &rows).await.unwrap();
    table.commit(CommitMode::OverwriteDynamic, &messages).await.map(drop).unwrap();
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    let live = paimon_scan::live_entries(&table.store, &snapshot, &|_, _| true).await.unwrap();
    assert_eq!(live.iter().map(|entry| entry.file.level).collect::<Vec<_>>(), [level]);
    assert_eq!(table.numbers().await, [(2, 1), (3, 1)]);
    // New rows are newer, whatever their sequence numbers.
    table.upsert(&[row(3, 2), deleted(2)]).await;
    assert_eq!(table.numbers().await, [(3, 2)]);
}

#[tokio::test]
async fn overlapping_files_of_an_overwrite_stay_where_they_are() {
    let table = Table::of(&[("write-buffer-spillable", "false")]).await;
    let rows = [row(1, 1), row(2, 1)].map(|row| without(batch(&[row, self::row(5, row.n.unwrap())], 0..), "at"));
    let options = WriteOptions { overwrite: true, memory_bytes: Some(0), ..kinds() };
    let messages = table.write(options, &rows).await.unwrap();
    assert_eq!(only(&messages).new_files.len(), 2);
    table.commit(CommitMode::OverwriteDynamic, &messages).await.map(drop).unwrap();
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    let live = paimon_scan::live_entries(&table.store, &snapshot, &|_, _| true).await.unwrap();
    assert_eq!(live.iter().map(|entry| entry.file.level).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(table.numbers().await, [(1, 1), (2, 1), (5, 1)]);
}

/// However little memory there is, all rows of an overwrite become one sorted run, which goes to the last level.
#[tokio::test]
async fn overwriting_rows_need_no_compaction_to_be_seen() {
    let table = Table::of(&[("merge-engine", "first-row")]).await;
    let rows = [without(batch(&[row(1, 1), row(1, 2), row(2, 3)], 0..), "at")];
    let options = WriteOptions { overwrite: true, memory_bytes: Some(0), ..kinds() };
    let messages = table.write(options, &[&rows[..], &rows].concat()).await.unwrap();
    table.commit(CommitMode::OverwriteDynamic, &messages).await.map(drop).unwrap();
    assert_eq!(table.numbers().await, [(1, 1), (2, 3)]);
}

#[tokio::test]
async fn another_number_of_buckets_is_refused_before_anything_is_written() {
    let table = Table::new(keyed(true, &[("bucket", "2")])).await;
    table.upsert(&[row(1, 1), row(2, 1), row(3, 1)]).await;
    let mut schema = table.store.schema().as_ref().clone();
    schema.options.insert("bucket".to_owned(), "3".to_owned());
    let rescaled = table.store.with_schema(Arc::new(schema));

    let rows = without(batch(&[row(4, 1)], 0..), "at");
    let mut writer =
        TableWriter::open(rescaled.clone(), WriteOptions { memory_bytes: Some(0), ..kinds() }).await.unwrap();
    let error = writer.write(&rows).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.message(),
        "the rows of partition p=0 are in 2 buckets, and the option 'bucket' says 3: overwrite them to change their \
         number of buckets"
    );
    // Other partitions have the new number, and an overwrite gives it to this one.
    let other = with_column(rows.clone(), "p", Arc::new(Int32Array::from(vec![1])));
    let mut writer = TableWriter::open(rescaled.clone(), kinds()).await.unwrap();
    writer.write(&other).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    assert_eq!(only(&messages).total_buckets, 3);
    table.commit(CommitMode::Append, &messages).await.map(drop).unwrap();
    let mut writer = TableWriter::open(rescaled, WriteOptions { overwrite: true, ..kinds() }).await.unwrap();
    writer.write(&rows).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    table.commit(CommitMode::OverwriteDynamic, &messages).await.map(drop).unwrap();
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    let live = paimon_scan::live_entries(&table.store, &snapshot, &|_, _| true).await.unwrap();
    assert_eq!(live.iter().map(|entry| entry.total_buckets).collect::<Vec<_>>(), [3, 3]);
}

#[tokio::test]
async fn two_writers_of_a_bucket_cannot_commit_together() {
    let table = Table::of(&[]).await;
    let rows = without(batch(&[row(1, 1)], 0..), "at");
    let mut messages = table.write(kinds(), std::slice::from_ref(&rows)).await.unwrap();
    messages.extend(table.write(kinds(), &[rows]).await.unwrap());
    let error = table.commit(CommitMode::Append, &messages).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("two writers"), "{error}");
    assert!(table.store.latest_snapshot().await.unwrap().is_none());
}

#[rstest]
#[case::spilled(&[], 1)]
#[case::not_spillable(&[("write-buffer-spillable", "false")], 4)]
#[case::without_room_on_disk(&[("write-buffer-spill.max-disk-size", "0 b")], 4)]
#[tokio::test]
async fn rows_beyond_the_budget_are_spilled_or_become_files_early(
    #[case] options: &[(&str, &str)],
    #[case] files: usize,
) {
    let table = Table::of(options).await;
    let rows: Vec<Row> = (0..12).map(|n| row(i64::from(n % 5), n)).collect();
    let messages = table.upsert_within(&rows, Some(0)).await;
    assert_eq!(only(&messages).new_files.len(), files);
    assert_eq!(table.numbers().await, [(0, 10), (1, 11), (2, 7), (3, 8), (4, 9)]);
    assert_eq!(table.spilled_files(), 0);
}

#[tokio::test]
async fn many_spilled_runs_are_merged_on_the_way() {
    let table = Table::of(&[("merge-engine", "partial-update")]).await;
    let rows: Vec<Row> =
        (0..900).map(|n| Row { v: (n % 7 == 0).then_some("seven"), ..row(i64::from(n % 10), n) }).collect();
    let options = WriteOptions { memory_bytes: Some(0), ..kinds() };
    let mut writer = TableWriter::open(table.store.clone(), options).await.unwrap();
    for rows in rows.chunks(3) {
        writer.write(&without(batch(rows, 0..), "at")).await.unwrap();
        assert!(table.spilled_files() < 40, "{}", table.spilled_files());
    }
    let messages = writer.prepare_commit().await.unwrap();
    table.commit(CommitMode::Append, &messages).await.map(drop).unwrap();
    let wanted = (0..10).map(|k| (k, (Some("seven".to_owned()), Some(890 + k as i32))));
    assert_eq!(table.rows().await, wanted.collect());
    assert_eq!(table.spilled_files(), 0);
}

#[tokio::test]
async fn rows_that_wait_for_others_need_room() {
    let table = Table::of(&[("write-buffer-spillable", "false")]).await;
    let options = WriteOptions { memory_bytes: Some(0), order_column: Some("at".into()), ..kinds() };
    let error = table.write(options, &[batch(&[row(1, 1)], 0..)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains("write-buffer-spillable"), "{error}");
}

#[tokio::test]
async fn large_runs_roll_over_into_files_that_do_not_overlap() {
    let table = Table::of(&[("target-file-row-num", "4")]).await;
    let rows: Vec<Row> = (0..10).rev().map(|k| row(k, 1)).collect();
    let messages = table.upsert(&rows).await;
    let files = &only(&messages).new_files;
    let bounds: Vec<_> = files.iter().map(|file| (&file.min_key, &file.max_key, file.level)).collect();
    assert_eq!(bounds, [(&key(0), &key(3), 0), (&key(4), &key(7), 0), (&key(8), &key(9), 0)]);
    assert_eq!(table.numbers().await.len(), 10);
}

fn any_rows(kinds: &'static [RowKind]) -> impl Strategy<Value = Vec<Vec<Row>>> {
    let v = prop::option::of(prop::sample::select(vec!["", "a", "b", "longer than others"]));
    let row = (0..6_i64, v, prop::option::of(-3..4_i32), prop::sample::select(kinds));
    let row = row.prop_map(|(k, v, n, kind)| Row { k, v, n, kind });
    prop::collection::vec(prop::collection::vec(row, 1..20), 1..4)
}

type State = BTreeMap<i64, (Option<String>, Option<i32>)>;

/// What a row makes of the state, under a merge engine.
fn apply(engine: &str, state: &mut State, row: &Row) {
    let values = (row.v.map(str::to_owned), row.n);
    match (engine, state.get_mut(&row.k)) {
        ("deduplicate", _) if row.kind.is_retract() => drop(state.remove(&row.k)),
        ("deduplicate", _) | (_, None) => drop(state.insert(row.k, values)),
        ("partial-update", Some((v, n))) => (*v, *n) = (values.0.or(v.take()), values.1.or(*n)),
        (_, Some((v, n))) => {
            let sum = match (*n, values.1) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
            (*v, *n) = (values.0.or(v.take()), sum);
        }
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_what_a_map_would_hold(
        commits in any_rows(&RowKind::ALL),
        engine in prop::sample::select(vec!["deduplicate", "partial-update", "aggregation"]),
        memory in prop::option::of(0..2000_u64),
        spillable in any::<bool>(),
        thin in any::<bool>(),
        changelog in any::<bool>(),
        buckets in 1..4_i32,
        shuffled in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (buckets, spillable, thin) = (buckets.to_string(), spillable.to_string(), thin.to_string());
        let options = [
            ("bucket", buckets.as_str()),
            ("merge-engine", engine),
            ("fields.n.aggregate-function", "sum"),
            ("write-buffer-spillable", &spillable),
            ("data-file.thin-mode", &thin),
            ("changelog-producer", if changelog { "input" } else { "none" }),
        ];
        let options: Vec<_> =
            options.into_iter().filter(|(key, _)| engine == "aggregation" || !key.starts_with("fields")).collect();
        // An order of the caller's own is kept when rows come in another one, as far as they may wait for one another.
        let shuffled = shuffled && (spillable == "true" || memory.is_none());
        let found = run(async {
            let table = Table::new(keyed(false, &options)).await;
            let mut wanted = State::new();
            let mut came_in = 0;
            for rows in &commits {
                // Engines that take no row back get none.
                let inserted = |row: &Row| Row { kind: RowKind::Insert, ..*row };
                let rows: Vec<Row> = rows.iter().map(|r| if engine == "deduplicate" { *r } else { inserted(r) }).collect();
                rows.iter().for_each(|row| apply(engine, &mut wanted, row));
                came_in += rows.len() as i64;
                let mut places: Vec<usize> = (0..rows.len()).collect();
                if shuffled {
                    places.sort_by_key(|place| (*place as u64 ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                }
                let order_column = shuffled.then(|| "at".to_owned());
                let batches = places.chunks(4).map(|places| {
                    let rows: Vec<Row> = places.iter().map(|place| rows[*place]).collect();
                    let batch = batch(&rows, places.iter().map(|place| *place as i64 * 10));
                    if shuffled { batch } else { without(batch, "at") }
                });
                let batches: Vec<_> = batches.collect();
                let options = WriteOptions { memory_bytes: memory, order_column, ..kinds() };
                let messages = table.write(options, &batches).await.unwrap();
                if changelog {
                    let changes = messages.iter().flat_map(|message| &message.changelog_files);
                    assert_eq!(changes.map(|file| file.row_count).sum::<i64>(), rows.len() as i64);
                }
                table.commit(CommitMode::Append, &messages).await.map(drop).unwrap();
            }
            assert_eq!(table.spilled_files(), 0);
            assert!(came_in > 0);
            (table.rows().await, wanted)
        });
        prop_assert_eq!(found.0, found.1);
    }
}
