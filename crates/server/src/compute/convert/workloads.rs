//! Workloads.

use super::{target, targets};
use crate::doc::Val;
use bulkhead_ids::Id;
use bulkhead_model::{Interface, Mode, Os, Workload};
use std::net::IpAddr;

/// The built-in corporate network, made first in every organisation: what an interface is in that names none.
const DEFAULT_NETWORK: Id = Id::int(1);

pub(super) fn workload(doc: &Val) -> Workload {
    let ignored: Vec<&str> =
        doc.list("ignored_interface_names").iter().filter_map(Val::as_str).collect();
    let interface = |entry: &Val| interface(entry, &ignored);
    let public_ip = doc.str("public_ip").and_then(|ip| ip.parse().ok());
    let mut interfaces: Vec<Interface> =
        doc.list("interfaces").iter().filter_map(interface).collect();
    if interfaces.iter().all(|i| i.ignored) {
        interfaces.extend(public_ip.map(r_public_only));
    }
    Workload {
        labels: targets(doc.list("labels")),
        interfaces,
        public_ip,
        mode: doc.str("enforcement_mode").and_then(Mode::from_wire).unwrap_or_default(),
        managed: doc.is("managed") || matches!(doc.get("ven"), Some(Val::Obj(_))),
        os: os(doc),
        container_host: matches!(doc.get("container_cluster"), Some(Val::Obj(_))),
        endpoint: doc.get("ven").and_then(|v| v.str("ven_type")) == Some("endpoint"),
    }
}

/// R-PUBLIC-ONLY: a workload of which only the public address is known has it in the default network.
///
/// Source: the library's examples make unmanaged workloads in this way and write rules for them.
fn r_public_only(address: IpAddr) -> Interface {
    Interface { name: "public".into(), address, prefix: None, network: None, ignored: false }
}

/// None for an interface without address: it takes no part in policy.
fn interface(entry: &Val, ignored: &[&str]) -> Option<Interface> {
    let name = entry.str("name").unwrap_or_default();
    let address: IpAddr = entry.str("address")?.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    Some(Interface {
        name: name.into(),
        address,
        prefix: entry.int("cidr_block").and_then(|p| u8::try_from(p).ok()).filter(|p| *p <= most),
        network: target(entry, "network").filter(|n| *n != DEFAULT_NETWORK),
        ignored: ignored.contains(&name) || entry.is("loopback"),
    })
}

/// Short names of Windows systems start with `win`, as in `win-x86_64-server`.
fn os(doc: &Val) -> Os {
    let windows = |name| doc.str(name).is_some_and(|s| s.to_ascii_lowercase().starts_with("win"));
    if windows("os_id") || windows("os_detail") { Os::Windows } else { Os::Other }
}
