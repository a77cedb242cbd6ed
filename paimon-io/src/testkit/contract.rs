//! What every store must do for tables to be safe on it.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test suite says no by panicking")]

use bytes::Bytes;
use futures::future::join_all;
use paimon_spec::ErrorKind;

use crate::{PutOutcome, Storage};

/// File and folder names that some layer on the way likes to change.
const HOSTILE_NAMES: [&str; 20] = [
    "plain",
    "a b",
    " ",
    "a%20b",
    "100%",
    "a=b",
    "a#b",
    "data#1",
    "a?b",
    "a+b",
    "a&b",
    "a:b",
    "a;b",
    "~a",
    "[a]",
    "{a}",
    "a*b",
    "a\\b",
    "naïve-数据",
    ".hidden",
];

/// Checks the contract of [`Storage`] on an empty one, which it leaves with files in it.
///
/// # Panics
/// When the storage breaks it.
pub async fn storage_contract(storage: &Storage) {
    whole_files(storage).await;
    exclusive_creation(storage).await;
    names_are_literal(storage).await;
    ranges(storage).await;
    folders(storage).await;
    writers(storage).await;
}

async fn whole_files(storage: &Storage) {
    let absent = storage.read("files/absent").await.unwrap_err();
    assert_eq!(absent.kind(), ErrorKind::NotFound);
    assert_eq!(absent.context("file"), Some(storage.url("files/absent").as_str()), "an error names its file");
    assert_eq!(storage.read_if_exists("files/absent").await.unwrap(), None);
    assert_eq!(storage.size("files/absent").await.unwrap(), None);
    assert!(storage.list("files").await.unwrap().is_empty(), "an absent folder lists as empty");
    storage.delete("files/absent").await.unwrap();

    storage.put("files/hint", Bytes::from_static(b"1")).await.unwrap();
    storage.put("files/hint", Bytes::from_static(b"22")).await.unwrap();
    assert_eq!(storage.read("files/hint").await.unwrap(), "22");
    assert_eq!(storage.size("files/hint").await.unwrap(), Some(2));
    assert!(!storage.exists("files").await.unwrap(), "a folder is no file");
    assert_eq!(storage.read("files").await.unwrap_err().kind(), ErrorKind::NotFound, "a folder cannot be read");
    assert_eq!(storage.read_if_exists("files/hint/below").await.unwrap(), None, "nothing lies below a file");
    storage.put("files/empty", Bytes::new()).await.unwrap();
    assert_eq!(storage.read("files/empty").await.unwrap(), "");
    storage.delete("files/hint").await.unwrap();
    assert!(!storage.exists("files/hint").await.unwrap());

    for path in ["/absolute", "..", "a/../b", ".", "a//b", "a/./b", "nul\0"] {
        let refused = storage.read(path).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput, "path {path:?} must be refused");
    }
}

async fn exclusive_creation(storage: &Storage) {
    assert_eq!(storage.put_new("new/one", Bytes::from_static(b"first")).await.unwrap(), PutOutcome::Created);
    assert_eq!(storage.put_new("new/one", Bytes::from_static(b"second")).await.unwrap(), PutOutcome::AlreadyExists);
    assert_eq!(storage.read("new/one").await.unwrap(), "first", "the loser changes nothing");
    for round in 0..8 {
        let path = format!("new/raced-{round}");
        let writers = (0..8).map(|writer| storage.put_new(&path, Bytes::from(format!("writer {writer}"))));
        let outcomes: Vec<PutOutcome> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
        let winners: Vec<usize> = (0..8).filter(|&writer| outcomes[writer] == PutOutcome::Created).collect();
        let [winner] = winners[..] else { panic!("expected one winner, found {winners:?}") };
        assert_eq!(storage.read(&path).await.unwrap(), format!("writer {winner}"));
    }
    let names: Vec<String> = storage.list("new").await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), 9, "nothing else is left behind: {names:?}");
}

async fn names_are_literal(storage: &Storage) {
    for name in HOSTILE_NAMES {
        let (path, bytes) = (format!("names/{name}/{name}"), Bytes::from(name));
        assert_eq!(storage.put_new(&path, bytes.clone()).await.unwrap(), PutOutcome::Created, "name {name:?}");
        assert_eq!(storage.read(&path).await.unwrap(), bytes, "name {name:?}");
        assert_eq!(storage.at("names").unwrap().at(name).unwrap().read(name).await.unwrap(), bytes, "name {name:?}");
        let listed = storage.list(&format!("names/{name}")).await.unwrap();
        assert_eq!((listed.len(), listed[0].name.as_str()), (1, name));
        assert_eq!((listed[0].is_dir, listed[0].size), (false, name.len() as u64));
        assert!(
            storage.url(&path).ends_with(&format!("/names/{name}/{name}")),
            "URLs are literal: {}",
            storage.url(&path)
        );
    }
    let mut expected: Vec<&str> = HOSTILE_NAMES.to_vec();
    expected.sort_unstable();
    let listed = storage.list("names").await.unwrap();
    assert!(listed.iter().all(|entry| entry.is_dir));
    assert_eq!(listed.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), expected);
}

