//! Walking over Avro files of any schema.

use super::avro::{Container, Program, Record, Records};
use crate::{Error, Result};

/// Counts the records of an Avro object container file, by walking over every one of them without decoding it.
///
/// Afterwards it is certain that each block holds exactly the records that it says, which decoders that take this for
/// granted may rely on. One block is in memory at a time.
///
/// # Errors
/// `CorruptData` when the bytes are not such a file, or a block does not hold what it says; `Unsupported` for an
/// unknown codec and for a recursive schema.
pub fn count_avro_records(avro: &[u8]) -> Result<u64> {
    let mut container = Container::open(avro)?.of_any_length();
    let program = Program::compile(container.schema(), &[])?;
    let mut total = 0_u64;
    while let Some((count, block)) = container.next_block()? {
        if count > block.len() as u64 {
            let found = format!("expected at most a record for each of {} bytes, found {count} records", block.len());
            return Err(Error::corrupt(found));
        }
        let mut records = Records::new(&block, count);
        let mut record = Record::new(&block);
        while records.next(&program, &mut record)? {}
        total += count;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::count_avro_records;
    use crate::{ErrorKind, encode_manifest_list};

    #[test]
    fn blocks_that_do_not_hold_what_they_say_are_corrupt() {
        let file = encode_manifest_list(&[], "none").unwrap();
        assert_eq!(count_avro_records(&file).unwrap(), 0);
        let sync = file[file.len() - 16..].to_vec();
        // (count and size of a block, zig-zag; its bytes)
        for (head, block) in [([2, 8], vec![0; 4]), ([0, 8], vec![0; 4]), ([126, 0], vec![])] {
            let damaged = [&file[..], &head, &block, &sync].concat();
            assert_eq!(count_avro_records(&damaged).unwrap_err().kind(), ErrorKind::CorruptData, "{head:?}");
        }
    }
}
