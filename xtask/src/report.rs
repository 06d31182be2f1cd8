//! What a command found, and how it is printed.

use std::io::{self, Write};
use std::process::ExitCode;

/// Findings of one run: problems fail it, warnings and notes do not.
#[derive(Debug, Default)]
pub(crate) struct Report {
    problems: Vec<String>,
    warnings: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    /// Adds a broken rule: where it is, what is wrong and what to do.
    pub(crate) fn problem(&mut self, place: impl std::fmt::Display, text: impl AsRef<str>) {
        self.problems.push(format!("{place}: {}", text.as_ref()));
    }

    /// Adds something to look at again that does not fail the run.
    pub(crate) fn warning(&mut self, place: impl std::fmt::Display, text: impl AsRef<str>) {
        self.warnings.push(format!("{place}: {}", text.as_ref()));
    }

    /// Adds a line of information, such as a median.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// The problems found so far, in the order in which they were found.
    #[cfg(test)]
    pub(crate) fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The warnings found so far, in the order in which they were found.
    #[cfg(test)]
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Prints everything and gives the exit status: 0 without problems, otherwise 1.
    pub(crate) fn finish(self) -> ExitCode {
        let code = u8::from(!self.problems.is_empty());
        // A closed pipe (`cargo xtask tidy | head`) must not change the verdict.
        let _ = self.print(&mut io::stdout().lock());
        ExitCode::from(code)
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        for note in &self.notes {
            writeln!(out, "{note}")?;
        }
        for warning in &self.warnings {
            writeln!(out, "warning: {warning}")?;
        }
        for problem in &self.problems {
            writeln!(out, "error: {problem}")?;
        }
        match self.problems.len() {
            0 => writeln!(out, "ok"),
            1 => writeln!(out, "1 problem"),
            many => writeln!(out, "{many} problems"),
        }
    }
}

/// Prints why a command could not run, and gives exit status 2.
pub(crate) fn fail(error: &dyn std::error::Error) -> ExitCode {
    let mut out = io::stderr().lock();
    let _ = writeln!(out, "error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = writeln!(out, "  caused by: {cause}");
        source = cause.source();
    }
    ExitCode::from(2)
}
