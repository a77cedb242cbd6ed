//! Reads an ORC data file: its tail once, then of the chosen stripes the streams of the chosen columns.

use std::{collections::VecDeque, ops::Range, sync::Arc};

use arrow::array::{ArrayRef, RecordBatch};
use bytes::Bytes;
use futures::{StreamExt, stream};
use paimon_spec::{ColumnStats, DataField, DataFileMeta, Error, Result, RowSet, TableOptions, limits::BATCH_BYTES};

use super::{
    super::{
        BatchStream, FileRead,
        batches::{Columns, WantedRows},
        guarded, naming,
        source::Source,
    },
    column::{Budget, Column, Fault},
    corrupt,
    prune::column_stats,
    shape::Shape,
    stripe::{Layout, Streams},
    tail::{Decoded, Stripe, Tail, repeated},
};
use crate::{MetadataCache, Storage, TableStore};

/// Stripes up to this size are read whole: their footer says what to read, and would cost a request of its own.
const SMALL_STRIPE_BYTES: u64 = 1 << 20;

/// Whether local-zone timestamps of the table are plain times of UTC in files of Java: by default, they show its clock.
pub(super) fn writes_instants(options: &TableOptions<'_>) -> bool {
    options.get("orc.timestamp-ltz.legacy.type").is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
}

