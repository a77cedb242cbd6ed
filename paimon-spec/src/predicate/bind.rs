//! Literals of any type to predicates in a column's own type, exactly or not at all.

use super::{CompareOp, Leaf, Predicate, Test};
use crate::{DataField, Datum, Error, Result, Timestamp, TypeKind};

/// A literal as a caller has it, before it is known which column it is compared with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// NULL
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Int(i128),
    /// A binary floating point number.
    Float(f64),
    /// `unscaled` x 10^-`scale`
    Decimal {
        /// The digits.
        unscaled: i128,
        /// Digits after the point; negative: zeros before it.
        scale: i8,
    },
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Days since 1970-01-01.
    Date(i32),
    /// A point in time.
    Timestamp {
        /// Nanoseconds since 1970-01-01 00:00.
        nanos: i128,
        /// Whether it is an instant (its text had a time zone) and not a wall-clock reading.
        utc: bool,
    },
    /// A time of day.
    Time {
        /// Nanoseconds since midnight.
        nanos: i64,
    },
}

/// How a column is compared with literals: the methods of `PredicateBuilder`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `column op literal`
    Compare(CompareOp),
    /// `column IS NULL`
    IsNull,
    /// `column IS NOT NULL`
    IsNotNull,
    /// `column IN (literals)`
    In,
    /// `column NOT IN (literals)`
    NotIn,
    /// `column BETWEEN literal AND literal`, both included
    Between,
    /// `column NOT BETWEEN literal AND literal`
    NotBetween,
    /// Text starts with.
    StartsWith,
    /// Text ends with.
    EndsWith,
    /// Text contains.
    Contains,
    /// SQL LIKE with `%` and `_`, escaped by `\`.
    Like,
}

impl Method {
    /// The method of that name in Paimon's predicates: `equal`, `notEqual`, `lessThan`, `lessOrEqual`, `greaterThan`,
    /// `greaterOrEqual`, `isNull`, `isNotNull`, `in`, `notIn`, `between`, `notBetween`, `startsWith`, `endsWith`,
    /// `contains`, `like`.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "equal" => Self::Compare(CompareOp::Eq),
            "notEqual" => Self::Compare(CompareOp::NotEq),
            "lessThan" => Self::Compare(CompareOp::Lt),
            "lessOrEqual" => Self::Compare(CompareOp::LtEq),
            "greaterThan" => Self::Compare(CompareOp::Gt),
            "greaterOrEqual" => Self::Compare(CompareOp::GtEq),
            "isNull" => Self::IsNull,
            "isNotNull" => Self::IsNotNull,
            "in" => Self::In,
            "notIn" => Self::NotIn,
            "between" => Self::Between,
            "notBetween" => Self::NotBetween,
            "startsWith" => Self::StartsWith,
            "endsWith" => Self::EndsWith,
            "contains" => Self::Contains,
            "like" => Self::Like,
            _ => return None,
        })
    }
}

