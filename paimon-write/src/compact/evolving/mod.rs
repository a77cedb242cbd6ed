//! Row groups of data-evolution tables: neighbours become one, with one file of all columns that are not in `.blob` files.
//!
//! No row changes: each keeps its id, which is its place after the first row's, deleted rows among them, whose deletion
//! vectors move to the new files. The new file is as new as the newest of the old ones, so that a later change of a
//! column wins over it, also one that was committed while it was made. `.blob` files stay as they are. Java:
//! `DataEvolutionCompactCoordinator`, `DataEvolutionNormalCompactTask`, `DataEvolutionCompactDeletionVectorRewriter`.
//!
//! | module | holds |
//! |---|---|
//! | `policy` | which row groups become one: pure |
//! | `layout` | what of a row group's files stands against that |
//! | `plan` | the files of buckets to tasks |
//! | `task` | a task: rows copied, batch by batch, into one file |
//! | `vectors` | deletion vectors that follow their rows |

mod layout;
mod plan;
mod policy;
mod task;
#[cfg(test)]
mod tests;
mod vectors;

pub(crate) use plan::plan;
pub(crate) use task::run;
pub(crate) use vectors::move_vectors;
