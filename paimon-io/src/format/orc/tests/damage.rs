//! Damaged files, and such as no writer writes.

use arrow::array::RecordBatch;
use paimon_spec::{DataField, DataType, ErrorKind, TypeKind};
use rstest::rstest;

use super::{
    super::{
        super::{
            FileRead,
            tests::{BUCKET, Dice, RUNTIME, all_of, meta, read, table},
        },
        proto::{put_bytes, put_number},
    },
    FEW, LZ4, MANY, SNAPPY, UNCOMPRESSED, ZLIB, ZSTD, put, pyarrow_table, some,
};
use crate::TableStore;

/// Whether the file can be read; if not, the error must be of the file, and name it.
fn can_be_read(table: &TableStore, fields: &[DataField], bytes: Vec<u8>, rows: usize) -> bool {
    // Each has a name of its own: the tail of a file is kept by it.
    let name = format!("data-{}.orc", crc32fast::hash(&bytes));
    let file = meta(&name, bytes.len() as u64, rows as u64);
    put(table, &name, bytes.into());
    let outcome = read(table, &file, &FileRead { batch_rows: 256, ..all_of(fields) });
    RUNTIME.block_on(table.storage().delete(&format!("{BUCKET}/{name}"))).unwrap();
    match outcome {
        Ok(batches) => {
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), rows);
            true
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::CorruptData | ErrorKind::Unsupported), "{error}");
            assert!(error.to_string().contains(&name), "{error}");
            false
        }
    }
}

#[rstest]
#[case::zstd(ZSTD, MANY, 60)]
#[case::uncompressed(UNCOMPRESSED, FEW, 300)]
#[case::zlib(ZLIB, FEW, 100)]
#[case::snappy(SNAPPY, FEW, 100)]
#[case::lz4(LZ4, FEW, 100)]
fn a_damaged_file_is_an_error_or_read_but_never_a_panic(
    #[case] bytes: &'static [u8],
    #[case] rows: usize,
    #[case] times: u64,
) {
    let (table, fields, _) = pyarrow_table();
    assert!(can_be_read(&table, &fields, bytes.to_vec(), rows));
    let mut failed = 0;
    for seed in 0..times {
        let mut dice = Dice(seed);
        let mut damaged = bytes.to_vec();
        // Anywhere, or in what describes the rest.
        let span = if dice.below(2) == 0 { bytes.len() } else { bytes.len().min(4000) } as u64;
        for _ in 0..=dice.below(4) {
            let position = bytes.len() - 1 - dice.below(span) as usize;
            damaged[position] = match dice.below(4) {
                0 => 0xff,
                1 => 0,
                2 => damaged[position] ^ 1 << dice.below(8),
                _ => dice.next() as u8,
            };
        }
        if dice.below(5) == 0 {
            damaged.truncate(dice.below(bytes.len() as u64) as usize);
        }
        failed += usize::from(!can_be_read(&table, &fields, damaged, rows));
    }
    assert!(failed > times as usize / 4, "{failed} of {times}");
}

/// A file of one stripe, not compressed, to be filled with what no writer writes.
#[derive(Default)]
struct Made {
    /// Of the columns below the root: kind, and the types within.
    types: Vec<(u64, Vec<u64>)>,
    /// Kind, column, bytes.
    streams: Vec<(u64, u64, Vec<u8>)>,
    /// Kind, size of the dictionary.
    encodings: Vec<(u64, u64)>,
    rows: u64,
    /// Types within the root.
    columns: Vec<u64>,
    block_bytes: Option<u64>,
    footer_length: Option<u64>,
    data_length: Option<u64>,
    /// What streams are said to have beyond their bytes.
    extra_length: u64,
}

