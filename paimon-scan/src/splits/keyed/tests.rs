use paimon_spec::KeyComparator;
use rstest::rstest;

use super::*;
use crate::keyed::Levels;
use crate::testkit::{keyed_file, keyed_schema};

const SIZES: Sizes = Sizes { target_bytes: 1_000, open_file_cost: 100 };

fn keyed(prunes: Prunes) -> Keyed {
    Keyed {
        keys: KeyComparator::of(&keyed_schema(&[])),
        levels: Levels::All,
        compacted_keys_are_unique: false,
        prunes,
        unmerged: false,
    }
}

/// A file without deletes that may match, named by its level and its bounds.
fn file(level: i32, bounds: (i32, i32)) -> Candidate {
    let meta = keyed_file(&format!("{level}:{}-{}", bounds.0, bounds.1), level, bounds);
    Candidate { meta, may_match: true, is_certain: false }
}

fn with_deletes(level: i32, bounds: (i32, i32), deletes: Option<i64>) -> Candidate {
    let file = file(level, bounds);
    Candidate { meta: DataFileMeta { delete_row_count: deletes, ..file.meta }, ..file }
}

fn without_match(level: i32, bounds: (i32, i32)) -> Candidate {
    Candidate { may_match: false, ..file(level, bounds) }
}

/// The packs: whether they are raw, and the names of their files.
fn packed(keyed: &Keyed, files: Vec<Candidate>, sizes: Sizes) -> Vec<String> {
    let name = |pack: &Pack| {
        let names: Vec<_> = pack.files.iter().map(|file| file.meta.file_name.as_str()).collect();
        format!("{} {}", if pack.raw { "raw" } else { "merged" }, names.join(" "))
    };
    pack(keyed, files, sizes).unwrap().iter().map(name).collect()
}

#[rstest]
#[case::one_file_of_level_0(vec![file(0, (1, 9))], &["raw 0:1-9"])]
#[case::one_compacted_level(vec![file(5, (5, 9)), file(5, (1, 4))], &["raw 5:5-9 5:1-4"])]
#[case::files_that_overlap(vec![file(0, (1, 5)), file(0, (5, 9))], &["merged 0:1-5 0:5-9"])]
#[case::files_of_level_0_apart(vec![file(0, (6, 9)), file(0, (1, 5))], &["merged 0:1-5 0:6-9"])]
#[case::two_levels_apart(vec![file(5, (1, 5)), file(4, (6, 9))], &["merged 5:1-5 4:6-9"])]
#[case::deletes_on_one_level(
    vec![with_deletes(5, (1, 5), Some(1)), file(5, (6, 9))],
    &["merged 5:1-5 5:6-9"]
)]
#[case::one_file_with_deletes(vec![with_deletes(0, (1, 5), Some(1))], &["merged 0:1-5"])]
#[case::one_file_that_does_not_tell(vec![with_deletes(0, (1, 5), None)], &["merged 0:1-5"])]
#[case::a_level_that_does_not_tell(
    vec![with_deletes(5, (6, 9), None), file(5, (1, 5))],
    &["merged 5:6-9 5:1-5"]
)]
#[case::a_level_that_overlaps_all_the_same(
    vec![file(5, (1, 6)), file(5, (6, 9))],
    &["merged 5:1-6 5:6-9"]
)]
fn splits_are_raw_where_nothing_is_to_be_merged(#[case] files: Vec<Candidate>, #[case] packs: &[&str]) {
    assert_eq!(packed(&keyed(Prunes::Sections), files, SIZES), packs);
}

#[test]
fn sections_are_packed_up_to_the_target_and_never_split() {
    let files = || [(1, 2), (3, 4), (5, 180), (5, 190), (200, 600), (210, 700)].map(|bounds| file(0, bounds)).into();
    let sizes = Sizes { target_bytes: 250, open_file_cost: 1 };
    let packs = ["merged 0:1-2 0:3-4", "merged 0:5-180 0:5-190", "merged 0:200-600 0:210-700"];
    assert_eq!(packed(&keyed(Prunes::Sections), files(), sizes), packs);
    let sizes = Sizes { target_bytes: 1, open_file_cost: 1 };
    let packs = ["raw 0:1-2", "raw 0:3-4", "merged 0:5-180 0:5-190", "merged 0:200-600 0:210-700"];
    assert_eq!(packed(&keyed(Prunes::Sections), files(), sizes), packs);
}

#[rstest]
#[case::levels_overlap(vec![file(5, (1, 9)), file(4, (3, 4))], &["raw 5:1-9 4:3-4"])]
#[case::level_0_is_merged(vec![file(5, (1, 9)), file(0, (3, 4))], &["merged 5:1-9 0:3-4"])]
fn compacted_levels_are_raw_where_their_keys_are_unique(#[case] files: Vec<Candidate>, #[case] packs: &[&str]) {
    let keyed = Keyed { compacted_keys_are_unique: true, ..keyed(Prunes::Sections) };
    assert_eq!(packed(&keyed, files, SIZES), packs);
}

#[rstest]
#[case::a_lone_file(vec![without_match(0, (1, 2))], &[], &[])]
#[case::files_of_one_level(vec![without_match(5, (1, 2)), file(5, (3, 4))], &["raw 5:3-4"], &["raw 5:3-4"])]
#[case::lone_files_of_several_levels(vec![without_match(5, (1, 2)), file(0, (3, 4))], &["raw 0:3-4"], &["raw 0:3-4"])]
#[case::a_section_with_a_match(
    vec![without_match(0, (1, 2)), file(5, (1, 2))],
    &["merged 0:1-2 5:1-2"],
    &["merged 0:1-2 5:1-2"]
)]
#[case::a_section_without(
    vec![without_match(0, (1, 2)), without_match(5, (1, 2)), file(5, (3, 4))],
    &["raw 5:3-4"],
    &["merged 0:1-2 5:1-2 5:3-4"]
)]
fn conditions_on_values_leave_out_what_brings_no_older_row_back(
    #[case] files: Vec<Candidate>,
    #[case] of_whole_rows: &[&str],
    #[case] of_parts: &[&str],
) {
    let again = files.iter().map(|it| Candidate { meta: it.meta.clone(), ..*it }).collect();
    assert_eq!(packed(&keyed(Prunes::Sections), files, SIZES), of_whole_rows);
    assert_eq!(packed(&keyed(Prunes::LoneFiles), again, SIZES), of_parts);
}

#[test]
fn rows_that_are_not_to_be_merged_are_apart_from_deletes() {
    let keyed = Keyed { unmerged: true, ..keyed(Prunes::Files) };
    let files = vec![file(0, (1, 9)), with_deletes(0, (1, 9), Some(2)), file(0, (2, 3)), with_deletes(0, (1, 8), None)];
    let packs = ["raw 0:1-9 0:2-3", "merged 0:1-9", "merged 0:1-8"];
    assert_eq!(packed(&keyed, files, SIZES), packs);
}
