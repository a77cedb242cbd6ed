use arrow::array::{
    BinaryArray, DictionaryArray, FixedSizeBinaryArray, Int8Array, Int32Array, Int64Array, LargeListArray,
    LargeStringArray, NullArray, StringArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::Fields;
use rstest::rstest;

use super::*;

type Reference<'a> = Option<(&'a str, i64, Option<i64>)>;

fn blob(nullable: bool) -> DataField {
    DataField::new(0, "b", DataType { nullable, kind: TypeKind::Blob })
}

fn list() -> DataField {
    DataField::new(0, "b", DataType::nullable(TypeKind::Array(Box::new(DataType::nullable(TypeKind::Blob)))))
}

fn map() -> DataField {
    let (key, value) = (DataType::not_null(TypeKind::BigInt), DataType::nullable(TypeKind::Blob));
    DataField::new(0, "b", DataType::nullable(TypeKind::Map(Box::new(key), Box::new(value))))
}

/// As Daft's `File` values.
fn files(references: &[Reference<'_>]) -> StructArray {
    let fields = Fields::from(vec![
        Field::new("url", ArrowType::LargeUtf8, true),
        Field::new("io_config", ArrowType::LargeBinary, true),
        Field::new("position", ArrowType::Int64, true),
        Field::new("size", ArrowType::Int64, true),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(references.iter().map(|found| found.map(|(url, ..)| url)).collect::<LargeStringArray>()),
        Arc::new(LargeBinaryArray::from(vec![Some(&b"config"[..]); references.len()])),
        Arc::new(references.iter().map(|found| found.map(|(_, position, _)| position)).collect::<Int64Array>()),
        Arc::new(references.iter().map(|found| found.and_then(|(.., size)| size)).collect::<Int64Array>()),
    ];
    let nulls = references.iter().map(Option::is_some).collect::<Vec<_>>();
    StructArray::new(fields, columns, Some(nulls.into()))
}

fn found(array: &dyn Array) -> Vec<Option<(String, u64, Option<u64>)>> {
    let references = BlobReferences::from_array(array).unwrap();
    references.iter().map(|row| row.map(|found| (found.url.to_owned(), found.position, found.size))).collect()
}

fn expected(references: &[Reference<'_>]) -> Vec<Option<(String, u64, Option<u64>)>> {
    let unsigned = |size: i64| size.unsigned_abs();
    let reference =
        |(url, position, size): (&str, i64, Option<i64>)| (url.to_owned(), unsigned(position), size.map(unsigned));
    references.iter().map(|found| found.map(reference)).collect()
}

#[rstest]
#[case::bytes(Arc::new(BinaryArray::from(vec![Some(&b"ab"[..]), None])))]
#[case::large_bytes(Arc::new(LargeBinaryArray::from(vec![Some(&b"ab"[..]), None])))]
#[case::bytes_of_one_length(Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(b"ab"), None].into_iter(), 2).unwrap()))]
#[case::a_dictionary(Arc::new(DictionaryArray::new(
    Int8Array::from(vec![Some(0), None]),
    Arc::new(BinaryArray::from(vec![&b"ab"[..]]))
)))]
fn bytes_stay_bytes(#[case] given: ArrayRef) {
    let fitted = fit_blobs(&given, &blob(true), BlobStorage::File).unwrap();
    assert_eq!(fitted.as_binary::<i64>(), &LargeBinaryArray::from(vec![Some(&b"ab"[..]), None]));
    let error = fit_blobs(&given, &blob(false), BlobStorage::File).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("b")));
}

#[test]
fn references_stay_references_without_how_daft_opens_them() {
    let given = [Some(("s3://a/b", 3, Some(4))), None, Some(("/c", 0, None))];
    let fitted = fit_blobs(&(Arc::new(files(&given)) as ArrayRef), &blob(true), BlobStorage::File).unwrap();
    assert_eq!(found(fitted.as_ref()), expected(&given));
    assert_eq!(fitted.as_struct().column(1).null_count(), 3);
    let error = fit_blobs(&(Arc::new(files(&given)) as ArrayRef), &blob(false), BlobStorage::File).unwrap_err();
    assert!(error.message().contains("NOT NULL"), "{error}");
}

