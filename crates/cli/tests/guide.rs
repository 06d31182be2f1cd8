//! The guide for beginners, run as it is written.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper of tests fails the test that uses it"
)]

use bulkhead_testkit::{Server, pce_binary};
use std::path::Path;
use std::process::Command;

/// The lines between a fence of that kind and the next.
fn fenced(text: &str, kind: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("```") {
            Some(fence) => inside = fence == kind,
            None if inside => lines.push(line.to_owned()),
            None => {}
        }
    }
    lines
}

#[test]
fn every_command_of_the_guide_runs() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guides/command-line.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let server = Server::start(pce_binary());
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("shop.yaml"), fenced(&guide, "yaml").join("\n")).unwrap();
    let own = Path::new(env!("CARGO_BIN_EXE_bulkhead")).parent().unwrap().display().to_string();
    let commands = fenced(&guide, "console");
    assert!(commands.len() > 15, "{commands:?}");
    for line in commands {
        let command = line.strip_prefix("$ ").unwrap();
        let output = Command::new("sh")
            .args(["-ec", command])
            .current_dir(home.path())
            .env("PATH", format!("{own}:{}", std::env::var("PATH").unwrap()))
            .env("NO_PROXY", "*")
            .env("ILLUMIO_PCE_HOST", server.boot_str("http_url"))
            .env("ILLUMIO_API_KEY_USERNAME", server.boot_str("api_key"))
            .env("ILLUMIO_API_KEY_SECRET", server.boot_str("api_secret"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{line}\n{said}");
    }
    let client = server.client();
    let rules = client.try_send("GET", "sec_policy/active/rule_sets?name=Shop", None).unwrap();
    assert_eq!(rules.body.as_array().map(Vec::len), Some(1), "the policy is active");
}
