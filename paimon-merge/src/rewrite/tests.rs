//! Rewrites of small tables in memory against a model that follows Java's wrappers key by key.

mod engines;
mod model;

use std::collections::BTreeMap;

use futures::TryStreamExt;
use paimon_io::{FileRead, datum_at};
use paimon_spec::{DataType, Datum, DeletionVector, ErrorKind, RowKind, Schema, TableSchema, Test, TypeKind};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::keyed::tests::{Fixture, Row, field, int, key_of};

/// `k` INT, the key, `v` INT and `s` INT.
fn schema(options: &[(&str, &str)]) -> Schema {
    let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    Schema {
        fields: vec![field("k", TypeKind::Int), field("v", TypeKind::Int), field("s", TypeKind::Int)],
        primary_keys: vec!["k".to_owned()],
        options: [("bucket", "1")].iter().chain(options).map(text).collect(),
        ..Schema::default()
    }
}

fn row(kind: RowKind, key: i32, value: i32, number: i64) -> Row {
    Row { values: vec![int(key), int(value), None], number, kind }
}

fn add(key: i32, value: i32, number: i64) -> Row {
    row(RowKind::Insert, key, value, number)
}

/// What a rewrite gives, all of it.
#[derive(Debug, Default, PartialEq)]
struct Told {
    rows: Vec<Row>,
    changelog: Vec<Row>,
    superseded: BTreeMap<usize, Vec<u64>>,
}

/// A rewrite of the files of `table` at levels up to `output`, above the others.
fn rewrite_to(table: &Fixture, output: i32, changelog: Changelog) -> Rewrite {
    let split = |chosen: &dyn Fn(i32) -> bool| {
        let mut split = table.split.clone();
        let is_chosen: Vec<bool> = split.files.iter().map(|file| chosen(file.level)).collect();
        let mut chosen = is_chosen.iter();
        split.files.retain(|_| *chosen.next().unwrap());
        let mut chosen = is_chosen.iter();
        split.deletions.retain(|_| *chosen.next().unwrap());
        split
    };
    Rewrite {
        files: split(&|level| level <= output),
        deeper: split(&|level| level > output),
        wants_rows: true,
        keep_deletes: true,
        changelog,
        memory_bytes: Some(1),
    }
}

fn rows_of(schema: &TableSchema, batch: &RecordBatch) -> Vec<Row> {
    let system = |column: usize, kind, row| datum_at(batch.column(column), &DataType::not_null(kind), row).unwrap();
    let cell = |column: usize, row| datum_at(batch.column(column + 2), &schema.fields[column].data_type, row).unwrap();
    let row = |row| Row {
        values: (0..schema.fields.len()).map(|column| cell(column, row)).collect(),
        number: match system(KeyedLayout::SEQUENCE, TypeKind::BigInt, row) {
            Some(Datum::BigInt(number)) => number,
            other => panic!("{other:?} is no sequence number"),
        },
        kind: match system(KeyedLayout::KIND, TypeKind::TinyInt, row) {
            Some(Datum::TinyInt(kind)) => RowKind::from_code(kind).unwrap(),
            other => panic!("{other:?} is no kind"),
        },
    };
    (0..batch.num_rows()).map(row).collect()
}

async fn told(table: &Fixture, request: &Rewrite) -> Result<Told> {
    let parts: Vec<Rewritten> = rewrite(&table.store, request).await?.try_collect().await?;
    let mut told = Told::default();
    for part in parts {
        assert!(part.rows.is_some() || part.changelog.is_some() || !part.superseded.is_empty(), "no part is empty");
        told.rows.extend(part.rows.iter().flat_map(|batch| rows_of(table.store.schema(), batch)));
        told.changelog.extend(part.changelog.iter().flat_map(|batch| rows_of(table.store.schema(), batch)));
        for (file, positions) in part.superseded {
            told.superseded.entry(file).or_default().extend(positions);
        }
    }
    Ok(told)
}

