//! Rows of several keys, gathered until they are merged together.

use std::{cmp::Ordering, sync::Arc};

use arrow::{
    array::{AsArray, RecordBatch},
    buffer::ScalarBuffer,
    datatypes::{Int8Type, Int64Type},
};
use paimon_spec::{Error, Result, RowKind};

use crate::{
    KeyedLayout,
    order::{KeyOrder, Keys, SequenceOrder, Sequences},
};

/// Which of two rows of a key is older, where sequence fields and sequence numbers are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ties {
    /// The one that came first.
    Arrival,
    /// The one that takes back (Java `SortMergeReader`), then the one of the lower rank.
    RetractFirst,
    /// There are no ties, and sequence numbers ascend from run to run.
    Settled,
}

/// How rows stand under a merge: by their keys, and within a key from the oldest to the newest.
pub(crate) struct RowOrder {
    pub(crate) layout: Arc<KeyedLayout>,
    pub(crate) keys: KeyOrder,
    sequence: SequenceOrder,
    ties: Ties,
}

/// Which files the rows of a batch came from, by the ranks of the files.
#[derive(Debug, Clone)]
pub(crate) enum Ranks {
    /// All from one.
    One(usize),
    /// Each from its own.
    Each(ScalarBuffer<u32>),
}

impl Ranks {
    fn of(&self, row: usize) -> usize {
        match self {
            Self::One(rank) => *rank,
            Self::Each(ranks) => ranks[row] as usize,
        }
    }
}

/// A batch of rows under the merge, with what its rows are ordered by.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) keys: Keys,
    sequences: Sequences,
    numbers: ScalarBuffer<i64>,
    kinds: ScalarBuffer<i8>,
    ranks: Ranks,
    /// Positions of the rows in their file, where somebody asks for them.
    pub(crate) positions: Option<ScalarBuffer<u64>>,
}

impl Source {
    /// A batch whose rows are looked at by their keys alone.
    pub(crate) fn of_keys(keys: Keys, ranks: Ranks, positions: ScalarBuffer<u64>) -> Self {
        let (numbers, kinds) = (ScalarBuffer::default(), ScalarBuffer::default());
        Self { keys, sequences: Sequences::None, numbers, kinds, ranks, positions: Some(positions) }
    }

    /// The rank of the file that a row came from.
    pub(crate) fn rank(&self, row: usize) -> usize {
        self.ranks.of(row)
    }

    /// Whether a row takes back.
    pub(crate) fn retracts(&self, row: usize) -> bool {
        self.kinds.get(row).is_some_and(|kind| is_retract(*kind))
    }
}

impl RowOrder {
    /// # Errors
    /// `Unsupported` for keys and sequence fields of types that have no order.
    pub(crate) fn new(layout: Arc<KeyedLayout>, ties: Ties) -> Result<Self> {
        let (keys, sequence) = (KeyOrder::new(&layout)?, SequenceOrder::new(&layout)?);
        Ok(Self { layout, keys, sequence, ties })
    }

    /// Whether rows of a key stand in their order as soon as they stand in that of their runs.
    fn is_settled(&self) -> bool {
        self.ties == Ties::Settled && matches!(self.sequence, SequenceOrder::None)
    }

    /// # Errors
    /// `InvalidInput` when the batch does not have the layout's columns; `CorruptData` for keys that are NULL and must
    /// not be.
    pub(crate) fn source(&self, batch: &RecordBatch, ranks: Ranks) -> Result<Source> {
        let (wanted, found) = (self.layout.schema(), batch.schema_ref());
        let same_types = wanted.fields().iter().map(|f| f.data_type()).eq(found.fields().iter().map(|f| f.data_type()));
        if !same_types {
            return Err(Error::invalid(format!("expected rows of {wanted}, found {found}")));
        }
        Ok(Source {
            keys: self.keys.keys(batch)?,
            sequences: self.sequence.sequences(batch)?,
            numbers: batch.column(KeyedLayout::SEQUENCE).as_primitive::<Int64Type>().values().clone(),
            kinds: batch.column(KeyedLayout::KIND).as_primitive::<Int8Type>().values().clone(),
            ranks,
            positions: None,
        })
    }
}

/// Rows of whole keys: references to them, and where each key ends.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// What the rows are in.
    pub(crate) batches: Vec<RecordBatch>,
    /// One for each batch.
    pub(crate) sources: Vec<Source>,
    /// (source, row), keys ascending.
    pub(crate) rows: Vec<(usize, usize)>,
    /// Where the rows of each key end, exclusive.
    pub(crate) ends: Vec<usize>,
}

impl Chunk {
    /// Adds a batch, and gives its position.
    pub(crate) fn add(&mut self, batch: RecordBatch, source: Source) -> usize {
        self.batches.push(batch);
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// All batches, which are no longer held.
    pub(crate) fn take_sources(&mut self) -> impl Iterator<Item = (RecordBatch, Source)> + use<> {
        std::mem::take(&mut self.batches).into_iter().zip(std::mem::take(&mut self.sources))
    }

    /// No more rows of the last key come.
    pub(crate) fn end_key(&mut self) {
        if self.ends.last().copied().unwrap_or(0) < self.rows.len() {
            self.ends.push(self.rows.len());
        }
    }

    /// Whether two rows have the same key.
    pub(crate) fn same_key(&self, a: (usize, usize), b: (usize, usize)) -> bool {
        self.compare_keys(a, b).is_eq()
    }

    pub(crate) fn compare_keys(&self, a: (usize, usize), b: (usize, usize)) -> Ordering {
        self.sources[a.0].keys.compare(a.1, &self.sources[b.0].keys, b.1)
    }

    /// Puts the rows of each key into the order in which they were written.
    pub(crate) fn order_within_keys(&mut self, order: &RowOrder) {
        if !order.is_settled() {
            order_within_keys(&self.sources, &mut self.rows, &self.ends, order.ties);
        }
    }

    /// Forgets the rows; the batches stay.
    pub(crate) fn forget_rows(&mut self) {
        self.rows.clear();
        self.ends.clear();
    }
}

/// Puts the rows of each key into the order in which they were written. Mostly they are in it: runs come oldest first.
fn order_within_keys(sources: &[Source], rows: &mut [(usize, usize)], ends: &[usize], ties: Ties) {
    let order = |a: &(usize, usize), b: &(usize, usize)| {
        let (a_source, b_source) = (&sources[a.0], &sources[b.0]);
        let by_sequence = a_source.sequences.compare(a.1, &b_source.sequences, b.1);
        by_sequence.then_with(|| a_source.numbers[a.1].cmp(&b_source.numbers[b.1])).then_with(|| match ties {
            Ties::Arrival | Ties::Settled => Ordering::Equal,
            Ties::RetractFirst => {
                let adds = |source: &Source, row: usize| !is_retract(source.kinds[row]);
                adds(a_source, a.1).cmp(&adds(b_source, b.1)).then(a_source.rank(a.1).cmp(&b_source.rank(b.1)))
            }
        })
    };
    let mut start = 0;
    for end in ends {
        let group = &mut rows[start..*end];
        if !group.is_sorted_by(|a, b| order(a, b).is_le()) {
            group.sort_by(order);
        }
        start = *end;
    }
}

/// Kinds that do not exist are the merge function's to refuse.
fn is_retract(code: i8) -> bool {
    RowKind::from_code(code).is_ok_and(RowKind::is_retract)
}
