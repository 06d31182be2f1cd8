//! Failures and the exit codes that scripts rely on.

use bulkhead_sdk::Error;
use std::error::Error as _;
use std::io::Write;
use std::process::ExitCode;

/// The result of every command.
pub(crate) type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Exit codes, as the manual lists them.
pub(crate) mod code {
    pub(crate) const FAILED: u8 = 1;
    pub(crate) const USAGE: u8 = 2;
    pub(crate) const DIFFERENCES: u8 = 3;
    pub(crate) const DENIED: u8 = 4;
    pub(crate) const BLOCKED: u8 = 5;
    pub(crate) const POTENTIALLY_BLOCKED: u8 = 6;
    pub(crate) const PENDING: u8 = 8;
}

/// What the exit codes mean, for the help.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 done; 1 failed; 2 wrong usage; 3 differences; \
    4 not signed in or not allowed; 5 blocked; 6 potentially blocked; 8 still pending; 130 interrupted.";

/// Why a command ends with another code than 0.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server or the way to it.
    #[error(transparent)]
    Sdk(#[from] Error),
    /// The command line or a file does not make sense.
    #[error("{0}")]
    Usage(String),
    /// Something else went wrong.
    #[error("{0}")]
    Failed(String),
    /// Output could not be written.
    #[error("cannot write: {0}")]
    Output(#[from] std::io::Error),
    /// All was said already; only the code is left.
    #[error("exit code {0}")]
    Code(u8),
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn failed(text: impl Into<String>) -> Self {
        Self::Failed(text.into())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Code(code) => *code,
            Self::Usage(_) => code::USAGE,
            Self::Sdk(Error::Config(_) | Error::Invalid { .. }) => code::USAGE,
            Self::Sdk(error) if matches!(error.status(), Some(401 | 403)) => code::DENIED,
            Self::Sdk(_) | Self::Failed(_) | Self::Output(_) => code::FAILED,
        }
    }

    /// Tells what happened on the error stream and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        let code = ExitCode::from(self.code());
        if matches!(self, Self::Code(_)) {
            return code;
        }
        // `bulkhead ... | head` closes our output; that is no failure to speak of.
        if matches!(self, Self::Output(e) if e.kind() == std::io::ErrorKind::BrokenPipe) {
            return ExitCode::SUCCESS;
        }
        let mut text = String::new();
        match self {
            Self::Sdk(error) => describe(error, &mut text),
            other => text.push_str(&format!("error: {other}\n")),
        }
        // There is nowhere left to complain.
        let _ = std::io::stderr().write_all(text.as_bytes());
        code
    }
}

/// The error, its causes indented, and what to do.
fn describe(error: &Error, text: &mut String) {
    match error.api().filter(|refusal| !refusal.errors.is_empty()) {
        Some(refusal) => {
            for item in &refusal.errors {
                text.push_str(&format!("error: {item}\n"));
            }
            text.push_str(&format!("  {} answered {}\n", refusal.request, refusal.status));
        }
        None => text.push_str(&format!("error: {error}\n")),
    }
    if let Error::Bulk { done, total, .. } = error {
        let fine = done.iter().filter(|result| result.is_ok()).count();
        text.push_str(&format!("  of {total} items {fine} were applied before that\n"));
    }
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(&format!("  {next}\n"));
        cause = next.source();
    }
    if let Some(hint) = error.hint() {
        text.push_str(&format!("hint: {hint}\n"));
    }
}
