//! Plans of random histories: what the planned files give, merged and filtered by hand, is what all files give.

use std::collections::BTreeMap;

use paimon_spec::{BucketFunction, bucket_of};

use super::*;

const BUCKETS: i32 = 2;
const TOP: i32 = 5;

/// A version of a key.
#[derive(Debug, Clone, Default)]
struct Version {
    sequence: u64,
    deletes: bool,
    amount: Option<f64>,
    p: Option<i32>,
}

/// The versions of each key, oldest first.
type Versions = BTreeMap<i32, Vec<Version>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Deduplicate,
    PartialUpdate,
    Sum,
    FirstRow,
}

impl Engine {
    fn merge(self, mut versions: Vec<Version>) -> Version {
        versions.sort_by_key(|version| version.sequence);
        let lay_over = |old: Version, new: Version| match self {
            Self::Deduplicate => new,
            Self::FirstRow => old,
            Self::PartialUpdate => Version { amount: new.amount.or(old.amount), p: new.p.or(old.p), ..new },
            Self::Sum => {
                let sum = old.amount.zip(new.amount).map(|(old, new)| old + new);
                Version { amount: sum.or(new.amount).or(old.amount), p: new.p.or(old.p), ..new }
            }
        };
        versions.into_iter().reduce(lay_over).unwrap()
    }
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    engine: Engine,
    vectors: bool,
    merge_on_read: bool,
}

impl Kind {
    fn options(self) -> Vec<(&'static str, &'static str)> {
        let engine = match self.engine {
            Engine::Deduplicate => "deduplicate",
            Engine::PartialUpdate => "partial-update",
            Engine::Sum => "aggregation",
            Engine::FirstRow => "first-row",
        };
        let mut options = vec![("merge-engine", engine)];
        if self.engine == Engine::Sum {
            options.push(("fields.amount.aggregate-function", "sum"));
        }
        if self.vectors {
            options.push(("deletion-vectors.enabled", "true"));
        }
        if self.merge_on_read {
            options.push(("deletion-vectors.merge-on-read", "true"));
        }
        options
    }
}

#[derive(Debug, Clone)]
struct File {
    bucket: i32,
    level: i32,
    rows: Vec<(i32, Version)>,
    /// Positions that a deletion vector hides.
    hidden: BTreeSet<usize>,
    has_stats: bool,
    tells_deletes: bool,
}

impl File {
    fn visible(&self) -> impl Iterator<Item = &(i32, Version)> {
        self.rows.iter().enumerate().filter(|(place, _)| !self.hidden.contains(place)).map(|(_, row)| row)
    }

    fn meta(&self, name: &str) -> DataFileMeta {
        let key = |row: Option<&(i32, Version)>| row.unwrap().0;
        let file = keyed_file(name, self.level, (key(self.rows.first()), key(self.rows.last())));
        let deletes = self.rows.iter().filter(|(_, version)| version.deletes).count() as i64;
        let sequences = || self.rows.iter().map(|(_, version)| version.sequence as i64);
        let file = DataFileMeta {
            row_count: self.rows.len() as i64,
            delete_row_count: self.tells_deletes.then_some(deletes),
            min_sequence_number: sequences().min().unwrap(),
            max_sequence_number: sequences().max().unwrap(),
            ..file
        };
        if !self.has_stats {
            return DataFileMeta { key_stats: SimpleStats::empty(), ..file };
        }
        let of = |value: &dyn Fn(&Version) -> Option<Datum>| {
            stats_of(&self.rows.iter().map(|(_, version)| value(version)).collect::<Vec<_>>())
        };
        let amounts = of(&|version| version.amount.map(Datum::Double));
        let ps = of(&|version| version.p.map(Datum::Int));
        with_stats(file, &[("amount", int(TypeKind::Double), amounts), ("p", int(TypeKind::Int), ps)])
    }
}

/// What one step of a history says of each new file.
#[derive(Debug, Clone, Copy)]
struct Look {
    has_stats: bool,
    tells_deletes: bool,
    rows_a_file: usize,
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<(i32, Version)>, Look),
    /// Brings level 0 to level 4, or everything to level 5.
    Compact {
        all: bool,
        look: Look,
    },
}

struct Model {
    kind: Kind,
    files: Vec<File>,
    next_sequence: u64,
}

impl Model {
    fn of(kind: Kind, steps: Vec<Step>) -> Self {
        let mut model = Self { kind, files: Vec::new(), next_sequence: 0 };
        for step in steps {
            match step {
                Step::Write(rows, look) => model.write(rows, look),
                Step::Compact { all, look } => {
                    (0..BUCKETS).for_each(|bucket| model.compact(bucket, all, look));
                }
            }
        }
        model
    }

    fn merged(&self, versions: Versions) -> Vec<(i32, Version)> {
        versions.into_iter().map(|(key, versions)| (key, self.kind.engine.merge(versions))).collect()
    }

