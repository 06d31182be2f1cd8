//! Dependency directions: cargo's own view of the workspace held against the table.

mod graph;
mod table;

#[cfg(test)]
mod tests;

use cargo_metadata::MetadataCommand;

use self::graph::{Graph, Package};
use self::table::{Ban, ONLY_IN, Row, TABLE, TEST_ONLY, TESTS_MAY_USE};
use crate::repo::Repo;
use crate::report::Report;

/// Where the table is, for messages.
const TABLE_FILE: &str = "xtask/src/deps/table.rs";

/// Why the dependencies could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DepsError {
    #[error("`cargo metadata` failed; does `cargo check` work in this checkout?")]
    Metadata(#[source] cargo_metadata::Error),
}

/// Reads cargo's metadata and checks it against the table.
pub(crate) fn check(repo: &Repo, report: &mut Report) -> Result<(), DepsError> {
    let metadata = MetadataCommand::new()
        .manifest_path(repo.root().join("Cargo.toml"))
        .exec()
        .map_err(DepsError::Metadata)?;
    let graph = Graph::new(&metadata);
    check_graph(&graph, report);
    report.note(format!("{} crates follow {TABLE_FILE}", graph.members().count()));
    Ok(())
}

fn check_graph(graph: &Graph, report: &mut Report) {
    for package in graph.members() {
        let Some(row) = TABLE.iter().find(|row| Some(row.name) == package.folder.as_deref()) else {
            let text = format!("crate without a row; add what it may use to {TABLE_FILE}");
            report.problem(&package.manifest, text);
            continue;
        };
        check_ours(row, package, report);
        check_direct(row, package, report);
        check_reached(row, package, graph, report);
    }
}

/// Edges between crates of ours.
fn check_ours(row: &Row, package: &Package, report: &mut Report) {
    for edge in &package.ours {
        let to = edge.folder.as_str();
        let allowed = row.may_use.contains(&to)
            || edge.tests_only && (TESTS_MAY_USE.contains(&to) || row.tests_may_use.contains(&to));
        if allowed {
            continue;
        }
        let text = if TEST_ONLY.contains(&to) && !edge.tests_only {
            format!("`{to}` is for tests; move it to [dev-dependencies]")
        } else if row.may_use.is_empty() {
            format!("must not use `{to}`, nor any other crate of ours")
        } else {
            let list = row.may_use.join(", ");
            format!("must not use `{to}`; `{}` may use {list} ({TABLE_FILE})", row.name)
        };
        report.problem(&package.manifest, text);
    }
}

/// Outside crates named in the manifest.
fn check_direct(row: &Row, package: &Package, report: &mut Report) {
    for outside in package.outside.iter().filter(|outside| !outside.tests_only) {
        let name = outside.name.as_str();
        for (names, reason) in row.never_direct {
            if names.contains(&name) {
                report.problem(&package.manifest, format!("must not use `{name}`: {reason}"));
            }
        }
        for (names, homes, reason) in ONLY_IN {
            if names.contains(&name) && !homes.contains(&row.name) {
                report.problem(&package.manifest, format!("must not use `{name}`: {reason}"));
            }
        }
    }
}

/// Outside crates reached over any number of steps.
fn check_reached(row: &Row, package: &Package, graph: &Graph, report: &mut Report) {
    let banned = |name: &str| -> Option<&Ban> {
        row.never_reached.iter().find(|(names, _)| names.contains(&name))
    };
    for path in graph.paths_to(package, |name| banned(name).is_some()) {
        let Some((_, reason)) = path.last().and_then(|name| banned(name)) else { continue };
        let shown = path.join(" -> ");
        report.problem(&package.manifest, format!("must not reach {shown}: {reason}"));
    }
}
