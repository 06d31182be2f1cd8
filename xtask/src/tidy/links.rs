//! Links between the pages of the repository must lead somewhere.

use crate::report::Report;

/// Checks the inline links and images of a Markdown page.
///
/// `exists` says whether a path relative to the root is there. Links to the web and anchors
/// within the page are not looked at, nor anything inside code.
pub(super) fn check(path: &str, text: &str, exists: impl Fn(&str) -> bool, report: &mut Report) {
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        for target in targets(&without_code(line)) {
            check_target(&format!("{path}:{}", index + 1), path, target, &exists, report);
        }
    }
}

fn check_target(
    place: &str,
    page: &str,
    target: &str,
    exists: &impl Fn(&str) -> bool,
    report: &mut Report,
) {
    let file = target.split(['#', '?']).next().unwrap_or_default();
    if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return;
    }
    match resolve(page, file) {
        None => report.problem(place, format!("link `{target}` leaves the repository")),
        Some(full) if !exists(&full) => {
            report.problem(place, format!("link `{target}` leads to no file; correct or drop it"));
        }
        Some(_) => {}
    }
}

/// The line with the text between back-quotes removed.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect()
}

/// The targets of `[text](target)` and `![text](target "title")`.
fn targets(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter_map(|inside| inside.split_whitespace().next())
        .collect()
}

/// The target as a path from the root; `None` when it climbs out of the repository.
fn resolve(page: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    let relative = match target.strip_prefix('/') {
        Some(from_root) => from_root,
        None => {
            parts = page.split('/').collect();
            parts.pop();
            target
        }
    };
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}
