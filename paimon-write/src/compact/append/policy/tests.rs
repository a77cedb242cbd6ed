use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// Target 100 bytes or 1,000 rows, small below 70, opening costs 1, five files are enough, a fifth of deleted rows is too
/// many.
fn rules(full: bool) -> Rules {
    Rules {
        target_bytes: 100,
        small_bytes: 70,
        target_rows: 1_000,
        open_bytes: 1,
        min_files: 5,
        delete_ratio: 0.2,
        full,
        all_files: false,
    }
}

fn file(bytes: u64) -> Candidate {
    Candidate { bytes, rows: 10, deleted: None }
}

/// Of ten rows so many are deleted, by a vector in this index file.
fn with_deleted(bytes: u64, index_file: &str, rows: Option<u64>) -> Candidate {
    Candidate { deleted: Some(Deleted { index_file: index_file.to_owned(), rows }), ..file(bytes) }
}

fn files(bytes: &[u64]) -> Vec<Candidate> {
    bytes.iter().copied().map(file).collect()
}

#[rstest]
#[case::nothing(&[], vec![])]
#[case::too_few_small_ones(&[10, 10, 10, 10], vec![])]
#[case::enough_small_ones(&[10, 10, 10, 10, 10], vec![vec![0, 1, 2, 3, 4]])]
#[case::large_ones_stay(&[70, 200, 10, 99], vec![])]
#[case::two_that_fill_two_targets_with_a_third(&[69, 69, 69], vec![vec![0, 1, 2]])]
#[case::bins_end_when_they_are_full(&[60, 60, 60, 60, 60, 60, 60, 60, 5], vec![vec![0, 1, 2, 3, 8], vec![4, 5, 6, 7]])]
#[case::the_smallest_come_first(&[69, 69, 69, 1, 1, 1, 1], vec![vec![0, 1, 2, 3, 4, 5, 6]])]
fn small_files_without_buckets_are_packed_from_the_smallest_on(#[case] bytes: &[u64], #[case] bins: Vec<Vec<usize>>) {
    assert_eq!(rules(false).pack(&files(bytes)), bins);
}

#[rstest]
#[case::one_stays(&[10], vec![])]
#[case::two_are_joined(&[10, 10], vec![vec![0, 1]])]
#[case::large_ones_stay(&[10, 70, 10], vec![vec![0, 2]])]
fn a_full_compaction_joins_whatever_is_small(#[case] bytes: &[u64], #[case] bins: Vec<Vec<usize>>) {
    assert_eq!(rules(true).pack(&files(bytes)), bins);
}

#[rstest]
#[case::few_deleted_rows_stay(Some(2), false, false)]
#[case::many_deleted_rows_go(Some(3), false, true)]
#[case::an_unknown_number_goes(None, false, true)]
#[case::all_go_when_it_is_full(Some(1), true, true)]
fn a_large_file_with_deleted_rows_is_rewritten_alone(
    #[case] deleted: Option<u64>,
    #[case] full: bool,
    #[case] rewritten: bool,
) {
    let files = [file(500), with_deleted(500, "index-a", deleted), file(500)];
    let expected: Vec<Vec<usize>> = if rewritten { vec![vec![1]] } else { Vec::new() };
    assert_eq!(rules(full).pack(&files), expected);
    if full {
        assert_eq!(rules(full).stretches(&files), expected, "in a bucket, too");
    }
}

#[test]
fn files_whose_vectors_share_an_index_file_stay_together() {
    let files = [
        with_deleted(50, "index-b", Some(1)),
        with_deleted(190, "index-a", Some(9)),
        with_deleted(50, "index-a", Some(1)),
        file(10),
        with_deleted(50, "index-b", Some(1)),
        with_deleted(190, "index-a", Some(1)),
    ];
    // The last has too few deleted rows; the whole one is alone.
    assert_eq!(rules(false).pack(&files), [vec![0, 1, 2, 4]]);
}

#[rstest]
fn files_with_all_the_rows_that_they_may_have_stay(#[values(false, true)] full: bool) {
    let small = Candidate { rows: 999, ..file(10) };
    let filled = Candidate { rows: 1_000, ..file(10) };
    let stay = [filled.clone(), filled.clone(), filled.clone(), filled.clone(), filled, small.clone()];
    assert_eq!(rules(full).pack(&stay), Vec::<Vec<usize>>::new());
    assert_eq!(rules(full).stretches(&stay), Vec::<Vec<usize>>::new());
    assert_eq!(rules(full).pack(&vec![small; 5]), [vec![0, 1, 2, 3, 4]]);
}

