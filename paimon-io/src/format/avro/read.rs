//! Reads an Avro data file.
//!
//! Avro has neither an index nor statistics: the file is read whole and decoded from its start, block by block. The
//! columns are those of the schema in the file, found by name.

use std::{io::Cursor, sync::Arc};

use arrow::{
    array::{BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions, new_null_array},
    compute::filter_record_batch,
    datatypes::SchemaRef,
    error::ArrowError,
};
use arrow_avro::reader::{Reader, ReaderBuilder};
use bytes::Bytes;
use futures::{StreamExt, stream};
use paimon_spec::{DataField, DataFileMeta, DeletionVector, Error, Result};

use super::super::{BatchStream, FileRead, guarded, naming};
use crate::{
    Storage,
    arrow::{
        fit::{Origin, fit},
        types::{arrow_schema, arrow_type},
    },
};

pub(in super::super) async fn open(
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<BatchStream> {
    let bytes = storage.read(path).await?;
    if bytes.len() as i64 != file.file_size {
        return Err(Error::corrupt(format!(
            "wanted {} bytes as the manifest says, found {}",
            file.file_size,
            bytes.len()
        )));
    }
    // The decoder never comes back from a block that does not hold the records that it says.
    guarded(|| paimon_spec::count_avro_records(&bytes))?;
    let reader = guarded(|| {
        let builder = ReaderBuilder::new().with_batch_size(read.batch_rows.max(1));
        builder.build(Cursor::new(bytes)).map_err(corrupt)
    })?;
    let decoding = Decoding {
        reader,
        columns: read.columns.clone(),
        schema: arrow_schema(&read.columns)?,
        deletions: read.deletions.clone(),
        limit: read.limit.unwrap_or(usize::MAX),
        position: 0,
        row_count: file.row_count,
        url: storage.url(path),
    };
    Ok(stream::iter(decoding).boxed())
}

fn corrupt(error: ArrowError) -> Error {
    Error::corrupt("not a readable Avro file").with_source(error)
}

struct Decoding {
    reader: Reader<Cursor<Bytes>>,
    columns: Vec<DataField>,
    schema: SchemaRef,
    deletions: Option<Arc<DeletionVector>>,
    /// Rows still wanted.
    limit: usize,
    /// Rows decoded.
    position: u64,
    row_count: i64,
    url: String,
}

impl Iterator for Decoding {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.limit > 0 {
            match guarded(|| self.next_batch()) {
                Ok(None) => return None,
                Ok(Some(batch)) if batch.num_rows() == 0 => {}
                Ok(Some(batch)) => {
                    let rows = batch.num_rows().min(self.limit);
                    self.limit -= rows;
                    return Some(Ok(batch.slice(0, rows)));
                }
                Err(error) => {
                    self.limit = 0;
                    return Some(Err(naming(error, &self.url)));
                }
            }
        }
        None
    }
}

impl Decoding {
    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Some(batch) = self.reader.next() else {
            return if self.position == self.row_count as u64 {
                Ok(None)
            } else {
                Err(Error::corrupt(format!(
                    "wanted {} rows as the manifest says, found {}",
                    self.row_count, self.position
                )))
            };
        };
        let batch = batch.map_err(corrupt)?;
        let start = self.position;
        self.position += batch.num_rows() as u64;
        let batch = self.arrange(&batch)?;
        let Some(deletions) = &self.deletions else {
            return Ok(Some(batch));
        };
        let mut kept = BooleanBufferBuilder::new(batch.num_rows());
        kept.append_n(batch.num_rows(), true);
        let mut all = true;
        for position in deletions.positions_in(start, self.position) {
            kept.set_bit((position - start) as usize, false);
            all = false;
        }
        if all {
            return Ok(Some(batch));
        }
        let kept = BooleanArray::new(kept.finish(), None);
        filter_record_batch(&batch, &kept).map(Some).map_err(|e| Error::internal("paimon-io", e))
    }

    fn arrange(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let columns = self.columns.iter().map(|field| {
            match batch.column_by_name(&field.name) {
                Some(column) => fit(column, &field.data_type, Origin::File),
                None => Ok(new_null_array(&arrow_type(&field.data_type)?, batch.num_rows())),
            }
            .map_err(|e| e.with_context("column", &field.name))
        });
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns.collect::<Result<_>>()?, &options)
            .map_err(|e| Error::corrupt("columns do not fit the file's schema").with_source(e))
    }
}
