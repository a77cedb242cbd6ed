//! `NativeTags`: names that keep snapshots.

use paimon_io::{PutOutcome, TableStore};
use paimon_spec::{Error, ErrorKind, validate_name};
use paimon_write::Retention;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::context::local_offset_millis;
use crate::errors::OrRaise;
use crate::runtime::block_on;
use crate::snapshots::snapshot_dict;

/// The tags of a table, or of a branch of it.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeTags {
    pub(crate) store: TableStore,
}

impl NativeTags {
    /// Now, as the local wall clock shows it.
    fn local_millis(&self, py: Python<'_>) -> PyResult<i64> {
        let now = self.store.context().clock.now_millis();
        Ok(now + local_offset_millis(py, now)?)
    }

    fn retention(&self, py: Python<'_>, retained_millis: Option<i64>) -> PyResult<Option<Retention>> {
        let Some(retained_millis) = retained_millis else { return Ok(None) };
        Ok(Some(Retention { created_local_millis: self.local_millis(py)?, retained_millis }))
    }
}

#[pymethods]
impl NativeTags {
    #[pyo3(signature = (name, snapshot_id, ignore_if_exists, time_retained_millis))]
    fn create(
        &self,
        py: Python<'_>,
        name: String,
        snapshot_id: Option<i64>,
        ignore_if_exists: bool,
        time_retained_millis: Option<i64>,
    ) -> PyResult<()> {
        let (store, retention) = (self.store.clone(), self.retention(py, time_retained_millis)?);
        block_on(py, async move {
            match paimon_write::create_tag(&store, &name, snapshot_id, retention).await? {
                PutOutcome::AlreadyExists if !ignore_if_exists => {
                    Err(Error::new(ErrorKind::AlreadyExists, format!("Tag '{name}' already exists."))
                        .with_context("tag", name))
                }
                _ => Ok(()),
            }
        })
    }

    #[pyo3(signature = (name, snapshot_id, time_retained_millis))]
    fn replace(
        &self,
        py: Python<'_>,
        name: String,
        snapshot_id: Option<i64>,
        time_retained_millis: Option<i64>,
    ) -> PyResult<()> {
        let (store, retention) = (self.store.clone(), self.retention(py, time_retained_millis)?);
        block_on(py, async move { paimon_write::replace_tag(&store, &name, snapshot_id, retention).await })
    }

    fn rename(&self, py: Python<'_>, old: String, new: String) -> PyResult<()> {
        let store = self.store.clone();
        block_on(py, async move { paimon_write::rename_tag(&store, &old, &new).await })
    }

    fn delete(&self, py: Python<'_>, name: String) -> PyResult<bool> {
        let store = self.store.clone();
        block_on(py, async move { store.delete_tag(&name).await })
    }

    fn expire(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let (store, now) = (self.store.clone(), self.local_millis(py)?);
        block_on(py, async move { paimon_write::expire_tags(&store, now).await })
    }

    fn list(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let store = self.store.clone();
        block_on(py, async move { store.tags().await })
    }

    fn get<'py>(&self, py: Python<'py>, name: String) -> PyResult<Option<Bound<'py, PyDict>>> {
        validate_name("tag", &name).or_raise(py)?;
        let store = self.store.clone();
        let Some(tag) = block_on(py, async move { store.tag(&name).await })? else { return Ok(None) };
        let fields = snapshot_dict(py, &tag.snapshot)?;
        fields.set_item("tagCreateTime", tag.create_time_millis)?;
        fields.set_item("tagTimeRetained", tag.time_retained_millis)?;
        Ok(Some(fields))
    }
}
