//! Tables of many files, which exist as manifests only, and what it costs to plan one of their partitions.
//!
//! ```text
//! planning write FOLDER FILES [scattered|ordered]    makes the table FOLDER
//! planning plan FOLDER                               plans partition p0500 of it, prints what it cost as JSON
//! ```
//!
//! The files lie in 1,000 partitions. *Scattered*: every manifest has files of all of them, so that each entry is looked
//! at; *ordered*: partition after partition, so that the manifest lists leave out most manifests.
#![expect(clippy::expect_used, reason = "a tool for developers, which says no by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use paimon_io::{FileSnapshotCommit, IoContext, MetadataCache, Storage, TableStore, testkit};
use paimon_scan::{ScanRequest, plan};
use paimon_spec::{
    BinaryRow, ColumnStats, CommitKind, CompareOp, DataField, DataFileMeta, DataType, Datum, FileKind, FileSource,
    ManifestEntry, ManifestFileMeta, Predicate, Schema, SimpleStats, Snapshot, TypeKind, encode_manifest,
    encode_manifest_list,
};

const PARTITIONS: usize = 1_000;
/// As many entries as Java puts into a manifest of its target size of 8 MiB, about.
const ENTRIES_PER_MANIFEST: usize = 50_000;
/// The partition column's id.
const DT: i32 = 3;
const WANTED: &str = "p0500";
/// What the Python package has by default.
const CACHE_BYTES: u64 = 256 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("threads");
    match arguments.as_slice() {
        ["write", folder, files] => runtime.block_on(write(folder, number(files), true)),
        ["write", folder, files, order] => runtime.block_on(write(folder, number(files), *order != "ordered")),
        ["plan", folder] => runtime.block_on(measure(folder)),
        _ => println!("planning write FOLDER FILES [scattered|ordered] | planning plan FOLDER"),
    }
}

fn number(text: &str) -> usize {
    text.replace('_', "").parse().expect("a number of files")
}

// ---- writing

async fn write(folder: &str, files: usize, scattered: bool) {
    let context = context();
    let storage = Storage::open(folder, &BTreeMap::new(), &context).expect("a folder");
    let schema = Schema { fields: fields(), partition_keys: vec!["dt".to_owned()], ..Schema::default() };
    let store = testkit::create_table_at(storage, schema, context).await;
    let mut manifests = Vec::new();
    for first in (0..files).step_by(ENTRIES_PER_MANIFEST) {
        let entries: Vec<_> = (first..files.min(first + ENTRIES_PER_MANIFEST))
            .map(|file| {
                let partition = if scattered { file % PARTITIONS } else { file * PARTITIONS / files };
                entry(file, partition)
            })
            .collect();
        manifests.push(write_manifest(&store, manifests.len(), &entries).await);
    }
    let base = encode_manifest_list(&manifests, "zstd").expect("a list");
    let delta = encode_manifest_list(&[], "zstd").expect("a list");
    let snapshot = Snapshot {
        version: Some(3),
        uuid: None,
        id: 1,
        schema_id: 0,
        base_manifest_list: "manifest-list-base".to_owned(),
        base_manifest_list_size: Some(store.write_manifest_file("manifest-list-base", base).await.expect("a list")),
        delta_manifest_list: "manifest-list-delta".to_owned(),
        delta_manifest_list_size: Some(store.write_manifest_file("manifest-list-delta", delta).await.expect("a list")),
        changelog_manifest_list: None,
        changelog_manifest_list_size: None,
        index_manifest: None,
        commit_user: "bench".to_owned(),
        writer_version: None,
        commit_identifier: 1,
        commit_kind: CommitKind::Append,
        time_millis: 1_700_000_000_000,
        total_record_count: Some(i64::try_from(files).expect("a count") * 1_000),
        delta_record_count: Some(0),
        changelog_record_count: None,
        watermark: None,
        statistics: None,
        properties: None,
        next_row_id: None,
        operation: None,
    };
    let _ = store.commit(&snapshot).await.expect("a snapshot");
}

/// `id BIGINT, name STRING, v DOUBLE, dt STRING`
fn fields() -> Vec<DataField> {
    let kinds =
        [("id", TypeKind::BigInt), ("v", TypeKind::Double)].map(|(name, kind)| (name, DataType::nullable(kind)));
    let [id, v] = kinds;
    [id, ("name", DataType::string()), v, ("dt", DataType::string())]
        .into_iter()
        .zip(0..)
        .map(|((name, data_type), id)| DataField::new(id, name, data_type))
        .collect()
}

fn partition_name(partition: usize) -> Datum {
    Datum::String(format!("p{partition:04}"))
}