#[test]
fn all_files_are_rewritten_when_that_is_forced() {
    let rules = Rules { all_files: true, ..rules(true) };
    assert_eq!(rules.pack(&files(&[500])), [vec![0]]);
    assert_eq!(rules.stretches(&files(&[500, 1, 500])), [vec![0, 1, 2]]);
}

/// Java `BucketedAppendCompactManagerTest`, but for large files at the head.
#[rstest]
#[case::nothing(&[], vec![])]
#[case::too_few(&[10, 10, 10, 10], vec![])]
#[case::enough(&[10, 10, 10, 10, 10], vec![vec![0, 1, 2, 3, 4]])]
#[case::twice_enough(&[9; 11], vec![vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8, 9]])]
#[case::too_large_together_moves_on(&[69, 69, 69, 69, 69, 69, 69], vec![])]
#[case::large_ones_between_are_taken_along(&[10, 10, 90, 10, 10], vec![vec![0, 1, 2, 3, 4]])]
#[case::a_large_one_at_the_head_stays(&[100, 10, 10, 10, 10, 10], vec![vec![1, 2, 3, 4, 5]])]
#[case::a_huge_one_ends_the_stretch(&[10, 10, 10, 500, 10, 10, 10, 10], vec![])]
#[case::after_a_huge_one_another_begins(&[10, 500, 10, 10, 10, 10, 10], vec![vec![2, 3, 4, 5, 6]])]
fn enough_neighbours_of_a_bucket_become_one_file(#[case] bytes: &[u64], #[case] stretches: Vec<Vec<usize>>) {
    assert_eq!(rules(false).stretches(&files(bytes)), stretches);
}

#[rstest]
#[case::one_stays(&[10], vec![])]
#[case::neighbours_are_joined(&[10, 10], vec![vec![0, 1]])]
#[case::large_ones_stand_between(&[10, 10, 70, 10, 200, 10, 10, 10], vec![vec![0, 1], vec![5, 6, 7]])]
fn a_full_compaction_of_a_bucket_keeps_large_files(#[case] bytes: &[u64], #[case] stretches: Vec<Vec<usize>>) {
    assert_eq!(rules(true).stretches(&files(bytes)), stretches);
}

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let deleted = prop::option::weighted(0.3, (0..4_u8, prop::option::of(0..10_u64)));
    let one = (0..260_u64, deleted).prop_map(|(bytes, deleted)| match deleted {
        None => file(bytes),
        Some((index_file, rows)) => with_deleted(bytes, &format!("index-{index_file}"), rows),
    });
    prop::collection::vec(one, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn bins_are_of_files_that_gain_and_no_index_file_is_in_two(files in candidates(), full: bool) {
        let rules = rules(full);
        let bins = rules.pack(&files);
        let mut seen = HashSet::new();
        let mut bin_of_index: HashMap<&str, usize> = HashMap::new();
        for (number, bin) in bins.iter().enumerate() {
            let deletions = bin.iter().any(|place| files[*place].deleted.is_some());
            prop_assert!(!bin.is_empty() && (bin.len() > 1 || deletions));
            for place in bin {
                prop_assert!(seen.insert(*place) && rules.gains(&files[*place]));
                if let Some(deleted) = &files[*place].deleted {
                    prop_assert_eq!(*bin_of_index.entry(&deleted.index_file).or_insert(number), number);
                }
            }
        }
        let left = (0..files.len()).filter(|place| !seen.contains(place) && rules.gains(&files[*place]));
        let left: Vec<usize> = left.collect();
        prop_assert!(left.len() < rules.fewest());
        prop_assert!(left.iter().all(|place| files[*place].deleted.is_none()));
    }

    #[test]
    fn stretches_are_of_neighbours_in_their_order(files in candidates(), full: bool) {
        let rules = rules(full);
        let stretches = rules.stretches(&files);
        let mut next = 0;
        for stretch in &stretches {
            prop_assert!(stretch[0] >= next);
            prop_assert!(stretch.windows(2).all(|pair| pair[1] == pair[0] + 1));
            prop_assert!(rules.gains(&files[stretch[0]]));
            prop_assert!(full || stretch.len() == rules.min_files);
            next = stretch[stretch.len() - 1] + 1;
        }
        if full {
            let taken: HashSet<usize> = stretches.concat().into_iter().collect();
            let deleted = (0..files.len()).filter(|place| files[*place].deleted.is_some());
            prop_assert!(deleted.into_iter().all(|place| taken.contains(&place)));
            let twice = (1..files.len()).find(|place| {
                [place - 1, *place].iter().all(|place| rules.gains(&files[*place]) && !taken.contains(place))
            });
            prop_assert_eq!(twice, None, "two neighbours were left that gain");
        }
    }
}
