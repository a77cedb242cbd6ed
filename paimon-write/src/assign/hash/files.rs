//! The HASH index files of a table.

use std::collections::HashMap;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use paimon_io::TableStore;
use paimon_spec::{
    BinaryRow, DataType, Error, FileKind, HASH_INDEX, IndexManifestEntry, Result, Snapshot, append_hash_index,
};

use super::known::LAST_BUCKET;
use crate::assign::IndexChanges;

/// Index files that are read or written at the same time.
const FILE_CONCURRENCY: usize = 8;

/// The HASH index files of one snapshot.
#[derive(Debug, Default)]
pub(crate) struct HashFiles {
    /// By partition and bucket, of which each has one at most.
    files: HashMap<BinaryRow, Vec<(u16, IndexManifestEntry)>>,
}

impl HashFiles {
    /// # Errors
    /// `CorruptData` for entries that contradict each other; `Storage` and its kin.
    pub(crate) async fn of(store: &TableStore, snapshot: &Snapshot) -> Result<Self> {
        let Some(name) = &snapshot.index_manifest else { return Ok(Self::default()) };
        let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
        let mut files: HashMap<BinaryRow, Vec<(u16, IndexManifestEntry)>> = HashMap::new();
        for entry in store.index_manifest(name).await?.iter().filter(|entry| entry.index_type == HASH_INDEX) {
            let wrong = |message: String| Error::corrupt(message).with_context("file", &entry.file_name);
            let bucket = u16::try_from(entry.bucket).ok().filter(|bucket| *bucket <= LAST_BUCKET).ok_or_else(|| {
                wrong(format!("expected a HASH index of a bucket from 0 to {LAST_BUCKET}, found {}", entry.bucket))
            })?;
            let of_partition = files.entry(entry.partition.normalised(&types)?).or_default();
            if of_partition.iter().any(|(other, _)| *other == bucket) {
                return Err(wrong(format!("expected one HASH index of bucket {bucket} of a partition, found two")));
            }
            of_partition.push((bucket, entry.clone()));
        }
        files.values_mut().for_each(|files| files.sort_unstable_by_key(|(bucket, _)| *bucket));
        Ok(Self { files })
    }

    /// The file of a bucket.
    pub(crate) fn file(&self, partition: &BinaryRow, bucket: u16) -> Option<&IndexManifestEntry> {
        let files = self.files.get(partition)?;
        let at = files.binary_search_by_key(&bucket, |(bucket, _)| *bucket).ok()?;
        Some(&files[at].1)
    }

    /// Whether a bucket has one.
    pub(crate) fn has(&self, partition: &BinaryRow, bucket: i32) -> bool {
        u16::try_from(bucket).is_ok_and(|bucket| self.file(partition, bucket).is_some())
    }

    /// The index file of each bucket of a partition, as bytes, by ascending bucket.
    ///
    /// # Errors
    /// As [`TableStore::hash_index`].
    pub(crate) fn read<'a>(
        &'a self,
        store: &'a TableStore,
        partition: &'a BinaryRow,
    ) -> impl Stream<Item = Result<(u16, Bytes)>> + 'a {
        let files = self.files.get(partition).map_or(&[][..], Vec::as_slice);
        let reads: Vec<_> = files.iter().map(|(bucket, entry)| read_file(store, partition, *bucket, entry)).collect();
        stream::iter(reads).buffered(FILE_CONCURRENCY)
    }

    /// Writes the index files of buckets that have new hashes: those that were there, and the new ones. Adds the changes
    /// to `written` as they are done.
    ///
    /// # Errors
    /// As [`TableStore::hash_index`] and [`TableStore::write_hash_index`].
    pub(crate) async fn write(
        &self,
        store: &TableStore,
        added: HashMap<(BinaryRow, u16), Vec<i32>>,
        written: &mut IndexChanges,
    ) -> Result<()> {
        let writes: Vec<_> = added.into_iter().map(|(bucket, hashes)| self.write_file(store, bucket, hashes)).collect();
        let mut writes = stream::iter(writes).buffer_unordered(FILE_CONCURRENCY);
        let mut outcome = Ok(());
        // All come to their end, so that what is written is known.
        while let Some(done) = writes.next().await {
            match done {
                Ok((bucket, changes)) => _ = written.insert(bucket, changes),
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        outcome
    }

    async fn write_file(
        &self,
        store: &TableStore,
        (partition, bucket): (BinaryRow, u16),
        hashes: Vec<i32>,
    ) -> Result<((BinaryRow, i32), Vec<IndexManifestEntry>)> {
        let old = self.file(&partition, bucket);
        let mut bytes = match old {
            Some(old) => Vec::from(store.hash_index(old, &partition).await?),
            None => Vec::new(),
        };
        append_hash_index(&mut bytes, hashes);
        let new = store.write_hash_index(&partition, bucket.into(), bytes.into()).await?;
        let gone = old.map(|old| IndexManifestEntry { kind: FileKind::Delete, ..old.clone() });
        Ok(((partition, bucket.into()), gone.into_iter().chain([new]).collect()))
    }
}

async fn read_file(
    store: &TableStore,
    partition: &BinaryRow,
    bucket: u16,
    entry: &IndexManifestEntry,
) -> Result<(u16, Bytes)> {
    Ok((bucket, store.hash_index(entry, partition).await?))
}
