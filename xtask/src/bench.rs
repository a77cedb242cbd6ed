//! `cargo xtask bench`: our wheel beside its peers and the floor of the same work, in one run.

use std::path::Path;

use anyhow::Result;
use clap::{Args, ValueEnum};
use xshell::{Shell, cmd};

use crate::conformance::PEERS;
use crate::project::{self, step};
use crate::python::{DAFT, Environment};
use crate::wheel::{self, Profile};

#[derive(Args)]
pub(crate) struct Options {
    /// Which parts to run
    #[arg(long, value_delimiter = ',', default_values = ["time", "requests", "planning", "merging", "memory", "ingest"])]
    parts: Vec<Part>,
    /// Workloads of the part `time` by name, comma-separated; all when absent
    #[arg(long)]
    workloads: Option<String>,
    /// Rounds of each workload; medians are reported
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Factor on the sizes of the parts `time` and `merging`, for trying the harness
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Seconds and bytes of reads and writes on local files
    Time,
    /// HTTP requests on an S3 server of this machine, and how many follow one another
    Requests,
    /// Planning tables of up to a million files, drawn as a curve
    Planning,
    /// Merged reads of up to 20 million rows and of up to 50 runs, drawn as curves
    Merging,
    /// Memory of writing and reading a bucket of ten times the write buffer
    Memory,
    /// Memory of writing 2 GB of files as blobs
    Ingest,
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
    packages.extend(["backports.zstd", "boto3", "fastavro", "moto[server]", "zstandard"]);
    let peers = Environment::with_packages(&shell, "bench-peers", &packages)?;
    let (ours, peers) = (ours.python(), peers.python());
    let work = project::target().join("bench");
    let report = work.join("report");
    for part in &options.parts {
        match part {
            Part::Time => time(&shell, options, &ours, &peers, &work)?,
            Part::Requests => step(
                "requests on object storage",
                cmd!(
                    shell,
                    "{peers} xtask/bench/s3_requests.py --ours {ours} --peers {peers} --tables {work}/small --report {report}"
                ),
            )?,
            Part::Planning => planning(&shell, &ours, &work, &report)?,
            Part::Merging => {
                let scale = options.scale.to_string();
                step(
                    "merging up to 20 million rows",
                    cmd!(
                        shell,
                        "{ours} xtask/bench/merging.py --ours {ours} --peers {peers} --work {work}/merging --report {report} --scale {scale}"
                    ),
                )?;
            }
            Part::Memory => step(
                "memory of a bucket",
                cmd!(shell, "{ours} xtask/bench/memory.py --work {work}/memory --report {report}"),
            )?,
            Part::Ingest => step(
                "memory of an ingest",
                cmd!(shell, "{ours} xtask/bench/ingest.py --work {work}/ingest --report {report}"),
            )?,
        }
    }
    Ok(())
}

fn time(shell: &Shell, options: &Options, ours: &Path, peers: &Path, work: &Path) -> Result<()> {
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

fn planning(shell: &Shell, ours: &Path, work: &Path, report: &Path) -> Result<()> {
    step("build", cmd!(shell, "cargo build --workspace --locked --release --bin planning"))?;
    let planner = project::target().join("release").join("planning");
    step(
        "planning up to a million files",
        cmd!(
            shell,
            "{ours} xtask/bench/planning.py --planner {planner} --ours {ours} --work {work}/planning --report {report}"
        ),
    )
}
