//! Avro files of any schema, block by block.

use super::block::Decompressor;
use super::container::{Container, MAGIC, SYNC_BYTES};
use super::cursor::Cursor;
use super::program::{Program, Record, Records};
use super::write::Encoder;
use crate::{Error, Result, limits};

/// Takes an Avro object container file apart for a decoder that trusts its input.
///
/// Blocks come decompressed, and as parts of a file without compression. Every record of them has been walked over: a
/// block holds exactly the records that it says. Only a part of the file needs to be in memory at a time.
///
/// ```
/// use paimon_spec::{AvroBlock, AvroBlocks, encode_manifest_list};
///
/// let file = encode_manifest_list(&[], "zstd")?;
/// let (mut blocks, len) = AvroBlocks::open(&file)?;
/// let mut plain = blocks.head().to_vec();
/// assert_eq!(blocks.next(&file[len..], &mut plain)?, AvroBlock::Part { len: 0 });
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug)]
pub struct AvroBlocks {
    program: Program,
    decompressor: Decompressor,
    sync: [u8; SYNC_BYTES],
    head: Vec<u8>,
    nullable: bool,
}

/// What there is at a place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AvroBlock {
    /// A block.
    Whole {
        /// How many records it has.
        records: u64,
        /// How many bytes of the file it takes.
        len: usize,
    },
    /// The beginning of a block, or nothing.
    Part {
        /// How many bytes it takes to know more; 0 when there are none.
        len: usize,
    },
}

