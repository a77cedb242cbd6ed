//! The checksum of a folder: the SHA-256 of the lines that `sha256sum` prints for its files, sorted by path.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// The checksum, in hex. Paths count as they are spelt below the folder, with `/` between their parts.
pub(crate) fn of_folder(folder: &Path) -> Result<String> {
    let mut lines = Vec::new();
    add_files(folder, "", &mut lines)?;
    lines.sort_unstable();
    let listing = lines.iter().fold(String::new(), |mut text, (path, sum)| {
        let _ = writeln!(text, "{sum}  {path}");
        text
    });
    Ok(hex(listing.as_bytes()))
}

fn add_files(folder: &Path, prefix: &str, lines: &mut Vec<(String, String)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            add_files(&entry.path(), &format!("{path}/"), lines)?;
        } else {
            let bytes = fs::read(entry.path()).with_context(|| format!("read {}", entry.path().display()))?;
            lines.push((path, hex(&bytes)));
        }
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
