//! Manifests of a data-evolution table by the row ids of their files.

use std::collections::HashMap;

use crate::ahead::Placed;
use crate::splits::Planned;

/// Regions of row ids: no file of a manifest in one region has rows in common with a file of a manifest in another. So
/// when the manifests of a region were read, all files of its row groups are known, and what is not wanted can go.
#[derive(Debug)]
pub(crate) struct Regions {
    numbers: HashMap<usize, usize>,
    regions: Vec<Region>,
}

#[derive(Debug, Default)]
struct Region {
    unread: usize,
    files: Vec<Planned>,
}

impl Regions {
    /// Regions ascend by row id. A manifest that does not say which row ids it has may have any.
    pub(crate) fn of(manifests: &[Placed<'_>]) -> Self {
        let mut ranges: Vec<(i64, i64, usize)> = manifests
            .iter()
            .map(|(place, manifest)| {
                let (first, last) = manifest.min_row_id.zip(manifest.max_row_id).unwrap_or((i64::MIN, i64::MAX));
                (first, last, *place)
            })
            .collect();
        ranges.sort_unstable();
        let mut numbers = HashMap::with_capacity(ranges.len());
        let mut regions: Vec<Region> = Vec::new();
        let mut end = None;
        for (first, last, place) in ranges {
            if end.is_none_or(|end| end < first) {
                regions.push(Region::default());
            }
            end = end.max(Some(last));
            if let Some(region) = regions.last_mut() {
                region.unread += 1;
            }
            numbers.insert(place, regions.len() - 1);
        }
        Self { numbers, regions }
    }

    /// The region of the manifest at a place.
    pub(crate) fn number(&self, place: usize) -> Option<usize> {
        self.numbers.get(&place).copied()
    }

    /// Takes what the manifest at a place has, and gives the files of its region when that was the last one.
    pub(crate) fn add(&mut self, place: usize, files: Vec<Planned>) -> Option<Vec<Planned>> {
        let number = self.number(place)?;
        let region = self.regions.get_mut(number)?;
        region.files.extend(files);
        region.unread = region.unread.saturating_sub(1);
        (region.unread == 0).then(|| std::mem::take(&mut region.files))
    }
}

#[cfg(test)]
mod tests {
    use paimon_io::testkit;
    use paimon_spec::ManifestFileMeta;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::one_after_the_other(&[Some((0, 9)), Some((10, 19))], &[0, 1])]
    #[case::in_another_order(&[Some((10, 19)), Some((0, 9))], &[1, 0])]
    #[case::one_row_in_common(&[Some((0, 10)), Some((10, 19)), Some((20, 29))], &[0, 0, 1])]
    #[case::an_update_of_early_rows(&[Some((0, 9)), Some((10, 19)), Some((3, 5))], &[0, 1, 0])]
    #[case::an_update_of_rows_far_apart(&[Some((0, 9)), Some((10, 19)), Some((20, 29)), Some((5, 15))], &[0, 0, 1, 0])]
    #[case::one_that_does_not_say(&[Some((0, 9)), None, Some((20, 29))], &[0, 0, 0])]
    #[case::none(&[], &[])]
    fn manifests_that_share_row_ids_are_of_one_region(
        #[case] row_ids: &[Option<(i64, i64)>],
        #[case] expected: &[usize],
    ) {
        let manifest = |ids: &Option<(i64, i64)>| ManifestFileMeta {
            min_row_id: ids.map(|(min, _)| min),
            max_row_id: ids.map(|(_, max)| max),
            ..testkit::manifest_file("m", 1)
        };
        let manifests: Vec<_> = row_ids.iter().map(manifest).collect();
        let placed: Vec<_> = manifests.iter().enumerate().collect();
        let mut regions = Regions::of(&placed);
        let numbers: Vec<_> = (0..row_ids.len()).filter_map(|place| regions.number(place)).collect();
        assert_eq!(numbers, expected);
        for place in 0..expected.len() {
            let is_last = !expected[place + 1..].contains(&expected[place]);
            assert_eq!(regions.add(place, Vec::new()).is_some(), is_last, "manifest {place}");
        }
    }
}
