//! Files of a bucket by age and by keys: which of them are read one after the other, and which are merged.

use paimon_spec::SortedRun;

use crate::{chunk::Ties, opening::SplitFile};

/// Gives each file its place by age, which decides where sequence numbers are equal: so the same row of a key wins
/// whatever else is read. (Java leaves it to the order of its runs.)
///
/// Gives the ranks that they had before, in the new order.
pub(crate) fn rank_by_age(files: &mut [SplitFile]) -> Vec<usize> {
    files.sort_by(|a, b| {
        let (a, b) = (&a.file, &b.file);
        (b.level.cmp(&a.level))
            .then(a.max_sequence_number.cmp(&b.max_sequence_number))
            .then(a.creation_time_millis.cmp(&b.creation_time_millis))
            .then_with(|| a.file_name.cmp(&b.file_name))
    });
    files.iter_mut().enumerate().map(|(rank, file)| std::mem::replace(&mut file.rank, rank)).collect()
}

/// What is read the same way.
pub(crate) enum Stretch {
    /// Files whose keys ascend from one to the next.
    Plain(Vec<SplitFile>),
    /// Runs that overlap.
    Merged(Vec<Vec<SplitFile>>),
}

/// Neighbouring sections of one run are read as one run. Sections of several runs are too: run after run, as keys ascend
/// from section to section.
pub(crate) fn stretches(sections: Vec<Vec<SortedRun<SplitFile>>>) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    for mut section in sections {
        // Older runs first, so that rows of a key mostly come in their order.
        section.sort_by_key(|run| run.files.iter().map(|file| file.rank).max());
        let mut runs: Vec<_> = section.into_iter().map(|run| run.files).collect();
        match (stretches.last_mut(), runs.len()) {
            (_, 0) => {}
            (Some(Stretch::Plain(files)), 1) => files.extend(runs.into_iter().flatten()),
            (_, 1) => stretches.push(Stretch::Plain(runs.into_iter().flatten().collect())),
            (Some(Stretch::Merged(before)), count) => {
                before.resize_with(before.len().max(count), Vec::new);
                before.iter_mut().zip(runs.drain(..)).for_each(|(before, run)| before.extend(run));
            }
            _ => stretches.push(Stretch::Merged(runs)),
        }
    }
    stretches
}

/// What sequence numbers in the metadata of files say of their rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ages {
    /// Files as a whole are older or newer.
    pub(crate) are_apart: bool,
    /// How rows of a key stand in the order of runs.
    pub(crate) ties: Ties,
}

impl Ages {
    /// Of runs that are going to be merged in this order.
    pub(crate) fn of(runs: &[Vec<SplitFile>]) -> Self {
        let are_apart = sequences_are_disjoint(runs.iter().flatten());
        let ties = if are_apart && sequences_ascend(runs) { Ties::Settled } else { Ties::RetractFirst };
        Self { are_apart, ties }
    }
}

/// Whether no row of a file has a sequence number between those of another file, so that files as a whole are older or
/// newer. A key stands once in a file.
fn sequences_are_disjoint<'a>(files: impl Iterator<Item = &'a SplitFile>) -> bool {
    let mut ranges: Vec<_> = files.map(|file| (file.file.min_sequence_number, file.file.max_sequence_number)).collect();
    ranges.sort_unstable();
    ranges.windows(2).all(|pair| pair[0].1 < pair[1].0) && ranges.iter().all(|(min, max)| min <= max)
}

/// Whether all rows of a run are newer than those of the run before it, where files as a whole are older or newer.
fn sequences_ascend(runs: &[Vec<SplitFile>]) -> bool {
    let last = |run: &Vec<SplitFile>| run.iter().map(|file| file.file.max_sequence_number).max();
    let first = |run: &Vec<SplitFile>| run.iter().map(|file| file.file.min_sequence_number).min();
    runs.windows(2).all(|pair| last(&pair[0]) < first(&pair[1]))
}
