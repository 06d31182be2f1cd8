//! Services: which of them an entry stands for at one end.

use bulkhead_ids::Id;
use bulkhead_model::{
    Direction, Flow, Os, ServiceBinding, ServiceEntry, ServiceRef, Snapshot, VirtualService,
    Workload,
};
use bulkhead_netset::{ProtoPorts, ServiceSet};

/// An entry that is nothing but ports.
fn plain(ports: ServiceSet) -> ServiceEntry {
    ServiceEntry { ports, windows: false, process: None, windows_service: None }
}

/// The entries of a rule's services. Section 7: several services, and several entries of one, are
/// alternatives. A missing service adds nothing.
pub(crate) fn rule_entries(s: &Snapshot, services: &[ServiceRef]) -> Vec<ServiceEntry> {
    let entries = |service: &ServiceRef| match service {
        ServiceRef::Inline(ports) => vec![plain(ports.clone())],
        ServiceRef::Service(id) => {
            s.services.get(id).map(|service| service.entries.clone()).unwrap_or_default()
        }
    };
    services.iter().flat_map(entries).collect()
}

/// The entries of a virtual service: its own ports and those of its service object.
pub(crate) fn virtual_service_entries(s: &Snapshot, vs: &VirtualService) -> Vec<ServiceEntry> {
    let services: Vec<ServiceRef> = vs.service.map(ServiceRef::Service).into_iter().collect();
    let mut entries = rule_entries(s, &services);
    entries.push(plain(vs.ports.clone()));
    entries
}

/// R-VS-PORTS: the entries of a virtual service on one bound workload: overridden ports are taken out, and
/// their replacement is added where the entry had all of them.
pub(crate) fn r_vs_ports(entries: &[ServiceEntry], binding: &ServiceBinding) -> Vec<ServiceEntry> {
    let on_workload = |entry: &ServiceEntry| {
        let overrides = &binding.port_overrides;
        let out = ServiceSet::union_all(overrides.iter().map(|(from, _)| from));
        let replaced =
            overrides.iter().filter(|(from, _)| !from.is_empty() && entry.ports.contains_set(from));
        let replacement = ServiceSet::union_all(replaced.map(|(_, to)| to));
        ServiceEntry { ports: entry.ports.difference(&out).union(&replacement), ..entry.clone() }
    };
    entries.iter().map(on_workload).collect()
}

/// The ports of the entries that act at this end.
pub(crate) fn usable(
    entries: &[ServiceEntry],
    host: &Workload,
    direction: Direction,
    flow: &Flow,
) -> ServiceSet {
    let acts = |entry: &&ServiceEntry| match direction {
        Direction::Inbound => r_proc_in(entry, host, flow),
        Direction::Outbound => r_proc_out(entry),
    };
    ServiceSet::union_all(entries.iter().filter(acts).map(|entry| &entry.ports))
}

/// R-PROC-IN: inbound, an entry for Windows means nothing on another system, and one with a process or
/// Windows service matches only flows that name it.
fn r_proc_in(entry: &ServiceEntry, host: &Workload, flow: &Flow) -> bool {
    let restricted = entry.windows || entry.process.is_some() || entry.windows_service.is_some();
    !restricted || (host.os == Os::Windows && process_matches(entry, flow))
}

/// R-PROC-OUT: the consumer cannot know the provider's process, so the ports alone count.
fn r_proc_out(_: &ServiceEntry) -> bool {
    true
}

/// Whether a flow meets every restriction of an entry, without regard to case.
fn process_matches(entry: &ServiceEntry, flow: &Flow) -> bool {
    let process = entry.process.as_deref().is_none_or(|wanted| {
        flow.process.as_deref().is_some_and(|process| same_process(wanted, process))
    });
    let service = entry.windows_service.as_deref().is_none_or(|wanted| {
        let running = flow.windows_service.as_deref();
        running.is_some_and(|running| running.to_lowercase() == wanted.to_lowercase())
    });
    process && service
}

/// R-PROC-IN: by full path, or by file name when the entry gives only a file name.
fn same_process(wanted: &str, running: &str) -> bool {
    let (wanted, running) = (wanted.to_lowercase(), running.to_lowercase());
    let separators = ['\\', '/'];
    let file_name = running.rsplit(separators).next();
    wanted == running || (!wanted.contains(separators) && file_name == Some(wanted.as_str()))
}

/// R-EGRESS: a rule with egress services acts outbound only on a Windows consumer whose process (or Windows
/// service) one of them names.
pub(crate) fn r_egress(s: &Snapshot, egress: &[Id], consumer: &Workload, flow: &Flow) -> bool {
    let entries = || egress.iter().filter_map(|id| s.services.get(id)).flat_map(|s| &s.egress);
    egress.is_empty()
        || (consumer.os == Os::Windows && entries().any(|entry| process_matches(entry, flow)))
}

/// R-SERVICE: an allow needs the whole service of the flow, a deny any part of it.
pub(crate) fn r_service(services: &ServiceSet, asked: &ProtoPorts, denies: bool) -> bool {
    if denies {
        !services.is_disjoint(&ServiceSet::from(*asked))
    } else {
        services.contains_entry(asked)
    }
}

/// R-FQDN: `*` stands for one or more characters without a dot; case does not matter.
pub(crate) fn r_fqdn(pattern: &str, name: &str) -> bool {
    fn matches(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), Some((c, tail))) => {
                *c != b'.' && (matches(rest, tail) || matches(pattern, tail))
            }
            (Some((p, rest)), Some((c, tail))) => p == c && matches(rest, tail),
            _ => false,
        }
    }
    matches(pattern.to_lowercase().as_bytes(), name.to_lowercase().as_bytes())
}
