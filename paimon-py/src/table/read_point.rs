//! What a table reads: the state or the increment that its options name, or the one it is pinned to.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use paimon_io::TableStore;
use paimon_scan::{Increment, Plan, ReadPoint, ScanRequest, count_rows, plan, resolve};
use paimon_spec::{Error, ErrorKind, Predicate, Result, Snapshot, TableSchema};
use pyo3::prelude::*;

use crate::context::local_text_to_millis;

/// A state or an increment, by the ids of its snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// `None`: the empty state before the first snapshot.
    Snapshot(Option<i64>),
    /// What the snapshots in between added.
    Delta { after: i64, up_to: i64 },
    /// What the second state has and the first has not.
    Diff { before: Option<i64>, after: i64 },
}

/// A [`State`] as Python holds it: a kind, from where, up to where.
pub(super) type StateTuple = (String, Option<i64>, Option<i64>);

impl From<State> for StateTuple {
    fn from(state: State) -> Self {
        match state {
            State::Snapshot(id) => ("snapshot".to_owned(), None, id),
            State::Delta { after, up_to } => ("delta".to_owned(), Some(after), Some(up_to)),
            State::Diff { before, after } => ("diff".to_owned(), before, Some(after)),
        }
    }
}

impl TryFrom<StateTuple> for State {
    type Error = Error;

    fn try_from((kind, from, to): StateTuple) -> Result<Self> {
        match (kind.as_str(), from, to) {
            ("snapshot", None, id) => Ok(Self::Snapshot(id)),
            ("delta", Some(after), Some(up_to)) => Ok(Self::Delta { after, up_to }),
            ("diff", before, Some(after)) => Ok(Self::Diff { before, after }),
            _ => Err(Error::invalid(format!("'{kind}' from {from:?} to {to:?} is no state to pin"))),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snapshot(None) => write!(f, "the empty state"),
            Self::Snapshot(Some(id)) => write!(f, "snapshot {id}"),
            Self::Delta { after, up_to } => write!(f, "the increment from snapshot {after} to {up_to}"),
            Self::Diff { before, after } => {
                write!(f, "the difference from snapshot {} to {after}", before.unwrap_or_default())
            }
        }
    }
}

/// What a table reads, whatever is committed later.
#[derive(Debug, Clone)]
pub(super) struct Pin {
    pub(super) state: State,
    pub(super) at_millis: i64,
    /// The state's last snapshot, where this process has it in hand.
    snapshot: Option<Arc<Snapshot>>,
}

impl Pin {
    pub(super) fn new(state: State, at_millis: i64) -> Self {
        Self { state, at_millis, snapshot: None }
    }
}

/// What is read now.
enum Reads {
    /// The empty state before the first snapshot, for ever.
    Nothing,
    At(ReadPoint),
    Between(Increment),
}

/// Finds what a table reads.
pub(super) struct StateReader {
    store: TableStore,
    pin: Option<Pin>,
    /// Times in the options in milliseconds since 1970, read in Python's time zone.
    millis: HashMap<String, i64>,
}

impl StateReader {
    pub(super) fn new(py: Python<'_>, store: TableStore, pin: Option<Pin>) -> PyResult<Self> {
        let mut millis = HashMap::new();
        if pin.is_none() {
            let options = &store.schema().options;
            let range = options.get("incremental-between-timestamp").map_or("", String::as_str);
            let is_text = |text: &&str| text.trim().parse::<i64>().is_err() && !text.trim().is_empty();
            for text in
                options.get("scan.timestamp").map(String::as_str).into_iter().chain(range.split(',').filter(is_text))
            {
                let text = text.trim();
                millis.insert(text.to_owned(), local_text_to_millis(py, text)?);
            }
        }
        Ok(Self { store, pin, millis })
    }

    async fn reads(&self) -> Result<Reads> {
        let Some(pin) = &self.pin else {
            let millis = self.millis.clone();
            let convert = move |text: &str| {
                let known = millis.get(text.trim()).copied();
                known.ok_or_else(|| Error::invalid(format!("timestamp '{text}' cannot be read")))
            };
            return match Increment::from_options(&self.store, &convert).await? {
                Some(increment) => Ok(Reads::Between(increment)),
                None => ReadPoint::from_options(&self.store, &convert).await.map(Reads::At),
            };
        };
        match pin.state {
            State::Snapshot(None) => Ok(Reads::Nothing),
            State::Snapshot(Some(id)) => self.retained(pin, id).await.map(Reads::At),
            State::Delta { after, up_to } => Ok(Reads::Between(Increment::Delta { after, up_to })),
            State::Diff { before, after } => {
                let before = match before {
                    Some(id) => Some(self.retained(pin, id).await?),
                    None => None,
                };
                Ok(Reads::Between(Increment::Diff { before, after: self.retained(pin, after).await? }))
            }
        }
    }

    /// A pinned snapshot, from its file or from a tag that keeps it.
    async fn retained(&self, pin: &Pin, id: i64) -> Result<ReadPoint> {
        if let Some(snapshot) = pin.snapshot.as_ref().filter(|snapshot| snapshot.id == id) {
            return Ok(ReadPoint::Resolved(snapshot.clone()));
        }
        match retained(&self.store, id).await? {
            Some(snapshot) => Ok(ReadPoint::Resolved(snapshot)),
            None => Err(self.expired(pin)),
        }
    }

