//! Cases: finding them, and reading their tables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use futures::TryStreamExt;
use paimon_io::testkit::ManualClock;
use paimon_io::{FileSnapshotCommit, IoContext, MetadataCache, Storage, TableStore};
use paimon_merge::ReadRequest;
use paimon_scan::{ReadPoint, ScanRequest};
use serde::Deserialize;

use crate::render_rows;

/// One golden table.
#[derive(Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// Who wrote it, with the version.
    pub writer: String,
    /// What reading it gives.
    pub expect: Expect,
    folder: PathBuf,
}

/// What reading a case gives.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The rows of this file.
    Rows(PathBuf),
    /// An error of kind `Unsupported` whose text has this in it; the case fails when the feature arrives.
    Unsupported(String),
}

#[derive(Deserialize)]
struct CaseFile {
    writer: String,
    expect: Expect,
}

/// All cases below `folder`, by name.
///
/// # Errors
/// When a folder cannot be listed, or a `case.toml` does not say what it should.
pub fn cases(folder: &Path) -> Result<Vec<Case>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let folder = entry?.path();
        let file = folder.join("case.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let CaseFile { writer, expect } = toml::from_str(&text).with_context(|| format!("read {}", file.display()))?;
        let name = folder.file_name().context("a case without a name")?.to_string_lossy().into_owned();
        found.push(Case { name, writer, expect, folder });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

impl Case {
    /// The rows that our crates read, spelt as in `expected.rows`, sorted.
    ///
    /// # Errors
    /// Whatever planning and reading give.
    pub async fn read(&self) -> Result<Vec<String>, paimon_spec::Error> {
        let context = IoContext::new(Arc::new(ManualClock::new(0)), MetadataCache::new(16 << 20));
        let url = self.folder.join("table").display().to_string();
        let storage = Storage::open(&url, &BTreeMap::new(), &context)?;
        let store = TableStore::open(storage, None, Arc::new(FileSnapshotCommit), context).await?;
        let plan = paimon_scan::plan(&store, &ScanRequest { at: ReadPoint::Latest, ..ScanRequest::default() }).await?;
        let mut rows = Vec::new();
        for split in &plan.splits {
            let batches: Vec<_> =
                paimon_merge::read(&store, split, &ReadRequest::default()).await?.try_collect().await?;
            for batch in &batches {
                rows.extend(render_rows(batch, &store.schema().fields)?);
            }
        }
        rows.sort_unstable();
        Ok(rows)
    }

    /// The rows that the writer read, sorted.
    ///
    /// # Errors
    /// When the file of the expected rows is missing or empty.
    pub fn expected_rows(&self, file: &Path) -> Result<Vec<String>> {
        let path = self.folder.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        ensure!(!rows.is_empty(), "{} holds no rows", path.display());
        rows.sort_unstable();
        Ok(rows)
    }
}
