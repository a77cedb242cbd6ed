use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::PathBuf,
    sync::{Arc, Barrier},
    time::Duration,
};

use object_store::memory::InMemory;
use proptest::prelude::*;
use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::testkit::{self, CountingStore, FaultyStore, Operation, SlowStore, by_chance, nth, storage_contract};

fn open(url: &str) -> Result<Storage> {
    Storage::open(url, &BTreeMap::new(), &testkit::context())
}

fn local() -> (TempDir, Storage) {
    let dir = TempDir::new().unwrap();
    let storage = open(dir.path().to_str().unwrap()).unwrap();
    (dir, storage)
}

fn wrapped(store: Arc<dyn ObjectStore>) -> Storage {
    Storage::from_store(store, "test://store", &testkit::context())
}

#[tokio::test]
async fn local_files_keep_the_contract() {
    let (_dir, storage) = local();
    storage_contract(&storage).await;
}

#[tokio::test]
async fn local_files_with_fsync_keep_the_contract() {
    let dir = TempDir::new().unwrap();
    let mut context = testkit::context();
    context.fsync = true;
    let url = dir.path().join("not/yet/there");
    storage_contract(&Storage::open(url.to_str().unwrap(), &BTreeMap::new(), &context).unwrap()).await;
}

#[tokio::test]
async fn memory_keeps_the_contract() {
    storage_contract(&open("memory://contract").unwrap()).await;
}

#[tokio::test]
async fn a_folder_of_memory_keeps_the_contract() {
    storage_contract(&open("memory:///some/folder").unwrap()).await;
}

#[tokio::test]
async fn a_watched_store_keeps_the_contract() {
    let counting = CountingStore::new(Arc::new(InMemory::new()));
    storage_contract(&wrapped(FaultyStore::new(counting.clone()))).await;
    assert_eq!(counting.take_log().len() as u64, counting.calls());
}

#[test]
fn local_files_need_no_runtime() {
    let (_dir, storage) = local();
    futures::executor::block_on(async {
        assert_eq!(storage.put_new("a/b", "c".into()).await.unwrap(), PutOutcome::Created);
        assert_eq!(storage.read("a/b").await.unwrap(), "c");
    });
}

#[rstest]
#[case::path("/w/t", "file:///w/t")]
#[case::java("file:/w/t", "file:///w/t")]
#[case::url("file:///w/t", "file:///w/t")]
#[case::host("file://localhost/w/t", "file:///w/t")]
#[case::upper_case("FILE:///w", "file:///w")]
#[case::slashes("file:///w//t/", "file:///w/t")]
#[case::dots("/w/./x/../t", "file:///w/t")]
#[case::above_the_root("/../..", "file:///")]
#[case::root("/", "file:///")]
#[case::literal("/w/a b%20c#d?e=f", "file:///w/a b%20c#d?e=f")]
#[case::literal_url("file:///w/a b%20c#d?e=f", "file:///w/a b%20c#d?e=f")]
#[case::colon_in_a_name("/w:x/s3:y", "file:///w:x/s3:y")]
#[case::memory("memory://name", "memory://name")]
#[case::memory_folder("memory://name/a//b/", "memory://name/a/b")]
#[case::memory_without_name("memory:///a", "memory:///a")]
fn urls_are_understood_literally(#[case] url: &str, #[case] expected: &str) {
    let storage = open(url).unwrap();
    assert_eq!(storage.root_url(), expected);
    assert_eq!(open(&storage.root_url()).unwrap().root_url(), expected, "a URL that we give is one that we take");
    let below = storage.url("x/y");
    assert_eq!(below, if expected == "file:///" { "file:///x/y".to_owned() } else { format!("{expected}/x/y") });
    assert_eq!(storage.at("x").unwrap().url("y"), below);
}

#[test]
fn a_relative_path_becomes_absolute() {
    let here = std::env::current_dir().unwrap();
    assert_eq!(open("some/table").unwrap().root_url(), format!("file://{}/some/table", here.display()));
}

