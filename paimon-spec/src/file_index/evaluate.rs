//! What indexes leave of a file.

use std::collections::BTreeMap;
use std::ops::{Bound, Range};

use roaring::RoaringBitmap;

use super::IndexBytes;
use super::bitmap::Bitmap;
use super::bloom;
use super::bsi::Bsi;
use super::bytes::{IndexReader, Place, Step, Stop};
use super::container::Container;
use super::key::{IndexKey, KeyType, literal, nan_key};
use super::options::{IndexKind, split_map_key};
use super::range_bitmap::RangeBitmap;
use super::rows::RowSet;
use crate::predicate::{CompareOp, Leaf, Predicate, Test};
use crate::{DataFileMeta, Datum, Error, FieldId, Result, TableSchema, TypeKind};

/// What the indexes of a file say about a predicate.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexVerdict {
    /// No row passes.
    Skip,
    /// Any row may pass.
    Keep,
    /// Only these rows may pass, of which there is one at least; and not all rows of the file are among them.
    Rows(RowSet),
}

/// A verdict, or what it takes to come to one.
#[derive(Debug, Clone, PartialEq)]
pub enum IndexAnswer {
    /// The verdict.
    Verdict(IndexVerdict),
    /// The bytes of the container that must be [added](IndexBytes::add) before this is asked again. Some of them may lie
    /// behind its end.
    Needs(Vec<Range<u64>>),
}

/// What the indexes of a file of `row_count` rows say about a predicate on the columns of `schema`, the one that the file
/// was written with (see [`Predicate::for_file`]).
///
/// Indexes of unknown kinds and versions, of types that such indexes cannot have, and of single keys of maps say nothing.
///
/// # Errors
/// `CorruptData` when what is looked at is no index, or one of another number of rows; `Unsupported` for a container of a
/// later version.
pub fn evaluate_file_index(
    bytes: &IndexBytes,
    predicate: &Predicate,
    schema: &TableSchema,
    row_count: i64,
) -> Result<IndexAnswer> {
    let keep = Ok(IndexAnswer::Verdict(IndexVerdict::Keep));
    // Bitmaps of Java have positions of 31 bits.
    let Some(row_count) = i32::try_from(row_count).ok().and_then(|rows| u32::try_from(rows).ok()) else { return keep };
    let reader = IndexReader::new(bytes);
    let rows = match evaluate(&reader, predicate, schema, row_count) {
        Ok(rows) => rows,
        Err(Stop::Missing) => None,
        Err(Stop::Failed(error)) => return Err(error),
    };
    if rows.as_ref().is_some_and(RoaringBitmap::is_empty) {
        return Ok(IndexAnswer::Verdict(IndexVerdict::Skip));
    }
    let missing = reader.missing();
    if !missing.is_empty() {
        return Ok(IndexAnswer::Needs(missing));
    }
    match rows {
        Some(rows) if rows.len() < row_count.into() => Ok(IndexAnswer::Verdict(IndexVerdict::Rows(RowSet(rows)))),
        _ => keep,
    }
}

impl DataFileMeta {
    /// What the embedded file index says about a predicate on the columns of `written`, the schema that the file was
    /// written with. A file without one is kept.
    ///
    /// # Errors
    /// As [`evaluate_file_index`]; the error names the data file.
    pub fn embedded_index_verdict(&self, predicate: &Predicate, written: &TableSchema) -> Result<IndexVerdict> {
        let Some(embedded) = &self.embedded_index else { return Ok(IndexVerdict::Keep) };
        let bytes = IndexBytes::whole(embedded.clone());
        let answer = evaluate_file_index(&bytes, predicate, written, self.row_count);
        match answer.map_err(|error| error.with_context("file index embedded for", &self.file_name))? {
            IndexAnswer::Verdict(verdict) => Ok(verdict),
            IndexAnswer::Needs(_) => Err(Error::internal("paimon-spec", "a whole file index is not enough")),
        }
    }
}

/// An index that tells rows. Bitmaps are subsets of the file's rows, and exact.
pub(super) trait RowIndex {
    /// Rows that were indexed.
    fn row_count(&self) -> u32;
    /// Rows with a value.
    fn not_null(&self) -> Step<RoaringBitmap>;
    /// Rows with one of these values.
    fn one_of(&self, keys: &[IndexKey]) -> Step<RoaringBitmap>;
    /// Rows with a value in a range; `None`: this index does not know.
    fn between(&self, _range: &KeyRange) -> Step<Option<RoaringBitmap>> {
        Ok(None)
    }
}

/// A range of values.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct KeyRange {
    pub(super) low: Bound<IndexKey>,
    pub(super) high: Bound<IndexKey>,
}

