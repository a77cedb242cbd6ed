//! What rows do to their keys under partial updates that take rows back or have sequence groups.

use arrow::array::ArrayRef;
use arrow::compute::SortOptions;
use arrow::row::Rows;
use paimon_spec::{Error, Result, RowKind};

use super::{Group, PartialUpdate, Role};
use crate::function::KeyGroups;
use crate::function::history::{Step, Steps};
use crate::function::outcome::Outcome;
use crate::order;

/// The events of all keys that have a result.
pub(super) struct Story {
    events: Vec<Event>,
    /// For each event, how its row stands to each group.
    ages: Vec<Age>,
    groups: usize,
    /// Where the events of each key end.
    ends: Vec<usize>,
    outcome: Outcome,
}

/// What a row does to its key.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// All columns take its values.
    Set(usize),
    Add(usize),
    Retract(usize),
}

/// How a row stands to a sequence group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Age {
    /// All of the ordering is NULL: the row does not concern the group.
    Absent,
    /// Not older than the row that the group has.
    Newer,
    Older,
}

impl Story {
    /// # Errors
    /// `InvalidInput` for rows that the table does not take.
    pub(super) fn tell(
        function: &PartialUpdate,
        groups: &KeyGroups<'_>,
        kinds: &[RowKind],
        keep_deletes: bool,
    ) -> Result<Self> {
        let orderings = function.groups.iter().map(|group| Ordered::new(groups, group)).collect::<Result<Vec<_>>>()?;
        let mut story = Self {
            events: Vec::with_capacity(groups.rows()),
            ages: Vec::with_capacity(groups.rows().saturating_mul(orderings.len())),
            groups: orderings.len(),
            ends: Vec::with_capacity(groups.keys()),
            outcome: Outcome::default(),
        };
        for rows in groups.groups() {
            let (events, ages) = (story.events.len(), story.ages.len());
            let kind_of = |row: usize| kinds.get(row).copied().unwrap_or(RowKind::Insert);
            let mut key = Key {
                function,
                rows: groups,
                orderings: &orderings,
                story: &mut story,
                current: vec![None; orderings.len()],
                deleted: false,
                met_insert: false,
                filled: false,
                newest: None,
            };
            let (kind, newest) = if groups.stands(&rows) {
                key.set(rows.start);
                (kind_of(rows.start), Some(rows.start))
            } else {
                for row in rows {
                    key.merge(row, kind_of(row))?;
                }
                key.result()
            };
            if kind.is_retract() && !keep_deletes {
                story.events.truncate(events);
                story.ages.truncate(ages);
            } else {
                story.ends.push(story.events.len());
                story.outcome.push(kind, newest);
            }
        }
        Ok(story)
    }

    pub(super) fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The steps of the columns of a role.
    pub(super) fn steps(&self, role: Role) -> Steps {
        let mut steps = Steps::default();
        let mut start = 0;
        for end in &self.ends {
            for at in std::mem::replace(&mut start, *end)..*end {
                if let Some(step) = self.step(at, role) {
                    steps.push(step);
                }
            }
            steps.end_key();
        }
        steps
    }

    fn step(&self, at: usize, role: Role) -> Option<Step> {
        let age = |group: usize| self.ages.get(at * self.groups + group).copied().unwrap_or(Age::Absent);
        match (*self.events.get(at)?, role) {
            (Event::Set(row), _) => Some(Step::Set(row)),
            (Event::Add(row), Role::Free) => Some(Step::Add(row)),
            (Event::Retract(_), Role::Free) => None,
            (Event::Add(row) | Event::Retract(row), Role::Ordering(group)) if age(group) == Age::Newer => {
                Some(Step::Set(row))
            }
            (Event::Add(row), Role::Overwritten(group)) if age(group) == Age::Newer => Some(Step::Set(row)),
            (Event::Retract(_), Role::Overwritten(group)) if age(group) == Age::Newer => Some(Step::Clear),
            (Event::Add(row), Role::Aggregated(group)) if age(group) == Age::Newer => Some(Step::Add(row)),
            (Event::Add(row), Role::Aggregated(group)) if age(group) == Age::Older => Some(Step::AddOlder(row)),
            (Event::Retract(row), Role::Aggregated(group)) if age(group) != Age::Absent => Some(Step::Retract(row)),
            _ => None,
        }
    }
}

