//! Single values, from the format's to Python's.

use paimon_spec::{BinaryRow, DataType, Datum, TableSchema, Timestamp, TypeKind};
use pyo3::exceptions::PyNotImplementedError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::errors::OrRaise;

/// `date(1970, 1, 1).toordinal()`.
const EPOCH_ORDINAL: i64 = 719_163;

/// The values of a partition by column.
pub(crate) fn partition_dict<'py>(
    py: Python<'py>,
    schema: &TableSchema,
    partition: &BinaryRow,
) -> PyResult<Bound<'py, PyDict>> {
    let fields = schema.partition_fields();
    let types: Vec<DataType> = fields.iter().map(|field| field.data_type.clone()).collect();
    let values = partition.values(&types).or_raise(py)?;
    let partition = PyDict::new(py);
    for (field, value) in fields.iter().zip(&values) {
        partition.set_item(&field.name, to_python(py, value.as_ref(), &field.data_type)?)?;
    }
    Ok(partition)
}

/// `value`, of type `data_type`, as the Python object that pyarrow would give; nanoseconds are cut to microseconds.
pub(crate) fn to_python<'py>(
    py: Python<'py>,
    value: Option<&Datum>,
    data_type: &DataType,
) -> PyResult<Bound<'py, PyAny>> {
    let Some(value) = value else { return Ok(py.None().into_bound(py)) };
    let datetime = || py.import("datetime");
    Ok(match value {
        Datum::Boolean(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Datum::TinyInt(value) => value.into_pyobject(py)?.into_any(),
        Datum::SmallInt(value) => value.into_pyobject(py)?.into_any(),
        Datum::Int(value) => value.into_pyobject(py)?.into_any(),
        Datum::BigInt(value) => value.into_pyobject(py)?.into_any(),
        Datum::Float(value) => value.into_pyobject(py)?.into_any(),
        Datum::Double(value) => value.into_pyobject(py)?.into_any(),
        Datum::Decimal { unscaled, scale } => {
            py.import("decimal")?.getattr("Decimal")?.call1((format!("{unscaled}E-{scale}"),))?
        }
        Datum::String(value) => value.into_pyobject(py)?.into_any(),
        Datum::Bytes(value) => PyBytes::new(py, value).into_any(),
        Datum::Date(days) => {
            datetime()?.getattr("date")?.call_method1("fromordinal", (i64::from(*days) + EPOCH_ORDINAL,))?
        }
        Datum::Time(millis) => {
            let (seconds, micros) = (millis.div_euclid(1000), millis.rem_euclid(1000) * 1000);
            let (hour, minute) = (seconds / 3600, seconds / 60 % 60);
            datetime()?.getattr("time")?.call1((hour, minute, seconds % 60, micros))?
        }
        Datum::Timestamp(at) => timestamp(py, *at, matches!(data_type.kind, TypeKind::TimestampLtz(_)))?,
        other => return Err(PyNotImplementedError::new_err(format!("no Python value stands for {other:?} yet"))),
    })
}

fn timestamp(py: Python<'_>, at: Timestamp, zoned: bool) -> PyResult<Bound<'_, PyAny>> {
    let module = py.import("datetime")?;
    let zone = if zoned { module.getattr("timezone")?.getattr("utc")? } else { py.None().into_bound(py) };
    let keywords = PyDict::new(py);
    keywords.set_item("tzinfo", zone)?;
    let epoch = module.getattr("datetime")?.call((1970, 1, 1), Some(&keywords))?;
    let micros = i128::from(at.millis) * 1000 + i128::from(at.nanos_of_milli / 1000);
    epoch.add(module.getattr("timedelta")?.call1((0, 0, micros))?)
}
