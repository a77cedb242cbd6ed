use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use paimon_io::testkit::{self, Call, FaultyStore, manifest_file as manifest};
use paimon_spec::BinaryRow;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::commit::manifest_stats;
use crate::testing::{adds, data_file, entry_in, live_files, partition, request, schema};
use crate::tests::stores::{append, create, get_ahead, open, table_of};
use crate::{CommitMode, Committed, ManifestStats, commit, merge_manifests};

#[rstest]
#[case::few_small_ones_stay(&[10, 10, 10], &[])]
#[case::many_small_ones_are_merged(&[10, 10, 10, 10], &[(0, 4)])]
#[case::a_group_ends_at_the_target_size(&[60, 50, 10], &[(0, 2)])]
#[case::a_large_one_is_a_group_of_its_own(&[100, 10, 10, 10, 10], &[(0, 1), (1, 5)])]
#[case::nothing_of_nothing(&[], &[])]
fn neighbours_are_merged_up_to_the_target_size(#[case] sizes: &[i64], #[case] expected: &[(usize, usize)]) {
    let manifests: Vec<ManifestFileMeta> = sizes.iter().map(|size| manifest("m", *size)).collect();
    let policy = Policy { target_bytes: 100, min_count: 4, full_merge_bytes: 1_000 };
    let expected: Vec<Range<usize>> = expected.iter().map(|(start, end)| *start..*end).collect();
    assert_eq!(minor_groups(&manifests, policy), expected);
}

#[rstest]
#[case::as_it_was("ab", Some("x"))]
#[case::with_a_new_one_behind("abc", Some("xc"))]
#[case::merged_by_somebody_else("yc", None)]
#[case::cut_short("a", None)]
fn a_merge_is_used_again_while_its_manifests_are_there(#[case] current: &str, #[case] expected: Option<&str>) {
    let list = |names: &str| names.chars().map(|name| manifest(&name.to_string(), 1)).collect::<Vec<_>>();
    let found = reuse(&list(current), &list("ab"), &list("x"));
    assert_eq!(found, expected.map(list));
}

/// One commit of the property test below: files added and deleted, by number; a file's partition is its number modulo 4.
type Step = (Vec<u8>, Vec<u8>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let numbers = || prop::collection::vec(any::<u8>(), 0..12);
    prop::collection::vec((numbers(), numbers()), 1..12)
}

fn numbered(kind: FileKind, number: u8) -> ManifestEntry {
    let partition = partition((number % 4 != 3).then_some(i32::from(number % 4)));
    entry_in(kind, partition, &format!("file-{number:03}"))
}

async fn live_of(table: &TableStore, manifests: &[ManifestFileMeta]) -> BTreeSet<String> {
    let entries = merge_entries(read_all(table, manifests, &|_| true).await.unwrap()).unwrap();
    assert!(entries.iter().all(|entry| entry.kind == FileKind::Add), "a deletion is left without its file");
    entries.into_iter().map(|entry| entry.file.file_name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_keeps_the_live_files(
        steps in steps(),
        target in prop::sample::select(vec!["1 b", "2 kb", "8 mb"]),
        full in prop::sample::select(vec!["1 b", "5 kb", "16 mb"]),
        min_count in 1..4_usize,
    ) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let min_count = min_count.to_string();
            let options = [
                ("manifest.target-file-size", target),
                ("manifest.full-compaction-threshold-size", full),
                ("manifest.merge-min-count", min_count.as_str()),
            ];
            let table = testkit::create_table(schema(true, &options)).await;
            let mut files = ManifestFiles::new(&table).unwrap();
            let mut manifests = Vec::new();
            let mut model: BTreeSet<u8> = BTreeSet::new();
            // A name is never used again.
            let mut used = BTreeSet::new();
            for (added, deleted) in steps {
                manifests = merge(&table, false, &manifests, &mut files).await.unwrap();
                let deleted: BTreeSet<u8> = deleted.into_iter().filter(|number| model.contains(number)).collect();
                let added: BTreeSet<u8> =
                    added.into_iter().filter(|number| used.insert(*number)).collect();
                let entries: Vec<ManifestEntry> = deleted
                    .iter()
                    .map(|number| numbered(FileKind::Delete, *number))
                    .chain(added.iter().map(|number| numbered(FileKind::Add, *number)))
                    .collect();
                model.retain(|number| !deleted.contains(number));
                model.extend(added);
                manifests.extend(files.add_manifests(&entries).unwrap());
                files.flush().await.unwrap();

                let expected: BTreeSet<String> = model.iter().map(|number| format!("file-{number:03}")).collect();
                assert_eq!(live_of(&table, &manifests).await, expected);
                let names: HashSet<&str> = manifests.iter().map(|manifest| manifest.file_name.as_str()).collect();
                assert_eq!(names.len(), manifests.len(), "a manifest is listed twice");
            }
        });
    }
}

