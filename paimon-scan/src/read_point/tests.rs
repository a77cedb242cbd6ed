use paimon_spec::{ErrorKind, Tag};
use rstest::rstest;

use super::*;
use crate::testkit::TestTable;

fn at_noon(text: &str) -> Result<i64> {
    if text == "noon" { Ok(43_200_000) } else { Err(Error::invalid(format!("Cannot parse timestamp '{text}'."))) }
}

/// Snapshots 1 to 5 at 1,000 to 5,000; 1 and 2 expired. Tag `one` keeps snapshot 1, and tag `4` snapshot 3.
async fn table() -> TestTable {
    let mut table = TestTable::create(&[], &[]).await;
    let mut snapshots = Vec::new();
    for watermark in [None, Some(i64::MIN), Some(100), None, Some(300)] {
        snapshots.push(table.commit_with(&[], |snapshot| snapshot.watermark = watermark).await);
    }
    for (name, place) in [("one", 0), ("4", 2)] {
        let tag = Tag { snapshot: snapshots[place].clone(), create_time_millis: None, time_retained_millis: None };
        assert_eq!(table.store.create_tag(name, &tag).await.unwrap(), paimon_io::PutOutcome::Created);
    }
    for id in [1, 2] {
        table.store.storage().delete(&table.store.paths().snapshot(id)).await.unwrap();
    }
    // A handle that has not seen them.
    table.store = testkit_reopen(&table.store).await;
    table
}

async fn testkit_reopen(store: &TableStore) -> TableStore {
    let context = paimon_io::testkit::context();
    TableStore::open(store.storage().clone(), None, Arc::new(paimon_io::FileSnapshotCommit), context).await.unwrap()
}

async fn found(at: ReadPoint) -> Result<Option<i64>> {
    Ok(resolve(&table().await.store, &at).await?.map(|snapshot| snapshot.id))
}

#[rstest]
#[case::latest(ReadPoint::Latest, 5)]
#[case::by_number(ReadPoint::Snapshot(4), 4)]
#[case::tag_of_an_expired_snapshot(ReadPoint::Tag("one".into()), 1)]
#[case::exactly_at_a_commit(ReadPoint::TimestampMillis(4_000), 4)]
#[case::between_commits(ReadPoint::TimestampMillis(4_999), 4)]
#[case::after_all(ReadPoint::TimestampMillis(i64::MAX), 5)]
#[case::at_the_first_that_is_left(ReadPoint::TimestampMillis(3_000), 3)]
#[tokio::test]
async fn a_read_point_is_resolved_to_its_snapshot(#[case] at: ReadPoint, #[case] expected: i64) {
    assert_eq!(found(at).await.unwrap(), Some(expected));
}

#[rstest]
#[case::expired(ReadPoint::Snapshot(2), ErrorKind::NotFound, "Snapshot id '2' doesn't exist.")]
#[case::future(ReadPoint::Snapshot(99), ErrorKind::NotFound, "Snapshot id '99' doesn't exist.")]
#[case::tag(ReadPoint::Tag("nope".into()), ErrorKind::NotFound, "Tag 'nope' doesn't exist.")]
#[case::too_early(
    ReadPoint::TimestampMillis(1),
    ErrorKind::InvalidInput,
    "No snapshot found with timestamp earlier than or equal to 1ms."
)]
#[tokio::test]
async fn what_does_not_exist_is_named(#[case] at: ReadPoint, #[case] kind: ErrorKind, #[case] message: &str) {
    let error = found(at).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
}

#[tokio::test]
async fn a_missing_snapshot_comes_with_the_range_that_exists() {
    let error = found(ReadPoint::Snapshot(2)).await.unwrap_err();
    assert_eq!(error.context("available snapshots"), Some("3 to 5"));
}

#[tokio::test]
async fn an_empty_table_has_no_latest_snapshot() {
    let table = TestTable::create(&[], &[]).await;
    assert_eq!(resolve(&table.store, &ReadPoint::Latest).await.unwrap(), None);
}

