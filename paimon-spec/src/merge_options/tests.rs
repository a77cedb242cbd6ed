use rstest::rstest;

use super::*;
use crate::{DataType, ErrorKind, Schema};

type Options<'a> = &'a [(&'a str, &'a str)];

fn create(columns: &[(&str, &str)], keys: &[&str], partition: &[&str], options: Options<'_>) -> Result<TableSchema> {
    let field = |(name, data_type): &(&str, &str)| DataField::new(0, *name, DataType::parse(data_type).unwrap());
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let schema = Schema {
        fields: columns.iter().map(field).collect(),
        primary_keys: names(keys),
        partition_keys: names(partition),
        options: options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        comment: None,
    };
    TableSchema::create(schema, 0)
}

const COLUMNS: [(&str, &str); 10] = [
    ("k", "INT"),
    ("a", "INT"),
    ("b", "INT"),
    ("c", "INT"),
    ("s", "STRING"),
    ("v", "VARCHAR(5)"),
    ("l", "ARRAY<INT>"),
    ("m", "MAP<INT, STRING>"),
    ("r", "ARRAY<ROW<x INT, y STRING, z ARRAY<INT>>>"),
    ("t", "MAP<INT, ROW<x INT, y STRING>>"),
];

/// A table with [`COLUMNS`] and the key `k`.
fn keyed(options: Options<'_>) -> Result<TableSchema> {
    create(&COLUMNS, &["k"], &[], options)
}

fn options_of(options: Options<'_>) -> MergeOptions {
    MergeOptions::of(&keyed(options).unwrap()).unwrap()
}

/// The option `merge-engine` of a value.
const fn engine(name: &str) -> (&str, &str) {
    ("merge-engine", name)
}

const AGGREGATION: (&str, &str) = engine("aggregation");
const PARTIAL: (&str, &str) = engine("partial-update");
const FIRST: (&str, &str) = engine("first-row");

#[test]
fn without_options_the_last_row_stays() {
    let options = options_of(&[]);
    assert_eq!((options.engine, options.changelog_producer), (MergeEngine::Deduplicate, ChangelogProducer::None));
    assert!(options.sequence_fields.is_empty() && !options.sequence_descending && options.rowkind_field.is_none());
    assert!(!options.ignore_delete && !options.ignore_update_before && !options.remove_record_on_delete);
    assert_eq!(options.aggregate(1), None);
}

#[test]
fn values_have_any_case_and_names_are_trimmed_where_java_trims_them() {
    let options = options_of(&[
        engine("Deduplicate"),
        ("changelog-producer", "INPUT"),
        ("sequence.field", "b, a"),
        ("sequence.field.sort-order", "Descending"),
        ("rowkind.field", "v"),
        ("ignore-update-before", "TRUE"),
    ]);
    assert_eq!(options.changelog_producer, ChangelogProducer::Input);
    assert_eq!((options.sequence_fields, options.sequence_descending), (vec![2, 1], true));
    assert_eq!((options.rowkind_field, options.ignore_update_before), (Some(5), true));
}

#[rstest]
#[case("ignore-delete")]
#[case("first-row.ignore-delete")]
#[case("deduplicate.ignore-delete")]
#[case("partial-update.ignore-delete")]
fn deletes_are_ignored_by_any_name_of_the_option(#[case] option: &str) {
    assert!(options_of(&[(option, "true")]).ignore_delete);
}

