//! Reading a row group: columns of several files, filtered, without what nobody looks at.
//!
//! ```text
//! what is said of row ids, ranges of rows, deletions, file indexes  -> the rows that may be wanted
//!   no condition is left:      all columns of those rows
//!   the condition keeps few:   its columns -> the rows that pass -> the other columns of those rows
//!   the condition keeps many:  all columns together -> the rows that pass
//! ```
//!
//! Below this no file leaves rows out by itself: where a row stands says which row it is.

use std::{ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, BooleanArray, RecordBatch},
    compute::filter,
};
use futures::{StreamExt, stream};
use paimon_io::{BatchStream, TableStore, constant_array, filter_mask};
use paimon_spec::{
    DataField, Datum, DeletionFile, Error, FieldId, IndexVerdict, Predicate, Result, RowSet, is_row_tracking_field,
};

use crate::{
    columns::Columns,
    lanes::{Aligned, Lane, Stretch},
    plan::{Target, assemble, loose_schema},
    row_ids::{row_ids, stored_or},
};

/// A condition that keeps at most one row of so many is decided before the other columns are read. (Skipping single rows
/// costs a decoder about as much as decoding a few.)
const SELECTIVE: usize = 4;

/// Rows that passed the condition and wait for their other columns, in batches. Reading those anew for fewer rows would
/// decode parts of files several times.
const WAITING_BATCHES: usize = 8;

/// Columns that are read in one pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stage {
    pub(crate) columns: Vec<(DataField, Origin)>,
    pub(crate) lanes: Vec<Lane>,
}

/// Where the values of a column come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// The same in all rows.
    Constant(Option<Datum>),
    /// The column of a lane.
    Read(usize, usize),
    /// The column of a lane where it has values, and otherwise the first row's id, counted on.
    RowId { stored: Option<(usize, usize)>, first: Option<i64> },
    /// The column of a lane where it has values, and otherwise a constant.
    StoredOr { stored: (usize, usize), known: Datum },
}

/// A row group that is not read yet.
#[derive(Debug, Clone)]
pub(crate) struct Stitch {
    pub(crate) store: TableStore,
    pub(crate) bucket_path: String,
    pub(crate) target: Arc<Target>,
    pub(crate) rank: usize,
    /// Rows of the group, whatever is wanted of them.
    pub(crate) row_count: u64,
    /// The rows that may be wanted, but for the deleted ones.
    pub(crate) wanted: RowSet,
    pub(crate) deletions: Option<DeletionFile>,
    /// On columns of `early`.
    pub(crate) predicate: Predicate,
    /// The columns of the predicate, and those that come with them; those of the output first.
    pub(crate) early: Stage,
    /// How many columns of `early` the output has.
    pub(crate) kept: usize,
    /// The other columns of the output.
    pub(crate) late: Stage,
    /// For each column of the output its place among those of `early` and `late`.
    pub(crate) output: Vec<usize>,
    pub(crate) limit: Option<usize>,
    pub(crate) batch_rows: usize,
}

impl Stitch {
    /// Whether every row is wanted that is not deleted.
    pub(crate) fn keeps_all(&self) -> bool {
        self.predicate == Predicate::Constant(true)
    }

    /// Rows that surely come.
    pub(crate) fn rows_at_least(&self) -> u64 {
        match (&self.predicate, &self.deletions) {
            (Predicate::Constant(true), None) => self.wanted.len(),
            (Predicate::Constant(true), Some(deleted)) => {
                let deleted = deleted.cardinality.and_then(|deleted| u64::try_from(deleted).ok()).unwrap_or(u64::MAX);
                self.wanted.len().saturating_sub(deleted)
            }
            _ => 0,
        }
    }

    /// Bytes to fetch, about.
    pub(crate) fn bytes(&self) -> u64 {
        self.early.lanes.iter().chain(&self.late.lanes).map(Lane::bytes).fold(0, u64::saturating_add)
    }

    /// Asks the indexes of the files which rows are worth reading; `None`: no row is. A file is asked about the columns
    /// only that the group has from it.
    pub(crate) async fn screen(mut self) -> Result<Option<Self>> {
        for lane in &self.early.lanes {
            let Lane::File { file, columns } = lane else { continue };
            let own = columns.iter().map(|(_, field)| field.id).filter(|id| !is_row_tracking_field(*id));
            let own: Vec<FieldId> = own.collect();
            let Some(predicate) = self.predicate.only_on(&own) else { continue };
            let predicate = predicate.for_file(&self.target.current, &file.written).predicate;
            match self.store.file_index_verdict(&self.bucket_path, &file.file, &predicate, &file.written).await? {
                IndexVerdict::Skip => return Ok(None),
                IndexVerdict::Keep => {}
                IndexVerdict::Rows(rows) => self.wanted = self.wanted.and(&rows),
            }
        }
        Ok((!self.wanted.is_empty()).then_some(self))
    }

