//! Rows to buckets, of every kind of table.
//!
//! Rows of most tables say by themselves where they belong ([`Router`]). Where the option `bucket` is -1 or -2 in a table
//! with a primary key, it goes by what the table already holds:
//!
//! | module | holds |
//! |---|---|
//! | `hash` | keys that stay in their partition: the hashes of the keys of each bucket, kept in HASH index files |
//! | `global` | keys that may move between partitions: where each key of the table is |
//! | `postponed` | as many buckets as each partition has, or gets |
//! | `given` | rows whose bucket was decided elsewhere |
//! | `rows` | [`RowAssigner`]: buckets for rows that other workers write |
//! | `router` | [`AssignerRouter`]: which of several assigners decides on a row |
//!
//! In one process a [`TableWriter`](crate::TableWriter) assigns buckets itself. Several workers need two exchanges of rows:
//! an [`AssignerRouter`] sends all rows of a key to one [`RowAssigner`], whose rows know their bucket, and a
//! [`ChannelRouter`](crate::ChannelRouter) sends all rows of a bucket to one writer (Java: `DynamicBucketSink`).

mod given;
mod global;
mod hash;
mod postponed;
mod router;
mod rows;

use std::collections::HashMap;

use paimon_io::TableStore;
use paimon_spec::{BinaryRow, BucketMode, IndexManifestEntry, Result, TableSchema};

pub(crate) use self::hash::HashFiles;
pub(crate) use self::postponed::BucketNumbers;
pub use self::router::AssignerRouter;
pub use self::rows::{AssignedColumns, RowAssigner};

use self::given::GivenBuckets;
use self::global::GlobalAssigner;
use self::hash::HashAssigner;
use self::postponed::PostponedAssigner;
use crate::WriteOptions;
use crate::key_value::IncomingRows;
use crate::route::{Routed, Router};

/// Changes of index files, by the bucket that they are for.
pub(crate) type IndexChanges = HashMap<(BinaryRow, i32), Vec<IndexManifestEntry>>;

/// Which of several workers an assigner is. They divide the keys of a table among them, and the buckets that they make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub assigner: u32,
    /// How many there are.
    pub assigners: u32,
}

impl Default for Share {
    /// Of the only one.
    fn default() -> Self {
        Self { assigner: 0, assigners: 1 }
    }
}

impl Share {
    /// Whether this assigner makes the bucket (Java `BucketAssigner.isMyBucket`).
    pub(crate) fn owns(&self, bucket: u32) -> bool {
        bucket % self.assigners == self.assigner % self.assigners
    }
}

/// Decides on the buckets of rows.
pub(crate) enum Assigner {
    Own(Box<Router>),
    Hash(Box<HashAssigner>),
    Global(Box<GlobalAssigner>),
    Given(Box<GivenBuckets>),
    Postponed(Box<PostponedAssigner>),
}

impl Assigner {
    /// For rows that say their bucket by themselves; `None`: what the table holds says it, or the caller.
    ///
    /// # Errors
    /// `InvalidInput` for unusable options.
    pub(crate) fn of_rows(schema: &TableSchema, options: &WriteOptions) -> Result<Option<Self>> {
        let table_options = schema.table_options();
        let is_own = match schema.bucket_mode()? {
            BucketMode::Fixed | BucketMode::Unaware => true,
            BucketMode::Dynamic | BucketMode::KeyDynamic => false,
            BucketMode::Postponed => !table_options.postpone_batch_write_fixed_bucket()?,
        };
        if !is_own || options.assigned.is_some() {
            return Ok(None);
        }
        Ok(Some(Self::Own(Box::new(Router::of(schema)?))))
    }

