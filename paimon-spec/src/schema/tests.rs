use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::data_type::tests::{any_name, any_type};
use crate::{DataType, ErrorKind};

/// A schema of columns `name type`, with options.
pub(crate) fn schema(columns: &[(&str, &str)], options: &[(&str, &str)]) -> Schema {
    let field = |(name, data_type): &(&str, &str)| DataField::new(0, *name, DataType::parse(data_type).unwrap());
    Schema {
        fields: columns.iter().map(field).collect(),
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    }
}

fn names(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn ids(table: &TableSchema) -> Vec<(&str, FieldId)> {
    let mut ids = Vec::new();
    visit_fields(&table.fields, &mut |field| {
        ids.push((field.name.as_str(), field.id));
        Ok(())
    })
    .unwrap();
    ids
}

#[test]
fn a_schema_of_java_is_written_back_as_it_was() {
    let json = json!({
        "version": 3,
        "id": 1,
        "fields": [
            {"id": 0, "name": "a", "type": "INT NOT NULL", "description": "d", "defaultValue": "1"},
            {"id": 2, "name": "r", "type": {"type": "ROW", "fields": [{"id": 3, "name": "x", "type": "STRING"}]}}
        ],
        "highestFieldId": 7,
        "partitionKeys": ["a"],
        "primaryKeys": [],
        "options": {"bucket": "-1"},
        "comment": "c",
        "timeMillis": 1_732_260_000_123_i64
    });
    let table = TableSchema::from_json(json.to_string().as_bytes()).unwrap();
    assert_eq!(table.id, 1);
    assert_eq!(table.highest_field_id, 7);
    assert_eq!(table.partition_fields()[0].name, "a");
    assert_eq!(table.field_by_id(2).unwrap().name, "r");
    let written: Value = serde_json::from_slice(&table.to_json().unwrap()).unwrap();
    assert_eq!(written, json);
    let keys: Vec<&String> = written.as_object().unwrap().keys().collect();
    assert_eq!(keys, json.as_object().unwrap().keys().collect::<Vec<_>>());
}

fn minimal(more: &Value) -> Vec<u8> {
    let mut schema = json!({"id": 0, "fields": [{"id": 0, "name": "a", "type": "INT"}], "highestFieldId": 0});
    for (key, value) in more.as_object().unwrap() {
        schema[key] = value.clone();
    }
    schema.to_string().into_bytes()
}

#[rstest]
#[case(json!({}), &[("bucket", "1"), ("file.format", "orc")])]
#[case(json!({"version": 1}), &[("bucket", "1"), ("file.format", "orc")])]
#[case(json!({"version": 2}), &[("file.format", "orc")])]
#[case(json!({"version": 3}), &[])]
#[case(json!({"version": 1, "options": {"bucket": "3", "file.format": "avro"}}), &[("bucket", "3"), ("file.format", "avro")])]
fn old_versions_get_the_defaults_of_their_time(#[case] more: Value, #[case] options: &[(&str, &str)]) {
    let table = TableSchema::from_json(&minimal(&more)).unwrap();
    assert_eq!(table.options, schema(&[], options).options);
}

#[test]
fn absent_keys_have_defaults_unknown_ones_are_ignored_and_no_comment_is_written() {
    let table = TableSchema::from_json(&minimal(&json!({"comment": null, "future": [1]}))).unwrap();
    assert_eq!(table.time_millis, 0);
    assert_eq!(table.comment, None);
    let written = String::from_utf8(table.to_json().unwrap()).unwrap();
    assert!(!written.contains("comment"), "{written}");
}

#[test]
fn the_highest_id_is_never_below_that_of_a_field() {
    assert_eq!(TableSchema::from_json(&minimal(&json!({"highestFieldId": -1}))).unwrap().highest_field_id, 0);
}

#[rstest]
#[case(json!({"id": -1}), "'id'")]
#[case(json!({"id": 1.5}), "1.5")]
#[case(json!({"fields": null}), "array of fields")]
#[case(json!({"fields": [{"id": 0, "name": "a", "type": "INTT"}]}), "'INTT'")]
#[case(json!({"fields": [{"id": 0, "name": "a", "type": "INT"}, {"id": 0, "name": "b", "type": "INT"}]}), "0 twice")]
#[case(json!({"fields": [{"id": 0, "name": "a", "type": "INT"}, {"id": 1, "name": "a", "type": "INT"}]}), "'a' twice")]
#[case(json!({"partitionKeys": ["b"]}), "key 'b'")]
#[case(json!({"primaryKeys": ["b"]}), "key 'b'")]
#[case(json!({"primaryKeys": "a"}), "'primaryKeys'")]
#[case(json!({"options": []}), "'options'")]
#[case(json!({"options": {"a": null}}), "'options'")]
#[case(json!({"highestFieldId": 4_294_967_296_i64}), "'highestFieldId'")]
#[case(json!({"comment": 5}), "'comment'")]
fn what_is_no_schema_is_corrupt(#[case] more: Value, #[case] reason: &str) {
    let error = TableSchema::from_json(&minimal(&more)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.message().contains(reason), "{error}");
}

#[test]
fn bytes_that_are_no_json_are_corrupt() {
    for bytes in [b"" as &[u8], b"[]", b"\xff", b"{\"id\":"] {
        assert_eq!(TableSchema::from_json(bytes).unwrap_err().kind(), ErrorKind::CorruptData);
    }
}

#[test]
fn requests_may_leave_out_all_but_the_fields() {
    let schema = Schema::from_json(r#"{"fields": [{"id": 5, "name": "a", "type": "INT"}]}"#).unwrap();
    assert_eq!(schema.fields, [DataField::new(5, "a", DataType::nullable(crate::TypeKind::Int))]);
    assert_eq!(Schema { fields: Vec::new(), ..schema }, Schema::default());
    assert_eq!(Schema::from_json("{}").unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn columns_take_their_id_before_their_parts_and_parts_after_theirs() {
    let columns =
        [("a", "INT"), ("r", "ROW<x INT, y ARRAY<ROW<z INT>>>"), ("m", "MAP<STRING, ROW<k INT>>"), ("b", "INT")];
    let table = TableSchema::create(schema(&columns, &[]), 9).unwrap();
    assert_eq!(ids(&table), [("a", 0), ("r", 1), ("x", 2), ("y", 4), ("z", 3), ("m", 5), ("k", 6), ("b", 7)]);
    assert_eq!(table.highest_field_id, 7);
    assert_eq!((table.id, table.time_millis), (0, 9));
}

#[test]
fn key_options_are_folded_into_the_schema() {
    let options = [("primary-key", "a , b,"), ("partition", " a"), ("bucket", "2")];
    let table = TableSchema::create(schema(&[("a", "INT"), ("b", "STRING"), ("c", "INT")], &options), 0).unwrap();
    assert_eq!(table.primary_keys, names(&["a", "b"]));
    assert_eq!(table.partition_keys, names(&["a"]));
    assert_eq!(table.options, schema(&[], &[("bucket", "2")]).options);
    assert_eq!(table.trimmed_primary_keys(), ["b"]);
    assert_eq!(table.bucket_key_fields().unwrap()[0].name, "b");
    let nullable: Vec<bool> = table.fields.iter().map(|field| field.data_type.nullable).collect();
    assert_eq!(nullable, [false, false, true]);
}

#[test]
fn primary_keys_are_nullable_when_asked() {
    let options = [("primary-key", "a"), ("primary-key.nullable", "true")];
    let table = TableSchema::create(schema(&[("a", "INT NOT NULL")], &options), 0).unwrap();
    assert!(table.fields[0].data_type.nullable);
}

#[test]
fn names_that_differ_in_case_alone_are_different() {
    assert!(TableSchema::create(schema(&[("a", "INT"), ("A", "INT")], &[]), 0).is_ok());
}

#[rstest]
#[case::duplicate(&[("a", "INT"), ("a", "INT")], &[], "'a' twice")]
#[case::blank(&[(" ", "INT")], &[], "blank")]
#[case::none(&[], &[], "found none")]
#[case::system_name(&[("_SEQUENCE_NUMBER", "INT")], &[], "'_SEQUENCE_NUMBER'")]
#[case::system_prefix(&[("_KEY_a", "INT")], &[], "'_KEY_a'")]
#[case::rowkind(&[("rowkind", "INT")], &[], "'rowkind'")]
#[case::unknown_partition(&[("a", "INT")], &[("partition", "b")], "partition key 'b'")]
#[case::duplicate_partition(&[("a", "INT")], &[("partition", "a,a")], "'a' twice")]
#[case::unknown_key(&[("a", "INT")], &[("primary-key", "b")], "primary key 'b'")]
#[case::key_is_partition(&[("a", "INT"), ("b", "INT")], &[("primary-key", "a"), ("partition", "a")], "besides the partition")]
#[case::nullable_without_key(&[("a", "INT")], &[("primary-key.nullable", "true")], "needs a primary key")]
#[case::bucket_without_key(&[("a", "INT")], &[("bucket", "2")], "needs 'bucket-key'")]
#[case::key_without_bucket(&[("a", "INT")], &[("bucket-key", "a")], "'bucket' = -1")]
#[case::no_buckets(&[("a", "INT")], &[("bucket", "0"), ("bucket-key", "a")], "found 0")]
#[case::postponed_append(&[("a", "INT")], &[("bucket", "-2")], "found -2")]
#[case::full_compactions_without_buckets(&[("a", "INT")], &[("full-compaction.delta-commits", "2")], "'full-compaction.delta-commits'")]
#[case::unknown_bucket_key(&[("a", "INT")], &[("bucket", "2"), ("bucket-key", "a, b")], "' b'")]
#[case::partition_in_bucket_key(&[("a", "INT"), ("b", "INT")], &[("bucket", "2"), ("bucket-key", "a"), ("partition", "a")], "'a' must not be")]
#[case::bucket_key_outside_key(&[("a", "INT"), ("b", "INT")], &[("bucket", "2"), ("bucket-key", "b"), ("primary-key", "a")], "in the primary key")]
#[case::option_value(&[("a", "INT")], &[("target-file-size", "big")], "'target-file-size'")]
#[case::no_rows(&[("a", "INT")], &[("target-file-row-num", "0")], "'target-file-row-num'")]
#[case::file_format(&[("a", "INT")], &[("file.format", "parqet")], "'parqet'")]
#[case::data_directory(&[("a", "INT")], &[("data-file.path-directory", "x/../..")], "'data-file.path-directory'")]
#[case::evolution(&[("a", "INT")], &[("data-evolution.enabled", "true")], "'row-tracking.enabled'")]
#[case::tracking_with_key(&[("a", "INT")], &[("row-tracking.enabled", "true"), ("primary-key", "a")], "primary key")]
#[case::tracking_with_bucket(&[("a", "INT")], &[("row-tracking.enabled", "true"), ("bucket", "1"), ("bucket-key", "a")], "'bucket' = -1")]
#[case::blob(&[("a", "INT"), ("b", "BLOB")], &[], "'data-evolution.enabled'")]
#[case::only_blob(&[("b", "ARRAY<BLOB>")], &[("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")], "another column")]
#[case::blob_in_a_row(&[("a", "INT"), ("b", "ROW<x BLOB>")], &[], "found ROW<`x` BLOB>")]
#[case::blob_in_lists(&[("a", "INT"), ("b", "ARRAY<ARRAY<BLOB>>")], &[], "found ARRAY<ARRAY<BLOB>>")]
#[case::listed_without_blob(&[("a", "INT"), ("b", "BYTES")], &[("blob-field", "b")], "'blob-field' must list columns of type BLOB")]
#[case::listed_without_column(&[("a", "INT")], &[("blob-view-field", "x")], "found 'x'")]
#[case::descriptors_in_lists(
    &[("a", "INT"), ("b", "ARRAY<BLOB>")],
    &[("row-tracking.enabled", "true"), ("data-evolution.enabled", "true"), ("blob.stored-descriptor-fields", "b")],
    "'blob-descriptor-field' must list columns of type BLOB, found 'b'"
)]
#[case::kept_in_two_ways(
    &[("a", "INT"), ("b", "BLOB"), ("c", "BLOB")],
    &[
        ("row-tracking.enabled", "true"),
        ("data-evolution.enabled", "true"),
        ("blob-descriptor-field", "b,c"),
        ("blob-view-field", "c"),
    ],
    "found 'c' in both"
)]
#[case::clustering(
    &[("a", "INT")],
    &[("row-tracking.enabled", "true"), ("data-evolution.enabled", "true"), ("clustering.incremental", "true")],
    "'clustering.incremental'"
)]
#[case::changelog(&[("a", "INT")], &[("changelog-producer", "input")], "'changelog-producer'")]
#[case::sequence(&[("a", "INT")], &[("sequence.field", "a,b")], "found 'b'")]
fn schemas_that_break_a_rule_are_refused(
    #[case] columns: &[(&str, &str)],
    #[case] options: &[(&str, &str)],
    #[case] reason: &str,
) {
    let error = TableSchema::create(schema(columns, options), 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.message().contains(reason), "{error}");
}

