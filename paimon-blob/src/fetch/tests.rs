use arrow::array::{Array, LargeBinaryArray};
use futures::TryStreamExt;
use paimon_io::{
    Storage,
    testkit::{self, FaultyStore, Operation},
};
use paimon_spec::ErrorKind;
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::{
    BlobReference,
    testing::{bytes, chained, distant_table, local_table, references, table_at, write_blobs},
};

type Blobs = Vec<Option<Vec<u8>>>;

async fn fetch_all(
    table: &TableStore,
    references: &BlobReferences,
    limits: FetchLimits,
) -> Result<Vec<LargeBinaryArray>> {
    fetch(&BlobSource::of(table)?, references.clone(), Trust::Data, limits).try_collect().await
}

async fn fetched(table: &TableStore, references: &BlobReferences) -> Result<Blobs> {
    Ok(blobs(&fetch_all(table, references, FetchLimits::default()).await?))
}

fn blobs(batches: &[LargeBinaryArray]) -> Blobs {
    batches.iter().flat_map(|batch| batch.iter().map(|blob| blob.map(<[u8]>::to_vec))).collect()
}

fn pick(references: &BlobReferences, rows: &[usize]) -> BlobReferences {
    rows.iter().map(|&row| references.get(row)).collect()
}

#[tokio::test]
async fn null_and_empty_are_told_apart_and_order_is_kept() {
    let (table, _folder) = local_table().await;
    let first: Blobs = vec![Some(b"hello".to_vec()), None, Some(vec![]), Some(bytes(1, 70_000))];
    let second: Blobs = vec![Some(b"wor".to_vec())];
    let there =
        chained(&write_blobs(&table, "data-1.blob", &first).await, &write_blobs(&table, "data-2.blob", &second).await);
    let rows = [4, 0, 2, 3, 1, 0, 3];
    let all: Blobs = first.into_iter().chain(second).collect();
    let expected: Blobs = rows.iter().map(|&row| all[row].clone()).collect();
    assert_eq!(fetched(&table, &pick(&there, &rows)).await.unwrap(), expected);
    assert_eq!(fetched(&table, &pick(&there, &[])).await.unwrap(), Blobs::new());
    assert_eq!(fetched(&table, &pick(&there, &[1, 1])).await.unwrap(), vec![None, None]);
}

#[tokio::test]
async fn one_in_ten_blobs_costs_hardly_more_than_their_bytes() {
    let (table, requests) = distant_table().await;
    let values: Blobs = (0..400).map(|row| Some(bytes(row, 5_000 + row))).collect();
    let all = write_blobs(&table, "data-1.blob", &values).await;
    let rows: Vec<usize> = (0..400).step_by(10).collect();
    let needed: u64 = rows.iter().map(|&row| values[row].as_ref().unwrap().len() as u64).sum();
    let limits = FetchLimits { gap: 1 << 10, ..FetchLimits::default() };
    let (found, asked) = requests.requests_of(fetch_all(&table, &pick(&all, &rows), limits)).await;
    assert_eq!(blobs(&found.unwrap()), rows.iter().map(|&row| values[row].clone()).collect::<Blobs>());
    // The values with their frames; the size and the index of the file; nothing between the values.
    let payload: u64 =
        asked.calls.iter().filter_map(|call| call.range.clone()).map(|range| range.end - range.start).sum();
    assert!(payload * 100 <= needed * 115 + (64 << 10) * 100, "{payload} bytes asked for {needed}");
    assert_eq!((asked.heads(), asked.count()), (1, 1 + 1 + rows.len()));
    // All at once, after the file's size and its index.
    assert_eq!(asked.rounds, 3);
}

#[rstest]
#[case::far_apart(100, 40)]
#[case::near(100_000, 1)]
#[tokio::test]
async fn near_blobs_share_a_request(#[case] gap: u64, #[case] expected: usize) {
    let (table, requests) = distant_table().await;
    let values: Blobs = (0..400).map(|row| Some(bytes(row, 1_000))).collect();
    let all = write_blobs(&table, "data-1.blob", &values).await;
    fetched(&table, &pick(&all, &[0])).await.unwrap();
    // Backwards and with each twice: what is asked for does not depend on the order.
    let rows: Vec<usize> = (0..400).step_by(10).rev().flat_map(|row| [row, row]).collect();
    let limits = FetchLimits { gap, ..FetchLimits::default() };
    let (found, asked) = requests.requests_of(fetch_all(&table, &pick(&all, &rows), limits)).await;
    assert_eq!(blobs(&found.unwrap()), rows.iter().map(|&row| values[row].clone()).collect::<Blobs>());
    assert_eq!((asked.count(), asked.rounds), (expected, 1));
}

