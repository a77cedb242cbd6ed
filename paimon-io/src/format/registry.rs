//! Formats of data files that live in other crates.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use paimon_spec::{DataFileMeta, Result, RowSet};

use super::{BatchStream, FileRead, FileTarget, FileWriter};
use crate::{Storage, TableStore};

/// A format of data files, chosen by their extension.
///
/// Errors name what is wrong; whoever asks adds the file to those that do not name one.
#[async_trait]
pub trait FileFormat: Send + Sync + fmt::Debug {
    /// The extension of its files, without a dot, in lower case.
    fn extension(&self) -> &'static str;

    /// Opens the file at `path` in `storage`, with the promises of [`TableStore::open_file`].
    ///
    /// # Errors
    /// `NotFound` when the file is missing, `CorruptData` when it is not what `file` says.
    async fn open(
        &self,
        store: &TableStore,
        storage: &Storage,
        path: &str,
        file: &DataFileMeta,
        read: &FileRead,
    ) -> Result<BatchStream>;

    /// The positions of the rows that the file leaves to older files of its columns: neither values nor NULL.
    ///
    /// # Errors
    /// As [`Self::open`].
    async fn rows_left_open(
        &self,
        store: &TableStore,
        storage: &Storage,
        path: &str,
        file: &DataFileMeta,
    ) -> Result<RowSet>;

    /// Starts a file at `path` in the table's folder. Nothing is written yet.
    ///
    /// # Errors
    /// `Unsupported` naming a column that the format cannot hold.
    fn create(&self, store: &TableStore, path: &str, target: &FileTarget) -> Result<Box<dyn FileWriter>>;
}

/// The formats beside those that this crate reads and writes itself. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Formats(Arc<BTreeMap<&'static str, Arc<dyn FileFormat>>>);

impl Formats {
    /// These formats and one more, which takes the place of another one with its extension. The formats of this crate
    /// are never asked for here.
    #[must_use]
    pub fn with(&self, format: Arc<dyn FileFormat>) -> Self {
        let mut formats = BTreeMap::clone(&self.0);
        formats.insert(format.extension(), format);
        Self(Arc::new(formats))
    }

    pub(super) fn get(&self, extension: &str) -> Option<Arc<dyn FileFormat>> {
        self.0.get(extension).cloned()
    }
}
