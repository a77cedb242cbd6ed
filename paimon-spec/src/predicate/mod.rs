//! Predicates over rows: the AST, its three-valued logic, and what can be told from statistics.
//!
//! - [`bind`] turns a comparison with any literal into a [`Predicate`] in the column's own type, exactly or not at all.
//! - [`Predicate::evaluate`] is the meaning: one row, three values.
//! - [`Predicate::verdict`] tells from statistics whether no row, some rows or all rows of a file pass.
//! - [`Predicate::for_file`] rewrites a predicate for a file that was written under an older schema.
//!
//! A row evaluator elsewhere (on Arrow columns) must agree with [`Predicate::evaluate`], and so with [`compare()`].

mod bind;
pub mod compare;
mod evolve;
mod prune;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use crate::{Datum, FieldId, TableSchema};

pub use bind::{Literal, Method, bind};
pub use compare::compare;
pub use evolve::FilePredicate;
pub use prune::Verdict;

/// A condition on rows in three-valued logic: a row passes when the condition is true (not when it is unknown).
///
/// ```
/// use paimon_spec::{CompareOp, Datum, Predicate};
///
/// let small = Predicate::compare(0, CompareOp::Lt, Datum::Int(10));
/// assert_eq!(small.evaluate(&|_| Some(Datum::Int(3))), Some(true));
/// assert_eq!(small.evaluate(&|_| None), None);
/// assert_eq!(small.negate(), Predicate::compare(0, CompareOp::GtEq, Datum::Int(10)));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Predicate {
    /// Always true or always false.
    Constant(bool),
    /// Unknown for every row, like a comparison with a NULL literal. NOT of it is unknown too.
    Unknown,
    /// All hold; empty: true.
    And(Vec<Predicate>),
    /// One holds; empty: false.
    Or(Vec<Predicate>),
    /// Three-valued NOT.
    Not(Box<Predicate>),
    /// A test of one column.
    Leaf(Leaf),
}

/// A test of one column, by field id; the literals are of the column's type.
#[derive(Debug, Clone, PartialEq)]
pub struct Leaf {
    /// The column.
    pub field: FieldId,
    /// The test.
    pub test: Test,
}

/// What is asked of a value. NULL makes all tests but `IsNull` / `IsNotNull` unknown. Values compare as [`compare()`] says.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Test {
    /// Is NULL.
    IsNull,
    /// Is not NULL.
    IsNotNull,
    /// Comparison with a literal.
    Compare(CompareOp, Datum),
    /// Equals one of the literals. Empty: false for every value, and unknown for NULL like any other comparison.
    In(Vec<Datum>),
    /// Text starts with.
    StartsWith(String),
    /// Text ends with.
    EndsWith(String),
    /// Text contains.
    Contains(String),
}

/// A comparison of a value (left) with a literal (right).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// `=`
    Eq,
    /// `<>`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
}

impl CompareOp {
    /// Whether the operator holds between two values that compare so.
    pub fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::NotEq => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::LtEq => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::GtEq => ordering.is_ge(),
        }
    }

    /// The operator that holds when this one does not.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Eq => Self::NotEq,
            Self::NotEq => Self::Eq,
            Self::Lt => Self::GtEq,
            Self::LtEq => Self::Gt,
            Self::Gt => Self::LtEq,
            Self::GtEq => Self::Lt,
        }
    }
}

impl Test {
    /// The value of the test on a value that may be NULL; `None`: unknown. A literal of another type than the value
    /// makes a comparison unknown.
    pub fn evaluate(&self, value: Option<&Datum>) -> Option<bool> {
        let value = match (self, value) {
            (Self::IsNull, value) => return Some(value.is_none()),
            (Self::IsNotNull, value) => return Some(value.is_some()),
            (_, value) => value?,
        };
        match self {
            Self::IsNull | Self::IsNotNull => None,
            Self::Compare(op, literal) => compare(value, literal).map(|ordering| op.holds(ordering)),
            Self::In(literals) => either(literals.iter().map(|literal| compare(value, literal).map(Ordering::is_eq))),
            Self::StartsWith(prefix) => text(value).map(|text| text.starts_with(prefix)),
            Self::EndsWith(suffix) => text(value).map(|text| text.ends_with(suffix)),
            Self::Contains(part) => text(value).map(|text| text.contains(part)),
        }
    }
}

impl From<Leaf> for Predicate {
    fn from(leaf: Leaf) -> Self {
        Self::Leaf(leaf)
    }
}

impl Predicate {
    /// A test of one column.
    pub fn leaf(field: FieldId, test: Test) -> Self {
        Self::Leaf(Leaf { field, test })
    }

    /// `field op literal`
    pub fn compare(field: FieldId, op: CompareOp, literal: Datum) -> Self {
        Self::leaf(field, Test::Compare(op, literal))
    }

