//! Reading a case's table with our crates.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use paimon_io::testkit::ManualClock;
use paimon_io::{FileSnapshotCommit, IoContext, MetadataCache, Storage, TableStore};
use paimon_merge::ReadRequest;
use paimon_scan::{Increment, ReadPoint, ScanRequest};
use paimon_spec::{DataField, Error, TableSchema};
use serde::Deserialize;
use serde_json::Value;

use crate::{Case, filter, render_rows};

/// One more read of a case: which state or increment, which rows and columns, and what the writer read then.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// A branch; without: the main one.
    pub branch: Option<String>,
    /// Only what compaction has put onto the highest level.
    #[serde(default)]
    pub read_optimized: bool,
    /// `_ROW_ID` and `_SEQUENCE_NUMBER` beside the columns.
    #[serde(default)]
    pub row_tracking: bool,
    /// Options over the table's own, which choose a state or an increment.
    #[serde(default)]
    pub options: BTreeMap<String, String>,
    /// A filter: `["and", f, g]`, `["or", f, g]`, or `[operator, column, literals...]`.
    pub filter: Option<Value>,
    /// The values of the first column in the rows that are left.
    keys: Option<Vec<i64>>,
    /// The rows that are left. A read has either these or `keys`.
    rows: Option<Vec<Value>>,
}

impl fmt::Display for Read {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { branch, read_optimized, row_tracking, options, filter, .. } = self;
        write!(
            out,
            "branch {branch:?}, options {options:?}, filter {filter:?}, read-optimized {read_optimized}, \
             row tracking {row_tracking}"
        )
    }
}

impl Read {
    /// What the writer read: rows spelt as in `expected.rows`, or those of the first column alone, sorted.
    #[must_use]
    pub fn expected(&self) -> Vec<String> {
        let keys = self.keys.iter().flatten().map(|key| format!("[{key}]"));
        let mut rows: Vec<String> = keys.chain(self.rows.iter().flatten().map(Value::to_string)).collect();
        rows.sort_unstable();
        rows
    }
}

impl Case {
    /// What our crates give for a read, spelt as [`Read::expected`].
    ///
    /// # Errors
    /// Whatever planning and reading give, and when the read is not one of this table.
    pub async fn answer(&self, read: &Read) -> Result<Vec<String>> {
        let mut store = self.open(read.branch.as_deref()).await?;
        if !read.options.is_empty() {
            let mut schema = TableSchema::clone(store.schema());
            schema.options.extend(read.options.clone());
            store = store.with_schema(Arc::new(schema));
        }
        let no_times = |text: &str| Err(Error::unsupported(format!("no golden table is read at a time like {text}")));
        let increment = Increment::from_options(&store, &no_times).await?;
        let at = match increment {
            Some(_) => ReadPoint::Latest,
            None => ReadPoint::from_options(&store, &no_times).await?,
        };
        if let Some(snapshot) = paimon_scan::resolve(&store, &at).await?.filter(|_| at != ReadPoint::Latest) {
            let mut schema = TableSchema::clone(&*store.schema_at(snapshot.schema_id).await?);
            schema.options.clone_from(&store.schema().options);
            store = store.with_schema(Arc::new(schema));
        }
        let fields =
            if read.row_tracking { store.schema().with_row_tracking_fields() } else { store.schema().fields.clone() };
        let predicate = read.filter.as_ref().map(|filter| filter::parse(filter, &fields)).transpose()?;
        let columns = if read.keys.is_some() { 1 } else { fields.len() };
        let projection = Some(fields.iter().take(columns).map(|field| field.id).collect());
        let read_optimized = read.read_optimized;
        let scan =
            ScanRequest { at, increment, predicate: predicate.clone(), read_optimized, ..ScanRequest::default() };
        self.rows(&store, &scan, &ReadRequest { projection, predicate, ..ReadRequest::default() }).await
    }

    /// The rows that a plan and a request give, spelt as in `expected.rows`, sorted.
    ///
    /// # Errors
    /// Whatever planning and reading give.
    pub async fn rows(&self, store: &TableStore, scan: &ScanRequest, request: &ReadRequest) -> Result<Vec<String>> {
        let all = store.schema().with_row_tracking_fields();
        let fields: Vec<DataField> = match &request.projection {
            Some(ids) => ids.iter().filter_map(|id| all.iter().find(|field| field.id == *id)).cloned().collect(),
            None => store.schema().fields.clone(),
        };
        let plan = paimon_scan::plan(store, scan).await?;
        let mut rows = Vec::new();
        for split in &plan.splits {
            let batches: Vec<_> = paimon_merge::read(store, split, request).await?.try_collect().await?;
            for batch in &batches {
                rows.extend(render_rows(batch, &fields)?);
            }
        }
        self.put_in_order(&mut rows, &fields)?;
        Ok(rows)
    }

    /// Sorts rows, and before that the arrays whose order says nothing.
    fn put_in_order(&self, rows: &mut [String], fields: &[DataField]) -> Result<()> {
        let unordered = |field: &DataField| self.unordered.contains(&field.name);
        let positions: Vec<usize> = (0..fields.len()).filter(|i| fields.get(*i).is_some_and(unordered)).collect();
        for row in rows.iter_mut().filter(|_| !positions.is_empty()) {
            let mut values: Vec<Value> = serde_json::from_str(row).with_context(|| format!("a row like {row}"))?;
            for position in &positions {
                if let Some(Value::Array(items)) = values.get_mut(*position) {
                    items.sort_by_key(Value::to_string);
                }
            }
            *row = Value::Array(values).to_string();
        }
        rows.sort_unstable();
        Ok(())
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
        let context = paimon_blob::register(context);
        let url = self.folder.join("table").display().to_string();
        let storage = Storage::open(&url, &BTreeMap::new(), &context)?;
        TableStore::open(storage, branch, Arc::new(FileSnapshotCommit), context).await
    }
}
