//! Snapshots and tags.

mod tag;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::check_names;
use crate::paths::check_file_name;
use crate::{Error, Result};

pub use tag::Tag;

/// What made a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CommitKind {
    /// New files.
    Append,
    /// Files rewritten, with the same rows.
    Compact,
    /// Files or rows replaced or deleted.
    Overwrite,
    /// Statistics.
    Analyze,
}

/// One committed state of a table, as in `snapshot/snapshot-<id>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// [`Snapshot::VERSION`] when written now; `None` when the file has none (then 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i32>,
    /// A random id of this very snapshot, from 2.x on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// From 1, as in the file's name.
    pub id: i64,
    /// The table's latest schema when the snapshot was made.
    pub schema_id: i64,
    /// Name of the list of the manifests of the state before.
    pub base_manifest_list: String,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_manifest_list_size: Option<i64>,
    /// Name of the list of the manifests that this snapshot adds.
    pub delta_manifest_list: String,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_manifest_list_size: Option<i64>,
    /// Name of the list of the manifests of changelogs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog_manifest_list: Option<String>,
    /// Bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog_manifest_list_size: Option<i64>,
    /// Name of the list of all live index files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index_manifest: Option<String>,
    /// Who committed: with `commit_identifier`, it tells a commit from all others.
    pub commit_user: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer_version: Option<String>,
    /// [`Snapshot::BATCH_IDENTIFIER`] for batch commits, else the checkpoint's number.
    pub commit_identifier: i64,
    /// What made it.
    pub commit_kind: CommitKind,
    /// The committer's clock, milliseconds since 1970.
    pub time_millis: i64,
    /// Rows of all live files, deleted ones included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_record_count: Option<i64>,
    /// Rows of added files less those of deleted ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta_record_count: Option<i64>,
    /// Rows of changelogs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog_record_count: Option<i64>,
    /// The largest watermark so far; `i64::MIN` means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<i64>,
    /// Name of the file of table statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<String>,
    /// Free properties.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<BTreeMap<String, String>>,
    /// The next row id to hand out, in tables with row tracking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_row_id: Option<i64>,
    /// What the user did, such as `WRITE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

/// The keys without which a snapshot is another one, and which it may lack.
const KEYS: [&str; 9] = [
    "version",
    "baseManifestListSize",
    "deltaManifestListSize",
    "indexManifest",
    "totalRecordCount",
    "deltaRecordCount",
    "watermark",
    "statistics",
    "nextRowId",
];

/// The keys of an object.
#[derive(Deserialize)]
struct Keys(BTreeMap<String, serde::de::IgnoredAny>);

impl Snapshot {
    /// The version of the layout that is written now.
    pub const VERSION: i32 = 3;

    /// The commit identifier of batch commits.
    pub const BATCH_IDENTIFIER: i64 = i64::MAX;

    /// Decodes a snapshot file; unknown keys are ignored.
    ///
    /// # Errors
    /// `CorruptData` when the bytes are no snapshot, or name a file outside the table.
    ///
    /// ```
    /// use paimon_spec::Snapshot;
    ///
    /// let snapshot = Snapshot::from_json(
    ///     br#"{"version":3,"id":1,"schemaId":0,"baseManifestList":"a","deltaManifestList":"b","commitUser":"u",
    ///          "commitIdentifier":9223372036854775807,"commitKind":"APPEND","timeMillis":5,"logOffsets":{}}"#,
    /// )?;
    /// assert_eq!(snapshot.commit_identifier, Snapshot::BATCH_IDENTIFIER);
    /// # Ok::<(), paimon_spec::Error>(())
    /// ```
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let snapshot: Self = serde_json::from_slice(json).map_err(|error| not_a("snapshot", error))?;
        let Keys(found) = serde_json::from_slice(json).map_err(|error| not_a("snapshot", error))?;
        check_names("a snapshot", KEYS, found.keys().map(String::as_str))?;
        snapshot.check()?;
        Ok(snapshot)
    }

    /// Encodes a snapshot file, keys in Java's order.
    ///
    /// # Errors
    /// None for a valid snapshot.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec_pretty(self).map_err(unwritable)
    }

    /// What the types do not say.
    fn check(&self) -> Result<()> {
        if self.id < 1 || self.schema_id < 0 {
            return Err(Error::corrupt(format!(
                "expected a snapshot id from 1 and a schema id from 0, found {} and {}",
                self.id, self.schema_id
            )));
        }
        check_file_name("baseManifestList", &self.base_manifest_list)?;
        check_file_name("deltaManifestList", &self.delta_manifest_list)?;
        let optional = [
            ("changelogManifestList", &self.changelog_manifest_list),
            ("indexManifest", &self.index_manifest),
            ("statistics", &self.statistics),
        ];
        optional.into_iter().try_for_each(|(key, name)| name.as_ref().map_or(Ok(()), |name| check_file_name(key, name)))
    }
}

fn not_a(what: &str, error: serde_json::Error) -> Error {
    Error::corrupt(format!("expected a {what} as JSON, found: {error}"))
}

fn unwritable(error: serde_json::Error) -> Error {
    Error::internal("paimon-spec", "metadata cannot be written as JSON").with_source(error)
}

#[cfg(test)]
pub(crate) mod tests;
