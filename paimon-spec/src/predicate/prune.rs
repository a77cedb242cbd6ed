//! What statistics say about the rows of a file.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::{CompareOp, Leaf, Predicate, Test, compare};
use crate::{ColumnStats, Datum, FieldId};

/// What statistics can say about the rows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// No row passes.
    None,
    /// Some rows may pass.
    Maybe,
    /// Every row passes.
    All,
}

impl Predicate {
    /// What statistics say of a file of `row_count` rows; `stats` gives a column's statistics, by default nothing known.
    ///
    /// Bounds need not be tight: truncated ones are fine. Statistics that contradict themselves count as unknown.
    /// Bounds of floats say nothing about NaN, because writers leave NaN out of them, and nothing about the sign of zero.
    /// A file of no rows gives [`Verdict::None`].
    pub fn verdict(&self, row_count: i64, stats: &dyn Fn(FieldId) -> ColumnStats) -> Verdict {
        if row_count == 0 {
            return Verdict::None;
        }
        let outcomes = self.outcomes(row_count, stats);
        if !outcomes.yes {
            Verdict::None
        } else if !outcomes.no && !outcomes.unknown {
            Verdict::All
        } else {
            Verdict::Maybe
        }
    }

    /// `verdict != None`.
    pub fn may_match(&self, row_count: i64, stats: &dyn Fn(FieldId) -> ColumnStats) -> bool {
        self.verdict(row_count, stats) != Verdict::None
    }

    fn outcomes(&self, row_count: i64, stats: &dyn Fn(FieldId) -> ColumnStats) -> Outcomes {
        match self {
            Self::Constant(value) => Outcomes { yes: *value, no: !value, unknown: false },
            Self::Unknown => Outcomes { yes: false, no: false, unknown: true },
            Self::And(parts) => {
                let mut all = Outcomes { yes: true, no: false, unknown: false };
                for part in parts {
                    let part = part.outcomes(row_count, stats);
                    all = Outcomes {
                        yes: all.yes && part.yes,
                        no: all.no || part.no,
                        unknown: (all.unknown && (part.yes || part.unknown))
                            || (part.unknown && (all.yes || all.unknown)),
                    };
                }
                if all.yes && misses_a_float_range(parts, stats) {
                    all = Outcomes { yes: false, no: true, ..all };
                }
                all
            }
            Self::Or(parts) => {
                let mut one = Outcomes { yes: false, no: true, unknown: false };
                for part in parts {
                    let part = part.outcomes(row_count, stats);
                    one = Outcomes {
                        yes: one.yes || part.yes,
                        no: one.no && part.no,
                        unknown: (one.unknown && (part.no || part.unknown))
                            || (part.unknown && (one.no || one.unknown)),
                    };
                }
                one
            }
            Self::Not(inner) => inner.outcomes(row_count, stats).negate(),
            Self::Leaf(leaf) => leaf_outcomes(leaf, row_count, &stats(leaf.field)),
        }
    }
}

/// Which values a condition may take on some row of the file. Never too few.
#[derive(Clone, Copy)]
struct Outcomes {
    yes: bool,
    no: bool,
    unknown: bool,
}

impl Outcomes {
    const ANY_VALUE: Self = Self { yes: true, no: true, unknown: false };

    fn negate(self) -> Self {
        Self { yes: self.no, no: self.yes, unknown: self.unknown }
    }
}

fn leaf_outcomes(leaf: &Leaf, row_count: i64, stats: &ColumnStats) -> Outcomes {
    let null_count = stats.null_count.filter(|count| (0..=row_count).contains(count));
    let may_be_null = null_count != Some(0);
    let may_have_value = null_count != Some(row_count);
    match &leaf.test {
        Test::IsNull => Outcomes { yes: may_be_null, no: may_have_value, unknown: false },
        Test::IsNotNull => Outcomes { yes: may_have_value, no: may_be_null, unknown: false },
        test => {
            let of_values = if may_have_value {
                value_outcomes(test, stats.min.as_ref(), stats.max.as_ref())
            } else {
                Outcomes { yes: false, no: false, unknown: false }
            };
            // A comparison of different types is unknown, so unknown is possible with values too.
            Outcomes { unknown: may_be_null || of_values.unknown, ..of_values }
        }
    }
}

/// The outcomes of a test over the values from `min` to `max`.
fn value_outcomes(test: &Test, min: Option<&Datum>, max: Option<&Datum>) -> Outcomes {
    let Some(range) = ValueRange::new(min, max) else { return Outcomes::ANY_VALUE };
    match test {
        Test::IsNull | Test::IsNotNull => Outcomes::ANY_VALUE,
        Test::Compare(op, literal) => range.compare(*op, literal),
        Test::In(literals) => {
            let each = || literals.iter().map(|literal| range.compare(CompareOp::Eq, literal));
            // Only one of the literals can equal the one value of a range of one value.
            Outcomes {
                yes: each().any(|one| one.yes),
                no: each().all(|one| one.no),
                unknown: each().any(|one| one.unknown),
            }
        }
        Test::StartsWith(prefix) => match range.of_text() {
            (Some(min), Some(max)) if min.starts_with(prefix) && max.starts_with(prefix) => {
                Outcomes { yes: true, no: false, unknown: false }
            }
            (min, max) => Outcomes {
                yes: min.is_none_or(|min| min.starts_with(prefix) || min.as_bytes() < prefix.as_bytes())
                    && max.is_none_or(|max| max.as_bytes() >= prefix.as_bytes()),
                no: true,
                unknown: false,
            },
        },
        Test::EndsWith(_) | Test::Contains(_) => match range.of_text() {
            (Some(min), Some(max)) if min == max => {
                let passes = test.evaluate(Some(&Datum::String(min.to_owned()))) == Some(true);
                Outcomes { yes: passes, no: !passes, unknown: false }
            }
            _ => Outcomes::ANY_VALUE,
        },
    }
}