/// The indexes of the columns of a predicate.
type Opened<'a> = BTreeMap<FieldId, Vec<OpenIndex<'a>>>;

enum OpenIndex<'a> {
    Bloom(Place<'a>),
    Rows(KeyType, Box<dyn RowIndex + 'a>),
}

/// The rows for which a condition may have a certain truth value. `None`: any row.
type MayBe = Option<RoaringBitmap>;

fn evaluate(reader: &IndexReader<'_>, predicate: &Predicate, schema: &TableSchema, row_count: u32) -> Step<MayBe> {
    let container = Container::read(reader)?;
    let mut opened = Opened::new();
    for id in predicate.fields() {
        // `column[key]` is what an index of one key of a map is called, whatever a column may be called.
        let Some(field) = schema.field_by_id(id).filter(|field| split_map_key(&field.name).1.is_none()) else {
            continue;
        };
        for (kind, place) in container.of_column(&field.name) {
            match open(kind, place, &field.data_type.kind, row_count) {
                Ok(index) => opened.entry(id).or_default().extend(index),
                Err(Stop::Missing) => {}
                Err(Stop::Failed(error)) => {
                    return Err(error.with_context("index", kind.name()).with_context("column", &field.name).into());
                }
            }
        }
    }
    may_be(predicate, true, &opened, schema)
}

/// `None`: an index that says nothing.
fn open<'a>(kind: IndexKind, place: Place<'a>, column: &TypeKind, row_count: u32) -> Step<Option<OpenIndex<'a>>> {
    let Some(key_type) = KeyType::of(kind, column) else { return Ok(None) };
    let index: Option<Box<dyn RowIndex + 'a>> = match kind {
        IndexKind::BloomFilter => return Ok(Some(OpenIndex::Bloom(place))),
        IndexKind::Bitmap => Bitmap::open(place, key_type)?.map(|index| Box::new(index) as _),
        IndexKind::Bsi => Bsi::open(&place)?.map(|index| Box::new(index) as _),
        IndexKind::RangeBitmap => RangeBitmap::open(place, key_type)?.map(|index| Box::new(index) as _),
    };
    let Some(index) = index else { return Ok(None) };
    if index.row_count() != row_count {
        let message = format!("expected an index of {row_count} rows, found one of {}", index.row_count());
        return Err(Error::corrupt(message).into());
    }
    Ok(Some(OpenIndex::Rows(key_type, index)))
}

/// The rows for which `predicate` may be `truth`.
fn may_be(predicate: &Predicate, truth: bool, opened: &Opened<'_>, schema: &TableSchema) -> Step<MayBe> {
    let of_parts = |parts: &[Predicate], in_all: bool| {
        let mut rows = (!in_all).then(RoaringBitmap::new);
        for part in parts {
            let part = may_be(part, truth, opened, schema)?;
            rows = if in_all { intersect(rows, part) } else { unite(rows, part) };
            // Nothing can bring rows back, so nothing more is read.
            if in_all && rows.as_ref().is_some_and(RoaringBitmap::is_empty) {
                break;
            }
        }
        Ok(rows)
    };
    match predicate {
        Predicate::Constant(value) => Ok((*value != truth).then(RoaringBitmap::new)),
        Predicate::Unknown => Ok(Some(RoaringBitmap::new())),
        Predicate::And(parts) => of_parts(parts, truth),
        Predicate::Or(parts) => of_parts(parts, !truth),
        Predicate::Not(inner) => may_be(inner, !truth, opened, schema),
        Predicate::Leaf(leaf) => {
            let (Some(field), Some(indexes)) = (schema.field_by_id(leaf.field), opened.get(&leaf.field)) else {
                return Ok(None);
            };
            let mut rows = None;
            for index in indexes {
                match ask(index, leaf, truth, &field.data_type.kind) {
                    Ok(found) => rows = intersect(rows, found),
                    // It is noted what is missing.
                    Err(Stop::Missing) => {}
                    Err(Stop::Failed(error)) => return Err(error.with_context("column", &field.name).into()),
                }
            }
            Ok(rows)
        }
    }
}

fn intersect(a: MayBe, b: MayBe) -> MayBe {
    match (a, b) {
        (Some(a), Some(b)) => Some(a & b),
        (a, b) => a.or(b),
    }
}

fn unite(a: MayBe, b: MayBe) -> MayBe {
    Some(a? | b?)
}

