//! Which manifests and files may have wanted rows.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use paimon_io::TableStore;
use paimon_spec::predicate::FilePredicate;
use paimon_spec::{
    ColumnStats, DataField, EntryHead, FieldId, FileIndexOptions, IndexVerdict, KeyComparator, ManifestEntry,
    ManifestFileMeta, Predicate, Result, RowIds, SimpleStats, TableSchema, TypeKind, Verdict, is_row_tracking_field,
};

use crate::ScanRequest;
use crate::buckets::WantedKeys;
use crate::evolution::{Evolution, Schemas};
use crate::keyed::{Keyed, Levels};
use crate::partitions::Partition;
use crate::report::ScanReport;

/// What a request leaves out, stage by stage: partitions, buckets, files by their statistics. Whether a file that is left
/// may have wanted rows is another question where files are merged: see [`Keyed`].
#[derive(Debug)]
pub(crate) struct Pruner<'a> {
    schema: &'a Arc<TableSchema>,
    partition_fields: Vec<DataField>,
    /// On partition columns; exact where it says no.
    on_partitions: Predicate,
    /// What is left of the request's predicate in wanted partitions.
    on_rows: Option<Predicate>,
    /// What of it may leave out one file alone.
    on_files: Option<Predicate>,
    /// Only rows with these ids are wanted.
    row_ids: Option<RowIds>,
    /// Where rows are pieced together from several files.
    evolution: Option<Evolution>,
    levels: Levels,
    /// Rows of buckets that have no number yet are not there.
    numbered_buckets: bool,
    wanted_buckets: Option<&'a [i32]>,
    wanted_keys: Option<WantedKeys>,
    rules: RwLock<HashMap<i64, Arc<FileRule>>>,
    reads_indexes: bool,
}

/// What the request says about files of one schema.
#[derive(Debug)]
struct FileRule {
    schema: Arc<TableSchema>,
    keys: KeyComparator,
    key_fields: Vec<FieldId>,
    on_rows: Option<FilePredicate>,
    on_files: Option<FilePredicate>,
    /// Rows were put into buckets by the keys that are looked for.
    same_bucket_keys: bool,
}

/// What is known of a file whose schema is at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Drop,
    Keep,
    /// The schema with this id must be loaded first, see [`Pruner::load_schema`].
    NeedsSchema(i64),
}

impl<'a> Pruner<'a> {
    pub(crate) fn new(schema: &'a Arc<TableSchema>, request: &'a ScanRequest, keyed: Option<&Keyed>) -> Result<Self> {
        let partition_fields = schema.partition_fields();
        let partition_ids: Vec<FieldId> = partition_fields.iter().map(|field| field.id).collect();
        let predicate = request.predicate.clone().unwrap_or(Predicate::Constant(true));
        let on_partitions =
            Predicate::and(request.partition_predicate.clone().into_iter().chain(predicate.only_on(&partition_ids)));
        let wanted_keys = WantedKeys::find(schema, &predicate)?;
        let on_rows = rows_part(predicate, &partition_ids);
        let evolution = Evolution::find(schema, request, on_rows.as_ref())?;
        let on_files = match (&on_rows, keyed) {
            (Some(on_rows), Some(keyed)) => {
                Some(keyed.on_files(schema, on_rows)).filter(|on_files| *on_files != Predicate::Constant(true))
            }
            _ => on_rows.clone().filter(|_| evolution.is_none()),
        };
        let pruner = Self {
            schema,
            row_ids: on_rows.as_ref().and_then(RowIds::wanted),
            reads_indexes: evolution.is_none() && FileIndexOptions::read_enabled(schema.table_options())?,
            evolution,
            on_rows,
            on_files,
            levels: keyed.map_or(Levels::All, |keyed| keyed.levels),
            numbered_buckets: keyed.is_some(),
            partition_fields,
            on_partitions,
            wanted_buckets: request.buckets.as_deref(),
            wanted_keys,
            rules: RwLock::default(),
        };
        pruner.add_rule(Arc::clone(schema));
        Ok(pruner)
    }

