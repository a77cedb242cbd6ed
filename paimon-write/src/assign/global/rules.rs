//! What becomes of a row, by where its key is.

use arrow::array::RecordBatch;
use paimon_spec::{Error, MergeEngine, MergeOptions, Result, TableSchema};

use super::buckets::Buckets;
use super::index::{KeyIndex, Place};
use super::keys::Keys;
use super::output::{Columns, Output};
use super::partitions::Partitions;
use crate::assign::Share;
use crate::route::{PartitionRouter, Routed, select};

/// Gives rows their bucket, and keeps count of keys (Java `GlobalIndexAssigner`).
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) keys: Keys,
    pub(super) partitions: Partitions,
    pub(super) buckets: Buckets,
    router: PartitionRouter,
    columns: Columns,
    /// The columns of the primary key.
    key_columns: Vec<usize>,
    elsewhere: Elsewhere,
}

/// What a row does whose key is in another partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Elsewhere {
    /// It moves the key: the row there is deleted (Java `DeleteExistingProcessor`).
    Moves,
    /// It changes the row there, and its own partition counts for nothing (`UseOldExistingProcessor`).
    Follows,
    /// Nothing (`SkipNewExistingProcessor`).
    Goes,
}

impl Rules {
    /// Of rows whose last columns are those of the table, and the one before says what a row does. `leading`: how many
    /// columns there are before those of the table.
    ///
    /// # Errors
    /// `InvalidInput` for options that cannot be used; `Unsupported` for those that cannot be kept to.
    pub(super) fn of(schema: &TableSchema, share: Share, leading: usize) -> Result<Self> {
        let merging = MergeOptions::of(schema)?;
        let elsewhere = match merging.engine {
            MergeEngine::Deduplicate => Elsewhere::Moves,
            MergeEngine::PartialUpdate | MergeEngine::Aggregation => Elsewhere::Follows,
            MergeEngine::FirstRow => Elsewhere::Goes,
        };
        if elsewhere == Elsewhere::Moves && merging.ignore_delete {
            return Err(Error::unsupported(
                "a table with 'ignore-delete' whose keys may move between partitions cannot be written: the row that a key \
                 leaves behind has to be deleted",
            ));
        }
        let places = |names: &[String]| -> Vec<usize> {
            let place = |name: &String| schema.fields.iter().position(|field| field.name == *name);
            names.iter().filter_map(place).map(|at| leading + at).collect()
        };
        Ok(Self {
            keys: Keys::of(schema, share)?,
            partitions: Partitions::of(schema),
            buckets: Buckets::of(schema, share)?,
            router: PartitionRouter::of(schema)?,
            key_columns: places(&schema.primary_keys),
            columns: Columns { kind: leading.saturating_sub(1), partition: places(&schema.partition_keys) },
            elsewhere,
        })
    }

    /// The hashes of the keys of rows.
    pub(super) fn hashes(&self, rows: &RecordBatch) -> Result<Vec<u64>> {
        let keys = self.keys.rows(&select(rows, &self.key_columns))?;
        Ok(keys.iter().map(|(_, hash)| hash).collect())
    }

    /// Rows in their buckets, with what has to happen to keys that are elsewhere.
    pub(super) fn assign(&mut self, index: &mut KeyIndex, rows: &RecordBatch) -> Result<Vec<Routed>> {
        let found = self.router.route_columns(&select(rows, &self.columns.partition), rows.num_rows())?;
        let partitions =
            found.partitions().iter().map(|row| self.partitions.number(row)).collect::<Result<Vec<u32>>>()?;
        let keys = self.keys.rows(&select(rows, &self.key_columns))?;
        let mut output = Output::default();
        for (row, (key, hash)) in keys.iter().enumerate() {
            let partition = partitions[found.of(row)];
            match index.find(hash, key) {
                None => {
                    let place = Place { partition, bucket: self.buckets.assign(partition, hash)? };
                    index.insert(hash, key, place)?;
                    output.keep(row, place);
                }
                Some(number) => {
                    let there = index.place(number);
                    match self.elsewhere {
                        _ if there.partition == partition => output.keep(row, there),
                        Elsewhere::Goes => {}
                        Elsewhere::Follows => output.redirect(row, there),
                        Elsewhere::Moves => {
                            output.retract(row, there);
                            self.buckets.uncount(there.partition, there.bucket);
                            let place = Place { partition, bucket: self.buckets.assign(partition, hash)? };
                            index.set(number, place);
                            output.keep(row, place);
                        }
                    }
                }
            }
        }
        output.finish(rows, &self.columns, &self.partitions)
    }
}
