//! Java's compaction of one key after the other, as simple as it can be said.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use paimon_spec::{Datum, OrderedKey, RowKind};

use super::{Changelog, Rewrite, Row, Told};

/// A file of a table, with its rows that are not deleted and their positions.
pub(super) struct File {
    pub(super) level: i32,
    pub(super) live: Vec<(u64, Row)>,
}

/// What the rows of a key are to the model.
pub(super) trait Engine {
    fn key(&self, row: &Row) -> OrderedKey;

    /// Which of two rows of a key is older.
    fn order(&self, a: &Row, b: &Row) -> Ordering;

    /// What rows from the oldest to the newest become; `Ok(None)`: no result, `Err`: rows are refused.
    fn merged(&self, rows: &[Row]) -> Result<Option<Row>, ()>;

    /// Whether an update changes nothing that is compared.
    fn same(&self, before: &Row, after: &Row) -> bool;
}

pub(super) struct Model<'a> {
    pub(super) options: &'a [(&'static str, &'static str)],
    pub(super) request: &'a Rewrite,
    pub(super) engine: &'a dyn Engine,
}

/// A row, and the level of its file.
type Leveled = (i32, Row);

impl Model<'_> {
    fn is(&self, key: &str, value: &str) -> bool {
        self.options.contains(&(key, value))
    }

    fn merged(&self, rows: &[Leveled]) -> Result<Option<Row>, ()> {
        self.engine.merged(&rows.iter().map(|(_, row)| row.clone()).collect::<Vec<_>>())
    }

    fn sort(&self, rows: &mut [Leveled]) {
        rows.sort_by(|(_, a), (_, b)| self.engine.order(a, b));
    }

    /// `Err`: the engine refuses rows.
    pub(super) fn rewrite(&self, files: &[File], output: i32) -> Result<Told, ()> {
        let vectors = self.is("deletion-vectors.enabled", "true");
        let full = self.is("changelog-producer", "full-compaction");
        let lookup = self.is("changelog-producer", "lookup");
        let first_row = self.is("merge-engine", "first-row");
        let needs = lookup || vectors || first_row || self.is("force-lookup", "true");
        let mut told = Told::default();
        let key_of = |row: &Row| self.engine.key(row);
        let own = || files.iter().filter(|file| file.level <= output);
        let deeper = || files.iter().filter(|file| file.level > output);
        let looks_up = needs && !full && own().any(|file| file.level == 0);
        let keys: BTreeSet<OrderedKey> = own().flat_map(|file| file.live.iter().map(|(_, row)| key_of(row))).collect();
        for key in keys {
            let has = |file: &&File| {
                let found = file.live.iter().find(|(_, row)| key_of(row) == key);
                found.map(|(position, row)| (*position, (file.level, row.clone())))
            };
            let mut rows: Vec<Leveled> = own().filter_map(|file| has(&file)).map(|(_, row)| row).collect();
            self.sort(&mut rows);
            let below: Vec<(usize, u64, Leveled)> = deeper()
                .enumerate()
                .filter_map(|(at, file)| has(&file).map(|(position, row)| (at, position, row)))
                .collect();
            if looks_up && !first_row && vectors {
                for (file, position, _) in &below {
                    told.superseded.entry(*file).or_insert_with(Vec::new).push(*position);
                }
            }
            if !looks_up {
                self.plain(rows, needs && !first_row, &mut told)?;
            } else if first_row {
                let kept: Vec<Leveled> = rows.into_iter().filter(|(_, row)| !row.kind.is_retract()).collect();
                let Some((_, first)) = kept.first() else { continue };
                let high = kept.iter().any(|(level, _)| *level > 0);
                if !high && !below.is_empty() {
                    continue;
                }
                self.push(&mut told, first.clone());
                if !high && lookup {
                    told.changelog.push(Row { kind: RowKind::Insert, ..first.clone() });
                }
            } else {
                let smallest =
                    |rows: &[Leveled]| rows.iter().filter(|(level, _)| *level > 0).min_by_key(|(l, _)| *l).cloned();
                let mut high = smallest(&rows);
                if high.is_none() {
                    let found: Vec<Leveled> = below.into_iter().map(|(_, _, row)| row).collect();
                    high = smallest(&found);
                    rows.extend(high.clone());
                    self.sort(&mut rows);
                }
                let level_zero = rows.iter().any(|(level, _)| *level == 0);
                rows.retain(|(level, _)| *level == 0 || high.as_ref().is_some_and(|(high, _)| high == level));
                if !self.request.wants_rows && !lookup {
                    continue;
                }
                let result = self.merged(&rows)?;
                if level_zero && lookup {
                    let before = high.map(|(_, row)| row).filter(|row| !row.kind.is_retract());
                    self.tell(&mut told, before, result.clone());
                }
                if let Some(result) = result {
                    self.push(&mut told, result);
                }
            }
        }
        if !self.request.wants_rows {
            told.rows.clear();
        }
        Ok(told)
    }

    /// Merged as readers do, and told against the last level.
    fn plain(&self, mut rows: Vec<Leveled>, smallest_level: bool, told: &mut Told) -> Result<(), ()> {
        let full = matches!(self.request.changelog, Changelog::AgainstLevel(_));
        if !self.request.wants_rows && !full {
            return Ok(());
        }
        let (count, top) = (rows.len(), rows.iter().find(|(level, _)| *level == 5).cloned());
        if smallest_level {
            let high = rows.iter().map(|(level, _)| *level).filter(|level| *level > 0).min();
            rows.retain(|(level, _)| *level == 0 || Some(*level) == high);
        }
        let result = if rows.len() == 1 { Some(rows[0].1.clone()) } else { self.merged(&rows)? };
        let Some(result) = result else { return Ok(()) };
        if full && (count > 1 || top.is_none()) {
            self.tell(told, top.map(|(_, row)| row), Some(result.clone()));
        }
        if !full || !result.kind.is_retract() {
            self.push(told, result);
        }
        Ok(())
    }

    fn push(&self, told: &mut Told, row: Row) {
        if self.request.keep_deletes || !row.kind.is_retract() {
            told.rows.push(row);
        }
    }

    fn tell(&self, told: &mut Told, before: Option<Row>, after: Option<Row>) {
        let of = |kind, row: &Row| Row { kind, ..row.clone() };
        let Some(after) = after else { return };
        match (before, after.kind.is_retract()) {
            (None, true) => {}
            (None, false) => told.changelog.push(of(RowKind::Insert, &after)),
            (Some(before), true) => told.changelog.push(of(RowKind::Delete, &before)),
            (Some(before), false) => {
                let once = self.is("changelog-producer.row-deduplicate", "true");
                if !(once && self.engine.same(&before, &after)) {
                    told.changelog.extend([of(RowKind::UpdateBefore, &before), of(RowKind::UpdateAfter, &after)]);
                }
            }
        }
    }
}

