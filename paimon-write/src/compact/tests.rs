//! Compactions of tables in memory, against a model and against other writers.

mod conflicts;
mod faults;
mod history;
mod model;
mod races;
mod schemas;
