//! Rows by key: those that are there change, the others are added.

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use arrow::row::{OwnedRow, RowConverter, SortField};
use futures::TryStreamExt;
use paimon_io::{arrow_type, datum_at, fit_array};
use paimon_spec::{CommitMessage, DataField, Error, Predicate, Result, Test, TypeKind};

use super::columns::update_rows;
use super::matching::matching;
use super::rows::{Place, selected};
use super::{TableUpdate, named_fields};
use crate::{TableWriter, WriteOptions};

pub(super) async fn upsert(
    table: &TableUpdate,
    keys: &[String],
    update_columns: Option<&[String]>,
    batches: &[RecordBatch],
) -> Result<Vec<CommitMessage>> {
    let schema = table.store.schema();
    if keys.is_empty() {
        return Err(Error::invalid("upsert_keys must not be empty."));
    }
    let mut key_names = schema.partition_keys.clone();
    key_names.extend(keys.iter().filter(|key| !schema.partition_keys.contains(key)).cloned());
    let key_fields = named_fields(schema, &key_names)?;
    if let Some(field) = key_fields.iter().find(|field| field.data_type.holds_blob()) {
        return Err(Error::invalid(format!("BLOB column '{}' cannot be an upsert key", field.name)));
    }
    let given: Vec<String> = match batches.first() {
        Some(batch) => batch.schema().fields().iter().map(|field| field.name().clone()).collect(),
        None => Vec::new(),
    };
    if batches.iter().all(|batch| batch.num_rows() == 0) {
        return Err(Error::invalid("Input data is empty."));
    }
    if let Some(key) = key_names.iter().find(|key| !given.contains(key)) {
        return Err(Error::invalid(format!("upsert_key '{key}' is not in input data columns: {}", given.join(", "))));
    }

    let keys = Keys::of(&key_fields)?;
    let newest = keys.newest(batches)?;
    let there = keys.find(table, &key_names, &newest, batches).await?;
    let is_updated = |name: &&String| !key_names.contains(name);
    let columns: Vec<String> = update_columns.unwrap_or(&given).iter().filter(is_updated).cloned().collect();
    let mut messages = match columns.as_slice() {
        [] => Vec::new(),
        columns => update_rows(table, columns, there.rows, batches).await?,
    };
    let added = rows_of(batches, newest.iter().filter(|(key, _)| !there.keys.contains(key)).map(|(_, place)| *place))?;
    match append(table, &given, &added).await {
        Ok(appended) => messages.extend(appended),
        Err(error) => {
            // What counts is why rows could not be added.
            let _ = crate::abort(&table.store, &messages).await;
            return Err(error);
        }
    }
    Ok(messages)
}

/// Rows up to this number are looked for by their values; among more of them, all rows of the table.
const MOST_LISTED_ROWS: usize = 1_000;

/// Whether values of a type are equal in a condition exactly if they are as keys.
fn can_be_listed(kind: &TypeKind) -> bool {
    matches!(
        kind,
        TypeKind::TinyInt
            | TypeKind::SmallInt
            | TypeKind::Int
            | TypeKind::BigInt
            | TypeKind::Date
            | TypeKind::Char(_)
            | TypeKind::VarChar(_)
    )
}

/// Rows of the table that have a key that is given.
struct There {
    /// Their ids, and what is given for each.
    rows: Vec<(i64, Place)>,
    /// Their keys.
    keys: HashSet<OwnedRow>,
}

/// Tells rows by the values of key columns.
struct Keys<'a> {
    fields: &'a [DataField],
    converter: RowConverter,
}

impl<'a> Keys<'a> {
    fn of(fields: &'a [DataField]) -> Result<Self> {
        let sort_field = |field: &DataField| Ok(SortField::new(arrow_type(&field.data_type)?));
        let converter = RowConverter::new(fields.iter().map(sort_field).collect::<Result<_>>()?);
        let converter =
            converter.map_err(|error| Error::unsupported("columns of such types as upsert keys").with_source(error))?;
        Ok(Self { fields, converter })
    }

