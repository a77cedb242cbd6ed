//! Compression of Avro files that a writer of others made without.

use super::block::Codec;
use super::container::{Container, MAGIC, SYNC_BYTES};
use super::cursor::Cursor;
use super::write::Encoder;
use crate::{Error, Result};

/// Compresses the blocks of an Avro object container file, and puts a checksum to each where the codec has a place for
/// it: zstd and snappy have.
///
/// ```
/// use paimon_spec::{AvroCompressor, decode_manifest_list, encode_manifest_list};
///
/// let plain = encode_manifest_list(&[], "none")?;
/// let mut compressor = AvroCompressor::new("zstd")?;
/// assert_eq!(decode_manifest_list(&compressor.compress(&plain)?)?, []);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug)]
pub struct AvroCompressor {
    codec: Codec,
    /// Known once the header has passed.
    sync: Option<[u8; SYNC_BYTES]>,
}

impl AvroCompressor {
    /// `compression` is `zstd`, `deflate`, `snappy` or `none`.
    ///
    /// # Errors
    /// `Unsupported` for another one.
    pub fn new(compression: &str) -> Result<Self> {
        Ok(Self { codec: Codec::from_option(compression)?, sync: None })
    }

    /// The next bytes of the file: `plain` has the header first, and whole blocks.
    ///
    /// # Errors
    /// `CorruptData` when it does not.
    pub fn compress(&mut self, plain: &[u8]) -> Result<Vec<u8>> {
        let mut file = Encoder::default();
        let (sync, mut rest) = match self.sync {
            Some(sync) => (sync, Cursor::new(plain)),
            None if plain.is_empty() => return Ok(Vec::new()),
            None => {
                let container = Container::open(plain)?;
                file.raw(&MAGIC);
                let codec = self.codec.avro_name().as_bytes();
                file.array(
                    &[(&b"avro.schema"[..], container.schema()), (b"avro.codec", codec)],
                    |file, (key, value)| {
                        file.bytes(key);
                        file.bytes(value);
                    },
                );
                let (_, sync, rest) = container.into_parts();
                file.raw(&sync);
                (*self.sync.insert(sync), Cursor::new(&plain[plain.len() - rest..]))
            }
        };
        while !rest.is_at_end() {
            let records = rest.long()?;
            let block = rest.bytes()?;
            if rest.take(SYNC_BYTES)? != sync {
                return Err(Error::corrupt(
                    "expected the sync marker of the Avro file after a block, found other bytes",
                ));
            }
            file.long(records);
            file.bytes(&self.codec.compress(block)?);
            file.raw(&sync);
        }
        Ok(file.into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_file::arbitrary::manifest_files;
    use crate::{decode_manifest_list, encode_manifest_list};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_compressed_file_has_the_same_records(
            manifests in manifest_files(1..4),
            codec in prop_oneof![Just("none"), Just("deflate"), Just("snappy"), Just("zstd")],
        ) {
            let plain = encode_manifest_list(&manifests, "none").unwrap();
            let header = encode_manifest_list(&[], "none").unwrap().len();
            let mut compressor = AvroCompressor::new(codec).unwrap();
            let mut file = compressor.compress(&plain[..header]).unwrap();
            file.extend(compressor.compress(&plain[header..]).unwrap());
            prop_assert_eq!(decode_manifest_list(&file).unwrap(), manifests);
        }
    }
}
