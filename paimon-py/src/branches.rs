//! `NativeBranches`: lines of snapshots beside the main one.

use paimon_io::TableStore;
use paimon_spec::ErrorKind;
use pyo3::prelude::*;

use crate::runtime::block_on;

/// The branches of a table.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeBranches {
    pub(crate) store: TableStore,
}

#[pymethods]
impl NativeBranches {
    fn list(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let store = self.store.clone();
        block_on(py, async move { store.branches().await })
    }

    #[pyo3(signature = (name, from_tag, ignore_if_exists))]
    fn create(&self, py: Python<'_>, name: String, from_tag: Option<String>, ignore_if_exists: bool) -> PyResult<()> {
        let store = self.store.clone();
        block_on(py, async move {
            match paimon_write::create_branch(&store, &name, from_tag.as_deref()).await {
                Err(error) if ignore_if_exists && error.kind() == ErrorKind::AlreadyExists => Ok(()),
                done => done,
            }
        })
    }

    fn drop(&self, py: Python<'_>, name: String) -> PyResult<()> {
        let store = self.store.clone();
        block_on(py, async move { paimon_write::drop_branch(&store, &name).await })
    }

    fn rename(&self, py: Python<'_>, old: String, new: String) -> PyResult<()> {
        let store = self.store.clone();
        block_on(py, async move { paimon_write::rename_branch(&store, &old, &new).await })
    }

    fn fast_forward(&self, py: Python<'_>, name: String) -> PyResult<()> {
        let store = self.store.clone();
        block_on(py, async move { paimon_write::fast_forward(&store, &name).await })
    }
}
