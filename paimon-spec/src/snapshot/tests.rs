use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::ErrorKind;

fn minimal() -> Value {
    json!({
        "id": 1, "schemaId": 0, "baseManifestList": "a", "deltaManifestList": "b", "commitUser": "u",
        "commitIdentifier": i64::MAX, "commitKind": "APPEND", "timeMillis": 5
    })
}

fn with(key: &str, value: Value) -> Vec<u8> {
    let mut snapshot = minimal();
    snapshot[key] = value;
    snapshot.to_string().into_bytes()
}

#[test]
fn a_snapshot_of_java_is_written_back_as_it_was() {
    let json = r#"{
  "version": 3,
  "uuid": "5e0dfb60-6b2b-4b4b-8b0b-0a0a0a0a0a0a",
  "id": 2,
  "schemaId": 1,
  "baseManifestList": "manifest-list-x-0",
  "baseManifestListSize": 884,
  "deltaManifestList": "manifest-list-x-1",
  "deltaManifestListSize": 989,
  "changelogManifestList": "manifest-list-x-2",
  "changelogManifestListSize": 10,
  "indexManifest": "index-manifest-x-0",
  "commitUser": "user",
  "writerVersion": "2.1",
  "commitIdentifier": 9223372036854775807,
  "commitKind": "OVERWRITE",
  "timeMillis": 1732260000123,
  "totalRecordCount": 3,
  "deltaRecordCount": -1,
  "changelogRecordCount": 0,
  "watermark": -9223372036854775808,
  "statistics": "stat-x-0",
  "properties": {
    "a": "b"
  },
  "nextRowId": 0,
  "operation": "DELETE"
}"#;
    let snapshot = Snapshot::from_json(json.as_bytes()).unwrap();
    assert_eq!(snapshot.commit_identifier, Snapshot::BATCH_IDENTIFIER);
    assert_eq!(snapshot.watermark, Some(i64::MIN));
    assert_eq!(String::from_utf8(snapshot.to_json().unwrap()).unwrap(), json);
}

#[test]
fn what_old_writers_left_out_is_absent_again_and_unknown_keys_are_dropped() {
    let snapshot = Snapshot::from_json(&with("logOffsets", json!({"0": 1}))).unwrap();
    assert_eq!(snapshot.version, None);
    assert_eq!(snapshot.total_record_count, None);
    let written: Value = serde_json::from_slice(&snapshot.to_json().unwrap()).unwrap();
    assert_eq!(written, minimal());
}

#[test]
fn null_is_the_same_as_absent() {
    assert_eq!(
        Snapshot::from_json(&with("watermark", Value::Null)).unwrap(),
        Snapshot::from_json(minimal().to_string().as_bytes()).unwrap()
    );
}

#[rstest]
#[case("commitKind", json!("REPLACE"), "REPLACE")]
#[case("commitIdentifier", json!(1.5), "1.5")]
#[case("id", json!(0), "snapshot id from 1")]
#[case("schemaId", json!(-1), "schema id from 0")]
#[case("id", json!(null), "null")]
#[case("baseManifestList", json!("../x"), "'../x'")]
#[case("deltaManifestList", json!(".."), "'deltaManifestList'")]
#[case("indexManifest", json!("a/b"), "'indexManifest'")]
#[case("statistics", json!(""), "'statistics'")]
#[case("timeMillis", json!(9_223_372_036_854_775_808_u64), "9223372036854775808")]
fn what_is_no_snapshot_is_corrupt(#[case] key: &str, #[case] value: Value, #[case] reason: &str) {
    let error = Snapshot::from_json(&with(key, value)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(reason), "{error}");
}

