//! `NativeTable`: one table at one schema, and what can be done with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::compute::concat;
use paimon_io::{FileSnapshotCommit, Storage, TableStore, arrow_schema, constant_array};
use paimon_merge::{ReadRequest, same_by_name};
use paimon_scan::{Plan, ReadPoint, ScanRequest, count_rows, plan, resolve};
use paimon_spec::{
    DataField, DataSplit, Error, FieldId, Result, SchemaChange, Snapshot, TableSchema, Tag, TypeKind, validate_name,
};
use paimon_write::{CommitMode, CommitRequest, Committed, WriteOptions};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::context::{adapt_context, local_offset_millis, local_text_to_millis};
use crate::errors::OrRaise;
use crate::options::without_secrets;
use crate::plan::{NativePlan, NativeSplit};
use crate::predicate::NativePredicate;
use crate::runtime::{Process, block_on};
use crate::schema::{NativeSchema, schema_text};
use crate::stream::{NativeBatch, NativeStream, Reading};
use crate::write::{NativeCommitMessage, NativeWriter};

/// Options that choose a read point.
const TRAVEL_OPTIONS: [&str; 6] =
    ["scan.snapshot-id", "scan.tag-name", "scan.timestamp", "scan.timestamp-millis", "scan.version", "scan.watermark"];

/// Options that say where the table's files are: no dynamic option may change them.
const FIXED_OPTIONS: [&str; 3] = ["bucket", "path", "data-file.path-directory"];

/// A table with one schema and its dynamic options. Never changes.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeTable {
    pub(crate) store: TableStore,
    catalog_options: BTreeMap<String, String>,
    branch: Option<String>,
    /// Options that `copy` set or removed, on top of the stored ones.
    dynamic: BTreeMap<String, Option<String>>,
    pin: Option<Pin>,
}

/// The one state that a table reads, whatever is committed later.
#[derive(Debug, Clone, Copy)]
struct Pin {
    /// `None`: the empty state before the first snapshot.
    snapshot_id: Option<i64>,
    at_millis: i64,
}

impl NativeTable {
    pub(crate) fn new(store: TableStore, catalog_options: BTreeMap<String, String>, branch: Option<String>) -> Self {
        Self { store, catalog_options, branch, dynamic: BTreeMap::new(), pin: None }
    }

    fn with(&self, store: TableStore, pin: Option<Pin>) -> Self {
        Self {
            store,
            catalog_options: self.catalog_options.clone(),
            branch: self.branch.clone(),
            dynamic: self.dynamic.clone(),
            pin,
        }
    }

    /// What it takes to find this table's snapshot, to be used off the Python thread.
    fn reader(&self, py: Python<'_>) -> PyResult<SnapshotReader> {
        SnapshotReader::new(py, self.store.clone(), self.pin)
    }

    fn fields(&self, columns: Option<&[String]>) -> Result<Vec<DataField>> {
        let schema = self.store.schema();
        let Some(columns) = columns else { return Ok(schema.fields.clone()) };
        let field = |name: &String| {
            let known = || schema.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
            schema.field(name).cloned().ok_or_else(|| {
                Error::invalid(format!("column '{name}' does not exist; the table has: {}", known()))
                    .with_context("column", name)
            })
        };
        columns.iter().map(field).collect()
    }

