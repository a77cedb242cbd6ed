//! Names of a table's files and folders, relative to the table root.

use crate::{Error, Result};

/// Suffix of the folder of a database in a warehouse.
pub const DATABASE_SUFFIX: &str = ".db";

/// The bucket of rows that wait for one, in tables with `bucket` = -2.
pub const POSTPONE_BUCKET: i32 = -2;

/// Starts the name of a branch's folder.
pub const BRANCH_FOLDER_PREFIX: &str = "branch-";

/// Paths of one table (and branch).
///
/// A branch has schemas, snapshots and tags of its own; manifests, indexes and data files are the whole table's.
///
/// ```
/// use paimon_spec::TablePaths;
///
/// let paths = TablePaths::new(Some("dev"), None);
/// assert_eq!(paths.snapshot(3), "branch/branch-dev/snapshot/snapshot-3");
/// assert_eq!(paths.bucket_dir("dt=1/", 0), "dt=1/bucket-0");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablePaths {
    /// Empty for the main branch, else ends with `/`.
    branch_prefix: String,
    /// Empty, else ends with `/`.
    data_prefix: String,
}

impl TablePaths {
    /// The branch that every table has.
    pub const MAIN_BRANCH: &'static str = "main";

    /// `branch` None or [`Self::MAIN_BRANCH`]: the main branch; `data_directory`: option `data-file.path-directory`.
    pub fn new(branch: Option<&str>, data_directory: Option<&str>) -> Self {
        let branch = branch.filter(|branch| *branch != Self::MAIN_BRANCH);
        let data_directory = data_directory.map(|directory| directory.trim_matches('/')).filter(|d| !d.is_empty());
        Self {
            branch_prefix: branch.map(|branch| Self::branch_dir(branch) + "/").unwrap_or_default(),
            data_prefix: data_directory.map(|directory| format!("{directory}/")).unwrap_or_default(),
        }
    }

    /// The folder of the folders of all branches but the main one.
    pub fn branches_dir() -> &'static str {
        "branch"
    }

    /// The folder of a branch that is not the main one.
    pub fn branch_dir(branch: &str) -> String {
        format!("{}/{BRANCH_FOLDER_PREFIX}{branch}", Self::branches_dir())
    }

    /// The folder of schemas.
    pub fn schema_dir(&self) -> String {
        format!("{}schema", self.branch_prefix)
    }

    /// The file of a schema.
    pub fn schema(&self, id: i64) -> String {
        format!("{}schema/schema-{id}", self.branch_prefix)
    }

    /// The folder of snapshots and hints.
    pub fn snapshot_dir(&self) -> String {
        format!("{}snapshot", self.branch_prefix)
    }

    /// The file of a snapshot.
    pub fn snapshot(&self, id: i64) -> String {
        format!("{}snapshot/snapshot-{id}", self.branch_prefix)
    }

    /// The file that may name the latest snapshot.
    pub fn latest_hint(&self) -> String {
        format!("{}snapshot/LATEST", self.branch_prefix)
    }

    /// The file that may name the earliest snapshot.
    pub fn earliest_hint(&self) -> String {
        format!("{}snapshot/EARLIEST", self.branch_prefix)
    }

    /// The folder of changelogs that outlived their snapshots.
    pub fn changelog_dir(&self) -> String {
        format!("{}changelog", self.branch_prefix)
    }

    /// The file of a changelog that outlived its snapshot.
    pub fn changelog(&self, id: i64) -> String {
        format!("{}changelog/changelog-{id}", self.branch_prefix)
    }

    /// The file that may name the latest of these changelogs.
    pub fn changelog_latest_hint(&self) -> String {
        format!("{}changelog/LATEST", self.branch_prefix)
    }

    /// The folder of tags.
    pub fn tag_dir(&self) -> String {
        format!("{}tag", self.branch_prefix)
    }

    /// The file of a tag.
    pub fn tag(&self, name: &str) -> String {
        format!("{}tag/tag-{name}", self.branch_prefix)
    }

    /// `manifest/<name>`: manifests, manifest lists, index manifests.
    pub fn manifest(&self, name: &str) -> String {
        format!("manifest/{name}")
    }

    /// `index/<name>`: index files.
    pub fn index(&self, name: &str) -> String {
        format!("index/{name}")
    }

    /// `<data dir>/<partition path>/bucket-<b>`; `partition_path` as from [`crate::partition_path`].
    pub fn bucket_dir(&self, partition_path: &str, bucket: i32) -> String {
        let prefix = &self.data_prefix;
        if bucket == POSTPONE_BUCKET {
            format!("{prefix}{partition_path}bucket-postpone")
        } else {
            format!("{prefix}{partition_path}bucket-{bucket}")
        }
    }
}

