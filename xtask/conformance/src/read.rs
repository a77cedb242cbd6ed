//! Reading a case's table with our crates.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use paimon_io::testkit::ManualClock;
use paimon_io::{FileSnapshotCommit, IoContext, MetadataCache, Storage, TableStore};
use paimon_merge::ReadRequest;
use paimon_scan::{Increment, ReadPoint, ScanRequest};
use paimon_spec::{Error, TableSchema};
use serde::Deserialize;
use serde_json::Value;

use crate::{Case, filter, render_rows};

/// One more read of a case: which state or increment, which rows, and the values of the first column that it gives.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// A branch; without: the main one.
    pub branch: Option<String>,
    /// Options over the table's own, which choose a state or an increment.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// A filter: `["and", f, g]`, `["or", f, g]`, or `[operator, column, literals...]`.
    pub filter: Option<Value>,
    /// The values of the first column in the rows that are left, sorted.
    pub keys: Vec<i64>,
}

impl Case {
    /// The rows of the newest snapshot that our crates read, spelt as in `expected.rows`, sorted.
    ///
    /// # Errors
    /// Whatever planning and reading give.
    pub async fn rows(&self) -> Result<Vec<String>, Error> {
        let store = self.open(None).await?;
        let mut rows = rows(&store, ScanRequest::default(), &ReadRequest::default()).await?;
        rows.sort_unstable();
        Ok(rows)
    }

    /// The values of the first column that our crates read, sorted.
    ///
    /// # Errors
    /// Whatever planning and reading give, and when the read is not one of this table.
    pub async fn keys(&self, read: &Read) -> Result<Vec<i64>> {
        let mut store = self.open(read.branch.as_deref()).await?;
        if !read.options.is_empty() {
            let mut schema = TableSchema::clone(store.schema());
            schema.options.extend(read.options.clone());
            store = store.with_schema(Arc::new(schema));
        }
        let fields = &store.schema().fields;
        let predicate = read.filter.as_ref().map(|filter| filter::parse(filter, fields)).transpose()?;
        let no_times = |text: &str| Err(Error::unsupported(format!("no golden table is read at a time like {text}")));
        let increment = Increment::from_options(&store, &no_times).await?;
        let at = match increment {
            Some(_) => ReadPoint::Latest,
            None => ReadPoint::from_options(&store, &no_times).await?,
        };
        let scan = ScanRequest { at, increment, predicate: predicate.clone(), ..ScanRequest::default() };
        let key = fields.first().context("a table without columns")?.id;
        let request = ReadRequest { projection: Some(vec![key]), predicate, ..ReadRequest::default() };
        let rows = rows(&store, scan, &request).await?;
        let mut keys: Vec<i64> = rows
            .iter()
            .map(|row| Ok(serde_json::from_str::<[i64; 1]>(row).with_context(|| format!("a key like {row}"))?[0]))
            .collect::<Result<_>>()?;
        keys.sort_unstable();
        Ok(keys)
    }

    /// The table itself.
    ///
    /// # Errors
    /// As [`TableStore::open`].
    pub async fn table(&self) -> Result<TableStore, Error> {
        self.open(None).await
    }

    async fn open(&self, branch: Option<&str>) -> Result<TableStore, Error> {
        let context = IoContext::new(Arc::new(ManualClock::new(0)), MetadataCache::new(16 << 20));
        let url = self.folder.join("table").display().to_string();
        let storage = Storage::open(&url, &BTreeMap::new(), &context)?;
        TableStore::open(storage, branch, Arc::new(FileSnapshotCommit), context).await
    }
}

async fn rows(store: &TableStore, scan: ScanRequest, request: &ReadRequest) -> Result<Vec<String>, Error> {
    let plan = paimon_scan::plan(store, &scan).await?;
    let schema = store.schema();
    let fields = match &request.projection {
        Some(ids) => schema.fields.iter().filter(|field| ids.contains(&field.id)).cloned().collect(),
        None => schema.fields.clone(),
    };
    let mut rows = Vec::new();
    for split in &plan.splits {
        let batches: Vec<_> = paimon_merge::read(store, split, request).await?.try_collect().await?;
        for batch in &batches {
            rows.extend(render_rows(batch, &fields)?);
        }
    }
    Ok(rows)
}