    fn reading(
        &self,
        splits: &[PyRef<'_, NativeSplit>],
        columns: Option<&[String]>,
        predicate: Option<&NativePredicate>,
        limit: Option<usize>,
        batch_rows: Option<usize>,
        parallelism: usize,
    ) -> Result<Reading> {
        let fields = self.fields(columns)?;
        Ok(Reading {
            schema: arrow_schema(&fields)?,
            store: self.store.clone(),
            splits: splits.iter().map(|split| split.split.clone()).collect(),
            request: ReadRequest {
                projection: Some(fields.iter().map(|field| field.id).collect()),
                predicate: predicate.map(|predicate| predicate.predicate.clone()),
                limit,
                batch_rows,
            },
            parallelism,
        })
    }
}

#[pymethods]
impl NativeTable {
    #[staticmethod]
    #[pyo3(signature = (location, catalog_options, schema_json=None, branch=None))]
    fn open(
        py: Python<'_>,
        location: String,
        catalog_options: BTreeMap<String, String>,
        schema_json: Option<&str>,
        branch: Option<String>,
    ) -> PyResult<Self> {
        let flag = |key: &str| catalog_options.get(key).and_then(|text| text.trim().to_ascii_lowercase().parse().ok());
        let context = adapt_context(Process::current()?.context(), flag);
        let schema = schema_json.map(|text| TableSchema::from_json(text.as_bytes())).transpose().or_raise(py)?;
        let (options, on_branch) = (catalog_options.clone(), branch.clone());
        let store = block_on(py, async move {
            let storage = Storage::open(&location, &options, &context)?;
            let committer = Arc::new(FileSnapshotCommit);
            match schema {
                Some(schema) => TableStore::new(storage, Arc::new(schema), on_branch.as_deref(), committer, context),
                None => TableStore::open(storage, on_branch.as_deref(), committer, context).await,
            }
        })?;
        Ok(Self::new(store, catalog_options, branch))
    }

    /// `open`, with a pin as `__reduce__` gives it.
    #[new]
    #[pyo3(signature = (location, catalog_options, schema_json, branch=None, dynamic=BTreeMap::new(), pin=None))]
    fn py_new(
        py: Python<'_>,
        location: String,
        catalog_options: BTreeMap<String, String>,
        schema_json: &str,
        branch: Option<String>,
        dynamic: BTreeMap<String, Option<String>>,
        pin: Option<(Option<i64>, i64)>,
    ) -> PyResult<Self> {
        let table = Self::open(py, location, catalog_options, Some(schema_json), branch)?;
        let pin = pin.map(|(snapshot_id, at_millis)| Pin { snapshot_id, at_millis });
        Ok(Self { dynamic, pin, ..table })
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let table = slf.get();
        let pin = table.pin.map(|pin| (pin.snapshot_id, pin.at_millis));
        let options = without_secrets(table.catalog_options.clone());
        let (branch, dynamic) = (table.branch.clone(), table.dynamic.clone());
        let arguments = (table.location(), options, table.schema_json(slf.py())?, branch, dynamic, pin);
        (slf.get_type(), arguments).into_pyobject(slf.py())
    }

    #[getter]
    fn location(&self) -> String {
        self.store.storage().root_url()
    }

    #[getter]
    fn branch(&self) -> Option<String> {
        self.branch.clone()
    }

    #[getter]
    fn pinned(&self) -> bool {
        self.pin.is_some()
    }

    fn catalog_options(&self) -> BTreeMap<String, String> {
        self.catalog_options.clone()
    }

    fn schema_json(&self, py: Python<'_>) -> PyResult<String> {
        schema_text(self.store.schema()).or_raise(py)
    }

    fn arrow_schema(&self, py: Python<'_>) -> PyResult<NativeSchema> {
        Ok(NativeSchema(arrow_schema(&self.store.schema().fields).or_raise(py)?))
    }

    fn latest_schema_json(&self, py: Python<'_>) -> PyResult<String> {
        let store = self.store.clone();
        block_on(py, async move {
            let schema = latest_schema(&store).await?;
            schema_text(&schema)
        })
    }

    fn copy(&self, py: Python<'_>, options: BTreeMap<String, Option<String>>) -> PyResult<Self> {
        let changed = changed_options(self.store.schema(), options).or_raise(py)?;
        if changed.is_empty() {
            return Ok(self.with(self.store.clone(), self.pin));
        }
        let dynamic = self.dynamic.clone().into_iter().chain(changed.clone()).collect();
        let branch = changed.get("branch").cloned();
        let travels = changed.keys().any(|key| TRAVEL_OPTIONS.contains(&key.as_str()));
        let schema = with_options(self.store.schema(), changed).or_raise(py)?;
        let store = match &branch {
            None => self.store.with_schema(Arc::new(schema)),
            Some(branch) => {
                let (store, branch) = (self.store.clone(), branch.clone());
                block_on(py, async move { on_branch(&store, branch.as_deref(), &schema).await })?
            }
        };
        let table = Self {
            branch: branch.unwrap_or_else(|| self.branch.clone()),
            dynamic,
            ..self.with(store, self.pin.filter(|_| !travels))
        };
        if !travels {
            return Ok(table);
        }
        let reader = table.reader(py)?;
        let store = block_on(py, async move { reader.travelled().await })?;
        Ok(Self { store, ..table })
    }

