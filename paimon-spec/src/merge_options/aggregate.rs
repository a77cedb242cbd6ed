//! Functions that aggregate columns.

use super::{MergeEngine, SequenceGroup};
use crate::{DataField, DataType, Error, FieldId, Result, TableOptions, TableSchema, TypeKind};

pub(super) const REMOVE_RECORD_ON_DELETE: &str = "aggregation.remove-record-on-delete";
const DEFAULT_FUNCTION: &str = "fields.default-aggregate-function";

/// How a column is aggregated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregate {
    /// The column.
    pub field: FieldId,
    /// What becomes of its values.
    pub function: AggregateFunction,
    /// `fields.<column>.ignore-retract`: rows of kinds -U and -D leave the column alone.
    pub ignore_retract: bool,
}

/// What becomes of the values of a column, oldest first (`fields.<column>.aggregate-function`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AggregateFunction {
    /// `primary-key`: the last value; that of a retraction too.
    PrimaryKey,
    /// `last_value`
    LastValue,
    /// `last_non_null_value`
    LastNonNullValue,
    /// `first_value`
    FirstValue,
    /// `first_non_null_value`, once `first_not_null_value`
    FirstNonNullValue,
    /// `sum` of numbers
    Sum,
    /// `product` of numbers
    Product,
    /// `max` of values that have an order
    Max,
    /// `min` of values that have an order
    Min,
    /// `bool_and` of BOOLEAN
    BoolAnd,
    /// `bool_or` of BOOLEAN
    BoolOr,
    /// `listagg` of STRING: the texts that are not blank.
    Listagg {
        /// `fields.<column>.list-agg-delimiter`, between texts.
        delimiter: String,
        /// `fields.<column>.distinct`: each text between delimiters once.
        distinct: bool,
    },
    /// `collect` of ARRAY: the elements.
    Collect {
        /// `fields.<column>.distinct`: each element once.
        distinct: bool,
    },
    /// `merge_map` of MAP: later values of a key win.
    MergeMap,
    /// `merge_map_with_keytime` of MAP to ROW: the greatest time of a key wins.
    MergeMapWithKeyTime {
        /// The position within the ROW of `fields.<column>.ts-field`, else the last.
        time: usize,
    },
    /// `nested_update` of ARRAY of ROW: a table within the column.
    NestedUpdate {
        /// Positions within the ROW of `fields.<column>.nested-key`; without, rows are only appended.
        key: Vec<usize>,
        /// Positions within the ROW of `fields.<column>.nested-sequence-field`: older rows do not replace newer ones.
        sequence: Vec<usize>,
        /// `fields.<column>.count-limit`: no rows are added once there are so many.
        count_limit: usize,
        /// `fields.<column>.nested-key-null-strategy`
        null_keys: NullKeys,
    },
    /// `nested_partial_update` of ARRAY of ROW: rows of a key are laid over each other.
    NestedPartialUpdate {
        /// Positions within the ROW of `fields.<column>.nested-key`.
        key: Vec<usize>,
        /// `fields.<column>.nested-key-null-strategy`
        null_keys: NullKeys,
    },
    /// `rbm32` of BYTES: the union of 32-bit roaring bitmaps.
    RoaringBitmap32,
    /// `rbm64` of BYTES: the union of 64-bit roaring bitmaps.
    RoaringBitmap64,
    /// `hll_sketch` of BYTES: the union of HyperLogLog sketches.
    HllSketch,
    /// `theta_sketch` of BYTES: the union of theta sketches.
    ThetaSketch,
}

impl AggregateFunction {
    /// The name in `fields.<column>.aggregate-function`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::PrimaryKey => "primary-key",
            Self::LastValue => "last_value",
            Self::LastNonNullValue => "last_non_null_value",
            Self::FirstValue => "first_value",
            Self::FirstNonNullValue => "first_non_null_value",
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Max => "max",
            Self::Min => "min",
            Self::BoolAnd => "bool_and",
            Self::BoolOr => "bool_or",
            Self::Listagg { .. } => "listagg",
            Self::Collect { .. } => "collect",
            Self::MergeMap => "merge_map",
            Self::MergeMapWithKeyTime { .. } => "merge_map_with_keytime",
            Self::NestedUpdate { .. } => "nested_update",
            Self::NestedPartialUpdate { .. } => "nested_partial_update",
            Self::RoaringBitmap32 => "rbm32",
            Self::RoaringBitmap64 => "rbm64",
            Self::HllSketch => "hll_sketch",
            Self::ThetaSketch => "theta_sketch",
        }
    }
}

