//! Tests of all modules together, and what tests of several modules stand on.

mod append_compaction;
mod concurrent_compactions;
mod dying_compactions;
mod dynamic_buckets;
mod dynamic_history;
mod hash_files;
mod keyed_history;
mod keyed_writers;
mod postponed_buckets;
mod replay;
mod rescale;
pub(crate) mod stores;
