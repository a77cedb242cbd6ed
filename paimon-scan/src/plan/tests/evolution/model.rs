//! Plans of random histories: what the planned files give, pieced together and filtered by hand, is what the table has.

use std::collections::{BTreeMap, HashMap};

use super::*;

/// The columns of the model, and whether images or numbers are in them.
const COLUMNS: [(FieldId, &str); 3] = [(ID, "id"), (AMOUNT, "amount"), (IMAGE, "image")];

/// The values of a row, in the order of [`COLUMNS`].
type Values = [Option<i32>; 3];

/// What is in a data file, from its first row on.
#[derive(Debug, Clone)]
struct Content {
    rows: Range<i64>,
    sequence: i64,
    /// By column; in a `.blob` file, `None` in the place of a value leaves a row to older files.
    columns: BTreeMap<FieldId, Vec<Option<Option<i32>>>>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Rows in one file of columns, with or without amounts, and their images in files of so many rows.
    Append {
        rows: Vec<Values>,
        with_amounts: bool,
        images_a_file: usize,
        partition: i32,
    },
    /// New ids, amounts or both for all rows of a group.
    Update {
        group: usize,
        ids: bool,
        values: Vec<Values>,
    },
    /// New images of some rows of a group; the others in between are left to older files.
    UpdateImages {
        group: usize,
        from: usize,
        values: Vec<Option<Option<i32>>>,
    },
    Delete {
        group: usize,
        row: usize,
    },
    /// Everything of a group but images goes into one file.
    Compact {
        group: usize,
    },
    MergeManifests,
}

/// A group of the model.
#[derive(Debug, Default)]
struct Group {
    first: i64,
    partition: i32,
    rows: Vec<Values>,
    deleted: BTreeSet<usize>,
    files: Vec<ManifestEntry>,
}

struct Model {
    table: TestTable,
    groups: Vec<Group>,
    contents: HashMap<String, Content>,
    next_row: i64,
    snapshot: i64,
}

impl Model {
    async fn new() -> Self {
        let table = TestTable::create_evolving(&["p"], &[]).await;
        Self { table, groups: Vec::new(), contents: HashMap::new(), next_row: 0, snapshot: 0 }
    }

    /// A file with the values of some columns, and their statistics.
    fn file(&mut self, partition: i32, first: i64, columns: &[(FieldId, Vec<Option<Option<i32>>>)]) -> ManifestEntry {
        let is_blob = columns.iter().any(|(field, _)| *field == IMAGE);
        let name = format!("{}{}", self.contents.len(), if is_blob { ".blob" } else { "" });
        let rows = first..first + columns[0].1.len() as i64;
        let named: Vec<_> =
            columns.iter().map(|(id, _)| COLUMNS.iter().find(|(field, _)| field == id).unwrap().1).collect();
        let file = group_file(&name, rows.clone(), self.snapshot, &named);
        let stats: Vec<_> = columns
            .iter()
            .zip(&named)
            .map(|((field, values), name)| {
                let datum = |value: &i32| match *field {
                    AMOUNT => Datum::Double(f64::from(*value)),
                    _ => Datum::Int(*value),
                };
                let values: Vec<_> = values.iter().map(|value| value.flatten().as_ref().map(datum)).collect();
                let kind = if *field == AMOUNT { TypeKind::Double } else { TypeKind::Int };
                (*name, int(kind), stats_of(&values))
            })
            .collect();
        let file = if is_blob { file } else { with_stats(file, &stats) };
        let content = Content { rows, sequence: self.snapshot, columns: columns.iter().cloned().collect() };
        self.contents.insert(name, content);
        self.table.add(&[Some(Datum::Int(partition))], file)
    }

    /// Commits a change of one group, whose index is given.
    async fn change(&mut self, group: usize, added: Vec<ManifestEntry>, deleted: Vec<ManifestEntry>) {
        let group = &mut self.groups[group];
        group.files.retain(|entry| !deleted.contains(entry));
        group.files.extend(added.clone());
        let entries = added.into_iter().chain(deleted.iter().map(delete)).collect();
        self.commit(&[entries]).await;
    }

