//! Golden tables: what other implementations wrote, and the rows that they read from it.
//!
//! A case is a folder under `cases/read`: `case.toml` says who wrote the table and what is expected, `table/` is the
//! table as it stood on disk, `expected.rows` holds one JSON array a row, sorted. Values are spelt so that nothing is
//! lost: floats as the bits of the number, bytes as hex, decimals as text, dates as days, times in microseconds since
//! 1970, maps as sorted pairs. `reads.jsonl`, where there is one, holds more reads ([`Read`]), one JSON object a line:
//! of a tag, a snapshot, a branch, an increment or the highest level, with a filter, and the rows, or the values of the
//! first column, that the writer read then. `unordered` in `case.toml` names columns of arrays whose order the writer
//! leaves to a hash map: they are sorted on both sides.
//!
//! ```text
//! cases/read/java-0.9-t103/
//!     case.toml        writer = "Apache Paimon for Java 0.9.0"  sha256 = "..."  expect.rows = "expected.rows"
//!     expected.rows
//!     table/{schema,snapshot,manifest,bucket-0}/...
//! ```

mod case;
mod checksum;
mod counting;
mod filter;
mod probe;
mod read;
mod render;

pub use case::{Case, Commit, Expect, cases};
pub use counting::Counting;
pub use probe::{Probe, probes};
pub use read::Read;
pub use render::render_rows;
