//! Rows of whole keys: which of them count, what becomes of them, and what they change.

use std::sync::Arc;

use arrow::{
    array::{AsArray, BooleanArray, RecordBatch},
    compute::filter_record_batch,
    datatypes::{Int8Type, UInt64Type},
};
use paimon_spec::{Error, Result, RowKind};

use super::{
    Changelog, Rewritten,
    changes::{Before, Changes},
    rules::Rules,
};
use crate::{
    KeyedLayout, MergeFunction,
    chunk::{Chunk, Ranks, RowOrder, Source},
    levels::{Origin, origin_of},
    merging::merge_rows,
    order::KeyOrder,
    sorted::Finish,
};

/// A rewrite of files that overlap.
pub(super) struct Rewriting {
    pub(super) order: RowOrder,
    /// `None`: nobody asks what rows become.
    pub(super) function: Option<Box<dyn MergeFunction>>,
    pub(super) looks: Looks,
    pub(super) rules: Rules,
    pub(super) changes: Changes,
    /// By rank.
    pub(super) origins: Arc<[Origin]>,
    /// By deeper file, the positions of its rows that newer ones take the place of. Empty between two chunks.
    pub(super) superseded: Vec<Vec<u64>>,
}

/// How rows of deeper files, which come with their positions, are taken.
pub(super) struct Looks {
    keys: KeyOrder,
    layout: Arc<KeyedLayout>,
    /// Whether the rows are merged; otherwise there is nothing but their keys.
    are_merged: bool,
}

impl Looks {
    /// # Errors
    /// `Unsupported` for keys of types that have no order.
    pub(super) fn new(layout: Arc<KeyedLayout>, are_merged: bool) -> Result<Self> {
        Ok(Self { keys: KeyOrder::new(&layout)?, layout, are_merged })
    }

    fn arrive(&self, order: &RowOrder, mut batch: RecordBatch, ranks: Ranks) -> Result<(RecordBatch, Source)> {
        let columns = self.layout.schema().fields().len();
        if batch.num_columns() != columns + 1 {
            return Err(Error::internal("paimon-merge", "rows that are looked at come without their positions"));
        }
        let positions = batch.remove_column(columns).as_primitive::<UInt64Type>().values().clone();
        if self.are_merged {
            let mut source = order.source(&batch, ranks)?;
            source.positions = Some(positions);
            return Ok((batch, source));
        }
        let source = Source::of_keys(self.keys.keys(&batch)?, ranks, positions);
        // No row of it is merged, so that no column is asked for.
        Ok((RecordBatch::new_empty(Arc::clone(order.layout.schema())), source))
    }
}

impl Finish for Rewriting {
    type Output = Rewritten;

    fn order(&self) -> &RowOrder {
        &self.order
    }

    fn arrive(&self, batch: RecordBatch, ranks: Ranks) -> Result<(RecordBatch, Source)> {
        match ranks {
            Ranks::One(rank) if self.origins[rank].deeper.is_some() => self.looks.arrive(&self.order, batch, ranks),
            ranks => {
                let source = self.order.source(&batch, ranks)?;
                Ok((batch, source))
            }
        }
    }

    fn finish(&mut self, chunk: &mut Chunk) -> Result<Option<Rewritten>> {
        let befores = self.sift(chunk);
        let taken = self.superseded.iter_mut().enumerate().filter(|(_, rows)| !rows.is_empty());
        let superseded = taken.map(|(file, rows)| (file, std::mem::take(rows))).collect();
        let mut rewritten = Rewritten { superseded, ..Rewritten::default() };
        if let Some(function) = &mut self.function
            && !chunk.ends.is_empty()
        {
            let tells = self.rules.changelog != Changelog::None;
            let keep_deletes = self.rules.keep_deletes;
            let (keeps, stand) = (keep_deletes || tells, self.rules.lone_rows_stand);
            let merged = merge_rows(&self.order, &mut **function, chunk, keeps, stand)?;
            if tells {
                rewritten.changelog = self.changes.tell(&self.order, chunk, &befores, &merged)?;
            }
            if self.rules.wants_rows {
                let rows = if tells && !keep_deletes { without_deletes(&merged)? } else { merged };
                rewritten.rows = Some(rows).filter(|rows| rows.num_rows() > 0);
            }
        }
        chunk.forget_rows();
        let is_empty = rewritten.rows.is_none() && rewritten.changelog.is_none() && rewritten.superseded.is_empty();
        Ok((!is_empty).then_some(rewritten))
    }
}

