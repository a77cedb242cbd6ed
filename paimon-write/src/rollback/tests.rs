use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::testkit::{Call, Operation, Watched, Watcher};
use paimon_spec::ErrorKind;
use rstest::rstest;

use super::*;
use crate::create_tag;
use crate::testing::live_files;
use crate::tests::stores::{append, dying_at_each_call, open, table_of};

/// Snapshots 1 to 5 with files a to e; tags `two` and `four`; snapshot 1 expired, but tag `one` keeps it.
async fn table() -> (Arc<InMemory>, TableStore) {
    let (store, table) = table_of(&["a", "b", "c", "d", "e"]).await;
    for (name, id) in [("one", 1), ("two", 2), ("four", 4)] {
        let _ = create_tag(&table, name, Some(id), None).await.unwrap();
    }
    table.storage().delete(&table.paths().snapshot(1)).await.unwrap();
    table.storage().put(&table.paths().earliest_hint(), "2".into()).await.unwrap();
    (store, table)
}

async fn hint(table: &TableStore, path: String) -> Option<String> {
    let bytes = table.storage().read_if_exists(&path).await.unwrap();
    bytes.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

#[rstest]
#[case::snapshot(ReadPoint::Snapshot(3), 3, &["a", "b", "c"], &[2, 3], &["one", "two"])]
#[case::tag(ReadPoint::Tag("four".into()), 4, &["a", "b", "c", "d"], &[2, 3, 4], &["four", "one", "two"])]
#[case::tag_of_an_expired_snapshot(ReadPoint::Tag("one".into()), 1, &["a"], &[1], &["one"])]
#[case::expired_snapshot_that_a_tag_keeps(ReadPoint::Snapshot(1), 1, &["a"], &[1], &["one"])]
#[case::time(ReadPoint::TimestampMillis(i64::MAX), 5, &["a", "b", "c", "d", "e"], &[2, 3, 4, 5], &["four", "one", "two"])]
#[case::where_it_is(ReadPoint::Latest, 5, &["a", "b", "c", "d", "e"], &[2, 3, 4, 5], &["four", "one", "two"])]
#[tokio::test]
async fn a_rollback_takes_newer_snapshots_and_tags_away(
    #[case] to: ReadPoint,
    #[case] id: i64,
    #[case] files: &[&str],
    #[case] snapshots: &[i64],
    #[case] tags: &[&str],
) {
    let (_, table) = table().await;
    assert_eq!(rollback(&table, &to).await.unwrap(), id);
    assert_eq!(live_files(&table).await, files);
    assert_eq!(table.snapshot_ids().await.unwrap(), snapshots);
    assert_eq!(table.tags().await.unwrap(), tags);
    assert_eq!(hint(&table, table.paths().latest_hint()).await, Some(id.to_string()));
    assert_eq!(hint(&table, table.paths().earliest_hint()).await, Some(snapshots[0].to_string()));
    // Life goes on.
    assert_eq!(append(&table, "z").await, id + 1);
    assert_eq!(live_files(&table).await, [files, &["z"]].concat());
}

#[rstest]
#[case::snapshot(ReadPoint::Snapshot(9), "Snapshot id '9' doesn't exist.", "snapshot", "9")]
#[case::tag(ReadPoint::Tag("nine".into()), "Tag 'nine' doesn't exist.", "tag", "nine")]
#[tokio::test]
async fn what_is_not_there_cannot_be_rolled_back_to(
    #[case] to: ReadPoint,
    #[case] message: &str,
    #[case] key: &'static str,
    #[case] value: &str,
) {
    let (_, table) = table().await;
    let error = rollback(&table, &to).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, message));
    assert_eq!(error.context(key), Some(value));
    assert_eq!(table.snapshot_ids().await.unwrap(), [2, 3, 4, 5]);
}

