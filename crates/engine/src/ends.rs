//! Who the two ends of a flow are, and which addresses they use.

use std::net::IpAddr;

use bulkhead_model::{Flow, FlowEnd};
use smallvec::SmallVec;

use crate::engine::Engine;
use crate::hosts::{ClassIx, Host, HostIx, Via, contributes};
use crate::names::{NetIx, NetsIx};

/// One end of a flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) host: Option<HostIx>,
    pub(crate) ip: Option<IpAddr>,
}

/// An end as one host sees it.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    pub(crate) ip: Option<IpAddr>,
    /// Classes of the workloads that contribute the address to the host; without an address the end's own.
    pub(crate) classes: SmallVec<[ClassIx; 2]>,
}

impl Engine {
    /// The ends of a flow, source first.
    pub(crate) fn ends(&self, flow: &Flow) -> (End, End) {
        let src_given = self.given(&flow.src);
        let dst_given = self.given(&flow.dst);
        // The common case: two workloads with one address each in the same networks.
        if let (Some(src), Some(dst)) = (self.row(src_given), self.row(dst_given))
            && let (Some(src_ip), Some(dst_ip)) = (src.sole, dst.sole)
            && src.nets == dst.nets
            && src_ip.is_ipv4() == dst_ip.is_ipv4()
            && flow.src.ip.is_none()
            && flow.dst.ip.is_none()
        {
            let end = |host, ip| End { host, ip: Some(ip) };
            return (end(src_given, src_ip), end(dst_given, dst_ip));
        }
        let src = End { host: self.end_host(&flow.src, dst_given), ip: flow.src.ip };
        let dst = End { host: self.end_host(&flow.dst, src_given), ip: flow.dst.ip };
        self.r_flow_address(src, dst)
    }

    pub(crate) fn row(&self, host: Option<HostIx>) -> Option<&Host> {
        self.hosts.rows.get(host?)
    }

    /// The workload that an end names itself.
    fn given(&self, end: &FlowEnd) -> Option<HostIx> {
        self.hosts.host(end.workload?).map(|(ix, _)| ix)
    }

    /// The workload at an end; one that is missing counts as not given.
    fn end_host(&self, end: &FlowEnd, other: Option<HostIx>) -> Option<HostIx> {
        self.given(end).or_else(|| self.r_ip_owner(end.ip?, other))
    }

    /// R-IP-OWNER: the workload with the address in a network of the other end (the default network when
    /// that has none), else with that public address; the managed ones first, then the lowest id.
    pub(crate) fn r_ip_owner(&self, ip: IpAddr, other: Option<HostIx>) -> Option<HostIx> {
        let owners = self.hosts.owners.get(&ip)?;
        let default = self.names.known_net(None);
        let other_nets: &[NetIx] = self.row(other).map_or(&[], |h| self.names.net_list(h.nets));
        let in_net = |net: NetIx| {
            if other_nets.is_empty() { Some(net) == default } else { other_nets.contains(&net) }
        };
        let best = |wanted: &dyn Fn(Via) -> bool| {
            let some = owners.iter().filter(|(_, via)| wanted(*via));
            let rows = some.filter_map(|(ix, _)| Some((*ix, self.hosts.rows.get(*ix)?)));
            rows.min_by_key(|(_, h)| (!h.workload.managed, h.id)).map(|(ix, _)| ix)
        };
        best(&|via| matches!(via, Via::Net(net) if in_net(net)))
            .or_else(|| best(&|via| via == Via::Public))
    }

    /// R-FLOW-ADDRESS: the ends with the addresses that a packet between them carries. Two workloads take IPv4
    /// when both have it, else IPv6 when both have it, else none.
    fn r_flow_address(&self, src: End, dst: End) -> (End, End) {
        let take = |end: End, other: End, v4: bool| {
            end.ip.or_else(|| self.towards(self.row(end.host)?, self.row(other.host), v4))
        };
        match (src.ip, dst.ip) {
            (Some(ip), _) => (src, End { ip: take(dst, src, ip.is_ipv4()), ..dst }),
            (None, Some(ip)) => (End { ip: take(src, dst, ip.is_ipv4()), ..src }, dst),
            (None, None) => {
                let both = |v4| Some((take(src, dst, v4)?, take(dst, src, v4)?));
                let (at_src, at_dst) = both(true).or_else(|| both(false)).unzip();
                (End { ip: at_src, ..src }, End { ip: at_dst, ..dst })
            }
        }
    }

    /// The address of one family under which a workload talks to another end: its first in a network of
    /// that end (any network when that is no workload), else its public one when they share no network.
    fn towards(&self, host: &Host, other: Option<&Host>, v4: bool) -> Option<IpAddr> {
        let Some(other) = other else {
            return host.addresses.iter().map(|a| a.ip).find(|ip| ip.is_ipv4() == v4);
        };
        let there = self.names.net_list(other.nets);
        let shared = host.addresses.iter().filter(|a| there.contains(&a.net)).map(|a| a.ip);
        let apart = !self.names.nets_meet(host.nets, other.nets);
        let mut all = shared.chain(host.workload.public_ip.filter(|_| apart));
        all.find(|ip| ip.is_ipv4() == v4)
    }

    /// How a host in some networks sees an end: R-NETWORK decides whose address it is.
    pub(crate) fn view(&self, end: End, host_nets: NetsIx) -> View {
        let Some(ip) = end.ip else {
            let own = self.row(end.host).map(|h| h.class);
            return View { ip: None, classes: own.into_iter().collect() };
        };
        if let Some(host) = self.row(end.host)
            && host.sole == Some(ip)
        {
            let via = host.addresses.first().map(|a| Via::Net(a.net));
            let seen = via.is_some_and(|via| contributes(&self.names, host_nets, host.nets, via));
            let classes = seen.then_some(host.class).into_iter().collect();
            return View { ip: Some(ip), classes };
        }
        let owners = self.hosts.owners.get(&ip).into_iter().flatten();
        let seen = owners.filter_map(|(ix, via)| {
            let host = self.hosts.rows.get(*ix)?;
            contributes(&self.names, host_nets, host.nets, *via).then_some(host.class)
        });
        View { ip: Some(ip), classes: seen.collect() }
    }
}
