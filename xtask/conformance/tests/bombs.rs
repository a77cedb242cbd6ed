//! Small files that state to hold very much: each ends in an error or in batches of bounded size, within seconds and
//! without the memory that it asks for.
#![expect(clippy::unwrap_used, reason = "a test says no by panicking")]
#![expect(clippy::disallowed_methods, reason = "the time that a bomb takes is part of the test")]

use std::{
    future::Future,
    time::{Duration, Instant},
};

use bytes::Bytes;
use conformance::Counting;
use futures::TryStreamExt;
use paimon_io::{FileRead, TableStore, testkit};
use paimon_spec::{
    BinaryRow, DataField, DataType, DeletionFile, ErrorKind, FileKind, ManifestEntry, ManifestFileMeta, Result, Schema,
    TypeKind, encode_index_manifest, encode_manifest, encode_manifest_list, limits,
};

const MOST_BYTES: usize = 1 << 30;
const MOST_TIME: Duration = Duration::from_secs(5);

/// Rows of a batch, as the reader of splits asks for them.
const BATCH_ROWS: usize = 128 << 10;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bombs go off one after the other, because all threads share the count.
#[tokio::test]
async fn bombs_end_soon_and_without_much_memory() {
    let mut problems = Vec::new();
    let table = table().await;
    let store = table.storage();
    let json =
        |open: &str, close: &str| Bytes::from(format!("{{\"a\":{}0{}}}", open.repeat(100_000), close.repeat(100_000)));
    store.put("snapshot/snapshot-1", json("[", "]")).await.unwrap();
    store.put("snapshot/snapshot-2", Bytes::from(vec![b' '; limits::JSON_FILE_BYTES as usize + 1])).await.unwrap();
    store.put("schema/schema-7", json("{\"fields\":[", "]}")).await.unwrap();
    problems.extend(ends("a snapshot nested 100,000 deep", table.snapshot(1), Some("JSON")).await);
    problems.extend(ends("a snapshot of very many bytes", table.snapshot(2), Some("at most")).await);
    problems.extend(ends("a schema nested 100,000 deep", table.schema_at(7), Some("JSON")).await);

    let entry = ManifestEntry {
        kind: FileKind::Add,
        partition: BinaryRow::empty(),
        bucket: 0,
        total_buckets: -1,
        file: testkit::data_file("a.parquet", 10, 10),
    };
    let manifest = encode_manifest(&vec![entry; 400_000], "deflate").unwrap();
    let meta = ManifestFileMeta { num_added_files: 3, ..testkit::manifest_file("manifest-1", manifest.len() as i64) };
    store.put("manifest/manifest-1", manifest.into()).await.unwrap();
    let read = async |meta: &ManifestFileMeta| {
        let mut entries = Vec::new();
        let mut take = |entry| {
            entries.push(entry);
            Ok(())
        };
        table.read_manifest(meta, &mut |_| true, &mut take).await
    };
    problems.extend(ends("a manifest of 400,000 entries instead of three", read(&meta), Some("entries")).await);

    let manifests =
        encode_manifest_list(&vec![meta.clone(); limits::MANIFEST_LIST_ENTRIES as usize + 1], "zstd").unwrap();
    store.put("manifest/list-1", manifests.into()).await.unwrap();
    problems.extend(
        ends("a manifest list of a million entries", table.manifest_list("list-1", None), Some("at most")).await,
    );
    for (name, codec, block) in [
        ("zstandard", "zstandard", zstd::encode_all(&vec![0; 1 << 30][..], 1).unwrap()),
        ("records without bytes", "null", Vec::new()),
    ] {
        let empty = encode_index_manifest(&[], "none").unwrap();
        let bomb = avro(&schema_of(&empty), codec, 1 << 60, &block);
        store.put(&format!("manifest/{name}"), bomb.into()).await.unwrap();
        problems.extend(ends(name, table.index_manifest(name), Some("at most")).await);
    }

    let nothing = r#"{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"array","items":"null"}}]}"#;
    // 2^60 items in an array, zig-zag.
    let items = b"\x80\x80\x80\x80\x80\x80\x80\x80\x20\0";
    let nulls = r#"{"type":"record","name":"r","fields":[{"name":"a","type":"null"}]}"#;
    let texts = r#"{"type":"record","name":"r","fields":[{"name":"s","type":"string"}]}"#;
    let long = [&[0x80, 0x80, 0x80, 0x80, 0x04][..], &vec![b'a'; 1 << 29]].concat();
    for (name, bomb) in [
        ("an array of 2^60 items.avro", avro(nothing, "null", 1, items)),
        ("2^60 records.avro", avro(nulls, "null", 1 << 60, b"")),
        ("a text of half a gibibyte.avro", avro(texts, "zstandard", 1, &zstd::encode_all(&long[..], 1).unwrap())),
    ] {
        problems.extend(ends(name, rows(&table, name, bomb, 1), Some("")).await);
    }

    let values = [[&(1_u32 << 20).to_le_bytes()[..], &vec![b'x'; 1 << 20]].concat()].concat();
    let repeated = 200_000_000_000 / (1 << 20);
    let dictionary = [
        page(2, 7, &values, &values, 1, 0),
        page(
            0,
            5,
            &[&[1][..], &varint(repeated << 1), &[0]].concat(),
            &[&[1][..], &varint(repeated << 1), &[0]].concat(),
            repeated,
            8,
        ),
    ];
    let pages = parquet(&dictionary.concat(), Some(dictionary[0].len()), repeated as i64, 0);
    problems.extend(
        ends("a dictionary of 200 GB.parquet", rows(&table, "dictionary.parquet", pages, repeated as i64), None).await,
    );

    let page_bytes = 20 << 20;
    let value = [&(page_bytes as u32).to_le_bytes()[..], &vec![b'y'; page_bytes]].concat();
    let compressed = zstd::encode_all(&value[..], 1).unwrap();
    let large = page(0, 5, &compressed, &value, 1, 0).repeat(100);
    let pages = parquet(&large, None, 100, 6);
    problems.extend(ends("100 pages of 20 MiB.parquet", rows(&table, "pages.parquet", pages, 100), None).await);

    let claims = |uncompressed: i64| {
        let header = Fields::default().int(1, 0).int(2, uncompressed).int(3, 4).structure(5, counts(1, 0)).end();
        parquet(&[header, vec![0; 4]].concat(), None, 1, 6)
    };
    let claimed = claims(i32::MAX.into());
    problems
        .extend(ends("a page of 2 GiB.parquet", rows(&table, "claim.parquet", claimed, 1), Some("BLOCK_BYTES")).await);

    // 128 lengths to a block of 4 parts, 2^45 of them.
    let lengths = [&[0x80, 1, 4][..], &varint(1 << 45), &[0; 20]].concat();
    for encoding in [6, 7] {
        let pages = parquet(&page(0, 5, &lengths, &lengths, 1, encoding), None, 1, 0);
        let read = rows(&table, "lengths.parquet", pages, 1);
        problems.extend(ends("2^45 lengths.parquet", read, Some("lengths")).await);
    }

    for (name, elements, groups) in [
        ("a schema nested 100,000 deep", nested_schema(100_000), list(12, 0, &[])),
        ("a schema of 2^31 columns", schema(i32::MAX.into()), list(12, 0, &[])),
        ("2^31 row groups", schema(1), list(12, i32::MAX as u64, &[])),
    ] {
        let footer = Fields::default().int(1, 1).raw(2, 9, &elements).long(3, 1).raw(4, 9, &groups).end();
        problems.extend(ends(name, rows(&table, "footer.parquet", file(&[], &footer), 1), Some("")).await);
    }

    // A Roaring bitmap of 65,536 containers, of which there is none.
    let payload = [&1_581_511_376_u32.to_be_bytes()[..], &12346_u32.to_le_bytes(), &65_536_u32.to_le_bytes()].concat();
    let crc = crc32fast::hash(&payload);
    let vector = [&(payload.len() as u32).to_be_bytes()[..], &payload, &crc.to_be_bytes()].concat();
    store.put("index/index-1", [&[1][..], &vector].concat().into()).await.unwrap();
    let place = DeletionFile { path: "index/index-1".into(), offset: 1, length: 12, cardinality: Some(1 << 31) };
    problems.extend(ends("a deletion vector of very many rows", table.deletion_vector(&place), Some("Roaring")).await);
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Lets a bomb go off; gives what is wrong about it. `error` is a part of the error that it must end in; `None`: it must
/// be read.
async fn ends<T>(name: &str, bomb: impl Future<Output = Result<T>>, error: Option<&str>) -> Option<String> {
    let (before, started) = (Counting::start(), Instant::now());
    let outcome = bomb.await;
    let (time, bytes) = (started.elapsed(), Counting::peak() - before);
    let text = outcome.as_ref().err().map(ToString::to_string);
    let problem = match (&outcome, error) {
        _ if time > MOST_TIME || bytes > MOST_BYTES => Some("took too much"),
        (Ok(_), Some(_)) => Some("gave no error"),
        (Err(_), None) => Some("could not be read"),
        (Err(found), Some(wanted))
            if !matches!(found.kind(), ErrorKind::CorruptData | ErrorKind::Unsupported)
                || !found.to_string().contains(wanted)
                || found.context("file").is_none() =>
        {
            Some("gave another error")
        }
        _ => None,
    };
    problem.map(|problem| format!("{name} {problem}: {} ms, {} MiB, {text:?}", time.as_millis(), bytes >> 20))
}

async fn table() -> TableStore {
    let fields = vec![DataField::new(0, "s", DataType::not_null(TypeKind::VarChar(i32::MAX as u32)))];
    testkit::create_table(Schema { fields, ..Schema::default() }).await
}

/// The first few batches of a data file.
async fn rows(table: &TableStore, name: &str, bytes: Vec<u8>, rows: i64) -> Result<usize> {
    let meta = testkit::data_file(name, bytes.len() as i64, rows);
    table.storage().put(&format!("bucket-0/{name}"), bytes.into()).await?;
    let columns = table.schema().fields.clone();
    let read = FileRead {
        columns,
        predicate: None,
        deletions: None,
        rows: None,
        limit: None,
        batch_rows: BATCH_ROWS,
        held_bytes: None,
    };
    let mut batches = table.open_file("bucket-0", &meta, &read).await?;
    let mut seen = 0;
    for _ in 0..3 {
        let Some(batch) = batches.try_next().await? else { break };
        seen += batch.num_rows();
    }
    Ok(seen)
}

// ---- Avro

/// An Avro file of one block, which says to have `records`.
fn avro(schema: &str, codec: &str, records: u64, block: &[u8]) -> Vec<u8> {
    let bytes = |bytes: &[u8]| [&varint((bytes.len() as u64) << 1), bytes].concat();
    let sync = [7; 16];
    let mut file = [b"Obj\x01\x04", &bytes(b"avro.schema")[..], &bytes(schema.as_bytes())].concat();
    file.extend([bytes(b"avro.codec"), bytes(codec.as_bytes()), vec![0]].concat());
    file.extend([&sync[..], &varint(records << 1), &bytes(block), &sync].concat());
    file
}

/// The schema in an Avro file.
fn schema_of(file: &[u8]) -> String {
    let key = b"avro.schema";
    let at = file.windows(key.len()).position(|window| window == key).unwrap() + key.len();
    let start = file[at..].iter().position(|byte| *byte == b'{').unwrap() + at;
    let text = &file[start..];
    let mut values = serde_json::Deserializer::from_slice(text).into_iter::<serde_json::Value>();
    values.next().unwrap().unwrap().to_string()
}

// ---- Parquet, with Thrift's compact encoding

fn varint(mut value: u64) -> Vec<u8> {
    let mut digits = Vec::new();
    while value >= 0x80 {
        digits.push(value as u8 | 0x80);
        value >>= 7;
    }
    digits.push(value as u8);
    digits
}

/// The fields of a struct, ascending.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    last: u8,
}