    fn write(&mut self, rows: Vec<(i32, Version)>, look: Look) {
        let mut by_bucket: BTreeMap<i32, Versions> = BTreeMap::new();
        for (key, version) in rows {
            let deletes = version.deletes && self.kind.engine == Engine::Deduplicate;
            let version = Version { sequence: self.next_sequence, deletes, ..version };
            self.next_sequence += 1;
            by_bucket.entry(bucket(key)).or_default().entry(key).or_default().push(version);
        }
        for (bucket, versions) in by_bucket {
            let rows = self.merged(versions);
            self.push(bucket, 0, rows, look);
        }
    }

    fn push(&mut self, bucket: i32, level: i32, rows: Vec<(i32, Version)>, look: Look) {
        let Look { has_stats, tells_deletes, .. } = look;
        self.files.push(File { bucket, level, rows, hidden: BTreeSet::new(), has_stats, tells_deletes });
    }

    fn compact(&mut self, bucket: i32, all: bool, look: Look) {
        let (inputs, mut rest): (Vec<File>, Vec<File>) = std::mem::take(&mut self.files)
            .into_iter()
            .partition(|file| file.bucket == bucket && (all || file.level < TOP));
        let mut versions = versions(inputs.iter().flat_map(File::visible));
        // What is on the top level already is looked up, and hidden there.
        for file in rest.iter_mut().filter(|file| file.bucket == bucket) {
            for (place, (key, version)) in file.rows.iter().enumerate() {
                match versions.get_mut(key) {
                    Some(_) if self.kind.engine == Engine::FirstRow => {
                        versions.remove(key);
                    }
                    Some(newer) if self.kind.vectors && file.hidden.insert(place) => newer.push(version.clone()),
                    _ => {}
                }
            }
        }
        let drops_deletes = all || self.kind.vectors;
        let mut rows = self.merged(versions);
        rows.retain(|(_, version)| !(version.deletes && drops_deletes));
        self.files = rest;
        for rows in rows.chunks(look.rows_a_file) {
            self.push(bucket, if all { TOP } else { TOP - 1 }, rows.to_vec(), look);
        }
    }

    /// The rows of all files on some levels.
    fn rows(&self, levels: impl Fn(i32) -> bool) -> Vec<String> {
        let files = self.files.iter().filter(|file| levels(file.level));
        let merged = self.merged(versions(files.flat_map(File::visible)));
        merged
            .into_iter()
            .filter(|(_, version)| !version.deletes)
            .map(row)
            .filter_map(|row| wanted(None, row))
            .collect()
    }

    /// The wanted rows of splits, in any order.
    fn read(&self, splits: &[DataSplit], predicate: Option<&Predicate>) -> Vec<String> {
        let mut found = Vec::new();
        for split in splits {
            let mut rows = Vec::new();
            for (place, meta) in split.files.iter().enumerate() {
                let file = &self.files[meta.file_name.parse::<usize>().unwrap()];
                let whole = 0..file.rows.len() as u64;
                let range = split.rows.get(place).cloned().flatten().unwrap_or(whole);
                let has_vector = split.deletions.get(place).is_some_and(Option::is_some);
                assert_eq!(has_vector, !file.hidden.is_empty());
                let positions = (0..file.rows.len()).filter(|place| range.contains(&(*place as u64)));
                rows.extend(positions.filter(|place| !file.hidden.contains(place)).map(|place| &file.rows[place]));
            }
            let rows = if split.raw_convertible {
                assert!(rows.iter().all(|(_, version)| !version.deletes), "raw files delete nothing");
                rows.into_iter().cloned().collect()
            } else {
                self.merged(versions(rows.into_iter()))
            };
            let rows = rows.into_iter().filter(|(_, version)| !version.deletes);
            found.extend(rows.filter_map(|it| wanted(predicate, row(it))));
        }
        found
    }
}

fn bucket(id: i32) -> i32 {
    bucket_of(BucketFunction::Default, &crate::testkit::key(id), &[DataType::not_null(TypeKind::Int)], BUCKETS).unwrap()
}

fn versions<'a>(rows: impl Iterator<Item = &'a (i32, Version)>) -> Versions {
    let mut versions = Versions::new();
    rows.for_each(|(key, version)| versions.entry(*key).or_default().push(version.clone()));
    versions
}

fn row((key, version): (i32, Version)) -> Row {
    [Some(Datum::Int(key)), None, version.amount.map(Datum::Double), version.p.map(Datum::Int)]
}

fn wanted(predicate: Option<&Predicate>, row: Row) -> Option<String> {
    passes(predicate, &row).then(|| format!("{row:?}"))
}

fn sorted(mut rows: Vec<String>) -> Vec<String> {
    rows.sort_unstable();
    rows
}

