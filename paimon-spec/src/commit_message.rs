//! Commit messages: what one writer did to one bucket.

use bytes::Bytes;

use crate::split::wire::{WireReader, WireWriter};
use crate::split::{read_files, write_files};
use crate::{
    BinaryRow, DataFileMeta, DeletionVectorMeta, Error, FileKind, GlobalIndexMeta, IndexManifestEntry, Result,
    data_file,
};

/// Starts the bytes of a message.
const MAGIC: [u8; 4] = *b"PmCM";
/// The version that is written and read. A new field makes a new one.
const VERSION: i32 = 4;

/// What a writer prepared for one bucket of one partition.
///
/// ```
/// use paimon_spec::{BinaryRow, CommitMessage};
///
/// let message = CommitMessage::of(BinaryRow::empty(), 0, -1);
/// assert_eq!(CommitMessage::from_bytes(&message.to_bytes()?)?, message);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CommitMessage {
    /// Values of the partition columns.
    pub partition: BinaryRow,
    /// The bucket, from 0; -2 for rows that wait for a compaction to give them one.
    pub bucket: i32,
    /// The partition's bucket number when the files were written: -1 unaware or dynamic, -2 postponed.
    pub total_buckets: i32,
    /// Files that were written.
    pub new_files: Vec<DataFileMeta>,
    /// Files to remove, other than by a compaction.
    pub deleted_files: Vec<DataFileMeta>,
    /// Files that hold the changes themselves, as they came in, for readers of changelogs.
    pub changelog_files: Vec<DataFileMeta>,
    /// Files that a compaction replaced.
    pub compact_before: Vec<DataFileMeta>,
    /// Files that a compaction wrote instead.
    pub compact_after: Vec<DataFileMeta>,
    /// Files of the changes that a compaction found out.
    pub compact_changelog: Vec<DataFileMeta>,
    /// Index changes that belong to what was written, each with its own kind.
    pub index_changes: Vec<IndexManifestEntry>,
    /// Index changes that belong to the compaction.
    pub compact_index_changes: Vec<IndexManifestEntry>,
    /// The snapshot that this was made from; what it relies on must not have changed since: for rows changed by their
    /// ids the same columns of these rows, for a compaction the files above level 0 and the deletion vectors of the
    /// bucket, for a hash index that of the partition, and for rows whose keys may move between partitions all rows.
    /// `None`: relies on nothing, or was made from the empty table.
    pub check_from_snapshot: Option<i64>,
}

impl CommitMessage {
    /// A message that says nothing yet.
    pub fn of(partition: BinaryRow, bucket: i32, total_buckets: i32) -> Self {
        Self {
            partition,
            bucket,
            total_buckets,
            new_files: Vec::new(),
            deleted_files: Vec::new(),
            changelog_files: Vec::new(),
            compact_before: Vec::new(),
            compact_after: Vec::new(),
            compact_changelog: Vec::new(),
            index_changes: Vec::new(),
            compact_index_changes: Vec::new(),
            check_from_snapshot: None,
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.files().next().is_none() && self.all_index_changes().next().is_none()
    }

    /// Whether it says that files were compacted.
    pub fn compacts(&self) -> bool {
        [&self.compact_before, &self.compact_after, &self.compact_changelog].iter().any(|files| !files.is_empty())
            || !self.compact_index_changes.is_empty()
    }

    /// All index changes that it names.
    pub fn all_index_changes(&self) -> impl Iterator<Item = &IndexManifestEntry> {
        self.index_changes.iter().chain(&self.compact_index_changes)
    }

    /// All data files that it names.
    pub fn files(&self) -> impl Iterator<Item = &DataFileMeta> {
        self.file_lists().into_iter().flatten()
    }

    /// In the order of the byte form.
    fn file_lists(&self) -> [&Vec<DataFileMeta>; 6] {
        [
            &self.new_files,
            &self.deleted_files,
            &self.changelog_files,
            &self.compact_before,
            &self.compact_after,
            &self.compact_changelog,
        ]
    }

    /// A versioned, checked byte form for transport between workers of one version of these crates. It is not Java's.
    ///
    /// # Errors
    /// `InvalidInput` when a list or a text is too long.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = WireWriter::default();
        out.bytes.extend_from_slice(&MAGIC);
        out.i32(VERSION);
        out.row(&self.partition)?;
        out.i32(self.bucket);
        out.i32(self.total_buckets);
        self.file_lists().into_iter().try_for_each(|files| write_files(&mut out, files))?;
        for changes in [&self.index_changes, &self.compact_index_changes] {
            out.len(changes.len())?;
            changes.iter().try_for_each(|change| write_index_change(&mut out, change))?;
        }
        write_optional(&mut out, self.check_from_snapshot, |out, snapshot| {
            out.i64(snapshot);
            Ok(())
        })?;
        let checksum = crc32fast::hash(&out.bytes);
        out.i32(checksum as i32);
        Ok(out.bytes)
    }