#[tokio::test]
async fn no_more_than_so_many_requests_run_at_one_time() {
    let (table, requests) = distant_table().await;
    let values: Blobs = (0..30).map(|row| Some(bytes(row, 100))).collect();
    let all = write_blobs(&table, "data-1.blob", &values).await;
    fetched(&table, &pick(&all, &[0])).await.unwrap();
    for (in_flight, rounds) in [(0, 30), (1, 30), (10, 3), (64, 1)] {
        let limits = FetchLimits { gap: 0, in_flight, ..FetchLimits::default() };
        let rows: Vec<usize> = (0..30).collect();
        // Each blob is followed by the trailer of its record and the head of the next: neighbours, but for a gap of none.
        let apart = pick(&all, &rows.into_iter().step_by(1).collect::<Vec<_>>());
        let apart: BlobReferences = apart
            .iter()
            .map(|blob| blob.map(|blob| BlobReference { position: blob.position + 1, size: Some(50), ..blob }))
            .collect();
        let (found, asked) = requests.requests_of(fetch_all(&table, &apart, limits)).await;
        assert_eq!(blobs(&found.unwrap()).len(), 30);
        assert_eq!(asked.rounds, rounds, "{in_flight} in flight");
    }
}

#[tokio::test]
async fn batches_keep_to_their_bytes_and_are_read_when_they_are_asked_for() {
    let (table, requests) = distant_table().await;
    let values: Blobs = [400, 500, 200, 3_000, 0, 100, 900].map(|len| Some(bytes(len, len))).to_vec();
    let all = write_blobs(&table, "data-1.blob", &values).await;
    let limits = FetchLimits { bytes: 1_000, ..FetchLimits::default() };
    let source = BlobSource::of(&table).unwrap();
    let mut batches = fetch(&source, all.clone(), Trust::Data, limits);
    let (first, asked) = requests.requests_of(batches.try_next()).await;
    let first = first.unwrap().unwrap();
    assert_eq!((first.len(), first.value_data().len()), (2, 900));
    // The size and the index of the file, and the first two blobs.
    assert_eq!(asked.count(), 3);
    assert!(asked.calls[2].range.clone().unwrap().end <= 1_000);
    let rest: Vec<LargeBinaryArray> = batches.try_collect().await.unwrap();
    let sizes: Vec<usize> = rest.iter().map(|batch| batch.value_data().len()).collect();
    assert_eq!(sizes, [200, 3_000, 1_000]);
    assert_eq!(blobs(&rest), values[2..]);
}

#[tokio::test]
async fn a_large_blob_comes_in_several_requests_at_once_and_is_verified() {
    let (table, requests) = distant_table().await;
    let values: Blobs = vec![Some(bytes(1, 20 << 20)), Some(bytes(2, 10))];
    let all = write_blobs(&table, "data-1.blob", &values).await;
    let twice = pick(&all, &[0, 1, 0]);
    let (found, asked) = requests.requests_of(fetched(&table, &twice)).await;
    assert!(found.unwrap() == [values[0].clone(), values[1].clone(), values[0].clone()]);
    assert_eq!((asked.count(), asked.rounds), (2 + 3, 3));
    assert!(asked.bytes() < (20 << 20) + (128 << 10));

    let mut file = table.storage().read("bucket-0/data-1.blob").await.unwrap().to_vec();
    file[15 << 20] ^= 1;
    let (damaged, _folder) = local_table().await;
    damaged.storage().put("bucket-0/data-1.blob", file.into()).await.unwrap();
    let url = damaged.storage().url("bucket-0/data-1.blob");
    let there: BlobReferences = twice.iter().map(|blob| blob.map(|blob| BlobReference { url: &url, ..blob })).collect();
    let error = fetched(&damaged, &there).await.unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
}