    async fn commit(&mut self, manifests: &[Vec<ManifestEntry>]) {
        let vectors: Vec<_> = self.groups.iter().filter(|group| !group.deleted.is_empty()).collect();
        let vectors: Vec<_> =
            vectors.into_iter().map(|group| (anchor(&group.files).clone(), Some(group.deleted.len() as i64))).collect();
        let vectors: Vec<_> = vectors.iter().map(|(entry, count)| (entry, *count)).collect();
        let index = self.table.write_deletions(&vectors).await;
        let next_row = self.next_row;
        let edit = |snapshot: &mut Snapshot| {
            snapshot.index_manifest = Some(index);
            snapshot.next_row_id = Some(next_row);
        };
        self.table.commit_with(manifests, edit).await;
    }

    async fn step(&mut self, step: Step) {
        self.snapshot += 1;
        let place = |group: usize, groups: &[Group]| group.checked_rem(groups.len());
        match step {
            Step::Append { rows, with_amounts, images_a_file, partition } => {
                let first = self.next_row;
                self.next_row += rows.len() as i64;
                let values = |at: usize| rows.iter().map(|row| Some(row[at])).collect::<Vec<_>>();
                let mut columns = vec![(ID, values(0))];
                if with_amounts {
                    columns.push((AMOUNT, values(1)));
                }
                let mut added = vec![self.file(partition, first, &columns)];
                let mut at = first;
                for images in values(2).chunks(images_a_file) {
                    added.push(self.file(partition, at, &[(IMAGE, images.to_vec())]));
                    at += images.len() as i64;
                }
                let rows = rows.into_iter().map(|[id, amount, image]| [id, amount.filter(|_| with_amounts), image]);
                self.groups.push(Group { first, partition, rows: rows.collect(), ..Group::default() });
                self.change(self.groups.len() - 1, added, Vec::new()).await;
            }
            Step::Update { group, ids, values } => {
                let Some(at) = place(group, &self.groups) else { return };
                let group = &mut self.groups[at];
                let mut columns: BTreeMap<FieldId, Vec<_>> = BTreeMap::new();
                for (row, values) in group.rows.iter_mut().zip(values.iter().cycle()) {
                    if ids {
                        row[0] = values[0];
                        columns.entry(ID).or_default().push(Some(values[0]));
                    }
                    if !ids || values[2].is_some() {
                        row[1] = values[1];
                    }
                    columns.entry(AMOUNT).or_default().push(Some(row[1]));
                }
                let (partition, first) = (group.partition, group.first);
                let columns: Vec<_> = columns.into_iter().collect();
                let file = self.file(partition, first, &columns);
                self.change(at, vec![file], Vec::new()).await;
            }
            Step::UpdateImages { group, from, values } => {
                let Some(at) = place(group, &self.groups) else { return };
                let group = &mut self.groups[at];
                let from = from % group.rows.len();
                let values = &values[..values.len().min(group.rows.len() - from)];
                for (row, value) in group.rows[from..].iter_mut().zip(values) {
                    row[2] = value.unwrap_or(row[2]);
                }
                let (partition, first) = (group.partition, group.first + from as i64);
                let file = self.file(partition, first, &[(IMAGE, values.to_vec())]);
                self.change(at, vec![file], Vec::new()).await;
            }
            Step::Delete { group, row } => {
                let Some(at) = place(group, &self.groups) else { return };
                let rows = self.groups[at].rows.len();
                self.groups[at].deleted.insert(row % rows);
                self.commit(&[]).await;
            }
            Step::Compact { group } => {
                let Some(at) = place(group, &self.groups) else { return };
                let group = &self.groups[at];
                let values = |at: usize| group.rows.iter().map(|row| Some(row[at])).collect::<Vec<_>>();
                let columns = [(ID, values(0)), (AMOUNT, values(1))];
                let old: Vec<_> = group.files.iter().filter(|entry| !entry.file.is_blob()).cloned().collect();
                let (partition, first) = (group.partition, group.first);
                let file = self.file(partition, first, &columns);
                self.change(at, vec![file], old).await;
            }
            Step::MergeManifests => {
                let live: Vec<_> = self.groups.iter().flat_map(|group| group.files.clone()).collect();
                self.table.merge_manifests(&live).await;
                self.commit(&[]).await;
            }
        }
    }

    /// The rows that are there: ids and values.
    fn rows(&self) -> BTreeMap<i64, (Values, i32)> {
        let rows = self.groups.iter().flat_map(|group| {
            let live = group.rows.iter().enumerate().filter(|(at, _)| !group.deleted.contains(at));
            live.map(|(at, row)| (group.first + at as i64, (*row, group.partition)))
        });
        rows.collect()
    }

