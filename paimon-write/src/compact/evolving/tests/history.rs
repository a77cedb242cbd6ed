//! Random histories of rows, changes and compactions, also at the same time.

use paimon_spec::ErrorKind;
use proptest::prelude::*;

use super::model::{Change, Pick, Table, evolving};
use crate::{Committed, abort};

#[derive(Debug, Clone)]
enum Step {
    Change(Change),
    Compact(bool),
    /// A change that is committed between the plan of a compaction and its snapshot.
    Meanwhile(Change, bool),
    /// A change that is prepared before a compaction and committed after it.
    Late(Change, bool),
    AddColumn,
}

async fn go(table: &mut Table, step: &Step) {
    match step {
        Step::Change(change) => {
            let (messages, after) = table.prepare(change).await;
            let _ = table.publish(&messages).await.unwrap();
            table.now(after).await;
        }
        Step::Compact(full) => {
            let compacted = table.compact(*full).await;
            assert!(compacted.gave_way.is_empty());
            let last = table.store.latest_snapshot().await.unwrap().map(|snapshot| snapshot.id);
            if table.compact(*full).await.snapshot.is_some() {
                // What became larger may be joined with what is beside it, but not for ever.
                assert!(table.store.latest_snapshot().await.unwrap().map(|snapshot| snapshot.id) > last);
            }
        }
        Step::Meanwhile(change, full) => {
            let (_, done) = table.compacting(*full).await;
            let (messages, after) = table.prepare(change).await;
            let _ = table.publish(&messages).await.unwrap();
            table.now(after.clone()).await;
            table.publish_compaction(&done).await;
            table.now(after).await;
        }
        Step::Late(change, full) => {
            let (messages, after) = table.prepare(change).await;
            table.compact(*full).await;
            match table.publish(&messages).await {
                Ok(Committed::Snapshot(_) | Committed::Nothing) => table.now(after).await,
                Err(error) if error.kind() == ErrorKind::CommitConflict => {
                    abort(&table.store, &messages).await.unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
        Step::AddColumn => {
            if table.store.schema().field_by_id(5).is_none() {
                table.add_column("d").await;
            }
        }
    }
}

fn changes() -> impl Strategy<Value = Change> {
    let pick = || (1..6, 0..6).prop_map(|(modulus, remainder)| Pick { modulus, remainder });
    let columns = prop::sample::subsequence(vec!["n", "s", "b", "d"], 1..4);
    prop_oneof![
        2 => (1..7).prop_map(Change::Append),
        4 => (columns, pick()).prop_map(|(columns, pick)| Change::Update(columns, pick)),
        2 => pick().prop_map(Change::Delete),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => changes().prop_map(Step::Change),
        3 => any::<bool>().prop_map(Step::Compact),
        3 => (changes(), any::<bool>()).prop_map(|(change, full)| Step::Meanwhile(change, full)),
        3 => (changes(), any::<bool>()).prop_map(|(change, full)| Step::Late(change, full)),
        1 => Just(Step::AddColumn),
    ];
    prop::collection::vec(step, 3..14)
}

fn layouts() -> impl Strategy<Value = (bool, Vec<(&'static str, &'static str)>)> {
    let option = |key: &'static str, values: &[&'static str]| {
        prop::sample::select(values.to_vec()).prop_map(move |value| (key, value))
    };
    let options = (
        option("target-file-size", &["1 b", "3 kb", "128 mb"]),
        option("target-file-row-num", &["2", "1000"]),
        option("blob.target-file-size", &["30 b", "128 mb"]),
        option("compaction.min.file-num", &["2", "5"]),
        option("deletion-vectors.bitmap64", &["false", "true"]),
        option("file.format", &["parquet", "parquet", "avro", "orc"]),
    );
    (any::<bool>(), options).prop_map(|(partitioned, (a, b, c, d, e, f))| (partitioned, vec![a, b, c, d, e, f]))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn compactions_change_no_row_and_lose_no_change(((partitioned, options), steps) in (layouts(), steps())) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut table = Table::new(evolving(partitioned, &options)).await;
            for step in &steps {
                go(&mut table, step).await;
            }
            table.compact(true).await;
            table.check().await;
        });
    }
}
