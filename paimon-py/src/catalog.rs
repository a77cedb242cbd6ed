//! `NativeCatalog`: databases and tables by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use paimon_catalog::Catalog;
use paimon_spec::Identifier;
use pyo3::prelude::*;

use crate::context::adapt_context;
use crate::errors::OrRaise;
use crate::runtime::{Process, block_on};
use crate::schema::{parse_changes, parse_schema};
use crate::table::{NativeTable, View};

/// A connected catalog.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativeCatalog {
    catalog: Arc<dyn Catalog>,
}

#[pymethods]
impl NativeCatalog {
    #[staticmethod]
    fn connect(py: Python<'_>, options: BTreeMap<String, String>) -> PyResult<Self> {
        let flag = |key: &str| options.get(key).and_then(|text| text.trim().to_ascii_lowercase().parse().ok());
        let context = adapt_context(py, Process::current()?.context(), flag)?;
        let catalog = block_on(py, async move { paimon_catalog::connect(options, context).await })?;
        Ok(Self { catalog })
    }

    fn options(&self) -> BTreeMap<String, String> {
        self.catalog.options().clone()
    }

    fn list_databases(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        let catalog = self.catalog.clone();
        block_on(py, async move { catalog.list_databases().await })
    }

    fn create_database(&self, py: Python<'_>, name: String, ignore_if_exists: bool) -> PyResult<()> {
        let catalog = self.catalog.clone();
        block_on(py, async move { catalog.create_database(&name, ignore_if_exists).await })
    }

    fn drop_database(&self, py: Python<'_>, name: String, ignore_if_not_exists: bool, cascade: bool) -> PyResult<()> {
        let catalog = self.catalog.clone();
        block_on(py, async move { catalog.drop_database(&name, ignore_if_not_exists, cascade).await })
    }

    fn database_exists(&self, py: Python<'_>, name: String) -> PyResult<bool> {
        let catalog = self.catalog.clone();
        block_on(py, async move { catalog.database_exists(&name).await })
    }

    fn list_tables(&self, py: Python<'_>, database: String) -> PyResult<Vec<String>> {
        let catalog = self.catalog.clone();
        block_on(py, async move { catalog.list_tables(&database).await })
    }

    fn create_table(
        &self,
        py: Python<'_>,
        database: &str,
        object: &str,
        schema_json: &str,
        ignore_if_exists: bool,
    ) -> PyResult<()> {
        let catalog = self.catalog.clone();
        let identifier = Identifier::new(database, object).or_raise(py)?;
        let schema = parse_schema(schema_json).or_raise(py)?;
        block_on(py, async move { catalog.create_table(&identifier, schema, ignore_if_exists).await })
    }

    fn get_table(&self, py: Python<'_>, database: &str, object: &str) -> PyResult<NativeTable> {
        let catalog = self.catalog.clone();
        let mut identifier = Identifier::new(database, object).or_raise(py)?;
        let view = identifier.system_table.as_deref().and_then(View::from_name);
        if view.is_some() {
            identifier.system_table = None;
        }
        let store = block_on(py, async move { catalog.table(&identifier).await })?;
        let view = view.unwrap_or(View::Whole);
        view.check(&store).or_raise(py)?;
        Ok(NativeTable::new(store, self.catalog.options().clone(), view))
    }

    fn alter_table(
        &self,
        py: Python<'_>,
        database: &str,
        object: &str,
        changes_json: &str,
        ignore_if_not_exists: bool,
    ) -> PyResult<()> {
        let catalog = self.catalog.clone();
        let identifier = Identifier::new(database, object).or_raise(py)?;
        let changes = parse_changes(changes_json).or_raise(py)?;
        block_on(py, async move { catalog.alter_table(&identifier, &changes, ignore_if_not_exists).await })
    }

    fn rename_table(
        &self,
        py: Python<'_>,
        database: &str,
        object: &str,
        to_database: &str,
        to_object: &str,
        ignore_if_not_exists: bool,
    ) -> PyResult<()> {
        let catalog = self.catalog.clone();
        let from = Identifier::new(database, object).or_raise(py)?;
        let to = Identifier::new(to_database, to_object).or_raise(py)?;
        block_on(py, async move { catalog.rename_table(&from, &to, ignore_if_not_exists).await })
    }

    fn drop_table(&self, py: Python<'_>, database: &str, object: &str, ignore_if_not_exists: bool) -> PyResult<()> {
        let catalog = self.catalog.clone();
        let identifier = Identifier::new(database, object).or_raise(py)?;
        block_on(py, async move { catalog.drop_table(&identifier, ignore_if_not_exists).await })
    }
}