#[tokio::test]
async fn a_full_merge_leaves_no_deletions() {
    let options = [("manifest.full-compaction-threshold-size", "1 b")];
    let table = testkit::create_table(schema(true, &options)).await;
    let mut files = ManifestFiles::new(&table).unwrap();
    let mut manifests = files.add_manifests(&[numbered(FileKind::Add, 1), numbered(FileKind::Add, 2)]).unwrap();
    manifests.extend(files.add_manifests(&[numbered(FileKind::Delete, 1)]).unwrap());
    files.flush().await.unwrap();

    let merged = merge(&table, false, &manifests, &mut files).await.unwrap();

    assert_eq!(merged.len(), 1);
    assert_eq!((merged[0].num_added_files, merged[0].num_deleted_files), (1, 0));
}

#[tokio::test]
async fn a_sidecar_stays_with_its_manifest_and_goes_with_it() {
    let table = testkit::create_table(schema(true, &[])).await;
    let mut eager = paimon_spec::TableSchema::clone(table.schema());
    for key in ["manifest.full-compaction-threshold-size", "manifest.target-file-size"] {
        eager.options.insert(key.to_owned(), "1 b".to_owned());
    }
    let eager = table.with_schema(std::sync::Arc::new(eager));
    let mut files = ManifestFiles::new(&table).unwrap();
    let mut manifests = files.add_manifests(&[numbered(FileKind::Add, 0)]).unwrap();
    manifests.extend(files.add_manifests(&[numbered(FileKind::Add, 1), numbered(FileKind::Add, 5)]).unwrap());
    manifests.extend(files.add_manifests(&[numbered(FileKind::Delete, 1)]).unwrap());
    files.flush().await.unwrap();
    for manifest in &mut manifests {
        manifest.extra_files = Some(vec![format!("{}.avro.sidecar", manifest.file_name)]);
    }

    let merged = merge(&eager, false, &manifests, &mut files).await.unwrap();

    // The first one is listed as it was; what the other two became has no sidecar, and theirs are not named any more.
    assert_eq!(merged.len(), 2);
    assert_eq!(merged[0], manifests[0]);
    assert_eq!((merged[1].num_added_files, &merged[1].extra_files), (1, &None));
    let encoded = paimon_spec::encode_manifest_list(&merged, "zstd").unwrap();
    assert_eq!(paimon_spec::decode_manifest_list(&encoded).unwrap(), merged);
}

#[tokio::test]
async fn large_manifests_of_other_partitions_are_not_touched() {
    let options = [("manifest.full-compaction-threshold-size", "1 b"), ("manifest.target-file-size", "1 b")];
    let table = testkit::create_table(schema(true, &options)).await;
    let mut files = ManifestFiles::new(&table).unwrap();
    let mut manifests = files.add_manifests(&[numbered(FileKind::Add, 0)]).unwrap();
    manifests.extend(files.add_manifests(&[numbered(FileKind::Add, 1)]).unwrap());
    manifests.extend(files.add_manifests(&[numbered(FileKind::Delete, 1)]).unwrap());
    files.flush().await.unwrap();

    let merged = merge(&table, false, &manifests, &mut files).await.unwrap();

    assert_eq!(merged, manifests[..1]);
}

#[tokio::test]
async fn manifests_reach_the_target_size_but_for_the_last() {
    let table = testkit::create_table(schema(true, &[("manifest.target-file-size", "3 kb")])).await;
    let mut files = ManifestFiles::new(&table).unwrap();
    let entries: Vec<ManifestEntry> = (0..2_000)
        .map(|number| {
            entry_in(FileKind::Add, BinaryRow::clone(&partition(Some(number % 7))), &format!("{:x}", number * 7919))
        })
        .collect();

    let manifests = files.add_manifests(&entries).unwrap();
    files.flush().await.unwrap();

    let (last, full) = manifests.split_last().unwrap();
    assert!(full.len() > 2, "{}", full.len());
    assert!(full.iter().all(|manifest| (3_072..7_000).contains(&manifest.file_size)), "{full:?}");
    assert!(last.file_size < 7_000);
    assert_eq!(read_all(&table, &manifests, &|_| true).await.unwrap(), entries);
}

// ---- on demand

/// A table with files in as many manifests, every third of them deleted again.
async fn scattered(files: u8) -> TableStore {
    let table = testkit::create_table(schema(true, &[])).await;
    for number in 0..files {
        let mut message = adds(numbered(FileKind::Add, number).partition, &[&format!("file-{number:03}")]);
        if number % 3 == 2 {
            message.deleted_files = vec![data_file(&format!("file-{:03}", number - 2))];
            message.partition = numbered(FileKind::Add, number - 2).partition;
        }
        let _ = commit(&table, &request(&table, CommitMode::Append).await, &[message]).await.unwrap();
    }
    table
}

async fn stats(table: &TableStore) -> ManifestStats {
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    manifest_stats(table, &snapshot).await.unwrap()
}

