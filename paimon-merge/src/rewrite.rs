//! What a compaction writes: the merged rows of some files of a bucket, the changes that they make, and the rows of
//! deeper files that they supersede.
//!
//! Java looks rows up one by one, in stores that it makes of deeper files (`LookupLevels`). Here deeper files are more
//! sorted runs of the merge, whose rows are looked at and not rewritten.
//!
//! ```text
//! files ──┬─ sections with ── runs ─ loser tree ─ rows of whole keys ─ sift ─ merge function ─┬─ rows
//! deeper ─┘  their deeper           (positions of deeper rows)          │                     └─ changes
//!  pruned by keys of files                                              └─ superseded positions
//! ```

mod changes;
mod deeper;
mod rewriting;
mod rules;

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::future::BoxFuture;
use futures::{
    StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use paimon_io::TableStore;
use paimon_spec::{DataSplit, Error, FieldId, KeyComparator, MergeOptions, Predicate, Result, SortedRun, sections};

use self::{
    changes::Changes,
    deeper::look_at,
    rewriting::{Looks, Rewriting, without_deletes},
    rules::Rules,
};
use crate::{
    KeyedLayout, ReadRequest,
    chunk::{Ranks, RowOrder},
    files::{Unopened, in_order},
    function::merge_function,
    levels::Origin,
    many_runs::{BatchSize, RUN_ROWS, Reads, merge_files},
    opening::{Opening, SplitFile, split_file},
    plan::{FilePlan, Target},
    read::{check_split, check_supported, target_of},
    sorted::RankedBatches,
    stretches::{Ages, Stretch, rank_by_age, stretches},
};

/// Files of a bucket whose rows are to be merged into new files.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The files, with their deletions.
    pub files: DataSplit,
    /// All files of the bucket at levels below the output, with their deletions. Their rows are looked at, and stay. Only
    /// tables that [need look-up](paimon_spec::TableOptions::need_lookup) have to name them.
    pub deeper: DataSplit,
    /// Whether the merged rows are wanted. Without them only changes and superseded rows come, which may need fewer
    /// columns: a file that moves to another level as it stands.
    pub wants_rows: bool,
    /// Whether keys whose merged row takes back are among the rows.
    pub keep_deletes: bool,
    /// The changes that are wanted.
    pub changelog: Changelog,
    /// Bytes that the merge may hold, about; `None`: 256 MiB.
    pub memory_bytes: Option<u64>,
}

/// Which changes a rewrite tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changelog {
    /// None.
    None,
    /// What rows of level 0 change (`changelog-producer` is `lookup`).
    OfLevelZero,
    /// What changes against the rows of this level, the last one (`changelog-producer` is `full-compaction`). Keys whose
    /// merged row takes back are never among the rows then.
    AgainstLevel(i32),
}

/// Rows of some keys of a rewrite; keys ascend from one to the next.
#[derive(Debug, Clone, Default)]
pub struct Rewritten {
    /// The merged rows: all columns of [`KeyedLayout`], with sequence numbers and kinds. `None`: there are none.
    pub rows: Option<RecordBatch>,
    /// The changes: the same columns, of kinds -U, +U, +I and -D. `None`: there are none.
    pub changelog: Option<RecordBatch>,
    /// Rows of deeper files that newer ones take the place of, in tables with deletion vectors: position in the files of
    /// [`Rewrite::deeper`], and positions of the rows in that file, ascending from one [`Rewritten`] to the next.
    pub superseded: Vec<(usize, Vec<u64>)>,
}

