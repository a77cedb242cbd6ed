//! Rows of several keys on their way into a merge function.

use std::ops::Range;

use arrow::{
    array::{Array, ArrayRef, AsArray, RecordBatch, new_null_array},
    buffer::NullBuffer,
    compute::interleave,
    datatypes::{Int8Type, Int64Type},
};
use paimon_spec::{Error, Result, RowKind};

use crate::KeyedLayout;

/// Rows of several keys, those of one key together, keys ascending; the rows of a key from the oldest to the newest: by
/// the table's sequence fields, then by sequence number.
///
/// A *row* of these methods is a position among all of them, from 0. All rows of a key are there.
#[derive(Debug, Clone, Copy)]
pub struct KeyGroups<'a> {
    layout: &'a KeyedLayout,
    sources: &'a [RecordBatch],
    rows: &'a [(usize, usize)],
    ends: &'a [usize],
    lone_rows_stand: bool,
}

impl<'a> KeyGroups<'a> {
    /// `rows` are (source, row of the source); `ends` has for each key where its rows end, exclusive.
    pub fn new(
        layout: &'a KeyedLayout,
        sources: &'a [RecordBatch],
        rows: &'a [(usize, usize)],
        ends: &'a [usize],
    ) -> Self {
        Self { layout, sources, rows, ends, lone_rows_stand: true }
    }

    /// The same rows, of which those that are alone with their keys are merged too, instead of being taken as they
    /// stand: as Java does where a compaction looks rows up.
    #[must_use]
    pub fn merging_lone_rows(self) -> Self {
        Self { lone_rows_stand: false, ..self }
    }

    /// Whether `rows`, those of a key, are one row that is the result as it stands.
    pub fn stands(&self, rows: &Range<usize>) -> bool {
        rows.len() == 1 && self.lone_rows_stand
    }

