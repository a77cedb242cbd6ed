use std::io::Read as _;

use rstest::rstest;

use super::block::{Codec, Decompressor};
use super::*;
use crate::{ErrorKind, Result};

/// What is read in these tests: a number, a text, and a list of numbers.
const FIELDS: &[Field] = &[
    Field::required("n", Shape::Number),
    Field::optional("t", Shape::Bytes),
    Field::optional("l", Shape::Array(&Shape::Number)),
];

type Read = (i64, Option<Vec<u8>>, Option<Vec<Option<i64>>>);

/// Reads a file of one block with these records, in the schema of these fields.
fn read(fields: &str, count: u64, records: &[u8]) -> Result<Vec<Read>> {
    let schema = format!(r#"{{"type":"record","name":"a.r","fields":[{fields}]}}"#);
    let program = Program::compile(schema.as_bytes(), FIELDS)?;
    let mut reader = Records::new(records, count);
    let mut record = Record::new(records);
    let mut found = Vec::new();
    while reader.next(&program, &mut record)? {
        let mut list = record.is_present(2).then(Vec::new);
        program.for_each_item(&record, 2, |item| {
            list.get_or_insert_default().push(item.optional_number(0));
            Ok(())
        })?;
        found.push((record.number(0), record.optional_bytes(1).map(<[u8]>::to_vec), list));
    }
    Ok(found)
}

const N: &str = r#"{"name":"n","type":"long"}"#;

#[rstest]
#[case::only_what_is_required(N, b"\x08", (4, None, None))]
#[case::an_int_for_a_long(r#"{"name":"n","type":"int"}"#, b"\x07", (-4, None, None))]
#[case::other_order(r#"{"name":"t","type":"string"},{"name":"n","type":"long"}"#, b"\x04hi\x08", (4, Some(b"hi".to_vec()), None))]
#[case::null_first(r#"{"name":"n","type":"long"},{"name":"t","type":["null","string"]}"#, b"\x08\x02\x02x", (4, Some(b"x".to_vec()), None))]
#[case::null_last(r#"{"name":"n","type":["long","null"]},{"name":"t","type":["string","null"]}"#, b"\0\x08\x02", (4, None, None))]
#[case::three_branches(r#"{"name":"n","type":["null","int","long"]}"#, b"\x04\x08", (4, None, None))]
#[case::one_branch(r#"{"name":"n","type":["long"]}"#, b"\0\x08", (4, None, None))]
#[case::logical_type(r#"{"name":"n","type":{"type":"long","logicalType":"timestamp-millis"}}"#, b"\x08", (4, None, None))]
#[case::enumeration(r#"{"name":"n","type":{"type":"enum","name":"e","symbols":["x","y"]}}"#, b"\x02", (1, None, None))]
#[case::fixed(r#"{"name":"n","type":"int"},{"name":"t","type":{"type":"fixed","name":"f","size":2}}"#, b"\x08hi", (4, Some(b"hi".to_vec()), None))]
#[case::list(r#"{"name":"n","type":"int"},{"name":"l","type":{"type":"array","items":["null","long"]}}"#, b"\x08\x04\0\x02\x0c\0", (4, None, Some(vec![None, Some(6)])))]
#[case::list_in_sized_blocks(r#"{"name":"n","type":"int"},{"name":"l","type":["null",{"type":"array","items":"int"}]}"#, b"\x08\x02\x03\x04\x02\x04\x02\x06\0", (4, None, Some(vec![Some(1), Some(2), Some(3)])))]
#[case::null_list(r#"{"name":"n","type":"int"},{"name":"l","type":["null",{"type":"array","items":"int"}]}"#, b"\x08\0", (4, None, None))]
#[case::unknown_scalars(
    r#"{"name":"a","type":"boolean"},{"name":"b","type":"float"},{"name":"c","type":"double"},{"name":"d","type":"null"},{"name":"n","type":"int"}"#,
    b"\x01ffffdddddddd\x08",
    (4, None, None)
)]
#[case::unknown_map(r#"{"name":"m","type":{"type":"map","values":"int"}},{"name":"n","type":"int"}"#, b"\x02\x02k\x02\0\x08", (4, None, None))]
#[case::unknown_records(
    r#"{"name":"x","type":{"type":"array","items":{"type":"record","name":"i","fields":[{"name":"n","type":"int"}]}}},
       {"name":"y","type":"i"},{"name":"z","type":"a.i"},{"name":"n","type":"int"}"#,
    b"\x04\x02\x02\0\x02\x02\x08",
    (4, None, None)
)]
fn values_are_found_by_name_whatever_the_schema(#[case] fields: &str, #[case] record: &[u8], #[case] wanted: Read) {
    assert_eq!(read(fields, 1, record).unwrap(), [wanted]);
}

