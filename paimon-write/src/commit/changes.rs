//! A request and its messages to the changes they mean.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

use paimon_spec::{
    BucketMode, CommitKind, CommitMessage, DELETION_VECTORS, DataFileMeta, Error, FileKind, IndexManifestEntry,
    ManifestEntry, POSTPONED_BUCKET, Result, TableSchema, check_file_name, parse_partition_spec,
};

use super::overwrite::PartitionSet;
use super::reliance::Reliance;
use super::upgrade::upgrade;
use super::{CommitMode, CommitRequest};

/// What one snapshot changes.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) kind: CommitKind,
    pub(super) entries: Vec<ManifestEntry>,
    /// Files of changelogs, which no state of the table has.
    pub(super) changelog: Vec<ManifestEntry>,
    pub(super) index_changes: Vec<IndexManifestEntry>,
    /// Partitions whose files and index files all go.
    pub(super) replaces: Option<PartitionSet>,
    /// The snapshot by which it was decided what rows to change.
    pub(super) check_from_snapshot: Option<i64>,
    /// What else must not have changed.
    pub(super) reliance: Reliance,
    /// Whether all it does is to merge manifests, as many as possible.
    pub(super) merges_manifests: bool,
}

impl Change {
    fn new(kind: CommitKind) -> Self {
        Self {
            kind,
            entries: Vec::new(),
            changelog: Vec::new(),
            index_changes: Vec::new(),
            replaces: None,
            check_from_snapshot: None,
            reliance: Reliance::default(),
            merges_manifests: false,
        }
    }

    /// Nothing but fewer manifests.
    pub(super) fn merge_of_manifests() -> Self {
        Self { merges_manifests: true, ..Self::new(CommitKind::Compact) }
    }

    /// Whether it only adds files that fit whatever is there.
    pub(super) fn only_adds(&self) -> bool {
        let is_new = |entry: &ManifestEntry| entry.file.level == 0 && entry.file.first_row_id.is_none();
        self.kind == CommitKind::Append && self.entries.iter().all(is_new)
    }

    /// Whether it deletes files.
    pub(super) fn deletes_files(&self) -> bool {
        self.entries.iter().any(|entry| entry.kind == FileKind::Delete)
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.changelog.is_empty() && self.index_changes.is_empty()
    }
}

/// The changes of a request, in the order in which they are published: what was written, then what was compacted. None
/// when there is nothing to do.
pub(super) fn plan(schema: &TableSchema, request: &CommitRequest, messages: &[CommitMessage]) -> Result<Vec<Change>> {
    messages.iter().try_for_each(|message| check_message(schema, message))?;
    check_writers(schema, messages)?;
    let mut written = Change::new(CommitKind::Append);
    let mut compacted = Change::new(CommitKind::Compact);
    for message in messages {
        let entry = |kind, file: &DataFileMeta| ManifestEntry {
            kind,
            partition: message.partition.clone(),
            bucket: message.bucket,
            total_buckets: message.total_buckets,
            file: file.clone(),
        };
        let add = |file| entry(FileKind::Add, file);
        let delete = |file| entry(FileKind::Delete, file);
        written.entries.extend(message.new_files.iter().map(add));
        written.entries.extend(message.deleted_files.iter().map(delete));
        written.changelog.extend(message.changelog_files.iter().map(add));
        compacted.entries.extend(message.compact_before.iter().map(delete));
        compacted.entries.extend(message.compact_after.iter().map(add));
        compacted.changelog.extend(message.compact_changelog.iter().map(add));
        written.index_changes.extend(message.index_changes.iter().cloned());
        compacted.index_changes.extend(message.compact_index_changes.iter().cloned());
    }
    compacted.reliance = Reliance::of_compactions(schema, messages)?;
    written.check_from_snapshot = messages.iter().filter_map(|message| message.check_from_snapshot).min();
    let (has_written, has_compacted) = (!written.is_empty(), !compacted.is_empty());

    if !matches!(request.mode, CommitMode::Append) {
        let changes_rows = |entry: &&ManifestEntry| entry.kind == FileKind::Add && entry.file.first_row_id.is_some();
        if let Some(entry) = written.entries.iter().find(changes_rows) {
            return Err(Error::invalid("changes of rows by their ids cannot be committed while rows are replaced")
                .with_context("file", &entry.file.file_name));
        }
        // Readers of changelogs pass over replaced rows, so Java commits none either.
        written.changelog.clear();
        compacted.changelog.clear();
        if !has_compacted {
            written.entries = upgrade(schema, written.entries)?;
        }
    }
    let partitioned = !schema.partition_keys.is_empty();
    let makes_snapshot = match &request.mode {
        CommitMode::Append => {
            written.reliance = Reliance::of_rows(schema, messages)?;
            if removes_rows(&written) {
                written.kind = CommitKind::Overwrite;
            }
            has_written
        }
        CommitMode::OverwriteDynamic => {
            written.kind = CommitKind::Overwrite;
            let new_partitions = written.entries.iter().map(|entry| entry.partition.clone());
            written.replaces = Some(if partitioned {
                PartitionSet::exactly(schema, new_partitions)?
            } else {
                PartitionSet::all(schema)
            });
            !partitioned || written.entries.iter().any(|entry| entry.kind == FileKind::Add)
        }
        CommitMode::OverwriteStatic(spec) => {
            written.kind = CommitKind::Overwrite;
            let replaced = partition_set(schema, std::slice::from_ref(spec))?;
            for entry in &written.entries {
                if !replaced.contains(&entry.partition)? {
                    return Err(Error::invalid(format!(
                        "a new file is outside the partitions to overwrite, which are {spec:?}"
                    ))
                    .with_context("file", &entry.file.file_name));
                }
            }
            written.replaces = Some(replaced);
            true
        }
        CommitMode::Truncate(specs) => {
            if has_written || has_compacted {
                return Err(Error::invalid("truncating takes no new files"));
            }
            written.kind = CommitKind::Overwrite;
            written.replaces = Some(partition_set(schema, specs)?);
            true
        }
    };
    let written = makes_snapshot.then_some(written);
    Ok(written.into_iter().chain(has_compacted.then_some(compacted)).collect())
}

