//! Values of BLOB columns, as callers give them.
//!
//! A caller gives bytes, or references: where the bytes are, as Daft's `File` values. What goes into `.blob` files stays
//! what it is, and the writer of those files fetches; what is kept in data files becomes bytes here.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, LargeBinaryArray, ListArray, MapArray, StructArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Field};
use arrow::error::ArrowError;
use paimon_blob::{BlobDescriptor, BlobReferences, BlobView};
use paimon_io::{arrow_type, fit_array};
use paimon_spec::{BlobStorage, DataField, DataType, Error, ErrorKind, Result, TypeKind};

/// `array` as values of the BLOB column `field`.
///
/// What is kept in files of its own is either of the column's Arrow type, or has references where that has bytes:
/// structs as of [`BlobReferences::to_files`]. What is kept in data files has the column's Arrow type.
///
/// # Errors
/// `InvalidInput` naming the column, and the row where one is to blame, for values that are neither bytes nor references,
/// for NULL in a NOT NULL column, and for bytes that are not what the column keeps.
pub(crate) fn fit_blobs(array: &ArrayRef, field: &DataField, storage: BlobStorage) -> Result<ArrayRef> {
    let fitted = match storage {
        BlobStorage::File => fit_for_files(array, field),
        BlobStorage::Descriptor => fit_descriptors(array, field),
        BlobStorage::View => fit_views(array, field),
    };
    fitted.map_err(|error| match error.context("column") {
        Some(_) => error,
        None => error.with_context("column", &field.name),
    })
}

fn fit_for_files(array: &ArrayRef, field: &DataField) -> Result<ArrayRef> {
    let fitted: ArrayRef = match (&field.data_type.kind, array.data_type()) {
        (TypeKind::Blob, ArrowType::Struct(_)) => Arc::new(references(array.as_struct())?),
        (TypeKind::Array(_), found) if list_item(found).is_some_and(is_struct) => Arc::new(fit_list(array)?),
        (TypeKind::Map(key, _), ArrowType::Map(..)) if is_struct(array.as_map().values().data_type()) => {
            Arc::new(fit_map(array.as_map(), key)?)
        }
        (kind, found) if holds_bytes(kind, found) => return fit_array(array, field),
        (_, found) => {
            return Err(Error::invalid(format!(
                "expected bytes or File values (structs of url, position and size) for a column of type {}, found {found}",
                field.data_type
            )));
        }
    };
    if !field.data_type.nullable && fitted.null_count() > 0 {
        return Err(Error::invalid("NULL in a column that is NOT NULL"));
    }
    Ok(fitted)
}

fn fit_descriptors(array: &ArrayRef, field: &DataField) -> Result<ArrayRef> {
    if let Some(files) = array.as_struct_opt() {
        return fit_array(&(Arc::new(BlobReferences::from_files(files)?.to_descriptors()) as ArrayRef), field);
    }
    let bytes = inline_bytes(array, field, "descriptors or File values")?;
    check_each(&bytes, "blob-descriptor-field", "a serialised BlobDescriptor", |value| {
        BlobDescriptor::decode(value).map(|_| ())
    })
}

fn fit_views(array: &ArrayRef, field: &DataField) -> Result<ArrayRef> {
    let bytes = inline_bytes(array, field, "the bytes of views")?;
    check_each(&bytes, "blob-view-field", "a serialised BlobView", |value| BlobView::decode(value).map(|_| ()))
}

/// What a column that is kept in data files is made of.
fn inline_bytes(array: &ArrayRef, field: &DataField, wanted: &str) -> Result<ArrayRef> {
    if holds_bytes(&TypeKind::Blob, array.data_type()) {
        return fit_array(array, field);
    }
    Err(Error::invalid(format!("expected {wanted}, found {}", array.data_type())))
}

fn check_each(bytes: &ArrayRef, option: &str, wanted: &str, check: impl Fn(&[u8]) -> Result<()>) -> Result<ArrayRef> {
    let values: &LargeBinaryArray = bytes.as_binary();
    for (row, value) in values.iter().enumerate() {
        if let Some(Err(error)) = value.map(&check) {
            let message = format!("expected {wanted} in a column that the option '{option}' names, found other bytes");
            return Err(Error::new(ErrorKind::InvalidInput, message).with_context("row", row).with_source(error));
        }
    }
    Ok(Arc::clone(bytes))
}

fn references(files: &StructArray) -> Result<StructArray> {
    Ok(BlobReferences::from_files(files)?.to_files(None))
}

fn fit_list(array: &ArrayRef) -> Result<ListArray> {
    let item = list_item(array.data_type()).cloned().unwrap_or(ArrowType::Null);
    let list = cast(array, &ArrowType::List(Arc::new(Field::new_list_field(item, true)))).map_err(unfit)?;
    let list: &ListArray = list.as_list();
    let values = references(list.values().as_struct()).map_err(|error| in_elements(error, list.offsets()))?;
    let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    ListArray::try_new(item, list.offsets().clone(), Arc::new(values), list.nulls().cloned()).map_err(unfit)
}

fn fit_map(map: &MapArray, key: &DataType) -> Result<MapArray> {
    let required = DataType { nullable: false, ..key.clone() };
    let keys = fit_array(map.keys(), &DataField::new(0, "key", required))?;
    let values = references(map.values().as_struct()).map_err(|error| in_elements(error, map.offsets()))?;
    let fields =
        vec![Field::new("key", arrow_type(key)?, false), Field::new("value", values.data_type().clone(), true)];
    let entries = StructArray::try_new(fields.into(), vec![keys, Arc::new(values)], None).map_err(unfit)?;
    let item = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    MapArray::try_new(item, map.offsets().clone(), entries, map.nulls().cloned(), false).map_err(unfit)
}

/// An error that names an element of lists names the row instead.
fn in_elements(error: Error, offsets: &[i32]) -> Error {
    let element = error.context("row").and_then(|row| row.parse::<i32>().ok());
    match element {
        Some(element) => {
            let row = offsets.partition_point(|offset| *offset <= element).saturating_sub(1);
            Error::new(error.kind(), error.message().to_owned()).with_context("row", row)
        }
        None => error,
    }
}

fn list_item(list: &ArrowType) -> Option<&ArrowType> {
    match list {
        ArrowType::List(item)
        | ArrowType::LargeList(item)
        | ArrowType::ListView(item)
        | ArrowType::LargeListView(item)
        | ArrowType::FixedSizeList(item, _) => Some(item.data_type()),
        _ => None,
    }
}

fn is_struct(data_type: &ArrowType) -> bool {
    matches!(data_type, ArrowType::Struct(_))
}

/// Whether an Arrow type holds bytes where a BLOB type of `kind` does.
fn holds_bytes(kind: &TypeKind, found: &ArrowType) -> bool {
    match (kind, found) {
        (_, ArrowType::Null) => true,
        (_, ArrowType::Dictionary(_, values)) => holds_bytes(kind, values),
        (TypeKind::Blob, found) => matches!(
            found,
            ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView | ArrowType::FixedSizeBinary(_)
        ),
        (TypeKind::Array(element), list) => list_item(list).is_some_and(|item| holds_bytes(&element.kind, item)),
        (TypeKind::Map(_, value), ArrowType::Map(entries, _)) => match entries.data_type() {
            ArrowType::Struct(pair) => pair.get(1).is_some_and(|found| holds_bytes(&value.kind, found.data_type())),
            _ => false,
        },
        _ => false,
    }
}

fn unfit(error: ArrowError) -> Error {
    Error::invalid("values do not fit their column").with_source(error)
}
