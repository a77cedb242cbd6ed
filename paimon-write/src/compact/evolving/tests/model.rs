//! A table with BLOB columns, and a naive model of it: rows by their key.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, LargeBinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::TableStore;
use paimon_merge::{ReadRequest, read};
use paimon_scan::{ReadPoint, ScanRequest, live_entries, plan};
use paimon_spec::{
    CommitMessage, CompactTask, DataField, DataFileMeta, DataType, FieldId, ROW_ID, ROW_ID_ID, Result, Schema,
    SchemaChange, TypeKind, row_groups,
};

use crate::testing::request;
use crate::tests::stores::{create, open};
use crate::{
    CommitMode, Committed, CompactRequest, Compacted, TableUpdate, TableWriter, WriteOptions, commit,
    commit_compaction, compact, plan_compaction, run_task,
};

/// A row without its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    p: i32,
    n: Option<i32>,
    s: Option<String>,
    b: Option<Vec<u8>>,
    d: Option<Vec<u8>>,
}

pub(super) type Rows = BTreeMap<i32, Row>;

/// Rows of some keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pick {
    pub(super) modulus: i32,
    pub(super) remainder: i32,
}

impl Pick {
    pub(super) const ALL: Self = Self { modulus: 1, remainder: 0 };
}

/// What somebody does to rows. New rows of one commit are all of one partition: their ids follow one another.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Append(i32),
    Update(Vec<&'static str>, Pick),
    Delete(Pick),
}

/// `k INT`, `p INT` (the partition, when asked for), `n INT`, `s STRING`, `b BLOB`, and options; `d BLOB` is added later.
pub(super) fn evolving(partitioned: bool, options: &[(&str, &str)]) -> Schema {
    let int = || DataType::nullable(TypeKind::Int);
    let enabled =
        ["row-tracking.enabled", "data-evolution.enabled", "deletion-vectors.enabled"].map(|key| (key, "true"));
    Schema {
        fields: vec![
            DataField::new(0, "k", int()),
            DataField::new(1, "p", int()),
            DataField::new(2, "n", int()),
            DataField::new(3, "s", DataType::string()),
            DataField::new(4, "b", DataType::nullable(TypeKind::Blob)),
        ],
        partition_keys: if partitioned { vec!["p".to_owned()] } else { Vec::new() },
        options: enabled.iter().chain(options).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..Schema::default()
    }
}

/// A table, and what should be in it.
pub(super) struct Table {
    pub(super) memory: Arc<InMemory>,
    pub(super) store: TableStore,
    pub(super) rows: Rows,
    /// Row ids that rows had when they were read first.
    ids: BTreeMap<i32, i64>,
    /// The rows of each snapshot, from the first.
    seen: Vec<Rows>,
    next_key: i32,
    version: i32,
}

impl Table {
    pub(super) async fn new(schema: Schema) -> Self {
        let memory = Arc::new(InMemory::new());
        let store = create(Arc::clone(&memory) as Arc<dyn ObjectStore>, schema).await;
        let (rows, ids) = (Rows::new(), BTreeMap::new());
        Self { memory, store, rows, ids, seen: Vec::new(), next_key: 0, version: 0 }
    }

    pub(super) async fn append(&mut self, rows: i32) {
        self.change(&Change::Append(rows)).await;
    }

