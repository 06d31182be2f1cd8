//! The mapping table of the Developer Interface: each row names something that a test uses.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails the test that uses it"
)]

use bulkhead_sdk::models::{RuleSet, ServicePort};
use bulkhead_sdk::*;
use std::path::Path;

/// All Rust text of a folder of the crate.
fn sources(folder: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "rs") {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    text
}

#[test]
fn every_row_names_what_a_test_uses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/sdk-mapping.md");
    let table = std::fs::read_to_string(root).unwrap();
    let used = sources("tests") + &sources("examples") + &sources("src");
    let mut rows = 0;
    for line in table.lines().filter(|line| line.starts_with("| `") || line.starts_with("| its")) {
        let columns: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_, rust, exercised] = columns[..] else { panic!("{line}") };
        rows += 1;
        let Some(name) = rust.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else {
            continue;
        };
        assert!(!exercised.is_empty(), "{line}");
        let last = name.rsplit("::").next().unwrap();
        // Methods are called with a dot, the rest stands as it is written.
        let found = used.contains(&format!(".{last}(")) || used.contains(name);
        assert!(found, "nothing uses `{name}`: {line}");
    }
    assert!(rows > 100, "{rows} rows");
}

#[test]
fn constants_and_words_are_those_of_the_developer_interface() {
    let of = |words: Vec<String>| words.join(" ");
    macro_rules! words {
        ($($name:ident)*) => { [$(of($name::ALL.iter().map(ToString::to_string).collect())),*] };
    }
    assert_eq!(
        words!(EnforcementMode LinkState VisibilityLevel Transmission FlowDirection TrafficState
            ApplyTo VenType ChangeType EventSeverity EventStatus),
        [
            "idle visibility_only full selective",
            "up down unknown",
            "flow_full_detail flow_summary flow_drops flow_off enhanced_data_collection",
            "broadcast multicast unicast",
            "inbound outbound",
            "active closed timed out snapshot new unknown incomplete",
            "host_only internal_bridge_network",
            "server endpoint containerized",
            "create update delete",
            "emerg alert crit err warning notice info debug",
            "success failure",
        ]
    );
    assert_eq!((ACTIVE, DRAFT, AMS), ("active", "draft", "ams"));
    assert_eq!((PORT_MAX, ICMP_CODE_MAX, ICMP_TYPE_MAX), (65_535, 15, 255));
    assert_eq!(BULK_CHANGE_LIMIT, <RuleSet as Resource>::BULK_MAX);
    assert_eq!(RESOLVE_AS_WORKLOADS, "workloads");
    assert_eq!(RESOLVE_AS_VIRTUAL_SERVICES, "virtual_services");
    let pce = Pce::builder("http://pce").version("v1").org(3).build().unwrap();
    assert_eq!((pce.base_url(), pce.org_id()), ("http://pce:443/api/v1", 3));
}

#[test]
fn numbers_out_of_range_are_refused() {
    for (made, field) in [
        (ServicePort::new(PORT_MAX + 1, "tcp"), "port"),
        (ServicePort::new(-2, "tcp"), "port"),
        (ServicePort::new(1, "nonsense"), "proto"),
        (ServicePort::range(80, 80, "tcp"), "to_port"),
        (ServicePort::range(80, 70_000, "tcp"), "to_port"),
        (ServicePort::icmp(256, 0), "icmp_type"),
        (ServicePort::icmp(8, 16), "icmp_code"),
        (ServicePort::default().to_port(5).checked(), "to_port"),
    ] {
        assert!(matches!(&made, Err(Error::Invalid { field: f, .. }) if f == field), "{made:?}");
    }
    assert_eq!(ServicePort::icmp(8, 0).unwrap().proto, Some(1));
}
