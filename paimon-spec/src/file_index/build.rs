//! Indexes in the making.

use std::collections::HashMap;

use roaring::RoaringBitmap;

use super::bloom::BloomFilterBuilder;
use super::container::ColumnIndex;
use super::key::{IndexKey, KeyType};
use super::options::{IndexKind, IndexedColumn};
use super::{IndexValue, bitmap, bsi, range_bitmap};
use crate::{DataType, Error, Result, TableOptions};

/// Size of a block of values, by default.
const BLOCK_BYTES: u64 = 16 << 10;

/// Builds one index of one column of a data file, row by row.
///
/// ```
/// use std::collections::BTreeMap;
/// use paimon_spec::{DataType, FileIndexOptions, IndexBuilder, IndexValue, TypeKind, encode_file_index};
///
/// let options = BTreeMap::from([("file-index.bitmap.columns".to_owned(), "n".to_owned())]);
/// let indexes = FileIndexOptions::parse(&options)?.indexes;
/// let mut builder = IndexBuilder::new(&indexes[0], &DataType::nullable(TypeKind::Int))?;
/// builder.add(Some(IndexValue::Int(7)))?;
/// builder.add(None)?;
/// let container = encode_file_index(&[builder.finish()?])?;
/// assert!(container.len() < 100);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug)]
pub struct IndexBuilder {
    column: String,
    kind: IndexKind,
    state: State,
}

#[derive(Debug)]
enum State {
    Bloom(BloomFilterBuilder),
    Rows { rows: RowCodes, key_type: KeyType, layout: Layout },
}

/// How an index of rows is laid out.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Bitmap { version: u8, block_bytes: usize },
    Bsi,
    RangeBitmap { chunk_bytes: usize },
}

impl IndexBuilder {
    /// An index as `index` asks for it, of values of a type (for one key of a map: the type of the map's values).
    ///
    /// # Errors
    /// `Unsupported` when there is no such index of that type; `InvalidInput` for options of it that cannot be.
    pub fn new(index: &IndexedColumn, data_type: &DataType) -> Result<Self> {
        let Some(key_type) = KeyType::of(index.kind, &data_type.kind) else {
            return Err(Error::unsupported(format!(
                "a {} index of a column of type {data_type} is not supported, which option 'file-index.{0}.columns' asks for",
                index.kind.name()
            ))
            .with_context("column", index.name_in_container()));
        };
        let bytes = |option: &str, default| -> Result<usize> {
            let set = index.options.get(option).map(|value| (index.option_key(option), value.clone()));
            let (key, map) = (index.option_key(option), set.into_iter().collect());
            Ok(usize::try_from(TableOptions::new(&map).bytes(&key, default)?).unwrap_or(usize::MAX))
        };
        let layout = match index.kind {
            IndexKind::BloomFilter => {
                let state = State::Bloom(BloomFilterBuilder::new(index)?);
                return Ok(Self { column: index.name_in_container(), kind: index.kind, state });
            }
            IndexKind::Bitmap => {
                Layout::Bitmap { version: version(index)?, block_bytes: bytes("index-block-size", BLOCK_BYTES)? }
            }
            IndexKind::Bsi => Layout::Bsi,
            IndexKind::RangeBitmap => {
                // Java's: of small types each value is a chunk.
                let small = matches!(key_type, KeyType::Boolean | KeyType::Byte | KeyType::Short);
                Layout::RangeBitmap { chunk_bytes: bytes("chunk-size", if small { 0 } else { BLOCK_BYTES })? }
            }
        };
        let state = State::Rows { rows: RowCodes::default(), key_type, layout };
        Ok(Self { column: index.name_in_container(), kind: index.kind, state })
    }

    /// Adds the next row's value; `None`: NULL. A text is to be given as bytes, other values as their type says.
    ///
    /// # Errors
    /// `Unsupported` when the file has more rows than an index can have.
    pub fn add(&mut self, value: Option<IndexValue<'_>>) -> Result<()> {
        match &mut self.state {
            State::Bloom(filter) => value.into_iter().for_each(|value| filter.add(value)),
            State::Rows { rows, .. } => rows.add(value)?,
        }
        Ok(())
    }

    /// Bytes held in memory, about.
    pub fn memory_bytes(&self) -> u64 {
        match &self.state {
            State::Bloom(filter) => filter.bytes() as u64,
            State::Rows { rows, .. } => rows.memory_bytes(),
        }
    }

