//! What all buckets of a table share.

use std::sync::Arc;

use paimon_io::{FileTarget, SpillSpace, TableStore};
use paimon_merge::{KeyedLayout, MergeFunction, merge_function};
use paimon_spec::{BinaryRow, ChangelogProducer, MergeEngine, MergeOptions, Result, TableSchema};

use super::files::KeyedColumns;
use super::unmerged::Unmerged;
use crate::WriteOptions;
use crate::file_index::IndexLayout;
use crate::file_stats::StatsLayout;
use crate::rolling::{FileExtras, FileLimits, FileNames, Pace, RollingWriter};

/// How rows of one primary-key table become files, whatever their bucket.
#[derive(Debug)]
pub(crate) struct KeyedTable {
    pub(super) schema: Arc<TableSchema>,
    pub(super) layout: Arc<KeyedLayout>,
    pub(super) data: FileStyle,
    /// When incoming rows are kept as they are, too.
    pub(super) changelog: Option<FileStyle>,
    /// Where rows go that memory has no room for; `None`: into files of level 0.
    pub(super) space: Option<SpillSpace>,
    /// Whether the first column of incoming rows says in which order they are, instead of their arrival.
    pub(super) ordered: bool,
    /// Whether the rows of a bucket must become one sorted run.
    pub(super) one_run: bool,
    /// Whether a part of the rows of a key may be merged before the others.
    merges_parts: bool,
}

/// How files of one kind are made.
#[derive(Debug)]
pub(super) struct FileStyle {
    pub(super) columns: Arc<KeyedColumns>,
    pub(super) stats: StatsLayout,
    pub(super) names: FileNames,
    /// The table's, with the options that files of this kind go by.
    schema: Arc<TableSchema>,
    limits: FileLimits,
    indexes: Option<Arc<IndexLayout>>,
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
        let changelog = if has_changelog { Some(FileStyle::of_changelog(store)?) } else { None };
        let spillable = table.write_buffer_spillable()?;
        let space = SpillSpace::new(store.context(), table.write_buffer_spill_max_disk_bytes()?);
        Ok(Self {
            data: FileStyle::of_data(store)?,
            space: space.filter(|_| spillable),
            ordered: options.order_column.is_some(),
            one_run: options.order_column.is_some() || options.overwrite && table.batch_reads_skip_level_zero()?,
            merges_parts: changelog.is_none()
                && matches!(merging.engine, MergeEngine::Deduplicate | MergeEngine::FirstRow),
            changelog,
            layout,
            schema,
        })
    }

    /// The function that makes the rows of a file.
    pub(super) fn function(&self) -> Result<Box<dyn MergeFunction>> {
        merge_function(&self.schema, &self.layout)
    }

    /// The function that makes the rows of a spilled run: what is merged here is merged again with the rest. Of other
    /// engines than those that choose a row, that would give something else.
    pub(super) fn part_function(&self) -> Result<Box<dyn MergeFunction>> {
        if self.merges_parts { self.function() } else { Ok(Box::new(Unmerged)) }
    }
}

impl FileStyle {
    fn of_data(store: &TableStore) -> Result<Self> {
        let schema = store.schema();
        let options = schema.table_options();
        let indexes = IndexLayout::of(schema, &schema.fields)?.map(Arc::new);
        let limits = FileLimits {
            target_bytes: options.target_file_bytes(true)?,
            target_rows: options.target_file_rows()?.max(1),
            pace: Pace::Rows,
        };
        let level = TableSchema { options: options.at_level(0)?, ..schema.as_ref().clone() };
        Self::new(store, level, options.data_file_prefix(), limits, indexes)
    }

    fn of_changelog(store: &TableStore) -> Result<Self> {
        let schema = store.schema();
        let options = schema.table_options();
        let limits = FileLimits { target_bytes: options.target_file_bytes(true)?, ..FileLimits::NONE };
        let changelog = TableSchema { options: options.of_changelog_files()?, ..schema.as_ref().clone() };
        // They are read from one end to the other, so no index is of use.
        Self::new(store, changelog, options.changelog_file_prefix(), limits, None)
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
        })
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
