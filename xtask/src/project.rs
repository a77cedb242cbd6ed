//! Where things are, and running programs with progress.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use xshell::{Cmd, Shell};

/// The workspace's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest).to_path_buf()
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// A shell that stands in the root.
pub(crate) fn shell() -> Result<Shell> {
    let shell = Shell::new().context("start a shell")?;
    shell.change_dir(root());
    Ok(shell)
}

/// Runs `command` as a named step: its output passes through, and the time it took follows.
#[expect(clippy::disallowed_methods, reason = "a development command may look at the clock")]
pub(crate) fn step(name: &str, command: Cmd<'_>) -> Result<()> {
    println!("\n=== {name}");
    let started = Instant::now();
    command.quiet().run().with_context(|| format!("step `{name}` did not pass"))?;
    println!("--- {name}: {:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