#[tokio::test]
async fn an_empty_table_has_no_state_to_go_back_to() {
    let (_, table) = table_of(&[]).await;
    assert_eq!(rollback(&table, &ReadPoint::Latest).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_tag_of_a_lost_history_comes_back_in_the_place_of_what_has_its_number() {
    let (_, table) = table().await;
    let lost = table.tag("four").await.unwrap().unwrap();
    rollback(&table, &ReadPoint::Snapshot(3)).await.unwrap();
    assert_eq!(append(&table, "x").await, 4);
    assert_eq!(append(&table, "y").await, 5);
    // As a rollback leaves it that was stopped before it came to the tags.
    assert_eq!(table.create_tag("four", &lost).await.unwrap(), PutOutcome::Created);
    assert_eq!(rollback(&table, &ReadPoint::Tag("four".into())).await.unwrap(), 4);
    assert_eq!(live_files(&table).await, ["a", "b", "c", "d"]);
    assert_eq!(*table.snapshot(4).await.unwrap().unwrap(), lost.snapshot);
}

#[rstest]
#[case::to_a_snapshot(ReadPoint::Snapshot(2), "ab")]
#[case::to_an_expired_one(ReadPoint::Tag("one".into()), "a")]
#[tokio::test]
async fn a_rollback_that_dies_leaves_a_state_that_was_and_can_be_ended(#[case] to: ReadPoint, #[case] target: &str) {
    let work = async |table: TableStore| rollback(&table, &to).await.map(drop);
    let look = async |store: Arc<InMemory>, done: bool| {
        let table = open(Arc::clone(&store) as Arc<dyn ObjectStore>, 99).await;
        let found = live_files(&table).await.concat();
        assert!("abcde".starts_with(&found) && found.starts_with(target), "{found}");
        assert!(!done || found == target, "{found}");
        let id = rollback(&table, &to).await.unwrap();
        assert_eq!(live_files(&table).await.concat(), target);
        assert_eq!(append(&table, "z").await, id + 1);
        assert_eq!(live_files(&table).await.concat(), format!("{target}z"));
    };
    dying_at_each_call(async || table().await.0, work, look).await;
}

/// Somebody who appends `late` before the first snapshot is deleted.
#[derive(Debug)]
struct Appending(TableStore);

#[async_trait::async_trait]
impl Watcher for Appending {
    async fn before(&self, call: &Call) -> object_store::Result<()> {
        if call.operation == Operation::Delete && call.path.ends_with("snapshot-5") {
            append(&self.0, "late").await;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_commit_meanwhile_is_kept_and_told() {
    let (store, table) = table().await;
    let watched = Watched::with_watcher(Arc::clone(&store) as Arc<dyn ObjectStore>, Appending(table.clone()));
    let error = rollback(&open(watched, 3).await, &ReadPoint::Snapshot(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CommitConflict);
    assert!(error.message().contains("snapshot 6 was committed while"), "{error}");
    let mut files = live_files(&open(store, 4).await).await;
    assert_eq!(files.pop().as_deref(), Some("late"));
    assert_eq!(files, ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn tables_whose_history_has_more_are_not_rolled_back() {
    let (_, table) = table().await;
    let mut schema = (**table.schema()).clone();
    schema.options.insert("type".into(), "object-table".into());
    let error = rollback(&table.with_schema(Arc::new(schema)), &ReadPoint::Snapshot(3)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn changelogs_after_the_state_go_with_their_snapshots() {
    let (_, table) = table().await;
    for id in 1..=3 {
        table.storage().put(&table.paths().changelog(id), "{}".into()).await.unwrap();
    }
    table.storage().put(&table.paths().changelog_latest_hint(), "3".into()).await.unwrap();
    let names = async || -> Vec<String> {
        let files = table.storage().list(&table.paths().changelog_dir()).await.unwrap();
        files.into_iter().map(|file| file.name).collect()
    };
    rollback(&table, &ReadPoint::Snapshot(3)).await.unwrap();
    assert_eq!(names().await, ["LATEST", "changelog-1", "changelog-2", "changelog-3"]);
    rollback(&table, &ReadPoint::Tag("one".into())).await.unwrap();
    assert_eq!(names().await, ["changelog-1"]);
}