#[test]
fn lists_and_maps_of_references_keep_their_shape() {
    let given = [Some(("a", 0, Some(1))), None, Some(("b", 7, None))];
    let values: ArrayRef = Arc::new(files(&given));
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([2, 0, 1, 0]);
    let nulls = Some(vec![true, true, true, false].into());
    let large: ArrayRef = Arc::new(LargeListArray::new(
        item,
        OffsetBuffer::from_lengths([2, 0, 1, 0]),
        Arc::clone(&values),
        nulls.clone(),
    ));
    let fitted = fit_blobs(&large, &list(), BlobStorage::File).unwrap();
    let fitted = fitted.as_list::<i32>();
    assert_eq!((fitted.offsets(), fitted.nulls()), (&offsets, nulls.as_ref()));
    assert_eq!(found(fitted.values().as_ref()), expected(&given));

    let fields = vec![Field::new("k", ArrowType::Int32, false), Field::new("v", values.data_type().clone(), true)];
    let keys: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
    let entries = StructArray::new(fields.into(), vec![keys, values], None);
    let field = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let given_map: ArrayRef = Arc::new(MapArray::new(field, offsets.clone(), entries, nulls.clone(), false));
    let fitted = fit_blobs(&given_map, &map(), BlobStorage::File).unwrap();
    let fitted = fitted.as_map();
    assert_eq!((fitted.offsets(), fitted.nulls()), (&offsets, nulls.as_ref()));
    assert_eq!(fitted.keys().as_ref(), &Int64Array::from(vec![1, 2, 3]) as &dyn Array);
    assert_eq!(found(fitted.values().as_ref()), expected(&given));
}

#[test]
fn a_bad_reference_in_a_list_names_its_row() {
    let values: ArrayRef = Arc::new(files(&[Some(("a", 0, None)), Some(("b", 0, None)), Some(("c", -1, None))]));
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let given: ArrayRef = Arc::new(ListArray::new(item, OffsetBuffer::from_lengths([2, 0, 1]), values, None));
    let error = fit_blobs(&given, &list(), BlobStorage::File).unwrap_err();
    assert_eq!((error.context("row"), error.context("column")), (Some("2"), Some("b")), "{error}");
}

#[rstest]
#[case::text(Arc::new(StringArray::from(vec!["ab"])), blob(true), "expected bytes or File values")]
#[case::numbers(Arc::new(Int32Array::from(vec![1])), blob(true), "expected bytes or File values")]
#[case::another_struct(
    Arc::new(StructArray::from(vec![(Arc::new(Field::new("x", ArrowType::Int32, true)), Arc::new(Int32Array::from(vec![1])) as ArrayRef)])),
    blob(true),
    "url, position and size"
)]
#[case::one_for_a_list(Arc::new(files(&[Some(("a", 0, None))])), list(), "expected bytes or File values")]
#[case::a_list_for_one(
    Arc::new(ListArray::from_iter_primitive::<arrow::datatypes::Int32Type, _, _>([Some([Some(1)])])),
    blob(true),
    "expected bytes or File values"
)]
fn what_is_no_blob_is_refused_by_its_column(#[case] given: ArrayRef, #[case] field: DataField, #[case] text: &str) {
    let error = fit_blobs(&given, &field, BlobStorage::File).unwrap_err();
    assert_eq!((error.kind(), error.context("column")), (ErrorKind::InvalidInput, Some("b")));
    assert!(error.message().contains(text), "{error}");
}

#[test]
fn a_column_of_descriptors_takes_references_and_descriptors_alone() {
    let given = [Some(("s3://a/b", 3, Some(4))), None, Some(("/c", 0, None))];
    let fitted = fit_blobs(&(Arc::new(files(&given)) as ArrayRef), &blob(true), BlobStorage::Descriptor).unwrap();
    assert_eq!(found(fitted.as_binary::<i64>()), expected(&given));
    assert_eq!(&fit_blobs(&fitted, &blob(true), BlobStorage::Descriptor).unwrap(), &fitted);
    let nothing: ArrayRef = Arc::new(NullArray::new(2));
    assert_eq!(fit_blobs(&nothing, &blob(true), BlobStorage::Descriptor).unwrap().null_count(), 2);
    let other: ArrayRef = Arc::new(BinaryArray::from(vec![None, Some(&b"picture"[..])]));
    let error = fit_blobs(&other, &blob(true), BlobStorage::Descriptor).unwrap_err();
    assert_eq!((error.kind(), error.context("row")), (ErrorKind::InvalidInput, Some("1")));
    assert!(error.message().contains("'blob-descriptor-field'"), "{error}");
}

#[test]
fn a_column_of_views_takes_views_alone() {
    let view = BlobView { table: "db.t", field: 3, row_id: 4 }.encode();
    let given: ArrayRef = Arc::new(BinaryArray::from(vec![None, Some(view.as_slice())]));
    let fitted = fit_blobs(&given, &blob(true), BlobStorage::View).unwrap();
    assert_eq!(fitted.as_binary::<i64>().value(1), view.as_slice());
    let files: ArrayRef = Arc::new(files(&[Some(("a", 0, None))]));
    for (other, text) in
        [(files, "expected the bytes of views"), (Arc::new(BinaryArray::from(vec![&b"x"[..]])) as ArrayRef, "BlobView")]
    {
        let error = fit_blobs(&other, &blob(true), BlobStorage::View).unwrap_err();
        assert!(error.kind() == ErrorKind::InvalidInput && error.message().contains(text), "{error}");
    }
}
