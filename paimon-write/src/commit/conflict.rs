//! Whether changes can be applied to a state of the table. Java: `ConflictDetection`.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fmt;

use paimon_spec::{
    BinaryRow, CommitKind, Error, ErrorKind, FileIdentifier, FileKind, IndexManifestEntry, KeyComparator,
    ManifestEntry, OrderedKey, Result,
};

/// Why changes cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// A file to be deleted is not there (any more).
    FileGone {
        /// Its name.
        file: String,
    },
    /// A file to be added is there already, or is added or deleted twice.
    FileRepeated {
        /// Its name.
        file: String,
    },
    /// The partition's rows are spread over another number of buckets.
    BucketNumber {
        /// A new file.
        file: String,
        /// The number of buckets that the table's files in the partition have.
        there: i32,
        /// The number of buckets that the new file was written with.
        new: i32,
    },
    /// Two files of one bucket on one level from 1 would share keys: another commit has put rows there.
    KeysOverlap {
        /// The name of one of them.
        file: String,
        /// The name of the other.
        other: String,
    },
    /// A deletion vector is for a file that is not there (any more).
    VectorWithoutFile {
        /// The data file's name.
        file: String,
    },
    /// Rows of a file that is to be replaced were deleted since.
    RowsDeleted {
        /// The data file's name.
        file: String,
        /// The index file with its deletion vector.
        index: String,
    },
    /// Another commit has changed what is above level 0 of a bucket that was compacted.
    BucketCompacted {
        /// A file of the other commit.
        file: String,
        /// The other commit's snapshot.
        snapshot: i64,
    },
    /// Another job has given buckets to keys.
    BucketsGiven {
        /// Of which partition.
        partition: String,
        /// The snapshot whose hash index this commit went by; 0: none was there.
        as_of: i64,
    },
    /// Another job has written rows to a table whose keys may move between partitions.
    RowsWritten {
        /// The snapshot whose rows this commit went by; 0: none was there.
        as_of: i64,
        /// The other job's snapshot.
        snapshot: i64,
    },
    /// Rows to be changed by their ids are not (or not all) in files of these ids any more.
    RowsGone {
        /// A file with row ids that are to be changed, or deleted.
        file: String,
    },
    /// Files that make rows together would not have the same row ids.
    RowsApart {
        /// Which ones.
        reason: String,
    },
    /// Another commit has changed the same columns of the same rows since.
    RowsChanged {
        /// A file of the other commit.
        file: String,
        /// The other commit's snapshot.
        snapshot: i64,
    },
    /// Another commit has changed the same partitions since the snapshot that the option
    /// `commit.strict-mode.last-safe-snapshot` names.
    Overtaken {
        /// The other commit's snapshot.
        snapshot: i64,
        /// Who made it.
        user: String,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FileGone { file } => {
                write!(f, "data file {file} was to be replaced or deleted, but another commit has removed it")
            }
            Self::FileRepeated { file } => write!(f, "data file {file} is committed more than once"),
            Self::BucketNumber { file, there, new } => write!(
                f,
                "data file {file} was written with {new} buckets, but the rows of its partition are in {there}: \
                 overwrite the partition to change its number of buckets"
            ),
            Self::KeysOverlap { file, other } => write!(
                f,
                "data files {file} and {other} would hold the same keys on one level: another commit has changed the \
                 rows of their bucket"
            ),
            Self::VectorWithoutFile { file } => {
                write!(f, "rows of data file {file} were to be deleted, but another commit has removed the file")
            }
            Self::RowsDeleted { file, index } => write!(
                f,
                "data file {file} was to be replaced, but another commit has deleted rows of it, with index file {index}"
            ),
            Self::BucketCompacted { file, snapshot } => write!(
                f,
                "snapshot {snapshot} has changed the files above level 0 of a bucket that was compacted, with data file \
                 {file}"
            ),
            Self::BucketsGiven { partition, as_of } => write!(
                f,
                "another job has given buckets to keys of {partition} since snapshot {as_of}, by which this one has: only \
                 one job at a time can add keys to a partition of a table with dynamic buckets; write the rows again"
            ),
            Self::RowsWritten { as_of, snapshot } => write!(
                f,
                "snapshot {snapshot} has changed rows since snapshot {as_of}, by which it was decided which partition keys \
                 are in: only one job at a time can write a table whose keys may move between partitions; write the rows \
                 again"
            ),
            Self::RowsGone { file } => write!(
                f,
                "the rows that data file {file} is for are not in files of the same row ids any more, because another \
                 commit has removed or rewritten them: run the update again"
            ),
            Self::RowsApart { reason } => {
                write!(f, "another commit has rewritten files of the same rows: run the update again ({reason})")
            }
            Self::RowsChanged { file, snapshot } => write!(
                f,
                "snapshot {snapshot} has changed the same columns of the same rows, with data file {file}: run the update \
                 again"
            ),
            Self::Overtaken { snapshot, user } => write!(
                f,
                "snapshot {snapshot} of user '{user}' has changed the same partitions since the snapshot that \
                 'commit.strict-mode.last-safe-snapshot' names: read them again"
            ),
        }
    }
}

impl From<Conflict> for Error {
    fn from(conflict: Conflict) -> Self {
        Self::new(ErrorKind::CommitConflict, conflict.to_string())
    }
}

/// # Errors
/// The conflict, if there is one.
pub(super) fn refuse(conflict: Option<Conflict>) -> Result<()> {
    conflict.map_or(Ok(()), |conflict| Err(conflict.into()))
}