/// The predicate that says exactly `field method literals`, or `None` when there is none: the literal's type does not
/// compare with the column's without a conversion whose rules are the caller's engine's, or there is no test for it.
///
/// A literal between two values of the column becomes the nearest bound (`int < 2.5` is `int <= 2`), one outside the
/// type's range makes the comparison true or false for every value, and all comparisons stay unknown for NULL, so NOT of
/// the result is right too. `IN ()` is false even for NULL and `NOT IN ()` keeps what is not NULL.
///
/// Floats follow the order of [`compare`](super::compare()). Where engines differ from it (`IN` with zeros or NaN, decimals
/// against floats, whole numbers from 2^53 against floats), the answer is `None`.
///
/// # Errors
/// `InvalidInput` when the number of literals is not what the method takes.
///
/// ```
/// use paimon_spec::predicate::{Literal, Method, bind};
/// use paimon_spec::{CompareOp, DataField, DataType, Datum, Predicate, TypeKind};
///
/// let field = DataField::new(7, "n", DataType::nullable(TypeKind::Int));
/// let less = bind(&field, Method::Compare(CompareOp::Lt), &[Literal::Float(2.5)])?;
/// assert_eq!(less, Some(Predicate::compare(7, CompareOp::LtEq, Datum::Int(2))));
/// # Ok::<(), paimon_spec::Error>(())
/// ```
pub fn bind(field: &DataField, method: Method, literals: &[Literal]) -> Result<Option<Predicate>> {
    match (method, literals) {
        (Method::IsNull, []) => Ok(Some(Predicate::leaf(field.id, Test::IsNull))),
        (Method::IsNotNull, []) => Ok(Some(Predicate::leaf(field.id, Test::IsNotNull))),
        (Method::Compare(op), [literal]) => Ok(bind_compare(field, op, literal)),
        (Method::In, []) => Ok(Some(Predicate::Constant(false))),
        (Method::NotIn, []) => Ok(Some(Predicate::leaf(field.id, Test::IsNotNull))),
        (Method::In, literals) => Ok(bind_in(field, literals)),
        (Method::NotIn, literals) => Ok(bind_in(field, literals).map(Predicate::negate)),
        (Method::Between, [low, high]) => Ok(bind_between(field, low, high)),
        (Method::NotBetween, [low, high]) => Ok(bind_between(field, low, high).map(Predicate::negate)),
        (Method::StartsWith, [literal]) => Ok(bind_text(field, literal, Test::StartsWith)),
        (Method::EndsWith, [literal]) => Ok(bind_text(field, literal, Test::EndsWith)),
        (Method::Contains, [literal]) => Ok(bind_text(field, literal, Test::Contains)),
        (Method::Like, [literal]) => Ok(bind_like(field, literal)),
        (method, literals) => Err(Error::invalid(format!(
            "expected {} for {method:?}, found {}",
            match method {
                Method::IsNull | Method::IsNotNull => "no literal",
                Method::Between | Method::NotBetween => "two literals",
                _ => "one literal",
            },
            literals.len()
        ))
        .with_context("column", &field.name)),
    }
}

fn bind_compare(field: &DataField, op: CompareOp, literal: &Literal) -> Option<Predicate> {
    if *literal == Literal::Null {
        return Some(Predicate::Unknown);
    }
    place(&field.data_type.kind, literal).map(|place| compare_with(field.id, op, place))
}

fn bind_between(field: &DataField, low: &Literal, high: &Literal) -> Option<Predicate> {
    let low = bind_compare(field, CompareOp::GtEq, low)?;
    let high = bind_compare(field, CompareOp::LtEq, high)?;
    Some(Predicate::and([low, high]))
}

fn bind_in(field: &DataField, literals: &[Literal]) -> Option<Predicate> {
    let mut values = Vec::with_capacity(literals.len());
    let mut has_null = false;
    for literal in literals {
        if *literal == Literal::Null {
            has_null = true;
            continue;
        }
        match place(&field.data_type.kind, literal)? {
            Place::At(Datum::Float(value)) if value == 0.0 || value.is_nan() => return None,
            Place::At(Datum::Double(value)) if value == 0.0 || value.is_nan() => return None,
            Place::At(value) => values.push(value),
            Place::After(_) | Place::BelowAll | Place::AboveAll => {}
        }
    }
    let listed = in_values(field.id, values);
    Some(if has_null { Predicate::or([listed, Predicate::Unknown]) } else { listed })
}

fn bind_text(field: &DataField, literal: &Literal, test: impl FnOnce(String) -> Test) -> Option<Predicate> {
    match (&field.data_type.kind, literal) {
        (TypeKind::Char(_) | TypeKind::VarChar(_), Literal::Null) => Some(Predicate::Unknown),
        (TypeKind::Char(_) | TypeKind::VarChar(_), Literal::String(text)) => {
            Some(Predicate::leaf(field.id, test(text.clone())))
        }
        _ => None,
    }
}

/// `%` only at the ends; `_`, and `%` between text, have no test of their own.
fn bind_like(field: &DataField, literal: &Literal) -> Option<Predicate> {
    let Literal::String(pattern) = literal else { return bind_text(field, literal, Test::Contains) };
    let text = pattern.trim_matches('%');
    if text.contains(['%', '_', '\\']) {
        return None;
    }
    let test = match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (false, false) => |text| Test::Compare(CompareOp::Eq, Datum::String(text)),
        (false, true) => Test::StartsWith,
        (true, false) => Test::EndsWith,
        (true, true) => Test::Contains,
    };
    bind_text(field, &Literal::String(text.to_owned()), test)
}

/// Where a literal stands among the values of a column's type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Place {
    /// It is this value.
    At(Datum),
    /// It lies between this value and the next.
    After(Datum),
    BelowAll,
    AboveAll,
}

