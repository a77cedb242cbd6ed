//! Files of append tables: fewer and larger ones, without the rows that are deleted.
//!
//! | module | holds |
//! |---|---|
//! | `policy` | which files are rewritten together: pure |
//! | `plan` | the files of buckets to tasks |
//! | `task` | a task: rows copied batch by batch, vectors of the old files taken out |

mod plan;
mod policy;
mod task;

pub(crate) use plan::plan;
pub(crate) use task::run;
