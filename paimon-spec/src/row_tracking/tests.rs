use std::ops::Range;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::data_file::arbitrary::plain_file;
use crate::{Datum, ErrorKind};

fn partition(value: i32) -> BinaryRow {
    BinaryRow::from_values(&[Some(Datum::Int(value))], &[DataType::nullable(TypeKind::Int)]).unwrap()
}

fn entry(partition: BinaryRow, file: DataFileMeta) -> ManifestEntry {
    ManifestEntry { kind: FileKind::Add, partition, bucket: 0, total_buckets: -1, file }
}

/// A new file: of one BLOB column when it has a name.
fn new_file(name: &str, row_count: i64, blob: Option<&str>) -> DataFileMeta {
    DataFileMeta {
        file_name: format!("{name}.{}", if blob.is_some() { "blob" } else { "parquet" }),
        row_count,
        file_source: Some(FileSource::Append),
        write_cols: blob.map(|column| vec![column.to_owned()]),
        ..plain_file()
    }
}

fn assigned(files: Vec<DataFileMeta>, next: i64) -> (Vec<Option<i64>>, i64) {
    let entries = files.into_iter().map(|file| entry(BinaryRow::empty(), file)).collect();
    let (entries, next) = assign_row_ids(entries, next, 7, false).unwrap();
    (entries.into_iter().map(|entry| entry.file.first_row_id).collect(), next)
}

#[test]
fn the_hidden_columns_are_those_of_java() {
    let table =
        TableSchema::create(crate::Schema::from_json(r#"{"fields": [{"name": "id", "type": "INT"}]}"#).unwrap(), 0);
    let fields = table.unwrap().with_row_tracking_fields();
    let found: Vec<String> =
        fields.iter().map(|field| format!("{} {} {}", field.id, field.name, field.data_type)).collect();
    assert_eq!(
        found,
        ["0 id INT", "2147483642 _ROW_ID BIGINT NOT NULL", "2147483646 _SEQUENCE_NUMBER BIGINT NOT NULL"]
    );
    assert!(is_row_tracking_field(ROW_ID_ID) && is_row_tracking_field(SEQUENCE_NUMBER_ID) && !is_row_tracking_field(0));
    assert!(is_row_tracking_field_name("_ROW_ID") && is_row_tracking_field_name("_SEQUENCE_NUMBER"));
    assert!(!is_row_tracking_field_name("_row_id"));
}

#[rstest]
#[case(Some(5), 3, Some(5..8))]
#[case(None, 3, None)]
#[case(Some(i64::MAX - 1), 3, Some(i64::MAX - 1..i64::MAX))]
fn the_row_ids_of_a_file_follow_its_first(
    #[case] first_row_id: Option<i64>,
    #[case] row_count: i64,
    #[case] expected: Option<Range<i64>>,
) {
    assert_eq!(DataFileMeta { first_row_id, row_count, ..plain_file() }.row_ids(), expected);
}

#[test]
fn new_files_follow_one_another() {
    let files = vec![new_file("a", 3, None), new_file("b", 2, None)];
    assert_eq!(assigned(files, 10), (vec![Some(10), Some(13)], 15));
    assert_eq!(assigned(vec![], 10), (vec![], 10));
}

#[test]
fn blob_files_share_the_row_ids_of_the_file_before_them() {
    let files = vec![
        new_file("a", 3, None),
        new_file("a1", 2, Some("image")),
        new_file("a2", 1, Some("image")),
        new_file("a3", 3, Some("clip")),
        new_file("b", 4, None),
        new_file("b1", 1, Some("image")),
    ];
    let ids = [Some(10), Some(10), Some(12), Some(10), Some(13), Some(13)];
    assert_eq!(assigned(files, 10), (ids.to_vec(), 17));
}

#[test]
fn files_with_row_ids_and_compacted_ones_keep_what_they_have() {
    let mut update = new_file("update", 3, None);
    update.first_row_id = Some(4);
    let mut compacted = new_file("compacted", 3, None);
    compacted.file_source = Some(FileSource::Compact);
    let mut rewritten = new_file("rewritten", 3, None);
    rewritten.write_cols = Some(vec!["id".to_owned(), "_ROW_ID".to_owned()]);
    let files = vec![update, compacted, rewritten, new_file("new", 3, None)];
    assert_eq!(assigned(files, 10), (vec![Some(4), None, None, Some(10)], 13));
}

#[test]
fn files_to_be_deleted_stay_as_they_are() {
    let file = DataFileMeta { file_source: None, ..new_file("old", 3, None) };
    let deletion = ManifestEntry { kind: FileKind::Delete, ..entry(BinaryRow::empty(), file) };
    assert_eq!(assign_row_ids(vec![deletion.clone()], 5, 2, true).unwrap(), (vec![deletion], 5));
}

#[rstest]
#[case::new(0, 0, (7, 7))]
#[case::smallest_is_new(0, 5, (7, 7))]
#[case::largest_is_new(3, 0, (3, 7))]
#[case::compacted(3, 5, (3, 5))]
fn sequence_numbers_of_changed_rows_are_the_snapshots(
    #[case] min_sequence_number: i64,
    #[case] max_sequence_number: i64,
    #[case] expected: (i64, i64),
) {
    let file = DataFileMeta { min_sequence_number, max_sequence_number, ..new_file("a", 1, None) };
    let (entries, _) = assign_row_ids(vec![entry(BinaryRow::empty(), file)], 0, 7, true).unwrap();
    assert_eq!((entries[0].file.min_sequence_number, entries[0].file.max_sequence_number), expected);
}

#[rstest]
#[case::together(true, &[("x", 0), ("x2", 2), ("y", 4)], 7)]
#[case::as_they_come(false, &[("x", 0), ("y", 2), ("x2", 5)], 7)]
fn partitions_may_be_put_together(#[case] group: bool, #[case] expected: &[(&str, i64)], #[case] next: i64) {
    let entries = vec![
        entry(partition(1), new_file("x", 2, None)),
        entry(partition(2), new_file("y", 3, None)),
        entry(partition(1), new_file("x2", 2, None)),
    ];
    let (entries, found) = assign_row_ids(entries, 0, 1, group).unwrap();
    let ids: Vec<(&str, i64)> = entries
        .iter()
        .map(|entry| (entry.file.file_name.trim_end_matches(".parquet"), entry.file.first_row_id.unwrap()))
        .collect();
    assert_eq!((ids.as_slice(), found), (expected, next));
}

#[rstest]
#[case::without_a_file_before(vec![new_file("b", 1, Some("image"))], "at most 0 rows", ErrorKind::InvalidInput)]
#[case::with_more_rows(
    vec![new_file("a", 2, None), new_file("b", 3, Some("image"))], "at most 2 rows", ErrorKind::InvalidInput
)]
#[case::with_more_rows_together(
    vec![new_file("a", 2, None), new_file("b", 2, Some("image")), new_file("c", 1, Some("image"))],
    "at most 0 rows",
    ErrorKind::InvalidInput
)]
#[case::of_unknown_origin(
    vec![DataFileMeta { file_source: None, ..new_file("a", 2, None) }], "what made it", ErrorKind::InvalidInput
)]
#[case::too_many(vec![new_file("a", i64::MAX, None)], "row ids for 9223372036854775807 rows", ErrorKind::CorruptData)]
#[case::fewer_than_none(vec![new_file("a", -1, None)], "row ids for -1 rows", ErrorKind::CorruptData)]
#[case::vectors(
    vec![DataFileMeta { file_name: "a.vector.lance".into(), ..new_file("a", 2, None) }], "vectors", ErrorKind::Unsupported
)]
fn files_that_cannot_get_row_ids_are_refused(
    #[case] files: Vec<DataFileMeta>,
    #[case] reason: &str,
    #[case] kind: ErrorKind,
) {
    let entries = files.into_iter().map(|file| entry(BinaryRow::empty(), file)).collect();
    let error = assign_row_ids(entries, 10, 1, true).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.message().contains(reason), "{error}");
}

