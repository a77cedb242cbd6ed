//! What happens to the values of a column, key by key, and how a function follows it.

use paimon_spec::{Error, Result};

use super::KeyGroups;

/// One change of a value; rows are those of [`super::KeyGroups`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The row's value is aggregated.
    Add(usize),
    /// The same, as if the row had come before all that was aggregated so far.
    AddOlder(usize),
    /// The row's value is taken back.
    Retract(usize),
    /// The row's value replaces what there is.
    Set(usize),
    /// NULL replaces what there is.
    Clear,
}

/// Steps of several keys, one after another.
#[derive(Debug, Default)]
pub(super) struct Steps {
    steps: Vec<Step>,
    ends: Vec<usize>,
}

impl Steps {
    pub(super) fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Ends the steps of a key.
    pub(super) fn end_key(&mut self) {
        self.ends.push(self.steps.len());
    }

    /// The steps of each key.
    pub(super) fn keys(&self) -> impl Iterator<Item = &[Step]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.steps[std::mem::replace(&mut start, *end)..*end])
    }
}

/// The steps of a column in each key that has a result.
#[derive(Debug, Clone, Copy)]
pub(super) enum History<'a> {
    /// Every row adds; the value of a row that [stands](KeyGroups::stands) is the key's.
    Rows(KeyGroups<'a>),
    Steps(&'a Steps),
}

/// An aggregate function on the values of one column (Java `FieldAggregator`). `None` is NULL.
pub(super) trait Aggregator {
    type Value;

    /// The value of a row.
    fn value(&self, row: usize) -> Option<Self::Value>;

    /// `old` after the newer value `new`.
    fn add(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>>;

    /// `old` after the value `new`, which is older than `old`.
    fn add_older(&mut self, old: Option<Self::Value>, new: Option<Self::Value>) -> Result<Option<Self::Value>> {
        self.add(new, old)
    }

    /// `old` without `gone`.
    fn retract(&mut self, _old: Option<Self::Value>, _gone: Option<Self::Value>) -> Result<Option<Self::Value>> {
        Err(cannot_retract())
    }

    /// Forgets the key before.
    fn start_key(&mut self) {}
}

impl History<'_> {
    /// The number of keys.
    pub(super) fn keys(&self) -> usize {
        match self {
            Self::Rows(groups) => groups.keys(),
            Self::Steps(steps) => steps.ends.len(),
        }
    }

    /// Runs a function over all keys; `result` gets the value of each.
    ///
    /// With `ignore_retract` values are not taken back, and older values are added as the function adds, arguments
    /// swapped, even if it has a way of its own (Java `FieldIgnoreRetractAgg`).
    pub(super) fn fold<A: Aggregator>(
        &self,
        aggregator: &mut A,
        ignore_retract: bool,
        mut result: impl FnMut(&A, Option<A::Value>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Rows(groups) => {
                for rows in groups.groups() {
                    let value = if groups.stands(&rows) {
                        aggregator.value(rows.start)
                    } else {
                        aggregator.start_key();
                        let mut value = None;
                        for row in rows {
                            let new = aggregator.value(row);
                            value = aggregator.add(value, new)?;
                        }
                        value
                    };
                    result(aggregator, value)?;
                }
            }
            Self::Steps(steps) => {
                for steps in steps.keys() {
                    aggregator.start_key();
                    let mut value = None;
                    for step in steps {
                        value = apply(aggregator, ignore_retract, value, *step)?;
                    }
                    result(aggregator, value)?;
                }
            }
        }
        Ok(())
    }
}

fn apply<A: Aggregator>(
    aggregator: &mut A,
    ignore_retract: bool,
    old: Option<A::Value>,
    step: Step,
) -> Result<Option<A::Value>> {
    match step {
        Step::Add(row) => {
            let new = aggregator.value(row);
            aggregator.add(old, new)
        }
        Step::AddOlder(row) => {
            let new = aggregator.value(row);
            if ignore_retract { aggregator.add(new, old) } else { aggregator.add_older(old, new) }
        }
        Step::Retract(_) if ignore_retract => Ok(old),
        Step::Retract(row) => {
            let gone = aggregator.value(row);
            aggregator.retract(old, gone)
        }
        Step::Set(row) => Ok(aggregator.value(row)),
        Step::Clear => Ok(None),
    }
}

/// Of functions that cannot take values back.
pub(super) fn cannot_retract() -> Error {
    Error::invalid(
        "the aggregate function cannot take values back; set 'fields.<column>.ignore-retract' to 'true' to keep them",
    )
}
