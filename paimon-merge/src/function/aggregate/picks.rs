//! Functions that choose one of the rows.

use arrow::array::ArrayRef;
use arrow::buffer::NullBuffer;
use paimon_spec::{AggregateFunction, Result};

use crate::function::KeyGroups;
use crate::function::history::{Aggregator, History, cannot_retract};

/// The value of the row that `function` chooses in each key.
pub(super) fn pick(
    groups: &KeyGroups<'_>,
    position: usize,
    function: &AggregateFunction,
    history: History<'_>,
    ignore_retract: bool,
) -> Result<ArrayRef> {
    use AggregateFunction::{FirstNonNullValue, FirstValue, LastNonNullValue};
    let choice = match function {
        LastNonNullValue => Choice::LastValid,
        FirstValue => Choice::First,
        FirstNonNullValue => Choice::FirstValid,
        AggregateFunction::PrimaryKey => Choice::Key,
        _ => Choice::Last,
    };
    // A NULL that is picked is NULL.
    let nulls = match choice {
        Choice::LastValid | Choice::FirstValid => groups.nulls(position)?,
        Choice::First | Choice::Last | Choice::Key => None,
    };
    if let (History::Rows(of), None) = (history, &nulls) {
        let ends = of.ends();
        let first = |at: usize| if at == 0 { 0 } else { ends[at - 1] };
        let rows: Vec<usize> = match choice {
            Choice::First | Choice::FirstValid => (0..ends.len()).map(first).collect(),
            Choice::Last | Choice::LastValid | Choice::Key => ends.iter().map(|end| end.saturating_sub(1)).collect(),
        };
        return groups.pick(position, &rows);
    }
    let nulls = match history {
        History::Rows(_) => nulls,
        // Whether a row that is taken back is NULL matters.
        History::Steps(_) => groups.nulls(position)?,
    };
    let mut rows = Vec::with_capacity(history.keys());
    let mut picks = Picks { choice, nulls, initialized: false };
    history.fold(&mut picks, ignore_retract, |_, row| {
        rows.push(row);
        Ok(())
    })?;
    groups.pick_some(position, &rows)
}

#[derive(Debug, Clone, Copy)]
enum Choice {
    Last,
    LastValid,
    First,
    FirstValid,
    /// The last, and that of a row that is taken back.
    Key,
}

/// Values are rows that are not NULL.
struct Picks {
    choice: Choice,
    nulls: Option<NullBuffer>,
    /// Whether the first value has come; not forgotten when the row is replaced (Java `initialized`).
    initialized: bool,
}

impl Aggregator for Picks {
    type Value = usize;

    fn value(&self, row: usize) -> Option<usize> {
        self.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)).then_some(row)
    }

    fn add(&mut self, old: Option<usize>, new: Option<usize>) -> Result<Option<usize>> {
        Ok(match self.choice {
            Choice::Last | Choice::Key => new,
            Choice::LastValid => new.or(old),
            Choice::First if !std::mem::replace(&mut self.initialized, true) => new,
            Choice::FirstValid if !self.initialized && new.is_some() => {
                self.initialized = true;
                new
            }
            Choice::First | Choice::FirstValid => old,
        })
    }

    fn retract(&mut self, old: Option<usize>, gone: Option<usize>) -> Result<Option<usize>> {
        match self.choice {
            Choice::Key => Ok(gone),
            Choice::Last => Ok(None),
            Choice::LastValid => Ok(if gone.is_some() { None } else { old }),
            Choice::First | Choice::FirstValid => Err(cannot_retract()),
        }
    }

    fn start_key(&mut self) {
        self.initialized = false;
    }
}
