//! The choice among the entries of one manifest.

use paimon_io::TableStore;
use paimon_spec::{EntryHead, Error, ManifestFileMeta, Result};

use crate::partitions::Partition;
use crate::prune::{Decision, Pruner};
use crate::report::ScanReport;

/// The choice among the heads of one manifest. It is final only if no schema was missing.
pub(crate) struct Choice<'a> {
    pruner: &'a Pruner<'a>,
    manifest: &'a ManifestFileMeta,
    pub(crate) report: ScanReport,
    missing_schemas: Vec<i64>,
}

impl<'a> Choice<'a> {
    pub(crate) fn new(pruner: &'a Pruner<'a>, manifest: &'a ManifestFileMeta) -> Self {
        Self { pruner, manifest, report: ScanReport::default(), missing_schemas: Vec::new() }
    }

    pub(crate) fn accept(&mut self, partition: &Partition, head: &EntryHead<'_>) -> Result<bool> {
        self.report.entries_read += 1;
        if self.pruner.evolution().is_some() {
            check_row_ids(self.manifest, head)?;
        }
        Ok(match self.pruner.decide(partition, head, &mut self.report)? {
            Decision::Keep => self.missing_schemas.is_empty(),
            Decision::Drop => false,
            Decision::NeedsSchema(id) => {
                if !self.missing_schemas.contains(&id) {
                    self.missing_schemas.push(id);
                }
                false
            }
        })
    }

    /// Whether the choice is final; if not, the schemas are loaded that make the next one final.
    pub(crate) async fn is_complete(&self, store: &TableStore) -> Result<bool> {
        for id in &self.missing_schemas {
            self.pruner.load_schema(store, *id).await?;
        }
        Ok(self.missing_schemas.is_empty())
    }
}

/// Row groups are taken for complete by what manifests say of their row ids.
fn check_row_ids(manifest: &ManifestFileMeta, head: &EntryHead<'_>) -> Result<()> {
    let (Some(min), Some(max)) = (manifest.min_row_id, manifest.max_row_id) else { return Ok(()) };
    let fits =
        |first: i64| min <= first && first.checked_add(head.row_count).is_some_and(|end| end <= max.saturating_add(1));
    if head.first_row_id().is_some_and(fits) {
        return Ok(());
    }
    let message = format!(
        "expected {} rows of {} within row ids {min} to {max} of its manifest, found them from {:?}",
        head.row_count,
        head.file_name,
        head.first_row_id()
    );
    Err(Error::corrupt(message))
}
