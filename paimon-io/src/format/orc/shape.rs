//! Which columns of a file are read, and what of them.

use arrow::datatypes::TimeUnit;
use paimon_spec::{DataType, Result, TypeKind};

use super::{
    corrupt,
    tail::{Kind, Type},
};
use crate::arrow::types::time_unit;

/// A column that is read, and what of it.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Its position among the file's types.
    pub(super) position: usize,
    pub(super) kind: Kind,
    /// For timestamps: what to count in.
    pub(super) unit: TimeUnit,
    /// The columns within, with their names.
    pub(super) children: Vec<(String, Shape)>,
}

impl Shape {
    /// The column at `position`, for values of the type `wanted`. Of a row only the fields that are wanted are read.
    pub(super) fn new(types: &[Type], position: usize, wanted: &DataType) -> Result<Self> {
        let found = types.get(position).ok_or_else(|| corrupt(format!("there is no column {position}")))?;
        let unit = match wanted.kind {
            TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => time_unit(precision),
            _ => TimeUnit::Microsecond,
        };
        let any = DataType::not_null(TypeKind::Int);
        let wanted_within = |index: usize, name: &str| match (found.kind, &wanted.kind) {
            (Kind::List, TypeKind::Array(element) | TypeKind::Vector(element, _)) => Some(element.as_ref()),
            (Kind::Map, TypeKind::Map(key, value)) => Some(if index == 0 { key.as_ref() } else { value.as_ref() }),
            (Kind::Map, TypeKind::Multiset(element)) if index == 0 => Some(element.as_ref()),
            (Kind::Struct, TypeKind::Row(fields)) => fields.iter().find(|f| f.name == name).map(|f| &f.data_type),
            // As the file has them.
            _ => Some(&any),
        };
        let mut children = Vec::new();
        for (index, child) in found.children.iter().enumerate() {
            let name = found.names.get(index).map_or("", String::as_str);
            if let Some(wanted) = wanted_within(index, name) {
                children.push((name.to_owned(), Self::new(types, *child, wanted)?));
            }
        }
        Ok(Self { position, kind: found.kind, unit, children })
    }

    /// This column and those within that are read.
    pub(super) fn positions(&self, into: &mut Vec<usize>) {
        into.push(self.position);
        for (_, child) in &self.children {
            child.positions(into);
        }
    }
}
