//! Development commands: `cargo xtask <command>`.
//!
//! One file per command. This crate depends on none of ours, so `cargo xtask tidy` starts at once on a tree that does
//! not compile.

mod bench;
mod conformance;
mod demo;
mod docs;
mod project;
mod python;
mod test;
mod tidy;
mod wheel;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development commands of this workspace")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The main job from nothing: environment, wheel, Daft, write, read, print
    Demo,
    /// Every check: format, layers, lints, unit, doc, Python and conformance tests
    Test(test::Options),
    /// Layer rules and manifest hygiene
    Tidy,
    /// Builds the wheel and tries it in a fresh environment
    Wheel(wheel::Options),
    /// Times our wheel beside its peers and the floor of the same work
    Bench(bench::Options),
    /// Golden tables, and random tables exchanged with other implementations
    Conformance(conformance::Options),
    /// API documentation, with warnings as errors
    Docs,
}

fn main() {
    let result = match Arguments::parse().command {
        Command::Demo => demo::run(),
        Command::Test(options) => test::run(&options),
        Command::Tidy => tidy::run(),
        Command::Wheel(options) => wheel::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Conformance(options) => conformance::run(&options),
        Command::Docs => docs::run(),
    };
    if let Err(error) = result {
        eprintln!("\nerror: {error:#}");
        std::process::exit(1);
    }
}