    /// Opens the files and waits for the first batch, so that both are there when their turn comes.
    pub(crate) async fn open(self) -> Result<BatchStream> {
        let mut wanted = match &self.deletions {
            Some(deletions) => self.wanted.without(&*self.store.deletion_vector(deletions).await?),
            None => self.wanted.clone(),
        };
        if let (true, Some(limit)) = (self.keeps_all(), self.limit) {
            wanted = wanted.first(limit as u64);
        }
        let wanted = Arc::new(wanted);
        let early = self.open_stage(&self.early, Aligned::new(wanted, self.batch_rows)).await?;
        let missing = self.limit.unwrap_or(usize::MAX);
        let rows = Rows { stitch: self, together: Some(early), late_is_open: false, early: None, late: None, missing };
        let batches =
            stream::try_unfold(rows, |mut rows| async move { Ok(rows.next().await?.map(|batch| (batch, rows))) });
        let mut batches = batches.boxed();
        let first = batches.next().await;
        Ok(stream::iter(first).chain(batches).boxed())
    }

    async fn open_stage(&self, stage: &Stage, beside: Aligned) -> Result<Aligned> {
        beside.open(&stage.lanes, &self.store, &self.bucket_path, self.row_count).await
    }

    /// Which rows pass; `None`: all.
    fn passing(&self, stretch: &Stretch) -> Result<Option<BooleanArray>> {
        if self.keeps_all() {
            return Ok(None);
        }
        let fields: Vec<_> = self.early.columns.iter().map(|(field, _)| field.clone()).collect();
        let columns = self.early.values(stretch)?;
        let batch = assemble(&loose_schema(&fields)?, columns, stretch.rows)?;
        filter_mask(&batch, &fields, &self.predicate).map(Some)
    }

    /// Rows of all lanes, without those that do not pass; `mask` may have more rows.
    fn filtered(&self, stretch: Stretch, mask: Option<BooleanArray>) -> Result<RecordBatch> {
        let rows = stretch.rows;
        let (early, late) = stretch.split(self.early.lanes.len());
        let mut columns = self.early.values_of(self.kept, &early)?;
        columns.extend(self.late.values(&late)?);
        match mask.map(|mask| mask.slice(0, rows)).filter(|mask| mask.true_count() < rows) {
            None => self.finish(&columns, rows),
            Some(mask) => self.finish(&masked(&columns, &mask)?, mask.true_count()),
        }
    }

    /// Rows of the output, from the columns that are kept of `early` and those of `late`.
    fn finish(&self, columns: &[ArrayRef], rows: usize) -> Result<RecordBatch> {
        let output = self.output.iter().map(|place| Arc::clone(&columns[*place])).collect();
        assemble(&self.target.schema, output, rows)
    }
}

impl Stage {
    fn values(&self, stretch: &Stretch) -> Result<Vec<ArrayRef>> {
        self.values_of(self.columns.len(), stretch)
    }

    /// The first columns alone.
    fn values_of(&self, count: usize, stretch: &Stretch) -> Result<Vec<ArrayRef>> {
        let read = |(lane, column): (usize, usize)| &stretch.lanes[lane].columns[column];
        let values = self.columns.iter().take(count).map(|(field, origin)| {
            let constant = |value: Option<&Datum>| constant_array(value, &field.data_type, stretch.rows);
            let values = match origin {
                Origin::Constant(value) => constant(value.as_ref()),
                Origin::Read(lane, column) => Ok(Arc::clone(read((*lane, *column)))),
                Origin::RowId { stored, first } => {
                    let known = match first {
                        Some(first) => row_ids(*first, &stretch.positions),
                        None => constant(None)?,
                    };
                    stored.map_or_else(|| Ok(Arc::clone(&known)), |stored| stored_or(read(stored), Arc::clone(&known)))
                }
                Origin::StoredOr { stored, known } => stored_or(read(*stored), constant(Some(known))?),
            };
            values.map_err(|error| error.with_context("column", &field.name))
        });
        values.collect()
    }
}