/// A file of 1,000 rows with statistics of all columns, under a name as random as a real one.
fn entry(number: usize, partition: usize) -> ManifestEntry {
    let types: Vec<_> = fields().into_iter().map(|field| field.data_type).collect();
    let id = i64::try_from(number).expect("a number") * 1_000;
    let random = (number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let dt = partition_name(partition);
    let column = |min, max| ColumnStats { min: Some(min), max: Some(max), null_count: Some(0) };
    let stats = [
        column(Datum::BigInt(id), Datum::BigInt(id + 999)),
        column(Datum::String(format!("n{id:09}")), Datum::String(format!("n{:09}", id + 999))),
        column(Datum::Double(0.5), Datum::Double(number as f64)),
        column(dt.clone(), dt.clone()),
    ];
    let file = DataFileMeta {
        file_name: format!(
            "data-{:08x}-{:04x}-{:04x}-0.parquet",
            random >> 96,
            random >> 48 & 0xffff,
            random & 0xffff_ffff
        ),
        file_size: 20_000 + i64::try_from(random >> 115).expect("13 bits"),
        row_count: 1_000,
        min_key: BinaryRow::empty(),
        max_key: BinaryRow::empty(),
        key_stats: SimpleStats::empty(),
        value_stats: SimpleStats::from_columns(&stats, &types).expect("statistics"),
        min_sequence_number: id,
        max_sequence_number: id + 999,
        schema_id: 0,
        level: 0,
        extra_files: Vec::new(),
        creation_time_millis: Some(1_700_000_000_000 + id),
        delete_row_count: Some(0),
        embedded_index: None,
        file_source: Some(FileSource::Append),
        value_stats_cols: None,
        external_path: None,
        first_row_id: None,
        write_cols: None,
        write_cols_sequences: None,
    };
    let partition = BinaryRow::from_values(&[Some(dt)], &[DataType::string()]).expect("a row");
    ManifestEntry { kind: FileKind::Add, partition, bucket: 0, total_buckets: -1, file }
}

async fn write_manifest(store: &TableStore, number: usize, entries: &[ManifestEntry]) -> ManifestFileMeta {
    let file_name = format!("manifest-{number:08}");
    let bytes = encode_manifest(entries, "zstd").expect("a manifest");
    let file_size = store.write_manifest_file(&file_name, bytes).await.expect("a manifest");
    let mut names: Vec<_> =
        entries.iter().map(|entry| entry.partition.get(0, &DataType::string()).expect("a name")).collect();
    names.sort_by_key(|name| format!("{name:?}"));
    let bounds = ColumnStats {
        min: names.first().cloned().flatten(),
        max: names.last().cloned().flatten(),
        null_count: Some(0),
    };
    ManifestFileMeta {
        file_name,
        file_size,
        num_added_files: i64::try_from(entries.len()).expect("a count"),
        num_deleted_files: 0,
        partition_stats: SimpleStats::from_columns(&[bounds], &[DataType::string()]).expect("statistics"),
        schema_id: 0,
        min_bucket: Some(0),
        max_bucket: Some(0),
        min_level: Some(0),
        max_level: Some(0),
        min_row_id: None,
        max_row_id: None,
        total_buckets: Some(-1),
        extra_files: None,
    }
}

// ---- planning

#[expect(clippy::disallowed_methods, reason = "it measures")]
async fn measure(folder: &str) {
    let context = context();
    let before = (Instant::now(), cpu_seconds());
    let storage = Storage::open(folder, &BTreeMap::new(), &context).expect("a folder");
    let store = TableStore::open(storage, None, Arc::new(FileSnapshotCommit), context).await.expect("a table");
    let wanted = Predicate::compare(DT, CompareOp::Eq, Datum::String(WANTED.into()));
    let request = ScanRequest { partition_predicate: Some(wanted), with_stats: false, ..ScanRequest::default() };
    let plan = plan(&store, &request).await.expect("a plan");
    let (seconds, cpu) = (before.0.elapsed().as_secs_f64(), cpu_seconds() - before.1);
    let files: usize = plan.splits.iter().map(|split| split.files.len()).sum();
    let (seen, peak) = (plan.report.partitions.before, peak_megabytes());
    println!(r#"{{"files": {seen}, "kept": {files}, "cpu": {cpu:.3}, "seconds": {seconds:.3}, "peak_mb": {peak:.1}}}"#);
}

/// What the threads of this process took of the processors so far.
fn cpu_seconds() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() / 1e9
}

fn peak_megabytes() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim_end_matches("kB").trim().parse::<f64>().unwrap_or(0.0) / 1024.0
}

fn context() -> IoContext {
    IoContext::new(testkit::context().clock, MetadataCache::new(CACHE_BYTES))
}
