//! What came between two states of a table.

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::TableStore;
use paimon_spec::{CommitKind, Error, ManifestFileMeta, Result, Snapshot, Tag, validate_name};

use crate::entries::{delta_manifests, manifests};
use crate::evolution::NewRows;
use crate::plan::Source;
use crate::read_point::{STATE_OPTIONS, at_or_before};
use crate::{DeletionIndex, ReadPoint, resolve};

/// The rows that came between two states of a table, without those of the first one.
///
/// Rows can only be added by an increment: what was deleted or overwritten in between is not told. Where columns of older
/// rows of a data-evolution table were updated in between, and not all columns were, planning is refused: which rows these
/// are, and what is in their other columns, cannot be told from the increment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Increment {
    /// The files that the snapshots after `after`, up to and with `up_to`, appended. Compactions, overwrites and
    /// statistics are passed over, and so are deletion vectors (Java `IncrementalDeltaStartingScanner`). All these
    /// snapshots must still be there, but `after` itself need not: 0 means from the start. Rows of primary-key tables are
    /// given as they came in, not merged with one another, and without those that delete.
    Delta {
        /// Its rows are not wanted.
        after: i64,
        /// Its rows are wanted.
        up_to: i64,
    },
    /// The files of one state that another one did not have, without the rows that are deleted in the later one. Needs
    /// only the two states, not what was between them (Java `IncrementalDiffStartingScanner`). A file that a compaction
    /// wrote is a new one, whichever rows it has. Not supported yet for primary-key tables.
    Diff {
        /// Its files are not wanted; `None`: all files of the later state are.
        before: Option<ReadPoint>,
        /// Its files are wanted.
        after: ReadPoint,
    },
}

const BETWEEN: &str = "incremental-between";
const BETWEEN_TIMESTAMP: &str = "incremental-between-timestamp";
const SCAN_MODE: &str = "incremental-between-scan-mode";
const TAG_TO_SNAPSHOT: &str = "incremental-between-tag-to-snapshot";
const TO_AUTO_TAG: &str = "incremental-to-auto-tag";

/// Snapshots read at the same time.
const SNAPSHOTS_AT_ONCE: usize = 16;

/// Options that ask for changes, not for a state.
pub(crate) const INCREMENTAL_OPTIONS: [&str; 3] = [BETWEEN, BETWEEN_TIMESTAMP, TO_AUTO_TAG];

/// `incremental-between-scan-mode`, without the changelogs that append tables do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Delta,
    Diff,
}

impl Increment {
    /// The increment that the options of the store's schema ask for; `None` when they ask for none.
    ///
    /// `incremental-between` = `a,b` names two tags, else the numbers of two snapshots, the first exclusive. Between
    /// numbers the option `incremental-between-scan-mode` decides (`delta` unless it says `diff`); between tags it is
    /// the difference of the two, unless `incremental-between-tag-to-snapshot` is true. `incremental-between-timestamp`
    /// takes two times, as milliseconds or as text for `local_to_millis`, and means the snapshots after the first up to
    /// the second (Java `AbstractDataTableScan`).
    ///
    /// # Errors
    /// `InvalidInput` when the option has other than two parts, they are neither two tags nor two numbers, or another
    /// option chooses a state; `Unsupported` for `incremental-to-auto-tag` and for changelogs.
    pub async fn from_options(
        store: &TableStore,
        local_to_millis: &(dyn Fn(&str) -> Result<i64> + Send + Sync),
    ) -> Result<Option<Self>> {
        let options = store.options();
        let mut set = INCREMENTAL_OPTIONS.into_iter().chain(STATE_OPTIONS).filter(|key| options.get(key).is_some());
        let Some(key) = set.next().filter(|key| INCREMENTAL_OPTIONS.contains(key)) else { return Ok(None) };
        if let Some(other) = set.next() {
            return Err(Error::invalid(format!("expected only one of the options {key} and {other}, found both")));
        }
        if key == TO_AUTO_TAG {
            return Err(Error::unsupported(format!("reading with option '{TO_AUTO_TAG}' is not supported yet")));
        }
        let text = options.get(key).unwrap_or_default();
        let Some((from, to)) = text.split_once(',').filter(|(_, to)| !to.contains(',')) else {
            return Err(Error::invalid(format!(
                "expected start (exclusive) and end in option '{key}', found '{text}'"
            )));
        };
        let (from, to) = (from.trim(), to.trim());
        if key == BETWEEN {
            return between(store, from, to).await.map(Some);
        }
        let millis = match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) => (from, to),
            _ => (local_to_millis(from)?, local_to_millis(to)?),
        };
        between_times(store, millis).await.map(Some)
    }

    /// Checks that the increment can be read now: that its ends are in order and what it needs is there.
    ///
    /// # Errors
    /// `InvalidInput` when it ends before it starts; `NotFound` naming a snapshot or a tag that is missing.
    pub async fn check(&self, store: &TableStore) -> Result<()> {
        match self {
            Self::Delta { after, up_to } => wanted(store, *after, *up_to).await.map(|_| ()),
            Self::Diff { before, after } => ends(store, before.as_ref(), after).await.map(|_| ()),
        }
    }

    /// What is to be planned; `None`: nothing came between the two states.
    pub(crate) async fn source(&self, store: &TableStore) -> Result<Option<Source>> {
        match self {
            Self::Delta { after, up_to } => delta(store, *after, *up_to).await,
            Self::Diff { before, after } => diff(store, before.as_ref(), after).await,
        }
    }
}

