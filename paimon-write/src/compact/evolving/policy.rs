//! Which row groups become one (Java `DataEvolutionCompactCoordinator.CompactPlanner`).

#[cfg(test)]
mod tests;

use std::ops::Range;

use paimon_spec::{Result, TableOptions};

/// Rows of one file, at most: positions in deletion vectors have 31 bits.
const MOST_ROWS: i64 = i32::MAX as i64;

/// A row group.
#[derive(Debug, Clone)]
pub(super) struct Candidate<L> {
    /// The ids of its rows.
    pub(super) rows: Range<i64>,
    /// The bytes of each of its data files.
    pub(super) files: Vec<u64>,
    /// Groups become one only with their like; `None`: it stays as it is.
    pub(super) layout: Option<L>,
}

/// What makes row groups worth rewriting.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Bytes of a file, about.
    target_bytes: u64,
    /// A file counts for so many bytes, at least.
    open_bytes: u64,
    /// So many files are worth becoming one.
    fewest: usize,
}

impl Rules {
    /// `full`: as few files as possible are left, however few become one.
    pub(super) fn of(options: &TableOptions<'_>, full: bool) -> Result<Self> {
        let all_files = full && options.compaction_force_rewrite_all_files()?;
        Ok(Self {
            target_bytes: options.target_file_bytes(false)?,
            open_bytes: if full { 0 } else { options.split_open_file_cost_bytes()? },
            fewest: match (all_files, full) {
                (true, _) => 1,
                (false, true) => 2,
                // One file alone would be rewritten again and again.
                (false, false) => options.compaction_min_files()?.max(2),
            },
        })
    }

    /// Stretches of neighbours among the row groups of one partition, in the order of their rows, by their places: each is
    /// to become one file.
    ///
    /// A stretch ends where row ids are missing or the layout is another one, and when it has more than the target's
    /// bytes; a group that has so many for itself is one alone.
    pub(super) fn stretches<L: PartialEq>(&self, groups: &[Candidate<L>]) -> Vec<Range<usize>> {
        let mut stretches = Vec::new();
        let mut open: Option<(Range<usize>, u64)> = None;
        for (place, group) in groups.iter().enumerate() {
            let bytes = self.weight(group);
            let joins = |stretch: &Range<usize>| {
                let (first, last) = (groups.get(stretch.start), groups.get(place.wrapping_sub(1)));
                first.zip(last).is_some_and(|(first, last)| {
                    last.rows.end == group.rows.start
                        && last.layout == group.layout
                        && group.rows.end - first.rows.start <= MOST_ROWS
                })
            };
            let is_large = bytes > self.target_bytes;
            if open.as_ref().is_some_and(|(stretch, _)| is_large || !joins(stretch)) {
                stretches.extend(open.take());
            }
            if group.layout.is_none() {
                continue;
            }
            let (stretch, total) = open.get_or_insert((place..place, 0));
            stretch.end = place + 1;
            *total = total.saturating_add(bytes);
            if *total > self.target_bytes {
                stretches.extend(open.take());
            }
        }
        stretches.extend(open);
        let files = |stretch: &Range<usize>| -> usize {
            groups.get(stretch.clone()).unwrap_or_default().iter().map(|group| group.files.len()).sum()
        };
        stretches.into_iter().map(|(stretch, _)| stretch).filter(|stretch| files(stretch) >= self.fewest).collect()
    }

    fn weight<L>(&self, group: &Candidate<L>) -> u64 {
        group.files.iter().map(|bytes| (*bytes).max(self.open_bytes)).fold(0, u64::saturating_add)
    }
}
