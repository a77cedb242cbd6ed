//! Messages of tasks to snapshots.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt, TryStreamExt};
use paimon_io::{TableStore, background};
use paimon_spec::{BinaryRow, CommitMessage, CompactTask, CompactWork, Error, ErrorKind, Result};

use super::buckets::Wanted;
use super::plan::plan;
use super::published::discard;
use super::{CompactProgress, CompactRequest, Compacted, evolving, run_task};
use crate::commit::{check_identity, manifest_stats, merge_manifests, partition_set};
use crate::{BATCH_IDENTIFIER, CommitMode, CommitRequest, Committed, abort, commit, outcome_is_unknown};

/// Tasks that run at the same time: each has a merge and two files in the making.
const TASKS_AT_ONCE: usize = 2;

/// How often what gave way is planned again.
const ROUNDS: usize = 8;

/// Publishes what [`run_task`] gave for tasks: all of it in one snapshot, if nothing stands against that. Otherwise in
/// several, in halves, until only tasks are left that other commits stand against; these give way, and their files are
/// deleted. So do tasks that gave no message. `full`: manifests are merged, too, as far as can be.
///
/// Each bucket changes in one snapshot, but not all in the same one then. Of a table that needs look-up, where rows are
/// seen when they leave level 0, readers may see a commit of rows bucket by bucket: also when a writer compacts a bucket
/// that another one wrote to, as in Java. Whoever wants the rows of a commit to appear at once lets nobody else compact.
///
/// Of `request`, user, properties and the table's identity count.
///
/// # Errors
/// As [`commit`], but for conflicts. What was not published by then is deleted, unless its outcome is unknown; what was,
/// by whichever call, never.
pub fn commit_compaction<'a>(
    store: &'a TableStore,
    request: &'a CommitRequest,
    done: &'a [Vec<CommitMessage>],
    full: bool,
) -> BoxFuture<'a, Result<Compacted>> {
    Box::pin(async move {
        let request = CommitRequest { identifier: BATCH_IDENTIFIER, mode: CommitMode::Append, ..request.clone() };
        let is_work = |place: &usize| done.get(*place).is_some_and(|messages| messages.iter().any(|m| !m.is_empty()));
        let is_gone = |place: &usize| done.get(*place).is_some_and(Vec::is_empty);
        let mut compacted = Compacted { gave_way: (0..done.len()).filter(is_gone).collect(), ..Compacted::default() };
        let mut waiting: Vec<Vec<usize>> = vec![(0..done.len()).filter(is_work).collect()];
        while let Some(mut places) = waiting.pop() {
            if places.is_empty() {
                continue;
            }
            let mut messages = messages_of(done, &places);
            let own = messages.len();
            match commit_with_vectors(store, &request, &mut messages).await {
                Ok(Committed::Snapshot(id) | Committed::Already(id)) => compacted.snapshot = Some(id),
                Ok(Committed::Nothing) => {}
                // A table that is another one by now is nothing to give way to.
                Err(error) if gives_way(&error) && check_identity(store, &request).await.is_ok() => {
                    if places.len() == 1 {
                        match discard(store, &messages).await? {
                            Some(id) => compacted.snapshot = Some(id),
                            None => compacted.gave_way.extend(places),
                        }
                    } else {
                        // Each half moves its own vectors. What counts is that it gets its turn.
                        let _ = abort(store, messages.get(own..).unwrap_or_default()).await;
                        let rest = places.split_off(places.len() / 2);
                        waiting.extend([rest, places]);
                    }
                }
                Err(error) => {
                    // What counts is why nothing more is published.
                    if !outcome_is_unknown(&error) {
                        let _ = discard(store, &messages).await;
                    }
                    for place in waiting.concat() {
                        let _ = discard(store, &messages_of(done, &[place])).await;
                    }
                    return Err(error);
                }
            }
        }
        compacted.gave_way.sort_unstable();
        if full && let Committed::Snapshot(id) = merge_manifests(store, &request).await? {
            compacted.snapshot = Some(id);
        }
        if let Some(latest) = store.latest_snapshot().await? {
            compacted.manifests_after = manifest_stats(store, &latest).await?;
        }
        Ok(compacted)
    })
}

/// Commits `messages`; where rows are in several files, with what moves their deletion vectors, which goes behind them.
async fn commit_with_vectors(
    store: &TableStore,
    request: &CommitRequest,
    messages: &mut Vec<CommitMessage>,
) -> Result<Committed> {
    if store.options().data_evolution_enabled()? {
        let moved = evolving::move_vectors(store, messages).await?;
        messages.extend(moved);
    }
    commit(store, request, messages).await
}

