//! Stores that fail, dawdle and count.

use std::{
    fmt,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart, path::Path,
};

use super::clock::chance;
use crate::storage::ranges::fetch_near_together;

/// What a call wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Reads a file or ranges of it.
    Get,
    /// Asks for a file's size.
    Head,
    /// Creates a file unless there is one.
    PutNew,
    /// Creates or replaces a file.
    Put,
    /// Makes a file appear that was sent in parts.
    Complete,
    /// Lists a folder.
    List,
    /// Deletes a file.
    Delete,
    /// Copies a file.
    Copy,
}

/// One call of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it wants.
    pub operation: Operation,
    /// The file or folder.
    pub path: String,
    /// How many calls of this store came before.
    pub number: u64,
    /// The bytes that a [`Operation::Get`] asks for; `None`: all, or those from the end.
    pub range: Option<Range<u64>>,
}

/// Looks on at the calls of a [`Watched`] store.
#[async_trait]
pub trait Watcher: fmt::Debug + Send + Sync + 'static {
    /// Comes before a call; an error takes its place.
    async fn before(&self, _call: &Call) -> Result<()> {
        Ok(())
    }

    /// Comes after a call that succeeded; an error takes the place of its answer.
    fn after(&self, _call: &Call) -> Result<()> {
        Ok(())
    }
}

/// A store under the eyes of a [`Watcher`].
#[derive(Debug)]
pub struct Watched<W> {
    inner: Arc<dyn ObjectStore>,
    shared: Arc<Shared<W>>,
}

#[derive(Debug)]
struct Shared<W> {
    watcher: W,
    calls: AtomicU64,
}

impl<W: Watcher> Watched<W> {
    /// Wraps `inner`.
    pub fn with_watcher(inner: Arc<dyn ObjectStore>, watcher: W) -> Arc<Self> {
        Arc::new(Self { inner, shared: Arc::new(Shared { watcher, calls: AtomicU64::new(0) }) })
    }

    pub(super) fn watcher(&self) -> &W {
        &self.shared.watcher
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }
}

impl<W: Watcher> Shared<W> {
    async fn watch<T>(
        &self,
        operation: Operation,
        path: &Path,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.watch_range(operation, path, None, work).await
    }

    async fn watch_range<T>(
        &self,
        operation: Operation,
        path: &Path,
        range: Option<Range<u64>>,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let call = Call { operation, path: path.to_string(), number, range };
        self.watcher.before(&call).await?;
        let value = work.await?;
        self.watcher.after(&call)?;
        Ok(value)
    }
}

/// A store whose calls fail when told to.
///
/// ```
/// # use std::sync::Arc;
/// use object_store::memory::InMemory;
/// use paimon_io::testkit::{FaultyStore, Operation};
///
/// let store = FaultyStore::new(Arc::new(InMemory::new()));
/// // The first snapshot is created, but its writer does not hear of it.
/// let mut first = true;
/// store.fail_after(move |call| {
///     let hit = call.operation == Operation::PutNew && call.path.contains("snapshot-");
///     hit && std::mem::take(&mut first)
/// });
/// ```
pub type FaultyStore = Watched<Faults>;

/// The rules of a [`FaultyStore`].
#[derive(Default)]
pub struct Faults {
    before: Mutex<Vec<Rule>>,
    after: Mutex<Vec<Rule>>,
    failed: AtomicU64,
}

type Rule = Box<dyn FnMut(&Call) -> bool + Send>;

impl FaultyStore {
    /// A store that does not fail yet.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Self::with_watcher(inner, Faults::default())
    }

    /// Calls for which `when` is true fail without taking effect.
    pub fn fail_before(&self, when: impl FnMut(&Call) -> bool + Send + 'static) {
        lock(&self.shared.watcher.before).push(Box::new(when));
    }

    /// Calls for which `when` is true take effect, but their answer is lost: the caller gets an error.
    pub fn fail_after(&self, when: impl FnMut(&Call) -> bool + Send + 'static) {
        lock(&self.shared.watcher.after).push(Box::new(when));
    }

    /// Forgets all rules.
    pub fn heal(&self) {
        lock(&self.shared.watcher.before).clear();
        lock(&self.shared.watcher.after).clear();
    }

    /// How many calls failed by a rule.
    pub fn failed(&self) -> u64 {
        self.shared.watcher.failed.load(Ordering::Relaxed)
    }
}

impl Faults {
    fn check(&self, rules: &Mutex<Vec<Rule>>, call: &Call) -> Result<()> {
        // Each rule sees each call, so that one that counts counts right.
        let hits = lock(rules).iter_mut().filter_map(|rule| rule(call).then_some(())).count();
        if hits == 0 {
            return Ok(());
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        Err(Error::Generic {
            store: "faulty",
            source: format!("injected fault at call {} ({:?})", call.number, call.operation).into(),
        })
    }
}

#[async_trait]
impl Watcher for Faults {
    async fn before(&self, call: &Call) -> Result<()> {
        self.check(&self.before, call)
    }