/// Merges rows for new files of the table, in which the sequence number and the kind of each row are those that Java's
/// compaction gives it.
///
/// Where the table needs look-up and `files` has any of level 0, the rules are those of Java's
/// `LookupChangelogMergeFunctionWrapper` and `FirstRowMergeFunctionWrapper`; with [`Changelog::AgainstLevel`] those of
/// `FullChangelogMergeFunctionWrapper`; otherwise rows merge as for a reader. No [`Rewritten`] is empty.
///
/// # Errors
/// As [`crate::read()`].
pub fn rewrite<'a>(
    store: &'a TableStore,
    rewrite: &'a Rewrite,
) -> BoxFuture<'a, Result<BoxStream<'static, Result<Rewritten>>>> {
    Box::pin(async move {
        let schema = store.schema();
        check_supported(store, schema)?;
        for split in [&rewrite.files, &rewrite.deeper] {
            check_split(split)?;
            if split.rows.iter().any(Option::is_some) {
                return Err(Error::unsupported("rewriting ranges of rows of files is not supported"));
            }
        }
        let rules = Rules::of(store, rewrite, &MergeOptions::of(schema)?)?;
        if !rules.merges && !rules.supersedes {
            return Ok(stream::empty().boxed());
        }
        let keys = Arc::new(KeyedLayout::new(schema, &[])?);
        let all: Vec<FieldId> = schema.fields.iter().map(|field| field.id).collect();
        let layout = if rules.merges { Arc::new(KeyedLayout::new(schema, &all)?) } else { Arc::clone(&keys) };
        let target = target_of(store, &rewrite.files, &ReadRequest::default())?;
        let mut files = Vec::with_capacity(rewrite.files.files.len());
        for position in 0..rewrite.files.files.len() {
            files.extend(split_file(store, &rewrite.files, position).await?);
        }
        let looked_at = match rules.looks_deeper() {
            true => look_at(store, rewrite, &files, &Arc::new(target.before_merge(&keys))).await?,
            false => Vec::new(),
        };
        // Whose row is older where sequence numbers are equal is decided among all of them.
        let own = files.len();
        let mut conditions = vec![Predicate::Constant(false); rewrite.deeper.files.len()];
        for looked in looked_at {
            conditions[looked.file.rank] = looked.condition;
            files.push(SplitFile { rank: own + looked.file.rank, ..looked.file });
        }
        let before = rank_by_age(&mut files);
        let origin =
            |(file, before): (&SplitFile, usize)| Origin { level: file.file.level, deeper: before.checked_sub(own) };
        let origins: Vec<Origin> = files.iter().zip(before).map(origin).collect();

        let is_rewritten =
            |run: &SortedRun<SplitFile>| run.files.iter().any(|file| origins[file.rank].deeper.is_none());
        let mut sections = sections(files, &KeyComparator::of(schema))?;
        sections.retain(|section| section.iter().any(is_rewritten));
        let looked_layout = if rules.deeper_rows_count { Arc::clone(&layout) } else { keys };
        let reading = Reading {
            store: store.clone(),
            bucket_path: rewrite.files.bucket_path.clone(),
            changes: Changes::of(schema, &layout, &store.options())?,
            target: Arc::new(target.before_merge(&layout)),
            looked_target: target.before_merge(&looked_layout),
            layout,
            looked_layout,
            conditions,
            origins: origins.into(),
            rules,
            memory: rewrite.memory_bytes,
        };
        let reading = Arc::new(reading);
        // The next stretch is opened while one is read, so that its rows are there.
        let opened =
            stream::iter(stretches(sections)).map(move |stretch| future::ready(reading.open(stretch))).buffered(2);
        Ok(opened.try_flatten().boxed())
    })
}

struct Reading {
    store: TableStore,
    bucket_path: String,
    rules: Rules,
    changes: Changes,
    /// What is asked of files that are rewritten.
    target: Arc<Target>,
    layout: Arc<KeyedLayout>,
    /// What is asked of deeper files, beside the condition of each.
    looked_target: Target,
    looked_layout: Arc<KeyedLayout>,
    /// Which rows of each deeper file are looked at.
    conditions: Vec<Predicate>,
    /// By rank.
    origins: Arc<[Origin]>,
    memory: Option<u64>,
}

