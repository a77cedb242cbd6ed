//! What the files of a bucket mean together: each its own rows, or rows that are to be merged.

use paimon_spec::{Error, FieldId, KeyComparator, MergeEngine, MergeOptions, Predicate, Result, TableSchema};

use crate::{Increment, ScanRequest};

/// How files of a primary-key table are planned (Java `AbstractBatchTableScan`, `KeyValueFileStoreScan`).
#[derive(Debug)]
pub(crate) struct Keyed {
    /// The order of keys.
    pub(crate) keys: KeyComparator,
    /// Only files of these levels are there.
    pub(crate) levels: Levels,
    /// No key is in two files that are not of level 0: because deletion vectors hide what is outdated, or because only
    /// first rows are ever compacted.
    pub(crate) compacted_keys_are_unique: bool,
    /// What may be left out because of conditions on other columns than the key's.
    pub(crate) prunes: Prunes,
    /// Every row of every file is wanted for itself: what came in, not what became of it.
    pub(crate) unmerged: bool,
}

/// What conditions on values may leave out. What goes must not bring an older row of its keys back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Prunes {
    /// Any file: no key is in two files.
    Files,
    /// Files that overlap no other one, and of those that do all together.
    Sections,
    /// Files that overlap no other one: a row of overlapping ones may have its values from several.
    LoneFiles,
}

/// A choice of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Levels {
    All,
    AboveZero,
    Only(i32),
}

impl Levels {
    pub(crate) fn has(self, level: i32) -> bool {
        self.may_be_between(level, level)
    }

    /// Whether one of the levels from `min` to `max` is chosen.
    pub(crate) fn may_be_between(self, min: i32, max: i32) -> bool {
        match self {
            Self::All => true,
            Self::AboveZero => max > 0,
            Self::Only(level) => (min..=max).contains(&level),
        }
    }
}

impl Keyed {
    /// `None` for tables without a primary key, whose files have nothing to do with one another.
    ///
    /// # Errors
    /// `Unsupported` for the difference of two states; `InvalidInput` when an option of the table cannot be parsed.
    pub(crate) fn find(schema: &TableSchema, request: &ScanRequest) -> Result<Option<Self>> {
        if schema.primary_keys.is_empty() {
            return Ok(None);
        }
        let options = schema.table_options();
        let engine = MergeOptions::of(schema)?.engine;
        let unmerged = match request.increment {
            None => false,
            Some(Increment::Delta { .. }) => true,
            Some(Increment::Diff { .. }) => {
                let message = "the difference of two states of a primary-key table is not supported yet: \
                               what was changed in between can be read with 'incremental-between-scan-mode' = 'delta'";
                return Err(Error::unsupported(message));
            }
        };
        let levels = if unmerged {
            Levels::All
        } else if request.read_optimized {
            Levels::Only(options.num_levels()?.saturating_sub(1))
        } else if !request.all_levels && options.batch_reads_skip_level_zero()? {
            Levels::AboveZero
        } else {
            Levels::All
        };
        let prunes = match (levels, engine) {
            _ if unmerged => Prunes::Files,
            (Levels::AboveZero | Levels::Only(_), _) => Prunes::Files,
            (Levels::All, MergeEngine::PartialUpdate | MergeEngine::Aggregation) => Prunes::LoneFiles,
            (Levels::All, MergeEngine::Deduplicate | MergeEngine::FirstRow) => Prunes::Sections,
        };
        let compacted_keys_are_unique = options.deletion_vectors_enabled()? || engine == MergeEngine::FirstRow;
        Ok(Some(Self { keys: KeyComparator::of(schema), levels, compacted_keys_are_unique, prunes, unmerged }))
    }

    /// The part of a condition that may choose among files one by one: what `all` says of the primary key alone, because
    /// then no version of a wanted key is left out; all of it where files may be pruned for themselves.
    pub(crate) fn on_files(&self, schema: &TableSchema, all: &Predicate) -> Predicate {
        match self.prunes {
            Prunes::Files => all.clone(),
            Prunes::Sections | Prunes::LoneFiles => {
                let keys = schema.primary_keys.iter().filter_map(|key| schema.field(key)).map(|field| field.id);
                let keys: Vec<FieldId> = keys.collect();
                all.only_on(&keys).unwrap_or(Predicate::Constant(true))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testkit::keyed_schema;

    #[rstest]
    #[case::deduplicate(&[], Levels::All, Prunes::Sections)]
    #[case::partial_update(&[("merge-engine", "partial-update")], Levels::All, Prunes::LoneFiles)]
    #[case::aggregation(&[("merge-engine", "aggregation")], Levels::All, Prunes::LoneFiles)]
    #[case::first_row(&[("merge-engine", "first-row")], Levels::AboveZero, Prunes::Files)]
    #[case::deletion_vectors(&[("deletion-vectors.enabled", "true")], Levels::AboveZero, Prunes::Files)]
    #[case::merged_on_read(
        &[("deletion-vectors.enabled", "true"), ("deletion-vectors.merge-on-read", "true")],
        Levels::All,
        Prunes::Sections
    )]
    #[case::merged_on_read_of_parts(
        &[
            ("deletion-vectors.enabled", "true"),
            ("deletion-vectors.merge-on-read", "true"),
            ("merge-engine", "partial-update"),
        ],
        Levels::All,
        Prunes::LoneFiles
    )]
    fn options_choose_levels_and_what_values_may_prune(
        #[case] options: &[(&str, &str)],
        #[case] levels: Levels,
        #[case] prunes: Prunes,
    ) {
        let schema = keyed_schema(options);
        let keyed = Keyed::find(&schema, &ScanRequest::default()).unwrap().unwrap();
        assert_eq!((keyed.levels, keyed.prunes), (levels, prunes));
        let request = ScanRequest { all_levels: true, ..ScanRequest::default() };
        assert_eq!(Keyed::find(&schema, &request).unwrap().unwrap().levels, Levels::All);
        let request = ScanRequest { read_optimized: true, ..ScanRequest::default() };
        let keyed = Keyed::find(&schema, &request).unwrap().unwrap();
        assert_eq!((keyed.levels, keyed.prunes), (Levels::Only(5), Prunes::Files));
        let request = ScanRequest { increment: Some(Increment::Delta { after: 0, up_to: 1 }), ..request };
        let keyed = Keyed::find(&schema, &request).unwrap().unwrap();
        assert_eq!((keyed.levels, keyed.prunes, keyed.unmerged), (Levels::All, Prunes::Files, true));
    }

    #[rstest]
    #[case(Levels::All, [true, true, true])]
    #[case(Levels::AboveZero, [false, true, true])]
    #[case(Levels::Only(5), [false, false, true])]
    fn levels_are_chosen(#[case] levels: Levels, #[case] of_0_1_5: [bool; 3]) {
        assert_eq!([0, 1, 5].map(|level| levels.has(level)), of_0_1_5);
        assert!(levels.may_be_between(0, 5));
    }
}
