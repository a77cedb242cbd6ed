//! What this build cannot merge.

use crate::{Error, Result, TableSchema};

/// Refuses tables with a primary key whose rows this build would merge in another way than they ask for; others pass.
///
/// # Errors
/// `Unsupported` that names the option.
pub fn check_merge_supported(table: &TableSchema) -> Result<()> {
    if table.primary_keys.is_empty() {
        return Ok(());
    }
    let options = table.table_options();
    // Rows order by the snapshot that brought them; files are not in the order of the key; the reader's rights decide.
    for option in ["sequence.snapshot-ordering", "pk-clustering-override", "query-auth.enabled"] {
        if options.boolean(option, false)? {
            return Err(unsupported(option, "true"));
        }
    }
    // What a row's age is depends on when it is read.
    let option = "record-level.expire-time";
    options.get(option).map_or(Ok(()), |value| Err(unsupported(option, value)))
}

fn unsupported(option: &str, value: &str) -> Error {
    Error::unsupported(format!("primary-key tables with '{option}' = '{value}' are not supported yet"))
}