async fn between(store: &TableStore, from: &str, to: &str) -> Result<Increment> {
    if let (Some(before), Some(after)) = (find_tag(store, from).await?, find_tag(store, to).await?) {
        let to_snapshot = store.options().get(TAG_TO_SNAPSHOT).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        if to_snapshot && mode(store)? == Mode::Delta {
            return Ok(Increment::Delta { after: before.snapshot.id, up_to: after.snapshot.id });
        }
        let tag = |name: &str| ReadPoint::Tag(name.to_owned());
        return Ok(Increment::Diff { before: Some(tag(from)), after: tag(to) });
    }
    let (Ok(after), Ok(up_to)) = (from.parse(), to.parse()) else {
        let message = format!(
            "Didn't find two tags for start '{from}' and end '{to}', and they are not two snapshot Ids. Please set two \
             tags or two snapshot Ids."
        );
        return Err(Error::invalid(message));
    };
    Ok(match mode(store)? {
        Mode::Delta => Increment::Delta { after, up_to },
        Mode::Diff => Increment::Diff { before: Some(ReadPoint::Snapshot(after)), after: ReadPoint::Snapshot(up_to) },
    })
}

async fn between_times(store: &TableStore, (from, to): (i64, i64)) -> Result<Increment> {
    if to < from {
        return Err(Error::invalid(format!("Ending timestamp {to} should be >= starting timestamp {from}.")));
    }
    let mode = mode(store)?;
    let earliest = match store.earliest_snapshot_id().await? {
        Some(id) => store.snapshot(id).await?,
        None => None,
    };
    let (Some(earliest), Some(latest)) = (earliest, store.latest_snapshot().await?) else {
        return Ok(Increment::Delta { after: 0, up_to: 0 });
    };
    if from == to || from > latest.time_millis || to < earliest.time_millis {
        return Ok(Increment::Delta { after: latest.id, up_to: latest.id });
    }
    let start = at_or_before(store, from).await?.map(|snapshot| snapshot.id);
    let up_to = at_or_before(store, to).await?.map_or(latest.id, |snapshot| snapshot.id);
    let first = earliest.id;
    Ok(match mode {
        Mode::Delta => {
            let start = start.filter(|_| earliest.time_millis <= from);
            Increment::Delta { after: start.unwrap_or(first - 1), up_to }
        }
        Mode::Diff => {
            // Before a table's first snapshot there was nothing; before another one, it is not known any more what.
            let start = start.or((first > 1).then_some(first));
            Increment::Diff { before: start.map(ReadPoint::Snapshot), after: ReadPoint::Snapshot(up_to) }
        }
    })
}

fn mode(store: &TableStore) -> Result<Mode> {
    let options = store.options();
    let changelogs = |key: &str, value: &str| {
        Err(Error::unsupported(format!("reading with option '{key}' = '{value}' is not supported yet")))
    };
    match options.get(SCAN_MODE).unwrap_or("auto").to_ascii_lowercase().as_str() {
        "auto" => match options.get("changelog-producer") {
            Some(producer) if !producer.eq_ignore_ascii_case("none") => changelogs("changelog-producer", producer),
            _ => Ok(Mode::Delta),
        },
        "delta" => Ok(Mode::Delta),
        "diff" => Ok(Mode::Diff),
        "changelog" => changelogs(SCAN_MODE, "changelog"),
        other => Err(Error::invalid(format!(
            "expected auto, delta, changelog or diff in option '{SCAN_MODE}', found '{other}'"
        ))),
    }
}

async fn find_tag(store: &TableStore, name: &str) -> Result<Option<Tag>> {
    // What cannot be a tag's name may be a number all the same.
    if validate_name("tag", name).is_ok() { store.tag(name).await } else { Ok(None) }
}

