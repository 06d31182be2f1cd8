//! Chores of the workspace that a machine can do or check: `cargo xtask --help`.
//!
//! Every command prints what is wrong and what to do about it, and ends with a non-zero status
//! when a rule is broken. Rules live here rather than in a page of prose, so that a change that
//! breaks one fails before it is reviewed.

mod deps;
mod generate;
mod repo;
mod report;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::repo::{Repo, RepoError};
use crate::report::Report;

const EXAMPLES: &str = "\
Examples:
  cargo xtask tidy          # file lengths, whitespace, links, left-over markers
  cargo xtask check-deps    # which crate may use which
  cargo xtask generate      # rewrite docs/reference from the operation table
  cargo xtask check         # all of the above, changing nothing; what CI runs";

/// Chores of the Bulkhead workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Check lengths, whitespace, names, links and left-over markers of the repository's files.
    #[command(after_help = "Example:\n  cargo xtask tidy")]
    Tidy,
    /// Check that crates depend only on what the table in xtask/src/deps/table.rs allows.
    #[command(after_help = "Example:\n  cargo xtask check-deps")]
    CheckDeps,
    /// Write docs/reference from the operation table, the resource descriptors and the limits.
    #[command(after_help = "Example:\n  cargo xtask generate && git diff docs/reference")]
    Generate,
    /// Run tidy and check-deps, and compare docs/reference with what generate would write.
    #[command(after_help = "Example:\n  cargo xtask check")]
    Check,
}

/// Why a command could not be carried out at all, as opposed to finding a broken rule.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error(transparent)]
    Repo(#[from] RepoError),
    #[error(transparent)]
    Deps(#[from] deps::DepsError),
    #[error(transparent)]
    Generate(#[from] generate::GenerateError),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    match run(command) {
        Ok(report) => report.finish(),
        Err(error) => report::fail(&error),
    }
}

fn run(command: Command) -> Result<Report, TaskError> {
    let repo = Repo::find()?;
    let mut report = Report::default();
    match command {
        Command::Tidy => tidy::check(&repo, &mut report)?,
        Command::CheckDeps => deps::check(&repo, &mut report)?,
        Command::Generate => generate::write(&repo, &mut report)?,
        Command::Check => {
            tidy::check(&repo, &mut report)?;
            deps::check(&repo, &mut report)?;
            generate::check(&repo, &mut report)?;
        }
    }
    Ok(report)
}