    pub(super) async fn update(&mut self, columns: &[&'static str], pick: Pick) {
        self.change(&Change::Update(columns.to_vec(), pick)).await;
    }

    pub(super) async fn delete(&mut self, pick: Pick) {
        self.change(&Change::Delete(pick)).await;
    }

    async fn change(&mut self, change: &Change) {
        let (messages, after) = self.prepare(change).await;
        let _ = self.publish(&messages).await.unwrap();
        self.now(after).await;
    }

    /// New rows in files that say how new they are, whatever the commit's number is.
    pub(super) async fn append_numbered(&mut self, rows: i32, number: i64) {
        let (mut messages, after) = self.prepare(&Change::Append(rows)).await;
        for file in messages.iter_mut().flat_map(|message| &mut message.new_files) {
            (file.min_sequence_number, file.max_sequence_number) = (number, number);
        }
        let _ = self.publish(&messages).await.unwrap();
        self.now(after).await;
    }

    /// What a change is to commit, and the rows then.
    pub(super) async fn prepare(&mut self, change: &Change) -> (Vec<CommitMessage>, Rows) {
        self.version += 1;
        let mut after = self.rows.clone();
        let picked = |pick: &Pick| -> Vec<i32> {
            self.rows.keys().copied().filter(|key| key % pick.modulus == pick.remainder % pick.modulus).collect()
        };
        let ids = |keys: &[i32]| -> Vec<i64> { keys.iter().map(|key| self.ids[key]).collect() };
        let messages = match change {
            Change::Append(rows) => {
                let keys = self.next_key..self.next_key + rows;
                self.next_key = keys.end;
                let all: Vec<FieldId> = self.store.schema().fields.iter().map(|field| field.id).collect();
                for key in keys.clone() {
                    let row = Row { p: (self.version / 3) % 2, n: None, s: None, b: None, d: None };
                    after.insert(key, self.new_values(row, key, &all));
                }
                let batch = self.batch(&keys.map(|key| (key, &after[&key])).collect::<Vec<_>>(), &all);
                let mut writer = TableWriter::open(self.store.clone(), WriteOptions::default()).await.unwrap();
                writer.write(&batch).await.unwrap();
                writer.prepare_commit().await.unwrap()
            }
            Change::Update(columns, pick) => {
                let keys = picked(pick);
                let fields = self.store.schema().fields.iter();
                let fields: Vec<_> = fields.filter(|field| columns.contains(&field.name.as_str())).collect();
                let places: Vec<FieldId> = fields.iter().map(|field| field.id).collect();
                for key in &keys {
                    let row = self.new_values(after[key].clone(), *key, &places);
                    after.insert(*key, row);
                }
                let batch = self.batch(&keys.iter().map(|key| (*key, &after[key])).collect::<Vec<_>>(), &places);
                let row_ids: ArrayRef = Arc::new(Int64Array::from(ids(&keys)));
                let names: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
                let columns = names.iter().cloned().zip(batch.columns().to_vec());
                let columns = columns.chain([(ROW_ID.to_owned(), row_ids)]).map(|(name, column)| (name, column, true));
                let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
                if names.is_empty() {
                    return (Vec::new(), after);
                }
                let update = TableUpdate::open(self.store.clone()).await.unwrap();
                update.update_columns(&names, &[batch]).await.unwrap()
            }
            Change::Delete(pick) => {
                let keys = picked(pick);
                keys.iter().for_each(|key| drop(after.remove(key)));
                TableUpdate::open(self.store.clone()).await.unwrap().delete_rows(&ids(&keys)).await.unwrap()
            }
        };
        (messages, after)
    }

    fn new_values(&self, row: Row, key: i32, fields: &[FieldId]) -> Row {
        let version = self.version;
        let blob = |letter: char| ((version + key) % 4 > 0).then(|| format!("{letter}{version}-{key}").into_bytes());
        let mut row = row;
        for field in fields {
            match field {
                2 => row.n = ((version + key) % 5 > 0).then_some(version * 1000 + key),
                3 => row.s = ((version + key) % 3 > 0).then(|| format!("s{version}-{key}")),
                4 => row.b = blob('b'),
                5 => row.d = blob('d'),
                _ => {}
            }
        }
        row
    }

    /// Columns of rows, by the ids of their fields.
    fn batch(&self, rows: &[(i32, &Row)], fields: &[FieldId]) -> RecordBatch {
        let column = |field: &FieldId| -> ArrayRef {
            match field {
                0 => Arc::new(rows.iter().map(|(key, _)| Some(*key)).collect::<Int32Array>()),
                1 => Arc::new(rows.iter().map(|(_, row)| Some(row.p)).collect::<Int32Array>()),
                2 => Arc::new(rows.iter().map(|(_, row)| row.n).collect::<Int32Array>()),
                3 => Arc::new(rows.iter().map(|(_, row)| row.s.clone()).collect::<StringArray>()),
                4 => Arc::new(rows.iter().map(|(_, row)| row.b.clone()).collect::<LargeBinaryArray>()),
                _ => Arc::new(rows.iter().map(|(_, row)| row.d.clone()).collect::<LargeBinaryArray>()),
            }
        };
        let name = |field: &FieldId| self.store.schema().field_by_id(*field).unwrap().name.clone();
        let columns = fields.iter().map(|field| (name(field), column(field), true));
        if fields.is_empty() {
            return RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::empty()));
        }
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    pub(super) async fn publish(&self, messages: &[CommitMessage]) -> Result<Committed> {
        commit(&self.store, &request(&self.store, CommitMode::Append).await, messages).await
    }

    /// These are the rows of all snapshots that were not seen yet, and now.
    pub(super) async fn now(&mut self, rows: Rows) {
        let latest = self.store.latest_snapshot().await.unwrap().map_or(0, |snapshot| snapshot.id as usize);
        self.seen.resize(latest, rows.clone());
        self.rows = rows;
        for (key, (id, _)) in self.read_at(ReadPoint::Latest).await {
            assert_eq!(*self.ids.entry(key).or_insert(id), id, "the row {key} has another id");
        }
    }

    pub(super) async fn compact(&mut self, full: bool) -> Compacted {
        let wanted = CompactRequest { full, ..CompactRequest::default() };
        let commit = request(&self.store, CommitMode::Append).await;
        let compacted = compact(&self.store, &wanted, &commit, &|_| {}).await.unwrap();
        self.now(self.rows.clone()).await;
        compacted
    }

