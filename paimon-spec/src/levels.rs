//! Where the files of a keyed bucket overlap: the order of keys, sections and sorted runs.

#[cfg(test)]
mod tests;

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use crate::predicate::compare::compare;
use crate::{
    BinaryRow, ColumnStats, DataFileMeta, DataType, Datum, EntryHead, Error, ManifestEntry, Result, RowView,
    TableSchema,
};

impl AsRef<DataFileMeta> for DataFileMeta {
    fn as_ref(&self) -> &DataFileMeta {
        self
    }
}

impl AsRef<DataFileMeta> for ManifestEntry {
    fn as_ref(&self) -> &DataFileMeta {
        &self.file
    }
}

/// The order of trimmed primary keys: that of the rows of a data file and of the bounds of files.
///
/// Columns compare one after the other in key order, NULL first, otherwise as [`compare`](crate::predicate::compare())
/// does, with one exception: all NaN are one value, the greatest (Java `Float.compare`), because files are sorted so.
///
/// ```
/// use std::cmp::Ordering;
/// use paimon_spec::{BinaryRow, DataType, Datum, KeyComparator};
///
/// let types = vec![DataType::string()];
/// let key = |text: &str| BinaryRow::from_values(&[Some(Datum::String(text.into()))], &types);
/// let keys = KeyComparator::new(types.clone());
/// assert_eq!(keys.compare(&key("z")?, &key("ä")?)?, Ordering::Less);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyComparator {
    types: Vec<DataType>,
}

/// A key in a form that is compared without being decoded: see [`KeyComparator::ordered`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderedKey(Box<[u8]>);

impl KeyComparator {
    /// For keys whose columns have these types.
    pub fn new(types: Vec<DataType>) -> Self {
        Self { types }
    }

    /// For the trimmed primary key of a table; of a table without one, all keys are equal.
    pub fn of(schema: &TableSchema) -> Self {
        let keys = schema.trimmed_primary_keys();
        Self::new(keys.iter().filter_map(|key| schema.field(key)).map(|field| field.data_type.clone()).collect())
    }

    /// The types of the key's columns, in key order.
    pub fn types(&self) -> &[DataType] {
        &self.types
    }

    /// Compares two keys. To compare one key often, see [`Self::ordered`].
    ///
    /// # Errors
    /// As [`Self::ordered`].
    pub fn compare(&self, a: &BinaryRow, b: &BinaryRow) -> Result<Ordering> {
        Ok(self.ordered(a)?.cmp(&self.ordered(b)?))
    }

    /// The key in a form whose order is the order of keys.
    ///
    /// # Errors
    /// `CorruptData` when the bytes of the key are not of its types; `Unsupported` for keys of nested types.
    pub fn ordered(&self, key: &BinaryRow) -> Result<OrderedKey> {
        let mut bytes = Vec::with_capacity(16 * self.types.len());
        for (pos, data_type) in self.types.iter().enumerate() {
            match key.get(pos, data_type)? {
                None => bytes.push(0),
                Some(value) => {
                    bytes.push(1);
                    push_ordered(&mut bytes, value);
                }
            }
        }
        Ok(OrderedKey(bytes.into_boxed_slice()))
    }
}

/// Appends bytes of which none are the beginning of those of another value of the type, in the order of values.
fn push_ordered(bytes: &mut Vec<u8>, value: Datum) {
    /// Two's complement with the sign turned around, big-endian.
    macro_rules! push_signed {
        ($value:expr, $type:ty) => {
            bytes.extend_from_slice(&($value ^ <$type>::MIN).to_be_bytes())
        };
    }
    match value {
        Datum::Boolean(value) => bytes.push(value.into()),
        Datum::TinyInt(value) => push_signed!(value, i8),
        Datum::SmallInt(value) => push_signed!(value, i16),
        Datum::Int(value) | Datum::Date(value) | Datum::Time(value) => push_signed!(value, i32),
        Datum::BigInt(value) => push_signed!(value, i64),
        Datum::Decimal { unscaled, .. } => push_signed!(unscaled, i128),
        Datum::Timestamp(value) => {
            push_signed!(value.millis, i64);
            push_signed!(value.nanos_of_milli, i32);
        }
        // As `total_cmp`: the bits of negative values descend.
        Datum::Float(value) => {
            let bits = if value.is_nan() { f32::NAN } else { value }.to_bits() as i32;
            push_signed!(bits ^ ((bits >> 31) & i32::MAX), i32);
        }
        Datum::Double(value) => {
            let bits = if value.is_nan() { f64::NAN } else { value }.to_bits() as i64;
            push_signed!(bits ^ ((bits >> 63) & i64::MAX), i64);
        }
        Datum::String(text) => push_terminated(bytes, text.as_bytes()),
        Datum::Bytes(value) => push_terminated(bytes, &value),
    }
}

/// A zero byte becomes `0 1`, so that `0 0`, which ends the value, comes before all that continues it.
fn push_terminated(bytes: &mut Vec<u8>, value: &[u8]) {
    for byte in value {
        bytes.push(*byte);
        if *byte == 0 {
            bytes.push(1);
        }
    }
    bytes.extend_from_slice(&[0, 0]);
}

impl DataFileMeta {
    /// What is known of the `pos`-th column of the key in this file, whose keys are of these types. What is not stored,
    /// or stored in a form that cannot be decoded, is unknown.
    pub fn key_column_stats(&self, keys: &KeyComparator, pos: usize) -> ColumnStats {
        let null_count = self.key_stats.null_counts.get(pos).copied().flatten();
        let bounds = [&self.min_key, &self.max_key].map(|key| Some(key.view()));
        let stats = [&self.key_stats.min_values, &self.key_stats.max_values].map(|values| Some(values.view()));
        key_column_stats(keys, pos, bounds, stats, null_count)
    }
}

