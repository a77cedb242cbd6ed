//! Comments of new columns that are orders to make BLOB columns of them (Java `ColumnDirectiveUtils`).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::{DataType, Error, Result, TableOptions, TypeKind};

const BLOB_DIRECTIVES: [(&str, &str); 3] = [
    ("__BLOB_FIELD", "blob-field"),
    ("__BLOB_DESCRIPTOR_FIELD", "blob-descriptor-field"),
    ("__BLOB_VIEW_FIELD", "blob-view-field"),
];

/// An old key of `blob-descriptor-field`.
const OLD_DESCRIPTOR_OPTION: &str = "blob.stored-descriptor-fields";

/// An order in a comment, and what is left of the comment.
#[derive(Debug, PartialEq, Eq)]
struct Directive<'c> {
    /// The option that lists columns that it was given for.
    option: &'static str,
    comment: Option<&'c str>,
}

/// Makes of the new column `name` what its comment orders: the type becomes BLOB (or ARRAY or MAP of BLOB), an option lists
/// the column, and the order leaves the comment. Other comments change nothing.
///
/// # Errors
/// `InvalidInput` for unknown orders and for types that cannot become BLOB; `Unsupported` for orders about vectors.
pub(crate) fn apply_directive(
    name: &str,
    data_type: &mut DataType,
    comment: &mut Option<String>,
    options: &mut BTreeMap<String, String>,
) -> Result<()> {
    let Some(text) = comment.as_deref() else { return Ok(()) };
    let Some(directive) = parse(text).map_err(|error| error.with_context("column", name))? else { return Ok(()) };
    *data_type = blob_of(data_type, directive.option == "blob-field").ok_or_else(|| {
        Error::invalid(format!(
            "the comment of a column that is to be in the option '{}' needs the type BYTES, BINARY or BLOB, found \
             {data_type} (ARRAY and MAP of these are for 'blob-field')",
            directive.option
        ))
        .with_context("column", name)
    })?;
    let mut columns: Vec<&str> = TableOptions::new(options).names(directive.option);
    if !columns.contains(&name) {
        columns.push(name);
    }
    let columns = columns.join(",");
    if directive.option == "blob-descriptor-field" {
        options.remove(OLD_DESCRIPTOR_OPTION);
    }
    options.insert(directive.option.to_owned(), columns);
    *comment = directive.comment.map(str::to_owned);
    Ok(())
}

/// Refuses a comment that would be an order if it were that of a new top-level column.
pub(crate) fn check_no_directive(comment: Option<&str>) -> Result<()> {
    match comment.map(parse).transpose()?.flatten() {
        None => Ok(()),
        Some(_) => Err(Error::unsupported(format!(
            "only a new top-level column becomes BLOB by its comment, found the comment '{}' elsewhere",
            comment.unwrap_or_default()
        ))),
    }
}

/// Takes a dropped column out of the options that list BLOB columns.
pub(crate) fn forget_blob_column(name: &str, options: &mut BTreeMap<String, String>) {
    for key in BLOB_DIRECTIVES.map(|(_, option)| option).into_iter().chain([OLD_DESCRIPTOR_OPTION]) {
        let Some(list) = options.get(key) else { continue };
        let rest: Vec<&str> =
            list.split(',').map(str::trim).filter(|column| *column != name && !column.is_empty()).collect();
        let rest = rest.join(",");
        if rest.is_empty() {
            options.remove(key);
        } else {
            options.insert(key.to_owned(), rest);
        }
    }
}

/// The order that a comment starts with: its name alone, or with `;` and a comment after it.
fn parse(comment: &str) -> Result<Option<Directive<'_>>> {
    let comment = comment.trim();
    if comment.starts_with("__VECTOR") {
        return Err(Error::unsupported(format!(
            "comments that order vectors are not supported yet, found '{comment}'"
        )));
    }
    if !comment.starts_with("__BLOB") {
        return Ok(None);
    }
    let (name, rest) = comment.split_once(';').unwrap_or((comment, ""));
    let Some((_, option)) = BLOB_DIRECTIVES.iter().find(|(directive, _)| *directive == name) else {
        let known = BLOB_DIRECTIVES.map(|(directive, _)| directive).join(", ");
        return Err(Error::invalid(format!(
            "a comment that starts with __BLOB must start with one of {known}, found '{comment}'"
        )));
    };
    let rest = rest.trim();
    Ok(Some(Directive { option, comment: (!rest.is_empty()).then_some(rest) }))
}

/// The type with BLOB for bytes; `None` when there are no bytes to be BLOB.
fn blob_of(data_type: &DataType, nested: bool) -> Option<DataType> {
    let blob = |of: &DataType| {
        let is_bytes = matches!(of.kind, TypeKind::Binary(_) | TypeKind::VarBinary(_) | TypeKind::Blob);
        is_bytes.then_some(DataType { kind: TypeKind::Blob, nullable: of.nullable })
    };
    let kind = match &data_type.kind {
        TypeKind::Array(element) if nested => TypeKind::Array(Box::new(blob(element)?)),
        TypeKind::Map(key, value) if nested => TypeKind::Map(key.clone(), Box::new(blob(value)?)),
        _ => return blob(data_type),
    };
    Some(DataType { kind, nullable: data_type.nullable })
}
