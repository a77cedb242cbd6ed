use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::testing::data_file;
use paimon_spec::DataFileMeta;

fn run(level: i32, bytes: u64) -> Run {
    let file = DataFileMeta { level, file_size: bytes as i64, ..data_file("f") };
    Run { level, bytes, files: vec![file] }
}

fn levels(runs: &[(i32, u64)], last_level: i32) -> Levels {
    Levels { runs: runs.iter().map(|(level, bytes)| run(*level, *bytes)).collect(), last_level }
}

fn policy(size_amplification_percent: u64, size_ratio_percent: u64, trigger: usize) -> Policy {
    let early = Early::default();
    Policy { size_amplification_percent, size_ratio_percent, trigger, early, level_zero_from: None }
}

fn options(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Java: `UniversalCompactionTest.testOutputLevel`.
#[rstest]
#[case(1, 3, 1)]
#[case(2, 3, 1)]
#[case(3, 3, 2)]
#[case(4, 4, 3)]
#[case(5, 5, 5)]
fn what_is_merged_goes_below_the_next_run(#[case] picked: usize, #[case] runs: usize, #[case] output_level: i32) {
    let levels = levels(&[(0, 1), (0, 1), (1, 1), (3, 1), (4, 1)], 5);
    let view = View { runs: &levels.runs, last_level: 5 };
    assert_eq!(view.first(picked), Some(Pick { runs, output_level }));
}

/// Java: `UniversalCompactionTest`: `testPick`, `testNoOutputLevel0`, `testFileNumCompactionConsidersLevel2`,
/// `testExtremeCaseNoOutputLevel0`.
#[rstest]
#[case::all_because_of_size_amplification(policy(25, 1, 3), 2, &[(0, 1), (0, 2), (0, 3), (0, 3)], Some((4, 2)))]
#[case::by_size_ratio(policy(25, 1, 3), 3, &[(0, 1), (1, 1), (2, 1), (3, 50)], Some((3, 2)))]
#[case::by_number(policy(25, 1, 3), 3, &[(0, 1), (1, 2), (2, 3), (3, 50)], Some((3, 2)))]
#[case::never_to_level_0(policy(25, 1, 3), 2, &[(0, 1), (0, 1), (1, 1), (2, 50)], Some((3, 1)))]
#[case::never_to_level_0_by_number(policy(25, 1, 3), 2, &[(0, 1), (0, 2), (1, 3), (2, 50)], Some((3, 1)))]
#[case::by_number_and_then_by_ratio(policy(200, 1, 3), 2, &[(0, 10), (0, 20), (1, 97), (2, 100)], Some((4, 2)))]
#[case::no_level_but_the_last(
    policy(200, 1, 5), 5, &[(0, 1), (0, 1), (0, 1), (0, 1024), (0, 1024 * 1024)], Some((5, 5))
)]
#[case::too_few(policy(25, 1, 3), 3, &[(0, 1), (0, 1)], None)]
#[case::nothing(policy(25, 1, 1), 3, &[], None)]
fn runs_are_picked_as_java_picks_them(
    #[case] policy: Policy,
    #[case] last_level: i32,
    #[case] runs: &[(i32, u64)],
    #[case] expected: Option<(usize, i32)>,
) {
    let expected = expected.map(|(runs, output_level)| Pick { runs, output_level });
    assert_eq!(policy.pick(&levels(runs, last_level), 0), expected);
}

/// Java: `UniversalCompactionTest.testSizeAmplification`: a run of size 1 arrives, and what is due is merged.
#[test]
fn the_newer_runs_stay_small_beside_the_oldest() {
    let policy = policy(25, 0, 1);
    let expected: [&[u64]; 18] = [
        &[2],
        &[3],
        &[4],
        &[1, 4],
        &[6],
        &[1, 6],
        &[8],
        &[1, 8],
        &[1, 1, 8],
        &[11],
        &[1, 11],
        &[1, 1, 11],
        &[14],
        &[1, 14],
        &[1, 1, 14],
        &[1, 1, 1, 14],
        &[18],
        &[1, 18],
    ];
    let mut sizes = vec![1];
    for (step, expected) in expected.into_iter().enumerate() {
        sizes.insert(0, 1);
        let runs: Vec<Run> = sizes.iter().map(|bytes| run(0, *bytes)).collect();
        if policy.amplifies(View { runs: &runs, last_level: 3 }) {
            sizes = vec![sizes.iter().sum()];
        }
        assert_eq!(sizes, expected, "step {step}");
    }
}

