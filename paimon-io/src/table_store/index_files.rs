//! Index files: where they are, HASH indexes, writing.

use bytes::Bytes;
use paimon_spec::{BinaryRow, Error, ErrorKind, FileKind, HASH_INDEX, IndexManifestEntry, Result, decode_hash_index};

use super::{TableStore, read_named};
use crate::{PutOutcome, storage::location::check_file_name};

/// What names of index files start with.
const INDEX_PREFIX: &str = "index-";

impl TableStore {
    /// Where an index file is: relative to the table, or the whole URL of one outside. `partition` is its entry's in the
    /// form that the schema has.
    ///
    /// # Errors
    /// `CorruptData` when its name would lead out of its folder, or the partition does not fit the schema.
    pub fn index_path(&self, entry: &IndexManifestEntry, partition: &BinaryRow) -> Result<String> {
        match &entry.external_path {
            Some(url) => Ok(url.clone()),
            None => self.own_index_path(partition, entry.bucket, &entry.file_name),
        }
    }

    /// The bytes of a HASH index file, which are whole hashes; see [`decode_hash_index`].
    ///
    /// # Errors
    /// `NotFound` when it is missing, `CorruptData` when it is torn, or has not the size or the hashes that its entry
    /// states, `PermissionDenied` when it lies outside the table.
    pub async fn hash_index(&self, entry: &IndexManifestEntry, partition: &BinaryRow) -> Result<Bytes> {
        let read = async {
            let (storage, path) = self.resolve(&self.index_path(entry, partition)?)?;
            let stated = u64::try_from(entry.file_size).unwrap_or(0);
            let size = (Some(entry.file_size), stated);
            let bytes = read_named(&storage, "HASH index", &path, size, "an index manifest").await?;
            let hashes = decode_hash_index(&bytes).and_then(|hashes| check_count(entry, hashes.len()));
            hashes.map_err(|error| error.with_context("file", storage.url(&path)))?;
            Ok(bytes)
        };
        read.await.map_err(|error: Error| {
            error.with_context("bucket", entry.bucket).with_context("table", self.storage().root_url())
        })
    }

    /// Creates the HASH index file of a bucket, with a name of its own. Returns the entry that adds it.
    ///
    /// # Errors
    /// `AlreadyExists` when there is one of that name; it is left alone.
    pub async fn write_hash_index(
        &self,
        partition: &BinaryRow,
        bucket: i32,
        bytes: Bytes,
    ) -> Result<IndexManifestEntry> {
        let file_name = format!("{INDEX_PREFIX}{}-0", self.context().clock.unique_id());
        let row_count = decode_hash_index(&bytes)?.len() as i64;
        let file_size = bytes.len() as i64;
        let path = self.own_index_path(partition, bucket, &file_name)?;
        if self.storage().put_new(&path, bytes).await? == PutOutcome::AlreadyExists {
            let message = format!("cannot create {file_name}: it exists already");
            return Err(Error::new(ErrorKind::AlreadyExists, message).with_context("file", self.storage().url(&path)));
        }
        Ok(IndexManifestEntry {
            kind: FileKind::Add,
            partition: partition.clone(),
            bucket,
            index_type: HASH_INDEX.to_owned(),
            file_name,
            file_size,
            row_count,
            deletion_vectors: None,
            external_path: None,
            global_index: None,
        })
    }

    fn own_index_path(&self, partition: &BinaryRow, bucket: i32, file_name: &str) -> Result<String> {
        check_file_name("index file", file_name)?;
        // Java: `IndexInDataFileDirPathFactory`.
        if self.options().index_files_beside_data()? {
            return Ok(format!("{}/{file_name}", self.bucket_path(partition, bucket)?));
        }
        Ok(self.paths().index(file_name))
    }
}

fn check_count(entry: &IndexManifestEntry, found: usize) -> Result<()> {
    if usize::try_from(entry.row_count) == Ok(found) {
        return Ok(());
    }
    Err(Error::corrupt(format!("expected a HASH index of {} hashes, found {found}", entry.row_count)))
}
