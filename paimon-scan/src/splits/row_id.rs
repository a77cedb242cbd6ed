//! Splits of data-evolution tables (Java `DataEvolutionSplitGenerator`).

use std::collections::HashSet;

use paimon_spec::{DataFileMeta, DeletionFile, Result, row_groups};

use super::Candidate;
use super::keyed::Pack;
use super::pack::{Sizes, bytes_of};

/// Packs the files of one bucket, which are in reading order: files of one row group go together. A split whose groups
/// have one file each is read like that of a table without groups.
pub(super) fn pack(files: Vec<Candidate>, blobs_weigh: bool, sizes: Sizes) -> Vec<Pack> {
    let weight = |file: &Candidate| {
        if file.meta.is_blob() && !blobs_weigh { sizes.open_file_cost } else { bytes_of(&file.meta) }
    };
    let lengths = group_lengths(&files);
    let mut files = files.into_iter();
    let groups: Vec<Vec<Candidate>> = lengths.into_iter().map(|len| files.by_ref().take(len).collect()).collect();
    let packs = sizes.pack(groups, |group| group.iter().map(weight).fold(0, u64::saturating_add));
    let pack = |groups: Vec<Vec<Candidate>>| Pack {
        raw: groups.iter().all(|group| group.len() == 1),
        files: groups.into_iter().flatten().collect(),
    };
    packs.into_iter().map(pack).collect()
}

/// The numbers of files of each row group, of files in reading order: a group starts with a file of columns, and what has
/// its row ids follows.
pub(crate) fn group_lengths<F: AsRef<DataFileMeta>>(files: &[F]) -> Vec<usize> {
    let mut lengths: Vec<usize> = Vec::new();
    let mut end = None;
    for file in files {
        let rows = file.as_ref().row_ids();
        match (lengths.last_mut(), &rows, end) {
            (Some(length), Some(rows), Some(end)) if rows.start < end => *length += 1,
            _ => {
                lengths.push(1);
                end = rows.map(|rows| rows.end);
            }
        }
    }
    lengths
}

/// Deleted rows of a group are those that the vector of its oldest file of columns says, whatever others have.
pub(super) fn keep_those_of_anchors(deletions: &mut Vec<Option<DeletionFile>>, files: &[DataFileMeta]) -> Result<()> {
    if deletions.is_empty() {
        return Ok(());
    }
    let anchors: HashSet<usize> = row_groups(files)?.iter().filter_map(|group| group.anchor(files)).collect();
    for (at, deletion) in deletions.iter_mut().enumerate() {
        if !anchors.contains(&at) {
            *deletion = None;
        }
    }
    if deletions.iter().all(Option::is_none) {
        deletions.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::testkit::group_file;

    fn candidates(files: &[(&str, std::ops::Range<i64>, i64)]) -> Vec<Candidate> {
        let candidate = |(name, rows, file_size): &(&str, std::ops::Range<i64>, i64)| Candidate {
            meta: DataFileMeta { file_size: *file_size, ..group_file(name, rows.clone(), 1, &["id"]) },
            may_match: true,
            is_certain: true,
        };
        files.iter().map(candidate).collect()
    }

    #[rstest]
    #[case::bytes_of_blobs_count(true, 90, &[3, 1, 1])]
    #[case::blobs_weigh_their_opening(false, 90, &[4, 1])]
    #[case::which_has_its_cost(false, 70, &[3, 1, 1])]
    #[case::groups_are_not_torn(true, 1, &[3, 1, 1])]
    #[case::all_fit(true, 1_000, &[5])]
    fn row_groups_are_packed_by_the_weight_of_their_files(
        #[case] blobs_weigh: bool,
        #[case] target_bytes: u64,
        #[case] expected: &[usize],
    ) {
        let files = candidates(&[
            ("a", 0..10, 30),
            ("a0.blob", 0..5, 80),
            ("a1.blob", 5..10, 80),
            ("b", 10..20, 40),
            ("c", 20..30, 60),
        ]);
        let packs = pack(files, blobs_weigh, Sizes { target_bytes, open_file_cost: 10 });
        let lengths: Vec<_> = packs.iter().map(|pack| pack.files.len()).collect();
        assert_eq!(lengths, expected);
        let raw: Vec<_> = packs.iter().map(|pack| pack.raw).collect();
        assert_eq!(raw, expected.iter().map(|files| *files < 3).collect::<Vec<_>>());
    }

    #[test]
    fn files_of_the_same_rows_follow_one_another() {
        let files =
            candidates(&[("a", 0..10, 1), ("b", 0..10, 1), ("b.blob", 3..7, 1), ("c", 10..20, 1), ("d", 30..40, 1)]);
        let files: Vec<_> = files.into_iter().map(|file| file.meta).collect();
        assert_eq!(group_lengths(&files), [3, 1, 1]);
        assert_eq!(group_lengths::<DataFileMeta>(&[]), [0_usize; 0]);
    }
}
