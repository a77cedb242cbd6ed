//! Tables, `.blob` files and references for the tests of this crate.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use paimon_io::{
    Storage, TableStore,
    testkit::{self, DistantStore},
};
use paimon_spec::Schema;

use crate::{BlobReference, BlobReferences};

/// A table of an `INT` column and a `BLOB` column, with more options, in `storage`.
pub(crate) async fn table_at(storage: Storage, options: &[(&str, &str)]) -> TableStore {
    let json = r#"{"fields": [{"name": "id", "type": "INT"}, {"name": "blob", "type": "BLOB"}]}"#;
    let mut schema = Schema::from_json(json).unwrap();
    let required = [("row-tracking.enabled", "true"), ("data-evolution.enabled", "true")];
    schema.options.extend(required.iter().chain(options).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    testkit::create_table_at(storage, schema, testkit::context()).await
}

/// Such a table far away, and the store to count the requests.
pub(crate) async fn distant_table() -> (TableStore, Arc<DistantStore>) {
    let (storage, requests) = testkit::distant_folder(&testkit::context());
    (table_at(storage, &[]).await, requests)
}

/// Such a table in a folder of this machine.
pub(crate) async fn local_table() -> (TableStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let storage = Storage::open(folder.path().to_str().unwrap(), &BTreeMap::new(), &testkit::context()).unwrap();
    (table_at(storage, &[]).await, folder)
}

/// Options as a map.
pub(crate) fn options(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// `len` bytes that differ from those of other seeds.
pub(crate) fn bytes(seed: usize, len: usize) -> Vec<u8> {
    (0..len).map(|index| (index.wrapping_mul(31) ^ (index >> 8) ^ seed.wrapping_mul(101)) as u8).collect()
}

/// The bytes of a `.blob` file, and where the payloads are in it.
pub(crate) fn blob_file(values: &[Option<Vec<u8>>]) -> (Vec<u8>, Vec<Option<Range<u64>>>) {
    let (mut file, mut index, mut payloads, mut last) = (Vec::new(), Vec::new(), Vec::new(), 0_i64);
    for value in values {
        let length = value.as_ref().map_or(-1, |value| value.len() as i64 + 16);
        payloads.push(value.as_ref().map(|value| {
            let start = file.len();
            file.extend_from_slice(&1_481_511_375_u32.to_le_bytes());
            file.extend_from_slice(value);
            file.extend_from_slice(&length.to_le_bytes());
            let checksum = crc32fast::hash(&file[start..]);
            file.extend_from_slice(&checksum.to_le_bytes());
            start as u64 + 4..(start + 4 + value.len()) as u64
        }));
        let difference = length - last;
        let mut zigzag = ((difference << 1) ^ (difference >> 63)).cast_unsigned();
        while zigzag >= 0x80 {
            index.push(zigzag as u8 | 0x80);
            zigzag >>= 7;
        }
        index.push(zigzag as u8);
        last = length;
    }
    file.extend_from_slice(&index);
    file.extend_from_slice(&(index.len() as u32).to_le_bytes());
    file.push(1);
    (file, payloads)
}

/// Writes a `.blob` file of the table; the references to its values.
pub(crate) async fn write_blobs(table: &TableStore, name: &str, values: &[Option<Vec<u8>>]) -> BlobReferences {
    let path = format!("bucket-0/{name}");
    let (file, payloads) = blob_file(values);
    table.storage().put(&path, file.into()).await.unwrap();
    references(&table.storage().url(&path), &payloads)
}

/// References to ranges of an object.
pub(crate) fn references(url: &str, ranges: &[Option<Range<u64>>]) -> BlobReferences {
    let reference =
        |range: &Range<u64>| BlobReference { url, position: range.start, size: Some(range.end - range.start) };
    ranges.iter().map(|range| range.as_ref().map(reference)).collect()
}

/// The rows of one after those of another.
pub(crate) fn chained(first: &BlobReferences, second: &BlobReferences) -> BlobReferences {
    first.iter().chain(second.iter()).collect()
}