#[rstest]
#[case(b"" as &[u8])]
#[case(b"[]")]
#[case(b"{\"id\": 1}")]
#[case(b"\xff\xfe")]
fn other_bytes_are_corrupt(#[case] bytes: &[u8]) {
    assert_eq!(Snapshot::from_json(bytes).unwrap_err().kind(), ErrorKind::CorruptData);
    assert_eq!(Tag::from_json(bytes).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[test]
fn deep_json_is_an_error_and_no_stack_overflow() {
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Snapshot::from_json(deep.as_bytes()).is_err());
}

#[rstest]
#[case(json!([2024, 1, 2, 3, 4, 5, 123_000_000]), 1_704_164_645_123)]
#[case(json!([2024, 1, 2, 3, 4, 5]), 1_704_164_645_000)]
#[case(json!([2024, 1, 2, 3, 4]), 1_704_164_640_000)]
#[case(json!("2024-01-02T03:04:05.123456"), 1_704_164_645_123)]
#[case(json!("2024-01-02T03:04"), 1_704_164_640_000)]
#[case(json!("2024-01-02 03:04:05"), 1_704_164_645_000)]
fn times_of_tags_are_arrays_or_iso_texts(#[case] value: Value, #[case] millis: i64) {
    let tag = Tag::from_json(&with("tagCreateTime", value)).unwrap();
    assert_eq!(tag.create_time_millis, Some(millis));
    assert_eq!(tag.time_retained_millis, None);
}

#[rstest]
#[case(json!(86_400), 86_400_000)]
#[case(json!(86_400.0), 86_400_000)]
#[case(json!(0.001), 1)]
#[case(json!(1.005), 1_005)]
#[case(json!("PT24H"), 86_400_000)]
#[case(json!("P1DT1M0.5S"), 86_460_500)]
#[case(json!("-PT1.5S"), -1_500)]
#[case(json!("PT-1.5S"), -1_500)]
#[case(json!("pt1h30m"), 5_400_000)]
fn durations_of_tags_are_seconds_or_iso_texts(#[case] value: Value, #[case] millis: i64) {
    let tag = Tag::from_json(&with("tagTimeRetained", value)).unwrap();
    assert_eq!(tag.time_retained_millis, Some(millis));
}

#[rstest]
#[case("tagCreateTime", json!([2024, 13, 2, 3, 4]))]
#[case("tagCreateTime", json!([2024, 1]))]
#[case("tagCreateTime", json!([2024, 1, 2, 3, 4, 5, 6, 7]))]
#[case("tagCreateTime", json!("2024-01-02T"))]
#[case("tagCreateTime", json!(5))]
#[case("tagTimeRetained", json!("1 d"))]
#[case("tagTimeRetained", json!("P"))]
#[case("tagTimeRetained", json!("P1DT"))]
#[case("tagTimeRetained", json!("PT1.5H"))]
#[case("tagTimeRetained", json!("PT1S1H"))]
#[case("tagTimeRetained", json!(1e300))]
#[case("tagTimeRetained", json!([1]))]
fn malformed_times_of_tags_are_corrupt(#[case] key: &str, #[case] value: Value) {
    let error = Tag::from_json(&with(key, value)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert!(error.message().contains(key), "{error}");
}

#[test]
fn a_tag_is_written_with_jacksons_arrays_and_seconds() {
    let snapshot = Snapshot::from_json(minimal().to_string().as_bytes()).unwrap();
    let tag = Tag { snapshot, create_time_millis: Some(1_704_164_645_123), time_retained_millis: Some(86_400_000) };
    let written: Value = serde_json::from_slice(&tag.to_json().unwrap()).unwrap();
    assert_eq!(written["tagCreateTime"], json!([2024, 1, 2, 3, 4, 5, 123_000_000]));
    assert_eq!(written["tagTimeRetained"].to_string(), "86400.0");
    let tag = Tag { create_time_millis: Some(1_704_164_640_000), ..tag };
    let written: Value = serde_json::from_slice(&tag.to_json().unwrap()).unwrap();
    assert_eq!(written["tagCreateTime"], json!([2024, 1, 2, 3, 4]));
}

#[test]
fn a_tag_without_times_is_a_snapshot() {
    let snapshot = Snapshot::from_json(minimal().to_string().as_bytes()).unwrap();
    let tag = Tag { snapshot: snapshot.clone(), create_time_millis: None, time_retained_millis: None };
    assert_eq!(Snapshot::from_json(&tag.to_json().unwrap()).unwrap(), snapshot);
    assert_eq!(Tag::from_json(&snapshot.to_json().unwrap()).unwrap(), tag);
}

prop_compose! {
    pub(crate) fn any_snapshot()(
        version: Option<i32>,
        ids in (1..=i64::MAX, 0..=i64::MAX, any::<i64>()),
        names in proptest::array::uniform5("[a-z0-9-]{1,12}"),
        texts in proptest::array::uniform4(proptest::option::of("\\PC{0,8}")),
        numbers in proptest::array::uniform8(any::<Option<i64>>()),
        optional in any::<[bool; 3]>(),
        kind in 0..4_usize,
        time_millis: i64,
        properties in proptest::option::of(proptest::collection::btree_map("\\PC{0,4}", "\\PC{0,4}", 0..3)),
    ) -> Snapshot {
        let [base, delta, changelog, index, stats] = names;
        let [uuid, writer_version, operation, user] = texts;
        let kinds = [CommitKind::Append, CommitKind::Compact, CommitKind::Overwrite, CommitKind::Analyze];
        Snapshot {
            version,
            uuid,
            id: ids.0,
            schema_id: ids.1,
            base_manifest_list: base,
            base_manifest_list_size: numbers[0],
            delta_manifest_list: delta,
            delta_manifest_list_size: numbers[1],
            changelog_manifest_list: optional[0].then_some(changelog),
            changelog_manifest_list_size: numbers[2],
            index_manifest: optional[1].then_some(index),
            commit_user: user.unwrap_or_default(),
            writer_version,
            commit_identifier: ids.2,
            commit_kind: kinds[kind],
            time_millis,
            total_record_count: numbers[3],
            delta_record_count: numbers[4],
            changelog_record_count: numbers[5],
            watermark: numbers[6],
            statistics: optional[2].then_some(stats),
            properties,
            next_row_id: numbers[7],
            operation,
        }
    }
}

proptest! {
    #[test]
    fn the_json_of_a_snapshot_gives_the_snapshot_back(snapshot in any_snapshot()) {
        prop_assert_eq!(Snapshot::from_json(&snapshot.to_json().unwrap()).unwrap(), snapshot);
    }

    #[test]
    fn the_json_of_a_tag_gives_the_tag_back(
        snapshot in any_snapshot(),
        created in proptest::option::of(-60_000_000_000_000_i64..300_000_000_000_000),
        retained in proptest::option::of(0..1_000_000_000_000_000_i64),
    ) {
        let tag = Tag { snapshot, create_time_millis: created, time_retained_millis: retained };
        prop_assert_eq!(Tag::from_json(&tag.to_json().unwrap()).unwrap(), tag);
    }

    #[test]
    fn no_bytes_panic(value in "\\PC{0,16}|-?P?T?[0-9DHMS.-]{0,12}|[0-9T:. -]{0,20}") {
        let _ = Tag::from_json(&with("tagTimeRetained", json!(value)));
        let _ = Tag::from_json(&with("tagCreateTime", json!(value)));
        let _ = Snapshot::from_json(value.as_bytes());
    }
}
