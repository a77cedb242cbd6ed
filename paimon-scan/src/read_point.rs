//! Which state of a table is read.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::TableStore;
use paimon_spec::{Error, Result, Snapshot};

use crate::increment::INCREMENTAL_OPTIONS;

/// A state of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadPoint {
    /// The newest snapshot.
    #[default]
    Latest,
    /// The snapshot of this number.
    Snapshot(i64),
    /// The state under this tag, even when its snapshot expired.
    Tag(String),
    /// The newest snapshot that was committed at or before this time, in milliseconds since 1970.
    TimestampMillis(i64),
    /// This snapshot, which the caller has in hand: nothing is read to find it.
    Resolved(Arc<Snapshot>),
}

const SNAPSHOT_ID: &str = "scan.snapshot-id";
const TAG_NAME: &str = "scan.tag-name";
const TIMESTAMP: &str = "scan.timestamp";
const TIMESTAMP_MILLIS: &str = "scan.timestamp-millis";
const VERSION: &str = "scan.version";
const WATERMARK: &str = "scan.watermark";
const WATERMARK_PREFIX: &str = "watermark-";

/// Options that choose a state.
pub(crate) const STATE_OPTIONS: [&str; 6] = [SNAPSHOT_ID, TAG_NAME, TIMESTAMP, TIMESTAMP_MILLIS, VERSION, WATERMARK];

/// Options of reads that give something else than the rows of one snapshot.
const UNSUPPORTED: [&str; 3] =
    ["scan.creation-time-millis", "scan.file-creation-time-millis", "scan.bounded.watermark"];

/// Values of `scan.mode` that mean one snapshot: the latest, or the one that another option names.
const MODES: [&str; 7] =
    ["default", "latest", "latest-full", "full", "from-snapshot", "from-snapshot-full", "from-timestamp"];

impl ReadPoint {
    /// The read point that the options of the store's schema ask for: `scan.snapshot-id`, `scan.tag-name`,
    /// `scan.timestamp`, `scan.timestamp-millis`, `scan.watermark` and `scan.version` (a tag's name, else
    /// `watermark-<n>`, else a snapshot's number; Java `TimeTravelUtil`). Without any, the latest.
    ///
    /// The text of `scan.timestamp` is turned into milliseconds by `local_to_millis`, as the caller knows the time zone.
    /// A watermark means the first snapshot that has reached it.
    ///
    /// # Errors
    /// `InvalidInput` when more than one is set, a value is not what its option takes, or no snapshot has reached the
    /// watermark, or [`Increment`](crate::Increment) is what is asked for; `Unsupported` for other reads that are not of
    /// one snapshot.
    pub async fn from_options(
        store: &TableStore,
        local_to_millis: &(dyn Fn(&str) -> Result<i64> + Send + Sync),
    ) -> Result<ReadPoint> {
        let options = store.options();
        if let Some(key) = UNSUPPORTED.into_iter().find(|key| options.get(key).is_some()) {
            return Err(Error::unsupported(format!("reading with option '{key}' is not supported yet")));
        }
        if let Some(key) = INCREMENTAL_OPTIONS.into_iter().find(|key| options.get(key).is_some()) {
            return Err(Error::invalid(format!("expected options that choose a state of the table, found '{key}'")));
        }
        if let Some(mode) = options.get("scan.mode")
            && !MODES.iter().any(|known| known.eq_ignore_ascii_case(mode))
        {
            return Err(Error::unsupported(format!("reading with option 'scan.mode' = '{mode}' is not supported yet")));
        }
        let set: Vec<(&str, &str)> =
            STATE_OPTIONS.into_iter().filter_map(|key| Some((key, options.get(key)?))).collect();
        match set.as_slice() {
            [] => Ok(Self::Latest),
            [(SNAPSHOT_ID, value)] => Ok(Self::Snapshot(integer(SNAPSHOT_ID, value)?)),
            [(TAG_NAME, value)] => Ok(Self::Tag((*value).to_owned())),
            [(TIMESTAMP, value)] => Ok(Self::TimestampMillis(local_to_millis(value)?)),
            [(TIMESTAMP_MILLIS, value)] => Ok(Self::TimestampMillis(integer(TIMESTAMP_MILLIS, value)?)),
            [(WATERMARK, value)] => at_watermark(store, integer(WATERMARK, value)?).await,
            [(_, version)] => at_version(store, version).await,
            _ => {
                let keys: Vec<_> = set.iter().map(|(key, _)| *key).collect();
                let message = format!("expected at most one option that chooses a snapshot, found {}", keys.join(", "));
                Err(Error::invalid(message))
            }
        }
    }
}

