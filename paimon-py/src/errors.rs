//! The one exit of errors: from [`paimon_spec::Error`] to the exception classes of `pypaimon.exceptions`.
//!
//! The classes are Python's, so that they may have two bases, attributes and pickling; this names the kind and hands
//! over the text, and `native_errors.from_native` picks the class.

use paimon_spec::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Context keys that choose a class or become an attribute.
const KEYS: [&str; 14] = [
    "database",
    "table",
    "column",
    "tag",
    "branch",
    "snapshot",
    "expired snapshot",
    "committed snapshot",
    "file",
    "path",
    "url",
    "row",
    "option",
    "outcome",
];

/// `error` as a Python exception.
pub(crate) fn to_py_err(py: Python<'_>, error: &Error) -> PyErr {
    exception(py, error).unwrap_or_else(|failure| failure)
}

fn exception(py: Python<'_>, error: &Error) -> PyResult<PyErr> {
    let context = PyDict::new(py);
    for key in KEYS {
        if let Some(value) = error.context(key) {
            context.set_item(key, value)?;
        }
    }
    let arguments = (kind_name(error.kind()), error.message(), error.to_string(), context, error.is_retryable());
    let value = py.import("pypaimon.native_errors")?.getattr("from_native")?.call1(arguments)?;
    Ok(PyErr::from_value(value))
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "not_found",
        ErrorKind::AlreadyExists => "already_exists",
        ErrorKind::InvalidInput => "invalid_input",
        ErrorKind::CorruptData => "corrupt_data",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::CommitConflict => "commit_conflict",
        ErrorKind::PermissionDenied => "permission_denied",
        ErrorKind::Storage => "storage",
        _ => "internal",
    }
}

/// `?` from the crates' results to Python's.
pub(crate) trait OrRaise<T> {
    /// The value, or the exception.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| to_py_err(py, &error))
    }
}
