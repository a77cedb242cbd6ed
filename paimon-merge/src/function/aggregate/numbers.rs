//! Exact sums and products.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray, PrimitiveBuilder};
use arrow::datatypes::{
    DataType as ArrowType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, i256,
};
use paimon_spec::{Error, Result};

use crate::function::history::{Aggregator, History};

/// The sum of each key; NULL counts for nothing. What is taken back is subtracted, from nothing too.
pub(super) fn sum(values: &ArrayRef, history: History<'_>, ignore_retract: bool) -> Result<ArrayRef> {
    computed(values, Operation::Sum, history, ignore_retract)
}

/// The product of each key; NULL counts for nothing. What is taken back divides, with the remainder lost.
pub(super) fn product(values: &ArrayRef, history: History<'_>, ignore_retract: bool) -> Result<ArrayRef> {
    computed(values, Operation::Product, history, ignore_retract)
}

#[derive(Debug, Clone, Copy)]
enum Operation {
    Sum,
    Product,
}

fn computed(values: &ArrayRef, operation: Operation, history: History<'_>, ignore_retract: bool) -> Result<ArrayRef> {
    let run = Run { values, operation, history, ignore_retract };
    match values.data_type() {
        ArrowType::Int8 => run.of::<Int8Type, _>(Plain),
        ArrowType::Int16 => run.of::<Int16Type, _>(Plain),
        ArrowType::Int32 => run.of::<Int32Type, _>(Plain),
        ArrowType::Int64 => run.of::<Int64Type, _>(Plain),
        ArrowType::Float32 => run.of::<Float32Type, _>(Plain),
        ArrowType::Float64 => run.of::<Float64Type, _>(Plain),
        ArrowType::Decimal128(precision, scale) => {
            let scale = u8::try_from(*scale).unwrap_or(0);
            run.of::<Decimal128Type, _>(Decimals { precision: *precision, scale })
        }
        other => Err(Error::unsupported(format!("values of type {other} are no numbers"))),
    }
}

struct Run<'a> {
    values: &'a ArrayRef,
    operation: Operation,
    history: History<'a>,
    ignore_retract: bool,
}

impl Run<'_> {
    fn of<T: ArrowPrimitiveType, A: Arithmetic<T::Native>>(&self, arithmetic: A) -> Result<ArrayRef> {
        let values: &PrimitiveArray<T> = super::downcast(self.values)?;
        let mut builder =
            PrimitiveBuilder::<T>::with_capacity(self.history.keys()).with_data_type(values.data_type().clone());
        let result = |value| {
            builder.append_option(value);
            Ok(())
        };
        match self.operation {
            Operation::Sum => self.fold(&mut Sum { values, arithmetic }, result)?,
            Operation::Product => self.fold(&mut Product { values, arithmetic }, result)?,
        }
        Ok(Arc::new(builder.finish()))
    }

    fn fold<A: Aggregator>(
        &self,
        aggregator: &mut A,
        mut result: impl FnMut(Option<A::Value>) -> Result<()>,
    ) -> Result<()> {
        self.history.fold(aggregator, self.ignore_retract, |_, value| result(value))
    }
}

struct Sum<'a, T: ArrowPrimitiveType, A> {
    values: &'a PrimitiveArray<T>,
    arithmetic: A,
}

impl<T: ArrowPrimitiveType, A: Arithmetic<T::Native>> Aggregator for Sum<'_, T, A> {
    type Value = T::Native;

    #[inline]
    fn value(&self, row: usize) -> Option<T::Native> {
        self.values.is_valid(row).then(|| self.values.value(row))
    }

    #[inline]
    fn add(&mut self, old: Option<T::Native>, new: Option<T::Native>) -> Result<Option<T::Native>> {
        match (old, new) {
            (Some(old), Some(new)) => self.arithmetic.plus(old, new),
            (old, new) => Ok(old.or(new)),
        }
    }

    fn retract(&mut self, old: Option<T::Native>, gone: Option<T::Native>) -> Result<Option<T::Native>> {
        match (old, gone) {
            (Some(old), Some(gone)) => self.arithmetic.minus(old, gone),
            (None, Some(gone)) => self.arithmetic.negated(gone),
            (old, None) => Ok(old),
        }
    }
}

struct Product<'a, T: ArrowPrimitiveType, A> {
    values: &'a PrimitiveArray<T>,
    arithmetic: A,
}

impl<T: ArrowPrimitiveType, A: Arithmetic<T::Native>> Aggregator for Product<'_, T, A> {
    type Value = T::Native;

    fn value(&self, row: usize) -> Option<T::Native> {
        self.values.is_valid(row).then(|| self.values.value(row))
    }

    fn add(&mut self, old: Option<T::Native>, new: Option<T::Native>) -> Result<Option<T::Native>> {
        match (old, new) {
            (Some(old), Some(new)) => self.arithmetic.times(old, new),
            (old, new) => Ok(old.or(new)),
        }
    }

    fn retract(&mut self, old: Option<T::Native>, gone: Option<T::Native>) -> Result<Option<T::Native>> {
        match (old, gone) {
            (Some(old), Some(gone)) => self.arithmetic.over(old, gone),
            (old, _) => Ok(old),
        }
    }
}

/// Arithmetic of one type; `None` is NULL, which decimals become that do not fit their type.
trait Arithmetic<T> {
    fn plus(&self, a: T, b: T) -> Result<Option<T>>;
    fn minus(&self, a: T, b: T) -> Result<Option<T>>;
    fn negated(&self, a: T) -> Result<Option<T>>;
    fn times(&self, a: T, b: T) -> Result<Option<T>>;
    fn over(&self, a: T, b: T) -> Result<Option<T>>;
}

