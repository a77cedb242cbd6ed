//! What every table of a process shares: time, identifiers, the metadata cache and the in-memory stores.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use object_store::memory::InMemory;

use crate::MetadataCache;

/// Time, identifiers and chance: nothing in these crates takes them from anywhere else, so that a test can replay a run.
#[async_trait::async_trait]
pub trait Clock: Send + Sync + fmt::Debug {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    fn now_millis(&self) -> i64;

    /// Returns after about `millis` milliseconds of this clock.
    async fn sleep(&self, millis: u64);

    /// An identifier that no other call, in this or in any other process, returns; in the letters of a UUID.
    fn unique_id(&self) -> String;

    /// An even chance of each number from 0 (included) to 1 (excluded).
    fn random(&self) -> f64;
}

/// What every table of a process shares. Cheap to clone; clones share the cache and the in-memory stores.
#[derive(Debug, Clone)]
pub struct IoContext {
    /// Time, identifiers and chance.
    pub clock: Arc<dyn Clock>,
    /// Decoded metadata, of all tables.
    pub cache: MetadataCache,
    /// Whether a write to local files returns only when file and folder are on the disk.
    pub fsync: bool,
    memory: MemoryStores,
}

impl IoContext {
    /// A context without `fsync` and with no in-memory store yet.
    pub fn new(clock: Arc<dyn Clock>, cache: MetadataCache) -> Self {
        Self { clock, cache, fsync: false, memory: MemoryStores::default() }
    }

    /// The store behind `memory://<name>`, made at its first use.
    pub(crate) fn memory_store(&self, name: &str) -> Arc<InMemory> {
        let mut stores = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(stores.entry(name.to_owned()).or_default())
    }
}

#[derive(Clone, Default)]
struct MemoryStores(Arc<Mutex<BTreeMap<String, Arc<InMemory>>>>);

impl fmt::Debug for MemoryStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStores")
    }
}