/// A key while its rows come in.
struct Key<'a> {
    function: &'a PartialUpdate,
    rows: &'a KeyGroups<'a>,
    orderings: &'a [Ordered],
    story: &'a mut Story,
    /// For each group the row whose ordering it has; none while that is NULL.
    current: Vec<Option<usize>>,
    deleted: bool,
    met_insert: bool,
    /// Whether a row has been laid down.
    filled: bool,
    /// The last row that counted.
    newest: Option<usize>,
}

impl Key<'_> {
    fn set(&mut self, row: usize) {
        self.filled = true;
        self.current.fill(Some(row));
        self.story.events.push(Event::Set(row));
        self.story.ages.extend(self.orderings.iter().map(|_| Age::Newer));
    }

    /// Java `PartialUpdateMergeFunction.add`.
    fn merge(&mut self, row: usize, kind: RowKind) -> Result<()> {
        self.deleted = false;
        if kind.is_retract() {
            return self.retract(row, kind);
        }
        self.newest = Some(row);
        if !self.function.has_groups {
            self.function.not_null.check(self.rows, row)?;
        }
        let ages = self.ages(row);
        self.story.events.push(Event::Add(row));
        self.push_ages(row, ages);
        self.met_insert = true;
        self.filled = true;
        Ok(())
    }

    fn retract(&mut self, row: usize, kind: RowKind) -> Result<()> {
        if !self.filled {
            // A key that begins with a row that takes back has its values, until others come.
            self.function.not_null.check(self.rows, row)?;
            self.set(row);
        }
        if self.function.ignore_delete {
            return Ok(());
        }
        self.newest = Some(row);
        if self.function.has_groups {
            let ages = self.ages(row);
            let removes = |(group, age): (&Group, &Age)| group.removes_record && *age == Age::Newer;
            if kind == RowKind::Delete && self.function.groups.iter().zip(&ages).any(removes) {
                return self.remove(row);
            }
            self.story.events.push(Event::Retract(row));
            self.push_ages(row, ages);
            return Ok(());
        }
        match kind {
            RowKind::Delete if self.function.remove_record_on_delete => self.remove(row),
            _ if self.function.remove_record_on_delete => Ok(()),
            _ => Err(refused(kind)),
        }
    }

    fn remove(&mut self, row: usize) -> Result<()> {
        self.function.not_null.check(self.rows, row)?;
        self.deleted = true;
        self.set(row);
        Ok(())
    }

    fn ages(&self, row: usize) -> Vec<Age> {
        let age = |(ordering, current): (&Ordered, &Option<usize>)| ordering.age(row, *current);
        self.orderings.iter().zip(&self.current).map(age).collect()
    }

    fn push_ages(&mut self, row: usize, ages: Vec<Age>) {
        for (current, age) in self.current.iter_mut().zip(&ages) {
            if *age == Age::Newer {
                *current = Some(row);
            }
        }
        self.story.ages.extend(ages);
    }

    fn result(&self) -> (RowKind, Option<usize>) {
        let kind = if self.deleted || !self.met_insert { RowKind::Delete } else { RowKind::Insert };
        (kind, self.newest)
    }
}

/// The ordering columns of a group in all rows.
struct Ordered {
    columns: Vec<ArrayRef>,
    rows: Rows,
}

impl Ordered {
    fn new(groups: &KeyGroups<'_>, group: &Group) -> Result<Self> {
        let columns = group.ordering.iter().map(|column| groups.gather(*column)).collect::<Result<Vec<_>>>()?;
        let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
        let converter = order::converter(&types, SortOptions::default())?;
        Ok(Self { rows: order::encoded(&converter, &columns)?, columns })
    }

    /// How `row` stands to `current`; no current row is all NULL.
    fn age(&self, row: usize, current: Option<usize>) -> Age {
        if self.columns.iter().all(|column| column.is_null(row)) {
            return Age::Absent;
        }
        match current {
            Some(current) if self.rows.row(row) < self.rows.row(current) => Age::Older,
            _ => Age::Newer,
        }
    }
}

fn refused(kind: RowKind) -> Error {
    Error::invalid(format!(
        "merge engine 'partial-update' cannot take rows of kind {kind}; set 'ignore-delete' to ignore them, \
         'partial-update.remove-record-on-delete' to remove the whole row, or sequence groups to take back columns"
    ))
}
