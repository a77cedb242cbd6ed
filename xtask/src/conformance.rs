//! `cargo xtask conformance`: the same tables through other implementations.
//!
//! Golden tables are read by the crates (`xtask/conformance`, a package of its own). Random tables are written by our
//! wheel and read by pypaimon and pypaimon-rust, and the reverse; the peers live in a virtual environment of their own.
//! Last, several processes write at once, and writers are killed at each of their file operations.

use anyhow::Result;
use clap::Args;
use xshell::cmd;

use crate::project::{self, step};
use crate::python::{DAFT, Environment};
use crate::wheel::{self, Profile};

/// The peers, as published. Three equality signs, because our own version differs only in its local part, which two
/// ignore.
pub(crate) const PEERS: &[&str] = &["pypaimon===2.1.0", "pypaimon-rust==0.4.0", DAFT, "pandas", "pyarrow"];

#[derive(Args)]
pub(crate) struct Options {
    /// Only golden tables, which need no Python
    #[arg(long)]
    golden: bool,
    /// Random tables in each direction
    #[arg(long, default_value_t = 12)]
    seeds: u32,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first_seed: u32,
    /// Rounds of concurrent writers
    #[arg(long, default_value_t = 1)]
    rounds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { golden: false, seeds: 12, first_seed: 1, rounds: 1 }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let shell = project::shell()?;
    step("golden tables", cmd!(shell, "cargo test --workspace --locked --test golden"))?;
    if options.golden {
        return Ok(());
    }
    let wheel = wheel::build(&shell, Profile::Dev)?;
    let ours = Environment::with_packages(&shell, "conformance", &["pyarrow", "pandas"])?;
    ours.install_wheel(&shell, &wheel)?;
    let peers = Environment::with_packages(&shell, "peers", PEERS)?;
    let (ours, peers) = (ours.python(), peers.python());
    let (first, seeds) = (options.first_seed.to_string(), options.seeds.to_string());
    let work = project::target().join("conformance");
    step(
        "random tables, ours and the peers'",
        cmd!(
            shell,
            "{ours} xtask/conformance/interop/run.py --ours {ours} --peers {peers} --work {work} --first-seed {first} --seeds {seeds}"
        ),
    )?;
    let (work, rounds) = (project::target().join("reliability"), options.rounds.to_string());
    step(
        "concurrent and killed writers",
        cmd!(
            shell,
            "{ours} xtask/conformance/reliability/run.py --ours {ours} --peers {peers} --work {work} --rounds {rounds}"
        ),
    )
}
