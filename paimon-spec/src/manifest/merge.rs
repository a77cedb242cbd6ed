//! Entries about the same file, and what is left of them.

use std::collections::HashMap;

use bytes::Bytes;

use super::{FileKind, ManifestEntry};
use crate::{BinaryRow, Error, Result};

/// What makes two entries be about the same file (Java `FileEntry.Identifier`). Partitions are compared by their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileIdentifier {
    /// Values of the partition columns.
    pub partition: BinaryRow,
    /// The bucket, from 0.
    pub bucket: i32,
    /// Level in the LSM tree.
    pub level: i32,
    /// Without a folder.
    pub file_name: String,
    /// Files that live and die with the file.
    pub extra_files: Vec<String>,
    /// The file index, when small.
    pub embedded_index: Option<Bytes>,
    /// Full URI of a file outside the table's folder.
    pub external_path: Option<String>,
}

/// [`FileIdentifier`], borrowed.
#[derive(PartialEq, Eq, Hash)]
struct IdentifierRef<'a> {
    // The name tells nearly all files apart, so it comes first.
    file_name: &'a str,
    bucket: i32,
    level: i32,
    partition: &'a BinaryRow,
    extra_files: &'a [String],
    embedded_index: Option<&'a [u8]>,
    external_path: Option<&'a str>,
}

impl ManifestEntry {
    /// See [`FileIdentifier`].
    pub fn identifier(&self) -> FileIdentifier {
        FileIdentifier {
            partition: self.partition.clone(),
            bucket: self.bucket,
            level: self.file.level,
            file_name: self.file.file_name.clone(),
            extra_files: self.file.extra_files.clone(),
            embedded_index: self.file.embedded_index.clone(),
            external_path: self.file.external_path.clone(),
        }
    }

    fn identifier_ref(&self) -> IdentifierRef<'_> {
        IdentifierRef {
            file_name: &self.file.file_name,
            bucket: self.bucket,
            level: self.file.level,
            partition: &self.partition,
            extra_files: &self.file.extra_files,
            embedded_index: self.file.embedded_index.as_deref(),
            external_path: self.file.external_path.as_deref(),
        }
    }
}

/// What is left of entries in order (Java `FileEntry.mergeEntries`): a removal cancels the addition before it; one
/// without stays, as the addition may be in an older manifest. The order is kept.
///
/// # Errors
/// `CorruptData` when a file is added that is there.
pub fn merge_entries(entries: impl IntoIterator<Item = ManifestEntry>) -> Result<Vec<ManifestEntry>> {
    let mut entries: Vec<_> = entries.into_iter().collect();
    let mut live = vec![true; entries.len()];
    let mut present = HashMap::with_capacity(entries.len());
    for (pos, entry) in entries.iter().enumerate() {
        match (entry.kind, present.insert(entry.identifier_ref(), pos)) {
            (_, None) => {}
            (FileKind::Add, Some(_)) => {
                return Err(Error::corrupt(format!(
                    "expected each file to be added once, found {} added again in bucket {}",
                    entry.file.file_name, entry.bucket
                )));
            }
            (FileKind::Delete, Some(added)) => {
                present.remove(&entry.identifier_ref());
                live[added] = false;
                live[pos] = false;
            }
        }
    }
    drop(present);
    let mut live = live.into_iter();
    entries.retain(|_| live.next().unwrap_or_default());
    Ok(entries)
}