#[test]
fn aggregation_has_a_function_for_each_column() {
    let options = options_of(&[
        AGGREGATION,
        ("sequence.field", "c"),
        ("fields.default-aggregate-function", "last_value"),
        ("fields.a.aggregate-function", "sum"),
        ("fields.a.ignore-retract", "true"),
        ("fields.s.aggregate-function", "listagg"),
        ("fields.s.list-agg-delimiter", ";"),
        ("fields.s.distinct", "true"),
    ]);
    let function = |field| options.aggregate(field).map(|aggregate| aggregate.function.clone()).unwrap();
    assert_eq!(function(0), AggregateFunction::PrimaryKey);
    assert_eq!(function(1), AggregateFunction::Sum);
    assert!(options.aggregate(1).is_some_and(|aggregate| aggregate.ignore_retract));
    assert_eq!(function(2), AggregateFunction::LastValue);
    assert_eq!(function(3), AggregateFunction::LastValue);
    assert_eq!(function(4), AggregateFunction::Listagg { delimiter: ";".to_owned(), distinct: true });
    assert_eq!(options_of(&[AGGREGATION]).aggregate(1).unwrap().function, AggregateFunction::LastNonNullValue);
}

#[test]
fn nested_functions_know_positions_within_the_row() {
    let options = options_of(&[
        AGGREGATION,
        ("fields.r.aggregate-function", "nested_update"),
        ("fields.r.nested-key", "y, x"),
        ("fields.r.nested-sequence-field", "x"),
        ("fields.r.nested-key-null-strategy", "ignore"),
        ("fields.r.count-limit", "7"),
        ("fields.t.aggregate-function", "merge_map_with_keytime"),
    ]);
    let (key, sequence, null_keys) = (vec![1, 0], vec![0], NullKeys::Ignore);
    let nested = AggregateFunction::NestedUpdate { key, sequence, count_limit: 7, null_keys };
    assert_eq!(options.aggregate(8).unwrap().function, nested);
    assert_eq!(options.aggregate(12).unwrap().function, AggregateFunction::MergeMapWithKeyTime { time: 1 });
}

#[test]
fn partial_update_has_functions_only_where_they_are_set() {
    let options = options_of(&[
        PARTIAL,
        ("fields.c.sequence-group", "a,b"),
        ("fields.a.aggregate-function", "max"),
        ("fields.s.aggregate-function", "last_non_null_value"),
        ("partial-update.remove-record-on-sequence-group", "c"),
    ]);
    assert_eq!(
        options.sequence_groups,
        [SequenceGroup { ordering: vec![3], protected: vec![1, 2], removes_record: true }]
    );
    let functions = [0, 1, 2, 3, 4].map(|field| options.aggregate(field).map(|aggregate| aggregate.function.name()));
    assert_eq!(functions, [Some("primary-key"), Some("max"), None, None, Some("last_non_null_value")]);
    assert!(options.sequence_group(2).is_some() && options.sequence_group(3).is_some());
    assert_eq!(options.sequence_group(0), None);
}

#[rstest]
#[case::key_and_sequence(&[("sequence.field", "b")], &[4], &[0, 2, 4])]
#[case::ordering_of_a_column(&[PARTIAL, ("fields.c.sequence-group", "a"), ("fields.s.sequence-group", "v")], &[1], &[0, 1, 3])]
#[case::ordering_of_an_ordering(&[PARTIAL, ("fields.b,c.sequence-group", "a")], &[2], &[0, 2, 3])]
#[case::group_that_removes(
    &[PARTIAL, ("fields.c.sequence-group", "a"), ("partial-update.remove-record-on-sequence-group", "c")],
    &[4],
    &[0, 3, 4]
)]
#[case::nothing(&[AGGREGATION], &[], &[0])]
fn a_merge_needs_more_columns_than_are_asked_for(
    #[case] options: Options<'_>,
    #[case] projected: &[FieldId],
    #[case] expected: &[FieldId],
) {
    assert_eq!(options_of(options).fields_needed(projected), expected);
}

