//! Rows as texts, merged and told as texts again.
//!
//! A row is its kind and its cells, the key first: `+I 1 | 5 | NULL`. Lists are `[a, b]`, rows within them `(a, b)`, maps
//! `{a: b}`, bytes hexadecimal.

mod aggregation;
mod collections;
mod numbers;
mod partial_update;
mod properties;
mod sets;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, Int8Array, Int64Array, ListArray, MapArray, RecordBatch, StringArray,
    StructArray, UInt32Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType as ArrowType, Decimal128Type};
use paimon_spec::{DataField, DataType, Result, RowKind, Schema, TableSchema};

use super::{KeyGroups, merge_function};
use crate::KeyedLayout;

const NULL: &str = "NULL";

/// A table with the key `k INT`, these columns and options.
pub(super) fn table(columns: &[(&str, &str)], options: &[(&str, &str)]) -> TableSchema {
    let field = |(name, data_type): &(&str, &str)| DataField::new(0, *name, DataType::parse(data_type).unwrap());
    let fields = [("k", "INT")].iter().chain(columns).map(field).collect();
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let schema = Schema { fields, primary_keys: vec!["k".to_owned()], options, ..Schema::default() };
    TableSchema::create(schema, 0).unwrap()
}

/// The rows that `rows` become, those that delete too.
pub(super) fn merged(table: &TableSchema, rows: &[&str]) -> Result<Vec<String>> {
    merge(table, rows, true)
}

/// The one cell that rows of the table's first column after the key become; rows lack the key.
pub(super) fn folded(table: &TableSchema, rows: &[&str]) -> Result<String> {
    let rows: Vec<String> = rows.iter().map(|row| format!("{} 1 | {}", &row[..2], row[3..].trim_start())).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let merged = merged(table, &rows)?;
    Ok(merged[0].split_once(" | ").unwrap().1.to_owned())
}

/// Rows of a key stand together, in the order in which they merge.
pub(super) fn merge(table: &TableSchema, rows: &[&str], keep_deletes: bool) -> Result<Vec<String>> {
    let ids: Vec<_> = table.fields.iter().map(|field| field.id).collect();
    let layout = KeyedLayout::new(table, &ids)?;
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| row[3..].split('|').map(str::trim).collect()).collect();
    let kinds = rows.iter().map(|row| RowKind::from_text(&row[..2]).unwrap().code());
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new((0..rows.len() as i64).collect::<Int64Array>()), Arc::new(kinds.collect::<Int8Array>())];
    for (at, field) in layout.schema().fields().iter().skip(2).enumerate() {
        let cells: Vec<Option<&str>> = cells.iter().map(|row| Some(row[at]).filter(|cell| *cell != NULL)).collect();
        columns.push(array(field.data_type(), &cells));
    }
    let batch = RecordBatch::try_new(layout.schema().clone(), columns).unwrap();
    // Rows come from two files by turns.
    let sources = [0, 1].map(|start| {
        let rows: Vec<u32> = (start..rows.len() as u32).step_by(2).collect();
        arrow::compute::take_record_batch(&batch, &UInt32Array::from(rows)).unwrap()
    });
    let places: Vec<_> = (0..rows.len()).map(|row| (row % 2, row / 2)).collect();
    let is_last = |row: &usize| cells.get(row + 1).is_none_or(|next| next[0] != cells[*row][0]);
    let ends: Vec<usize> = (0..rows.len()).filter(is_last).map(|row| row + 1).collect();
    let groups = KeyGroups::new(&layout, &sources, &places, &ends);
    let result = merge_function(table, &layout)?.merge(&groups, keep_deletes)?;
    assert_eq!(result.schema(), *layout.result_schema());
    Ok((0..result.num_rows()).map(|row| told(&result, row)).collect())
}

fn told(rows: &RecordBatch, row: usize) -> String {
    let kind = rows.column(1).as_primitive::<arrow::datatypes::Int8Type>().value(row);
    let cells: Vec<String> = rows.columns()[2..].iter().map(|column| text(column, row)).collect();
    format!("{} {}", RowKind::from_code(kind).unwrap(), cells.join(" | "))
}