#[tokio::test]
async fn what_has_no_size_is_read_to_the_end_and_its_size_asked_once() {
    let (table, requests) = distant_table().await;
    table.storage().put("picture.png", bytes(1, 1_000).into()).await.unwrap();
    table.storage().put("empty", bytes(1, 0).into()).await.unwrap();
    let (picture, empty) = (table.storage().url("picture.png"), table.storage().url("empty"));
    let blob = |url, position, size| Some(BlobReference { url, position, size });
    let there: BlobReferences =
        [blob(&picture, 0, None), blob(&picture, 900, None), None, blob(&empty, 0, None), blob(&picture, 10, Some(5))]
            .into_iter()
            .collect();
    let (found, asked) = requests.requests_of(fetched(&table, &there)).await;
    let whole = bytes(1, 1_000);
    let expected = [Some(whole.clone()), Some(whole[900..].to_vec()), None, Some(vec![]), Some(whole[10..15].to_vec())];
    assert_eq!(found.unwrap(), expected);
    assert_eq!(asked.heads(), 2);
}

#[rstest]
#[case::beyond_the_end("picture.png", 990, Some(20), "990")]
#[case::from_beyond_the_end("picture.png", 1_001, None, "1001")]
#[case::more_than_there_is_memory("picture.png", 0, Some(1 << 60), "1152921504606846976")]
#[case::beyond_any_end("picture.png", u64::MAX >> 1, Some(u64::MAX >> 1), "9223372036854775807")]
#[case::between_two_values("bucket-0/data-1.blob", 8, Some(10), "no value")]
#[case::the_head_of_a_record("bucket-0/data-1.blob", 0, Some(5), "no value")]
#[case::the_index("bucket-0/data-1.blob", 90, Some(1), "no value")]
#[case::the_whole_file("bucket-0/data-1.blob", 0, None, "no value")]
#[tokio::test]
async fn ranges_that_an_object_has_not_are_refused(
    #[case] path: &str,
    #[case] position: u64,
    #[case] size: Option<u64>,
    #[case] text: &str,
    #[values(true, false)] is_local: bool,
) {
    let local = local_table().await;
    let table = if is_local { local.0.clone() } else { distant_table().await.0 };
    write_blobs(&table, "data-1.blob", &[Some(bytes(0, 10)), Some(bytes(1, 10))]).await;
    table.storage().put("picture.png", bytes(1, 1_000).into()).await.unwrap();
    let url = table.storage().url(path);
    let there: BlobReferences = [None, Some(BlobReference { url: &url, position, size })].into_iter().collect();
    let error = fetched(&table, &there).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
    assert!(error.message().contains(text), "{error}");
    assert_eq!((error.context("row"), error.context("file")), (Some("1"), Some(url.as_str())));
}

#[tokio::test]
async fn a_part_of_a_value_is_read_without_its_frame() {
    let (table, requests) = distant_table().await;
    let all = write_blobs(&table, "data-1.blob", &[Some(bytes(0, 100)), Some(bytes(1, 100))]).await;
    let part: BlobReferences =
        [all.get(1).map(|blob| BlobReference { position: blob.position + 10, size: Some(20), ..blob })]
            .into_iter()
            .collect();
    let (found, asked) = requests.requests_of(fetched(&table, &part)).await;
    assert_eq!(found.unwrap(), [Some(bytes(1, 100)[10..30].to_vec())]);
    assert_eq!(asked.calls.last().unwrap().range, Some(130..150));
}

#[tokio::test]
async fn what_is_missing_or_refused_names_its_row() {
    let (table, _folder) = local_table().await;
    let url = table.storage().url("bucket-0/absent.blob");
    let error = fetched(&table, &references(&url, &[None, None, Some(4..5)])).await.unwrap_err();
    assert_eq!((error.kind(), error.context("row")), (ErrorKind::NotFound, Some("2")));
    assert_eq!(error.context("file"), Some(url.as_str()));
    let error = fetched(&table, &references("file:///etc/passwd", &[None, Some(0..1)])).await.unwrap_err();
    assert_eq!((error.kind(), error.context("row")), (ErrorKind::PermissionDenied, Some("1")));
}

