//! `cargo xtask docs`: API documentation of the crates.

use anyhow::Result;
use xshell::cmd;

use crate::project;

pub(crate) fn run() -> Result<()> {
    let shell = project::shell()?;
    let _flags = shell.push_env("RUSTDOCFLAGS", "-D warnings");
    project::step("rustdoc", cmd!(shell, "cargo doc --workspace --no-deps --locked"))?;
    println!("\n{}", project::target().join("doc/paimon_spec/index.html").display());
    Ok(())
}
