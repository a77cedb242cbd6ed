//! File indexes of new files, built from the rows on their way.

#[cfg(test)]
mod tests;

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
};
use bytes::Bytes;
use paimon_io::TableStore;
use paimon_spec::{
    DataField, DataType, Error, FileIndexOptions, IndexBuilder, IndexValue, IndexedColumn, Result, TableSchema,
    TypeKind, encode_file_index,
};

/// The indexes that a table's files get.
#[derive(Debug)]
pub(crate) struct IndexLayout {
    columns: Vec<Column>,
    /// Larger ones are files of their own.
    threshold_bytes: u64,
}

#[derive(Debug)]
struct Column {
    index: IndexedColumn,
    position: usize,
    /// Of what is indexed: the column's, or that of the values of a map.
    data_type: DataType,
}

impl IndexLayout {
    /// By the table's options, of files with the columns `fields`; `None` when they ask for no index of those.
    ///
    /// # Errors
    /// `InvalidInput` when the options name columns that are not there, or settings that no index has; `Unsupported`
    /// for indexes of other kinds, and of types that they cannot have.
    pub(crate) fn of(schema: &TableSchema, fields: &[DataField]) -> Result<Option<Self>> {
        let options = FileIndexOptions::parse(&schema.options)?;
        if options.indexes.is_empty() {
            return Ok(None);
        }
        let columns = options.indexes.into_iter().map(|index| Column::of(schema, index)).collect::<Result<_>>()?;
        let threshold_bytes = FileIndexOptions::in_manifest_threshold_bytes(schema.table_options())?;
        let mut layout = Self { columns, threshold_bytes };
        // Says now what would not be possible later.
        layout.start()?;
        layout.columns.retain_mut(|column| {
            let place = fields.iter().position(|field| field.name == column.index.column);
            column.position = place.unwrap_or(column.position);
            place.is_some()
        });
        Ok((!layout.columns.is_empty()).then_some(layout))
    }

    /// Begins the indexes of a file.
    pub(crate) fn start(&self) -> Result<FileIndexes> {
        let start = |column: &Column| {
            let builder = IndexBuilder::new(&column.index, &column.data_type)?;
            let (map_key, kind) = (column.index.map_key.clone(), column.data_type.kind.clone());
            Ok(Started { position: column.position, map_key, kind, builder })
        };
        let indexes = self.columns.iter().map(start).collect::<Result<_>>()?;
        Ok(FileIndexes { indexes, threshold_bytes: self.threshold_bytes })
    }
}

impl Column {
    fn of(schema: &TableSchema, index: IndexedColumn) -> Result<Self> {
        let asked_by = || format!("option 'file-index.{}.columns'", index.kind.name());
        let Some(position) = schema.fields.iter().position(|field| field.name == index.column) else {
            let message = format!("{} names column '{}', which the table does not have", asked_by(), index.column);
            return Err(Error::invalid(message));
        };
        let data_type = &schema.fields[position].data_type;
        let data_type = match (&data_type.kind, &index.map_key) {
            (_, None) => data_type.clone(),
            (TypeKind::Map(key, value), Some(_)) if matches!(key.kind, TypeKind::Char(_) | TypeKind::VarChar(_)) => {
                value.as_ref().clone()
            }
            (_, Some(_)) => {
                return Err(Error::unsupported(format!(
                    "{} names '{}', but column '{}' is of type {data_type}: only maps with texts as keys can be indexed \
                     by key",
                    asked_by(),
                    index.name_in_container(),
                    index.column
                )));
            }
        };
        Ok(Self { index, position, data_type })
    }
}

/// The indexes of one file, in the making.
#[derive(Debug)]
pub(crate) struct FileIndexes {
    indexes: Vec<Started>,
    threshold_bytes: u64,
}

#[derive(Debug)]
struct Started {
    position: usize,
    map_key: Option<String>,
    kind: TypeKind,
    builder: IndexBuilder,
}

/// The indexes of a finished file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum WrittenIndex {
    /// For the file's manifest entry.
    Embedded(Bytes),
    /// The name of a file beside it.
    File(String),
}

impl FileIndexes {
    /// Adds the file's next rows, as the table's columns.
    pub(crate) fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        for index in &mut self.indexes {
            let column = &columns[index.position];
            let column = match &index.map_key {
                Some(key) => &values_of_key(column, key)?,
                None => column,
            };
            add_values(column, &index.kind, &mut index.builder)?;
        }
        Ok(())
    }

    /// Bytes held in memory.
    pub(crate) fn memory(&self) -> u64 {
        self.indexes.iter().map(|index| index.builder.memory_bytes()).sum()
    }

    /// Completes the indexes of the data file `file_name`. Those that are too large for its manifest entry are written
    /// beside it.
    pub(crate) async fn finish(self, store: &TableStore, folder: &str, file_name: &str) -> Result<WrittenIndex> {
        let indexes = self.indexes.into_iter().map(|index| index.builder.finish()).collect::<Result<Vec<_>>>();
        let indexes = indexes.and_then(|indexes| encode_file_index(&indexes));
        let indexes = Bytes::from(indexes.map_err(|error| error.with_context("file", file_name))?);
        if indexes.len() as u64 <= self.threshold_bytes {
            return Ok(WrittenIndex::Embedded(indexes));
        }
        store.write_file_index(folder, file_name, indexes).await.map(WrittenIndex::File)
    }
}

