//! File indexes: what they say about a data file, before it is opened.

use std::ops::Range;

use bytes::Bytes;
use paimon_spec::{
    DataFileMeta, Error, ErrorKind, FileIndexOptions, IndexAnswer, IndexBytes, IndexVerdict, Predicate, Result,
    TableSchema, evaluate_file_index, file_index_may_answer,
};

use super::{TableStore, named_but_missing};
use crate::{
    PutOutcome, Storage,
    storage::location::{check_file_name, check_folder},
};

/// How much of an index file is read at first: all of a bloom filter of a million values.
const FIRST_READ_BYTES: u64 = 1 << 20;

/// How index files end.
const SUFFIX: &str = ".index";

impl TableStore {
    /// Whether the file indexes of a data file may tell something about a predicate on the file's columns, so that
    /// [`Self::file_index_verdict`] would have to read a file. An embedded index counts too.
    ///
    /// # Errors
    /// `InvalidInput` when the option `file-index.read.enabled` is neither `true` nor `false`.
    pub fn has_file_index(&self, file: &DataFileMeta, predicate: &Predicate, written: &TableSchema) -> Result<bool> {
        let has_index = file.embedded_index.is_some() || file.extra_files.iter().any(|name| name.ends_with(SUFFIX));
        Ok(has_index
            && FileIndexOptions::read_enabled(self.options())?
            && file_index_may_answer(predicate, written, self.schema()))
    }

    /// What the file indexes of a data file say about `predicate`, which is on the columns of `written`, the schema that
    /// the file was written with. Without an index that may tell something nothing is read.
    ///
    /// Of an index file its first part is read and kept in the cache, and more only when that is not enough.
    ///
    /// # Errors
    /// `NotFound` when an index file is missing, `CorruptData` when what is read of it is damaged or not about this data
    /// file; both name it.
    pub async fn file_index_verdict(
        &self,
        bucket_path: &str,
        file: &DataFileMeta,
        predicate: &Predicate,
        written: &TableSchema,
    ) -> Result<IndexVerdict> {
        if !self.has_file_index(file, predicate, written)? {
            return Ok(IndexVerdict::Keep);
        }
        if file.embedded_index.is_some() {
            return file.embedded_index_verdict(predicate, written);
        }
        let Some((storage, path)) = self.locate_index(bucket_path, file)? else { return Ok(IndexVerdict::Keep) };
        let url = storage.url(&path);
        let mut bytes = IndexBytes::none_yet();
        let mut wanted: Vec<Range<u64>> = Vec::from_iter(std::iter::once(0..FIRST_READ_BYTES));
        loop {
            let parts = self.read_index(&storage, &path, &wanted).await?;
            wanted.drain(..).zip(parts).for_each(|(range, part)| bytes.add(range, part));
            let answer = evaluate_file_index(&bytes, predicate, written, file.row_count);
            match answer.map_err(|error| error.with_context("file", &url))? {
                IndexAnswer::Verdict(verdict) => return Ok(verdict),
                IndexAnswer::Needs(more) => wanted = more,
            }
        }
    }

    /// Writes the file indexes of the data file `file_name` beside it; gives the name of the new file, which is for the
    /// data file's `extra_files`.
    ///
    /// # Errors
    /// `AlreadyExists` when there is a file of that name; it is left alone.
    pub async fn write_file_index(&self, bucket_path: &str, file_name: &str, indexes: Bytes) -> Result<String> {
        let name = index_file_name(file_name);
        check_file_name("file index", &name)?;
        check_folder(bucket_path)?;
        let path = format!("{bucket_path}/{name}");
        match self.storage().put_new(&path, indexes).await? {
            PutOutcome::Created => Ok(name),
            PutOutcome::AlreadyExists => {
                let message = format!("cannot create {name}: it exists already");
                Err(Error::new(ErrorKind::AlreadyExists, message).with_context("file", self.storage().url(&path)))
            }
        }
    }

    async fn read_index(&self, storage: &Storage, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        match ranges {
            [first] if first.start == 0 => {
                let key = format!("{}?first={}", storage.url(path), first.end);
                let load = async {
                    let read = storage.read_within(path, first.clone()).await;
                    read.map_err(|error| named_but_missing(error, "file index", path, "a manifest"))
                };
                let part = self.context().cache.get_or_load(key, Bytes::len, load).await?;
                Ok(vec![Bytes::clone(&part)])
            }
            ranges => storage.read_ranges(path, ranges).await,
        }
    }

    /// The index file of a data file lies beside it.
    fn locate_index(&self, bucket_path: &str, file: &DataFileMeta) -> Result<Option<(Storage, String)>> {
        let mut names = file.extra_files.iter().filter(|name| name.ends_with(SUFFIX));
        let (Some(name), other) = (names.next(), names.next()) else { return Ok(None) };
        if let Some(other) = other {
            let message = format!("expected one file index of {}, found {name} and {other}", file.file_name);
            return Err(Error::corrupt(message));
        }
        check_file_name("file index", name)?;
        let (storage, path) = self.locate(bucket_path, file)?;
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        Ok(Some((storage, if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") })))
    }
}

/// The name of the index file of a data file (Java `DataFilePathFactory.dataFileToFileIndexPath`).
pub fn index_file_name(data_file_name: &str) -> String {
    format!("{data_file_name}{SUFFIX}")
}
