//! What becomes of rows that share a primary key: the merge engine of a table and its options.

mod aggregate;
mod groups;
mod support;
#[cfg(test)]
mod tests;
mod validate;

use crate::{DataField, Error, FieldId, Result, TableOptions, TableSchema, TypeKind};

pub use aggregate::{Aggregate, AggregateFunction, NullKeys};
pub use groups::SequenceGroup;
pub use support::check_merge_supported;
pub(crate) use validate::validate_merging;

/// How rows of one key become one row (option `merge-engine`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MergeEngine {
    /// The last row stays.
    Deduplicate,
    /// The first row stays.
    FirstRow,
    /// Values that are not NULL are laid over earlier ones, by column or by [`SequenceGroup`].
    PartialUpdate,
    /// Each column is aggregated.
    Aggregation,
}

/// Where the changelog of a table comes from (option `changelog-producer`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangelogProducer {
    /// Nobody writes one.
    None,
    /// Writers store the rows that came in.
    Input,
    /// Full compactions store what changed.
    FullCompaction,
    /// Compactions of level 0 look up what changed.
    Lookup,
}

/// The merge engine of a table with all its options, checked against the columns.
///
/// Columns are named by id. The rules are those of Java's `PartialUpdateMergeFunction.Factory`,
/// `AggregateMergeFunction.Factory`, `FieldAggregatorFactory` and `SchemaValidation`.
///
/// ```
/// use paimon_spec::{AggregateFunction, MergeEngine, MergeOptions, Schema, TableSchema};
///
/// let schema = Schema::from_json(
///     r#"{"fields": [{"name": "id", "type": "BIGINT"}, {"name": "total", "type": "INT"}], "primaryKeys": ["id"],
///         "options": {"merge-engine": "aggregation", "fields.total.aggregate-function": "sum"}}"#,
/// )?;
/// let options = MergeOptions::of(&TableSchema::create(schema, 0)?)?;
/// assert_eq!(options.engine, MergeEngine::Aggregation);
/// assert_eq!(options.aggregate(1).map(|aggregate| &aggregate.function), Some(&AggregateFunction::Sum));
/// assert_eq!(options.fields_needed(&[1]), [0, 1]);
/// # Ok::<(), paimon_spec::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeOptions {
    /// `merge-engine`
    pub engine: MergeEngine,
    /// `changelog-producer`
    pub changelog_producer: ChangelogProducer,
    /// `sequence.field`: rows of a key merge in the order of these columns, and of arrival where they are equal.
    pub sequence_fields: Vec<FieldId>,
    /// `sequence.field.sort-order` is `descending`: larger values merge first. NULL does in any case.
    pub sequence_descending: bool,
    /// `rowkind.field`: the column whose text is the kind of a row that is written.
    pub rowkind_field: Option<FieldId>,
    /// `ignore-delete`: rows of kinds -D and -U count for nothing. Not looked at by [`MergeEngine::Aggregation`] when
    /// reading.
    pub ignore_delete: bool,
    /// `ignore-update-before`: writers drop rows of kind -U.
    pub ignore_update_before: bool,
    /// `aggregation.remove-record-on-delete` or `partial-update.remove-record-on-delete`, whichever the engine has: a
    /// row of kind -D removes the key.
    pub remove_record_on_delete: bool,
    /// The sequence groups of [`MergeEngine::PartialUpdate`]; no column is in two of them.
    pub sequence_groups: Vec<SequenceGroup>,
    /// The functions of columns: of every column with [`MergeEngine::Aggregation`]; with
    /// [`MergeEngine::PartialUpdate`] of those that have one. In the table's order.
    aggregates: Vec<Aggregate>,
    /// Columns of the key within a partition, in key order.
    key_fields: Vec<FieldId>,
    /// All columns, in the table's order.
    fields: Vec<FieldId>,
}

impl MergeOptions {
    /// The options of `table`, which has a primary key.
    ///
    /// # Errors
    /// `InvalidInput` that names the option and the column when an option has a value it cannot have, contradicts
    /// another, names a column that is not there, or does not fit the column's type.
    pub fn of(table: &TableSchema) -> Result<Self> {
        let options = table.table_options();
        let engine = merge_engine(&options)?;
        let sequence_fields = options.sequence_fields().map(|name| sequence_field(table, name));
        let sequence_fields: Vec<FieldId> = sequence_fields.collect::<Result<_>>()?;
        let sequence_groups = match engine {
            MergeEngine::PartialUpdate => groups::sequence_groups(table)?,
            _ => Vec::new(),
        };
        let aggregates = aggregate::aggregates(table, engine, &sequence_fields, &sequence_groups)?;
        let id_of = |name: &str| table.field(name).map(|field| field.id);
        Ok(Self {
            engine,
            changelog_producer: changelog_producer(&options)?,
            sequence_fields,
            sequence_descending: options.choice(
                "sequence.field.sort-order",
                false,
                &[("ascending", false), ("descending", true)],
            )?,
            rowkind_field: options.get("rowkind.field").map(|name| rowkind_field(table, name)).transpose()?,
            ignore_delete: options.boolean("ignore-delete", false)?,
            ignore_update_before: options.boolean("ignore-update-before", false)?,
            remove_record_on_delete: match engine {
                MergeEngine::Aggregation => options.boolean(aggregate::REMOVE_RECORD_ON_DELETE, false)?,
                MergeEngine::PartialUpdate => groups::remove_record_on_delete(&options, &sequence_groups)?,
                MergeEngine::Deduplicate | MergeEngine::FirstRow => false,
            },
            sequence_groups,
            aggregates,
            key_fields: table.trimmed_primary_keys().into_iter().filter_map(id_of).collect(),
            fields: table.fields.iter().map(|field| field.id).collect(),
        })
    }

