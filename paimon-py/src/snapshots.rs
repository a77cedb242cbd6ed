//! `NativeSnapshots`: the snapshots that a table, or a branch of it, retains, and `NativeEntry`: what one changed.

use paimon_io::TableStore;
use paimon_scan::{ReadPoint, delta_entries};
use paimon_spec::{Error, FileKind, ManifestEntry, Snapshot};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::OrRaise;
use crate::plan::NativeFile;
use crate::runtime::block_on;
use crate::values::partition_dict;

/// Finds snapshots, and goes back to one.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeSnapshots {
    pub(crate) store: TableStore,
}

#[pymethods]
impl NativeSnapshots {
    fn get<'py>(&self, py: Python<'py>, id: i64) -> PyResult<Option<Bound<'py, PyDict>>> {
        let store = self.store.clone();
        let snapshot = block_on(py, async move { store.snapshot(id).await })?;
        snapshot.map(|snapshot| snapshot_dict(py, &snapshot)).transpose()
    }

    fn latest<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let store = self.store.clone();
        let snapshot = block_on(py, async move { store.latest_snapshot().await })?;
        snapshot.map(|snapshot| snapshot_dict(py, &snapshot)).transpose()
    }

    fn ids(&self, py: Python<'_>) -> PyResult<Vec<i64>> {
        let store = self.store.clone();
        block_on(py, async move { store.snapshot_ids().await })
    }

    fn find_commit(&self, py: Python<'_>, user: String, identifier: i64) -> PyResult<Option<i64>> {
        let store = self.store.clone();
        block_on(py, async move { paimon_write::find_commit(&store, &user, identifier).await })
    }

    fn delta_entries(&self, py: Python<'_>, id: i64) -> PyResult<Vec<NativeEntry>> {
        let store = self.store.clone();
        let entries = block_on(py, async move {
            let missing =
                || Error::not_found(format!("Snapshot id '{id}' doesn't exist.")).with_context("snapshot", id);
            delta_entries(&store, &*store.snapshot(id).await?.ok_or_else(missing)?).await
        })?;
        Ok(entries.into_iter().map(|entry| NativeEntry { entry, store: self.store.clone() }).collect())
    }

    #[pyo3(signature = (*, snapshot_id=None, tag=None, timestamp_millis=None))]
    fn rollback(
        &self,
        py: Python<'_>,
        snapshot_id: Option<i64>,
        tag: Option<String>,
        timestamp_millis: Option<i64>,
    ) -> PyResult<i64> {
        let to = match (snapshot_id, tag, timestamp_millis) {
            (Some(id), None, None) => ReadPoint::Snapshot(id),
            (None, Some(tag), None) => ReadPoint::Tag(tag),
            (None, None, Some(millis)) => ReadPoint::TimestampMillis(millis),
            _ => return Err(Error::invalid("expected one snapshot, one tag or one time to roll back to")).or_raise(py),
        };
        let store = self.store.clone();
        block_on(py, async move { paimon_write::rollback(&store, &to).await })
    }
}

/// A data file that a snapshot added or removed.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeEntry {
    entry: ManifestEntry,
    store: TableStore,
}

#[pymethods]
impl NativeEntry {
    #[getter]
    fn kind(&self) -> u8 {
        match self.entry.kind {
            FileKind::Add => 0,
            FileKind::Delete => 1,
        }
    }

    fn partition<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        partition_dict(py, self.store.schema(), &self.entry.partition)
    }

    #[getter]
    fn bucket(&self) -> i32 {
        self.entry.bucket
    }

    #[getter]
    fn total_buckets(&self) -> i32 {
        self.entry.total_buckets
    }

    #[getter]
    fn file(&self, py: Python<'_>) -> PyResult<NativeFile> {
        let folder = self.store.bucket_path(&self.entry.partition, self.entry.bucket).or_raise(py)?;
        let path = self.store.data_file_url(&folder, &self.entry.file).or_raise(py)?;
        Ok(NativeFile::new(&self.entry.file, path, false))
    }

    fn __repr__(&self) -> String {
        let (kind, bucket, name) = (self.kind(), self.entry.bucket, &self.entry.file.file_name);
        format!("NativeEntry(kind={kind}, bucket={bucket}, file='{name}')")
    }
}

/// A snapshot with the keys of its file.
pub(crate) fn snapshot_dict<'py>(py: Python<'py>, snapshot: &Snapshot) -> PyResult<Bound<'py, PyDict>> {
    let json = String::from_utf8(snapshot.to_json().or_raise(py)?)?;
    Ok(py.import("json")?.call_method1("loads", (json,))?.cast_into::<PyDict>()?)
}
