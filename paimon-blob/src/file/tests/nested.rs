//! Arrays and maps of blobs.

use arrow::array::{
    BinaryArray, BooleanArray, Date32Array, Decimal128Array, Int8Array, Int16Array, Int32Array, StringArray,
    Time32MillisecondArray,
};

use super::*;

type Items = Vec<Option<Vec<u8>>>;

/// pypaimon 2.1.0: [[x, null, yz], null, []].
const ARRAYS: &str = "cf114e58 42434241 01 03000000 78797a 020306 03000000 2300000000000000 3444a2ba \
    cf114e58 42434241 01 00000000 00000000 1d00000000000000 9bd49157 46473c 03000000 01";

/// Java `MapBlobElementSerializer`: {k: vv, q: null}, a payload.
const MAP: &str = "42434 24d 01 02000000 6b 71 7676 0200 0405 02000000 02000000";

pub(super) fn arrays(rows: &[Option<Items>]) -> ArrayRef {
    let items = LargeBinaryArray::from_iter(rows.iter().flatten().flatten().collect::<Vec<_>>());
    let offsets = OffsetBuffer::from_lengths(rows.iter().map(|row| row.as_ref().map_or(0, Vec::len)));
    let field = Arc::new(Field::new("item", ArrowType::LargeBinary, true));
    let nulls = rows.iter().map(Option::is_some).collect();
    Arc::new(ListArray::new(field, offsets, Arc::new(items), Some(nulls)))
}

fn maps(keys: ArrayRef, lengths: &[Option<usize>], values: &Items) -> ArrayRef {
    let fields = Fields::from(vec![
        Field::new("key", keys.data_type().clone(), false),
        Field::new("value", ArrowType::LargeBinary, true),
    ]);
    let values: ArrayRef = Arc::new(LargeBinaryArray::from_iter(values));
    let entries = StructArray::new(fields.clone(), vec![keys, values], None);
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    let nulls = lengths.iter().map(Option::is_some).collect();
    let field = Arc::new(Field::new("entries", ArrowType::Struct(fields), false));
    Arc::new(MapArray::new(field, offsets, entries, Some(nulls), false))
}

/// What an array of descriptors points at.
async fn pointed(store: &TableStore, file: &DataFileMeta, blobs: &dyn Array) -> Items {
    let bytes = bytes_of(store, file).await;
    let url = store.data_file_url("bucket-0", file).unwrap();
    blobs.as_binary::<i64>().iter().map(|d| d.map(|d| pointed_at(&bytes, &url, d))).collect()
}

async fn read_arrays(store: &TableStore, file: &DataFileMeta, wanted: &FileRead) -> Vec<Option<Items>> {
    let mut rows = Vec::new();
    for batch in read(store, file, wanted).await.unwrap() {
        for array in batch.column(0).as_list::<i32>().iter() {
            rows.push(match array {
                Some(array) => Some(pointed(store, file, &array).await),
                None => None,
            });
        }
    }
    rows
}

#[tokio::test]
async fn arrays_are_those_of_others() {
    let store = table("ARRAY<BLOB>").await;
    let rows = [Some(vec![Some(b"x".to_vec()), None, Some(b"yz".to_vec())]), None, Some(vec![])];
    let file = write_column(&store, "data-1-0.blob", arrays(&rows)).await.unwrap();
    assert_eq!(hex(&bytes_of(&store, &file).await), hex(&unhex(ARRAYS)));
    let file = put(&store, "data-2-0.blob", unhex(ARRAYS), 3).await;
    assert_eq!(read_arrays(&store, &file, &all(&store)).await, rows);
}

#[tokio::test]
async fn maps_are_those_of_others() {
    let store = table("MAP<STRING, BLOB>").await;
    let keys: ArrayRef = Arc::new(StringArray::from(vec!["k", "q"]));
    let values = vec![Some(b"vv".to_vec()), None];
    let written = maps(Arc::clone(&keys), &[Some(2), None, Some(0)], &values);
    let file = write_column(&store, "data-1-0.blob", written).await.unwrap();
    let bytes = bytes_of(&store, &file).await;
    let payload = unhex(MAP);
    assert_eq!(hex(&check_record(&bytes.slice(..0x29)).unwrap()), hex(&payload));
    assert_eq!(payload.len() + 16, 0x29);
    let read = read(&store, &file, &all(&store)).await.unwrap();
    let found = read[0].column(0).as_map();
    assert_eq!(found.offsets().as_ref(), [0, 2, 2, 2]);
    assert!(found.is_null(1) && found.is_valid(2));
    assert_eq!(found.keys(), &keys);
    assert_eq!(pointed(&store, &file, found.values()).await, values);
}