/// That of the type itself: integers do not wrap, floats are as they are.
struct Plain;

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Arithmetic<$type> for Plain {
            #[inline]
            fn plus(&self, a: $type, b: $type) -> Result<Option<$type>> {
                a.checked_add(b).map(Some).ok_or_else(|| overflow(a, '+', b))
            }

            fn minus(&self, a: $type, b: $type) -> Result<Option<$type>> {
                a.checked_sub(b).map(Some).ok_or_else(|| overflow(a, '-', b))
            }

            fn negated(&self, a: $type) -> Result<Option<$type>> {
                self.minus(0, a)
            }

            fn times(&self, a: $type, b: $type) -> Result<Option<$type>> {
                a.checked_mul(b).map(Some).ok_or_else(|| overflow(a, '*', b))
            }

            fn over(&self, a: $type, b: $type) -> Result<Option<$type>> {
                a.checked_div(b).map(Some).ok_or_else(|| overflow(a, '/', b))
            }
        }
    )*};
}

macro_rules! floats {
    ($($type:ty)*) => {$(
        impl Arithmetic<$type> for Plain {
            #[inline]
            fn plus(&self, a: $type, b: $type) -> Result<Option<$type>> {
                Ok(Some(a + b))
            }

            fn minus(&self, a: $type, b: $type) -> Result<Option<$type>> {
                Ok(Some(a - b))
            }

            fn negated(&self, a: $type) -> Result<Option<$type>> {
                Ok(Some(-a))
            }

            fn times(&self, a: $type, b: $type) -> Result<Option<$type>> {
                Ok(Some(a * b))
            }

            fn over(&self, a: $type, b: $type) -> Result<Option<$type>> {
                Ok(Some(a / b))
            }
        }
    )*};
}

integers!(i8 i16 i32 i64);
floats!(f32 f64);

/// Decimals, by their digits without the point (Java `DecimalUtils`, `FieldProductAgg`).
struct Decimals {
    precision: u8,
    scale: u8,
}

/// Java keeps decimals of so many digits in a 64-bit integer, and lets sums outgrow their precision there.
const COMPACT_PRECISION: u8 = 18;

impl Decimals {
    fn sum(&self, sum: Option<i128>, operation: impl Fn() -> Error) -> Result<Option<i128>> {
        if self.precision > COMPACT_PRECISION {
            return Ok(sum.filter(|sum| self.fits(*sum)));
        }
        // Files hold nine digits in 32 bits: what does not fit there would be another number.
        match sum.and_then(|sum| i64::try_from(sum).ok()) {
            Some(sum) if self.precision <= 9 && i32::try_from(sum).is_err() => Err(operation()),
            Some(sum) => Ok(Some(sum.into())),
            None => Ok(None),
        }
    }

    fn fits(&self, value: i128) -> bool {
        value.unsigned_abs() < 10_u128.pow(self.precision.into())
    }

    fn checked(&self, value: i256) -> Option<i128> {
        value.to_i128().filter(|value| self.fits(*value))
    }

    fn one(&self) -> i256 {
        i256::from_i128(10_i128.pow(self.scale.into()))
    }
}

impl Arithmetic<i128> for Decimals {
    fn plus(&self, a: i128, b: i128) -> Result<Option<i128>> {
        self.sum(a.checked_add(b), || overflow(a, '+', b))
    }

    fn minus(&self, a: i128, b: i128) -> Result<Option<i128>> {
        self.sum(a.checked_sub(b), || overflow(a, '-', b))
    }

    fn negated(&self, a: i128) -> Result<Option<i128>> {
        self.minus(0, a)
    }

    fn times(&self, a: i128, b: i128) -> Result<Option<i128>> {
        let product = i256::from_i128(a).checked_mul(i256::from_i128(b));
        Ok(product.and_then(|product| self.checked(rounded(product, self.one())?)))
    }

    /// Quotients without an end are refused, others rounded (Java `BigDecimal.divide`).
    fn over(&self, a: i128, b: i128) -> Result<Option<i128>> {
        if b == 0 {
            return Err(overflow(a, '/', b));
        }
        if !ends(a, b) {
            return Err(Error::invalid(format!("the quotient {a} / {b} of decimals has no exact digits")));
        }
        let quotient = i256::from_i128(a).checked_mul(self.one());
        Ok(quotient.and_then(|a| self.checked(rounded(a, i256::from_i128(b))?)))
    }
}

/// `a / b`, half away from zero.
fn rounded(a: i256, b: i256) -> Option<i256> {
    let (quotient, rest) = (a.checked_div(b)?, a.checked_rem(b)?);
    let is_half = rest.checked_abs()?.checked_mul(i256::from_i128(2))? >= b.checked_abs()?;
    let away = if a.is_negative() == b.is_negative() { i256::ONE } else { i256::MINUS_ONE };
    if is_half { quotient.checked_add(away) } else { Some(quotient) }
}

/// Whether `a / b` has finitely many decimal digits.
fn ends(a: i128, b: i128) -> bool {
    let (mut x, mut y) = (a.unsigned_abs(), b.unsigned_abs());
    while y != 0 {
        (x, y) = (y, x % y);
    }
    let mut rest = b.unsigned_abs() / x;
    for prime in [2_u128, 5] {
        while rest.is_multiple_of(prime) {
            rest /= prime;
        }
    }
    rest == 1
}

fn overflow<T: std::fmt::Display>(a: T, operation: char, b: T) -> Error {
    Error::invalid(format!("the result of {a} {operation} {b} is no value of the column's type"))
}
