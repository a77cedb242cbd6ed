//! What others commit while a compaction is made, and what they prepared before it and commit afterwards.

use paimon_spec::{CommitKind, ErrorKind};
use rstest::rstest;

use super::model::{Change, Pick, Table, evolving};
use crate::abort;

const SOME: Pick = Pick { modulus: 3, remainder: 1 };

/// Two row groups, each with a newer file of `n`: joined when `joins`, else each too large to be.
async fn table(joins: bool) -> Table {
    let options: &[_] = if joins { &[] } else { &[("target-file-size", "1 b")] };
    let mut table = Table::new(evolving(false, options)).await;
    table.append(5).await;
    table.append(4).await;
    table.update(&["n"], Pick::ALL).await;
    table
}

#[rstest]
#[case::a_column_of_the_same_rows(Change::Update(vec!["s"], SOME), false, 0)]
#[case::the_column_that_was_folded(Change::Update(vec!["n", "s"], Pick::ALL), false, 0)]
#[case::rows_whose_groups_are_joined(Change::Update(vec!["s"], SOME), true, 1)]
#[case::blobs(Change::Update(vec!["b"], SOME), false, 0)]
#[case::blobs_of_rows_that_are_joined(Change::Update(vec!["b"], SOME), true, 0)]
#[case::deletes(Change::Delete(SOME), false, 0)]
#[case::deletes_of_rows_that_are_joined(Change::Delete(SOME), true, 0)]
#[case::new_rows(Change::Append(3), true, 0)]
#[tokio::test]
async fn what_is_committed_meanwhile_is_kept(#[case] change: Change, #[case] joins: bool, #[case] gives_way: usize) {
    let mut table = table(joins).await;
    table.delete(Pick { modulus: 4, remainder: 0 }).await;
    let (tasks, done) = table.compacting(true).await;
    assert_eq!(tasks.len(), if joins { 1 } else { 2 });
    let (messages, after) = table.prepare(&change).await;
    let _ = table.publish(&messages).await.unwrap();
    table.now(after.clone()).await;
    let published = table.publish_compaction(&done).await;
    assert_eq!(published.gave_way.len(), gives_way);
    table.now(after).await;
    table.check().await;
    table.compact(true).await;
    table.check().await;
}

#[rstest]
#[case::a_column_of_the_same_rows(Change::Update(vec!["s"], SOME), false, true)]
#[case::the_column_that_was_folded(Change::Update(vec!["n"], SOME), false, true)]
#[case::rows_whose_groups_were_joined(Change::Update(vec!["s"], SOME), true, false)]
#[case::blobs_of_rows_that_were_joined(Change::Update(vec!["b"], SOME), true, true)]
#[case::deletes(Change::Delete(SOME), false, false)]
#[case::deletes_of_rows_that_were_joined(Change::Delete(SOME), true, false)]
#[case::new_rows(Change::Append(3), true, true)]
#[tokio::test]
async fn what_was_prepared_before_is_right_or_refused(#[case] change: Change, #[case] joins: bool, #[case] fits: bool) {
    let mut table = table(joins).await;
    let (messages, after) = table.prepare(&change).await;
    table.compact(true).await;
    match table.publish(&messages).await {
        Ok(_) if fits => table.now(after).await,
        Err(error) if !fits => {
            assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
            abort(&table.store, &messages).await.unwrap();
        }
        other => panic!("{other:?}"),
    }
    table.check().await;
}

#[tokio::test]
async fn a_column_s_first_files_are_for_all_rows_of_a_group_or_refused() {
    let mut table = table(true).await;
    table.add_column("d").await;
    // The first five rows get files of the new column, while they are joined with others.
    let pick = Pick { modulus: 100, remainder: 2 };
    let (_, done) = table.compacting(true).await;
    table.update(&["d"], pick).await;
    assert_eq!(table.publish_compaction(&done).await.gave_way, [0]);
    table.check().await;

    // The other way round.
    let mut table = self::table(true).await;
    table.add_column("d").await;
    let (messages, _) = table.prepare(&Change::Update(vec!["d"], pick)).await;
    table.compact(true).await;
    let error = table.publish(&messages).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict, "{error}");
    assert!(error.to_string().contains("field id 5"), "{error}");
    table.check().await;
}

#[tokio::test]
async fn of_several_tasks_only_those_give_way_that_something_stands_against() {
    let mut table = Table::new(evolving(true, &[])).await;
    for _ in 0..5 {
        table.append(4).await;
    }
    table.delete(Pick { modulus: 3, remainder: 0 }).await;
    let (tasks, done) = table.compacting(true).await;
    assert_eq!(tasks.len(), 2, "one for each partition");
    table.update(&["s"], Pick { modulus: 100, remainder: 1 }).await;
    let published = table.publish_compaction(&done).await;
    assert_eq!(published.gave_way.len(), 1);
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((Some(snapshot.id), snapshot.commit_kind), (published.snapshot, CommitKind::Compact));
    table.now(table.rows.clone()).await;
    table.check().await;
    let left = table.store.storage().list("index").await.unwrap().len();
    // Vectors as they were and as they are, none of the try that failed.
    assert_eq!(left, 2 + 1);
    table.compact(true).await;
    table.check().await;
}

#[tokio::test]
async fn the_second_of_two_compactions_gives_way() {
    let mut table = table(true).await;
    let (_, done) = table.compacting(true).await;
    table.compact(true).await;
    let last = table.store.latest_snapshot().await.unwrap().unwrap().id;
    assert_eq!(table.publish_compaction(&done).await.gave_way, [0]);
    assert_eq!(table.store.latest_snapshot().await.unwrap().unwrap().id, last);
    table.check().await;
}
