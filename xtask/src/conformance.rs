//! `cargo xtask conformance`: the same tables through other implementations.
//!
//! Golden tables are read by the crates (`xtask/conformance`, a package of its own). Random tables are written by our
//! wheel and read by pypaimon and pypaimon-rust, and the reverse; the peers live in a virtual environment of their own.
//! Histories of tables with primary keys go the same ways, step by step, and are judged by a model; so do those of tables
//! that are compacted, and of tables with row tracking and blobs.
//! With `--with-java` the same goes through Java Paimon, whose driver Maven builds; without it, or on a machine without
//! JDK and Maven, Java is reported as absent. Last, several processes write at once, on local files and on an S3 that
//! loses answers, writers are killed at each of their file operations, and tables are read, written and compacted of which
//! a file is damaged, or whose descriptors point where they may not.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use xshell::{Cmd, Shell, cmd};

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
    /// Random histories of tables with primary keys, by each set of writers
    #[arg(long, default_value_t = 4)]
    keyed_seeds: u32,
    /// Random histories of tables that are compacted, by each set of writers
    #[arg(long, default_value_t = 8)]
    compact_seeds: u32,
    /// Random histories of tables with row tracking and blobs, by each set of writers
    #[arg(long, default_value_t = 8)]
    blob_seeds: u32,
    /// The first seed
    #[arg(long, default_value_t = 1)]
    first_seed: u32,
    /// Random tables through Java Paimon as well; needs a JDK and Maven
    #[arg(long)]
    with_java: bool,
    /// Rounds of concurrent writers
    #[arg(long, default_value_t = 1)]
    rounds: u32,
    /// Upserts of each writer of a table that is compacted meanwhile
    #[arg(long, default_value_t = 3)]
    compacted_upserts: u32,
    /// Of the file operations of a compaction, each of this distance is killed; 1: all
    #[arg(long, default_value_t = 15)]
    every_nth_kill: u32,
    /// Commits on S3 over a bad connection
    #[arg(long, default_value_t = 16)]
    s3_commits: u32,
    /// Files to damage, one table each
    #[arg(long, default_value_t = 150)]
    damages: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            golden: false,
            seeds: 12,
            keyed_seeds: 4,
            compact_seeds: 8,
            blob_seeds: 8,
            first_seed: 1,
            with_java: false,
            rounds: 1,
            compacted_upserts: 3,
            every_nth_kill: 15,
            s3_commits: 16,
            damages: 150,
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let shell = project::shell()?;
    step("golden tables", cmd!(shell, "cargo test --workspace --locked --test golden"))?;
    if options.golden {
        return Ok(());
    }
    let wheel = wheel::build(&shell, Profile::Dev)?;
    let ours = Environment::with_packages(&shell, "conformance", &[DAFT, "moto[server]", "pyarrow", "pandas"])?;
    ours.install_wheel(&shell, &wheel)?;
    let peers = Environment::with_packages(&shell, "peers", PEERS)?;
    let (ours, peers) = (ours.python(), peers.python());
    let (first, seeds) = (options.first_seed.to_string(), options.seeds.to_string());
    let work = project::target().join("conformance");
    let exchange = || {
        cmd!(
            shell,
            "{ours} xtask/conformance/interop/run.py --ours {ours} --peers {peers} --work {work} --first-seed {first} --seeds {seeds}"
        )
    };
    let (keyed_seeds, blob_seeds) = (options.keyed_seeds.to_string(), options.blob_seeds.to_string());
    let keyed = || {
        cmd!(
            shell,
            "{ours} xtask/conformance/interop/keyed_run.py --ours {ours} --peers {peers} --work {work} --first-seed {first} --seeds {keyed_seeds}"
        )
    };
    step("random tables, ours and the peers'", exchange())?;
    let visible =
        || cmd!(shell, "{ours} xtask/conformance/interop/visible.py --ours {ours} --peers {peers} --work {work}");
    step("random histories of keys, ours and the peers'", keyed())?;
    step("rows that everybody sees at once, in tables of ours", visible())?;
    let compact_seeds = options.compact_seeds.to_string();
    let compactions = || {
        cmd!(
            shell,
            "{ours} xtask/conformance/interop/compact_run.py --ours {ours} --peers {peers} --work {work} --first-seed {first} --seeds {compact_seeds}"
        )
    };
    step("random histories of compactions, ours and the peers'", compactions())?;
    let blobs = || {
        cmd!(
            shell,
            "{ours} xtask/conformance/interop/blob_run.py --ours {ours} --peers {peers} --work {work} --first-seed {first} --seeds {blob_seeds}"
        )
    };
    step("random histories of blobs, ours and the peers'", blobs())?;
    let java = java(&shell, options.with_java)?;
    if let Java::Driver(driver) = &java {
        step("random tables, ours and Java's", exchange().arg("--java").arg(driver))?;
        step("random histories of keys, ours and Java's", keyed().arg("--java").arg(driver))?;
        step("rows that everybody sees at once, Java too", visible().arg("--java").arg(driver))?;
        step("random histories of compactions, ours and Java's", compactions().arg("--java").arg(driver))?;
        step("random histories of blobs, ours and Java's", blobs().arg("--java").arg(driver))?;
        step(
            "plans of keyed tables, ours and Java's",
            cmd!(
                shell,
                "{ours} xtask/conformance/interop/keyed_splits.py --java {driver} --work {work} --first-seed {first} --seeds {seeds}"
            ),
        )?;
        step(
            "dynamic buckets, ours and Java's",
            cmd!(
                shell,
                "{ours} xtask/conformance/interop/dynamic_buckets.py --java {driver} --work {work} --first-seed {first}"
            ),
        )?;
    }
    step(
        "histories with branches, tags and increments",
        cmd!(
            shell,
            "{ours} xtask/conformance/interop/history.py --ours {ours} --peers {peers} --work {work} --first-seed {first} --seeds {seeds}"
        ),
    )?;
    let (work, rounds) = (project::target().join("reliability"), options.rounds.to_string());
    let (compacted, nth) = (options.compacted_upserts.to_string(), options.every_nth_kill.to_string());
    step(
        "concurrent and killed writers and compactions",
        cmd!(
            shell,
            "{ours} xtask/conformance/reliability/run.py --ours {ours} --peers {peers} --work {work} --rounds {rounds} --compacted-upserts {compacted} --every-nth-kill {nth}"
        ),
    )?;
    let (faulty, each) = (options.s3_commits.to_string(), (options.s3_commits / 8).clamp(1, 10).to_string());
    step(
        "writers on S3",
        cmd!(
            shell,
            "{ours} xtask/conformance/reliability/s3.py --ours {ours} --commits {each} --faulty {faulty} --seed {first}"
        ),
    )?;
    let (work, damages) = (project::target().join("damage"), options.damages.to_string());
    step(
        "damaged files",
        cmd!(
            shell,
            "{ours} xtask/conformance/damage/run.py --ours {ours} --work {work} --count {damages} --seed {first}"
        ),
    )?;
    for (what, kinds) in [
        ("damaged blob files", "blob"),
        ("damaged indexes, and pieces of compactions", "hashes,vectors,index-manifest,task,message"),
    ] {
        step(
            what,
            cmd!(
                shell,
                "{ours} xtask/conformance/damage/run.py --ours {ours} --work {work} --count {damages} --seed {first} --kinds {kinds}"
            ),
        )?;
    }
    step(
        "hostile descriptors",
        cmd!(shell, "{ours} xtask/conformance/damage/hostile.py --ours {ours} --peers {peers} --work {work}"),
    )?;
    if let Java::Absent(why) = java {
        println!("\nJava Paimon was absent and judged nothing but its golden tables: {why}");
    }
    Ok(())
}

/// Java Paimon as a peer.
enum Java {
    /// The jar of its driver.
    Driver(PathBuf),
    /// Why it takes no part.
    Absent(&'static str),
}

fn java(shell: &Shell, asked: bool) -> Result<Java> {
    if !asked {
        return Ok(Java::Absent("--with-java asks for it"));
    }
    let missing = |command: Cmd<'_>| command.quiet().ignore_stdout().ignore_stderr().run().is_err();
    if missing(cmd!(shell, "java -version")) || missing(cmd!(shell, "mvn -version")) {
        return Ok(Java::Absent("this machine has no `java` or no `mvn`"));
    }
    let build = project::target().join("java-driver");
    let folder = format!("-Dbuild.folder={}", build.display());
    step("Java driver", cmd!(shell, "mvn -q -B -f xtask/conformance/java {folder} package"))?;
    Ok(Java::Driver(build.join("driver.jar")))
}
