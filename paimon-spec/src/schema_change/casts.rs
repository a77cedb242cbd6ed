//! Which types a column can change to.

use crate::{DataType, TypeKind};

/// Whether values of `from` can be read as `to` after a change of a column's type (Java `DataTypeCasts.supportsCast` and
/// `CastExecutors.resolve`). Without `explicit`, only when nothing is lost. Nullability counts in that case only.
pub fn supports_cast(from: &DataType, to: &DataType, explicit: bool) -> bool {
    if !explicit && from.nullable && !to.nullable {
        return false;
    }
    from.kind == to.kind || is_implicit(&from.kind, &to.kind) || (explicit && is_explicit(&from.kind, &to.kind))
}

fn is_implicit(from: &TypeKind, to: &TypeKind) -> bool {
    use TypeKind::{Char, Date, Decimal, Double, Float, Time, Timestamp, TimestampLtz, VarBinary, VarChar};
    match to {
        Char(_) => matches!(from, Char(_)),
        VarChar(_) => is_text(from),
        TypeKind::Binary(_) => matches!(from, TypeKind::Binary(_)),
        VarBinary(_) => is_bytes(from),
        Decimal { .. } => is_numeric(from),
        Double => is_numeric(from),
        Float => integer_rank(from).is_some() || matches!(from, Decimal { .. }),
        Date | Time(_) => matches!(from, Timestamp(_)),
        Timestamp(_) | TimestampLtz(_) => matches!(from, Timestamp(_) | TimestampLtz(_)),
        _ => match (integer_rank(from), integer_rank(to)) {
            (Some(from), Some(to)) => from < to,
            _ => false,
        },
    }
}

fn is_explicit(from: &TypeKind, to: &TypeKind) -> bool {
    use TypeKind::{Array, BigInt, Boolean, Char, Date, Decimal, Double, Float, Int, Map, Row, Time, VarChar};
    match to {
        Char(_) | VarChar(_) => match from {
            // To STRING, that is, not to a text of limited length.
            Date | Time(_) => is_string(to),
            _ if is_timestamp(from) => is_string(to),
            Boolean | Array(_) | Map(..) | Row(_) => true,
            _ => is_numeric(from) || is_text(from) || is_bytes(from),
        },
        Boolean => is_text(from) || integer_rank(from).is_some(),
        TypeKind::Binary(_) | TypeKind::VarBinary(_) => is_text(from) || is_bytes(from),
        Decimal { .. } | Float | Double => is_text(from) || is_numeric(from) || matches!(from, Boolean),
        Int | BigInt if is_timestamp(from) => true,
        Date => is_text(from) || is_timestamp(from),
        Time(_) => is_text(from) || is_timestamp(from),
        _ if is_timestamp(to) => is_text(from) || matches!(from, Date | Time(_) | Int | BigInt),
        _ if integer_rank(to).is_some() => is_text(from) || is_numeric(from) || matches!(from, Boolean),
        _ => false,
    }
}

fn integer_rank(kind: &TypeKind) -> Option<u8> {
    match kind {
        TypeKind::TinyInt => Some(1),
        TypeKind::SmallInt => Some(2),
        TypeKind::Int => Some(3),
        TypeKind::BigInt => Some(4),
        _ => None,
    }
}

fn is_numeric(kind: &TypeKind) -> bool {
    integer_rank(kind).is_some() || matches!(kind, TypeKind::Float | TypeKind::Double | TypeKind::Decimal { .. })
}

fn is_text(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::Char(_) | TypeKind::VarChar(_))
}

fn is_string(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::VarChar(DataType::MAX_LENGTH))
}

fn is_bytes(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::Binary(_) | TypeKind::VarBinary(_))
}

fn is_timestamp(kind: &TypeKind) -> bool {
    matches!(kind, TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_))
}
