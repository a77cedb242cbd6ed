//! The rows of files of a primary-key table as they stand.

use std::sync::Arc;

use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use paimon_io::{BatchStream, TableStore};
use paimon_spec::{DataSplit, Result};

use crate::{
    KeyedLayout, ReadRequest,
    files::{Unopened, in_order},
    opening::{Opening, split_file},
    plan::FilePlan,
    read::target_of,
};

/// Rows of a batch, at most.
const BATCH_ROWS: usize = 32 << 10;

/// The rows of the files of a split as they stand in them, with their sequence numbers and kinds, file after file in the
/// order of the split: nothing is merged, and rows that take back are among them. The batches have the columns of
/// `layout`, as the table has them now; those of one file's batches together take about `held_bytes`.
///
/// For files whose rows wait for a bucket, and for files of changelogs.
///
/// # Errors
/// As [`crate::read()`].
pub fn read_unmerged<'a>(
    store: &'a TableStore,
    split: &'a DataSplit,
    layout: &'a KeyedLayout,
    held_bytes: u64,
) -> BoxFuture<'a, Result<BatchStream>> {
    Box::pin(async move {
        let target = Arc::new(target_of(store, split, &ReadRequest::default())?.before_merge(layout));
        let mut openings = Vec::with_capacity(split.files.len());
        for position in 0..split.files.len() {
            let Some(file) = split_file(store, split, position).await? else { continue };
            let Some(plan) = FilePlan::new(&target, &file.written, &file.file, &[])? else { continue };
            let opening = Opening::new(store, &split.bucket_path, file, plan, BATCH_ROWS)?;
            openings.push(Unopened::File(Box::new(Opening { held_bytes: Some(held_bytes), ..opening })));
        }
        if openings.is_empty() {
            return Ok(stream::empty().boxed());
        }
        Ok(in_order(store, openings, usize::MAX).map_ok(|(_, batch)| batch).boxed())
    })
}
