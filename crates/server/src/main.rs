//! `bulkhead-pce`: parses the command line and runs it.

use bulkhead_server::config::Cli;
use bulkhead_server::run;
use clap::Parser;
use mimalloc::MiMalloc;
use std::io::Write;
use std::process::ExitCode;

// Documents are many small pieces: the system's allocator takes a third of the time of a write or start.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run::command(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            let mut text = format!("bulkhead-pce: {e}");
            let mut source = std::error::Error::source(&e);
            while let Some(s) = source {
                text.push_str(&format!(": {s}"));
                source = s.source();
            }
            // Nothing is left to report a failure of the error stream to.
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::FAILURE
        }
    }
}
