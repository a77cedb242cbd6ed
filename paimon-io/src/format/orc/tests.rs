//! ORC files of other writers, of ours, and damaged ones.

mod damage;
mod encodings;
mod foreign;
mod written;

use arrow::array::RecordBatch;
use bytes::Bytes;
use paimon_spec::{DataField, DataType, TypeKind};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::super::tests::{BUCKET, RUNTIME, all_of, meta, read, table, together};
use crate::{TableStore, paimon_fields};

// ---- files of pyarrow, whose rows are in a Parquet file too; tests/data/write_orc.py made both

const PARQUET: &[u8] = include_bytes!("../../../tests/data/pyarrow-19.0.1.parquet");
const ZSTD: &[u8] = include_bytes!("../../../tests/data/pyarrow-19.0.1-zstd.orc");
const UNCOMPRESSED: &[u8] = include_bytes!("../../../tests/data/pyarrow-19.0.1-uncompressed.orc");
const ZLIB: &[u8] = include_bytes!("../../../tests/data/pyarrow-19.0.1-zlib.orc");
const SNAPPY: &[u8] = include_bytes!("../../../tests/data/pyarrow-19.0.1-snappy.orc");
const LZ4: &[u8] = include_bytes!("../../../tests/data/pyarrow-19.0.1-lz4.orc");

/// Rows of the small files.
const FEW: usize = 100;
/// Rows of the large ones.
const MANY: usize = 1100;

fn put(table: &TableStore, name: &str, bytes: Bytes) {
    RUNTIME.block_on(table.storage().put(&format!("{BUCKET}/{name}"), bytes)).unwrap();
}

/// A table with the columns of the files, and their rows.
fn pyarrow_table() -> (TableStore, Vec<DataField>, RecordBatch) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from_static(PARQUET)).unwrap();
    let table = table(&paimon_fields(builder.schema()).unwrap(), &[]);
    let fields = table.schema().fields.clone();
    put(&table, "rows.parquet", Bytes::from_static(PARQUET));
    let rows = read(&table, &meta("rows.parquet", PARQUET.len() as u64, MANY as u64), &all_of(&fields)).unwrap();
    let rows = together(&fields, &rows);
    (table, fields, rows)
}

fn some(kind: TypeKind) -> Vec<DataField> {
    vec![DataField::new(0, "a", DataType::nullable(kind))]
}