/// `column op literal` for a literal at `place`.
pub(super) fn compare_with(field: i32, op: CompareOp, place: Place) -> Predicate {
    // False for every value, unknown for NULL; and the opposite.
    let never = || Predicate::leaf(field, Test::In(Vec::new()));
    let always = || Predicate::Not(Box::new(never()));
    match (place, op) {
        (Place::At(value), op) => Predicate::compare(field, op, value),
        (_, CompareOp::Eq) => never(),
        (_, CompareOp::NotEq) => always(),
        (Place::After(value), CompareOp::Lt | CompareOp::LtEq) => Predicate::compare(field, CompareOp::LtEq, value),
        (Place::After(value), CompareOp::Gt | CompareOp::GtEq) => Predicate::compare(field, CompareOp::Gt, value),
        (Place::AboveAll, CompareOp::Lt | CompareOp::LtEq) | (Place::BelowAll, CompareOp::Gt | CompareOp::GtEq) => {
            always()
        }
        (Place::AboveAll, CompareOp::Gt | CompareOp::GtEq) | (Place::BelowAll, CompareOp::Lt | CompareOp::LtEq) => {
            never()
        }
    }
}

/// `column IN (values)`
pub(super) fn in_values(field: i32, mut values: Vec<Datum>) -> Predicate {
    match values.len() {
        1 => Predicate::compare(field, CompareOp::Eq, values.remove(0)),
        _ => Leaf { field, test: Test::In(values) }.into(),
    }
}

/// Where `literal` stands among the values of type `kind`; `None` when that is for the caller's engine to say.
pub(super) fn place(kind: &TypeKind, literal: &Literal) -> Option<Place> {
    match (kind, literal) {
        (TypeKind::Boolean, Literal::Boolean(value)) => Some(Place::At(Datum::Boolean(*value))),
        (TypeKind::TinyInt | TypeKind::SmallInt | TypeKind::Int | TypeKind::BigInt, literal) => {
            place_in_integers(kind, literal)
        }
        (TypeKind::Decimal { scale, .. }, literal) => place_in_decimals(*scale, literal),
        (TypeKind::Float, Literal::Float(value)) => place_in_floats(*value),
        (TypeKind::Float, Literal::Int(value)) => place_in_floats(exact_float(*value)?),
        (TypeKind::Double, Literal::Float(value)) => Some(Place::At(Datum::Double(*value))),
        (TypeKind::Double, Literal::Int(value)) => Some(Place::At(Datum::Double(exact_float(*value)?))),
        (TypeKind::Char(_) | TypeKind::VarChar(_), Literal::String(text)) => {
            Some(Place::At(Datum::String(text.clone())))
        }
        (TypeKind::Binary(_) | TypeKind::VarBinary(_), Literal::Bytes(bytes)) => {
            Some(Place::At(Datum::Bytes(bytes.clone())))
        }
        (TypeKind::Date, Literal::Date(days)) => Some(Place::At(Datum::Date(*days))),
        (TypeKind::Date, Literal::Timestamp { nanos, utc: false }) if nanos % NANOS_OF_DAY == 0 => {
            Some(match i32::try_from(nanos / NANOS_OF_DAY) {
                Ok(days) => Place::At(Datum::Date(days)),
                Err(_) => beyond(*nanos),
            })
        }
        (TypeKind::Time(_), Literal::Time { nanos }) => {
            let millis = nanos.div_euclid(NANOS_OF_MILLI);
            Some(match i32::try_from(millis) {
                Ok(millis) if nanos.rem_euclid(NANOS_OF_MILLI) == 0 => Place::At(Datum::Time(millis)),
                Ok(millis) => Place::After(Datum::Time(millis)),
                Err(_) => beyond(i128::from(*nanos)),
            })
        }
        (TypeKind::Timestamp(_), Literal::Timestamp { nanos, utc: false })
        | (TypeKind::TimestampLtz(_), Literal::Timestamp { nanos, utc: true }) => Some(place_in_timestamps(*nanos)),
        (TypeKind::Timestamp(_), Literal::Date(days)) => Some(place_in_timestamps(i128::from(*days) * NANOS_OF_DAY)),
        _ => None,
    }
}

const NANOS_OF_DAY: i128 = 86_400_000_000_000;
const NANOS_OF_MILLI: i64 = 1_000_000;
/// Below this, a double tells every whole number from its neighbours.
const EXACT_IN_DOUBLE: i128 = 1 << 53;

