use proptest::prelude::*;
use rstest::rstest;

use super::*;

/// Row groups as text: row ids, the bytes of files, and the layout, which is `-` for what has to stay.
fn groups(text: &str) -> Vec<Candidate<char>> {
    let group = |group: &str| {
        let mut parts = group.split_whitespace();
        let (first, end) = parts.next().unwrap().split_once("..").unwrap();
        let files = parts.next().unwrap().split(',').map(|bytes| bytes.parse().unwrap()).collect();
        let layout = parts.next().unwrap().chars().next().filter(|layout| *layout != '-');
        Candidate { rows: first.parse().unwrap()..end.parse().unwrap(), files, layout }
    };
    text.split('|').map(group).collect()
}

#[rstest]
#[case::too_few(3, "0..5 10 a | 5..9 10 a", &[])]
#[case::enough(2, "0..5 10 a | 5..9 10 a", &[(0, 2)])]
#[case::all_files_of_a_group_count(3, "0..5 10,1 a | 5..9 10 a", &[(0, 2)])]
#[case::a_group_alone(3, "0..5 10,1,1 a", &[(0, 1)])]
#[case::not_beside_one_another(2, "0..5 10 a | 6..9 10 a", &[])]
#[case::ends_at_a_gap(2, "0..5 1 a | 5..6 1 a | 7..8 1 a | 8..9 1 a", &[(0, 2), (2, 4)])]
#[case::ends_when_it_is_large(2, "0..1 60 a | 1..2 60 a | 2..3 60 a | 3..4 60 a", &[(0, 2), (2, 4)])]
#[case::not_yet_at_the_target(2, "0..1 50 a | 1..2 50 a | 2..3 50 a", &[(0, 3)])]
#[case::a_large_file_stays(2, "0..1 50 a | 1..2 101 a | 2..3 50 a", &[])]
#[case::a_large_group_is_folded_alone(2, "0..1 50 a | 1..2 90,20 a | 2..3 50 a | 3..4 1 a", &[(1, 2), (2, 4)])]
#[case::small_files_count_as_more(2, "0..1 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1 a | 1..2 1 a | 2..3 1 a", &[(0, 1), (1, 3)])]
#[case::other_layouts_stay_apart(2, "0..1 1,1 a | 1..2 1 b | 2..3 1 b | 3..4 1 a", &[(0, 1), (1, 3)])]
#[case::what_has_to_stay_stays(2, "0..1 1 a | 1..2 1,1 - | 2..3 1 a", &[])]
#[case::everything_again(1, "0..1 500 a | 1..2 1 a", &[(0, 1), (1, 2)])]
#[case::as_many_rows_as_positions(2, "0..2147483646 1 a | 2147483646..2147483647 1 a", &[(0, 2)])]
#[case::more_rows_than_positions(1, "0..2147483647 1 a | 2147483647..2147483648 1 a", &[(0, 1), (1, 2)])]
fn neighbours_become_one(#[case] fewest: usize, #[case] given: &str, #[case] expected: &[(usize, usize)]) {
    let rules = Rules { target_bytes: 100, open_bytes: 4, fewest };
    let found = rules.stretches(&groups(given));
    assert_eq!(found.iter().map(|stretch| (stretch.start, stretch.end)).collect::<Vec<_>>(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn stretches_are_worth_it_and_join_what_may_be_joined(
        given in prop::collection::vec(
            (1..4_i64, prop::bool::weighted(0.2), prop::collection::vec(0..120_u64, 1..4), prop::option::weighted(0.9, 0..2_u8)),
            0..12,
        ),
        fewest in 1..5_usize,
    ) {
        let mut next = 0;
        let candidates: Vec<_> = given
            .into_iter()
            .map(|(rows, gap, files, layout)| {
                let first = next + i64::from(gap);
                next = first + rows;
                Candidate { rows: first..next, files, layout }
            })
            .collect();
        let rules = Rules { target_bytes: 100, open_bytes: 4, fewest };
        let found = rules.stretches(&candidates);
        prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
        for stretch in &found {
            let groups = &candidates[stretch.clone()];
            prop_assert!(groups.iter().map(|group| group.files.len()).sum::<usize>() >= fewest);
            prop_assert!(groups.iter().all(|group| group.layout.is_some() && group.layout == groups[0].layout));
            prop_assert!(groups.windows(2).all(|pair| pair[0].rows.end == pair[1].rows.start));
            // One group less would not have been enough.
            let all_but_last: u64 = groups[..groups.len() - 1].iter().map(|group| rules.weight(group)).sum();
            prop_assert!(all_but_last <= rules.target_bytes);
        }
        // What is left next to each other is so for a reason.
        let is_free = |place: usize| !found.iter().any(|stretch| stretch.contains(&place));
        for (place, pair) in candidates.windows(2).enumerate() {
            let small = |group: &Candidate<u8>| rules.weight(group) <= rules.target_bytes;
            let fits = pair[0].rows.end == pair[1].rows.start && pair[0].layout.is_some() && pair[0].layout == pair[1].layout;
            if fewest <= 2 && is_free(place) && is_free(place + 1) {
                prop_assert!(!(fits && small(&pair[0]) && small(&pair[1])));
            }
        }
    }
}
