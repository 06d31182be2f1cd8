//! Pairing profiles, container clusters and their profiles, workloads with interfaces, agents, events.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bulkhead_sdk::models::{
    ContainerCluster, ContainerWorkloadProfile, Interface, Label, LabelRestriction, PairingProfile,
    PairingProfilePatch, Workload,
};
use bulkhead_sdk::{EnforcementMode, Pce, Result, VisibilityLevel};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    run(&Pce::from_env()?).await
}

/// Hosts of every kind.
pub(crate) async fn run(pce: &Pce) -> Result<()> {
    let web = pce.labels().create(&Label::new("role", "R-Hosts-Web")).await?;
    let workload = Workload::new("Web 01")
        .hostname("web01.lab.company.com")
        .public_ip("10.8.17.229")
        .labels([&web])
        .interfaces([Interface::new("eth0", "10.8.17.229").cidr_block(24)])
        .enforcement_mode(EnforcementMode::Selective)
        .online(true);
    let workload = pce.workloads().create(&workload).await?;
    println!("{:?} is in mode {:?}", workload.name, workload.enforcement_mode);

    let profile = PairingProfile::new("PP-DATABASE-VENS")
        .enforcement_mode("visibility_only")
        .visibility_level(VisibilityLevel::FlowSummary);
    let profile = pce.pairing_profiles().create(&profile).await?;
    let key = pce.generate_pairing_key(&profile).await?;
    println!("a key of {} characters", key.len());
    let change = PairingProfilePatch::default().name("PP-DATABASE").enabled(false);
    pce.pairing_profiles().update(&profile, &change).await?;

    let cluster = ContainerCluster::new("CC-EKS-PROD").description("Production Kubernetes on AWS");
    let cluster = pce.container_clusters().create(&cluster).await?;
    println!("its token is shown once: {}", cluster.container_cluster_token.is_some());
    let env = pce.labels().create(&Label::new("env", "E-Hosts")).await?;
    let profile = ContainerWorkloadProfile::default()
        .name("illumio-system")
        .managed(true)
        .labels([LabelRestriction::assign("env", &env)])
        .enforcement_mode("visibility_only");
    let profiles = pce.container_workload_profiles().parent(&cluster);
    let profile = profiles.create(&profile).await?;
    println!("{:?} of {}", profile.name, profiles.list().send().await?.items.len());

    println!("{} agents", pce.vens().list().get_all().await?.len());
    for event in pce.events().list().max_results(5).send().await?.items {
        println!("{:?} {:?} {:?}", event.timestamp, event.event_type, event.status);
    }
    Ok(())
}