/// The engines on `k` INT, the key, `v` INT and `s` INT, by hand.
pub(super) struct ByHand<'a> {
    pub(super) options: &'a [(&'static str, &'static str)],
    pub(super) keys: &'a dyn Fn(&Row) -> OrderedKey,
}

impl Engine for ByHand<'_> {
    fn key(&self, row: &Row) -> OrderedKey {
        (self.keys)(row)
    }

    fn order(&self, a: &Row, b: &Row) -> Ordering {
        let descending = self.is("sequence.field.sort-order", "descending");
        let by_field = self.is("sequence.field", "s");
        let place = |row: &Row| {
            let field = match row.values[2] {
                Some(Datum::Int(field)) if by_field => Some(if descending { -field } else { field }),
                _ => None,
            };
            (field, row.number)
        };
        place(a).cmp(&place(b))
    }

    fn same(&self, before: &Row, after: &Row) -> bool {
        let ignores = self.is("changelog-producer.row-deduplicate-ignore-fields", "s");
        let compared = if ignores { 2 } else { 3 };
        before.values[..compared] == after.values[..compared]
    }

    fn merged(&self, rows: &[Row]) -> Result<Option<Row>, ()> {
        let adds = |row: &&Row| !row.kind.is_retract();
        let ignores = self.is("ignore-delete", "true");
        if self.is("merge-engine", "deduplicate") {
            return Ok(rows.iter().rfind(|row| !ignores || adds(row)).cloned());
        }
        if self.is("merge-engine", "first-row") {
            return Ok(rows.iter().find(adds).cloned());
        }
        let remove = self.options.iter().any(|(key, _)| key.ends_with("remove-record-on-delete"));
        let Some(newest) = rows.last() else { return Ok(None) };
        let nothing = Row { values: vec![newest.values[0].clone(), None, None], number: 0, kind: RowKind::Insert };
        if self.is("merge-engine", "aggregation") {
            Ok(Some(self.aggregated(rows.iter(), remove, nothing)))
        } else {
            laid_over(rows.iter(), remove, ignores, nothing)
        }
    }
}

impl ByHand<'_> {
    fn is(&self, key: &str, value: &str) -> bool {
        self.options.contains(&(key, value))
    }

    /// `sum` of `v`, and the last `s`.
    fn aggregated<'r>(&self, rows: impl Iterator<Item = &'r Row>, remove: bool, mut result: Row) -> Row {
        let number = |value: &Option<Datum>| match value {
            Some(Datum::Int(value)) => Some(*value),
            _ => None,
        };
        for row in rows {
            result.number = row.number;
            result.kind = RowKind::Insert;
            if remove && row.kind == RowKind::Delete {
                result = row.clone();
                continue;
            }
            let sign = if row.kind.is_retract() { -1 } else { 1 };
            let (old, new) = (number(&result.values[1]), number(&row.values[1]).map(|value| sign * value));
            result.values[1] = old.map_or(new, |old| Some(old + new.unwrap_or(0))).map(Datum::Int);
            let by_sequence = self.is("sequence.field", "s");
            result.values[2] = match (row.kind.is_retract(), &row.values[2]) {
                (false, None) if !by_sequence => result.values[2].clone(),
                (false, value) => value.clone(),
                (true, None) if !by_sequence => result.values[2].clone(),
                (true, _) => None,
            };
        }
        result
    }
}

/// Java `PartialUpdateMergeFunction` without sequence groups.
fn laid_over<'r>(
    rows: impl Iterator<Item = &'r Row>,
    remove: bool,
    ignores: bool,
    mut result: Row,
) -> Result<Option<Row>, ()> {
    let (mut deleted, mut met_insert, mut filled) = (false, false, false);
    for row in rows {
        deleted = false;
        if row.kind.is_retract() {
            if !filled {
                result.values = row.values.clone();
                filled = true;
            }
            if ignores {
                continue;
            }
            result.number = row.number;
            if !remove {
                return Err(());
            }
            if row.kind == RowKind::Delete {
                deleted = true;
                result.values = row.values.clone();
            }
            continue;
        }
        result.number = row.number;
        for (old, new) in result.values.iter_mut().zip(&row.values) {
            if new.is_some() {
                *old = new.clone();
            }
        }
        (met_insert, filled) = (true, true);
    }
    result.kind = if deleted || !met_insert { RowKind::Delete } else { RowKind::Insert };
    Ok(Some(result))
}
