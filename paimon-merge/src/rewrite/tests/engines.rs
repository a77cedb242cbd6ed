//! Rewrites of tables with many files, kinds of keys and options of engines: the model says which rows count, and the merge
//! function, which has its own tests, what they become.

use std::cmp::Ordering;

use paimon_spec::OrderedKey;

use super::model::{Engine, File, Model};
use super::*;
use crate::{
    KeyGroups,
    keyed::tests::{array, key_of},
};

type Options = Vec<(&'static str, &'static str)>;

const STRING: TypeKind = TypeKind::VarChar(DataType::MAX_LENGTH);

/// Keys of one column or two: an INT, a STRING whose order is another, a DOUBLE of special values.
const KEYS: [&[&str]; 5] = [&["k"], &["t"], &["d", "k"], &["t", "k"], &["d"]];

/// `k`, `t` and `d` make keys; `g` and `h` order rows; `a`, `x` and `b` are values.
fn schema(keys: &[&str], options: &Options) -> Schema {
    let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let columns = [
        ("k", TypeKind::Int),
        ("t", STRING),
        ("d", TypeKind::Double),
        ("g", TypeKind::Int),
        ("h", TypeKind::Int),
        ("a", TypeKind::Int),
        ("x", TypeKind::Double),
        ("b", STRING),
    ];
    Schema {
        fields: columns.into_iter().map(|(name, kind)| field(name, kind)).collect(),
        primary_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        options: [("bucket", "1")].iter().chain(options).map(text).collect(),
        ..Schema::default()
    }
}

/// The key of a number, in all columns that may be one.
fn key_values(key: usize) -> [Option<Datum>; 3] {
    let special = [f64::NEG_INFINITY, -1.5, -0.0, 0.0, 1e300, f64::INFINITY, f64::NAN, 7.0, 8.0, 9.0, 10.0, 11.0];
    [int(key as i32), Some(Datum::String(format!("{:x}{key}", key * 7 % 16))), Some(Datum::Double(special[key]))]
}

/// What becomes of the rows of a key by the table's own function.
struct OfTable<'a> {
    schema: &'a TableSchema,
    compared: Vec<usize>,
    sequence: Vec<usize>,
    descending: bool,
}

impl<'a> OfTable<'a> {
    fn new(schema: &'a TableSchema) -> Self {
        let names = |option: &str| {
            let names = schema.options.get(option).map(|names| names.split(',').collect::<Vec<_>>());
            names.unwrap_or_default()
        };
        let position = |name: &&str| schema.fields.iter().position(|field| field.name == *name).unwrap();
        let ignored: Vec<usize> =
            names("changelog-producer.row-deduplicate-ignore-fields").iter().map(position).collect();
        let is_key = |column: &usize| schema.primary_keys.contains(&schema.fields[*column].name);
        let compared = (0..schema.fields.len()).filter(|column| !ignored.contains(column) && !is_key(column));
        Self {
            schema,
            compared: compared.collect(),
            sequence: names("sequence.field").iter().map(position).collect(),
            descending: schema.options.get("sequence.field.sort-order").is_some_and(|order| order == "descending"),
        }
    }
}

