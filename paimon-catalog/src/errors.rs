//! The errors that callers tell apart: by kind, and by whether they carry the context key `table` or `database`.

use paimon_spec::{Error, ErrorKind, Identifier};

pub(crate) fn database_missing(name: &str) -> Error {
    of_database(ErrorKind::NotFound, format!("Database {name} does not exist"), name)
}

pub(crate) fn database_in_the_way(name: &str) -> Error {
    of_database(ErrorKind::AlreadyExists, format!("Database {name} already exists"), name)
}

pub(crate) fn database_not_empty(name: &str) -> Error {
    of_database(ErrorKind::InvalidInput, format!("Database {name} is not empty"), name)
}

pub(crate) fn table_missing(identifier: &Identifier) -> Error {
    let message = format!("Table {}.{} does not exist", identifier.database, identifier.object());
    of_table(ErrorKind::NotFound, message, identifier)
}

pub(crate) fn table_in_the_way(identifier: &Identifier) -> Error {
    let message = format!("Table {}.{} already exists", identifier.database, identifier.object());
    of_table(ErrorKind::AlreadyExists, message, identifier)
}

pub(crate) fn of_table(kind: ErrorKind, message: String, identifier: &Identifier) -> Error {
    Error::new(kind, message).with_context("table", format!("{}.{}", identifier.database, identifier.object()))
}

fn of_database(kind: ErrorKind, message: String, name: &str) -> Error {
    Error::new(kind, message).with_context("database", name)
}
