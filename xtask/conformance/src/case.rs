//! Cases: finding them, and what they expect.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Read, checksum};

/// One golden table.
#[derive(Debug)]
pub struct Case {
    /// The folder's name.
    pub name: String,
    /// Who wrote it, with the version.
    pub writer: String,
    /// What reading all of it gives.
    pub expect: Expect,
    pub(crate) folder: PathBuf,
    sha256: String,
    reads: Option<PathBuf>,
    /// Columns of arrays whose order the writer leaves to a hash map.
    pub(crate) unordered: Vec<String>,
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

/// What a writer was given in one commit, and the rows that it read afterwards.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// What each row does (`+I`, `-U`, `+U`, `-D`), and its values.
    pub upserts: Vec<Vec<Value>>,
    /// Rows spelt as in `expected.rows`.
    pub rows: Vec<Value>,
}

#[derive(Deserialize)]
struct CaseFile {
    writer: String,
    sha256: String,
    reads: Option<PathBuf>,
    #[serde(default)]
    unordered: Vec<String>,
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
        let CaseFile { writer, sha256, reads, unordered, expect } =
            toml::from_str(&text).with_context(|| format!("read {}", file.display()))?;
        let name = folder.file_name().context("a case without a name")?.to_string_lossy().into_owned();
        found.push(Case { name, writer, expect, folder, sha256, reads, unordered });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

impl Case {
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

    /// The further reads of the case: of tags, snapshots and branches, of the highest level, and with filters.
    ///
    /// # Errors
    /// When the file that the case names is missing, empty or not what it should be.
    pub fn reads(&self) -> Result<Vec<Read>> {
        self.reads.as_ref().map_or(Ok(Vec::new()), |file| json_lines(&self.folder.join(file)))
    }

    /// The commits of which the writer's table came; none where it is not said.
    ///
    /// # Errors
    /// When the file is empty or not what it should be.
    pub fn commits(&self) -> Result<Vec<Commit>> {
        let path = self.folder.join("commits.jsonl");
        if path.exists() { json_lines(&path) } else { Ok(Vec::new()) }
    }

    /// That the table's files are those that the writer left.
    ///
    /// # Errors
    /// When the checksum is another, or a file cannot be read.
    pub fn check_sha256(&self) -> Result<()> {
        let found = checksum::of_folder(&self.folder.join("table"))?;
        ensure!(found == self.sha256, "expected table/ with SHA-256 {}, found {found}", self.sha256);
        Ok(())
    }
}

/// The objects of a file that has one on each line.
fn json_lines<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    let parse = |line| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display()));
    let values = text.lines().map(parse).collect::<Result<Vec<T>>>()?;
    ensure!(!values.is_empty(), "{} holds nothing", path.display());
    Ok(values)
}
