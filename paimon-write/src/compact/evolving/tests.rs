//! Rows of data-evolution tables that are compacted: the same rows under the same ids, whatever others do meanwhile.

mod faults;
mod history;
mod meanwhile;
mod model;

use std::sync::Arc;

use paimon_spec::{CommitKind, ErrorKind, FileSource, SchemaChange, row_groups};
use rstest::rstest;

use self::model::{Pick, Table, evolving};
use crate::{CompactRequest, plan_compaction};

/// Row ids, sequence numbers and columns of the live files of a table without partitions, by row ids.
async fn files(table: &Table) -> Vec<(std::ops::Range<i64>, (i64, i64), String)> {
    let mut files: Vec<_> = table
        .live()
        .await
        .into_iter()
        .map(|file| {
            let columns = file.write_cols.clone().map_or("all".to_owned(), |columns| columns.join(","));
            (file.row_ids().unwrap(), (file.min_sequence_number, file.max_sequence_number), columns)
        })
        .collect();
    files.sort_by_key(|(rows, numbers, columns)| (rows.start, *numbers, columns.clone()));
    files
}

#[tokio::test]
async fn columns_come_together_and_neighbours_become_one() {
    let mut table = Table::new(evolving(false, &[])).await;
    table.append(3).await;
    table.append(2).await;
    table.update(&["n"], Pick::ALL).await;
    table.update(&["s", "b"], Pick { modulus: 5, remainder: 1 }).await;
    let before: Vec<_> =
        table.live().await.into_iter().filter(|file| file.is_blob()).map(|file| file.file_name).collect();
    let compacted = table.compact(true).await;
    assert_eq!(compacted.gave_way, Vec::<usize>::new());
    let data = |rows, numbers| (rows, numbers, "k,p,n,s".to_owned());
    let blob = |rows, number| (rows, (number, number), "b".to_owned());
    // As old as the oldest, and as new as the newest; BLOB columns stay.
    assert_eq!(files(&table).await, [blob(0..3, 1), data(0..5, (1, 4)), blob(0..2, 4), blob(3..5, 2)]);
    let live = table.live().await;
    let blobs: Vec<_> = live.iter().filter(|file| file.is_blob()).map(|file| file.file_name.clone()).collect();
    assert_eq!(blobs.len(), before.len());
    assert!(blobs.iter().all(|name| before.contains(name)));
    let new = live.iter().find(|file| !file.is_blob()).unwrap();
    assert_eq!((new.file_source, new.level, new.row_count), (Some(FileSource::Compact), 0, 5));
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    assert_eq!((snapshot.commit_kind, snapshot.next_row_id), (CommitKind::Compact, Some(5)));
    table.check().await;
    // There is nothing left to do.
    let last = snapshot.id;
    table.compact(true).await;
    assert_eq!(table.store.latest_snapshot().await.unwrap().unwrap().id, last);
    // What changes after it wins.
    table.update(&["n", "b"], Pick { modulus: 2, remainder: 0 }).await;
    table.check().await;
}

#[tokio::test]
async fn only_what_is_due_is_done_unless_all_is_wanted() {
    let mut table = Table::new(evolving(false, &[])).await;
    for _ in 0..4 {
        table.append(2).await;
    }
    let plan = |full| {
        let store = table.store.clone();
        async move { plan_compaction(&store, &CompactRequest { full, ..CompactRequest::default() }).await.unwrap().tasks }
    };
    assert_eq!((plan(false).await.len(), plan(true).await.len()), (0, 1));
    table.append(2).await;
    let plan = plan_compaction(&table.store, &CompactRequest::default()).await.unwrap();
    let [task] = plan.tasks.as_slice() else { panic!("{plan:?}") };
    // Five data files, and none of the BLOB column.
    assert_eq!((task.files.files.len(), task.files.files.iter().any(|file| file.is_blob())), (5, false));
    assert_eq!(plan.buckets.iter().map(|bucket| bucket.files).collect::<Vec<_>>(), [10]);
}