/// What becomes of nested rows that have NULL in their key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NullKeys {
    /// NULL is a value like others.
    Merge,
    /// The row is left out.
    Ignore,
    /// An error.
    Refuse,
}

/// The functions of columns that have one.
pub(super) fn aggregates(
    table: &TableSchema,
    engine: MergeEngine,
    sequence_fields: &[FieldId],
    groups: &[SequenceGroup],
) -> Result<Vec<Aggregate>> {
    let options = ColumnOptions(table.table_options());
    let is_key = |field: &DataField| table.primary_keys.contains(&field.name);
    let mut aggregates = Vec::new();
    for field in &table.fields {
        let function = match engine {
            MergeEngine::Deduplicate | MergeEngine::FirstRow => return Ok(aggregates),
            MergeEngine::Aggregation if sequence_fields.contains(&field.id) => AggregateFunction::LastValue,
            MergeEngine::PartialUpdate if groups.iter().any(|group| group.ordering.contains(&field.id)) => continue,
            _ if is_key(field) => AggregateFunction::PrimaryKey,
            _ => match options.function(field)? {
                Some(function) => function,
                None if engine == MergeEngine::PartialUpdate => continue,
                None => AggregateFunction::LastNonNullValue,
            },
        };
        let is_protected = groups.iter().any(|group| group.protected.contains(&field.id));
        let needs_group = engine == MergeEngine::PartialUpdate && !is_key(field);
        if needs_group && !is_protected && function != AggregateFunction::LastNonNullValue {
            return Err(Error::invalid(format!(
                "the aggregate function of '{0}' needs a sequence group that protects the column: \
                 set 'fields.<ordering columns>.sequence-group' to a list with '{0}'",
                field.name
            )));
        }
        aggregates.push(Aggregate { field: field.id, function, ignore_retract: options.ignore_retract(field)? });
    }
    Ok(aggregates)
}

/// The options of columns.
struct ColumnOptions<'a>(TableOptions<'a>);

