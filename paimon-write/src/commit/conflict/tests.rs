use paimon_spec::{
    CommitKind, DELETION_VECTORS, DataType, Datum, DeletionVectorMeta, FileKind, IndexManifestEntry, ManifestEntry,
    POSTPONED_BUCKET, TypeKind,
};
use rstest::rstest;

use super::*;
use crate::testing::{entry, entry_in, partition};

use FileKind::{Add, Delete};

fn gone(file: &str) -> Option<Conflict> {
    Some(Conflict::FileGone { file: file.to_owned() })
}

fn repeated(file: &str) -> Option<Conflict> {
    Some(Conflict::FileRepeated { file: file.to_owned() })
}

#[rstest]
#[case::a_new_file_fits(&["a"], &[(Add, "b")], None)]
#[case::a_live_file_can_be_deleted(&["a", "b"], &[(Delete, "a")], None)]
#[case::one_file_can_take_the_place_of_others(&["a", "b"], &[(Delete, "a"), (Delete, "b"), (Add, "ab")], None)]
#[case::a_file_that_is_gone_cannot_be_deleted(&["a"], &[(Delete, "b")], gone("b"))]
#[case::a_file_cannot_be_deleted_twice(&["a"], &[(Delete, "a"), (Delete, "a")], repeated("a"))]
#[case::a_live_file_cannot_be_added(&["a"], &[(Add, "a")], repeated("a"))]
#[case::a_new_file_cannot_be_added_twice(&[], &[(Add, "a"), (Add, "a")], repeated("a"))]
#[case::a_file_cannot_be_replaced_by_itself(&["a"], &[(Delete, "a"), (Add, "a")], repeated("a"))]
#[case::a_file_cannot_come_and_go_at_once(&[], &[(Add, "a"), (Delete, "a")], gone("a"))]
fn files_conflict(#[case] base: &[&str], #[case] delta: &[(FileKind, &str)], #[case] expected: Option<Conflict>) {
    let base: Vec<ManifestEntry> = base.iter().map(|name| entry(Add, name)).collect();
    let delta: Vec<ManifestEntry> = delta.iter().map(|(kind, name)| entry(*kind, name)).collect();
    for kind in [CommitKind::Append, CommitKind::Compact, CommitKind::Overwrite] {
        assert_eq!(find_conflict(&base, &delta, kind), expected);
    }
}

fn bucketed(kind: FileKind, p: i32, name: &str, total_buckets: i32) -> ManifestEntry {
    ManifestEntry { total_buckets, ..entry_in(kind, partition(Some(p)), name) }
}

#[rstest]
#[case::the_same_number(1, 4, false)]
#[case::another_number(1, 2, true)]
#[case::another_number_in_another_partition(2, 2, false)]
#[case::dynamic_buckets(1, -1, true)]
fn bucket_numbers_within_a_partition_stay_the_same(#[case] p: i32, #[case] buckets: i32, #[case] conflicts: bool) {
    let base = [bucketed(Add, 1, "a", 4)];
    let delta = [bucketed(Add, p, "b", buckets)];
    let expected = conflicts.then(|| Conflict::BucketNumber { file: "b".to_owned(), there: 4, new: buckets });
    assert_eq!(find_conflict(&base, &delta, CommitKind::Append), expected);
    assert_eq!(find_conflict(&base, &delta, CommitKind::Overwrite), None, "an overwrite may change the number");
}

#[test]
fn rows_that_wait_for_a_bucket_stand_beside_any_number() {
    let waiting = |name| ManifestEntry { bucket: POSTPONED_BUCKET, ..bucketed(Add, 1, name, POSTPONED_BUCKET) };
    let base = [bucketed(Add, 1, "a", 4), waiting("b")];
    assert_eq!(find_conflict(&base, &[bucketed(Add, 1, "c", 4), waiting("d")], CommitKind::Append), None);
}

#[test]
fn new_files_of_one_partition_have_one_bucket_number_even_in_an_overwrite() {
    let delta = [bucketed(Add, 1, "a", 2), bucketed(Add, 1, "b", 4)];
    assert!(matches!(find_conflict(&[], &delta, CommitKind::Overwrite), Some(Conflict::BucketNumber { .. })));
}

#[test]
fn a_level_is_part_of_a_files_identity() {
    let mut upgraded = entry(Add, "a");
    upgraded.file.level = 5;
    let delta = [entry(Delete, "a"), upgraded];
    assert_eq!(find_conflict(&[entry(Add, "a")], &delta, CommitKind::Compact), None);
}