/// Refuses file names from metadata that could lead out of their folder: empty ones, `.`, `..`, and any with a
/// separator or a control character. `what` names the place of the name.
///
/// # Errors
/// `CorruptData`.
pub fn check_file_name(what: &'static str, name: &str) -> Result<()> {
    let leads_out =
        matches!(name, "" | "." | "..") || name.contains(|c: char| matches!(c, '/' | '\\') || c.is_control());
    if leads_out {
        return Err(Error::corrupt(format!("expected a file name in '{what}', found '{}'", name.escape_debug())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn the_main_branch_has_no_prefix() {
        for paths in [TablePaths::new(None, None), TablePaths::new(Some("main"), None)] {
            assert_eq!(paths.schema_dir(), "schema");
            assert_eq!(paths.schema(0), "schema/schema-0");
            assert_eq!(paths.snapshot_dir(), "snapshot");
            assert_eq!(paths.latest_hint(), "snapshot/LATEST");
            assert_eq!(paths.earliest_hint(), "snapshot/EARLIEST");
            assert_eq!(
                (paths.changelog_dir(), paths.changelog(7)),
                ("changelog".into(), "changelog/changelog-7".into())
            );
            assert_eq!(paths.changelog_latest_hint(), "changelog/LATEST");
            assert_eq!(paths.tag_dir(), "tag");
            assert_eq!(paths.tag("t"), "tag/tag-t");
        }
    }

    #[test]
    fn a_branch_shares_manifests_indexes_and_data() {
        let paths = TablePaths::new(Some("b"), None);
        assert_eq!((TablePaths::branches_dir(), TablePaths::branch_dir("b")), ("branch", "branch/branch-b".to_owned()));
        assert_eq!(paths.schema(2), "branch/branch-b/schema/schema-2");
        assert_eq!(paths.tag("t"), "branch/branch-b/tag/tag-t");
        assert_eq!(paths.latest_hint(), "branch/branch-b/snapshot/LATEST");
        assert_eq!(paths.changelog(7), "branch/branch-b/changelog/changelog-7");
        assert_eq!(paths.manifest("m"), "manifest/m");
        assert_eq!(paths.index("i"), "index/i");
        assert_eq!(paths.bucket_dir("", 1), "bucket-1");
    }

    #[rstest]
    #[case(None, "", 0, "bucket-0")]
    #[case(None, "a=1/b=2/", 3, "a=1/b=2/bucket-3")]
    #[case(Some("data"), "a=1/", 0, "data/a=1/bucket-0")]
    #[case(Some("/data/x/"), "", -2, "data/x/bucket-postpone")]
    #[case(Some(""), "", 0, "bucket-0")]
    fn buckets_live_below_their_partition(
        #[case] directory: Option<&str>,
        #[case] partition: &str,
        #[case] bucket: i32,
        #[case] expected: &str,
    ) {
        assert_eq!(TablePaths::new(None, directory).bucket_dir(partition, bucket), expected);
    }

    #[rstest]
    #[case("", false)]
    #[case("..", false)]
    #[case("a/b", false)]
    #[case("..\\x", false)]
    #[case("a\0", false)]
    #[case("data-1.parquet", true)]
    #[case("a..b", true)]
    fn names_that_lead_out_are_refused(#[case] name: &str, #[case] allowed: bool) {
        assert_eq!(check_file_name("_FILE_NAME", name).is_ok(), allowed);
    }
}