fn ask(index: &OpenIndex<'_>, leaf: &Leaf, truth: bool, column: &TypeKind) -> Step<MayBe> {
    match index {
        OpenIndex::Bloom(place) => {
            let literals = match &leaf.test {
                Test::Compare(CompareOp::Eq, literal) if truth => std::slice::from_ref(literal),
                Test::Compare(CompareOp::NotEq, literal) if !truth => std::slice::from_ref(literal),
                Test::In(literals) if truth => literals,
                _ => return Ok(None),
            };
            let values: Option<Vec<_>> = literals.iter().map(|value| Some(literal(column, value)?.value)).collect();
            match values {
                Some(values) if !bloom::may_contain(place, &values)? => Ok(Some(RoaringBitmap::new())),
                _ => Ok(None),
            }
        }
        OpenIndex::Rows(key_type, index) => match Question::of(&leaf.test, column, *key_type) {
            Some(question) => question.ask(index.as_ref(), truth),
            None => Ok(None),
        },
    }
}

/// A test, as an index of rows can answer it.
struct Question {
    wanted: Wanted,
    /// Rows with one of these values may pass or not: the index does not tell values apart that the test does.
    uncertain: Vec<IndexKey>,
    /// The opposite of `wanted` is asked for.
    negated: bool,
}

enum Wanted {
    NotNull,
    OneOf(Vec<IndexKey>),
    Range(KeyRange),
}

impl Question {
    fn of(test: &Test, column: &TypeKind, key_type: KeyType) -> Option<Self> {
        let unbounded = || KeyRange { low: Bound::Unbounded, high: Bound::Unbounded };
        let certain = |wanted| Some(Self { wanted, uncertain: Vec::new(), negated: false });
        match test {
            Test::IsNotNull => certain(Wanted::NotNull),
            Test::IsNull => Some(Self { wanted: Wanted::NotNull, uncertain: Vec::new(), negated: true }),
            Test::Compare(CompareOp::NotEq, value) => {
                Some(Self { negated: true, ..Self::one_of(std::slice::from_ref(value), column, key_type)? })
            }
            Test::Compare(CompareOp::Eq, value) => Self::one_of(std::slice::from_ref(value), column, key_type),
            Test::In(values) => Self::one_of(values, column, key_type),
            Test::Compare(op, value) => {
                let literal = literal(column, value)?;
                let key = IndexKey::from(literal.value);
                let nan = nan_key(key_type);
                if nan.as_ref() == Some(&key) {
                    return None;
                }
                let bound = match op {
                    CompareOp::LtEq | CompareOp::GtEq if literal.exact => Bound::Included(key.clone()),
                    _ => Bound::Excluded(key.clone()),
                };
                let range = match op {
                    CompareOp::Lt | CompareOp::LtEq => KeyRange { high: bound, ..unbounded() },
                    _ => KeyRange { low: bound, ..unbounded() },
                };
                // All NaN are one in an index; those with a sign are below all numbers.
                let uncertain = nan.into_iter().chain((!literal.exact).then_some(key)).collect();
                Some(Self { wanted: Wanted::Range(range), uncertain, negated: false })
            }
            Test::StartsWith(prefix) if key_type == KeyType::Text => {
                let low = Bound::Included(IndexKey::Bytes(prefix.clone().into_bytes()));
                let high = match after_prefix(prefix.as_bytes()) {
                    Some(end) => Bound::Excluded(IndexKey::Bytes(end)),
                    None => Bound::Unbounded,
                };
                certain(Wanted::Range(KeyRange { low, high }))
            }
            _ => None,
        }
    }

    fn one_of(values: &[Datum], column: &TypeKind, key_type: KeyType) -> Option<Self> {
        let nan = nan_key(key_type);
        let (mut keys, mut uncertain) = (Vec::with_capacity(values.len()), Vec::new());
        for value in values {
            let literal = literal(column, value)?;
            let key = IndexKey::from(literal.value);
            let exact = literal.exact && nan.as_ref() != Some(&key);
            if exact { keys.push(key) } else { uncertain.push(key) }
        }
        Some(Self { wanted: Wanted::OneOf(keys), uncertain, negated: false })
    }

    /// The rows for which the test may be `truth`; where the value is NULL only IS NULL and IS NOT NULL are known.
    fn ask(&self, index: &dyn RowIndex, truth: bool) -> Step<MayBe> {
        let found = match &self.wanted {
            Wanted::NotNull => index.not_null()?,
            Wanted::OneOf(keys) => index.one_of(keys)?,
            Wanted::Range(range) => match index.between(range)? {
                Some(rows) => rows,
                None => return Ok(None),
            },
        };
        let rows = match (truth != self.negated, &self.wanted) {
            (true, _) => found,
            (false, Wanted::NotNull) => {
                let mut null = RoaringBitmap::new();
                null.insert_range(0..index.row_count());
                null - found
            }
            (false, _) => index.not_null()? - found,
        };
        Ok(Some(rows | index.one_of(&self.uncertain)?))
    }
}

/// The smallest bytes above all that begin with `prefix`; `None`: there are none.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}
