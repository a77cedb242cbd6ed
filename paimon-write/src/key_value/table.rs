//! What all buckets of a table share.

use std::sync::Arc;

use paimon_io::{FileTarget, SpillSpace, TableStore};
use paimon_merge::{KeyedLayout, MergeFunction, merge_function};
use paimon_spec::{
    BinaryRow, ChangelogProducer, DataFileMeta, FileSource, MergeEngine, MergeOptions, Result, TableSchema,
};

use super::files::KeyedColumns;
use super::unmerged::Unmerged;
use crate::WriteOptions;
use crate::file_index::IndexLayout;
use crate::file_stats::StatsLayout;
use crate::rolling::{FileExtras, FileLimits, FileNames, FinishedFile, Pace, RollingWriter};

/// The longest user that stands in the names of files.
const MOST_USER_LETTERS: usize = 64;

/// How rows of one primary-key table become files, whatever their bucket.
#[derive(Debug)]
pub(crate) struct KeyedTable {
    pub(super) schema: Arc<TableSchema>,
    pub(super) layout: Arc<KeyedLayout>,
    pub(super) data: Arc<FileStyle>,
    /// When incoming rows are kept as they are, too.
    pub(super) changelog: Option<Arc<FileStyle>>,
    /// Where rows go that memory has no room for; `None`: into files of level 0.
    pub(super) space: Option<SpillSpace>,
    /// Whether the first column of incoming rows says in which order they are, instead of their arrival.
    pub(super) ordered: bool,
    /// Whether the rows of a bucket must become one sorted run.
    pub(super) one_run: bool,
    /// Whether a part of the rows of a key may be merged before the others.
    merges_parts: bool,
    /// Whether rows wait for a bucket: they are not merged, and have no sequence numbers yet.
    pub(super) postponed: bool,
}

/// How files of one kind are made.
#[derive(Debug)]
pub(crate) struct FileStyle {
    pub(super) columns: Arc<KeyedColumns>,
    stats: StatsLayout,
    pub(super) names: FileNames,
    /// The table's, with the options that files of this kind go by.
    schema: Arc<TableSchema>,
    limits: FileLimits,
    indexes: Option<Arc<IndexLayout>>,
    level: i32,
    source: FileSource,
}

impl KeyedTable {
    /// # Errors
    /// `InvalidInput` for options that cannot be used; `Unsupported` for merge engines that are not supported.
    pub(crate) fn new(store: &TableStore, options: &WriteOptions) -> Result<Self> {
        let schema = Arc::clone(store.schema());
        let table = schema.table_options();
        let merging = MergeOptions::of(&schema)?;
        let all: Vec<_> = schema.fields.iter().map(|field| field.id).collect();
        let layout = Arc::new(KeyedLayout::new(&schema, &all)?);
        // Says now what would not be possible later.
        merge_function(&schema, &layout)?;
        let has_changelog = merging.changelog_producer == ChangelogProducer::Input && !options.overwrite;
        let changelog = if has_changelog { Some(Arc::new(FileStyle::of_changelog(store, 0)?)) } else { None };
        let spillable = table.write_buffer_spillable()?;
        let space = SpillSpace::new(store.context(), table.write_buffer_spill_max_disk_bytes()?);
        Ok(Self {
            data: Arc::new(FileStyle::of_data(store, 0, FileSource::Append)?),
            space: space.filter(|_| spillable),
            ordered: options.order_column.is_some(),
            one_run: options.order_column.is_some() || options.overwrite && table.batch_reads_skip_level_zero()?,
            merges_parts: changelog.is_none()
                && matches!(merging.engine, MergeEngine::Deduplicate | MergeEngine::FirstRow),
            changelog,
            layout,
            schema,
            postponed: false,
        })
    }

    /// How rows become files that wait for a bucket (Java `PostponeBucketFileStoreWrite`): all of them are kept, those of
    /// a key in their order, and no changelog is written, as it is made when they find their bucket.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(crate) fn postponed(store: &TableStore, options: &WriteOptions) -> Result<Self> {
        let data = Arc::new(FileStyle::of_postponed(store, options.commit_user.as_deref())?);
        let table = Self::new(store, options)?;
        Ok(Self { data, changelog: None, one_run: table.ordered, merges_parts: false, postponed: true, ..table })
    }

    /// The function that makes the rows of a file.
    pub(super) fn function(&self) -> Result<Box<dyn MergeFunction>> {
        if self.postponed { Ok(Box::new(Unmerged)) } else { merge_function(&self.schema, &self.layout) }
    }

    /// The function that makes the rows of a spilled run: what is merged here is merged again with the rest. Of other
    /// engines than those that choose a row, that would give something else.
    pub(super) fn part_function(&self) -> Result<Box<dyn MergeFunction>> {
        if self.merges_parts { self.function() } else { Ok(Box::new(Unmerged)) }
    }
}

