//! A small Avro object container codec for manifests.
//!
//! Reading is in two steps: [`Program::compile`] resolves the writer's schema against the fields that we want, by name,
//! into a list of steps; [`Records::next`] then runs these over a record and notes where its values are, without
//! building any. Whoever reads the [`Record`] decodes what it needs.

mod block;
mod blocks;
mod compress;
mod container;
mod cursor;
mod program;
mod schema;
#[cfg(test)]
mod tests;
mod write;

pub use blocks::{AvroBlock, AvroBlocks};
pub use compress::AvroCompressor;
pub(super) use container::Container;
pub(super) use program::{Field, Program, Record, Records, Shape, Slot};
pub(super) use write::{ContainerWriter, Encoder};
