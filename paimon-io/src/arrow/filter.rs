//! Predicates over record batches: three-valued, column at a time.

use std::cmp::Ordering;

use arrow::{
    array::{
        Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBufferBuilder, PrimitiveArray, RecordBatch,
        Scalar, StringArray,
    },
    buffer::BooleanBuffer,
    compute::{
        and_kleene, is_not_null, is_null,
        kernels::{cmp, comparison},
        not, or_kleene, prep_null_mask_filter,
    },
    datatypes::{
        DataType as ArrowType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
        Int64Type, Time32MillisecondType, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType,
    },
    error::ArrowError,
};
use paimon_spec::{CompareOp, DataField, Datum, Error, Leaf, Predicate, Result, Test, Timestamp, TypeKind};

use super::rows::{constant_array, timestamp_in};

/// Which rows of `batch` pass `predicate`: true where it is true, false where it is false or unknown; never NULL.
///
/// `fields` describe the batch's columns, in order; the predicate names them by id. Values compare as
/// [`paimon_spec::predicate::compare()`] says.
///
/// # Errors
/// `InvalidInput` when the predicate names a column that is not in `fields`, or a literal is not of its column's type.
pub fn filter_mask(batch: &RecordBatch, fields: &[DataField], predicate: &Predicate) -> Result<BooleanArray> {
    let mask = evaluate(batch, fields, predicate)?;
    Ok(if mask.null_count() == 0 { mask } else { prep_null_mask_filter(&mask) })
}

fn evaluate(batch: &RecordBatch, fields: &[DataField], predicate: &Predicate) -> Result<BooleanArray> {
    match predicate {
        Predicate::Constant(value) => Ok(uniform(*value, batch.num_rows())),
        Predicate::Unknown => Ok(BooleanArray::new_null(batch.num_rows())),
        Predicate::And(parts) => {
            let mut mask = uniform(true, batch.num_rows());
            for part in parts {
                mask = and_kleene(&mask, &evaluate(batch, fields, part)?).map_err(kernel_error)?;
                if mask.null_count() == 0 && mask.true_count() == 0 {
                    break;
                }
            }
            Ok(mask)
        }
        Predicate::Or(parts) => {
            let mut mask = uniform(false, batch.num_rows());
            for part in parts {
                mask = or_kleene(&mask, &evaluate(batch, fields, part)?).map_err(kernel_error)?;
                if mask.null_count() == 0 && mask.true_count() == mask.len() {
                    break;
                }
            }
            Ok(mask)
        }
        Predicate::Not(part) => not(&evaluate(batch, fields, part)?).map_err(kernel_error),
        Predicate::Leaf(leaf) => {
            let position = fields.iter().position(|f| f.id == leaf.field).filter(|p| *p < batch.num_columns());
            let position = position.ok_or_else(|| {
                Error::invalid(format!("predicate on field id {}, which is not among the columns read", leaf.field))
            })?;
            evaluate_leaf(batch.column(position), &fields[position], leaf)
                .map_err(|e| e.with_context("column", &fields[position].name))
        }
        other => Err(Error::unsupported(format!("predicate {other:?}"))),
    }
}

fn uniform(value: bool, rows: usize) -> BooleanArray {
    BooleanArray::new(if value { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) }, None)
}

fn kernel_error(error: ArrowError) -> Error {
    Error::invalid("predicate does not fit its column").with_source(error)
}

fn evaluate_leaf(array: &ArrayRef, field: &DataField, leaf: &Leaf) -> Result<BooleanArray> {
    match &leaf.test {
        Test::IsNull => is_null(array).map_err(kernel_error),
        Test::IsNotNull => is_not_null(array).map_err(kernel_error),
        Test::Compare(op, literal) => compare(array, field, *op, literal),
        Test::In(literals) => is_in(array, field, literals),
        Test::StartsWith(text) => text_test(array, text, comparison::starts_with),
        Test::EndsWith(text) => text_test(array, text, comparison::ends_with),
        Test::Contains(text) => text_test(array, text, comparison::contains),
        other => Err(Error::unsupported(format!("predicate {other:?}"))),
    }
}

type TextKernel =
    fn(&dyn arrow::array::Datum, &dyn arrow::array::Datum) -> std::result::Result<BooleanArray, ArrowError>;

fn text_test(array: &ArrayRef, text: &str, kernel: TextKernel) -> Result<BooleanArray> {
    if array.data_type() != &ArrowType::Utf8 {
        return Err(Error::invalid(format!("text test on a column of {}", array.data_type())));
    }
    kernel(array, &Scalar::new(StringArray::from(vec![text]))).map_err(kernel_error)
}

