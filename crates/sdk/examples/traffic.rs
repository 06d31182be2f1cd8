//! Flows that a policy would block.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bulkhead_sdk::models::ServicePort;
use bulkhead_sdk::{Pce, Result, TrafficQuery};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    run(&Pce::from_env()?).await
}

/// Remote desktops in February.
pub(crate) async fn run(pce: &Pce) -> Result<()> {
    let query = TrafficQuery::build("2022-02-01T00:00:00Z", "2022-03-01T00:00:00Z")
        .include_services([ServicePort::new(3389, "tcp")?])
        .exclude_sources(["10.9.0.0/16", "broadcast"])
        .policy_decisions(["potentially_blocked", "unknown"])
        .finish()?;
    for flow in pce.get_traffic_flows_async("rdp-traffic-feb-22", &query).await? {
        let ends = [flow.src, flow.dst].map(|end| end.and_then(|end| end.ip).unwrap_or_default());
        println!("{} {:?} {:?}", ends.join(" -> "), flow.num_connections, flow.policy_decision);
    }
    Ok(())
}
