//! What is read of a table, as Python asks for it.

use paimon_io::arrow_schema;
use paimon_merge::ReadRequest;
use paimon_scan::Slice;
use paimon_spec::{Error, Predicate, Result};
use pyo3::prelude::*;

use super::NativeTable;
use crate::blob::presenter;
use crate::plan::NativeSplit;
use crate::stream::Reading;

/// Bytes of rows that the merges of one read hold, about, however many splits are read at the same time.
const MERGE_BYTES: u64 = 256 << 20;

/// What is read of some splits.
#[derive(Default)]
pub(super) struct Wanted {
    /// `None`: all that the table shows.
    pub(super) columns: Option<Vec<String>>,
    pub(super) predicate: Option<Predicate>,
    pub(super) limit: Option<usize>,
    pub(super) batch_rows: Option<usize>,
    /// Splits that are read at the same time.
    pub(super) parallelism: usize,
    pub(super) form: Form,
}

/// What BLOB columns hold.
#[derive(Default)]
pub(super) struct Form {
    pub(super) blobs: Option<String>,
    pub(super) io_config: Option<Vec<u8>>,
}

impl Wanted {
    /// # Errors
    /// `InvalidInput` for a column that the table does not have, or another name of a form.
    pub(super) fn of(self, table: &NativeTable, splits: &[PyRef<'_, NativeSplit>]) -> Result<Reading> {
        let fields = table.fields(self.columns.as_deref())?;
        let Form { blobs, io_config } = self.form;
        let presenter = presenter(&table.store, &table.catalog_options, &fields, blobs.as_deref(), io_config)?;
        Ok(Reading {
            schema: presenter
                .as_ref()
                .map_or_else(|| arrow_schema(&fields), |presenter| Ok(presenter.schema().clone()))?,
            presenter,
            store: table.store.clone(),
            splits: splits.iter().map(|split| split.split.clone()).collect(),
            request: ReadRequest {
                projection: Some(fields.iter().map(|field| field.id).collect()),
                predicate: self.predicate,
                limit: self.limit,
                batch_rows: self.batch_rows,
                memory_bytes: Some(MERGE_BYTES / self.parallelism.clamp(1, splits.len().max(1)) as u64),
            },
            parallelism: self.parallelism,
        })
    }
}

/// The part of a table's rows that a plan is for.
///
/// # Errors
/// `InvalidInput` when it is given in two ways.
pub(super) fn slice(shard: Option<(u32, u32)>, rows: Option<(u64, u64)>) -> Result<Option<Slice>> {
    match (shard, rows) {
        (None, None) => Ok(None),
        (Some((index, total)), None) => Ok(Some(Slice::Shard { index, total })),
        (None, Some((start, end))) => Ok(Some(Slice::Rows { start, end })),
        _ => Err(Error::invalid("a plan is cut by shard or by rows, not by both")),
    }
}
