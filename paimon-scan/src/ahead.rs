//! Reading manifests ahead: many at the same time, in order, within bounds.

use std::collections::VecDeque;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesOrdered;
use paimon_io::TableStore;
use paimon_spec::{ManifestFileMeta, Result};

/// Local files come from the page cache: a few reads at a time keep the processor busy.
const AT_ONCE_LOCAL: usize = 16;
/// A request to an object store takes its time whatever its size, so that what counts is how many follow one another.
const AT_ONCE_REMOTE: usize = 128;
/// Manifests that are being read take about so many bytes, and one manifest more.
const BYTES_AT_ONCE: u64 = 64 << 20;

/// A manifest, and its position among those of its snapshot.
pub(crate) type Placed<'a> = (usize, &'a ManifestFileMeta);

/// Results of reading manifests, in the order of the manifests and with their positions.
pub(crate) struct Ahead<'a, T> {
    manifests: std::vec::IntoIter<Placed<'a>>,
    read: Box<dyn Fn(&'a ManifestFileMeta) -> BoxFuture<'a, Result<T>> + Send + 'a>,
    running: FuturesOrdered<BoxFuture<'a, Result<T>>>,
    /// Position and bytes of each manifest that is being read.
    places: VecDeque<(usize, u64)>,
    bytes: u64,
    window: usize,
    most: usize,
}

impl<'a, T: Send + 'a> Ahead<'a, T> {
    pub(crate) fn new(
        store: &TableStore,
        manifests: Vec<Placed<'a>>,
        read: impl Fn(&'a ManifestFileMeta) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Self {
        let most = if store.storage().is_local() { AT_ONCE_LOCAL } else { AT_ONCE_REMOTE };
        let running = FuturesOrdered::new();
        let (manifests, read) = (manifests.into_iter(), Box::new(read));
        Self { manifests, read, running, places: VecDeque::new(), bytes: 0, window: most, most }
    }

    /// For those who may need only the first: begins with `window` at a time, and doubles it with each that was not enough.
    pub(crate) fn starting_with(self, window: usize) -> Self {
        Self { window, ..self }
    }

    pub(crate) async fn next(&mut self) -> Result<Option<(usize, T)>> {
        while self.running.len() < self.window
            && self.bytes < BYTES_AT_ONCE
            && let Some((position, manifest)) = self.manifests.next()
        {
            let size = u64::try_from(manifest.file_size).unwrap_or(0);
            self.places.push_back((position, size));
            self.bytes = self.bytes.saturating_add(size);
            self.running.push_back((self.read)(manifest));
        }
        let Some(result) = self.running.next().await else { return Ok(None) };
        let (position, size) = self.places.pop_front().unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(size);
        self.window = self.window.saturating_mul(2).min(self.most);
        Ok(Some((position, result?)))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use std::sync::Mutex;

    use paimon_io::testkit;

    use super::*;
    use crate::testkit::TestTable;

    fn manifests(sizes: &[i64]) -> Vec<ManifestFileMeta> {
        let meta = |(number, size): (usize, &i64)| testkit::manifest_file(&number.to_string(), *size);
        sizes.iter().enumerate().map(meta).collect()
    }

    /// How many reads have begun when each result arrives.
    async fn begun(sizes: &[i64], window: Option<usize>) -> Vec<(usize, usize)> {
        let table = TestTable::create(&[], &[]).await;
        let manifests = manifests(sizes);
        let started = Mutex::new(0);
        let read = |manifest: &ManifestFileMeta| {
            *started.lock().unwrap() += 1;
            let name = manifest.file_name.clone();
            async move { Ok(name) }.boxed()
        };
        let mut ahead = Ahead::new(&table.store, manifests.iter().enumerate().collect(), read);
        if let Some(window) = window {
            ahead = ahead.starting_with(window);
        }
        let mut seen = Vec::new();
        while let Some((position, name)) = ahead.next().await.unwrap() {
            assert_eq!(name, position.to_string());
            seen.push((position, *started.lock().unwrap()));
        }
        seen
    }

    #[tokio::test]
    async fn results_come_in_order_and_within_a_window() {
        let seen = begun(&[1; 200], None).await;
        assert!(seen.iter().enumerate().all(|(at, (position, _))| at == *position));
        assert_eq!((seen[0].1, seen[1].1, seen[199].1), (128, 129, 200));
    }

    #[tokio::test]
    async fn a_window_grows_with_what_was_not_enough() {
        let seen: Vec<_> = begun(&[1; 40], Some(2)).await.into_iter().map(|(_, begun)| begun).collect();
        assert_eq!(seen[..5], [2, 5, 10, 19, 36]);
    }

    #[tokio::test]
    async fn large_manifests_are_read_a_few_at_a_time() {
        let seen: Vec<_> = begun(&[24 << 20; 8], None).await.into_iter().map(|(_, begun)| begun).collect();
        assert_eq!(seen, [3, 4, 5, 6, 7, 8, 8, 8]);
        assert_eq!(begun(&[i64::MAX, i64::MAX, -1], None).await.len(), 3);
    }
}
