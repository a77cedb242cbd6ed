//! Random rows against models that follow Java row by row.

use paimon_spec::TableSchema;
use proptest::collection::vec;
use proptest::prelude::*;

use super::{merged, table};

type Cell = Option<i64>;

/// A row without its key: kind and cells.
type Row = (&'static str, Vec<Cell>);

fn told((kind, cells): &Row) -> String {
    let cells: Vec<String> = cells.iter().map(|cell| cell.map_or("NULL".to_owned(), |cell| cell.to_string())).collect();
    format!("{kind} 1 | {}", cells.join(" | "))
}

/// What ours gives for one key, errors as `None`.
fn ours(table: &TableSchema, rows: &[Row]) -> Option<String> {
    let rows: Vec<String> = rows.iter().map(told).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let mut merged = merged(table, &rows).ok()?;
    merged.pop()
}

fn rows(columns: usize) -> impl Strategy<Value = Vec<Row>> {
    let kind = prop_oneof![4 => Just("+I"), 2 => Just("+U"), 1 => Just("-U"), 1 => Just("-D")];
    let cell = prop_oneof![3 => (0..4_i64).prop_map(Some), 1 => Just(None)];
    vec((kind, vec(cell, columns)), 1..8)
}

fn is_retract(kind: &str) -> bool {
    kind.starts_with('-')
}

/// Java `FieldAggregator`s of integers. `agg` and `retract` give `None` where Java throws.
#[derive(Debug, Clone)]
struct Aggregator {
    function: &'static str,
    ignore_retract: bool,
    initialized: bool,
}

impl Aggregator {
    fn agg(&mut self, acc: Cell, input: Cell) -> Cell {
        let both = |f: fn(i64, i64) -> i64| match (acc, input) {
            (Some(acc), Some(input)) => Some(f(acc, input)),
            (acc, input) => acc.or(input),
        };
        match self.function {
            "sum" => both(|acc, input| acc + input),
            "product" => both(|acc, input| acc * input),
            "max" => both(i64::max),
            "min" => both(i64::min),
            "last_value" => input,
            "last_non_null_value" => input.or(acc),
            "first_value" if !self.initialized => {
                self.initialized = true;
                input
            }
            "first_non_null_value" if !self.initialized && input.is_some() => {
                self.initialized = true;
                input
            }
            _ => acc,
        }
    }

    fn retract(&self, acc: Cell, gone: Cell) -> Option<Cell> {
        if self.ignore_retract {
            return Some(acc);
        }
        match (self.function, acc, gone) {
            ("sum", acc, gone) => Some(match (acc, gone) {
                (acc, Some(gone)) => Some(acc.unwrap_or(0) - gone),
                (acc, None) => acc,
            }),
            ("product", Some(acc), Some(gone)) => acc.checked_div(gone).map(Some),
            ("product", acc, _) => Some(acc),
            ("last_value", ..) => Some(None),
            ("last_non_null_value", acc, gone) => Some(if gone.is_some() { None } else { acc }),
            _ => None,
        }
    }
}

const FUNCTIONS: [&str; 8] =
    ["sum", "product", "max", "min", "last_value", "last_non_null_value", "first_value", "first_non_null_value"];

/// Java `AggregateMergeFunction`.
fn aggregation(mut functions: Vec<Aggregator>, removes: bool, rows: &[Row]) -> Option<String> {
    if let [row] = rows {
        return Some(told(row));
    }
    let (mut row, mut deleted) = (vec![None; functions.len()], false);
    for (kind, cells) in rows {
        deleted = removes && *kind == "-D";
        if deleted {
            row.clone_from(cells);
            continue;
        }
        for ((function, acc), cell) in functions.iter_mut().zip(&mut row).zip(cells) {
            *acc = if is_retract(kind) { function.retract(*acc, *cell)? } else { function.agg(*acc, *cell) };
        }
    }
    Some(told(&(if deleted { "-D" } else { "+I" }, row)))
}

/// Java `PartialUpdateMergeFunction` on the columns p, a, s, x, y, t: p in no group, a plain column and one with a
/// function after s, y with a function after x and t.
struct Update {
    ignore_delete: bool,
    removes: bool,
    removing_group: bool,
    groups: bool,
    functions: [Aggregator; 2],
}

impl Update {
    /// (ordering, plain, aggregated) columns by position, with the function of the last.
    const GROUPS: [(&'static [usize], &'static [usize], usize, usize); 2] = [(&[2], &[1], 6, 0), (&[3, 5], &[], 4, 1)];

    fn merge(&mut self, rows: &[Row]) -> Option<String> {
        if let [row] = rows {
            return Some(told(row));
        }
        let (mut row, mut filled, mut inserted, mut deleted) = (vec![None; 7], false, false, false);
        for (kind, cells) in rows {
            deleted = false;
            if !is_retract(kind) {
                self.update(&mut row, cells);
                (inserted, filled) = (true, true);
                continue;
            }
            if !filled {
                row.clone_from(cells);
                filled = true;
            }
            if self.ignore_delete {
                continue;
            }
            if self.groups {
                deleted = self.retract(&mut row, kind, cells)?;
            } else if !self.removes {
                return None;
            } else if *kind == "-D" {
                deleted = true;
                row.clone_from(cells);
            }
        }
        Some(told(&(if deleted || !inserted { "-D" } else { "+I" }, row)))
    }

    fn update(&mut self, row: &mut [Cell], cells: &[Cell]) {
        for at in (0..7).filter(|at| !self.groups || *at == 0) {
            row[at] = cells[at].or(row[at]);
        }
        for (ordering, plain, aggregated, function) in Self::GROUPS.into_iter().filter(|_| self.groups) {
            let function = &mut self.functions[function];
            if ordering.iter().all(|at| cells[*at].is_none()) {
                continue;
            }
            if is_older(ordering, cells, row) {
                row[aggregated] = function.agg(cells[aggregated], row[aggregated]);
                continue;
            }
            ordering.iter().chain(plain).for_each(|at| row[*at] = cells[*at]);
            row[aggregated] = function.agg(row[aggregated], cells[aggregated]);
        }
    }

    /// Whether the row is removed; `None` where Java throws.
    fn retract(&mut self, row: &mut Vec<Cell>, kind: &str, cells: &[Cell]) -> Option<bool> {
        let removing = Self::GROUPS[0].0;
        let concerns = removing.iter().any(|at| cells[*at].is_some()) && !is_older(removing, cells, row);
        if self.removing_group && kind == "-D" && concerns {
            *row = cells.to_vec();
            return Some(true);
        }
        for (ordering, plain, aggregated, function) in Self::GROUPS {
            if ordering.iter().all(|at| cells[*at].is_none()) {
                continue;
            }
            row[aggregated] = self.functions[function].retract(row[aggregated], cells[aggregated])?;
            if !is_older(ordering, cells, row) {
                ordering.iter().for_each(|at| row[*at] = cells[*at]);
                plain.iter().for_each(|at| row[*at] = None);
            }
        }
        Some(false)
    }
}

fn is_older(ordering: &[usize], cells: &[Cell], row: &[Cell]) -> bool {
    ordering.iter().map(|at| cells[*at]).lt(ordering.iter().map(|at| row[*at]))
}

fn function() -> impl Strategy<Value = Aggregator> {
    (proptest::sample::select(&FUNCTIONS[..]), any::<bool>()).prop_map(|(function, ignore_retract)| Aggregator {
        function,
        ignore_retract,
        initialized: false,
    })
}

fn options_of(columns: &[&str], functions: &[Aggregator]) -> Vec<(String, String)> {
    let options = |(column, function): (&&str, &Aggregator)| {
        [
            (format!("fields.{column}.aggregate-function"), function.function.to_owned()),
            (format!("fields.{column}.ignore-retract"), function.ignore_retract.to_string()),
        ]
    };
    columns.iter().zip(functions).flat_map(options).collect()
}

fn table_of(columns: &[&str], fixed: &[(&str, &str)], options: &[(String, String)]) -> TableSchema {
    let columns: Vec<(&str, &str)> = columns.iter().map(|name| (*name, "BIGINT")).collect();
    let options = options.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    table(&columns, &fixed.iter().copied().chain(options).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn aggregation_is_what_a_model_says(
        mut functions in vec(function(), 3),
        removes in any::<bool>(),
        rows in rows(3),
    ) {
        if removes {
            functions.iter_mut().for_each(|function| function.ignore_retract = false);
        }
        let removing = removes.to_string();
        let fixed = [("merge-engine", "aggregation"), ("aggregation.remove-record-on-delete", removing.as_str())];
        let table = table_of(&["a", "b", "c"], &fixed, &options_of(&["a", "b", "c"], &functions));
        prop_assert_eq!(ours(&table, &rows), aggregation(functions, removes, &rows));
    }

    #[test]
    fn partial_update_is_what_a_model_says(
        functions in [function(), function()],
        deletes in 0..4,
        groups in any::<bool>(),
        rows in rows(7),
    ) {
        let mut fixed = vec![("merge-engine", "partial-update")];
        let mut options = Vec::new();
        if groups {
            fixed.extend([("fields.s.sequence-group", "a,b"), ("fields.x,t.sequence-group", "y")]);
            options = options_of(&["b", "y"], &functions);
        }
        let removing_group = groups && deletes == 2;
        match deletes {
            1 => fixed.push(("ignore-delete", "true")),
            2 if groups => fixed.push(("partial-update.remove-record-on-sequence-group", "s")),
            2 => fixed.push(("partial-update.remove-record-on-delete", "true")),
            _ => {}
        }
        let table = table_of(&["p", "a", "s", "x", "y", "t", "b"], &fixed, &options);
        let mut model =
            Update { ignore_delete: deletes == 1, removes: deletes == 2, removing_group, groups, functions };
        prop_assert_eq!(ours(&table, &rows), model.merge(&rows));
    }
}
