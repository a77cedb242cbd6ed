//! Between Paimon's types and Arrow's.

pub(crate) mod evolve;
pub(crate) mod filter;
pub(crate) mod fit;
pub(crate) mod rows;
pub(crate) mod stats;
pub(crate) mod stored;
mod text;
pub(crate) mod types;

#[cfg(test)]
mod tests;
