use proptest::option::of;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::data_file::arbitrary::{data_files, rows};
use crate::{DataType, Datum, ErrorKind, FileSource, SimpleStats, TypeKind};

/// The split of Java's own test of compatibility, as far as `version` knows it.
fn java_split(version: i32) -> DataSplit {
    let row = |text: &str| {
        let types = [DataType::nullable(TypeKind::VarChar(DataType::MAX_LENGTH))];
        BinaryRow::from_values(&[Some(Datum::String(text.into()))], &types).unwrap()
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let stats = |min, max| SimpleStats { min_values: row(min), max_values: row(max), null_counts: vec![Some(0)] };
    let since = |first: i32| version >= first;
    let file = DataFileMeta {
        file_name: "my_file".into(),
        file_size: 1024 * 1024,
        row_count: 1024,
        min_key: row("min_key"),
        max_key: row("max_key"),
        key_stats: stats("min_key", "max_key"),
        value_stats: stats("min_value", "max_value"),
        min_sequence_number: 15,
        max_sequence_number: 200,
        schema_id: 5,
        level: 3,
        extra_files: names(&["extra1", "extra2"]),
        creation_time_millis: Some(1_646_252_412_000),
        delete_row_count: Some(11),
        embedded_index: Some(vec![1, 2, 4].into()),
        file_source: since(2).then_some(FileSource::Compact),
        value_stats_cols: since(3).then(|| names(&["field1", "field2", "field3"])),
        external_path: since(5).then(|| "hdfs:///path/to/warehouse".into()),
        first_row_id: since(7).then_some(12),
        write_cols: since(8).then(|| names(&["a", "b", "c", "f"])),
        write_cols_sequences: since(9).then(|| vec![15, 100, 150, 200]),
    };
    let cardinality = since(4).then_some(33);
    let deletion = DeletionFile { path: "deletion_file".into(), offset: 100, length: 22, cardinality };
    DataSplit {
        snapshot_id: 18,
        partition: row("aaaaa"),
        bucket: 20,
        bucket_path: "my path".into(),
        total_buckets: since(6).then_some(32),
        files: vec![file],
        deletions: if since(3) { vec![Some(deletion)] } else { vec![] },
        raw_convertible: false,
        rows: Vec::new(),
    }
}

// The contents of these files are of Java Paimon's own test of compatibility.
#[rstest]
#[case(1, include_bytes!("../../tests/data/java-split-v1.bin"))]
#[case(2, include_bytes!("../../tests/data/java-split-v2.bin"))]
#[case(3, include_bytes!("../../tests/data/java-split-v3.bin"))]
#[case(4, include_bytes!("../../tests/data/java-split-v4.bin"))]
#[case(5, include_bytes!("../../tests/data/java-split-v5.bin"))]
#[case(6, include_bytes!("../../tests/data/java-split-v6.bin"))]
#[case(7, include_bytes!("../../tests/data/java-split-v7.bin"))]
#[case(8, include_bytes!("../../tests/data/java-split-v8.bin"))]
#[case(9, include_bytes!("../../tests/data/java-split-v9.bin"))]
fn splits_of_java_are_read(#[case] version: i32, #[case] bytes: &[u8]) {
    assert_eq!(DataSplit::from_bytes(bytes).unwrap(), java_split(version));
}

#[test]
fn splits_are_written_byte_for_byte_as_java_does() {
    assert_eq!(java_split(9).to_bytes().unwrap(), include_bytes!("../../tests/data/java-split-v9.bin"));
}

#[test]
fn a_split_of_a_later_version_is_unsupported() {
    let mut bytes = java_split(9).to_bytes().unwrap();
    bytes[11] = 10;
    let error = DataSplit::from_bytes(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("version 10"), "{error}");
}

#[test]
fn a_split_of_a_streaming_read_is_unsupported() {
    let mut bytes = java_split(9).to_bytes().unwrap();
    let is_streaming = bytes.len() - 2;
    bytes[is_streaming] = 1;
    assert_eq!(DataSplit::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn names_that_lead_out_of_their_folder_are_corrupt() {
    let mut split = java_split(9);
    split.files[0].file_name = "../x".into();
    let bytes = split.to_bytes().unwrap();
    assert_eq!(DataSplit::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[test]
fn deletions_are_for_all_files_or_none() {
    let mut split = java_split(9);
    split.deletions.push(None);
    assert_eq!(split.to_bytes().unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[rstest]
#[case::no_deletions(vec![], true, Some(1024))]
#[case::counted(vec![Some(Some(24))], true, Some(1000))]
#[case::not_counted(vec![Some(None)], true, None)]
#[case::more_than_all(vec![Some(Some(2000))], true, None)]
#[case::with_row_ids(vec![], false, Some(1024))]
#[case::with_row_ids_and_deletions(vec![Some(Some(24))], false, Some(1000))]
fn merged_rows_are_known_when_deletions_are_counted(
    #[case] cardinalities: Vec<Option<Option<i64>>>,
    #[case] raw_convertible: bool,
    #[case] wanted: Option<i64>,
) {
    let deletion = |cardinality| DeletionFile { path: "d".into(), offset: 1, length: 24, cardinality };
    let deletions = cardinalities.into_iter().map(|cardinality| cardinality.map(deletion)).collect();
    let split = DataSplit { deletions, raw_convertible, ..java_split(9) };
    assert_eq!(split.row_count(), 1024);
    assert_eq!(split.merged_row_count(), wanted);
}

#[test]
fn how_many_rows_are_left_of_a_merge_only_reading_tells() {
    let mut split = DataSplit { deletions: Vec::new(), raw_convertible: false, ..java_split(9) };
    split.files[0].first_row_id = None;
    assert_eq!(split.merged_row_count(), None);
}

#[rstest]
#[case::deletions_of_all_rows_count_once(vec![None, Some(Some(4)), None, None], vec![], Some(13))]
#[case::nothing_deleted(vec![], vec![], Some(17))]
#[case::not_counted(vec![None, Some(None), None, None], vec![], None)]
#[case::a_part(vec![], vec![Some(2..5), Some(2..5), None, None], Some(10))]
#[case::deletions_of_a_part(vec![None, Some(Some(1)), None, None], vec![Some(2..5), Some(2..5), None, None], None)]
fn rows_of_a_group_count_once(
    #[case] cardinalities: Vec<Option<Option<i64>>>,
    #[case] rows: Vec<Option<Range<u64>>>,
    #[case] wanted: Option<i64>,
) {
    let file = |name: &str, rows: Range<i64>| DataFileMeta {
        file_name: name.to_owned(),
        first_row_id: Some(rows.start),
        row_count: rows.end - rows.start,
        ..crate::data_file::arbitrary::plain_file()
    };
    let deletion = |cardinality| DeletionFile { path: "d".into(), offset: 1, length: 24, cardinality };
    let split = DataSplit {
        files: vec![file("new", 0..10), file("old", 0..10), file("image.blob", 0..6), file("other", 10..17)],
        deletions: cardinalities.into_iter().map(|cardinality| cardinality.map(deletion)).collect(),
        rows,
        raw_convertible: false,
        ..java_split(9)
    };
    assert_eq!(split.merged_row_count(), wanted);
    assert_eq!(DataSplit::from_bytes(&split.to_bytes().unwrap()).unwrap().merged_row_count(), wanted);
}

#[rstest]
#[case::whole(vec![], 1024, Some(1024))]
#[case::whole_said(vec![None], 1024, Some(1024))]
#[case::part(vec![Some(1000..1024)], 24, Some(24))]
fn a_part_of_a_file_counts_its_own_rows(
    #[case] rows: Vec<Option<Range<u64>>>,
    #[case] count: i64,
    #[case] merged: Option<i64>,
) {
    let split = DataSplit { rows: rows.clone(), deletions: Vec::new(), raw_convertible: true, ..java_split(9) };
    assert_eq!((split.row_count(), split.merged_row_count()), (count, merged));
    let back = DataSplit::from_bytes(&split.to_bytes().unwrap()).unwrap();
    assert_eq!(back.rows.iter().flatten().collect::<Vec<_>>(), rows.iter().flatten().collect::<Vec<_>>());
    // How many of them are deleted, only reading tells.
    let deletion = DeletionFile { path: "d".into(), offset: 1, length: 24, cardinality: Some(4) };
    let deleted = DataSplit { deletions: vec![Some(deletion)], ..split };
    assert_eq!(deleted.merged_row_count(), if count == 1024 { Some(1020) } else { None });
}

#[test]
fn a_split_without_parts_has_the_bytes_of_java() {
    let java = include_bytes!("../../tests/data/java-split-v9.bin");
    let split = DataSplit { rows: vec![None], ..DataSplit::from_bytes(java).unwrap() };
    assert_eq!(split.to_bytes().unwrap(), java);
}

#[rstest]
#[case::empty(vec![Some(5..5)])]
#[case::backwards(vec![Some(Range { start: 5, end: 4 })])]
#[case::after_the_end(vec![Some(0..1025)])]
#[case::huge(vec![Some(0..u64::MAX)])]
#[case::too_many(vec![None, Some(0..1)])]
fn parts_that_cannot_be_are_refused(#[case] rows: Vec<Option<Range<u64>>>) {
    let split = DataSplit { rows: rows.clone(), ..java_split(9) };
    assert_eq!(split.to_bytes().unwrap_err().kind(), ErrorKind::InvalidInput);
    let mut out = WireWriter::default();
    out.i64(SLICED_MAGIC);
    out.len(rows.len()).unwrap();
    for rows in rows {
        out.bool(rows.is_some());
        if let Some(rows) = rows {
            out.i64(rows.start.cast_signed());
            out.i64(rows.end.cast_signed());
        }
    }
    out.bytes.extend(java_split(9).to_bytes().unwrap());
    assert_eq!(DataSplit::from_bytes(&out.bytes).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[test]
fn texts_are_written_in_modified_utf8() {
    let mut out = WireWriter::default();
    out.utf("a\0ü€😀").unwrap();
    assert_eq!(out.bytes, b"\x00\x0ea\xc0\x80\xc3\xbc\xe2\x82\xac\xed\xa0\xbd\xed\xb8\x80");
    assert_eq!(WireReader::new(&out.bytes).utf().unwrap(), "a\0ü€😀");
    assert_eq!(out.utf(&"x".repeat(65_536)).unwrap_err().kind(), ErrorKind::InvalidInput);
}

fn deletion() -> impl Strategy<Value = DeletionFile> {
    (".{0,12}", any::<i64>(), any::<i64>(), of(0..i64::MAX))
        .prop_map(|(path, offset, length, cardinality)| DeletionFile { path, offset, length, cardinality })
}

fn splits() -> impl Strategy<Value = DataSplit> {
    let deletions = prop::collection::vec(of(deletion()), 3);
    (any::<i64>(), rows(), any::<i32>(), ".{0,12}", any::<Option<i32>>(), data_files(0..4), deletions, any::<bool>())
        .prop_map(
            |(snapshot_id, partition, bucket, bucket_path, total_buckets, files, mut deletions, raw_convertible)| {
                deletions.truncate(files.len());
                if deletions.iter().all(Option::is_none) {
                    deletions.clear();
                }
                // Parts of files that have rows to cut, for some splits.
                let part =
                    |rows: i64| (bucket % 3 == 0 && rows > 0).then(|| rows.unsigned_abs() / 2..rows.unsigned_abs());
                let mut rows: Vec<_> = files.iter().map(|file| part(file.row_count)).collect();
                if rows.iter().all(Option::is_none) {
                    rows.clear();
                }
                DataSplit {
                    snapshot_id,
                    partition,
                    bucket,
                    bucket_path,
                    total_buckets,
                    files,
                    deletions,
                    raw_convertible,
                    rows,
                }
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_split_survives(split in splits()) {
        let split = DataSplit { snapshot_id: split.snapshot_id.abs(), ..split };
        prop_assert_eq!(DataSplit::from_bytes(&split.to_bytes().unwrap()).unwrap(), split);
    }

    #[test]
    fn a_damaged_split_does_not_panic(
        split in splits(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut: prop::sample::Index,
    ) {
        let mut bytes = split.to_bytes().unwrap();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = DataSplit::from_bytes(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(DataSplit::from_bytes(&bytes).is_err());
    }
}
