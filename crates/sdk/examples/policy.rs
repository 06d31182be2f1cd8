//! Rule sets, rules and enforcement boundaries, as the Developer Interface shows them.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bulkhead_sdk::models::{
    EnforcementBoundary, Label, LabelSet, Rule, RuleSet, Service, ServicePort,
};
use bulkhead_sdk::{AMS, Pce, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    run(&Pce::from_env()?).await
}

/// An allow-list for one application, and a boundary against remote desktops.
pub(crate) async fn run(pce: &Pce) -> Result<()> {
    let any = pce.get_default_ip_list().await?;
    let all_services = pce.get_default_service().await?;
    let web = pce.labels().create(&Label::new("role", "R-Web")).await?;
    let app = pce.labels().create(&Label::new("app", "A-App")).await?;
    let env = pce.labels().create(&Label::new("env", "E-Policy")).await?;
    let loc = pce.labels().create(&Label::new("loc", "L-Policy")).await?;

    let set = RuleSet::new("RS-LAB-ALLOWLIST").scopes([LabelSet::new(&[&app, &env, &loc])?]);
    let set = pce.rule_sets().create(&set).await?;
    let rule = Rule::build(&[&web], &[&any], &[&(80, "tcp"), &(443, "tcp")])?;
    let rule = pce.rules().parent(&set).create(&rule.unscoped_consumers(true)).await?;
    println!("rule {:?} of {:?}", rule.href, set.name);
    let inside = Rule::build(&[&AMS], &[&AMS], &[&all_services])?;
    pce.rules().parent(&set).create(&inside).await?;
    let rules = pce.rules().parent(&set).list().send().await?;
    println!("{} rules", rules.items.len());

    let service = Service::new("S-HTTP")
        .service_ports([ServicePort::new(80, "tcp")?, ServicePort::range(8000, 8080, "tcp")?]);
    let service = pce.services().create(&service).await?;

    let boundary = EnforcementBoundary::build(
        "EB-BLOCK-RDP",
        &[&AMS],
        &[&any.href],
        &[&(3389, "tcp"), &(3389, "udp"), &service],
    )?;
    let boundary = pce.enforcement_boundaries().create(&boundary).await?;

    let version =
        pce.provision_policy_changes("Ring-fence the app", &[&set, &service, &boundary]).await?;
    println!("{:?} workloads affected, {:?}", version.workloads_affected, version.object_counts);
    let active = pce.rule_sets().active().get_by_name("RS-LAB-ALLOWLIST").await?;
    println!("active: {:?}", active.and_then(|set| set.href));
    Ok(())
}