/// The array of values that `cells` spell.
fn array(data_type: &ArrowType, cells: &[Option<&str>]) -> ArrayRef {
    let nulls = || Some(NullBuffer::from(cells.iter().map(Option::is_some).collect::<Vec<_>>()));
    let cell = |text: &str| Some(text.to_owned()).filter(|text| text != NULL);
    match data_type {
        ArrowType::List(field) => {
            let lists: Vec<Vec<&str>> = cells.iter().map(parts).collect();
            let items: Vec<Option<String>> = lists.iter().flatten().map(|item| cell(item)).collect();
            let items: Vec<Option<&str>> = items.iter().map(Option::as_deref).collect();
            let offsets = OffsetBuffer::from_lengths(lists.iter().map(Vec::len));
            Arc::new(ListArray::new(field.clone(), offsets, array(field.data_type(), &items), nulls()))
        }
        ArrowType::Map(field, ordered) => {
            let maps: Vec<Vec<&str>> = cells.iter().map(parts).collect();
            let entries: Vec<String> = maps
                .iter()
                .flatten()
                .map(|entry| {
                    let parts = split(entry, ':');
                    format!("({}, {})", parts[0], parts[1])
                })
                .collect();
            let entries: Vec<Option<&str>> = entries.iter().map(|entry| Some(entry.as_str())).collect();
            let offsets = OffsetBuffer::from_lengths(maps.iter().map(Vec::len));
            let entries = array(field.data_type(), &entries).as_struct().clone();
            let entries = StructArray::new(entries.fields().clone(), entries.columns().to_vec(), None);
            Arc::new(MapArray::new(field.clone(), offsets, entries, nulls(), *ordered))
        }
        ArrowType::Struct(fields) => {
            let rows: Vec<Vec<&str>> = cells.iter().map(parts).collect();
            let columns = fields.iter().enumerate().map(|(at, field)| {
                let cells: Vec<Option<String>> =
                    rows.iter().map(|row| row.get(at).and_then(|text| cell(text))).collect();
                array(field.data_type(), &cells.iter().map(Option::as_deref).collect::<Vec<_>>())
            });
            Arc::new(StructArray::new(fields.clone(), columns.collect(), nulls()))
        }
        ArrowType::Binary => {
            let bytes = |hex: &str| -> Vec<u8> {
                (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
            };
            Arc::new(cells.iter().map(|cell| cell.map(bytes)).collect::<BinaryArray>())
        }
        data_type => {
            let texts: StringArray = cells.iter().map(|cell| cell.map(|cell| cell.trim_matches('\''))).collect();
            let array = cast(&texts, data_type).unwrap();
            assert_eq!(array.null_count(), texts.null_count(), "{cells:?} as {data_type}");
            array
        }
    }
}

/// What is between brackets.
fn parts<'a>(cell: &Option<&'a str>) -> Vec<&'a str> {
    cell.map(|cell| split(&cell[1..cell.len() - 1], ',')).unwrap_or_default()
}

/// Parts between separators that are not within brackets, trimmed.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth -= 1,
            c if c == separator && depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    if !text.trim().is_empty() {
        parts.push(text[start..].trim());
    }
    parts
}

/// The value of a row, spelt as [`array`] reads it.
fn text(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return NULL.to_owned();
    }
    let all = |values: &ArrayRef| (0..values.len()).map(|row| text(values, row)).collect::<Vec<_>>();
    match array.data_type() {
        ArrowType::List(_) => format!("[{}]", all(&array.as_list::<i32>().value(row)).join(", ")),
        ArrowType::Struct(_) => {
            let parts: Vec<String> = array.as_struct().columns().iter().map(|column| text(column, row)).collect();
            format!("({})", parts.join(", "))
        }
        ArrowType::Map(..) => {
            let entries = array.as_map().value(row);
            let entries = all(entries.column(0)).into_iter().zip(all(entries.column(1)));
            let entries: Vec<String> = entries.map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", entries.join(", "))
        }
        ArrowType::Binary => array.as_binary::<i32>().value(row).iter().map(|byte| format!("{byte:02x}")).collect(),
        ArrowType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        // Arrow cuts digits off that outgrow the precision.
        ArrowType::Decimal128(_, scale) => {
            let value = array.as_primitive::<Decimal128Type>().value(row);
            let digits = format!("{:0width$}", value.abs(), width = *scale as usize + 1);
            let (whole, fraction) = digits.split_at(digits.len() - *scale as usize);
            let (sign, point) = (if value < 0 { "-" } else { "" }, if *scale > 0 { "." } else { "" });
            format!("{sign}{whole}{point}{fraction}")
        }
        _ => cast(&array.slice(row, 1), &ArrowType::Utf8).unwrap().as_string::<i32>().value(0).to_owned(),
    }
}
