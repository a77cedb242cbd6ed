//! What a table's options ask for.

use std::collections::BTreeMap;

use super::key::KeyType;
use crate::predicate::{CompareOp, Leaf, Predicate, Test};
use crate::{Error, FieldId, Result, TableOptions, TableSchema, TypeKind};

/// The kinds of file indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexKind {
    /// `bloom-filter`: whether a value may be in the file.
    BloomFilter,
    /// `bitmap`: the rows of each value.
    Bitmap,
    /// `bsi`: the rows by the bits of their numbers.
    Bsi,
    /// `range-bitmap`: the rows by the bits of their value's place in the order of values.
    RangeBitmap,
}

impl IndexKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::BloomFilter, Self::Bitmap, Self::Bsi, Self::RangeBitmap];

    /// The name in options and containers.
    pub fn name(self) -> &'static str {
        match self {
            Self::BloomFilter => "bloom-filter",
            Self::Bitmap => "bitmap",
            Self::Bsi => "bsi",
            Self::RangeBitmap => "range-bitmap",
        }
    }

    /// The inverse of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether there are indexes of this kind on columns of a type.
    pub fn supports(self, kind: &TypeKind) -> bool {
        KeyType::of(self, kind).is_some()
    }

    /// Whether an index of this kind can tell anything about a test.
    pub fn answers(self, test: &Test) -> bool {
        match (self, test) {
            (_, Test::Compare(CompareOp::Eq, _) | Test::In(_)) => true,
            (Self::BloomFilter, _) => false,
            (_, Test::IsNull | Test::IsNotNull | Test::Compare(CompareOp::NotEq, _)) => true,
            (Self::Bitmap, _) => false,
            (_, Test::Compare(..)) => true,
            (Self::RangeBitmap, Test::StartsWith(_)) => true,
            (_, Test::StartsWith(_) | Test::EndsWith(_) | Test::Contains(_)) => false,
        }
    }
}

/// An index that a table's options ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedColumn {
    /// What kind of index.
    pub kind: IndexKind,
    /// The column.
    pub column: String,
    /// For `column[key]`: the key of the map whose values are indexed.
    pub map_key: Option<String>,
    /// The options of this index: those of the map first, then its own.
    pub options: BTreeMap<String, String>,
}

impl IndexedColumn {
    /// The name of the column in a container.
    pub fn name_in_container(&self) -> String {
        match &self.map_key {
            Some(key) => format!("{}[{key}]", self.column),
            None => self.column.clone(),
        }
    }

    /// The key of one of its options, for error texts.
    pub fn option_key(&self, option: &str) -> String {
        format!("file-index.{}.{}.{option}", self.kind.name(), self.name_in_container())
    }
}

/// Which indexes the options of a table ask for (Java `FileIndexOptions`).
///
/// ```
/// use std::collections::BTreeMap;
/// use paimon_spec::FileIndexOptions;
///
/// let map = BTreeMap::from([
///     ("file-index.bloom-filter.columns".to_owned(), "id, name".to_owned()),
///     ("file-index.bloom-filter.id.items".to_owned(), "1000".to_owned()),
/// ]);
/// let indexes = FileIndexOptions::parse(&map)?.indexes;
/// assert_eq!(indexes[0].options["items"], "1000");
/// assert_eq!(indexes[1].column, "name");
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileIndexOptions {
    /// In the order of the options' keys and, in each, as listed.
    pub indexes: Vec<IndexedColumn>,
}

const PREFIX: &str = "file-index.";