#[rstest]
#[case::engine(&[engine("newest")], "'merge-engine' must be one of deduplicate, partial-update, aggregation, first-row, found 'newest'")]
#[case::producer(&[("changelog-producer", "all")], "'changelog-producer' must be one of none, input")]
#[case::order(&[("sequence.field.sort-order", "up")], "'sequence.field.sort-order' must be one of ascending, descending")]
#[case::unknown_sequence(&[("sequence.field", "a,q")], "'sequence.field' must name columns of the table, found 'q'")]
#[case::empty_sequence(&[("sequence.field", "")], "found ''")]
#[case::sequence_twice(&[("sequence.field", "a,a")], "found 'a' twice")]
#[case::sequence_without_order(&[("sequence.field", "l")], "found 'l' of type ARRAY<INT>")]
#[case::sequence_with_function(&[("sequence.field", "a"), ("fields.a.aggregate-function", "sum")], "'a' is in 'sequence.field'")]
#[case::first_row_with_sequence(&[FIRST, ("sequence.field", "a")], "'sequence.field' and 'merge-engine' = 'first-row' contradict")]
#[case::first_row_with_producer(&[FIRST, ("changelog-producer", "input")], "must be 'none' or 'lookup'")]
#[case::first_row_with_vectors(&[FIRST, ("deletion-vectors.enabled", "true")], "'deletion-vectors.enabled'")]
#[case::vectors_with_producer(&[("deletion-vectors.enabled", "true"), ("changelog-producer", "full-compaction")], "found 'full-compaction'")]
#[case::unknown_rowkind(&[("rowkind.field", "q")], "'rowkind.field' must name columns of the table, found 'q'")]
#[case::rowkind_of_numbers(&[("rowkind.field", "a")], "found 'a' of type INT")]
#[case::snapshot_ordering_with_sequence(&[("sequence.snapshot-ordering", "true"), ("sequence.field", "a")], "contradict")]
#[case::snapshot_ordering_alone(&[("sequence.snapshot-ordering", "true")], "needs 'write-only'")]
#[case::lookup_and_commits(&[("changelog-producer", "lookup"), ("full-compaction.delta-commits", "2")], "'full-compaction.delta-commits'")]
#[case::overwrites_twice(&[("changelog-producer", "lookup"), ("streaming-read-overwrite", "true")], "'streaming-read-overwrite'")]
#[case::clustering(&[("pk-clustering-override", "true")], "'pk-clustering-override' needs 'clustering.columns'")]
#[case::clustering_without_vectors(&[("pk-clustering-override", "true"), ("clustering.columns", "a")], "needs 'deletion-vectors.enabled'")]
#[case::option_of_no_column(&[("fields.q.ignore-retract", "true")], "'fields.q.ignore-retract' must name columns of the table, found 'q'")]
#[case::unknown_time(&[("record-level.time-field", "q")], "'record-level.time-field' must name columns of the table, found 'q'")]
#[case::time_of_texts(&[("record-level.time-field", "s")], "found 's' of type STRING")]
#[case::no_boolean(&[("ignore-delete", "yes")], "'ignore-delete'")]
fn options_of_any_engine_are_checked(#[case] options: Options<'_>, #[case] message: &str) {
    refused(options, message);
}