impl Made {
    fn bytes(&self) -> Vec<u8> {
        let mut file = b"ORC".to_vec();
        let mut stripe_footer = Vec::new();
        for (kind, column, bytes) in &self.streams {
            let mut message = Vec::new();
            put_number(&mut message, 1, *kind);
            put_number(&mut message, 2, *column);
            put_number(&mut message, 3, bytes.len() as u64 + self.extra_length);
            put_bytes(&mut stripe_footer, 1, &message);
            file.extend_from_slice(bytes);
        }
        for (kind, size) in [(0, 0)].iter().chain(&self.encodings) {
            let mut message = Vec::new();
            put_number(&mut message, 1, *kind);
            put_number(&mut message, 2, *size);
            put_bytes(&mut stripe_footer, 2, &message);
        }
        let mut stripe = Vec::new();
        put_number(&mut stripe, 1, 3);
        put_number(&mut stripe, 3, self.data_length.unwrap_or(file.len() as u64 - 3));
        put_number(&mut stripe, 4, stripe_footer.len() as u64);
        put_number(&mut stripe, 5, self.rows);
        file.extend_from_slice(&stripe_footer);
        let mut footer = Vec::new();
        put_bytes(&mut footer, 3, &stripe);
        for (index, (kind, within)) in [(12, self.columns.clone())].iter().chain(&self.types).enumerate() {
            let mut message = Vec::new();
            put_number(&mut message, 1, *kind);
            for child in within {
                put_number(&mut message, 2, *child);
                if *kind == 12 {
                    put_bytes(&mut message, 3, if index == 0 { b"a" } else { b"f" });
                }
            }
            put_bytes(&mut footer, 4, &message);
        }
        put_number(&mut footer, 6, self.rows);
        let mut postscript = Vec::new();
        put_number(&mut postscript, 1, self.footer_length.unwrap_or(footer.len() as u64));
        if let Some(bytes) = self.block_bytes {
            put_number(&mut postscript, 2, 5);
            put_number(&mut postscript, 3, bytes);
        }
        put_bytes(&mut postscript, 8000, b"ORC");
        let length = postscript.len() as u8;
        [file, footer, postscript, vec![length]].concat()
    }

    /// A column of texts.
    fn texts(encoding: (u64, u64), streams: Vec<(u64, u64, Vec<u8>)>) -> Self {
        Self {
            types: vec![(7, vec![])],
            columns: vec![1],
            encodings: vec![encoding],
            streams,
            rows: 1000,
            ..Self::default()
        }
    }

    /// A column of lists of booleans.
    fn lists(streams: Vec<(u64, u64, Vec<u8>)>) -> Self {
        let types = vec![(10, vec![2]), (0, vec![])];
        Self { types, columns: vec![1], encodings: vec![(2, 0), (0, 0)], streams, rows: 1000, ..Self::default() }
    }
}

/// 1,000 equal numbers.
fn thousand(number: u64) -> Vec<u8> {
    let mut run = vec![0x38 | 7];
    run.extend_from_slice(&number.to_be_bytes());
    run.repeat(100)
}

/// Of a column of texts: their lengths, their bytes or indexes, and the dictionary's bytes.
fn length(number: u64) -> (u64, u64, Vec<u8>) {
    (2, 1, thousand(number))
}

fn data(bytes: Vec<u8>) -> (u64, u64, Vec<u8>) {
    (1, 1, bytes)
}

fn dictionary_data(bytes: &[u8]) -> (u64, u64, Vec<u8>) {
    (3, 1, bytes.to_vec())
}

fn texts(streams: Vec<(u64, u64, Vec<u8>)>) -> Made {
    Made::texts((2, 0), streams)
}

fn dictionary(size: u64, streams: Vec<(u64, u64, Vec<u8>)>) -> Made {
    Made::texts((3, size), streams)
}

fn of_types(types: Vec<(u64, Vec<u64>)>) -> Made {
    Made { types, ..texts(vec![]) }
}

/// Lists within lists.
fn deep_types() -> Made {
    of_types((2..100_000).map(|child| (10, vec![child])).chain([(7, vec![])]).collect())
}

const ENDS: &str = "ends before its last value";