/// Java: `UniversalCompactionTest.testSizeRatio`: the same by size ratio alone, with a run on each level.
#[test]
fn runs_of_about_one_size_are_merged() {
    let policy = policy(25, 1, 5);
    let expected: [&[u64]; 23] = [
        &[5],
        &[1, 5],
        &[1, 1, 5],
        &[1, 1, 1, 5],
        &[4, 5],
        &[1, 4, 5],
        &[1, 1, 4, 5],
        &[3, 4, 5],
        &[1, 3, 4, 5],
        &[2, 3, 4, 5],
        &[1, 2, 3, 4, 5],
        &[16],
        &[1, 16],
        &[1, 1, 16],
        &[1, 1, 1, 16],
        &[4, 16],
        &[1, 4, 16],
        &[1, 1, 4, 16],
        &[3, 4, 16],
        &[1, 3, 4, 16],
        &[2, 3, 4, 16],
        &[1, 2, 3, 4, 16],
        &[11, 16],
    ];
    let mut sizes = vec![1, 1, 1, 1];
    for (step, expected) in expected.into_iter().enumerate() {
        sizes.insert(0, 1);
        let runs: Vec<Run> = (0..).zip(&sizes).map(|(level, bytes)| run(level, *bytes)).collect();
        let view = View { runs: &runs, last_level: sizes.len() as i32 };
        let pick = if sizes.len() >= policy.trigger { policy.pick_by_ratio(view, 1, false) } else { None };
        if let Some(Pick { runs, .. }) = pick {
            let merged: u64 = sizes.drain(..runs).sum();
            sizes.insert(0, merged);
        }
        assert_eq!(sizes, expected, "step {step}");
    }
}

/// Java: `UniversalCompactionTest.testSizeRatioThreshold`.
#[rstest]
#[case::small(10, None)]
#[case::large(20, Some(3))]
fn the_size_ratio_says_what_is_about_one_size(#[case] percent: u64, #[case] expected: Option<usize>) {
    let levels = levels(&[(0, 8), (1, 9), (2, 10)], 3);
    let view = View { runs: &levels.runs, last_level: 3 };
    assert_eq!(policy(25, percent, 2).pick_by_ratio(view, 1, false).map(|pick| pick.runs), expected);
}

/// Java: `UniversalCompactionTest.testLookup`, `ForceUpLevel0CompactionTest`.
#[rstest]
#[case::to_the_last_level(policy(25, 1, 3), &[(0, 1), (0, 2), (0, 2), (0, 2)], Some((4, 2)))]
#[case::by_ratio(policy(25, 1, 3), &[(0, 1), (1, 2), (2, 2)], Some((3, 2)))]
#[case::to_an_empty_level(policy(25, 1, 3), &[(0, 1), (2, 2)], Some((1, 1)))]
#[case::without_other_levels(policy(200, 1, 5), &[(0, 1), (0, 1)], Some((2, 2)))]
#[case::level_1_is_swallowed(policy(200, 1, 5), &[(0, 1), (1, 10)], Some((2, 2)))]
#[case::the_last_is_too_large(policy(200, 1, 5), &[(0, 1), (0, 5), (2, 10)], Some((2, 1)))]
#[case::no_level_0(policy(200, 1, 5), &[(2, 10)], None)]
#[case::four(policy(200, 1, 5), &[(0, 1), (0, 5), (0, 10), (0, 20)], Some((4, 2)))]
#[case::level_2_by_ratio(policy(200, 1, 5), &[(0, 1), (1, 99), (2, 100)], Some((3, 2)))]
#[case::level_2_is_too_large(policy(200, 1, 5), &[(0, 1), (1, 99), (2, 102)], Some((2, 1)))]
fn level_0_goes_up(#[case] policy: Policy, #[case] runs: &[(i32, u64)], #[case] expected: Option<(usize, i32)>) {
    let expected = expected.map(|(runs, output_level)| Pick { runs, output_level });
    assert_eq!(policy.with_level_zero_from(1).pick(&levels(runs, 2), 0), expected);
}

#[test]
fn level_0_waits_until_it_has_as_many_files_as_asked_for() {
    let policy = policy(25, 1, 5).with_level_zero_from(3);
    assert_eq!(policy.pick(&levels(&[(0, 1), (0, 1), (2, 100)], 5), 0), None);
    let due = policy.pick(&levels(&[(0, 1), (0, 1), (0, 1), (2, 100)], 5), 0);
    assert_eq!(due, Some(Pick { runs: 3, output_level: 1 }));
}