#[rstest]
#[case::unknown_ordering(&[("fields.q.sequence-group", "a")], "must name columns of the table, found 'q'")]
#[case::unknown_protected(&[("fields.c.sequence-group", "a,q")], "must name columns of the table, found 'q'")]
#[case::names_are_not_trimmed(&[("fields.c.sequence-group", "a, b")], "found ' b'")]
#[case::key_protected(&[("fields.c.sequence-group", "k")], "must not name primary key columns, found 'k'")]
#[case::key_orders(&[("fields.k.sequence-group", "a")], "must not name primary key columns, found 'k'")]
#[case::twice_in_a_group(&[("fields.c.sequence-group", "a,a")], "in one sequence group, and once, found 'a'")]
#[case::in_two_groups(&[("fields.b.sequence-group", "a"), ("fields.c.sequence-group", "a")], "found 'a' there and in option 'fields.c.sequence-group'")]
#[case::orders_two_groups(&[("fields.c.sequence-group", "a"), ("fields.c,b.sequence-group", "s")], "in one sequence group")]
#[case::ordering_without_order(&[("fields.l.sequence-group", "a")], "found 'l' of type ARRAY<INT>")]
#[case::function_outside(&[("fields.a.aggregate-function", "sum")], "aggregate function of 'a' needs a sequence group")]
#[case::default_outside(&[("fields.c.sequence-group", "a"), ("fields.default-aggregate-function", "last_value")], "needs a sequence group")]
#[case::removing_and_ignoring(
    &[("partial-update.remove-record-on-delete", "true"), ("ignore-delete", "true")],
    "'ignore-delete' and 'partial-update.remove-record-on-delete' contradict"
)]
#[case::group_removing_and_ignoring(
    &[("fields.c.sequence-group", "a"), ("partial-update.remove-record-on-sequence-group", "c"), ("partial-update.ignore-delete", "true")],
    "'ignore-delete' and 'partial-update.remove-record-on-sequence-group' contradict"
)]
#[case::removing_and_groups(
    &[("fields.c.sequence-group", "a"), ("partial-update.remove-record-on-delete", "true")],
    "'fields.<columns>.sequence-group' and 'partial-update.remove-record-on-delete' contradict"
)]
#[case::removing_by_no_group(
    &[("fields.c.sequence-group", "a"), ("partial-update.remove-record-on-sequence-group", "a")],
    "must name columns that order a sequence group, found 'a'"
)]
fn options_of_partial_updates_are_checked(#[case] options: Options<'_>, #[case] message: &str) {
    refused(&[&[PARTIAL], options].concat(), message);
}

#[rstest]
#[case("a", "summe", "must be one of primary-key, last_value")]
#[case(
    "s",
    "sum",
    "'sum' of option 'fields.s.aggregate-function' needs a column of numbers, found the column 's' of type STRING"
)]
#[case("s", "product", "needs a column of numbers")]
#[case("l", "max", "needs a column whose values have an order")]
#[case("m", "min", "needs a column whose values have an order")]
#[case("a", "bool_and", "BOOLEAN")]
#[case("a", "bool_or", "BOOLEAN")]
#[case("a", "listagg", "STRING")]
#[case("v", "listagg", "STRING")]
#[case("a", "collect", "ARRAY")]
#[case("l", "merge_map", "MAP")]
#[case("m", "merge_map_with_keytime", "MAP to ROW of two fields at least")]
#[case("l", "nested_update", "ARRAY of ROW")]
#[case("l", "nested_partial_update", "ARRAY of ROW")]
#[case("r", "nested_partial_update", "needs option 'fields.r.nested-key'")]
#[case("s", "rbm32", "VARBINARY")]
#[case("s", "rbm64", "VARBINARY")]
#[case("s", "hll_sketch", "VARBINARY")]
#[case("s", "theta_sketch", "VARBINARY")]
fn functions_must_fit_the_column(#[case] column: &str, #[case] function: &str, #[case] message: &str) {
    let option = format!("fields.{column}.aggregate-function");
    refused(&[AGGREGATION, (&option, function)], message);
    let protecting = ("fields.b.sequence-group", column);
    refused(&[PARTIAL, protecting, (&option, function)], message);
}

#[rstest]
#[case::key(&[("fields.r.nested-key", "x,q")], "'fields.r.nested-key' must name fields of x, y, z, found 'q'")]
#[case::sequence_without_key(&[("fields.r.nested-sequence-field", "x")], "needs option 'fields.r.nested-key'")]
#[case::nulls_without_key(&[("fields.r.nested-key-null-strategy", "merge")], "needs option 'fields.r.nested-key'")]
#[case::nulls(&[("fields.r.nested-key", "x"), ("fields.r.nested-key-null-strategy", "drop")], "one of merge, ignore, error, found 'drop'")]
#[case::unordered(&[("fields.r.nested-key", "x"), ("fields.r.nested-sequence-field", "z")], "found 'z' of type ARRAY<INT>")]
#[case::limit(&[("fields.r.count-limit", "many")], "'fields.r.count-limit'")]
#[case::time(&[("fields.t.aggregate-function", "merge_map_with_keytime"), ("fields.t.ts-field", "q")], "'fields.t.ts-field' must name fields of x, y, found 'q'")]
#[case::time_of_numbers(&[("fields.t.aggregate-function", "merge_map_with_keytime"), ("fields.t.ts-field", "x")], "found 'x' of type INT")]
#[case::ignoring_and_removing(
    &[("fields.a.ignore-retract", "true"), ("aggregation.remove-record-on-delete", "true")],
    "'fields.a.ignore-retract' and 'aggregation.remove-record-on-delete' contradict"
)]
fn options_of_functions_are_checked(#[case] options: Options<'_>, #[case] message: &str) {
    refused(&[&[AGGREGATION, ("fields.r.aggregate-function", "nested_update")], options].concat(), message);
}

