//! `NativePredicate`: a condition on rows, bound to the columns of one schema.
//!
//! Python passes a tree of tuples: `("and", [tree, ..])`, `("or", [tree, ..])`, `("not", tree)` and
//! `("leaf", method, column, [literal, ..])`. What a literal means for a column's type is `paimon_spec`'s to say.

use std::collections::BTreeSet;

use paimon_spec::predicate::{Literal, Method, Predicate, bind};
use paimon_spec::{DataField, Error};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyFloat, PyInt, PyString, PyTuple};

use crate::errors::OrRaise;
use crate::table::column as column_of;

/// `date(1970, 1, 1).toordinal()`.
const EPOCH_ORDINAL: i32 = 719_163;

/// A bound condition.
#[pyclass(frozen, module = "pypaimon._native")]
pub(crate) struct NativePredicate {
    pub(crate) predicate: Predicate,
    columns: BTreeSet<String>,
    text: String,
}

impl NativePredicate {
    /// Binds the names of `tree` to columns.
    pub(crate) fn bind(py: Python<'_>, known: &[DataField], tree: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut columns = BTreeSet::new();
        let (predicate, text) = bind_tree(py, known, tree, &mut columns)?;
        Ok(Self { predicate, columns, text })
    }
}

/// The condition itself.
pub(crate) fn bound(predicate: Option<PyRef<'_, NativePredicate>>) -> Option<Predicate> {
    predicate.map(|predicate| predicate.predicate.clone())
}

#[pymethods]
impl NativePredicate {
    fn fields(&self) -> Vec<String> {
        self.columns.iter().cloned().collect()
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("NativePredicate({})", self.text)
    }
}

fn bind_tree(
    py: Python<'_>,
    known: &[DataField],
    tree: &Bound<'_, PyAny>,
    columns: &mut BTreeSet<String>,
) -> PyResult<(Predicate, String)> {
    let parts = tree.cast::<PyTuple>()?;
    let kind: String = parts.get_item(0)?.extract()?;
    let mut all = |trees: Bound<'_, PyAny>| -> PyResult<(Vec<Predicate>, Vec<String>)> {
        let bound = trees.try_iter()?.map(|tree| bind_tree(py, known, &tree?, columns));
        Ok(bound.collect::<PyResult<Vec<_>>>()?.into_iter().map(|(part, text)| (part, format!("({text})"))).unzip())
    };
    match kind.as_str() {
        "and" => {
            let (parts, texts) = all(parts.get_item(1)?)?;
            Ok((Predicate::and(parts), texts.join(" AND ")))
        }
        "or" => {
            let (parts, texts) = all(parts.get_item(1)?)?;
            Ok((Predicate::or(parts), texts.join(" OR ")))
        }
        "not" => {
            let (part, text) = bind_tree(py, known, &parts.get_item(1)?, columns)?;
            Ok((part.negate(), format!("NOT ({text})")))
        }
        "leaf" => {
            let (_, method, column, literals): (Bound<'_, PyAny>, String, String, Vec<Bound<'_, PyAny>>) =
                parts.extract()?;
            bind_leaf(py, known, &method, column, &literals, columns)
        }
        other => Err(PyTypeError::new_err(format!("a predicate tree cannot start with {other:?}"))),
    }
}

