//! Rows as JSON text in which nothing is lost.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use arrow::array::{Array, AsArray, RecordBatch, StructArray};
use arrow::datatypes as at;
use paimon_blob::BlobDescriptor;
use paimon_spec::{DataField, DataType, Datum, Error, Result, TypeKind};
use serde_json::{Value, json};

/// Each row of `batch`, whose columns are `fields`, as a JSON array.
///
/// # Errors
/// `Unsupported` for types that no golden table has.
pub fn render_rows(batch: &RecordBatch, fields: &[DataField]) -> Result<Vec<String>> {
    (0..batch.num_rows())
        .map(|row| {
            let values = fields
                .iter()
                .zip(batch.columns())
                .map(|(field, column)| render(column, &field.data_type, row))
                .collect::<Result<Vec<Value>>>()?;
            Ok(Value::Array(values).to_string())
        })
        .collect()
}

fn render(array: &dyn Array, data_type: &DataType, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    match &data_type.kind {
        TypeKind::Array(element) => {
            let items = array.as_list::<i32>().value(row);
            let values = (0..items.len()).map(|i| render(&items, element, i)).collect::<Result<Vec<_>>>()?;
            Ok(Value::Array(values))
        }
        TypeKind::Map(key, value) => render_pairs(array, key, value, row),
        TypeKind::Multiset(element) => render_pairs(array, element, &DataType::not_null(TypeKind::Int), row),
        TypeKind::Row(fields) => {
            let columns: &StructArray = array.as_struct();
            let values = fields
                .iter()
                .zip(columns.columns())
                .map(|(field, column)| render(column, &field.data_type, row))
                .collect::<Result<Vec<_>>>()?;
            Ok(Value::Array(values))
        }
        TypeKind::Blob => Ok(json!(hex(&pointed_at(array.as_binary::<i64>().value(row))?))),
        // `datum_at` keeps the number but a bit pattern is wanted.
        TypeKind::Float => Ok(json!(array.as_primitive::<at::Float32Type>().value(row).to_bits().cast_signed())),
        TypeKind::Double => Ok(json!(array.as_primitive::<at::Float64Type>().value(row).to_bits().cast_signed())),
        _ => match paimon_io::datum_at(array, data_type, row)? {
            Some(datum) => render_datum(&datum),
            None => Ok(Value::Null),
        },
    }
}

fn render_pairs(array: &dyn Array, key: &DataType, value: &DataType, row: usize) -> Result<Value> {
    let entries = array.as_map().value(row);
    let mut pairs = (0..entries.len())
        .map(|i| Ok(json!([render(entries.column(0), key, i)?, render(entries.column(1), value, i)?])))
        .collect::<Result<Vec<_>>>()?;
    pairs.sort_by_key(Value::to_string);
    Ok(Value::Array(pairs))
}

fn render_datum(datum: &Datum) -> Result<Value> {
    Ok(match datum {
        Datum::Boolean(value) => json!(value),
        Datum::TinyInt(value) => json!(value),
        Datum::SmallInt(value) => json!(value),
        Datum::Int(value) | Datum::Date(value) | Datum::Time(value) => json!(value),
        Datum::BigInt(value) => json!(value),
        Datum::String(value) => json!(value),
        Datum::Bytes(value) => json!(hex(value)),
        Datum::Decimal { unscaled, scale } => json!(decimal_text(*unscaled, usize::from(*scale))),
        Datum::Timestamp(time) => json!(time.millis * 1000 + i64::from(time.nanos_of_milli / 1000)),
        other => return Err(Error::unsupported(format!("no golden table has values like {other:?}"))),
    })
}

/// The bytes of a blob, which is read as a descriptor of them.
fn pointed_at(descriptor: &[u8]) -> Result<Vec<u8>> {
    let BlobDescriptor { uri, offset, length } = BlobDescriptor::decode(descriptor)?;
    let length = length.ok_or_else(|| Error::corrupt(format!("a blob of {uri} without a length")))?;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(uri.strip_prefix("file://").unwrap_or(uri))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|error| Error::corrupt(format!("read a blob of {uri}: {error}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decimal_text(unscaled: i128, scale: usize) -> String {
    let sign = if unscaled < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::decimal_text;

    #[test]
    fn decimals_keep_their_scale_and_leading_zero() {
        assert_eq!(decimal_text(-1, 10), "-0.0000000001");
        assert_eq!(decimal_text(12345, 2), "123.45");
        assert_eq!(decimal_text(-7, 0), "-7");
    }
}