    fn after(&self, call: &Call) -> Result<()> {
        self.check(&self.after, call)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("failed", &self.failed).finish_non_exhaustive()
    }
}

/// A rule that is true of call number `number` (from 0), whatever it is: for going through all calls of an action.
pub fn nth(number: u64) -> impl FnMut(&Call) -> bool + Send + 'static {
    move |call| call.number == number
}

/// A rule that is true of one call in `1 / probability`; which ones follows from the seed.
pub fn by_chance(seed: u64, probability: f64) -> impl FnMut(&Call) -> bool + Send + 'static {
    move |call| chance(seed, call.number) < probability
}

/// A store whose chosen calls begin late: for races.
pub type SlowStore = Watched<Delay>;

/// The rule of a [`SlowStore`].
pub struct Delay {
    by: Duration,
    when: Box<dyn Fn(&Call) -> bool + Send + Sync>,
}

impl SlowStore {
    /// Calls for which `when` is true begin after `by`, by the clock on the wall.
    pub fn new(
        inner: Arc<dyn ObjectStore>,
        by: Duration,
        when: impl Fn(&Call) -> bool + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::with_watcher(inner, Delay { by, when: Box::new(when) })
    }
}

#[async_trait]
impl Watcher for Delay {
    async fn before(&self, call: &Call) -> Result<()> {
        if (self.when)(call) {
            let by = self.by;
            tokio::task::spawn_blocking(move || std::thread::sleep(by)).await?;
        }
        Ok(())
    }
}

impl fmt::Debug for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delay").field("by", &self.by).finish_non_exhaustive()
    }
}

/// A store that remembers its calls.
pub type CountingStore = Watched<Log>;

/// The memory of a [`CountingStore`].
#[derive(Debug, Default)]
pub struct Log(Mutex<Vec<Call>>);

impl CountingStore {
    /// A store without a memory yet.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Self::with_watcher(inner, Log::default())
    }

    /// The calls since the last [`Self::take_log`], in the order in which they began.
    pub fn take_log(&self) -> Vec<Call> {
        std::mem::take(&mut *lock(&self.shared.watcher.0))
    }
}

#[async_trait]
impl Watcher for Log {
    async fn before(&self, call: &Call) -> Result<()> {
        lock(&self.0).push(call.clone());
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Watcher> fmt::Display for Watched<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "watched {}", self.inner)
    }
}

#[async_trait]
impl<W: Watcher> ObjectStore for Watched<W> {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let operation = if opts.mode == PutMode::Create { Operation::PutNew } else { Operation::Put };
        self.shared.watch(operation, location, self.inner.put_opts(location, payload, opts)).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(WatchedUpload { inner, path: location.clone(), shared: Arc::clone(&self.shared) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let operation = if options.head { Operation::Head } else { Operation::Get };
        let range = match &options.range {
            Some(GetRange::Bounded(range)) => Some(range.clone()),
            _ => None,
        };
        self.shared.watch_range(operation, location, range, self.inner.get_opts(location, options)).await
    }

    /// Each request is a call, as object stores make them.
    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        fetch_near_together(self, location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (inner, shared) = (Arc::clone(&self.inner), Arc::clone(&self.shared));
        let delete = move |location: Path| {
            let (inner, shared) = (Arc::clone(&inner), Arc::clone(&shared));
            async move {
                let one = stream::once(futures::future::ok(location.clone())).boxed();
                let work = async { inner.delete_stream(one).try_for_each(|_| futures::future::ok(())).await };
                shared.watch(Operation::Delete, &location, work).await?;
                Ok(location)
            }
        };
        locations.and_then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (inner, shared) = (Arc::clone(&self.inner), Arc::clone(&self.shared));
        let prefix = prefix.cloned().unwrap_or_default();
        let listed = async move {
            let found = inner.list((!prefix.is_root()).then_some(&prefix)).try_collect::<Vec<_>>();
            shared.watch(Operation::List, &prefix, found).await
        };
        stream::once(listed).map_ok(|found| stream::iter(found.into_iter().map(Ok))).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = Path::default();
        self.shared.watch(Operation::List, prefix.unwrap_or(&root), self.inner.list_with_delimiter(prefix)).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.shared.watch(Operation::Copy, to, self.inner.copy_opts(from, to, options)).await
    }
}

#[derive(Debug)]
struct WatchedUpload<W> {
    inner: Box<dyn MultipartUpload>,
    path: Path,
    shared: Arc<Shared<W>>,
}

#[async_trait]
impl<W: Watcher> MultipartUpload for WatchedUpload<W> {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.shared.watch(Operation::Complete, &self.path, self.inner.complete()).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
