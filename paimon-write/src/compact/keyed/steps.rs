//! What becomes of each file of a task.

use paimon_spec::{
    ChangelogProducer, DataFileMeta, KeyedWork, MergeEngine, MergeOptions, Result, SortedRun, TableOptions, TableSchema,
};

/// What is done with files, in the order of their keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// They are merged into new files.
    Rewrite(Vec<DataFileMeta>),
    /// The file goes to the output level as it stands. `looks`: its rows are read all the same, for what they change.
    Upgrade { file: Box<DataFileMeta>, looks: bool },
}

/// What a table wants of files that are moved to the output level of a task.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) output_level: i32,
    pub(super) last_level: i32,
    /// Smaller files are rewritten together with their neighbours.
    pub(super) small_bytes: u64,
    pub(super) rewrites_all: bool,
    pub(super) has_vectors: bool,
    /// Levels whose files are of another format than those of the output level.
    pub(super) other_formats: Vec<i32>,
    /// What new rows mean to older ones.
    pub(super) older: Older,
}

/// What a row of level 0 means to the rows of its key on deeper levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Older {
    /// Nothing before they are merged.
    Apart,
    /// They are on the output level, the last one, and the changes against them are told.
    OnLastLevel,
    /// It is looked up. `merges`: what is written depends on it. `tells`: positions or changes are wanted even of files
    /// that stay.
    LookedUp { merges: bool, tells: bool },
}

impl Rules {
    /// `has_deeper`: whether there are files on levels below the output.
    pub(super) fn of(schema: &TableSchema, work: KeyedWork, has_deeper: bool) -> Result<Self> {
        let options = schema.table_options();
        let merging = MergeOptions::of(schema)?;
        let has_vectors = options.deletion_vectors_enabled()?;
        let format = |level| format_at(options, level);
        let output_format = format(work.output_level)?;
        let mut other_formats = Vec::new();
        for level in 0..work.output_level {
            if format(level)? != output_format {
                other_formats.push(level);
            }
        }
        let tells_changes = merging.changelog_producer == ChangelogProducer::Lookup;
        let tells_last = merging.changelog_producer == ChangelogProducer::FullCompaction;
        // Java looks nothing up for this producer, also where 'force-lookup' lets readers take the newest level alone.
        let older = if tells_last && work.output_level == work.last_level {
            Older::OnLastLevel
        } else if options.need_lookup()? {
            let chooses = merging.engine == MergeEngine::Deduplicate && merging.sequence_fields.is_empty();
            Older::LookedUp { merges: !chooses, tells: tells_changes || has_vectors && has_deeper }
        } else {
            Older::Apart
        };
        Ok(Self {
            output_level: work.output_level,
            last_level: work.last_level,
            small_bytes: options.compaction_file_bytes(true)?,
            rewrites_all: options.compaction_force_rewrite_all_files()?,
            has_vectors,
            other_formats,
            older,
        })
    }

    /// What to do with a file whose keys no other file has.
    fn move_up(&self, file: DataFileMeta) -> Option<Step> {
        // Files of old versions do not tell.
        let has_deletes = file.delete_row_count != Some(0);
        let is_last = self.output_level == self.last_level;
        if self.rewrites_all || is_last && has_deletes {
            return Some(Step::Rewrite(vec![file]));
        }
        if file.level == self.output_level {
            return None;
        }
        let looks = match self.older {
            Older::Apart => false,
            Older::OnLastLevel => true,
            Older::LookedUp { .. } if file.level != 0 => false,
            Older::LookedUp { merges, tells } => {
                let other_format = self.other_formats.contains(&file.level);
                if other_format || self.has_vectors && has_deletes || merges && !is_last {
                    return Some(Step::Rewrite(vec![file]));
                }
                tells
            }
        };
        Some(Step::Upgrade { file: Box::new(file), looks })
    }
}

fn format_at(options: TableOptions<'_>, level: i32) -> Result<String> {
    let map = options.at_level(level)?;
    TableOptions::new(&map).file_format().map(|format| format.to_string())
}

/// What to do with sections of files, in the order of their keys. Files that neither overlap others nor are small stay as
/// they are but for their level, or altogether.
pub(super) fn steps(sections: Vec<Vec<SortedRun>>, rules: &Rules) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut together: Vec<Vec<SortedRun>> = Vec::new();
    for mut section in sections {
        if section.len() > 1 {
            together.push(section);
            continue;
        }
        for file in section.drain(..).flat_map(|run| run.files) {
            if u64::try_from(file.file_size).unwrap_or(0) < rules.small_bytes {
                together.push(vec![SortedRun { files: vec![file] }]);
            } else {
                rewrite_together(&mut together, rules, &mut steps);
                steps.extend(rules.move_up(file));
            }
        }
    }
    rewrite_together(&mut together, rules, &mut steps);
    steps
}

/// A file that is alone has nobody to be rewritten with.
fn rewrite_together(together: &mut Vec<Vec<SortedRun>>, rules: &Rules, steps: &mut Vec<Step>) {
    let is_alone = matches!(together.as_slice(), [section] if section.len() == 1);
    let files = together.drain(..).flatten().flat_map(|run| run.files);
    if is_alone {
        steps.extend(files.filter_map(|file| rules.move_up(file)));
    } else {
        let files: Vec<DataFileMeta> = files.collect();
        steps.extend((!files.is_empty()).then_some(Step::Rewrite(files)));
    }
}
