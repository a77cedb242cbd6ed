//! Entries of manifests.

use crate::{BinaryRow, DataFileMeta, Error, Result};

/// Whether an entry adds or removes its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// adds
    Add,
    /// removes
    Delete,
}

impl FileKind {
    /// The number that stands for it in metadata.
    pub fn code(self) -> i32 {
        match self {
            Self::Add => 0,
            Self::Delete => 1,
        }
    }

    /// The inverse of [`Self::code`].
    ///
    /// # Errors
    /// `CorruptData` for any other number.
    pub fn from_code(code: i32) -> Result<Self> {
        match code {
            0 => Ok(Self::Add),
            1 => Ok(Self::Delete),
            _ => Err(Error::corrupt(format!("expected 0 or 1 as _KIND, found {code}"))),
        }
    }
}

/// An entry of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// Whether the file is added or removed.
    pub kind: FileKind,
    /// Values of the partition columns.
    pub partition: BinaryRow,
    /// The bucket, from 0.
    pub bucket: i32,
    /// The table's bucket number when the file was written: -1 unaware.
    pub total_buckets: i32,
    /// The file.
    pub file: DataFileMeta,
}