    fn resolve<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let reader = self.reader(py)?;
        let snapshot = block_on(py, async move { reader.snapshot().await })?;
        snapshot.map(|snapshot| snapshot_dict(py, &snapshot)).transpose()
    }

    fn snapshot<'py>(&self, py: Python<'py>, id: i64) -> PyResult<Option<Bound<'py, PyDict>>> {
        let store = self.store.clone();
        let snapshot = block_on(py, async move { store.snapshot(id).await })?;
        snapshot.map(|snapshot| snapshot_dict(py, &snapshot)).transpose()
    }

    fn latest_snapshot<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let store = self.store.clone();
        let snapshot = block_on(py, async move { store.latest_snapshot().await })?;
        snapshot.map(|snapshot| snapshot_dict(py, &snapshot)).transpose()
    }

    fn snapshot_ids(&self, py: Python<'_>) -> PyResult<Vec<i64>> {
        let store = self.store.clone();
        block_on(py, async move { store.snapshot_ids().await })
    }

    /// Asked of the storage, not of the cache.
    fn has_snapshot(&self, py: Python<'_>, id: i64) -> PyResult<bool> {
        let store = self.store.clone();
        block_on(py, async move { store.storage().exists(&store.paths().snapshot(id)).await })
    }

    fn find_commit(&self, py: Python<'_>, user: String, identifier: i64) -> PyResult<Option<i64>> {
        let store = self.store.clone();
        block_on(py, async move { paimon_write::find_commit(&store, &user, identifier).await })
    }

    fn refresh(&self, py: Python<'_>) -> PyResult<Self> {
        let store = self.store.clone();
        let schema = block_on(py, async move { latest_schema(&store).await })?;
        let schema =
            with_options(&schema, changed_options(&schema, self.dynamic.clone()).or_raise(py)?).or_raise(py)?;
        Ok(self.with(self.store.with_schema(Arc::new(schema)), None))
    }

    #[pyo3(signature = (snapshot_id))]
    fn pin(&self, snapshot_id: Option<i64>) -> Self {
        let at_millis = self.store.context().clock.now_millis();
        self.with(self.store.clone(), Some(Pin { snapshot_id, at_millis }))
    }

    fn identity(&self, py: Python<'_>) -> PyResult<String> {
        let store = self.store.clone();
        block_on(py, async move { store.identity().await })
    }

    fn predicate(&self, py: Python<'_>, tree: &Bound<'_, PyAny>) -> PyResult<NativePredicate> {
        NativePredicate::bind(py, self.store.schema(), tree)
    }

    #[pyo3(signature = (*, predicate=None, filter_is_exact=true, partition_predicate=None, limit=None, buckets=None,
                        split_target_bytes=None))]
    fn plan(
        slf: &Bound<'_, Self>,
        predicate: Option<PyRef<'_, NativePredicate>>,
        filter_is_exact: bool,
        partition_predicate: Option<PyRef<'_, NativePredicate>>,
        limit: Option<usize>,
        buckets: Option<Vec<i32>>,
        split_target_bytes: Option<u64>,
    ) -> PyResult<NativePlan> {
        let reader = slf.get().reader(slf.py())?;
        let request = ScanRequest {
            predicate: predicate.map(|predicate| predicate.predicate.clone()),
            filter_is_exact,
            partition_predicate: partition_predicate.map(|predicate| predicate.predicate.clone()),
            limit,
            buckets,
            split_target_bytes,
            // What is planned is sent to workers: statistics have done their work by then.
            with_stats: false,
            ..ScanRequest::default()
        };
        let planned = block_on(slf.py(), async move { reader.plan(request).await })?;
        NativePlan::new(slf, planned)
    }

    #[pyo3(signature = (splits, *, columns=None, predicate=None, limit=None, batch_rows=None, parallelism=1))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn read(
        &self,
        py: Python<'_>,
        splits: Vec<PyRef<'_, NativeSplit>>,
        columns: Option<Vec<String>>,
        predicate: Option<PyRef<'_, NativePredicate>>,
        limit: Option<usize>,
        batch_rows: Option<usize>,
        parallelism: usize,
    ) -> PyResult<NativeStream> {
        self.reading(&splits, columns.as_deref(), predicate.as_deref(), limit, batch_rows, parallelism)
            .or_raise(py)?
            .stream()
    }

    #[pyo3(signature = (splits, *, columns=None, predicate=None, limit=None, parallelism=1))]
    fn read_all(
        &self,
        py: Python<'_>,
        splits: Vec<PyRef<'_, NativeSplit>>,
        columns: Option<Vec<String>>,
        predicate: Option<PyRef<'_, NativePredicate>>,
        limit: Option<usize>,
        parallelism: usize,
    ) -> PyResult<NativeStream> {
        self.reading(&splits, columns.as_deref(), predicate.as_deref(), limit, None, parallelism)
            .or_raise(py)?
            .collect(py)
    }

    #[pyo3(signature = (partition_predicate=None))]
    fn count_rows(
        &self,
        py: Python<'_>,
        partition_predicate: Option<PyRef<'_, NativePredicate>>,
    ) -> PyResult<Option<u64>> {
        let reader = self.reader(py)?;
        let predicate = partition_predicate.map(|predicate| predicate.predicate.clone());
        block_on(py, async move {
            match reader.read_point().await? {
                Some(at) => count_rows(&reader.store, &at, predicate.as_ref()).await,
                None => Ok(Some(0)),
            }
        })
    }

    #[pyo3(signature = (splits, columns=None))]
    fn native_parquet(
        &self,
        py: Python<'_>,
        splits: Vec<PyRef<'_, NativeSplit>>,
        columns: Option<Vec<String>>,
    ) -> PyResult<Vec<Option<String>>> {
        let fields = self.fields(columns.as_deref()).or_raise(py)?;
        let splits: Vec<_> = splits.iter().map(|split| split.split.clone()).collect();
        let store = self.store.clone();
        block_on(py, async move {
            let mut reasons = Vec::with_capacity(splits.len());
            for split in splits {
                reasons.push(why_not_native(&store, &split, &fields).await?);
            }
            Ok(reasons)
        })
    }

    fn partition_batch(&self, py: Python<'_>, splits: Vec<PyRef<'_, NativeSplit>>) -> PyResult<NativeBatch> {
        let splits: Vec<&DataSplit> = splits.iter().map(|split| split.split.as_ref()).collect();
        Ok(NativeBatch(partition_batch(self.store.schema(), &splits).or_raise(py)?))
    }

    #[pyo3(signature = (memory_bytes=None))]
    fn writer(&self, py: Python<'_>, memory_bytes: Option<u64>) -> PyResult<NativeWriter> {
        NativeWriter::open(py, self.store.clone(), WriteOptions { memory_bytes })
    }

    #[pyo3(signature = (messages, *, user, identifier, mode, partition, partitions, properties, identity))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn commit(
        &self,
        py: Python<'_>,
        messages: Vec<PyRef<'_, NativeCommitMessage>>,
        user: String,
        identifier: i64,
        mode: &str,
        partition: Option<BTreeMap<String, String>>,
        partitions: Option<Vec<BTreeMap<String, String>>>,
        properties: BTreeMap<String, String>,
        identity: String,
    ) -> PyResult<Option<i64>> {
        let mode = match mode {
            "append" => CommitMode::Append,
            "overwrite-dynamic" => CommitMode::OverwriteDynamic,
            "overwrite-static" => CommitMode::OverwriteStatic(partition.unwrap_or_default()),
            "truncate" => CommitMode::Truncate(partitions.unwrap_or_default()),
            other => return Err(Error::invalid(format!("commit mode '{other}' is unknown"))).or_raise(py),
        };
        let request = CommitRequest { user, identifier, mode, properties, table_identity: identity };
        let messages: Vec<_> = messages.iter().map(|message| message.0.as_ref().clone()).collect();
        let store = self.store.clone();
        let committed = block_on(py, async move { paimon_write::commit(&store, &request, &messages).await })?;
        Ok(match committed {
            Committed::Snapshot(id) | Committed::Already(id) => Some(id),
            Committed::Nothing => None,
        })
    }

    fn abort(&self, py: Python<'_>, messages: Vec<PyRef<'_, NativeCommitMessage>>) -> PyResult<()> {
        let messages: Vec<_> = messages.iter().map(|message| message.0.as_ref().clone()).collect();
        let store = self.store.clone();
        block_on(py, async move { paimon_write::abort(&store, &messages).await })
    }

    #[pyo3(signature = (name, snapshot_id, ignore_if_exists, time_retained_millis))]
    fn create_tag(
        &self,
        py: Python<'_>,
        name: String,
        snapshot_id: Option<i64>,
        ignore_if_exists: bool,
        time_retained_millis: Option<i64>,
    ) -> PyResult<()> {
        validate_name("tag", &name).or_raise(py)?;
        let now = self.store.context().clock.now_millis();
        let wall_clock = now + local_offset_millis(py, now)?;
        let store = self.store.clone();
        block_on(py, async move {
            let snapshot = match snapshot_id {
                Some(id) => store.snapshot(id).await?.ok_or_else(|| {
                    Error::not_found(format!("Snapshot with id {id} doesn't exist.")).with_context("snapshot", id)
                })?,
                None => store
                    .latest_snapshot()
                    .await?
                    .ok_or_else(|| Error::invalid("No snapshot exists in this table: there is nothing to tag."))?,
            };
            let tag = Tag {
                snapshot: Snapshot::clone(&snapshot),
                create_time_millis: time_retained_millis.map(|_| wall_clock),
                time_retained_millis,
            };
            match store.create_tag(&name, &tag).await? {
                paimon_io::PutOutcome::AlreadyExists if !ignore_if_exists => {
                    Err(Error::new(paimon_spec::ErrorKind::AlreadyExists, format!("Tag '{name}' already exists."))
                        .with_context("tag", name))
                }
                _ => Ok(()),
            }
        })
    }

    fn delete_tag(&self, py: Python<'_>, name: String) -> PyResult<bool> {
        validate_name("tag", &name).or_raise(py)?;
        let store = self.store.clone();
        block_on(py, async move { store.delete_tag(&name).await })
    }

    fn list_tags(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let store = self.store.clone();
        block_on(py, async move { store.tags().await })
    }

    fn tag<'py>(&self, py: Python<'py>, name: String) -> PyResult<Option<Bound<'py, PyDict>>> {
        validate_name("tag", &name).or_raise(py)?;
        let store = self.store.clone();
        let Some(tag) = block_on(py, async move { store.tag(&name).await })? else { return Ok(None) };
        let fields = snapshot_dict(py, &tag.snapshot)?;
        fields.set_item("tagCreateTime", tag.create_time_millis)?;
        fields.set_item("tagTimeRetained", tag.time_retained_millis)?;
        Ok(Some(fields))
    }

    fn __repr__(&self) -> String {
        let pin = self.pin.map_or(String::new(), |pin| format!(", pinned={:?}", pin.snapshot_id));
        format!("NativeTable(location='{}', schema_id={}{pin})", self.location(), self.store.schema().id)
    }
}

