//! Rows that wait for a bucket.
//!
//! Files of bucket -2 have rows in the order in which they were written. A compaction gives each row the bucket that the
//! bucket function says, of as many as the partition has, and writes new files of level 0 there, as a writer of these rows
//! would (Java `PostponeBucketFileStoreWrite`, `BucketFiles`). What becomes of these is for the next compaction.

use std::collections::HashMap;
use std::sync::Arc;

use futures::TryStreamExt;
use paimon_io::TableStore;
use paimon_merge::{KeyedLayout, read_unmerged};
use paimon_spec::{
    CommitMessage, CompactTask, CompactWork, DataFileMeta, DataSplit, Error, POSTPONED_BUCKET, Result, TableSchema,
};

use super::buckets::{BucketFiles, Buckets};
use crate::WriteOptions;
use crate::assign::BucketNumbers;
use crate::existing::Existing;
use crate::key_value::IncomingRows;
use crate::writer::TableWriter;

/// What ends the part of a file's name that is its writer's.
const WRITER_END: &str = "-w-";

/// Of a task's memory, the part for a batch of rows that are read, and what it is decoded from.
const READ_PART: u64 = 4;

/// One task for each of these buckets that has waiting rows: all of them. Partitions that have no bucket yet get as many
/// as the table's options say.
///
/// # Errors
/// `InvalidInput` for options that cannot be used; `CorruptData` when the files of a partition disagree about its number
/// of buckets.
pub(crate) fn plan(store: &TableStore, buckets: &Buckets) -> Result<Vec<CompactTask>> {
    let numbers = BucketNumbers::of(&store.options())?;
    let waiting = buckets.buckets.iter().filter(|bucket| bucket.bucket == POSTPONED_BUCKET);
    waiting.map(|bucket| task(store, &numbers, buckets, bucket)).collect()
}

fn task(store: &TableStore, numbers: &BucketNumbers, buckets: &Buckets, waiting: &BucketFiles) -> Result<CompactTask> {
    let number = match known_number(buckets, waiting)? {
        Some(number) => number,
        None => {
            let stats = waiting.stats()?;
            numbers.of_files(stats.rows, stats.bytes)?
        }
    };
    let files = in_order(waiting.files.clone());
    let files = buckets.split(store, waiting, files)?;
    Ok(CompactTask {
        snapshot_id: buckets.snapshot.id,
        deeper: DataSplit { files: Vec::new(), deletions: Vec::new(), ..files.clone() },
        files,
        total_buckets: POSTPONED_BUCKET,
        vectors: Vec::new(),
        work: CompactWork::Postponed { buckets: number },
    })
}

/// Files in the order of their rows: as they were committed, and those of one writer, whose names begin alike, by their age
/// (Java `PostponeUtils.groupPostponeFiles`, which leaves the order of writers open).
fn in_order(files: Vec<DataFileMeta>) -> Vec<DataFileMeta> {
    let mut of_writers: HashMap<String, Vec<usize>> = HashMap::new();
    for (place, file) in files.iter().enumerate() {
        of_writers.entry(writer_of(&file.file_name).to_owned()).or_default().push(place);
    }
    let mut from: Vec<usize> = (0..files.len()).collect();
    for places in of_writers.into_values() {
        let mut by_age = places.clone();
        by_age.sort_by_key(|place| files.get(*place).map(|file| file.creation_time_millis));
        for (place, file) in places.into_iter().zip(by_age) {
            from[place] = file;
        }
    }
    from.into_iter().filter_map(|place| files.get(place)).cloned().collect()
}

/// What names of files of one writer begin with.
fn writer_of(file_name: &str) -> &str {
    let end = file_name.rfind(WRITER_END).map(|at| at + WRITER_END.len()).or_else(|| file_name.rfind('-'));
    file_name.get(..end.unwrap_or(file_name.len())).unwrap_or(file_name)
}