#[tokio::test]
async fn readers_of_tables_that_need_look_up_take_the_row_of_the_smallest_level() {
    let options = [("merge-engine", "aggregation"), ("fields.v.aggregate-function", "sum")];
    for (option, expected) in [(None, 111), (Some(("changelog-producer", "lookup")), 11)] {
        let options: Vec<_> = options.into_iter().chain(option).collect();
        let mut table = Fixture::new(schema(&options), &[]).await;
        table.write("parquet", &[add(1, 100, 1), add(2, 7, 2)]).await.last_file().level = 5;
        table.write("parquet", &[add(1, 10, 3), add(3, 7, 4)]).await.last_file().level = 4;
        table.write("parquet", &[add(1, 1, 5)]).await;
        let rows = table.rows(&ReadRequest::default()).await;
        let expected = [(1, expected), (2, 7), (3, 7)].map(|(key, value)| vec![int(key), int(value), None]);
        assert_eq!(rows, expected, "{option:?}");
        // What a compaction writes says the same.
        let of_all = told(&table, &rewrite_to(&table, 5, Changelog::None)).await.unwrap();
        assert_eq!(of_all.rows.into_iter().map(|row| row.values).collect::<Vec<_>>(), expected, "{option:?}");
    }
}

#[rstest]
#[case::only_positions(&[("deletion-vectors.enabled", "true")], Changelog::None)]
#[case::with_values(&[("deletion-vectors.enabled", "true"), ("changelog-producer", "lookup")], Changelog::OfLevelZero)]
#[tokio::test]
async fn rows_that_are_superseded_are_told_by_their_physical_positions(
    #[case] options: &[(&str, &str)],
    #[case] changelog: Changelog,
    #[values("parquet", "orc", "avro")] format: &str,
) {
    let mut table = Fixture::new(schema(options), &[]).await;
    // Enough rows for several pages and stripes; every seventh is deleted already.
    let many: Vec<Row> = (0..70_000).map(|key| add(key, key, i64::from(key))).collect();
    let deleted: Vec<u64> = (0..10_000).map(|at| at * 7).collect();
    table.write(format, &many).await.delete(&deleted).await.last_file().level = 5;
    table.write(format, &[add(100_000, 1, 99_000)]).await.last_file().level = 5;
    let new = [3, 7, 8, 30_001, 69_999, 80_000];
    table.write(format, &new.map(|key| add(key, -1, 100_000 + i64::from(key)))).await;
    let told = told(&table, &rewrite_to(&table, 4, changelog)).await.unwrap();
    assert_eq!(told.superseded, BTreeMap::from([(0, vec![3, 8, 30_001, 69_999])]));
    assert_eq!(told.rows, new.map(|key| add(key, -1, 100_000 + i64::from(key))));
    let changes: Vec<(RowKind, Option<Datum>)> =
        told.changelog.iter().map(|row| (row.kind, row.values[0].clone())).collect();
    if changelog == Changelog::OfLevelZero {
        let expected = new.map(|key| match key {
            7 | 80_000 => vec![(RowKind::Insert, int(key))],
            _ => vec![(RowKind::UpdateBefore, int(key)), (RowKind::UpdateAfter, int(key))],
        });
        assert_eq!(changes, expected.concat());
    }
}

#[tokio::test]
async fn positions_are_told_without_the_columns_that_a_merge_would_need() {
    let options = [("merge-engine", "partial-update"), ("fields.s.sequence-group", "v")];
    let mut table = Fixture::new(schema(&[&options[..], &[("deletion-vectors.enabled", "true")]].concat()), &[]).await;
    table.write("parquet", &[add(1, 1, 1), add(2, 1, 2)]).await.last_file().level = 5;
    table.write("parquet", &[add(2, 2, 3), add(3, 2, 4)]).await;
    let request = Rewrite { wants_rows: false, ..rewrite_to(&table, 4, Changelog::None) };
    let expected = Told { superseded: BTreeMap::from([(0, vec![1])]), ..Told::default() };
    assert_eq!(told(&table, &request).await.unwrap(), expected);
}