/// Finds the snapshot that a table reads.
struct SnapshotReader {
    store: TableStore,
    pin: Option<Pin>,
    /// Option `scan.timestamp` in milliseconds, read in Python's time zone.
    local_millis: Option<i64>,
}

impl SnapshotReader {
    fn new(py: Python<'_>, store: TableStore, pin: Option<Pin>) -> PyResult<Self> {
        let text = store.schema().options.get("scan.timestamp").cloned();
        let local_millis = text.map(|text| local_text_to_millis(py, &text)).transpose()?;
        Ok(Self { store, pin, local_millis })
    }

    /// Where to read; `None`: nowhere, the table is pinned to its empty state.
    async fn read_point(&self) -> Result<Option<ReadPoint>> {
        let Some(pin) = self.pin else {
            let millis = self.local_millis;
            let convert = move |text: &str| millis.ok_or_else(|| Error::invalid(format!("timestamp '{text}'")));
            return ReadPoint::from_options(&self.store, &convert).await.map(Some);
        };
        let Some(id) = pin.snapshot_id else { return Ok(None) };
        // Asked of the storage, not of the cache: the snapshot may have been expired since.
        if self.store.storage().exists(&self.store.paths().snapshot(id)).await? {
            return Ok(Some(ReadPoint::Snapshot(id)));
        }
        for name in self.store.tags().await? {
            if self.store.tag(&name).await?.is_some_and(|tag| tag.snapshot.id == id) {
                return Ok(Some(ReadPoint::Tag(name)));
            }
        }
        Err(Error::not_found(format!(
            "snapshot {id}, which this read was pinned to {} seconds ago, has been expired since; start the read again \
             to pin the latest snapshot, or keep it: create a tag on it before long reads, or raise \
             'snapshot.time-retained' and 'snapshot.num-retained.min'",
            (self.store.context().clock.now_millis() - pin.at_millis).max(0) / 1000,
        ))
        .with_context("expired snapshot", id)
        .with_context("pinned at (milliseconds since 1970)", pin.at_millis)
        .with_context("location", self.store.storage().root_url()))
    }

