use rstest::rstest;
use serde_json::json;

use super::*;
use crate::schema::tests::schema;
use crate::{ErrorKind, TableSchema};

fn table(columns: &[(&str, &str)], options: &[(&str, &str)]) -> TableSchema {
    TableSchema::create(schema(columns, options), 0).unwrap()
}

fn change(json: serde_json::Value) -> SchemaChange {
    let mut changes = SchemaChange::from_json(&json.to_string()).unwrap();
    assert_eq!(changes.len(), 1);
    changes.remove(0)
}

fn add(path: &[&str], data_type: &str) -> SchemaChange {
    change(json!({"action": "addColumn", "fieldNames": path, "dataType": data_type}))
}

fn rename(path: &[&str], new_name: &str) -> SchemaChange {
    change(json!({"action": "renameColumn", "fieldNames": path, "newName": new_name}))
}

fn drop_column(path: &[&str]) -> SchemaChange {
    change(json!({"action": "dropColumn", "fieldNames": path}))
}

fn retype(path: &[&str], data_type: &str) -> SchemaChange {
    change(json!({"action": "updateColumnType", "fieldNames": path, "newDataType": data_type}))
}

fn set(key: &str, value: &str) -> SchemaChange {
    SchemaChange::SetOption { key: key.to_owned(), value: value.to_owned() }
}

/// `name type, ..` with ids.
fn columns(table: &TableSchema) -> String {
    let column = |field: &crate::DataField| format!("{}:{} {}", field.id, field.name, field.data_type);
    table.fields.iter().map(column).collect::<Vec<_>>().join(", ")
}

fn apply(table: &TableSchema, changes: &[SchemaChange]) -> crate::Result<TableSchema> {
    table.apply(changes, true, 5)
}

#[test]
fn several_changes_make_one_new_schema() {
    let old = table(&[("a", "INT"), ("b", "STRING")], &[]);
    let new = apply(&old, &[add(&["c"], "DATE"), retype(&["a"], "BIGINT"), set("x", "y")]).unwrap();
    assert_eq!(columns(&new), "0:a BIGINT, 1:b STRING, 2:c DATE");
    assert_eq!((new.id, new.time_millis, new.highest_field_id), (1, 5, 2));
    assert_eq!(new.options["x"], "y");
    assert_eq!(columns(&apply(&old, &[]).unwrap()), columns(&old));
}

#[test]
fn ids_of_dropped_columns_are_not_given_again() {
    let old = table(&[("a", "INT"), ("c", "BIGINT")], &[]);
    let new = apply(&old, &[drop_column(&["c"]), add(&["c"], "STRING")]).unwrap();
    assert_eq!(columns(&new), "0:a INT, 2:c STRING");
    let later = apply(&apply(&old, &[drop_column(&["c"])]).unwrap(), &[add(&["d"], "INT")]).unwrap();
    assert_eq!(columns(&later), "0:a INT, 2:d INT");
}

#[rstest]
#[case(json!({"type": "FIRST", "fieldName": "n"}), "2:n INT, 0:a INT, 1:b INT")]
#[case(json!({"type": "AFTER", "fieldName": "n", "referenceFieldName": "a"}), "0:a INT, 2:n INT, 1:b INT")]
#[case(json!({"type": "BEFORE", "fieldName": "n", "referenceFieldName": "b"}), "0:a INT, 2:n INT, 1:b INT")]
#[case(json!({"type": "LAST", "fieldName": "n"}), "0:a INT, 1:b INT, 2:n INT")]
fn new_columns_go_where_they_are_told(#[case] position: serde_json::Value, #[case] expected: &str) {
    let change = change(json!({"action": "addColumn", "fieldNames": ["n"], "dataType": "INT", "move": position}));
    assert_eq!(columns(&apply(&table(&[("a", "INT"), ("b", "INT")], &[]), &[change]).unwrap()), expected);
}

#[test]
fn new_columns_go_before_the_partition_columns_when_asked() {
    let old = table(&[("a", "INT"), ("p", "INT")], &[("partition", "p"), ("add-column-before-partition", "true")]);
    assert_eq!(columns(&apply(&old, &[add(&["n"], "INT")]).unwrap()), "0:a INT, 2:n INT, 1:p INT");
}

