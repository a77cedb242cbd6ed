//! Opening a table by its folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use paimon_io::{FileSnapshotCommit, Storage, TableStore};
use paimon_spec::{Error, TableSchema};
use pyo3::prelude::*;

use super::{NativeTable, View};
use crate::context::adapt_context;
use crate::errors::OrRaise;
use crate::runtime::{Process, block_on};

/// The table in a folder; without a schema it is the one that is current.
pub(super) fn open(
    py: Python<'_>,
    location: String,
    catalog_options: BTreeMap<String, String>,
    schema_json: Option<&str>,
    branch: Option<String>,
    view: Option<&str>,
) -> PyResult<NativeTable> {
    let flag = |key: &str| catalog_options.get(key).and_then(|text| text.trim().to_ascii_lowercase().parse().ok());
    let context = adapt_context(py, Process::current()?.context(), flag)?;
    let schema = schema_json.map(|text| TableSchema::from_json(text.as_bytes())).transpose().or_raise(py)?;
    let options = catalog_options.clone();
    let store = block_on(py, async move {
        let storage = Storage::open(&location, &options, &context)?;
        let committer = Arc::new(FileSnapshotCommit);
        match schema {
            Some(schema) => TableStore::new(storage, Arc::new(schema), branch.as_deref(), committer, context),
            None => TableStore::open(storage, branch.as_deref(), committer, context).await,
        }
    })?;
    let unknown = |name| Error::invalid(format!("expected 'ro' or 'row_tracking' for a view, found '{name}'"));
    let view = view.map_or(Ok(View::Whole), |name| View::from_name(name).ok_or_else(|| unknown(name)));
    let view = view.and_then(|view| view.check(&store).map(|()| view)).or_raise(py)?;
    Ok(NativeTable::new(store, catalog_options, view))
}