    async fn snapshot(&self) -> Result<Option<Arc<Snapshot>>> {
        match self.read_point().await? {
            Some(at) => resolve(&self.store, &at).await,
            None => Ok(None),
        }
    }

    async fn plan(&self, request: ScanRequest) -> Result<Option<Plan>> {
        match self.read_point().await? {
            Some(at) => plan(&self.store, &ScanRequest { at, ..request }).await.map(Some),
            None => Ok(None),
        }
    }

    /// The table with the schema of its read point, and its own options.
    async fn travelled(&self) -> Result<TableStore> {
        let schema = match self.read_point().await? {
            None | Some(ReadPoint::Latest) => latest_schema(&self.store).await?,
            Some(at) => match resolve(&self.store, &at).await? {
                Some(snapshot) => self.store.schema_at(snapshot.schema_id).await?,
                None => return Ok(self.store.clone()),
            },
        };
        let options = self.store.schema().options.clone();
        Ok(self.store.with_schema(Arc::new(TableSchema { options, ..TableSchema::clone(&schema) })))
    }
}

async fn latest_schema(store: &TableStore) -> Result<Arc<TableSchema>> {
    store.latest_schema().await?.ok_or_else(|| {
        Error::not_found("the table has no schema any more: it was dropped")
            .with_context("table", store.storage().root_url())
    })
}

