//! The cache of decoded metadata.

use std::{
    any::{Any, TypeId, type_name},
    error::Error as StdError,
    fmt,
    future::Future,
    sync::Arc,
};

use moka::future::Cache;
use paimon_spec::{Error, Result};

#[cfg(test)]
mod tests;

/// Decoded metadata of all tables of a process: manifest lists, manifests, index manifests, deletion vectors, schemas,
/// Parquet footers, indexes of blob files. Cheap to clone; clones share the entries.
///
/// What may be in it never changes under its key, so nothing is ever invalidated:
/// * Files with a unique identifier in their name go by URL and size.
/// * `schema-<n>` is a name that a dropped and re-created table uses again. It goes by URL and by the handle that read
///   it ([`crate::TableStore::new`]), so it is read anew by whoever loads the table again.
/// * `snapshot-<n>`, tags, hints and listings are never in it: a roll-back uses numbers again under a living handle.
///
/// Each entry weighs what it takes in memory, about. Callers that want the same entry at the same time wait for one load.
#[derive(Clone)]
pub struct MetadataCache {
    /// `None`: switched off.
    entries: Option<Cache<Key, Entry>>,
    capacity_bytes: u64,
}

/// The type comes first: entries of two types never meet, whatever their names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(TypeId, Arc<str>);

#[derive(Clone)]
struct Entry {
    value: Arc<dyn Any + Send + Sync>,
    bytes: u32,
}

impl MetadataCache {
    /// A cache of about `capacity_bytes`; 0 switches it off.
    pub fn new(capacity_bytes: u64) -> Self {
        let cache =
            || Cache::builder().max_capacity(capacity_bytes).weigher(|_: &Key, entry: &Entry| entry.bytes).build();
        Self { entries: (capacity_bytes > 0).then(cache), capacity_bytes }
    }

    /// How many bytes it may hold.
    pub fn capacity_bytes(&self) -> u64 {
        self.capacity_bytes
    }

    /// The entry under `name`, or what `load` gives, which is then kept if `weigh` (in bytes) leaves room for it.
    ///
    /// `name` must say everything that the value depends on, and two kinds of values have two types. An error is not kept; all who wait for the load get it.
    ///
    /// # Errors
    /// Those of `load`.
    pub async fn get_or_load<T>(
        &self,
        name: impl Into<Arc<str>>,
        weigh: impl FnOnce(&T) -> usize,
        load: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>>
    where
        T: Any + Send + Sync,
    {
        let Some(entries) = &self.entries else {
            return load.await.map(Arc::new);
        };
        let key = Key(TypeId::of::<T>(), name.into());
        let overhead = size_of::<T>() + key.1.len() + 128;
        let mut failure = None;
        let load = async {
            let value = load.await.map_err(|error| {
                let copy = copy_for_others(&error);
                failure = Some(error);
                copy
            })?;
            let bytes = u32::try_from(weigh(&value).saturating_add(overhead)).unwrap_or(u32::MAX);
            Ok::<_, Error>(Entry { value: Arc::new(value), bytes })
        };
        let loaded = entries.try_get_with(key, load).await;
        let entry = loaded.map_err(|shared| failure.unwrap_or_else(|| copy_for_others(&shared)))?;
        entry
            .value
            .downcast()
            .map_err(|_| Error::internal("paimon-io", format!("a cached {} has another type", type_name::<T>())))
    }
}

impl fmt::Debug for MetadataCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetadataCache").field("capacity_bytes", &self.capacity_bytes).finish_non_exhaustive()
    }
}

/// The error of a load for those who only waited for it.
fn copy_for_others(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned());
    for key in ["file", "offset", "table"] {
        if let Some(value) = error.context(key) {
            copy = copy.with_context(key, value);
        }
    }
    if let Some(cause) = error.source() {
        copy = copy.with_source(cause.to_string());
    }
    if error.is_retryable() { copy.retryable() } else { copy }
}
