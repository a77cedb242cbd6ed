//! A request to tasks.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::BoxFuture;
use paimon_io::TableStore;
use paimon_spec::{
    BinaryRow, CompactTask, CompactWork, DataFileMeta, DataSplit, Error, ErrorKind, KeyComparator, KeyedWork,
    POSTPONED_BUCKET, Result, Snapshot,
};

use super::buckets::{BucketFiles, Buckets, Wanted};
use super::levels::Levels;
use super::policy::{Pick, Policy};
use super::{CompactPlan, CompactRequest, append, evolving, postponed};
use crate::commit::{manifest_stats, partition_set};
use crate::options::require_writable;

/// What makes files of a bucket worth a compaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// What the options find worth it. Of tables that need look-up, level 0 goes up when it has so many files; all there is
    /// is merged when level 0 has `full_from`.
    Due { level_zero_from: usize, full_from: Option<usize> },
    /// All there is.
    Full,
}

/// Says what is to be done, as of the latest snapshot. Nothing is written.
///
/// Of rows that wait for a bucket (bucket -2) a plan says that they get one; what becomes of the files in these buckets is
/// the matter of another plan, afterwards.
///
/// # Errors
/// `Unsupported` for tables that this build does not compact, naming why; `InvalidInput` for partitions and options that
/// cannot be used; `CommitConflict`, retryable, when files are of a newer schema than that of `store`; those of reading
/// manifests.
pub fn plan_compaction<'a>(store: &'a TableStore, request: &'a CompactRequest) -> BoxFuture<'a, Result<CompactPlan>> {
    Box::pin(async move {
        let wanted = Wanted::Partitions(partition_set(store.schema(), &request.partitions)?);
        plan(store, &wanted, request.full).await
    })
}

/// As [`plan_compaction`], of some buckets.
pub(super) async fn plan(store: &TableStore, wanted: &Wanted, full: bool) -> Result<CompactPlan> {
    require_compactable(store)?;
    let Some(snapshot) = store.latest_snapshot().await? else {
        return Ok(CompactPlan {
            snapshot_id: None,
            tasks: Vec::new(),
            buckets: Vec::new(),
            manifests: super::ManifestStats::default(),
        });
    };
    let reach = if full { Reach::Full } else { Reach::Due { level_zero_from: 1, full_from: None } };
    let buckets = read(store, Arc::clone(&snapshot), wanted).await?;
    let tasks = tasks(store, &buckets, reach).await?;
    // Rows that wait may get any bucket of their partition.
    let key = |task: &CompactTask| (task.partition().clone(), task.bucket());
    let touched: HashSet<(BinaryRow, i32)> = tasks.iter().map(key).collect();
    let is_touched = |bucket: &&BucketFiles| {
        let key = |number| (bucket.partition.clone(), number);
        touched.contains(&key(bucket.bucket)) || touched.contains(&key(POSTPONED_BUCKET))
    };
    let touched = buckets.buckets.iter().filter(is_touched);
    Ok(CompactPlan {
        snapshot_id: Some(snapshot.id),
        buckets: touched.map(BucketFiles::stats).collect::<Result<_>>()?,
        manifests: manifest_stats(store, &snapshot).await?,
        tasks,
    })
}

/// The files of the wanted buckets.
pub(super) async fn read(store: &TableStore, snapshot: Arc<Snapshot>, wanted: &Wanted) -> Result<Buckets> {
    let buckets = Buckets::read(store, snapshot, wanted).await?;
    let ours = store.schema().id;
    let mut files = buckets.buckets.iter().flat_map(|bucket| &bucket.files);
    // Its new columns would be lost.
    if let Some(newer) = files.find(|file| file.schema_id > ours) {
        let message = format!(
            "the table's schema has changed: expected files of schema {ours} at most, which this compaction goes by, found \
             one of schema {}: open the table again",
            newer.schema_id
        );
        return Err(Error::new(ErrorKind::CommitConflict, message)
            .with_context("file", &newer.file_name)
            .with_context("table", store.storage().root_url())
            .retryable());
    }
    Ok(buckets)
}

/// What there is to do in these buckets.
pub(super) async fn tasks(store: &TableStore, buckets: &Buckets, reach: Reach) -> Result<Vec<CompactTask>> {
    if store.options().data_evolution_enabled()? {
        return evolving::plan(store, buckets, reach == Reach::Full).await;
    }
    if store.schema().primary_keys.is_empty() {
        return append::plan(store, buckets, reach == Reach::Full);
    }
    let keyed = KeyedPlan::new(store, reach)?;
    let mut tasks = postponed::plan(store, buckets)?;
    for bucket in buckets.buckets.iter().filter(|bucket| bucket.bucket >= 0) {
        tasks.extend(keyed.task(store, buckets, bucket)?);
    }
    Ok(tasks)
}

