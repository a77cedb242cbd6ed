//! A task of a primary-key table: what is rewritten, and what only changes its level. Java: `MergeTreeCompactTask`,
//! `ChangelogMergeTreeRewriter` and its kin.

mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;

use futures::TryStreamExt;
use paimon_io::TableStore;
use paimon_merge::{Changelog, Rewrite, Rewritten, rewrite};
use paimon_spec::{
    ChangelogProducer, CommitMessage, CompactTask, DataFileMeta, FileSource, KeyComparator, KeyedWork, MergeOptions,
    Result, sections,
};

use self::steps::{Rules, Step, steps};
use super::plan::part_of;
use super::vectors::Superseded;
use crate::key_value::{FileStyle, Output};

/// Carries out a task of one bucket.
pub(super) async fn run(
    store: &TableStore,
    task: &CompactTask,
    work: KeyedWork,
    memory_bytes: u64,
) -> Result<CommitMessage> {
    let mut running = Running::new(store, task, work, memory_bytes)?;
    match running.run().await {
        Ok(()) => running.into_message().await,
        Err(error) => {
            // What counts is why the files could not be written.
            let _ = running.abort().await;
            Err(error)
        }
    }
}

struct Running<'a> {
    store: &'a TableStore,
    task: &'a CompactTask,
    work: KeyedWork,
    memory_bytes: u64,
    /// The changes that are told.
    changes: Changelog,
    data: Output,
    changelog: Option<Output>,
    /// Files that are read and written anew.
    rewritten: Vec<DataFileMeta>,
    /// Files that change their level.
    upgraded: Vec<DataFileMeta>,
    superseded: Superseded,
}

impl<'a> Running<'a> {
    fn new(store: &'a TableStore, task: &'a CompactTask, work: KeyedWork, memory_bytes: u64) -> Result<Self> {
        let changes = match MergeOptions::of(store.schema())?.changelog_producer {
            ChangelogProducer::Lookup => Changelog::OfLevelZero,
            ChangelogProducer::FullCompaction if work.output_level == work.last_level => {
                Changelog::AgainstLevel(work.last_level)
            }
            _ => Changelog::None,
        };
        let (partition, bucket) = (task.partition(), task.bucket());
        let data = Arc::new(FileStyle::of_data(store, work.output_level, FileSource::Compact)?);
        let changelog = match changes {
            Changelog::None => None,
            _ => {
                let style = FileStyle::of_changelog(store, work.output_level)?;
                Some(Output::new(store, Arc::new(style), partition, bucket)?)
            }
        };
        Ok(Self {
            store,
            task,
            work,
            memory_bytes,
            changes,
            data: Output::new(store, data, partition, bucket)?,
            changelog,
            rewritten: Vec::new(),
            upgraded: Vec::new(),
            superseded: Superseded::default(),
        })
    }

    async fn run(&mut self) -> Result<()> {
        for step in self.steps()? {
            match step {
                Step::Rewrite(files) => {
                    self.merge(&files, true).await?;
                    self.rewritten.extend(files);
                }
                Step::Upgrade { file, looks } => {
                    if looks {
                        self.merge(std::slice::from_ref(&*file), false).await?;
                    }
                    self.upgraded.push(*file);
                }
            }
        }
        if let Some(changelog) = &mut self.changelog {
            changelog.complete(self.store).await?;
        }
        let now_millis = self.store.context().clock.now_millis();
        self.data.describe(now_millis)?;
        self.changelog.as_mut().map_or(Ok(()), |changelog| changelog.describe(now_millis))
    }

    fn steps(&self) -> Result<Vec<Step>> {
        let files = self.task.files.files.clone();
        if self.work.each_file {
            return Ok(files.into_iter().map(|file| Step::Rewrite(vec![file])).collect());
        }
        let rules = Rules::of(self.store.schema(), self.work, !self.task.deeper.files.is_empty())?;
        Ok(steps(sections(files, &KeyComparator::of(self.store.schema()))?, &rules))
    }

    /// Merges files: `rewrites` into new ones; else for what that changes, as they stay what they are.
    async fn merge(&mut self, files: &[DataFileMeta], rewrites: bool) -> Result<()> {
        let names: HashSet<&str> = files.iter().map(|file| file.file_name.as_str()).collect();
        let request = Rewrite {
            files: part_of(&self.task.files, &names),
            deeper: self.task.deeper.clone(),
            wants_rows: rewrites,
            keep_deletes: !self.work.drop_deletes,
            changelog: self.changes,
            memory_bytes: Some(self.memory_bytes),
        };
        let mut merged = rewrite(self.store, &request).await?;
        while let Some(Rewritten { rows, changelog, superseded }) = merged.try_next().await? {
            if let Some(rows) = rows {
                self.data.push(self.store, &rows).await?;
            }
            if let (Some(output), Some(changes)) = (&mut self.changelog, changelog) {
                output.push(self.store, &changes).await?;
            }
            self.superseded.add(&superseded);
        }
        // What comes next may be a file that stays between these keys and the following ones.
        self.data.complete(self.store).await
    }

    async fn into_message(mut self) -> Result<CommitMessage> {
        let gone: HashSet<&str> = self.rewritten.iter().map(|file| file.file_name.as_str()).collect();
        let index_changes =
            match std::mem::take(&mut self.superseded).replace_vectors(self.store, self.task, &gone).await {
                Ok(changes) => changes,
                Err(error) => {
                    // What counts is why the vectors could not be written.
                    let _ = self.abort().await;
                    return Err(error);
                }
            };
        let level = self.work.output_level;
        let moved = self.upgraded.iter().map(|file| DataFileMeta { level, ..file.clone() });
        let compact_after = moved.chain(self.data.into_files()).collect();
        Ok(CommitMessage {
            compact_before: self.upgraded.iter().chain(&self.rewritten).cloned().collect(),
            compact_after,
            compact_changelog: self.changelog.map(Output::into_files).unwrap_or_default(),
            compact_index_changes: index_changes,
            check_from_snapshot: Some(self.task.snapshot_id),
            ..CommitMessage::of(self.task.partition().clone(), self.task.bucket(), self.task.total_buckets)
        })
    }

    async fn abort(&mut self) -> Result<()> {
        let outcome = self.data.abort(self.store).await;
        match &mut self.changelog {
            Some(changelog) => outcome.and(changelog.abort(self.store).await),
            None => outcome,
        }
    }
}
