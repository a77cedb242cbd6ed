//! Keys of rows, as their hashes.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int8Type, Int16Type, Int32Type, Int64Type};
use paimon_io::datum_at;
use paimon_spec::{BinaryRowWriter, DataType, Result, TableSchema, TypeKind, hash_of_slot, murmur_hash_words};

use super::{columns_of, select};

/// Some columns of a table whose values together are the key of a row.
#[derive(Debug)]
pub(crate) struct KeyColumns {
    pub(crate) names: Vec<String>,
    /// Their places among the table's columns.
    pub(crate) places: Vec<usize>,
    pub(crate) types: Vec<DataType>,
}

impl KeyColumns {
    pub(crate) fn of(schema: &TableSchema, names: Vec<String>) -> Result<Self> {
        let (places, types) = columns_of(schema, &names)?;
        Ok(Self { names, places, types })
    }

    /// The primary key within its partition, by which HASH indexes know a row.
    pub(crate) fn of_trimmed_key(schema: &TableSchema) -> Result<Self> {
        Self::of(schema, schema.trimmed_primary_keys().into_iter().map(str::to_owned).collect())
    }

    /// The hashes of the keys of rows that have the columns of the table.
    pub(crate) fn hashes_of(&self, values: &RecordBatch) -> Result<Vec<i32>> {
        self.hashes(&select(values, &self.places), values.num_rows())
    }

    /// The [`hash_code`](paimon_spec::BinaryRow::hash_code) of the key of each of `rows` rows, by the columns of the key.
    pub(crate) fn hashes(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<i32>> {
        match hashes_of_integers(columns) {
            Some(hashes) => Ok(hashes),
            None => self.each(columns, rows, |key| Ok(murmur_hash_words(key.as_bytes()))),
        }
    }

    /// What `of` makes of the key of each of `rows` rows.
    pub(crate) fn each<T>(
        &self,
        columns: &[ArrayRef],
        rows: usize,
        mut of: impl FnMut(&BinaryRowWriter) -> Result<T>,
    ) -> Result<Vec<T>> {
        let keys: Vec<KeyColumn<'_>> =
            columns.iter().zip(&self.types).map(|(column, data_type)| KeyColumn::of(column, data_type)).collect();
        let mut key = BinaryRowWriter::new(keys.len());
        (0..rows)
            .map(|row| {
                key.reset();
                for (at, column) in keys.iter().enumerate() {
                    column.put(row, at, &mut key)?;
                }
                of(&key)
            })
            .collect()
    }
}

/// The hashes of keys of one column of INT or BIGINT without NULL, which are the most common ones.
fn hashes_of_integers(columns: &[ArrayRef]) -> Option<Vec<i32>> {
    let [column] = columns else { return None };
    if column.null_count() > 0 {
        return None;
    }
    if let Some(values) = column.as_primitive_opt::<Int64Type>() {
        return Some(values.values().iter().map(|value| hash_of_slot(*value as u64)).collect());
    }
    let values = column.as_primitive_opt::<Int32Type>()?;
    Some(values.values().iter().map(|value| hash_of_slot(u64::from(*value as u32))).collect())
}

/// A column of a key, with the types that are common there unpacked.
struct KeyColumn<'a> {
    array: &'a ArrayRef,
    data_type: &'a DataType,
    no_nulls: bool,
}

impl<'a> KeyColumn<'a> {
    fn of(array: &'a ArrayRef, data_type: &'a DataType) -> Self {
        Self { array, data_type, no_nulls: array.null_count() == 0 }
    }

    fn put(&self, row: usize, at: usize, key: &mut BinaryRowWriter) -> Result<()> {
        if !self.no_nulls && self.array.is_null(row) {
            key.set_null(at, self.data_type);
            return Ok(());
        }
        match self.data_type.kind {
            TypeKind::TinyInt => key.set_i8(at, self.array.as_primitive::<Int8Type>().value(row)),
            TypeKind::SmallInt => key.set_i16(at, self.array.as_primitive::<Int16Type>().value(row)),
            TypeKind::Int => key.set_i32(at, self.array.as_primitive::<Int32Type>().value(row)),
            TypeKind::BigInt => key.set_i64(at, self.array.as_primitive::<Int64Type>().value(row)),
            TypeKind::Date => key.set_i32(at, self.array.as_primitive::<Date32Type>().value(row)),
            TypeKind::Char(_) | TypeKind::VarChar(_) => key.set_str(at, self.array.as_string::<i32>().value(row)),
            _ => key.set_datum(at, datum_at(self.array.as_ref(), self.data_type, row)?.as_ref(), self.data_type)?,
        }
        Ok(())
    }
}
