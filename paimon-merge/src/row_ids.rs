//! Row ids: what a condition on them says about positions, and the columns of row tracking.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array},
    compute::{is_not_null, kernels::zip::zip},
    datatypes::Int64Type,
};
use paimon_spec::{
    DataField, DataFileMeta, DataType, Error, FileSource, Predicate, ROW_ID_ID, Result, RowIds, RowSet,
    SEQUENCE_NUMBER, row_id_field, sequence_number_field,
};

/// The positions of rows with the row ids `ids` that may meet the predicate.
///
/// # Errors
/// As [`RowSet::from_range`].
pub(crate) fn rows_wanted(predicate: &Predicate, ids: &Range<i64>) -> Result<RowSet> {
    let Some(wanted) = RowIds::wanted(predicate) else { return RowSet::from_range(0..ids.end.abs_diff(ids.start)) };
    let position = |id: i64| id.abs_diff(ids.start);
    RowSet::from_ranges(wanted.within(ids.clone()).map(|range| position(range.start)..position(range.end)))
}

/// A predicate without what is true of all rows of [`rows_wanted`]: its conditions on row ids alone.
pub(crate) fn without_row_ids(predicate: Predicate) -> Predicate {
    let parts = match predicate {
        Predicate::And(parts) => parts,
        one => vec![one],
    };
    let settled = |part: &Predicate| part.fields() == [ROW_ID_ID] && RowIds::wanted(part).is_some();
    Predicate::and(parts.into_iter().filter(|part| !settled(part)))
}

/// Whether a file may have row ids of its own: those that writers say so of, and those that got none by their place,
/// such as a compaction makes where there are no column groups (Java `RowTrackingCommitUtils`).
pub(crate) fn may_store_row_ids(file: &DataFileMeta) -> bool {
    file.stores_row_ids() || file.first_row_id.is_none()
}

/// Whether a file may have sequence numbers of its own: those of rows that were moved.
pub(crate) fn may_store_sequence_numbers(file: &DataFileMeta) -> bool {
    file.file_source != Some(FileSource::Append)
        || file.write_cols.iter().flatten().any(|column| column == SEQUENCE_NUMBER)
}

/// The columns of row tracking as files have them: NULL where the manifest tells.
pub(crate) fn stored_field(field: &DataField) -> DataField {
    let data_type = DataType { nullable: true, ..field.data_type.clone() };
    DataField { data_type, ..field.clone() }
}

/// What rows have beside the table's columns, with row tracking.
pub(crate) fn tracked_fields() -> Vec<DataField> {
    vec![row_id_field(), sequence_number_field()]
}

/// The row ids of rows at these positions, after `first`, the id of position 0.
pub(crate) fn row_ids(first: i64, positions: &[Range<u64>]) -> ArrayRef {
    let ids = positions.iter().flat_map(|range| range.clone().map(|position| first.saturating_add_unsigned(position)));
    Arc::new(Int64Array::from_iter_values(ids))
}

/// What is stored, and `known` where nothing is.
pub(crate) fn stored_or(stored: &ArrayRef, known: ArrayRef) -> Result<ArrayRef> {
    if stored.null_count() == 0 {
        return Ok(Arc::clone(stored));
    }
    if stored.null_count() == stored.len() {
        return Ok(known);
    }
    let merged = is_not_null(stored)
        .and_then(|is_stored| zip(&is_stored, stored.as_primitive::<Int64Type>(), known.as_primitive::<Int64Type>()));
    merged.map_err(|error| Error::internal("paimon-merge", error))
}

#[cfg(test)]
mod tests {
    use paimon_spec::{CompareOp, Datum, Test};
    use proptest::prelude::*;

    use super::*;

    fn condition() -> impl Strategy<Value = Predicate> {
        let op = prop_oneof![
            Just(CompareOp::Eq),
            Just(CompareOp::NotEq),
            Just(CompareOp::Lt),
            Just(CompareOp::LtEq),
            Just(CompareOp::Gt),
            Just(CompareOp::GtEq)
        ];
        let id = prop_oneof![4 => -3..30_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN)].prop_map(Datum::BigInt);
        let test = prop_oneof![
            Just(Test::IsNull),
            Just(Test::IsNotNull),
            (op, id.clone()).prop_map(|(op, id)| Test::Compare(op, id)),
            prop::collection::vec(id, 0..4).prop_map(Test::In),
        ];
        let field = prop_oneof![3 => Just(ROW_ID_ID), 1 => Just(0)];
        let leaf = (field, test).prop_map(|(field, test)| Predicate::leaf(field, test));
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 1..4).prop_map(Predicate::And),
                prop::collection::vec(inner.clone(), 1..4).prop_map(Predicate::Or),
                inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_positions_and_the_rest_together_mean_the_condition(
            condition in condition(),
            first in 0..20_i64,
            count in 1..15_i64,
            other in prop::option::of(-3..30_i64),
        ) {
            let ids = first..first + count;
            let (rows, rest) = (rows_wanted(&condition, &ids).unwrap(), without_row_ids(condition.clone()));
            for (position, id) in ids.enumerate() {
                let row = |field| if field == ROW_ID_ID { Some(Datum::BigInt(id)) } else { other.map(Datum::BigInt) };
                let split = rows.contains(position as u64) && rest.evaluate(&row) == Some(true);
                prop_assert_eq!(split, condition.evaluate(&row) == Some(true), "id {} of {:?}", id, &condition);
            }
        }
    }

    #[test]
    fn conditions_on_row_ids_alone_leave_nothing_to_evaluate() {
        let between = Predicate::and([
            Predicate::compare(ROW_ID_ID, CompareOp::GtEq, Datum::BigInt(12)),
            Predicate::compare(ROW_ID_ID, CompareOp::Lt, Datum::BigInt(15)),
        ]);
        assert_eq!(rows_wanted(&between, &(10..20)).unwrap(), RowSet::from_positions([2, 3, 4]));
        assert_eq!(without_row_ids(between), Predicate::Constant(true));
    }

    #[test]
    fn what_is_stored_comes_before_what_the_manifest_says() {
        let known = row_ids(100, &[0..2, 5..6]);
        let stored = |ids: Vec<Option<i64>>| -> ArrayRef { Arc::new(Int64Array::from(ids)) };
        let merged = |ids| stored_or(&stored(ids), Arc::clone(&known)).unwrap();
        assert_eq!(&merged(vec![None, None, None]), &stored(vec![Some(100), Some(101), Some(105)]));
        assert_eq!(&merged(vec![Some(7), None, Some(3)]), &stored(vec![Some(7), Some(101), Some(3)]));
        assert_eq!(&merged(vec![Some(7), Some(8), Some(3)]), &stored(vec![Some(7), Some(8), Some(3)]));
    }
}
