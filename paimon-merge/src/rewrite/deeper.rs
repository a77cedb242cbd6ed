//! Which deeper files, and which of their rows, may have keys of the files that are rewritten.

use std::{cmp::Ordering, sync::Arc};

use futures::TryStreamExt;
use paimon_io::{TableStore, datum_at};
use paimon_spec::{
    CompareOp, DataField, DataFileMeta, Datum, KeyComparator, OrderedKey, Predicate, Result, Test, TypeKind,
    predicate::compare,
};

use super::Rewrite;
use crate::{
    KeyedLayout,
    files::{Unopened, in_order},
    opening::{Opening, SplitFile, split_file},
    plan::{FilePlan, Target},
};

/// So many rows are few: their keys are read beforehand, so that pages of deeper files are left out in which none of them
/// can be.
const FEW_ROWS: i64 = 1024;

/// Deeper files of fewer rows than this are looked through faster than keys are read.
const MANY_ROWS: i64 = 64 << 10;

/// Ranges of keys that are told apart; more of them leave out little.
const MOST_RANGES: usize = 64;

/// A deeper file to look at.
pub(super) struct Looked {
    /// Its rank is its position among the deeper files.
    pub(super) file: SplitFile,
    /// True of all rows that may have a key of the files. On the first column of the key, for statistics.
    pub(super) condition: Predicate,
}

/// The deeper files that may have a key of `files`. `target` reads keys.
pub(super) async fn look_at(
    store: &TableStore,
    rewrite: &Rewrite,
    files: &[SplitFile],
    target: &Arc<Target>,
) -> Result<Vec<Looked>> {
    let schema = store.schema();
    let keys = KeyComparator::of(schema);
    let Some(lead) = schema.key_fields().into_iter().next() else { return Ok(Vec::new()) };
    let stretches = stretches(files, &keys, &lead)?;
    let mut looked_at = Vec::new();
    for position in 0..rewrite.deeper.files.len() {
        let Some(file) = split_file(store, &rewrite.deeper, position).await? else { continue };
        let (min, max) = (keys.ordered(&file.file.min_key)?, keys.ordered(&file.file.max_key)?);
        let start = stretches.partition_point(|stretch| stretch.max < min);
        let end = stretches.partition_point(|stretch| stretch.min <= max);
        if start < end {
            looked_at.push(Looked { file, condition: within(&lead, &stretches[start..end]) });
        }
    }
    let rows =
        |files: &mut dyn Iterator<Item = &SplitFile>| files.map(|f| f.file.row_count).fold(0, i64::saturating_add);
    let is_worthwhile = rows(&mut files.iter()) <= FEW_ROWS
        && rows(&mut looked_at.iter().map(|looked| &looked.file)) > MANY_ROWS
        && has_plain_order(&lead);
    if !is_worthwhile {
        return Ok(looked_at);
    }
    let values = lead_values(store, &rewrite.files.bucket_path, files, target, &lead).await?;
    let Some(values) = values else { return Ok(looked_at) };
    let mut chosen = Vec::with_capacity(looked_at.len());
    for looked in looked_at {
        let [min, max] = bounds(&looked.file.file, &lead)?;
        let after = |bound: &Option<Datum>, value: &Datum, wanted: Ordering| {
            bound.as_ref().and_then(|bound| compare::compare(value, bound)).is_none_or(|order| order != wanted)
        };
        let may_be_there = |value: &&Datum| after(&min, value, Ordering::Less) && after(&max, value, Ordering::Greater);
        let values: Vec<Datum> = values.iter().filter(may_be_there).cloned().collect();
        if !values.is_empty() {
            chosen.push(Looked { condition: Predicate::leaf(lead.id, Test::In(values)), ..looked });
        }
    }
    Ok(chosen)
}

/// Keys from one to another, both included, between which files have keys.
struct KeyStretch {
    min: OrderedKey,
    max: OrderedKey,
    /// What the first column of the key is between; `None`: NULL, or unknown.
    lead: [Option<Datum>; 2],
}

/// Where files have keys: ascending, none of which touches the next.
fn stretches(files: &[SplitFile], keys: &KeyComparator, lead: &DataField) -> Result<Vec<KeyStretch>> {
    let stretch = |file: &SplitFile| {
        let (min, max) = (keys.ordered(&file.file.min_key)?, keys.ordered(&file.file.max_key)?);
        Ok(KeyStretch { min, max, lead: bounds(&file.file, lead)? })
    };
    let mut of_files = files.iter().map(stretch).collect::<Result<Vec<_>>>()?;
    of_files.sort_by(|a, b| a.min.cmp(&b.min));
    let mut stretches: Vec<KeyStretch> = Vec::new();
    for next in of_files {
        match stretches.last_mut() {
            Some(last) if next.min <= last.max => {
                if next.max > last.max {
                    let [_, end] = next.lead;
                    (last.max, last.lead[1]) = (next.max, end);
                }
            }
            _ => stretches.push(next),
        }
    }
    Ok(stretches)
}

/// What the first column of the key is between in a file.
fn bounds(file: &DataFileMeta, lead: &DataField) -> Result<[Option<Datum>; 2]> {
    Ok([file.min_key.get(0, &lead.data_type)?, file.max_key.get(0, &lead.data_type)?])
}

/// Whether keys and conditions order the values of a column in the same way: not where NULL and NaN are among them.
fn has_plain_order(lead: &DataField) -> bool {
    !lead.data_type.nullable && !matches!(lead.data_type.kind, TypeKind::Float | TypeKind::Double)
}

/// The condition that the first column of the key is within one of the stretches.
fn within(lead: &DataField, stretches: &[KeyStretch]) -> Predicate {
    if !has_plain_order(lead) {
        return Predicate::Constant(true);
    }
    let between = |min: &Option<Datum>, max: &Option<Datum>| {
        let bound = |op, value: &Option<Datum>| Some(Predicate::compare(lead.id, op, value.clone()?));
        Predicate::and([bound(CompareOp::GtEq, min), bound(CompareOp::LtEq, max)].into_iter().flatten())
    };
    match stretches {
        [first, .., last] if stretches.len() > MOST_RANGES => between(&first.lead[0], &last.lead[1]),
        stretches => Predicate::or(stretches.iter().map(|stretch| between(&stretch.lead[0], &stretch.lead[1]))),
    }
}

/// The values of the first column of the key in all rows of files, ascending; `None` when there is a NULL.
async fn lead_values(
    store: &TableStore,
    bucket_path: &str,
    files: &[SplitFile],
    target: &Arc<Target>,
    lead: &DataField,
) -> Result<Option<Vec<Datum>>> {
    let layout = KeyedLayout::new(store.schema(), &[])?;
    let column = layout.keys().first().copied().unwrap_or_default();
    let mut openings = Vec::with_capacity(files.len());
    for file in files {
        let Some(plan) = FilePlan::new(target, &file.written, &file.file, &[])? else { continue };
        let rows = usize::try_from(FEW_ROWS).unwrap_or(usize::MAX);
        openings.push(Unopened::File(Box::new(Opening::new(store, bucket_path, file.clone(), plan, rows)?)));
    }
    let mut values = Vec::new();
    let mut batches = in_order(store, openings, usize::MAX);
    while let Some((_, batch)) = batches.try_next().await? {
        for row in 0..batch.num_rows() {
            let Some(value) = datum_at(batch.column(column), &lead.data_type, row)? else { return Ok(None) };
            values.push(value);
        }
    }
    values.sort_by(|a, b| compare::compare(a, b).unwrap_or(Ordering::Equal));
    values.dedup();
    Ok(Some(values))
}
