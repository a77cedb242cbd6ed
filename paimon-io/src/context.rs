//! What every table of a process shares: time, identifiers, the environment, the metadata cache, stores and connections.

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use object_store::memory::InMemory;

#[cfg(feature = "s3")]
use crate::storage::s3::{S3Settings, S3Store};
use crate::{Formats, MetadataCache, Spawner};

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

/// What every table of a process shares. Cheap to clone; clones share the cache, the in-memory stores and connections.
#[derive(Debug, Clone)]
pub struct IoContext {
    /// Time, identifiers and chance.
    pub clock: Arc<dyn Clock>,
    /// Decoded metadata, of all tables.
    pub cache: MetadataCache,
    /// Whether a write to local files returns only when file and folder are on the disk.
    pub fsync: bool,
    /// The variables that say how to reach a storage when options do not: `AWS_*`, and `HOME`, where Amazon's tools keep
    /// their files. Empty unless somebody puts them here.
    pub environment: Arc<BTreeMap<String, String>>,
    /// A local folder for temporary files; `None`: nothing is written there.
    pub spill_folder: Option<Arc<Path>>,
    /// Where work that is needed soon goes on meanwhile; `None`: it is done when it is needed.
    pub spawner: Option<Arc<dyn Spawner>>,
    /// Formats of data files beside Parquet, ORC and Avro.
    pub formats: Formats,
    memory: MemoryStores,
    #[cfg(feature = "s3")]
    s3: S3Clients,
}

/// Clients of buckets that are kept, the last ones used: a process reads a few warehouses, but keys may change hourly.
#[cfg(feature = "s3")]
const S3_CLIENTS: usize = 32;

impl IoContext {
    /// A context without `fsync`, spawner, further formats and folder for temporary files, with an empty environment, and
    /// with no in-memory store yet.
    pub fn new(clock: Arc<dyn Clock>, cache: MetadataCache) -> Self {
        Self {
            clock,
            cache,
            fsync: false,
            environment: Arc::default(),
            spill_folder: None,
            spawner: None,
            formats: Formats::default(),
            memory: MemoryStores::default(),
            #[cfg(feature = "s3")]
            s3: S3Clients::default(),
        }
    }

    /// The store behind `memory://<name>`, made at its first use.
    pub(crate) fn memory_store(&self, name: &str) -> Arc<InMemory> {
        let mut stores = self.memory.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(stores.entry(name.to_owned()).or_default())
    }
}

#[cfg(feature = "s3")]
impl IoContext {
    /// The store of a bucket, made at the first use of these settings; `folder` is the one that is opened.
    ///
    /// # Errors
    /// As [`S3Settings::resolve`] and [`S3Store::connect`].
    pub(crate) fn s3_store(
        &self,
        bucket: &str,
        folder: &str,
        options: &BTreeMap<String, String>,
    ) -> paimon_spec::Result<S3Store> {
        let settings = S3Settings::resolve(bucket, options, &self.environment)?;
        let mut clients = self.s3.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = clients.iter().position(|client| client.bucket == bucket && client.settings == settings);
        let client = match found {
            Some(index) => clients.remove(index),
            None => {
                let store = S3Store::connect(bucket, folder, &settings, Arc::clone(&self.clock))?;
                S3Client { bucket: bucket.to_owned(), settings, store }
            }
        };
        let store = client.store.clone();
        clients.truncate(S3_CLIENTS - 1);
        clients.insert(0, client);
        Ok(store)
    }
}

/// The last one used is the first.
#[cfg(feature = "s3")]
#[derive(Clone, Default)]
struct S3Clients(Arc<Mutex<Vec<S3Client>>>);

#[cfg(feature = "s3")]
struct S3Client {
    bucket: String,
    settings: S3Settings,
    store: S3Store,
}

#[cfg(feature = "s3")]
impl fmt::Debug for S3Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("S3Clients")
    }
}

#[derive(Clone, Default)]
struct MemoryStores(Arc<Mutex<BTreeMap<String, Arc<InMemory>>>>);

impl fmt::Debug for MemoryStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStores")
    }
}