/// The rows of a group, batch by batch.
struct Rows {
    stitch: Stitch,
    /// All columns in step; those of the condition come first, and the others when they are needed.
    together: Option<Aligned>,
    late_is_open: bool,
    /// The columns of the condition alone, once it has kept few rows.
    early: Option<Aligned>,
    /// Rows that passed, and their other columns.
    late: Option<Aligned>,
    /// Rows still wanted.
    missing: usize,
}

impl Rows {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = match self.next_together().await? {
            None => self.next_apart().await?,
            batch => batch,
        };
        self.missing = self.missing.saturating_sub(batch.as_ref().map_or(0, RecordBatch::num_rows));
        Ok(batch)
    }

    /// All columns of rows, and of those the ones that pass; `None` at the end, or when few passed.
    async fn next_together(&mut self) -> Result<Option<RecordBatch>> {
        let stitch = &self.stitch;
        let early_lanes = stitch.early.lanes.len();
        while let Some(mut rows) = self.together.take() {
            let Some(first) = rows.peek(early_lanes).await? else { break };
            let mask = stitch.passing(&first)?;
            let few = mask.as_ref().is_some_and(|mask| mask.true_count().saturating_mul(SELECTIVE) <= first.rows);
            if few && !stitch.late.lanes.is_empty() {
                rows.truncate(early_lanes);
                self.early = Some(rows);
                break;
            }
            if !self.late_is_open {
                rows = stitch.open_stage(&stitch.late, rows).await?;
                self.late_is_open = true;
            }
            let Some(stretch) = rows.next().await? else { break };
            self.together = Some(rows);
            let batch = stitch.filtered(stretch, mask)?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// First a number of rows that pass, then their other columns.
    async fn next_apart(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some(late) = &mut self.late {
                if let Some(stretch) = late.next().await? {
                    let rows = stretch.rows;
                    let (held, late) = stretch.split(1);
                    let mut columns: Vec<ArrayRef> = held.lanes.into_iter().flat_map(|lane| lane.columns).collect();
                    columns.extend(self.stitch.late.values(&late)?);
                    return Ok(Some(self.stitch.finish(&columns, rows)?));
                }
                self.late = None;
            }
            let Some(passed) = self.gather().await? else { return Ok(None) };
            self.late = Some(self.stitch.open_stage(&self.stitch.late, passed).await?);
        }
    }

    /// The next rows that pass, with the columns that the output has of them; `None`: there are no more.
    async fn gather(&mut self) -> Result<Option<Aligned>> {
        let (stitch, Some(early)) = (&self.stitch, &mut self.early) else { return Ok(None) };
        let most = stitch.batch_rows.saturating_mul(WAITING_BATCHES).min(self.missing);
        let (mut held, mut passed, mut passed_rows) = (Vec::new(), Vec::new(), 0);
        let mut positions: Vec<u32> = Vec::new();
        while positions.len() < most {
            let Some(stretch) = early.next().await? else { break };
            let mask = stitch.passing(&stretch)?.unwrap_or_else(|| BooleanArray::from(vec![true; stretch.rows]));
            if mask.true_count() == 0 {
                continue;
            }
            let columns = stitch.early.values_of(stitch.kept, &stretch)?;
            passed_rows += mask.true_count();
            passed.push(Columns { columns: masked(&columns, &mask)?, rows: mask.true_count() });
            // A few rows of each of many batches are a batch.
            if passed_rows >= stitch.batch_rows {
                held.push(Columns::joined(&passed)?);
                (passed, passed_rows) = (Vec::new(), 0);
            }
            let rows = stretch.positions.iter().flat_map(Range::clone);
            // A set of rows has positions of 32 bits.
            positions.extend(rows.zip(mask.values().iter()).filter(|(_, passes)| *passes).map(|(row, _)| row as u32));
        }
        if positions.is_empty() {
            return Ok(None);
        }
        held.push(Columns::joined(&passed)?);
        let rows = Arc::new(RowSet::from_positions(positions));
        Ok(Some(Aligned::new(rows, stitch.batch_rows).with(held)))
    }
}

fn masked(columns: &[ArrayRef], mask: &BooleanArray) -> Result<Vec<ArrayRef>> {
    let masked = columns.iter().map(|column| filter(column, mask));
    masked.collect::<std::result::Result<_, _>>().map_err(|error| Error::internal("paimon-merge", error))
}