impl<'a> ColumnOptions<'a> {
    fn text(&self, field: &DataField, suffix: &str) -> Option<&'a str> {
        self.0.get(&key_of(field, suffix))
    }

    fn flag(&self, field: &DataField, suffix: &str) -> Result<bool> {
        self.0.boolean(&key_of(field, suffix), false)
    }

    fn ignore_retract(&self, field: &DataField) -> Result<bool> {
        let ignores = self.flag(field, "ignore-retract")?;
        if ignores && self.0.boolean(REMOVE_RECORD_ON_DELETE, false)? {
            return Err(Error::invalid(format!(
                "the options '{}' and '{REMOVE_RECORD_ON_DELETE}' contradict each other",
                key_of(field, "ignore-retract")
            )));
        }
        Ok(ignores)
    }

    /// The function that the options give to a column, else to all.
    fn function(&self, field: &DataField) -> Result<Option<AggregateFunction>> {
        let own = key_of(field, "aggregate-function");
        let (option, name) = match (self.0.get(&own), self.0.get(DEFAULT_FUNCTION)) {
            (Some(name), _) => (own.as_str(), name),
            (None, Some(name)) => (DEFAULT_FUNCTION, name),
            (None, None) => return Ok(None),
        };
        let Some((_, wanted, fits)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            let names: Vec<&str> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
            return Err(Error::invalid(format!(
                "option '{option}' must be one of {}, found '{name}'",
                names.join(", ")
            )));
        };
        if !fits(&field.data_type) {
            return Err(Error::invalid(format!(
                "the aggregate function '{name}' of option '{option}' needs {wanted}, found the column '{}' of type {}",
                field.name, field.data_type
            )));
        }
        self.build(name, field).map(Some)
    }

    /// A function of [`FUNCTIONS`] that fits the column, with its own options.
    fn build(&self, name: &str, field: &DataField) -> Result<AggregateFunction> {
        use AggregateFunction as F;
        Ok(match name {
            "primary-key" => F::PrimaryKey,
            "last_value" => F::LastValue,
            "first_value" => F::FirstValue,
            "first_non_null_value" | "first_not_null_value" => F::FirstNonNullValue,
            "sum" => F::Sum,
            "product" => F::Product,
            "max" => F::Max,
            "min" => F::Min,
            "bool_and" => F::BoolAnd,
            "bool_or" => F::BoolOr,
            "listagg" => {
                let delimiter = self.text(field, "list-agg-delimiter").unwrap_or(",").to_owned();
                F::Listagg { delimiter, distinct: self.flag(field, "distinct")? }
            }
            "collect" => F::Collect { distinct: self.flag(field, "distinct")? },
            "merge_map" => F::MergeMap,
            "merge_map_with_keytime" => F::MergeMapWithKeyTime { time: self.time_position(field)? },
            "nested_update" => self.nested_update(field)?,
            "nested_partial_update" => {
                let key = self.nested_positions(field, "nested-key")?;
                if key.is_empty() {
                    return Err(self.wants_nested_key(field, "the aggregate function 'nested_partial_update'"));
                }
                F::NestedPartialUpdate { key, null_keys: self.null_keys(field)? }
            }
            "rbm32" => F::RoaringBitmap32,
            "rbm64" => F::RoaringBitmap64,
            "hll_sketch" => F::HllSketch,
            "theta_sketch" => F::ThetaSketch,
            _ => F::LastNonNullValue,
        })
    }

    fn nested_update(&self, field: &DataField) -> Result<AggregateFunction> {
        let key = self.nested_positions(field, "nested-key")?;
        let sequence = self.nested_positions(field, "nested-sequence-field")?;
        let dependent = ["nested-key-null-strategy", "nested-sequence-field"];
        let dependent = dependent.into_iter().find(|suffix| self.text(field, suffix).is_some());
        if let Some(suffix) = dependent.filter(|_| key.is_empty()) {
            return Err(self.wants_nested_key(field, &format!("option '{}'", key_of(field, suffix))));
        }
        let parts = nested_row(&field.data_type).unwrap_or_default();
        let unordered = sequence.iter().filter_map(|at| parts.get(*at)).find(|part| !is_comparable(&part.data_type));
        if let Some(part) = unordered {
            return Err(Error::invalid(format!(
                "option '{}' must name fields whose values have an order, found '{}' of type {}",
                key_of(field, "nested-sequence-field"),
                part.name,
                part.data_type
            )));
        }
        let count_limit: i32 = self.0.number(&key_of(field, "count-limit"), i32::MAX)?;
        Ok(AggregateFunction::NestedUpdate {
            key,
            sequence,
            count_limit: usize::try_from(count_limit).unwrap_or(0),
            null_keys: self.null_keys(field)?,
        })
    }

    fn wants_nested_key(&self, field: &DataField, what: &str) -> Error {
        Error::invalid(format!("{what} needs option '{}', found none", key_of(field, "nested-key")))
    }

    fn null_keys(&self, field: &DataField) -> Result<NullKeys> {
        let names = [("merge", NullKeys::Merge), ("ignore", NullKeys::Ignore), ("error", NullKeys::Refuse)];
        self.0.choice(&key_of(field, "nested-key-null-strategy"), NullKeys::Merge, &names)
    }

    /// The positions within the ROW of a column of the fields that an option lists.
    fn nested_positions(&self, field: &DataField, suffix: &str) -> Result<Vec<usize>> {
        let parts = nested_row(&field.data_type).unwrap_or_default();
        let names = self.text(field, suffix).into_iter().flat_map(|names| names.split(','));
        names.map(|name| position(parts, name.trim(), &key_of(field, suffix))).collect()
    }

    fn time_position(&self, field: &DataField) -> Result<usize> {
        let parts = map_row(&field.data_type).unwrap_or_default();
        let option = key_of(field, "ts-field");
        let named = self.0.get(&option).map(|name| position(parts, name, &option)).transpose()?;
        let time = named.unwrap_or(parts.len().saturating_sub(1));
        match parts.get(time) {
            Some(part) if !is_text(&part.data_type) => Err(Error::invalid(format!(
                "the aggregate function 'merge_map_with_keytime' compares times that are texts, found '{}' of type {} in \
                 the column '{}'",
                part.name, part.data_type, field.name
            ))),
            _ => Ok(time),
        }
    }
}