#[test]
fn a_deletion_vector_needs_its_data_file() {
    let vector = DeletionVectorMeta { data_file_name: "a".to_owned(), offset: 1, length: 2, cardinality: None };
    let change = IndexManifestEntry {
        kind: Add,
        partition: paimon_spec::BinaryRow::empty(),
        bucket: 0,
        index_type: DELETION_VECTORS.to_owned(),
        file_name: "index".to_owned(),
        file_size: 1,
        row_count: 1,
        deletion_vectors: Some(vec![vector]),
        external_path: None,
        global_index: None,
    };
    let changes = std::slice::from_ref(&change);
    assert_eq!(find_vector_conflict([entry(Add, "a")].iter(), changes), None);
    let expected = Some(Conflict::VectorWithoutFile { file: "a".to_owned() });
    assert_eq!(find_vector_conflict([entry(Add, "b")].iter(), changes), expected);
}

#[rstest]
#[case::of_another_file(&[(Delete, "b"), (Add, "c")], &["a"], None)]
#[case::of_a_replaced_file(&[(Delete, "a"), (Add, "c")], &["x", "a"], Some("a"))]
#[case::of_a_file_that_changes_its_level(&[(Delete, "a"), (Add, "a")], &["a"], None)]
#[case::of_a_new_file(&[(Delete, "a"), (Add, "c")], &["c"], None)]
#[case::of_none(&[(Delete, "a")], &[], None)]
fn no_vector_is_left_of_a_replaced_file(
    #[case] entries: &[(FileKind, &str)],
    #[case] vectors: &[&str],
    #[case] expected: Option<&str>,
) {
    let entries: Vec<ManifestEntry> = entries.iter().map(|(kind, name)| entry(*kind, name)).collect();
    let vector = |file: &&str| DeletionVectorMeta {
        data_file_name: (*file).to_owned(),
        offset: 1,
        length: 2,
        cardinality: None,
    };
    let index = IndexManifestEntry {
        kind: Add,
        partition: paimon_spec::BinaryRow::empty(),
        bucket: 0,
        index_type: DELETION_VECTORS.to_owned(),
        file_name: "index".to_owned(),
        file_size: 1,
        row_count: 1,
        deletion_vectors: Some(vectors.iter().map(vector).collect()),
        external_path: None,
        global_index: None,
    };
    let expected = expected.map(|file| Conflict::RowsDeleted { file: file.to_owned(), index: "index".to_owned() });
    assert_eq!(find_left_vector(&entries, &[index]), expected);
}

fn sorted_file(name: &str, bucket: i32, level: i32, keys: (i64, i64)) -> ManifestEntry {
    let key = |value| BinaryRow::from_values(&[Some(Datum::BigInt(value))], &[DataType::not_null(TypeKind::BigInt)]);
    let mut entry = ManifestEntry { bucket, total_buckets: 2, ..entry(Add, name) };
    (entry.file.level, entry.file.min_key, entry.file.max_key) = (level, key(keys.0).unwrap(), key(keys.1).unwrap());
    entry
}

#[rstest]
#[case::beside_one_another(0, 1, (11, 20), false)]
#[case::one_key_in_both(0, 1, (10, 20), true)]
#[case::one_around_the_other(0, 1, (-5, 20), true)]
#[case::on_another_level(0, 2, (5, 6), false)]
#[case::in_another_bucket(1, 1, (5, 6), false)]
#[case::not_sorted_yet(0, 0, (5, 6), false)]
fn files_of_a_level_do_not_overlap(
    #[case] bucket: i32,
    #[case] level: i32,
    #[case] bounds: (i64, i64),
    #[case] no: bool,
) {
    let files = [sorted_file("a", 0, 1, (1, 10)), sorted_file("b", bucket, level, bounds)];
    let keys = KeyComparator::new(vec![DataType::not_null(TypeKind::BigInt)]);
    let found = find_key_conflict(files.iter(), &keys).unwrap();
    assert_eq!(found.is_some(), no, "{found:?}");
    assert!(found.is_none_or(|conflict| conflict.to_string().contains("the same keys")));
}

#[test]
fn bounds_that_are_no_keys_are_told() {
    let file =
        ManifestEntry { file: paimon_spec::DataFileMeta { level: 1, ..entry(Add, "a").file }, ..entry(Add, "a") };
    let keys = KeyComparator::new(vec![DataType::not_null(TypeKind::BigInt)]);
    let error = find_key_conflict([file].iter(), &keys).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}
