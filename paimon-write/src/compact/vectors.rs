//! The deletion vectors of a bucket after its files have changed. Java: `BucketedDvMaintainer`.

use std::collections::{BTreeMap, HashSet};

use paimon_io::TableStore;
use paimon_spec::{CompactTask, DeletionVector, Error, IndexManifestEntry, Result};

use crate::vector_files::{VectorPlace, Vectors, replace_vectors};

/// Rows of deeper files that newer rows take the place of.
#[derive(Debug, Default)]
pub(super) struct Superseded {
    /// Physical positions, by place in the task's deeper files.
    positions: BTreeMap<usize, DeletionVector>,
}

impl Superseded {
    pub(super) fn add(&mut self, superseded: &[(usize, Vec<u64>)]) {
        for (file, positions) in superseded {
            self.positions.entry(*file).or_default().extend(positions.iter().copied());
        }
    }

    /// The index file of the bucket with these rows, and without the vectors of files that are `gone`; vectors of other
    /// files stay. No change when there is nothing to change.
    ///
    /// # Errors
    /// Those of reading and writing index files: then nothing is left behind.
    pub(super) async fn replace_vectors(
        self,
        store: &TableStore,
        task: &CompactTask,
        gone: &HashSet<&str>,
    ) -> Result<Vec<IndexManifestEntry>> {
        let mut changed = Vectors::new();
        for (place, positions) in self.positions {
            let Some(file) = task.deeper.files.get(place) else {
                let message = format_args!("rows of file {place} are superseded, of {}", task.deeper.files.len());
                return Err(Error::internal("paimon-write", message));
            };
            let there = match task.deeper.deletions.get(place) {
                Some(Some(there)) => store.deletion_vector(there).await?,
                _ => DeletionVector::from_positions(std::iter::empty()).into(),
            };
            let vector = DeletionVector::from_positions(there.positions().chain(positions.positions()));
            if vector.cardinality() > there.cardinality() {
                changed.insert(file.file_name.clone(), vector);
            }
        }
        if task.vectors.is_empty() && changed.is_empty() {
            return Ok(Vec::new());
        }
        let place = VectorPlace { partition: task.partition(), bucket: task.bucket(), in_one_file: true };
        replace_vectors(store, &task.vectors, place, changed, gone).await
    }
}
