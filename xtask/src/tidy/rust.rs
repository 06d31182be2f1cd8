//! Rules for Rust files: length and module layout.

use super::{LINES_LOOK_AGAIN, LINES_MAIN, LINES_STOP};
use crate::report::Report;

/// Checks one Rust file; gives its length without tests unless the whole file is tests.
pub(super) fn check(path: &str, text: &str, report: &mut Report) -> Option<usize> {
    if path.ends_with("/mod.rs") && !is_shared_by_tests(path) {
        report.problem(path, "module file named mod.rs; use `x.rs` beside the folder `x/`");
    }
    if is_test_file(path) {
        return None;
    }
    let lines = lines_without_tests(text);
    if lines > LINES_STOP {
        report.problem(path, format!("{lines} lines without tests; split it below {LINES_STOP}"));
    } else if lines > LINES_MAIN && path.ends_with("/main.rs") {
        let text = format!("{lines} lines; let main only wire, start and wait (< {LINES_MAIN})");
        report.warning(path, text);
    } else if lines > LINES_LOOK_AGAIN {
        report.warning(path, format!("{lines} lines without tests; is it still one idea?"));
    }
    Some(lines)
}

/// Whether the file is a module that the test programs of a crate share. Cargo makes a program of
/// every file in `tests/` itself, so such a module can only be `tests/name/mod.rs`.
fn is_shared_by_tests(path: &str) -> bool {
    path.rsplit('/').nth(2) == Some("tests")
}

/// Whether the file holds nothing but tests or benchmarks, going by its place.
fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.split('/').rev().skip(1).any(|folder| folder == "tests" || folder == "benches")
}

/// Lines of the file, less every `#[cfg(test)] mod ... { ... }` at the left margin.
fn lines_without_tests(text: &str) -> usize {
    let mut count = 0;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let opens = line == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.ends_with('{'));
        if opens {
            // rustfmt puts the closing brace of an item at the margin, and nothing else there.
            for inner in lines.by_ref() {
                if inner == "}" {
                    break;
                }
            }
        } else {
            count += 1;
        }
    }
    count
}
