//! What a rewrite has to do, as the table and the request have it.

use paimon_io::TableStore;
use paimon_spec::{MergeEngine, MergeOptions, Result};

use super::{Changelog, Rewrite};

/// How rows are rewritten (Java `MergeTreeCompactManagerFactory.createRewriter`, and the rewriters' own choices).
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Rows of level 0 are merged with what deeper files have of their keys.
    pub(super) looks_up: bool,
    /// The oldest row of a key is its row: those that are there already stay.
    pub(super) first_row: bool,
    /// Of rows above level 0 only that of the smallest level counts.
    pub(super) newest_level: bool,
    /// Rows of deeper files are merged; otherwise only their keys are looked at.
    pub(super) deeper_rows_count: bool,
    /// Rows of deeper files are told whose keys have newer ones.
    pub(super) supersedes: bool,
    /// Rows or changes are wanted, so rows have to be merged.
    pub(super) merges: bool,
    pub(super) wants_rows: bool,
    pub(super) keep_deletes: bool,
    pub(super) changelog: Changelog,
    /// A row that is alone with its key is not merged.
    pub(super) lone_rows_stand: bool,
    /// A row that is alone with its key stays as it is whether it is merged or not, and nothing is told of it.
    pub(super) lone_rows_are_final: bool,
}

impl Rules {
    /// # Errors
    /// `InvalidInput` for options with values that they cannot have.
    pub(super) fn of(store: &TableStore, rewrite: &Rewrite, options: &MergeOptions) -> Result<Self> {
        let table = store.options();
        let needs = table.need_lookup()?;
        let looks_up = needs
            && !matches!(rewrite.changelog, Changelog::AgainstLevel(_))
            && rewrite.files.files.iter().any(|file| file.level == 0);
        let changelog = match rewrite.changelog {
            Changelog::OfLevelZero if !looks_up => Changelog::None,
            changelog => changelog,
        };
        let merges = rewrite.wants_rows || changelog != Changelog::None;
        let first_row = options.engine == MergeEngine::FirstRow;
        // Rows of level 0 replace all that is deeper, whatever that is.
        let replaces = options.engine == MergeEngine::Deduplicate
            && options.sequence_fields.is_empty()
            && !options.ignore_delete
            && changelog == Changelog::None;
        let row_is_its_result = options.engine == MergeEngine::Deduplicate && !options.ignore_delete;
        Ok(Self {
            looks_up,
            first_row,
            newest_level: needs && !first_row,
            deeper_rows_count: looks_up && merges && !first_row && !replaces,
            supersedes: looks_up && !first_row && table.deletion_vectors_enabled()?,
            merges,
            wants_rows: rewrite.wants_rows,
            keep_deletes: rewrite.keep_deletes && !matches!(changelog, Changelog::AgainstLevel(_)),
            changelog,
            lone_rows_stand: !looks_up,
            lone_rows_are_final: changelog == Changelog::None && (!looks_up || row_is_its_result),
        })
    }

    /// Whether deeper files are looked at.
    pub(super) fn looks_deeper(&self) -> bool {
        self.supersedes || self.deeper_rows_count || self.looks_up && self.first_row
    }
}