    /// The condition on partitions.
    pub(crate) fn on_partitions(&self) -> &Predicate {
        &self.on_partitions
    }

    /// How rows are pieced together from several files; `None`: they are not.
    pub(crate) fn evolution(&self) -> Option<&Evolution> {
        self.evolution.as_ref()
    }

    /// The schemas that are known by now.
    pub(crate) fn schemas(&self) -> Schemas {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        rules.values().map(|rule| (rule.schema.id, Arc::clone(&rule.schema))).collect()
    }

    /// Whether a manifest may have entries of wanted partitions, buckets and row ids.
    pub(crate) fn keeps_manifest(&self, manifest: &ManifestFileMeta) -> Result<bool> {
        Ok(self.has_wanted_partitions(manifest)
            && self.has_wanted_levels(manifest)
            && self.has_wanted_row_ids(manifest)
            && self.has_wanted_buckets(manifest)?)
    }

    /// Whether a manifest may have entries of wanted partitions.
    pub(crate) fn has_wanted_partitions(&self, manifest: &ManifestFileMeta) -> bool {
        let entries = manifest.num_added_files.saturating_add(manifest.num_deleted_files);
        self.on_partitions
            .may_match(entries, &|id| partition_stats(&self.partition_fields, &manifest.partition_stats, id))
    }

    /// Decides on an added file by its entry's head, counting each stage.
    pub(crate) fn decide(
        &self,
        partition: &Partition,
        head: &EntryHead<'_>,
        report: &mut ScanReport,
    ) -> Result<Decision> {
        if !report.partitions.count(partition.wanted) {
            return Ok(Decision::Drop);
        }
        let rule = self.rule(head.schema_id);
        if rule.is_none() && self.needs_schemas() {
            return Ok(Decision::NeedsSchema(head.schema_id));
        }
        let in_bucket = self.keeps_bucket(head.bucket, head.total_buckets, rule.as_deref())?;
        if !report.buckets.count(in_bucket) {
            return Ok(Decision::Drop);
        }
        let may_match = self.levels.has(head.level)
            && self.keeps_row_ids(head)?
            && self.wants_columns(head, rule.as_deref())?
            && rule.is_none_or(|rule| {
                let of_key = |pos| head.key_column_stats(&rule.keys, pos);
                let of_column = |id| head.column_stats(&rule.schema, id);
                let stats = |id| rule.column_stats(id, &of_key, &of_column);
                verdict(rule.on_files.as_ref(), head.row_count, &stats) != Verdict::None
            });
        Ok(if report.files.count(may_match) { Decision::Keep } else { Decision::Drop })
    }

    /// What a built entry's statistics say of its rows, once its schema was loaded.
    pub(crate) fn verdict(&self, entry: &ManifestEntry) -> Verdict {
        if self.on_rows.is_none() {
            return Verdict::All;
        }
        let Some(rule) = self.rule(entry.file.schema_id) else { return Verdict::Maybe };
        let of_key = |pos| entry.file.key_column_stats(&rule.keys, pos);
        let of_column = |id| entry.file.column_stats(&rule.schema, id);
        let stats = |id| rule.column_stats(id, &of_key, &of_column);
        verdict(rule.on_rows.as_ref(), entry.file.row_count, &stats)
    }

    /// What a built entry's file index says of the file alone, once its schema was loaded.
    pub(crate) fn index_verdict(&self, entry: &ManifestEntry) -> Result<IndexVerdict> {
        self.ask_index(entry, |rule| rule.on_files.as_ref())
    }

