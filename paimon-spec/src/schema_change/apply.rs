//! Application of changes to a schema (Java `SchemaManager.generateTableSchema`).

use super::options::{check_remove, check_set, rename_column};
use super::{ColumnMove, SchemaChange, supports_cast};
use crate::schema::{
    apply_directive, check_default_value, check_no_directive, forget_blob_column, next_id, normalize, renumber,
    validate,
};
use crate::{DataField, DataType, Error, ErrorKind, Result, Schema, TableSchema, TypeKind};

impl TableSchema {
    /// The schema after `changes`, with id + 1. `has_snapshots` forbids changes of immutable options.
    ///
    /// # Errors
    /// `NotFound` and `AlreadyExists` for columns, with the column as context; `Unsupported` for changes that the format
    /// forbids; `InvalidInput` when the result breaks a rule of schemas.
    pub fn apply(&self, changes: &[SchemaChange], has_snapshots: bool, time_millis: i64) -> Result<TableSchema> {
        let mut new = self.clone();
        for change in changes {
            self.apply_one(change, has_snapshots, &mut new)?;
        }
        // Options may hold keys.
        let Schema { fields, partition_keys, primary_keys, options, comment } = normalize(Schema {
            fields: new.fields,
            partition_keys: new.partition_keys,
            primary_keys: new.primary_keys,
            options: new.options,
            comment: new.comment,
        })?;
        let id = self.id.checked_add(1).ok_or_else(|| Error::corrupt("expected a schema id below 2^63 - 1"))?;
        let highest_field_id = new.highest_field_id;
        let table =
            TableSchema { id, fields, highest_field_id, partition_keys, primary_keys, options, comment, time_millis };
        validate(&table)?;
        Ok(table)
    }

    /// Options count as they were before the first change.
    fn apply_one(&self, change: &SchemaChange, has_snapshots: bool, new: &mut TableSchema) -> Result<()> {
        match change {
            SchemaChange::SetOption { key, value } => {
                if check_set(self, key, value, has_snapshots)? {
                    new.options.insert(key.clone(), value.clone());
                }
                Ok(())
            }
            SchemaChange::RemoveOption { key } => {
                check_remove(self, key, has_snapshots)?;
                new.options.remove(key);
                Ok(())
            }
            SchemaChange::UpdateComment { comment } => {
                new.comment.clone_from(comment);
                Ok(())
            }
            SchemaChange::AddColumn { path, data_type, description, position } => {
                self.add_column(new, path, data_type, description.clone(), position.as_ref())
            }
            SchemaChange::RenameColumn { path, new_name } => self.rename_column(new, path, new_name),
            SchemaChange::DropColumn { path } => self.drop_column(new, path),
            SchemaChange::UpdateColumnType { path, data_type, keep_nullability } => {
                self.update_type(new, path, data_type, *keep_nullability)
            }
            SchemaChange::UpdateColumnNullability { path, nullable } => {
                if *nullable {
                    self.check_not_key(path, &self.primary_keys, "change the nullability of the primary key column")?;
                }
                let forbidden = self.forbids_not_null()?;
                update_data_type(&mut new.fields, path, &mut |data_type| {
                    check_nullability(data_type.nullable, *nullable, path, forbidden)?;
                    data_type.nullable = *nullable;
                    Ok(())
                })
            }
            SchemaChange::UpdateColumnComment { path, comment } => update_field(&mut new.fields, path, &mut |field| {
                check_no_directive(comment.as_deref()).map_err(|error| error.with_context("column", &field.name))?;
                field.description.clone_from(comment);
                Ok(())
            }),
            SchemaChange::UpdateColumnDefaultValue { path, default_value } => {
                update_field(&mut new.fields, path, &mut |field| {
                    check_default_value(&field.data_type, default_value.as_deref())?;
                    field.default_value.clone_from(default_value);
                    Ok(())
                })
            }
            SchemaChange::UpdateColumnPosition { column, position } => move_column(&mut new.fields, column, position),
            SchemaChange::DropPrimaryKey if has_snapshots => {
                Err(Error::unsupported("the primary key cannot be dropped once the table has a snapshot"))
            }
            SchemaChange::DropPrimaryKey => {
                new.primary_keys.clear();
                Ok(())
            }
        }
    }

