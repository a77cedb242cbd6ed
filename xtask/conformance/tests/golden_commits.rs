//! What a golden table's writer was given is written with our crates, and gives the same rows in the same partitions.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use anyhow::{Context, Result, ensure};
use arrow::{
    array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema},
};
use conformance::{Case, Commit, cases};
use paimon_io::{TableStore, testkit};
use paimon_merge::ReadRequest;
use paimon_scan::ScanRequest;
use paimon_spec::{Schema, TypeKind};
use paimon_write::{BATCH_IDENTIFIER, CommitMode, CommitRequest, TableWriter, WriteOptions, commit};
use serde_json::Value;

const KIND: &str = "_kind";

#[tokio::test]
async fn the_commits_of_a_golden_table_give_its_rows_when_they_are_ours() -> Result<()> {
    let mut count = 0;
    for case in cases(&Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/read"))? {
        let commits = case.commits()?;
        if commits.is_empty() {
            continue;
        }
        let golden = case.table().await?;
        let schema = golden.schema();
        let table = testkit::create_table(Schema {
            fields: schema.fields.clone(),
            partition_keys: schema.partition_keys.clone(),
            primary_keys: schema.primary_keys.clone(),
            options: schema.options.clone(),
            comment: schema.comment.clone(),
        })
        .await;
        for (number, made) in commits.iter().enumerate() {
            count += 1;
            write(&table, made).await.with_context(|| format!("commit {number} of {}", case.name))?;
            let mut expected: Vec<String> = made.rows.iter().map(Value::to_string).collect();
            expected.sort_unstable();
            let found = rows(&case, &table).await?;
            ensure!(found == expected, "{}, commit {number}: wanted {expected:?}, found {found:?}", case.name);
        }
    }
    ensure!(count > 10, "only {count} commits were made");
    Ok(())
}

/// The rows of all levels: what waits for a compaction to be seen is there, too.
async fn rows(case: &Case, table: &TableStore) -> Result<Vec<String>> {
    let scan = ScanRequest { all_levels: true, ..ScanRequest::default() };
    case.rows(table, &scan, &ReadRequest::default()).await
}

async fn write(table: &TableStore, made: &Commit) -> Result<()> {
    let options = WriteOptions { row_kind_column: Some(KIND.to_owned()), ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.clone(), options).await?;
    writer.write(&batch(table, &made.upserts)?).await?;
    let messages = writer.prepare_commit().await?;
    let request = CommitRequest {
        user: "golden".to_owned(),
        identifier: BATCH_IDENTIFIER,
        mode: CommitMode::Append,
        properties: BTreeMap::new(),
        table_identity: table.identity().await?,
    };
    Ok(commit(table, &request, &messages).await.map(drop)?)
}

fn batch(table: &TableStore, rows: &[Vec<Value>]) -> Result<RecordBatch> {
    let values = |at: usize| rows.iter().map(move |row| row.get(at).unwrap_or(&Value::Null));
    let texts = |at: usize| Arc::new(values(at).map(Value::as_str).collect::<StringArray>()) as ArrayRef;
    let (mut fields, mut columns) = (vec![Field::new(KIND, ArrowType::Utf8, true)], vec![texts(0)]);
    for (at, field) in table.schema().fields.iter().enumerate() {
        let column: ArrayRef = match field.data_type.kind {
            TypeKind::BigInt => Arc::new(values(at + 1).map(Value::as_i64).collect::<Int64Array>()),
            TypeKind::Int => {
                let numbers = values(at + 1).map(|value| value.as_i64().map(i32::try_from).transpose());
                Arc::new(numbers.collect::<Result<Int32Array, _>>()?)
            }
            _ => texts(at + 1),
        };
        fields.push(Field::new(&field.name, column.data_type().clone(), true));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), columns)?)
}