/// Bounds of the values of a column; for floats, of the values that are not NaN.
struct ValueRange<'a> {
    min: Option<&'a Datum>,
    max: Option<&'a Datum>,
    is_float: bool,
}

impl<'a> ValueRange<'a> {
    /// `None`: the bounds contradict each other, so they say nothing.
    fn new(min: Option<&'a Datum>, max: Option<&'a Datum>) -> Option<Self> {
        if let (Some(min), Some(max)) = (min, max)
            && !matches!(compare(&widened(min, true), &widened(max, false)), Some(Ordering::Less | Ordering::Equal))
        {
            return None;
        }
        let is_float = [min, max].into_iter().flatten().any(is_float);
        Some(Self { min: min.filter(|min| !is_nan(min)), max: max.filter(|max| !is_nan(max)), is_float })
    }

    fn compare(&self, op: CompareOp, literal: &Datum) -> Outcomes {
        let by_bounds = self.compare_bounds(op, literal);
        if !(self.is_float || is_float(literal)) {
            return by_bounds;
        }
        match op {
            // NaN equals only NaN, so it can neither add a match to a number nor keep one from being missed.
            CompareOp::Eq if !is_nan(literal) => Outcomes { no: true, ..by_bounds },
            CompareOp::NotEq if !is_nan(literal) => Outcomes { yes: true, ..by_bounds },
            _ => Outcomes::ANY_VALUE,
        }
    }

    /// Like [`Self::compare`], for values that are known not to be NaN.
    fn compare_bounds(&self, op: CompareOp, literal: &Datum) -> Outcomes {
        let against = |bound: Option<&Datum>, lower| match bound {
            None => Some(None),
            Some(bound) => compare(&widened(bound, lower), literal).map(Some),
        };
        let (Some(min), Some(max)) = (against(self.min, true), against(self.max, false)) else {
            return Outcomes { yes: true, no: true, unknown: true };
        };
        let may_be_less = min.is_none_or(Ordering::is_lt);
        let may_be_greater = max.is_none_or(Ordering::is_gt);
        let may_be_equal = min.is_none_or(Ordering::is_le) && max.is_none_or(Ordering::is_ge);
        let may = |ordering| match ordering {
            Ordering::Less => may_be_less,
            Ordering::Equal => may_be_equal,
            Ordering::Greater => may_be_greater,
        };
        let orderings = [Ordering::Less, Ordering::Equal, Ordering::Greater];
        Outcomes {
            yes: orderings.into_iter().any(|ordering| op.holds(ordering) && may(ordering)),
            no: orderings.into_iter().any(|ordering| !op.holds(ordering) && may(ordering)),
            unknown: false,
        }
    }

    fn of_text(&self) -> (Option<&'a str>, Option<&'a str>) {
        (self.min.and_then(super::text), self.max.and_then(super::text))
    }
}

/// Whether a conjunction asks for floats of a range, and the bounds tell that there are none in it.
///
/// One side alone cannot be pruned, as NaN may hide outside the bounds; both sides together let no NaN pass.
fn misses_a_float_range(parts: &[Predicate], stats: &dyn Fn(FieldId) -> ColumnStats) -> bool {
    let float_sides = || {
        parts.iter().filter_map(|part| match part {
            Predicate::Leaf(Leaf { field, test: Test::Compare(op, literal) })
                if is_float(literal) && !is_nan(literal) =>
            {
                match op {
                    CompareOp::Lt | CompareOp::LtEq => Some((*field, true, *op, literal)),
                    CompareOp::Gt | CompareOp::GtEq => Some((*field, false, *op, literal)),
                    CompareOp::Eq | CompareOp::NotEq => None,
                }
            }
            _ => None,
        })
    };
    float_sides().any(|(field, upper, op, literal)| {
        float_sides().any(|(other, other_upper, ..)| other == field && other_upper != upper) && {
            let stats = stats(field);
            ValueRange::new(stats.min.as_ref(), stats.max.as_ref())
                .is_some_and(|range| !range.compare_bounds(op, literal).yes)
        }
    })
}

fn is_float(value: &Datum) -> bool {
    matches!(value, Datum::Float(_) | Datum::Double(_))
}

fn is_nan(value: &Datum) -> bool {
    match value {
        Datum::Float(value) => value.is_nan(),
        Datum::Double(value) => value.is_nan(),
        _ => false,
    }
}

/// A bound that holds whichever sign of zero the writer took for smaller.
fn widened(bound: &Datum, lower: bool) -> Cow<'_, Datum> {
    match bound {
        Datum::Float(value) if *value == 0.0 => Cow::Owned(Datum::Float(if lower { -0.0 } else { 0.0 })),
        Datum::Double(value) if *value == 0.0 => Cow::Owned(Datum::Double(if lower { -0.0 } else { 0.0 })),
        _ => Cow::Borrowed(bound),
    }
}
