//! Which rows of a key count, by the levels of their files.

use crate::chunk::{Chunk, Source};

/// Where the rows of a rank come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The level of the file.
    pub(crate) level: i32,
    /// Its position among the files whose rows are looked at and stay; `None`: the rows are merged.
    pub(crate) deeper: Option<usize>,
}

/// The place in `rows`, those of a key, of the row above level 0 that has the smallest level (Java
/// `LookupMergeFunction.pickHighLevel`).
fn high_row(rows: &[(usize, usize)], sources: &[Source], origins: &[Origin]) -> Option<usize> {
    let level = |at: &usize| origin_of(rows[*at], sources, origins).level;
    (0..rows.len()).filter(|at| level(at) > 0).min_by_key(level)
}

/// Where a row comes from.
pub(crate) fn origin_of((source, row): (usize, usize), sources: &[Source], origins: &[Origin]) -> Origin {
    origins[sources[source].rank(row)]
}

/// Of the rows of a key above level 0 leaves only that of the smallest level.
pub(crate) fn leave_newest_level(chunk: &mut Chunk, origins: &[Origin]) {
    let (mut kept, mut start) = (0, 0);
    for end in &mut chunk.ends {
        let group = std::mem::replace(&mut start, *end)..*end;
        let high = if group.len() > 1 { high_row(&chunk.rows[group.clone()], &chunk.sources, origins) } else { None };
        for at in group.clone() {
            let place = chunk.rows[at];
            let counts = |high| at - group.start == high || origin_of(place, &chunk.sources, origins).level <= 0;
            if high.is_none_or(counts) {
                chunk.rows[kept] = place;
                kept += 1;
            }
        }
        *end = kept;
    }
    chunk.rows.truncate(kept);
}
