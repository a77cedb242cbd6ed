//! Plans reads of Apache Paimon tables: from a snapshot to the splits that answer a request.
//!
//! - [`ReadPoint`] says which state of the table is read; [`resolve`] finds its snapshot. [`Increment`] says between
//!   which states, when only what came in between is wanted.
//! - [`plan`] reads a snapshot's manifests, leaves out what certainly has no wanted row, and packs the rest into splits;
//!   [`Slice`] shares these out among several readers.
//!   Of data-evolution tables, files that have columns of the same rows are judged, left out and packed together.
//! - [`count_rows`] counts rows by metadata alone.
//! - [`live_entries`] and [`delta_entries`] give the files of a snapshot, and what it changed.
//!
//! A plan may keep too much: files whose statistics do not tell stay in, and whoever reads a split filters its rows.
//! Only [`ScanRequest::partition_predicate`] is exact.
//!
//! ```
//! use paimon_scan::{ReadPoint, ScanRequest};
//! use paimon_spec::{CompareOp, Datum, Predicate};
//!
//! let request = ScanRequest {
//!     at: ReadPoint::Snapshot(42),
//!     predicate: Some(Predicate::compare(0, CompareOp::Gt, Datum::Int(10))),
//!     limit: Some(100),
//!     ..ScanRequest::default()
//! };
//! assert!(request.filter_is_exact);
//! ```
//!
//! What is absent: no data file is opened here, and no Arrow, merge, write or catalog is known.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

mod ahead;
mod buckets;
mod choice;
mod count;
mod deletions;
mod entries;
mod evolution;
mod increment;
mod keyed;
mod partitions;
mod plan;
mod prune;
mod read_point;
mod readable;
mod regions;
mod report;
mod request;
mod slice;
mod splits;

#[cfg(test)]
mod testkit;

pub use count::count_rows;
pub use deletions::{DeletionIndex, deletion_files};
pub use entries::{delta_entries, live_entries};
pub use increment::Increment;
pub use plan::{Plan, plan};
pub use read_point::{ReadPoint, resolve};
pub use readable::check_readable;
pub use report::{ScanReport, Stage};
pub use request::ScanRequest;
pub use slice::Slice;
