//! Histories of primary-key tables: what is read of them, in parts and after going back, is what was there.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use futures::TryStreamExt;
use paimon_io::{TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{Increment, ReadPoint, ScanRequest, Slice, count_rows, plan};
use proptest::prelude::*;

use crate::testing::{keyed, request};
use crate::{CommitMode, TableWriter, WriteOptions, commit, create_branch, create_tag, fast_forward, rollback};

/// The value of each key that is there.
type State = BTreeMap<i64, i32>;

/// What one commit does: to each key a new value, or none.
type Changes = BTreeMap<i64, Option<i32>>;

async fn upsert(table: &TableStore, changes: &Changes) {
    let p: ArrayRef = Arc::new(Int32Array::from(vec![0; changes.len()]));
    let k: ArrayRef = Arc::new(changes.keys().copied().map(Some).collect::<Int64Array>());
    let v: ArrayRef = Arc::new(StringArray::new_null(changes.len()));
    let n: ArrayRef = Arc::new(changes.values().copied().collect::<Int32Array>());
    let kinds = changes.values().map(|value| Some(if value.is_some() { "+U" } else { "-D" }));
    let kinds: ArrayRef = Arc::new(kinds.collect::<StringArray>());
    let columns = [("p", p, true), ("k", k, true), ("v", v, true), ("n", n, true), ("kind", kinds, true)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let options = WriteOptions { row_kind_column: Some("kind".into()), ..WriteOptions::default() };
    let mut writer = TableWriter::open(table.clone(), options).await.unwrap();
    writer.write(&batch).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    commit(table, &request(table, CommitMode::Append).await, &messages).await.map(drop).unwrap();
}

fn apply(state: &State, changes: &Changes) -> State {
    let mut state = state.clone();
    for (key, value) in changes {
        match value {
            Some(value) => state.insert(*key, *value),
            None => state.remove(key),
        };
    }
    state
}

/// Keys and values, by key; a key that is there twice is twice in it.
async fn rows(table: &TableStore, scan: &ScanRequest) -> Vec<(i64, i32)> {
    let mut rows = Vec::new();
    for split in plan(table, scan).await.unwrap().splits {
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let (k, n) = (batch.column(1).as_primitive::<Int64Type>(), batch.column(3).as_primitive::<Int32Type>());
            rows.extend(k.values().iter().copied().zip(n.values().iter().copied()));
        }
    }
    rows.sort_unstable();
    rows
}

async fn now(table: &TableStore) -> Vec<(i64, i32)> {
    rows(table, &ScanRequest::default()).await
}

fn all(state: &State) -> Vec<(i64, i32)> {
    state.iter().map(|(key, value)| (*key, *value)).collect()
}

async fn reopened(table: &TableStore) -> TableStore {
    table.at_branch(None).await.unwrap().unwrap()
}

fn commits() -> impl Strategy<Value = Vec<Changes>> {
    let changes = prop::collection::btree_map(0..12_i64, prop::option::weighted(0.7, 0..100), 1..8);
    prop::collection::vec(changes, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_state_is_read_and_gone_back_to(
        commits in commits(),
        buckets in 1..4_i32,
        target in 0..5_usize,
        by_tag: bool,
        later in commits(),
        total in 1..4_u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let buckets = buckets.to_string();
            // Two commits are enough for manifests to be merged.
            let options = [("bucket", buckets.as_str()), ("manifest.merge-min-count", "2")];
            let table = testkit::create_table(keyed(false, &options)).await;
            let mut states = vec![State::new()];
            for changes in &commits {
                upsert(&table, changes).await;
                states.push(apply(&states[states.len() - 1], changes));
                let _ = create_tag(&table, &format!("t{}", states.len() - 1), None, None).await.unwrap();
            }
            for (id, state) in states.iter().enumerate().skip(1) {
                let at = ReadPoint::Snapshot(id as i64);
                let counted = count_rows(&table, &at, None).await.unwrap();
                prop_assert!(counted.is_none_or(|rows| rows == state.len() as u64));
                prop_assert_eq!(rows(&table, &ScanRequest { at, ..ScanRequest::default() }).await, all(state));
                let increment = Some(Increment::Delta { after: id as i64 - 1, up_to: id as i64 });
                let came: Vec<_> = commits[id - 1].iter().filter_map(|(key, value)| Some((*key, (*value)?))).collect();
                prop_assert_eq!(rows(&table, &ScanRequest { increment, ..ScanRequest::default() }).await, came);
            }
            let last = states.len() - 1;
            let increment = Some(Increment::Delta { after: 0, up_to: last as i64 });
            let mut came: Vec<_> = commits.iter().flatten().filter_map(|(key, value)| Some((*key, (*value)?))).collect();
            came.sort_unstable();
            prop_assert_eq!(rows(&table, &ScanRequest { increment, ..ScanRequest::default() }).await, came);

            let mut found = Vec::new();
            for index in 0..total {
                let slice = Some(Slice::Shard { index, total });
                found.extend(rows(&table, &ScanRequest { slice, ..ScanRequest::default() }).await);
            }
            found.sort_unstable();
            prop_assert_eq!(found, all(&states[last]));

            // A branch goes its own way, and the table follows it.
            let target = 1 + target % last;
            create_branch(&table, "dev", Some(&format!("t{target}"))).await.unwrap();
            let dev = table.at_branch(Some("dev")).await.unwrap().unwrap();
            let mut of_dev = states[target].clone();
            for changes in &later {
                upsert(&dev, changes).await;
                of_dev = apply(&of_dev, changes);
            }
            prop_assert_eq!(now(&dev).await, all(&of_dev));
            prop_assert_eq!(now(&table).await, all(&states[last]));

            let to = if by_tag { ReadPoint::Tag(format!("t{target}")) } else { ReadPoint::Snapshot(target as i64) };
            prop_assert_eq!(rollback(&table, &to).await.unwrap(), target as i64);
            prop_assert_eq!(now(&table).await, all(&states[target]));
            let mut state = states[target].clone();
            for changes in later.iter().rev() {
                upsert(&table, changes).await;
                state = apply(&state, changes);
            }
            prop_assert_eq!(now(&table).await, all(&state));

            fast_forward(&table, "dev").await.unwrap();
            let table = reopened(&table).await;
            prop_assert_eq!(now(&table).await, all(&of_dev));
            upsert(&table, &commits[0]).await;
            prop_assert_eq!(now(&table).await, all(&apply(&of_dev, &commits[0])));
            Ok(())
        })?;
    }
}