#[rstest]
#[tokio::test]
async fn deleted_rows_stay_deleted_and_keep_their_ids(#[values("false", "true")] bitmap64: &str) {
    let mut table = Table::new(evolving(true, &[("deletion-vectors.bitmap64", bitmap64)])).await;
    for _ in 0..5 {
        table.append(4).await;
    }
    table.delete(Pick { modulus: 3, remainder: 1 }).await;
    table.update(&["s"], Pick { modulus: 2, remainder: 0 }).await;
    table.compact(true).await;
    table.check().await;
    let snapshot = table.store.latest_snapshot().await.unwrap().unwrap();
    let vectors = crate::vector_files::index_files(&table.store, &snapshot).await.unwrap();
    let names: Vec<_> = vectors.iter().flat_map(|entry| entry.deletion_vectors.clone().unwrap()).collect();
    let rows: i64 = names.iter().map(|vector| vector.cardinality.unwrap()).sum();
    assert_eq!((names.len(), rows), (2, 7), "one for each partition's file");
    table.delete(Pick { modulus: 4, remainder: 3 }).await;
    table.update(&["n"], Pick::ALL).await;
    table.compact(true).await;
    table.check().await;
}

#[tokio::test]
async fn rows_with_blobs_and_rows_from_before_the_column_stay_apart() {
    let mut table = Table::new(evolving(false, &[])).await;
    table.append(2).await;
    table.append(2).await;
    table.add_column("d").await;
    table.append(2).await;
    table.append(2).await;
    table.compact(true).await;
    let data: Vec<_> = files(&table).await.into_iter().filter(|(_, _, columns)| columns.contains('k')).collect();
    assert_eq!(data.iter().map(|(rows, ..)| rows.clone()).collect::<Vec<_>>(), [0..4, 4..8]);
    table.check().await;
    // With values they have the column, too, and yet other schemas.
    table.update(&["d"], Pick { modulus: 8, remainder: 1 }).await;
    table.compact(true).await;
    table.check().await;
}

#[tokio::test]
async fn columns_that_were_added_renamed_and_dropped_are_as_they_are_now() {
    let mut table = Table::new(evolving(false, &[])).await;
    table.append(3).await;
    table.update(&["s"], Pick::ALL).await;
    table.alter(&[SchemaChange::RenameColumn { path: vec!["s".to_owned()], new_name: "s2".to_owned() }]).await;
    table.append(3).await;
    table.alter(&[SchemaChange::RenameColumn { path: vec!["s2".to_owned()], new_name: "s".to_owned() }]).await;
    table.compact(true).await;
    table.check().await;
}

#[tokio::test]
async fn files_with_numbers_of_their_own_stay() {
    let mut table = Table::new(evolving(false, &[])).await;
    table.append(2).await;
    // As some writers count: rows, not commits.
    table.append_numbered(2, 7).await;
    table.append(2).await;
    table.compact(true).await;
    let data: Vec<_> = files(&table).await.into_iter().filter(|(_, _, columns)| columns.contains('k')).collect();
    assert_eq!(data.iter().map(|(rows, ..)| rows.clone()).collect::<Vec<_>>(), [0..2, 2..4, 4..6]);
    table.check().await;
}

#[tokio::test]
async fn compacting_blob_files_is_refused_by_name() {
    let mut table = Table::new(evolving(false, &[("blob-compaction.enabled", "true")])).await;
    table.append(3).await;
    let error = plan_compaction(&table.store, &CompactRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("blob-compaction.enabled"), "{error}");
}

#[tokio::test]
async fn vectors_beside_data_are_refused_by_name() {
    let mut table = Table::new(evolving(false, &[])).await;
    table.append(3).await;
    table.append(3).await;
    table.delete(Pick { modulus: 2, remainder: 0 }).await;
    let mut schema = table.store.schema().as_ref().clone();
    schema.options.insert("index-file-in-data-file-dir".to_owned(), "true".to_owned());
    table.store = table.store.with_schema(Arc::new(schema));
    let error = plan_compaction(&table.store, &CompactRequest::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("index-file-in-data-file-dir"), "{error}");
}

#[tokio::test]
async fn files_of_one_snapshot_make_rows_after_any_compaction() {
    let mut table = Table::new(evolving(true, &[("target-file-size", "1 b"), ("target-file-row-num", "2")])).await;
    table.append(9).await;
    table.compact(true).await;
    let groups = row_groups(&table.live().await).unwrap();
    assert!(groups.len() > 2, "files of the target's size stay: {groups:?}");
    table.check().await;
}