#[rstest]
#[case(&["r", "n"], "1:r ROW<`x` INT, `n` ROW<`k` INT>>, 3:l ARRAY<ROW<`y` INT>>, 5:m MAP<INT, ROW<`z` INT>>")]
#[case(&["l", "element", "n"], "1:r ROW<`x` INT>, 3:l ARRAY<ROW<`y` INT, `n` ROW<`k` INT>>>, 5:m MAP<INT, ROW<`z` INT>>")]
#[case(&["m", "value", "n"], "1:r ROW<`x` INT>, 3:l ARRAY<ROW<`y` INT>>, 5:m MAP<INT, ROW<`z` INT, `n` ROW<`k` INT>>>")]
fn nested_columns_are_added_by_path(#[case] path: &[&str], #[case] expected: &str) {
    let nested = [("a", "INT"), ("r", "ROW<x INT>"), ("l", "ARRAY<ROW<y INT>>"), ("m", "MAP<INT, ROW<z INT>>")];
    let new_type = json!({"type": "ROW", "fields": [{"id": 0, "name": "k", "type": "INT"}]});
    let change = change(json!({"action": "addColumn", "fieldNames": path, "dataType": new_type}));
    let new = apply(&table(&nested, &[]), &[change]).unwrap();
    assert_eq!(columns(&new), format!("0:a INT, {expected}"));
    // The new field is 7, what is in it is 8.
    assert_eq!(new.highest_field_id, 8);
}

#[test]
fn nested_columns_are_renamed_dropped_and_changed_by_path() {
    let nested = [("r", "ROW<x INT, y INT, z ARRAY<INT>>"), ("m", "MAP<INT, ARRAY<FLOAT>>")];
    let changes = [
        rename(&["r", "x"], "w"),
        drop_column(&["r", "y"]),
        retype(&["r", "z", "element"], "BIGINT"),
        retype(&["m", "value", "element"], "DOUBLE"),
        retype(&["r", "w"], "BIGINT"),
        change(json!({"action": "updateColumnComment", "fieldNames": ["r", "w"], "newComment": "hi"})),
    ];
    let new = apply(&table(&nested, &[]), &changes).unwrap();
    assert_eq!(columns(&new), "0:r ROW<`w` BIGINT COMMENT 'hi', `z` ARRAY<BIGINT>>, 4:m MAP<INT, ARRAY<DOUBLE>>");
}

#[rstest]
#[case(drop_column(&["x"]), ErrorKind::NotFound, "x")]
#[case(drop_column(&["r", "q"]), ErrorKind::NotFound, "r.q")]
#[case(drop_column(&["a", "b"]), ErrorKind::NotFound, "a.b")]
#[case(drop_column(&["l", "value"]), ErrorKind::NotFound, "l.value")]
#[case(retype(&["l", "item"], "BIGINT"), ErrorKind::NotFound, "l.item")]
#[case(rename(&["x"], "y"), ErrorKind::NotFound, "x")]
#[case(rename(&["a"], "l"), ErrorKind::AlreadyExists, "l")]
#[case(add(&["a"], "INT"), ErrorKind::AlreadyExists, "a")]
#[case(add(&["r", "x"], "INT"), ErrorKind::AlreadyExists, "r.x")]
#[case(add(&["n"], "INT NOT NULL"), ErrorKind::InvalidInput, "n")]
#[case(SchemaChange::DropColumn { path: Vec::new() }, ErrorKind::NotFound, "")]
fn errors_of_columns_name_them(#[case] change: SchemaChange, #[case] kind: ErrorKind, #[case] column: &str) {
    let old = table(&[("a", "INT"), ("r", "ROW<x INT, y INT>"), ("l", "ARRAY<INT>")], &[]);
    let error = apply(&old, &[change]).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.context("column"), Some(column));
}