/// What `options` change of the schema's own, refusing what must stay.
fn changed_options(
    schema: &TableSchema,
    options: BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<String, Option<String>>> {
    let changed: BTreeMap<_, _> =
        options.into_iter().filter(|(key, value)| schema.options.get(key) != value.as_ref()).collect();
    match changed.keys().find(|key| FIXED_OPTIONS.contains(&key.as_str())) {
        Some(key) => Err(Error::invalid(format!("option '{key}' cannot be changed by copy()"))),
        None => Ok(changed),
    }
}

/// The same schema with options set or removed.
fn with_options(schema: &TableSchema, changed: BTreeMap<String, Option<String>>) -> Result<TableSchema> {
    let changes: Vec<_> = changed
        .into_iter()
        .map(|(key, value)| match value {
            Some(value) => SchemaChange::SetOption { key, value },
            None => SchemaChange::RemoveOption { key },
        })
        .collect();
    Ok(TableSchema { id: schema.id, ..schema.apply(&changes, true, schema.time_millis)? })
}

/// The same table on another branch, with that branch's latest schema and the options of `schema`.
async fn on_branch(store: &TableStore, branch: Option<&str>, schema: &TableSchema) -> Result<TableStore> {
    let committer = Arc::new(FileSnapshotCommit);
    let store = TableStore::open(store.storage().clone(), branch, committer, store.context().clone()).await?;
    let options = schema.options.clone();
    let schema = TableSchema { options, ..TableSchema::clone(store.schema()) };
    Ok(store.with_schema(Arc::new(schema)))
}

/// Why a split cannot be given to a Parquet reader that takes columns by name; `None`: it can. Scripts know the texts.
async fn why_not_native(store: &TableStore, split: &DataSplit, fields: &[DataField]) -> Result<Option<String>> {
    let reason = |text: &str| Ok(Some(text.to_owned()));
    if split.files.iter().any(|file| !file.file_name.ends_with(".parquet")) {
        return reason("non-parquet format");
    }
    if fields.iter().any(|field| holds_blob(&field.data_type.kind)) {
        return reason("blob columns present");
    }
    if split.deletions.iter().any(Option::is_some) {
        return reason("deletion vectors present");
    }
    if store.options().data_evolution_enabled()? {
        return reason("data-evolution merge required");
    }
    if !split.raw_convertible {
        return reason("LSM merge required");
    }
    let projection: Vec<FieldId> = fields.iter().map(|field| field.id).collect();
    for file in &split.files {
        let (schema, written) = (store.schema(), store.schema_at(file.schema_id).await?);
        // Readers convert the types of the whole file before they choose columns.
        if let Some(field) = written.fields.iter().find(|field| !read_alike(&field.data_type.kind)) {
            return Ok(Some(format!("readers disagree on the type of column '{}'", field.name)));
        }
        if file.schema_id != schema.id && !same_by_name(&written, schema, &projection) {
            return reason("schema evolution requires PyPaimon normalization");
        }
    }
    Ok(None)
}

fn holds_blob(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Blob => true,
        TypeKind::Array(element) => holds_blob(&element.kind),
        TypeKind::Map(_, value) => holds_blob(&value.kind),
        _ => false,
    }
}