    fn add_column(
        &self,
        new: &mut TableSchema,
        path: &[String],
        data_type: &DataType,
        description: Option<String>,
        position: Option<&ColumnMove>,
    ) -> Result<()> {
        if !data_type.nullable {
            return Err(Error::invalid("a new column must be nullable: old rows have no value of it")
                .with_context("column", path.join(".")));
        }
        let (mut data_type, mut description) = (data_type.clone(), description);
        data_type.validate()?;
        match path {
            [name] => apply_directive(name, &mut data_type, &mut description, &mut new.options)?,
            _ => check_no_directive(description.as_deref())?,
        }
        // A field takes its id before its parts here, at any depth.
        let id = next_id(&mut new.highest_field_id)?;
        renumber(&mut data_type, &mut new.highest_field_id)?;
        let before_partition = path.len() == 1 && self.table_options().boolean("add-column-before-partition", false)?;
        with_siblings(&mut new.fields, path, &mut |fields, name| {
            check_absent(fields, name, path)?;
            let mut field = DataField::new(id, name, data_type.clone());
            field.description.clone_from(&description);
            let index = match position {
                Some(position) => insertion_index(fields, position)?,
                None if before_partition => {
                    let is_partition = |field: &DataField| self.partition_keys.contains(&field.name);
                    fields.iter().position(is_partition).unwrap_or(fields.len())
                }
                None => fields.len(),
            };
            fields.insert(index, field);
            Ok(())
        })
    }

    fn rename_column(&self, new: &mut TableSchema, path: &[String], new_name: &str) -> Result<()> {
        self.check_not_key(path, &self.partition_keys, "rename the partition column")?;
        self.check_not_indexed(path, "rename")?;
        with_siblings(&mut new.fields, path, &mut |fields, name| {
            check_absent(fields, new_name, path)?;
            let field = find(fields, name, path)?;
            if path.len() == 1 && field.data_type.is_blob() {
                return Err(Error::unsupported(format!("cannot rename the BLOB column '{name}'")));
            }
            new_name.clone_into(&mut field.name);
            Ok(())
        })?;
        if let [name] = path {
            for key in new.primary_keys.iter_mut().filter(|key| *key == name) {
                new_name.clone_into(key);
            }
            new.options = rename_column(std::mem::take(&mut new.options), name, new_name);
        }
        Ok(())
    }

    fn drop_column(&self, new: &mut TableSchema, path: &[String]) -> Result<()> {
        self.check_not_key(path, &self.partition_keys, "drop the partition column")?;
        self.check_not_key(path, &self.primary_keys, "drop the primary key column")?;
        self.check_not_indexed(path, "drop")?;
        with_siblings(&mut new.fields, path, &mut |fields, name| {
            find(fields, name, path)?;
            if fields.len() == 1 {
                return Err(Error::invalid(format!("cannot drop the only column, found '{}'", path.join("."))));
            }
            fields.retain(|field| field.name != name);
            Ok(())
        })?;
        if let [name] = path {
            forget_blob_column(name, &mut new.options);
        }
        Ok(())
    }

    fn update_type(
        &self,
        new: &mut TableSchema,
        path: &[String],
        data_type: &DataType,
        keep_nullability: bool,
    ) -> Result<()> {
        self.check_not_key(path, &self.partition_keys, "change the type of the partition column")?;
        self.check_not_key(path, &self.primary_keys, "change the type of the primary key column")?;
        self.check_not_indexed(path, "change the type of")?;
        data_type.validate()?;
        let explicit = !self.table_options().boolean("disable-explicit-type-casting", false)?;
        let forbidden = self.forbids_not_null()?;
        update_data_type(&mut new.fields, path, &mut |old| {
            let mut target = data_type.clone();
            if keep_nullability {
                target.nullable = old.nullable;
            } else {
                check_nullability(old.nullable, target.nullable, path, forbidden)?;
            }
            if old.is_blob() || target.is_blob() {
                return Err(Error::unsupported(format!("cannot change the type {old} to {target}: BLOB is involved"))
                    .with_context("column", path.join(".")));
            }
            if !supports_cast(old, &target, explicit) {
                return Err(Error::unsupported(format!("cannot change the type {old} to {target}"))
                    .with_context("column", path.join(".")));
            }
            *old = target;
            Ok(())
        })?;
        // The default value stays: it must be one of the new type too.
        if let [_] = path {
            update_field(&mut new.fields, path, &mut |field| {
                check_default_value(&field.data_type, field.default_value.as_deref())
            })?;
        }
        Ok(())
    }

    fn forbids_not_null(&self) -> Result<bool> {
        self.table_options().boolean("alter-column-null-to-not-null.disabled", true)
    }

    /// Keys are top-level columns.
    fn check_not_key(&self, path: &[String], keys: &[String], what: &str) -> Result<()> {
        match path {
            [name] if keys.contains(name) => Err(Error::unsupported(format!("cannot {what} '{name}'"))),
            _ => Ok(()),
        }
    }

    fn check_not_indexed(&self, path: &[String], what: &str) -> Result<()> {
        const INDEXES: [&str; 5] = [
            "pk-vector.index.columns",
            "pk-btree.index.columns",
            "pk-bitmap.index.columns",
            "pk-multivalue.index.columns",
            "pk-full-text.index.columns",
        ];
        let [name] = path else { return Ok(()) };
        let is_listed = |key: &str| self.options.get(key).is_some_and(|list| list.split(',').any(|c| c.trim() == name));
        if INDEXES.into_iter().any(is_listed) {
            return Err(Error::unsupported(format!("cannot {what} the indexed column '{name}'")));
        }
        Ok(())
    }
}

