//! Data files: where they are, which of them are refused, opening, creating, deleting.

use paimon_spec::{BinaryRow, DataFileMeta, Error, ErrorKind, Result, RowSet, partition_path};

use super::{TableStore, named_but_missing};
use crate::{
    BatchStream, FileRead, FileTarget, FileWriter, Storage, format,
    storage::location::{Location, check_file_name, check_folder},
};

/// A folder outside the table that its option `data-file.external-paths` allows.
#[derive(Debug, Clone)]
pub(super) struct ExternalRoot {
    location: Location,
    storage: Storage,
}

impl ExternalRoot {
    /// The folders that the option lists.
    pub(super) fn parse(option: &str, storage: &Storage) -> Result<Vec<Self>> {
        let urls = option.split(',').map(str::trim).filter(|url| !url.is_empty());
        urls.map(|url| Ok(Self { location: Location::parse(url)?, storage: storage.open_other(url)? })).collect()
    }
}

impl TableStore {
    /// The folder of a bucket, relative to the table: `<data dir>/<partition path>/bucket-<b>`.
    ///
    /// # Errors
    /// `CorruptData` when the partition does not fit the schema.
    pub fn bucket_path(&self, partition: &BinaryRow, bucket: i32) -> Result<String> {
        let options = self.options();
        let fields = self.schema().partition_fields();
        let path =
            partition_path(partition, &fields, options.partition_default_name(), options.partition_legacy_name()?)?;
        Ok(self.paths().bucket_dir(&path, bucket))
    }

    /// The absolute URL of a data file, as [`Storage::url`] spells it.
    ///
    /// # Errors
    /// As [`Self::open_file`] for files that are refused.
    pub fn data_file_url(&self, bucket_path: &str, file: &DataFileMeta) -> Result<String> {
        let (storage, path) = self.locate(bucket_path, file)?;
        Ok(storage.url(&path))
    }

    /// The folders in which files of the table may lie: its own, and those that its option `data-file.external-paths`
    /// lists.
    pub fn folders(&self) -> impl Iterator<Item = &Storage> {
        std::iter::once(self.storage()).chain(self.external_roots.iter().map(|root| &root.storage))
    }

    /// Opens a data file by its own extension. Batches hold the columns of `read.columns`, in that order, with the Arrow
    /// types that the file's own schema maps to.
    ///
    /// # Errors
    /// * `NotFound` when the file is missing, `CorruptData` when it is not the file that the manifest describes.
    /// * `CorruptData` when a name would lead out of the table, `PermissionDenied` when the file's external path lies
    ///   under no folder of the table's option `data-file.external-paths`: nothing is read then.
    /// * Among the batches, `InvalidInput` once the handle's [`Stop`](crate::Stop) was said.
    pub async fn open_file(&self, bucket_path: &str, file: &DataFileMeta, read: &FileRead) -> Result<BatchStream> {
        let (storage, path) = self.locate(bucket_path, file)?;
        let opened = format::open(self, &storage, &path, file, read).await;
        let batches = opened.map_err(|error| named_but_missing(error, "data file", &path, "a manifest"))?;
        Ok(match &self.stop {
            Some(stop) => stop.clone().between(batches),
            None => batches,
        })
    }

    /// The positions of the rows that [`Self::open_file`] reads for `read` before it looks at values: of those asked for
    /// and not deleted, all that statistics do not rule out. A read of these rows without a predicate gives exactly
    /// them, so that the position of each is known. Limits are not looked at.
    ///
    /// # Errors
    /// As [`Self::open_file`]; `Unsupported` for files of more than 2^32 rows.
    pub async fn rows_in_question(&self, bucket_path: &str, file: &DataFileMeta, read: &FileRead) -> Result<RowSet> {
        let (storage, path) = self.locate(bucket_path, file)?;
        let rows = format::rows_in_question(self, &storage, &path, file, read).await;
        rows.map_err(|error| named_but_missing(error, "data file", &path, "a manifest"))
    }

    /// The positions of the rows that a data file leaves to older files of its columns, because their values did not
    /// change when it was written. Only formats of [`crate::Formats`] may have any.
    ///
    /// # Errors
    /// As [`Self::open_file`].
    pub async fn rows_left_open(&self, bucket_path: &str, file: &DataFileMeta) -> Result<RowSet> {
        let (storage, path) = self.locate(bucket_path, file)?;
        let rows = format::rows_left_open(self, &storage, &path, file).await;
        rows.map_err(|error| named_but_missing(error, "data file", &path, "a manifest"))
    }

    /// Creates a data file in the folder of a bucket, in the format that its extension names.
    ///
    /// # Errors
    /// `Unsupported` for an unknown extension; `CorruptData` when a name would lead out of the table.
    pub async fn create_file(&self, target: &FileTarget) -> Result<Box<dyn FileWriter>> {
        check_file_name("data file", &target.file_name)?;
        check_folder(&target.bucket_path)?;
        let path = format!("{}/{}", target.bucket_path, target.file_name);
        format::create(self, &path, target)
    }

    /// Deletes a data file and its extra files; absent ones are fine. Only for files that no snapshot can name.
    ///
    /// # Errors
    /// `PermissionDenied` for a file outside the table's folder: what lies there is others' to delete.
    pub async fn delete_data_file(&self, bucket_path: &str, file: &DataFileMeta) -> Result<()> {
        if let Some(url) = &file.external_path {
            let message = format!("data file {} lies outside the table and is not deleted", file.file_name);
            return Err(Error::new(ErrorKind::PermissionDenied, message).with_context("file", url));
        }
        check_folder(bucket_path)?;
        let names: Vec<&String> = std::iter::once(&file.file_name).chain(&file.extra_files).collect();
        for name in &names {
            check_file_name("data file", name)?;
        }
        for name in names {
            self.storage().delete(&format!("{bucket_path}/{name}")).await?;
        }
        Ok(())
    }

    /// The storage and the path in it of a file that metadata names by a path: relative to the table, or absolute and
    /// then under the table or an allowed folder.
    pub(super) fn resolve(&self, path: &str) -> Result<(Storage, String)> {
        if path.starts_with('/') || path.contains(':') && Location::parse(path).is_ok() {
            return self.resolve_absolute(path);
        }
        check_folder(path)?;
        Ok((self.storage().clone(), path.to_owned()))
    }

    pub(super) fn locate(&self, bucket_path: &str, file: &DataFileMeta) -> Result<(Storage, String)> {
        check_file_name("data file", &file.file_name)?;
        if let Some(url) = &file.external_path {
            return self.resolve_absolute(url);
        }
        check_folder(bucket_path)?;
        Ok((self.storage().clone(), format!("{bucket_path}/{}", file.file_name)))
    }

    fn resolve_absolute(&self, url: &str) -> Result<(Storage, String)> {
        let wanted = Location::parse(url)?;
        // A table on a store of the caller's own has a URL that is no location; then nothing absolute lies in it.
        if let Ok(root) = Location::parse(&self.storage().root_url())
            && let Some(path) = root.relative(&wanted)
        {
            return Ok((self.storage().clone(), path));
        }
        let found =
            self.external_roots.iter().find_map(|root| Some((root.storage.clone(), root.location.relative(&wanted)?)));
        found.ok_or_else(|| {
            let message = "refused to use a file outside the table: no folder in the table's option data-file.external-paths holds it";
            Error::new(ErrorKind::PermissionDenied, message).with_context("file", url).with_context("table", self.storage().root_url())
        })
    }
}