async fn from_options(options: &[(&str, &str)]) -> Result<ReadPoint> {
    let store = table().await.store;
    let mut schema = (**store.schema()).clone();
    schema.options.extend(options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    ReadPoint::from_options(&store.with_schema(Arc::new(schema)), &at_noon).await
}

#[rstest]
#[case::none(&[], ReadPoint::Latest)]
#[case::snapshot(&[("scan.snapshot-id", "4")], ReadPoint::Snapshot(4))]
#[case::tag(&[("scan.tag-name", "one")], ReadPoint::Tag("one".into()))]
#[case::millis(&[("scan.timestamp-millis", "-1")], ReadPoint::TimestampMillis(-1))]
#[case::text(&[("scan.timestamp", "noon")], ReadPoint::TimestampMillis(43_200_000))]
#[case::watermark(&[("scan.watermark", "50")], ReadPoint::Snapshot(3))]
#[case::later_watermark(&[("scan.watermark", "101")], ReadPoint::Snapshot(5))]
#[case::version_of_a_tag(&[("scan.version", "one")], ReadPoint::Tag("one".into()))]
#[case::version_of_a_tag_that_is_a_number(&[("scan.version", "4")], ReadPoint::Tag("4".into()))]
#[case::version_of_a_number(&[("scan.version", "3")], ReadPoint::Snapshot(3))]
#[case::version_of_a_watermark(&[("scan.version", "watermark-300")], ReadPoint::Snapshot(5))]
#[case::mode_that_changes_nothing(
    &[("scan.mode", "from-snapshot"), ("scan.snapshot-id", "4")],
    ReadPoint::Snapshot(4)
)]
#[tokio::test]
async fn options_choose_the_read_point(#[case] options: &[(&str, &str)], #[case] expected: ReadPoint) {
    assert_eq!(from_options(options).await.unwrap(), expected);
}

#[rstest]
#[case::two(
    &[("scan.snapshot-id", "4"), ("scan.tag-name", "one")],
    ErrorKind::InvalidInput,
    "expected at most one option that chooses a snapshot, found scan.snapshot-id, scan.tag-name"
)]
#[case::not_a_number(
    &[("scan.snapshot-id", "four")],
    ErrorKind::InvalidInput,
    "expected a whole number in option 'scan.snapshot-id', found 'four'"
)]
#[case::not_a_time(&[("scan.timestamp", "x")], ErrorKind::InvalidInput, "Cannot parse timestamp 'x'.")]
#[case::no_such_version(
    &[("scan.version", "v2")],
    ErrorKind::InvalidInput,
    "expected a tag, a snapshot's number or watermark-<n> in option 'scan.version', found 'v2'"
)]
#[case::watermark_not_reached(
    &[("scan.watermark", "301")],
    ErrorKind::InvalidInput,
    "No snapshot found with watermark later than or equal to 301."
)]
#[case::incremental(
    &[("incremental-between", "1,2")],
    ErrorKind::InvalidInput,
    "expected options that choose a state of the table, found 'incremental-between'"
)]
#[case::delta(
    &[("scan.mode", "latest-delta")],
    ErrorKind::Unsupported,
    "reading with option 'scan.mode' = 'latest-delta' is not supported yet"
)]
#[tokio::test]
async fn options_that_choose_no_state_are_refused(
    #[case] options: &[(&str, &str)],
    #[case] kind: ErrorKind,
    #[case] message: &str,
) {
    let error = from_options(options).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
}

#[tokio::test]
async fn a_snapshot_that_expires_during_the_search_counts_as_older() {
    let mut table = TestTable::create(&[], &[]).await;
    for _ in 0..7 {
        table.commit(&[]).await;
    }
    // Listed, but not there: as if removed between the listing and the read.
    let store = testkit_reopen(&table.store).await;
    for id in [1, 2, 4] {
        store.storage().delete(&store.paths().snapshot(id)).await.unwrap();
    }
    for (millis, expected) in [(3_000, 3), (4_500, 3), (5_000, 5), (9_000, 7)] {
        let at = ReadPoint::TimestampMillis(millis);
        assert_eq!(resolve(&store, &at).await.unwrap().unwrap().id, expected);
    }
}
