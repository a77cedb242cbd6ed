//! Names of fields that are known ones, damaged.

use crate::{Error, Result};

/// Names of fewer bytes are one byte off many others.
const LONG: usize = 4;

/// Refuses a name that is a wanted one but for one byte.
///
/// Names that are not known are passed over, because later writers add some. A flipped bit in a name would so take away
/// what it names without a word: the deletion vectors of a snapshot, for one. `found` are the names that are there.
pub(crate) fn check_names<'a>(
    what: &str,
    wanted: impl IntoIterator<Item = &'a str>,
    found: impl Iterator<Item = &'a str> + Clone,
) -> Result<()> {
    let wanted: Vec<&str> = wanted.into_iter().collect();
    for missing in wanted.iter().filter(|wanted| !found.clone().any(|found| found == **wanted)) {
        if let Some(damaged) = found.clone().find(|found| !wanted.contains(found) && is_one_byte_off(missing, found)) {
            return Err(Error::corrupt(format!("expected '{missing}' in {what}, found '{damaged}'")));
        }
    }
    Ok(())
}

fn is_one_byte_off(a: &str, b: &str) -> bool {
    a.len() >= LONG && a.len() == b.len() && a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::all(&["id", "indexManifest"], true)]
    #[case::fewer(&["id"], true)]
    #[case::new_ones(&["id", "indexManifests", "nextManifest"], true)]
    #[case::one_off_but_there(&["id", "indexManifest", "indexManifesu"], true)]
    #[case::a_short_one_off(&["if", "indexManifest"], true)]
    #[case::one_off(&["id", "indexManifesu"], false)]
    #[case::one_off_in_front(&["id", "hndexManifest"], false)]
    fn damaged_names_are_told_from_new_ones(#[case] found: &[&str], #[case] fine: bool) {
        let checked = check_names("a snapshot", ["id", "indexManifest"], found.iter().copied());
        assert_eq!(checked.is_ok(), fine, "{checked:?}");
    }
}
