//! Which row ids a condition asks for: planning leaves files out by it, and reading rows.

use std::ops::Range;

use crate::{CompareOp, Datum, Leaf, Predicate, ROW_ID_ID, Test};

/// Row ids: ascending ranges that are not empty and do not touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowIds(Vec<Range<i64>>);

impl RowIds {
    /// The ids that rows which meet a condition on [`ROW_ID`](crate::ROW_ID) and other columns can have; `None`: any.
    /// Where the condition is on nothing else and this is some, a row meets it exactly when its id is among these.
    pub fn wanted(condition: &Predicate) -> Option<Self> {
        match condition {
            Predicate::Constant(true) => None,
            Predicate::Constant(false) | Predicate::Unknown => Some(Self(Vec::new())),
            Predicate::And(parts) => parts.iter().filter_map(Self::wanted).reduce(|a, b| a.and(&b)),
            Predicate::Or(parts) => {
                let parts = parts.iter().map(Self::wanted).collect::<Option<Vec<_>>>()?;
                Some(Self::of(parts.into_iter().flat_map(|ids| ids.0).collect()))
            }
            Predicate::Not(inner) => match inner.as_ref() {
                Predicate::Leaf(leaf) if leaf.field == ROW_ID_ID => Self::of_test(&leaf.test).map(Self::others),
                inner => match inner.clone().negate() {
                    Predicate::Not(_) => None,
                    negated => Self::wanted(&negated),
                },
            },
            Predicate::Leaf(Leaf { field, test }) if *field == ROW_ID_ID => Self::of_test(test),
            _ => None,
        }
    }

    /// Whether one of the ids is in a range.
    pub fn intersect(&self, range: &Range<i64>) -> bool {
        let next = self.0.partition_point(|ids| ids.end <= range.start);
        self.0.get(next).is_some_and(|ids| ids.start < range.end)
    }