/// # Errors
/// `Unsupported`, naming what.
pub(super) fn require_compactable(store: &TableStore) -> Result<()> {
    let schema = store.schema();
    require_writable(schema)?;
    let options = schema.table_options();
    if options.row_tracking_enabled()? && !schema.primary_keys.is_empty() {
        return Err(Error::unsupported(
            "compacting primary-key tables with 'row-tracking.enabled' is not supported yet",
        ));
    }
    Ok(())
}

/// How the buckets of a primary-key table are looked at.
struct KeyedPlan {
    keys: KeyComparator,
    num_levels: i32,
    reach: Reach,
    policy: Policy,
    rewrites_all: bool,
    looks_up: bool,
    has_vectors: bool,
    now_millis: i64,
}

impl KeyedPlan {
    fn new(store: &TableStore, reach: Reach) -> Result<Self> {
        let options = store.options();
        let looks_up = options.need_lookup()?;
        let mut policy = Policy::of(options)?;
        if let (true, Reach::Due { level_zero_from, .. }) = (looks_up, reach) {
            policy = policy.with_level_zero_from(level_zero_from);
        }
        Ok(Self {
            keys: KeyComparator::of(store.schema()),
            num_levels: options.num_levels()?,
            reach,
            policy,
            rewrites_all: options.compaction_force_rewrite_all_files()?,
            looks_up,
            has_vectors: options.deletion_vectors_enabled()?,
            now_millis: store.context().clock.now_millis(),
        })
    }

    fn task(&self, store: &TableStore, buckets: &Buckets, bucket: &BucketFiles) -> Result<Option<CompactTask>> {
        let levels = Levels::of(bucket.files.clone(), &self.keys, self.num_levels).map_err(|error| {
            error.with_context("bucket", bucket.bucket).with_context("table", store.storage().root_url())
        })?;
        let picked = match self.reach {
            Reach::Full => self.pick_full(&levels, bucket),
            Reach::Due { full_from: Some(files), .. } if levels.level_zero_files() >= files => {
                self.pick_full(&levels, bucket)
            }
            Reach::Due { .. } => self.policy.pick(&levels, self.now_millis).map(|pick| (pick, None)),
        };
        let Some((Pick { runs, output_level }, some)) = picked else { return Ok(None) };
        let (greatest_level, last_level) = (levels.greatest_level(), levels.last_level);
        let each_file = some.is_some();
        let files = match some {
            Some(files) => files,
            None => levels.runs.iter().take(runs).flat_map(|run| run.files.clone()).collect(),
        };
        // Only new rows have older ones to be looked up.
        let looks_up = self.looks_up && files.iter().any(|file| file.level == 0);
        let deeper = levels.runs.into_iter().skip(runs).filter(|_| looks_up).flat_map(|run| run.files).collect();
        Ok(Some(CompactTask {
            snapshot_id: buckets.snapshot.id,
            files: buckets.split(store, bucket, files)?,
            deeper: buckets.split(store, bucket, deeper)?,
            total_buckets: bucket.total_buckets,
            vectors: bucket.vectors.clone(),
            work: CompactWork::Keyed(KeyedWork {
                output_level,
                last_level,
                drop_deletes: output_level >= greatest_level || self.has_vectors,
                each_file,
            }),
        }))
    }

    /// All runs; where there is only the last level, those of its files that are not as they could be, each for itself
    /// (Java `CompactStrategy.pickFullCompaction`).
    fn pick_full(&self, levels: &Levels, bucket: &BucketFiles) -> Option<(Pick, Option<Vec<DataFileMeta>>)> {
        let pick = Pick { runs: levels.runs.len(), output_level: levels.last_level };
        match levels.runs.as_slice() {
            [] => None,
            [only] if only.level == levels.last_level => {
                let wanted = |file: &&DataFileMeta| self.rewrites_all || bucket.has_deletions(file);
                let files: Vec<DataFileMeta> = only.files.iter().filter(wanted).cloned().collect();
                (!files.is_empty()).then_some((pick, Some(files)))
            }
            _ => Some((pick, None)),
        }
    }
}

/// A split of some of the files of another one.
pub(super) fn part_of(split: &DataSplit, names: &HashSet<&str>) -> DataSplit {
    let chosen = |file: &DataFileMeta| names.contains(file.file_name.as_str());
    let places: Vec<usize> = (0..).zip(&split.files).filter(|(_, file)| chosen(file)).map(|(place, _)| place).collect();
    let mut deletions: Vec<_> = places.iter().map(|place| split.deletions.get(*place).cloned().flatten()).collect();
    if deletions.iter().all(Option::is_none) {
        deletions.clear();
    }
    DataSplit {
        files: places.iter().filter_map(|place| split.files.get(*place)).cloned().collect(),
        deletions,
        rows: Vec::new(),
        ..split.clone()
    }
}
