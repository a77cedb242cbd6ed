//! Predicates on files of older schemas.

use super::bind::{Literal, Place, compare_with, in_values, place};
use super::{Leaf, Predicate, Test};
use crate::{Datum, TableSchema, TypeKind};

/// What a predicate on a table's current columns says about the rows of a file written under another schema.
#[derive(Debug, Clone, PartialEq)]
pub struct FilePredicate {
    /// On the file's own columns and types, and implied by the original. `Constant(true)`: nothing is known.
    pub predicate: Predicate,
    /// It means the same as the original.
    pub exact: bool,
}

impl Predicate {
    /// Rewrites a predicate on the columns of `current` for the rows of a file of schema `file` (Java `devolve`).
    ///
    /// Columns are matched by id. A column that the file lacks is NULL in all of its rows. Where the type changed in a way
    /// that keeps every value and NULL (a wider integer, float to double, longer text), literals go back to the file's
    /// type; tests of other changed columns are dropped.
    #[must_use]
    pub fn for_file(&self, current: &TableSchema, file: &TableSchema) -> FilePredicate {
        if current.id == file.id && current.fields == file.fields {
            return FilePredicate { predicate: self.clone(), exact: true };
        }
        let (predicate, exact) = self.weaken(&|leaf| {
            let Some(written) = file.field_by_id(leaf.field) else {
                return Some(leaf.test.evaluate(None).map_or(Predicate::Unknown, Predicate::Constant));
            };
            let read = current.field_by_id(leaf.field)?;
            devolve(leaf, &written.data_type.kind, &read.data_type.kind)
        });
        FilePredicate { predicate, exact }
    }
}

fn devolve(leaf: &Leaf, written: &TypeKind, read: &TypeKind) -> Option<Predicate> {
    if written == read || only_widened(written, read) {
        return Some(leaf.clone().into());
    }
    if !keeps_numbers(written, read) {
        return None;
    }
    let in_file = |value: &Datum| place(written, &number(value)?);
    match &leaf.test {
        Test::IsNull | Test::IsNotNull => Some(leaf.clone().into()),
        Test::Compare(op, literal) => in_file(literal).map(|place| compare_with(leaf.field, *op, place)),
        Test::In(literals) => {
            let mut values = Vec::with_capacity(literals.len());
            for literal in literals {
                if let Place::At(value) = in_file(literal)? {
                    values.push(value);
                }
            }
            Some(in_values(leaf.field, values))
        }
        Test::StartsWith(_) | Test::EndsWith(_) | Test::Contains(_) => None,
    }
}

/// The same values in the same [`Datum`] variant, with room for more.
fn only_widened(written: &TypeKind, read: &TypeKind) -> bool {
    match (written, read) {
        (TypeKind::Char(from) | TypeKind::VarChar(from), TypeKind::VarChar(to))
        | (TypeKind::Binary(from) | TypeKind::VarBinary(from), TypeKind::VarBinary(to)) => from <= to,
        (TypeKind::Timestamp(from), TypeKind::Timestamp(to))
        | (TypeKind::TimestampLtz(from), TypeKind::TimestampLtz(to)) => from <= to,
        (TypeKind::Decimal { precision: from, scale }, TypeKind::Decimal { precision: to, scale: read_scale }) => {
            from <= to && scale == read_scale
        }
        _ => false,
    }
}

/// Whether the cast from `written` to `read` keeps the value of every number.
fn keeps_numbers(written: &TypeKind, read: &TypeKind) -> bool {
    // Bits and decimal digits that the values of an integer type may need.
    let integer = |kind: &TypeKind| match kind {
        TypeKind::TinyInt => Some((8, 3)),
        TypeKind::SmallInt => Some((16, 5)),
        TypeKind::Int => Some((32, 10)),
        TypeKind::BigInt => Some((64, 19)),
        _ => None,
    };
    match (integer(written), written, read) {
        (Some((_, digits)), _, TypeKind::Decimal { precision, scale }) => precision.saturating_sub(*scale) >= digits,
        (Some((bits, _)), _, TypeKind::Float) => bits <= 16,
        (Some((bits, _)), _, TypeKind::Double) => bits <= 32,
        (Some((bits, _)), _, read) => integer(read).is_some_and(|(wider, _)| bits <= wider),
        (None, TypeKind::Float, TypeKind::Double) => true,
        (None, TypeKind::Decimal { precision, scale }, TypeKind::Decimal { precision: to, scale: to_scale }) => {
            scale <= to_scale && precision.saturating_sub(*scale) <= to.saturating_sub(*to_scale)
        }
        _ => false,
    }
}

fn number(value: &Datum) -> Option<Literal> {
    Some(match value {
        Datum::TinyInt(value) => Literal::Int(i128::from(*value)),
        Datum::SmallInt(value) => Literal::Int(i128::from(*value)),
        Datum::Int(value) => Literal::Int(i128::from(*value)),
        Datum::BigInt(value) => Literal::Int(i128::from(*value)),
        Datum::Float(value) => Literal::Float(f64::from(*value)),
        Datum::Double(value) => Literal::Float(*value),
        Datum::Decimal { unscaled, scale } => {
            Literal::Decimal { unscaled: *unscaled, scale: i8::try_from(*scale).ok()? }
        }
        _ => return None,
    })
}
