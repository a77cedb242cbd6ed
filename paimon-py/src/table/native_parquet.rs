//! Which splits another Parquet reader reads as this one does.

use std::sync::Arc;

use paimon_io::TableStore;
use paimon_merge::same_by_name;
use paimon_spec::{DataField, DataSplit, FieldId, Predicate, Result, TypeKind, is_row_tracking_field};

/// For each split, why it cannot be given to a Parquet reader that takes columns by name; `None`: it can. Scripts know the
/// texts.
pub(super) async fn reasons_not_native(
    store: &TableStore,
    splits: &[Arc<DataSplit>],
    fields: &[DataField],
    predicate: Option<&Predicate>,
) -> Result<Vec<Option<String>>> {
    let mut reasons = Vec::with_capacity(splits.len());
    for split in splits {
        reasons.push(reason_not_native(store, split, fields, predicate).await?);
    }
    Ok(reasons)
}

async fn reason_not_native(
    store: &TableStore,
    split: &DataSplit,
    fields: &[DataField],
    predicate: Option<&Predicate>,
) -> Result<Option<String>> {
    let reason = |text: &str| Ok(Some(text.to_owned()));
    if fields.iter().any(|field| field.data_type.holds_blob()) {
        return reason("blob columns present");
    }
    if split.files.iter().any(|file| !file.file_name.ends_with(".parquet")) {
        return reason("non-parquet format");
    }
    if split.deletions.iter().any(Option::is_some) {
        return reason("deletion vectors present");
    }
    if split.rows.iter().any(Option::is_some) {
        return reason("part of a file's rows");
    }
    if fields.iter().any(|field| is_row_tracking_field(field.id)) {
        return reason("row-tracking columns");
    }
    let evolves = store.options().data_evolution_enabled()?;
    if !split.raw_convertible {
        return reason(if evolves { "data-evolution merge required" } else { "LSM merge required" });
    }
    let projection: Vec<FieldId> = fields.iter().map(|field| field.id).collect();
    let partition: Vec<FieldId> = store.schema().partition_fields().iter().map(|field| field.id).collect();
    for file in &split.files {
        let (schema, written) = (store.schema(), store.schema_at(file.schema_id).await?);
        // Readers convert the types of the whole file before they choose columns.
        if let Some(field) = written.fields.iter().find(|field| !read_alike(&field.data_type.kind)) {
            return Ok(Some(format!("readers disagree on the type of column '{}'", field.name)));
        }
        if file.schema_id != schema.id && !same_by_name(&written, schema, &projection) {
            return reason("schema evolution requires PyPaimon normalization");
        }
        // A file without one of the columns is not the whole of its rows.
        let own = |field: &&FieldId| !partition.contains(field);
        if evolves && !projection.iter().filter(own).all(|field| file.holds(&written, *field)) {
            return reason("data-evolution merge required");
        }
        // Only this reader passes files over by their indexes, and takes single rows out of the others.
        if let Some(predicate) = predicate
            && store.has_file_index(file, &predicate.for_file(schema, &written).predicate, &written)?
        {
            return reason("file index on a column of the filter");
        }
    }
    Ok(None)
}

/// Types whose values every Parquet reader gives alike.
fn read_alike(kind: &TypeKind) -> bool {
    match kind {
        TypeKind::Time(_)
        | TypeKind::Variant
        | TypeKind::Geometry(_)
        | TypeKind::Geography(..)
        | TypeKind::Multiset(_)
        | TypeKind::Vector(..) => false,
        TypeKind::Array(element) => read_alike(&element.kind),
        TypeKind::Map(key, value) => read_alike(&key.kind) && read_alike(&value.kind),
        TypeKind::Row(fields) => fields.iter().all(|field| read_alike(&field.data_type.kind)),
        _ => true,
    }
}
