//! The rules on small made-up workspaces, and the table on itself.

use super::graph::{Graph, OurEdge, OutsideEdge, Package};
use super::table::{ONLY_IN, TABLE, TEST_ONLY};
use super::{check_graph, table};
use crate::repo::Repo;
use crate::report::Report;

/// A crate of ours: what it uses of ours, and of others; `+` in front means in tests only.
fn member(folder: &str, ours: &[&str], outside: &[&str]) -> Package {
    let split = |name: &str| match name.strip_prefix('+') {
        Some(rest) => (rest.to_owned(), true),
        None => (name.to_owned(), false),
    };
    Package {
        name: format!("bulkhead-{folder}"),
        folder: Some(folder.to_owned()),
        manifest: format!("crates/{folder}/Cargo.toml"),
        ours: ours
            .iter()
            .map(|name| split(name))
            .map(|(folder, tests_only)| OurEdge { folder, tests_only })
            .collect(),
        outside: outside
            .iter()
            .map(|name| split(name))
            .map(|(name, tests_only)| OutsideEdge { name, tests_only })
            .collect(),
        built_with: ours
            .iter()
            .chain(outside)
            .filter(|name| !name.starts_with('+'))
            .map(|name| (*name).to_owned())
            .collect(),
    }
}

/// A crate from elsewhere.
fn outside(name: &str, built_with: &[&str]) -> Package {
    let built_with = built_with.iter().map(|name| (*name).to_owned()).collect();
    Package { name: name.to_owned(), built_with, ..Package::default() }
}

fn problems(packages: Vec<Package>) -> Vec<String> {
    let keyed = packages
        .into_iter()
        .map(|package| (package.folder.clone().unwrap_or_else(|| package.name.clone()), package));
    let mut report = Report::default();
    check_graph(&Graph { packages: keyed.collect() }, &mut report);
    report.problems().to_vec()
}

#[test]
fn allowed_edges_pass() {
    let found = problems(vec![
        member("ids", &["+testkit"], &["serde", "+proptest"]),
        member("api", &["ids", "netset"], &["serde_json"]),
        member("store", &["api", "ids"], &["rusqlite", "tokio"]),
        member("server", &["store", "api", "ids", "+sdk"], &["hyper", "tokio"]),
        member("testkit", &["server"], &["tokio"]),
        member("engine", &["ids", "+oracle"], &["+rand"]),
        member("xtask", &["api"], &["clap"]),
    ]);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn edges_against_the_direction_fail() {
    let cases = [
        (
            member("api", &["store"], &[]),
            "crates/api/Cargo.toml: must not use `store`; `api` may use ids, netset \
             (xtask/src/deps/table.rs)",
        ),
        (
            member("ids", &["netset"], &[]),
            "crates/ids/Cargo.toml: must not use `netset`, nor any other crate of ours",
        ),
        (
            member("server", &["testkit"], &[]),
            "crates/server/Cargo.toml: `testkit` is for tests; move it to [dev-dependencies]",
        ),
        (
            member("server", &["oracle"], &[]),
            "crates/server/Cargo.toml: `oracle` is for tests; move it to [dev-dependencies]",
        ),
        (
            member("engine", &["+api"], &[]),
            "crates/engine/Cargo.toml: must not use `api`; `engine` may use ids, netset, model \
             (xtask/src/deps/table.rs)",
        ),
        (
            member("brand-new", &[], &[]),
            "crates/brand-new/Cargo.toml: crate without a row; add what it may use to \
             xtask/src/deps/table.rs",
        ),
    ];
    for (package, wanted) in cases {
        assert_eq!(problems(vec![package]), [wanted]);
    }
}

#[test]
fn outside_crates_in_the_manifest() {
    assert_eq!(
        problems(vec![member("server", &[], &["rusqlite"])]),
        ["crates/server/Cargo.toml: must not use `rusqlite`: only `store` holds SQL; ask it \
          through `Store`"]
    );
    assert_eq!(
        problems(vec![member("engine", &[], &["jiff"])]),
        ["crates/engine/Cargo.toml: must not use `jiff`: this crate is a pure function of its \
          input: no clock, no randomness"]
    );
    assert!(problems(vec![member("engine", &[], &["+jiff"])]).is_empty());
}

#[test]
fn outside_crates_reached_in_steps() {
    let found = problems(vec![
        member("api", &["ids"], &["checker"]),
        member("ids", &[], &["uuid"]),
        outside("uuid", &[]),
        outside("checker", &["fetcher", "serde"]),
        outside("fetcher", &["tokio", "serde"]),
        outside("serde", &[]),
        outside("tokio", &["mio"]),
        outside("mio", &[]),
    ]);
    assert_eq!(
        found,
        ["crates/api/Cargo.toml: must not reach checker -> fetcher -> tokio: this crate does no \
          I/O and is not async"]
    );
}

#[test]
fn table_is_sound() {
    let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    for (index, row) in TABLE.iter().enumerate() {
        assert!(!names[..index].contains(&row.name), "`{}` has two rows", row.name);
        for other in row.may_use.iter().chain(row.tests_may_use) {
            assert!(names.contains(other), "`{}` names the unknown crate `{other}`", row.name);
        }
        // Lowest first, so that no circle can be written down.
        let above = &names[index..];
        for other in row.may_use {
            let exempt = ["testkit", "xtask"].contains(&row.name);
            assert!(exempt || !above.contains(other), "`{}` uses `{other}`", row.name);
        }
        for other in TEST_ONLY {
            let exempt = ["testkit", "bench"].contains(&row.name);
            assert!(exempt || !row.may_use.contains(other), "`{}` uses `{other}`", row.name);
        }
    }
    for (_, homes, _) in ONLY_IN {
        assert!(homes.iter().all(|home| names.contains(home)), "{homes:?}");
    }
    assert!(names.contains(table::TESTS_MAY_USE.first().unwrap()));
}

/// Cargo's own metadata of a small workspace, in which a crate named like a forbidden one stands
/// behind an optional dependency and a test-only one.
#[test]
fn metadata_of_a_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let full = folder.path().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    };
    let package = |folder: &str, name: &str, rest: &str| {
        let text = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n{rest}\n");
        put(&format!("{folder}/Cargo.toml"), &text);
        put(&format!("{folder}/src/lib.rs"), "");
    };
    put("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
    package(
        "crates/ids",
        "x-ids",
        "[dependencies]\nx-api = { path = \"../api\", optional = true }\n\
         [dev-dependencies]\nx-testkit = { path = \"../testkit\" }",
    );
    package("crates/api", "x-api", "[dependencies]\ntokio = { path = \"../flows\" }");
    package("crates/flows", "tokio", "");
    package("crates/testkit", "x-testkit", "");

    let mut report = Report::default();
    super::check(&Repo::at(folder.path()), &mut report).unwrap();
    let mut found = report.problems().to_vec();
    found.sort();
    assert_eq!(
        found,
        [
            "crates/api/Cargo.toml: must not reach tokio: this crate does no I/O and is not async",
            "crates/api/Cargo.toml: must not use `flows`; `api` may use ids, netset \
             (xtask/src/deps/table.rs)",
            "crates/ids/Cargo.toml: must not use `api`, nor any other crate of ours",
        ]
    );
}
