//! Whether files can be read by column names.

use paimon_spec::{DataField, DataType, FieldId, TableSchema, TypeKind};

/// Whether a file of schema `file_schema` gives the columns `projection` of `current` when it is read by name and no
/// value is changed: native readers may then read it as it is.
///
/// A column must have kept its name and its type, all the way down; NOT NULL must not have been added. A column that the
/// file lacks reads as NULL by name, so it may be lacking unless it is NOT NULL or another column had its name. TIME,
/// MULTISET and BLOB have forms of their own and are never read by name.
pub fn same_by_name(file_schema: &TableSchema, current: &TableSchema, projection: &[FieldId]) -> bool {
    projection.iter().all(|id| current.field_by_id(*id).is_some_and(|field| same_field(&file_schema.fields, field)))
}

fn same_field(written: &[DataField], field: &DataField) -> bool {
    match written.iter().find(|f| f.id == field.id) {
        Some(old) => old.name == field.name && same_type(&old.data_type, &field.data_type),
        None => field.data_type.nullable && !written.iter().any(|f| f.name == field.name),
    }
}

fn same_type(old: &DataType, new: &DataType) -> bool {
    if old.nullable && !new.nullable {
        return false;
    }
    match (&old.kind, &new.kind) {
        (TypeKind::Row(old), TypeKind::Row(new)) => new.iter().all(|field| same_field(old, field)),
        (TypeKind::Array(old), TypeKind::Array(new)) => same_type(old, new),
        (TypeKind::Vector(old, old_length), TypeKind::Vector(new, length)) => {
            old_length == length && same_type(old, new)
        }
        (TypeKind::Map(old_key, old_value), TypeKind::Map(key, value)) => {
            same_type(old_key, key) && same_type(old_value, value)
        }
        (TypeKind::Time(_) | TypeKind::Multiset(_) | TypeKind::Blob, _) => false,
        (old, new) => old == new,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;

    fn schema(fields: Vec<DataField>) -> TableSchema {
        TableSchema {
            id: 0,
            highest_field_id: fields.iter().map(|f| f.id).max().unwrap_or(0),
            fields,
            partition_keys: Vec::new(),
            primary_keys: Vec::new(),
            options: BTreeMap::new(),
            comment: None,
            time_millis: 0,
        }
    }

    fn nullable(kind: TypeKind) -> DataType {
        DataType::nullable(kind)
    }

    fn row(fields: Vec<DataField>) -> DataType {
        nullable(TypeKind::Row(fields))
    }

    #[rstest]
    #[case::unchanged(vec![DataField::new(0, "a", nullable(TypeKind::Int))], nullable(TypeKind::Int), true)]
    #[case::renamed(vec![DataField::new(0, "b", nullable(TypeKind::Int))], nullable(TypeKind::Int), false)]
    #[case::widened(vec![DataField::new(0, "a", nullable(TypeKind::Int))], nullable(TypeKind::BigInt), false)]
    #[case::added(vec![DataField::new(7, "z", nullable(TypeKind::Int))], nullable(TypeKind::Int), true)]
    #[case::dropped_and_added_again(vec![DataField::new(7, "a", nullable(TypeKind::Int))], nullable(TypeKind::Int), false)]
    #[case::added_not_null(vec![], DataType::not_null(TypeKind::Int), false)]
    #[case::made_nullable(vec![DataField::new(0, "a", DataType::not_null(TypeKind::Int))], nullable(TypeKind::Int), true)]
    #[case::made_not_null(vec![DataField::new(0, "a", nullable(TypeKind::Int))], DataType::not_null(TypeKind::Int), false)]
    #[case::time(vec![DataField::new(0, "a", nullable(TypeKind::Time(3)))], nullable(TypeKind::Time(3)), false)]
    #[case::nested_rename(
        vec![DataField::new(0, "a", row(vec![DataField::new(1, "x", nullable(TypeKind::Int))]))],
        row(vec![DataField::new(1, "y", nullable(TypeKind::Int))]),
        false
    )]
    #[case::in_a_list(
        vec![DataField::new(0, "a", nullable(TypeKind::Array(Box::new(nullable(TypeKind::Int)))))],
        nullable(TypeKind::Array(Box::new(nullable(TypeKind::BigInt)))),
        false
    )]
    fn names_are_enough(#[case] written: Vec<DataField>, #[case] current: DataType, #[case] expected: bool) {
        let current = schema(vec![DataField::new(0, "a", current)]);
        assert_eq!(same_by_name(&schema(written), &current, &[0]), expected);
    }

    #[test]
    fn columns_that_are_not_read_do_not_count() {
        let written = schema(vec![
            DataField::new(0, "a", nullable(TypeKind::Int)),
            DataField::new(1, "b", nullable(TypeKind::Int)),
        ]);
        let current = schema(vec![
            DataField::new(0, "a", nullable(TypeKind::Int)),
            DataField::new(1, "c", nullable(TypeKind::Int)),
        ]);
        assert!(same_by_name(&written, &current, &[0]));
        assert!(!same_by_name(&written, &current, &[0, 1]));
    }
}