impl FileStyle {
    /// Data files of one level.
    ///
    /// # Errors
    /// `InvalidInput` for options that cannot be used.
    pub(crate) fn of_data(store: &TableStore, level: i32, source: FileSource) -> Result<Self> {
        let schema = store.schema();
        let options = schema.table_options();
        let indexes = IndexLayout::of(schema, &schema.fields)?.map(Arc::new);
        let limits = FileLimits {
            target_bytes: options.target_file_bytes(true)?,
            target_rows: options.target_file_rows()?.max(1),
            pace: Pace::Rows,
        };
        let at_level = TableSchema { options: options.at_level(level)?, ..schema.as_ref().clone() };
        let style = Self::new(store, at_level, options.data_file_prefix(), limits, indexes)?;
        Ok(Self { level, source, ..style })
    }

    /// Java reads such files row by row, so they are Avro files, without statistics. `user` is who commits.
    fn of_postponed(store: &TableStore, user: Option<&str>) -> Result<Self> {
        let schema = store.schema();
        let options = schema.table_options();
        let limits = FileLimits {
            target_bytes: options.target_file_bytes(true)?,
            target_rows: options.target_file_rows()?.max(1),
            pace: Pace::Rows,
        };
        let own = [("file.format", "avro"), ("metadata.stats-mode", "none")];
        let mut waiting = schema.as_ref().clone();
        waiting.options.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
        waiting.options = waiting.table_options().at_level(0)?;
        let clock = &store.context().clock;
        let user = match user {
            Some(user) if fits_file_name(user) => user.to_owned(),
            _ => clock.unique_id(),
        };
        // Files of one writer have the same one: whoever gives their rows buckets keeps these in order.
        let writer = (clock.random() * f64::from(i32::MAX)) as i32;
        let prefix = format!("{}-u-{user}-s-{writer}-w-", options.data_file_prefix());
        Self::new(store, waiting, &prefix, limits, None)
    }

    /// Files of changes: of level 0, or of the output level of the compaction that found them out, without which Java's
    /// batch reads of look-up tables pass over them. Java gives them the options of this level, too, which nothing but
    /// their readers could tell.
    ///
    /// # Errors
    /// As [`Self::of_data`].
    pub(crate) fn of_changelog(store: &TableStore, level: i32) -> Result<Self> {
        let schema = store.schema();
        let options = schema.table_options();
        let limits = FileLimits { target_bytes: options.target_file_bytes(true)?, ..FileLimits::NONE };
        let changelog = TableSchema { options: options.of_changelog_files()?, ..schema.as_ref().clone() };
        // They are read from one end to the other, so no index is of use.
        Ok(Self { level, ..Self::new(store, changelog, options.changelog_file_prefix(), limits, None)? })
    }

    fn new(
        store: &TableStore,
        schema: TableSchema,
        prefix: &str,
        limits: FileLimits,
        indexes: Option<Arc<IndexLayout>>,
    ) -> Result<Self> {
        Ok(Self {
            columns: Arc::new(KeyedColumns::of(&schema)?),
            stats: StatsLayout::of(&schema, &schema.fields)?,
            names: FileNames::of(store, &schema, prefix)?,
            schema: Arc::new(schema),
            limits,
            indexes,
            level: 0,
            source: FileSource::Append,
        })
    }

    /// `DataFileMeta` of a new file.
    pub(super) fn describe(&self, file: FinishedFile, now_millis: i64) -> Result<DataFileMeta> {
        let file = self.columns.describe(file, self.schema.id, &self.stats, now_millis)?;
        Ok(DataFileMeta { level: self.level, file_source: Some(self.source), ..file })
    }

    /// A writer of the files of one bucket.
    pub(super) fn rolling(&self, store: &TableStore, partition: &BinaryRow, bucket: i32) -> Result<RollingWriter> {
        let target = FileTarget {
            bucket_path: store.bucket_path(partition, bucket)?,
            file_name: String::new(),
            fields: self.columns.fields().to_vec(),
            schema: Arc::clone(&self.schema),
        };
        let extras = FileExtras { indexes: self.indexes.clone(), keyed: Some(Arc::clone(&self.columns)) };
        Ok(RollingWriter::new(target, self.limits, extras))
    }
}

/// Whether the name of a file may have this text in it, and tell it from what stands around it.
fn fits_file_name(user: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    // What follows the first `-s-` is read as the writer's number, also where a name that ends in `-s` makes that mark.
    let (marked, mark) = (format!("-{user}-s-"), "-s-");
    !user.is_empty()
        && user.len() <= MOST_USER_LETTERS
        && user.chars().all(is_plain)
        && !user.contains("-w-")
        && marked.find(mark) == Some(marked.len() - mark.len())
}
