//! Avro data files.

mod read;
mod schema;
mod write;

pub(super) use self::{read::open, write::create};
