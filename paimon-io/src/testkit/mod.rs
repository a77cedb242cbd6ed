//! What a test of a storage or of a table needs (feature `testkit`).
//!
//! * [`storage_contract`]: what every store must do for tables to be safe on it.
//! * [`FaultyStore`]: a store whose calls fail when told to, before or after they took effect.
//! * [`SlowStore`]: a store whose calls take their time.
//! * [`CountingStore`]: a store that remembers its calls.
//! * [`DistantStore`]: a store that tells how many calls some work makes, and how many in sequence.
//! * [`distant_folder`]: an empty folder on such a store.
//! * [`create_table`]: an empty table in memory.
//! * [`data_file()`] and [`manifest_file`]: what a manifest says of a file, where a test does not care.
//! * [`ManualClock`]: time, identifiers and chance from a seed.
//!
//! The stores wrap one another: a faulty store on a counting one counts what got through.

#![expect(clippy::expect_used, reason = "test support says no by panicking")]

mod clock;
mod contract;
mod metas;
mod rounds;
mod stores;

pub use self::{
    clock::ManualClock,
    contract::storage_contract,
    metas::{data_file, manifest_file},
    rounds::{DistantStore, Requests, Rounds},
    stores::{Call, CountingStore, FaultyStore, Operation, SlowStore, Watched, Watcher, by_chance, nth},
};

use std::{collections::BTreeMap, sync::Arc};

use object_store::memory::InMemory;
use paimon_spec::{Schema, TableSchema};

use crate::{FileSnapshotCommit, IoContext, MetadataCache, Storage, TableStore};

/// A context of its own: a [`ManualClock`] of seed 0, a cache of 64 MiB, no in-memory store yet.
pub fn context() -> IoContext {
    context_of(0)
}

/// Like [`context()`], with the clock of another seed.
pub fn context_of(seed: u64) -> IoContext {
    IoContext::new(Arc::new(ManualClock::new(seed)), MetadataCache::new(64 << 20))
}

/// An empty folder on a store that is far away, and the store, to count the requests.
pub fn distant_folder(context: &IoContext) -> (Storage, Arc<DistantStore>) {
    let store = DistantStore::new(Arc::new(InMemory::new()));
    (Storage::from_store(store.clone(), "test://distant", context), store)
}

/// An empty folder on a store that fails when told to, and the store.
pub fn faulty_folder(context: &IoContext) -> (Storage, Arc<FaultyStore>) {
    let store = FaultyStore::new(Arc::new(InMemory::new()));
    (Storage::from_store(store.clone(), "test://faulty", context), store)
}

/// A new, empty table in memory, in a context of its own.
///
/// # Panics
/// When the schema is refused.
pub async fn create_table(schema: Schema) -> TableStore {
    let context = context();
    let storage = Storage::open("memory://testkit/table", &BTreeMap::new(), &context);
    create_table_at(storage.expect("memory can be opened"), schema, context).await
}

/// A new, empty table in a folder.
///
/// # Panics
/// When the schema is refused, there is a table already, or the storage fails.
pub async fn create_table_at(storage: Storage, schema: Schema, context: IoContext) -> TableStore {
    let schema = TableSchema::create(schema, context.clock.now_millis()).expect("a schema that can be created");
    let table =
        TableStore::new(storage, Arc::new(schema), None, Arc::new(FileSnapshotCommit), context).expect("a table");
    let created = table.commit_schema(table.schema()).await.expect("a storage that can be written");
    assert_eq!(created, crate::PutOutcome::Created, "there is a table already");
    table
}