    /// Whether a built entry's file, which was not left out, may have wanted rows, as far as statistics and its file
    /// index tell. Only where files are merged is that another question than whether it must be read.
    pub(crate) fn may_match(&self, entry: &ManifestEntry) -> Result<bool> {
        if self.on_rows == self.on_files {
            return Ok(true);
        }
        Ok(self.verdict(entry) != Verdict::None
            && self.ask_index(entry, |rule| rule.on_rows.as_ref())? != IndexVerdict::Skip)
    }

    fn ask_index(
        &self,
        entry: &ManifestEntry,
        condition: impl Fn(&FileRule) -> Option<&FilePredicate>,
    ) -> Result<IndexVerdict> {
        if !self.reads_indexes || entry.file.embedded_index.is_none() {
            return Ok(IndexVerdict::Keep);
        }
        let rule = self.rule(entry.file.schema_id);
        match rule.as_deref().and_then(|rule| Some((condition(rule)?, &rule.schema))) {
            Some((condition, schema)) => entry.file.embedded_index_verdict(&condition.predicate, schema),
            None => Ok(IndexVerdict::Keep),
        }
    }

    /// Makes files of schema `id` decidable.
    pub(crate) async fn load_schema(&self, store: &TableStore, id: i64) -> Result<()> {
        if self.needs_schemas() && self.rule(id).is_none() {
            self.add_rule(store.schema_at(id).await?);
        }
        Ok(())
    }

    /// What a built entry's file says of the columns that row groups are judged by.
    pub(crate) fn stats_for_group(&self, entry: &ManifestEntry) -> Box<[ColumnStats]> {
        let rule = self.evolution.as_ref().zip(self.rule(entry.file.schema_id));
        rule.map(|(evolution, rule)| evolution.column_stats(entry, &rule.schema)).unwrap_or_default()
    }

    fn needs_schemas(&self) -> bool {
        self.on_rows.is_some()
            || self.wanted_keys.is_some()
            || self.evolution.as_ref().is_some_and(Evolution::needs_schemas)
    }

    fn has_wanted_row_ids(&self, manifest: &ManifestFileMeta) -> bool {
        let (Some(wanted), Some(min), Some(max)) = (&self.row_ids, manifest.min_row_id, manifest.max_row_id) else {
            return true;
        };
        wanted.intersect(&(min..max.saturating_add(1)))
    }

    fn keeps_row_ids(&self, head: &EntryHead<'_>) -> Result<bool> {
        let (Some(wanted), Some(first)) = (&self.row_ids, head.first_row_id()) else { return Ok(true) };
        Ok(wanted.intersect(&(first..first.saturating_add(head.row_count))) || head.stores_row_ids()?)
    }

    fn wants_columns(&self, head: &EntryHead<'_>, rule: Option<&FileRule>) -> Result<bool> {
        match (&self.evolution, rule) {
            (Some(evolution), Some(rule)) => evolution.wants_columns(head, &rule.schema),
            _ => Ok(true),
        }
    }

    fn has_wanted_levels(&self, manifest: &ManifestFileMeta) -> bool {
        manifest.min_level.zip(manifest.max_level).is_none_or(|(min, max)| self.levels.may_be_between(min, max))
    }

    fn has_wanted_buckets(&self, manifest: &ManifestFileMeta) -> Result<bool> {
        let (Some(min), Some(max)) = (manifest.min_bucket, manifest.max_bucket) else { return Ok(true) };
        if self.numbered_buckets && max < 0 {
            return Ok(false);
        }
        if self.wanted_buckets.is_some_and(|wanted| !wanted.iter().any(|bucket| (min..=max).contains(bucket))) {
            return Ok(false);
        }
        match (&self.wanted_keys, manifest.total_buckets) {
            // Every entry is of this or an older schema, so only the table's first one is certain.
            (Some(keys), Some(total)) if manifest.schema_id == 0 && self.schema.id == 0 => {
                keys.may_be_between(min, max, total)
            }
            _ => Ok(true),
        }
    }