pub(in super::super) async fn open(
    store: &TableStore,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<BatchStream> {
    let source = Source::new(storage, path, file)?;
    let tail = read_tail(&store.context().cache, &source).await?;
    let plan = guarded(|| Plan::new(&tail, read, file.row_count))?;
    let columns = Columns::new(&read.columns)?;
    let limit = read.limit.unwrap_or(usize::MAX);
    if plan.shapes.iter().all(Option::is_none) {
        let rows = usize::try_from(plan.row_count).unwrap_or(usize::MAX).min(limit);
        return Ok(columns.rows_alone(rows, read.batch_rows.max(1)));
    }
    let reading = Reading {
        source,
        biased: tail.by_java && !writes_instants(&store.options()),
        tail,
        columns,
        names: read.columns.iter().map(|field| field.name.clone()).collect(),
        shapes: plan.shapes,
        stripes: plan.stripes,
        open: None,
        wanted: WantedRows::of(read),
        limit,
        batch_rows: read.batch_rows.max(1),
    };
    let batches = stream::try_unfold(reading, |mut reading| async move {
        let next = reading.next_batch().await.map_err(|e| naming(e, &reading.source.url()))?;
        Ok(next.map(|batch| (batch, reading)))
    });
    Ok(batches.boxed())
}

/// The rows that [`open`] does not leave out by statistics, by their positions.
pub(in super::super) async fn rows_in_question(
    cache: &MetadataCache,
    storage: &Storage,
    path: &str,
    file: &DataFileMeta,
    read: &FileRead,
) -> Result<RowSet> {
    let tail = read_tail(cache, &Source::new(storage, path, file)?).await?;
    let plan = guarded(|| Plan::new(&tail, read, file.row_count))?;
    let wanted = WantedRows::of(read);
    RowSet::from_ranges(plan.stripes.into_iter().flat_map(|(_, rows)| wanted.within(rows)))
}

/// The tail, from the cache or from the file.
async fn read_tail(cache: &MetadataCache, source: &Source) -> Result<Arc<Tail>> {
    let load = async {
        let mut end = source.tail().await?;
        loop {
            match guarded(|| Tail::decode(&end, source.size))? {
                Decoded::Tail(tail) => return Ok(*tail),
                // Always more than there was, and never more than the file.
                Decoded::Wants(more) => end = source.read(source.size - more..source.size).await?,
            }
        }
    };
    cache.get_or_load(format!("{}#{}", source.url(), source.size), Tail::memory_bytes, load).await
}

/// What of a file is read.
struct Plan {
    /// For each column asked for, what to read of the file; `None`: the file lacks it.
    shapes: Vec<Option<Shape>>,
    /// The stripes, with the positions of their rows in the file, up to the last one wanted.
    stripes: VecDeque<(usize, Range<u64>)>,
    /// Rows of these stripes that are wanted.
    row_count: u64,
}

impl Plan {
    fn new(tail: &Tail, read: &FileRead, row_count: i64) -> Result<Self> {
        if u64::try_from(row_count) != Ok(tail.row_count) {
            return Err(corrupt(format!("wanted {row_count} rows as the manifest says, found {}", tail.row_count)));
        }
        let root = tail.types.first().ok_or_else(|| corrupt("the file has no columns"))?;
        let position = |field: &DataField| {
            let position = root.names.iter().position(|name| *name == field.name)?;
            root.children.get(position).copied()
        };
        let shape = |field: &DataField| {
            let shape = position(field).map(|position| Shape::new(&tail.types, position, &field.data_type));
            shape.transpose().map_err(|e| e.with_context("column", &field.name))
        };
        let shapes = read.columns.iter().map(shape).collect::<Result<_>>()?;
        let statistics = tail.stripe_statistics();
        let may_match = |index: usize, stripe: &Stripe| {
            let statistics = statistics.get(index).and_then(|stripe| repeated(stripe));
            let (Some(predicate), Some(statistics)) = (&read.predicate, statistics) else {
                return true;
            };
            let stats = |id| {
                let field = read.columns.iter().find(|field| field.id == id);
                let found = field.and_then(|field| {
                    let position = position(field)?;
                    let (message, found) = (statistics.get(position)?, tail.types.get(position)?);
                    Some(column_stats(message, found.kind, &field.data_type, stripe.row_count))
                });
                found.unwrap_or_else(ColumnStats::default)
            };
            predicate.may_match(i64::try_from(stripe.row_count).unwrap_or(i64::MAX), &stats)
        };
        let wanted = WantedRows::of(read);
        let mut plan = Self { shapes, stripes: VecDeque::new(), row_count: 0 };
        let mut first_row = 0;
        for (index, stripe) in tail.stripes.iter().enumerate() {
            // The rows of all stripes are those of the file, so the sum is in range.
            let rows = first_row..first_row + stripe.row_count;
            first_row = rows.end;
            let start = rows.start;
            let kept = wanted.within(rows);
            if let Some(last) = kept.last()
                && may_match(index, stripe)
            {
                plan.stripes.push_back((index, start..last.end));
                plan.row_count += kept.iter().map(|range| range.end - range.start).sum::<u64>();
            }
        }
        Ok(plan)
    }
}

struct Reading {
    source: Source,
    tail: Arc<Tail>,
    /// Whether local-zone timestamps are what the writer's clock shows.
    biased: bool,
    columns: Columns,
    names: Vec<String>,
    shapes: Vec<Option<Shape>>,
    /// Stripes still to read, with the positions of their rows.
    stripes: VecDeque<(usize, Range<u64>)>,
    open: Option<OpenStripe>,
    wanted: WantedRows,
    /// Rows still wanted.
    limit: usize,
    batch_rows: usize,
}

/// A stripe in the middle of being read.
struct OpenStripe {
    columns: Vec<Option<Column>>,
    /// Positions of the rows still to read.
    rows: Range<u64>,
}

impl Reading {
    async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.limit > 0 {
            if self.open.is_none() {
                let Some((index, rows)) = self.stripes.pop_front() else { return Ok(None) };
                self.open = Some(self.open_stripe(index, rows).await?);
            }
            let batch = guarded(|| self.decode())?;
            let rows = batch.num_rows().min(self.limit);
            self.limit -= rows;
            if rows > 0 {
                return Ok(Some(batch.slice(0, rows)));
            }
        }
        Ok(None)
    }

    /// The next rows of the open stripe that are wanted, if any.
    fn decode(&mut self) -> Result<RecordBatch> {
        let stripe = self.open.as_mut().ok_or_else(|| Error::internal("paimon-io", "no stripe is open"))?;
        let mut rows = usize::try_from(stripe.rows.end - stripe.rows.start).unwrap_or(usize::MAX).min(self.batch_rows);
        let arrays = loop {
            // A copy, because too large a batch is read again with fewer rows.
            let mut columns = stripe.columns.clone();
            match read_columns(&mut columns, &self.names, rows) {
                Ok(arrays) => {
                    stripe.columns = columns;
                    break arrays;
                }
                Err(Fault::TooLarge) if rows > 1 => {
                    rows /= 2;
                    self.batch_rows = rows;
                }
                Err(Fault::TooLarge) => {
                    let message = format!("row {} of the file takes more than {BATCH_BYTES} bytes", stripe.rows.start);
                    return Err(Error::unsupported(message));
                }
                Err(Fault::Bad(error)) => return Err(error),
            }
        };
        let start = stripe.rows.start;
        stripe.rows.start += rows as u64;
        if stripe.rows.is_empty() {
            self.open = None;
        }
        let batch = self.columns.arrange(rows, |position, _| arrays.get(position)?.as_ref())?;
        self.wanted.keep(batch, start)
    }

    async fn open_stripe(&self, index: usize, rows: Range<u64>) -> Result<OpenStripe> {
        let stripe = self.tail.stripes.get(index).ok_or_else(|| corrupt(format!("there is no stripe {index}")))?;
        let at_stripe = |e: Error| e.with_context("stripe", index.to_string());
        let (whole, footer) = (stripe.offset..stripe.end(), stripe.streams_end()..stripe.end());
        let small = match whole.end - whole.start <= SMALL_STRIPE_BYTES {
            true => Some(self.source.read(whole.clone()).await?),
            false => None,
        };
        let parts = async |ranges: &[Range<u64>]| match &small {
            Some(bytes) => {
                let within = |range: &Range<u64>| {
                    bytes.slice((range.start - whole.start) as usize..(range.end - whole.start) as usize)
                };
                Ok(ranges.iter().map(within).collect())
            }
            None => self.source.fetch(ranges).await,
        };
        let footer = parts(std::slice::from_ref(&footer)).await?.pop().unwrap_or_default();
        let layout = guarded(|| Layout::decode(footer, self.tail.codec, stripe)).map_err(at_stripe)?;
        let mut positions = Vec::new();
        self.shapes.iter().flatten().for_each(|shape| shape.positions(&mut positions));
        let ranges = positions.iter().flat_map(|position| layout.ranges_of(*position));
        let ranges: Vec<_> = ranges.filter(|range| !range.is_empty()).collect();
        let parts: Vec<Bytes> = parts(&ranges).await?;
        let fetched = ranges.iter().map(|range| range.start).zip(parts).collect();
        let biased = self.biased.then_some(layout.zone);
        let streams = Streams { layout, codec: self.tail.codec, fetched };
        let mut budget = Budget::new();
        let columns = self.shapes.iter().zip(&self.names).map(|(shape, name)| {
            let open = |shape| guarded(|| Column::open(shape, &streams, biased, &mut budget));
            shape.as_ref().map(open).transpose().map_err(|e| e.with_context("column", name))
        });
        let columns = columns.collect::<Result<_>>().map_err(at_stripe)?;
        Ok(OpenStripe { columns, rows })
    }
}

/// The next `rows` rows of the columns that the file has.
fn read_columns(
    columns: &mut [Option<Column>],
    names: &[String],
    rows: usize,
) -> std::result::Result<Vec<Option<ArrayRef>>, Fault> {
    let mut budget = Budget::new();
    let arrays = columns.iter_mut().zip(names).map(|(column, name)| {
        column.as_mut().map(|column| column.read(rows, &mut budget)).transpose().map_err(|fault| match fault {
            Fault::Bad(error) => Fault::Bad(error.with_context("column", name)),
            Fault::TooLarge => Fault::TooLarge,
        })
    });
    arrays.collect()
}
