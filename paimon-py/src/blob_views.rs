//! What views stand for: blobs of other tables of the same catalog.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use async_trait::async_trait;
use futures::TryStreamExt;
use paimon_blob::{BlobForm, BlobView, Presenter, ViewResolver};
use paimon_catalog::connect;
use paimon_io::{IoContext, TableStore};
use paimon_merge::ReadRequest;
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{Datum, Error, ErrorKind, FieldId, Identifier, Predicate, ROW_ID_ID, Result, Test};
use tokio::sync::Mutex;

/// Looks the rows of views up in their tables, as those are now. A table is opened once.
#[derive(Debug)]
pub(crate) struct CatalogViews {
    options: BTreeMap<String, String>,
    context: IoContext,
    tables: Mutex<BTreeMap<String, TableStore>>,
}

impl CatalogViews {
    pub(crate) fn new(options: BTreeMap<String, String>, context: IoContext) -> Self {
        Self { options, context, tables: Mutex::default() }
    }

    async fn table(&self, name: &str) -> Result<TableStore> {
        let mut tables = self.tables.lock().await;
        if let Some(table) = tables.get(name) {
            return Ok(table.clone());
        }
        let catalog = connect(self.options.clone(), self.context.clone()).await?;
        let table = catalog.table(&Identifier::parse(name)?).await?;
        tables.insert(name.to_owned(), table.clone());
        Ok(table)
    }

    /// The descriptors of a column, by row id. Rows that are not there are left out.
    async fn column(&self, name: &str, field: FieldId, rows: &[i64]) -> Result<BTreeMap<i64, Option<Vec<u8>>>> {
        let table = self.table(name).await?;
        let column = table.schema().fields.iter().find(|column| column.id == field && column.data_type.is_blob());
        let column = column.ok_or_else(|| Error::not_found(format!("the table has no BLOB column with id {field}")))?;
        let predicate = Predicate::leaf(ROW_ID_ID, Test::In(rows.iter().map(|row| Datum::BigInt(*row)).collect()));
        let request = ScanRequest {
            predicate: Some(predicate.clone()),
            fields: Some(vec![ROW_ID_ID, field]),
            ..ScanRequest::default()
        };
        let planned = plan(&table, &request).await?;
        let read = ReadRequest {
            projection: Some(vec![ROW_ID_ID, field]),
            predicate: Some(predicate),
            ..ReadRequest::default()
        };
        let fields = [paimon_spec::row_id_field(), column.clone()];
        let presenter = Presenter::new(&table, &fields, BlobForm::Descriptors, None)?;
        let presenter = presenter.ok_or_else(|| Error::internal("paimon-py", "a BLOB column has no form"))?;
        let mut found = BTreeMap::new();
        for split in planned.splits {
            let mut batches = presenter.present(paimon_merge::read(&table, &split, &read).await?);
            while let Some(batch) = batches.try_next().await? {
                let ids = batch.column(0).as_primitive::<Int64Type>();
                let descriptors = batch.column(1).as_binary::<i64>();
                found.extend(
                    ids.values().iter().copied().zip(descriptors.iter().map(|bytes| bytes.map(<[u8]>::to_vec))),
                );
            }
        }
        Ok(found)
    }
}

#[async_trait]
impl ViewResolver for CatalogViews {
    async fn resolve(&self, views: &[BlobView<'_>]) -> Result<Vec<Option<Vec<u8>>>> {
        let mut wanted: BTreeMap<(&str, FieldId), Vec<i64>> = BTreeMap::new();
        for view in views {
            wanted.entry((view.table, view.field)).or_default().push(view.row_id);
        }
        let mut found = BTreeMap::new();
        for ((table, field), rows) in wanted {
            let column = match self.column(table, field, &rows).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    return Err(leads_nowhere(table).with_source(error));
                }
                read => read?,
            };
            found.insert((table, field), column);
        }
        let descriptors = views.iter().map(|view| {
            let descriptor = found.get(&(view.table, view.field)).and_then(|column| column.get(&view.row_id));
            descriptor.cloned().ok_or_else(|| leads_nowhere(view.table).with_context("row id", view.row_id))
        });
        descriptors.collect()
    }
}

/// The error of a view whose table cannot be read, or has no such row any more.
fn leads_nowhere(table: &str) -> Error {
    Error::corrupt(format!("a blob view stands for a value of table {table} that cannot be found"))
}
