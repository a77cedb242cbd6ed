//! One try after the other until a snapshot with the changes is published.
//!
//! A snapshot's name is its number, and publishing is one exclusive create of that name. So of all that try the same
//! number one wins; the others build their snapshot anew on top of the winner's. When an answer is lost, the file behind
//! the number tells who won: until then everything written is kept.

use std::collections::HashSet;
use std::sync::Arc;

use paimon_io::{PutOutcome, TableStore};
use paimon_spec::{CommitKind, Error, ErrorKind, Result, Snapshot};

use super::changes::Change;
use super::snapshot::{NextSnapshot, Prepared};
use super::{CommitRequest, Committed, is_same_commit};

/// Lost races allowed for each of the option `commit.max-retries`: each is somebody else's success, so they say nothing
/// against this commit.
const RACES_PER_RETRY: u32 = 100;

/// After a lost race waits grow up to this many times the shortest: a commit takes milliseconds, so whoever waits much
/// longer only loses turns.
const LONGEST_RACE_WAIT: u64 = 16;

/// Publishes a snapshot with the change and clears up what it does not need.
pub(super) async fn publish(store: &TableStore, request: &CommitRequest, change: Change) -> Result<Committed> {
    let mut publication = Publication::new(store, request, change)?;
    let mut outcome = publication.run().await;
    if publication.in_doubt.is_some() {
        outcome = outcome.map_err(|error| publication.unknown(error));
    }
    match &outcome {
        Ok(Committed::Snapshot(_)) => publication.next.delete_all_but(&publication.needed).await,
        Err(error) if super::outcome_is_unknown(error) => {}
        Ok(Committed::Already(_) | Committed::Nothing) | Err(_) => {
            publication.next.delete_all_but(&HashSet::new()).await;
        }
    }
    outcome
}

/// Refuses a table that is not the one the files were written for.
pub(crate) async fn check_identity(store: &TableStore, request: &CommitRequest) -> Result<()> {
    let what = match store.identity().await {
        Ok(identity) if identity == request.table_identity => return Ok(()),
        Ok(_) => "the table was dropped and created again after the rows to be committed were written",
        Err(error) if error.kind() == ErrorKind::NotFound => {
            "the table was dropped after the rows to be committed were written"
        }
        Err(error) => return Err(error),
    };
    Err(Error::new(ErrorKind::CommitConflict, what).with_context("location", store.storage().root_url()))
}

/// How a try ended.
enum Tried {
    Published(i64),
    LostRace,
    /// Nobody knows, until the file behind the number is there or somebody else's is.
    InDoubt(Error),
}

/// One snapshot that was tried.
struct Try {
    uuid: String,
    snapshot_id: i64,
    /// Metadata files that it refers to.
    files: HashSet<String>,
}

struct Publication<'a> {
    store: &'a TableStore,
    request: &'a CommitRequest,
    kind: CommitKind,
    next: NextSnapshot<'a>,
    tries: Vec<Try>,
    /// The number of the last try, while its outcome is unknown.
    in_doubt: Option<i64>,
    /// Metadata files that the published snapshot refers to.
    needed: HashSet<String>,
}

impl<'a> Publication<'a> {
    fn new(store: &'a TableStore, request: &'a CommitRequest, change: Change) -> Result<Self> {
        Ok(Self {
            store,
            request,
            kind: change.kind,
            next: NextSnapshot::new(store, request, change)?,
            tries: Vec::new(),
            in_doubt: None,
            needed: HashSet::new(),
        })
    }

    async fn run(&mut self) -> Result<Committed> {
        let options = self.store.options();
        let clock = Arc::clone(&self.store.context().clock);
        let started = clock.now_millis();
        let timeout = options.commit_timeout_millis()?;
        let max_failures = options.commit_max_retries()?;
        let max_races = max_failures.saturating_mul(RACES_PER_RETRY);
        let shortest_wait = options.commit_min_retry_wait_millis()?;
        let longest_wait = options.commit_max_retry_wait_millis()?;
        let (mut races, mut failures) = (0_u32, 0_u32);
        loop {
            let latest = self.store.latest_snapshot().await?;
            if let Some(found) = self.find_own(latest.as_deref()).await? {
                return Ok(found);
            }
            if !self.tries.is_empty() {
                check_identity(self.store, self.request).await?;
            }
            let Some(Prepared { snapshot, files }) = self.next.after(latest.as_deref()).await? else {
                return Ok(Committed::Nothing);
            };
            let uuid = snapshot.uuid.clone().unwrap_or_default();
            self.tries.push(Try { uuid, snapshot_id: snapshot.id, files });
            let (error, wait) = match self.put(&snapshot).await? {
                Tried::Published(id) => return Ok(Committed::Snapshot(id)),
                Tried::LostRace => {
                    races += 1;
                    let longest = longest_wait.min(shortest_wait.saturating_mul(LONGEST_RACE_WAIT));
                    (None, (clock.random() * backoff_millis(shortest_wait, longest, races) as f64) as u64)
                }
                Tried::InDoubt(error) => {
                    failures += 1;
                    let wait = backoff_millis(shortest_wait, longest_wait, failures);
                    (Some(error), wait + (clock.random() * 0.2 * wait as f64) as u64)
                }
            };
            let elapsed = clock.now_millis().saturating_sub(started);
            let out_of_time = timeout.is_some_and(|timeout| elapsed.unsigned_abs() > timeout);
            if out_of_time || races > max_races || failures > max_failures {
                let gave_up = Error::new(
                    ErrorKind::CommitConflict,
                    format!(
                        "gave up committing snapshot {} after {elapsed} ms, {races} races lost to other commits and \
                         {failures} failures",
                        snapshot.id
                    ),
                )
                .retryable();
                return Err(match error {
                    Some(cause) => gave_up.with_source(cause),
                    None => gave_up,
                });
            }
            clock.sleep(wait).await;
        }
    }

