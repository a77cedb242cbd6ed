//! Sequence groups of partial updates.

use super::{named_field, ordering_field};
use crate::{Error, FieldId, Result, TableOptions, TableSchema};

const REMOVE_RECORD_ON_DELETE: &str = "partial-update.remove-record-on-delete";
const REMOVE_RECORD_ON_GROUP: &str = "partial-update.remove-record-on-sequence-group";

/// Columns that are updated together when the row is not older by the group's own order
/// (`fields.<ordering,..>.sequence-group` = `<protected,..>`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceGroup {
    /// The columns that order rows, ascending, NULL first. Where all are NULL the group is left alone.
    pub ordering: Vec<FieldId>,
    /// The columns that the order protects; without those of `ordering`.
    pub protected: Vec<FieldId>,
    /// Whether a -D that is not older removes the row
    /// (`partial-update.remove-record-on-sequence-group` names a column of `ordering`).
    pub removes_record: bool,
}

/// The groups of a table, by the text of their options.
pub(super) fn sequence_groups(table: &TableSchema) -> Result<Vec<SequenceGroup>> {
    let removing: Vec<&str> = table.table_options().get(REMOVE_RECORD_ON_GROUP).map(split).unwrap_or_default();
    let mut groups: Vec<SequenceGroup> = Vec::new();
    let mut names_of_orderings = Vec::new();
    for (option, protected) in &table.options {
        let Some(orderings) = ordering_names(option) else { continue };
        let orderings = split(orderings);
        let mut taken: Vec<FieldId> =
            groups.iter().flat_map(|group| [&group.ordering, &group.protected]).flatten().copied().collect();
        let mut take = |name: &str, id: FieldId| {
            if table.primary_keys.iter().any(|key| key == name) {
                return Err(Error::invalid(format!(
                    "option '{option}' must not name primary key columns, found '{name}'"
                )));
            }
            if taken.contains(&id) {
                let found = format!("found '{name}' there and in option '{option}'");
                return Err(Error::invalid(format!("a column must be in one sequence group, and once, {found}")));
            }
            taken.push(id);
            Ok(id)
        };
        let ordering = orderings.iter().map(|name| take(name, ordering_field(table, name, option)?));
        let ordering: Vec<FieldId> = ordering.collect::<Result<_>>()?;
        // A group may protect its own ordering columns, which are in it anyway.
        let protected = split(protected).into_iter().filter(|name| !orderings.contains(name));
        let protected = protected.map(|name| take(name, named_field(table, name, option)?.id));
        let protected = protected.collect::<Result<_>>()?;
        let removes_record = orderings.iter().any(|name| removing.contains(name));
        groups.push(SequenceGroup { ordering, protected, removes_record });
        names_of_orderings.extend(orderings);
    }
    if let Some(name) = removing.iter().find(|name| !names_of_orderings.contains(name)) {
        let wanted = "must name columns that order a sequence group";
        return Err(Error::invalid(format!("option '{REMOVE_RECORD_ON_GROUP}' {wanted}, found '{name}'")));
    }
    Ok(groups)
}

/// Whether -D removes the row, checked against what contradicts it.
pub(super) fn remove_record_on_delete(options: &TableOptions<'_>, groups: &[SequenceGroup]) -> Result<bool> {
    let removes = options.boolean(REMOVE_RECORD_ON_DELETE, false)?;
    let ignores = options.boolean("ignore-delete", false)?;
    let by_group = options.get(REMOVE_RECORD_ON_GROUP).is_some();
    let conflict = |a: &str, b: &str| Err(Error::invalid(format!("the options '{a}' and '{b}' contradict each other")));
    if removes && ignores {
        return conflict("ignore-delete", REMOVE_RECORD_ON_DELETE);
    }
    if by_group && ignores {
        return conflict("ignore-delete", REMOVE_RECORD_ON_GROUP);
    }
    if removes && !groups.is_empty() {
        return conflict("fields.<columns>.sequence-group", REMOVE_RECORD_ON_DELETE);
    }
    Ok(removes)
}

/// The ordering columns in the key of an option, if it makes a sequence group.
fn ordering_names(option: &str) -> Option<&str> {
    option.strip_prefix("fields.")?.strip_suffix(".sequence-group")
}

/// Names between commas, as they are (Java does not trim them either).
fn split(names: &str) -> Vec<&str> {
    names.split(',').collect()
}
