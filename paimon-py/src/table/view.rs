//! What of a table a handle shows: the table itself, or one of its views that only read.

use paimon_io::TableStore;
use paimon_spec::{DataField, Error, Result};

/// What of a table is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// The table.
    Whole,
    /// Only what needs no merge: the highest level of a table with a primary key.
    ReadOptimized,
    /// The table with the id of each row and the number of the snapshot that changed it last.
    RowTracking,
}

impl View {
    /// The view of this name, as a system table has it.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::ReadOptimized, Self::RowTracking].into_iter().find(|view| view.name() == Some(name))
    }

    /// What it is called after the table's name; `None`: the table itself.
    pub(crate) fn name(self) -> Option<&'static str> {
        match self {
            Self::Whole => None,
            Self::ReadOptimized => Some("ro"),
            Self::RowTracking => Some("row_tracking"),
        }
    }

    /// # Errors
    /// `InvalidInput` when the table cannot be shown like this.
    pub(crate) fn check(self, store: &TableStore) -> Result<()> {
        if self == Self::RowTracking && !store.options().row_tracking_enabled()? {
            return Err(Error::invalid(
                "the table does not track its rows: it has no row ids without the option 'row-tracking.enabled'",
            ));
        }
        Ok(())
    }

    /// # Errors
    /// `InvalidInput` for a view that only reads.
    pub(crate) fn require_writable(self) -> Result<()> {
        match self.name() {
            None => Ok(()),
            Some(name) => Err(Error::invalid(format!("the view '${name}' cannot be written; write the table itself"))),
        }
    }

    /// The columns that are read when none are named.
    pub(crate) fn columns(self, store: &TableStore) -> Vec<DataField> {
        match self {
            Self::RowTracking => store.schema().with_row_tracking_fields(),
            Self::Whole | Self::ReadOptimized => store.schema().fields.clone(),
        }
    }
}

/// The columns that may be named: those of row tracking too, where the table tracks its rows.
///
/// # Errors
/// `InvalidInput` for an option that has another value.
pub(crate) fn known_columns(store: &TableStore) -> Result<Vec<DataField>> {
    let tracked = store.options().row_tracking_enabled()?;
    Ok(if tracked { View::RowTracking } else { View::Whole }.columns(store))
}

/// The column of this name.
///
/// # Errors
/// `InvalidInput` when there is none.
pub(crate) fn column<'a>(columns: &'a [DataField], name: &str) -> Result<&'a DataField> {
    columns.iter().find(|field| field.name == name).ok_or_else(|| {
        let known = columns.iter().map(|field| field.name.as_str()).collect::<Vec<_>>().join(", ");
        Error::invalid(format!("column '{name}' does not exist; the table has: {known}")).with_context("column", name)
    })
}