/// Runs `change` on the list of fields that holds the last name of `path`.
fn with_siblings(
    fields: &mut Vec<DataField>,
    path: &[String],
    change: &mut dyn FnMut(&mut Vec<DataField>, &str) -> Result<()>,
) -> Result<()> {
    fn descend(
        data_type: &mut DataType,
        path: &[String],
        at: usize,
        change: &mut dyn FnMut(&mut Vec<DataField>, &str) -> Result<()>,
    ) -> Result<()> {
        match (&mut data_type.kind, path.get(at).map(String::as_str)) {
            (TypeKind::Row(fields), Some(_)) => list(fields, path, at, change),
            (TypeKind::Array(element), Some("element")) => descend(element, path, at + 1, change),
            (TypeKind::Map(_, value), Some("value")) => descend(value, path, at + 1, change),
            _ => Err(missing(path)),
        }
    }
    fn list(
        fields: &mut Vec<DataField>,
        path: &[String],
        at: usize,
        change: &mut dyn FnMut(&mut Vec<DataField>, &str) -> Result<()>,
    ) -> Result<()> {
        match path.get(at..) {
            Some([name]) => change(fields, name),
            Some([name, ..]) => descend(&mut find(fields, name, path)?.data_type, path, at + 1, change),
            _ => Err(missing(path)),
        }
    }
    list(fields, path, 0, change)
}

/// Runs `change` on the field that `path` names.
fn update_field(
    fields: &mut Vec<DataField>,
    path: &[String],
    change: &mut dyn FnMut(&mut DataField) -> Result<()>,
) -> Result<()> {
    with_siblings(fields, path, &mut |fields, name| change(find(fields, name, path)?))
}

/// Runs `change` on the type that `path` names: of a field, or of the elements or values of one.
fn update_data_type(
    fields: &mut [DataField],
    path: &[String],
    change: &mut dyn FnMut(&mut DataType) -> Result<()>,
) -> Result<()> {
    let Some((name, mut rest)) = path.split_first() else {
        return Err(missing(path));
    };
    let mut data_type = &mut find(fields, name, path)?.data_type;
    while let Some((step, after)) = rest.split_first() {
        data_type = match (&mut data_type.kind, step.as_str()) {
            (TypeKind::Row(fields), name) => &mut find(fields, name, path)?.data_type,
            (TypeKind::Array(element), "element") => element,
            (TypeKind::Map(_, value), "value") => value,
            _ => return Err(missing(path)),
        };
        rest = after;
    }
    change(data_type)
}

fn find<'f>(fields: &'f mut [DataField], name: &str, path: &[String]) -> Result<&'f mut DataField> {
    fields.iter_mut().find(|field| field.name == name).ok_or_else(|| missing(path))
}

fn missing(path: &[String]) -> Error {
    let column = path.join(".");
    Error::not_found(format!("the column '{column}' does not exist")).with_context("column", column)
}

fn check_absent(fields: &[DataField], name: &str, path: &[String]) -> Result<()> {
    if fields.iter().all(|field| field.name != name) {
        return Ok(());
    }
    let mut column = path.to_vec();
    column.pop();
    column.push(name.to_owned());
    let column = column.join(".");
    let message = format!("the column '{column}' exists already");
    Err(Error::new(ErrorKind::AlreadyExists, message).with_context("column", column))
}

fn check_nullability(old: bool, new: bool, path: &[String], forbidden: bool) -> Result<()> {
    if forbidden && old && !new {
        return Err(Error::unsupported(format!(
            "cannot make the nullable column '{}' NOT NULL, unless 'alter-column-null-to-not-null.disabled' is 'false'",
            path.join(".")
        )));
    }
    Ok(())
}

fn insertion_index(fields: &[DataField], position: &ColumnMove) -> Result<usize> {
    let index_of = |name: &String| {
        let index = fields.iter().position(|field| field.name == *name);
        index.ok_or_else(|| missing(std::slice::from_ref(name)))
    };
    match position {
        ColumnMove::First => Ok(0),
        ColumnMove::Last => Ok(fields.len()),
        ColumnMove::Before(name) => index_of(name),
        ColumnMove::After(name) => index_of(name).map(|index| index + 1),
    }
}

fn move_column(fields: &mut Vec<DataField>, column: &str, position: &ColumnMove) -> Result<()> {
    let names = [column.to_owned()];
    let from = fields.iter().position(|field| field.name == column).ok_or_else(|| missing(&names))?;
    let field = fields.remove(from);
    let to = match position {
        ColumnMove::After(reference) | ColumnMove::Before(reference) if reference == column => {
            return Err(Error::invalid(format!("cannot move the column '{column}' next to itself")));
        }
        _ => insertion_index(fields, position)?,
    };
    fields.insert(to, field);
    Ok(())
}
