//! What reads requests takes anything: paths, queries, bodies, credentials and list filters.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on fails"
)]

use bulkhead_ids::Kind;
use bulkhead_server::authn;
use bulkhead_server::http::{body, path};
use bulkhead_server::resource::list::Query;
use bulkhead_server::world::{Side, World};
use bulkhead_testkit::fuzz::feed;

#[test]
fn paths() {
    let samples: &[&[u8]] = &[
        b"/api/v2/orgs/1/labels",
        b"/api/v1//orgs/1/sec_policy/draft/rule_sets/3/sec_rules/",
        b"/api/v2/orgs/1/security_principals/S-1-5%2D21",
        b"/node_available",
    ];
    feed("paths", samples, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Some(normal) = path::normalise(&text) {
            assert!(!normal.contains("//") && !normal.ends_with('/'), "{normal}");
        }
        let _ = path::decode(&text);
    });
}

#[test]
fn queries_and_filters() {
    let samples: &[&[u8]] = &[
        b"max_results=500&key=app&value=HRM&include_deleted=true",
        b"labels=[[\"/orgs/1/labels/1\",\"/orgs/1/labels/2\"]]&managed=true&name=x+y%20z",
        b"timestamp[gte]=2026-01-01T00:00:00Z&timestamp[lte]=2026-12-31T00:00:00.000Z&event_type=label.create",
        b"external_data_set=a&external_data_reference=b&ip_address=10.0.0.0%2F8&last_heartbeat_on[gte]=x",
        b"sid=S-1&role=%7B%22href%22%3A%22/orgs/1/roles/owner%22%7D&scope=%5B%5D&port=443&proto=6",
    ];
    feed("queries and filters", samples, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Some(parameters) = path::query(&text) else { return };
        let world = World::empty(1);
        for kind in [
            Kind::Label,
            Kind::Workload,
            Kind::RuleSet,
            Kind::IpList,
            Kind::Event,
            Kind::Permission,
        ] {
            for side in [Side::Draft, Side::Active] {
                if let Ok(query) = Query::parse(&world, side, kind, &parameters) {
                    assert_eq!(query.run(&world, side, kind, None).rows.len(), 0);
                }
            }
        }
    });
}

#[test]
fn bodies() {
    let samples: &[&[u8]] = &[
        br#"{"name": "x", "ip_ranges": [{"from_ip": "10.0.0.0/8", "exclusion": false}], "n": -1.5e3}"#,
        br#"[{"href": "/orgs/1/workloads/x", "labels": [], "a": {"b": {"c": [[[null, true]]]}}}]"#,
        b"\"\\ud83d\\ude00\"",
        b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    ];
    feed("bodies", samples, |bytes| {
        let _ = body::parse(bytes);
    });
    let deep = "[".repeat(10_000);
    assert!(body::parse(deep.as_bytes()).is_err());
    assert!(body::parse(br#"{"a": 1, "a": 2}"#).is_err(), "a member twice");
}

#[test]
fn credentials() {
    let samples: &[&[u8]] =
        &[b"Basic YXBpXzE6c2VjcmV0", b"Basic dXNlcl8xOng6eTp6", b"Token token=abc", b"basic  "];
    feed("credentials", samples, |bytes| {
        let _ = authn::basic(&String::from_utf8_lossy(bytes));
    });
}
