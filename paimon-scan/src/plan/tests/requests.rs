//! What planning asks of a store, and how many of its questions follow one another.

use paimon_spec::{CompareOp, Datum, FileKind, Predicate};
use rstest::rstest;

use super::*;
use crate::testkit::{P, TestTable, data_file, keyed_file};

/// Commits of one file each, as writers leave them that never merge manifests.
async fn of_commits(commits: i32) -> (TestTable, Arc<paimon_io::testkit::DistantStore>) {
    let (mut table, requests) = TestTable::create_distant(&["p"]).await;
    for commit in 0..commits {
        let entry = table.add(&[Some(Datum::Int(commit % 4))], data_file(&format!("f{commit}"), 10));
        let snapshot = table.commit(&[vec![entry]]).await;
        table.store.storage().put("snapshot/LATEST", snapshot.id.to_string().into()).await.unwrap();
    }
    (table, requests)
}

fn in_partition(value: i32) -> ScanRequest {
    let predicate = Predicate::compare(P, CompareOp::Eq, Datum::Int(value));
    ScanRequest { partition_predicate: Some(predicate), ..ScanRequest::default() }
}

fn with_limit(limit: usize) -> ScanRequest {
    ScanRequest { limit: Some(limit), ..ScanRequest::default() }
}

/// The hint, the snapshot and whether there is a next one, two manifest lists: five requests in three rounds.
#[rstest]
#[case::one_manifest(1, ScanRequest::default(), 1, 5 + 1, 3 + 1)]
#[case::many_manifests(100, ScanRequest::default(), 100, 5 + 100, 3 + 1)]
#[case::more_than_at_once(150, ScanRequest::default(), 150, 5 + 150, 3 + 2)]
#[case::manifests_of_one_partition(100, in_partition(3), 25, 5 + 25, 3 + 1)]
#[case::a_covered_limit(100, with_limit(10), 1, 5 + 2, 3 + 1)]
#[case::a_limit_of_several_manifests(100, with_limit(60), 6, 5 + 14, 3 + 4)]
#[tokio::test]
async fn a_plan_asks_for_each_wanted_manifest_once_and_for_all_of_them_together(
    #[case] commits: i32,
    #[case] request: ScanRequest,
    #[case] files: usize,
    #[case] count: usize,
    #[case] rounds: usize,
) {
    let (table, store) = of_commits(commits).await;
    let (planned, requests) = store.requests_of(plan(&table.store, &request)).await;
    assert_eq!(planned.unwrap().report.files.after, files as u64);
    assert!(
        requests.count() <= count && requests.rounds <= rounds,
        "{} requests in {} rounds, wanted {count} in {rounds}: {:?}",
        requests.count(),
        requests.rounds,
        requests.calls
    );
    assert!(requests.heads() <= 1, "only the next snapshot has no size: {:?}", requests.calls);
}

#[tokio::test]
async fn a_manifest_that_adds_and_deletes_is_read_once() {
    let (mut table, store) = of_commits(3).await;
    let old = table.add(&[Some(Datum::Int(0))], data_file("f0", 10));
    let new = table.add(&[Some(Datum::Int(0))], data_file("g", 10));
    let deleted = ManifestEntry { kind: FileKind::Delete, ..old };
    let snapshot = table.commit(&[vec![deleted, new]]).await;
    table.store.storage().put("snapshot/LATEST", snapshot.id.to_string().into()).await.unwrap();
    let (planned, requests) = store.requests_of(plan(&table.store, &ScanRequest::default())).await;
    let mut names: Vec<_> =
        planned.unwrap().splits.into_iter().flat_map(|split| split.files).map(|file| file.file_name).collect();
    names.sort_unstable();
    assert_eq!(names, ["f1", "f2", "g"]);
    // What is deleted is known one round before what is live.
    assert_eq!((requests.count(), requests.rounds), (5 + 4, 3 + 2), "{:?}", requests.calls);
}

/// pypaimon may put a file beside a manifest that tells which of its blocks are of which partitions. It only spares
/// reading, and costs a request of its own.
#[tokio::test]
async fn a_sidecar_of_a_manifest_is_not_asked_for() {
    let (mut table, store) = of_commits(2).await;
    let latest = table.store.latest_snapshot().await.unwrap().unwrap();
    let mut list = manifests(&table.store, &latest).await.unwrap();
    for manifest in &mut list {
        manifest.extra_files = Some(vec![format!("{}.avro.sidecar", manifest.file_name)]);
    }
    let list = paimon_spec::encode_manifest_list(&list, "zstd").unwrap();
    let size = table.store.write_manifest_file("with-sidecars", list).await.unwrap();
    let name = "with-sidecars".to_owned();
    let edit = |snapshot: &mut Snapshot| {
        (snapshot.base_manifest_list, snapshot.base_manifest_list_size) = (name, Some(size));
    };
    let snapshot = table.commit_with(&[], edit).await;
    table.store.storage().put("snapshot/LATEST", snapshot.id.to_string().into()).await.unwrap();
    let (planned, requests) = store.requests_of(plan(&table.store, &ScanRequest::default())).await;
    assert_eq!(planned.unwrap().report.files.after, 2);
    assert_eq!(requests.count(), 5 + 2, "{:?}", requests.calls);
}

/// Files of a primary-key table by the number of their commit: keys from 10 times that, one bucket.
async fn of_keyed_commits(commits: i32) -> (TestTable, Arc<paimon_io::testkit::DistantStore>) {
    let (mut table, requests) = TestTable::create_distant_keyed("1").await;
    for commit in 0..commits {
        let file = keyed_file(&format!("f{commit}"), 0, (commit * 10, commit * 10 + 9));
        let entry = ManifestEntry { total_buckets: 1, ..table.add(&[], file) };
        let snapshot = table.commit(&[vec![entry]]).await;
        table.store.storage().put("snapshot/LATEST", snapshot.id.to_string().into()).await.unwrap();
    }
    (table, requests)
}

#[rstest]
#[case::all(ScanRequest::default(), 100)]
#[case::one_key(ScanRequest { predicate: Some(id(CompareOp::Eq, 425)), ..ScanRequest::default() }, 1)]
#[case::a_limit(with_limit(10), 100)]
#[tokio::test]
async fn a_plan_of_a_primary_key_table_asks_for_no_more(#[case] request: ScanRequest, #[case] files: u64) {
    let (table, store) = of_keyed_commits(100).await;
    let (planned, requests) = store.requests_of(plan(&table.store, &request)).await;
    assert_eq!(planned.unwrap().report.files.after, files);
    assert!(requests.count() <= 5 + 100 && requests.rounds <= 3 + 1, "{:?}", requests.calls);
}
