//! Data types of columns, and fields.
//!
//! Types have two spellings: the SQL text of [`DataType::parse`] and `Display`, and the JSON of schema files, in which
//! constructed types are objects.

mod json;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use crate::{Error, Result};

pub(crate) use json::{data_type_from_json, fields_from_value, fields_to_value};
pub use json::{fields_from_json, fields_to_json};

/// The id of a field: unique in a table for ever, never reused (format: "highestFieldId").
pub type FieldId = i32;

/// A type with its nullability.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataType {
    /// What the values are.
    pub kind: TypeKind,
    /// Whether NULL is a value of the type.
    pub nullable: bool,
}

/// What the values of a [`DataType`] are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TypeKind {
    /// `CHAR(n)`
    Char(u32),
    /// `VARCHAR(n)`; `STRING` is `VARCHAR(2147483647)`.
    VarChar(u32),
    /// `BOOLEAN`
    Boolean,
    /// `BINARY(n)`
    Binary(u32),
    /// `VARBINARY(n)`; `BYTES` is `VARBINARY(2147483647)`.
    VarBinary(u32),
    /// `DECIMAL(p, s)`
    Decimal {
        /// Digits in all, 1 to 38.
        precision: u8,
        /// Digits after the point, 0 to `precision`.
        scale: u8,
    },
    /// `TINYINT`, 8 bits
    TinyInt,
    /// `SMALLINT`, 16 bits
    SmallInt,
    /// `INT`, 32 bits
    Int,
    /// `BIGINT`, 64 bits
    BigInt,
    /// `FLOAT`, 32 bits
    Float,
    /// `DOUBLE`, 64 bits
    Double,
    /// `DATE`
    Date,
    /// `TIME(p)`; values have milliseconds whatever the precision.
    Time(u8),
    /// `TIMESTAMP(p)`, without a time zone
    Timestamp(u8),
    /// `TIMESTAMP(p) WITH LOCAL TIME ZONE`
    TimestampLtz(u8),
    /// `VARIANT`
    Variant,
    /// `BLOB`
    Blob,
    /// `GEOMETRY(crs)`
    Geometry(String),
    /// `GEOGRAPHY(crs, algorithm)`
    Geography(String, String),
    /// `ARRAY<element>`
    Array(Box<DataType>),
    /// `MAP<key, value>`
    Map(Box<DataType>, Box<DataType>),
    /// `MULTISET<element>`
    Multiset(Box<DataType>),
    /// `ROW<fields>`
    Row(Vec<DataField>),
    /// `VECTOR<element, length>`
    Vector(Box<DataType>, u32),
}

/// A named column, or a named part of a `ROW`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DataField {
    /// Unique in the table for ever.
    pub id: FieldId,
    /// Unique among its siblings.
    pub name: String,
    /// Type and nullability.
    pub data_type: DataType,
    /// A comment.
    pub description: Option<String>,
    /// A literal that writers put where no value is given; readers ignore it.
    pub default_value: Option<String>,
}

impl DataType {
    /// The largest length of `VARCHAR` and `VARBINARY`.
    pub const MAX_LENGTH: u32 = i32::MAX as u32;

    /// How deep types may nest: `INT` is 1, `ARRAY<INT>` is 2. It keeps hostile schemas off the stack.
    pub const MAX_NESTING: usize = 32;

    /// `kind`, nullable.
    pub fn nullable(kind: TypeKind) -> Self {
        Self { kind, nullable: true }
    }

    /// `kind NOT NULL`.
    pub fn not_null(kind: TypeKind) -> Self {
        Self { kind, nullable: false }
    }

    /// `STRING`, nullable.
    pub fn string() -> Self {
        Self::nullable(TypeKind::VarChar(Self::MAX_LENGTH))
    }

    /// `BYTES`, nullable.
    pub fn bytes() -> Self {
        Self::nullable(TypeKind::VarBinary(Self::MAX_LENGTH))
    }

    /// This type with another nullability.
    #[must_use]
    pub fn with_nullable(mut self, nullable: bool) -> Self {
        self.nullable = nullable;
        self
    }

    /// Whether values have no parts of other types: everything but ARRAY, MAP, MULTISET, ROW and VECTOR.
    pub fn is_atomic(&self) -> bool {
        self.children().next().is_none() && !matches!(self.kind, TypeKind::Row(_))
    }

    /// Whether columns of this type live in files of their own: BLOB, ARRAY of BLOB, MAP to BLOB (Java
    /// `BlobType.isBlobFileField`).
    pub fn is_blob(&self) -> bool {
        match &self.kind {
            TypeKind::Blob => true,
            TypeKind::Array(element) => element.kind == TypeKind::Blob,
            TypeKind::Map(_, value) => value.kind == TypeKind::Blob,
            _ => false,
        }
    }

    /// Whether values are BLOB, or have parts that are, at any depth.
    pub fn holds_blob(&self) -> bool {
        self.kind == TypeKind::Blob || self.children().any(Self::holds_blob)
    }

