//! Branches: histories of their own over the data files of one table.

use std::sync::Arc;

use paimon_spec::{BRANCH_FOLDER_PREFIX, ErrorKind, Result, TablePaths, validate_name};

use super::TableStore;

impl TableStore {
    /// The branch whose snapshots, schemas and tags the handle sees; `None`: the main one.
    pub fn branch(&self) -> Option<&str> {
        self.branch.as_deref().filter(|branch| *branch != TablePaths::MAIN_BRANCH)
    }

    /// The table at another branch (`None`: the main one), with that branch's newest schema as stored; `None` when there
    /// is no schema in it, and so no branch.
    ///
    /// # Errors
    /// `InvalidInput` when `branch` cannot be a branch's name, else as [`Self::open`].
    pub async fn at_branch(&self, branch: Option<&str>) -> Result<Option<Self>> {
        if let Some(branch) = branch {
            validate_name("branch", branch)?;
        }
        let (storage, committer) = (self.storage.clone(), Arc::clone(&self.committer));
        match Self::open(storage, branch, committer, self.context.clone()).await {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of all branches but the main one, ascending: each has a folder, which may be of one that was never
    /// finished.
    ///
    /// # Errors
    /// As the storage gives them.
    pub async fn branches(&self) -> Result<Vec<String>> {
        let listed = self.storage.list(TablePaths::branches_dir()).await?;
        let folders = listed.iter().filter(|entry| entry.is_dir);
        Ok(folders.filter_map(|entry| entry.name.strip_prefix(BRANCH_FOLDER_PREFIX)).map(str::to_owned).collect())
    }
}