#[rstest]
#[case(rename(&["p"], "q"), "partition column 'p'")]
#[case(drop_column(&["p"]), "partition column 'p'")]
#[case(drop_column(&["k"]), "primary key column 'k'")]
#[case(retype(&["p"], "BIGINT"), "partition column 'p'")]
#[case(retype(&["k"], "BIGINT NOT NULL"), "primary key column 'k'")]
#[case(change(json!({"action": "updateColumnNullability", "fieldNames": ["k"], "newNullability": true})), "'k'")]
#[case(change(json!({"action": "updateColumnNullability", "fieldNames": ["v"], "newNullability": false})), "'v' NOT NULL")]
#[case(retype(&["v"], "INT NOT NULL"), "'v' NOT NULL")]
#[case(retype(&["v"], "ARRAY<INT>"), "INT to ARRAY<INT>")]
#[case(retype(&["v"], "BLOB"), "BLOB")]
#[case(drop_column(&["i"]), "indexed column 'i'")]
#[case(rename(&["i"], "j"), "indexed column 'i'")]
#[case(SchemaChange::DropPrimaryKey, "primary key")]
#[case(change(json!({"action": "updateColumnComment", "fieldNames": ["v"], "newComment": "__BLOB_FIELD"})), "__BLOB_FIELD")]
fn the_format_forbids_some_changes(#[case] change: SchemaChange, #[case] reason: &str) {
    let columns = [("p", "INT"), ("k", "INT"), ("v", "INT"), ("i", "INT")];
    let options = [("partition", "p"), ("primary-key", "p,k"), ("pk-btree.index.columns", "i")];
    let error = apply(&table(&columns, &options), &[change]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.message().contains(reason), "{error}");
}

