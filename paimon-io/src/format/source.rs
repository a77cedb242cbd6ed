//! The bytes of one data file.

use std::{
    ops::Range,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use paimon_spec::{DataFileMeta, Error, Result};

use crate::Storage;

/// How much of a file's end is read at first: most footers, with the indexes of files of ordinary size.
const TAIL_BYTES: u64 = 64 << 10;
/// The same where each request takes its time: as much as comes in the time of about one more request.
const REMOTE_TAIL_BYTES: u64 = 512 << 10;

/// A file whose size is known from the manifest, so that nobody asks the storage for it.
#[derive(Debug, Clone)]
pub(super) struct Source {
    storage: Storage,
    path: String,
    pub(super) size: u64,
    /// The end of the file, once it was read; of a small file that is all.
    tail: Arc<OnceLock<Bytes>>,
}

impl Source {
    pub(super) fn new(storage: &Storage, path: &str, file: &DataFileMeta) -> Result<Self> {
        let size = u64::try_from(file.file_size)
            .map_err(|_| Error::corrupt(format!("the manifest gives the file {} bytes", file.file_size)))?;
        Ok(Self { storage: storage.clone(), path: path.to_owned(), size, tail: Arc::default() })
    }

    pub(super) fn url(&self) -> String {
        self.storage.url(&self.path)
    }

    /// The end of the file, or all of a small one. It is read once, and [`Self::fetch`] takes from it what it can.
    pub(super) async fn tail(&self) -> Result<Bytes> {
        if let Some(tail) = self.tail.get() {
            return Ok(tail.clone());
        }
        let end = self.size.saturating_sub(self.tail_bytes())..self.size;
        let tail = self.request(std::slice::from_ref(&end)).await?.pop().unwrap_or_default();
        Ok(self.tail.get_or_init(|| tail).clone())
    }

    /// Parts of the file, in the order asked for. Ranges come out of the file itself, so they are looked at before
    /// anything is allocated for them.
    pub(super) async fn fetch(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        if let Some(range) = ranges.iter().find(|r| r.start > r.end || r.end > self.size) {
            return Err(Error::corrupt(format!(
                "the footer places data at bytes {}..{}, but the file has {}",
                range.start, range.end, self.size
            )));
        }
        if !self.storage.is_local() && self.size <= self.tail_bytes() {
            // One request for all of it instead of one for each step of the reader.
            self.tail().await?;
        }
        let missing: Vec<_> = ranges.iter().filter(|range| self.known(range).is_none()).cloned().collect();
        let mut requested = match missing.is_empty() {
            true => Vec::new(),
            false => self.request(&missing).await?,
        }
        .into_iter();
        Ok(ranges.iter().map(|range| self.known(range).or_else(|| requested.next()).unwrap_or_default()).collect())
    }

    /// One part of the file; as [`Self::fetch`].
    pub(super) async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        Ok(self.fetch(std::slice::from_ref(&range)).await?.pop().unwrap_or_default())
    }

    fn tail_bytes(&self) -> u64 {
        if self.storage.is_local() { TAIL_BYTES } else { REMOTE_TAIL_BYTES }
    }

    /// A part that was read with the end of the file.
    fn known(&self, range: &Range<u64>) -> Option<Bytes> {
        let tail = self.tail.get()?;
        let tail_start = self.size.checked_sub(tail.len() as u64)?;
        let start = usize::try_from(range.start.checked_sub(tail_start)?).ok()?;
        let end = usize::try_from(range.end.checked_sub(tail_start)?).ok()?;
        (start <= end && end <= tail.len()).then(|| tail.slice(start..end))
    }

    async fn request(&self, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let parts = self.storage.read_ranges(&self.path, ranges).await?;
        if parts.len() == ranges.len() {
            return Ok(parts);
        }
        Err(Error::internal("paimon-io", "a storage gave another number of ranges than asked for"))
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use object_store::memory::InMemory;
    use rstest::rstest;

    use super::*;
    use crate::{
        IoContext,
        testkit::{self, DistantStore},
    };

    fn bytes(range: Range<u64>) -> Vec<u8> {
        range.map(|at| (at % 251) as u8).collect()
    }

    async fn source(size: u64) -> (Arc<DistantStore>, Source) {
        let context: IoContext = testkit::context();
        let store = DistantStore::new(Arc::new(InMemory::new()));
        let storage = Storage::from_store(store.clone(), "test://distant", &context);
        storage.put("a.parquet", bytes(0..size).into()).await.unwrap();
        (store, Source { storage, path: "a.parquet".to_owned(), size, tail: Arc::default() })
    }

    #[rstest]
    #[case::all_of_a_small_file(100_000, &[0..10, 99_990..100_000, 7..7], 1)]
    #[case::the_end_of_a_large_one(4 << 20, &[(4 << 20) - 1000..4 << 20, (4 << 20) - 5..4 << 20], 1)]
    #[case::its_start_too((4 << 20) + 1, &[0..10, (4 << 20) - 1000..4 << 20, 5..20], 2)]
    #[case::no_bytes(0, &[0..0, 0..0], 0)]
    #[tokio::test]
    async fn the_end_of_a_file_is_requested_once(
        #[case] size: u64,
        #[case] ranges: &[Range<u64>],
        #[case] requests: usize,
    ) {
        let (store, source) = source(size).await;
        let work = async {
            source.tail().await.unwrap();
            (source.fetch(ranges).await.unwrap(), source.clone().fetch(&ranges[..1]).await.unwrap())
        };
        let ((parts, again), asked) = store.requests_of(work).await;
        assert_eq!(parts, ranges.iter().map(|range| bytes(range.clone())).collect::<Vec<_>>());
        assert_eq!(again, parts[..1]);
        // The second look at the start of a large file is a request of its own.
        assert_eq!(asked.count(), requests + usize::from(requests == 2));
    }

    #[tokio::test]
    async fn a_small_file_is_read_whole_even_when_its_footer_is_known() {
        let (store, source) = source(100_000).await;
        let work = async {
            for start in [0, 30_000, 60_000] {
                assert_eq!(source.read(start..start + 10).await.unwrap(), bytes(start..start + 10));
            }
        };
        assert_eq!(store.requests_of(work).await.1.count(), 1);
    }
}
