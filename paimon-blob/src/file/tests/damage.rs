//! Damaged and hostile files: an error, or the same rows.

use super::*;

/// The values behind the descriptors, with their records verified as whoever fetches them does.
async fn fetched(store: &TableStore, file: &DataFileMeta) -> Result<Vec<Row>> {
    let found = descriptors(store, file, &all(store)).await?;
    let open = store.rows_left_open("bucket-0", file).await?;
    let bytes = bytes_of(store, file).await;
    let path = format!("bucket-0/{}", file.file_name);
    let index = super::super::BlobIndex::load(store.context(), store.storage(), &path, None).await?;
    let mut rows = Vec::new();
    for (row, descriptor) in (0_u64..).zip(found) {
        rows.push(match descriptor {
            Some(descriptor) => {
                let BlobDescriptor { offset, length, .. } = BlobDescriptor::decode(&descriptor)?;
                let record = index.find(offset, length.unwrap()).unwrap();
                Row::Value(check_record(&bytes.slice(record.start as usize..record.end as usize))?.to_vec())
            }
            None if open.contains(row) => Row::LeftOpen,
            None => Row::Null,
        });
    }
    Ok(rows)
}

/// The index has no checksum, and a row without a value nothing else: of a run of such rows at the end of the file, NULL
/// and left open may be taken for one another.
fn without_states(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|row| if *row == Row::LeftOpen { Row::Null } else { row.clone() }).collect()
}

#[tokio::test]
async fn every_flipped_bit_is_an_error_or_changes_no_value() {
    let store = table("BLOB").await;
    let rows = [value("hello"), Row::Null, value(""), Row::LeftOpen, Row::Value(vec![3; 300]), Row::Null, Row::Null];
    let whole = write_rows(&store, "data-whole-0.blob", &rows).await;
    let bytes = bytes_of(&store, &whole).await;
    let mut refused = 0;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let file = put(&store, &format!("data-{bit}-0.blob"), damaged.into(), rows.len() as i64).await;
        match fetched(&store, &file).await {
            Ok(found) => assert_eq!(without_states(&found), without_states(&rows), "bit {bit}"),
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::CorruptData | ErrorKind::Unsupported), "bit {bit}: {error}");
                refused += 1;
            }
        }
    }
    // All but the few that make one of the last two NULLs a row that is left open.
    assert!(refused + 4 > bytes.len() * 8, "{refused} of {}", bytes.len() * 8);
}

#[tokio::test]
async fn every_flipped_bit_of_arrays_and_maps_is_an_error_or_changes_nothing() {
    let rows = [Some(vec![Some(b"x".to_vec()), None, Some(vec![7; 40])]), None, Some(vec![])];
    let store = table("ARRAY<BLOB>").await;
    let whole = write_column(&store, "data-whole-0.blob", nested::arrays(&rows)).await.unwrap();
    let bytes = bytes_of(&store, &whole).await;
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let file = put(&store, &format!("data-{bit}-0.blob"), damaged.into(), 3).await;
        assert!(read(&store, &file, &all(&store)).await.is_err(), "bit {bit}");
    }
}

#[tokio::test]
async fn every_cut_and_every_wrong_size_is_an_error() {
    let store = table("BLOB").await;
    let bytes = unhex(VALUES);
    for len in 0..bytes.len() {
        let file = put(&store, &format!("data-{len}-0.blob"), bytes.slice(..len), 3).await;
        let error = read(&store, &file, &all(&store)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{len} bytes: {error}");
        assert!(error.context("file").is_some(), "{error}");
    }
    for (name, size, rows) in
        [("a.blob", -1, 0), ("b.blob", -2, 0), ("c.blob", 3, 0), ("d.blob", 0, 1), ("e.blob", 0, -1)]
    {
        let file = put(&store, name, bytes.clone(), 3).await;
        let file = DataFileMeta { file_size: file.file_size + size, row_count: file.row_count + rows, ..file };
        let error = read(&store, &file, &all(&store)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "{name}: {error}");
    }
    // Also when the index is known already.
    let file = put(&store, "known.blob", bytes.clone(), 3).await;
    read(&store, &file, &all(&store)).await.unwrap();
    let other = DataFileMeta { file_size: file.file_size + 1, ..file.clone() };
    assert_eq!(read(&store, &other, &all(&store)).await.unwrap_err().kind(), ErrorKind::CorruptData);
    let other = DataFileMeta { row_count: 4, ..file };
    assert_eq!(read(&store, &other, &all(&store)).await.unwrap_err().kind(), ErrorKind::CorruptData);
}

#[rstest]
#[case::an_index_of_two_gibibytes("ffffff7f01", "at most 0 bytes")]
#[case::a_negative_index("ffffffff01", "found one of -1")]
#[case::version_zero("0000000000", "version 1, found 0")]
#[case::version_two("0000000002", "version 1, found 2")]
#[case::a_record_without_bytes("20 01000000 01", "16 to 0 bytes in row 0, found 16")]
#[case::a_record_of_an_exabyte("feffffffffffffff7f 09000000 01", "in row 0")]
#[case::a_length_of_minus_three("05 01000000 01", "found -3")]
#[case::a_short_record("cf114e58 000000 0e 01000000 01", "in row 0, found 7")]
#[case::half_a_length("80 01000000 01", "ends within a length")]
#[case::bytes_of_nothing("cf 00000000 01", "expected records of 1 bytes")]
#[tokio::test]
async fn indexes_that_lie_are_told(#[case] text: &str, #[case] expected: &str) {
    let store = table("BLOB").await;
    let file = put(&store, "data-1-0.blob", unhex(text), 1).await;
    let error = read(&store, &file, &all(&store)).await.unwrap_err();
    assert!(error.to_string().contains(expected), "{error}");
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}

#[tokio::test]
async fn rows_that_a_manifest_makes_up_take_no_memory() {
    let store = table("BLOB").await;
    let file = put(&store, "data-1-0.blob", unhex(VALUES), 3).await;
    let file = DataFileMeta { row_count: i64::MAX, ..file };
    let error = read(&store, &file, &all(&store)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
}

#[tokio::test]
async fn an_array_of_millions_of_empty_blobs_is_refused() {
    let store = table("ARRAY<BLOB>").await;
    let count = 8_usize << 20;
    let mut payload = super::super::nested::Kind::Array.head(count as i32).to_vec();
    payload.resize(payload.len() + count, 0);
    payload.extend((count as i32).to_le_bytes());
    let mut bytes = [&super::super::record::MAGIC[..], &payload, &(payload.len() as u64 + 16).to_le_bytes()].concat();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    let mut index = super::super::varint::LengthsEncoder::default();
    index.push(bytes.len() as i64);
    bytes.extend_from_slice(index.bytes());
    bytes.extend((index.bytes().len() as u32).to_le_bytes());
    bytes.push(1);
    let file = put(&store, "data-1-0.blob", bytes.into(), 1).await;
    let error = read(&store, &file, &all(&store)).await.unwrap_err();
    assert!(error.to_string().contains("BATCH_BYTES"), "{error}");
}

proptest! {
    #[test]
    fn any_bytes_are_an_error_or_a_file(bytes in proptest::collection::vec(any::<u8>(), 0..80), rows in 0_i64..5) {
        block(async {
            let store = table("BLOB").await;
            let mut bytes = bytes;
            bytes.extend([(rows as u8), 0, 0, 0, 1]);
            let file = put(&store, "data-1-0.blob", bytes.into(), rows).await;
            if let Ok(found) = read(&store, &file, &all(&store)).await {
                assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), rows as usize);
            }
        });
    }
}