impl Engine for OfTable<'_> {
    fn key(&self, row: &Row) -> OrderedKey {
        KeyComparator::of(self.schema).ordered(&key_of(self.schema, row)).unwrap()
    }

    fn order(&self, a: &Row, b: &Row) -> Ordering {
        let fields = self.sequence.iter().map(|column| match (&a.values[*column], &b.values[*column]) {
            (Some(Datum::Int(a)), Some(Datum::Int(b))) if self.descending => b.cmp(a),
            (Some(Datum::Int(a)), Some(Datum::Int(b))) => a.cmp(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        fields.fold(Ordering::Equal, Ordering::then).then(a.number.cmp(&b.number))
    }

    fn merged(&self, rows: &[Row]) -> Result<Option<Row>, ()> {
        let all: Vec<FieldId> = self.schema.fields.iter().map(|field| field.id).collect();
        let layout = KeyedLayout::new(self.schema, &all).unwrap();
        let columns = layout.fields().iter().enumerate().map(|(at, field)| {
            let value = |row: &Row| match at {
                KeyedLayout::SEQUENCE => Some(Datum::BigInt(row.number)),
                KeyedLayout::KIND => Some(Datum::TinyInt(row.kind.code())),
                _ => row.values[at - 2].clone(),
            };
            array(&field.data_type, rows.iter().map(value))
        });
        let batch = [RecordBatch::try_new(Arc::clone(layout.schema()), columns.collect()).unwrap()];
        let (places, ends): (Vec<_>, _) = ((0..rows.len()).map(|row| (0, row)).collect(), [rows.len()]);
        let groups = KeyGroups::new(&layout, &batch, &places, &ends).merging_lone_rows();
        let merged = merge_function(self.schema, &layout).unwrap().merge(&groups, true).map_err(drop)?;
        Ok(rows_of(self.schema, &merged).pop())
    }

    fn same(&self, before: &Row, after: &Row) -> bool {
        // NaN equals nothing, and -0.0 is 0.0.
        self.compared.iter().all(|column| match (&before.values[*column], &after.values[*column]) {
            (Some(Datum::Double(a)), Some(Datum::Double(b))) => a == b,
            (a, b) => a == b,
        })
    }
}

fn engine() -> impl Strategy<Value = Options> {
    let deduplicate: Vec<Options> = vec![
        vec![],
        vec![("ignore-delete", "true")],
        vec![("sequence.field", "g")],
        vec![("sequence.field", "h,g"), ("sequence.field.sort-order", "descending")],
    ];
    let groups = [("fields.g.sequence-group", "a,x"), ("fields.h.sequence-group", "b")];
    let partial: Vec<Options> = vec![
        vec![("ignore-delete", "true")],
        groups.to_vec(),
        [&groups[..], &[("partial-update.remove-record-on-sequence-group", "g")]].concat(),
        [&groups[..], &[("fields.a.aggregate-function", "sum"), ("fields.x.aggregate-function", "last_value")]]
            .concat(),
        vec![("fields.g,h.sequence-group", "a,b"), ("fields.b.aggregate-function", "last_non_null_value")],
        vec![("partial-update.remove-record-on-delete", "true"), ("sequence.field", "g")],
    ];
    let aggregates = [
        ("fields.a.aggregate-function", "sum"),
        ("fields.b.aggregate-function", "last_non_null_value"),
        ("fields.g.aggregate-function", "max"),
        ("fields.g.ignore-retract", "true"),
        ("fields.h.aggregate-function", "first_value"),
        ("fields.h.ignore-retract", "true"),
    ];
    let aggregation: Vec<Options> = vec![
        aggregates.to_vec(),
        [&aggregates[..2], &[("sequence.field", "g,h"), ("aggregation.remove-record-on-delete", "true")]].concat(),
        [&aggregates[..2], &[("ignore-delete", "true")]].concat(),
    ];
    let first: Vec<Options> = vec![vec![("ignore-delete", "true")]];
    let of = |engine: &'static str, choices: Vec<Options>| {
        let choices: Vec<Options> =
            choices.into_iter().map(|options| [vec![("merge-engine", engine)], options].concat()).collect();
        prop::sample::select(choices)
    };
    prop_oneof![
        of("deduplicate", deduplicate),
        of("partial-update", partial),
        of("aggregation", aggregation),
        of("first-row", first)
    ]
}

fn options() -> impl Strategy<Value = Options> {
    let (lookup, vectors) = (("changelog-producer", "lookup"), ("deletion-vectors.enabled", "true"));
    let modes: Vec<Options> = vec![
        vec![],
        vec![vectors],
        vec![lookup],
        vec![vectors, lookup],
        vec![("force-lookup", "true")],
        vec![("changelog-producer", "full-compaction")],
    ];
    let once = ("changelog-producer.row-deduplicate", "true");
    let told: Vec<Options> =
        vec![vec![], vec![once], vec![once, ("changelog-producer.row-deduplicate-ignore-fields", "g,x")]];
    let thin = prop::sample::select(vec![vec![], vec![("data-file.thin-mode", "true")]]);
    (engine(), prop::sample::select(modes), prop::sample::select(told), thin).prop_map(
        move |(engine, mode, told, thin)| {
            let first_row = engine.contains(&("merge-engine", "first-row"));
            let mode = if first_row && mode != [lookup] { Vec::new() } else { mode };
            [engine, mode, told, thin].concat()
        },
    )
}

/// Kind and the values of `g`, `h`, `a`, `x` and `b`.
type Cells = (RowKind, [Option<i32>; 2], Option<i32>, Option<f64>, Option<String>);

fn cells() -> impl Strategy<Value = Cells> {
    let kind = || {
        let kinds = [RowKind::Insert, RowKind::Insert, RowKind::Insert, RowKind::UpdateAfter, RowKind::Delete];
        prop_oneof![9 => prop::sample::select(kinds.to_vec()), 1 => Just(RowKind::UpdateBefore)]
    };
    let number = || prop::option::weighted(0.8, 0..4_i32);
    let double = prop::option::weighted(0.8, prop::sample::select(vec![f64::NAN, 0.0, -0.0, 1.0]));
    let text = prop::option::weighted(0.8, prop::sample::select(vec!["", "a"]).prop_map(str::to_owned));
    (kind(), [number(), number()], number(), double, text)
}

/// Rows of a level by key, and where its files end.
#[derive(Debug, Clone)]
struct Run {
    level: i32,
    rows: Vec<(usize, Cells)>,
    cuts: [usize; 2],
}

fn run(level: i32) -> impl Strategy<Value = Run> {
    let rows = prop::collection::btree_map(0..12_usize, cells(), 1..10);
    let cuts = if level == 0 { Just([usize::MAX; 2]).boxed() } else { [1..12_usize, 1..12_usize].boxed() };
    (rows, cuts).prop_map(move |(rows, cuts)| Run { level, rows: rows.into_iter().collect(), cuts })
}

/// Runs from the deepest to the newest.
fn runs() -> impl Strategy<Value = Vec<Run>> {
    let deep = prop::sample::subsequence(vec![5, 4, 3, 2, 1], 0..4);
    let deep = deep.prop_flat_map(|levels| levels.into_iter().map(run).collect::<Vec<_>>());
    (deep, prop::collection::vec(run(0), 0..8)).prop_map(|(deep, new)| deep.into_iter().chain(new).collect())
}

#[derive(Debug, Clone)]
struct Case {
    keys: &'static [&'static str],
    options: Options,
    runs: Vec<Run>,
    formats: Vec<&'static str>,
    output: i32,
    wants_rows: bool,
    keep_deletes: bool,
    version_two: bool,
    memory_bytes: Option<u64>,
}

