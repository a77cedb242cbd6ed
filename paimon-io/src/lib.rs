//! Storage and file formats of one Apache Paimon table: bytes in, bytes out, typed.
//!
//! * [`Storage`] is one folder of a store: local files, S3 or memory, or any [`object_store::ObjectStore`]. Its
//!   [`Storage::put_new`] creates a file for exactly one of any number of writers: all safety of commits rests on it.
//! * [`TableStore`] is the handle on one table: its schemas, snapshots, tags, manifests, deletion vectors and data files
//!   as values, cached in a [`MetadataCache`], and checked before they are believed.
//! * [`FileRead`] and [`FileTarget`] say what to read of a data file and what to write to one; Arrow record batches
//!   come and go.
//! * [`IoContext`] brings in what would otherwise be global: clock, environment, cache, stores in memory, connections.
//!
//! ```
//! use std::{collections::BTreeMap, sync::Arc};
//! use paimon_io::{IoContext, MetadataCache, PutOutcome, Storage};
//! # use paimon_io::Clock;
//! # #[derive(Debug)]
//! # struct ClockOfYours(std::sync::atomic::AtomicU64);
//! # #[async_trait::async_trait]
//! # impl Clock for ClockOfYours {
//! #     fn now_millis(&self) -> i64 { 0 }
//! #     async fn sleep(&self, _: u64) {}
//! #     fn unique_id(&self) -> String { self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string() }
//! #     fn random(&self) -> f64 { 0.5 }
//! # }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let context = IoContext::new(Arc::new(ClockOfYours(0.into())), MetadataCache::new(64 << 20));
//! let warehouse = Storage::open("memory://warehouse", &BTreeMap::new(), &context)?;
//! let table = warehouse.at("sales.db/orders")?;
//!
//! // Of two writers of one snapshot, one wins, and the other is told so.
//! assert_eq!(table.put_new("snapshot/snapshot-1", "{..}".into()).await?, PutOutcome::Created);
//! assert_eq!(table.put_new("snapshot/snapshot-1", "{}".into()).await?, PutOutcome::AlreadyExists);
//! assert_eq!(warehouse.read("sales.db/orders/snapshot/snapshot-1").await?, "{..}");
//! # Ok::<(), paimon_spec::Error>(())
//! # }).unwrap();
//! ```
//!
//! | module | holds |
//! |---|---|
//! | `storage` | [`Storage`]: URLs and names, local files, S3, writing piece by piece |
//! | `table_store` | [`TableStore`]: latest snapshot, tags, metadata files, data files |
//! | `commit` | [`SnapshotCommit`]: how a snapshot is published |
//! | `cache` | [`MetadataCache`]: what may be kept, and under which key |
//! | `format` | readers and writers of data files, by extension |
//! | `background` | batches that are made while others are worked on |
//! | `spill` | [`SpillSpace`]: rows that memory has no room for |
//! | `arrow` | Paimon's types, values and predicates on Arrow arrays |
//! | `testkit` | what tests of a storage or a table need (feature `testkit`) |
//!
//! Invariants: nothing outside the table, and the folders that its options allow, is opened or deleted because metadata
//! says so; a file appears whole or not at all; no clock, chance, global, or runtime of its own.
//! Not here: which files answer a request (`paimon-scan`), merging (`paimon-merge`), names of tables (`paimon-catalog`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod arrow;
mod background;
mod cache;
mod commit;
mod context;
mod convert_error;
mod format;
mod spill;
mod stop;
mod storage;
mod table_store;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

#[cfg(feature = "s3")]
pub use self::storage::s3::{Credentials, Origin, S3Settings};
pub use self::{
    arrow::{
        evolve::evolve_array,
        filter::filter_mask,
        fit::{fit_array, fit_batch},
        rows::{constant_array, datum_at},
        types::{arrow_schema, arrow_type, paimon_fields},
    },
    background::{Spawner, background},
    cache::MetadataCache,
    commit::{FileSnapshotCommit, SnapshotCommit},
    context::{Clock, IoContext},
    format::{BatchStream, FileFormat, FileRead, FileTarget, FileWriter, Formats, WrittenFile},
    spill::{SpillSpace, SpilledRun},
    stop::Stop,
    storage::{FilePart, Listed, PutOutcome, Storage, StorageWriter, path_below, redact},
    table_store::{TableStore, index_file_name},
};