/// Java `ConflictDetection.shouldBeOverwriteCommit`: such commits must not look like appends to streaming readers.
fn removes_rows(change: &Change) -> bool {
    change.entries.iter().any(|entry| entry.kind == FileKind::Delete)
        || change.index_changes.iter().any(|change| change.index_type == DELETION_VECTORS)
}

pub(crate) fn partition_set(schema: &TableSchema, specs: &[BTreeMap<String, String>]) -> Result<PartitionSet> {
    if specs.is_empty() {
        return Ok(PartitionSet::all(schema));
    }
    let options = schema.table_options();
    let fields = schema.partition_fields();
    let specs = specs
        .iter()
        .map(|spec| parse_partition_spec(spec, &fields, options.partition_default_name()))
        .collect::<Result<_>>()?;
    Ok(PartitionSet::matching(schema, specs))
}

/// Rows of one key are ordered by their sequence numbers, which only one writer of a bucket hands out. Rows that wait for a
/// bucket get theirs from whoever gives them one.
fn check_writers(schema: &TableSchema, messages: &[CommitMessage]) -> Result<()> {
    if schema.primary_keys.is_empty() {
        return Ok(());
    }
    let mut written = HashSet::new();
    let writes = |message: &&CommitMessage| !message.new_files.is_empty() && message.bucket != POSTPONED_BUCKET;
    for message in messages.iter().filter(writes) {
        if !written.insert((&message.partition, message.bucket)) {
            return Err(Error::invalid(format!(
                "two writers have written to bucket {} of one partition for this commit; which of their rows are newer \
                 cannot be told: send all rows of a bucket to one writer",
                message.bucket
            )));
        }
    }
    Ok(())
}

fn check_message(schema: &TableSchema, message: &CommitMessage) -> Result<()> {
    let partition_columns = schema.partition_keys.len();
    if message.partition.arity() != partition_columns {
        return Err(Error::invalid(format!(
            "expected a partition of {partition_columns} values in a commit message, found {}",
            message.partition.arity()
        )));
    }
    let mode = schema.bucket_mode()?;
    let (wanted, fits) = match (message.total_buckets, mode) {
        (buckets @ 1.., _) => (format!("a bucket from 0 to {}", buckets - 1), (0..buckets).contains(&message.bucket)),
        (POSTPONED_BUCKET, BucketMode::Postponed) => {
            (format!("the bucket {POSTPONED_BUCKET}"), message.bucket == POSTPONED_BUCKET)
        }
        (-1, BucketMode::Dynamic | BucketMode::KeyDynamic) => ("a bucket from 0".to_owned(), message.bucket >= 0),
        _ => ("the bucket 0".to_owned(), message.bucket == 0),
    };
    if !fits {
        return Err(Error::invalid(format!(
            "expected {wanted} in a commit message with {} buckets, found {}",
            message.total_buckets, message.bucket
        )));
    }
    message
        .files()
        .map(|file| &file.file_name)
        .chain(message.all_index_changes().map(|change| &change.file_name))
        .try_for_each(|name| check_file_name("commit message", name))
}