impl Fields {
    fn raw(mut self, field: u8, kind: u8, value: &[u8]) -> Self {
        self.bytes.push((field - self.last) << 4 | kind);
        self.bytes.extend_from_slice(value);
        Self { last: field, ..self }
    }

    fn int(self, field: u8, value: i64) -> Self {
        self.raw(field, 5, &varint((value << 1) as u64))
    }

    fn long(self, field: u8, value: i64) -> Self {
        self.raw(field, 6, &varint((value << 1) as u64))
    }

    fn text(self, field: u8, value: &str) -> Self {
        self.raw(field, 8, &[varint(value.len() as u64), value.as_bytes().to_vec()].concat())
    }

    fn structure(self, field: u8, value: Self) -> Self {
        self.raw(field, 12, &value.end())
    }

    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn list(kind: u8, len: u64, items: &[Vec<u8>]) -> Vec<u8> {
    [&[0xf0 | kind][..], &varint(len), &items.concat()].concat()
}

fn counts(values: u64, encoding: i64) -> Fields {
    Fields::default().int(1, values as i64).int(2, encoding).int(3, 3).int(4, 3)
}

/// A page: `details` is the number of the field that says how many values there are.
fn page(kind: i64, details: u8, body: &[u8], decompressed: &[u8], values: u64, encoding: i64) -> Vec<u8> {
    let header = Fields::default().int(1, kind).int(2, decompressed.len() as i64).int(3, body.len() as i64);
    let counts =
        if kind == 0 { counts(values, encoding) } else { Fields::default().int(1, values as i64).int(2, encoding) };
    [header.structure(details, counts).end(), body.to_vec()].concat()
}

/// A root of so many children, and one text column `s`.
fn schema(children: i64) -> Vec<u8> {
    let root = Fields::default().text(4, "root").int(5, children).end();
    let column = Fields::default().int(1, 6).int(3, 0).text(4, "s").int(6, 0).end();
    list(12, 2, &[root, column])
}

fn nested_schema(depth: usize) -> Vec<u8> {
    let group = Fields::default().int(3, 0).text(4, "g").int(5, 1).end();
    let column = Fields::default().int(1, 6).int(3, 0).text(4, "s").end();
    let mut elements = vec![group; depth];
    elements.push(column);
    list(12, elements.len() as u64, &elements)
}

/// A file of one text column in one row group.
fn parquet(pages: &[u8], dictionary_bytes: Option<usize>, rows: i64, codec: i64) -> Vec<u8> {
    let encodings = list(5, 5, &[0, 3, 6, 7, 8].map(|encoding| varint(encoding << 1)));
    let path = list(8, 1, &[[varint(1), b"s".to_vec()].concat()]);
    let mut chunk = Fields::default().int(1, 6).raw(2, 9, &encodings).raw(3, 9, &path).int(4, codec).long(5, rows);
    chunk = chunk.long(6, pages.len() as i64).long(7, pages.len() as i64);
    chunk = chunk.long(9, 4 + dictionary_bytes.unwrap_or(0) as i64);
    if dictionary_bytes.is_some() {
        chunk = chunk.long(11, 4);
    }
    let column = Fields::default().long(2, 4).structure(3, chunk).end();
    let group = Fields::default().raw(1, 9, &list(12, 1, &[column])).long(2, pages.len() as i64).long(3, rows).end();
    let groups = list(12, 1, &[group]);
    let footer = Fields::default().int(1, 1).raw(2, 9, &schema(1)).long(3, rows).raw(4, 9, &groups).end();
    file(pages, &footer)
}

fn file(pages: &[u8], footer: &[u8]) -> Vec<u8> {
    [b"PAR1", pages, footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}
