//! Rules for every text file: whitespace, line ends, paths of somebody's machine, markers.

use crate::report::Report;

/// Ends of file names in which a tab has a meaning of its own.
const TABS_ALLOWED: &[&str] = &["Makefile", ".mk", ".tsv", ".go", "LICENSE"];

/// Starts of absolute paths that only exist on the machine of whoever wrote them.
///
/// Written in two halves, so that this file does not break its own rule.
const MACHINE_PATHS: &[&str] =
    &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];

/// Markers of unfinished work.
const MARKERS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

/// Checks one file's text.
pub(super) fn check(path: &str, text: &str, report: &mut Report) {
    let tabs_allowed = TABS_ALLOWED.iter().any(|end| path.ends_with(end));
    for (index, line) in text.split('\n').enumerate() {
        let place = format!("{path}:{}", index + 1);
        if line.ends_with('\r') {
            report.problem(&place, "line ends with CR LF; use LF");
            continue;
        }
        if line.ends_with([' ', '\t']) {
            report.problem(&place, "trailing whitespace; remove it");
        }
        if !tabs_allowed && line.contains('\t') {
            report.problem(&place, "tab; use spaces, or `\\t` inside a string");
        }
        if let Some(found) = MACHINE_PATHS.iter().find(|start| has_machine_path(line, start)) {
            report.problem(
                &place,
                format!("path of one machine (`{found}...`); use a relative path or a variable"),
            );
        }
        if let Some(found) = MARKERS.iter().find(|marker| has_word(line, marker)) {
            report.problem(&place, format!("`{found}` left over; do it or file an issue"));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        report.problem(path, "no newline at the end of the file; add one");
    }
    if text.ends_with("\n\n") {
        report.problem(path, "blank lines at the end of the file; remove them");
    }
}

/// Whether the line holds an absolute path with this start, as opposed to `../work/x`, a URL's
/// path or a longer word.
fn has_machine_path(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-}$~*%])>".contains(c))
    })
}

/// Whether the line holds the word on its own, not as a part of a longer one.
fn has_word(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        let after = line.get(at + word.len()..).and_then(|tail| tail.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}