fn case() -> impl Strategy<Value = Case> {
    let formats = prop::collection::vec(prop::sample::select(vec!["parquet", "orc", "avro"]), 5);
    let memory = prop::option::of(1..20_000_u64);
    let flags = (prop::bool::weighted(0.8), any::<bool>(), any::<bool>(), memory);
    (prop::sample::select(KEYS.to_vec()), options(), runs(), formats, 1..6, flags).prop_map(
        |(keys, options, runs, formats, output, (wants_rows, keep_deletes, version_two, memory_bytes))| Case {
            keys,
            options,
            runs,
            formats,
            output,
            wants_rows,
            keep_deletes,
            version_two,
            memory_bytes,
        },
    )
}

/// The table of a case, and its live rows. With deletion vectors a key has one live row above level 0.
async fn table_of(case: &Case) -> (Fixture, Vec<File>) {
    let mut table = Fixture::new(schema(case.keys, &case.options), &[]).await;
    let has = |option| case.options.contains(&option);
    table.thin = has(("data-file.thin-mode", "true"));
    table.bitmap64 = case.version_two;
    let vectors = has(("deletion-vectors.enabled", "true"));
    let (mut number, mut files) = (0, Vec::new());
    for (at, run) in case.runs.iter().enumerate() {
        let mut rows = Vec::new();
        for (key, (kind, [g, h], a, x, b)) in &run.rows {
            number += 1;
            let ints = [*g, *h, *a].map(|value| value.map(Datum::Int));
            let [x, b] = [x.map(Datum::Double), b.clone().map(Datum::String)];
            let values = key_values(*key).into_iter().chain(ints).chain([x, b]).collect();
            rows.push(Row { values, number, kind: *kind });
        }
        let schema = Arc::clone(table.store.schema());
        let key = |row: &Row| KeyComparator::of(&schema).ordered(&key_of(&schema, row)).unwrap();
        rows.sort_by_cached_key(&key);
        let newer: Vec<usize> =
            case.runs[at + 1..].iter().filter(|r| r.level > 0).flat_map(|r| r.rows.iter().map(|row| row.0)).collect();
        let is_gone = |row: &Row| vectors && run.level > 0 && newer.iter().any(|key| int(*key as i32) == row.values[0]);
        let (low, high) = (run.cuts[0].min(run.cuts[1]).min(rows.len()), run.cuts[0].max(run.cuts[1]).min(rows.len()));
        for part in [&rows[..low], &rows[low..high], &rows[high..]].into_iter().filter(|part| !part.is_empty()) {
            table.write(case.formats[at % case.formats.len()], part).await;
            let (gone, live): (Vec<_>, Vec<_>) = (0_u64..).zip(part.to_vec()).partition(|(_, row)| is_gone(row));
            if !gone.is_empty() {
                table.delete(&gone.iter().map(|(position, _)| *position).collect::<Vec<_>>()).await;
            }
            table.last_file().level = run.level;
            files.push(File { level: run.level, live });
        }
    }
    (table, files)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_rows_that_count_are_merged_whatever_the_engine(case in case()) {
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
            request.memory_bytes = case.memory_bytes;
            let schema = Arc::clone(table.store.schema());
            let engine = OfTable::new(&schema);
            let expected = Model { options: &case.options, request: &request, engine: &engine }.rewrite(&files, case.output);
            match (told(&table, &request).await, expected) {
                // Not compared as they are, because NaN is no NaN.
                (Ok(told), Ok(expected)) => prop_assert_eq!(format!("{told:#?}"), format!("{expected:#?}")),
                (Err(error), Err(())) => prop_assert_eq!(error.kind(), ErrorKind::InvalidInput),
                (told, expected) => prop_assert!(false, "{told:?}, expected {expected:?}"),
            }
            prop_assert!(table.leaves_no_temporary_file().await);
            Ok(())
        })?;
    }
}