fn kinds() -> impl Strategy<Value = Kind> {
    let kind = |engine, vectors, merge_on_read| Kind { engine, vectors, merge_on_read };
    prop::sample::select(vec![
        kind(Engine::Deduplicate, false, false),
        kind(Engine::Deduplicate, true, false),
        kind(Engine::Deduplicate, true, true),
        kind(Engine::PartialUpdate, false, false),
        kind(Engine::PartialUpdate, true, true),
        kind(Engine::Sum, false, false),
        kind(Engine::FirstRow, false, false),
    ])
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let look = (prop::bool::weighted(0.8), prop::bool::weighted(0.6), 1usize..4)
        .prop_map(|(has_stats, tells_deletes, rows_a_file)| Look { has_stats, tells_deletes, rows_a_file });
    let version = (
        prop::bool::weighted(0.3),
        proptest::option::of(prop::sample::select(vec![-3.0, -0.0, 0.0, 1.0, 1.5])),
        proptest::option::of(0i32..3),
    )
        .prop_map(|(deletes, amount, p)| Version { sequence: 0, deletes, amount, p });
    let rows = proptest::collection::vec((-2i32..3, version), 1..4);
    let step = prop_oneof![
        3 => (rows, look.clone()).prop_map(|(rows, look)| Step::Write(rows, look)),
        1 => (any::<bool>(), look).prop_map(|(all, look)| Step::Compact { all, look }),
    ];
    proptest::collection::vec(step, 0..9)
}

/// Two conditions on values, which a row may meet whose values come from two files.
fn of_two_columns() -> impl Strategy<Value = Predicate> {
    (prop::sample::select(vec![-3.0, 0.0, 1.0, 2.0]), 0i32..3).prop_map(|(amount, p)| {
        let amount = Predicate::compare(AMOUNT, CompareOp::Eq, Datum::Double(amount));
        Predicate::and([amount, Predicate::compare(P, CompareOp::Eq, Datum::Int(p))])
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_plan_has_all_that_makes_the_wanted_rows(
        kind in kinds(),
        steps in steps(),
        predicate in proptest::option::of(prop_oneof![2 => conditions().boxed(), 1 => of_two_columns().boxed()]),
        manifest_files in 1usize..4,
        split_target_bytes in prop::sample::select(vec![1, 250, 1_000]),
        read_optimized in prop::bool::weighted(0.2),
        limit in proptest::option::of(0usize..5),
    ) {
        let model = Model::of(kind, steps);
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut options = kind.options();
            options.push(("source.split.open-file-cost", "1b"));
            let mut table = TestTable::create_keyed(&BUCKETS.to_string(), &options).await;
            let entry = |(name, file): (usize, &File)| ManifestEntry {
                bucket: file.bucket,
                total_buckets: BUCKETS,
                ..table.add(&[], file.meta(&name.to_string()))
            };
            let entries: Vec<_> = model.files.iter().enumerate().map(entry).collect();
            let vectors: Vec<_> = entries.iter().zip(&model.files)
                .filter(|(_, file)| !file.hidden.is_empty())
                .map(|(entry, file)| (entry, Some(file.hidden.len() as i64)))
                .collect();
            let index = table.write_deletions(&vectors).await;
            let manifests: Vec<_> = entries.chunks(manifest_files).map(<[_]>::to_vec).collect();
            table.commit_with(&manifests, |snapshot| snapshot.index_manifest = Some(index)).await;

            let skips_level_0 = kind.engine == Engine::FirstRow || (kind.vectors && !kind.merge_on_read);
            let levels = |level| if read_optimized { level == TOP } else { level > 0 || !skips_level_0 };
            let all_rows = sorted(model.rows(levels));
            let request = ScanRequest {
                predicate,
                read_optimized,
                split_target_bytes: Some(split_target_bytes),
                ..ScanRequest::default()
            };
            let predicate = request.predicate.as_ref();
            let plan = planned(&table, &request).await;
            let found = sorted(model.read(&plan.splits, predicate));
            let all = planned(&table, &ScanRequest { predicate: None, ..request.clone() }).await;
            prop_assert_eq!(&sorted(model.read(&all.splits, None)), &all_rows);
            prop_assert_eq!(&found, &sorted(model.read(&all.splits, predicate)));

            let mut of_shards = Vec::new();
            for index in 0..3 {
                let slice = Some(Slice::Shard { index, total: 3 });
                let shard = planned(&table, &ScanRequest { slice, ..request.clone() }).await;
                of_shards.extend(model.read(&shard.splits, predicate));
            }
            prop_assert_eq!(&sorted(of_shards), &found);

            let limited = planned(&table, &ScanRequest { limit, ..request.clone() }).await;
            let some = model.read(&limited.splits, predicate);
            prop_assert!(some.len() >= found.len().min(limit.unwrap_or(usize::MAX)));
            prop_assert!(some.iter().all(|row| found.contains(row)));

            if !read_optimized && let Some(rows) = count_rows(&table.store, &ReadPoint::Latest, None).await.unwrap() {
                prop_assert_eq!(rows, all_rows.len() as u64);
            }
            Ok(())
        })?;
    }
}
