//! Services, virtual services and what is bound to them.

use super::rules::service_of;
use super::{target, targets};
use crate::doc::Val;
use bulkhead_model::{Service, ServiceBinding, ServiceEntry, VirtualServer, VirtualService};
use bulkhead_netset::{
    IpRange, IpSet, PortProtocol, PortRange, ProtoPorts, ServiceFields, ServiceSet,
};
use std::net::IpAddr;
use std::sync::Arc;

/// The wire's number for every protocol, and for every port.
const ANY: i64 = -1;

/// A port member: none when absent, null or "any".
fn port(entry: &Val, name: &str) -> Option<i64> {
    entry.int(name).filter(|p| *p != ANY)
}

/// Protocol and ports of an entry; without protocol, its ports of TCP and UDP; without both, everything.
/// Nothing for an entry that cannot be read.
pub fn ports(entry: &Val) -> ServiceSet {
    let fields = |proto| ServiceFields {
        proto,
        port: port(entry, "port"),
        to_port: port(entry, "to_port").filter(|_| port(entry, "port").is_some()),
        icmp_type: entry.int("icmp_type"),
        icmp_code: entry.int("icmp_code"),
    };
    let protos: &[i64] = match entry.int("proto").or(entry.int("protocol")) {
        Some(proto) => &[proto],
        None if port(entry, "port").is_some() => &[6, 17],
        None => &[ANY],
    };
    protos.iter().filter_map(|p| ProtoPorts::from_fields(&fields(*p)).ok()).collect()
}

/// TCP and UDP on the port of an entry; none for any port.
fn on_port(entry: &Val) -> Option<ServiceSet> {
    let range = PortRange::from_fields(Some(port(entry, "port")?), None).ok()?;
    Some(
        [ProtoPorts::Ports(PortProtocol::Tcp, range), ProtoPorts::Ports(PortProtocol::Udp, range)]
            .into_iter()
            .collect(),
    )
}

fn owner(entry: &Val, name: &str) -> Option<Arc<str>> {
    entry.str(name).filter(|s| !s.is_empty()).map(Into::into)
}

fn windows(entry: &Val) -> ServiceEntry {
    ServiceEntry {
        ports: ports(entry),
        windows: true,
        process: owner(entry, "process_name"),
        windows_service: owner(entry, "service_name"),
    }
}

pub(super) fn service(doc: &Val) -> Service {
    let plain = |entry: &Val| ServiceEntry {
        ports: ports(entry),
        windows: false,
        process: None,
        windows_service: None,
    };
    let entries = doc.list("service_ports").iter().map(plain);
    Service {
        entries: entries.chain(doc.list("windows_services").iter().map(windows)).collect(),
        egress: doc.list("windows_egress_services").iter().map(windows).collect(),
    }
}

fn range(text: &str) -> Option<IpRange> {
    IpRange::from_fields(text, None).ok()
}

pub(super) fn virtual_service(doc: &Val) -> VirtualService {
    let all = |entries: &[Val]| {
        ServiceSet::union_all(entries.iter().map(ports).collect::<Vec<_>>().iter())
    };
    let at = doc.list("service_addresses");
    let address = |a: &Val| Some((Arc::new(IpSet::from_iter([range(a.str("ip")?)?])), on_port(a)));
    let name = |a: &Val| Some((a.str("fqdn")?.to_lowercase().into(), on_port(a)));
    let overrides = doc.list("ip_overrides").iter().filter_map(Val::as_str).filter_map(range);
    VirtualService {
        labels: targets(doc.list("labels")),
        service: service_of(doc),
        ports: all(doc.list("service_ports")),
        ip_overrides: Arc::new(overrides.collect()),
        addresses: at.iter().filter_map(address).collect(),
        fqdns: at.iter().filter_map(name).collect(),
        internal_bridge: doc.str("apply_to") == Some("internal_bridge_network"),
    }
}

pub(super) fn virtual_server(doc: &Val) -> VirtualServer {
    let vip = doc.get("vip");
    VirtualServer {
        labels: targets(doc.list("labels")),
        address: vip.and_then(|v| v.str("ip")).and_then(|ip| ip.parse::<IpAddr>().ok()),
        ports: vip.map(ports).unwrap_or_default(),
    }
}

/// None when the binding names no workload.
pub(super) fn binding(doc: &Val) -> Option<ServiceBinding> {
    Some(ServiceBinding {
        virtual_service: target(doc, "virtual_service")?,
        workload: target(doc, "workload")?,
        port_overrides: doc.list("port_overrides").iter().filter_map(port_override).collect(),
    })
}

/// (ports of the service, ports of the workload); without protocol both TCP and UDP.
fn port_override(entry: &Val) -> Option<(ServiceSet, ServiceSet)> {
    let old = match port(entry, "port") {
        Some(p) => PortRange::from_fields(Some(p), None).ok()?,
        None => PortRange::ALL,
    };
    let new = PortRange::from_fields(port(entry, "new_port"), port(entry, "new_to_port")).ok()?;
    let of = |range: PortRange| -> ServiceSet {
        let both = [
            ProtoPorts::Ports(PortProtocol::Tcp, range),
            ProtoPorts::Ports(PortProtocol::Udp, range),
        ];
        let wanted = |p: &&ProtoPorts| match entry.int("proto").or(entry.int("protocol")) {
            Some(proto) => i64::from(p.first_protocol()) == proto,
            None => true,
        };
        both.iter().filter(wanted).copied().collect()
    };
    Some((of(old), of(new)))
}