impl FileIndexOptions {
    /// Reads the options `file-index.<kind>.columns` and `file-index.<kind>.<column>.<option>`.
    ///
    /// # Errors
    /// `InvalidInput` for an empty name in a list and for options of an index that no list has; `Unsupported` naming
    /// a kind of index that is not known.
    pub fn parse(options: &BTreeMap<String, String>) -> Result<Self> {
        let mut indexes: Vec<IndexedColumn> = Vec::new();
        for (kind_name, columns) in declared(options) {
            let key = format!("{PREFIX}{kind_name}.columns");
            let kind = IndexKind::from_name(kind_name).ok_or_else(|| {
                Error::unsupported(format!(
                    "file indexes of kind '{kind_name}' are not supported, which '{key}' asks for"
                ))
            })?;
            for name in columns.split(',').map(str::trim) {
                if name.is_empty() {
                    let message = format!("option '{key}' must name columns, found an empty name in '{columns}'");
                    return Err(Error::invalid(message));
                }
                let (column, map_key) = split_map_key(name);
                if !indexes.iter().any(|i| i.kind == kind && i.column == column && i.map_key.as_deref() == map_key) {
                    let (column, map_key) = (column.to_owned(), map_key.map(str::to_owned));
                    indexes.push(IndexedColumn { kind, column, map_key, options: BTreeMap::new() });
                }
            }
        }
        let mut settings: Vec<_> = options
            .iter()
            .filter_map(|(key, value)| {
                let [kind, name, option] = key.strip_prefix(PREFIX).and_then(three_parts)?;
                (option != "columns").then(|| (split_map_key(name), kind, option, key, value))
            })
            .collect();
        // Options of a map are for all of its keys; those of a key take their place.
        settings.sort_by_key(|((_, map_key), ..)| map_key.is_some());
        for ((column, map_key), kind, option, key, value) in settings {
            let is_meant = |index: &&mut IndexedColumn| {
                index.kind.name() == kind
                    && index.column == column
                    && (map_key.is_none() || map_key == index.map_key.as_deref())
            };
            let mut meant = indexes.iter_mut().filter(is_meant).peekable();
            if meant.peek().is_none() {
                let message = format!("option '{key}' is about a column that '{PREFIX}{kind}.columns' does not name");
                return Err(Error::invalid(message));
            }
            meant.for_each(|index| _ = index.options.insert(option.to_owned(), value.clone()));
        }
        Ok(Self { indexes })
    }

    /// `file-index.in-manifest-threshold`: larger containers are files of their own.
    ///
    /// # Errors
    /// `InvalidInput` when it is no size.
    pub fn in_manifest_threshold_bytes(options: TableOptions<'_>) -> Result<u64> {
        options.bytes("file-index.in-manifest-threshold", 500)
    }

    /// `file-index.read.enabled`
    ///
    /// # Errors
    /// `InvalidInput` when it is neither `true` nor `false`.
    pub fn read_enabled(options: TableOptions<'_>) -> Result<bool> {
        options.boolean("file-index.read.enabled", true)
    }
}

/// Whether the indexes of a file of schema `written` may tell something about a predicate on its columns.
///
/// An index is looked for where the options of the schema that the file was written with, or those of the table today,
/// ask for one.
pub fn file_index_may_answer(predicate: &Predicate, written: &TableSchema, current: &TableSchema) -> bool {
    let mut indexed: Vec<(FieldId, IndexKind)> = Vec::new();
    for schema in [written, current] {
        for (kind, columns) in declared(&schema.options) {
            let Some(kind) = IndexKind::from_name(kind) else { continue };
            let fields = columns.split(',').filter_map(|name| schema.field(name.trim()));
            indexed.extend(fields.map(|field| (field.id, kind)));
        }
    }
    !indexed.is_empty()
        && any_leaf(predicate, &|leaf| {
            indexed.iter().any(|(field, kind)| *field == leaf.field && kind.answers(&leaf.test))
        })
}

fn any_leaf(predicate: &Predicate, wanted: &dyn Fn(&Leaf) -> bool) -> bool {
    match predicate {
        Predicate::Constant(_) | Predicate::Unknown => false,
        Predicate::And(parts) | Predicate::Or(parts) => parts.iter().any(|part| any_leaf(part, wanted)),
        Predicate::Not(inner) => any_leaf(inner, wanted),
        Predicate::Leaf(leaf) => wanted(leaf),
    }
}

/// Kinds of indexes and the columns that they are asked for.
fn declared(options: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    options
        .iter()
        .filter_map(|(key, columns)| Some((key.strip_prefix(PREFIX)?.strip_suffix(".columns")?, columns.as_str())))
}

fn three_parts(text: &str) -> Option<[&str; 3]> {
    let parts: Vec<&str> = text.split('.').collect();
    parts.try_into().ok()
}

/// `column[key]` as its two parts.
pub(super) fn split_map_key(name: &str) -> (&str, Option<&str>) {
    match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((column, key)) => (column, Some(key)),
        None => (name, None),
    }
}