prop_compose! {
    /// Rows of a data file, cuts of its two BLOB columns, and its partition.
    fn any_write()(rows in 1..20_i64, partition in 0..3)(
        cuts in prop::collection::vec(prop::collection::btree_set(1..=rows, 0..4), 2),
        rows in Just(rows),
        partition in Just(partition),
    ) -> (i64, Vec<Vec<i64>>, i32) {
        let sizes = |cuts: &std::collections::BTreeSet<i64>| {
            let ends: Vec<i64> = cuts.iter().copied().filter(|cut| *cut < rows).chain([rows]).collect();
            let starts = std::iter::once(0).chain(ends.iter().copied());
            ends.iter().zip(starts).map(|(end, start)| end - start).collect()
        };
        (rows, cuts.iter().map(sizes).collect(), partition)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn each_row_has_an_id_of_its_own_in_all_its_files(
        writes in prop::collection::vec(any_write(), 0..6),
        next in 0..1000_i64,
        group: bool,
    ) {
        let mut entries = Vec::new();
        for (at, (rows, cuts, p)) in writes.iter().enumerate() {
            entries.push(entry(partition(*p), new_file(&format!("{at}"), *rows, None)));
            for (column, sizes) in ["image", "clip"].into_iter().zip(cuts) {
                for size in sizes {
                    entries.push(entry(partition(*p), new_file(&format!("{at}-{column}"), *size, Some(column))));
                }
            }
        }
        let count = entries.len();
        let (entries, end) = assign_row_ids(entries, next, 1, group).unwrap();

        prop_assert_eq!(entries.len(), count);
        prop_assert_eq!(end - next, writes.iter().map(|(rows, _, _)| rows).sum::<i64>());
        let ids = |wanted: &dyn Fn(&str) -> bool| -> Vec<i64> {
            let of_file = |entry: &ManifestEntry| entry.file.row_ids().unwrap();
            entries.iter().filter(|entry| wanted(&entry.file.file_name)).flat_map(of_file).collect()
        };
        prop_assert_eq!(ids(&|name| name.ends_with(".parquet")), (next..end).collect::<Vec<_>>());
        for at in 0..writes.len() {
            let data = ids(&|name| name == format!("{at}.parquet"));
            for column in ["image", "clip"] {
                prop_assert_eq!(&ids(&|name| name == format!("{at}-{column}.blob")), &data);
            }
        }
        if group {
            let mut partitions: Vec<&BinaryRow> = entries.iter().map(|entry| &entry.partition).collect();
            partitions.dedup();
            let distinct: std::collections::HashSet<_> = partitions.iter().collect();
            prop_assert_eq!(distinct.len(), partitions.len());
        }
    }
}
