//! A primary-key table in memory, what its rows should be, and what can be asked of it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int8Type, Int32Type, Int64Type};
use futures::TryStreamExt;
use paimon_io::TableStore;
use paimon_merge::{KeyedLayout, ReadRequest, read, read_unmerged};
use paimon_scan::{ReadPoint, ScanRequest, live_entries, plan};
use paimon_spec::{
    CommitMessage, DELETION_VECTORS, DataSplit, KeyComparator, ManifestEntry, RowKind, Schema, Snapshot, are_disjoint,
};

use crate::testing::{keyed, request};
use crate::{CommitMode, CompactRequest, Compacted, TableWriter, WriteOptions, commit, compact};

/// What a row has beside its key.
pub(super) type Values = (Option<String>, Option<i32>);

/// The values of each key that is there.
pub(super) type State = BTreeMap<i64, Values>;

/// What one commit does to each key: new values, or none.
pub(super) type Changes = BTreeMap<i64, Option<Values>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Deduplicate,
    /// The row with the greatest `n`.
    Greatest,
    FirstRow,
    PartialUpdate,
    Aggregation,
}

impl Engine {
    pub(super) fn options(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Deduplicate => &[],
            Self::Greatest => &[("sequence.field", "n")],
            Self::FirstRow => &[("merge-engine", "first-row")],
            Self::PartialUpdate => &[("merge-engine", "partial-update")],
            Self::Aggregation => &[("merge-engine", "aggregation"), ("fields.n.aggregate-function", "sum")],
        }
    }

    pub(super) fn takes_deletes(self) -> bool {
        self == Self::Deduplicate
    }

    /// What becomes of a state by the rows of one commit.
    pub(super) fn apply(self, state: &mut State, changes: &Changes) {
        for (key, change) in changes {
            let Some((v, n)) = change.clone() else {
                state.remove(key);
                continue;
            };
            let Some(there) = state.get_mut(key) else {
                state.insert(*key, (v, n));
                continue;
            };
            match self {
                Self::FirstRow => {}
                Self::Deduplicate => *there = (v, n),
                Self::Greatest if n >= there.1 => *there = (v, n),
                Self::Greatest => {}
                Self::PartialUpdate => *there = (v.or(there.0.take()), n.or(there.1)),
                Self::Aggregation => {
                    let sum = match (there.1, n) {
                        (Some(a), Some(b)) => Some(a + b),
                        (a, b) => a.or(b),
                    };
                    *there = (v.or(there.0.take()), sum);
                }
            }
        }
    }
}

pub(super) fn schema(options: &[(&str, &str)]) -> Schema {
    keyed(false, options)
}

pub(super) fn batch(changes: &Changes) -> RecordBatch {
    let values = |change: &Option<Values>| change.clone().unwrap_or_default();
    let p: ArrayRef = Arc::new(Int32Array::from(vec![0; changes.len()]));
    let k: ArrayRef = Arc::new(changes.keys().copied().map(Some).collect::<Int64Array>());
    let v: ArrayRef = Arc::new(changes.values().map(|change| values(change).0).collect::<StringArray>());
    let n: ArrayRef = Arc::new(changes.values().map(|change| values(change).1).collect::<Int32Array>());
    let kinds = changes.values().map(|change| Some(if change.is_some() { "+I" } else { "-D" }));
    let kinds: ArrayRef = Arc::new(kinds.collect::<StringArray>());
    let columns = [("p", p, true), ("k", k, true), ("v", v, true), ("n", n, true), ("kind", kinds, true)];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

pub(super) async fn prepare(table: &TableStore, changes: &Changes) -> paimon_spec::Result<Vec<CommitMessage>> {
    let options = WriteOptions { row_kind_column: Some("kind".into()), ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.clone(), options).await?;
    writer.write(&batch(changes)).await?;
    writer.prepare_commit().await
}

/// Writes and commits, and does not compact.
pub(super) async fn upsert(table: &TableStore, changes: &Changes) -> Vec<CommitMessage> {
    let messages = prepare(table, changes).await.unwrap();
    commit(table, &request(table, CommitMode::Append).await, &messages).await.map(drop).unwrap();
    messages
}

pub(super) async fn compacted(table: &TableStore, full: bool) -> Compacted {
    let request = request(table, CommitMode::Append).await;
    compact(table, &CompactRequest { full, ..CompactRequest::default() }, &request, &|_| {}).await.unwrap()
}

/// The rows of a state; a key that is there twice is an error.
pub(super) async fn rows_at(table: &TableStore, at: ReadPoint) -> State {
    let mut state = State::new();
    let scan = ScanRequest { at, ..ScanRequest::default() };
    for split in plan(table, &scan).await.unwrap().splits {
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            for (key, values) in values_of(&batch, 0) {
                let twice = state.insert(key, values);
                assert!(twice.is_none(), "key {key} is there twice");
            }
        }
    }
    state
}

pub(super) async fn rows(table: &TableStore) -> State {
    rows_at(table, ReadPoint::Latest).await
}

