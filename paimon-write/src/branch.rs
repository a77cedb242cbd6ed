//! Branches: made, dropped, renamed, and made the main history.
//!
//! A branch is a folder with schemas, snapshots and tags of its own; data files and manifests are the whole table's, so
//! nothing large is copied, and nothing that a branch names is deleted with it (Java `FileSystemBranchManager`).

mod fast_forward;
#[cfg(test)]
mod tests;

use bytes::Bytes;
use paimon_io::{PutOutcome, TableStore};
use paimon_spec::{Error, ErrorKind, Result, TablePaths, validate_name};

pub use fast_forward::fast_forward;

use crate::history::tag_missing;

/// Makes a branch: with the state of a tag and its schemas, or, without a tag, with all schemas and no rows.
///
/// Of several who make the same branch at the same time at most one succeeds. Whoever is stopped on the way leaves a
/// branch that is empty or refuses to be read; drop it and make it again.
///
/// # Errors
/// `InvalidInput` when `name` cannot be a branch's; `AlreadyExists` (context `branch`); `NotFound` (context `tag`) when
/// there is no such tag.
pub async fn create_branch(store: &TableStore, name: &str, from_tag: Option<&str>) -> Result<()> {
    check_name(name)?;
    if exists(store, name).await? {
        return Err(branch_in_the_way(name));
    }
    let branch = TablePaths::new(Some(name), None);
    let (storage, paths) = (store.storage(), store.paths());
    let mut schemas = store.schema_ids().await?;
    // What makes the rows comes before the schemas, without which nobody opens the branch; of these the newest comes
    // first, because it is the branch's schema as soon as it is there.
    let mut files: Vec<(String, Bytes)> = Vec::new();
    if let Some(name) = from_tag {
        let tag = store.tag(name).await?.ok_or_else(|| tag_missing(name))?;
        files.push((branch.snapshot(tag.snapshot.id), Bytes::from(tag.snapshot.to_json()?)));
        files.push((branch.tag(name), storage.read(&paths.tag(name)).await?));
        schemas.retain(|id| *id <= tag.snapshot.schema_id);
        if schemas.last() != Some(&tag.snapshot.schema_id) {
            let message = format!("schema {} is missing, although tag '{name}' names it", tag.snapshot.schema_id);
            return Err(Error::not_found(message));
        }
    }
    for id in schemas.into_iter().rev() {
        files.push((branch.schema(id), storage.read(&paths.schema(id)).await?));
    }
    let mut created = Vec::new();
    for (path, bytes) in files {
        match storage.put_new(&path, bytes).await? {
            PutOutcome::Created => created.push(path),
            PutOutcome::AlreadyExists => {
                // Somebody else is making it, and has every file that we have not.
                for path in created.iter().rev() {
                    storage.delete(path).await?;
                }
                return Err(branch_in_the_way(name));
            }
        }
    }
    Ok(())
}

/// Drops a branch. Data files that only it had stay, until orphan files are cleaned.
///
/// # Errors
/// `InvalidInput` when `name` cannot be a branch's, or tables are read from it where the main branch has nothing (option
/// `scan.fallback-branch`); `NotFound` (context `branch`).
pub async fn drop_branch(store: &TableStore, name: &str) -> Result<()> {
    check_name(name)?;
    if store.options().get("scan.fallback-branch") == Some(name) {
        let message = format!("cannot drop branch '{name}': option 'scan.fallback-branch' of the table names it");
        return Err(Error::invalid(message));
    }
    if !exists(store, name).await? {
        return Err(branch_missing(name));
    }
    // The newest schema last: while it is there, what the older ones were needed for is missed, not misread.
    if let Some(branch) = store.at_branch(Some(name)).await? {
        for id in branch.schema_ids().await? {
            store.storage().delete(&branch.paths().schema(id)).await?;
        }
    }
    store.storage().delete_dir(&TablePaths::branch_dir(name)).await
}

/// Gives a branch another name: in one step on local files, file after file on object stores.
///
/// # Errors
/// `InvalidInput` when one of them cannot be a branch's name; `NotFound` and `AlreadyExists` (context `branch`).
pub async fn rename_branch(store: &TableStore, from: &str, to: &str) -> Result<()> {
    check_name(from)?;
    check_name(to)?;
    if !exists(store, from).await? {
        return Err(branch_missing(from));
    }
    match store.storage().rename_dir(&TablePaths::branch_dir(from), &TablePaths::branch_dir(to)).await {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(branch_in_the_way(to).with_source(error)),
        other => other,
    }
}

/// Whether a branch has a folder with something in it.
async fn exists(store: &TableStore, name: &str) -> Result<bool> {
    store.storage().dir_exists(&TablePaths::branch_dir(name)).await
}

fn check_name(name: &str) -> Result<()> {
    validate_name("branch", name)?;
    // Names in identifiers are not told apart by case here.
    if name.eq_ignore_ascii_case(TablePaths::MAIN_BRANCH) {
        return Err(Error::invalid(format!("Branch name '{name}' is the default branch and cannot be used.")));
    }
    Ok(())
}

fn branch_missing(name: &str) -> Error {
    Error::not_found(format!("Branch name '{name}' doesn't exist.")).with_context("branch", name)
}

fn branch_in_the_way(name: &str) -> Error {
    Error::new(ErrorKind::AlreadyExists, format!("Branch name '{name}' already exists.")).with_context("branch", name)
}