#[tokio::test]
async fn a_fault_of_the_storage_is_told_and_another_try_succeeds() {
    let (distant, inner) = testkit::distant_folder(&testkit::context());
    drop(distant);
    let faulty = FaultyStore::new(inner);
    let table = table_at(Storage::from_store(faulty.clone(), "test://faulty", &testkit::context()), &[]).await;
    let values: Blobs = (0..3).map(|row| Some(bytes(row, 5 << 20))).collect();
    let all = write_blobs(&table, "data-1.blob", &values).await;
    let mut failures = 0;
    // The size, the index, and then each of the requests fails, one after the other.
    for failing in 0..5 {
        // Whose cache knows nothing yet.
        let context = testkit::context();
        let storage = Storage::from_store(faulty.clone(), "test://faulty", &context);
        let committer = Arc::new(paimon_io::FileSnapshotCommit);
        let table = TableStore::new(storage, Arc::clone(table.schema()), None, committer, context).unwrap();
        let mut seen = 0;
        faulty.fail_before(move |call| {
            seen += usize::from(matches!(call.operation, Operation::Get | Operation::Head));
            seen == failing + 1
        });
        match fetched(&table, &all).await {
            Ok(found) => assert!(found == values),
            Err(error) => {
                failures += 1;
                assert!(error.is_retryable(), "{error}");
                assert!(error.context("row").is_some() && error.context("file").is_some(), "{error}");
            }
        }
        faulty.heal();
        assert!(fetched(&table, &all).await.unwrap() == values);
    }
    assert!(failures >= 4, "{failures}");
}

#[tokio::test]
async fn whoever_stops_leaves_the_rest_unread() {
    let (table, requests) = distant_table().await;
    let values: Blobs = (0..10).map(|row| Some(bytes(row, 1_000))).collect();
    let all = write_blobs(&table, "data-1.blob", &values).await;
    let limits = FetchLimits { bytes: 1_000, ..FetchLimits::default() };
    let source = BlobSource::of(&table).unwrap();
    let (_, asked) = requests
        .requests_of(async {
            let mut batches = fetch(&source, all, Trust::Data, limits);
            batches.try_next().await.unwrap();
            drop(batches);
        })
        .await;
    assert_eq!(asked.count(), 3);
}

#[rstest]
#[case::local(true)]
#[case::distant(false)]
#[tokio::test]
async fn no_flipped_bit_of_a_value_goes_unseen(#[case] is_local: bool) {
    let local = local_table().await;
    let table = if is_local { local.0.clone() } else { distant_table().await.0 };
    let values: Blobs = vec![Some(b"hello".to_vec()), Some(vec![]), Some(b"wor".to_vec())];
    let all = write_blobs(&table, "data-1.blob", &values).await;
    let file = table.storage().read("bucket-0/data-1.blob").await.unwrap();
    for bit in 0..file.len() * 8 {
        let mut damaged = file.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let name = format!("bucket-0/damaged-{bit}.blob");
        table.storage().put(&name, damaged.into()).await.unwrap();
        let url = table.storage().url(&name);
        let there: BlobReferences =
            all.iter().map(|blob| blob.map(|blob| BlobReference { url: &url, ..blob })).collect();
        match fetched(&table, &there).await {
            Ok(found) => assert_eq!(found, values, "bit {bit}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::CorruptData, "bit {bit}: {error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_references_give_what_lies_there(
        sizes in proptest::collection::vec(proptest::option::weighted(0.9, 0usize..300), 1..30),
        wanted in proptest::collection::vec((0usize..60, 0u64..300, 0u64..300, any::<bool>()), 0..40),
        gap in 0u64..500, bytes_of_a_batch in 1u64..2_000, in_flight in 1usize..5, is_local: bool,
    ) {
        let values: Blobs = sizes.iter().enumerate().map(|(row, size)| size.map(|size| bytes(row, size))).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let local = local_table().await;
            let table = if is_local { local.0.clone() } else { distant_table().await.0 };
            // The same values in two files of the table, and as bare bytes elsewhere in it.
            let first = write_blobs(&table, "data-1.blob", &values).await;
            let all = chained(&first, &write_blobs(&table, "data-2.blob", &values).await);
            let mut expected = Blobs::new();
            let mut references = Vec::new();
            for (row, from, length, whole) in wanted {
                let row = row % all.len();
                let (blob, value) = (all.get(row), &values[row % values.len()]);
                let (Some(blob), Some(value)) = (blob, value) else {
                    references.push(None);
                    expected.push(None);
                    continue;
                };
                let size = value.len() as u64;
                let (from, length) = if whole { (0, size) } else { (from.min(size), length.min(size - from.min(size))) };
                references.push(Some(BlobReference { position: blob.position + from, size: Some(length), ..blob }));
                expected.push(Some(value[from as usize..(from + length) as usize].to_vec()));
            }
            let limits = FetchLimits { in_flight, bytes: bytes_of_a_batch, gap };
            let batches = fetch_all(&table, &references.into_iter().collect(), limits).await.unwrap();
            assert!(batches.iter().all(|batch| batch.len() <= 1 || batch.value_data().len() as u64 <= bytes_of_a_batch));
            assert_eq!(blobs(&batches), expected);
        });
    }
}
