use paimon_spec::ErrorKind;
use rstest::rstest;

use super::*;
use crate::tests::stores::table_of;

const DAY: i64 = 86_400_000;

fn retention(created_local_millis: i64, retained_millis: i64) -> Option<Retention> {
    Some(Retention { created_local_millis, retained_millis })
}

#[tokio::test]
async fn a_tag_names_the_latest_snapshot_or_another_one() {
    let (_, table) = table_of(&["a", "b"]).await;
    assert_eq!(create_tag(&table, "now", None, None).await.unwrap(), PutOutcome::Created);
    assert_eq!(create_tag(&table, "first", Some(1), retention(7_000, DAY)).await.unwrap(), PutOutcome::Created);
    assert_eq!(create_tag(&table, "first", None, None).await.unwrap(), PutOutcome::AlreadyExists);

    let now = table.tag("now").await.unwrap().unwrap();
    assert_eq!((now.snapshot.id, now.create_time_millis, now.time_retained_millis), (2, None, None));
    let first = table.tag("first").await.unwrap().unwrap();
    assert_eq!((first.snapshot.id, first.create_time_millis, first.time_retained_millis), (1, Some(7_000), Some(DAY)));

    table.storage().delete(&table.paths().snapshot(1)).await.unwrap();
    assert_eq!(create_tag(&table, "again", Some(1), None).await.unwrap(), PutOutcome::Created);
    assert_eq!(table.tag("again").await.unwrap().unwrap().snapshot, first.snapshot);
}

#[rstest]
#[case::snapshot("t", Some(3), None, ErrorKind::NotFound, "Cannot create tag because given snapshot #3 doesn't exist.")]
#[case::name("a/b", None, None, ErrorKind::InvalidInput, "a tag name must not contain '/', found 'a/b'")]
#[case::retention(
    "t", None, retention(0, -1), ErrorKind::InvalidInput, "expected a time from 0 on to keep a tag for, found -1 ms"
)]
#[tokio::test]
async fn tags_that_cannot_be_are_refused(
    #[case] name: &str,
    #[case] snapshot: Option<i64>,
    #[case] retention: Option<Retention>,
    #[case] kind: ErrorKind,
    #[case] message: &str,
) {
    let (_, table) = table_of(&["a"]).await;
    let error = create_tag(&table, name, snapshot, retention).await.unwrap_err();
    assert_eq!((error.kind(), error.message()), (kind, message));
    assert_eq!(table.tags().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_empty_table_cannot_be_tagged() {
    let (_, table) = table_of(&[]).await;
    let error = create_tag(&table, "t", None, None).await.unwrap_err();
    assert_eq!(error.message(), "Cannot create tag because latest snapshot doesn't exist.");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_tag_is_replaced_only_when_it_is_there() {
    let (_, table) = table_of(&["a", "b"]).await;
    let error = replace_tag(&table, "t", Some(1), None).await.unwrap_err();
    assert_eq!((error.kind(), error.context("tag")), (ErrorKind::NotFound, Some("t")));
    let _ = create_tag(&table, "t", None, retention(0, DAY)).await.unwrap();
    replace_tag(&table, "t", Some(1), None).await.unwrap();
    let tag = table.tag("t").await.unwrap().unwrap();
    assert_eq!((tag.snapshot.id, tag.time_retained_millis), (1, None));
}

#[tokio::test]
async fn a_renamed_tag_is_the_same_tag() {
    let (_, table) = table_of(&["a"]).await;
    let _ = create_tag(&table, "old", None, retention(1_234, DAY)).await.unwrap();
    let bytes = table.storage().read(&table.paths().tag("old")).await.unwrap();
    rename_tag(&table, "old", "new").await.unwrap();
    assert_eq!(table.tags().await.unwrap(), ["new"]);
    assert_eq!(table.storage().read(&table.paths().tag("new")).await.unwrap(), bytes);

    let missing = rename_tag(&table, "old", "other").await.unwrap_err();
    assert_eq!((missing.kind(), missing.context("tag")), (ErrorKind::NotFound, Some("old")));
    let _ = create_tag(&table, "old", None, None).await.unwrap();
    let taken = rename_tag(&table, "old", "new").await.unwrap_err();
    assert_eq!((taken.kind(), taken.context("tag")), (ErrorKind::AlreadyExists, Some("new")));
    assert_eq!(table.tags().await.unwrap(), ["new", "old"]);
}

#[rstest]
#[case::at_the_very_end(10_000 + DAY, &[])]
#[case::after_it(10_001 + DAY, &["day"])]
#[case::much_later(i64::MAX, &["day", "year"])]
#[tokio::test]
async fn tags_go_when_their_time_is_over(#[case] now: i64, #[case] expected: &[&str]) {
    let (_, table) = table_of(&["a"]).await;
    for (name, retention) in [("day", retention(10_000, DAY)), ("ever", None), ("year", retention(10_000, 365 * DAY))] {
        let _ = create_tag(&table, name, None, retention).await.unwrap();
    }
    assert_eq!(expire_tags(&table, now).await.unwrap(), expected);
    let left: Vec<_> = ["day", "ever", "year"].into_iter().filter(|name| !expected.contains(name)).collect();
    assert_eq!(table.tags().await.unwrap(), left);
}

#[tokio::test]
async fn a_damaged_tag_is_named_and_nothing_expires() {
    let (_, table) = table_of(&["a"]).await;
    let _ = create_tag(&table, "old", None, retention(0, 1)).await.unwrap();
    table.storage().put(&table.paths().tag("zzz"), "{".into()).await.unwrap();
    let error = expire_tags(&table, i64::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.context("file").unwrap().ends_with("tag/tag-zzz"), "{error}");
    assert_eq!(table.tags().await.unwrap(), ["old", "zzz"]);
}
