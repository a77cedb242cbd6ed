//! A data file as a `BinaryRow`, for splits and commit messages (Java `DataFileMetaSerializer` and its ancestors).

use bytes::Bytes;

use super::{DataFileMeta, FileSource};
use crate::binary_row::{ArrayView, long_array, string_array};
use crate::{BinaryRow, BinaryRowWriter, Error, Result, RowView, SimpleStats};

/// Fields of the row that is written today; older rows have the first so many of them.
pub(crate) const FIELDS: usize = 21;

impl DataFileMeta {
    /// The row, without its number of fields.
    pub(crate) fn encode_row(&self, row: &mut BinaryRowWriter) {
        row.reset();
        row.set_str(0, &self.file_name);
        row.set_i64(1, self.file_size);
        row.set_i64(2, self.row_count);
        row.set_bytes(3, self.min_key.as_metadata());
        row.set_bytes(4, self.max_key.as_metadata());
        row.set_section(5, &stats_row(&self.key_stats));
        row.set_section(6, &stats_row(&self.value_stats));
        row.set_i64(7, self.min_sequence_number);
        row.set_i64(8, self.max_sequence_number);
        row.set_i64(9, self.schema_id);
        row.set_i32(10, self.level);
        row.set_section(11, &string_array(&self.extra_files));
        set_or_null(row, 12, self.creation_time_millis, BinaryRowWriter::set_i64);
        set_or_null(row, 13, self.delete_row_count, BinaryRowWriter::set_i64);
        set_or_null(row, 14, self.embedded_index.as_deref(), BinaryRowWriter::set_bytes);
        set_or_null(row, 15, self.file_source.map(FileSource::code), BinaryRowWriter::set_i8);
        let section = |row: &mut BinaryRowWriter, pos, section: Vec<u8>| row.set_section(pos, &section);
        set_or_null(row, 16, self.value_stats_cols.as_deref().map(string_array), section);
        set_or_null(row, 17, self.external_path.as_deref(), BinaryRowWriter::set_str);
        set_or_null(row, 18, self.first_row_id, BinaryRowWriter::set_i64);
        set_or_null(row, 19, self.write_cols.as_deref().map(string_array), section);
        let sequences = self.write_cols_sequences.as_ref();
        let sequences = sequences.map(|values| long_array(values.iter().copied().map(Some)));
        set_or_null(row, 20, sequences, section);
    }

    /// Decodes a row of up to [`FIELDS`] fields; those that it lacks are `None`.
    ///
    /// # Errors
    /// `CorruptData` naming the field.
    pub(crate) fn decode_row(row: RowView<'_>) -> Result<Self> {
        let file = Self {
            file_name: required(row, 0, "_FILE_NAME", text)?,
            file_size: required(row, 1, "_FILE_SIZE", long)?,
            row_count: required(row, 2, "_ROW_COUNT", long)?,
            min_key: required(row, 3, "_MIN_KEY", key)?,
            max_key: required(row, 4, "_MAX_KEY", key)?,
            key_stats: required(row, 5, "_KEY_STATS", stats)?,
            value_stats: required(row, 6, "_VALUE_STATS", stats)?,
            min_sequence_number: required(row, 7, "_MIN_SEQUENCE_NUMBER", long)?,
            max_sequence_number: required(row, 8, "_MAX_SEQUENCE_NUMBER", long)?,
            schema_id: required(row, 9, "_SCHEMA_ID", long)?,
            level: required(row, 10, "_LEVEL", |row, pos| Ok(row.slot(pos) as i32))?,
            extra_files: required(row, 11, "_EXTRA_FILES", texts)?,
            creation_time_millis: optional(row, 12, "_CREATION_TIME", long)?,
            delete_row_count: optional(row, 13, "_DELETE_ROW_COUNT", long)?,
            embedded_index: optional(row, 14, "_EMBEDDED_FILE_INDEX", |row, pos| {
                Ok(Bytes::copy_from_slice(row.bytes_at(pos)?))
            })?,
            file_source: optional(row, 15, "_FILE_SOURCE", |row, pos| {
                FileSource::from_code(i32::from(row.slot(pos) as i8))
            })?,
            value_stats_cols: optional(row, 16, "_VALUE_STATS_COLS", texts)?,
            external_path: optional(row, 17, "_EXTERNAL_PATH", text)?,
            first_row_id: optional(row, 18, "_FIRST_ROW_ID", long)?,
            write_cols: optional(row, 19, "_WRITE_COLS", texts)?,
            write_cols_sequences: optional(row, 20, "_WRITE_COLS_SEQUENCES", |row, pos| {
                let values = ArrayView::new(row.section_at(pos)?)?.longs();
                values.map(|value| value.ok_or_else(|| Error::corrupt("expected a number, found NULL"))).collect()
            })?,
        };
        file.check_names()?;
        Ok(file)
    }
}

fn set_or_null<T>(
    row: &mut BinaryRowWriter,
    pos: usize,
    value: Option<T>,
    set: impl FnOnce(&mut BinaryRowWriter, usize, T),
) {
    match value {
        Some(value) => set(row, pos, value),
        None => row.set_compact_null(pos),
    }
}

type Decode<T> = fn(RowView<'_>, usize) -> Result<T>;

fn required<T>(row: RowView<'_>, pos: usize, name: &'static str, decode: Decode<T>) -> Result<T> {
    optional(row, pos, name, decode)?
        .ok_or_else(|| Error::corrupt(format!("expected a value of {name} in the row of a data file, found NULL")))
}

fn optional<T>(row: RowView<'_>, pos: usize, name: &'static str, decode: Decode<T>) -> Result<Option<T>> {
    if row.is_null(pos) {
        return Ok(None);
    }
    decode(row, pos).map(Some).map_err(|error| error.with_context("field", name))
}

fn long(row: RowView<'_>, pos: usize) -> Result<i64> {
    Ok(row.slot(pos) as i64)
}

fn text(row: RowView<'_>, pos: usize) -> Result<String> {
    row.str_at(pos).map(str::to_owned)
}

fn texts(row: RowView<'_>, pos: usize) -> Result<Vec<String>> {
    ArrayView::new(row.section_at(pos)?)?.strings().collect()
}

fn key(row: RowView<'_>, pos: usize) -> Result<BinaryRow> {
    BinaryRow::from_metadata(row.bytes_at(pos)?)
}

fn stats(row: RowView<'_>, pos: usize) -> Result<SimpleStats> {
    let stats = RowView::new(3, row.section_at(pos)?)?;
    let null_counts =
        optional(stats, 2, "_NULL_COUNTS", |row, pos| Ok(ArrayView::new(row.section_at(pos)?)?.longs().collect()))?;
    Ok(SimpleStats {
        min_values: required(stats, 0, "_MIN_VALUES", key)?,
        max_values: required(stats, 1, "_MAX_VALUES", key)?,
        null_counts: null_counts.unwrap_or_default(),
    })
}

fn stats_row(stats: &SimpleStats) -> Vec<u8> {
    let mut row = BinaryRowWriter::new(3);
    row.set_bytes(0, stats.min_values.as_metadata());
    row.set_bytes(1, stats.max_values.as_metadata());
    row.set_section(2, &long_array(stats.null_counts.iter().copied()));
    row.as_bytes().to_vec()
}
