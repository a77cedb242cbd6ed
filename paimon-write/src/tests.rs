//! Tests of all modules together, and what tests of several modules stand on.

mod replay;
pub(crate) mod stores;