    /// Conjunction, flattened, constants folded.
    pub fn and(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Constant(true) => {}
                Self::Constant(false) => return Self::Constant(false),
                Self::And(inner) => match Self::and(inner) {
                    Self::Constant(true) => {}
                    Self::Constant(false) => return Self::Constant(false),
                    Self::And(inner) => flat.extend(inner),
                    other => flat.push(other),
                },
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Self::Constant(true),
            1 => flat.remove(0),
            _ => Self::And(flat),
        }
    }

    /// Disjunction, flattened, constants folded.
    pub fn or(parts: impl IntoIterator<Item = Predicate>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            match part {
                Self::Constant(false) => {}
                Self::Constant(true) => return Self::Constant(true),
                Self::Or(inner) => match Self::or(inner) {
                    Self::Constant(false) => {}
                    Self::Constant(true) => return Self::Constant(true),
                    Self::Or(inner) => flat.extend(inner),
                    other => flat.push(other),
                },
                other => flat.push(other),
            }
        }
        match flat.len() {
            0 => Self::Constant(false),
            1 => flat.remove(0),
            _ => Self::Or(flat),
        }
    }

    /// NOT, pushed down to the leaves (De Morgan) as far as they have opposites; exact in three-valued logic.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Constant(value) => Self::Constant(!value),
            Self::Unknown => Self::Unknown,
            Self::And(parts) => Self::or(parts.into_iter().map(Self::negate)),
            Self::Or(parts) => Self::and(parts.into_iter().map(Self::negate)),
            Self::Not(inner) => *inner,
            Self::Leaf(Leaf { field, test }) => match test {
                Test::IsNull => Self::leaf(field, Test::IsNotNull),
                Test::IsNotNull => Self::leaf(field, Test::IsNull),
                Test::Compare(op, literal) => Self::compare(field, op.negate(), literal),
                test => Self::Not(Box::new(Self::leaf(field, test))),
            },
        }
    }

    /// The columns it names, ascending, without repeats.
    pub fn fields(&self) -> Vec<FieldId> {
        fn collect(predicate: &Predicate, into: &mut Vec<FieldId>) {
            match predicate {
                Predicate::Constant(_) | Predicate::Unknown => {}
                Predicate::And(parts) | Predicate::Or(parts) => parts.iter().for_each(|part| collect(part, into)),
                Predicate::Not(inner) => collect(inner, into),
                Predicate::Leaf(leaf) => into.push(leaf.field),
            }
        }
        let mut fields = Vec::new();
        collect(self, &mut fields);
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    /// The part implied on these columns only (drops other conjuncts); `None`: nothing.
    pub fn only_on(&self, fields: &[FieldId]) -> Option<Predicate> {
        let (implied, _) = self.weaken(&|leaf| fields.contains(&leaf.field).then(|| leaf.clone().into()));
        (implied != Self::Constant(true)).then_some(implied)
    }

    /// The part that files may leave rows out by before the rows of a key are merged (format facts §9.1; Java
    /// `MergeFileSplitRead.withFilter`): what is implied on columns of the primary key alone, partition columns among
    /// them or not.
    ///
    /// All versions of a row agree in these columns, so that either all of them pass or none. Any other condition could
    /// leave out the newest version of a row, or its deletion, and so bring an older one back that passes.
    #[must_use]
    pub fn below_merge(&self, table: &TableSchema) -> Predicate {
        let keys = table.primary_keys.iter().chain(&table.partition_keys);
        let keys: Vec<FieldId> = keys.filter_map(|name| table.field(name)).map(|field| field.id).collect();
        self.only_on(&keys).unwrap_or(Self::Constant(true))
    }

    /// Evaluates the columns whose value is known: `known` gives `Some(value)` for these, where a NULL value is
    /// `Some(None)`. What is left names only the other columns, and means the same on rows with these values.
    #[must_use]
    pub fn substitute(&self, known: &dyn Fn(FieldId) -> Option<Option<Datum>>) -> Predicate {
        let (predicate, _) = self.weaken(&|leaf| {
            Some(match known(leaf.field) {
                None => leaf.clone().into(),
                Some(value) => leaf.test.evaluate(value.as_ref()).map_or(Self::Unknown, Self::Constant),
            })
        });
        predicate
    }

    /// Exact value on one row: `Some(true)` passes, `None` is unknown.
    pub fn evaluate(&self, row: &dyn Fn(FieldId) -> Option<Datum>) -> Option<bool> {
        match self {
            Self::Constant(value) => Some(*value),
            Self::Unknown => None,
            Self::And(parts) => {
                either(parts.iter().map(|part| part.evaluate(row).map(|value| !value))).map(|value| !value)
            }
            Self::Or(parts) => either(parts.iter().map(|part| part.evaluate(row))),
            Self::Not(inner) => inner.evaluate(row).map(|value| !value),
            Self::Leaf(leaf) => leaf.test.evaluate(row(leaf.field).as_ref()),
        }
    }

    /// Rewrites every leaf; a leaf for which `rewrite` gives `None` is dropped in such a way that the result is still
    /// implied by `self`. The flag tells whether nothing was dropped, so that the result means the same as `self`.
    fn weaken(&self, rewrite: &dyn Fn(&Leaf) -> Option<Predicate>) -> (Predicate, bool) {
        match self {
            Self::Constant(_) | Self::Unknown => (self.clone(), true),
            Self::And(parts) => {
                let (parts, exact): (Vec<_>, Vec<_>) = parts.iter().map(|part| part.weaken(rewrite)).unzip();
                (Self::and(parts), exact.into_iter().all(|exact| exact))
            }
            Self::Or(parts) => {
                let (parts, exact): (Vec<_>, Vec<_>) = parts.iter().map(|part| part.weaken(rewrite)).unzip();
                (Self::or(parts), exact.into_iter().all(|exact| exact))
            }
            Self::Not(inner) => match inner.weaken(rewrite) {
                (inner, true) => (inner.negate(), true),
                // NOT turns an implication round, so the part below it must be negated before anything is dropped.
                (_, false) => match inner.as_ref().clone().negate() {
                    Self::Not(_) => (Self::Constant(true), false),
                    negated => negated.weaken(rewrite),
                },
            },
            Self::Leaf(leaf) => rewrite(leaf).map_or((Self::Constant(true), false), |leaf| (leaf, true)),
        }
    }
}

/// Three-valued OR.
fn either(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut unknown = false;
    for value in values {
        match value {
            Some(true) => return Some(true),
            Some(false) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(false)
}

fn text(value: &Datum) -> Option<&str> {
    match value {
        Datum::String(text) => Some(text),
        _ => None,
    }
}