impl Rewriting {
    /// Leaves out rows that do not count, and keys that stay as they are; gives for each key that is left what was there
    /// before, when changes are told.
    fn sift(&mut self, chunk: &mut Chunk) -> Vec<Before> {
        let rules = self.rules;
        let tells = rules.changelog != Changelog::None;
        if !rules.looks_up && !rules.newest_level && !tells {
            return Vec::new();
        }
        let Chunk { sources, rows, ends, .. } = chunk;
        let origins = &self.origins;
        let origin = |place: (usize, usize)| origin_of(place, sources, origins);
        let mut befores = Vec::with_capacity(if tells { ends.len() } else { 0 });
        let (mut kept_rows, mut kept_keys, mut start) = (0, 0, 0);
        for key in 0..ends.len() {
            let group = std::mem::replace(&mut start, ends[key])..ends[key];
            let retracts = |(source, row): (usize, usize)| sources[source].retracts(row);
            let met = Met::in_rows(&rows[group.clone()], origin, retracts, rules.deeper_rows_count);
            let is_there_already = rules.looks_up && rules.first_row && met.deeper && !met.own_high;
            if !met.own || is_there_already {
                continue;
            }
            if tells {
                befores.push(met.before(&rows[group.clone()], rules, origin, retracts));
            }
            for at in group {
                let place = rows[at];
                let Origin { level, deeper } = origin(place);
                if let Some(file) = deeper
                    && rules.supersedes
                {
                    let positions = sources[place.0].positions.as_ref();
                    self.superseded[file].extend(positions.and_then(|positions| positions.get(place.1)));
                }
                let is_high = met.high.is_some_and(|(_, high)| high == place);
                if is_high || deeper.is_none() && (level <= 0 || !rules.newest_level) {
                    rows[kept_rows] = place;
                    kept_rows += 1;
                }
            }
            ends[kept_keys] = kept_rows;
            kept_keys += 1;
        }
        rows.truncate(kept_rows);
        ends.truncate(kept_keys);
        befores
    }
}

/// What there is of a key.
#[derive(Default)]
struct Met {
    /// Rows that are rewritten.
    own: bool,
    /// Rows of level 0.
    level_zero: bool,
    /// Rows above level 0 that are rewritten, and add.
    own_high: bool,
    /// Rows of deeper files.
    deeper: bool,
    /// The row above level 0 of the smallest level, among those that count, after its level.
    high: Option<(i32, (usize, usize))>,
}

impl Met {
    fn in_rows(
        rows: &[(usize, usize)],
        origin: impl Fn((usize, usize)) -> Origin,
        retracts: impl Fn((usize, usize)) -> bool,
        deeper_rows_count: bool,
    ) -> Self {
        let mut met = Self::default();
        for place in rows {
            let Origin { level, deeper } = origin(*place);
            match deeper {
                Some(_) => met.deeper = true,
                None => {
                    met.own = true;
                    met.level_zero |= level <= 0;
                    met.own_high |= level > 0 && !retracts(*place);
                }
            }
            let counts = level > 0 && (deeper.is_none() || deeper_rows_count);
            if counts && met.high.is_none_or(|(smallest, _)| level < smallest) {
                met.high = Some((level, *place));
            }
        }
        met
    }

    fn before(
        &self,
        rows: &[(usize, usize)],
        rules: Rules,
        origin: impl Fn((usize, usize)) -> Origin,
        retracts: impl Fn((usize, usize)) -> bool,
    ) -> Before {
        match rules.changelog {
            Changelog::None => Before::Untold,
            Changelog::OfLevelZero if !self.level_zero || rules.first_row && self.own_high => Before::Untold,
            Changelog::OfLevelZero if rules.first_row => Before::Nothing,
            Changelog::OfLevelZero => match self.high {
                Some((_, place)) if !retracts(place) => Before::Row(place),
                _ => Before::Nothing,
            },
            Changelog::AgainstLevel(level) => match rows.iter().find(|place| origin(**place).level == level) {
                Some(_) if rows.len() == 1 => Before::Untold,
                Some(place) => Before::Row(*place),
                None => Before::Nothing,
            },
        }
    }
}

/// Rows without those that take back.
pub(super) fn without_deletes(rows: &RecordBatch) -> Result<RecordBatch> {
    let kinds = rows.column(KeyedLayout::KIND).as_primitive::<Int8Type>();
    let adds = |kind: &i8| RowKind::from_code(*kind).map(|kind| !kind.is_retract());
    let adds = kinds.values().iter().map(adds).collect::<Result<Vec<bool>>>()?;
    if adds.iter().all(|adds| *adds) {
        return Ok(rows.clone());
    }
    filter_record_batch(rows, &BooleanArray::from(adds)).map_err(|error| Error::internal("paimon-merge", error))
}
