//! A branch's history becomes that of the branch it was made from.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::{PutOutcome, TableStore};
use paimon_spec::{Error, ErrorKind, Result, Snapshot, Tag};

use super::{branch_missing, check_name};
use crate::history::{all_tags, delete_changelogs, delete_snapshots, forget_latest, write_hints};
use crate::options::require_known_history;

/// Files read at the same time.
const READS_AT_ONCE: usize = 16;

/// Lets the store's branch (mostly the main one) continue as `branch` did: from the earliest snapshot of `branch` on, its
/// snapshots, schemas and tags take the place of those that are there. `branch` stays as it is.
///
/// Whoever is stopped on the way leaves a table that can be read: as it was, as it is to be, or (when it had more
/// snapshots than `branch`) at an older snapshot of its own; forwarding again ends it. Only where both had changed the
/// schema, each in its own way, are the rows from before read by the other one's schema for that moment. Data files of
/// replaced snapshots stay, until orphan files are cleaned; changelogs of the replaced history go. Do not commit to the store's branch at the same time, and
/// open the table anew afterwards.
///
/// # Errors
/// `InvalidInput` when `branch` is the store's own or has no snapshot; `NotFound` (context `branch`); `CommitConflict` when
/// somebody committed meanwhile; `CorruptData` when a file of the branch is damaged, before anything is changed;
/// `Unsupported` for tables whose history has more than this build knows of.
pub async fn fast_forward(store: &TableStore, branch: &str) -> Result<()> {
    require_known_history(store.schema())?;
    check_name(branch)?;
    if store.branch() == Some(branch) {
        return Err(Error::invalid(format!("Fast-forward from the current branch '{branch}' is not allowed.")));
    }
    let source = store.at_branch(Some(branch)).await?.ok_or_else(|| branch_missing(branch))?;
    let history = History::read(&source, branch).await?;
    history.put_schemas(store).await?;
    history.put_snapshots(store).await?;
    delete_changelogs(store, history.first).await?;
    history.delete_schemas(store).await?;
    history.put_tags(store).await?;
    write_hints(store, history.last).await
}

/// All that a branch has of its own.
struct History {
    /// The first and the last snapshot.
    first: i64,
    last: i64,
    /// The schema of the first snapshot.
    first_schema: i64,
    schemas: BTreeMap<i64, Bytes>,
    snapshots: BTreeMap<i64, Bytes>,
    tags: BTreeMap<String, Bytes>,
}

impl History {
    async fn read(source: &TableStore, branch: &str) -> Result<Self> {
        let paths = source.paths();
        let ids = source.snapshot_ids().await?;
        let (Some(first), Some(last)) = (ids.first().copied(), ids.last().copied()) else {
            let message = format!("Cannot fast forward branch {branch}, because it does not have snapshot.");
            return Err(Error::invalid(message));
        };
        let snapshots = read_all(source, ids, |id| paths.snapshot(*id)).await?;
        let mut first_schema = i64::MAX;
        for (id, bytes) in snapshots.iter().rev() {
            let url = source.storage().url(&paths.snapshot(*id));
            first_schema = Snapshot::from_json(bytes).map_err(|error| error.with_context("file", url))?.schema_id;
        }
        let schemas = read_all(source, source.schema_ids().await?, |id| paths.schema(*id)).await?;
        let tags = read_all(source, source.tags().await?, |name| paths.tag(name)).await?;
        for (name, bytes) in &tags {
            Tag::from_json(bytes).map_err(|error| error.with_context("tag", name))?;
        }
        Ok(Self { first, last, first_schema, schemas, snapshots, tags })
    }

    /// Schemas come before the snapshots that need them.
    async fn put_schemas(&self, store: &TableStore) -> Result<()> {
        for (id, bytes) in &self.schemas {
            put_if_different(store, &store.paths().schema(*id), bytes).await?;
        }
        Ok(())
    }

    /// The newest snapshot comes first: it is the latest as soon as it is there, and everything older is history.
    async fn put_snapshots(&self, store: &TableStore) -> Result<()> {
        forget_latest(store).await?;
        let old = store.snapshot_ids().await?;
        delete_snapshots(store, old.iter().copied().filter(|id| *id > self.last).collect()).await?;
        let newest = old.last().copied().unwrap_or(0);
        let mut created = Vec::new();
        for (id, bytes) in self.snapshots.iter().rev() {
            let path = store.paths().snapshot(*id);
            if *id <= newest {
                put_if_different(store, &path, bytes).await?;
                continue;
            }
            match store.storage().put_new(&path, bytes.clone()).await? {
                PutOutcome::Created => created.push(*id),
                PutOutcome::AlreadyExists => {
                    // What was there is replaced later, so what was added is all there is to take back.
                    delete_snapshots(store, created).await?;
                    let message = format!("snapshot {id} was committed while the table was fast-forwarded");
                    return Err(Error::new(ErrorKind::CommitConflict, message)
                        .with_context("table", store.storage().root_url()));
                }
            }
        }
        let replaced = |id: &i64| (self.first..=self.last).contains(id) && !self.snapshots.contains_key(id);
        delete_snapshots(store, old.into_iter().filter(replaced).collect()).await
    }

    /// Schemas that only the replaced history had, the newest first.
    async fn delete_schemas(&self, store: &TableStore) -> Result<()> {
        for id in store.schema_ids().await?.into_iter().rev() {
            if id >= self.first_schema && !self.schemas.contains_key(&id) {
                store.storage().delete(&store.paths().schema(id)).await?;
            }
        }
        Ok(())
    }

    async fn put_tags(&self, store: &TableStore) -> Result<()> {
        for (name, tag) in all_tags(store).await? {
            if tag.snapshot.id >= self.first && !self.tags.contains_key(&name) {
                store.delete_tag(&name).await?;
            }
        }
        for (name, bytes) in &self.tags {
            put_if_different(store, &store.paths().tag(name), bytes).await?;
        }
        Ok(())
    }
}

/// The bytes of files, by what names them.
async fn read_all<K: Ord>(store: &TableStore, keys: Vec<K>, path: impl Fn(&K) -> String) -> Result<BTreeMap<K, Bytes>> {
    let reads: Vec<_> = keys.into_iter().map(|key| read_one(store, path(&key), key)).collect();
    stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await
}

async fn read_one<K>(store: &TableStore, path: String, key: K) -> Result<(K, Bytes)> {
    Ok((key, store.storage().read(&path).await?))
}

async fn put_if_different(store: &TableStore, path: &str, bytes: &Bytes) -> Result<()> {
    if store.storage().read_if_exists(path).await?.as_ref() == Some(bytes) {
        return Ok(());
    }
    store.storage().put(path, bytes.clone()).await
}
