//! Small tables without data files, for tests.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use paimon_io::testkit::DistantStore;
use paimon_io::{IoContext, MetadataCache, TableStore, testkit};
use paimon_spec::predicate::compare;
use paimon_spec::{
    BinaryRow, ColumnStats, CommitKind, DELETION_VECTORS, DataField, DataFileMeta, DataType, Datum, DeletionVectorMeta,
    FileKind, FileSource, IndexManifestEntry, ManifestEntry, ManifestFileMeta, Schema, SimpleStats, Snapshot,
    TableSchema, TypeKind, encode_index_manifest, encode_manifest, encode_manifest_list,
};

pub(crate) const ID: i32 = 0;
pub(crate) const AMOUNT: i32 = 2;
pub(crate) const P: i32 = 3;
/// Of evolving tables.
pub(crate) const IMAGE: i32 = 5;

/// `id INT, name STRING, amount DOUBLE, p INT, t TIMESTAMP(6)`
fn fields() -> Vec<DataField> {
    vec![
        DataField::new(ID, "id", DataType::nullable(TypeKind::Int)),
        DataField::new(1, "name", DataType::string()),
        DataField::new(AMOUNT, "amount", DataType::nullable(TypeKind::Double)),
        DataField::new(P, "p", DataType::nullable(TypeKind::Int)),
        DataField::new(4, "t", DataType::nullable(TypeKind::Timestamp(6))),
    ]
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(crate) fn append_schema(partition_keys: &[&str]) -> TableSchema {
    TableSchema {
        id: 0,
        fields: fields(),
        highest_field_id: 4,
        partition_keys: names(partition_keys),
        primary_keys: Vec::new(),
        options: BTreeMap::new(),
        comment: None,
        time_millis: 0,
    }
}

/// With the primary key `id`, and these options.
pub(crate) fn keyed_schema(options: &[(&str, &str)]) -> TableSchema {
    let mut schema = append_schema(&[]);
    schema.primary_keys = names(&["id"]);
    schema.options = owned(options);
    schema
}

fn owned(options: &[(&str, &str)]) -> BTreeMap<String, String> {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The key `id`, as in the bounds of a file.
pub(crate) fn key(id: i32) -> BinaryRow {
    BinaryRow::from_values(&[Some(Datum::Int(id))], &[DataType::not_null(TypeKind::Int)]).unwrap()
}

/// A file of keys from `min` to `max` on a level, without statistics of values.
pub(crate) fn keyed_file(file_name: &str, level: i32, (min, max): (i32, i32)) -> DataFileMeta {
    let stats = ColumnStats { min: Some(Datum::Int(min)), max: Some(Datum::Int(max)), null_count: Some(0) };
    DataFileMeta {
        level,
        min_key: key(min),
        max_key: key(max),
        key_stats: SimpleStats::from_columns(&[stats], &[DataType::not_null(TypeKind::Int)]).unwrap(),
        ..data_file(file_name, i64::from(max - min) + 1)
    }
}

/// A file of `row_count` rows without statistics.
pub(crate) fn data_file(file_name: &str, row_count: i64) -> DataFileMeta {
    DataFileMeta {
        delete_row_count: Some(0),
        file_source: Some(FileSource::Append),
        value_stats_cols: Some(Vec::new()),
        ..testkit::data_file(file_name, 100, row_count)
    }
}

/// A file of some columns of the rows with these ids, without statistics.
pub(crate) fn group_file(file_name: &str, rows: Range<i64>, sequence: i64, columns: &[&str]) -> DataFileMeta {
    DataFileMeta {
        first_row_id: Some(rows.start),
        min_sequence_number: sequence,
        max_sequence_number: sequence,
        write_cols: Some(names(columns)),
        ..data_file(file_name, rows.end - rows.start)
    }
}

/// With statistics of some columns.
pub(crate) fn with_stats(file: DataFileMeta, columns: &[(&str, DataType, ColumnStats)]) -> DataFileMeta {
    let types: Vec<_> = columns.iter().map(|(_, data_type, _)| data_type.clone()).collect();
    let stats: Vec<_> = columns.iter().map(|(_, _, stats)| stats.clone()).collect();
    DataFileMeta {
        value_stats: SimpleStats::from_columns(&stats, &types).unwrap(),
        value_stats_cols: Some(columns.iter().map(|(name, ..)| (*name).to_owned()).collect()),
        ..file
    }
}

/// Bounds of `values`, as a column's statistics.
pub(crate) fn stats_of(values: &[Option<Datum>]) -> ColumnStats {
    let mut sorted: Vec<&Datum> = values.iter().flatten().collect();
    sorted.sort_by(|a, b| compare(a, b).unwrap());
    ColumnStats {
        min: sorted.first().map(|value| (*value).clone()),
        max: sorted.last().map(|value| (*value).clone()),
        null_count: Some((values.len() - sorted.len()) as i64),
    }
}

fn schema(partition_keys: &[&str], options: &[(&str, &str)]) -> Schema {
    Schema { fields: fields(), partition_keys: names(partition_keys), options: owned(options), ..Schema::default() }
}

fn evolving_schema(partition_keys: &[&str], options: &[(&str, &str)]) -> Schema {
    let evolving = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")];
    let mut schema = schema(partition_keys, &[&evolving, options].concat());
    schema.fields.push(DataField::new(IMAGE, "image", DataType::nullable(TypeKind::Blob)));
    schema
}

pub(crate) struct TestTable {
    pub(crate) store: TableStore,
    base: Vec<ManifestFileMeta>,
    last_snapshot: i64,
    last_file: usize,
}

impl TestTable {
    /// Of the columns of [`append_schema`], in memory.
    pub(crate) async fn create(partition_keys: &[&str], options: &[(&str, &str)]) -> Self {
        Self::of(testkit::create_table(schema(partition_keys, options)).await)
    }

    fn of(store: TableStore) -> Self {
        Self { store, base: Vec::new(), last_snapshot: 0, last_file: 0 }
    }

    /// Of the same columns, with the primary key `id` and so many buckets.
    pub(crate) async fn create_keyed(buckets: &str, options: &[(&str, &str)]) -> Self {
        let options = [&[("bucket", buckets)], options].concat();
        let schema = Schema { primary_keys: names(&["id"]), ..schema(&[], &options) };
        Self::of(testkit::create_table(schema).await)
    }

    /// Of the same columns and `image BLOB`, with data evolution.
    pub(crate) async fn create_evolving(partition_keys: &[&str], options: &[(&str, &str)]) -> Self {
        Self::of(testkit::create_table(evolving_schema(partition_keys, options)).await)
    }

    /// As [`Self::create_evolving`] and [`Self::create_distant`].
    pub(crate) async fn create_distant_evolving() -> (Self, Arc<DistantStore>) {
        Self::of_distant(evolving_schema(&[], &[])).await
    }

    /// Of the same columns, on a store whose requests are counted, in a context without a cache.
    pub(crate) async fn create_distant(partition_keys: &[&str]) -> (Self, Arc<DistantStore>) {
        Self::of_distant(schema(partition_keys, &[])).await
    }

    /// As [`Self::create_keyed`] and [`Self::create_distant`].
    pub(crate) async fn create_distant_keyed(buckets: &str) -> (Self, Arc<DistantStore>) {
        Self::of_distant(Schema { primary_keys: names(&["id"]), ..schema(&[], &[("bucket", buckets)]) }).await
    }

    async fn of_distant(schema: Schema) -> (Self, Arc<DistantStore>) {
        let context = IoContext::new(testkit::context().clock, MetadataCache::new(0));
        let (storage, requests) = testkit::distant_folder(&context);
        (Self::of(testkit::create_table_at(storage, schema, context).await), requests)
    }

    pub(crate) fn partition(&self, values: &[Option<Datum>]) -> BinaryRow {
        BinaryRow::from_values(values, &self.partition_types()).unwrap()
    }

    fn partition_types(&self) -> Vec<DataType> {
        self.store.schema().partition_fields().into_iter().map(|field| field.data_type).collect()
    }

    pub(crate) fn add(&self, partition: &[Option<Datum>], file: DataFileMeta) -> ManifestEntry {
        let partition = self.partition(partition);
        ManifestEntry { kind: FileKind::Add, partition, bucket: 0, total_buckets: -1, file }
    }

    /// What is there goes into one manifest, as writers do from time to time; `live` is what is there.
    pub(crate) async fn merge_manifests(&mut self, live: &[ManifestEntry]) {
        self.base = vec![self.write_manifest(live).await];
    }

    /// Commits a snapshot whose changes are in these manifests. A snapshot is committed every 1,000 milliseconds, the
    /// first one at 1,000.
    pub(crate) async fn commit(&mut self, manifests: &[Vec<ManifestEntry>]) -> Snapshot {
        self.commit_with(manifests, |_| {}).await
    }

    pub(crate) async fn commit_with(
        &mut self,
        manifests: &[Vec<ManifestEntry>],
        edit: impl FnOnce(&mut Snapshot),
    ) -> Snapshot {
        let mut delta = Vec::new();
        for entries in manifests {
            delta.push(self.write_manifest(entries).await);
        }
        let base = self.base.clone();
        let (base_name, base_size) = self.write("list", encode_manifest_list(&base, "zstd").unwrap()).await;
        let (delta_name, delta_size) = self.write("list", encode_manifest_list(&delta, "zstd").unwrap()).await;
        self.base.extend(delta);
        self.last_snapshot += 1;
        let mut snapshot = Snapshot {
            version: Some(3),
            uuid: None,
            id: self.last_snapshot,
            schema_id: self.store.schema().id,
            base_manifest_list: base_name,
            base_manifest_list_size: Some(base_size),
            delta_manifest_list: delta_name,
            delta_manifest_list_size: Some(delta_size),
            changelog_manifest_list: None,
            changelog_manifest_list_size: None,
            index_manifest: None,
            commit_user: "test".into(),
            writer_version: None,
            commit_identifier: self.last_snapshot,
            commit_kind: CommitKind::Append,
            time_millis: self.last_snapshot * 1_000,
            total_record_count: None,
            delta_record_count: None,
            changelog_record_count: None,
            watermark: None,
            statistics: None,
            properties: None,
            next_row_id: None,
            operation: None,
        };
        edit(&mut snapshot);
        assert_eq!(self.store.commit(&snapshot).await.unwrap(), paimon_io::PutOutcome::Created);
        snapshot
    }

    /// Changes what manifest lists say of the manifests so far.
    pub(crate) fn edit_manifests(&mut self, edit: impl FnMut(&mut ManifestFileMeta)) {
        self.base.iter_mut().for_each(edit);
    }

    /// Writes an index manifest in which files of an unpartitioned or partitioned table have deleted rows.
    pub(crate) async fn write_deletions(&mut self, deletions: &[(&ManifestEntry, Option<i64>)]) -> String {
        let entries: Vec<_> = deletions
            .iter()
            .map(|(entry, cardinality)| IndexManifestEntry {
                kind: FileKind::Add,
                partition: entry.partition.clone(),
                bucket: entry.bucket,
                index_type: DELETION_VECTORS.into(),
                file_name: format!("index-of-{}", entry.file.file_name),
                file_size: 33,
                row_count: 1,
                deletion_vectors: Some(vec![DeletionVectorMeta {
                    data_file_name: entry.file.file_name.clone(),
                    offset: 1,
                    length: 24,
                    cardinality: *cardinality,
                }]),
                external_path: None,
                global_index: None,
            })
            .collect();
        self.write("index", encode_index_manifest(&entries, "zstd").unwrap()).await.0
    }

    /// The store with another current schema, which is stored too.
    pub(crate) async fn evolve(&mut self, edit: impl FnOnce(&mut TableSchema)) {
        let mut schema = (**self.store.schema()).clone();
        schema.id += 1;
        edit(&mut schema);
        assert_eq!(self.store.commit_schema(&schema).await.unwrap(), paimon_io::PutOutcome::Created);
        self.store = self.store.with_schema(Arc::new(schema));
    }

    async fn write_manifest(&mut self, entries: &[ManifestEntry]) -> ManifestFileMeta {
        let (file_name, file_size) = self.write("manifest", encode_manifest(entries, "zstd").unwrap()).await;
        let count = |kind| entries.iter().filter(|entry| entry.kind == kind).count() as i64;
        let types = self.partition_types();
        let columns: Vec<_> = (0..types.len())
            .map(|pos| {
                let values: Vec<_> =
                    entries.iter().map(|entry| entry.partition.get(pos, &types[pos]).unwrap()).collect();
                stats_of(&values)
            })
            .collect();
        let totals = entries.iter().map(|entry| entry.total_buckets);
        let rows: Option<Vec<_>> = entries.iter().map(|entry| entry.file.row_ids()).collect();
        let rows = rows.unwrap_or_default();
        ManifestFileMeta {
            file_name,
            file_size,
            num_added_files: count(FileKind::Add),
            num_deleted_files: count(FileKind::Delete),
            partition_stats: SimpleStats::from_columns(&columns, &types).unwrap(),
            schema_id: entries.iter().map(|entry| entry.file.schema_id).max().unwrap_or(0),
            min_bucket: entries.iter().map(|entry| entry.bucket).min(),
            max_bucket: entries.iter().map(|entry| entry.bucket).max(),
            min_level: entries.iter().map(|entry| entry.file.level).min(),
            max_level: entries.iter().map(|entry| entry.file.level).max(),
            min_row_id: rows.iter().map(|rows| rows.start).min(),
            max_row_id: rows.iter().map(|rows| rows.end - 1).max(),
            total_buckets: totals.clone().min().filter(|min| totals.max() == Some(*min)),
            extra_files: None,
        }
    }

    async fn write(&mut self, kind: &str, bytes: Vec<u8>) -> (String, i64) {
        self.last_file += 1;
        let name = format!("{kind}-{}", self.last_file);
        let size = self.store.write_manifest_file(&name, bytes).await.unwrap();
        (name, size)
    }
}
