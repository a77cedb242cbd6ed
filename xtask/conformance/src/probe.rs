//! Reads that the rows of a table suggest, with the answers that its rows give: filters on values that are there now and
//! on values that only older versions of a row had, under projections that leave the filtered column out.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use paimon_spec::{DataField, DataType, FieldId, Predicate, TableSchema, TypeKind};
use serde_json::{Value, json};

use crate::filter;

/// How many values of a column are asked for.
const VALUES: usize = 4;
/// How many rows are looked up by their whole key.
const LOOK_UPS: usize = 6;

/// One read of a single column, and the rows that it must give.
#[derive(Debug)]
pub struct Probe {
    /// Which rows.
    pub filter: Predicate,
    /// `[operator, column, literals...]`: the same, for people.
    pub text: String,
    /// The column that is read.
    pub column: FieldId,
    /// Its values in the rows that the filter keeps, spelt as in `expected.rows`, sorted.
    pub rows: Vec<String>,
}

/// Probes of a table: `now` are its rows, `ever` those of all its states.
///
/// # Errors
/// When a filter cannot be made of a value of a row.
pub fn probes(schema: &TableSchema, now: &[Vec<Value>], ever: &[Vec<Value>]) -> Result<Vec<Probe>> {
    let mut probes =
        Probes { fields: &schema.fields, now, others: schema.fields.iter().enumerate().cycle(), made: vec![] };
    for (position, field) in schema.fields.iter().enumerate().filter(|(_, field)| is_exact(&field.data_type)) {
        let name = &field.name;
        let at = |row: &[Value], keeps: &dyn Fn(&Value) -> bool| row.get(position).is_some_and(keeps);
        let values = ever.iter().filter_map(|row| row.get(position)).filter(|value| is_literal(value, field));
        for value in spread(values) {
            probes.add(json!(["=", name, value]), |row| at(row, &|found| *found == value))?;
            probes.add(json!(["<>", name, value]), |row| at(row, &|found| !found.is_null() && *found != value))?;
            if let Some(number) = value.as_i64() {
                let more = |found: &Value| found.as_i64().is_some_and(|found| found > number);
                probes.add(json!([">", name, value]), |row| at(row, &more))?;
            }
        }
        probes.add(json!(["is null", name]), |row| at(row, &Value::is_null))?;
    }
    probes.look_ups(&schema.primary_keys, ever)?;
    Ok(probes.made)
}

struct Probes<'a, C> {
    fields: &'a [DataField],
    now: &'a [Vec<Value>],
    /// The columns to read, in turn.
    others: C,
    made: Vec<Probe>,
}

impl<'a, C: Iterator<Item = (usize, &'a DataField)>> Probes<'a, C> {
    fn add(&mut self, filter: Value, keeps: impl Fn(&[Value]) -> bool) -> Result<()> {
        let (position, read) = self.others.next().context("a table without columns")?;
        let kept = self.now.iter().filter(|row| keeps(row));
        let mut rows: Vec<String> = kept.map(|row| json!([row.get(position)]).to_string()).collect();
        rows.sort_unstable();
        let text = filter.to_string();
        self.made.push(Probe { filter: filter::parse(&filter, self.fields)?, text, column: read.id, rows });
        Ok(())
    }

    /// Single rows by their whole key: as they are now, and by a value that a version of them had.
    fn look_ups(&mut self, key: &[String], ever: &[Vec<Value>]) -> Result<()> {
        let position = |name: &String| self.fields.iter().position(|field| field.name == *name);
        let key: Vec<usize> = key.iter().filter_map(position).collect();
        let value = self.fields.iter().rposition(|field| is_exact(&field.data_type));
        for row in ever.iter().step_by(ever.len().div_ceil(LOOK_UPS).max(1)) {
            let with_value = key.iter().copied().chain(value).collect();
            for columns in [key.clone(), with_value] {
                let conditions: Option<Vec<Value>> = columns.iter().map(|i| self.equal(*i, row)).collect();
                let Some(conditions) = conditions else { continue };
                let filter = std::iter::once(json!("and")).chain(conditions).collect();
                self.add(Value::Array(filter), |other| columns.iter().all(|i| other.get(*i) == row.get(*i)))?;
            }
        }
        Ok(())
    }

    /// That a column is what it is in `row`; `None` where that cannot be asked.
    fn equal(&self, position: usize, row: &[Value]) -> Option<Value> {
        let (field, value) = (self.fields.get(position)?, row.get(position)?);
        (is_exact(&field.data_type) && is_literal(value, field)).then(|| json!(["=", field.name, value]))
    }
}

/// Some of the distinct values, the first and the last among them.
fn spread<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<Value> {
    let distinct: BTreeSet<String> = values.map(Value::to_string).collect();
    let step = distinct.len().div_ceil(VALUES).max(1);
    let first = distinct.iter().step_by(step).chain(distinct.last());
    let chosen: BTreeSet<&String> = first.collect();
    chosen.into_iter().filter_map(|text| serde_json::from_str(text).ok()).collect()
}

/// Whether a value can be asked for: Java's sums of decimals may be larger than their type.
fn is_literal(value: &Value, field: &DataField) -> bool {
    !value.is_null() && filter::parse(&json!(["=", field.name, value]), std::slice::from_ref(field)).is_ok()
}

/// Whether a value's JSON is the value: not rounded, not constructed, and numbers only where an integer orders as it.
fn is_exact(data_type: &DataType) -> bool {
    match &data_type.kind {
        TypeKind::Timestamp(precision) | TypeKind::TimestampLtz(precision) => *precision <= 6,
        TypeKind::Float | TypeKind::Double => false,
        TypeKind::Array(_) | TypeKind::Map(..) | TypeKind::Multiset(_) | TypeKind::Row(_) => false,
        _ => true,
    }
}