#[tokio::test]
async fn pages_without_a_key_are_not_looked_at() {
    let mut table = Fixture::new(schema(&[]), &[]).await;
    let many: Vec<Row> = (0..70_000).map(|key| add(key, key, i64::from(key))).collect();
    table.write("parquet", &many).await;
    let key = Predicate::leaf(0, Test::In(vec![Datum::Int(5), Datum::Int(69_000)]));
    let fields = table.store.schema().key_value_file_fields(false);
    let read = FileRead {
        columns: fields.into_iter().filter(|field| field.name == "k").collect(),
        predicate: Some(key),
        deletions: Some(Arc::new(DeletionVector::from_positions([4]))),
        rows: None,
        limit: None,
        batch_rows: 1024,
        held_bytes: None,
    };
    let rows = table.store.rows_in_question("bucket-0", &table.split.files[0], &read).await.unwrap();
    assert!(rows.contains(5) && rows.contains(69_000) && !rows.contains(4) && !rows.contains(35_000), "{}", rows.len());
    let batches = table.store.open_file("bucket-0", &table.split.files[0], &read).await.unwrap();
    let read: usize = batches.map_ok(|batch| batch.num_rows()).try_collect::<Vec<_>>().await.unwrap().iter().sum();
    assert_eq!(read as u64, rows.len());
}