    /// The columns.
    pub fn layout(&self) -> &'a KeyedLayout {
        self.layout
    }

    /// The number of keys.
    pub fn keys(&self) -> usize {
        self.ends.len()
    }

    /// The number of rows of all keys.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Where the rows of each key end, exclusive.
    pub fn ends(&self) -> &'a [usize] {
        self.ends
    }

    /// The rows of each key.
    pub fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<'a> {
        let mut start = 0;
        self.ends.iter().map(move |end| std::mem::replace(&mut start, *end)..*end)
    }

    /// The values of a column in all rows.
    ///
    /// # Errors
    /// `Internal` when the layout has no such column.
    pub fn gather(&self, column: usize) -> Result<ArrayRef> {
        self.interleave(column, self.rows)
    }

    /// The values of a column in chosen rows, in any order and as often as wanted.
    ///
    /// # Errors
    /// `Internal` when there is no such row or column.
    pub fn pick(&self, column: usize, rows: &[usize]) -> Result<ArrayRef> {
        self.interleave(column, &self.places(rows)?)
    }

    /// As [`Self::pick`]; `None` gives NULL.
    ///
    /// # Errors
    /// `Internal` when there is no such row or column.
    pub fn pick_some(&self, column: usize, rows: &[Option<usize>]) -> Result<ArrayRef> {
        if let Some(rows) = rows.iter().copied().collect::<Option<Vec<_>>>() {
            return self.pick(column, &rows);
        }
        let field = self.layout.schema().fields().get(column).ok_or_else(|| no_column(column))?;
        let null = new_null_array(field.data_type(), 1);
        let mut arrays = self.arrays(column)?;
        let null_place = (arrays.len(), 0);
        arrays.push(null.as_ref());
        let places: Vec<_> = rows
            .iter()
            .map(|row| row.map_or(Ok(null_place), |row| self.rows.get(row).copied().ok_or_else(|| no_row(row))))
            .collect::<Result<_>>()?;
        interleave(&arrays, &places).map_err(|e| Error::internal("paimon-merge", e))
    }

    /// Whole merged rows, as the layout wants them: all of its result columns in these rows.
    ///
    /// # Errors
    /// `Internal` when there is no such row.
    pub fn pick_rows(&self, rows: &[usize]) -> Result<RecordBatch> {
        let places = self.places(rows)?;
        self.layout.result(rows.len(), |column| self.interleave(column, &places))
    }

    /// Merged rows of an engine that chooses one row for each key: as [`Self::pick_rows`], without those that take back
    /// unless `keep_deletes`.
    ///
    /// # Errors
    /// As [`Self::pick_rows`] and [`Self::kinds`].
    pub fn pick_result(&self, mut rows: Vec<usize>, keep_deletes: bool) -> Result<RecordBatch> {
        if !keep_deletes && !self.only_adds()? {
            let kinds = self.kinds_of(&rows)?;
            let mut kinds = kinds.iter();
            rows.retain(|_| kinds.next().is_some_and(|kind| !kind.is_retract()));
        }
        self.pick_rows(&rows)
    }

    /// Which rows have NULL in a column; `None` when none has.
    ///
    /// # Errors
    /// `Internal` when there is no such column.
    pub fn nulls(&self, column: usize) -> Result<Option<NullBuffer>> {
        let arrays = self.arrays(column)?;
        if arrays.iter().all(|array| array.null_count() == 0) {
            return Ok(None);
        }
        let is_valid = |&(source, row): &(usize, usize)| arrays.get(source).is_some_and(|array| array.is_valid(row));
        Ok(Some(self.rows.iter().map(is_valid).collect::<Vec<_>>().into()))
    }

    /// Whether a row has NULL in a column.
    ///
    /// # Errors
    /// `Internal` when there is no such row or column.
    pub fn is_null(&self, column: usize, row: usize) -> Result<bool> {
        let &(source, row) = self.rows.get(row).ok_or_else(|| no_row(row))?;
        Ok(self.arrays(column)?.get(source).is_some_and(|array| array.is_null(row)))
    }

    /// What each row does.
    ///
    /// # Errors
    /// `CorruptData` for kinds that do not exist.
    pub fn kinds(&self) -> Result<Vec<RowKind>> {
        self.kinds_at(self.rows)
    }

    /// What chosen rows do.
    ///
    /// # Errors
    /// As [`Self::kinds`]; `Internal` when there is no such row.
    pub fn kinds_of(&self, rows: &[usize]) -> Result<Vec<RowKind>> {
        self.kinds_at(&self.places(rows)?)
    }

    /// The sequence numbers of all rows.
    ///
    /// # Errors
    /// `Internal` when the layout is not one.
    pub fn sequence_numbers(&self) -> Result<Vec<i64>> {
        let sequence = self.gather(KeyedLayout::SEQUENCE)?;
        let sequence = sequence.as_primitive_opt::<Int64Type>().ok_or_else(|| no_column(KeyedLayout::SEQUENCE))?;
        Ok(sequence.values().to_vec())
    }

    /// Whether no row of the sources takes anything back; quick to tell, unlike the kind of each row.
    fn only_adds(&self) -> Result<bool> {
        let adds = |code: &i8| *code == RowKind::Insert.code() || *code == RowKind::UpdateAfter.code();
        Ok(self.kind_codes()?.iter().all(|codes| codes.iter().all(adds)))
    }

    fn kind_codes(&self) -> Result<Vec<&'a [i8]>> {
        let arrays = self.arrays(KeyedLayout::KIND)?;
        let codes = arrays.iter().map(|array| array.as_primitive_opt::<Int8Type>().map(|codes| &codes.values()[..]));
        codes.collect::<Option<Vec<_>>>().ok_or_else(|| no_column(KeyedLayout::KIND))
    }

    fn kinds_at(&self, places: &[(usize, usize)]) -> Result<Vec<RowKind>> {
        let codes = self.kind_codes()?;
        let code = |&(source, row): &(usize, usize)| codes.get(source).and_then(|codes| codes.get(row));
        places.iter().map(|place| RowKind::from_code(*code(place).ok_or_else(|| no_row(place.1))?)).collect()
    }

    fn places(&self, rows: &[usize]) -> Result<Vec<(usize, usize)>> {
        // Looked at first, because collecting results row by row takes several times as long.
        match rows.iter().find(|row| **row >= self.rows.len()) {
            Some(row) => Err(no_row(*row)),
            None => Ok(rows.iter().map(|row| self.rows[*row]).collect()),
        }
    }

    fn interleave(&self, column: usize, places: &[(usize, usize)]) -> Result<ArrayRef> {
        let arrays = self.arrays(column)?;
        interleave(&arrays, places).map_err(|e| Error::internal("paimon-merge", e))
    }

    fn arrays(&self, column: usize) -> Result<Vec<&'a dyn Array>> {
        let array = |source: &'a RecordBatch| {
            source.columns().get(column).map(|array| array.as_ref()).ok_or_else(|| no_column(column))
        };
        self.sources.iter().map(array).collect()
    }
}

fn no_column(column: usize) -> Error {
    Error::internal("paimon-merge", format!("rows under a merge have no such column {column}"))
}

fn no_row(row: usize) -> Error {
    Error::internal("paimon-merge", format!("there is no row {row} under the merge"))
}