    /// The function of a column, if it has one: always with [`MergeEngine::Aggregation`].
    pub fn aggregate(&self, field: FieldId) -> Option<&Aggregate> {
        self.aggregates.iter().find(|aggregate| aggregate.field == field)
    }

    /// The sequence group that a column is in, as an ordering or as a protected column.
    pub fn sequence_group(&self, field: FieldId) -> Option<&SequenceGroup> {
        self.sequence_groups.iter().find(|group| group.ordering.contains(&field) || group.protected.contains(&field))
    }

    /// The columns that rows under the merge must have so that those of `projected` come out right: these, the key,
    /// `sequence.field`, and the orderings of sequence groups of projected columns. In the table's order.
    ///
    /// Groups whose deletes remove the whole row take part whatever is projected; Java forgets them with their columns,
    /// so that which rows it reads depends on the projection.
    pub fn fields_needed(&self, projected: &[FieldId]) -> Vec<FieldId> {
        let of_groups = self.sequence_groups.iter().filter(|group| {
            group.removes_record
                || projected.iter().any(|id| group.ordering.contains(id) || group.protected.contains(id))
        });
        let of_groups: Vec<FieldId> = of_groups.flat_map(|group| &group.ordering).copied().collect();
        let is_needed = |id: &FieldId| {
            [projected, &self.key_fields, &self.sequence_fields, &of_groups].iter().any(|ids| ids.contains(id))
        };
        self.fields.iter().copied().filter(is_needed).collect()
    }
}

impl<'a> TableOptions<'a> {
    /// The names in `sequence.field`.
    pub(crate) fn sequence_fields(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get("sequence.field").into_iter().flat_map(|text| text.split(',')).map(str::trim)
    }

    /// A value that is one of a few names, in any case.
    pub(crate) fn choice<T: Copy>(&self, key: &str, default: T, choices: &[(&str, T)]) -> Result<T> {
        let Some(found) = self.get(key) else { return Ok(default) };
        let chosen = choices.iter().find(|(name, _)| name.eq_ignore_ascii_case(found)).map(|(_, value)| *value);
        chosen.ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            Error::invalid(format!("option '{key}' must be one of {}, found '{found}'", names.join(", ")))
        })
    }
}

fn merge_engine(options: &TableOptions<'_>) -> Result<MergeEngine> {
    use MergeEngine::{Aggregation, Deduplicate, FirstRow, PartialUpdate};
    let names = [
        ("deduplicate", Deduplicate),
        ("partial-update", PartialUpdate),
        ("aggregation", Aggregation),
        ("first-row", FirstRow),
    ];
    options.choice("merge-engine", Deduplicate, &names)
}

fn changelog_producer(options: &TableOptions<'_>) -> Result<ChangelogProducer> {
    use ChangelogProducer::{FullCompaction, Input, Lookup, None};
    let names = [("none", None), ("input", Input), ("full-compaction", FullCompaction), ("lookup", Lookup)];
    options.choice("changelog-producer", None, &names)
}

/// The column that an option names.
fn named_field<'t>(table: &'t TableSchema, name: &str, option: &str) -> Result<&'t DataField> {
    table
        .field(name)
        .ok_or_else(|| Error::invalid(format!("option '{option}' must name columns of the table, found '{name}'")))
}

/// A column that rows can be ordered by.
fn ordering_field(table: &TableSchema, name: &str, option: &str) -> Result<FieldId> {
    let field = named_field(table, name, option)?;
    if !aggregate::is_comparable(&field.data_type) {
        let found = format!("found '{name}' of type {}", field.data_type);
        return Err(Error::invalid(format!("option '{option}' must name columns whose values have an order, {found}")));
    }
    Ok(field.id)
}

fn sequence_field(table: &TableSchema, name: &str) -> Result<FieldId> {
    let options = table.table_options();
    if options.get(&format!("fields.{name}.aggregate-function")).is_some() {
        let refused =
            format!("option 'fields.{name}.aggregate-function' must not be set: '{name}' is in 'sequence.field'");
        return Err(Error::invalid(refused));
    }
    if options.sequence_fields().filter(|other| *other == name).count() > 1 {
        return Err(Error::invalid(format!("option 'sequence.field' must name columns once, found '{name}' twice")));
    }
    ordering_field(table, name, "sequence.field")
}

fn rowkind_field(table: &TableSchema, name: &str) -> Result<FieldId> {
    let field = named_field(table, name, "rowkind.field")?;
    if !matches!(field.data_type.kind, TypeKind::Char(_) | TypeKind::VarChar(_)) {
        let found = format!("found '{name}' of type {}", field.data_type);
        return Err(Error::invalid(format!("option 'rowkind.field' must name a column of texts, {found}")));
    }
    Ok(field.id)
}
