use paimon_spec::{DeletionVectorMeta, GlobalIndexMeta, TypeKind};
use rstest::rstest;

use super::*;
use crate::testing::{bare_null, partition, table_schema};

use FileKind::{Add, Delete};

fn slots(has_buckets: bool) -> Slots {
    let buckets: &[(&str, &str)] = if has_buckets { &[("bucket", "2"), ("bucket-key", "id")] } else { &[] };
    Slots::of(&table_schema(true, buckets)).unwrap()
}

fn index(kind: FileKind, p: i32, index_type: &str, name: &str) -> IndexManifestEntry {
    IndexManifestEntry {
        kind,
        partition: partition(Some(p)),
        bucket: 0,
        index_type: index_type.to_owned(),
        file_name: name.to_owned(),
        file_size: 1,
        row_count: 1,
        deletion_vectors: None,
        external_path: None,
        global_index: None,
    }
}

fn vectors(kind: FileKind, name: &str, data_files: &[&str]) -> IndexManifestEntry {
    let vector = |file: &&str| DeletionVectorMeta {
        data_file_name: (*file).to_owned(),
        offset: 1,
        length: 2,
        cardinality: None,
    };
    IndexManifestEntry {
        deletion_vectors: Some(data_files.iter().map(vector).collect()),
        ..index(kind, 1, DELETION_VECTORS, name)
    }
}

fn names(entries: &[IndexManifestEntry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.file_name.as_str()).collect()
}

#[rstest]
#[case::untouched_files_stay(&[index(Add, 2, "HASH", "c")], Ok(&["a", "b", "c"][..]))]
#[case::a_replaced_file(&[index(Delete, 1, "HASH", "a"), index(Add, 1, "HASH", "c")], Ok(&["b", "c"][..]))]
#[case::whatever_the_order(&[index(Add, 1, "HASH", "c"), index(Delete, 1, "HASH", "a")], Ok(&["b", "c"][..]))]
#[case::deletions_leave_other_types_alone(&[index(Delete, 1, "HASH", "a")], Ok(&["b"][..]))]
#[case::a_place_that_is_taken(&[index(Add, 1, "HASH", "c")], Err("c was written without knowing"))]
#[case::two_for_one_place(
    &[index(Delete, 1, "HASH", "a"), index(Add, 1, "HASH", "c"), index(Add, 1, "HASH", "d")],
    Err("d was written without knowing")
)]
#[case::another_file_by_now(
    &[index(Delete, 1, "HASH", "x"), index(Add, 1, "HASH", "c")],
    Err("x was to be replaced, but another commit has removed it")
)]
#[case::nothing_there(&[index(Delete, 3, "HASH", "x")], Err("x was to be replaced"))]
#[case::one_deletion_too_many(&[index(Delete, 1, "HASH", "a"), index(Delete, 1, "HASH", "a")], Err("a was to be"))]
fn a_bucket_has_one_index_file_of_each_type(
    #[case] changes: &[IndexManifestEntry],
    #[case] expected: std::result::Result<&[&str], &str>,
) {
    let previous = [index(Add, 1, "HASH", "a"), index(Add, 1, DELETION_VECTORS, "b")];
    check(combine(&previous, changes, &slots(true)), expected);
}

fn check(found: Result<Vec<IndexManifestEntry>>, expected: std::result::Result<&[&str], &str>) {
    match (found, expected) {
        (Ok(found), Ok(expected)) => assert_eq!(names(&found), expected),
        (Err(error), Err(expected)) => {
            assert_eq!(error.kind(), ErrorKind::CommitConflict);
            assert!(error.message().contains(expected), "{error}");
        }
        (found, expected) => panic!("expected {expected:?}, found {found:?}"),
    }
}

#[rstest]
#[case::another_file_of_the_same_partition(&[vectors(Add, "v2", &["f2"])], Ok(&["v1", "v2"][..]))]
#[case::a_replaced_vector(&[vectors(Delete, "v1", &["f1"]), vectors(Add, "v2", &["f1"])], Ok(&["v2"][..]))]
#[case::whatever_the_order(&[vectors(Add, "v2", &["f1"]), vectors(Delete, "v1", &["f1"])], Ok(&["v2"][..]))]
#[case::a_second_vector_for_a_file(&[vectors(Add, "v2", &["f1"])], Err("deletes rows of f1"))]
#[case::a_file_that_is_gone(&[vectors(Delete, "v0", &["f0"])], Err("has removed it"))]
#[case::a_file_that_is_there(&[vectors(Add, "v1", &["f3"])], Err("more than once"))]
fn vectors_of_tables_without_buckets_are_by_file(
    #[case] changes: &[IndexManifestEntry],
    #[case] expected: std::result::Result<&[&str], &str>,
) {
    let previous = [vectors(Add, "v1", &["f1"])];
    check(combine(&previous, changes, &slots(false)), expected);
}

#[test]
fn global_indexes_are_by_file_even_with_buckets() {
    let global = |kind, name| IndexManifestEntry {
        global_index: Some(GlobalIndexMeta {
            row_range_start: 0,
            row_range_end: 9,
            index_field_id: 1,
            extra_field_ids: None,
            index_meta: None,
            source_meta: None,
        }),
        ..index(kind, 1, "btree", name)
    };
    let previous = [global(Add, "a"), global(Add, "b")];
    let changes = [global(Delete, "a"), global(Add, "c")];
    assert_eq!(names(&combine(&previous, &changes, &slots(true)).unwrap()), ["b", "c"]);
}

/// A NULL has two forms.
#[test]
fn a_partition_in_another_writers_bytes_has_one_index_file() {
    let mut schema = table_schema(true, &[("bucket", "2"), ("bucket-key", "id")]);
    schema.fields[0].data_type = DataType::nullable(TypeKind::Timestamp(6));
    let java = BinaryRow::from_values(&[None], &[schema.fields[0].data_type.clone()]).unwrap();
    let of = |kind, name, partition: &BinaryRow| IndexManifestEntry {
        partition: partition.clone(),
        ..index(kind, 0, DELETION_VECTORS, name)
    };
    let previous = [of(Add, "a", &bare_null())];
    let slots = Slots::of(&schema).unwrap();
    let replaced = [of(Delete, "a", &java), of(Add, "b", &java)];
    assert_eq!(names(&combine(&previous, &replaced, &slots).unwrap()), ["b"]);
    check(combine(&previous, &[of(Add, "b", &java)], &slots), Err("b was written without knowing"));
}