    /// The rows that splits give when wanted columns alone are looked at, pieced together.
    fn read(&self, splits: &[DataSplit], wanted: &[FieldId]) -> Vec<(i64, (Values, i32))> {
        let mut read = Vec::new();
        for split in splits {
            let Some(Datum::Int(partition)) = split.partition.get(0, &int(TypeKind::Int)).unwrap() else { panic!() };
            let data = |file: &&DataFileMeta| !file.is_blob();
            let groups: BTreeSet<_> =
                split.files.iter().filter(data).map(|file| (file.first_row_id.unwrap(), file.row_count)).collect();
            for (first, row_count) in groups {
                let places: Vec<usize> = (0..split.files.len())
                    .filter(|at| {
                        let rows = split.files[*at].row_ids().unwrap();
                        first <= rows.start && rows.end <= first + row_count
                    })
                    .collect();
                let columns = places.iter().copied().filter(|at| !split.files[*at].is_blob()).collect::<Vec<_>>();
                let deletion = columns.iter().find_map(|at| split.deletions.get(*at)?.as_ref());
                let group = self.groups.iter().find(|group| group.first == first).unwrap();
                assert_eq!(deletion.is_some(), !group.deleted.is_empty());
                let hidden = if deletion.is_some() { group.deleted.clone() } else { BTreeSet::new() };
                let cut = split.rows.get(columns[0]).cloned().flatten().unwrap_or(0..row_count as u64);
                for row in first + cut.start as i64..first + cut.end as i64 {
                    if hidden.contains(&((row - first) as usize)) {
                        continue;
                    }
                    let value = |field: FieldId| {
                        let files = places.iter().map(|at| &self.contents[&split.files[*at].file_name]);
                        let found = files.filter_map(|content| {
                            let place = usize::try_from(row - content.rows.start).ok()?;
                            let value = (*content.columns.get(&field)?.get(place)?)?;
                            Some((content.sequence, value))
                        });
                        found.max_by_key(|(sequence, _)| *sequence).and_then(|(_, value)| value)
                    };
                    let values = COLUMNS.map(|(field, _)| if wanted.contains(&field) { value(field) } else { None });
                    read.push((row, (values, partition)));
                }
            }
        }
        read
    }
}

/// The file that deletions of a group are attached to.
fn anchor(files: &[ManifestEntry]) -> &ManifestEntry {
    let columns = files.iter().filter(|entry| !entry.file.is_blob());
    columns.min_by_key(|entry| (entry.file.max_sequence_number, entry.file.file_name.clone())).unwrap()
}

fn passes(predicate: Option<&Predicate>, (id, (values, partition)): &(i64, (Values, i32))) -> bool {
    let value = |field: FieldId| match field {
        ID => values[0].map(Datum::Int),
        AMOUNT => values[1].map(|value| Datum::Double(f64::from(value))),
        IMAGE => values[2].map(|value| Datum::Bytes(vec![value as u8])),
        P => Some(Datum::Int(*partition)),
        ROW_ID_ID => Some(Datum::BigInt(*id)),
        _ => None,
    };
    predicate.is_none_or(|predicate| predicate.evaluate(&value) == Some(true))
}

/// The same row, without values that were not asked for.
fn projected((id, (values, partition)): &(i64, (Values, i32)), wanted: &[FieldId]) -> (i64, (Values, i32)) {
    let mut values = *values;
    for (value, (field, _)) in values.iter_mut().zip(COLUMNS) {
        *value = value.filter(|_| wanted.contains(&field));
    }
    (*id, (values, *partition))
}

fn values() -> impl Strategy<Value = Values> {
    let value = || prop::option::weighted(0.8, 0..20_i32);
    (value(), value(), value()).prop_map(|(id, amount, image)| [id, amount, image])
}

fn step() -> impl Strategy<Value = Step> {
    let image = prop::option::weighted(0.7, prop::option::weighted(0.8, 0..20_i32));
    prop_oneof![
        3 => (prop::collection::vec(values(), 1..6), any::<bool>(), 1..4_usize, 0..2_i32).prop_map(
            |(rows, with_amounts, images_a_file, partition)| Step::Append { rows, with_amounts, images_a_file, partition }
        ),
        2 => (0..9_usize, any::<bool>(), prop::collection::vec(values(), 1..4))
            .prop_map(|(group, ids, values)| Step::Update { group, ids, values }),
        1 => (0..9_usize, 0..6_usize, prop::collection::vec(image, 1..4))
            .prop_map(|(group, from, values)| Step::UpdateImages { group, from, values }),
        1 => (0..9_usize, 0..6_usize).prop_map(|(group, row)| Step::Delete { group, row }),
        1 => (0..9_usize).prop_map(|group| Step::Compact { group }),
        1 => Just(Step::MergeManifests),
    ]
}

