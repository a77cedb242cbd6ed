//! Decoded columns as the batches that were asked for.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions, new_null_array},
    compute::filter_record_batch,
    datatypes::SchemaRef,
};
use futures::{StreamExt, stream};
use paimon_spec::{DataField, DeletionVector, Error, Result, RowSet};

use super::{BatchStream, FileRead};
use crate::arrow::{
    fit::{Origin, fit},
    types::{arrow_schema, arrow_type},
};

/// The columns of a read.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    fields: Vec<DataField>,
    schema: SchemaRef,
}

impl Columns {
    pub(super) fn new(fields: &[DataField]) -> Result<Self> {
        Ok(Self { fields: fields.to_vec(), schema: arrow_schema(fields)? })
    }

    /// A batch of what `found` has for each column, by its position; where it has nothing, the file lacks the column.
    pub(super) fn arrange<'a>(
        &self,
        rows: usize,
        found: impl Fn(usize, &DataField) -> Option<&'a ArrayRef>,
    ) -> Result<RecordBatch> {
        let columns = self.fields.iter().enumerate().map(|(position, field)| {
            match found(position, field) {
                Some(column) => fit(column, &field.data_type, Origin::File),
                None => Ok(new_null_array(&arrow_type(&field.data_type)?, rows)),
            }
            .map_err(|e| e.with_context("column", &field.name))
        });
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.collect::<Result<_>>()?, &options)
            .map_err(|e| Error::corrupt("columns do not fit the file's schema").with_source(e))
    }

    /// Rows of which the file has no column: their number is all there is to know.
    pub(super) fn rows_alone(self, rows: usize, batch_rows: usize) -> BatchStream {
        let starts = (0..rows).step_by(batch_rows);
        stream::iter(starts.map(move |start| self.arrange(batch_rows.min(rows - start), |_, _| None))).boxed()
    }
}

/// Which rows of a file are wanted, by their positions.
#[derive(Debug, Clone)]
pub(super) struct WantedRows {
    only: Option<Arc<RowSet>>,
    deletions: Option<Arc<DeletionVector>>,
}

impl WantedRows {
    pub(super) fn of(read: &FileRead) -> Self {
        Self { only: read.rows.clone(), deletions: read.deletions.clone() }
    }

    /// The wanted ones among `rows`, as ranges, ascending.
    pub(super) fn within(&self, rows: Range<u64>) -> Vec<Range<u64>> {
        let ranges = match &self.only {
            Some(only) => only.ranges_in(rows.start, rows.end).collect(),
            None => vec![rows],
        };
        let Some(deletions) = &self.deletions else { return ranges };
        let mut kept = Vec::with_capacity(ranges.len());
        for range in ranges {
            let mut next = range.start;
            for deleted in deletions.positions_in(range.start, range.end) {
                if next < deleted {
                    kept.push(next..deleted);
                }
                next = deleted + 1;
            }
            if next < range.end {
                kept.push(next..range.end);
            }
        }
        kept
    }

    /// What of `batch` is wanted, whose first row is the `start`th of its file.
    pub(super) fn keep(&self, batch: RecordBatch, start: u64) -> Result<RecordBatch> {
        let end = start + batch.num_rows() as u64;
        let ranges = self.within(start..end);
        match ranges.as_slice() {
            [] => Ok(batch.slice(0, 0)),
            [one] => Ok(batch.slice((one.start - start) as usize, (one.end - one.start) as usize)),
            ranges => {
                let mut kept = BooleanBufferBuilder::new(batch.num_rows());
                let mut next = start;
                for range in ranges {
                    kept.append_n((range.start - next) as usize, false);
                    kept.append_n((range.end - range.start) as usize, true);
                    next = range.end;
                }
                kept.append_n((end - next) as usize, false);
                let kept = BooleanArray::new(kept.finish(), None);
                filter_record_batch(&batch, &kept).map_err(|e| Error::internal("paimon-io", e))
            }
        }
    }
}
