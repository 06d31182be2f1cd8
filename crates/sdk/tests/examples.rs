//! The examples, run against a real server.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails the test that uses it"
)]

use bulkhead_sdk::Pce;
use bulkhead_testkit::script::{Answer, Script};
use bulkhead_testkit::{Server, pce_binary};
use serde_json::json;

macro_rules! examples {
    ($($name:ident $path:literal)*) => {
        $(#[path = $path] #[allow(dead_code, reason = "its `main` is for people")] mod $name;)*
    };
}

examples! {
    hosts "../examples/hosts.rs"
    policy "../examples/policy.rs"
    quickstart "../examples/quickstart.rs"
    traffic "../examples/traffic.rs"
    virtual_services "../examples/virtual_services.rs"
}

#[cfg(feature = "blocking")]
#[path = "../examples/blocking.rs"]
#[allow(dead_code, reason = "its `main` is for people")]
mod blocking;

fn pce(server: &Server) -> Pce {
    let key = (server.boot_str("api_key"), server.boot_str("api_secret"));
    let pce = Pce::builder(server.boot_str("http_url")).no_proxy().api_key(key.0, key.1);
    pce.build().unwrap()
}

#[test]
fn every_example_runs() {
    let server = Server::start(pce_binary());
    let pce = pce(&server);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        quickstart::run(&pce).await.unwrap();
        policy::run(&pce).await.unwrap();
        virtual_services::run(&pce).await.unwrap();
        hosts::run(&pce).await.unwrap();
    });
    #[cfg(feature = "blocking")]
    blocking::run(&bulkhead_sdk::blocking::Pce::new(&pce).unwrap()).unwrap();
}

/// A flow with what servers send, and more.
fn flow() -> serde_json::Value {
    json!({
        "src": {"ip": "10.0.9.14", "ip_lists": [{"href": "/orgs/1/sec_policy/active/ip_lists/5", "name": "IPL-INTERNAL"}]},
        "dst": {"ip": "10.0.6.63", "workload": {"href": "/orgs/1/workloads/x", "name": "WIN-JUMPBOX"}},
        "service": {"port": 3389, "proto": 6},
        "num_connections": 44,
        "state": "closed",
        "timestamp_range": {"first_detected": "2022-02-19T09:50:17Z", "last_detected": "2022-02-19T10:12:36Z"},
        "policy_decision": "potentially_blocked",
        "flow_direction": "inbound",
        "newer_field": 1
    })
}

#[tokio::test]
async fn the_traffic_example_runs_against_the_wire_form_of_the_documents() {
    let query = "/orgs/1/traffic_flows/async_queries/q";
    let queued = json!({"href": query, "status": "queued"}).to_string();
    let working = json!({"href": query, "status": "working"}).to_string();
    let done = json!({"href": query, "status": "completed", "result": format!("{query}/download")});
    let script = Script::start(vec![
        Answer::json(202, &queued),
        Answer::json(200, &working),
        Answer::json(200, &done.to_string()),
        Answer::json(200, &json!([flow()]).to_string()),
        Answer::json(200, &json!([flow(), flow()]).to_string()),
    ]);
    let pce = Pce::builder(&script.url()).no_proxy().build().unwrap();
    traffic::run(&pce).await.unwrap();
    let asked = script.asked();
    let body = asked[0].split_once("\n\n").unwrap().1;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(body).unwrap(),
        json!({
            "start_date": "2022-02-01T00:00:00Z",
            "end_date": "2022-03-01T00:00:00Z",
            "sources": {"include": [], "exclude": [{"ip_address": "10.9.0.0/16"}, {"transmission": "broadcast"}]},
            "destinations": {"include": [], "exclude": []},
            "services": {"include": [{"port": 3389, "proto": 6}], "exclude": []},
            "policy_decisions": ["potentially_blocked", "unknown"],
            "exclude_workloads_from_ip_list_query": true,
            "sources_destinations_query_op": "and",
            "max_results": 100_000,
            "query_name": "rdp-traffic-feb-22"
        })
    );
    assert_eq!(script.lines()[3], format!("GET /api/v2{query}/download"));

    let query = bulkhead_sdk::TrafficQuery::build(0, 1).finish().unwrap();
    let flows = pce.get_traffic_flows(&query).await.unwrap();
    assert_eq!(flows.len(), 2);
    assert_eq!(serde_json::to_value(&flows[0]).unwrap(), flow(), "nothing is lost");
    assert_eq!(script.lines()[4], "POST /api/v2/orgs/1/traffic_flows/traffic_analysis_queries");
}