/// The snapshot at a read point; `None`: the table is empty (only for [`ReadPoint::Latest`]).
///
/// # Errors
/// `NotFound` naming the snapshot or tag that does not exist; `InvalidInput` when a time is before the first snapshot.
pub fn resolve<'a>(store: &'a TableStore, at: &'a ReadPoint) -> BoxFuture<'a, Result<Option<Arc<Snapshot>>>> {
    Box::pin(async move {
        match at {
            ReadPoint::Latest => store.latest_snapshot().await,
            ReadPoint::Snapshot(id) => match store.snapshot(*id).await? {
                Some(snapshot) => Ok(Some(snapshot)),
                None => Err(no_snapshot(store, *id).await?),
            },
            ReadPoint::Tag(name) => match store.tag(name).await? {
                Some(tag) => Ok(Some(Arc::new(tag.snapshot))),
                None => Err(Error::not_found(format!("Tag '{name}' doesn't exist.")).with_context("tag", name)),
            },
            ReadPoint::TimestampMillis(millis) => match at_or_before(store, *millis).await? {
                Some(snapshot) => Ok(Some(snapshot)),
                None => {
                    let message = format!("No snapshot found with timestamp earlier than or equal to {millis}ms.");
                    Err(Error::invalid(message))
                }
            },
            ReadPoint::Resolved(snapshot) => Ok(Some(snapshot.clone())),
        }
    })
}

async fn no_snapshot(store: &TableStore, id: i64) -> Result<Error> {
    let error = Error::not_found(format!("Snapshot id '{id}' doesn't exist.")).with_context("snapshot", id);
    let ids = store.snapshot_ids().await?;
    Ok(match (ids.first(), ids.last()) {
        (Some(first), Some(last)) => error.with_context("available snapshots", format!("{first} to {last}")),
        _ => error,
    })
}

async fn at_version(store: &TableStore, version: &str) -> Result<ReadPoint> {
    // A number or a watermark may be a tag's name too, and then the tag is meant.
    if paimon_spec::validate_name("tag", version).is_ok() && store.tag(version).await?.is_some() {
        return Ok(ReadPoint::Tag(version.to_owned()));
    }
    if let Some(watermark) = version.strip_prefix(WATERMARK_PREFIX) {
        return at_watermark(store, integer(VERSION, watermark)?).await;
    }
    if !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(ReadPoint::Snapshot(integer(VERSION, version)?));
    }
    let message =
        format!("expected a tag, a snapshot's number or watermark-<n> in option '{VERSION}', found '{version}'");
    Err(Error::invalid(message))
}

/// Watermarks need not ascend: writers of other engines leave them out. So the snapshots are looked at one by one.
async fn at_watermark(store: &TableStore, watermark: i64) -> Result<ReadPoint> {
    let ids = store.snapshot_ids().await?;
    let reads: Vec<_> = ids.into_iter().map(|id| store.snapshot(id)).collect();
    let mut snapshots = stream::iter(reads).buffered(8);
    while let Some(snapshot) = snapshots.try_next().await? {
        // The smallest number stands for "no watermark".
        let reached = |found: i64| found != i64::MIN && found >= watermark;
        match snapshot {
            Some(snapshot) if snapshot.watermark.is_some_and(reached) => return Ok(ReadPoint::Snapshot(snapshot.id)),
            _ => {}
        }
    }
    Err(Error::invalid(format!("No snapshot found with watermark later than or equal to {watermark}.")))
}

/// The newest snapshot that was committed at or before a time.
pub(crate) async fn at_or_before(store: &TableStore, millis: i64) -> Result<Option<Arc<Snapshot>>> {
    let ids = store.snapshot_ids().await?;
    let mut unknown = ids.as_slice();
    let mut best = None;
    while let Some((before, rest)) = unknown.split_at_checked(unknown.len() / 2)
        && let Some((middle, after)) = rest.split_first()
    {
        unknown = match store.snapshot(*middle).await? {
            Some(snapshot) if snapshot.time_millis > millis => before,
            Some(snapshot) => {
                best = Some(snapshot);
                after
            }
            // Expired since the listing, and so is what is older.
            None => after,
        };
    }
    Ok(best)
}

fn integer(key: &str, value: &str) -> Result<i64> {
    value
        .trim()
        .parse()
        .map_err(|_| Error::invalid(format!("expected a whole number in option '{key}', found '{value}'")))
}
