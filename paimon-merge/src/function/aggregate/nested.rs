//! Keys of rows within lists.

use arrow::array::{Array, ArrayRef, AsArray, ListArray};
use paimon_spec::{Error, NullKeys, Result};

use super::items::identities;

/// The nested keys of all elements of lists of rows.
pub(super) struct NestedKeys {
    identities: Vec<u32>,
    rows: ArrayRef,
    key: Vec<ArrayRef>,
    null_keys: NullKeys,
}

impl NestedKeys {
    pub(super) fn new(lists: &ListArray, key: &[usize], null_keys: NullKeys) -> Result<Self> {
        let key = columns(lists, key)?;
        Ok(Self { identities: identities(&key)?, rows: lists.values().clone(), key, null_keys })
    }

    /// What equals the key of an element; `None` when the element does not count: it is NULL, or has NULL in its key.
    ///
    /// # Errors
    /// `InvalidInput` for NULL in a key where that is refused.
    pub(super) fn of(&self, item: usize) -> Result<Option<u32>> {
        if self.rows.is_null(item) {
            return Ok(None);
        }
        let has_null = || self.key.iter().any(|column| column.is_null(item));
        match self.null_keys {
            NullKeys::Ignore if has_null() => Ok(None),
            NullKeys::Refuse if has_null() => {
                Err(Error::invalid("expected values in the nested key of a row, found NULL"))
            }
            _ => Ok(self.identities.get(item).copied()),
        }
    }
}

/// Columns of the rows within lists.
pub(super) fn columns(lists: &ListArray, positions: &[usize]) -> Result<Vec<ArrayRef>> {
    let rows = lists.values().as_struct_opt();
    let column = |at: &usize| rows.and_then(|rows| rows.columns().get(*at)).cloned();
    let columns: Option<Vec<ArrayRef>> = positions.iter().map(column).collect();
    columns.ok_or_else(|| Error::internal("paimon-merge", format!("{} has no such rows", lists.data_type())))
}
