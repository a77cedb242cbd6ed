//! `aggregation`: each column has a function.

use arrow::array::RecordBatch;
use paimon_spec::{Aggregate, Error, MergeOptions, Result, RowKind};

use super::aggregate::aggregated;
use super::history::{History, Step, Steps};
use super::not_null::NotNull;
use super::outcome::Outcome;
use super::{KeyGroups, MergeFunction};
use crate::KeyedLayout;

/// Java `AggregateMergeFunction`. A key of one row has that row as it is.
#[derive(Debug)]
pub(super) struct Aggregation {
    /// By position in the layout; `None` for columns of the system.
    functions: Vec<Option<Aggregate>>,
    remove_record_on_delete: bool,
    not_null: NotNull,
}

impl Aggregation {
    pub(super) fn new(options: &MergeOptions, layout: &KeyedLayout, not_null: NotNull) -> Self {
        let function = |id| options.aggregate(id).cloned();
        Self {
            functions: layout.fields().iter().map(|field| function(field.id)).collect(),
            remove_record_on_delete: options.remove_record_on_delete,
            not_null,
        }
    }

    /// The steps that all columns take, and the keys that have a result.
    fn steps(&self, groups: &KeyGroups<'_>, kinds: &[RowKind], keep_deletes: bool) -> Result<(Steps, Outcome)> {
        let (mut steps, mut outcome) = (Steps::default(), Outcome::default());
        for group in groups.groups() {
            let newest = group.end.saturating_sub(1);
            let newest_kind = kinds.get(newest).copied().unwrap_or(RowKind::Insert);
            let kind = match newest_kind {
                kind if groups.stands(&group) => kind,
                RowKind::Delete if self.remove_record_on_delete => RowKind::Delete,
                _ => RowKind::Insert,
            };
            if kind.is_retract() && !keep_deletes {
                continue;
            }
            if groups.stands(&group) {
                steps.push(Step::Set(newest));
            } else {
                for (row, kind) in group.clone().zip(kinds.get(group).unwrap_or_default()) {
                    steps.push(match kind {
                        RowKind::Delete if self.remove_record_on_delete => {
                            self.not_null.check(groups, row)?;
                            Step::Set(row)
                        }
                        kind if kind.is_retract() => Step::Retract(row),
                        _ => Step::Add(row),
                    });
                }
            }
            steps.end_key();
            outcome.push(kind, Some(newest));
        }
        Ok((steps, outcome))
    }
}

impl MergeFunction for Aggregation {
    fn merge(&mut self, groups: &KeyGroups<'_>, keep_deletes: bool) -> Result<RecordBatch> {
        let kinds = groups.kinds()?;
        let retracts = kinds.iter().any(|kind| kind.is_retract());
        let (steps, outcome) = if retracts {
            self.steps(groups, &kinds, keep_deletes)?
        } else {
            (Steps::default(), inserts(groups, &kinds))
        };
        let history = if retracts { History::Steps(&steps) } else { History::Rows(*groups) };
        outcome.rows(groups, |position| {
            let function = self.functions.get(position).and_then(Option::as_ref);
            let function = function.ok_or_else(|| Error::internal("paimon-merge", "a column without a function"))?;
            aggregated(groups, position, function, history)
        })
    }
}

/// The keys of rows that all add.
pub(super) fn inserts(groups: &KeyGroups<'_>, kinds: &[RowKind]) -> Outcome {
    let mut outcome = Outcome::default();
    for group in groups.groups() {
        let newest = group.end.saturating_sub(1);
        let kind = if groups.stands(&group) { kinds.get(newest).copied() } else { None };
        outcome.push(kind.unwrap_or(RowKind::Insert), Some(newest));
    }
    outcome
}