/// Whether `delta` can be applied to the live files `base` (all of the partitions that `delta` touches) by a commit of
/// `kind`.
///
/// Bucket numbers within a partition stay the same, unless it is overwritten; no file is added twice; every file to be
/// deleted is there.
pub fn find_conflict(base: &[ManifestEntry], delta: &[ManifestEntry], kind: CommitKind) -> Option<Conflict> {
    find_bucket_conflict(base, delta, kind).or_else(|| find_file_conflict(base, delta))
}

/// Live files after the entries are applied to `base`.
pub(super) fn live_after<'e>(
    base: &'e [ManifestEntry],
    entries: &'e [ManifestEntry],
) -> impl Iterator<Item = &'e ManifestEntry> {
    let deleted: HashSet<_> =
        entries.iter().filter(|entry| entry.kind == FileKind::Delete).map(ManifestEntry::identifier).collect();
    let added = entries.iter().filter(|entry| entry.kind == FileKind::Add);
    base.iter().filter(move |entry| !deleted.contains(&entry.identifier())).chain(added)
}

/// Whether the changes of deletion vectors are for files that are live after the commit, by name.
pub(super) fn find_vector_conflict<'a>(
    live: impl Iterator<Item = &'a ManifestEntry>,
    changes: &[IndexManifestEntry],
) -> Option<Conflict> {
    let live: HashSet<&str> = live.map(|entry| entry.file.file_name.as_str()).collect();
    changes
        .iter()
        .filter(|change| change.kind == FileKind::Add)
        .flat_map(|change| change.deletion_vectors.iter().flatten())
        .find(|vector| !live.contains(vector.data_file_name.as_str()))
        .map(|vector| Conflict::VectorWithoutFile { file: vector.data_file_name.clone() })
}

/// Whether a deletion vector is left of a file that the entries delete, and do not add again (on another level).
pub(super) fn find_left_vector(entries: &[ManifestEntry], live: &[IndexManifestEntry]) -> Option<Conflict> {
    let of_kind = |kind| entries.iter().filter(move |entry| entry.kind == kind);
    let mut deleted: HashSet<&str> = of_kind(FileKind::Delete).map(|entry| entry.file.file_name.as_str()).collect();
    of_kind(FileKind::Add).for_each(|entry| {
        deleted.remove(entry.file.file_name.as_str());
    });
    live.iter()
        .flat_map(|index| index.deletion_vectors.iter().flatten().map(move |vector| (index, vector)))
        .find(|(_, vector)| deleted.contains(vector.data_file_name.as_str()))
        .map(|(index, vector)| Conflict::RowsDeleted {
            file: vector.data_file_name.clone(),
            index: index.file_name.clone(),
        })
}

/// Smallest and largest key of a file, and its name.
type NamedBounds<'a> = (OrderedKey, OrderedKey, &'a str);

/// Whether files of one bucket on one level from 1 overlap in the order of keys: such a level is one sorted run.
///
/// # Errors
/// `CorruptData` when the bounds of a file are no keys of the table.
pub(super) fn find_key_conflict<'a>(
    live: impl Iterator<Item = &'a ManifestEntry>,
    keys: &KeyComparator,
) -> Result<Option<Conflict>> {
    let mut levels: HashMap<(&BinaryRow, i32, i32), Vec<NamedBounds<'_>>> = HashMap::new();
    for entry in live.filter(|entry| entry.file.level > 0) {
        let file = &entry.file;
        let bounds = (keys.ordered(&file.min_key)?, keys.ordered(&file.max_key)?, file.file_name.as_str());
        levels.entry((&entry.partition, entry.bucket, file.level)).or_default().push(bounds);
    }
    for files in levels.values_mut() {
        files.sort_unstable();
        let overlap = files.iter().zip(files.iter().skip(1)).find(|((_, max, _), (min, _, _))| max >= min);
        if let Some(((_, _, file), (_, _, other))) = overlap {
            return Ok(Some(Conflict::KeysOverlap { file: (*file).to_owned(), other: (*other).to_owned() }));
        }
    }
    Ok(None)
}

fn find_bucket_conflict(base: &[ManifestEntry], delta: &[ManifestEntry], kind: CommitKind) -> Option<Conflict> {
    // Tables can hold mixed numbers in one partition, from writers that do not check; then nothing new fits. Rows that wait
    // for a bucket have none.
    let mut there: HashMap<&BinaryRow, i32> = HashMap::new();
    let base = if kind == CommitKind::Overwrite { &[] } else { base };
    for entry in base.iter().chain(delta).filter(|entry| entry.kind == FileKind::Add && entry.bucket >= 0) {
        let number = *there.entry(&entry.partition).or_insert(entry.total_buckets);
        if number != entry.total_buckets {
            return Some(Conflict::BucketNumber {
                file: entry.file.file_name.clone(),
                there: number,
                new: entry.total_buckets,
            });
        }
    }
    None
}

fn find_file_conflict(base: &[ManifestEntry], delta: &[ManifestEntry]) -> Option<Conflict> {
    let live: HashSet<FileIdentifier> = base.iter().map(ManifestEntry::identifier).collect();
    let mut touched = HashSet::with_capacity(delta.len());
    for entry in delta {
        let identifier = entry.identifier();
        let is_live = live.contains(&identifier);
        let file = || entry.file.file_name.clone();
        match entry.kind {
            FileKind::Add if is_live => return Some(Conflict::FileRepeated { file: file() }),
            FileKind::Delete if !is_live => return Some(Conflict::FileGone { file: file() }),
            FileKind::Add | FileKind::Delete => {}
        }
        if !touched.insert(identifier) {
            return Some(Conflict::FileRepeated { file: file() });
        }
    }
    None
}
