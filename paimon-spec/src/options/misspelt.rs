//! Option keys that are probably meant to be others.

use super::keys::{FALLBACK_KEYS, KEYS, OPEN_PREFIXES};

/// Checks option keys that a user sets: for each key that is unknown but close to a known one, that known key.
///
/// Case, and which of `.`, `-` and `_` separates the words, do not make keys different here: `file_format` is a
/// misspelt `file.format`. Keys that are like no known key give nothing, they are somebody else's; nor do keys of open
/// families such as `fields.<column>.*` and `parquet.*`.
///
/// ```
/// use paimon_spec::misspelt_options;
///
/// let keys = ["buckte", "file_format", "bucket", "owner", "fields.a.stats-mode"];
/// assert_eq!(misspelt_options(keys), [("buckte", "bucket"), ("file_format", "file.format")]);
/// ```
pub fn misspelt_options<'k>(keys: impl IntoIterator<Item = &'k str>) -> Vec<(&'k str, &'static str)> {
    keys.into_iter().filter_map(|key| nearest(key).map(|known| (key, known))).collect()
}

/// The one of `known` that is closest to `key`, if any is close enough to be meant.
pub fn nearest_key<'n>(key: &str, known: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let normal = normalize(key);
    // Short words are near to one another by chance.
    let most_edits = match normal.len() {
        0..4 => 0,
        4..8 => 1,
        8..16 => 2,
        _ => 3,
    };
    let near = known.into_iter().map(|known| (edits(&normal, &normalize(known)), known));
    near.filter(|(edits, _)| *edits <= most_edits).min().map(|(_, known)| known)
}

fn nearest(key: &str) -> Option<&'static str> {
    let is_fallback = |key: &str| FALLBACK_KEYS.iter().any(|(_, old)| old.contains(&key));
    if known_keys().any(|known| known == key) || is_fallback(key) || OPEN_PREFIXES.iter().any(|p| key.starts_with(p)) {
        return None;
    }
    nearest_key(key, known_keys())
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().flat_map(|(_, keys)| keys.iter().copied())
}

fn normalize(key: &str) -> Vec<char> {
    key.chars().map(|c| if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// How many insertions, deletions, replacements and swaps of neighbours make one text the other.
fn edits(a: &[char], b: &[char]) -> usize {
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for j in 0..b.len() {
            let replaced = last[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("buckets", Some("bucket"))]
    #[case("bukcet", Some("bucket"))]
    #[case("bucket_key", Some("bucket-key"))]
    #[case("File.Format", Some("file.format"))]
    #[case("file.fromat", Some("file.format"))]
    #[case("target-file-sizes", Some("target-file-size"))]
    #[case("target.file.size", Some("target-file-size"))]
    #[case("deletion-vector.enabled", Some("deletion-vectors.enabled"))]
    #[case("merge_engine", Some("merge-engine"))]
    #[case("bucket", None)]
    #[case("write.compaction-skip", None)]
    #[case("owner", None)]
    #[case("", None)]
    #[case("my.own.key", None)]
    #[case("fields.bucket.aggregate-function", None)]
    #[case("file-index.bloom-filter.columns", None)]
    #[case("parquet.block.size", None)]
    #[case("fs.oss.endpoint", None)]
    #[case("sink.parallelism", None)]
    #[case("scan.parallelism", None)]
    #[case("comment", None)]
    #[case("location", None)]
    #[case("provider", None)]
    #[case("type", None)]
    fn only_near_misses_of_our_keys_count(#[case] key: &str, #[case] expected: Option<&str>) {
        assert_eq!(nearest(key), expected);
    }

    #[test]
    fn other_lists_of_keys_have_near_misses_too() {
        assert_eq!(nearest_key("warehouze", ["metastore", "warehouse"]), Some("warehouse"));
        assert_eq!(nearest_key("user", ["uri"]), None);
    }

    #[test]
    fn no_known_key_is_a_misspelling() {
        assert_eq!(misspelt_options(known_keys()), []);
    }

    #[rstest]
    #[case("", "", 0)]
    #[case("ab", "", 2)]
    #[case("ab", "ba", 1)]
    #[case("abc", "adc", 1)]
    #[case("kitten", "sitting", 3)]
    fn edits_count_swaps_as_one(#[case] a: &str, #[case] b: &str, #[case] expected: usize) {
        assert_eq!(edits(&normalize(a), &normalize(b)), expected);
    }
}