    /// Those of the ids that are in a range, as ascending ranges.
    pub fn within(&self, range: Range<i64>) -> impl Iterator<Item = Range<i64>> + '_ {
        let first = self.0.partition_point(|ids| ids.end <= range.start);
        let end = range.end;
        self.0[first..]
            .iter()
            .take_while(move |ids| ids.start < end)
            .map(move |ids| ids.start.max(range.start)..ids.end.min(range.end))
    }

    /// Exactly the ids that pass a test.
    fn of_test(test: &Test) -> Option<Self> {
        let all = || Self::range(0, i64::MAX);
        match test {
            Test::IsNull => Some(Self(Vec::new())),
            Test::IsNotNull => Some(all()),
            Test::Compare(op, Datum::BigInt(id)) => {
                let (id, next) = (*id, id.saturating_add(1));
                Some(match op {
                    CompareOp::Eq => Self::range(id, next),
                    CompareOp::NotEq => Self::range(id, next).others(),
                    CompareOp::Lt => Self::range(0, id),
                    CompareOp::LtEq => Self::range(0, next),
                    CompareOp::Gt => Self::range(next, i64::MAX),
                    CompareOp::GtEq => Self::range(id, i64::MAX),
                })
            }
            Test::In(literals) => {
                let id = |literal: &Datum| match literal {
                    Datum::BigInt(id) => Some(*id..id.saturating_add(1)),
                    _ => None,
                };
                literals.iter().map(id).collect::<Option<Vec<_>>>().map(Self::of)
            }
            _ => None,
        }
    }

    fn range(start: i64, end: i64) -> Self {
        Self::of(Vec::from_iter(std::iter::once(start..end)))
    }

    /// Sorts and joins ranges; no row has an id below 0.
    fn of(mut ranges: Vec<Range<i64>>) -> Self {
        for range in &mut ranges {
            range.start = range.start.max(0);
        }
        ranges.retain(|range| !range.is_empty());
        ranges.sort_unstable_by_key(|range| range.start);
        ranges.dedup_by(|next, range| {
            let joins = next.start <= range.end;
            if joins {
                range.end = range.end.max(next.end);
            }
            joins
        });
        Self(ranges)
    }

    fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        let (mut these, mut others) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (these.peek(), others.peek()) {
            both.push(a.start.max(b.start)..a.end.min(b.end));
            if a.end < b.end {
                these.next()
            } else {
                others.next()
            };
        }
        Self::of(both)
    }

    fn others(self) -> Self {
        let mut others = Vec::with_capacity(self.0.len() + 1);
        let mut start = 0;
        for range in self.0 {
            others.push(start..range.start);
            start = range.end;
        }
        others.push(start..i64::MAX);
        Self::of(others)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn id(op: CompareOp, id: i64) -> Predicate {
        Predicate::compare(ROW_ID_ID, op, Datum::BigInt(id))
    }

    fn ids(ids: &[i64]) -> Predicate {
        Predicate::leaf(ROW_ID_ID, Test::In(ids.iter().map(|id| Datum::BigInt(*id)).collect()))
    }

    fn other_column() -> Predicate {
        Predicate::compare(0, CompareOp::Eq, Datum::Int(1))
    }

    #[rstest]
    #[case::one(id(CompareOp::Eq, 5), Some(vec![(5, 6)]))]
    #[case::below(id(CompareOp::Lt, 5), Some(vec![(0, 5)]))]
    #[case::a_list_with_neighbours(ids(&[7, 2, 3, 2]), Some(vec![(2, 4), (7, 8)]))]
    #[case::not_in_a_list(ids(&[0, 3]).negate(), Some(vec![(1, 3), (4, i64::MAX)]))]
    #[case::no_row_has_it(id(CompareOp::Eq, -1), Some(vec![]))]
    #[case::one_side_of_and(Predicate::and([other_column(), id(CompareOp::GtEq, 5)]), Some(vec![(5, i64::MAX)]))]
    #[case::one_side_of_or(Predicate::or([other_column(), id(CompareOp::GtEq, 5)]), None)]
    #[case::under_not(
        Predicate::Not(Box::new(Predicate::or([other_column(), id(CompareOp::GtEq, 5)]))),
        Some(vec![(0, 5)])
    )]
    #[case::another_column(other_column(), None)]
    #[case::never_null(Predicate::leaf(ROW_ID_ID, Test::IsNull), Some(vec![]))]
    #[case::a_literal_of_another_type(Predicate::compare(ROW_ID_ID, CompareOp::Eq, Datum::Int(1)), None)]
    #[case::a_list_of_other_types(Predicate::leaf(ROW_ID_ID, Test::In(vec![Datum::BigInt(1), Datum::Int(1)])), None)]
    #[case::the_largest(id(CompareOp::LtEq, i64::MAX), Some(vec![(0, i64::MAX)]))]
    fn conditions_ask_for_ranges(#[case] condition: Predicate, #[case] expected: Option<Vec<(i64, i64)>>) {
        assert_eq!(
            RowIds::wanted(&condition),
            expected.map(|ranges| RowIds(ranges.into_iter().map(|(start, end)| start..end).collect()))
        );
    }

    fn condition() -> impl Strategy<Value = Predicate> {
        use CompareOp::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
        let op = prop::sample::select(vec![Eq, NotEq, Lt, LtEq, Gt, GtEq]);
        let leaf = prop_oneof![
            (op, -1..12_i64).prop_map(|(op, literal)| id(op, literal)),
            prop::collection::vec(-1..12_i64, 0..4).prop_map(|literals| ids(&literals)),
            Just(Predicate::leaf(ROW_ID_ID, Test::IsNotNull)),
            Just(Predicate::Unknown),
            Just(other_column()),
        ];
        leaf.prop_recursive(3, 16, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::And),
                prop::collection::vec(inner.clone(), 0..3).prop_map(Predicate::Or),
                inner.prop_map(|inner| Predicate::Not(Box::new(inner))),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_wanted_row_is_missed_and_conditions_on_ids_alone_are_exact(condition in condition()) {
            let wanted = RowIds::wanted(&condition);
            let on_ids_alone = condition.fields().iter().all(|field| *field == ROW_ID_ID);
            for row in 0..12_i64 {
                let passes = [None, Some(Datum::Int(1)), Some(Datum::Int(2))].iter().any(|other| {
                    let value = |field| if field == ROW_ID_ID { Some(Datum::BigInt(row)) } else { other.clone() };
                    condition.evaluate(&value) == Some(true)
                });
                let found = wanted.as_ref().is_none_or(|wanted| wanted.intersect(&(row..row + 1)));
                prop_assert!(found || !passes, "row {row}");
                if on_ids_alone && wanted.is_some() {
                    prop_assert_eq!(found, passes, "row {}", row);
                }
            }
        }

        #[test]
        fn the_ids_within_a_range_are_wanted_one_by_one(condition in condition(), start in 0..12_i64, len in 0..9_i64) {
            if let Some(wanted) = RowIds::wanted(&condition) {
                let within: Vec<_> = wanted.within(start..start + len).flatten().collect();
                let one_by_one: Vec<_> = (start..start + len).filter(|row| wanted.intersect(&(*row..row + 1))).collect();
                prop_assert_eq!(within, one_by_one);
            }
        }

        #[test]
        fn a_range_is_wanted_when_one_of_its_ids_is(condition in condition(), start in 0..12_i64, len in 1..5_i64) {
            if let Some(wanted) = RowIds::wanted(&condition) {
                let one = (start..start + len).any(|row| wanted.intersect(&(row..row + 1)));
                prop_assert_eq!(wanted.intersect(&(start..start + len)), one);
            }
        }
    }
}
