//! What rows that were just committed ask for.

use std::collections::HashSet;

use futures::future::BoxFuture;
use paimon_io::TableStore;
use paimon_spec::{
    BinaryRow, BucketMode, CommitMessage, DataFileMeta, DataType, Error, ErrorKind, LookupCompactMode, Result,
    TableOptions,
};

use super::buckets::Wanted;
use super::plan::{Reach, read, require_compactable, tasks};
use super::publish::{commit_compaction, run_tasks};
use crate::{CommitRequest, outcome_is_unknown};

/// How often a compaction that makes rows visible is tried against others that do the same.
const TRIES: u32 = 32;

/// The longest wait between two tries, in milliseconds.
const LONGEST_WAIT_MILLIS: u64 = 400;

/// Compacts what `messages` have made due, once they are committed: only the buckets that they wrote to. Nothing with the
/// option `write-only`.
///
/// - Of a table that needs look-up ([`paimon_spec::TableOptions::need_lookup`]) new rows are neither seen nor told before
///   they leave level 0. That is done, and done again where others compact the same bucket, until no file of `messages`
///   is left there. With `lookup-compact` = `gentle` level 0 may wait for more files; with `lookup-wait` = `false` it is
///   done once, and may give way. Where others compact the same buckets, rows may be seen bucket by bucket: see
///   [`commit_compaction`](super::commit_compaction).
/// - Other buckets of primary-key tables are compacted when they have too many sorted runs, or, with
///   `full-compaction.delta-commits`, when so many files of level 0 have come together. If others compact the same bucket
///   meanwhile, this gives way.
/// - Buckets of tables without a primary key are compacted when they have many small files; those of tables without
///   buckets, and rows that wait for a bucket, are left to whoever calls [`plan_compaction`](super::plan_compaction), as
///   by Java's writers.
///
/// Gives the last snapshot that this published. The rows are committed in any case: whatever this fails with, nothing of
/// `messages` may be aborted.
///
/// # Errors
/// Those of planning and of [`run_task`](super::run_task), and `CommitConflict`, retryable, when rows are still not
/// visible after many tries.
pub fn after_commit<'a>(
    store: &'a TableStore,
    request: &'a CommitRequest,
    messages: &'a [CommitMessage],
    memory_bytes: Option<u64>,
) -> BoxFuture<'a, Result<Option<i64>>> {
    Box::pin(async move {
        let options = store.options();
        let mode = store.schema().bucket_mode()?;
        if options.write_only()? || mode == BucketMode::Unaware {
            return Ok(None);
        }
        require_compactable(store)?;
        let looks_up = !store.schema().primary_keys.is_empty() && options.need_lookup()?;
        let ours = messages.iter().flat_map(|message| &message.new_files).map(|file| file.file_name.as_str()).collect();
        let mut due = Due {
            store,
            request,
            memory_bytes,
            reach: reach(options, looks_up)?,
            ours: looks_up.then_some(ours),
            buckets: written_buckets(store, messages)?,
            snapshot: None,
        };
        if !looks_up {
            return match due.compact().await {
                Err(error) if error.kind() == ErrorKind::CommitConflict && !outcome_is_unknown(&error) => Ok(None),
                done => done.map(|()| due.snapshot),
            };
        }
        let (waits, clock) = (options.lookup_wait()?, &store.context().clock);
        for tries in 1..=TRIES {
            due.compact().await?;
            if due.buckets.is_empty() || !waits {
                return Ok(due.snapshot);
            }
            let wait = LONGEST_WAIT_MILLIS.min(5 << tries.min(10));
            clock.sleep((clock.random() * wait as f64) as u64).await;
        }
        Err(not_visible(store, due.buckets.len()))
    })
}

fn not_visible(store: &TableStore, buckets: usize) -> Error {
    let message = format!(
        "the rows are committed, but not all of them are visible yet: others changed their buckets before each of {TRIES} \
         compactions could be published (buckets left: {buckets}); the next compaction of these makes them visible"
    );
    Error::new(ErrorKind::CommitConflict, message).with_context("table", store.storage().root_url()).retryable()
}

/// What makes a bucket due that was written to.
fn reach(options: TableOptions<'_>, looks_up: bool) -> Result<Reach> {
    let level_zero_from = match options.lookup_compact()? {
        LookupCompactMode::Gentle if looks_up => options.lookup_compact_max_interval()?,
        _ => 1,
    };
    let full_from = options.full_compaction_delta_commits()?.and_then(|commits| usize::try_from(commits).ok());
    Ok(Reach::Due { level_zero_from, full_from })
}

/// The buckets that got rows, with partitions in the form that splits have.
fn written_buckets(store: &TableStore, messages: &[CommitMessage]) -> Result<HashSet<(BinaryRow, i32)>> {
    let types: Vec<DataType> = store.schema().partition_fields().into_iter().map(|field| field.data_type).collect();
    let written = messages.iter().filter(|message| !message.new_files.is_empty() && message.bucket >= 0);
    written.map(|message| Ok((message.partition.normalised(&types)?, message.bucket))).collect()
}

/// Buckets that wait for a compaction.
struct Due<'a> {
    store: &'a TableStore,
    request: &'a CommitRequest,
    memory_bytes: Option<u64>,
    reach: Reach,
    /// The files that must not stay at level 0; `None`: any may.
    ours: Option<HashSet<&'a str>>,
    buckets: HashSet<(BinaryRow, i32)>,
    /// The last one that was published.
    snapshot: Option<i64>,
}

impl Due<'_> {
    /// Compacts the buckets, but for those that need it no more; what gave way is left.
    async fn compact(&mut self) -> Result<()> {
        let Some(snapshot) = self.store.latest_snapshot().await? else { return Ok(()) };
        let mut buckets = read(self.store, snapshot, &Wanted::Buckets(std::mem::take(&mut self.buckets))).await?;
        if let Some(ours) = &self.ours {
            let is_new = |file: &DataFileMeta| file.level == 0 && ours.contains(file.file_name.as_str());
            buckets.buckets.retain(|bucket| bucket.files.iter().any(is_new));
        }
        let tasks = tasks(self.store, &buckets, self.reach).await?;
        if tasks.is_empty() {
            return Ok(());
        }
        let done = run_tasks(self.store, &tasks, self.memory_bytes, &mut |_| {}).await?;
        let published = commit_compaction(self.store, self.request, &done, false).await?;
        self.snapshot = published.snapshot.or(self.snapshot);
        let left = published.gave_way.iter().filter_map(|place| tasks.get(*place));
        self.buckets = left.map(|task| (task.partition().clone(), task.bucket())).collect();
        Ok(())
    }
}
