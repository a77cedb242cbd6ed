//! `partial-update`: values are laid over each other.

mod story;

use std::collections::HashMap;

use arrow::array::RecordBatch;
use paimon_spec::{Aggregate, AggregateFunction, Error, FieldId, MergeOptions, Result, RowKind, SequenceGroup};

use self::story::Story;
use super::aggregate::aggregated;
use super::aggregation::inserts;
use super::history::{History, Steps};
use super::not_null::NotNull;
use super::{KeyGroups, MergeFunction};
use crate::KeyedLayout;

/// Java `PartialUpdateMergeFunction`. A key of one row has that row as it is.
#[derive(Debug)]
pub(super) struct PartialUpdate {
    columns: Vec<Column>,
    groups: Vec<Group>,
    /// Whether the table has sequence groups, looked at or not.
    has_groups: bool,
    ignore_delete: bool,
    remove_record_on_delete: bool,
    not_null: NotNull,
}

/// A column of the layout.
#[derive(Debug)]
struct Column {
    function: Aggregate,
    role: Role,
}

/// How sequence groups concern a column; groups are numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    /// Not at all.
    Free,
    /// It is one of those that order the group.
    Ordering(usize),
    /// It has the values of the newest row.
    Overwritten(usize),
    /// It is aggregated, newer and older rows alike.
    Aggregated(usize),
}

#[derive(Debug)]
struct Group {
    ordering: Vec<usize>,
    removes_record: bool,
}

impl PartialUpdate {
    /// # Errors
    /// `Internal` when the layout lacks what [`MergeOptions::fields_needed`] names.
    pub(super) fn new(options: &MergeOptions, layout: &KeyedLayout, not_null: NotNull) -> Result<Self> {
        let of_layout = |id: &FieldId| layout.position(*id).is_some();
        let is_looked_at = |group: &&SequenceGroup| {
            group.removes_record || [&group.ordering, &group.protected].into_iter().flatten().any(of_layout)
        };
        let looked_at: Vec<&SequenceGroup> = options.sequence_groups.iter().filter(is_looked_at).collect();
        let position = |id: &FieldId| {
            layout.position(*id).ok_or_else(|| {
                Error::internal(
                    "paimon-merge",
                    format!("the rows lack the column of field id {id}, which orders others"),
                )
            })
        };
        let group = |group: &&SequenceGroup| {
            let ordering = group.ordering.iter().map(position).collect::<Result<_>>()?;
            Ok(Group { ordering, removes_record: group.removes_record })
        };
        let column = |id: FieldId| {
            let aggregate = options.aggregate(id);
            let role = looked_at.iter().enumerate().find_map(|(index, group)| {
                if group.ordering.contains(&id) {
                    Some(Role::Ordering(index))
                } else if !group.protected.contains(&id) {
                    None
                } else if aggregate.is_some() {
                    Some(Role::Aggregated(index))
                } else {
                    Some(Role::Overwritten(index))
                }
            });
            let plain = if role.is_some() { AggregateFunction::LastValue } else { AggregateFunction::LastNonNullValue };
            let plain = Aggregate { field: id, function: plain, ignore_retract: false };
            Column { function: aggregate.cloned().unwrap_or(plain), role: role.unwrap_or(Role::Free) }
        };
        Ok(Self {
            columns: layout.fields().iter().map(|field| column(field.id)).collect(),
            groups: looked_at.iter().map(group).collect::<Result<_>>()?,
            has_groups: !options.sequence_groups.is_empty(),
            ignore_delete: options.ignore_delete,
            remove_record_on_delete: options.remove_record_on_delete,
            not_null,
        })
    }

    fn column(&self, position: usize) -> Result<&Column> {
        self.columns.get(position).ok_or_else(|| Error::internal("paimon-merge", format!("no column {position}")))
    }

    /// Rows that all add, without sequence groups: the last value of each column that is not NULL.
    fn overlay(&self, groups: &KeyGroups<'_>, kinds: &[RowKind]) -> Result<RecordBatch> {
        self.not_null.check_merged(groups)?;
        let history = History::Rows(*groups);
        inserts(groups, kinds)
            .rows(groups, |position| aggregated(groups, position, &self.column(position)?.function, history))
    }
}

impl MergeFunction for PartialUpdate {
    fn merge(&mut self, groups: &KeyGroups<'_>, keep_deletes: bool) -> Result<RecordBatch> {
        let kinds = groups.kinds()?;
        if !self.has_groups && !kinds.iter().any(|kind| kind.is_retract()) {
            return self.overlay(groups, &kinds);
        }
        let story = Story::tell(self, groups, &kinds, keep_deletes)?;
        let mut steps: HashMap<Role, Steps> = HashMap::new();
        story.outcome().rows(groups, |position| {
            let column = self.column(position)?;
            let steps = steps.entry(column.role).or_insert_with(|| story.steps(column.role));
            aggregated(groups, position, &column.function, History::Steps(steps))
        })
    }
}
