//! `cargo xtask demo`: the main job, from nothing, on a local warehouse.

use anyhow::{Context, Result};
use xshell::cmd;

use crate::project;
use crate::python::{DAFT, Environment};
use crate::wheel::{self, Profile};

pub(crate) fn run() -> Result<()> {
    let shell = project::shell()?;
    let wheel = wheel::build(&shell, Profile::Dev)?;
    let environment = Environment::with_packages(&shell, "demo", &[DAFT, "pyarrow"])?;
    environment.install_wheel(&shell, &wheel)?;
    let python = environment.python();
    let warehouse = project::target().join("demo-warehouse");
    println!("\n=== demo");
    cmd!(shell, "{python} xtask/src/demo.py {warehouse}").quiet().run().context("the demo did not pass")?;
    Ok(())
}
