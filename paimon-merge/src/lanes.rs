//! Columns of a row group from several files, row by row beside one another.
//!
//! A *lane* gives some columns for the same rows as all other lanes, in the same order, in batches of its own sizes.

use std::{ops::Range, sync::Arc};

use futures::{
    StreamExt, TryStreamExt, future,
    stream::{self, BoxStream},
};
use paimon_io::{FileRead, TableStore, evolve_array};
use paimon_spec::{DataField, Error, Result, RowSet};

use crate::{
    blobs::{BlobColumn, read_blobs},
    columns::Columns,
    opening::SplitFile,
};

/// Columns that are read together.
#[derive(Debug, Clone)]
pub(crate) enum Lane {
    /// Columns of a file that has all rows of the group: as it has them, and as the table has them.
    File { file: Box<SplitFile>, columns: Vec<(DataField, DataField)> },
    /// A column of its own files.
    Blobs(BlobColumn),
}

impl Lane {
    /// The lane's columns at the positions `wanted` of a group of `row_count` rows.
    pub(crate) async fn open(
        &self,
        store: &TableStore,
        bucket_path: &str,
        wanted: &Arc<RowSet>,
        row_count: u64,
        batch_rows: usize,
    ) -> Result<BoxStream<'static, Result<Columns>>> {
        let (file, columns) = match self {
            Self::Blobs(column) => return read_blobs(store, bucket_path, column, wanted, batch_rows).await,
            Self::File { file, columns } => (&file.file, columns.clone()),
        };
        let read = FileRead {
            columns: columns.iter().map(|(written, _)| written.clone()).collect(),
            predicate: None,
            deletions: None,
            rows: (wanted.len() < row_count).then(|| Arc::clone(wanted)),
            limit: None,
            batch_rows,
            held_bytes: None,
        };
        let batches = store.open_file(bucket_path, file, &read).await?;
        let url = file.file_name.clone();
        let evolved = batches.map(move |batch| {
            let batch = batch?;
            let evolved = batch.columns().iter().zip(&columns).map(|(values, (written, field))| {
                let evolved = evolve_array(values, &written.data_type, &field.data_type);
                evolved.map_err(|error| error.with_context("column", &field.name).with_context("file", &url))
            });
            Ok(Columns { columns: evolved.collect::<Result<_>>()?, rows: batch.num_rows() })
        });
        Ok(evolved.boxed())
    }

    /// Bytes to fetch before the first rows come, about.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::File { file, .. } => u64::try_from(file.file.file_size).unwrap_or(0),
            // Only their indexes are read.
            Self::Blobs(_) => 0,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::File { file, .. } => &file.file.file_name,
            Self::Blobs(column) => &column.field.name,
        }
    }
}

/// Lanes that are read in step.
pub(crate) struct Aligned {
    lanes: Vec<OpenLane>,
    wanted: Arc<RowSet>,
    /// The position of the next row, or one before it that is not wanted.
    position: u64,
    /// Rows to come.
    missing: u64,
    batch_rows: usize,
}

struct OpenLane {
    name: String,
    batches: BoxStream<'static, Result<Columns>>,
    /// What came last, and how many of its rows are used.
    current: Option<(Columns, usize)>,
}

/// Rows of all lanes.
#[derive(Debug)]
pub(crate) struct Stretch {
    /// The columns of the lanes, lane by lane.
    pub(crate) lanes: Vec<Columns>,
    /// The positions of the rows in the group.
    pub(crate) positions: Vec<Range<u64>>,
    pub(crate) rows: usize,
}

impl Aligned {
    /// No lanes yet: rows that have positions only.
    pub(crate) fn new(wanted: Arc<RowSet>, batch_rows: usize) -> Self {
        Self { lanes: Vec::new(), missing: wanted.len(), wanted, position: 0, batch_rows: batch_rows.max(1) }
    }