/// Keys and values of a batch whose columns `p`, `k`, `v`, `n` begin at `first`.
fn values_of(batch: &RecordBatch, first: usize) -> Vec<(i64, Values)> {
    let k = batch.column(first + 1).as_primitive::<Int64Type>();
    let v = batch.column(first + 2).as_string::<i32>();
    let n = batch.column(first + 3).as_primitive::<Int32Type>();
    let v = |row| (!v.is_null(row)).then(|| v.value(row).to_owned());
    let n = |row| (!n.is_null(row)).then(|| n.value(row));
    (0..batch.num_rows()).map(|row| (k.value(row), (v(row), n(row)))).collect()
}

pub(super) async fn entries(table: &TableStore, snapshot: &Snapshot) -> Vec<ManifestEntry> {
    live_entries(table, snapshot, &|_, _| true).await.unwrap()
}

/// Applies the changes that a snapshot tells to `told`, each of which must fit what is there.
pub(super) async fn listen(table: &TableStore, snapshot: &Snapshot, told: &mut State) {
    let Some(list) = &snapshot.changelog_manifest_list else { return };
    let mut entries = Vec::new();
    for manifest in table.manifest_list(list, snapshot.changelog_manifest_list_size).await.unwrap().iter() {
        let mut visit = |entry: ManifestEntry| {
            entries.push(entry);
            Ok(())
        };
        table.read_manifest(manifest, &mut |_| true, &mut visit).await.unwrap();
    }
    let rows: i64 = entries.iter().map(|entry| entry.file.row_count).sum();
    assert_eq!(snapshot.changelog_record_count, Some(rows));
    let schema = table.schema();
    let all: Vec<_> = schema.fields.iter().map(|field| field.id).collect();
    let layout = Arc::new(KeyedLayout::new(schema, &all).unwrap());
    let first = layout.schema().fields().len() - schema.fields.len();
    for entry in entries {
        let split = DataSplit {
            snapshot_id: snapshot.id,
            bucket_path: table.bucket_path(&entry.partition, entry.bucket).unwrap(),
            partition: entry.partition,
            bucket: entry.bucket,
            total_buckets: Some(entry.total_buckets),
            files: vec![entry.file],
            deletions: Vec::new(),
            raw_convertible: true,
            rows: Vec::new(),
        };
        let batches = read_unmerged(table, &split, &layout, 1 << 20).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let kinds = batch.column(KeyedLayout::KIND).as_primitive::<Int8Type>().values().to_vec();
            for ((key, values), kind) in values_of(&batch, first).into_iter().zip(kinds) {
                let kind = RowKind::from_code(kind).unwrap();
                match kind {
                    RowKind::Insert => assert_eq!(told.insert(key, values), None, "+I of {key}"),
                    RowKind::UpdateAfter => assert_eq!(told.insert(key, values), None, "+U of {key} without -U"),
                    RowKind::UpdateBefore | RowKind::Delete => {
                        assert_eq!(told.remove(&key), Some(values), "{kind:?} of {key}");
                    }
                }
            }
        }
    }
}

/// What must hold for the files of any state.
pub(super) async fn check_files(table: &TableStore, snapshot: &Snapshot) {
    let entries = entries(table, snapshot).await;
    let keys = KeyComparator::of(table.schema());
    let rows: i64 = entries.iter().map(|entry| entry.file.row_count).sum();
    assert_eq!(snapshot.total_record_count, Some(rows));
    let mut levels: BTreeMap<(i32, i32), Vec<&ManifestEntry>> = BTreeMap::new();
    for entry in &entries {
        levels.entry((entry.bucket, entry.file.level)).or_default().push(entry);
        let path = format!("{}/{}", table.bucket_path(&entry.partition, entry.bucket).unwrap(), entry.file.file_name);
        assert!(table.storage().exists(&path).await.unwrap(), "{path} is gone");
    }
    for ((bucket, level), entries) in levels.into_iter().filter(|((_, level), _)| *level > 0) {
        let files: Vec<_> = entries.into_iter().map(|entry| entry.file.clone()).collect();
        assert!(are_disjoint(&files, &keys).unwrap(), "files of level {level} of bucket {bucket} overlap");
    }
    let Some(name) = &snapshot.index_manifest else { return };
    let live: HashSet<(i32, &str)> =
        entries.iter().map(|entry| (entry.bucket, entry.file.file_name.as_str())).collect();
    let mut buckets = HashSet::new();
    for entry in table.index_manifest(name).await.unwrap().iter() {
        assert_eq!(entry.index_type, DELETION_VECTORS);
        assert!(buckets.insert(entry.bucket), "bucket {} has two files of deletion vectors", entry.bucket);
        for vector in entry.deletion_vectors.as_ref().unwrap() {
            let file = (entry.bucket, vector.data_file_name.as_str());
            assert!(live.contains(&file), "{} has deletions, but is no file of the table", vector.data_file_name);
            assert!(vector.cardinality.unwrap() > 0);
        }
    }
}

/// Levels of the files of the latest snapshot, ascending.
pub(super) async fn levels(table: &TableStore) -> Vec<i32> {
    let Some(snapshot) = table.latest_snapshot().await.unwrap() else { return Vec::new() };
    let mut levels: Vec<i32> = entries(table, &snapshot).await.into_iter().map(|entry| entry.file.level).collect();
    levels.sort_unstable();
    levels
}