    /// The types right below this one, in the order in which they are written.
    pub(crate) fn children(&self) -> impl Iterator<Item = &DataType> {
        let (first, second, fields): (Option<&DataType>, Option<&DataType>, &[DataField]) = match &self.kind {
            TypeKind::Array(element) | TypeKind::Multiset(element) | TypeKind::Vector(element, _) => {
                (Some(element), None, &[])
            }
            TypeKind::Map(key, value) => (Some(key), Some(value), &[]),
            TypeKind::Row(fields) => (None, None, fields),
            _ => (None, None, &[]),
        };
        first.into_iter().chain(second).chain(fields.iter().map(|field| &field.data_type))
    }

    /// Checks lengths, precisions and names of this type and all below it, and the depth.
    pub(crate) fn validate(&self) -> Result<()> {
        self.validate_at(1)
    }

    fn validate_at(&self, depth: usize) -> Result<()> {
        if depth > Self::MAX_NESTING {
            return Err(nesting_error());
        }
        let in_range = |what: &str, value: u32, min: u32, max: u32| {
            if (min..=max).contains(&value) {
                return Ok(());
            }
            Err(Error::invalid(format!("{what} must be between {min} and {max}, found {value}")))
        };
        match &self.kind {
            TypeKind::Char(n) => in_range("the length of CHAR", *n, 1, Self::MAX_LENGTH)?,
            TypeKind::VarChar(n) => in_range("the length of VARCHAR", *n, 1, Self::MAX_LENGTH)?,
            TypeKind::Binary(n) => in_range("the length of BINARY", *n, 1, Self::MAX_LENGTH)?,
            TypeKind::VarBinary(n) => in_range("the length of VARBINARY", *n, 1, Self::MAX_LENGTH)?,
            TypeKind::Decimal { precision, scale } => {
                in_range("the precision of DECIMAL", (*precision).into(), 1, 38)?;
                in_range("the scale of DECIMAL", (*scale).into(), 0, (*precision).into())?;
            }
            TypeKind::Time(p) => in_range("the precision of TIME", (*p).into(), 0, 9)?,
            TypeKind::Timestamp(p) => in_range("the precision of TIMESTAMP", (*p).into(), 0, 9)?,
            TypeKind::TimestampLtz(p) => {
                in_range("the precision of TIMESTAMP WITH LOCAL TIME ZONE", (*p).into(), 0, 9)?;
            }
            TypeKind::Vector(element, length) => {
                in_range("the length of VECTOR", *length, 1, Self::MAX_LENGTH)?;
                if !is_vector_element(&element.kind) {
                    return Err(Error::invalid(format!(
                        "the elements of VECTOR must be numbers or BOOLEAN, found {element}"
                    )));
                }
            }
            TypeKind::Geometry(crs) | TypeKind::Geography(crs, _) if crs.is_empty() => {
                return Err(Error::invalid("the coordinate reference system must not be empty"));
            }
            TypeKind::Geography(_, algorithm) if !GEOGRAPHY_ALGORITHMS.contains(&algorithm.as_str()) => {
                return Err(Error::invalid(format!(
                    "the algorithm of GEOGRAPHY must be one of {}, found '{algorithm}'",
                    GEOGRAPHY_ALGORITHMS.join(", ")
                )));
            }
            TypeKind::Row(fields) => check_names(fields)?,
            _ => {}
        }
        self.children().try_for_each(|child| child.validate_at(depth + 1))
    }
}

/// Java `EdgeAlgorithm`, in its spelling.
const GEOGRAPHY_ALGORITHMS: [&str; 5] = ["spherical", "vincenty", "thomas", "andoyer", "karney"];

fn is_vector_element(kind: &TypeKind) -> bool {
    use TypeKind::{BigInt, Boolean, Double, Float, Int, SmallInt, TinyInt};
    matches!(kind, Boolean | TinyInt | SmallInt | Int | BigInt | Float | Double)
}

fn nesting_error() -> Error {
    Error::invalid(format!("types may nest at most {} levels deep", DataType::MAX_NESTING))
}

/// Sibling fields have names that are not blank, and no two the same. Names that differ in case alone are different.
pub(crate) fn check_names(fields: &[DataField]) -> Result<()> {
    let mut seen = std::collections::HashSet::with_capacity(fields.len());
    for field in fields {
        if field.name.trim().is_empty() {
            return Err(Error::invalid(format!("column names must not be blank, found '{}'", field.name)));
        }
        if !seen.insert(field.name.as_str()) {
            return Err(Error::invalid(format!("column names must be unique, found '{}' twice", field.name)));
        }
    }
    Ok(())
}

impl DataField {
    /// A field without description and default value.
    pub fn new(id: FieldId, name: impl Into<String>, data_type: DataType) -> Self {
        Self { id, name: name.into(), data_type, description: None, default_value: None }
    }
}