    /// One more lane, of columns that are there.
    pub(crate) fn with(mut self, held: Vec<Columns>) -> Self {
        let batches = stream::iter(held.into_iter().map(Ok)).boxed();
        self.lanes.push(OpenLane { name: "memory".to_owned(), batches, current: None });
        self
    }

    /// More lanes. No row was taken yet.
    pub(crate) async fn open(
        mut self,
        lanes: &[Lane],
        store: &TableStore,
        bucket_path: &str,
        row_count: u64,
    ) -> Result<Self> {
        let wanted = &self.wanted;
        let opening = lanes.iter().map(|lane| async move {
            let batches = lane.open(store, bucket_path, wanted, row_count, self.batch_rows).await?;
            Ok::<_, Error>(OpenLane { name: lane.name().to_owned(), batches, current: None })
        });
        let opened = future::try_join_all(opening).await?;
        self.lanes.extend(opened);
        Ok(self)
    }

    /// Only the first lanes go on.
    pub(crate) fn truncate(&mut self, lanes: usize) {
        self.lanes.truncate(lanes);
    }

    /// The next rows of the first lanes, which [`Self::next`] gives again, maybe fewer of them; `None` behind the last.
    pub(crate) async fn peek(&mut self, lanes: usize) -> Result<Option<Stretch>> {
        if self.missing == 0 {
            return Ok(None);
        }
        let lanes = &mut self.lanes[..lanes];
        future::try_join_all(lanes.iter_mut().map(OpenLane::fill)).await?;
        let lanes = lanes.iter().filter_map(|lane| lane.current.as_ref());
        let rows = lanes.clone().map(|(columns, used)| columns.rows - used).min().unwrap_or(usize::MAX);
        let rows = rows.min(self.batch_rows).min(usize::try_from(self.missing).unwrap_or(usize::MAX));
        let lanes = lanes.map(|(columns, used)| columns.slice(*used, rows)).collect();
        Ok(Some(Stretch { lanes, positions: first_positions(&self.wanted, self.position, rows), rows }))
    }

    /// The next rows of all lanes; `None` behind the last.
    pub(crate) async fn next(&mut self) -> Result<Option<Stretch>> {
        let next = self.peek(self.lanes.len()).await?;
        if let Some(stretch) = &next {
            self.missing = self.missing.saturating_sub(stretch.rows as u64);
            self.position = stretch.positions.last().map_or(self.position, |last| last.end);
            self.lanes.iter_mut().for_each(|lane| lane.advance(stretch.rows));
        }
        Ok(next)
    }
}

impl Stretch {
    /// The first lanes, and the others.
    pub(crate) fn split(mut self, lanes: usize) -> (Self, Self) {
        let others = self.lanes.split_off(lanes.min(self.lanes.len()));
        let others = Self { lanes: others, positions: self.positions.clone(), rows: self.rows };
        (self, others)
    }
}

impl OpenLane {
    fn advance(&mut self, rows: usize) {
        let current = self.current.take().map(|(columns, used)| (columns, used + rows));
        self.current = current.filter(|(columns, used)| *used < columns.rows);
    }

    async fn fill(&mut self) -> Result<()> {
        while self.current.is_none() {
            let Some(columns) = self.batches.try_next().await? else {
                let message = format!("expected more rows of {}, found its end", self.name);
                return Err(Error::corrupt(message));
            };
            self.current = Some((columns, 0)).filter(|(columns, _)| columns.rows > 0);
        }
        Ok(())
    }
}

/// The first `count` positions from `start` on.
fn first_positions(wanted: &RowSet, start: u64, count: usize) -> Vec<Range<u64>> {
    let mut left = count as u64;
    let mut positions = Vec::new();
    for range in wanted.ranges_in(start, 1 << 32) {
        if left == 0 {
            break;
        }
        let range = range.start..range.end.min(range.start + left);
        left -= range.end - range.start;
        positions.push(range);
    }
    positions
}
