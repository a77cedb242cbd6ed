use paimon_spec::ErrorKind;
use proptest::prelude::*;

use super::*;
use crate::testing::{bytes, distant_table, local_table, write_blobs};

async fn open(table: &paimon_io::TableStore, reference: BlobReference<'_>) -> BlobStream {
    BlobStream::open(&BlobSource::of(table).unwrap(), reference, Trust::Data).await.unwrap()
}

#[tokio::test]
async fn opening_is_free_and_small_reads_share_a_request() {
    let (table, requests) = distant_table().await;
    let value = bytes(7, 3 << 20);
    let there = write_blobs(&table, "data-1.blob", &[Some(value.clone())]).await;
    let (mut stream, asked) = requests.requests_of(open(&table, there.get(0).unwrap())).await;
    assert_eq!(asked.count(), 0);
    let (_, asked) = requests
        .requests_of(async {
            assert_eq!(stream.read(16).await.unwrap(), value[..16]);
            assert_eq!(stream.read(4_080).await.unwrap(), value[16..4_096]);
            stream.seek(SeekFrom::Start(8)).await.unwrap();
            assert_eq!(stream.read(8).await.unwrap(), value[8..16]);
            assert_eq!(stream.seek(SeekFrom::End(0)).await.unwrap(), 3 << 20);
            assert_eq!(stream.read(1).await.unwrap(), b""[..]);
        })
        .await;
    assert_eq!((asked.count(), asked.bytes()), (1, 128 << 10));
    // A large read goes straight, and for what it wants.
    stream.seek(SeekFrom::Start(1 << 20)).await.unwrap();
    let (read, asked) = requests.requests_of(stream.read(2 << 20)).await;
    assert!(read.unwrap() == value[1 << 20..]);
    assert_eq!((asked.count(), asked.bytes()), (1, 2 << 20));
}

#[tokio::test]
async fn reads_that_follow_one_another_take_ever_fewer_requests() {
    let (table, requests) = distant_table().await;
    let value = bytes(7, 16 << 20);
    let there = write_blobs(&table, "data-1.blob", &[Some(value.clone())]).await;
    let mut stream = open(&table, there.get(0).unwrap()).await;
    let (_, asked) = requests
        .requests_of(async {
            for start in (0..16 << 20).step_by(32 << 10) {
                assert!(stream.read(32 << 10).await.unwrap() == value[start..start + (32 << 10)]);
            }
        })
        .await;
    assert!(asked.count() <= 9, "{} requests", asked.count());
    assert_eq!(asked.bytes(), 16 << 20);
}

#[tokio::test]
async fn a_whole_value_is_verified_and_a_part_cannot_be() {
    let (table, _folder) = local_table().await;
    let value = bytes(1, 40_000);
    let there = write_blobs(&table, "data-1.blob", &[Some(value.clone()), Some(bytes(2, 10))]).await;
    let mut file = table.storage().read("bucket-0/data-1.blob").await.unwrap().to_vec();
    file[30_000] ^= 1;
    // The last byte of the small value's payload.
    let end = file.len() - 12 - 5 - 6;
    file[end] ^= 1;
    table.storage().put("bucket-0/data-1.blob", file.into()).await.unwrap();
    let mut stream = open(&table, there.get(0).unwrap()).await;
    let error = stream.read_to_end().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    assert_eq!(error.context("file"), Some(table.storage().url("bucket-0/data-1.blob").as_str()));
    assert_eq!(stream.read(100).await.unwrap(), value[..100]);
    // Of a small blob every read is one of the whole.
    let error = open(&table, there.get(1).unwrap()).await.read(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}

#[tokio::test]
async fn a_whole_file_asks_for_its_size_once() {
    let (table, requests) = distant_table().await;
    table.storage().put("picture.png", bytes(1, 1_000).into()).await.unwrap();
    let url = table.storage().url("picture.png");
    let mut stream = open(&table, BlobReference { url: &url, position: 100, size: None }).await;
    let (_, asked) = requests
        .requests_of(async {
            assert_eq!(stream.size().await.unwrap(), 900);
            assert_eq!(stream.seek(SeekFrom::End(-10)).await.unwrap(), 890);
            assert_eq!(stream.read_to_end().await.unwrap(), bytes(1, 1_000)[990..]);
        })
        .await;
    assert_eq!((asked.heads(), asked.count()), (1, 2));
}

#[tokio::test]
async fn what_cannot_be_read_is_told() {
    let (table, _folder) = local_table().await;
    table.storage().put("picture.png", bytes(1, 1_000).into()).await.unwrap();
    let (url, absent) = (table.storage().url("picture.png"), table.storage().url("absent.png"));
    let reference = BlobReference { url: &url, position: 900, size: Some(200) };
    let error = open(&table, reference).await.read(150).await.unwrap_err();
    assert_eq!((error.kind(), error.context("file")), (ErrorKind::CorruptData, Some(url.as_str())));
    let error =
        open(&table, BlobReference { position: 1_001, size: None, ..reference }).await.size().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
    let source = BlobSource::anywhere(Default::default(), table.context().clone());
    let reference = BlobReference { url: &absent, position: 0, size: None };
    let error = BlobStream::open(&source, reference, Trust::Caller).await.unwrap().read(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let refused = BlobStream::open(&source, reference, Trust::Data).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    let mut stream = open(&table, BlobReference { url: &url, position: 0, size: Some(10) }).await;
    assert_eq!(stream.seek(SeekFrom::Current(-1)).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(stream.position(), 0);
}

/// One call of a stream.
#[derive(Debug, Clone)]
enum Step {
    Read(u64),
    Start(u64),
    Current(i64),
    End(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u64..60_000).prop_map(Step::Read),
        1 => (0u64..120_000).prop_map(Step::Start),
        1 => (-60_000i64..60_000).prop_map(Step::Current),
        1 => (-100_000i64..10).prop_map(Step::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_steps_are_those_of_a_cursor_over_the_bytes(size in 0usize..100_000, steps in proptest::collection::vec(step(), 0..30), is_local: bool) {
        use std::io::{Cursor, Read, Seek};
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let local = local_table().await;
            let table = if is_local { local.0.clone() } else { distant_table().await.0 };
            let value = bytes(3, size);
            let there = write_blobs(&table, "data-1.blob", &[Some(bytes(1, 99)), Some(value.clone()), None]).await;
            let mut stream = open(&table, there.get(1).unwrap()).await;
            let mut model = Cursor::new(value);
            for step in steps {
                let to = match step {
                    Step::Read(most) => {
                        let mut expected = Vec::new();
                        model.by_ref().take(most).read_to_end(&mut expected).unwrap();
                        assert!(stream.read(most).await.unwrap() == expected);
                        // A read after the end moves nothing; a cursor may stand there.
                        continue;
                    }
                    Step::Start(to) => SeekFrom::Start(to),
                    Step::Current(by) => SeekFrom::Current(by),
                    Step::End(by) => SeekFrom::End(by),
                };
                assert_eq!(stream.seek(to).await.ok(), model.seek(to).ok());
            }
            assert_eq!(stream.position(), model.position());
        });
    }
}