#[rstest]
#[case::boolean("BOOLEAN", Arc::new(BooleanArray::from(vec![true, false])), &["01", "00"])]
#[case::tiny("TINYINT", Arc::new(Int8Array::from(vec![-1, 5])), &["ff", "05"])]
#[case::small("SMALLINT", Arc::new(Int16Array::from(vec![-2, 258])), &["feff", "0201"])]
#[case::int("INT", Arc::new(Int32Array::from(vec![1, -1])), &["01000000", "ffffffff"])]
#[case::big("BIGINT", Arc::new(Int64Array::from(vec![1, i64::MIN])), &["0100000000000000", "0000000000000080"])]
#[case::date("DATE", Arc::new(Date32Array::from(vec![2, -3])), &["02000000", "fdffffff"])]
#[case::time("TIME(3)", Arc::new(Time32MillisecondArray::from(vec![1, 86_399_999])), &["01000000", "ff5b2605"])]
#[case::decimal(
    "DECIMAL(18, 2)",
    Arc::new(Decimal128Array::from(vec![125, -1]).with_precision_and_scale(18, 2).unwrap()),
    &["7d00000000000000", "ffffffffffffffff"]
)]
#[case::long_decimal(
    "DECIMAL(38, 0)",
    Arc::new(Decimal128Array::from(vec![128, -128, 0, -1, 65_536]).with_precision_and_scale(38, 0).unwrap()),
    &["0080", "80", "00", "ff", "010000"]
)]
#[case::text("STRING", Arc::new(StringArray::from(vec!["", "é"])), &["", "c3a9"])]
#[case::chars("CHAR(2)", Arc::new(StringArray::from(vec!["ab", "cd"])), &["6162", "6364"])]
#[case::bytes("BYTES", Arc::new(BinaryArray::from(vec![&b"\xff"[..], b""])), &["ff", ""])]
#[tokio::test]
async fn keys_of_each_type_are_spelt_as_java_does(
    #[case] data_type: &str,
    #[case] keys: ArrayRef,
    #[case] spelt: &[&str],
) {
    let store = table(&format!("MAP<{data_type}, BLOB>")).await;
    let values: Items = (0..keys.len()).map(|row| Some(vec![row as u8])).collect();
    let file = write_column(&store, "data-1-0.blob", maps(Arc::clone(&keys), &[Some(keys.len())], &values)).await;
    let file = file.unwrap();
    let bytes = hex(&bytes_of(&store, &file).await);
    assert!(bytes[26..].starts_with(&spelt.concat()), "{bytes}");
    let read = read(&store, &file, &all(&store)).await.unwrap();
    let found = read[0].column(0).as_map();
    assert_eq!(found.keys(), &keys);
    assert_eq!(pointed(&store, &file, found.values()).await, values);
}

/// A file of one record with this payload.
fn file_of(payload: &[u8]) -> Bytes {
    let mut file = [&super::super::record::MAGIC[..], payload, &(payload.len() as u64 + 16).to_le_bytes()].concat();
    file.extend(crc32fast::hash(&file).to_le_bytes());
    let mut index = super::super::varint::LengthsEncoder::default();
    index.push(file.len() as i64);
    file.extend_from_slice(index.bytes());
    file.extend((index.bytes().len() as u32).to_le_bytes());
    file.push(1);
    file.into()
}

#[rstest]
#[case::twice("STRING", "4243424d 01 02000000 6161 7676 0200 0200 02000000 02000000", "twice", ErrorKind::CorruptData)]
#[case::twice_in_other_bytes(
    "DECIMAL(38, 0)",
    "4243424d 01 02000000 05 0005 0202 0100 02000000 02000000",
    "twice",
    ErrorKind::CorruptData
)]
#[case::a_null_key("STRING", "4243424d 01 01000000 01 01 01000000 01000000", "NULL key", ErrorKind::Unsupported)]
#[case::not_text("STRING", "4243424d 01 01000000 ff 02 01 01000000 01000000", "UTF-8", ErrorKind::CorruptData)]
#[case::another_width("INT", "4243424d 01 01000000 ffff 04 01 01000000 01000000", "4 bytes", ErrorKind::CorruptData)]
#[case::no_boolean("BOOLEAN", "4243424d 01 01000000 02 02 01 01000000 01000000", "0 or 1", ErrorKind::CorruptData)]
#[case::a_long_decimal(
    "DECIMAL(20, 0)",
    "4243424d 01 01000000 7fffffffffffffffff 12 01 01000000 01000000",
    "out of range",
    ErrorKind::CorruptData
)]
#[case::an_empty_decimal(
    "DECIMAL(20, 0)",
    "4243424d 01 01000000 00 01 01000000 01000000",
    "1 to 16",
    ErrorKind::CorruptData
)]
#[case::an_array("STRING", "42434241 01 00000000 00000000 00000000", "begin with", ErrorKind::CorruptData)]
#[case::more_keys_than_room(
    "STRING",
    "4243424d 01 01000000 6b 06 01 01000000 01000000",
    "at most 1 bytes",
    ErrorKind::CorruptData
)]
#[case::bytes_of_nothing(
    "STRING",
    "4243424d 01 01000000 6b6b 02 01 01000000 01000000",
    "to end at",
    ErrorKind::CorruptData
)]
#[tokio::test]
async fn maps_that_make_no_sense_are_told(
    #[case] key: &str,
    #[case] payload: &str,
    #[case] text: &str,
    #[case] kind: ErrorKind,
) {
    let store = table(&format!("MAP<{key}, BLOB>")).await;
    let file = put(&store, "data-1-0.blob", file_of(&unhex(payload)), 1).await;
    let error = read(&store, &file, &all(&store)).await.unwrap_err();
    assert!(error.to_string().contains(text), "{error}");
    assert_eq!((error.kind(), error.context("column").is_some() || text != "twice"), (kind, true), "{error}");
    assert!(error.context("file").is_some(), "{error}");
}