#[test]
fn nested_names_and_types_are_checked_too() {
    let mut nested = schema(&[("r", "ROW<a INT, b INT>")], &[]);
    let crate::TypeKind::Row(fields) = &mut nested.fields[0].data_type.kind else { unreachable!() };
    fields[1].name = "a".to_owned();
    assert!(TableSchema::create(nested, 0).unwrap_err().message().contains("'a' twice"));
    let mut decimal = schema(&[("d", "INT")], &[]);
    decimal.fields[0].data_type.kind = crate::TypeKind::Decimal { precision: 76, scale: 10 };
    assert!(TableSchema::create(decimal, 0).unwrap_err().message().contains("found 76"));
}

#[rstest]
#[case("ARRAY<INT>")]
#[case("MAP<STRING, INT>")]
#[case("ROW<a INT>")]
#[case("ROW<>")]
#[case("MULTISET<INT>")]
#[case("VECTOR<FLOAT, 2>")]
#[case("VARIANT")]
#[case("GEOMETRY")]
#[case("BLOB")]
fn types_without_order_cannot_be_keys(#[case] data_type: &str) {
    let columns = [("a", "INT"), ("k", data_type)];
    let evolution = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true"), ("partition", "k")];
    for options in [&evolution[2..], &[("primary-key", "k")], &evolution] {
        let error = TableSchema::create(schema(&columns, options), 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.message().contains("which keys cannot have"), "{error}");
    }
    let bucket = schema(&columns, &[("bucket", "2"), ("bucket-key", "k")]);
    assert_eq!(TableSchema::create(bucket, 0).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[rstest]
#[case::fixed(&[("bucket", "2"), ("primary-key", "k")], BucketMode::Fixed)]
#[case::fixed_without_key(&[("bucket", "2"), ("bucket-key", "k")], BucketMode::Fixed)]
#[case::fixed_in_each_partition(&[("bucket", "2"), ("primary-key", "k"), ("partition", "p")], BucketMode::Fixed)]
#[case::dynamic(&[("primary-key", "k")], BucketMode::Dynamic)]
#[case::dynamic_in_each_partition(&[("primary-key", "p,k"), ("partition", "p")], BucketMode::Dynamic)]
#[case::across_partitions(&[("bucket", "-1"), ("primary-key", "k"), ("partition", "p")], BucketMode::KeyDynamic)]
#[case::postponed(&[("bucket", "-2"), ("primary-key", "k")], BucketMode::Postponed)]
#[case::postponed_across_partitions(
    &[("bucket", "-2"), ("primary-key", "k"), ("partition", "p")],
    BucketMode::Postponed
)]
#[case::unaware(&[], BucketMode::Unaware)]
fn rows_find_their_bucket_by_options_and_keys(#[case] options: &[(&str, &str)], #[case] expected: BucketMode) {
    let table = TableSchema::create(schema(&[("p", "INT"), ("k", "INT")], options), 0).unwrap();
    assert_eq!(table.bucket_mode().unwrap(), expected);
}

