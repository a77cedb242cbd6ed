//! `cargo xtask tidy`: what the compiler cannot check.
//!
//! Layers against `xtask/layers.toml`, words a crate may not name, and leftovers. Long files are listed, not refused.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use xshell::cmd;

use crate::project;

/// Files with more code lines than this are listed.
const LONG_FILE: usize = 600;

/// Text that no source file may hold, with what to do instead. Spelt in parts, so that this file passes.
const LEFTOVERS: &[(&str, &str)] = &[
    (concat!("todo", "!("), "finish it"),
    (concat!("unimplemented", "!("), "finish it, or return an Unsupported error"),
    (concat!("#[", "ignore]"), "give the reason: #[ignore = \"...\"]"),
    (concat!("FIX", "ME"), "fix it"),
    (concat!("mod ", "utils"), "name the thing"),
    (concat!("mod ", "helpers"), "name the thing"),
];

#[derive(Deserialize)]
struct Layer {
    layer: u32,
    depends_on: BTreeSet<String>,
    never: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
    description: Option<String>,
    license: Option<String>,
    rust_version: Option<String>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<PathBuf>,
}

pub(crate) fn run() -> Result<()> {
    println!("\n=== tidy");
    let shell = project::shell()?;
    let layers: BTreeMap<String, Layer> =
        toml::from_str(&shell.read_file("xtask/layers.toml")?).context("read xtask/layers.toml")?;
    let metadata: Metadata =
        serde_json::from_str(&cmd!(shell, "cargo metadata --format-version 1 --no-deps --locked").quiet().read()?)?;

    let mut problems = Vec::new();
    for package in &metadata.packages {
        check_manifest(package, &layers, &mut problems);
    }
    let mut long_files = Vec::new();
    for package in &metadata.packages {
        let folder = package.manifest_path.parent().context("a manifest without a folder")?;
        let never = layers.get(&package.name).map_or(&[][..], |layer| &layer.never);
        for file in sources(&folder.join("src"))? {
            check_source(&file, never, &mut problems, &mut long_files)?;
        }
    }
    for (lines, file) in &long_files {
        println!("note: {file} has {lines} lines of code; is it still one idea?");
    }
    if !problems.is_empty() {
        bail!("{} to mend:\n  {}", problems.len(), problems.join("\n  "));
    }
    println!("--- tidy: {} crates", metadata.packages.len());
    Ok(())
}

fn check_manifest(package: &Package, layers: &BTreeMap<String, Layer>, problems: &mut Vec<String>) {
    let name = &package.name;
    let Some(layer) = layers.get(name) else {
        problems.push(format!("{name}: xtask/layers.toml does not name this crate"));
        return;
    };
    for (what, present) in [
        ("description", package.description.is_some()),
        ("license", package.license.is_some()),
        ("rust-version", package.rust_version.is_some()),
    ] {
        if !present {
            problems.push(format!("{name}: Cargo.toml has no {what}"));
        }
    }
    for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
        // A crate may test itself with its own features or with lower layers, whatever its ordinary edges are.
        let allowed = layer.depends_on.contains(&dependency.name)
            || (dependency.kind.as_deref() == Some("dev")
                && layers.get(&dependency.name).is_some_and(|lower| lower.layer <= layer.layer));
        if !allowed {
            problems.push(format!("{name}: the edge to {} is not in xtask/layers.toml", dependency.name));
        }
    }
    for lower in &layer.depends_on {
        if layers.get(lower).is_none_or(|other| other.layer >= layer.layer) {
            problems.push(format!("{name}: xtask/layers.toml lets it see {lower}, which is not of a lower layer"));
        }
    }
}

fn check_source(
    file: &Path,
    never: &[String],
    problems: &mut Vec<String>,
    long_files: &mut Vec<(usize, String)>,
) -> Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let shown = file.strip_prefix(project::root()).unwrap_or(file).display().to_string();
    let is_test_file = file.components().any(|part| part.as_os_str() == "tests")
        || file.file_stem().is_some_and(|stem| stem == "tests");
    let mut code_lines = 0;
    let mut in_tests = is_test_file;
    for (index, line) in text.lines().enumerate() {
        in_tests |= line.trim_start().starts_with("#[cfg(test)]");
        let code = line.split("//").next().unwrap_or_default();
        if !code.trim().is_empty() && !in_tests {
            code_lines += 1;
        }
        let place = format!("{shown}:{}", index + 1);
        for (leftover, remedy) in LEFTOVERS {
            if code.contains(leftover) {
                problems.push(format!("{place}: `{leftover}`: {remedy}"));
            }
        }
        if !in_tests {
            for word in never.iter().filter(|word| names(code, word)) {
                problems.push(format!("{place}: this crate may not name `{word}` (xtask/layers.toml)"));
            }
        }
    }
    if code_lines > LONG_FILE {
        long_files.push((code_lines, shown));
    }
    Ok(())
}

/// Whether `code` names `word` outside a string literal and not as a part of a longer name.
fn names(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(start, _)| {
        let inside_string = code[..start].matches('"').count() % 2 == 1;
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].chars().next();
        let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !inside_string && !is_part(before) && !is_part(after)
    })
}

fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(sources(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_word_counts_only_as_a_whole_name_outside_strings() {
        assert!(names("use tokio::sync;", "tokio"));
        assert!(!names("let tokio_like = 1;", "tokio"));
        assert!(!names("error(\"tokio\")", "tokio"));
        assert!(names("f(\"x\", tokio)", "tokio"));
    }
}