fn place_in_integers(kind: &TypeKind, literal: &Literal) -> Option<Place> {
    let (floor, is_whole) = match literal {
        Literal::Int(value) => (*value, true),
        Literal::Float(value) if value.is_nan() || value.is_infinite() => {
            return Some(if value.is_sign_negative() { Place::BelowAll } else { Place::AboveAll });
        }
        // In the order of floats, negative zero is just below the zero that a whole number converts to.
        Literal::Float(value) if *value == 0.0 && value.is_sign_negative() => (-1, false),
        Literal::Float(value) => {
            let floor = value.floor();
            if *kind == TypeKind::BigInt && floor.abs() >= EXACT_IN_DOUBLE as f64 {
                return None;
            }
            // Saturates, which is out of every integer type's range.
            (floor as i128, floor == *value)
        }
        Literal::Decimal { unscaled, scale } => rescale_floor(*unscaled, i32::from(*scale), 0)
            .unwrap_or((if *unscaled < 0 { i128::MIN } else { i128::MAX }, true)),
        _ => return None,
    };
    let datum = match kind {
        TypeKind::TinyInt => i8::try_from(floor).ok().map(Datum::TinyInt),
        TypeKind::SmallInt => i16::try_from(floor).ok().map(Datum::SmallInt),
        TypeKind::Int => i32::try_from(floor).ok().map(Datum::Int),
        TypeKind::BigInt => i64::try_from(floor).ok().map(Datum::BigInt),
        _ => return None,
    };
    Some(match datum {
        Some(datum) if is_whole => Place::At(datum),
        Some(datum) => Place::After(datum),
        None => beyond(floor),
    })
}

fn place_in_decimals(scale: u8, literal: &Literal) -> Option<Place> {
    let (unscaled, literal_scale) = match literal {
        Literal::Int(value) => (*value, 0),
        Literal::Decimal { unscaled, scale } => (*unscaled, i32::from(*scale)),
        _ => return None,
    };
    Some(match rescale_floor(unscaled, literal_scale, i32::from(scale)) {
        Some((unscaled, true)) => Place::At(Datum::Decimal { unscaled, scale }),
        Some((unscaled, false)) => Place::After(Datum::Decimal { unscaled, scale }),
        // More digits than any decimal type has.
        None => beyond(unscaled),
    })
}

/// A 32-bit float widens to 64 bits without loss, so comparing as 64 bits is exact.
fn place_in_floats(value: f64) -> Option<Place> {
    if value.is_nan() {
        return None;
    }
    let nearest = value as f32;
    Some(match f64::from(nearest).total_cmp(&value) {
        std::cmp::Ordering::Equal => Place::At(Datum::Float(nearest)),
        std::cmp::Ordering::Less => Place::After(Datum::Float(nearest)),
        std::cmp::Ordering::Greater => Place::After(Datum::Float(nearest.next_down())),
    })
}

fn place_in_timestamps(nanos: i128) -> Place {
    let per_milli = i128::from(NANOS_OF_MILLI);
    match (i64::try_from(nanos.div_euclid(per_milli)), i32::try_from(nanos.rem_euclid(per_milli))) {
        (Ok(millis), Ok(nanos_of_milli)) => Place::At(Datum::Timestamp(Timestamp { millis, nanos_of_milli })),
        _ => beyond(nanos),
    }
}

/// The place of a literal that is out of a type's range on the side of its sign.
fn beyond(value: i128) -> Place {
    if value < 0 { Place::BelowAll } else { Place::AboveAll }
}

fn exact_float(value: i128) -> Option<f64> {
    (value.abs() <= EXACT_IN_DOUBLE).then_some(value as f64)
}

/// `unscaled` x 10^-`from` in units of 10^-`to`, rounded down, and whether nothing was lost; `None` on overflow.
fn rescale_floor(unscaled: i128, from: i32, to: i32) -> Option<(i128, bool)> {
    if unscaled == 0 {
        return Some((0, true));
    }
    let power = |digits: i32| 10i128.checked_pow(digits.unsigned_abs());
    if to >= from {
        return power(to - from)?.checked_mul(unscaled).map(|unscaled| (unscaled, true));
    }
    Some(match power(from - to) {
        Some(divisor) => (unscaled.div_euclid(divisor), unscaled.rem_euclid(divisor) == 0),
        // The divisor is larger than any `unscaled`.
        None => (if unscaled < 0 { -1 } else { 0 }, false),
    })
}
