//! `bulkhead-bench`: measures the server beside its limits and prints the ratios.
//!
//! Every row is measured against a peer or limit in the same run, in turns, and its median is told.
//! `bench/run.sh` builds everything in release form and writes `bench/results.json`.

mod api;
mod bare;
mod engine;
mod load;
mod process;
mod report;
mod start;
mod world;
mod writes;

use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;
use std::path::PathBuf;
use std::process::ExitCode;

// As in the server, so that the bare handler has the same means.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures Bulkhead's server.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  bulkhead-bench run --out bench/results.json\n  bulkhead-bench run --only A2 --workloads 1000 --rules 500"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure and report.
    Run {
        /// File to write the figures to.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Only rows whose id begins so.
        #[arg(long, default_value = "")]
        only: String,
        /// Workloads of the sample organisation.
        #[arg(long, default_value_t = 100_000)]
        workloads: usize,
        /// Rules of the sample organisation.
        #[arg(long, default_value_t = 75_000)]
        rules: usize,
        /// The server's binary; default: beside this one.
        #[arg(long)]
        server: Option<PathBuf>,
        /// A sample organisation made before by `make`; the runs change it. Default: a new one.
        #[arg(long)]
        data: Option<PathBuf>,
    },
    /// Make the sample organisation in a directory.
    #[command(hide = true)]
    Make {
        /// The directory.
        dir: PathBuf,
        /// Workloads.
        workloads: usize,
        /// Rules.
        rules: usize,
    },
    /// Answer every request with the bytes of a file: the peer of row A1.
    #[command(hide = true)]
    Bare {
        /// The file.
        body: PathBuf,
    },
}

/// Why a measurement failed.
#[derive(Debug, thiserror::Error)]
enum BenchError {
    /// A file or process.
    #[error("{0}")]
    Io(String, #[source] std::io::Error),
    /// The server.
    #[error("{0}")]
    Server(String),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(r) => r,
        Err(e) => return fail(&BenchError::Io("cannot start".into(), e)),
    };
    let result = match cli.command {
        Command::Make { dir, workloads, rules } => world::make(&dir, workloads, rules),
        Command::Bare { body } => runtime.block_on(bare::serve(&body)),
        Command::Run { out, only, workloads, rules, server, data } => {
            let plan = process::Plan { only, workloads, rules, server };
            run(&runtime, &plan, (data, out.as_deref()))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e),
    }
}

fn run(
    runtime: &tokio::runtime::Runtime,
    plan: &process::Plan,
    (data, out): (Option<PathBuf>, Option<&std::path::Path>),
) -> Result<(), BenchError> {
    let mut report = report::Report::default();
    engine::measure(plan, &mut report);
    if ["A1", "A2", "A3"].iter().any(|id| plan.wants(id)) {
        server(runtime, plan, data, &mut report)?;
    }
    report.print();
    match out {
        Some(path) => report.write(path),
        None => Ok(()),
    }
}

/// The rows that need a server.
fn server(
    runtime: &tokio::runtime::Runtime,
    plan: &process::Plan,
    data: Option<PathBuf>,
    report: &mut report::Report,
) -> Result<(), BenchError> {
    let made = if data.is_none() { Some(world::build(plan)?) } else { None };
    let data = made.as_ref().map(|d| d.path().to_owned()).or(data).unwrap_or_default();
    if plan.wants("A3") {
        start::measure(plan, &data, report)?;
    }
    if plan.wants("A1") {
        runtime.block_on(api::measure(plan, &data, report))?;
    }
    if plan.wants("A2") {
        runtime.block_on(writes::measure(plan, &data, report))?;
    }
    Ok(())
}

fn fail(e: &BenchError) -> ExitCode {
    use std::io::Write;
    let source = std::error::Error::source(e).map(|s| format!(": {s}")).unwrap_or_default();
    // Nothing is left to report a failure of the error stream to.
    let _ = writeln!(std::io::stderr(), "bulkhead-bench: {e}{source}");
    ExitCode::FAILURE
}
