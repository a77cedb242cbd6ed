use std::{
    collections::BTreeMap,
    net::TcpListener,
    time::{Duration, Instant},
};

use paimon_spec::ErrorKind;
use rstest::rstest;

use self::server::{Fault, Server};
use super::*;
use crate::{
    IoContext, PutOutcome, Storage,
    testkit::{self, storage_contract},
};

mod server;

/// Variable: the endpoint of another S3 to keep the contract, with a bucket `contract` and keys that it takes.
const ENDPOINT_VARIABLE: &str = "PAIMON_TEST_S3_ENDPOINT";

fn options(endpoint: &str, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let usual =
        [("s3.endpoint", endpoint), ("s3.access-key", "KEY"), ("s3.secret-key", "SECRET"), ("s3.retry.interval", "1")];
    usual.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn open_in(context: &IoContext, server: &Server, more: &[(&str, &str)]) -> Storage {
    Storage::open("s3://bucket/some/folder", &options(&server.endpoint, more), context).unwrap()
}

fn open(server: &Server, more: &[(&str, &str)]) -> Storage {
    open_in(&testkit::context(), server, more)
}

fn no_faults(_: &str, _: usize) -> Fault {
    Fault::None
}

/// Each fault once in a while, by the number of the request.
fn weather(_: &str, number: usize) -> Fault {
    match number % 23 {
        3 => Fault::Status(503, "SlowDown"),
        7 => Fault::Before,
        11 => Fault::After,
        13 => Fault::Status(429, "TooManyRequests"),
        17 => Fault::Truncated,
        19 => Fault::Status(500, "InternalError"),
        _ => Fault::None,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_the_contract() {
    let server = Server::start(no_faults);
    storage_contract(&open(&server, &[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s3_keeps_the_contract_in_bad_weather() {
    let server = Server::start(weather);
    storage_contract(&open(&server, &[])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::disallowed_methods, reason = "each run has a folder of its own")]
async fn another_s3_keeps_the_contract() {
    let Ok(endpoint) = std::env::var(ENDPOINT_VARIABLE) else { return };
    let folder = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let url = format!("s3a://contract/{folder}");
    storage_contract(&Storage::open(&url, &options(&endpoint, &[]), &testkit::context_of(folder as u64)).unwrap())
        .await;
}

#[tokio::test]
async fn a_lost_answer_is_no_lost_race() {
    let server = Server::start(|line, number| match line {
        "PUT some/folder/a" if number < 6 => Fault::After,
        _ => Fault::None,
    });
    let storage = open(&server, &[]);
    assert_eq!(storage.put_new("before", Bytes::new()).await.unwrap(), PutOutcome::Created);
    server.take_whole_log();
    assert_eq!(storage.put_new("a", "x".into()).await.unwrap(), PutOutcome::Created);
    let attempts = ["PUT some/folder/a"; 4].into_iter().chain(["HEAD some/folder/a"]).collect::<Vec<_>>();
    assert_eq!(server.take_log(), attempts);
    assert_eq!(storage.put_new("a", "y".into()).await.unwrap(), PutOutcome::AlreadyExists);
    assert_eq!(server.take_log(), ["PUT some/folder/a"], "a race that is lost at once needs no second look");
    assert_eq!(storage.read("a").await.unwrap(), "x");
}

#[tokio::test]
async fn a_race_lost_at_the_second_attempt_is_lost() {
    let server = Server::start(|line, number| match line {
        "PUT some/folder/a" if number < 3 => Fault::Status(503, "SlowDown"),
        _ => Fault::None,
    });
    server.insert("some/folder/a", b"theirs");
    let storage = open(&server, &[]);
    assert_eq!(
        storage.put_new("a", "theirs".into()).await.unwrap(),
        PutOutcome::AlreadyExists,
        "even with equal bytes"
    );
}

#[tokio::test]
async fn a_file_in_parts_survives_a_lost_answer() {
    let server = Server::start(|line, number| match line {
        "POST some/folder/a?uploadId" if number < 8 => Fault::After,
        _ => Fault::None,
    });
    let storage = open(&server, &[]);
    let mut writer = storage.writer("a").unwrap();
    writer.write(vec![1; 9 << 20].into()).await.unwrap();
    writer.write(vec![2; 9].into()).await.unwrap();
    assert_eq!(writer.finish().await.unwrap(), (9 << 20) + 9);
    assert_eq!(storage.size("a").await.unwrap(), Some((9 << 20) + 9));
}

#[tokio::test]
async fn nothing_is_written_where_creation_is_not_exclusive() {
    let server = Server::start_with(false, no_faults);
    let storage = open(&server, &[]);
    for _ in 0..2 {
        let error = storage.put_new("snapshot/snapshot-1", "x".into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.to_string().contains("If-None-Match"), "{error}");
    }
    let mut writer = storage.writer("data").unwrap();
    assert_eq!(writer.write(vec![1; 9 << 20].into()).await.unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(server.keys(), [format!("some/folder/{PROBE}")]);
}

#[tokio::test]
async fn exclusive_creation_is_tried_out_once_and_by_writers_only() {
    let server = Server::start(no_faults);
    let context = testkit::context();
    let storage = open_in(&context, &server, &[]);
    server.insert("some/folder/a", b"0123456789");
    assert_eq!(storage.read("a").await.unwrap(), "0123456789");
    assert_eq!(storage.read_ranges("a", &[1..3, 5..6]).await.unwrap(), ["12", "5"]);
    assert_eq!(storage.list("").await.unwrap().len(), 1);
    assert_eq!(
        server.take_whole_log(),
        ["GET some/folder/a", "GET some/folder/a", "GET ?delimiter?list-type?prefix"],
        "one request each, none for sizes"
    );
    for name in ["b", "c"] {
        assert_eq!(storage.put_new(name, "x".into()).await.unwrap(), PutOutcome::Created);
    }
    // The same options in another spelling are the same client.
    let mut other = options(&server.endpoint, &[("fs.s3.accessKeyId", "KEY")]);
    other.remove("s3.access-key");
    let same = Storage::open("s3n://bucket/other", &other, &context).unwrap();
    assert_eq!(same.put_new("d", "x".into()).await.unwrap(), PutOutcome::Created);
    let probe = format!("PUT some/folder/{PROBE}");
    let puts = [probe.as_str(), &probe, "PUT some/folder/b", "PUT some/folder/c", "PUT other/d"];
    assert_eq!(server.take_whole_log(), puts);
    // In the next process the first attempt proves it.
    assert_eq!(open(&server, &[]).put_new("e", "x".into()).await.unwrap(), PutOutcome::Created);
    assert_eq!(server.take_whole_log(), [probe.as_str(), "PUT some/folder/e"]);
}

#[rstest]
#[case::forbidden(
    403,
    "SignatureDoesNotMatch",
    ErrorKind::PermissionDenied,
    "with the keys in the options: SignatureDoesNotMatch"
)]
#[case::unauthorized(401, "AccessDenied", ErrorKind::PermissionDenied, "AccessDenied")]
#[case::expired(400, "ExpiredToken", ErrorKind::PermissionDenied, "ExpiredToken")]
#[case::region(301, "PermanentRedirect", ErrorKind::InvalidInput, "s3.region")]
#[case::malformed_region(400, "AuthorizationHeaderMalformed", ErrorKind::InvalidInput, "s3.region")]
#[case::no_bucket(404, "NoSuchBucket", ErrorKind::Storage, "the bucket does not exist")]
#[case::no_object(404, "NoSuchKey", ErrorKind::NotFound, "file not found")]
#[case::not_implemented(501, "NotImplemented", ErrorKind::Unsupported, "NotImplemented")]
#[case::refused(400, "InvalidArgument", ErrorKind::Storage, "InvalidArgument")]
#[tokio::test]
async fn a_refusal_is_told_at_once(
    #[case] status: u16,
    #[case] code: &'static str,
    #[case] kind: ErrorKind,
    #[case] text: &str,
) {
    let server = Server::start(move |_, _| Fault::Status(status, code));
    let storage = open(&server, &[]);
    let error = storage.read("a").await.unwrap_err();
    let whole = error.to_string();
    assert_eq!((error.kind(), error.is_retryable()), (kind, false), "{whole}");
    assert_eq!(error.context("file"), Some("s3://bucket/some/folder/a"));
    assert!(whole.contains(text) && whole.contains(&server.endpoint) && whole.contains("bucket"), "{whole}");
    assert!(!whole.contains("SECRET"), "the rest of an answer may repeat what was signed: {whole}");
    assert_eq!(server.take_log().len(), 1);
    if kind != ErrorKind::NotFound {
        let others = [storage.list("").await.map(drop), storage.put_new("a", "x".into()).await.map(drop)];
        for error in others.map(Result::unwrap_err) {
            assert_eq!((error.kind(), error.is_retryable()), (kind, false), "{error}");
        }
        assert_eq!(server.take_whole_log().len(), 2);
    }
}

#[rstest]
#[case::busy(Fault::Status(503, "SlowDown"), "SlowDown")]
#[case::throttled(Fault::Status(429, "TooManyRequests"), "TooManyRequests")]
#[case::reset(Fault::Before, "connection")]
#[tokio::test]
async fn failures_are_tried_again_within_bounds(#[case] fault: Fault, #[case] text: &str) {
    let server = Server::start(move |_, number| if number < 4 { fault } else { Fault::None });
    server.insert("some/folder/a", b"x");
    let error = open(&server, &[("s3.attempts.maximum", "3")]).read("a").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true), "{error}");
    assert!(error.to_string().contains(text) && error.to_string().contains(&server.endpoint), "{error}");
    assert_eq!(server.take_log().len(), 3);
    let server = Server::start(move |_, number| if number < 4 { fault } else { Fault::None });
    server.insert("some/folder/a", b"x");
    assert_eq!(open(&server, &[("fs.s3a.attempts.maximum", "5")]).read("a").await.unwrap(), "x");
}

#[tokio::test]
async fn truncated_answers_are_read_again() {
    let server = Server::start(|_, number| if number.is_multiple_of(2) { Fault::Truncated } else { Fault::None });
    let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    server.insert("some/folder/a", &bytes);
    let storage = open(&server, &[]);
    assert_eq!(storage.read("a").await.unwrap(), bytes);
    let parts = storage.read_ranges("a", &[10..200_000, 300_000..300_001]).await.unwrap();
    assert_eq!(parts, [&bytes[10..200_000], &bytes[300_000..300_001]]);
    assert_eq!(storage.list("").await.unwrap().len(), 1);
    assert_eq!(storage.read_if_exists("b").await.unwrap(), None, "the status of a truncated refusal is enough");
}

#[tokio::test]
async fn a_small_file_that_is_replaced_while_it_is_read_is_read_anew() {
    let server = Server::start(|_, number| if number < 2 { Fault::Truncated } else { Fault::None });
    server.insert_changing("some/folder/LATEST", b"12345");
    assert_eq!(open(&server, &[]).read("LATEST").await.unwrap(), "12345");
    assert_eq!(server.take_log().len(), 3);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
async fn an_endpoint_that_nobody_listens_at_is_told_soon() {
    let endpoint = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let storage = Storage::open("s3://bucket/x", &options(&endpoint, &[]), &testkit::context()).unwrap();
    let started = Instant::now();
    let error = storage.read("a").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, false), "{error}");
    assert!(error.message().contains("cannot connect"), "{error}");
    assert_eq!((error.context("endpoint"), error.context("bucket")), (Some(endpoint.as_str()), Some("bucket")));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn an_endpoint_that_says_nothing_is_given_up() {
    let server = Server::start(|_, _| Fault::Silence);
    let storage = open(&server, &[("s3.connection.timeout", "100 ms"), ("s3.retry.timeout", "150ms")]);
    let error = storage.read("a").await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true), "{error}");
    assert!(error.message().contains("in time"), "{error}");
    assert!(server.take_log().len() <= 3);
}

#[tokio::test]
async fn folders_of_other_tools_are_folders() {
    let server = Server::start(no_faults);
    for key in ["some/folder/db.db/", "some/folder/db.db/t/", "some/folder/db.db/t/deep/", "some/folder/db.db/t/empty"]
    {
        server.insert(key, b"");
    }
    let storage = open(&server, &[]);
    assert!(storage.dir_exists("db.db").await.unwrap());
    let names =
        |listed: Vec<crate::Listed>| listed.into_iter().map(|entry| (entry.name, entry.is_dir)).collect::<Vec<_>>();
    assert_eq!(names(storage.list("").await.unwrap()), [("db.db".to_owned(), true)]);
    assert_eq!(names(storage.list("db.db/t").await.unwrap()), [("deep".to_owned(), true), ("empty".to_owned(), false)]);
    storage.rename_dir("db.db/t", "db.db/u").await.unwrap();
    let moved =
        ["some/folder/db.db/", "some/folder/db.db/u/", "some/folder/db.db/u/deep/", "some/folder/db.db/u/empty"];
    assert_eq!(
        server.keys(),
        moved
            .iter()
            .map(|key| (*key).to_owned())
            .chain([format!("some/folder/{PROBE}")])
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    storage.delete_dir("db.db").await.unwrap();
    assert_eq!(server.keys(), [format!("some/folder/{PROBE}")]);
}

#[rstest]
#[case("s3://KEY:SECRET@bucket/path", ErrorKind::InvalidInput, "must not hold credentials")]
#[case("s3:///path", ErrorKind::InvalidInput, "bucket")]
#[case("s3://bucket:80/path", ErrorKind::InvalidInput, "bucket")]
#[case("s3://bucket/a/../../b", ErrorKind::InvalidInput, "..")]
fn other_urls_are_refused(#[case] url: &str, #[case] kind: ErrorKind, #[case] text: &str) {
    let error = Storage::open(url, &options("http://localhost", &[]), &testkit::context()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(text) && !error.to_string().contains("SECRET"), "{error}");
}

#[tokio::test]
async fn urls_are_those_of_s3_whatever_the_spelling() {
    let context = testkit::context();
    for scheme in ["s3", "s3a", "s3n", "S3"] {
        let url = format!("{scheme}://my.bucket-1/w//t/a b%20c/");
        let storage = Storage::open(&url, &options("localhost:1", &[]), &context).unwrap();
        assert_eq!(storage.root_url(), "s3://my.bucket-1/w/t/a b%20c");
    }
}

#[test]
fn nothing_secret_is_shown() {
    let server = Server::start(no_faults);
    let context = testkit::context();
    let storage = open_in(&context, &server, &[("s3.session.token", "SECRET-TOKEN")]);
    let settings = S3Settings::resolve("b", &options("h", &[]), &BTreeMap::new()).unwrap();
    let shown = format!("{storage:?} {context:?} {settings:?}");
    assert!(!shown.contains("SECRET") && !shown.contains("KEY"), "{shown}");
}