fn compare(array: &ArrayRef, field: &DataField, op: CompareOp, literal: &Datum) -> Result<BooleanArray> {
    if let (Datum::Timestamp(literal), ArrowType::Timestamp(unit, _)) = (literal, array.data_type()) {
        return Ok(compare_timestamps(array, *unit, op, *literal));
    }
    // Arrow's kernels order as `paimon_spec::predicate::compare` does, floats by IEEE 754 total order included.
    let literal = Scalar::new(constant_array(Some(literal), &field.data_type, 1)?);
    match op {
        CompareOp::Eq => cmp::eq(array, &literal),
        CompareOp::NotEq => cmp::neq(array, &literal),
        CompareOp::Lt => cmp::lt(array, &literal),
        CompareOp::LtEq => cmp::lt_eq(array, &literal),
        CompareOp::Gt => cmp::gt(array, &literal),
        CompareOp::GtEq => cmp::gt_eq(array, &literal),
    }
    .map_err(kernel_error)
}

fn holds(op: CompareOp, ordering: Ordering) -> bool {
    match op {
        CompareOp::Eq => ordering.is_eq(),
        CompareOp::NotEq => ordering.is_ne(),
        CompareOp::Lt => ordering.is_lt(),
        CompareOp::LtEq => ordering.is_le(),
        CompareOp::Gt => ordering.is_gt(),
        CompareOp::GtEq => ordering.is_ge(),
    }
}

/// Tests every value; NULL stays NULL.
fn test_values<T: ArrowPrimitiveType>(array: &ArrayRef, test: impl FnMut(T::Native) -> bool) -> BooleanArray {
    BooleanArray::from_unary(array.as_primitive::<T>(), test)
}

fn test_timestamps(array: &ArrayRef, unit: TimeUnit, test: impl FnMut(i64) -> bool) -> BooleanArray {
    match unit {
        TimeUnit::Second => test_values::<TimestampSecondType>(array, test),
        TimeUnit::Millisecond => test_values::<TimestampMillisecondType>(array, test),
        TimeUnit::Microsecond => test_values::<TimestampMicrosecondType>(array, test),
        TimeUnit::Nanosecond => test_values::<TimestampNanosecondType>(array, test),
    }
}

/// Where a literal stands among the values of a column's unit: on `floor`, or between it and the next.
fn locate(literal: Timestamp, unit: TimeUnit) -> (i128, bool) {
    let nanos = i128::from(literal.millis) * 1_000_000 + i128::from(literal.nanos_of_milli);
    let step = match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    };
    (nanos.div_euclid(step), nanos.rem_euclid(step) == 0)
}

/// Compares exactly also with literals that have more digits, or a larger range, than the column's unit.
fn compare_timestamps(array: &ArrayRef, unit: TimeUnit, op: CompareOp, literal: Timestamp) -> BooleanArray {
    let (floor, on_floor) = locate(literal, unit);
    let (floor, on_floor) = match i64::try_from(floor) {
        Ok(floor) => (floor, on_floor),
        // Beyond all values: after the last one, or before the first.
        Err(_) if floor > 0 => (i64::MAX, false),
        Err(_) => return test_timestamps(array, unit, |_| holds(op, Ordering::Greater)),
    };
    test_timestamps(array, unit, |value| {
        let ordering = value.cmp(&floor);
        holds(op, if ordering.is_eq() && !on_floor { Ordering::Less } else { ordering })
    })
}

