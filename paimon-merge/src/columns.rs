//! Some rows of some columns.

use arrow::{
    array::{Array, ArrayRef},
    compute::concat,
};
use paimon_spec::{Error, Result};

/// Some rows of some columns.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    pub(crate) columns: Vec<ArrayRef>,
    pub(crate) rows: usize,
}

impl Columns {
    pub(crate) fn slice(&self, start: usize, rows: usize) -> Self {
        if start == 0 && rows == self.rows {
            return self.clone();
        }
        Self { columns: self.columns.iter().map(|column| column.slice(start, rows)).collect(), rows }
    }

    /// The rows of all parts, which have the same columns.
    pub(crate) fn joined(parts: &[Self]) -> Result<Self> {
        let Some(first) = parts.first() else { return Ok(Self { columns: Vec::new(), rows: 0 }) };
        let columns = (0..first.columns.len()).map(|at| {
            let parts: Vec<&dyn Array> = parts.iter().map(|part| part.columns[at].as_ref()).collect();
            concat(&parts).map_err(|error| Error::internal("paimon-merge", error))
        });
        Ok(Self { columns: columns.collect::<Result<_>>()?, rows: parts.iter().map(|part| part.rows).sum() })
    }
}
