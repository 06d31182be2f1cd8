//! Services of rules as hosts enforce them.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{ServiceEntry, ServiceMatch, ServiceRef, Snapshot, VirtualService};
use bulkhead_netset::{ProtoPorts, ServiceSet};

/// First and last point of a range of services: protocol in bits 16 to 23, port or ICMP type and code below.
pub(crate) type Span = (u32, u32);

/// The points of an entry.
pub(crate) fn span(entry: &ProtoPorts) -> Span {
    let at = |protocol: u8, detail: u16| u32::from(protocol) << 16 | u32::from(detail);
    let icmp = |icmp_type: u8, code: u8| u16::from_be_bytes([icmp_type, code]);
    let protocol = entry.first_protocol();
    match entry {
        ProtoPorts::Protocols(range) => (at(range.first(), 0), at(range.last(), u16::MAX)),
        ProtoPorts::Ports(_, ports) => (at(protocol, ports.first()), at(protocol, ports.last())),
        ProtoPorts::IcmpTypes(_, types) => {
            (at(protocol, icmp(types.first(), 0)), at(protocol, icmp(types.last(), u8::MAX)))
        }
        ProtoPorts::IcmpCodes(_, icmp_type, codes) => {
            let first = icmp(*icmp_type, codes.first());
            (at(protocol, first), at(protocol, icmp(*icmp_type, codes.last())))
        }
    }
}

/// A range of points, and the alternative of the services that it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Port {
    pub(crate) span: Span,
    pub(crate) alternative: u32,
}

/// Services of a statement for one kind of system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Services {
    /// Alternatives, sorted; empty when the statement means nothing there.
    pub(crate) matches: Arc<[ServiceMatch]>,
    /// The same as points.
    pub(crate) ports: Box<[Port]>,
}

impl Services {
    /// Alternatives of the same process and Windows service become one; those without ports go.
    pub(crate) fn new(mut matches: Vec<ServiceMatch>) -> Self {
        let key = |m: &ServiceMatch| (m.process.clone(), m.windows_service.clone());
        matches.sort_by_cached_key(key);
        let mut merged: Vec<ServiceMatch> = Vec::with_capacity(matches.len());
        for next in matches {
            match merged.last_mut() {
                Some(last) if key(last) == key(&next) => last.ports = last.ports.union(&next.ports),
                _ => merged.push(next),
            }
        }
        merged.retain(|m| !m.ports.is_empty());
        merged.sort_unstable();
        let numbered = (0u32..).zip(&merged);
        let ports = numbered.flat_map(|(alternative, m)| {
            m.ports.entries().map(move |e| Port { span: span(&e), alternative })
        });
        Self { ports: ports.collect(), matches: merged.into() }
    }
}

/// Services of a statement: on Windows, and on other systems.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Programs {
    pub(crate) windows: Arc<Services>,
    pub(crate) other: Arc<Services>,
}

impl Programs {
    pub(crate) fn is_none(&self) -> bool {
        self.windows.matches.is_empty() && self.other.matches.is_empty()
    }

    fn same(services: Services) -> Self {
        let services = Arc::new(services);
        Self { windows: Arc::clone(&services), other: services }
    }
}

/// The alternatives that the services of a rule mean; a missing service means nothing.
pub(crate) fn entries(services: &[ServiceRef], snapshot: &Snapshot) -> Vec<ServiceEntry> {
    let of = |service: &ServiceRef| match service {
        ServiceRef::Inline(ports) => vec![plain(ports.clone())],
        ServiceRef::Service(id) => {
            snapshot.services.get(id).map_or_else(Vec::new, |s| s.entries.clone())
        }
    };
    services.iter().flat_map(of).collect()
}

/// The alternatives that a virtual service offers, before overrides.
pub(crate) fn entries_of(vs: &VirtualService, snapshot: &Snapshot) -> Vec<ServiceEntry> {
    let service = vs.service.and_then(|id| snapshot.services.get(&id));
    let mut all = service.map_or_else(Vec::new, |s| s.entries.clone());
    all.push(plain(vs.ports.clone()));
    all
}

pub(crate) fn plain(ports: ServiceSet) -> ServiceEntry {
    ServiceEntry { ports, windows: false, process: None, windows_service: None }
}

/// R-VS-PORTS: all overridden ports are taken out at once, and replaced where the entry holds all of what
/// the replacement stands for.
pub(crate) fn r_vs_ports(
    entries: &[ServiceEntry],
    overrides: &[(ServiceSet, ServiceSet)],
) -> Vec<ServiceEntry> {
    let from = ServiceSet::union_all(overrides.iter().map(|(from, _)| from));
    let replace = |entry: &ServiceEntry| {
        let held = |part: &ServiceSet| !part.is_empty() && entry.ports.contains_set(part);
        let held = overrides.iter().filter(|(from, _)| held(from));
        let to = ServiceSet::union_all(held.map(|(_, to)| to));
        ServiceEntry { ports: entry.ports.difference(&from).union(&to), ..entry.clone() }
    };
    entries.iter().map(replace).collect()
}

fn lower(text: Option<&Arc<str>>) -> Option<Arc<str>> {
    text.map(|t| t.to_lowercase().into())
}

