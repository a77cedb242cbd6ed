//! What a merge changes: rows before and after, as a changelog has them.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, Int8Array, RecordBatch},
    compute::{interleave, kernels::cmp::not_distinct},
    datatypes::{DataType as ArrowType, Float32Type, Float64Type, Int8Type},
};
use paimon_spec::{Error, Result, RowKind, TableOptions, TableSchema};

use crate::{
    KeyedLayout,
    chunk::{Chunk, RowOrder},
};

/// A row: its source, and its number there.
type Place = (usize, usize);

/// What there was of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It does not matter: nothing is told of the key.
    Untold,
    /// No row.
    Nothing,
    /// This row.
    Row(Place),
}

/// How changes are told.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    /// Updates that change none of these columns, by their positions in the layout, are none; `None`: all updates are
    /// told (`changelog-producer.row-deduplicate`).
    compared: Option<Vec<usize>>,
}

/// A row of a changelog in the making.
struct Change {
    kind: RowKind,
    place: Place,
}

impl Changes {
    /// # Errors
    /// `InvalidInput` for options with values that they cannot have.
    pub(super) fn of(schema: &TableSchema, layout: &KeyedLayout, options: &TableOptions<'_>) -> Result<Self> {
        if !options.changelog_row_deduplicate()? {
            return Ok(Self { compared: None });
        }
        let ignored = options.changelog_row_deduplicate_ignore_fields();
        let compared = schema.fields.iter().filter(|field| !ignored.contains(&field.name.as_str()));
        let compared = compared.filter_map(|field| layout.position(field.id));
        Ok(Self { compared: Some(compared.filter(|position| !layout.keys().contains(position)).collect()) })
    }