/// Whether somebody else has changed what a compaction is about.
fn gives_way(error: &Error) -> bool {
    error.kind() == ErrorKind::CommitConflict && !error.is_retryable() && !outcome_is_unknown(error)
}

fn messages_of(done: &[Vec<CommitMessage>], places: &[usize]) -> Vec<CommitMessage> {
    places.iter().filter_map(|place| done.get(*place)).flatten().cloned().collect()
}

/// Plans, carries out and publishes a compaction; what gave way to other commits is planned again, a few times. Gives the
/// tasks of the last round that gave way. `progress` is called whenever a task is done.
///
/// # Errors
/// As [`plan_compaction`](super::plan_compaction), [`run_task`] and [`commit_compaction`].
pub fn compact<'a>(
    store: &'a TableStore,
    request: &'a CompactRequest,
    commit: &'a CommitRequest,
    progress: &'a (dyn Fn(CompactProgress) + Send + Sync),
) -> BoxFuture<'a, Result<Compacted>> {
    Box::pin(async move {
        let mut wanted = Wanted::Partitions(partition_set(store.schema(), &request.partitions)?);
        let mut compacted = Compacted::default();
        let mut shown = CompactProgress::default();
        for _ in 0..ROUNDS {
            let tasks = plan(store, &wanted, request.full).await?.tasks;
            shown.tasks += tasks.len();
            shown.bytes += tasks.iter().map(CompactTask::input_bytes).sum::<u64>();
            progress(shown);
            let mut done_one = |task: &CompactTask| {
                shown.tasks_done += 1;
                shown.bytes_done += task.input_bytes();
                progress(shown);
            };
            let done = run_tasks(store, &tasks, request.memory_bytes, &mut done_one).await?;
            let published = commit_compaction(store, commit, &done, request.full).await?;
            let again = to_do_again(&tasks, &done, &published.gave_way);
            compacted = Compacted { snapshot: published.snapshot.or(compacted.snapshot), ..published };
            if again.is_empty() {
                break;
            }
            wanted = Wanted::Buckets(again);
        }
        Ok(compacted)
    })
}

/// The buckets of tasks that gave way, and those that got rows from bucket -2.
fn to_do_again(tasks: &[CompactTask], done: &[Vec<CommitMessage>], gave_way: &[usize]) -> HashSet<(BinaryRow, i32)> {
    let mut again = HashSet::new();
    for (place, (task, messages)) in tasks.iter().zip(done).enumerate() {
        if gave_way.contains(&place) {
            again.insert((task.partition().clone(), task.bucket()));
        } else if matches!(task.work, CompactWork::Postponed { .. }) {
            let written = messages.iter().filter(|message| !message.compact_after.is_empty());
            again.extend(written.map(|message| (message.partition.clone(), message.bucket)));
        }
    }
    again
}

/// What tasks gave, in their order. After an error nothing is left behind.
pub(super) async fn run_tasks(
    store: &TableStore,
    tasks: &[CompactTask],
    memory_bytes: Option<u64>,
    done_one: &mut (dyn FnMut(&CompactTask) + Send),
) -> Result<Vec<Vec<CommitMessage>>> {
    let total = match memory_bytes {
        Some(bytes) => bytes,
        None => store.options().write_buffer_bytes()?,
    };
    let share = total / TASKS_AT_ONCE.min(tasks.len()).max(1) as u64;
    let stopped = Arc::new(AtomicBool::new(false));
    let mut running = stream::iter(tasks.iter().cloned().enumerate())
        .map(|(place, task)| {
            let (table, stopped) = (store.clone(), Arc::clone(&stopped));
            let run = async move {
                let goes_on = !stopped.load(Ordering::Relaxed);
                Ok((place, if goes_on { run_task(&table, &task, Some(share)).await } else { Ok(Vec::new()) }))
            };
            background(store.context(), stream::once(run).boxed(), 1)
        })
        .flatten_unordered(TASKS_AT_ONCE);
    let mut done: Vec<Vec<CommitMessage>> = vec![Vec::new(); tasks.len()];
    let mut failure = None;
    while let Some((place, outcome)) = running.try_next().await? {
        match (outcome, done.get_mut(place), tasks.get(place)) {
            (Ok(messages), Some(slot), Some(task)) => {
                *slot = messages;
                done_one(task);
            }
            (Err(error), ..) => {
                // Those that run end what they have begun: their files are to be deleted, too.
                stopped.store(true, Ordering::Relaxed);
                failure.get_or_insert(error);
            }
            _ => {}
        }
    }
    let Some(error) = failure else { return Ok(done) };
    // What counts is why a task failed.
    let _ = abort(store, &done.concat()).await;
    Err(error)
}