#[rstest]
#[case::too_short("42434241 01 00000000 000000", "at least 13 bytes")]
#[case::a_map("4243424d 01 00000000 00000000 00000000", "begin with")]
#[case::version_two("42434241 02 00000000 00000000", "version 1, found 2")]
#[case::a_negative_count("42434241 01 ffffffff 00000000", "found -1 entries")]
#[case::more_than_lengths("42434241 01 ffffff7f 01 01000000", "found 2147483647 entries")]
#[case::fewer_than_lengths("42434241 01 01000000 0100 02000000", "1 lengths, found 2")]
#[case::a_list_beyond_the_payload("42434241 01 00000000 01000000", "at most 0 bytes")]
#[case::a_negative_list("42434241 01 00000000 ffffffff", "found [-1]")]
#[case::an_element_beyond_the_list("42434241 01 01000000 aa 04 01000000", "at most 1 bytes")]
#[case::bytes_of_nothing("42434241 01 01000000 aabb 02 01000000", "to end at")]
#[case::another_negative_length("42434241 01 01000000 03 01000000", "found -2")]
#[tokio::test]
async fn arrays_that_make_no_sense_are_told(#[case] payload: &str, #[case] text: &str) {
    let store = table("ARRAY<BLOB>").await;
    let file = put(&store, "data-1-0.blob", file_of(&unhex(payload)), 1).await;
    let error = read(&store, &file, &all(&store)).await.unwrap_err();
    assert!(error.to_string().contains(text), "{error}");
}

#[tokio::test]
async fn the_same_key_twice_is_refused_when_it_is_written() {
    let store = table("MAP<INT, BLOB>").await;
    let written = maps(Arc::new(Int32Array::from(vec![1, 1])), &[Some(2)], &vec![None, None]);
    let error = write_column(&store, "data-1-0.blob", written).await.unwrap_err();
    assert_eq!((error.kind(), error.context("row")), (ErrorKind::InvalidInput, Some("0")), "{error}");
}

fn any_items() -> impl Strategy<Value = Items> {
    let size = prop_oneof![6 => 0..10_usize, 1 => 4_000..5_000_usize];
    let item = (size, any::<u8>()).prop_map(|(size, byte)| vec![byte; size]);
    prop_oneof![3 => proptest::collection::vec(proptest::option::of(item.clone()), 0..8),
        1 => proptest::collection::vec(proptest::option::of(item), 600..700)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_arrays_are_read_as_they_were_written(
        rows in proptest::collection::vec(proptest::option::of(any_items()), 0..12),
        batch_rows in 1_usize..5,
        skip in 0_u64..3,
    ) {
        block(async {
            let store = table("ARRAY<BLOB>").await;
            let file = write_column(&store, "data-1-0.blob", arrays(&rows)).await.unwrap();
            let skip = skip.min(rows.len() as u64);
            let kept = Arc::new(RowSet::from_range(skip..rows.len() as u64).unwrap());
            let wanted = FileRead { batch_rows, rows: Some(kept), ..all(&store) };
            assert_eq!(read_arrays(&store, &file, &wanted).await, &rows[skip as usize..]);
        });
    }

    #[test]
    fn any_maps_are_read_as_they_were_written(rows in proptest::collection::vec(proptest::option::of(any_items()), 0..8)) {
        block(async {
            let store = table("MAP<STRING, BLOB>").await;
            let counts: Vec<_> = rows.iter().map(|row| row.as_ref().map(Vec::len)).collect();
            // Long keys take more than the first look at a value.
            let keys = rows.iter().flatten().flat_map(|items| (0..items.len()).map(|item| format!("{item:<30}")));
            let keys: ArrayRef = Arc::new(StringArray::from(keys.collect::<Vec<_>>()));
            let values: Items = rows.iter().flatten().flatten().cloned().collect();
            let file = write_column(&store, "data-1-0.blob", maps(Arc::clone(&keys), &counts, &values)).await.unwrap();
            let (mut found, mut found_keys, mut found_values) = (Vec::new(), Vec::new(), Vec::new());
            for batch in read(&store, &file, &FileRead { batch_rows: 3, ..all(&store) }).await.unwrap() {
                let maps = batch.column(0).as_map();
                found.extend((0..maps.len()).map(|row| maps.is_valid(row).then(|| maps.value_length(row) as usize)));
                found_keys.extend(maps.keys().as_string::<i32>().iter().map(|key| key.unwrap().to_owned()));
                found_values.extend(pointed(&store, &file, maps.values()).await);
            }
            assert_eq!(found, counts);
            assert_eq!(found_keys, keys.as_string::<i32>().iter().flatten().collect::<Vec<_>>());
            assert_eq!(found_values, values);
        });
    }
}