#[rstest]
#[case::sound_texts(texts(vec![length(3), data(b"abc".repeat(1000))]), "")]
#[case::sound_dictionary(dictionary(1, vec![length(3), dictionary_data(b"abc"), data(thousand(0))]), "")]
#[case::sound_lists(Made::lists(vec![length(130), (1, 2, [0x7f, 0xaa].repeat(125))]), "")]
#[case::no_data(texts(vec![]), ENDS)]
#[case::text_longer_than_its_stream(texts(vec![length(1 << 20), data(vec![b'a'; 100])]), ENDS)]
#[case::text_longer_than_memory(texts(vec![length(1 << 60), data(vec![b'a'; 100])]), "takes more than")]
#[case::text_of_negative_length(texts(vec![length(1 << 63)]), "has the length")]
#[case::text_that_is_none(texts(vec![length(1), data(vec![0xff; 1000])]), "do not fit their type")]
#[case::dictionary_longer_than_its_stream(dictionary(1 << 22, vec![length(3)]), ENDS)]
#[case::dictionary_longer_than_memory(dictionary(u64::MAX, vec![length(3)]), "dictionaries")]
#[case::dictionary_of_long_texts(dictionary(900, vec![length(1 << 50)]), "dictionaries")]
#[case::dictionary_without_the_entry(dictionary(2, vec![length(0), data(thousand(2))]), "has no entry 2")]
#[case::lists_longer_than_their_stream(Made::lists(vec![length(1 << 16), (1, 2, vec![0x7f, 0xaa])]), ENDS)]
#[case::lists_longer_than_memory(Made::lists(vec![length(1 << 28)]), "takes more than")]
#[case::lists_longer_than_any(Made::lists(vec![length(1 << 62)]), "takes more than")]
#[case::unknown_encoding(Made::texts((9, 0), vec![]), "encoding 9")]
#[case::encodings_missing(Made { encodings: vec![], ..texts(vec![]) }, "how column 1 is encoded")]
#[case::stream_behind_the_stripe(Made { extra_length: 1, ..texts(vec![length(3)]) }, "ends behind")]
#[case::stripe_behind_the_data(Made { data_length: Some(1 << 40), ..texts(vec![]) }, "ends behind the data")]
#[case::stripe_of_all_bytes(Made { data_length: Some(u64::MAX), ..texts(vec![]) }, "ends behind the data")]
#[case::footer_before_the_file(Made { footer_length: Some(1 << 40), ..texts(vec![]) }, "wanted a footer of")]
#[case::footer_of_all_bytes(Made { footer_length: Some(u64::MAX), ..texts(vec![]) }, "wanted a footer of")]
#[case::gigantic_blocks(Made { block_bytes: Some(1 << 30), ..texts(vec![]) }, "compressed blocks")]
#[case::no_blocks(Made { block_bytes: Some(0), ..texts(vec![]) }, "compressed blocks")]
#[case::type_within_itself(of_types(vec![(10, vec![1])]), "as a child of column 1")]
#[case::type_that_is_not_there(of_types(vec![(10, vec![2])]), "there is no column 2")]
#[case::type_of_nobody(of_types(vec![(7, vec![]), (7, vec![])]), "belong to none")]
#[case::map_without_values(of_types(vec![(11, vec![2]), (7, vec![])]), "has 1 children")]
#[case::deep_types(deep_types(), "nested more than")]
#[case::unknown_type(of_types(vec![(99, vec![])]), "type 99")]
#[case::union(of_types(vec![(13, vec![])]), "UNION")]
fn what_no_writer_writes_ends_in_an_error(#[case] made: Made, #[case] expected: &str) {
    let list = TypeKind::Array(Box::new(DataType::nullable(TypeKind::Boolean)));
    let fields = some(if made.types[0].0 == 10 { list } else { TypeKind::VarChar(DataType::MAX_LENGTH) });
    let table = table(&fields, &[]);
    let bytes = made.bytes();
    let file = meta("data.orc", bytes.len() as u64, made.rows);
    put(&table, "data.orc", bytes.into());
    match read(&table, &file, &all_of(&table.schema().fields)) {
        Ok(batches) => {
            assert_eq!(expected, "");
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>() as u64, made.rows);
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::CorruptData | ErrorKind::Unsupported), "{error}");
            assert!(!expected.is_empty() && error.to_string().contains(expected), "{error}");
        }
    }
}

#[test]
fn rows_of_large_lists_come_in_smaller_batches() {
    // 60 rows of a million booleans each.
    let lengths = [&[0x38 | 7][..], &1_000_000u64.to_be_bytes()].concat().repeat(6);
    let bits = [0x7f, 0xaa].repeat(60 * 1_000_000 / 8 / 130 + 1);
    let made = Made { rows: 60, ..Made::lists(vec![(2, 1, lengths), (1, 2, bits)]) };
    let fields = some(TypeKind::Array(Box::new(DataType::nullable(TypeKind::Boolean))));
    let table = table(&fields, &[]);
    let bytes = made.bytes();
    let file = meta("data.orc", bytes.len() as u64, 60);
    put(&table, "data.orc", bytes.into());
    let found = read(&table, &file, &all_of(&table.schema().fields)).unwrap();
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), 60);
}
