//! `cargo xtask test`: everything, in the order in which mistakes are cheapest to find.

use anyhow::Result;
use clap::Args;
use xshell::cmd;

use crate::conformance;
use crate::project::{self, step};
use crate::python::{DAFT, Environment};
use crate::tidy;
use crate::wheel::{self, Profile};

#[derive(Args)]
pub(crate) struct Options {
    /// Only what needs no Python
    #[arg(long)]
    rust_only: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let shell = project::shell()?;
    step("format", cmd!(shell, "cargo fmt --all --check"))?;
    tidy::run()?;
    step("lints", cmd!(shell, "cargo clippy --workspace --all-targets --locked -- -D warnings"))?;
    step("unit and integration tests", cmd!(shell, "cargo test --workspace --locked --lib --bins --tests"))?;
    step("documentation tests", cmd!(shell, "cargo test --workspace --locked --doc"))?;
    if options.rust_only {
        return Ok(());
    }

    let wheel = wheel::build(&shell, Profile::Dev)?;
    let environment = Environment::with_packages(
        &shell,
        "test",
        &[DAFT, "duckdb", "moto[server]", "mypy", "pandas", "pillow", "pyarrow", "pytest", "ray[data]", "ruff"],
    )?;
    environment.install_wheel(&shell, &wheel)?;
    let python = environment.python();
    step("Python lints", cmd!(shell, "{python} -m ruff check paimon-py xtask"))?;
    step("Python format", cmd!(shell, "{python} -m ruff format --check paimon-py xtask"))?;
    step("stubs", cmd!(shell, "{python} -m mypy.stubtest pypaimon._native"))?;
    step("Python tests", cmd!(shell, "{python} -m pytest paimon-py/tests"))?;
    conformance::run(&conformance::Options::default())
}