#[rstest]
#[case("0")]
#[case("-3")]
fn no_table_has_such_a_number_of_buckets(#[case] bucket: &str) {
    let mut table = TableSchema::create(schema(&[("k", "INT")], &[("primary-key", "k")]), 0).unwrap();
    table.options.insert("bucket".to_owned(), bucket.to_owned());
    let error = table.bucket_mode().unwrap_err();
    assert!(error.message().ends_with(&format!("found {bucket}")), "{error}");
}

#[test]
fn one_bucket_needs_no_key() {
    assert!(TableSchema::create(schema(&[("a", "INT")], &[("bucket", "1")]), 0).is_ok());
}

#[test]
fn binary_partitions_need_names_that_are_casts() {
    let columns = [("a", "INT"), ("k", "BYTES")];
    let legacy = TableSchema::create(schema(&columns, &[("partition", "k")]), 0).unwrap_err();
    assert_eq!(legacy.kind(), ErrorKind::Unsupported);
    assert!(
        TableSchema::create(schema(&columns, &[("partition", "k"), ("partition.legacy-name", "false")]), 0).is_ok()
    );
}

#[test]
fn default_values_are_values_of_their_column() {
    let mut table = schema(&[("a", "INT"), ("l", "ARRAY<INT>")], &[]);
    table.fields[0].default_value = Some("5".into());
    table.fields[1].default_value = Some("[1]".into());
    assert!(TableSchema::create(table.clone(), 0).is_ok());
    table.fields[0].default_value = Some("five".into());
    assert!(TableSchema::create(table, 0).unwrap_err().message().contains("'five'"));
}

