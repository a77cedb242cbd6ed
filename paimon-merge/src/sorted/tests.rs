//! Merges of random runs against a stable sort.

use arrow::{
    array::{Array, ArrayRef, AsArray, Int8Array, Int32Array, Int64Array, StringArray},
    compute::concat_batches,
    datatypes::{Int32Type, Int64Type},
};
use futures::executor::block_on;
use paimon_spec::{DataField, DataType, ErrorKind, Schema, TableSchema, TypeKind};
use proptest::prelude::*;

use super::*;
use crate::{KeyGroups, merge_buffer, merge_function};

/// Gives all rows in the order in which functions see them.
struct Everything;

impl MergeFunction for Everything {
    fn merge(&mut self, groups: &KeyGroups<'_>, _keep_deletes: bool) -> Result<RecordBatch> {
        assert!(groups.groups().all(|group| !group.is_empty()), "no key is without rows");
        groups.pick_rows(&(0..groups.rows()).collect::<Vec<_>>())
    }
}

/// A key, a sequence number, a sequence field and where it came from: run and row.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    key: String,
    number: i64,
    field: Option<i32>,
    origin: i32,
}

/// How keys are typed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Keys {
    Number,
    Text,
    NumberAndText,
}

fn table(keys: Keys, sequenced: bool) -> TableSchema {
    let not_null = |name: &str, kind| DataField::new(0, name, DataType::not_null(kind));
    let nullable = |name: &str, kind| DataField::new(0, name, DataType::nullable(kind));
    let text = TypeKind::VarChar(DataType::MAX_LENGTH);
    let fields = vec![
        nullable("o", TypeKind::Int),
        nullable("f", TypeKind::Int),
        not_null("t", text),
        not_null("n", TypeKind::BigInt),
    ];
    let keys: &[&str] = match keys {
        Keys::Number => &["n"],
        Keys::Text => &["t"],
        Keys::NumberAndText => &["n", "t"],
    };
    let mut options = vec![("bucket", "1")];
    options.extend(sequenced.then_some(("sequence.field", "f")));
    let schema = Schema {
        fields,
        primary_keys: keys.iter().map(|&key| key.to_owned()).collect(),
        options: options.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        ..Schema::default()
    };
    TableSchema::create(schema, 0).unwrap()
}

fn layout(table: &TableSchema) -> Arc<KeyedLayout> {
    Arc::new(KeyedLayout::new(table, &table.fields.iter().map(|field| field.id).collect::<Vec<_>>()).unwrap())
}

/// Texts of the same length as numbers sort like them.
fn number(key: &str) -> i64 {
    key.bytes().fold(0, |number, byte| number * 256 + i64::from(byte))
}

fn batch(layout: &KeyedLayout, rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.number).collect::<Int64Array>()),
        Arc::new(Int8Array::from(vec![0; rows.len()])),
        Arc::new(rows.iter().map(|row| row.origin).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|row| row.field).collect::<Int32Array>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.key))),
        Arc::new(rows.iter().map(|row| number(&row.key)).collect::<Int64Array>()),
    ];
    RecordBatch::try_new(layout.schema().clone(), columns).unwrap()
}

fn rows_of(layout: &KeyedLayout, batches: &[RecordBatch]) -> Vec<Row> {
    assert!(batches.iter().all(|batch| batch.num_rows() > 0), "no batch is empty");
    let all = concat_batches(layout.schema(), batches).unwrap();
    let (numbers, origins) = (all.column(0).as_primitive::<Int64Type>(), all.column(2).as_primitive::<Int32Type>());
    let (fields, keys) = (all.column(3).as_primitive::<Int32Type>(), all.column(4).as_string::<i32>());
    let row = |i: usize| Row {
        key: keys.value(i).to_owned(),
        number: numbers.value(i),
        field: fields.is_valid(i).then(|| fields.value(i)),
        origin: origins.value(i),
    };
    (0..all.num_rows()).map(row).collect()
}

fn any_row() -> impl Strategy<Value = Row> {
    // Keys of more than eight bytes, too, which begin alike.
    (prop::sample::select(vec!["aaaaaaaa", "bbbbbbbb"]), "[a-c]", 0_i64..5, prop::option::of(0..3))
        .prop_map(|(start, end, number, field)| Row { key: start[2..].to_owned() + &end, number, field, origin: 0 })
}

fn any_runs() -> impl Strategy<Value = Vec<Vec<Row>>> {
    prop::collection::vec(prop::collection::vec(any_row(), 0..20), 0..8)
}

fn any_keys() -> impl Strategy<Value = Keys> {
    prop::sample::select(vec![Keys::Number, Keys::Text, Keys::NumberAndText])
}

