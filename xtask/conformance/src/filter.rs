//! Filters as JSON, with literals spelt as in `expected.rows`.

use anyhow::{Context, Result, bail};
use paimon_spec::{CompareOp, DataField, DataType, Datum, Predicate, Test, Timestamp, TypeKind, parse_datum};
use serde_json::Value;

/// The predicate of `["and", f, g]`, `["or", f, g]`, or `[operator, column, literals...]` on a table with `fields`.
pub(crate) fn parse(filter: &Value, fields: &[DataField]) -> Result<Predicate> {
    let parts = filter.as_array().with_context(|| format!("a filter like {filter}"))?;
    let (operator, rest) = parts.split_first().context("a filter without operator")?;
    let operator = operator.as_str().context("an operator that is no text")?;
    if matches!(operator, "and" | "or") {
        let parts = rest.iter().map(|part| parse(part, fields)).collect::<Result<Vec<_>>>()?;
        return Ok(if operator == "and" { Predicate::and(parts) } else { Predicate::or(parts) });
    }
    let (column, literals) = rest.split_first().context("a filter without column")?;
    let field = fields.iter().find(|field| column == field.name.as_str()).context("a filter on no column")?;
    let literals = literals.iter().map(|value| datum(value, &field.data_type)).collect::<Result<Vec<_>>>()?;
    let compare = |op, literal: &Datum| Predicate::compare(field.id, op, literal.clone());
    let leaf = |test| Predicate::leaf(field.id, test);
    Ok(match (operator, literals.as_slice()) {
        ("=", [value]) => compare(CompareOp::Eq, value),
        ("<>", [value]) => compare(CompareOp::NotEq, value),
        ("<", [value]) => compare(CompareOp::Lt, value),
        ("<=", [value]) => compare(CompareOp::LtEq, value),
        (">", [value]) => compare(CompareOp::Gt, value),
        (">=", [value]) => compare(CompareOp::GtEq, value),
        ("between", [low, high]) => Predicate::and([compare(CompareOp::GtEq, low), compare(CompareOp::LtEq, high)]),
        ("in", _) => leaf(Test::In(literals)),
        ("not in", _) => leaf(Test::In(literals)).negate(),
        ("is null", []) => leaf(Test::IsNull),
        ("is not null", []) => leaf(Test::IsNotNull),
        ("starts with", [Datum::String(prefix)]) => leaf(Test::StartsWith(prefix.clone())),
        _ => bail!("a filter like {filter}"),
    })
}

fn datum(value: &Value, data_type: &DataType) -> Result<Datum> {
    let integer = || value.as_i64().with_context(|| format!("{value} for {data_type}"));
    let text = || value.as_str().with_context(|| format!("{value} for {data_type}"));
    Ok(match &data_type.kind {
        TypeKind::Boolean => Datum::Boolean(value.as_bool().with_context(|| format!("{value} for {data_type}"))?),
        TypeKind::TinyInt => Datum::TinyInt(integer()?.try_into()?),
        TypeKind::SmallInt => Datum::SmallInt(integer()?.try_into()?),
        TypeKind::Int => Datum::Int(integer()?.try_into()?),
        TypeKind::BigInt => Datum::BigInt(integer()?),
        TypeKind::Float => Datum::Float(f32::from_bits(i32::try_from(integer()?)?.cast_unsigned())),
        TypeKind::Double => Datum::Double(f64::from_bits(integer()?.cast_unsigned())),
        TypeKind::Date => Datum::Date(integer()?.try_into()?),
        TypeKind::Time(_) => Datum::Time(integer()?.try_into()?),
        TypeKind::Timestamp(_) | TypeKind::TimestampLtz(_) => Datum::Timestamp(timestamp(integer()?)?),
        TypeKind::Binary(_) | TypeKind::VarBinary(_) => Datum::Bytes(bytes(text()?)?),
        TypeKind::Char(_) | TypeKind::VarChar(_) => Datum::String(text()?.to_owned()),
        _ => parse_datum(text()?, data_type)?,
    })
}

fn timestamp(micros: i64) -> Result<Timestamp> {
    let nanos_of_milli = i32::try_from(micros.rem_euclid(1000))? * 1000;
    Ok(Timestamp { millis: micros.div_euclid(1000), nanos_of_milli })
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    let pair = |i| hex.get(i..i + 2).with_context(|| format!("hex like {hex}"));
    (0..hex.len()).step_by(2).map(|i| Ok(u8::from_str_radix(pair(i)?, 16)?)).collect()
}