#[tokio::test]
async fn manifests_are_merged_on_demand_without_a_change_of_rows() {
    let table = scattered(12).await;
    let (before, live) = (table.latest_snapshot().await.unwrap().unwrap(), live_files(&table).await);
    let gathered = stats(&table).await;
    assert_eq!((gathered.files, gathered.entries), (12, 16));

    let request = request(&table, CommitMode::OverwriteDynamic).await;
    assert_eq!(merge_manifests(&table, &request).await.unwrap(), Committed::Snapshot(13));

    let merged = stats(&table).await;
    assert_eq!((merged.files, merged.entries), (1, live.len() as u64));
    assert!(merged.bytes < gathered.bytes);
    assert_eq!(live_files(&table).await, live);
    let after = table.latest_snapshot().await.unwrap().unwrap();
    assert_eq!(after.commit_kind, paimon_spec::CommitKind::Compact);
    assert_eq!((after.total_record_count, after.delta_record_count), (before.total_record_count, Some(0)));
    assert_eq!(after.next_row_id, before.next_row_id);
    let delta = table.manifest_list(&after.delta_manifest_list, after.delta_manifest_list_size).await.unwrap();
    assert!(delta.is_empty());

    assert_eq!(merge_manifests(&table, &request).await.unwrap(), Committed::Nothing);
    assert_eq!(table.latest_snapshot_id().await.unwrap(), Some(13));
}

#[tokio::test]
async fn there_is_nothing_to_merge_in_an_empty_table() {
    let table = testkit::create_table(schema(true, &[])).await;
    let outcome = merge_manifests(&table, &request(&table, CommitMode::Append).await).await.unwrap();
    assert_eq!(outcome, Committed::Nothing);
    assert_eq!(table.latest_snapshot_id().await.unwrap(), None);
}

#[tokio::test]
async fn manifests_that_are_merged_on_demand_may_get_more_meanwhile() {
    let memory = Arc::new(InMemory::new());
    let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
    let table = create(Arc::clone(&faulty) as Arc<dyn ObjectStore>, schema(false, &[])).await;
    for name in ["a", "b", "c"] {
        append(&table, name).await;
    }
    get_ahead(&faulty, &memory, 3, |table, number| async move {
        append(&table, &format!("rival-{number}")).await;
    });
    let outcome = merge_manifests(&table, &request(&table, CommitMode::Append).await).await.unwrap();
    assert_eq!(outcome, Committed::Snapshot(7));
    assert_eq!(live_files(&table).await, ["a", "b", "c", "rival-0", "rival-1", "rival-2"]);
    assert_eq!(stats(&table).await.files, 4, "what came in between is left to the next one");
}

#[rstest]
#[tokio::test]
async fn whichever_call_fails_a_merge_of_manifests_changes_no_rows(#[values(false, true)] answer_is_lost: bool) {
    let live = ["a", "b", "c"];
    let mut call = 0;
    loop {
        let (memory, _) = table_of(&live).await;
        let faulty = FaultyStore::new(Arc::clone(&memory) as Arc<dyn ObjectStore>);
        let table = open(Arc::clone(&faulty) as Arc<dyn ObjectStore>, 3).await;
        let request = request(&table, CommitMode::Append).await;
        let first = faulty.calls() + call;
        let hit = move |seen: &Call| seen.number == first;
        if answer_is_lost {
            faulty.fail_after(hit)
        } else {
            faulty.fail_before(hit)
        }
        let outcome = merge_manifests(&table, &request).await;
        let reached = faulty.calls() > first;
        faulty.heal();
        let fresh = open(Arc::clone(&memory) as Arc<dyn ObjectStore>, 4).await;
        assert_eq!(live_files(&fresh).await, live, "call {call}: {outcome:?}");
        let _ = merge_manifests(&fresh, &request).await.unwrap();
        assert_eq!(live_files(&fresh).await, live);
        assert_eq!(stats(&fresh).await.files, 1);
        if !reached {
            assert!(call > 5, "the faults never struck");
            break;
        }
        call += 1;
    }
}

#[tokio::test]
async fn deletions_have_no_statistics_where_the_table_says_so() {
    let options = [("manifest.delete-file-drop-stats", "true")];
    let table = testkit::create_table(schema(false, &options)).await;
    append(&table, "a").await;
    let mut message = adds(BinaryRow::empty(), &["b"]);
    let stats = paimon_spec::SimpleStats { null_counts: vec![Some(1)], ..paimon_spec::SimpleStats::empty() };
    for file in &mut message.new_files {
        (file.value_stats, file.value_stats_cols) = (stats.clone(), Some(vec!["id".to_owned()]));
    }
    message.deleted_files = vec![paimon_spec::DataFileMeta { value_stats: stats.clone(), ..data_file("a") }];
    let _ = commit(&table, &request(&table, CommitMode::Append).await, &[message]).await.unwrap();
    let snapshot = table.latest_snapshot().await.unwrap().unwrap();
    let delta = paimon_scan::delta_entries(&table, &snapshot).await.unwrap();
    let found: Vec<_> = delta.iter().map(|entry| (entry.kind, entry.file.value_stats.clone())).collect();
    assert_eq!(found, [(FileKind::Add, stats), (FileKind::Delete, paimon_spec::SimpleStats::empty())]);
}
