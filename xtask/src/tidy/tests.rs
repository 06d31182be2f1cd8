//! Each rule with input that breaks it and input that comes close but does not.

use super::{check_file, links, migrations};
use crate::repo::Repo;
use crate::report::Report;

fn problems(path: &str, text: &str) -> Vec<String> {
    let mut report = Report::default();
    check_file(path, text, &mut report);
    report.problems().to_vec()
}

#[test]
fn plain_file_has_no_problems() {
    let text = "//! Story.\nlet a = \"../work/x\"; // todo!() is a lint\n";
    assert_eq!(problems("crates/a/src/a.rs", text), Vec::<String>::new());
}

#[test]
fn whitespace_and_line_ends() {
    let cases = [
        ("a = 1 \n", "a.toml:1: trailing whitespace; remove it"),
        ("a\n\tb\n", "a.toml:2: tab; use spaces, or `\\t` inside a string"),
        ("a\r\n", "a.toml:1: line ends with CR LF; use LF"),
        ("a", "a.toml: no newline at the end of the file; add one"),
        ("a\n\n", "a.toml: blank lines at the end of the file; remove them"),
    ];
    for (text, wanted) in cases {
        assert_eq!(problems("a.toml", text), [wanted], "{text:?}");
    }
    assert!(problems("Makefile", "all:\n\techo\n").is_empty());
    assert!(problems("empty.txt", "").is_empty());
}

#[test]
fn machine_paths() {
    for folder in ["wo_rk", "ro_ot", "ho_me"].map(|f| f.replace('_', "")) {
        for text in [
            format!("cd /{folder}/x\n"),
            format!("\"/{folder}/\"\n"),
            format!("/{folder}/\n"),
            format!("file:///{folder}/x\n"),
        ] {
            let found = problems("a.sh", &text);
            assert_eq!(found.len(), 1, "{text:?} {found:?}");
            assert!(found[0].contains("path of one machine"), "{found:?}");
        }
        for text in [
            format!("../{folder}/x\n"),
            format!("$BASE/{folder}/x\n"),
            format!("${{BASE}}/{folder}/x\n"),
            format!("/{folder}loads/x\n"),
        ] {
            assert!(problems("a.sh", &text).is_empty(), "{text:?}");
        }
    }
}

#[test]
fn markers_are_whole_words() {
    for marker in ["TO_DO", "FIX_ME", "XX_X"].map(|m| m.replace('_', "")) {
        let found = problems("a.md", &format!("one\n{marker}: later\n"));
        assert_eq!(found, [format!("a.md:2: `{marker}` left over; do it or file an issue")]);
        assert!(problems("a.md", &format!("mktemp.{marker}{marker} {marker}_S\n")).is_empty());
    }
}

#[test]
fn module_files_are_named_after_the_module() {
    let found = problems("crates/a/src/b/mod.rs", "//! B.\n");
    assert_eq!(
        found,
        ["crates/a/src/b/mod.rs: module file named mod.rs; use `x.rs` beside the folder `x/`"]
    );
    assert!(problems("crates/a/tests/common/mod.rs", "//! B.\n").is_empty());
    assert!(problems("crates/a/src/b_mod.rs", "//! B.\n").is_empty());
}

#[test]
fn length_counts_without_inline_tests() {
    let body = "let a = 1;\n";
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    x();\n".repeat(900));
    let length_of = |path: &str, lines: usize| {
        let mut report = Report::default();
        let text = format!("{}{tests}", body.repeat(lines));
        let counted = check_file(path, &text, &mut report);
        (counted, report.problems().len(), report.warnings().len())
    };
    let length = |lines| length_of("a/src/a.rs", lines);
    assert_eq!(length_of("a/src/main.rs", 100), (Some(100), 0, 0));
    assert_eq!(length_of("a/src/main.rs", 101), (Some(101), 0, 1));
    assert_eq!(length(500), (Some(500), 0, 0));
    assert_eq!(length(501), (Some(501), 0, 1));
    assert_eq!(length(1_000), (Some(1_000), 0, 1));
    assert_eq!(length(1_001), (Some(1_001), 1, 0));
}