    /// Encodes the index.
    ///
    /// # Errors
    /// `InvalidInput` when it is too large for the format, or has a value that its kind cannot hold.
    pub fn finish(self) -> Result<ColumnIndex> {
        let bytes = match self.state {
            State::Bloom(filter) => Ok(filter.finish()),
            State::Rows { rows, key_type, layout } => match layout {
                Layout::Bitmap { version, block_bytes } => {
                    bitmap::encode(rows.finish(), key_type, version, block_bytes)
                }
                Layout::Bsi => bsi::encode(rows.finish()),
                Layout::RangeBitmap { chunk_bytes } => range_bitmap::encode(rows.finish(), key_type, chunk_bytes),
            },
        };
        let bytes = bytes.map_err(|error| error.with_context("column", &self.column))?;
        Ok(ColumnIndex { column: self.column, kind: self.kind, bytes })
    }
}

fn version(index: &IndexedColumn) -> Result<u8> {
    let Some(text) = index.options.get("version") else { return Ok(*bitmap::VERSIONS.end()) };
    text.trim().parse().ok().filter(|version| bitmap::VERSIONS.contains(version)).ok_or_else(|| {
        Error::invalid(format!("option '{}' must be 1 or 2, found '{text}'", index.option_key("version")))
    })
}

/// Stands for NULL among the numbers of distinct values.
const NULL: u32 = u32::MAX;

/// The distinct values of a column and, by row, which of them it has.
#[derive(Debug, Default)]
struct RowCodes {
    numbers: HashMap<i64, u32>,
    texts: HashMap<Vec<u8>, u32>,
    text_bytes: u64,
    rows: Vec<u32>,
}

impl RowCodes {
    fn add(&mut self, value: Option<IndexValue<'_>>) -> Result<()> {
        if self.rows.len() >= i32::MAX as usize {
            return Err(Error::unsupported(format!("a file index of more than {} rows is not supported", i32::MAX)));
        }
        let next = (self.numbers.len() + self.texts.len()) as u32;
        let code = match value {
            None => NULL,
            Some(IndexValue::Bytes(text)) => match self.texts.get(text) {
                Some(code) => *code,
                None => {
                    self.text_bytes += text.len() as u64;
                    self.texts.insert(text.to_vec(), next);
                    next
                }
            },
            Some(value) => match IndexKey::from(value) {
                IndexKey::Int(number) => *self.numbers.entry(number).or_insert(next),
                IndexKey::Bytes(_) => return Err(Error::internal("paimon-spec", "a number that is bytes")),
            },
        };
        self.rows.push(code);
        Ok(())
    }

    fn memory_bytes(&self) -> u64 {
        let distinct = (self.numbers.capacity() * 16 + self.texts.capacity() * 40) as u64;
        distinct + self.text_bytes + 4 * self.rows.capacity() as u64
    }

    /// The rows of each value.
    fn finish(self) -> DistinctRows {
        let numbers = self.numbers.into_iter().map(|(number, code)| (IndexKey::Int(number), code));
        let mut keys: Vec<(IndexKey, u32)> =
            numbers.chain(self.texts.into_iter().map(|(text, code)| (IndexKey::Bytes(text), code))).collect();
        keys.sort_unstable();
        // Rows sorted by their value's number, each value's rows ascending.
        let mut ends = vec![0_usize; keys.len() + 1];
        let slot = |code: u32| (code as usize).min(keys.len());
        self.rows.iter().for_each(|code| ends[slot(*code)] += 1);
        let mut total = 0;
        for end in &mut ends {
            total += std::mem::replace(end, total);
        }
        let mut sorted = vec![0_u32; self.rows.len()];
        for (row, code) in (0..).zip(&self.rows) {
            let end = &mut ends[slot(*code)];
            sorted[*end] = row;
            *end += 1;
        }
        let of = |code: usize| {
            let start = if code == 0 { 0 } else { ends[code - 1] };
            let mut rows = RoaringBitmap::new();
            sorted[start..ends[code]].iter().for_each(|row| _ = rows.insert(*row));
            rows
        };
        DistinctRows {
            row_count: self.rows.len() as u32,
            nulls: of(keys.len()),
            values: keys.into_iter().map(|(key, code)| (key, of(code as usize))).collect(),
        }
    }
}

/// The rows of each value of a column.
#[derive(Debug)]
pub(super) struct DistinctRows {
    pub(super) row_count: u32,
    pub(super) nulls: RoaringBitmap,
    /// Ascending.
    pub(super) values: Vec<(IndexKey, RoaringBitmap)>,
}