    /// The inverse of [`Self::to_bytes`].
    ///
    /// # Errors
    /// `CorruptData` when the bytes are not a message, `Unsupported` when they are one of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let mut input = WireReader::new(bytes);
        if input.array()? != MAGIC {
            return Err(Error::corrupt("expected a commit message, found other bytes"));
        }
        let version = input.i32()?;
        if version != VERSION {
            return Err(Error::unsupported(format!(
                "version {version} of commit messages is not supported: writers and committer must run the same release"
            )));
        }
        let Some((content, checksum)) = bytes.split_last_chunk() else {
            return Err(Error::corrupt(format!("expected a commit message, found {} bytes", bytes.len())));
        };
        let (wanted, found) = (u32::from_be_bytes(*checksum), crc32fast::hash(content));
        if wanted != found {
            return Err(Error::corrupt(format!(
                "expected checksum {wanted:08x} of a commit message, found {found:08x}"
            )));
        }
        let files = |input: &mut WireReader<'_>| read_files(input, data_file::FIELDS);
        let message = Self {
            partition: input.row()?,
            bucket: input.i32()?,
            total_buckets: input.i32()?,
            new_files: files(&mut input)?,
            deleted_files: files(&mut input)?,
            changelog_files: files(&mut input)?,
            compact_before: files(&mut input)?,
            compact_after: files(&mut input)?,
            compact_changelog: files(&mut input)?,
            index_changes: read_list(&mut input, read_index_change)?,
            compact_index_changes: read_list(&mut input, read_index_change)?,
            check_from_snapshot: read_optional(&mut input, WireReader::i64)?,
        };
        input.take(checksum.len())?;
        input.finish()?;
        Ok(message)
    }
}

pub(crate) fn write_index_change(out: &mut WireWriter, change: &IndexManifestEntry) -> Result<()> {
    out.i32(change.kind.code());
    out.row(&change.partition)?;
    out.i32(change.bucket);
    out.bytes(change.index_type.as_bytes())?;
    out.bytes(change.file_name.as_bytes())?;
    out.i64(change.file_size);
    out.i64(change.row_count);
    write_optional(out, change.deletion_vectors.as_ref(), |out, vectors| {
        out.len(vectors.len())?;
        vectors.iter().try_for_each(|vector| {
            out.bytes(vector.data_file_name.as_bytes())?;
            out.i32(vector.offset);
            out.i32(vector.length);
            write_optional(out, vector.cardinality, |out, cardinality| {
                out.i64(cardinality);
                Ok(())
            })
        })
    })?;
    write_optional(out, change.external_path.as_ref(), |out, path| out.bytes(path.as_bytes()))?;
    write_optional(out, change.global_index.as_ref(), |out, index| {
        out.i64(index.row_range_start);
        out.i64(index.row_range_end);
        out.i32(index.index_field_id);
        write_optional(out, index.extra_field_ids.as_ref(), |out, ids| {
            out.len(ids.len())?;
            ids.iter().for_each(|id| out.i32(*id));
            Ok(())
        })?;
        write_optional(out, index.index_meta.as_deref(), WireWriter::bytes)?;
        write_optional(out, index.source_meta.as_deref(), WireWriter::bytes)
    })
}