    /// An assigner as of the latest snapshot.
    ///
    /// # Errors
    /// `InvalidInput` for unusable options; `Storage` and its kin.
    pub(crate) async fn open(
        store: &TableStore,
        share: Share,
        options: &WriteOptions,
        memory_bytes: u64,
    ) -> Result<Self> {
        let schema = store.schema();
        let mode = schema.bucket_mode()?;
        if let Some(assigned) = &options.assigned {
            let given = GivenBuckets::open(store, assigned, mode, options.overwrite).await?;
            return Ok(Self::Given(Box::new(given)));
        }
        Ok(match mode {
            BucketMode::Dynamic => Self::Hash(Box::new(HashAssigner::open(store, share, options.overwrite).await?)),
            BucketMode::KeyDynamic => {
                let ordered = options.order_column.is_some();
                let open = GlobalAssigner::open(store, share, memory_bytes, options.overwrite, ordered);
                Self::Global(Box::new(open.await?))
            }
            BucketMode::Postponed if store.options().postpone_batch_write_fixed_bucket()? => {
                let open = PostponedAssigner::open(store, options.overwrite, memory_bytes);
                Self::Postponed(Box::new(open.await?))
            }
            BucketMode::Fixed | BucketMode::Postponed | BucketMode::Unaware => Self::Own(Box::new(Router::of(schema)?)),
        })
    }

    /// The snapshot that was gone by; `None`: by none, or the table was empty, or what it holds is replaced.
    pub(crate) fn base_snapshot(&self) -> Option<i64> {
        match self {
            Self::Hash(hash) => hash.base_snapshot(),
            Self::Global(global) => global.base_snapshot(),
            Self::Given(given) => given.base_snapshot(),
            Self::Own(_) | Self::Postponed(_) => None,
        }
    }

    /// Bytes that it takes of the writer's memory. The hashes of known keys are beside it: to write rows earlier would not
    /// make them less.
    pub(crate) fn memory(&self) -> u64 {
        match self {
            Self::Own(_) | Self::Hash(_) | Self::Given(_) => 0,
            Self::Global(global) => global.memory(),
            Self::Postponed(postponed) => postponed.memory(),
        }
    }

    /// Rows with their buckets, in the order in which they are to be written. More may come out than went in, and they may
    /// come out later: see [`Self::finish`].
    ///
    /// # Errors
    /// `InvalidInput` when there are no buckets left, and for rows that do not fit; `Storage` and its kin, among them
    /// `NotFound` and `CorruptData` for index files.
    pub(crate) async fn assign(&mut self, store: &TableStore, incoming: IncomingRows) -> Result<Vec<Routed>> {
        match self {
            Self::Own(router) => router.route(&incoming.values, &incoming.rows),
            Self::Hash(hash) => hash.assign(store, &incoming).await,
            Self::Global(global) => global.assign(incoming).await,
            Self::Given(given) => given.assign(store, &incoming).await,
            Self::Postponed(postponed) => postponed.assign(incoming).await,
        }
    }

    /// Rows that were held back, some of them; `None`: there are no more. Call it until then.
    ///
    /// # Errors
    /// As [`Self::assign`].
    pub(crate) async fn finish(&mut self) -> Result<Option<Vec<Routed>>> {
        match self {
            Self::Own(_) | Self::Hash(_) | Self::Given(_) => Ok(None),
            Self::Global(global) => global.finish().await,
            Self::Postponed(postponed) => postponed.finish().await,
        }
    }

    /// How many buckets a partition has, where that is its own affair.
    pub(crate) fn total_buckets(&self, partition: &BinaryRow) -> Option<i32> {
        match self {
            Self::Postponed(postponed) => postponed.total_buckets(partition),
            Self::Own(_) | Self::Hash(_) | Self::Global(_) | Self::Given(_) => None,
        }
    }

    /// Writes the index files that have changed, after all rows, and adds the changes to `written` as they are done.
    ///
    /// # Errors
    /// `Storage` and its kin; files that are in `written` are there.
    pub(crate) async fn write_indexes(&mut self, store: &TableStore, written: &mut IndexChanges) -> Result<()> {
        match self {
            Self::Hash(hash) => hash.write_indexes(store, written).await,
            Self::Own(_) | Self::Global(_) | Self::Postponed(_) => Ok(()),
            Self::Given(given) => given.write_indexes(store, written).await,
        }
    }
}
