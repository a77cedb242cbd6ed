//! Tags: snapshots under a name.

use bytes::Bytes;
use paimon_spec::{Result, Tag, limits, validate_name};

use super::TableStore;
use crate::PutOutcome;

impl TableStore {
    /// The tag `name`; `None` when there is none.
    ///
    /// # Errors
    /// `InvalidInput` when `name` cannot be a tag's, `CorruptData` when its file is not a tag.
    pub async fn tag(&self, name: &str) -> Result<Option<Tag>> {
        validate_name("tag", name)?;
        let path = self.paths().tag(name);
        let Some(json) = self.storage().read_at_most(&path, limits::JSON_FILE_BYTES).await? else { return Ok(None) };
        Tag::from_json(&json).map(Some).map_err(|error| error.with_context("file", self.storage().url(&path)))
    }

    /// The names of all tags, ascending.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn tags(&self) -> Result<Vec<String>> {
        let listed = self.storage().list(&self.paths().tag_dir()).await?;
        Ok(listed
            .iter()
            .filter(|entry| !entry.is_dir)
            .filter_map(|entry| entry.name.strip_prefix("tag-"))
            .map(str::to_owned)
            .collect())
    }

    /// Creates a tag unless there is one of that name.
    ///
    /// # Errors
    /// `InvalidInput` when `name` cannot be a tag's; else as [`crate::Storage::put_new`].
    pub async fn create_tag(&self, name: &str, tag: &Tag) -> Result<PutOutcome> {
        validate_name("tag", name)?;
        self.storage().put_new(&self.paths().tag(name), Bytes::from(tag.to_json()?)).await
    }

    /// Creates a tag, or puts it in the place of the one of that name.
    ///
    /// # Errors
    /// `InvalidInput` when `name` cannot be a tag's; else as [`crate::Storage::put`].
    pub async fn replace_tag(&self, name: &str, tag: &Tag) -> Result<()> {
        validate_name("tag", name)?;
        self.storage().put(&self.paths().tag(name), Bytes::from(tag.to_json()?)).await
    }

    /// Deletes a tag; false when there was none. Data files that only it kept stay, until orphan files are cleaned.
    ///
    /// # Errors
    /// `InvalidInput` when `name` cannot be a tag's.
    pub async fn delete_tag(&self, name: &str) -> Result<bool> {
        validate_name("tag", name)?;
        let path = self.paths().tag(name);
        let there = self.storage().exists(&path).await?;
        self.storage().delete(&path).await?;
        Ok(there)
    }
}
