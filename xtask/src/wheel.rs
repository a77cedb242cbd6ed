//! `cargo xtask wheel`: builds the wheel, installs it in a fresh environment and tries it there.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use clap::Args;
use xshell::{Shell, cmd};

use crate::project;
use crate::python::Environment;

/// The largest wheel that is released, in bytes.
const LARGEST_WHEEL: u64 = 25_000_000;

#[derive(Args)]
pub(crate) struct Options {
    /// With optimisations, as for users; without it the tests' profile is used
    #[arg(long)]
    release: bool,
    /// A source distribution too, from which the wheel is built
    #[arg(long)]
    sdist: bool,
}

/// Which build a wheel is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What the tests use: quick to build.
    Dev,
    /// What users get.
    Release,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let shell = project::shell()?;
    let profile = if options.release { Profile::Release } else { Profile::Dev };
    if options.sdist {
        let maturin = tools(&shell, profile)?.program("maturin");
        let folder = project::target().join("wheels").join("sdist");
        println!("\n=== source distribution");
        cmd!(shell, "{maturin} sdist --manifest-path paimon-py/Cargo.toml --out {folder}").run()?;
    }
    let wheel = build(&shell, profile)?;
    let bytes = fs::metadata(&wheel)?.len();
    println!("\n{} ({:.1} MB)", wheel.display(), bytes as f64 / 1e6);
    if profile == Profile::Release {
        ensure!(bytes < LARGEST_WHEEL, "the wheel has {bytes} bytes; at most {LARGEST_WHEEL} are wanted");
    }

    let environment = Environment::with_packages(&shell, "wheel", &["pyarrow"])?;
    environment.install_wheel(&shell, &wheel)?;
    let python = environment.python();
    let script = "xtask/conformance/read_golden.py";
    println!("\n=== a golden table through the wheel");
    cmd!(shell, "{python} {script}").run().context("the wheel did not read a golden table")?;
    println!("\n=== the end of an interpreter that is at work");
    let script = "xtask/conformance/leave_while_reading.py";
    cmd!(shell, "{python} {script}").run().context("a process that ends while a thread reads crashes")?;
    Ok(())
}

/// Builds the wheel and gives its path.
pub(crate) fn build(shell: &Shell, profile: Profile) -> Result<PathBuf> {
    let tools = tools(shell, profile)?;
    let maturin = tools.program("maturin");
    let (name, folder) = match profile {
        Profile::Dev => ("dev", project::target().join("wheels").join("dev")),
        Profile::Release => ("release", project::target().join("wheels").join("release")),
    };
    let target = project::target();
    println!("\n=== wheel ({name} profile)");
    let mut command = cmd!(
        shell,
        "{maturin} build --profile {name} --locked --manifest-path paimon-py/Cargo.toml --target-dir {target} --out {folder}"
    );
    if profile == Profile::Release && cfg!(target_os = "linux") {
        // Zig links against the old glibc whatever this machine has; maturin looks for it beside the first Python.
        command = command.args(["--zig", "--compatibility", "manylinux_2_28"]).env("PATH", tools.path()?);
    }
    command.quiet().run().context("maturin could not build the wheel")?;
    newest_wheel(&folder)
}

fn tools(shell: &Shell, profile: Profile) -> Result<Environment> {
    match profile {
        Profile::Dev => Environment::with_packages(shell, "build", &["maturin==1.16.0"]),
        Profile::Release => Environment::with_packages(shell, "build-release", &["maturin==1.16.0", "ziglang==0.15.1"]),
    }
}

fn newest_wheel(folder: &PathBuf) -> Result<PathBuf> {
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "whl") {
            let modified = entry.metadata()?.modified()?;
            if newest.as_ref().is_none_or(|(time, _)| modified > *time) {
                newest = Some((modified, entry.path()));
            }
        }
    }
    newest.map(|(_, path)| path).with_context(|| format!("maturin left no wheel in {}", folder.display()))
}
