//! The sorted runs of a bucket of a primary-key table. Java: `Levels`.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;

use paimon_spec::{DataFileMeta, Error, KeyComparator, Result, are_disjoint};

/// The files of a bucket as sorted runs: every file of level 0 is one for itself, the files of any other level are one
/// together.
#[derive(Debug)]
pub(crate) struct Levels {
    /// From the newest rows to the oldest: those of level 0, the newest first, then level by level.
    pub(crate) runs: Vec<Run>,
    /// The greatest level that there may be.
    pub(crate) last_level: i32,
}

/// A sorted run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) level: i32,
    pub(crate) bytes: u64,
    /// Never empty.
    pub(crate) files: Vec<DataFileMeta>,
}

impl Levels {
    /// `num_levels`: what the table's options say; files may be on greater levels, from when they said something else.
    ///
    /// # Errors
    /// `CorruptData` when files of one level above 0 overlap, and for levels and sizes that are none.
    pub(crate) fn of(mut files: Vec<DataFileMeta>, keys: &KeyComparator, num_levels: i32) -> Result<Self> {
        let greatest = files.iter().map(|file| file.level).max().unwrap_or(0);
        let last_level = num_levels.saturating_sub(1).max(greatest).max(1);
        files.sort_by(|a, b| (a.level, newest_first(a)).cmp(&(b.level, newest_first(b))));
        let mut runs: Vec<Run> = Vec::new();
        for file in files {
            let (level, bytes) = (file.level, unsigned("_FILE_SIZE", file.file_size, &file)?);
            unsigned("_LEVEL", i64::from(level), &file)?;
            match runs.last_mut().filter(|run| level > 0 && run.level == level) {
                Some(run) => {
                    run.bytes = run.bytes.saturating_add(bytes);
                    run.files.push(file);
                }
                None => runs.push(Run { level, bytes, files: vec![file] }),
            }
        }
        for run in &runs {
            if !are_disjoint(&run.files, keys)? {
                let level = run.level;
                return Err(Error::corrupt(format!(
                    "expected files of level {level} that do not overlap, found others"
                )));
            }
        }
        Ok(Self { runs, last_level })
    }

    /// The greatest level that has files; -1 without any file.
    pub(crate) fn greatest_level(&self) -> i32 {
        self.runs.last().map_or(-1, |run| run.level)
    }

    /// Files that have not been merged yet.
    pub(crate) fn level_zero_files(&self) -> usize {
        self.runs.iter().take_while(|run| run.level == 0).count()
    }
}

/// The order of files of level 0. Without a time counts as the oldest.
fn newest_first(file: &DataFileMeta) -> (Reverse<i64>, i64, Option<i64>, &str) {
    let numbers = (file.max_sequence_number, file.min_sequence_number);
    (Reverse(numbers.0), numbers.1, file.creation_time_millis, &file.file_name)
}

fn unsigned(what: &str, value: i64, file: &DataFileMeta) -> Result<u64> {
    u64::try_from(value).map_err(|_| {
        Error::corrupt(format!("expected {what} from 0, found {value}")).with_context("file", &file.file_name)
    })
}
