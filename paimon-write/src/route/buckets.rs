//! The bucket of each row by its bucket key.

use arrow::array::{ArrayRef, Int32Array, RecordBatch};
use paimon_spec::{BucketFunction, Error, Result, TableSchema, bucket_of, bucket_of_hash};

use super::{KeyColumns, named_columns};

/// The bucket of each row of a table with fixed buckets, by the columns that the buckets go by. Those are taken by name and
/// cast; others are not looked at.
///
/// # Errors
/// `Unsupported` for tables whose rows have no fixed bucket; `InvalidInput` for columns that are missing or do not fit.
///
/// ```
/// use std::sync::Arc;
/// use arrow::array::{ArrayRef, Int64Array, RecordBatch};
/// use paimon_spec::{Schema, TableSchema};
///
/// let schema = Schema::from_json(
///     r#"{"fields": [{"name": "id", "type": "BIGINT"}], "primaryKeys": ["id"], "options": {"bucket": "4"}}"#,
/// )?;
/// let ids: ArrayRef = Arc::new(Int64Array::from(vec![0, 1, 2]));
/// let rows = RecordBatch::try_from_iter([("id", ids)]).unwrap();
/// let buckets = paimon_write::bucket_of_rows(&TableSchema::create(schema, 0)?, &rows)?;
/// assert_eq!(buckets.values(), &[3, 2, 0]);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
pub fn bucket_of_rows(schema: &TableSchema, rows: &RecordBatch) -> Result<Int32Array> {
    let buckets = fixed_buckets(schema)?;
    let router = BucketRouter::of(schema)?;
    let columns = named_columns(&router.key.names, schema, rows)?;
    router.route(&columns, rows.num_rows(), buckets).map(Int32Array::from)
}

/// How many buckets the rows of a table have.
///
/// # Errors
/// `Unsupported` where that is no fixed number.
pub(super) fn fixed_buckets(schema: &TableSchema) -> Result<i32> {
    let buckets = schema.table_options().bucket()?;
    if buckets > 0 {
        return Ok(buckets);
    }
    Err(Error::unsupported(format!("rows of a table with 'bucket' = {buckets} have no fixed bucket")))
}

/// Chooses among any number of buckets by the bucket function of a table.
#[derive(Debug)]
pub(crate) struct BucketRouter {
    pub(crate) key: KeyColumns,
    function: BucketFunction,
}

impl BucketRouter {
    pub(crate) fn of(schema: &TableSchema) -> Result<Self> {
        let names = schema.bucket_key_fields()?.into_iter().map(|field| field.name).collect();
        Ok(Self { key: KeyColumns::of(schema, names)?, function: schema.table_options().bucket_function()? })
    }

    /// The bucket of each of `rows` rows among `buckets`, by the columns of the bucket key.
    ///
    /// # Errors
    /// `InvalidInput` for keys that the bucket function does not take.
    pub(crate) fn route(&self, columns: &[ArrayRef], rows: usize, buckets: i32) -> Result<Vec<i32>> {
        if self.function == BucketFunction::Default {
            let hashes = self.key.hashes(columns, rows)?;
            return Ok(hashes.into_iter().map(|hash| bucket_of_hash(hash, buckets)).collect());
        }
        self.key.each(columns, rows, |key| bucket_of(self.function, &key.to_row(), &self.key.types, buckets))
    }
}
