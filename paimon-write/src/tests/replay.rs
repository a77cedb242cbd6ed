//! What is read in parts, by increments and by shards, is what was written.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::datatypes::Int32Type;
use futures::TryStreamExt;
use paimon_io::{TableStore, testkit};
use paimon_merge::{ReadRequest, read};
use paimon_scan::{Increment, ReadPoint, ScanRequest, Slice, plan};
use proptest::prelude::*;

use crate::testing::{request, schema};
use crate::{CommitMode, Committed, TableWriter, WriteOptions, commit, create_tag};

/// A row: partition and number.
type Row = (i32, i32);

async fn write(table: &TableStore, ids: Range<i32>, partitions: i32) -> Vec<Row> {
    let rows: Vec<Row> = ids.map(|id| (id % partitions, id)).collect();
    let p: ArrayRef = Arc::new(rows.iter().map(|(p, _)| Some(*p)).collect::<Int32Array>());
    let id: ArrayRef = Arc::new(rows.iter().map(|(_, id)| Some(*id)).collect::<Int32Array>());
    let batch = RecordBatch::try_from_iter_with_nullable([("p", p, true), ("id", id, true)]).unwrap();
    let mut writer = TableWriter::open(table.clone(), WriteOptions::default()).await.unwrap();
    writer.write(&batch).await.unwrap();
    let messages = writer.prepare_commit().await.unwrap();
    let committed = commit(table, &request(table, CommitMode::Append).await, &messages).await.unwrap();
    assert!(matches!(committed, Committed::Snapshot(_)), "{committed:?}");
    rows
}

async fn rows(table: &TableStore, scan: &ScanRequest) -> Vec<Row> {
    let mut rows = Vec::new();
    for split in plan(table, scan).await.unwrap().splits {
        let batches = read(table, &split, &ReadRequest::default()).await.unwrap();
        for batch in batches.try_collect::<Vec<RecordBatch>>().await.unwrap() {
            let (p, id) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int32Type>());
            rows.extend(p.values().iter().copied().zip(id.values().iter().copied()));
        }
    }
    rows.sort_unstable();
    rows
}

/// How many rows each commit has.
fn commits() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(1..40_i32, 1..6)
}

fn format() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["parquet", "avro", "orc"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn all_increments_together_are_the_table(
        commits in commits(),
        format in format(),
        partitioned: bool,
        cuts in prop::collection::vec(0..6_i64, 0..3),
        by_tags: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            // Two commits are enough for manifests to be merged, so that files come into new manifests.
            let options = [("file.format", format), ("manifest.merge-min-count", "2")];
            let table = testkit::create_table(schema(partitioned, &options)).await;
            let mut written = vec![Vec::new()];
            let mut next = 0;
            for count in &commits {
                written.push(write(&table, next..next + count, 3).await);
                next += count;
                let _ = create_tag(&table, &format!("t{}", written.len() - 1), None, None).await.unwrap();
            }
            let last = commits.len() as i64;
            let mut ends: Vec<i64> = cuts.into_iter().map(|cut| cut.min(last)).chain([0, last]).collect();
            ends.sort_unstable();
            let mut replayed = Vec::new();
            for pair in ends.windows(2) {
                let (after, up_to) = (pair[0], pair[1]);
                let increment = if by_tags && up_to > 0 {
                    let tag = |id: i64| ReadPoint::Tag(format!("t{id}"));
                    Increment::Diff { before: (after > 0).then(|| tag(after)), after: tag(up_to) }
                } else {
                    Increment::Delta { after, up_to }
                };
                let scan = ScanRequest { increment: Some(increment), ..ScanRequest::default() };
                let found = rows(&table, &scan).await;
                let mut expected = written[after as usize + 1..=up_to as usize].concat();
                expected.sort_unstable();
                prop_assert_eq!(&found, &expected);
                replayed.extend(found);
            }
            replayed.sort_unstable();
            prop_assert_eq!(replayed, rows(&table, &ScanRequest::default()).await);
            Ok(())
        })?;
    }

    #[test]
    fn all_shards_together_are_the_table(
        commits in commits(),
        format in format(),
        partitioned: bool,
        total in 1..6_u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let table = testkit::create_table(schema(partitioned, &[("file.format", format)])).await;
            let mut next = 0;
            for count in &commits {
                write(&table, next..next + count, 2).await;
                next += count;
            }
            let mut found = Vec::new();
            for index in 0..total {
                let slice = Some(Slice::Shard { index, total });
                let shard = rows(&table, &ScanRequest { slice, ..ScanRequest::default() }).await;
                let share = next as usize / total as usize;
                prop_assert!(shard.len() == share || shard.len() == share + 1, "{} of {next}", shard.len());
                found.extend(shard);
            }
            found.sort_unstable();
            prop_assert_eq!(found, rows(&table, &ScanRequest::default()).await);
            Ok(())
        })?;
    }
}
