use paimon_spec::{BinaryRow, DataSplit, DeletionFile, ErrorKind};
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::testkit::{TestTable, data_file};
use crate::{ScanRequest, plan};

/// Splits of files of so many rows; the second file of each has a deletion vector.
fn splits(row_counts: &[Vec<i64>]) -> Vec<DataSplit> {
    let deletion = DeletionFile { path: "d".into(), offset: 1, length: 24, cardinality: Some(1) };
    let split = |(number, row_counts): (usize, &Vec<i64>)| {
        let files: Vec<_> =
            row_counts.iter().enumerate().map(|(place, rows)| data_file(&format!("{number}-{place}"), *rows)).collect();
        let deletions = if files.len() > 1 {
            (0..files.len()).map(|place| (place == 1).then(|| deletion.clone())).collect()
        } else {
            Vec::new()
        };
        DataSplit {
            snapshot_id: 1,
            partition: BinaryRow::empty(),
            bucket: 0,
            bucket_path: "bucket-0".into(),
            total_buckets: Some(-1),
            files,
            deletions,
            raw_convertible: true,
            rows: Vec::new(),
        }
    };
    row_counts.iter().enumerate().map(split).collect()
}

/// The rows that splits give, as file names and positions, when deletions are not looked at.
fn rows(splits: &[DataSplit]) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for split in splits {
        for (place, file) in split.files.iter().enumerate() {
            let whole = 0..file.row_count as u64;
            let range = split.rows.get(place).cloned().flatten().unwrap_or(whole);
            found.extend(range.map(|row| (file.file_name.clone(), row)));
        }
    }
    found
}

// Numbers of pypaimon 2.1.0's `shard_range`.
#[rstest]
#[case(10, 0, 3, 0..4)]
#[case(10, 1, 3, 4..7)]
#[case(10, 2, 3, 7..10)]
#[case(2, 2, 3, 2..2)]
#[case(0, 0, 1, 0..0)]
#[case(u64::MAX, 0, 1, 0..u64::MAX)]
fn shards_differ_by_one_row_at_most(
    #[case] rows: u64,
    #[case] index: u32,
    #[case] total: u32,
    #[case] expected: Range<u64>,
) {
    assert_eq!(Slice::Shard { index, total }.positions(rows).unwrap(), expected);
}

#[test]
fn files_are_cut_where_a_slice_starts_and_ends() {
    let cut = Slice::Rows { start: 3, end: 9 }.cut(splits(&[vec![2], vec![4, 2, 5]]), false).unwrap();
    assert_eq!(cut.len(), 1);
    let names: Vec<_> = cut[0].files.iter().map(|file| file.file_name.as_str()).collect();
    assert_eq!(names, ["1-0", "1-1", "1-2"]);
    assert_eq!(cut[0].rows, [Some(1..4), None, Some(0..1)]);
    assert_eq!(cut[0].deletions.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!((cut[0].row_count(), cut[0].merged_row_count()), (6, Some(5)));
    // A part of a file with deletions: only reading tells how many are in it.
    let cut = Slice::Rows { start: 7, end: 8 }.cut(splits(&[vec![2], vec![4, 2, 5]]), false).unwrap();
    assert_eq!((cut[0].row_count(), cut[0].merged_row_count()), (1, None));
}

#[rstest]
#[case::before_it(0..2, &["0-0"])]
#[case::with_its_first_row(1..3, &["0-0", "1-0", "1-1"])]
#[case::with_its_last_row(6..8, &["2-0"])]
fn splits_that_are_merged_are_where_their_first_row_is(#[case] rows: Range<u64>, #[case] expected: &[&str]) {
    let mut splits = splits(&[vec![2], vec![1, 4], vec![1]]);
    splits[1].raw_convertible = false;
    let cut = Slice::Rows { start: rows.start, end: rows.end }.cut(splits, false).unwrap();
    let names: Vec<_> = cut.iter().flat_map(|split| &split.files).map(|file| file.file_name.as_str()).collect();
    assert_eq!(names, expected);
    assert!(cut.iter().all(|split| split.raw_convertible || split.rows.is_empty()));
}

#[test]
fn whole_files_are_not_marked() {
    let cut = Slice::Rows { start: 2, end: 99 }.cut(splits(&[vec![2], vec![4]]), false).unwrap();
    assert_eq!(cut, splits(&[vec![2], vec![4]])[1..]);
}

#[rstest]
#[case(Slice::Shard { index: 0, total: 0 }, "number_of_para_subtasks must be a positive integer")]
#[case(Slice::Shard { index: 3, total: 3 }, "idx_of_this_subtask must be less than number_of_para_subtasks")]
#[case(Slice::Rows { start: 3, end: 3 }, "start_pos must be non-negative and less than end_pos")]
fn slices_that_cannot_be_are_refused(#[case] slice: Slice, #[case] message: &str) {
    let error = slice.cut(splits(&[vec![10]]), false).unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, message));
}

#[test]
fn a_negative_number_of_rows_is_corrupt() {
    let error = Slice::Shard { index: 0, total: 1 }.cut(splits(&[vec![-1]]), false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}

#[tokio::test]
async fn a_plan_gives_its_slice_whatever_the_limit() {
    let mut table = TestTable::create(&[], &[]).await;
    for name in ["a", "b", "c"] {
        let entry = table.add(&[], data_file(name, 10));
        table.commit(&[vec![entry]]).await;
    }
    let mut found = Vec::new();
    for index in 0..4 {
        let slice = Some(Slice::Shard { index, total: 4 });
        let plan = plan(&table.store, &ScanRequest { slice, limit: Some(1), ..ScanRequest::default() }).await.unwrap();
        found.extend(rows(&plan.splits));
    }
    let whole = plan(&table.store, &ScanRequest::default()).await.unwrap();
    assert_eq!(found, rows(&whole.splits));
    assert_eq!(found.len(), 30);
}

proptest! {
    #[test]
    fn shards_are_disjoint_complete_and_in_order(
        row_counts in prop::collection::vec(prop::collection::vec(0..9_i64, 1..4), 0..5),
        total in 1..7_u32,
    ) {
        let whole = splits(&row_counts);
        let mut found = Vec::new();
        let mut sizes = Vec::new();
        for index in 0..total {
            let shard = Slice::Shard { index, total }.cut(whole.clone(), false).unwrap();
            for split in &shard {
                prop_assert!(split.rows.is_empty() || split.rows.len() == split.files.len());
                prop_assert!(split.deletions.is_empty() || split.deletions.len() == split.files.len());
                prop_assert_eq!(&DataSplit::from_bytes(&split.to_bytes().unwrap()).unwrap(), split);
            }
            sizes.push(rows(&shard).len());
            found.extend(rows(&shard));
        }
        prop_assert_eq!(&found, &rows(&whole));
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
    }
}