impl Reading {
    fn open(self: &Arc<Self>, stretch: Stretch) -> Result<BoxStream<'static, Result<Rewritten>>> {
        match stretch {
            // No row shares its key with another one.
            Stretch::Plain(_) if !self.rules.merges => Ok(stream::empty().boxed()),
            Stretch::Plain(files) if self.rules.lone_rows_are_final => self.copy(files),
            Stretch::Plain(files) => self.merge(vec![files]),
            Stretch::Merged(runs) => self.merge(runs),
        }
    }

    /// Rows as they stand.
    fn copy(&self, files: Vec<SplitFile>) -> Result<BoxStream<'static, Result<Rewritten>>> {
        let size = BatchSize::within(self.memory, 1, &self.layout, files.iter());
        let batches = in_order(&self.store, self.openings(files, size)?, usize::MAX);
        let keep_deletes = self.rules.keep_deletes;
        let rows = batches.map(move |batch| {
            let (_, rows) = batch?;
            if keep_deletes { Ok(rows) } else { without_deletes(&rows) }
        });
        let rows = rows.try_filter(|rows| future::ready(rows.num_rows() > 0));
        Ok(rows.map_ok(|rows| Rewritten { rows: Some(rows), ..Rewritten::default() }).boxed())
    }

    fn merge(self: &Arc<Self>, runs: Vec<Vec<SplitFile>>) -> Result<BoxStream<'static, Result<Rewritten>>> {
        let ages = Ages::of(&runs);
        let merges = self.rules.merges;
        let rewritten = merge_files(self, runs, ages, |ties| {
            Ok(Rewriting {
                order: RowOrder::new(Arc::clone(&self.layout), ties)?,
                function: merges.then(|| merge_function(self.store.schema(), &self.layout)).transpose()?,
                looks: Looks::new(Arc::clone(&self.looked_layout), self.rules.deeper_rows_count)?,
                rules: self.rules,
                changes: self.changes.clone(),
                origins: Arc::clone(&self.origins),
                superseded: vec![Vec::new(); self.conditions.len()],
            })
        })?;
        let bucket = self.bucket_path.clone();
        Ok(rewritten.map_err(move |error| error.with_context("bucket", &bucket)).boxed())
    }

    fn openings(&self, files: Vec<SplitFile>, size: BatchSize) -> Result<Vec<Unopened>> {
        let mut openings = Vec::with_capacity(files.len());
        for file in files {
            let deeper = self.origins[file.rank].deeper;
            let plan = match deeper {
                None => FilePlan::new(&self.target, &file.written, &file.file, &[])?,
                Some(position) => {
                    let target = Arc::new(self.looked_target.with_predicate(self.conditions[position].clone()));
                    FilePlan::new(&target, &file.written, &file.file, &[])?.map(FilePlan::by_statistics)
                }
            };
            let Some(plan) = plan else { continue };
            let opening = Opening::new(&self.store, &self.bucket_path, file, plan, size.rows)?;
            let opening = Opening { held_bytes: Some(size.held_bytes), with_positions: deeper.is_some(), ..opening };
            openings.push(Unopened::File(Box::new(opening)));
        }
        Ok(openings)
    }
}

impl Reads for Reading {
    fn store(&self) -> &TableStore {
        &self.store
    }

    fn layout(&self) -> &Arc<KeyedLayout> {
        &self.layout
    }

    fn memory(&self) -> Option<u64> {
        self.memory
    }

    fn most_rows(&self) -> usize {
        RUN_ROWS
    }

    fn is_whole(&self, file: &SplitFile) -> bool {
        self.origins[file.rank].deeper.is_none()
    }

    fn read(&self, files: Vec<SplitFile>, size: BatchSize, _: Ages) -> Result<RankedBatches> {
        let batches = in_order(&self.store, self.openings(files, size)?, usize::MAX);
        Ok(batches.map_ok(|(rank, batch)| (Ranks::One(rank), batch)).boxed())
    }
}

#[cfg(test)]
mod tests;
