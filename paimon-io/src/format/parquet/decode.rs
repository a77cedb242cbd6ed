//! Decodes the chosen rows of a file, row group by row group.

use std::{collections::VecDeque, ops::Range};

use arrow::array::RecordBatch;
use bytes::Bytes;
use paimon_spec::{Error, Result};
use parquet::{
    DecodeResult,
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, RowSelection},
        push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder},
    },
};

use super::{
    super::{batches::Columns, guarded, source::Source},
    corrupt,
    late_filter::LateFilter,
    pages::Load,
    pieces::cut,
    prune::Selection,
};

/// A read on its way.
pub(super) struct Decoding {
    pub(super) source: Source,
    pub(super) metadata: ArrowReaderMetadata,
    pub(super) projection: ProjectionMask,
    pub(super) filter: Option<LateFilter>,
    pub(super) columns: Columns,
    /// For each column asked for, which of the decoded ones it is; `None`: the file lacks it.
    pub(super) positions: Vec<Option<usize>>,
    /// Rows of a batch, at most.
    pub(super) batch_rows: usize,
    /// Bytes of a batch, at most.
    pub(super) most_bytes: u64,
    /// Rows still wanted.
    pub(super) limit: Option<usize>,
    pub(super) waiting: VecDeque<RowGroup>,
    pub(super) current: Option<Current>,
}

/// Rows of a row group: all of them, or a piece.
#[derive(Clone)]
pub(super) struct RowGroup {
    index: usize,
    /// `None`: all.
    rows: Option<RowSelection>,
}

/// The row group that is decoded now.
pub(super) struct Current {
    group: RowGroup,
    decoder: ParquetPushDecoder,
    batch_rows: usize,
    load: Load,
    /// What was given to the decoder before it gave rows.
    fetched: Vec<(Range<u64>, Bytes)>,
}

/// The row groups of a selection, each with its own rows; in pieces where their pages of `roots` take more than
/// `held_bytes`.
pub(super) fn row_groups(
    selection: Selection,
    metadata: &ArrowReaderMetadata,
    roots: &[usize],
    held_bytes: Option<u64>,
) -> VecDeque<RowGroup> {
    let metadata = metadata.metadata();
    let mut rest = selection.rows;
    let groups = selection.row_groups.into_iter().flat_map(|index| {
        let rows = metadata.row_group(index).num_rows().max(0) as usize;
        let rows = rest.as_mut().map(|rest| rest.split_off(rows));
        let pieces = match held_bytes {
            Some(most) => cut(metadata, index, rows, roots, most),
            None => vec![rows],
        };
        pieces.into_iter().map(move |rows| RowGroup { index, rows })
    });
    groups.collect()
}

impl Decoding {
    pub(super) async fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        while self.limit != Some(0) {
            let Some(current) = &mut self.current else {
                let Some(group) = self.waiting.pop_front() else { return Ok(None) };
                self.current = Some(guarded(|| self.start(group, self.batch_rows, Load::default(), Vec::new()))?);
                continue;
            };
            match guarded(|| current.decoder.try_decode().map_err(corrupt))? {
                DecodeResult::NeedsData(ranges) => {
                    let parts = self.source.fetch(&ranges).await?;
                    guarded(|| self.push(ranges, parts))?;
                }
                DecodeResult::Data(batch) => {
                    // From here on the decoder keeps what it still needs.
                    current.fetched.clear();
                    if let Some(limit) = &mut self.limit {
                        *limit = limit.saturating_sub(batch.num_rows());
                    }
                    let found = |position: usize| batch.columns().get((*self.positions.get(position)?)?);
                    let arrange = || self.columns.arrange(batch.num_rows(), |position, _| found(position));
                    return guarded(arrange).map(Some);
                }
                DecodeResult::Finished => self.current = None,
            }
        }
        Ok(None)
    }

    /// Gives fetched parts to the decoder, once they have been looked at.
    fn push(&mut self, ranges: Vec<Range<u64>>, parts: Vec<Bytes>) -> Result<()> {
        let Some(mut current) = self.current.take() else {
            return Err(Error::internal("paimon-io", "data came for no row group"));
        };
        let group = current.group.index;
        current.load.add(self.metadata.metadata(), group, &ranges, &parts, self.batch_rows)?;
        current.fetched.extend(ranges.iter().cloned().zip(parts.iter().cloned()));
        let batch_rows = current.load.batch_rows(self.batch_rows, self.most_bytes);
        self.current = Some(if batch_rows < current.batch_rows {
            // No rows have come of it yet.
            self.start(current.group, batch_rows, current.load, current.fetched)?
        } else {
            current.decoder.push_ranges(ranges, parts).map_err(corrupt)?;
            current
        });
        Ok(())
    }

    fn start(
        &self,
        group: RowGroup,
        batch_rows: usize,
        load: Load,
        fetched: Vec<(Range<u64>, Bytes)>,
    ) -> Result<Current> {
        let mut builder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone())
            .with_batch_size(batch_rows)
            .with_projection(self.projection.clone())
            .with_row_groups(vec![group.index]);
        if let Some(rows) = &group.rows {
            builder = builder.with_row_selection(rows.clone());
        }
        if let Some(filter) = &self.filter {
            builder = builder.with_row_filter(filter.clone().into_row_filter(self.metadata.parquet_schema()));
        }
        if let Some(limit) = self.limit {
            builder = builder.with_limit(limit);
        }
        let mut decoder = builder.build().map_err(corrupt)?;
        let (ranges, parts) = fetched.iter().cloned().unzip();
        decoder.push_ranges(ranges, parts).map_err(corrupt)?;
        Ok(Current { group, decoder, batch_rows, load, fetched })
    }
}