#[test]
fn the_last_column_stays() {
    let error = apply(&table(&[("a", "INT")], &[]), &[drop_column(&["a"])]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let nested = apply(&table(&[("a", "ROW<x INT>")], &[]), &[drop_column(&["a", "x"])]).unwrap_err();
    assert_eq!(nested.kind(), ErrorKind::InvalidInput);
}

#[test]
fn not_null_is_possible_when_the_table_allows_it() {
    let old = table(&[("a", "INT")], &[("alter-column-null-to-not-null.disabled", "false")]);
    assert_eq!(columns(&apply(&old, &[retype(&["a"], "INT NOT NULL")]).unwrap()), "0:a INT NOT NULL");
}

#[test]
fn nullability_can_be_kept() {
    let old = table(&[("a", "INT NOT NULL"), ("b", "INT")], &[]);
    let keep = |name: &str, data_type: &str| {
        change(json!({
            "action": "updateColumnType", "fieldNames": [name], "newDataType": data_type, "keepNullability": true
        }))
    };
    let new = apply(&old, &[keep("a", "BIGINT"), keep("b", "BIGINT NOT NULL")]).unwrap();
    assert_eq!(columns(&new), "0:a BIGINT NOT NULL, 1:b BIGINT");
}

#[test]
fn explicit_casts_can_be_disabled() {
    let columns = [("a", "BIGINT")];
    assert!(apply(&table(&columns, &[]), &[retype(&["a"], "INT")]).is_ok());
    let strict = table(&columns, &[("disable-explicit-type-casting", "true")]);
    assert!(apply(&strict, &[retype(&["a"], "INT")]).is_err());
    assert!(apply(&strict, &[retype(&["a"], "DOUBLE")]).is_ok());
}

#[test]
fn a_default_value_must_stay_readable() {
    let default = |value: &str| {
        change(json!({"action": "updateColumnDefaultValue", "fieldNames": ["a"], "newDefaultValue": value}))
    };
    let old = table(&[("a", "STRING")], &[]);
    let new = apply(&old, &[default("x")]).unwrap();
    assert_eq!(new.fields[0].default_value.as_deref(), Some("x"));
    assert!(apply(&new, &[retype(&["a"], "INT")]).is_err());
    assert!(apply(&old, &[default("5"), retype(&["a"], "INT")]).is_ok());
    assert!(apply(&table(&[("a", "INT")], &[]), &[default("x")]).is_err());
    let none = SchemaChange::UpdateColumnDefaultValue { path: vec!["a".into()], default_value: None };
    assert_eq!(apply(&new, &[none]).unwrap().fields[0].default_value, None);
}

#[test]
fn renaming_reaches_keys_and_options() {
    let columns = [("k", "INT"), ("a", "INT"), ("g", "INT"), ("v", "INT"), ("aa", "INT")];
    let options = [
        ("primary-key", "k,a"),
        ("bucket", "2"),
        ("bucket-key", "a,k"),
        ("sequence.field", "g,a"),
        ("fields.a.ignore-retract", "true"),
        ("fields.aa.aggregate-function", "max"),
        ("fields.a,g.sequence-group", "v,a"),
        ("fields.v.nested-key", "a,b"),
    ];
    let old = table(&columns, &options);
    let new = apply(&old, &[rename(&["a"], "b")]).unwrap();
    assert_eq!(new.primary_keys, ["k", "b"]);
    let expected = [
        ("bucket", "2"),
        ("bucket-key", "b,k"),
        ("sequence.field", "g,b"),
        ("fields.b.ignore-retract", "true"),
        ("fields.aa.aggregate-function", "max"),
        ("fields.b,g.sequence-group", "v,b"),
        ("fields.v.nested-key", "b,b"),
    ];
    assert_eq!(new.options, schema(&[], &expected).options);
    assert_eq!(new.fields[1].id, old.fields[1].id);
}

#[test]
fn renaming_a_column_follows_it_into_the_options_of_merge_engines() {
    let columns = [("k", "INT NOT NULL"), ("g", "INT"), ("v", "INT"), ("kind", "STRING")];
    let options = [
        ("fields.g.sequence-group", "v"),
        ("partial-update.remove-record-on-sequence-group", "g"),
        ("rowkind.field", "kind"),
    ];
    let renamed = apply(&table(&columns, &options), &[rename(&["g"], "h"), rename(&["kind"], "what")]).unwrap();
    let expected = [
        ("fields.h.sequence-group", "v"),
        ("partial-update.remove-record-on-sequence-group", "h"),
        ("rowkind.field", "what"),
    ];
    assert_eq!(renamed.options, schema(&[], &expected).options);
}

#[test]
fn renaming_a_nested_column_leaves_options_alone() {
    let old = table(&[("a", "INT"), ("r", "ROW<a INT>")], &[("bucket", "2"), ("bucket-key", "a")]);
    assert_eq!(apply(&old, &[rename(&["r", "a"], "b")]).unwrap().options, old.options);
}

#[test]
fn dropping_a_column_takes_it_out_of_lists() {
    let options = [
        ("row-tracking.enabled", "true"),
        ("data-evolution.enabled", "true"),
        ("blob-field", "b,c"),
        ("blob-view-field", "b"),
    ];
    let old = table(&[("a", "INT"), ("b", "BLOB"), ("c", "BLOB")], &options);
    let new = apply(&old, &[drop_column(&["b"])]).unwrap();
    assert_eq!(new.options, schema(&[], &[options[0], options[1], ("blob-field", "c")]).options);
    assert!(apply(&old, &[rename(&["b"], "d")]).is_err());
}

#[rstest]
#[case("a", ColumnMove::Last, "1:b INT, 2:c INT, 0:a INT")]
#[case("c", ColumnMove::First, "2:c INT, 0:a INT, 1:b INT")]
#[case("a", ColumnMove::After("b".into()), "1:b INT, 0:a INT, 2:c INT")]
#[case("c", ColumnMove::After("a".into()), "0:a INT, 2:c INT, 1:b INT")]
#[case("a", ColumnMove::Before("c".into()), "1:b INT, 0:a INT, 2:c INT")]
#[case("c", ColumnMove::Before("a".into()), "2:c INT, 0:a INT, 1:b INT")]
fn columns_move(#[case] column: &str, #[case] position: ColumnMove, #[case] expected: &str) {
    let old = table(&[("a", "INT"), ("b", "INT"), ("c", "INT")], &[]);
    let change = SchemaChange::UpdateColumnPosition { column: column.to_owned(), position };
    assert_eq!(columns(&apply(&old, &[change]).unwrap()), expected);
}

#[rstest]
#[case("a", ColumnMove::After("a".into()), ErrorKind::InvalidInput)]
#[case("a", ColumnMove::Before("x".into()), ErrorKind::NotFound)]
#[case("x", ColumnMove::First, ErrorKind::NotFound)]
fn columns_do_not_move_next_to_nothing(#[case] column: &str, #[case] position: ColumnMove, #[case] kind: ErrorKind) {
    let change = SchemaChange::UpdateColumnPosition { column: column.to_owned(), position };
    assert_eq!(apply(&table(&[("a", "INT")], &[]), &[change]).unwrap_err().kind(), kind);
}

#[rstest]
#[case("bucket", "4", true)]
#[case("bucket", "-1", false)]
#[case("bucket", "x", false)]
#[case("file.format", "avro", true)]
#[case("merge-engine", "first-row", false)]
#[case("merge-engine", "partial-update", true)]
#[case("bucket-key", "b", false)]
#[case("bucket-key", "a", true)]
#[case("primary-key", "a", true)]
#[case("primary-key", "b", false)]
#[case("type", "TABLE", true)]
#[case("type", "format-table", false)]
#[case("path", "/tmp", false)]
#[case("deletion-vectors.enabled", "true", false)]
#[case("deletion-vectors.enabled", "false", true)]
#[case("ignore-delete", "false", false)]
#[case("ignore-update-before", "true", true)]
#[case("snapshot.time-retained", "soon", false)]
#[case("unknown", "x", true)]
fn options_of_tables_with_data_change_within_limits(#[case] key: &str, #[case] value: &str, #[case] allowed: bool) {
    let options = [
        ("primary-key", "a"),
        ("bucket", "2"),
        ("bucket-key", "a"),
        ("merge-engine", "partial-update"),
        ("ignore-delete", "true"),
    ];
    let old = table(&[("a", "INT"), ("b", "INT")], &options);
    let result = apply(&old, &[set(key, value)]);
    assert_eq!(result.is_ok(), allowed, "{result:?}");
}

#[test]
fn a_dynamic_bucket_stays_dynamic_once_there_is_data() {
    let old = table(&[("a", "INT")], &[("primary-key", "a")]);
    assert!(apply(&old, &[set("bucket", "2")]).is_err());
    assert!(old.apply(&[set("bucket", "2")], false, 0).is_ok());
}

#[test]
fn deletion_vectors_change_when_the_table_says_so() {
    let old = table(&[("a", "INT")], &[("deletion-vectors.modifiable", "true")]);
    let new = apply(&old, &[set("deletion-vectors.enabled", "true")]).unwrap();
    assert!(new.table_options().deletion_vectors_enabled().unwrap());
}

#[test]
fn empty_tables_may_change_keys() {
    let old = table(&[("a", "INT"), ("b", "INT")], &[]);
    let keyed = old.apply(&[set("primary-key", "a")], false, 0).unwrap();
    assert_eq!(keyed.primary_keys, ["a"]);
    assert_eq!(columns(&keyed), "0:a INT NOT NULL, 1:b INT");
    assert!(!keyed.options.contains_key("primary-key"));
    let again = keyed.apply(&[SchemaChange::DropPrimaryKey], false, 0).unwrap();
    assert!(again.primary_keys.is_empty());
}

#[rstest]
#[case("bucket", false)]
#[case("merge-engine", false)]
#[case("file.format", true)]
#[case("absent", true)]
#[case("type", false)]
fn options_can_be_removed_within_limits(#[case] key: &str, #[case] allowed: bool) {
    let options = [("primary-key", "a"), ("bucket", "2"), ("merge-engine", "partial-update"), ("file.format", "orc")];
    let old = table(&[("a", "INT")], &options);
    let result = apply(&old, &[SchemaChange::RemoveOption { key: key.to_owned() }]);
    assert_eq!(result.is_ok(), allowed, "{result:?}");
    assert!(!result.is_ok_and(|table| table.options.contains_key(key)));
}

#[test]
fn the_comment_of_a_table_changes() {
    let old = table(&[("a", "INT")], &[]);
    let new = apply(&old, &[change(json!({"action": "updateComment", "comment": "c"}))]).unwrap();
    assert_eq!(new.comment.as_deref(), Some("c"));
    assert_eq!(apply(&new, &[change(json!({"action": "updateComment"}))]).unwrap().comment, None);
}

#[rstest]
#[case("TINYINT", "INT", true, true)]
#[case("INT", "TINYINT", false, true)]
#[case("INT", "FLOAT", true, true)]
#[case("DOUBLE", "FLOAT", false, true)]
#[case("INT", "DECIMAL(10, 0)", true, true)]
#[case("DECIMAL(10, 2)", "DECIMAL(5, 1)", true, true)]
#[case("DECIMAL(10, 2)", "DOUBLE", true, true)]
#[case("DECIMAL(10, 2)", "INT", false, true)]
#[case("CHAR(3)", "VARCHAR(5)", true, true)]
#[case("VARCHAR(5)", "CHAR(3)", false, true)]
#[case("VARCHAR(5)", "VARCHAR(3)", true, true)]
#[case("BINARY(3)", "BYTES", true, true)]
#[case("BYTES", "BINARY(3)", false, true)]
#[case("STRING", "INT", false, true)]
#[case("STRING", "BOOLEAN", false, true)]
#[case("STRING", "DATE", false, true)]
#[case("STRING", "TIMESTAMP(3)", false, true)]
#[case("STRING", "BYTES", false, true)]
#[case("BYTES", "STRING", false, true)]
#[case("INT", "STRING", false, true)]
#[case("DATE", "STRING", false, true)]
#[case("DATE", "VARCHAR(10)", false, false)]
#[case("TIMESTAMP(3)", "CHAR(10)", false, false)]
#[case("BOOLEAN", "VARCHAR(10)", false, true)]
#[case("BOOLEAN", "INT", false, true)]
#[case("INT", "BOOLEAN", false, true)]
#[case("DOUBLE", "BOOLEAN", false, false)]
#[case("TIMESTAMP(3)", "DATE", true, true)]
#[case("TIMESTAMP_LTZ(3)", "DATE", false, true)]
#[case("TIMESTAMP(3)", "TIME(3)", true, true)]
#[case("TIMESTAMP(3)", "TIMESTAMP_LTZ(6)", true, true)]
#[case("TIMESTAMP_LTZ(6)", "TIMESTAMP(3)", true, true)]
#[case("DATE", "TIMESTAMP(3)", false, true)]
#[case("TIME(0)", "TIMESTAMP(3)", false, true)]
#[case("TIME(0)", "TIME(3)", false, false)]
#[case("BIGINT", "TIMESTAMP(3)", false, true)]
#[case("SMALLINT", "TIMESTAMP(3)", false, false)]
#[case("TIMESTAMP(3)", "BIGINT", false, true)]
#[case("TIMESTAMP(3)", "SMALLINT", false, false)]
#[case("TIMESTAMP(3)", "DOUBLE", false, false)]
#[case("DATE", "INT", false, false)]
#[case("ARRAY<INT>", "STRING", false, true)]
#[case("STRING", "ARRAY<INT>", false, false)]
#[case("ARRAY<INT>", "ARRAY<BIGINT>", false, false)]
#[case("ARRAY<INT>", "ARRAY<INT>", true, true)]
#[case("VARIANT", "STRING", false, false)]
#[case("INT", "INT NOT NULL", false, true)]
#[case("INT NOT NULL", "INT", true, true)]
fn casts_are_implicit_explicit_or_none(
    #[case] from: &str,
    #[case] to: &str,
    #[case] implicit: bool,
    #[case] explicit: bool,
) {
    let (from, to) = (DataType::parse(from).unwrap(), DataType::parse(to).unwrap());
    assert_eq!(supports_cast(&from, &to, false), implicit);
    assert_eq!(supports_cast(&from, &to, true), explicit);
}

#[rstest]
#[case("5", "JSON object")]
#[case("{}", "'action'")]
#[case(r#"{"action": "explode"}"#, "'explode'")]
#[case(r#"{"action": "setOption", "key": "a"}"#, "'value'")]
#[case(r#"{"action": "dropColumn", "fieldNames": []}"#, "'fieldNames'")]
#[case(r#"{"action": "dropColumn", "fieldNames": "a"}"#, "'fieldNames'")]
#[case(r#"{"action": "addColumn", "fieldNames": ["a"]}"#, "'dataType'")]
#[case(
    r#"{"action": "addColumn", "fieldNames": ["a"], "dataType": "INT", "move": {"type": "UP", "fieldName": "a"}}"#,
    "'UP'"
)]
#[case(r#"{"action": "updateColumnPosition"}"#, "'move'")]
#[case(r#"{"action": "updateColumnNullability", "fieldNames": ["a"]}"#, "'newNullability'")]
#[case("[", "schema changes")]
fn malformed_changes_are_refused(#[case] json: &str, #[case] reason: &str) {
    let error = SchemaChange::from_json(json).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains(reason), "{error}");
}

#[test]
fn changes_come_alone_or_in_a_list() {
    let json = r#"[{"action": "dropPrimaryKey"}, {"action": "removeOption", "key": "a"}]"#;
    let expected = [SchemaChange::DropPrimaryKey, SchemaChange::RemoveOption { key: "a".into() }];
    assert_eq!(SchemaChange::from_json(json).unwrap(), expected);
    let json = r#"{"action": "updateColumnPosition", "move": {"fieldName": "a", "type": "first"}}"#;
    let expected = [SchemaChange::UpdateColumnPosition { column: "a".into(), position: ColumnMove::First }];
    assert_eq!(SchemaChange::from_json(json).unwrap(), expected);
}