fn refused(options: Options<'_>, message: &str) {
    let error = keyed(options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().contains(message), "{error}");
    // Stored schemas are not checked when they are read; whoever merges finds out.
    let mut stored = keyed(&[]).unwrap();
    stored.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    if let Ok(options) = MergeOptions::of(&stored) {
        // What the options say together, not each of them.
        assert!(validate_merging(&stored).is_err(), "{options:?}");
    }
}

#[test]
fn sequence_fields_need_keys_that_stay_in_their_partition() {
    let columns = [("k", "INT"), ("p", "INT"), ("s", "INT")];
    let error = create(&columns, &["k"], &["p"], &[("sequence.field", "s")]).unwrap_err();
    assert!(error.message().contains("needs a primary key with all partition columns"), "{error}");
    create(&columns, &["k", "p"], &["p"], &[("sequence.field", "s")]).unwrap();
}

#[rstest]
#[case(&[("changelog-producer", "input")], "'changelog-producer' needs a primary key")]
#[case(&[("sequence.snapshot-ordering", "true")], "'sequence.snapshot-ordering' needs a primary key")]
#[case(&[("table-read.sequence-number.enabled", "true")], "'table-read.sequence-number.enabled' needs a primary key")]
#[case(&[("streaming-read-overwrite", "true")], "'streaming-read-overwrite' needs a primary key")]
#[case(&[("rowkind.field", "q")], "found 'q'")]
fn without_a_primary_key_there_is_nothing_to_merge(#[case] options: Options<'_>, #[case] message: &str) {
    let error = create(&COLUMNS, &[], &[], options).unwrap_err();
    assert!(error.message().contains(message), "{error}");
}

#[test]
fn options_of_columns_may_name_columns_with_dots_but_no_parts_of_rows() {
    let columns = [("k", "INT"), ("a.b", "INT"), ("r", "ROW<x INT>")];
    let summing = [AGGREGATION, ("fields.a.b.aggregate-function", "sum")];
    let table = create(&columns, &["k"], &[], &summing).unwrap();
    assert_eq!(MergeOptions::of(&table).unwrap().aggregate(1).unwrap().function, AggregateFunction::Sum);
    let error = create(&columns, &["k"], &[], &[AGGREGATION, ("fields.r.x.aggregate-function", "sum")]).unwrap_err();
    assert!(error.message().contains("must not reach into the ROW column 'r'"), "{error}");
}

#[rstest]
#[case::snapshot_ordering(&[("sequence.snapshot-ordering", "true"), ("write-only", "true")], "'sequence.snapshot-ordering' = 'true'")]
#[case::clustering(
    &[("pk-clustering-override", "true"), ("clustering.columns", "a"), ("deletion-vectors.enabled", "true")],
    "'pk-clustering-override' = 'true'"
)]
#[case::expiry(&[("record-level.expire-time", "1 h"), ("record-level.time-field", "a")], "'record-level.expire-time' = '1 h'")]
#[case::rights(&[("query-auth.enabled", "true")], "'query-auth.enabled' = 'true'")]
fn what_would_be_merged_in_another_way_is_unsupported(#[case] options: Options<'_>, #[case] message: &str) {
    let error = check_merge_supported(&keyed(options).unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains(message), "{error}");
    check_merge_supported(&keyed(&[]).unwrap()).unwrap();
}