    pub(super) async fn plan(&self, request: ScanRequest) -> Result<Option<Plan>> {
        let request = match self.reads().await? {
            Reads::Nothing => return Ok(None),
            Reads::At(at) => ScanRequest { at, ..request },
            Reads::Between(increment) => ScanRequest { increment: Some(increment), ..request },
        };
        match plan(&self.store, &request).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.missing(error).await),
            planned => planned.map(Some),
        }
    }

    /// Rows by metadata alone; `None` when that cannot tell.
    pub(super) async fn count_rows(&self, partitions: Option<&Predicate>) -> Result<Option<u64>> {
        match self.reads().await? {
            Reads::Nothing => Ok(Some(0)),
            Reads::At(at) => count_rows(&self.store, &at, partitions).await,
            Reads::Between(_) => Ok(None),
        }
    }

    /// What is read now, for ever.
    pub(super) async fn pin(&self) -> Result<Pin> {
        if let Some(pin) = &self.pin {
            return Ok(pin.clone());
        }
        let at_millis = self.store.context().clock.now_millis();
        let (state, snapshot) = match self.reads().await? {
            Reads::Nothing => (State::Snapshot(None), None),
            Reads::At(at) => {
                let snapshot = resolve(&self.store, &at).await?;
                (State::Snapshot(snapshot.as_ref().map(|snapshot| snapshot.id)), snapshot)
            }
            Reads::Between(increment @ Increment::Delta { after, up_to }) => {
                increment.check(&self.store).await?;
                (State::Delta { after, up_to }, None)
            }
            Reads::Between(Increment::Diff { before, after }) => {
                let before = match before {
                    Some(before) => resolve(&self.store, &before).await?.map(|snapshot| snapshot.id),
                    None => None,
                };
                let snapshot = resolve(&self.store, &after).await?;
                let state = snapshot.as_ref().map(|snapshot| State::Diff { before, after: snapshot.id });
                (state.unwrap_or(State::Snapshot(None)), snapshot)
            }
        };
        Ok(Pin { state, at_millis, snapshot })
    }

    /// Checks in the storage that the pinned state is still there.
    pub(super) async fn check(&self) -> Result<()> {
        let Some(pin) = &self.pin else { return Ok(()) };
        let ids = match pin.state {
            State::Snapshot(id) => [id, None],
            State::Diff { before, after } => [before, Some(after)],
            State::Delta { after, up_to } => {
                let checked = Increment::Delta { after, up_to }.check(&self.store).await;
                return checked.map_err(|error| match error.kind() {
                    ErrorKind::NotFound => self.expired(pin).with_source(error),
                    _ => error,
                });
            }
        };
        for id in ids.into_iter().flatten() {
            if retained(&self.store, id).await?.is_none() {
                return Err(self.expired(pin));
            }
        }
        Ok(())
    }

    /// Why a file is missing: the pinned state was expired, or else `error` says it all.
    async fn missing(&self, error: Error) -> Error {
        match self.check().await {
            Err(expired) if expired.context("expired snapshot").is_some() => expired.with_source(error),
            _ => error,
        }
    }

    fn expired(&self, pin: &Pin) -> Error {
        Error::not_found(format!(
            "{}, which this read was pinned to {} seconds ago, has been expired since; start the read again to pin the \
             latest snapshot, or keep it: create a tag on it before long reads, or raise 'snapshot.time-retained' and \
             'snapshot.num-retained.min'",
            pin.state,
            (self.store.context().clock.now_millis() - pin.at_millis).max(0) / 1000,
        ))
        .with_context("expired snapshot", pin.state)
        .with_context("pinned at (milliseconds since 1970)", pin.at_millis)
        .with_context("location", self.store.storage().root_url())
    }

    /// The table with the schema of its read point, and its own options. Increments have the latest schema.
    pub(super) async fn travelled(&self) -> Result<TableStore> {
        let schema = match self.reads().await? {
            Reads::Nothing => return Ok(self.store.clone()),
            Reads::At(ReadPoint::Latest) => latest_schema(&self.store).await?,
            Reads::Between(increment) => {
                increment.check(&self.store).await?;
                latest_schema(&self.store).await?
            }
            Reads::At(at) => match resolve(&self.store, &at).await? {
                Some(snapshot) => self.store.schema_at(snapshot.schema_id).await?,
                None => return Ok(self.store.clone()),
            },
        };
        let options = self.store.schema().options.clone();
        Ok(self.store.with_schema(Arc::new(TableSchema { options, ..TableSchema::clone(&schema) })))
    }
}

async fn retained(store: &TableStore, id: i64) -> Result<Option<Arc<Snapshot>>> {
    if let Some(snapshot) = store.snapshot(id).await? {
        return Ok(Some(snapshot));
    }
    for name in store.tags().await? {
        if let Some(tag) = store.tag(&name).await?
            && tag.snapshot.id == id
        {
            return Ok(Some(Arc::new(tag.snapshot)));
        }
    }
    Ok(None)
}

pub(super) async fn latest_schema(store: &TableStore) -> Result<Arc<TableSchema>> {
    store.latest_schema().await?.ok_or_else(|| {
        Error::not_found("the table has no schema any more: it was dropped")
            .with_context("table", store.storage().root_url())
    })
}
