//! Options of data files that differ by level, and of changelog files.

use std::collections::BTreeMap;

use super::{StatsMode, TableOptions, invalid_value};
use crate::Result;

/// Options of data files, and those that stand for them on a level and in changelog files.
const BY_LEVEL: [(&str, &str, &str); 3] = [
    ("file.format", "file.format.per.level", "changelog-file.format"),
    ("file.compression", "file.compression.per.level", "changelog-file.compression"),
    ("metadata.stats-mode", "metadata.stats-mode.per.level", "changelog-file.stats-mode"),
];

impl TableOptions<'_> {
    /// The options, with those that files of `level` go by in the place of the general ones (Java
    /// `KeyValueFileWriterFactory`).
    ///
    /// # Errors
    /// `InvalidInput` when an option is not a list of levels and values, such as `0:avro,3:parquet`.
    pub fn at_level(&self, level: i32) -> Result<BTreeMap<String, String>> {
        let mut options = self.map.clone();
        for (general, by_level, _) in BY_LEVEL {
            if let Some(value) = self.value_at(by_level, level)? {
                options.insert(general.to_owned(), value.to_owned());
            }
        }
        Ok(options)
    }

    /// The options, with those that changelog files go by in the place of the general ones.
    ///
    /// # Errors
    /// As [`Self::at_level`]: where nothing is said of changelog files, they are as files of level 0.
    pub fn of_changelog_files(&self) -> Result<BTreeMap<String, String>> {
        let mut options = self.at_level(0)?;
        for (general, _, changelog) in BY_LEVEL {
            if let Some(value) = self.get(changelog) {
                if general == "metadata.stats-mode" && StatsMode::parse(value).is_none() {
                    return Err(invalid_value(
                        changelog,
                        value,
                        "'none', 'counts', 'full' or 'truncate(n)' with n from 1",
                    ));
                }
                options.insert(general.to_owned(), value.to_owned());
            }
        }
        Ok(options)
    }

    fn value_at(&self, key: &str, level: i32) -> Result<Option<&str>> {
        let Some(text) = self.get(key) else { return Ok(None) };
        let mut found = None;
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let parsed =
                pair.split_once(':').and_then(|(level, value)| Some((level.trim().parse::<i32>().ok()?, value)));
            let Some((at, value)) = parsed else {
                return Err(invalid_value(key, text, "levels and values such as '0:avro,3:parquet'"));
            };
            if at == level {
                found = Some(value.trim());
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[rstest]
    #[case::nothing_said(&[], 0, "orc", "orc")]
    #[case::another_level(&[("file.format.per.level", "1:avro")], 0, "orc", "orc")]
    #[case::this_level(&[("file.format.per.level", " 0:avro, 3 : parquet ")], 3, "parquet", "avro")]
    #[case::changelogs(&[("file.format.per.level", "0:avro"), ("changelog-file.format", "parquet")], 0, "avro", "parquet")]
    fn files_go_by_the_options_of_their_level(
        #[case] pairs: &[(&str, &str)],
        #[case] level: i32,
        #[case] at_level: &str,
        #[case] of_changelogs: &str,
    ) {
        let map = options(&[&[("file.format", "orc")], pairs].concat());
        let options = TableOptions::new(&map);
        assert_eq!(options.at_level(level).unwrap()["file.format"], at_level);
        assert_eq!(options.of_changelog_files().unwrap()["file.format"], of_changelogs);
    }

    #[test]
    fn all_options_of_files_may_differ() {
        let map = options(&[
            ("file.compression.per.level", "0:lz4"),
            ("metadata.stats-mode.per.level", "0:none"),
            ("changelog-file.compression", "snappy"),
            ("changelog-file.stats-mode", "full"),
            ("bucket", "2"),
        ]);
        let (files, changelogs) =
            (TableOptions::new(&map).at_level(0).unwrap(), TableOptions::new(&map).of_changelog_files().unwrap());
        assert_eq!((files["file.compression"].as_str(), changelogs["file.compression"].as_str()), ("lz4", "snappy"));
        assert_eq!(
            (files["metadata.stats-mode"].as_str(), changelogs["metadata.stats-mode"].as_str()),
            ("none", "full")
        );
        assert_eq!((files["bucket"].as_str(), changelogs["bucket"].as_str()), ("2", "2"));
    }

    #[rstest]
    #[case("file.format.per.level", "avro")]
    #[case("file.compression.per.level", "x:lz4")]
    #[case("changelog-file.stats-mode", "some")]
    fn what_is_no_list_of_levels_is_refused(#[case] key: &str, #[case] value: &str) {
        let map = options(&[(key, value)]);
        let error = TableOptions::new(&map).of_changelog_files().unwrap_err();
        assert!(error.message().contains(key), "{error}");
    }
}