fn by_age(sequenced: bool) -> impl Fn(&Row) -> (String, Option<Option<i32>>, i64) {
    move |row| (row.key.clone(), sequenced.then_some(row.field), row.number)
}

fn merged(
    layout: &Arc<KeyedLayout>,
    runs: &[Vec<Row>],
    batch_rows: usize,
    chunk_rows: usize,
    function: Box<dyn MergeFunction>,
) -> Result<Vec<RecordBatch>> {
    let stream = |run: &Vec<Row>| {
        let batches: Vec<_> = run.chunks(batch_rows).map(|rows| Ok(batch(layout, rows))).collect();
        stream::iter(batches).boxed()
    };
    let runs = runs.iter().map(stream).collect();
    block_on(merge_sorted(Arc::clone(layout), runs, function, chunk_rows, true).try_collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn runs_are_merged_into_the_order_of_a_stable_sort(
        mut runs in any_runs(), keys in any_keys(), sequenced in any::<bool>(), batch_rows in 1usize..8, chunk_rows in 1usize..12,
    ) {
        let table = table(keys, sequenced);
        let layout = layout(&table);
        let mut origin = 0..;
        for run in &mut runs {
            run.sort_by_key(by_age(sequenced));
            run.iter_mut().for_each(|row| row.origin = origin.next().unwrap());
        }
        let mut expected: Vec<Row> = runs.concat();
        expected.sort_by_key(by_age(sequenced));
        let batches = merged(&layout, &runs, batch_rows, chunk_rows, Box::new(Everything)).unwrap();
        prop_assert_eq!(rows_of(&layout, &batches), expected.clone());

        let mut newest = expected;
        newest.reverse();
        newest.dedup_by_key(|row| row.key.clone());
        newest.reverse();
        let function = merge_function(&table, &layout).unwrap();
        let batches = merged(&layout, &runs, batch_rows, chunk_rows, function).unwrap();
        prop_assert_eq!(rows_of(&layout, &batches), newest);
    }

    #[test]
    fn rows_in_memory_are_sorted_in_the_order_of_a_stable_sort(
        mut batches in any_runs(), keys in any_keys(), sequenced in any::<bool>(), chunk_rows in 1usize..12,
    ) {
        let layout = layout(&table(keys, sequenced));
        batches.iter_mut().flatten().zip(0..).for_each(|(row, origin)| row.origin = origin);
        let mut expected: Vec<Row> = batches.concat();
        expected.sort_by_key(by_age(sequenced));
        let batches = batches.iter().map(|rows| batch(&layout, rows)).collect();
        let merged = merge_buffer(Arc::clone(&layout), batches, Box::new(Everything), chunk_rows, true).unwrap();
        prop_assert_eq!(rows_of(&layout, &merged.collect::<Result<Vec<_>>>().unwrap()), expected);
    }

    #[test]
    fn a_run_that_is_not_sorted_is_an_error(
        mut run in prop::collection::vec(any_row(), 2..20), other in prop::collection::vec(any_row(), 0..20), keys in any_keys(),
        batch_rows in 1usize..8, swapped in any::<prop::sample::Index>(),
    ) {
        let layout = layout(&table(keys, false));
        run.sort_by_key(by_age(false));
        let at = swapped.index(run.len() - 1);
        prop_assume!(run[at].key != run[at + 1].key);
        run.swap(at, at + 1);
        let mut other = other;
        other.sort_by_key(by_age(false));
        let error = merged(&layout, &[other, run], batch_rows, 5, Box::new(Everything)).unwrap_err();
        prop_assert_eq!(error.kind(), ErrorKind::CorruptData);
    }
}

#[test]
fn rows_of_other_columns_are_refused() {
    let layouts = [layout(&table(Keys::Text, false)), layout(&table(Keys::Number, false))];
    let strange = batch(&layouts[0], &[]).project(&[0, 1]).unwrap();
    let strange = stream::iter([Ok(strange), Ok(batch(&layouts[0], &[]).project(&[1, 0]).unwrap())]).boxed();
    let merged = merge_sorted(Arc::clone(&layouts[1]), vec![strange], Box::new(Everything), 10, true);
    assert_eq!(block_on(merged.try_collect::<Vec<_>>()).unwrap().len(), 0, "batches without rows are not looked at");
    let strange = RecordBatch::try_from_iter([("x", Arc::new(Int8Array::from(vec![1])) as ArrayRef)]).unwrap();
    let merged = merge_sorted(
        Arc::clone(&layouts[1]),
        vec![stream::iter([Ok(strange)]).boxed()],
        Box::new(Everything),
        10,
        true,
    );
    assert_eq!(block_on(merged.try_collect::<Vec<_>>()).unwrap_err().kind(), ErrorKind::InvalidInput);
}