impl EntryHead<'_> {
    /// As [`DataFileMeta::key_column_stats`], without building the entry.
    pub fn key_column_stats(&self, keys: &KeyComparator, pos: usize) -> ColumnStats {
        let row = |metadata| RowView::from_metadata(metadata).ok();
        let bounds = [self.min_key, self.max_key].map(row);
        let stats = [self.key_stats_min, self.key_stats_max].map(row);
        key_column_stats(keys, pos, bounds, stats, self.key_null_count(pos))
    }
}

/// Of a column before which the smallest and the largest key are equal, these two are exact bounds.
fn key_column_stats(
    keys: &KeyComparator,
    pos: usize,
    bounds: [Option<RowView<'_>>; 2],
    stats: [Option<RowView<'_>>; 2],
    null_count: Option<i64>,
) -> ColumnStats {
    let value = |row: Option<RowView<'_>>, pos| -> Option<Datum> { row?.get(pos, keys.types.get(pos)?).ok().flatten() };
    let [min_key, max_key] = bounds;
    let is_bounded = (0..pos).all(|before| {
        let ends = value(min_key, before).zip(value(max_key, before));
        ends.is_some_and(|(min, max)| compare(&min, &max) == Some(Ordering::Equal))
    });
    let of_key = |key| if is_bounded { value(key, pos) } else { None };
    let stats = stats.map(|row| row.filter(|row| row.arity() == keys.types.len()));
    let are_stored = stats.iter().all(Option::is_some);
    let (min, max) = match (of_key(min_key), of_key(max_key)) {
        (Some(min), Some(max)) => (Some(min), Some(max)),
        _ => {
            let [min, max] = stats.map(|row| value(row, pos));
            (min, max)
        }
    };
    ColumnStats { min, max, null_count: null_count.filter(|_| are_stored) }
}

/// Files whose key ranges ascend and do not touch: their rows, one file after the other, are in key order and no key
/// occurs in two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortedRun<F = DataFileMeta> {
    /// By ascending key range; never empty.
    pub files: Vec<F>,
}

/// Sorts the files of a bucket into sections, by ascending key range, and the files of each section into as few sorted
/// runs as possible (Java `IntervalPartition`).
///
/// No key occurs in two sections: files that share so much as a bound are in one. So a section of one run has nothing
/// to merge. The order of the runs of a section means nothing.
///
/// # Errors
/// As [`KeyComparator::ordered`]; `CorruptData` also when the smallest key of a file is greater than its largest.
pub fn sections<F: AsRef<DataFileMeta>>(files: Vec<F>, keys: &KeyComparator) -> Result<Vec<Vec<SortedRun<F>>>> {
    let mut sections: Vec<Section<F>> = Vec::new();
    for file in by_bounds(files, keys)? {
        match sections.last_mut() {
            Some(section) if file.min <= section.bound => section.push(file),
            _ => sections.push(Section::starting_with(file)),
        }
    }
    let runs = |section: Section<F>| section.runs.into_iter().map(|files| SortedRun { files }).collect();
    Ok(sections.into_iter().map(runs).collect())
}

/// Whether no two of the files, of one bucket, share so much as a bound of their key ranges.
///
/// # Errors
/// As [`sections`].
pub fn are_disjoint<F: AsRef<DataFileMeta>>(files: &[F], keys: &KeyComparator) -> Result<bool> {
    if files.len() < 2 {
        return Ok(true);
    }
    let sorted = by_bounds(files.iter().collect(), keys)?;
    Ok(sorted.iter().zip(sorted.iter().skip(1)).all(|(before, after)| before.max < after.min))
}

struct Bounded<F> {
    min: OrderedKey,
    max: OrderedKey,
    file: F,
}

/// By smallest key, then by largest key; files of the same bounds stay in order.
fn by_bounds<F: AsRef<DataFileMeta>>(files: Vec<F>, keys: &KeyComparator) -> Result<Vec<Bounded<F>>> {
    let bounded = |file: F| {
        let meta = file.as_ref();
        let (min, max) = (keys.ordered(&meta.min_key)?, keys.ordered(&meta.max_key)?);
        if min > max {
            return Err(Error::corrupt(format!(
                "expected the smallest key of {} not to be greater than its largest",
                meta.file_name
            )));
        }
        Ok(Bounded { min, max, file })
    };
    let mut files = files.into_iter().map(bounded).collect::<Result<Vec<_>>>()?;
    files.sort_by(|a, b| (&a.min, &a.max).cmp(&(&b.min, &b.max)));
    Ok(files)
}

/// Files, by their bounds, of which each overlaps or touches what is before it.
struct Section<F> {
    /// The largest key.
    bound: OrderedKey,
    runs: Vec<Vec<F>>,
    /// The largest key of each run and its position in `runs`, least first.
    ends: BinaryHeap<Reverse<(OrderedKey, usize)>>,
}

impl<F> Section<F> {
    fn starting_with(first: Bounded<F>) -> Self {
        let mut section = Self { bound: first.max.clone(), runs: Vec::new(), ends: BinaryHeap::new() };
        section.push(first);
        section
    }

    /// The run that ends first takes the file if any run can.
    fn push(&mut self, file: Bounded<F>) {
        if file.max > self.bound {
            self.bound = file.max.clone();
        }
        if let Some(mut first) = self.ends.peek_mut()
            && first.0.0 < file.min
            && let Some(run) = self.runs.get_mut(first.0.1)
        {
            run.push(file.file);
            first.0.0 = file.max;
        } else {
            self.ends.push(Reverse((file.max, self.runs.len())));
            self.runs.push(vec![file.file]);
        }
    }
}
