use paimon_spec::TypeKind;
use rstest::rstest;

use super::*;
use crate::testing::{bare_null, entry_in, partition, table_schema};

#[rstest]
#[case::its_member(&[Some(1)], Some(1), true)]
#[case::another(&[Some(1), None], Some(2), false)]
#[case::null(&[Some(1), None], None, true)]
fn exact_sets_hold_their_members(#[case] members: &[Option<i32>], #[case] asked: Option<i32>, #[case] expected: bool) {
    let members = members.iter().map(|p| partition(*p));
    let set = PartitionSet::exactly(&table_schema(true, &[]), members).unwrap();
    assert_eq!(set.contains(&partition(asked)).unwrap(), expected);
}

#[test]
fn a_null_in_another_writers_bytes_is_the_same_partition() {
    let mut schema = table_schema(true, &[]);
    schema.fields[0].data_type = DataType::nullable(TypeKind::Timestamp(6));
    let types = [DataType::nullable(TypeKind::Timestamp(6))];
    let java = BinaryRow::from_values(&[None], &types).unwrap();
    let bare = bare_null();
    assert_ne!(java, bare);
    let set = PartitionSet::exactly(&schema, [java.clone()].into_iter()).unwrap();
    assert!(set.contains(&bare).unwrap());
    let set = PartitionSet::exactly(&schema, [bare].into_iter()).unwrap();
    assert!(set.contains(&java).unwrap());
}

#[test]
fn a_spec_matches_by_the_columns_it_names() {
    let schema = table_schema(true, &[]);
    let set = PartitionSet::matching(&schema, vec![vec![(0, Some(Datum::Int(1)))], vec![(0, None)]]);
    let contains = |p| set.contains(&partition(p)).unwrap();
    assert_eq!([Some(1), Some(2), None].map(contains), [true, false, true]);
    let everything = PartitionSet::matching(&schema, vec![Vec::new()]);
    assert!(everything.contains(&partition(Some(7))).unwrap());
}

#[rstest]
#[case::with_their_table(BucketMode::Postponed, true)]
#[case::not_from_a_table_that_has_buckets_by_now(BucketMode::Fixed, false)]
fn files_in_a_postponed_bucket_go(#[case] mode: BucketMode, #[case] goes: bool) {
    let ordinary = entry_in(FileKind::Add, partition(Some(1)), "a");
    let postponed = ManifestEntry { bucket: -2, ..entry_in(FileKind::Add, partition(Some(1)), "b") };
    let deleted: Vec<ManifestEntry> = delete_all(&[ordinary, postponed], mode).collect();
    let names: Vec<&str> = deleted.iter().map(|entry| entry.file.file_name.as_str()).collect();
    assert_eq!(names, if goes { vec!["a", "b"] } else { vec!["a"] });
    assert!(deleted.iter().all(|entry| entry.kind == FileKind::Delete));
}
