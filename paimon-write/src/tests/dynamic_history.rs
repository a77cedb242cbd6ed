//! Dynamic buckets through all that may happen to a table: partitions go and come back, the table is rolled back, branched
//! and compacted, and a key that is known is in its bucket all the while.

use std::collections::BTreeMap;

use paimon_io::TableStore;
use paimon_scan::ReadPoint;
use proptest::prelude::*;

use super::dynamic_buckets::{Row, check_index, prepare, publish, state, table, upsert};
use crate::compact::{CompactRequest, compact};
use crate::testing::request;
use crate::{CommitMode, create_branch, create_tag, fast_forward, rollback};

/// The bucket and the value of each key.
type State = BTreeMap<(i32, i64), (i32, i32)>;

#[derive(Debug, Clone)]
enum Step {
    Upsert(Vec<Row>),
    Overwrite(Vec<Row>),
    Drop(i32),
    Compact,
    /// To one of the snapshots that there are.
    Rollback(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rows = || prop::collection::vec((0..2_i32, 0..30_i64, 0..1000_i32), 1..12);
    let step = prop_oneof![
        4 => rows().prop_map(Step::Upsert),
        1 => rows().prop_map(Step::Overwrite),
        1 => (0..2_i32).prop_map(Step::Drop),
        1 => Just(Step::Compact),
        1 => any::<prop::sample::Index>().prop_map(Step::Rollback),
    ];
    prop::collection::vec(step, 2..14)
}

async fn compacted(table: &TableStore) {
    let what = CompactRequest { full: true, ..CompactRequest::default() };
    compact(table, &what, &request(table, CommitMode::Append).await, &|_| {}).await.unwrap();
}

async fn latest(table: &TableStore) -> i64 {
    table.latest_snapshot().await.unwrap().map_or(0, |snapshot| snapshot.id)
}

/// Checks that the table is what rows have made of `before`: keys that were there are in the same bucket.
async fn check(table: &TableStore, before: &State, rows: &[Row]) -> State {
    let found = state(table).await;
    let mut wanted: BTreeMap<_, _> = before.iter().map(|(key, (_, n))| (*key, *n)).collect();
    wanted.extend(rows.iter().map(|(p, k, n)| ((*p, *k), *n)));
    assert_eq!(found.iter().map(|(key, (_, n))| (*key, *n)).collect::<BTreeMap<_, _>>(), wanted);
    for (key, (bucket, _)) in before {
        assert_eq!(found[key].0, *bucket, "key {key:?} has moved");
    }
    check_index(table).await;
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_key_stays_in_its_bucket_whatever_happens_to_the_table(steps in steps(), vectors: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let vectors = vectors.to_string();
            let options = [
                ("dynamic-bucket.target-row-num", "3"),
                ("deletion-vectors.enabled", &vectors),
                ("deletion-vectors.merge-on-read", &vectors),
            ];
            let table = table(true, &options).await;
            let mut states: BTreeMap<i64, State> = BTreeMap::from([(0, State::new())]);
            for step in steps {
                let mut now = states[&latest(&table).await].clone();
                match step {
                    Step::Upsert(rows) => {
                        upsert(&table, &rows).await;
                        now = check(&table, &now, &rows).await;
                    }
                    Step::Overwrite(rows) => {
                        let messages = prepare(&table, &rows, true).await.unwrap();
                        publish(&table, CommitMode::OverwriteDynamic, &messages).await.map(drop).unwrap();
                        now.retain(|(p, _), _| rows.iter().all(|row| row.0 != *p));
                        now = check(&table, &now, &rows).await;
                    }
                    Step::Drop(p) => {
                        if latest(&table).await == 0 {
                            continue;
                        }
                        let gone = BTreeMap::from([("p".to_owned(), p.to_string())]);
                        publish(&table, CommitMode::Truncate(vec![gone]), &[]).await.map(drop).unwrap();
                        now.retain(|(there, _), _| *there != p);
                        now = check(&table, &now, &[]).await;
                    }
                    Step::Compact => {
                        compacted(&table).await;
                        if latest(&table).await == 0 {
                            continue;
                        }
                        now = check(&table, &now, &[]).await;
                    }
                    Step::Rollback(to) => {
                        // A commit may leave several snapshots, of which the last one is known.
                        let mut ids = table.snapshot_ids().await.unwrap();
                        ids.retain(|id| states.contains_key(id));
                        if ids.is_empty() {
                            continue;
                        }
                        let to = *to.get(&ids);
                        rollback(&table, &ReadPoint::Snapshot(to)).await.unwrap();
                        states.retain(|id, _| *id <= to);
                        now = check(&table, &states[&to], &[]).await;
                    }
                }
                states.insert(latest(&table).await, now);
            }
        });
    }
}

#[tokio::test]
async fn branches_know_their_own_keys() {
    let main = table(true, &[("dynamic-bucket.target-row-num", "2")]).await;
    upsert(&main, &[(0, 1, 0), (0, 2, 0), (0, 3, 0)]).await;
    let before = state(&main).await;
    let _ = create_tag(&main, "t", None, None).await.unwrap();
    create_branch(&main, "dev", Some("t")).await.unwrap();
    let dev = main.at_branch(Some("dev")).await.unwrap().unwrap();
    upsert(&main, &[(0, 4, 1), (0, 1, 1)]).await;
    upsert(&dev, &[(0, 5, 2), (0, 4, 2), (0, 3, 2)]).await;
    let of_main = check(&main, &before, &[(0, 4, 1), (0, 1, 1)]).await;
    let of_dev = check(&dev, &before, &[(0, 5, 2), (0, 4, 2), (0, 3, 2)]).await;
    upsert(&main, &[(0, 5, 3)]).await;
    check(&main, &of_main, &[(0, 5, 3)]).await;
    // From now on the branch's keys are the table's.
    fast_forward(&main, "dev").await.unwrap();
    let now = check(&main, &of_dev, &[]).await;
    upsert(&main, &[(0, 4, 4), (0, 6, 4)]).await;
    check(&main, &now, &[(0, 4, 4), (0, 6, 4)]).await;
}
