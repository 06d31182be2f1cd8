//! Virtual services and their bindings to workloads.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bulkhead_sdk::models::{
    Label, PortOverride, Service, ServiceBinding, ServicePort, VirtualService, Workload,
};
use bulkhead_sdk::{ApplyTo, Pce, Result, convert_draft_href_to_active, convert_protocol};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    run(&Pce::from_env()?).await
}

/// A virtual service of a service object, and one of ports that is bound to a workload.
pub(crate) async fn run(pce: &Pce) -> Result<()> {
    let role = pce.labels().create(&Label::new("role", "R-Tomcat")).await?;
    let ports = [ServicePort::new(80, "tcp")?, ServicePort::new(443, "tcp")?];
    let tomcat = pce.services().create(&Service::new("S-Tomcat").service_ports(ports)).await?;
    let virtual_service = VirtualService::new("VS-Tomcat")
        .apply_to(ApplyTo::HostOnly)
        .service(&tomcat)
        .labels([&role]);
    let virtual_service = pce.virtual_services().create(&virtual_service).await?;
    println!("created {:?}", virtual_service.href);

    let host = Workload::new("haproxy0.company.com")
        .hostname("haproxy0.company.com")
        .public_ip("10.0.14.201");
    let host = pce.workloads().create(&host).await?;
    let haproxy = VirtualService::new("VS-HAProxy")
        .apply_to(ApplyTo::HostOnly)
        .service_ports([ServicePort::default().port(443).proto(convert_protocol("tcp")?)]);
    let haproxy = pce.virtual_services().create(&haproxy).await?;
    pce.provision_policy_changes("Create HAProxy virtual service", &[&haproxy]).await?;

    // Bindings are made with the active side.
    let active = convert_draft_href_to_active(haproxy.href.as_deref().unwrap_or_default());
    let binding = ServiceBinding::new(active.as_str(), &host)
        .port_overrides([PortOverride::default().port(443).new_port(8443).proto(6)]);
    let binding = pce.service_bindings().create(&binding).await?;
    println!("bound by {:?}", binding.href);
    let found = pce.service_bindings().list().filter("virtual_service", &active).send().await?;
    assert_eq!(found.items.len(), 1);
    pce.service_bindings().delete(&binding).await
}