/// Types whose values every Parquet reader gives alike.
fn read_alike(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Time(_)
        | TypeKind::Variant
        | TypeKind::Geometry(_)
        | TypeKind::Geography(..)
        | TypeKind::Multiset(_)
        | TypeKind::Vector(..) => false,
        TypeKind::Array(element) => read_alike(&element.kind),
        TypeKind::Map(key, value) => read_alike(&key.kind) && read_alike(&value.kind),
        TypeKind::Row(fields) => fields.iter().all(|field| read_alike(&field.data_type.kind)),
        _ => true,
    }
}

/// One row for each split, with the values of its partition.
fn partition_batch(schema: &TableSchema, splits: &[&DataSplit]) -> Result<RecordBatch> {
    let fields = schema.partition_fields();
    let column = |(position, field): (usize, &DataField)| {
        let parts = splits.iter().map(|split| {
            let value = split.partition.get(position, &field.data_type)?;
            constant_array(value.as_ref(), &field.data_type, 1)
        });
        let parts: Vec<ArrayRef> = parts.collect::<Result<_>>()?;
        match parts.as_slice() {
            [] => constant_array(None, &field.data_type, 0),
            _ => concat(&parts.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(partition_error),
        }
    };
    let columns = fields.iter().enumerate().map(column).collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(splits.len()));
    // The default partition is NULL, whatever the column says.
    let nullable: Vec<_> = fields
        .iter()
        .map(|field| {
            let mut field = field.clone();
            field.data_type.nullable = true;
            field
        })
        .collect();
    RecordBatch::try_new_with_options(arrow_schema(&nullable)?, columns, &options).map_err(partition_error)
}

fn partition_error(error: arrow::error::ArrowError) -> Error {
    Error::internal("paimon-py", error)
}

/// A snapshot with the keys of its file.
fn snapshot_dict<'py>(py: Python<'py>, snapshot: &Snapshot) -> PyResult<Bound<'py, PyDict>> {
    let json = String::from_utf8(snapshot.to_json().or_raise(py)?)?;
    Ok(py.import("json")?.call_method1("loads", (json,))?.cast_into::<PyDict>()?)
}