    /// The changes from `befores`, one for each key of the chunk, to `merged`; each key that has a result has a row there,
    /// one that deletes too. `None`: there are none.
    pub(super) fn tell(
        &self,
        order: &RowOrder,
        chunk: &Chunk,
        befores: &[Before],
        merged: &RecordBatch,
    ) -> Result<Option<RecordBatch>> {
        let results = results(order, chunk, merged)?;
        let kinds = merged.column(KeyedLayout::KIND).as_primitive::<Int8Type>().values();
        let kinds = kinds.iter().map(|code| RowKind::from_code(*code)).collect::<Result<Vec<_>>>()?;
        // Merged rows are one more source.
        let merged_source = chunk.batches.len();
        let result = |key: usize| {
            let row = if results.is_empty() { Some(key) } else { results[key] };
            row.map(|row| ((merged_source, row), kinds[row].is_retract()))
        };
        let mut updates = Vec::new();
        if self.compared.is_some() {
            for (key, before) in befores.iter().enumerate() {
                if let (Before::Row(before), Some((after, false))) = (before, result(key)) {
                    updates.push((*before, after));
                }
            }
        }
        let sources: Vec<&RecordBatch> = chunk.batches.iter().chain([merged]).collect();
        let mut same = self.same(&sources, &updates)?.into_iter();
        let mut changes = Vec::with_capacity(befores.len());
        for (key, before) in befores.iter().enumerate() {
            match (*before, result(key)) {
                (Before::Untold, _) | (_, None) | (Before::Nothing, Some((_, true))) => {}
                (Before::Nothing, Some((after, false))) => changes.push(Change { kind: RowKind::Insert, place: after }),
                (Before::Row(before), Some((_, true))) => changes.push(Change { kind: RowKind::Delete, place: before }),
                (Before::Row(before), Some((after, false))) => {
                    if same.next() != Some(true) {
                        changes.push(Change { kind: RowKind::UpdateBefore, place: before });
                        changes.push(Change { kind: RowKind::UpdateAfter, place: after });
                    }
                }
            }
        }
        if changes.is_empty() {
            return Ok(None);
        }
        let places: Vec<_> = changes.iter().map(|change| change.place).collect();
        let columns = (0..merged.num_columns()).map(|column| match column {
            KeyedLayout::KIND => Ok(Arc::new(changes.iter().map(|c| c.kind.code()).collect::<Int8Array>()) as ArrayRef),
            column => picked(&sources, column, &places),
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let batch = RecordBatch::try_new(merged.schema(), columns);
        Ok(Some(batch.map_err(|error| Error::internal("paimon-merge", error))?))
    }

    /// Which of the updates change nothing; empty when it does not matter.
    fn same(&self, sources: &[&RecordBatch], updates: &[(Place, Place)]) -> Result<Vec<bool>> {
        let Some(compared) = &self.compared else { return Ok(Vec::new()) };
        let mut same = vec![true; updates.len()];
        let (before, after): (Vec<_>, Vec<_>) = updates.iter().copied().unzip();
        for column in compared {
            let equal = equal(&picked(sources, *column, &before)?, &picked(sources, *column, &after)?)?;
            same.iter_mut().zip(equal.values().iter()).for_each(|(same, equal)| *same &= equal);
        }
        Ok(same)
    }
}

/// For each key of the chunk its row of `merged`, if it has one. Empty when all have one, in order.
fn results(order: &RowOrder, chunk: &Chunk, merged: &RecordBatch) -> Result<Vec<Option<usize>>> {
    if merged.num_rows() == chunk.ends.len() {
        return Ok(Vec::new());
    }
    let keys = order.keys.keys(merged)?;
    let mut next = 0;
    let result = |end: &usize| {
        let (source, row) = chunk.rows[end.saturating_sub(1)];
        let is_next = next < merged.num_rows() && chunk.sources[source].keys.compare(row, &keys, next).is_eq();
        next += usize::from(is_next);
        is_next.then(|| next - 1)
    };
    Ok(chunk.ends.iter().map(result).collect())
}

fn picked(sources: &[&RecordBatch], column: usize, places: &[Place]) -> Result<ArrayRef> {
    let arrays: Vec<&dyn Array> = sources.iter().map(|source| source.column(column).as_ref()).collect();
    interleave(&arrays, places).map_err(|error| Error::internal("paimon-merge", error))
}

/// Where two columns have equal values, or both NULL. No NaN equals another, as in Java.
fn equal(a: &ArrayRef, b: &ArrayRef) -> Result<BooleanArray> {
    fn of_floats<T: ArrowPrimitiveType>(a: &ArrayRef, b: &ArrayRef) -> BooleanArray {
        a.as_primitive::<T>().iter().zip(b.as_primitive::<T>()).map(|(a, b)| Some(a == b)).collect()
    }
    match a.data_type() {
        ArrowType::Float32 => Ok(of_floats::<Float32Type>(a, b)),
        ArrowType::Float64 => Ok(of_floats::<Float64Type>(a, b)),
        data_type if data_type.is_nested() => {
            Ok((0..a.len()).map(|row| Some(a.slice(row, 1).to_data() == b.slice(row, 1).to_data())).collect())
        }
        _ => not_distinct(a, b).map_err(|error| Error::internal("paimon-merge", error)),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int32Array, StringArray, StructArray};
    use arrow::datatypes::Field;
    use rstest::rstest;

    use super::*;

    fn doubles(values: &[Option<f64>]) -> ArrayRef {
        Arc::new(Float64Array::from(values.to_vec()))
    }

    fn lists(values: &[Option<&[f64]>]) -> ArrayRef {
        let lists = values.iter().map(|list| list.map(|list| list.iter().copied().map(Some).collect::<Vec<_>>()));
        Arc::new(arrow::array::ListArray::from_iter_primitive::<Float64Type, _, _>(lists))
    }

    fn rows(values: &[Option<i32>]) -> ArrayRef {
        let field = Arc::new(Field::new("n", ArrowType::Int32, true));
        Arc::new(StructArray::from(vec![(field, Arc::new(Int32Array::from(values.to_vec())) as ArrayRef)]))
    }

    /// Java compares values of simple types with `==` or `equals`, and those of nested types, as rows of files keep them,
    /// byte by byte.
    #[rstest]
    #[case::doubles(
        doubles(&[Some(1.0), Some(f64::NAN), Some(0.0), None, None]),
        doubles(&[Some(1.0), Some(f64::NAN), Some(-0.0), None, Some(1.0)]),
        &[true, false, true, true, false]
    )]
    #[case::texts(
        Arc::new(StringArray::from(vec![Some("a"), None, Some("")])),
        Arc::new(StringArray::from(vec![Some("a"), None, None])),
        &[true, true, false]
    )]
    #[case::lists(
        lists(&[Some(&[1.0, 2.0]), Some(&[f64::NAN]), Some(&[0.0]), None, Some(&[])]),
        lists(&[Some(&[1.0, 2.0]), Some(&[f64::NAN]), Some(&[-0.0]), None, None]),
        &[true, true, false, true, false]
    )]
    #[case::rows(rows(&[Some(1), None, Some(2)]), rows(&[Some(1), None, None]), &[true, true, false])]
    fn values_are_the_same_as_java_finds_them(#[case] a: ArrayRef, #[case] b: ArrayRef, #[case] expected: &[bool]) {
        assert_eq!(equal(&a, &b).unwrap(), BooleanArray::from(expected.to_vec()));
        // Wherever the values stand in their arrays.
        let (a, b) = (a.slice(1, a.len() - 1), b.slice(1, b.len() - 1));
        assert_eq!(equal(&a, &b).unwrap(), BooleanArray::from(expected[1..].to_vec()));
    }
}
