//! Tests of all modules together, and what tests of several modules stand on.

mod keyed_history;
mod keyed_writers;
mod replay;
pub(crate) mod stores;
