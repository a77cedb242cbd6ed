//! Which files of an append table are rewritten together.
//!
//! Tables without buckets have no order: files are packed as they fit (Java `AppendCompactCoordinator`). In a bucket rows
//! have one, so only neighbours become one file (Java `BucketedAppendCompactManager`).

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use paimon_spec::{DataFileMeta, Result, TableOptions};

/// A bin takes no more files when they are so many target files large.
const TARGETS_OF_A_BIN: u64 = 2;

/// A file, and what is deleted in it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) bytes: u64,
    pub(super) rows: u64,
    /// `None`: no row is deleted.
    pub(super) deleted: Option<Deleted>,
}

/// Rows of a file that are deleted.
#[derive(Debug, Clone)]
pub(super) struct Deleted {
    /// The file that has the vector.
    pub(super) index_file: String,
    /// How many; `None`: unknown.
    pub(super) rows: Option<u64>,
}

/// What makes files worth rewriting.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    /// Bytes of a file, about.
    pub(super) target_bytes: u64,
    /// Smaller files are worth being joined.
    pub(super) small_bytes: u64,
    /// Rows of a file: one that has so many is not small, whatever its bytes.
    pub(super) target_rows: u64,
    /// What opening a file costs, in bytes.
    pub(super) open_bytes: u64,
    /// So many small files are worth it.
    pub(super) min_files: usize,
    /// With a greater part of deleted rows a file is worth it alone.
    pub(super) delete_ratio: f64,
    /// As few files as possible are wanted, and no deleted row in them.
    pub(super) full: bool,
    /// Then all files are rewritten, whatever is gained.
    pub(super) all_files: bool,
}

impl Candidate {
    pub(super) fn new(file: &DataFileMeta, deleted: Option<Deleted>) -> Self {
        let unsigned = |number: i64| u64::try_from(number).unwrap_or(0);
        Self { bytes: unsigned(file.file_size), rows: unsigned(file.row_count), deleted }
    }
}

impl Rules {
    pub(super) fn of(options: &TableOptions<'_>, full: bool) -> Result<Self> {
        Ok(Self {
            target_bytes: options.target_file_bytes(false)?,
            small_bytes: options.compaction_file_bytes(false)?,
            target_rows: options.target_file_rows()?,
            open_bytes: options.split_open_file_cost_bytes()?,
            min_files: options.compaction_min_files()?,
            delete_ratio: options.compaction_delete_ratio()?,
            full,
            all_files: full && options.compaction_force_rewrite_all_files()?,
        })
    }

    /// Whether a file gains by being rewritten.
    fn gains(&self, file: &Candidate) -> bool {
        let too_many_deleted = file.deleted.as_ref().is_some_and(|deleted| {
            self.full || deleted.rows.is_none_or(|rows| rows as f64 > file.rows as f64 * self.delete_ratio)
        });
        let small = file.bytes < self.small_bytes && file.rows < self.target_rows;
        self.all_files || small || too_many_deleted
    }

    /// The fewest files that are worth joining.
    fn fewest(&self) -> usize {
        match (self.all_files, self.full) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => self.min_files,
        }
    }

    /// Files of one partition of a table without buckets, packed into bins, by their places; each bin in the order given.
    ///
    /// Files whose vectors are in one index file are in one bin, as that file is replaced once.
    pub(super) fn pack(&self, files: &[Candidate]) -> Vec<Vec<usize>> {
        let mut by_index_file: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut whole: Vec<Vec<usize>> = Vec::new();
        for (place, file) in files.iter().enumerate().filter(|(_, file)| self.gains(file)) {
            match &file.deleted {
                Some(deleted) => by_index_file.entry(&deleted.index_file).or_default().push(place),
                None => whole.push(vec![place]),
            }
        }
        let with_deletions: Vec<Vec<usize>> = by_index_file.into_values().collect();
        let mut bins = if self.full {
            self.bins(files, [with_deletions, whole].concat())
        } else {
            [self.bins(files, with_deletions), self.bins(files, whole)].concat()
        };
        bins.iter_mut().for_each(|bin| bin.sort_unstable());
        bins
    }

    /// Groups of files joined, smallest first.
    fn bins(&self, files: &[Candidate], mut groups: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
        let bytes_of = |place: &usize| files.get(*place).map_or(0, |file| file.bytes);
        groups.sort_by_key(|group| group.iter().map(bytes_of).fold(0, u64::saturating_add));
        let enough = self.target_bytes.saturating_mul(TARGETS_OF_A_BIN);
        let mut bins = Vec::new();
        let (mut bin, mut bytes) = (Vec::new(), 0_u64);
        for group in groups {
            for place in &group {
                bytes = bytes.saturating_add(bytes_of(place)).saturating_add(self.open_bytes);
            }
            bin.extend(group);
            if bin.len() > 1 && bytes >= enough {
                bins.push(std::mem::take(&mut bin));
                bytes = 0;
            }
        }
        if self.is_worth_it(files, &bin) {
            bins.push(bin);
        }
        bins
    }

    /// Whether files are rewritten that fill no target file: enough of them, or one with deletions.
    fn is_worth_it(&self, files: &[Candidate], places: &[usize]) -> bool {
        let has_deletions = |place: &usize| files.get(*place).is_some_and(|file| file.deleted.is_some());
        !places.is_empty() && (places.len() >= self.fewest() || places.iter().any(has_deletions))
    }

    /// Stretches of neighbours among the files of one bucket, in the order of their rows, each as places.
    ///
    /// Not full: as soon as there are enough neighbours that are not too large together. Full: all neighbours that gain, so
    /// that a large file without deletions stays as it is. (Java rewrites such a file when it has enough small ones around
    /// it, and leaves a few small ones alone.)
    pub(super) fn stretches(&self, files: &[Candidate]) -> Vec<Vec<usize>> {
        if self.full { self.all_that_gain(files) } else { self.enough_neighbours(files) }
    }

    fn all_that_gain(&self, files: &[Candidate]) -> Vec<Vec<usize>> {
        let mut stretches: Vec<Vec<usize>> = Vec::new();
        let mut open = false;
        for (place, file) in files.iter().enumerate() {
            if !self.gains(file) {
                open = false;
                continue;
            }
            match stretches.last_mut() {
                Some(stretch) if open => stretch.push(place),
                _ => stretches.push(vec![place]),
            }
            open = true;
        }
        stretches.retain(|stretch| self.is_worth_it(files, stretch));
        stretches
    }

    fn enough_neighbours(&self, files: &[Candidate]) -> Vec<Vec<usize>> {
        let too_large = self.target_bytes.saturating_mul(TARGETS_OF_A_BIN);
        let mut stretches = Vec::new();
        let (mut first, mut bytes) = (0, 0_u64);
        for (place, file) in files.iter().enumerate() {
            // Nothing is gained by rewriting a large file for the sake of those behind it.
            if first == place && !self.gains(file) {
                first = place + 1;
                continue;
            }
            bytes = bytes.saturating_add(file.bytes);
            if place + 1 - first >= self.min_files.max(1) {
                stretches.push((first..=place).collect());
                (first, bytes) = (place + 1, 0);
            } else if bytes >= too_large {
                // The oldest goes, and those behind it that would not begin a stretch.
                while first <= place && (bytes >= too_large || files.get(first).is_some_and(|file| !self.gains(file))) {
                    bytes = bytes.saturating_sub(files.get(first).map_or(0, |file| file.bytes));
                    first += 1;
                }
            }
        }
        stretches
    }
}
