//! Every golden case of the repository, verdicts, decision and reasons.

use bulkhead_engine::Engine;
use bulkhead_worldgen::cases::policy_cases;

#[test]
fn golden_cases() {
    let cases = policy_cases().unwrap();
    assert!(cases.len() >= 117, "only {} cases were found", cases.len());
    let mut wrong = Vec::new();
    for case in &cases {
        for run in &case.runs {
            let answer = Engine::new(run.snapshot.clone()).decide(&case.flow);
            let differences = run.differences(&answer);
            if !differences.is_empty() {
                wrong.push(format!("{} ({}): {}", case.name, run.modes, differences.join("; ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
}
