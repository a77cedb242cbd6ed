//! Splits of append tables.

use paimon_spec::DataFileMeta;

/// Packs files in the order of their sequence numbers (Java `AppendOnlySplitGenerator`, `BinPacking.packForOrdered`):
/// a pack is closed when the next file would take it over `target_bytes`.
pub(super) fn pack(mut files: Vec<DataFileMeta>, target_bytes: u64, open_file_cost: u64) -> Vec<Vec<DataFileMeta>> {
    files.sort_by_key(|file| file.min_sequence_number);
    let mut packs = Vec::new();
    let mut pack: Vec<DataFileMeta> = Vec::new();
    let mut pack_bytes = 0u64;
    for file in files {
        let weight = u64::try_from(file.file_size).unwrap_or(0).max(open_file_cost);
        if !pack.is_empty() && pack_bytes.saturating_add(weight) > target_bytes {
            packs.push(std::mem::take(&mut pack));
            pack_bytes = 0;
        }
        pack_bytes = pack_bytes.saturating_add(weight);
        pack.push(file);
    }
    if !pack.is_empty() {
        packs.push(pack);
    }
    packs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;
    use crate::testkit::data_file;

    fn file(name: usize, file_size: i64, min_sequence_number: i64) -> DataFileMeta {
        DataFileMeta { file_size, min_sequence_number, ..data_file(&name.to_string(), 1) }
    }

    fn names(packs: &[Vec<DataFileMeta>]) -> Vec<Vec<&str>> {
        packs.iter().map(|pack| pack.iter().map(|file| file.file_name.as_str()).collect()).collect()
    }

    #[rstest]
    #[case::tiny_files_share_a_split(&[1, 1, 1], 10, 2, vec![vec!["0", "1", "2"]])]
    #[case::opening_a_file_has_its_cost(&[1, 1, 1], 10, 4, vec![vec!["0", "1"], vec!["2"]])]
    #[case::a_large_file_stands_alone(&[1, 50, 1], 10, 1, vec![vec!["0"], vec!["1"], vec!["2"]])]
    #[case::the_target_itself_fits(&[5, 5, 1], 10, 1, vec![vec!["0", "1"], vec!["2"]])]
    #[case::nothing_gives_nothing(&[], 10, 1, vec![])]
    fn files_are_packed_up_to_the_target(
        #[case] sizes: &[i64],
        #[case] target: u64,
        #[case] open_file_cost: u64,
        #[case] expected: Vec<Vec<&str>>,
    ) {
        let files = sizes.iter().enumerate().map(|(name, size)| file(name, *size, 0)).collect();
        assert_eq!(names(&pack(files, target, open_file_cost)), expected);
    }

    #[test]
    fn files_come_in_the_order_of_their_sequence_numbers() {
        let files = vec![file(0, 1, 30), file(1, 1, 10), file(2, 1, 20)];
        assert_eq!(names(&pack(files, 100, 1)), [["1", "2", "0"]]);
    }

    proptest! {
        #[test]
        fn no_file_is_lost_and_no_two_neighbouring_packs_would_fit_in_one(
            sizes in proptest::collection::vec(0i64..40, 0..20),
            open_file_cost in 0u64..10,
        ) {
            let files: Vec<_> = sizes.iter().enumerate().map(|(name, size)| file(name, *size, name as i64)).collect();
            let packs = pack(files.clone(), 32, open_file_cost);
            prop_assert_eq!(packs.concat(), files);
            let weight = |file: &DataFileMeta| (file.file_size as u64).max(open_file_cost);
            for pack in &packs {
                prop_assert!(pack.len() == 1 || pack.iter().map(weight).sum::<u64>() <= 32);
            }
            for (pack, next) in packs.iter().zip(packs.iter().skip(1)) {
                prop_assert!(pack.iter().map(weight).sum::<u64>() + weight(&next[0]) > 32);
            }
        }
    }
}
