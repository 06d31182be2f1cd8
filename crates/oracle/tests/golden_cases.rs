//! Every golden case of the repository, verdicts, decision and reasons.

use bulkhead_oracle::decide;
use bulkhead_worldgen::cases::{policy_cases, reasons};

#[test]
fn golden_cases() {
    let cases = policy_cases().unwrap();
    assert!(cases.len() >= 117, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        assert!(!case.runs.is_empty(), "{} expects nothing", case.name);
        for run in &case.runs {
            let answer = decide(&run.snapshot, &case.flow);
            let differences = run.differences(&answer);
            if !differences.is_empty() {
                wrong.push(format!("{} ({}): {}", case.name, run.modes, differences.join("; ")));
            }
            if std::env::var_os("BULKHEAD_SHOW_REASONS").is_some() {
                let (from, to) = (reasons(&answer.source), reasons(&answer.destination));
                println!("{} | {} | {}", case.name, from.join(","), to.join(","));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
