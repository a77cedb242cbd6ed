//! `cargo xtask bench`: our wheel beside its peers and the floor of the same work, in one run.

use anyhow::Result;
use clap::Args;
use xshell::cmd;

use crate::conformance::PEERS;
use crate::project::{self, step};
use crate::python::{DAFT, Environment};
use crate::wheel::{self, Profile};

#[derive(Args)]
pub(crate) struct Options {
    /// Workloads by name, comma-separated; all when absent
    #[arg(long)]
    workloads: Option<String>,
    /// Rounds of each workload; medians are reported
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Factor on all sizes, for trying the harness
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let shell = project::shell()?;
    let wheel = wheel::build(&shell, Profile::Release)?;
    let ours = Environment::with_packages(
        &shell,
        "bench",
        &[DAFT, "backports.zstd", "fastavro", "numpy", "pyarrow", "zstandard"],
    )?;
    ours.install_wheel(&shell, &wheel)?;
    let mut packages = PEERS.to_vec();
    packages.extend(["backports.zstd", "fastavro", "zstandard"]);
    let peers = Environment::with_packages(&shell, "bench-peers", &packages)?;
    let (ours, peers) = (ours.python(), peers.python());
    let work = project::target().join("bench");
    let (rounds, scale) = (options.rounds.to_string(), options.scale.to_string());
    let mut command = cmd!(
        shell,
        "{peers} xtask/bench/compare.py --ours {ours} --peers {peers} --work {work} --rounds {rounds} --scale {scale}"
    );
    if let Some(workloads) = &options.workloads {
        command = command.args(["--workloads", workloads]);
    }
    step("bench", command)
}