    /// Looks for this commit among the snapshots from the last try's number on, which also tells how that try ended.
    async fn find_own(&mut self, latest: Option<&Snapshot>) -> Result<Option<Committed>> {
        let (Some(last_try), Some(latest)) = (self.tries.last(), latest) else { return Ok(None) };
        let first = last_try.snapshot_id;
        for id in first..=latest.id {
            match self.store.snapshot(id).await? {
                Some(snapshot) => {
                    if let Some(found) = self.recognise(&snapshot) {
                        return Ok(Some(found));
                    }
                }
                None if self.in_doubt == Some(id) => {
                    return Err(Error::new(
                        ErrorKind::Storage,
                        format!("snapshot {id} has expired before it could be read back"),
                    ));
                }
                None => {}
            }
        }
        if first <= latest.id {
            self.in_doubt = None;
        }
        Ok(None)
    }

    /// Whether a snapshot is one of the tries, or the same commit by its key.
    fn recognise(&mut self, snapshot: &Snapshot) -> Option<Committed> {
        if let Some(own) = self.tries.iter().find(|own| Some(&own.uuid) == snapshot.uuid.as_ref()) {
            self.needed.clone_from(&own.files);
            self.in_doubt = None;
            return Some(Committed::Snapshot(snapshot.id));
        }
        if is_same_commit(snapshot, self.request, self.kind) {
            self.in_doubt = None;
            return Some(Committed::Already(snapshot.id));
        }
        None
    }

    /// Tries to publish a prepared snapshot.
    async fn put(&mut self, snapshot: &Snapshot) -> Result<Tried> {
        let id = snapshot.id;
        // Whatever happens from here on, even that this future is dropped, the outcome is unknown until told otherwise.
        self.in_doubt = Some(id);
        let failure = match self.store.commit(snapshot).await {
            Ok(PutOutcome::Created) => {
                self.recognise(snapshot);
                return Ok(Tried::Published(id));
            }
            Ok(PutOutcome::AlreadyExists) => None,
            Err(error) => Some(error),
        };
        // The name may be taken by this very try, when an answer was lost on the way.
        match self.store.snapshot(id).await {
            Ok(Some(found)) => match self.recognise(&found) {
                Some(Committed::Snapshot(id)) => Ok(Tried::Published(id)),
                // The next look finds it; everybody else's is a lost race.
                _ => {
                    self.in_doubt = None;
                    Ok(Tried::LostRace)
                }
            },
            Ok(None) => match failure {
                Some(error) if error.is_retryable() => Ok(Tried::InDoubt(error)),
                Some(error) => {
                    self.in_doubt = None;
                    Err(error)
                }
                // Taken a moment ago and gone now.
                None => Ok(Tried::InDoubt(Error::new(
                    ErrorKind::Storage,
                    format!("snapshot {id} exists, but cannot be found"),
                ))),
            },
            Err(error) => Ok(Tried::InDoubt(failure.unwrap_or(error))),
        }
    }

    /// An error that says that everything was kept, and why.
    fn unknown(&self, cause: Error) -> Error {
        let id = self.in_doubt.unwrap_or_default();
        Error::new(
            ErrorKind::Storage,
            format!(
                "the outcome of the commit is unknown: snapshot {id} may or may not have been published, and all of its \
                 files were kept; look for a snapshot of the same user before committing again"
            ),
        )
        .with_context("outcome", "unknown")
        .with_context("snapshot", id)
        .with_context("user", &self.request.user)
        .with_context("location", self.store.storage().root_url())
        .with_source(cause)
        .retryable()
    }
}

/// The wait before retry `count` (from 1): doubling from `shortest` up to `longest`.
fn backoff_millis(shortest: u64, longest: u64, count: u32) -> u64 {
    let factor = 1_u64.checked_shl(count.saturating_sub(1)).unwrap_or(u64::MAX);
    shortest.saturating_mul(factor).min(longest)
}