/// The numbers of the snapshots after `after` up to `up_to`, which are all there.
async fn wanted(store: &TableStore, after: i64, up_to: i64) -> Result<Vec<i64>> {
    if up_to < after {
        return Err(Error::invalid(format!("Ending snapshotId {up_to} should >= starting snapshotId {after}.")));
    }
    let ids = store.snapshot_ids().await?;
    let (Some(first), Some(last)) = (ids.first(), ids.last()) else { return Ok(Vec::new()) };
    if after == up_to {
        return Ok(Vec::new());
    }
    let available = format!("{first} to {last}");
    if after < first - 1 || up_to > *last {
        let message = format!(
            "The specified scan snapshotId range [{after}, {up_to}] is out of available snapshotId range [{first}, {last}]."
        );
        let missing = if up_to > *last { up_to } else { after.saturating_add(1) };
        return Err(Error::not_found(message)
            .with_context("snapshot", missing)
            .with_context("available snapshots", available));
    }
    let wanted: Vec<i64> = ids.iter().copied().filter(|id| (after + 1..=up_to).contains(id)).collect();
    let gap = (after + 1..=up_to).zip(wanted.iter().chain([&i64::MAX])).find(|(id, found)| id != *found);
    match gap.map(|(id, _)| id) {
        Some(id) => Err(missing(id, after, up_to).with_context("available snapshots", available)),
        None => Ok(wanted),
    }
}

fn missing(id: i64, after: i64, up_to: i64) -> Error {
    let message = format!("snapshot {id} is missing, which the changes from snapshot {after} to {up_to} need");
    Error::not_found(message).with_context("snapshot", id)
}

async fn delta(store: &TableStore, after: i64, up_to: i64) -> Result<Option<Source>> {
    let wanted = wanted(store, after, up_to).await?;
    let new_rows = match store.options().data_evolution_enabled()? && !wanted.is_empty() {
        // The snapshot may be gone.
        true if after > 0 => Some(NewRows(store.snapshot(after).await?.and_then(|before| before.next_row_id))),
        true => Some(NewRows(Some(0))),
        false => None,
    };
    let reads: Vec<_> = wanted.into_iter().map(|id| appended(store, id)).collect();
    let mut reads = stream::iter(reads).buffered(SNAPSHOTS_AT_ONCE);
    let mut last = None;
    let mut adding = Vec::new();
    while let Some((id, read)) = reads.try_next().await? {
        let (snapshot, manifests) = read.ok_or_else(|| missing(id, after, up_to))?;
        adding.extend(manifests);
        last = Some(snapshot);
    }
    Ok(last.map(|snapshot| Source {
        snapshot,
        adding,
        deleting: Vec::new(),
        known: Vec::new(),
        deletions: DeletionIndex::default(),
        new_rows,
    }))
}

/// A snapshot with the manifests of what it appended, which are none when it did something else; `None` in the place
/// of both when it is missing.
async fn appended(store: &TableStore, id: i64) -> Result<(i64, Option<(Arc<Snapshot>, Vec<ManifestFileMeta>)>)> {
    let Some(snapshot) = store.snapshot(id).await? else { return Ok((id, None)) };
    let mut appended = Vec::new();
    if snapshot.commit_kind == CommitKind::Append {
        appended = delta_manifests(store, &snapshot).await?;
        if let Some(manifest) = appended.iter().find(|manifest| manifest.num_deleted_files > 0) {
            let message = format!("expected only added files in what snapshot {id} appended, found deleted ones");
            return Err(Error::corrupt(message).with_context("manifest", &manifest.file_name));
        }
    }
    Ok((id, Some((snapshot, appended))))
}

/// The snapshots at both ends of a difference, in order; `None` when the table has none.
async fn ends(
    store: &TableStore,
    before: Option<&ReadPoint>,
    after: &ReadPoint,
) -> Result<Option<(Option<Arc<Snapshot>>, Arc<Snapshot>)>> {
    let Some(end) = resolve(store, after).await? else { return Ok(None) };
    let start = match before {
        Some(before) => resolve(store, before).await?,
        None => None,
    };
    match &start {
        Some(start) if end.id < start.id => Err(Error::invalid(format!(
            "the state at the end, snapshot {}, should not be older than that at the start, snapshot {}",
            end.id, start.id
        ))),
        _ => Ok(Some((start, end))),
    }
}

async fn diff(store: &TableStore, before: Option<&ReadPoint>, after: &ReadPoint) -> Result<Option<Source>> {
    let Some((start, end)) = ends(store, before, after).await? else { return Ok(None) };
    let new_rows = store
        .options()
        .data_evolution_enabled()?
        .then(|| NewRows(start.as_ref().map_or(Some(0), |start| start.next_row_id)));
    let mut adding = manifests(store, &end).await?;
    let mut deleting = Vec::new();
    let mut known = Vec::new();
    if let Some(start) = start {
        if end.id == start.id {
            return Ok(None);
        }
        // What both states have in the same manifest is not looked at; the rest of the first state is, because its
        // files may have come into new manifests since.
        known = manifests(store, &start).await?;
        let names = |manifests: &[ManifestFileMeta]| -> HashSet<String> {
            manifests.iter().map(|manifest| manifest.file_name.clone()).collect()
        };
        let (old, new) = (names(&known), names(&adding));
        (deleting, adding) = adding.into_iter().partition(|manifest| old.contains(&manifest.file_name));
        known.retain(|manifest| !new.contains(&manifest.file_name));
    }
    let deletions = DeletionIndex::load(store, &end).await?;
    Ok(Some(Source { snapshot: end, adding, deleting, known, deletions, new_rows }))
}
