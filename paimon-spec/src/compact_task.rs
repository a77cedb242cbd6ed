//! Compaction tasks: which files of one bucket become which others.

use crate::commit_message::{read_index_change, read_list, write_index_change};
use crate::split::wire::{WireReader, WireWriter};
use crate::{BinaryRow, DataSplit, Error, IndexManifestEntry, Result};

/// Starts the bytes of a task.
const MAGIC: [u8; 4] = *b"PmCT";
/// The version that is written and read. A new field makes a new one.
const VERSION: i32 = 2;
/// What stands in bytes and in errors for these values.
const WHAT: &str = "compaction task";

/// A piece of a compaction that any worker can carry out for itself: files of one bucket, as of one snapshot, and what
/// is to become of them.
#[derive(Debug, Clone, PartialEq)]
pub struct CompactTask {
    /// The snapshot that was planned.
    pub snapshot_id: i64,
    /// The files that are to be replaced, with their deletions. In the order of their rows, where they have one.
    pub files: DataSplit,
    /// Files of older rows that stay: their rows are looked up, no more. Of the same bucket; often none.
    pub deeper: DataSplit,
    /// The number of buckets that the partition has, as in the manifest entries of the files.
    pub total_buckets: i32,
    /// The index files with deletion vectors of the bucket, where the table has such.
    pub vectors: Vec<IndexManifestEntry>,
    /// What is to be done.
    pub work: CompactWork,
}

/// What is done with the files of a [`CompactTask`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompactWork {
    /// Files of a bucket of a primary-key table become files of one level.
    Keyed(KeyedWork),
    /// Files of an append table become fewer, larger ones, or lose the rows that are deleted.
    Append,
    /// Data files of neighbouring row groups of a data-evolution table become one. Rows keep their ids, those that are
    /// deleted stay, and files of BLOB columns are not touched.
    RowGroups,
    /// The files of rows that wait for a bucket (bucket -2) become files of real ones.
    Postponed {
        /// How many buckets the partition has, or is to have.
        buckets: i32,
    },
}

/// How files of a bucket of a primary-key table become files of one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyedWork {
    /// The level of the new files.
    pub output_level: i32,
    /// The last level of the bucket.
    pub last_level: i32,
    /// Whether rows that delete their keys are done with: nothing older is left that they could delete.
    pub drop_deletes: bool,
    /// Whether each file is rewritten for itself: they are of the last level, and lose what is deleted.
    pub each_file: bool,
}

impl CompactTask {
    /// Values of the partition columns.
    pub fn partition(&self) -> &BinaryRow {
        &self.files.partition
    }

    /// The bucket whose files are replaced.
    pub fn bucket(&self) -> i32 {
        self.files.bucket
    }

    /// Bytes of the files that are to be replaced.
    pub fn input_bytes(&self) -> u64 {
        self.files.files.iter().map(|file| u64::try_from(file.file_size).unwrap_or(0)).fold(0, u64::saturating_add)
    }

    /// A versioned, checked byte form for transport between workers of one version of these crates. It is not Java's.
    ///
    /// # Errors
    /// `InvalidInput` when a list or a text is too long; as [`DataSplit::to_bytes`].
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = WireWriter::start(MAGIC, VERSION);
        out.i64(self.snapshot_id);
        out.bytes(&self.files.to_bytes()?)?;
        out.bytes(&self.deeper.to_bytes()?)?;
        out.i32(self.total_buckets);
        out.len(self.vectors.len())?;
        self.vectors.iter().try_for_each(|entry| write_index_change(&mut out, entry))?;
        match self.work {
            CompactWork::Keyed(KeyedWork { output_level, last_level, drop_deletes, each_file }) => {
                out.i32(0);
                out.i32(output_level);
                out.i32(last_level);
                out.bool(drop_deletes);
                out.bool(each_file);
            }
            CompactWork::Append => out.i32(1),
            CompactWork::Postponed { buckets } => {
                out.i32(2);
                out.i32(buckets);
            }
            CompactWork::RowGroups => out.i32(3),
        }
        Ok(out.seal())
    }

    /// The inverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// `CorruptData` when the bytes are not a task, `Unsupported` when they are one of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = WireReader::unseal(bytes, MAGIC, VERSION, WHAT)?;
        let task = Self {
            snapshot_id: input.i64()?,
            files: DataSplit::from_bytes(input.bytes()?)?,
            deeper: DataSplit::from_bytes(input.bytes()?)?,
            total_buckets: input.i32()?,
            vectors: read_list(&mut input, read_index_change)?,
            work: match input.i32()? {
                0 => CompactWork::Keyed(KeyedWork {
                    output_level: input.i32()?,
                    last_level: input.i32()?,
                    drop_deletes: input.bool()?,
                    each_file: input.bool()?,
                }),
                1 => CompactWork::Append,
                2 => CompactWork::Postponed { buckets: input.i32()? },
                3 => CompactWork::RowGroups,
                other => return Err(Error::corrupt(format!("expected a kind of {WHAT} from 0 to 3, found {other}"))),
            },
        };
        input.finish()?;
        Ok(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::data_file::arbitrary::{data_files, index_entries, rows};
    use proptest::prelude::*;

    fn splits() -> impl Strategy<Value = DataSplit> {
        (rows(), any::<i32>(), data_files(0..3), any::<Option<i32>>()).prop_map(
            |(partition, bucket, files, total_buckets)| DataSplit {
                snapshot_id: 1,
                partition,
                bucket,
                bucket_path: "bucket-0".to_owned(),
                total_buckets,
                files,
                deletions: Vec::new(),
                raw_convertible: false,
                rows: Vec::new(),
            },
        )
    }

    fn works() -> impl Strategy<Value = CompactWork> {
        prop_oneof![
            any::<(i32, i32, bool, bool)>().prop_map(|(output_level, last_level, drop_deletes, each_file)| {
                CompactWork::Keyed(KeyedWork { output_level, last_level, drop_deletes, each_file })
            }),
            Just(CompactWork::Append),
            Just(CompactWork::RowGroups),
            any::<i32>().prop_map(|buckets| CompactWork::Postponed { buckets }),
        ]
    }

    prop_compose! {
        fn tasks()(
            (snapshot_id, total_buckets) in any::<(i64, i32)>(),
            (files, deeper) in (splits(), splits()),
            vectors in index_entries(0..3),
            work in works(),
        ) -> CompactTask {
            CompactTask { snapshot_id, files, deeper, total_buckets, vectors, work }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_task_survives_transport(task in tasks()) {
            let bytes = task.to_bytes().unwrap();
            prop_assert_eq!(CompactTask::from_bytes(&bytes).unwrap(), task);
        }

        #[test]
        fn a_damaged_task_is_refused(task in tasks(), at: prop::sample::Index, flip in 1..=255_u8) {
            let mut bytes = task.to_bytes().unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let kind = CompactTask::from_bytes(&bytes).unwrap_err().kind();
            prop_assert!(matches!(kind, ErrorKind::CorruptData | ErrorKind::Unsupported));
        }

        #[test]
        fn hostile_content_under_a_right_checksum_does_not_panic(
            task in tasks(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = task.to_bytes().unwrap();
            let end = bytes.len() - 4;
            for (at, byte) in damage {
                bytes[8 + at.index(end - 8)] = byte;
            }
            let checksum = crc32fast::hash(&bytes[..end]);
            bytes[end..].copy_from_slice(&checksum.to_be_bytes());
            if let Ok(task) = CompactTask::from_bytes(&bytes) {
                task.to_bytes().unwrap();
            }
        }
    }
}