/// A function by name, what it wants of a column in words, and whether a type is that.
type Wanted = (&'static str, &'static str, fn(&DataType) -> bool);

const FUNCTIONS: [Wanted; 22] = [
    ("primary-key", "a column", |_| true),
    ("last_value", "a column", |_| true),
    ("last_non_null_value", "a column", |_| true),
    ("first_value", "a column", |_| true),
    ("first_non_null_value", "a column", |_| true),
    ("first_not_null_value", "a column", |_| true),
    ("sum", "a column of numbers", is_numeric),
    ("product", "a column of numbers", is_numeric),
    ("max", "a column whose values have an order", is_comparable),
    ("min", "a column whose values have an order", is_comparable),
    ("bool_and", "a column of type BOOLEAN", |of| of.kind == TypeKind::Boolean),
    ("bool_or", "a column of type BOOLEAN", |of| of.kind == TypeKind::Boolean),
    ("listagg", "a column of type STRING", |of| of.kind == TypeKind::VarChar(DataType::MAX_LENGTH)),
    ("collect", "a column of type ARRAY", |of| matches!(of.kind, TypeKind::Array(_))),
    ("merge_map", "a column of type MAP", |of| matches!(of.kind, TypeKind::Map(..))),
    ("merge_map_with_keytime", "a column of type MAP to ROW of two fields at least", |of| {
        map_row(of).is_some_and(|fields| fields.len() >= 2)
    }),
    ("nested_update", "a column of type ARRAY of ROW", |of| nested_row(of).is_some()),
    ("nested_partial_update", "a column of type ARRAY of ROW", |of| nested_row(of).is_some()),
    ("rbm32", "a column of type VARBINARY", is_bytes),
    ("rbm64", "a column of type VARBINARY", is_bytes),
    ("hll_sketch", "a column of type VARBINARY", is_bytes),
    ("theta_sketch", "a column of type VARBINARY", is_bytes),
];

/// Whether values can be compared (Java `TypeCheckUtils.isComparable`).
pub(super) fn is_comparable(data_type: &DataType) -> bool {
    use TypeKind::{Blob, Geography, Geometry, Variant};
    data_type.is_atomic() && !matches!(data_type.kind, Variant | Blob | Geometry(_) | Geography(..))
}

fn is_numeric(data_type: &DataType) -> bool {
    use TypeKind::{BigInt, Decimal, Double, Float, Int, SmallInt, TinyInt};
    matches!(data_type.kind, TinyInt | SmallInt | Int | BigInt | Float | Double | Decimal { .. })
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(data_type.kind, TypeKind::VarBinary(_))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type.kind, TypeKind::Char(_) | TypeKind::VarChar(_))
}

/// The fields of the rows in an array.
fn nested_row(data_type: &DataType) -> Option<&[DataField]> {
    match &data_type.kind {
        TypeKind::Array(element) => row_fields(element),
        _ => None,
    }
}

/// The fields of the rows that a map leads to.
fn map_row(data_type: &DataType) -> Option<&[DataField]> {
    match &data_type.kind {
        TypeKind::Map(_, value) => row_fields(value),
        _ => None,
    }
}

fn row_fields(data_type: &DataType) -> Option<&[DataField]> {
    match &data_type.kind {
        TypeKind::Row(fields) => Some(fields),
        _ => None,
    }
}

fn position(fields: &[DataField], name: &str, option: &str) -> Result<usize> {
    fields.iter().position(|field| field.name == name).ok_or_else(|| {
        let names: Vec<&str> = fields.iter().map(|field| field.name.as_str()).collect();
        Error::invalid(format!("option '{option}' must name fields of {}, found '{name}'", names.join(", ")))
    })
}

fn key_of(field: &DataField, suffix: &str) -> String {
    format!("fields.{}.{suffix}", field.name)
}