#[test]
fn keys_in_schema_and_options_at_once_are_refused() {
    let mut table = schema(&[("a", "INT")], &[("partition", "a")]);
    table.partition_keys = names(&["a"]);
    assert!(TableSchema::create(table, 0).unwrap_err().message().contains("'partition'"));
}

prop_compose! {
    fn any_schema()(
        columns in proptest::collection::vec((any_name(), any_type()), 1..5),
        comment in proptest::option::of("\\PC{0,6}"),
        options in proptest::collection::btree_map("[a-z.]{1,6}x", "\\PC{0,6}", 0..3),
    ) -> Schema {
        let field = |(i, (name, data_type)): (usize, (String, DataType))| DataField::new(0, format!("{name}{i}"), data_type);
        let fields = columns.into_iter().enumerate().map(field).collect();
        Schema { fields, comment, options, ..Schema::default() }
    }
}

proptest! {
    #[test]
    fn the_json_of_a_schema_gives_the_schema_back(schema in any_schema(), time_millis: i64) {
        // BLOB columns need options that the strategy does not make.
        prop_assume!(schema.fields.iter().all(|field| !field.data_type.holds_blob()));
        let table = TableSchema::create(schema, time_millis).unwrap();
        prop_assert_eq!(TableSchema::from_json(&table.to_json().unwrap()).unwrap(), table);
    }

    #[test]
    fn ids_are_dense_from_0(schema in any_schema()) {
        prop_assume!(schema.fields.iter().all(|field| !field.data_type.holds_blob()));
        let table = TableSchema::create(schema, 0).unwrap();
        let mut found: Vec<FieldId> = ids(&table).into_iter().map(|(_, id)| id).collect();
        found.sort_unstable();
        prop_assert_eq!(found, (0..=table.highest_field_id).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_panic(text in "\\PC{0,40}") {
        let _ = TableSchema::from_json(text.as_bytes());
        let _ = Schema::from_json(&text);
    }
}
