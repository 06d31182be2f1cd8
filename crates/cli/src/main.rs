//! `bulkhead`: the command line of Policy Compute Engines, Bulkhead and others of the same API.
//!
//! Standard output is data, everything else goes to the error stream. See `cli` for what can be typed,
//! `noun` for how the nouns follow from the API's description, `error` for the exit codes.

mod auth;
mod bulk;
mod cli;
mod complete;
mod context;
mod error;
mod exchange;
mod explain;
mod noun;
mod output;
mod policy;
mod profile;
mod state;
mod tools;

use clap::FromArgMatches;
use std::process::ExitCode;

fn main() -> ExitCode {
    clap_complete::CompleteEnv::with_factory(cli::command).complete();
    let matches = cli::command().get_matches();
    let global = context::Global::from_arg_matches(&matches).unwrap_or_default();
    log(global.verbose);
    let cx = context::Context::new(global);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(cli::run(&cx, &matches)),
        Err(e) => Err(error::Failure::failed(format!("cannot start: {e}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Logs to the error stream as often as `-v` was given; calls are logged without bodies and secrets.
fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => "bulkhead_sdk=debug",
        _ => "bulkhead_sdk=trace",
    };
    tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).init();
}
