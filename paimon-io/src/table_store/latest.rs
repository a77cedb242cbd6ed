//! Which snapshots there are, and which is the latest.

use std::sync::Arc;

use paimon_spec::{Error, Result, Snapshot, limits};

use super::{TableStore, numbered};

/// How often the snapshots are looked for while others change them under our eyes.
const TRIES: u32 = 8;

impl TableStore {
    /// The number of the latest snapshot; `None` for a table without one.
    ///
    /// The number v in `LATEST` holds when `snapshot-v` exists and the next one does not. Otherwise the largest number
    /// listed holds, if it is not below v. (Java takes v unseen, and pypaimon goes back to an older state when v is
    /// lost; both are wrong about a table that lost its newest snapshot.)
    ///
    /// # Errors
    /// `CorruptData` naming snapshot v when `LATEST` keeps saying v and no snapshot from v on exists.
    pub async fn latest_snapshot_id(&self) -> Result<Option<i64>> {
        let hint = self.hint(&self.paths().latest_hint()).await?;
        if let Some(id) = hint {
            let (current, next) = (self.paths().snapshot(id), self.paths().snapshot(id.saturating_add(1)));
            let seen = futures::try_join!(self.storage().exists(&current), self.storage().exists(&next))?;
            if seen == (true, false) {
                return Ok(hint);
            }
        }
        self.latest_listed(hint).await
    }

    /// The latest snapshot, by the rule of [`Self::latest_snapshot_id`].
    ///
    /// # Errors
    /// As there, and `CorruptData` when its file is not a snapshot.
    pub async fn latest_snapshot(&self) -> Result<Option<Arc<Snapshot>>> {
        let hint = self.hint(&self.paths().latest_hint()).await?;
        if let Some(id) = hint {
            let next = self.paths().snapshot(id.saturating_add(1));
            if let (Some(snapshot), false) = futures::try_join!(self.snapshot(id), self.storage().exists(&next))? {
                return Ok(Some(snapshot));
            }
        }
        let mut hint = hint;
        for _ in 0..TRIES {
            let Some(id) = self.latest_listed(hint).await? else { return Ok(None) };
            if let Some(snapshot) = self.snapshot(id).await? {
                return Ok(Some(snapshot));
            }
            hint = self.hint(&self.paths().latest_hint()).await?;
        }
        Err(self.restless())
    }

    /// The number of the earliest snapshot still there, from `EARLIEST` if it is true, else by listing.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn earliest_snapshot_id(&self) -> Result<Option<i64>> {
        if let Some(id) = self.hint(&self.paths().earliest_hint()).await?
            && self.storage().exists(&self.paths().snapshot(id)).await?
        {
            return Ok(Some(id));
        }
        Ok(self.snapshot_ids().await?.first().copied())
    }

    /// The numbers of all snapshots, ascending. They need not start at 1.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn snapshot_ids(&self) -> Result<Vec<i64>> {
        Ok(numbered(&self.storage().list(&self.paths().snapshot_dir()).await?, "snapshot-"))
    }

    /// Snapshot `id`; `None` when its file is absent: expired, or not there yet.
    ///
    /// # Errors
    /// `CorruptData` when the file is not a snapshot, or another one's.
    pub async fn snapshot(&self, id: i64) -> Result<Option<Arc<Snapshot>>> {
        let path = self.paths().snapshot(id);
        let Some(json) = self.storage().read_at_most(&path, limits::JSON_FILE_BYTES).await? else { return Ok(None) };
        let snapshot =
            Snapshot::from_json(&json).map_err(|error| error.with_context("file", self.storage().url(&path)))?;
        if snapshot.id != id {
            let message = format!("expected snapshot {id} by the name of its file, found id {} in it", snapshot.id);
            return Err(Error::corrupt(message).with_context("file", self.storage().url(&path)));
        }
        Ok(Some(Arc::new(snapshot)))
    }

    /// The largest number listed, which must not be below what the hint says.
    async fn latest_listed(&self, mut hint: Option<i64>) -> Result<Option<i64>> {
        for _ in 0..TRIES {
            let largest = self.snapshot_ids().await?.last().copied();
            if largest >= hint {
                return Ok(largest);
            }
            let again = self.hint(&self.paths().latest_hint()).await?;
            if let (Some(id), true) = (again, again == hint) {
                let message = match largest {
                    Some(largest) => {
                        format!("snapshot {id} is missing: LATEST names it, but the newest one there is {largest}")
                    }
                    None => format!("snapshot {id} is missing: LATEST names it, but there is none at all"),
                };
                return Err(
                    Error::corrupt(message).with_context("file", self.storage().url(&self.paths().snapshot(id)))
                );
            }
            hint = again;
        }
        Err(self.restless())
    }

    fn restless(&self) -> Error {
        let message = format!("the latest snapshot changed {TRIES} times while it was looked for");
        Error::new(paimon_spec::ErrorKind::Storage, message)
            .with_context("table", self.storage().root_url())
            .retryable()
    }

    /// The number in a hint file; `None` when there is none, or what is in it is no such number (pypaimon's writers
    /// empty the file for a moment).
    async fn hint(&self, path: &str) -> Result<Option<i64>> {
        let Some(bytes) = self.storage().read_at_most(path, limits::HINT_FILE_BYTES).await? else { return Ok(None) };
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        Ok(text.trim().parse().ok().filter(|id| *id > 0))
    }
}
