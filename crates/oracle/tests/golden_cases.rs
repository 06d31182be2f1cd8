//! Every golden case of the repository, verdicts, decision and reasons.

use bulkhead_oracle::decide;
use bulkhead_worldgen::cases::{load, policy_cases, reasons, write_case};
use bulkhead_worldgen::small::{Rng, flow, world};

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

/// Readings that no case can show: they are no part of a decision, or done before there is a snapshot.
const NO_DECISION: [&str; 2] = ["R-PUBLIC-ONLY", "R-NEAR-MISS"];

#[test]
fn every_reading_has_a_case() {
    let page = include_str!("../../../docs/design/engine.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| R-")?.split(" |").next());
    let readings: Vec<String> = rows.map(|name| format!("R-{name}")).collect();
    assert!(readings.len() > 30, "the table of readings was not found");
    let cases = policy_cases().unwrap();
    let has_case = |reading: &str| {
        let prefix = reading.to_lowercase();
        cases.iter().any(|case| {
            case.name
                .strip_prefix(&prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
    };
    let without: Vec<_> = readings.iter().filter(|reading| !has_case(reading)).collect();
    assert_eq!(without, NO_DECISION);
}

/// A failing world is kept as a file; the file must ask the same question and know the answer.
#[test]
fn written_cases_read_back() {
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("written_cases");
    std::fs::create_dir_all(dir.join("fixtures")).unwrap();
    for seed in 0..20 {
        let s = world(seed, 8);
        let flow = flow(&mut Rng::with_seed(seed), &s);
        let answer = decide(&s, &flow);
        let text = write_case("shrunk", "why", &s, &flow, &answer).unwrap();
        std::fs::write(dir.join("shrunk.json"), text).unwrap();
        let cases = load(&dir).unwrap();
        assert_eq!(cases[0].flow, flow);
        assert_eq!(cases[0].runs[0].snapshot, s);
        assert_eq!(cases[0].runs[0].differences(&answer), Vec::<String>::new());
        let wrong = decide(&bulkhead_model::Snapshot::default(), &flow);
        let same = wrong == answer;
        assert_eq!(cases[0].runs[0].differences(&wrong).is_empty(), same, "seed {seed}");
    }
}