fn add_values(column: &ArrayRef, kind: &TypeKind, builder: &mut IndexBuilder) -> Result<()> {
    let column = column.as_ref();
    match column.data_type() {
        ArrowType::Boolean => {
            column.as_boolean().iter().try_for_each(|value| builder.add(value.map(|v| IndexValue::Int(v.into()))))
        }
        ArrowType::Int8 => add_numbers::<Int8Type>(column, builder, |value| Some(IndexValue::Int(value.into()))),
        ArrowType::Int16 => add_numbers::<Int16Type>(column, builder, |value| Some(IndexValue::Int(value.into()))),
        ArrowType::Int32 => add_numbers::<Int32Type>(column, builder, |value| Some(IndexValue::Int(value.into()))),
        ArrowType::Int64 => add_numbers::<Int64Type>(column, builder, |value| Some(IndexValue::Int(value))),
        ArrowType::Date32 => add_numbers::<Date32Type>(column, builder, |value| Some(IndexValue::Int(value.into()))),
        ArrowType::Time32(TimeUnit::Millisecond) => {
            add_numbers::<Time32MillisecondType>(column, builder, |value| Some(IndexValue::Int(value.into())))
        }
        ArrowType::Float32 => add_numbers::<Float32Type>(column, builder, |value| Some(IndexValue::Float(value))),
        ArrowType::Float64 => add_numbers::<Float64Type>(column, builder, |value| Some(IndexValue::Double(value))),
        ArrowType::Decimal128(..) => {
            add_numbers::<Decimal128Type>(column, builder, |value| i64::try_from(value).ok().map(IndexValue::Int))
        }
        // Milliseconds up to precision 3, else microseconds, rounded down.
        ArrowType::Timestamp(TimeUnit::Second, _) => {
            add_numbers::<TimestampSecondType>(column, builder, |value| value.checked_mul(1000).map(IndexValue::Int))
        }
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => {
            add_numbers::<TimestampMillisecondType>(column, builder, |value| Some(IndexValue::Int(value)))
        }
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => {
            add_numbers::<TimestampMicrosecondType>(column, builder, |value| Some(IndexValue::Int(value)))
        }
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => {
            add_numbers::<TimestampNanosecondType>(column, builder, |value| {
                Some(IndexValue::Int(value.div_euclid(1000)))
            })
        }
        ArrowType::Utf8 => {
            let texts = column.as_string::<i32>().iter();
            texts.map(|text| text.map(str::as_bytes)).try_for_each(|text| builder.add(text.map(IndexValue::Bytes)))
        }
        ArrowType::Binary => {
            column.as_binary::<i32>().iter().try_for_each(|bytes| builder.add(bytes.map(IndexValue::Bytes)))
        }
        other => Err(Error::internal("paimon-write", format_args!("a column of type {kind:?} came as {other}"))),
    }
}

/// `value` gives `None` for a number that an index has no place for.
fn add_numbers<T: ArrowPrimitiveType>(
    column: &dyn Array,
    builder: &mut IndexBuilder,
    value: impl Fn(T::Native) -> Option<IndexValue<'static>>,
) -> Result<()> {
    for number in column.as_primitive::<T>() {
        let value = match number {
            Some(number) => Some(value(number).ok_or_else(|| {
                Error::invalid(format!("expected numbers that a file index can hold, found {number:?}"))
            })?),
            None => None,
        };
        builder.add(value)?;
    }
    Ok(())
}

/// Row by row the value that a map has for `key`; NULL where it has none.
fn values_of_key(maps: &ArrayRef, key: &str) -> Result<ArrayRef> {
    let maps = maps.as_map();
    let keys = maps.keys().as_string::<i32>();
    let place = |row: usize| {
        let entries = maps.offsets()[row] as usize..maps.offsets()[row + 1] as usize;
        let mut entries = entries.filter(|_| !maps.is_null(row));
        entries.find(|entry| keys.value(*entry) == key).map(|entry| entry as u32)
    };
    let places: UInt32Array = (0..maps.len()).map(place).collect();
    take(maps.values(), &places, None).map_err(|error| Error::internal("paimon-write", error))
}