impl AvroBlocks {
    /// Reads the header at the start of a file; gives its length as well.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are not the start of an Avro file with the whole header; `Unsupported` for an
    /// unknown codec and for a recursive schema.
    pub fn open(start: &[u8]) -> Result<(Self, usize)> {
        let container = Container::open(start)?.with_budget(u64::MAX);
        // Bytes of a record of one field are those of the field.
        let nullable = container.schema().trim_ascii_start().starts_with(b"[");
        let wrapped =
            [br#"{"type":"record","name":"nullable","fields":[{"name":"record","type":"#, container.schema(), b"}]}"];
        let schema = if nullable { wrapped.concat() } else { container.schema().to_vec() };
        let program = Program::compile(&schema, &[])?;
        let mut head = Encoder::default();
        head.array(&[(&b"avro.schema"[..], &schema[..]), (b"avro.codec", b"null")], |head, (key, value)| {
            head.bytes(key);
            head.bytes(value);
        });
        let (decompressor, sync, rest) = container.into_parts();
        let head = [&MAGIC, head.as_bytes(), &sync].concat();
        Ok((Self { program, decompressor, sync, head, nullable }, start.len() - rest))
    }

    /// Whether the file's records may be NULL, as Java writes them where columns are apart. Such a record becomes the
    /// only field of a record.
    pub fn nullable(&self) -> bool {
        self.nullable
    }

    /// The header of the file without compression that the blocks become.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// Looks at the block at the start of `bytes`; a whole one is decompressed and appended to `plain`.
    ///
    /// # Errors
    /// `CorruptData` when the block is damaged, exceeds a [limit](crate::limits), or does not hold the records that it
    /// says.
    pub fn next(&mut self, bytes: &[u8], plain: &mut Vec<u8>) -> Result<AvroBlock> {
        /// Two numbers take as much at most.
        const NUMBERS: usize = 20;
        let mut cursor = Cursor::new(bytes);
        let numbers = cursor.long().and_then(|count| Ok((count, cursor.long()?)));
        let (count, size) = match numbers {
            Ok(numbers) => numbers,
            Err(_) if bytes.is_empty() => return Ok(AvroBlock::Part { len: 0 }),
            Err(_) if bytes.len() < NUMBERS => return Ok(AvroBlock::Part { len: NUMBERS }),
            Err(error) => return Err(error),
        };
        let (Ok(count), Ok(size)) = (u64::try_from(count), u64::try_from(size)) else {
            let found = format!("expected an Avro block, found one of {count} records in {size} bytes");
            return Err(Error::corrupt(found));
        };
        if size > limits::BLOCK_BYTES {
            return Err(limits::exceeded("an Avro block", "BLOCK_BYTES", limits::BLOCK_BYTES, size));
        }
        let len = cursor.position() + size as usize + SYNC_BYTES;
        if bytes.len() < len {
            return Ok(AvroBlock::Part { len });
        }
        let compressed = cursor.take(size as usize)?;
        if cursor.take(SYNC_BYTES)? != self.sync {
            return Err(Error::corrupt("expected the sync marker of the Avro file after a block, found other bytes"));
        }
        let block = self.decompressor.decompress(compressed)?;
        if count > block.len() as u64 {
            let found = format!("expected at most a record for each of {} bytes, found {count} records", block.len());
            return Err(Error::corrupt(found));
        }
        let mut records = Records::new(&block, count);
        let mut record = Record::new(&block);
        while records.next(&self.program, &mut record)? {}
        let mut numbers = Encoder::default();
        numbers.long(count as i64);
        numbers.long(block.len() as i64);
        for part in [numbers.as_bytes(), &block, &self.sync] {
            plain.extend_from_slice(part);
        }
        Ok(AvroBlock::Whole { records: count, len })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::data_file::arbitrary::manifest_files;
    use crate::{ErrorKind, ManifestFileMeta, decode_manifest_list, encode_manifest_list};
    use proptest::prelude::*;

    /// All blocks of a file that comes in pieces.
    fn plain(file: &[u8], piece: usize) -> Result<(Vec<u8>, u64)> {
        let (mut blocks, mut at) = AvroBlocks::open(file)?;
        let (mut plain, mut total, mut seen) = (blocks.head().to_vec(), 0, piece);
        loop {
            match blocks.next(&file[at..file.len().min(at + seen)], &mut plain)? {
                AvroBlock::Whole { records, len } => (at, total, seen) = (at + len, total + records, piece),
                AvroBlock::Part { .. } if at == file.len() => return Ok((plain, total)),
                AvroBlock::Part { len } if at + len.max(1) > file.len() && at + seen >= file.len() => {
                    return Err(Error::corrupt("the file is cut"));
                }
                AvroBlock::Part { len } => seen = len.max(seen + 1),
            }
        }
    }

    proptest! {
        #[test]
        fn a_file_in_pieces_becomes_the_same_file_without_compression(
            manifests in manifest_files(0..4),
            codec in prop_oneof![Just("none"), Just("deflate"), Just("snappy"), Just("zstd")],
            piece in 1..5000_usize,
        ) {
            let manifests: Vec<ManifestFileMeta> = manifests.iter().cycle().take(manifests.len() * 40).cloned().collect();
            let file = encode_manifest_list(&manifests, codec).unwrap();
            let (plain, records) = plain(&file, piece).unwrap();
            prop_assert_eq!(records, manifests.len() as u64);
            prop_assert_eq!(decode_manifest_list(&plain).unwrap(), manifests);
        }
    }

    #[rstest]
    #[case::fewer_records([2, 8], &[0; 4])]
    #[case::no_records([0, 8], &[0; 4])]
    #[case::records_without_bytes([126, 0], &[])]
    #[case::a_negative_count([1, 8], &[0; 4])]
    #[case::cut([2, 126], &[0; 4])]
    fn blocks_that_do_not_hold_what_they_say_are_corrupt(#[case] numbers: [u8; 2], #[case] block: &[u8]) {
        let file = encode_manifest_list(&[], "none").unwrap();
        let sync = file[file.len() - 16..].to_vec();
        let damaged = [&file[..], &numbers, block, &sync].concat();
        assert_eq!(plain(&damaged, 100).unwrap_err().kind(), ErrorKind::CorruptData);
    }
}