    /// The keys of the rows of a batch.
    fn rows(&self, batch: &RecordBatch) -> Result<arrow::row::Rows> {
        let column = |field: &DataField| match batch.column_by_name(&field.name) {
            Some(column) => fit_array(column, field),
            None => Err(Error::invalid(format!("the rows have no column '{}', which is an upsert key", field.name))),
        };
        let columns: Vec<ArrayRef> = self.fields.iter().map(column).collect::<Result<_>>()?;
        self.converter.convert_columns(&columns).map_err(|error| Error::internal("paimon-write", error))
    }

    /// The last row of each key.
    fn newest(&self, batches: &[RecordBatch]) -> Result<HashMap<OwnedRow, Place>> {
        let mut newest = HashMap::new();
        for (number, batch) in batches.iter().enumerate() {
            for (row, key) in self.rows(batch)?.iter().enumerate() {
                newest.insert(key.owned(), Place { batch: number, row });
            }
        }
        Ok(newest)
    }

    /// What holds for every row with one of the keys: each key column has one of the values that are given, as long as
    /// these are few.
    fn condition(&self, batches: &[RecordBatch]) -> Result<Option<Predicate>> {
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let is_listed = |field: &&DataField| rows <= MOST_LISTED_ROWS && can_be_listed(&field.data_type.kind);
        let mut parts = Vec::new();
        for field in self.fields.iter().filter(is_listed) {
            let (mut values, mut has_null) = (Vec::new(), false);
            for batch in batches {
                let Some(column) = batch.column_by_name(&field.name) else { continue };
                let column = fit_array(column, field)?;
                for row in 0..batch.num_rows() {
                    match datum_at(column.as_ref(), &field.data_type, row)? {
                        Some(value) if !values.contains(&value) => values.push(value),
                        Some(_) => {}
                        None => has_null = true,
                    }
                }
            }
            let is_null = has_null.then(|| Predicate::leaf(field.id, Test::IsNull));
            parts.push(Predicate::or(is_null.into_iter().chain([Predicate::leaf(field.id, Test::In(values))])));
        }
        Ok((!parts.is_empty()).then(|| Predicate::and(parts)))
    }

    async fn find(
        &self,
        table: &TableUpdate,
        names: &[String],
        newest: &HashMap<OwnedRow, Place>,
        batches: &[RecordBatch],
    ) -> Result<There> {
        let mut there = There { rows: Vec::new(), keys: HashSet::new() };
        let mut rows = matching(table, self.condition(batches)?.as_ref(), names).await?;
        while let Some(batch) = rows.try_next().await? {
            let ids = batch.column(names.len()).as_primitive::<Int64Type>();
            for (key, id) in self.rows(&batch)?.iter().zip(ids.values()) {
                let key = key.owned();
                if let Some(place) = newest.get(&key) {
                    there.rows.push((*id, *place));
                    there.keys.insert(key);
                }
            }
        }
        Ok(there)
    }
}

/// Some rows of batches, in their order.
fn rows_of(batches: &[RecordBatch], places: impl Iterator<Item = Place>) -> Result<Vec<RecordBatch>> {
    let mut masks: Vec<Vec<bool>> = batches.iter().map(|batch| vec![false; batch.num_rows()]).collect();
    for Place { batch, row } in places {
        if let Some(wanted) = masks.get_mut(batch).and_then(|mask| mask.get_mut(row)) {
            *wanted = true;
        }
    }
    let filter = |(batch, mask): (&RecordBatch, Vec<bool>)| {
        filter_record_batch(batch, &BooleanArray::from(mask)).map_err(|error| Error::internal("paimon-write", error))
    };
    let rows = batches.iter().zip(masks).map(filter).collect::<Result<Vec<_>>>()?;
    Ok(rows.into_iter().filter(|batch| batch.num_rows() > 0).collect())
}

/// Adds rows with the columns that are given.
async fn append(table: &TableUpdate, given: &[String], rows: &[RecordBatch]) -> Result<Vec<CommitMessage>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let options = WriteOptions { write_type: Some(given.to_vec()), ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.store.clone(), options).await?;
    let fields = named_fields(table.store.schema(), given)?;
    for batch in rows {
        if let Err(error) = writer.write(&selected(batch, &fields)?).await {
            // What counts is why the rows could not be written.
            let _ = writer.abort().await;
            return Err(error);
        }
    }
    writer.prepare_commit().await
}
