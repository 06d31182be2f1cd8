//! Flows that have a chance to match.

use std::net::IpAddr;

use bulkhead_ids::Id;
use bulkhead_model::{Flow, FlowEnd, Snapshot};

use super::{Maker, NOBODY, PRINCIPALS, Rng};

/// A random flow between workloads, their addresses, edges of lists and addresses that nobody has.
pub fn flow(rng: &mut Rng, s: &Snapshot) -> Flow {
    let last = s.workloads.keys().last().and_then(|id| id.as_int()).unwrap_or(1);
    let mut maker = Maker { rng, workloads: last };
    let src = maker.end(s);
    let dst = if maker.chance(4) { src } else { maker.end(s) };
    Flow {
        src,
        dst,
        service: maker.ports(),
        process: maker.chance(50).then(|| maker.process()),
        windows_service: maker.chance(35).then(|| maker.windows_service()),
        dst_fqdn: maker.chance(35).then(|| maker.name()),
        principals: if maker.chance(40) { vec![maker.id(PRINCIPALS)] } else { Vec::new() },
    }
}

/// The address after (or before) another of the same family; the same at the very end.
fn neighbour(ip: IpAddr, after: bool) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let n = v4.to_bits();
            IpAddr::V4((if after { n.saturating_add(1) } else { n.saturating_sub(1) }).into())
        }
        IpAddr::V6(v6) => {
            let n = v6.to_bits();
            IpAddr::V6((if after { n.saturating_add(1) } else { n.saturating_sub(1) }).into())
        }
    }
}

impl Maker<'_> {
    /// An end by identity, by address, or by both.
    fn end(&mut self, s: &Snapshot) -> FlowEnd {
        let id = self.workload_id();
        let workload = s.workloads.get(&id);
        let own = workload.and_then(|w| {
            let public = w.public_ip.filter(|_| self.chance(20));
            public.or_else(|| {
                let n = self.rng.usize(0..w.interfaces.len().max(1));
                w.interfaces.get(n).map(|i| i.address)
            })
        });
        match self.rng.u8(0..20) {
            0..=5 => FlowEnd { workload: Some(id), ip: None },
            6..=11 => FlowEnd { workload: Some(id), ip: own },
            12..=15 => FlowEnd { workload: None, ip: own.or_else(|| Some(self.address())) },
            16 => FlowEnd { workload: Some(Id::int(NOBODY)), ip: own },
            17 => FlowEnd { workload: None, ip: Some(self.edge(s)) },
            _ => FlowEnd { workload: None, ip: Some(self.address()) },
        }
    }

    /// The first or last address of a range of some list, or its neighbour.
    fn edge(&mut self, s: &Snapshot) -> IpAddr {
        let ranges: Vec<_> = s.ip_lists.values().flat_map(|list| list.addresses.ranges()).collect();
        let n = self.rng.usize(0..ranges.len().max(1));
        let Some(range) = ranges.get(n) else { return self.address() };
        let (first, last) = (range.first(), range.last());
        let edge = if self.chance(50) { first } else { last };
        if self.chance(50) { edge } else { neighbour(edge, edge == last) }
    }
}
