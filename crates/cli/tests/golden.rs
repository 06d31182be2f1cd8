//! The command tree is part of what scripts rely on: it changes on purpose only.
#![allow(clippy::unwrap_used, reason = "a helper of tests fails the test that uses it")]

use std::path::Path;
use std::process::Command;

fn run(args: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_bulkhead")).args(args).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

/// Compares with a file, or writes it when `BULKHEAD_ACCEPT` is set.
fn golden(name: &str, text: &str) {
    let text: String = text.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("BULKHEAD_ACCEPT").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, text, "{name} differs; read the difference, then set BULKHEAD_ACCEPT=1");
}

#[test]
fn the_command_tree_and_help_are_as_they_were() {
    let (code, tree) = run(&["docs"]);
    assert_eq!(code, 0);
    golden("tree.txt", &tree);
    golden("help.txt", &run(&["--help"]).1);
    golden("workload-list.txt", &run(&["workload", "list", "--help"]).1);
    let commands = tree.lines().count();
    assert!(commands > 150, "{commands} commands");
}