async fn ranges(storage: &Storage) {
    let bytes: Bytes = (0..200_000_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>().into();
    storage.put("ranges/file", bytes.clone()).await.unwrap();
    let wanted = [500_000..500_010, 0..1, 799_990..800_000, 5..5, 3..9, 100_000..400_000, 4..6];
    let parts = storage.read_ranges("ranges/file", &wanted).await.unwrap();
    for (range, part) in wanted.iter().zip(&parts) {
        assert_eq!(*part, bytes[range.start as usize..range.end as usize], "range {range:?}");
    }
    assert!(storage.read_ranges("ranges/file", &[]).await.unwrap().is_empty());
    for outside in [799_999..800_001, 900_000..900_001, u64::MAX - 1..u64::MAX] {
        let error = storage.read_ranges("ranges/file", &[0..1, outside.clone()]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "range {outside:?}: {error}");
    }
    assert_eq!(storage.read_ranges("ranges/absent", &[0..1, 1..2]).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        storage.read_within("ranges/file", 799_999..900_000).await.unwrap(),
        bytes[799_999..],
        "the part that is there"
    );
    assert_eq!(storage.read_within("ranges/file", 900_000..900_001).await.unwrap_err().kind(), ErrorKind::CorruptData);
}

async fn folders(storage: &Storage) {
    storage.create_dir("folders/empty").await.unwrap();
    storage.create_dir("folders/empty").await.unwrap();
    assert!(storage.dir_exists("folders/empty").await.unwrap());
    assert!(!storage.dir_exists("folders/none").await.unwrap());
    assert!(storage.list("folders/empty").await.unwrap().is_empty());

    storage.put("folders/a/x/1", Bytes::from_static(b"1")).await.unwrap();
    storage.put("folders/a/2", Bytes::from_static(b"2")).await.unwrap();
    storage.put("folders/ab/3", Bytes::from_static(b"3")).await.unwrap();
    let error = storage.rename_dir("folders/a", "folders/ab").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "a rename replaces nothing");
    assert_eq!(storage.rename_dir("folders/none", "folders/b").await.unwrap_err().kind(), ErrorKind::NotFound);
    storage.rename_dir("folders/a", "folders/b").await.unwrap();
    assert!(!storage.dir_exists("folders/a").await.unwrap());
    assert_eq!(storage.read("folders/b/x/1").await.unwrap(), "1");
    storage.delete_dir("folders/b").await.unwrap();
    storage.delete_dir("folders/b").await.unwrap();
    let left: Vec<String> = storage.list("folders").await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(left, ["ab", "empty"]);
}

async fn writers(storage: &Storage) {
    for pieces in [0, 1, 3, 40] {
        let path = format!("writers/{pieces}");
        let piece = Bytes::from(vec![b'x'; 1 << 19]);
        let mut writer = storage.writer(&path).unwrap();
        for _ in 0..pieces {
            writer.write(piece.clone()).await.unwrap();
        }
        assert!(!storage.exists(&path).await.unwrap(), "a file appears when it is whole");
        let size = writer.finish().await.unwrap();
        assert_eq!(size, pieces << 19);
        assert_eq!(storage.size(&path).await.unwrap(), Some(size));
    }
    // Thousands of pieces, empty ones among them, and one of several parts.
    let mut writer = storage.writer("writers/uneven").unwrap();
    let mut expected = Vec::new();
    for number in 0..3_000_usize {
        let bytes = if number == 1_500 { 20 << 20 } else { number % 7 };
        let piece: Vec<u8> = (0..bytes).map(|at| (number + at / 255 + at) as u8).collect();
        expected.extend_from_slice(&piece);
        writer.write(piece.into()).await.unwrap();
        assert!(writer.memory() <= 40 << 20, "{} bytes are held", writer.memory());
    }
    assert_eq!(writer.finish().await.unwrap(), expected.len() as u64);
    assert!(storage.read("writers/uneven").await.unwrap() == expected);
    let mut aborted = storage.writer("writers/aborted").unwrap();
    aborted.write(Bytes::from(vec![0; 9 << 20])).await.unwrap();
    aborted.abort().await.unwrap();
    let mut dropped = storage.writer("writers/dropped").unwrap();
    dropped.write(Bytes::from(vec![0; 9 << 20])).await.unwrap();
    drop(dropped);
    let mut late = storage.writer("writers/1").unwrap();
    late.write(Bytes::from_static(b"y")).await.unwrap();
    assert_eq!(late.finish().await.unwrap_err().kind(), ErrorKind::AlreadyExists, "a data file is never replaced");
    let names: Vec<String> = storage.list("writers").await.unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["0", "1", "3", "40", "uneven"]);
}