#[rstest]
#[case::missing_field(r#"{"name":"t","type":"string"}"#, ErrorKind::CorruptData, "a field n")]
#[case::other_type(r#"{"name":"n","type":"string"}"#, ErrorKind::CorruptData, "type for n")]
#[case::unknown_type(r#"{"name":"n","type":"integer"}"#, ErrorKind::CorruptData, "integer")]
#[case::no_type(r#"{"name":"n"}"#, ErrorKind::CorruptData, "found nothing")]
#[case::recursive(
    r#"{"name":"n","type":"int"},{"name":"x","type":["null","r"]}"#,
    ErrorKind::Unsupported,
    "recursive Avro type r"
)]
#[case::items_without_bytes(
    r#"{"name":"n","type":"int"},{"name":"x","type":{"type":"array","items":"null"}}"#,
    ErrorKind::Unsupported,
    "items without bytes"
)]
fn schemas_that_cannot_be_read_are_refused(#[case] fields: &str, #[case] kind: ErrorKind, #[case] text: &str) {
    let error = read(fields, 0, b"").unwrap_err();
    assert_eq!(error.kind(), kind);
    assert!(error.message().contains(text), "{error}");
}

#[rstest]
#[case::cut_short(N, 1, b"\x80")]
#[case::too_few_records(N, 2, b"\x08")]
#[case::too_many_records(N, 1, b"\x08\x08")]
#[case::number_of_more_than_64_bits(N, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")]
#[case::number_without_end(N, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")]
#[case::null_where_a_value_is_required(r#"{"name":"n","type":["null","long"]}"#, 1, b"\0")]
#[case::branch_that_is_not(r#"{"name":"n","type":["null","long"]}"#, 1, b"\x04\x08")]
#[case::branch_of_another_type(r#"{"name":"n","type":["null","long","string"]}"#, 1, b"\x04\0")]
#[case::text_beyond_the_end(r#"{"name":"n","type":"int"},{"name":"t","type":"string"}"#, 1, b"\x08\x04h")]
#[case::text_of_negative_length(r#"{"name":"n","type":"int"},{"name":"t","type":"string"}"#, 1, b"\x08\x03hi")]
#[case::more_items_than_bytes(
    r#"{"name":"n","type":"int"},{"name":"l","type":{"type":"array","items":"int"}}"#,
    1,
    b"\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\0"
)]
fn damaged_records_are_corrupt(#[case] fields: &str, #[case] count: u64, #[case] records: &[u8]) {
    assert_eq!(read(fields, count, records).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[test]
fn a_schema_that_repeats_its_types_does_not_explode() {
    let mut fields = r#"{"name":"n","type":"int"},{"name":"f0","type":{"type":"record","name":"r0","fields":[{"name":"x","type":"int"}]}}"#.to_owned();
    for level in 1..40 {
        let inner = format!("r{}", level - 1);
        let items: Vec<_> = (0..10).map(|i| format!(r#"{{"name":"x{i}","type":"{inner}"}}"#)).collect();
        fields.push_str(&format!(
            r#",{{"name":"f{level}","type":{{"type":"record","name":"r{level}","fields":[{}]}}}}"#,
            items.join(",")
        ));
    }
    assert_eq!(read(&fields, 0, b"").unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_schema_of_a_long_chain_of_types_does_not_exhaust_the_stack() {
    let mut fields =
        r#"{"name":"n","type":"int"},{"name":"f0","type":{"type":"record","name":"r0","fields":[]}}"#.to_owned();
    for level in 1..20_000 {
        fields.push_str(&format!(
            r#",{{"name":"f{level}","type":{{"type":"record","name":"r{level}","fields":[{{"name":"x","type":"r{}"}}]}}}}"#,
            level - 1
        ));
    }
    assert_eq!(read(&fields, 0, b"").unwrap_err().kind(), ErrorKind::Unsupported);
}

const CODECS: [Codec; 4] = [Codec::Null, Codec::Deflate, Codec::Snappy, Codec::Zstandard];

#[test]
fn blocks_of_any_size_survive_every_codec() {
    for codec in CODECS {
        let mut decompressor = Decompressor::new(codec);
        for len in [0, 1, 1000, 65_536, 3_000_000] {
            let block: Vec<_> = (0..len as u32).map(|n| ((n % 251) ^ (n >> 9)) as u8).collect();
            let compressed = codec.compress(&block).unwrap();
            assert!(decompressor.decompress(&compressed).unwrap() == block, "{codec:?} of {len} bytes");
        }
    }
}

#[test]
fn blocks_that_are_cut_short_are_corrupt() {
    let block: Vec<_> = (0..100_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    for codec in [Codec::Deflate, Codec::Snappy, Codec::Zstandard] {
        let compressed = codec.compress(&block).unwrap();
        for end in [0, 1, compressed.len() / 2, compressed.len() - 1] {
            let error = Decompressor::new(codec).decompress(&compressed[..end]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CorruptData, "{codec:?} cut at {end}");
        }
    }
}

#[test]
fn changed_bytes_are_found_by_the_checksums_of_what_we_write() {
    let block: Vec<_> = (0..1000_u32).map(|n| (n.wrapping_mul(n) >> 3) as u8).collect();
    for codec in [Codec::Snappy, Codec::Zstandard] {
        let compressed = codec.compress(&block).unwrap();
        for at in 0..compressed.len() {
            let mut damaged = compressed.clone();
            damaged[at] ^= 0x10;
            // The header of a zstandard frame has bits that mean nothing.
            let read = Decompressor::new(codec).decompress(&damaged);
            assert!(read.is_err() || read.unwrap() == block, "{codec:?} at {at}");
        }
    }
}

#[rstest]
#[case(Codec::Deflate)]
#[case(Codec::Zstandard)]
fn bombs_are_corrupt(#[case] codec: Codec) {
    let bomb = match codec {
        // A frame that does not tell its size, as streams do not.
        Codec::Zstandard => zstd::stream::encode_all(std::io::repeat(0).take(1 << 28 | 1), 1).unwrap(),
        _ => codec.compress(&vec![0; 1 << 28 | 1]).unwrap(),
    };
    let error = Decompressor::new(codec).decompress(&bomb).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CorruptData);
}

#[test]
fn sizes_that_are_only_declared_allocate_nothing() {
    // A size of 2^40 in the header of a zstandard frame, and 2^32 - 1 in a snappy block.
    let zstandard = b"\x28\xb5\x2f\xfd\xe0\0\0\0\0\0\x01\0\0\x01\0\0";
    assert_eq!(Decompressor::new(Codec::Zstandard).decompress(zstandard).unwrap_err().kind(), ErrorKind::CorruptData);
    let snappy = b"\xff\xff\xff\xff\x0f\0\0\0\0";
    assert_eq!(Decompressor::new(Codec::Snappy).decompress(snappy).unwrap_err().kind(), ErrorKind::CorruptData);
}

#[test]
fn the_blocks_of_a_file_share_a_budget() {
    for codec in CODECS {
        let compressed = codec.compress(&[7; 1000]).unwrap();
        let mut decompressor = Decompressor::new(codec);
        assert_eq!(decompressor.budget, 1 << 30);
        decompressor.budget = 2500;
        decompressor.decompress(&compressed).unwrap();
        decompressor.decompress(&compressed).unwrap();
        assert_eq!(decompressor.decompress(&compressed).unwrap_err().kind(), ErrorKind::CorruptData, "{codec:?}");
    }
}

#[test]
fn records_fall_into_blocks() {
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"n","type":"long"},{"name":"t","type":"bytes"}]}"#;
    let mut writer = ContainerWriter::new(schema, "zstd").unwrap();
    for n in 0..1000 {
        writer
            .record(|out| {
                out.long(n);
                out.bytes(&[n as u8; 500]);
            })
            .unwrap();
    }
    let avro = writer.finish().unwrap();
    let mut container = Container::open(&avro).unwrap();
    let program = Program::compile(container.schema(), FIELDS).unwrap();
    let (mut n, mut blocks) = (0, 0);
    while let Some((count, block)) = container.next_block().unwrap() {
        let mut records = Records::new(&block, count);
        let mut record = Record::new(&block);
        while records.next(&program, &mut record).unwrap() {
            assert_eq!(record.number(0), n);
            assert_eq!(record.bytes(1), [n as u8; 500]);
            n += 1;
        }
        blocks += 1;
    }
    assert_eq!((n, blocks), (1000, 8));
}

#[rstest]
#[case::no_bytes(b"")]
#[case::other_bytes(b"PAR1 and more")]
#[case::no_header(b"Obj\x01")]
#[case::no_schema(b"Obj\x01\0aaaaaaaaaaaaaaaa")]
fn what_is_no_avro_file_is_corrupt(#[case] bytes: &[u8]) {
    assert_eq!(Container::open(bytes).err().unwrap().kind(), ErrorKind::CorruptData);
}

#[test]
fn an_unknown_codec_is_unsupported() {
    let error = Container::open(b"Obj\x01\x02\x14avro.codec\x0abzip2\0aaaaaaaaaaaaaaaa").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("bzip2"), "{error}");
}

#[test]
fn a_block_ends_with_the_sync_marker_of_the_file() {
    let schema = r#"{"type":"record","name":"r","fields":[{"name":"n","type":"long"}]}"#;
    let mut writer = ContainerWriter::new(schema, "none").unwrap();
    writer.record(|out| out.long(1)).unwrap();
    let mut avro = writer.finish().unwrap();
    *avro.last_mut().unwrap() ^= 1;
    assert_eq!(Container::open(&avro).unwrap().next_block().unwrap_err().kind(), ErrorKind::CorruptData);
}