    /// Tasks that were carried out, and what is to be published of them.
    pub(super) async fn compacting(&self, full: bool) -> (Vec<CompactTask>, Vec<Vec<CommitMessage>>) {
        let wanted = CompactRequest { full, ..CompactRequest::default() };
        let tasks = plan_compaction(&self.store, &wanted).await.unwrap().tasks;
        let mut done = Vec::new();
        for task in &tasks {
            done.push(run_task(&self.store, task, None).await.unwrap());
        }
        (tasks, done)
    }

    pub(super) async fn publish_compaction(&self, done: &[Vec<CommitMessage>]) -> Compacted {
        let commit = request(&self.store, CommitMode::Append).await;
        commit_compaction(&self.store, &commit, done, false).await.unwrap()
    }

    pub(super) async fn add_column(&mut self, name: &str) {
        self.alter(&[SchemaChange::AddColumn {
            path: vec![name.to_owned()],
            data_type: DataType::nullable(TypeKind::Blob),
            description: None,
            position: None,
        }])
        .await;
    }

    pub(super) async fn alter(&mut self, changes: &[SchemaChange]) {
        let schema = self.store.schema().apply(changes, true, 0).unwrap();
        let _ = self.store.commit_schema(&schema).await.unwrap();
        self.store = self.store.with_schema(Arc::new(schema));
    }

    /// The files of the latest snapshot.
    pub(super) async fn live(&self) -> Vec<DataFileMeta> {
        live(&self.store).await
    }

    /// Reads everything again, as another process.
    pub(super) async fn check(&self) {
        let other = open(Arc::clone(&self.memory) as Arc<dyn ObjectStore>, 1 << 30).await;
        let reader = Self { store: other, ..self.without_rows() };
        for (id, expected) in (1..).zip(&self.seen) {
            let found = reader.read_at(ReadPoint::Snapshot(id)).await;
            let rows: Rows = found.into_iter().map(|(key, (_, row))| (key, row)).collect();
            assert_eq!(&rows, expected, "snapshot {id}");
        }
        assert_eq!(self.seen.last().unwrap_or(&Rows::new()), &self.rows);
    }

    fn without_rows(&self) -> Self {
        Self {
            memory: Arc::clone(&self.memory),
            store: self.store.clone(),
            rows: Rows::new(),
            ids: BTreeMap::new(),
            seen: Vec::new(),
            next_key: self.next_key,
            version: self.version,
        }
    }

    async fn read_at(&self, at: ReadPoint) -> BTreeMap<i32, (i64, Row)> {
        read_rows(&self.store, at).await
    }
}

pub(super) async fn live(store: &TableStore) -> Vec<DataFileMeta> {
    let Some(snapshot) = store.latest_snapshot().await.unwrap() else { return Vec::new() };
    let entries = live_entries(store, &snapshot, &|_, _| true).await.unwrap();
    entries.into_iter().map(|entry| entry.file).collect()
}

/// Rows by their keys, with their ids.
pub(super) async fn read_rows(store: &TableStore, at: ReadPoint) -> BTreeMap<i32, (i64, Row)> {
    let with_d = store.schema().field_by_id(5).is_some();
    let projection = [0, 1, 2, 3, 4].into_iter().chain(with_d.then_some(5)).chain([ROW_ID_ID]).collect();
    let request = ReadRequest { projection: Some(projection), ..ReadRequest::default() };
    let mut found = BTreeMap::new();
    for split in plan(store, &ScanRequest { at, ..ScanRequest::default() }).await.unwrap().splits {
        row_groups(&split.files).unwrap();
        let batches: Vec<RecordBatch> = read(store, &split, &request).await.unwrap().try_collect().await.unwrap();
        for batch in batches {
            let ints = |column: usize| batch.column(column).as_primitive::<Int32Type>();
            let ids = batch.columns().last().unwrap().as_primitive::<Int64Type>();
            for at in 0..batch.num_rows() {
                let n = ints(2).is_valid(at).then(|| ints(2).value(at));
                let s = batch.column(3).as_string::<i32>();
                let s = s.is_valid(at).then(|| s.value(at).to_owned());
                let b = blob(store, batch.column(4), at).await;
                let d = if with_d { blob(store, batch.column(5), at).await } else { None };
                let row = Row { p: ints(1).value(at), n, s, b, d };
                let before = found.insert(ints(0).value(at), (ids.value(at), row));
                assert!(before.is_none(), "the row {} is there twice", ints(0).value(at));
            }
        }
    }
    found
}

/// The bytes that a descriptor points at, in the table's own files.
async fn blob(store: &TableStore, column: &ArrayRef, at: usize) -> Option<Vec<u8>> {
    let column = column.as_binary::<i64>();
    let descriptor = column.is_valid(at).then(|| column.value(at))?;
    let descriptor = paimon_blob::BlobDescriptor::decode(descriptor).unwrap();
    let file = store.storage().read(&store.storage().relative(descriptor.uri).unwrap()).await.unwrap();
    let start = descriptor.offset as usize;
    Some(file[start..start + descriptor.length.unwrap() as usize].to_vec())
}
