use rstest::rstest;

use super::*;
use crate::ErrorKind;

fn map(options: &[(&str, &str)]) -> BTreeMap<String, String> {
    options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn an_empty_map_has_the_defaults_of_the_format() {
    let map = BTreeMap::new();
    let options = TableOptions::new(&map);
    assert_eq!(options.bucket().unwrap(), -1);
    assert_eq!(options.bucket_function().unwrap(), BucketFunction::Default);
    assert_eq!(options.bucket_key(), Vec::<&str>::new());
    assert_eq!(options.file_format().unwrap(), "parquet");
    assert_eq!(options.file_compression().unwrap(), "zstd");
    assert_eq!(options.file_compression_zstd_level().unwrap(), 1);
    assert_eq!(options.target_file_bytes(true).unwrap(), 128 * MB);
    assert_eq!(options.target_file_bytes(false).unwrap(), 256 * MB);
    assert_eq!(options.target_file_rows().unwrap(), i64::MAX as u64);
    assert_eq!(options.stats_mode("a").unwrap(), StatsMode::Truncate(16));
    assert!(!options.has_own_stats_mode("a"));
    assert!(options.stats_dense_store().unwrap());
    assert_eq!(options.stats_keep_first_n_columns().unwrap(), -1);
    assert_eq!(options.split_target_bytes().unwrap(), 128 * MB);
    assert_eq!(options.split_open_file_cost_bytes().unwrap(), 4 * MB);
    assert_eq!(options.manifest_target_bytes().unwrap(), 8 * MB);
    assert_eq!(options.manifest_merge_min_count().unwrap(), 30);
    assert_eq!(options.manifest_full_compaction_bytes().unwrap(), 16 * MB);
    assert_eq!(options.manifest_compression().unwrap(), "zstd");
    assert_eq!(options.partition_default_name(), "__DEFAULT_PARTITION__");
    assert!(options.partition_legacy_name().unwrap());
    assert!(options.dynamic_partition_overwrite().unwrap());
    assert_eq!(options.commit_max_retries().unwrap(), 10);
    assert_eq!(options.commit_min_retry_wait_millis().unwrap(), 10);
    assert_eq!(options.commit_max_retry_wait_millis().unwrap(), 10_000);
    assert_eq!(options.commit_timeout_millis().unwrap(), None);
    assert_eq!(options.commit_user_prefix(), None);
    assert_eq!(options.data_file_prefix(), "data-");
    assert_eq!(options.data_file_path_directory(), None);
    assert_eq!(options.write_buffer_bytes().unwrap(), 256 * MB);
    assert!(!options.deletion_vectors_enabled().unwrap());
    assert!(!options.row_tracking_enabled().unwrap());
    assert!(!options.data_evolution_enabled().unwrap());
    assert!(options.row_tracking_partition_group_on_commit().unwrap());
    assert_eq!(options.blob_fields(), Vec::<&str>::new());
    assert!(!options.blob_as_descriptor().unwrap());
    assert!(options.blob_view_resolve_enabled().unwrap());
    assert_eq!(options.blob_target_file_bytes().unwrap(), 256 * MB);
    assert!(options.blob_split_by_file_size().unwrap());
    assert!(!options.blob_write_null_on_missing_file().unwrap());
    assert!(!options.blob_write_null_on_fetch_failure().unwrap());
    assert_eq!(options.table_type(), "table");
}

#[test]
fn compactions_and_buckets_have_the_defaults_of_the_format() {
    let map = BTreeMap::new();
    let options = TableOptions::new(&map);
    assert!(!options.write_only().unwrap());
    assert!(options.overwrite_upgrade().unwrap());
    assert!(!options.commit_force_compact().unwrap());
    assert_eq!(options.compaction_trigger().unwrap(), 5);
    assert_eq!(options.stop_trigger().unwrap(), 8);
    assert_eq!(options.num_levels().unwrap(), 6);
    assert_eq!(options.max_size_amplification_percent().unwrap(), 200);
    assert_eq!(options.compaction_size_ratio_percent().unwrap(), 1);
    assert_eq!(options.compaction_optimization_interval_millis().unwrap(), None);
    assert_eq!(options.compaction_total_size_bytes().unwrap(), None);
    assert_eq!(options.compaction_incremental_size_bytes().unwrap(), None);
    assert!(!options.compaction_force_up_level_zero().unwrap());
    assert!(!options.compaction_force_rewrite_all_files().unwrap());
    assert_eq!(options.compaction_file_bytes(true).unwrap(), (128.0 * 0.7 * MB as f64) as u64);
    assert_eq!(options.compaction_min_files().unwrap(), 5);
    assert_eq!(options.compaction_file_limit().unwrap(), 100_000);
    assert_eq!(options.compaction_delete_ratio().unwrap(), 0.2);
    assert_eq!(options.full_compaction_delta_commits().unwrap(), None);
    assert!(!options.need_lookup().unwrap());
    assert!(options.lookup_wait().unwrap());
    assert_eq!(options.lookup_compact().unwrap(), LookupCompactMode::Radical);
    assert_eq!(options.lookup_compact_max_interval().unwrap(), 10);
    assert!(!options.changelog_row_deduplicate().unwrap());
    assert_eq!(options.changelog_row_deduplicate_ignore_fields(), Vec::<&str>::new());
    assert!(!options.manifest_delete_file_drop_stats().unwrap());
    assert_eq!(options.dynamic_bucket_target_rows().unwrap(), 2_000_000);
    assert_eq!(options.dynamic_bucket_initial_buckets().unwrap(), None);
    assert_eq!(options.dynamic_bucket_max_buckets().unwrap(), None);
    assert_eq!(options.dynamic_bucket_assigner_parallelism().unwrap(), None);
    assert_eq!(options.cross_partition_index_ttl_millis().unwrap(), None);
    assert_eq!(options.cross_partition_bootstrap_parallelism().unwrap(), 10);
    assert!(options.postpone_batch_write_fixed_bucket().unwrap());
    assert_eq!(options.postpone_max_buckets().unwrap(), 2048);
    assert_eq!(options.postpone_rescale_load_factor().unwrap(), 32);
    assert_eq!(options.postpone_default_buckets().unwrap(), None);
    assert_eq!(options.postpone_target_rows_per_bucket().unwrap(), None);
    assert_eq!(options.postpone_target_bytes_per_bucket().unwrap(), 1 << 30);
    assert!(!options.postpone_merge_on_read().unwrap());
}

#[test]
fn triggers_follow_one_another() {
    let of = |options: &[(&str, &str)]| {
        let map = map(options);
        let options = TableOptions::new(&map);
        let stop = options.stop_trigger().unwrap();
        (stop, options.num_levels().unwrap(), options.lookup_compact_max_interval().unwrap())
    };
    assert_eq!(of(&[("num-sorted-run.compaction-trigger", "3")]), (6, 4, 6));
    assert_eq!(of(&[("num-sorted-run.stop-trigger", "2"), ("lookup-compact.max-interval", "1")]), (5, 6, 5));
    assert_eq!(of(&[("num-sorted-run.stop-trigger", "20"), ("num-levels", "3")]), (20, 3, 10));
}

#[rstest]
#[case(&[], false)]
#[case(&[("merge-engine", "FIRST-ROW")], true)]
#[case(&[("merge-engine", "partial-update"), ("changelog-producer", "full-compaction")], false)]
#[case(&[("changelog-producer", "Lookup")], true)]
#[case(&[("deletion-vectors.enabled", "true"), ("deletion-vectors.merge-on-read", "true")], true)]
#[case(&[("force-lookup", "true")], true)]
fn some_compactions_need_to_know_older_rows(#[case] options: &[(&str, &str)], #[case] expected: bool) {
    assert_eq!(TableOptions::new(&map(options)).need_lookup().unwrap(), expected);
}

#[test]
fn set_values_win_over_defaults() {
    let map = map(&[
        ("bucket", "4"),
        ("bucket-key", "a,b"),
        ("bucket-function.type", "MOD"),
        ("file.format", "ORC"),
        ("target-file-size", "1 kb"),
        ("target-file-row-num", "7"),
        ("metadata.stats-mode", "counts"),
        ("fields.a.stats-mode", "truncate( 3 )"),
        ("commit.timeout", "1 min"),
        ("partition.legacy-name", "False"),
    ]);
    let options = TableOptions::new(&map);
    assert_eq!(options.bucket().unwrap(), 4);
    assert_eq!(options.bucket_key(), ["a", "b"]);
    assert_eq!(options.bucket_function().unwrap(), BucketFunction::Mod);
    assert_eq!(options.file_format().unwrap(), "orc");
    assert_eq!(options.target_file_bytes(true).unwrap(), 1024);
    assert_eq!(options.target_file_rows().unwrap(), 7);
    assert_eq!(options.stats_mode("a").unwrap(), StatsMode::Truncate(3));
    assert_eq!(options.stats_mode("b").unwrap(), StatsMode::Counts);
    assert!(options.has_own_stats_mode("a"));
    assert_eq!(options.commit_timeout_millis().unwrap(), Some(60_000));
    assert!(!options.partition_legacy_name().unwrap());
}

#[test]
fn old_keys_count_when_the_new_one_is_not_set() {
    let old = map(&[("partial-update.ignore-delete", "a"), ("first-row.ignore-delete", "b")]);
    assert_eq!(TableOptions::new(&old).get("ignore-delete"), Some("b"));
    let both = map(&[("ignore-delete", "c"), ("first-row.ignore-delete", "b")]);
    assert_eq!(TableOptions::new(&both).get("ignore-delete"), Some("c"));
    assert_eq!(TableOptions::new(&both).get("write-only"), None);
}

#[rstest]
#[case("bucket", "x", |options: &TableOptions<'_>| options.bucket().map(drop))]
#[case("bucket-function.type", "x", |options: &TableOptions<'_>| options.bucket_function().map(drop))]
#[case("target-file-size", "1 qb", |options: &TableOptions<'_>| options.target_file_bytes(true).map(drop))]
#[case("target-file-row-num", "0", |options: &TableOptions<'_>| options.target_file_rows().map(drop))]
#[case("commit.timeout", "soon", |options: &TableOptions<'_>| options.commit_timeout_millis().map(drop))]
#[case("commit.max-retries", "-1", |options: &TableOptions<'_>| options.commit_max_retries().map(drop))]
#[case("metadata.stats-mode", "truncate(0)", |options: &TableOptions<'_>| options.stats_mode("a").map(drop))]
#[case("lookup-compact", "hard", |options: &TableOptions<'_>| options.lookup_compact().map(drop))]
#[case("num-sorted-run.compaction-trigger", "0", |options: &TableOptions<'_>| options.compaction_trigger().map(drop))]
#[case("dynamic-bucket.max-buckets", "0", |options: &TableOptions<'_>| options.dynamic_bucket_max_buckets().map(drop))]
#[case("compaction.small-file-ratio", "-1", |options: &TableOptions<'_>| options.compaction_file_bytes(true).map(drop))]
#[case("postpone.default-bucket-num", "0", |options: &TableOptions<'_>| options.postpone_default_buckets().map(drop))]
#[case("full-compaction.delta-commits", "0", |options: &TableOptions<'_>| options.full_compaction_delta_commits().map(drop))]
#[case("partition.legacy-name", "yes", |options: &TableOptions<'_>| options.partition_legacy_name().map(drop))]
fn errors_name_the_key_and_the_value(
    #[case] key: &str,
    #[case] value: &str,
    #[case] read: fn(&TableOptions<'_>) -> Result<()>,
) {
    let map = map(&[(key, value)]);
    let error = read(&TableOptions::new(&map)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.message().starts_with(&format!("option '{key}' must be ")), "{error}");
    assert!(error.message().ends_with(&format!("found '{value}'")), "{error}");
}

#[rstest]
#[case("bucket", "1", true)]
#[case("bucket", "2147483648", false)]
#[case("scan.snapshot-id", "2147483648", true)]
#[case("write-only", "TRUE", true)]
#[case("write-only", "1", false)]
#[case("compaction.small-file-ratio", "0.5", true)]
#[case("compaction.small-file-ratio", "half", false)]
#[case("page-size", "64 kb", true)]
#[case("page-size", "big", false)]
#[case("snapshot.time-retained", "1 h", true)]
#[case("snapshot.time-retained", "1 y", false)]
#[case("fields.a.stats-mode", "full", true)]
#[case("fields.a.stats-mode", "most", false)]
#[case("my-own", "anything", true)]
fn values_of_known_keys_are_of_their_type(#[case] key: &str, #[case] value: &str, #[case] valid: bool) {
    assert_eq!(check_option(key, value).is_ok(), valid);
}

#[test]
fn keys_ascend_and_stand_in_one_group_only() {
    let mut all = std::collections::BTreeSet::new();
    for (_, keys) in KEYS {
        assert!(keys.is_sorted());
        for key in keys {
            assert!(all.insert(*key), "{key}");
        }
    }
    assert!(IMMUTABLE_OPTIONS.iter().all(|key| all.contains(key)));
    assert!(FALLBACK_KEYS.iter().all(|(key, _)| all.contains(key)));
}

#[test]
fn options_of_blobs_follow_from_others() {
    let map = map(&[
        ("target-file-size", "1 mb"),
        ("blob-as-descriptor", "true"),
        ("blob.stored-descriptor-fields", " a ,, b"),
    ]);
    let options = TableOptions::new(&map);
    assert_eq!(options.blob_target_file_bytes().unwrap(), MB);
    assert!(!options.blob_split_by_file_size().unwrap(), "whoever reads descriptors reads no blobs");
    assert_eq!(options.blob_descriptor_fields(), ["a", "b"]);
}