fn conditions() -> impl Strategy<Value = Predicate> {
    let leaf = prop_oneof![
        3 => (conditions_op(), 0..20_i32).prop_map(|(op, value)| Predicate::compare(ID, op, Datum::Int(value))),
        2 => (conditions_op(), 0..20_i32)
            .prop_map(|(op, value)| Predicate::compare(AMOUNT, op, Datum::Double(f64::from(value)))),
        2 => (conditions_op(), 0..20_i64).prop_map(|(op, id)| row_id(op, id)),
        1 => prop::collection::vec((0..20_i64).prop_map(Datum::BigInt), 0..3)
            .prop_map(|ids| Predicate::leaf(ROW_ID_ID, Test::In(ids))),
        1 => prop::sample::select(vec![ID, AMOUNT, IMAGE]).prop_map(|field| Predicate::leaf(field, Test::IsNull)),
        1 => prop::sample::select(vec![AMOUNT, IMAGE]).prop_map(|field| Predicate::leaf(field, Test::IsNotNull)),
        1 => (0..2_i32).prop_map(|p| Predicate::compare(P, CompareOp::Eq, Datum::Int(p))),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::and),
            prop::collection::vec(inner.clone(), 1..3).prop_map(Predicate::or),
            inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
        ]
    })
}

fn conditions_op() -> impl Strategy<Value = CompareOp> {
    use CompareOp::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    prop::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_planned_files_give_is_what_the_table_has(
        steps in prop::collection::vec(step(), 1..12),
        predicate in prop::option::of(conditions()),
        fields in prop::option::of(prop::sample::subsequence(vec![ID, AMOUNT, IMAGE, ROW_ID_ID], 0..=3)),
        limit in prop::option::of(0..8_usize),
        split_target_bytes in prop::option::of(1..500_u64),
        total in 1..4_u32,
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut model = Model::new().await;
            for step in steps {
                model.step(step).await;
            }
            let all: Vec<_> = model.rows().into_iter().collect();
            let wanted: Vec<_> = all.iter().filter(|row| passes(predicate.as_ref(), row)).collect();
            let every = || COLUMNS.iter().map(|(field, _)| *field).collect();
            let mut columns: Vec<FieldId> = fields.clone().unwrap_or_else(every);
            columns.extend(predicate.iter().flat_map(Predicate::fields));
            let request = ScanRequest { predicate: predicate.clone(), fields, split_target_bytes, ..ScanRequest::default() };
            let expected: Vec<_> = wanted.iter().map(|row| projected(row, &columns)).collect();

            let plan = planned(&model.table, &request).await;
            let mut found = model.read(&plan.splits, &columns);
            found.retain(|row| passes(predicate.as_ref(), row));
            found.sort_unstable();
            prop_assert_eq!(&found, &expected);
            for split in &plan.splits {
                let columns = split.files.iter().filter(|file| !file.is_blob());
                let groups: BTreeSet<_> = columns.map(|file| file.first_row_id).collect();
                prop_assert_eq!(split.raw_convertible, groups.len() == split.files.len());
                prop_assert_eq!(split.merged_row_count(), Some(model.read(std::slice::from_ref(split), &[]).len() as i64));
            }

            // Shards are disjoint and complete, slices are exact.
            let mut shards = Vec::new();
            for index in 0..total {
                let slice = Some(Slice::Shard { index, total });
                let plan = planned(&model.table, &ScanRequest { slice, ..request.clone() }).await;
                shards.extend(model.read(&plan.splits, &columns));
            }
            shards.retain(|row| passes(predicate.as_ref(), row));
            shards.sort_unstable();
            prop_assert_eq!(&shards, &expected);

            let counted = count_rows(&model.table.store, &ReadPoint::Latest, None).await.unwrap();
            prop_assert_eq!(counted, Some(all.len() as u64));

            let limited = planned(&model.table, &ScanRequest { limit, ..request.clone() }).await;
            let found = model.read(&limited.splits, &columns);
            let found = found.iter().filter(|row| passes(predicate.as_ref(), row)).count();
            prop_assert!(found >= wanted.len().min(limit.unwrap_or(usize::MAX)));
            Ok(())
        })?;
    }
}