fn bind_leaf(
    py: Python<'_>,
    known: &[DataField],
    method: &str,
    column: String,
    literals: &[Bound<'_, PyAny>],
    columns: &mut BTreeSet<String>,
) -> PyResult<(Predicate, String)> {
    let shown = literals.iter().map(|literal| Ok(literal.repr()?.to_string())).collect::<PyResult<Vec<_>>>()?;
    let text = format!("{column} {method} {}", shown.join(", "));
    let field = column_of(known, &column).or_raise(py)?;
    let inexact = || {
        let (text, of) = (text.trim_end(), &field.data_type);
        Error::unsupported(format!(
            "filter \"{text}\" is not supported: it cannot be told exactly of a column of type {of}"
        ))
        .with_context("column", &column)
    };
    let test = Method::from_name(method).ok_or_else(inexact).or_raise(py)?;
    let literals = literals.iter().map(|literal| to_literal(py, literal)).collect::<PyResult<Option<Vec<_>>>>()?;
    let literals = literals.ok_or_else(inexact).or_raise(py)?;
    let predicate = bind(field, test, &literals).or_raise(py)?.ok_or_else(inexact).or_raise(py)?;
    columns.insert(column);
    Ok((predicate, text))
}

/// A Python value as a literal; `None` when no literal stands for it exactly.
fn to_literal(py: Python<'_>, value: &Bound<'_, PyAny>) -> PyResult<Option<Literal>> {
    if value.is_none() {
        return Ok(Some(Literal::Null));
    }
    if value.is_instance_of::<PyBool>() {
        return Ok(Some(Literal::Boolean(value.extract()?)));
    }
    if value.is_instance_of::<PyFloat>() {
        return Ok(Some(Literal::Float(value.extract()?)));
    }
    if value.is_instance_of::<PyString>() {
        // Lone surrogates have no UTF-8 form: no stored text equals them.
        return Ok(value.extract().ok().map(Literal::String));
    }
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyByteArray>() {
        return Ok(Some(Literal::Bytes(value.extract()?)));
    }
    if value.is_instance_of::<PyInt>() {
        return Ok(value.extract().ok().map(Literal::Int));
    }
    let datetime = py.import("datetime")?;
    if value.is_instance(&datetime.getattr("datetime")?)? {
        // pandas' NaT, which stands for a missing time, differs from itself.
        return if value.ne(value)? { Ok(Some(Literal::Null)) } else { timestamp(&datetime, value).map(Some) };
    }
    if value.is_instance(&datetime.getattr("date")?)? {
        let ordinal: i32 = value.call_method0("toordinal")?.extract()?;
        return Ok(Some(Literal::Date(ordinal - EPOCH_ORDINAL)));
    }
    if value.is_instance(&datetime.getattr("time")?)? {
        return time(value);
    }
    if value.is_instance(&py.import("decimal")?.getattr("Decimal")?)? {
        return decimal(value);
    }
    // What counts as a whole number to Python, such as numpy's integers; then what has a Python value inside.
    if value.hasattr("__index__")? {
        return Ok(value.extract().ok().map(Literal::Int));
    }
    if value.hasattr("item")? {
        let inner = value.call_method0("item")?;
        return if inner.get_type().is(value.get_type()) { Ok(None) } else { to_literal(py, &inner) };
    }
    Ok(None)
}

/// Wall-clock time stays as it is read; a time with a zone becomes an instant.
fn timestamp(datetime: &Bound<'_, PyModule>, value: &Bound<'_, PyAny>) -> PyResult<Literal> {
    let utc = !value.call_method0("utcoffset")?.is_none();
    let zone = if utc { Some(datetime.getattr("timezone")?.getattr("utc")?) } else { None };
    let epoch = datetime.getattr("datetime")?.call1((1970, 1, 1, 0, 0, 0, 0, zone))?;
    let since = value.sub(epoch)?;
    let part = |name: &str| -> PyResult<i128> { since.getattr(name)?.extract() };
    // pandas counts nanoseconds beside.
    let extra = if since.hasattr("nanoseconds")? { part("nanoseconds")? } else { 0 };
    let micros = (part("days")? * 86_400 + part("seconds")?) * 1_000_000 + part("microseconds")?;
    Ok(Literal::Timestamp { nanos: micros * 1000 + extra, utc })
}

fn time(value: &Bound<'_, PyAny>) -> PyResult<Option<Literal>> {
    if !value.getattr("tzinfo")?.is_none() {
        return Ok(None);
    }
    let part = |name: &str| -> PyResult<i64> { value.getattr(name)?.extract() };
    let seconds = (part("hour")? * 60 + part("minute")?) * 60 + part("second")?;
    Ok(Some(Literal::Time { nanos: (seconds * 1_000_000 + part("microsecond")?) * 1000 }))
}

fn decimal(value: &Bound<'_, PyAny>) -> PyResult<Option<Literal>> {
    let (sign, digits, exponent): (u8, Vec<u8>, Bound<'_, PyAny>) = value.call_method0("as_tuple")?.extract()?;
    // The exponent of NaN and of infinities is a letter.
    let Ok(exponent) = exponent.extract::<i32>() else { return Ok(None) };
    let unscaled = digits.iter().try_fold(0_i128, |sum, digit| sum.checked_mul(10)?.checked_add(i128::from(*digit)));
    Ok(unscaled
        .zip(i8::try_from(-exponent).ok())
        .map(|(unscaled, scale)| Literal::Decimal { unscaled: if sign == 1 { -unscaled } else { unscaled }, scale }))
}
