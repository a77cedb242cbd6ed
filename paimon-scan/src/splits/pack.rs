//! Filling packs in order.

use paimon_spec::DataFileMeta;

/// How large splits are to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) target_bytes: u64,
    /// A file, or what is read as one, weighs at least so much.
    pub(crate) open_file_cost: u64,
}

impl Sizes {
    /// Packs in order (Java `BinPacking.packForOrdered`): a pack is closed when the next item would take it over the
    /// target.
    pub(super) fn pack<T>(self, items: Vec<T>, bytes: impl Fn(&T) -> u64) -> Vec<Vec<T>> {
        let mut packs = Vec::new();
        let mut pack = Vec::new();
        let mut pack_bytes = 0u64;
        for item in items {
            let weight = bytes(&item).max(self.open_file_cost);
            if !pack.is_empty() && pack_bytes.saturating_add(weight) > self.target_bytes {
                packs.push(std::mem::take(&mut pack));
                pack_bytes = 0;
            }
            pack_bytes = pack_bytes.saturating_add(weight);
            pack.push(item);
        }
        if !pack.is_empty() {
            packs.push(pack);
        }
        packs
    }
}

/// The size of a file; nothing where it makes no sense.
pub(super) fn bytes_of(file: &DataFileMeta) -> u64 {
    u64::try_from(file.file_size).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::tiny_files_share_a_split(&[1, 1, 1], 10, 2, &[3])]
    #[case::opening_a_file_has_its_cost(&[1, 1, 1], 10, 4, &[2, 1])]
    #[case::a_large_file_stands_alone(&[1, 50, 1], 10, 1, &[1, 1, 1])]
    #[case::the_target_itself_fits(&[5, 5, 1], 10, 1, &[2, 1])]
    #[case::nothing_gives_nothing(&[], 10, 1, &[])]
    fn packs_are_filled_up_to_the_target(
        #[case] sizes: &[u64],
        #[case] target_bytes: u64,
        #[case] open_file_cost: u64,
        #[case] expected: &[usize],
    ) {
        let packs = Sizes { target_bytes, open_file_cost }.pack(sizes.to_vec(), |size| *size);
        assert_eq!(packs.iter().map(Vec::len).collect::<Vec<_>>(), expected);
    }

    proptest! {
        #[test]
        fn no_item_is_lost_and_no_two_neighbouring_packs_would_fit_in_one(
            items in proptest::collection::vec(0u64..40, 0..20),
            open_file_cost in 0u64..10,
        ) {
            let packs = Sizes { target_bytes: 32, open_file_cost }.pack(items.clone(), |size| *size);
            prop_assert_eq!(packs.concat(), items);
            let weight = |size: &u64| (*size).max(open_file_cost);
            for pack in &packs {
                prop_assert!(pack.len() == 1 || pack.iter().map(weight).sum::<u64>() <= 32);
            }
            for (pack, next) in packs.iter().zip(packs.iter().skip(1)) {
                prop_assert!(pack.iter().map(weight).sum::<u64>() + weight(&next[0]) > 32);
            }
        }
    }
}
