//! A loser tree: the least of several heads, with one comparison for each level when one of them changes.

/// The next row of a run as a number that sorts like its key, as far as 64 bits go; then, so that earlier runs come
/// first, its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head(u128);

impl Head {
    /// Of a run that has ended: greater than all others.
    pub(crate) const END: Self = Self(u128::MAX);

    pub(crate) fn new(lead: u64, run: usize) -> Self {
        // Runs are fewer than 2^32.
        Self(u128::from(lead) << 32 | u128::from(run as u32))
    }

    /// What the key starts with.
    pub(crate) fn lead(self) -> u64 {
        (self.0 >> 32) as u64
    }

    /// Position of the run; of no meaning for [`Self::END`].
    pub(crate) fn run(self) -> usize {
        self.0 as u32 as usize
    }
}

/// The heads of runs, of which it always knows the least.
#[derive(Debug)]
pub(crate) struct LoserTree {
    /// At each inner node (from 1, the children of n being 2n and 2n+1) the greater one of the least heads below its two
    /// children.
    losers: Vec<Head>,
    winner: Head,
}

impl LoserTree {
    /// `heads[i]` is of run i. `less` is an order of heads; the same one in all calls.
    pub(crate) fn new(heads: &[Head], less: impl Fn(Head, Head) -> bool) -> Self {
        let runs = heads.len();
        let mut losers = vec![Head::END; runs];
        let mut winners = vec![Head::END; runs];
        winners.extend_from_slice(heads);
        for node in (1..runs).rev() {
            let (left, right) = (winners[2 * node], winners[2 * node + 1]);
            (winners[node], losers[node]) = if less(right, left) { (right, left) } else { (left, right) };
        }
        Self { losers, winner: winners.get(1).copied().unwrap_or(Head::END) }
    }

    /// The least head; [`Head::END`] when all runs have ended.
    #[inline]
    pub(crate) fn winner(&self) -> Head {
        self.winner
    }

    /// Puts another head in the place of the winner, of the winner's run.
    #[inline]
    pub(crate) fn replace(&mut self, run: usize, head: Head, less: impl Fn(Head, Head) -> bool) {
        let mut winner = head;
        let mut node = (run + self.losers.len()) / 2;
        while node > 0 {
            let loser = &mut self.losers[node];
            let (least, other) = if less(*loser, winner) { (*loser, winner) } else { (winner, *loser) };
            (winner, *loser) = (least, other);
            node /= 2;
        }
        self.winner = winner;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn rows_come_in_the_order_of_leads_then_of_runs(
            mut runs in prop::collection::vec(prop::collection::vec(prop_oneof![0_u64..6, Just(u64::MAX)], 0..8), 0..9),
        ) {
            runs.iter_mut().for_each(|run| run.sort_unstable());
            let numbered = runs.iter().enumerate().flat_map(|(run, leads)| leads.iter().map(move |lead| (*lead, run)));
            let mut expected: Vec<_> = numbered.collect();
            expected.sort_unstable();

            let mut next = vec![0; runs.len()];
            let head = |run: usize, row: usize| runs[run].get(row).map_or(Head::END, |lead| Head::new(*lead, run));
            let heads: Vec<_> = (0..runs.len()).map(|run| head(run, 0)).collect();
            let less = |a: Head, b: Head| a < b;
            let mut tree = LoserTree::new(&heads, less);
            let mut found = Vec::new();
            while tree.winner() != Head::END {
                let (lead, run) = (tree.winner().lead(), tree.winner().run());
                found.push((lead, run));
                next[run] += 1;
                tree.replace(run, head(run, next[run]), less);
            }
            prop_assert_eq!(found, expected);
        }
    }
}