    fn keeps_bucket(&self, bucket: i32, total: i32, rule: Option<&FileRule>) -> Result<bool> {
        if self.numbered_buckets && bucket < 0 {
            return Ok(false);
        }
        if self.wanted_buckets.is_some_and(|wanted| !wanted.contains(&bucket)) {
            return Ok(false);
        }
        match (&self.wanted_keys, rule) {
            (Some(keys), Some(rule)) if rule.same_bucket_keys => keys.may_be_in(bucket, total),
            _ => Ok(true),
        }
    }

    fn rule(&self, id: i64) -> Option<Arc<FileRule>> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    fn add_rule(&self, schema: Arc<TableSchema>) {
        let for_file = |predicate: &Option<Predicate>| predicate.as_ref().map(|it| for_file(it, self.schema, &schema));
        let rule = FileRule {
            on_rows: for_file(&self.on_rows),
            on_files: for_file(&self.on_files),
            same_bucket_keys: self.wanted_keys.as_ref().is_some_and(|keys| keys.hold_for(&schema)),
            keys: KeyComparator::of(&schema),
            key_fields: schema.key_fields().into_iter().map(|field| field.id).collect(),
            schema,
        };
        self.rules.write().unwrap_or_else(PoisonError::into_inner).insert(rule.schema.id, Arc::new(rule));
    }
}

impl FileRule {
    /// Statistics of a column of a file, where writers can be believed: null counts of BLOB columns are wrong in the
    /// wild. Those of a key are there whatever the table's options say of statistics.
    fn column_stats(
        &self,
        id: FieldId,
        of_key: &dyn Fn(usize) -> ColumnStats,
        of_column: &dyn Fn(FieldId) -> ColumnStats,
    ) -> ColumnStats {
        let of_key = self.key_fields.iter().position(|field| *field == id).map(of_key);
        match (of_key, self.schema.field_by_id(id).map(|field| &field.data_type.kind)) {
            (Some(stats), _) if stats.min.is_some() => stats,
            (_, Some(TypeKind::Blob)) => ColumnStats::default(),
            _ => of_column(id),
        }
    }
}

/// Row ids and sequence numbers are of no schema, and statistics say nothing of them.
fn for_file(predicate: &Predicate, current: &TableSchema, schema: &TableSchema) -> FilePredicate {
    let mut columns = predicate.fields();
    let named = columns.len();
    columns.retain(|field| !is_row_tracking_field(*field));
    if columns.len() == named {
        return predicate.for_file(current, schema);
    }
    let on_columns = predicate.only_on(&columns).unwrap_or(Predicate::Constant(true));
    FilePredicate { exact: false, ..on_columns.for_file(current, schema) }
}

fn verdict(condition: Option<&FilePredicate>, row_count: i64, stats: &dyn Fn(FieldId) -> ColumnStats) -> Verdict {
    match condition {
        None => Verdict::All,
        Some(condition) => match condition.predicate.verdict(row_count, stats) {
            Verdict::All if !condition.exact => Verdict::Maybe,
            verdict => verdict,
        },
    }
}

/// The conjuncts that name other columns than `partition_ids`; wanted partitions satisfy the others.
fn rows_part(predicate: Predicate, partition_ids: &[FieldId]) -> Option<Predicate> {
    let parts = match Predicate::and([predicate]) {
        Predicate::And(parts) => parts,
        part => vec![part],
    };
    let on_partition = |part: &Predicate| part.fields().iter().all(|id| partition_ids.contains(id));
    let rest = Predicate::and(parts.into_iter().filter(|part| !on_partition(part)));
    (rest != Predicate::Constant(true)).then_some(rest)
}

fn partition_stats(fields: &[DataField], stats: &SimpleStats, id: FieldId) -> ColumnStats {
    let column = fields.iter().enumerate().find(|(_, field)| field.id == id);
    column.and_then(|(pos, field)| stats.column(pos, &field.data_type).ok()).unwrap_or_default()
}