#[test]
fn files_of_tests_may_be_long() {
    let text = "x();\n".repeat(3_000);
    for path in ["crates/a/src/a/tests.rs", "crates/a/tests/api/labels.rs"] {
        let mut report = Report::default();
        assert_eq!(check_file(path, &text, &mut report), None);
        assert!(report.problems().is_empty(), "{path}");
    }
    assert_eq!(problems("crates/a/src/tests_of_time.rs", &text).len(), 1);
}

#[test]
fn links_must_resolve() {
    let exists = |path: &str| ["docs/b.md", "README.md", "docs/adr"].contains(&path);
    let check = |text: &str| {
        let mut report = Report::default();
        links::check("docs/a.md", text, exists, &mut report);
        report.problems().to_vec()
    };
    let good = "[b](b.md) [r](../README.md#top) [d](adr/) ![x](/docs/b.md \"title\")\n\
        [w](https://example.com/c.md) [h](#here) `[c](c.md)`\n```\n[c](c.md)\n```\n";
    assert_eq!(check(good), Vec::<String>::new());
    assert_eq!(
        check("x\n[b](b.md) [c](c.md#part)\n"),
        ["docs/a.md:2: link `c.md#part` leads to no file; correct or drop it"]
    );
    assert_eq!(
        check("[c](../../c.md)\n"),
        ["docs/a.md:1: link `../../c.md` leaves the repository"]
    );
}

#[test]
fn migrations_are_numbered_and_final() {
    let numbers = |names: &[&str]| {
        let files: Vec<String> =
            names.iter().map(|name| format!("crates/store/migrations/{name}")).collect();
        let mut report = Report::default();
        migrations::check_numbers(&files, &mut report);
        report.problems().len()
    };
    assert_eq!(numbers(&["0001_a/up.sql", "0001_a/check.sql", "0002_b.sql", "README.md"]), 0);
    assert_eq!(numbers(&["0001_a.sql", "0003_b.sql"]), 1);
    assert_eq!(numbers(&["0001_a.sql", "0001_b.sql"]), 1);

    let released = |now: Option<&str>| {
        let mut report = Report::default();
        migrations::check_released("m", "v1", "create", now, &mut report);
        report.problems().len()
    };
    assert_eq!((released(Some("create")), released(Some("x")), released(None)), (0, 1, 1));
}

/// Runs the whole command on a small repository of its own, with a release in its history.
#[test]
fn whole_repository() {
    let folder = tempfile::tempdir().unwrap();
    let repo = Repo::at(folder.path());
    let put = |path: &str, text: &str| {
        let full = folder.path().join(path);
        std::fs::create_dir_all(full.parent().unwrap()).unwrap();
        std::fs::write(full, text).unwrap();
    };
    let migration = "crates/store/migrations/0001_first.sql";
    repo.git(&["init", "-q"]).unwrap();
    put(".gitignore", "/target\n");
    put("target/ignored.rs", "bad \n");
    put("src/lib.rs", "//! Story.\n");
    put("README.md", "[gone](gone.md)\n");
    put("logo.png", "\u{0} \n");
    put(migration, "create table t (a);\n");
    repo.git(&["add", "."]).unwrap();
    for (key, value) in [
        ("user.name", "t"),
        ("user.email", "t@example.com"),
        ("commit.gpgsign", "false"),
        ("core.hooksPath", "no-hooks"),
    ] {
        repo.git(&["config", key, value]).unwrap();
    }
    repo.git(&["commit", "-q", "-m", "first"]).unwrap();
    repo.git(&["tag", "v0.1.0"]).unwrap();
    put(migration, "create table t (a, b);\n");

    let mut report = Report::default();
    super::check(&repo, &mut report).unwrap();
    assert_eq!(
        report.problems(),
        [
            "README.md:1: link `gone.md` leads to no file; correct or drop it".to_owned(),
            format!(
                "{migration}: migration of release v0.1.0 was changed; restore it and add a new one"
            ),
        ]
    );
}
