//! Primary keys as bytes, their hashes, and which worker has them.

use std::hash::{DefaultHasher, Hasher};

use arrow::array::{Array, ArrayRef};
use arrow::row::{RowConverter, Rows, SortField};
use paimon_io::{arrow_type, datum_at};
use paimon_spec::{DataField, Error, Result, TableSchema, bucket_of_hash, partition_text};

use crate::assign::Share;
use crate::route::KeyColumns;

/// Bytes of a value that may be of any length, about.
const TEXT_BYTES: u64 = 24;

/// Turns the columns of primary keys into bytes that are equal where the keys are. Not across processes: they are Arrow's.
#[derive(Debug)]
pub(super) struct Keys {
    fields: Vec<DataField>,
    converter: RowConverter,
    /// Which worker has a key, when there are several.
    own: Option<(KeyColumns, Share)>,
}

/// The keys of a batch.
#[derive(Debug)]
pub(super) struct KeyRows(Rows);

impl Keys {
    /// # Errors
    /// `Unsupported` for key columns of types that have no order.
    pub(super) fn of(schema: &TableSchema, share: Share) -> Result<Self> {
        let fields: Vec<DataField> = schema.primary_keys.iter().filter_map(|key| schema.field(key)).cloned().collect();
        let sort_field = |field: &DataField| Ok(SortField::new(arrow_type(&field.data_type)?));
        let sort_fields = fields.iter().map(sort_field).collect::<Result<Vec<_>>>()?;
        let own = match share.assigners {
            0 | 1 => None,
            _ => Some((KeyColumns::of(schema, schema.primary_keys.clone())?, share)),
        };
        Ok(Self { converter: RowConverter::new(sort_fields).map_err(failed)?, fields, own })
    }

    /// The columns of the key.
    pub(super) fn fields(&self) -> &[DataField] {
        &self.fields
    }

    /// How many workers divide the keys among them.
    pub(super) fn sharers(&self) -> u64 {
        self.own.as_ref().map_or(1, |(_, share)| u64::from(share.assigners))
    }

    /// Bytes of a key, about.
    pub(super) fn expected_bytes(&self) -> u64 {
        let bytes = |field: &DataField| {
            let width = arrow_type(&field.data_type).ok().and_then(|kind| kind.primitive_width());
            width.map_or(TEXT_BYTES, |width| width as u64) + 1
        };
        self.fields.iter().map(bytes).sum()
    }

    pub(super) fn rows(&self, columns: &[ArrayRef]) -> Result<KeyRows> {
        self.converter.convert_columns(columns).map(KeyRows).map_err(failed)
    }

    /// Which of the keys are this worker's (Java `KeyPartRowChannelComputer`); `None`: all.
    pub(super) fn own(&self, columns: &[ArrayRef]) -> Result<Option<Vec<bool>>> {
        let Some((key, Share { assigner, assigners })) = &self.own else { return Ok(None) };
        let rows = columns.first().map_or(0, |column| column.len());
        let hashes = key.hashes(columns, rows)?;
        let is_own = |hash| bucket_of_hash(hash, *assigners as i32) == *assigner as i32;
        Ok(Some(hashes.into_iter().map(is_own).collect()))
    }

    /// A key for humans to read: `k = 1, l = 'a'`.
    pub(super) fn show(&self, key: &[u8]) -> String {
        let Ok(columns) = self.converter.convert_rows([self.converter.parser().parse(key)]) else {
            return "?".to_owned();
        };
        let show = |(field, column): (&DataField, &ArrayRef)| {
            let value = datum_at(column.as_ref(), &field.data_type, 0);
            let text = value.and_then(|value| partition_text(value.as_ref(), field, false)).ok().flatten();
            format!("{} = {}", field.name, text.unwrap_or_else(|| "?".to_owned()))
        };
        self.fields.iter().zip(&columns).map(show).collect::<Vec<_>>().join(", ")
    }
}

impl KeyRows {
    /// Bytes and hash of each key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], u64)> {
        self.0.iter().map(|row| (row.data(), hash_of(row.data())))
    }
}

/// The hash of a key. Its low half says where the key is in an index; the high half in which shard, highest bits first.
pub(super) fn hash_of(key: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

fn failed(error: arrow::error::ArrowError) -> Error {
    Error::internal("paimon-write", "primary keys could not be made comparable").with_source(error)
}
