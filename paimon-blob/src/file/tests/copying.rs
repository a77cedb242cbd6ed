//! Values that are written by reference.

use super::*;

/// URL, position and size.
type Reference<'a> = (&'a str, Option<i64>, Option<i64>);

/// A column of references as `daft.File` values are.
fn files(rows: &[Option<Reference<'_>>]) -> ArrayRef {
    let urls = LargeStringArray::from_iter(rows.iter().map(|row| row.map(|(url, ..)| url)));
    let positions = Int64Array::from_iter(rows.iter().map(|row| row.and_then(|(_, position, _)| position)));
    let sizes = Int64Array::from_iter(rows.iter().map(|row| row.and_then(|(.., size)| size)));
    let fields = Fields::from(vec![
        Field::new("url", ArrowType::LargeUtf8, true),
        Field::new("position", ArrowType::Int64, true),
        Field::new("size", ArrowType::Int64, true),
    ]);
    let nulls = rows.iter().map(Option::is_some).collect();
    Arc::new(StructArray::new(fields, vec![Arc::new(urls), Arc::new(positions), Arc::new(sizes)], Some(nulls)))
}

/// Bytes that tell where they are from.
fn content(size: usize) -> Bytes {
    (0..size).map(|at| (at / 251 + at % 251) as u8).collect::<Vec<_>>().into()
}

/// A table, and an object of `size` bytes beside it at `memory://blobs/other/object`.
async fn table_and_object(size: usize, options: &[(&str, &str)]) -> (TableStore, Bytes) {
    let context = register(testkit::context());
    let storage = Storage::open("memory://blobs/table", &Default::default(), &context).unwrap();
    let store = table_at(storage, context, "BLOB", options).await;
    let object = content(size);
    let other = Storage::open("memory://blobs/other", &Default::default(), store.context()).unwrap();
    other.put("object", object.clone()).await.unwrap();
    (store, object)
}

const OBJECT: &str = "memory://blobs/other/object";
const LARGE: usize = 5 << 20;

async fn written(store: &TableStore, column: ArrayRef) -> Vec<Option<Vec<u8>>> {
    let file = write_column(store, "data-1-0.blob", column).await.unwrap();
    let bytes = bytes_of(store, &file).await;
    let url = store.data_file_url("bucket-0", &file).unwrap();
    let found = descriptors(store, &file, &all(store)).await.unwrap();
    found.iter().map(|d| d.as_ref().map(|d| pointed_at(&bytes, &url, d))).collect()
}

#[tokio::test]
async fn objects_are_copied_whole_and_by_range_and_null_stays_null() {
    let (store, object) = table_and_object(LARGE, &[]).await;
    let rows = [
        (None, None),
        (Some(0), Some(LARGE as i64)),
        (Some(3), Some(2 << 20)),
        (Some(7), None),
        (Some(LARGE as i64), None),
        (Some(9), Some(0)),
        (Some(1), Some(1 << 20)),
    ];
    let mut references: Vec<_> = rows.iter().map(|(position, size)| Some((OBJECT, *position, *size))).collect();
    references.push(None);
    let found = written(&store, files(&references)).await;
    for ((position, size), found) in rows.iter().zip(&found) {
        let start = position.unwrap_or(0) as usize;
        let end = size.map_or(LARGE, |size| start + size as usize);
        assert!(found.as_deref() == Some(&object[start..end]), "{start}..{end}");
    }
    assert_eq!(found[rows.len()], None);
}

#[tokio::test]
async fn bytes_that_are_a_descriptor_are_read_from_where_they_point() {
    let (store, object) = table_and_object(100, &[]).await;
    let source = write_rows(&store, "data-source-0.blob", &[Row::Value(object.to_vec()), value("b")]).await;
    let mut values = descriptors(&store, &source, &all(&store)).await.unwrap();
    values.push(Some(b"\x02CSEDBOL".to_vec()));
    let found = written(&store, Arc::new(LargeBinaryArray::from_iter(values))).await;
    assert_eq!(found, [Some(object.to_vec()), Some(b"b".to_vec()), Some(b"\x02CSEDBOL".to_vec())]);
}

#[tokio::test]
async fn elements_are_copied_as_values_are() {
    let context = register(testkit::context());
    let storage = Storage::open("memory://blobs/table", &Default::default(), &context).unwrap();
    let store = table_at(storage, context, "ARRAY<BLOB>", &[]).await;
    let other = Storage::open("memory://blobs/other", &Default::default(), store.context()).unwrap();
    other.put("object", content(LARGE)).await.unwrap();
    let items = files(&[Some((OBJECT, None, None)), None, Some((OBJECT, Some(1), Some(2)))]);
    let field = Arc::new(Field::new("item", items.data_type().clone(), true));
    // The first entry is none of any row, and the NULL row has one that is not to be read.
    let nulls = Some(vec![true, false, true].into());
    let offsets = OffsetBuffer::new(vec![0, 1, 2, 3].into());
    let arrays: ArrayRef = Arc::new(ListArray::new(field, offsets, items, nulls));
    let file = write_column(&store, "data-1-0.blob", arrays).await.unwrap();
    let batches = read(&store, &file, &all(&store)).await.unwrap();
    let (found, bytes) = (batches[0].column(0).as_list::<i32>(), bytes_of(&store, &file).await);
    let url = store.data_file_url("bucket-0", &file).unwrap();
    assert!(found.is_null(1));
    let blobs = found.values().as_binary::<i64>();
    assert!(pointed_at(&bytes, &url, blobs.value(0)) == content(LARGE));
    assert_eq!(pointed_at(&bytes, &url, blobs.value(1)), content(3)[1..]);
}

#[rstest]
#[case::within_one_piece(100_000)]
#[case::in_several_pieces(LARGE)]
#[tokio::test]
async fn a_copied_value_of_a_blob_file_is_verified(#[case] size: usize) {
    let (store, _) = table_and_object(1, &[]).await;
    let source = write_rows(&store, "data-source-0.blob", &[Row::Null, Row::Value(content(size).to_vec())]).await;
    let values = descriptors(&store, &source, &all(&store)).await.unwrap();
    let column: ArrayRef = Arc::new(LargeBinaryArray::from_iter(&values));
    assert!(written(&store, Arc::clone(&column)).await[1].as_deref() == Some(&content(size)[..]));

    for at in [0, 4, size / 2, size + 3, size + 12, size + 15] {
        let mut bytes = bytes_of(&store, &source).await.to_vec();
        bytes[at] ^= 1;
        store.storage().put("bucket-0/data-source-0.blob", bytes.into()).await.unwrap();
        let error = write_column(&store, &format!("data-{at}-0.blob"), Arc::clone(&column)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CorruptData, "byte {at}: {error}");
        assert_eq!((error.context("column"), error.context("row")), (Some("blob"), Some("1")));
        assert!(error.to_string().contains("data-source-0.blob"), "{error}");
        let mut bytes = bytes_of(&store, &source).await.to_vec();
        bytes[at] ^= 1;
        store.storage().put("bucket-0/data-source-0.blob", bytes.into()).await.unwrap();
    }
}

#[rstest]
#[case::a_part_of_a_value(5, Some(3), true)]
#[case::the_magic(0, Some(4), false)]
#[case::two_values(4, Some(30), false)]
#[case::the_index(26, Some(3), false)]
#[case::all_from_a_value_on(4, None, false)]
#[tokio::test]
async fn of_the_tables_own_blob_files_only_values_and_their_parts_are_copied(
    #[case] offset: u64,
    #[case] length: Option<u64>,
    #[case] is_copied: bool,
) {
    let store = table("BLOB").await;
    let source = put(&store, "data-source-0.blob", unhex(VALUES), 3).await;
    let uri = store.data_file_url("bucket-0", &source).unwrap();
    let values = LargeBinaryArray::from_iter_values([BlobDescriptor { uri: &uri, offset, length }.encode()]);
    match write_column(&store, "data-1-0.blob", Arc::new(values)).await {
        Ok(_) => assert!(is_copied),
        Err(error) => assert_eq!((error.kind(), is_copied), (ErrorKind::CorruptData, false), "{error}"),
    }
}

#[tokio::test]
async fn files_elsewhere_that_are_only_named_blob_are_copied_as_they_are() {
    let (store, object) = table_and_object(100, &[]).await;
    let other = Storage::open("memory://blobs/other", &Default::default(), store.context()).unwrap();
    other.put("picture.blob", object.clone()).await.unwrap();
    let url = "memory://blobs/other/picture.blob";
    let found = written(&store, files(&[Some((url, Some(10), Some(20))), Some((url, None, None))])).await;
    assert_eq!(found, [Some(object[10..30].to_vec()), Some(object.to_vec())]);
}

#[rstest]
#[case::missing("memory://blobs/other/absent", None, None, ErrorKind::NotFound)]
#[case::missing_and_of_no_bytes("memory://blobs/other/absent", Some(0), Some(0), ErrorKind::NotFound)]
#[case::missing_part("memory://blobs/other/absent", Some(0), Some(3), ErrorKind::NotFound)]
#[case::beyond_the_end(OBJECT, Some(90), Some(11), ErrorKind::CorruptData)]
#[case::from_beyond_the_end(OBJECT, Some(101), None, ErrorKind::CorruptData)]
#[case::from_far_beyond_the_end(OBJECT, Some(i64::MAX), Some(i64::MAX), ErrorKind::CorruptData)]
#[case::no_storage("ftp://host/object", None, None, ErrorKind::Unsupported)]
#[tokio::test]
async fn what_cannot_be_read_is_an_error_that_names_column_row_and_object(
    #[case] url: &str,
    #[case] position: Option<i64>,
    #[case] size: Option<i64>,
    #[case] kind: ErrorKind,
) {
    let (store, _) = table_and_object(100, &[]).await;
    let rows = [Some((OBJECT, None, None)), Some((url, position, size))];
    let error = write_column(&store, "data-1-0.blob", files(&rows)).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!((error.context("column"), error.context("row")), (Some("blob"), Some("1")), "{error}");
    assert!(error.to_string().contains(url), "{error}");
}

#[tokio::test]
async fn a_missing_object_is_null_where_the_table_says_so() {
    let (store, object) = table_and_object(10, &[("blob-write-null-on-missing-file", "true")]).await;
    let absent = "memory://blobs/other/absent";
    let rows = [Some((absent, None, None)), Some((OBJECT, None, None)), Some((absent, Some(0), Some(4)))];
    assert_eq!(written(&store, files(&rows)).await, [None, Some(object.to_vec()), None]);
    // A range that an object does not have is no missing object.
    let error = write_column(&store, "data-2-0.blob", files(&[Some((OBJECT, Some(0), Some(11)))])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData, "{error}");
}

#[tokio::test]
async fn an_object_that_fails_is_null_where_the_table_says_so_and_a_missing_one_is_not() {
    for (forgiving, row_is_null) in [("false", false), ("true", true)] {
        let context = register(testkit::context());
        let (storage, faults) = testkit::faulty_folder(&context);
        let options = [("blob-write-null-on-fetch-failure", forgiving)];
        let store = table_at(storage, context, "BLOB", &options).await;
        store.storage().put("objects/a", content(10)).await.unwrap();
        let url = store.storage().url("objects/a");
        faults.fail_before(|call| call.path.contains("objects/"));
        let rows = LargeBinaryArray::from_iter_values([BlobDescriptor { uri: &url, offset: 0, length: None }.encode()]);
        let written = write_column(&store, "data-1-0.blob", Arc::new(rows)).await;
        faults.heal();
        match written {
            Ok(file) => {
                assert!(row_is_null);
                assert_eq!(descriptors(&store, &file, &all(&store)).await.unwrap(), [None]);
            }
            Err(error) => {
                assert!(!row_is_null);
                assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Storage, true), "{error}");
            }
        }
        let absent = store.storage().url("objects/absent");
        let absent = BlobDescriptor { uri: &absent, offset: 0, length: None }.encode();
        let rows: ArrayRef = Arc::new(LargeBinaryArray::from_iter_values([absent]));
        let error = write_column(&store, "data-2-0.blob", rows).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

#[rstest]
#[case("memory://blobs/other/object")]
#[case("memory://blobs/table/../other/object")]
#[case("file:///etc/hostname")]
#[case("/etc/hostname")]
#[case("http://127.0.0.1/a")]
#[case("s3://elsewhere/a")]
#[tokio::test]
async fn descriptors_in_data_that_lead_elsewhere_are_refused_whatever_the_options_forgive(#[case] uri: &str) {
    let options = [("blob-write-null-on-missing-file", "true"), ("blob-write-null-on-fetch-failure", "true")];
    let (store, _) = table_and_object(10, &options).await;
    let rows = LargeBinaryArray::from_iter_values([BlobDescriptor { uri, offset: 0, length: None }.encode()]);
    let error = write_column(&store, "data-1-0.blob", Arc::new(rows)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert_eq!((error.context("column"), error.context("row")), (Some("blob"), Some("0")), "{error}");
}

#[tokio::test]
async fn what_fails_midway_is_an_error_even_where_failures_are_forgiven() {
    let context = register(testkit::context());
    let (storage, faults) = testkit::faulty_folder(&context);
    let store = table_at(storage, context, "BLOB", &[("blob-write-null-on-fetch-failure", "true")]).await;
    store.storage().put("objects/a", content(LARGE)).await.unwrap();
    let url = store.storage().url("objects/a");
    let later = |call: &testkit::Call| call.range.as_ref().is_some_and(|range| range.start >= 2 << 20);
    faults.fail_before(move |call| call.path.contains("objects/") && later(call));
    let rows = LargeBinaryArray::from_iter_values([BlobDescriptor { uri: &url, offset: 0, length: None }.encode()]);
    let error = write_column(&store, "data-1-0.blob", Arc::new(rows)).await.unwrap_err();
    assert_eq!((error.kind(), error.context("row")), (ErrorKind::Storage, Some("0")), "{error}");
    assert!(!store.storage().exists("bucket-0/data-1-0.blob").await.unwrap());
}