#[rstest]
#[case("", ErrorKind::InvalidInput, "empty")]
#[case("a\0b", ErrorKind::InvalidInput, "NUL")]
#[case("file://host/path", ErrorKind::InvalidInput, "no host")]
#[case("file:relative", ErrorKind::InvalidInput, "absolute")]
#[case("memory://a/../b", ErrorKind::InvalidInput, "..")]
#[case("s3://bucket/../path", ErrorKind::InvalidInput, "..")]
#[case("oss://bucket", ErrorKind::Unsupported, "scheme 'oss'")]
#[case("hdfs:///path", ErrorKind::Unsupported, "scheme 'hdfs'")]
fn other_urls_are_refused_by_name(#[case] url: &str, #[case] kind: ErrorKind, #[case] text: &str) {
    let error = open(url).unwrap_err();
    assert_eq!(error.kind(), kind);
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn a_refused_url_does_not_tell_its_password() {
    let error = open("s3://KEY:SECRET@bucket/path").unwrap_err().to_string();
    assert!(!error.contains("SECRET") && !error.contains("KEY"), "{error}");
    assert!(error.contains("bucket/path"), "{error}");
}

#[tokio::test]
async fn memory_is_shared_by_name_within_a_context_only() {
    let context = testkit::context();
    let one = Storage::open("memory://name/a", &BTreeMap::new(), &context).unwrap();
    one.put("b/c", "x".into()).await.unwrap();
    let same = Storage::open("memory://name", &BTreeMap::new(), &context.clone()).unwrap();
    assert_eq!(same.read("a/b/c").await.unwrap(), "x");
    let other_name = Storage::open("memory://other", &BTreeMap::new(), &context).unwrap();
    assert!(!other_name.exists("a/b/c").await.unwrap());
    let other_context = Storage::open("memory://name", &BTreeMap::new(), &testkit::context()).unwrap();
    assert!(!other_context.exists("a/b/c").await.unwrap());
}

#[tokio::test]
async fn a_local_file_has_exactly_the_name_of_its_path() {
    let (dir, storage) = local();
    let path = "p=a%2Fb/q=ü /bucket-0/data#1?x.parquet";
    assert_eq!(storage.put_new(path, "x".into()).await.unwrap(), PutOutcome::Created);
    assert_eq!(fs::read(dir.path().join(path)).unwrap(), b"x");
    fs::write(dir.path().join("from outside %25#7"), "y").unwrap();
    assert_eq!(storage.read("from outside %25#7").await.unwrap(), "y");
}

#[tokio::test]
async fn names_that_are_not_text_are_left_out_of_listings() {
    use std::os::unix::ffi::OsStrExt;
    let (dir, storage) = local();
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    fs::write(dir.path().join("line\nbreak"), "x").unwrap();
    fs::write(dir.path().join("good"), "x").unwrap();
    symlink("nowhere", dir.path().join("dangling")).unwrap();
    assert_eq!(names(&storage, "").await, ["good"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_name_comes_back_from_a_listing(name in "[^/\\x00-\\x1f\\x7f]{1,40}") {
        prop_assume!(name != "." && name != "..");
        let (_dir, storage) = local();
        futures::executor::block_on(async {
            assert_eq!(storage.put_new(&name, "x".into()).await.unwrap(), PutOutcome::Created);
            assert_eq!(names(&storage, "").await, [name.as_str()]);
            assert_eq!(storage.read(&name).await.unwrap(), "x");
        });
    }

    #[test]
    fn ranges_are_what_slicing_gives(size in 0_usize..100_000, cuts in prop::collection::vec((0_usize..100_000, 0_usize..100_000), 0..12)) {
        let bytes: Vec<u8> = (0..size).map(|at| (at * 31 % 251) as u8).collect();
        let ranges: Vec<Range<u64>> = cuts
            .iter()
            .map(|&(a, b)| (a.min(size), b.min(size)))
            .map(|(a, b)| a.min(b) as u64..a.max(b) as u64)
            .collect();
        let (_dir, storage) = local();
        futures::executor::block_on(async {
            storage.put("file", Bytes::from(bytes.clone())).await.unwrap();
            let parts = storage.read_ranges("file", &ranges).await.unwrap();
            for (range, part) in ranges.iter().zip(parts) {
                assert_eq!(&part[..], &bytes[range.start as usize..range.end as usize]);
            }
        });
    }
}

#[test]
fn of_sixteen_threads_one_creates_each_key() {
    let dir = TempDir::new().unwrap();
    let barrier = Arc::new(Barrier::new(16));
    let created: Vec<(usize, BTreeSet<usize>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|thread| {
                // Two storages, as of two processes: nothing in memory is shared between them.
                let context = testkit::context_of(thread as u64 % 2);
                let storage = Storage::open(dir.path().to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
                let barrier = Arc::clone(&barrier);
                scope.spawn(move || {
                    let mut won = BTreeSet::new();
                    for key in 0..50 {
                        barrier.wait();
                        let path = format!("deep/{key}/snapshot-1");
                        let put = storage.put_new(&path, thread.to_string().into());
                        if futures::executor::block_on(put).unwrap() == PutOutcome::Created {
                            won.insert(key);
                        }
                    }
                    (thread, won)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for key in 0..50 {
        let winners: Vec<usize> =
            created.iter().filter(|(_, won)| won.contains(&key)).map(|(thread, _)| *thread).collect();
        let [winner] = winners[..] else { panic!("key {key}: expected one winner, found {winners:?}") };
        let folder = dir.path().join(format!("deep/{key}"));
        assert_eq!(fs::read_to_string(folder.join("snapshot-1")).unwrap(), winner.to_string());
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "key {key}: a temporary file is left");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_put_does_not_overwrite_a_quick_one() {
    let dir = TempDir::new().unwrap();
    let root = dir.path().to_owned();
    let store = |seed| {
        let clock = Arc::clone(&testkit::context_of(seed).clock);
        Arc::new(LocalStore::new(root.clone(), clock, false))
    };
    let slow = wrapped(SlowStore::new(store(1), Duration::from_millis(20), |call| call.operation == Operation::PutNew));
    let quick = wrapped(store(2));
    let (late, early) = futures::join!(slow.put_new("s", "slow".into()), quick.put_new("s", "quick".into()));
    assert_eq!((late.unwrap(), early.unwrap()), (PutOutcome::AlreadyExists, PutOutcome::Created));
    assert_eq!(quick.read("s").await.unwrap(), "quick");
}

#[tokio::test]
async fn a_staging_name_that_is_taken_is_not_touched() {
    let dir = TempDir::new().unwrap();
    let context = testkit::context_of(7);
    let taken = dir.path().join(format!(".f.{}.tmp", testkit::context_of(7).clock.unique_id()));
    fs::write(&taken, "another writer's").unwrap();
    let storage = Storage::open(dir.path().to_str().unwrap(), &BTreeMap::new(), &context).unwrap();
    assert_eq!(storage.put_new("f", "mine".into()).await.unwrap(), PutOutcome::Created);
    assert_eq!(fs::read_to_string(taken).unwrap(), "another writer's");
}

#[tokio::test]
async fn a_name_of_the_greatest_length_can_be_written() {
    let (_dir, storage) = local();
    for name in ["x".repeat(255), "ü".repeat(127)] {
        assert_eq!(storage.put_new(&name, "y".into()).await.unwrap(), PutOutcome::Created);
    }
    let error = storage.put_new(&"x".repeat(256), "y".into()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_retryable()),
        (ErrorKind::Storage, false),
        "another try would not help: {error}"
    );
}

#[tokio::test]
async fn a_link_is_followed_inside_the_storage_only() {
    let (outside, _) = local();
    fs::create_dir(outside.path().join("folder")).unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::write(outside.path().join("folder/file"), "keep").unwrap();
    let (dir, storage) = local();
    fs::write(dir.path().join("inside"), "inside").unwrap();
    symlink("inside", dir.path().join("good")).unwrap();
    symlink(outside.path().join("secret"), dir.path().join("bad")).unwrap();
    symlink(outside.path().join("folder"), dir.path().join("way-out")).unwrap();

    assert_eq!(storage.read("good").await.unwrap(), "inside");
    assert_eq!(storage.read("bad").await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(storage.read_ranges("bad", &[0..1, 1..2]).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(storage.put_new("bad", "x".into()).await.unwrap(), PutOutcome::AlreadyExists);
    for (what, error) in [
        ("put_new", storage.put_new("way-out/new", "x".into()).await.unwrap_err()),
        ("put", storage.put("way-out/file", "x".into()).await.unwrap_err()),
        ("delete", storage.delete("way-out/file").await.unwrap_err()),
        ("create_dir", storage.create_dir("way-out/deep/dir").await.unwrap_err()),
        ("delete_dir", storage.delete_dir("way-out/x").await.unwrap_err()),
        ("rename_dir", storage.rename_dir("way-out/x", "y").await.unwrap_err()),
    ] {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{what}: {error}");
    }
    // What replaces or deletes a link leaves its target alone.
    storage.put("bad", "mine".into()).await.unwrap();
    storage.delete_dir("way-out").await.unwrap();
    assert_eq!(names(&storage, "").await, ["bad", "good", "inside"]);
    assert_eq!(fs::read_to_string(outside.path().join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_to_string(outside.path().join("folder/file")).unwrap(), "keep");
}

#[tokio::test]
async fn a_storage_that_is_a_link_itself_works() {
    let (target, _) = local();
    let (dir, _) = local();
    symlink(target.path(), dir.path().join("warehouse")).unwrap();
    let storage = open(dir.path().join("warehouse").to_str().unwrap()).unwrap();
    assert_eq!(storage.put_new("a/b", "x".into()).await.unwrap(), PutOutcome::Created);
    assert_eq!(fs::read_to_string(target.path().join("a/b")).unwrap(), "x");
}

#[rstest]
#[case("memory://x")]
#[case("/tmp")]
#[tokio::test]
async fn the_root_of_a_storage_is_neither_deleted_nor_renamed(#[case] url: &str) {
    let storage = open(url).unwrap();
    assert_eq!(storage.delete_dir("").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(storage.rename_dir("", "x").await.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[rstest]
#[case::under_a_file("file/below")]
#[case::on_a_folder("folder")]
#[tokio::test]
async fn an_impossible_put_is_an_error_and_leaves_nothing(#[case] path: &str) {
    let (dir, storage) = local();
    fs::write(dir.path().join("file"), "x").unwrap();
    fs::create_dir(dir.path().join("folder")).unwrap();
    let error = storage.put(path, "y".into()).await.unwrap_err();
    assert_eq!(error.context("file"), Some(storage.url(path).as_str()));
    assert_eq!(names(&storage, "").await, ["file", "folder"]);
}

#[test]
fn an_exclusive_rename_replaces_nothing() {
    let (dir, _) = local();
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    fs::write(file("a"), "a").unwrap();
    fs::write(file("b"), "b").unwrap();
    assert!(matches!(
        local::staged::rename_new(&file("a"), &file("b")),
        Err(object_store::Error::AlreadyExists { .. })
    ));
    assert_eq!(fs::read_to_string(file("b")).unwrap(), "b");
    local::staged::rename_new(&file("a"), &file("c")).unwrap();
    assert_eq!(fs::read_to_string(file("c")).unwrap(), "a");
}

#[tokio::test]
async fn a_fault_before_a_call_leaves_no_trace_and_one_after_it_does() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let storage = wrapped(faulty.clone());
    faulty.fail_before(|call| call.path == "a");
    faulty.fail_after(|call| call.path == "b");
    for path in ["a", "b"] {
        let error = storage.put_new(path, "x".into()).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true));
        assert!(error.to_string().contains("injected"), "{error}");
        assert_eq!(error.context("file"), Some(storage.url(path).as_str()));
    }
    faulty.heal();
    assert_eq!((storage.exists("a").await.unwrap(), storage.exists("b").await.unwrap()), (false, true));
    assert_eq!(faulty.failed(), 2);
}

#[tokio::test]
async fn faults_hit_the_calls_they_are_told_to() {
    let faulty = FaultyStore::new(Arc::new(InMemory::new()));
    let storage = wrapped(faulty.clone());
    faulty.fail_before(nth(3));
    let mut failed = Vec::new();
    for call in 0..6 {
        if storage.exists(&call.to_string()).await.is_err() {
            failed.push(call);
        }
    }
    assert_eq!(failed, [3]);
    faulty.heal();
    let of_seed = |seed| {
        let mut rule = by_chance(seed, 0.25);
        let call = |number| testkit::Call { operation: Operation::Get, path: String::new(), number, range: None };
        (0..1000).filter(|&number| rule(&call(number))).collect::<Vec<u64>>()
    };
    assert_eq!(of_seed(1), of_seed(1));
    assert_ne!(of_seed(1), of_seed(2));
    assert!((200..300).contains(&of_seed(1).len()));
}

#[tokio::test]
async fn near_ranges_are_read_in_one_call() {
    let counting = CountingStore::new(Arc::new(InMemory::new()));
    let storage = wrapped(counting.clone());
    storage.put("f", Bytes::from(vec![0; 1000])).await.unwrap();
    counting.take_log();
    storage.read_ranges("f", &[0..10, 20..30, 900..1000]).await.unwrap();
    let log: Vec<Operation> = counting.take_log().into_iter().map(|call| call.operation).collect();
    assert_eq!(log, [Operation::Get]);
}

async fn names(storage: &Storage, dir: &str) -> Vec<String> {
    storage.list(dir).await.unwrap().into_iter().map(|entry| entry.name).collect()
}