#[tokio::test]
async fn ranges_of_rows_are_refused() {
    let mut table = Fixture::new(schema(&[]), &[]).await;
    table.write("parquet", &[add(1, 1, 1)]).await;
    let mut request = rewrite_to(&table, 5, Changelog::None);
    request.files.rows = vec![Some(0..1)];
    assert_eq!(told(&table, &request).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

/// A file to write.
#[derive(Debug, Clone)]
struct Level {
    level: i32,
    rows: Vec<(i32, RowKind, Option<i32>, Option<i32>)>,
}

fn kind() -> impl Strategy<Value = RowKind> {
    prop_oneof![
        4 => Just(RowKind::Insert), 2 => Just(RowKind::UpdateAfter), 2 => Just(RowKind::Delete), 1 => Just(RowKind::UpdateBefore)
    ]
}

fn level(level: i32) -> impl Strategy<Value = Level> {
    let cell = || prop_oneof![1 => Just(None), 4 => (0..4).prop_map(Some)];
    let rows = prop::collection::btree_map(0..12_i32, (kind(), cell(), cell()), 1..8);
    let rows = rows.prop_map(|rows| rows.into_iter().map(|(key, (kind, v, s))| (key, kind, v, s)).collect());
    rows.prop_map(move |rows| Level { level, rows })
}

/// Files from the deepest to the newest.
fn files() -> impl Strategy<Value = Vec<Level>> {
    let deep = prop::sample::subsequence(vec![5, 4, 3, 2, 1], 0..4);
    let deep = deep.prop_flat_map(|levels| levels.into_iter().map(level).collect::<Vec<_>>());
    (deep, prop::collection::vec(level(0), 0..4)).prop_map(|(deep, new)| deep.into_iter().chain(new).collect())
}

#[derive(Debug, Clone)]
struct Case {
    options: Vec<(&'static str, &'static str)>,
    files: Vec<Level>,
    output: i32,
    wants_rows: bool,
    keep_deletes: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let engine = prop::sample::select(vec!["deduplicate", "partial-update", "aggregation", "first-row"]);
    let lookup = ("changelog-producer", "lookup");
    let vectors = ("deletion-vectors.enabled", "true");
    let modes: Vec<Vec<(&str, &str)>> = vec![
        vec![],
        vec![vectors],
        vec![lookup],
        vec![vectors, lookup],
        vec![("force-lookup", "true")],
        vec![("changelog-producer", "full-compaction")],
    ];
    let deletes = prop::sample::select(vec!["", "ignore-delete", "remove-record-on-delete"]);
    let order = prop::sample::select(vec!["", "", "ascending", "descending"]);
    let flags = (any::<bool>(), any::<bool>(), prop::bool::weighted(0.8), any::<bool>());
    (engine, prop::sample::select(modes), deletes, order, flags, files(), 1..6).prop_map(
        move |(engine, mode, deletes, order, (once, ignoring, wants_rows, keep_deletes), files, output)| {
            let mut options = vec![("merge-engine", engine)];
            let is = |name: &str| engine == name;
            if !is("first-row") || mode == [lookup] {
                options.extend(mode);
            }
            match deletes {
                "ignore-delete" => options.push((deletes, "true")),
                "" if is("first-row") || is("partial-update") => options.push(("ignore-delete", "true")),
                "remove-record-on-delete" if is("first-row") => options.push(("ignore-delete", "true")),
                "remove-record-on-delete" if is("aggregation") => {
                    options.push(("aggregation.remove-record-on-delete", "true"));
                }
                "remove-record-on-delete" if is("partial-update") => {
                    options.push(("partial-update.remove-record-on-delete", "true"));
                }
                _ => {}
            }
            if is("aggregation") {
                options.push(("fields.v.aggregate-function", "sum"));
            }
            if !order.is_empty() && !is("first-row") {
                options.extend([("sequence.field", "s"), ("sequence.field.sort-order", order)]);
            }
            if once {
                options.push(("changelog-producer.row-deduplicate", "true"));
                if ignoring {
                    options.push(("changelog-producer.row-deduplicate-ignore-fields", "s"));
                }
            }
            Case { options, files, output, wants_rows, keep_deletes }
        },
    )
}

/// The table of a case, and its live rows. With deletion vectors a key has one live row above level 0, that of the
/// smallest level.
async fn table_of(case: &Case) -> (Fixture, Vec<model::File>) {
    let mut table = Fixture::new(schema(&case.options), &[]).await;
    let vectors = case.options.contains(&("deletion-vectors.enabled", "true"));
    let (mut number, mut files) = (0, Vec::new());
    for (at, file) in case.files.iter().enumerate() {
        let cell = |value: &Option<i32>| value.map(Datum::Int);
        let mut rows = Vec::new();
        for (key, kind, v, s) in &file.rows {
            number += 1;
            rows.push(Row { values: vec![int(*key), cell(v), cell(s)], number, kind: *kind });
        }
        table.write(["parquet", "orc", "avro"][at % 3], &rows).await;
        let newer = || case.files[at + 1..].iter().filter(|newer| newer.level > 0).flat_map(|newer| &newer.rows);
        let is_gone = |row: &Row| vectors && file.level > 0 && newer().any(|newer| int(newer.0) == row.values[0]);
        let (gone, live): (Vec<_>, Vec<_>) = (0_u64..).zip(rows).partition(|(_, row)| is_gone(row));
        if !gone.is_empty() {
            table.delete(&gone.iter().map(|(position, _)| *position).collect::<Vec<_>>()).await;
        }
        table.last_file().level = file.level;
        files.push(model::File { level: file.level, live });
    }
    (table, files)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rewrites_do_what_java_does_key_by_key(case in case()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (table, files) = table_of(&case).await;
            let changelog = match case.options.iter().find(|(key, _)| *key == "changelog-producer") {
                Some((_, "lookup")) => Changelog::OfLevelZero,
                Some((_, "full-compaction")) if case.output == 5 => Changelog::AgainstLevel(5),
                _ => Changelog::None,
            };
            let mut request = rewrite_to(&table, case.output, changelog);
            (request.wants_rows, request.keep_deletes) = (case.wants_rows, case.keep_deletes);
            let schema = table.store.schema();
            let keys = |row: &Row| KeyComparator::of(schema).ordered(&key_of(schema, row)).unwrap();
            let engine = model::ByHand { options: &case.options, keys: &keys };
            let model = model::Model { options: &case.options, request: &request, engine: &engine };
            let expected = model.rewrite(&files, case.output);
            match (told(&table, &request).await, expected) {
                (Ok(told), Ok(expected)) => prop_assert_eq!(told, expected),
                (Err(error), Err(())) => prop_assert_eq!(error.kind(), ErrorKind::InvalidInput),
                (told, expected) => prop_assert!(false, "{told:?}, expected {expected:?}"),
            }
            Ok(())
        })?;
    }
}