/// R-PROC-IN: at the provider every restriction counts, and entries with one mean something on Windows only.
pub(crate) fn r_proc_in(entries: &[ServiceEntry]) -> Programs {
    let matches = |entry: &ServiceEntry| ServiceMatch {
        ports: entry.ports.clone(),
        process: lower(entry.process.as_ref()),
        windows_service: lower(entry.windows_service.as_ref()),
    };
    let limited =
        |e: &ServiceEntry| e.windows || e.process.is_some() || e.windows_service.is_some();
    if !entries.iter().any(limited) {
        return Programs::same(Services::new(entries.iter().map(matches).collect()));
    }
    Programs {
        windows: Arc::new(Services::new(entries.iter().map(matches).collect())),
        other: Arc::new(Services::new(
            entries.iter().filter(|e| !limited(e)).map(matches).collect(),
        )),
    }
}

/// R-PROC-OUT: the consumer knows no process of the provider, so the ports count alone.
pub(crate) fn r_proc_out(entries: &[ServiceEntry]) -> Programs {
    let ports = ServiceSet::union_all(entries.iter().map(|e| &e.ports));
    Programs::same(Services::new(vec![ServiceMatch {
        ports,
        process: None,
        windows_service: None,
    }]))
}

/// R-EGRESS: outbound entries of a rule with egress services act on Windows only, for these processes; ports
/// of an egress entry do not count.
pub(crate) fn r_egress(outbound: Programs, egress: &[Id], snapshot: &Snapshot) -> Programs {
    if egress.is_empty() {
        return outbound;
    }
    let limits = egress.iter().filter_map(|id| snapshot.services.get(id)).flat_map(|s| &s.egress);
    let with = |limit: &ServiceEntry| -> Vec<ServiceMatch> {
        let limited = outbound.windows.matches.iter().map(|m| ServiceMatch {
            ports: m.ports.clone(),
            process: lower(limit.process.as_ref()),
            windows_service: lower(limit.windows_service.as_ref()),
        });
        limited.collect()
    };
    Programs {
        windows: Arc::new(Services::new(limits.flat_map(with).collect())),
        other: Arc::new(Services::new(Vec::new())),
    }
}

/// Whether a process of a flow is the one that an entry names (lower case): by path, or by file name when the
/// entry gives only that.
pub(crate) fn process_matches(wanted: &str, process: &str) -> bool {
    let process = process.to_lowercase();
    if wanted.contains(['/', '\\']) {
        return process == wanted;
    }
    process.rsplit(['/', '\\']).next() == Some(wanted)
}

/// Whether what a flow says about its process meets an alternative.
pub(crate) fn restrictions_met(
    wanted: &ServiceMatch,
    process: Option<&str>,
    windows_service: Option<&str>,
) -> bool {
    let process_met = wanted
        .process
        .as_deref()
        .is_none_or(|want| process.is_some_and(|p| process_matches(want, p)));
    let service_met = wanted
        .windows_service
        .as_deref()
        .is_none_or(|want| windows_service.is_some_and(|s| s.to_lowercase() == want));
    process_met && service_met
}

/// R-FQDN: whether a name meets a pattern, ignoring case, in which `*` stands for one or more characters
/// without a dot.
pub(crate) fn r_fqdn(pattern: &str, name: &str) -> bool {
    let (pattern, name) = (pattern.to_lowercase(), name.to_lowercase());
    let mut patterns = pattern.split('.');
    let mut labels = name.split('.');
    loop {
        match (patterns.next(), labels.next()) {
            (None, None) => return true,
            (Some(pattern), Some(label)) if label_matches(pattern, label) => {}
            _ => return false,
        }
    }
}

/// One label against one label of a pattern; each `*` takes as little as it can.
fn label_matches(pattern: &str, label: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == label };
    let Some(mut left) = label.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        let after_one = left.char_indices().nth(1).map_or(left.len(), |(at, _)| at);
        if left.is_empty() {
            return false;
        }
        let Some(tail) = left.get(after_one..) else { return false };
        if parts.peek().is_none() {
            return tail.ends_with(part);
        }
        let Some(at) = tail.find(part) else { return false };
        left = tail.get(at + part.len()..).unwrap_or("");
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{process_matches, r_fqdn};

    #[test]
    fn a_star_is_some_characters_of_one_label() {
        let cases = [
            ("*.ubuntu.com", "archive.ubuntu.com", true),
            ("*.ubuntu.com", "us.archive.ubuntu.com", false),
            ("*.ubuntu.com", "ubuntu.com", false),
            ("us-*.ubuntu.com", "us-west-1.ubuntu.com", true),
            ("us-*.ubuntu.com", "us-.ubuntu.com", false),
            ("*a*a.com", "aaaa.com", true),
            ("*a*a.com", "aaa.com", false),
            ("*a*a.com", "baca.com", true),
            ("*ab*.com", "xabab.com", true),
            ("example.com", "EXAMPLE.com", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(r_fqdn(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_process_matches_by_path_or_by_name() {
        assert!(process_matches("sqlservr.exe", r"C:\MSSQL\SqlServr.EXE"));
        assert!(!process_matches(r"c:\x\sqlservr.exe", r"C:\MSSQL\sqlservr.exe"));
        assert!(process_matches("/usr/sbin/nginx", "/usr/sbin/nginx"));
        assert!(!process_matches("nginx", "/usr/sbin/nginx2"));
    }
}
