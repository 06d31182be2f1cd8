//! The Quickstart Guide of the Developer Interface: connect, create, change, refer, provision.
//!
//! Set `ILLUMIO_PCE_HOST` and the other variables of [`Pce::from_env`], then
//! `cargo run --example quickstart`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bulkhead_sdk::models::{
    Fqdn, IpList, IpListPatch, IpRange, Label, LabelGroup, Service, Workload,
};
use bulkhead_sdk::{Pce, Reference, Result};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    run(&Pce::from_env()?).await
}

/// The guide, step by step.
pub(crate) async fn run(pce: &Pce) -> Result<()> {
    println!("connected: {}", pce.check_connection().await);

    // IP lists: list, create, change, read again, delete.
    let some = pce.ip_lists().list().max_results(5).send().await?;
    println!("{} of {:?} IP lists", some.items.len(), some.total);
    let new = IpList::new("IPL-Private").ip_ranges([
        IpRange::from("10.0.0.0/8"),
        IpRange::from("172.16.0.0-172.31.255.255"),
        IpRange::default().from_ip("192.168.0.0/16").description("home"),
    ]);
    let list = pce.ip_lists().create(&new).await?;
    let change = IpListPatch::default().fqdns([Fqdn::from("localhost")]);
    pce.ip_lists().update(&list, &change).await?;
    let changed = pce.ip_lists().get_by_reference(&list.href).await?;
    println!("{:?} now has names {:?}", changed.name, changed.fqdns);
    pce.ip_lists().delete(&list).await?;

    // A label by href, by JSON and by reference.
    let label = pce.labels().create(&Label::new("role", "R-Quickstart")).await?;
    let href = label.href.clone().unwrap_or_default();
    for same in [
        pce.labels().get(&href).await?,
        pce.labels().get(&json!({ "href": href })).await?,
        pce.labels().get(&Reference::new(&href)).await?,
    ] {
        assert_eq!(same.value.as_deref(), Some("R-Quickstart"));
    }

    // What has no method of its own is reached by path; answers become objects.
    let answer = pce.get("/sec_policy/active/services").query("name", "All Services").await?;
    let services: Vec<Service> = answer.json()?;
    println!("default service: {:?}", services.first().and_then(|s| s.name.as_ref()));

    // An application's host, described by labels.
    let mut labels = Vec::new();
    for (key, value) in
        [("role", "R-NTP"), ("app", "A-CoreServices"), ("env", "E-Prod"), ("loc", "L-AWS")]
    {
        labels.push(pce.labels().create(&Label::new(key, value)).await?);
    }
    let ntp = Workload::new("Internal NTP").hostname("ntp0.lab.company.com").public_ip("10.8.17.2");
    let ntp = pce.workloads().create(&ntp.labels(&labels)).await?;
    println!("created {:?}", ntp.href);

    // A label group, provisioned.
    for value in ["Test", "Staging", "Development", "Production"] {
        pce.labels().create(&Label::new("env", value)).await?;
    }
    let environments = pce.labels().list().filter("key", "env").max_results(10).send().await?;
    let preprod = ["Test", "Staging", "Development"];
    let preprod = environments
        .items
        .iter()
        .filter(|label| label.value.as_deref().is_some_and(|value| preprod.contains(&value)));
    let group = LabelGroup::new("env", "LG-E-PreProd").labels(preprod);
    let group = pce.label_groups().create(&group).await?;
    let version = pce
        .provision_policy_changes("Create pre-production environments label group", &[&group])
        .await?;
    println!("version {:?}: {:?}", version.version, version.commit_message);
    Ok(())
}