fn is_in(array: &ArrayRef, field: &DataField, literals: &[Datum]) -> Result<BooleanArray> {
    let mismatch =
        |literal: &Datum| Error::invalid(format!("wanted a value of {}, found {literal:?}", array.data_type()));
    /// The literals as values of the array, or the first that is none.
    macro_rules! values {
        ($variant:ident) => {
            literals
                .iter()
                .map(|literal| match literal {
                    Datum::$variant(value) => Ok(value.clone()),
                    other => Err(mismatch(other)),
                })
                .collect::<Result<Vec<_>>>()?
        };
    }
    Ok(match &field.data_type.kind {
        TypeKind::Boolean => {
            let wanted = values!(Boolean);
            let array = array.as_boolean_opt().ok_or_else(|| wrong_array(array))?;
            let found = match (wanted.contains(&true), wanted.contains(&false)) {
                (true, true) => BooleanBuffer::new_set(array.len()),
                (true, false) => array.values().clone(),
                (false, true) => !array.values(),
                (false, false) => BooleanBuffer::new_unset(array.len()),
            };
            BooleanArray::new(found, array.nulls().cloned())
        }
        TypeKind::TinyInt => primitive_in::<Int8Type>(array, values!(TinyInt), Ord::cmp)?,
        TypeKind::SmallInt => primitive_in::<Int16Type>(array, values!(SmallInt), Ord::cmp)?,
        TypeKind::Int => primitive_in::<Int32Type>(array, values!(Int), Ord::cmp)?,
        TypeKind::BigInt => primitive_in::<Int64Type>(array, values!(BigInt), Ord::cmp)?,
        TypeKind::Date => primitive_in::<Date32Type>(array, values!(Date), Ord::cmp)?,
        TypeKind::Time(_) => primitive_in::<Time32MillisecondType>(array, values!(Time), Ord::cmp)?,
        TypeKind::Float => primitive_in::<Float32Type>(array, values!(Float), f32::total_cmp)?,
        TypeKind::Double => primitive_in::<Float64Type>(array, values!(Double), f64::total_cmp)?,
        TypeKind::Decimal { scale, .. } => {
            let values = literals.iter().map(|literal| match literal {
                Datum::Decimal { unscaled, scale: found } if found == scale => Ok(*unscaled),
                other => Err(mismatch(other)),
            });
            primitive_in::<Decimal128Type>(array, values.collect::<Result<_>>()?, Ord::cmp)?
        }
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => {
            let ArrowType::Timestamp(unit, _) = array.data_type() else {
                return Err(wrong_array(array));
            };
            // A literal that is no value of the unit equals no value.
            let exact = values!(Timestamp).into_iter().filter(|v| locate(*v, *unit).1);
            let values: Vec<i64> = exact.filter_map(|v| timestamp_in(v, *unit)).collect();
            match unit {
                TimeUnit::Second => primitive_in::<TimestampSecondType>(array, values, Ord::cmp)?,
                TimeUnit::Millisecond => primitive_in::<TimestampMillisecondType>(array, values, Ord::cmp)?,
                TimeUnit::Microsecond => primitive_in::<TimestampMicrosecondType>(array, values, Ord::cmp)?,
                TimeUnit::Nanosecond => primitive_in::<TimestampNanosecondType>(array, values, Ord::cmp)?,
            }
        }
        TypeKind::Char(_) | TypeKind::VarChar(_) => {
            let values = values!(String);
            let array = array.as_string_opt::<i32>().ok_or_else(|| wrong_array(array))?;
            let set = SortedSet::new(values.iter().map(String::as_bytes).collect(), Ord::cmp);
            collect_in(array, |row| set.contains(&array.value(row).as_bytes()))
        }
        TypeKind::Binary(_) | TypeKind::VarBinary(_) => {
            let values = values!(Bytes);
            let array = array.as_binary_opt::<i32>().ok_or_else(|| wrong_array(array))?;
            let set = SortedSet::new(values.iter().map(Vec::as_slice).collect(), Ord::cmp);
            collect_in(array, |row| set.contains(&array.value(row)))
        }
        other => return Err(Error::unsupported(format!("IN on a column of type {other:?}"))),
    })
}

fn wrong_array(array: &ArrayRef) -> Error {
    Error::invalid(format!("column does not hold its type but {}", array.data_type()))
}

fn primitive_in<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    wanted: Vec<T::Native>,
    order: fn(&T::Native, &T::Native) -> Ordering,
) -> Result<BooleanArray> {
    let array: &PrimitiveArray<T> = array.as_primitive_opt().ok_or_else(|| wrong_array(array))?;
    let set = SortedSet::new(wanted, order);
    Ok(BooleanArray::from_unary(array, |value| set.contains(&value)))
}

fn collect_in(array: &dyn Array, contains: impl Fn(usize) -> bool) -> BooleanArray {
    let mut found = BooleanBufferBuilder::new(array.len());
    for row in 0..array.len() {
        found.append(array.is_valid(row) && contains(row));
    }
    BooleanArray::new(found.finish(), array.nulls().cloned())
}

/// A set that is asked once per row: sorted, so that most rows are told by its bounds alone.
struct SortedSet<V> {
    values: Vec<V>,
    order: fn(&V, &V) -> Ordering,
}

impl<V> SortedSet<V> {
    fn new(mut values: Vec<V>, order: fn(&V, &V) -> Ordering) -> Self {
        values.sort_unstable_by(order);
        values.dedup_by(|a, b| order(a, b).is_eq());
        Self { values, order }
    }

    fn contains(&self, value: &V) -> bool {
        let (Some(first), Some(last)) = (self.values.first(), self.values.last()) else {
            return false;
        };
        (self.order)(value, first).is_ge()
            && (self.order)(value, last).is_le()
            && self.values.binary_search_by(|v| (self.order)(v, value)).is_ok()
    }
}
