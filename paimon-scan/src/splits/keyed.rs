//! Splits of primary-key tables (Java `MergeTreeSplitGenerator`).

#[cfg(test)]
mod tests;

use paimon_spec::{DataFileMeta, Result, SortedRun, are_disjoint, sections};

use super::Candidate;
use super::pack::{Sizes, bytes_of};
use crate::keyed::{Keyed, Prunes};

/// Files of one split.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) files: Vec<Candidate>,
    /// Each of their rows is a row of the table: nothing is to be merged, and no key is deleted.
    pub(super) raw: bool,
}

/// Packs the files of one bucket: files that may hold the same key go together, files without wanted rows go away.
pub(super) fn pack(keyed: &Keyed, files: Vec<Candidate>, sizes: Sizes) -> Result<Vec<Pack>> {
    if keyed.unmerged {
        return Ok(pack_unmerged(files, sizes));
    }
    let is_compacted = |file: &Candidate| file.meta.level != 0 && !has_deletes(&file.meta);
    if files.iter().all(is_compacted) && (keyed.compacted_keys_are_unique || are_one_run(&files, keyed)?) {
        let files = files.into_iter().filter(|file| file.may_match).collect();
        return Ok(pack_apart(files, sizes));
    }
    let sections = sections(files, &keyed.keys)?.into_iter().filter(|section| may_match(keyed.prunes, section));
    let flat = |section: Vec<SortedRun<Candidate>>| section.into_iter().flat_map(|run| run.files).collect();
    let sections: Vec<Vec<Candidate>> = sections.map(flat).collect();
    let bytes = |section: &Vec<Candidate>| section.iter().map(|file| bytes_of(&file.meta)).fold(0, u64::saturating_add);
    let pack = |sections: Vec<Vec<Candidate>>| {
        let files: Vec<Candidate> = sections.into_iter().flatten().collect();
        let raw = matches!(files.as_slice(), [file] if has_no_deletes(&file.meta));
        Pack { files, raw }
    };
    Ok(sizes.pack(sections, bytes).into_iter().map(pack).collect())
}

/// Files whose keys are all different.
fn pack_apart(files: Vec<Candidate>, sizes: Sizes) -> Vec<Pack> {
    let pack = |files: Vec<Candidate>| Pack { raw: files.iter().all(|file| has_no_deletes(&file.meta)), files };
    sizes.pack(files, |file| bytes_of(&file.meta)).into_iter().map(pack).collect()
}

/// A split that is not raw is merged, so what may have deleted keys stands alone.
fn pack_unmerged(files: Vec<Candidate>, sizes: Sizes) -> Vec<Pack> {
    let (raw, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| has_no_deletes(&file.meta));
    let alone = others.into_iter().map(|file| Pack { files: vec![file], raw: false });
    pack_apart(raw, sizes).into_iter().chain(alone).collect()
}

/// Whether files that are not of level 0 are of one level, where none overlap.
fn are_one_run(files: &[Candidate], keyed: &Keyed) -> Result<bool> {
    let level = files.first().map(|file| file.meta.level);
    Ok(files.iter().all(|file| Some(file.meta.level) == level) && are_disjoint(files, &keyed.keys)?)
}

fn may_match(prunes: Prunes, section: &[SortedRun<Candidate>]) -> bool {
    let overlaps = section.len() > 1;
    (overlaps && prunes == Prunes::LoneFiles) || section.iter().flat_map(|run| &run.files).any(|file| file.may_match)
}

/// Java takes files of old versions, which do not tell, for files without.
fn has_deletes(file: &DataFileMeta) -> bool {
    file.delete_row_count.is_some_and(|count| count != 0)
}

/// Readers must be certain.
fn has_no_deletes(file: &DataFileMeta) -> bool {
    file.delete_row_count == Some(0)
}