/// The number of buckets that the partition of waiting rows has.
fn known_number(buckets: &Buckets, waiting: &BucketFiles) -> Result<Option<i32>> {
    let real =
        |bucket: &&BucketFiles| bucket.bucket >= 0 && bucket.total_buckets > 0 && bucket.partition == waiting.partition;
    let mut numbers = buckets.buckets.iter().filter(real).map(|bucket| bucket.total_buckets);
    let Some(number) = numbers.next() else { return Ok(None) };
    match numbers.find(|other| *other != number) {
        None => Ok(Some(number)),
        Some(other) => Err(Error::corrupt(format!(
            "expected one number of buckets in a partition, found {number} and {other}: overwrite the partition"
        ))),
    }
}

/// Moves the rows of the task's files into their buckets: a message for each bucket, and one that takes the files away.
///
/// # Errors
/// As [`read_unmerged`] and [`TableWriter::write`]; nothing is left behind, as far as deleting succeeds.
pub(crate) async fn run(store: &TableStore, task: &CompactTask, memory_bytes: u64) -> Result<Vec<CommitMessage>> {
    let CompactWork::Postponed { buckets: planned } = task.work else {
        return Err(Error::internal("paimon-write", "rows that wait for no bucket are to get one"));
    };
    // By now somebody may have given the partition its buckets.
    let mut there = Existing::read(store, false).await?.into_total_buckets();
    let number = there.find(|(partition, _)| partition == task.partition()).map_or(planned, |(_, number)| number);
    let fixed = store.with_schema(Arc::new(with_buckets(store.schema(), number)));
    let held_bytes = memory_bytes / READ_PART;
    let options = WriteOptions { memory_bytes: Some(memory_bytes - held_bytes), ..WriteOptions::default() };
    let mut writer = TableWriter::open(fixed, options).await?;
    if let Err(error) = distribute(store, &task.files, &mut writer, held_bytes).await {
        // What counts is why the rows could not be moved.
        let _ = writer.abort().await;
        return Err(error);
    }
    let (partition, files) = (task.files.partition.clone(), task.files.files.clone());
    let taken =
        CommitMessage { compact_before: files, ..CommitMessage::of(partition, POSTPONED_BUCKET, POSTPONED_BUCKET) };
    let moved = writer.prepare_commit().await?.into_iter().map(as_compaction);
    Ok([taken].into_iter().chain(moved).collect())
}

/// The table, as one with so many fixed buckets.
fn with_buckets(schema: &TableSchema, number: i32) -> TableSchema {
    let mut schema = schema.clone();
    schema.options.insert("bucket".to_owned(), number.to_string());
    schema
}

async fn distribute(store: &TableStore, split: &DataSplit, writer: &mut TableWriter, held_bytes: u64) -> Result<()> {
    let schema = store.schema();
    let all: Vec<_> = schema.fields.iter().map(|field| field.id).collect();
    let layout = KeyedLayout::new(schema, &all)?;
    let mut rows = read_unmerged(store, split, &layout, held_bytes).await?;
    while let Some(batch) = rows.try_next().await? {
        writer.write_incoming(IncomingRows::of_layout(&batch)?).await?;
    }
    Ok(())
}

/// What was written, as what a compaction made.
fn as_compaction(message: CommitMessage) -> CommitMessage {
    let CommitMessage { partition, bucket, total_buckets, new_files, changelog_files, .. } = message;
    CommitMessage {
        compact_after: new_files,
        compact_changelog: changelog_files,
        ..CommitMessage::of(partition, bucket, total_buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::data_file;

    #[test]
    fn files_are_in_the_order_of_their_commits_and_those_of_a_writer_in_that_of_their_age() {
        let file = |(name, millis): (&str, i64)| DataFileMeta { creation_time_millis: Some(millis), ..data_file(name) };
        let files = [
            ("data--u-a-s-1-w-x-1.avro", 30),
            ("data--u-a-s-2-w-y-0.avro", 10),
            ("data--u-a-s-1-w-x-0.avro", 20),
            ("data--u-a-s-2-w-y-1.avro", 10),
            ("data-of-nobody-0.avro", 5),
            ("data--u-a-s-1-w-x-2.avro", 30),
        ];
        let ordered: Vec<String> = in_order(files.map(file).to_vec()).into_iter().map(|file| file.file_name).collect();
        let expected = [files[2].0, files[1].0, files[0].0, files[3].0, files[4].0, files[5].0];
        assert_eq!(ordered, expected);
    }
}
