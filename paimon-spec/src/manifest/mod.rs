//! Manifests: the lists of a snapshot's files.
//!
//! A snapshot names manifest lists; each of their entries is a manifest ([`ManifestFileMeta`]), and each of its entries
//! adds or removes a data file ([`ManifestEntry`]). An index manifest ([`IndexManifestEntry`]) lists the index files,
//! deletion vectors among them. All are Avro files, whose fields are found by name, whoever wrote them.

mod avro;
mod codec;
mod entry;
mod head;
mod index;
mod list;
mod merge;
mod record;
#[cfg(test)]
mod tests;

pub use avro::{AvroBlock, AvroBlocks, AvroCompressor};
pub use codec::{EntryCounts, decode_manifest, encode_manifest};
pub use entry::{FileKind, ManifestEntry};
pub use head::EntryHead;
pub use index::{
    DELETION_VECTORS, DeletionVectorMeta, GlobalIndexMeta, IndexManifestEntry, decode_index_manifest,
    encode_index_manifest,
};
pub use list::{ManifestFileMeta, decode_manifest_list, encode_manifest_list};
pub use merge::{FileIdentifier, merge_entries};