/// Java: `UniversalCompactionTest`: `testOptimizedCompactionInterval`, `testTotalSizeThreshold`.
#[rstest]
#[case::never_compacted(Early { interval_millis: Some(1000), ..Early::default() }, None, true)]
#[case::long_ago(Early { interval_millis: Some(1000), ..Early::default() }, Some(8999), true)]
#[case::a_moment_ago(Early { interval_millis: Some(1000), ..Early::default() }, Some(9000), false)]
#[case::small(Early { total_bytes: Some(10), ..Early::default() }, None, true)]
#[case::not_small(Early { total_bytes: Some(9), ..Early::default() }, None, false)]
#[case::much_is_new(Early { incremental_bytes: Some(3), ..Early::default() }, None, true)]
#[case::little_is_new(Early { incremental_bytes: Some(4), ..Early::default() }, None, false)]
fn a_full_compaction_may_come_early(#[case] early: Early, #[case] last_full: Option<i64>, #[case] due: bool) {
    let mut levels = levels(&[(0, 1), (1, 3), (2, 5)], 2);
    levels.runs[2].files[0].creation_time_millis = last_full;
    let policy = Policy { early, ..policy(100, 1, 4) };
    let expected = due.then_some(Pick { runs: 3, output_level: 2 });
    assert_eq!(policy.pick(&levels, 10_000), expected);
    let one_run = Levels { runs: vec![run(2, 1)], last_level: 2 };
    assert_eq!(policy.pick(&one_run, 10_000), None);
}

#[test]
fn options_say_when_runs_are_merged() {
    let map = options(&[
        ("num-sorted-run.compaction-trigger", "2"),
        ("compaction.force-up-level-0", "true"),
        ("compaction.size-ratio", "7"),
    ]);
    let policy = Policy::of(TableOptions::new(&map)).unwrap();
    assert_eq!((policy.trigger, policy.level_zero_from, policy.size_ratio_percent), (2, Some(1), 7));
    assert_eq!(policy.size_amplification_percent, 200);
}

fn buckets() -> impl Strategy<Value = Vec<(i32, u64)>> {
    let level_zero = prop::collection::vec((Just(0), 0..2_000_u64), 0..12);
    let above = prop::collection::btree_map(1..6_i32, 0..200_000_u64, 0..5);
    (level_zero, above).prop_map(|(zero, above)| zero.into_iter().chain(above).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_pick_leaves_levels_in_order(
        runs in buckets(), amplification in 1..400_u64, ratio in 0..50_u64, trigger in 1..8_usize, force: bool,
    ) {
        let mut policy = policy(amplification, ratio, trigger);
        if force {
            policy = policy.with_level_zero_from(1);
        }
        let bucket = levels(&runs, 5);
        let Some(pick) = policy.pick(&bucket, 0) else {
            prop_assert!(!force || runs.iter().all(|(level, _)| *level > 0), "level 0 stays: {runs:?}");
            // So many runs never wait: all that may stay are those that the trigger allows.
            prop_assert!(runs.len() <= trigger.max(1), "{} runs stay", runs.len());
            return Ok(());
        };
        prop_assert!(pick.runs >= 1 && pick.runs <= runs.len());
        prop_assert!((1..=5).contains(&pick.output_level));
        let (picked, rest) = runs.split_at(pick.runs);
        // What is written is as deep as all that is picked, and above all that stays.
        prop_assert!(picked.iter().all(|(level, _)| *level <= pick.output_level));
        prop_assert!(rest.iter().all(|(level, _)| *level > pick.output_level));
        prop_assert_eq!(rest.is_empty(), pick.output_level == 5);
        if force {
            prop_assert!(rest.iter().all(|(level, _)| *level > 0));
        }
    }

    #[test]
    fn a_bucket_that_is_compacted_as_it_grows_keeps_few_runs(sizes in prop::collection::vec(1..1_000_u64, 1..120)) {
        let policy = policy(200, 1, 5);
        let mut runs: Vec<(i32, u64)> = Vec::new();
        for bytes in sizes {
            runs.insert(0, (0, bytes));
            if let Some(pick) = policy.pick(&levels(&runs, 5), 0) {
                let merged = runs.drain(..pick.runs).map(|(_, bytes)| bytes).sum();
                runs.insert(0, (pick.output_level, merged));
            }
            prop_assert!(runs.len() <= 5, "{runs:?}");
        }
    }
}
