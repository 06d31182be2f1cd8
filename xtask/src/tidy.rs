//! Rules about files that need no compiler: length, whitespace, names, links, left-over markers.

mod links;
mod migrations;
mod rust;
mod text;

#[cfg(test)]
mod tests;

use crate::repo::{Repo, RepoError};
use crate::report::Report;

/// Lines of a Rust file without its tests above which it must be split.
const LINES_STOP: usize = 1_000;
/// Lines of a Rust file without its tests above which it deserves another look.
const LINES_LOOK_AGAIN: usize = 500;
/// Lines of a `main.rs` above which it does more than wire, start and wait.
const LINES_MAIN: usize = 100;
/// Median of those lines over the workspace that we aim to stay below.
const LINES_MEDIAN_AIM: usize = 200;

/// Checks every file of the repository and the history of its migrations.
pub(crate) fn check(repo: &Repo, report: &mut Report) -> Result<(), RepoError> {
    let files = repo.files()?;
    let mut lengths = Vec::new();
    for path in &files {
        let Some(text) = repo.text(path)? else { continue };
        lengths.extend(check_file(path, &text, report));
        if path.ends_with(".md") {
            links::check(path, &text, |target| repo.root().join(target).exists(), report);
        }
    }
    migrations::check(repo, &files, report)?;
    report_lengths(lengths, report);
    Ok(())
}

/// Checks one file on its own; gives its length when it is Rust that counts for the median.
fn check_file(path: &str, text: &str, report: &mut Report) -> Option<usize> {
    text::check(path, text, report);
    if path.ends_with(".rs") { rust::check(path, text, report) } else { None }
}

fn report_lengths(mut lengths: Vec<usize>, report: &mut Report) {
    lengths.sort_unstable();
    let (Some(median), Some(longest)) = (lengths.get(lengths.len() / 2), lengths.last()) else {
        return;
    };
    report.note(format!(
        "{} Rust files, lines without tests: median {median} (aim < {LINES_MEDIAN_AIM}), \
         longest {longest} (stop {LINES_STOP})",
        lengths.len(),
    ));
    if *median >= LINES_MEDIAN_AIM {
        report.warning(
            "workspace",
            format!("the median file has {median} lines, aim for less than {LINES_MEDIAN_AIM}"),
        );
    }
}