pub(crate) fn read_index_change(input: &mut WireReader<'_>) -> Result<IndexManifestEntry> {
    Ok(IndexManifestEntry {
        kind: FileKind::from_code(input.i32()?)?,
        partition: input.row()?,
        bucket: input.i32()?,
        index_type: read_text(input)?,
        file_name: read_text(input)?,
        file_size: input.i64()?,
        row_count: input.i64()?,
        deletion_vectors: read_optional(input, |input| {
            read_list(input, |input| {
                Ok(DeletionVectorMeta {
                    data_file_name: read_text(input)?,
                    offset: input.i32()?,
                    length: input.i32()?,
                    cardinality: read_optional(input, WireReader::i64)?,
                })
            })
        })?,
        external_path: read_optional(input, read_text)?,
        global_index: read_optional(input, |input| {
            Ok(GlobalIndexMeta {
                row_range_start: input.i64()?,
                row_range_end: input.i64()?,
                index_field_id: input.i32()?,
                extra_field_ids: read_optional(input, |input| read_list(input, WireReader::i32))?,
                index_meta: read_optional(input, read_blob)?,
                source_meta: read_optional(input, read_blob)?,
            })
        })?,
    })
}

fn write_optional<T>(
    out: &mut WireWriter,
    value: Option<T>,
    write: impl FnOnce(&mut WireWriter, T) -> Result<()>,
) -> Result<()> {
    out.bool(value.is_some());
    value.map_or(Ok(()), |value| write(out, value))
}

fn read_optional<'a, T>(
    input: &mut WireReader<'a>,
    read: impl FnOnce(&mut WireReader<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if input.bool()? { read(input).map(Some) } else { Ok(None) }
}

pub(crate) fn read_list<'a, T>(
    input: &mut WireReader<'a>,
    mut read: impl FnMut(&mut WireReader<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..input.len()?).map(|_| read(input)).collect()
}

fn read_text(input: &mut WireReader<'_>) -> Result<String> {
    let bytes = input.bytes()?;
    String::from_utf8(bytes.to_vec()).map_err(|error| {
        Error::corrupt("expected text in a commit message, found bytes that are not UTF-8").with_source(error)
    })
}

fn read_blob(input: &mut WireReader<'_>) -> Result<Bytes> {
    input.bytes().map(Bytes::copy_from_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::data_file::arbitrary::{data_files, index_entries, rows};
    use proptest::prelude::*;

    fn messages() -> impl Strategy<Value = CommitMessage> {
        let files = || data_files(0..3);
        let lists = (files(), files(), files(), files(), files(), files());
        let index_changes = (index_entries(0..3), index_entries(0..3));
        (rows(), any::<i32>(), any::<i32>(), lists, index_changes, any::<Option<i64>>()).prop_map(
            |(partition, bucket, total_buckets, lists, index_changes, check_from_snapshot)| {
                let (new_files, deleted_files, changelog_files, compact_before, compact_after, compact_changelog) =
                    lists;
                CommitMessage {
                    partition,
                    bucket,
                    total_buckets,
                    new_files,
                    deleted_files,
                    changelog_files,
                    compact_before,
                    compact_after,
                    compact_changelog,
                    index_changes: index_changes.0,
                    compact_index_changes: index_changes.1,
                    check_from_snapshot,
                }
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_message_survives_transport(message in messages()) {
            let bytes = message.to_bytes().unwrap();
            prop_assert_eq!(CommitMessage::from_bytes(&bytes).unwrap(), message);
        }

        #[test]
        fn a_damaged_message_is_refused(message in messages(), at: prop::sample::Index, flip in 1..=255_u8) {
            let mut bytes = message.to_bytes().unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            let kind = CommitMessage::from_bytes(&bytes).unwrap_err().kind();
            prop_assert!(matches!(kind, ErrorKind::CorruptData | ErrorKind::Unsupported));
        }

        #[test]
        fn hostile_content_under_a_right_checksum_does_not_panic(
            message in messages(),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = message.to_bytes().unwrap();
            let end = bytes.len() - 4;
            for (at, byte) in damage {
                bytes[8 + at.index(end - 8)] = byte;
            }
            let checksum = crc32fast::hash(&bytes[..end]);
            bytes[end..].copy_from_slice(&checksum.to_be_bytes());
            if let Ok(message) = CommitMessage::from_bytes(&bytes) {
                message.to_bytes().unwrap();
            }
        }
    }

    #[test]
    fn another_version_is_unsupported() {
        let error = CommitMessage::from_bytes(b"PmCM\0\0\0\x01").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("version 1"), "{error}");
    }
}
