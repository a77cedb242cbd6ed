//! The container: which column has which indexes, and where (Java `FileIndexFormat`).

use std::collections::BTreeMap;

use super::bytes::{IndexReader, Place, Step};
use super::key::length;
use super::options::IndexKind;
use crate::split::wire::{WireReader, WireWriter};
use crate::{Error, Result};

const MAGIC: i64 = 1_493_475_289_347_502;
const VERSION: i32 = 1;
/// Magic number, version and length of the head.
const BEFORE_HEAD: u64 = 16;
/// Names of columns and indexes alone do not make a head longer than this.
const LONGEST_HEAD: u64 = 64 << 20;
/// Start of an index that was never given a row, and has no bytes.
const EMPTY: i32 = -1;

/// One index of one column, as bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnIndex {
    /// The column, or `column[key]` for the values of one key of a map.
    pub column: String,
    /// What kind of index it is.
    pub kind: IndexKind,
    /// The index.
    pub bytes: Vec<u8>,
}

/// Encodes a container of indexes.
///
/// # Errors
/// `InvalidInput` when a name, or the whole, is too long for the format.
pub fn encode_file_index(indexes: &[ColumnIndex]) -> Result<Vec<u8>> {
    let mut by_column: BTreeMap<&str, Vec<&ColumnIndex>> = BTreeMap::new();
    for index in indexes {
        by_column.entry(&index.column).or_default().push(index);
    }
    let head = |body: usize| -> Result<Vec<u8>> {
        let mut out = WireWriter::default();
        out.i64(MAGIC);
        out.i32(VERSION);
        out.i32(length(body, "a head")?);
        out.len(by_column.len())?;
        let mut start = body;
        for (column, indexes) in &by_column {
            out.utf(column)?;
            out.len(indexes.len())?;
            for index in indexes {
                out.utf(index.kind.name())?;
                out.i32(length(start, "a place")?);
                out.len(index.bytes.len())?;
                start += index.bytes.len();
            }
        }
        // The length of what a later version may add.
        out.i32(0);
        Ok(out.bytes)
    };
    let body = head(0)?.len();
    let mut bytes = head(body)?;
    for index in by_column.into_values().flatten() {
        bytes.extend(&index.bytes);
    }
    length(bytes.len(), "a container")?;
    Ok(bytes)
}

/// The head of a container.
#[derive(Debug)]
pub(super) struct Container<'a> {
    reader: &'a IndexReader<'a>,
    indexes: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    column: String,
    kind: IndexKind,
    start: u64,
    end: u64,
}

impl<'a> Container<'a> {
    /// # Errors
    /// `CorruptData` when this is no container, `Unsupported` when it is one of a later version.
    pub(super) fn read(reader: &'a IndexReader<'a>) -> Step<Self> {
        let before = reader.get(0..BEFORE_HEAD)?;
        let mut fields = WireReader::new(&before);
        let (magic, version, head) = (fields.i64()?, fields.i32()?, fields.i32()?);
        if magic != MAGIC {
            return Err(Error::corrupt(format!("expected magic number {MAGIC} of a file index, found {magic}")).into());
        }
        if version != VERSION {
            return Err(Error::unsupported(format!("version {version} of file indexes is not supported yet")).into());
        }
        let end = u64::try_from(head).ok().filter(|end| (BEFORE_HEAD..=LONGEST_HEAD).contains(end));
        let end = end.ok_or_else(|| Error::corrupt(format!("expected the length of a head, found {head}")))?;
        let head = reader.get(BEFORE_HEAD..end)?;
        Ok(Self { reader, indexes: entries(&mut WireReader::new(&head), end)? })
    }

    /// The indexes of a column that are known here and have rows.
    pub(super) fn of_column(&self, column: &str) -> impl Iterator<Item = (IndexKind, Place<'a>)> {
        let entries = self.indexes.iter().filter(move |entry| entry.column == column);
        entries.map(|entry| (entry.kind, Place { reader: self.reader, start: entry.start, end: entry.end }))
    }
}

fn entries(head: &mut WireReader<'_>, body: u64) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for _ in 0..head.len()? {
        let column = head.utf()?;
        for _ in 0..head.len()? {
            let (kind, start, length) = (head.utf()?, head.i32()?, head.i32()?);
            if start == EMPTY {
                continue;
            }
            let place = u64::try_from(start).ok().zip(u64::try_from(length).ok()).filter(|(start, _)| *start >= body);
            let Some((start, length)) = place else {
                return Err(Error::corrupt(format!(
                    "expected the {kind} index of column '{column}' from byte {body} on, found {length} bytes at {start}"
                )));
            };
            if let Some(kind) = IndexKind::from_name(&kind) {
                entries.push(Entry { column: column.clone(), kind, start, end: start + length });
            }
        }
    }
    Ok(entries)
}
