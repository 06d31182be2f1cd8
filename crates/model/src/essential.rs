//! The essential rules that every organisation starts with.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_netset::{
    IcmpVersion, IpSet, PortProtocol, PortRange, ProtoPorts, ServiceSet, U8Range,
};

use crate::intent::Direction;
use crate::rule::EssentialRule;

/// Protocol number of IGMP.
const IGMP: u8 = 2;
/// DNS server port.
const DNS: u16 = 53;
/// DHCP ports for IPv4 and IPv6: server, client.
const DHCP: [(u16, u16); 2] = [(67, 68), (547, 546)];
/// ICMP types that answer a packet of our own: unreachable, time exceeded, parameter problem.
const ICMP_ERRORS: [(u8, u8); 3] = [(3, 3), (11, 11), (12, 12)];
/// The same for ICMPv6, with packet too big.
const ICMPV6_ERRORS: (u8, u8) = (1, 4);
/// ICMPv6 types of neighbour discovery: solicitations, advertisements, redirect.
const NEIGHBOUR_DISCOVERY: (u8, u8) = (133, 137);

impl EssentialRule {
    /// The standard set, under ids 1 to 9 that do not depend on what is given.
    ///
    /// `pce`: addresses and services of the policy compute engine; without it there is no rule 1. The other
    /// rules have any peer. Loopback and replies of established connections need no rule: the first is
    /// decided before rules are asked, the second by connection tracking.
    ///
    /// Source: essential service rules of the product by name (DNS client, DHCP client, connection to the
    /// PCE) and the switches of its firewall settings (traceroute, IPv6, multicast). Guess: ports and types,
    /// taken from the protocols.
    pub fn standard(pce: Option<(IpSet, ServiceSet)>) -> BTreeMap<Id, Arc<Self>> {
        let rule = |name: &str, direction, services| Self {
            name: name.into(),
            direction,
            peers: None,
            services,
        };
        let (inbound, outbound) = (Direction::Inbound, Direction::Outbound);
        let pce = pce.map(|(addresses, services)| Self {
            peers: Some(Arc::new(addresses)),
            ..rule("PCE connection", outbound, services)
        });
        let servers = DHCP.map(|(server, _)| ProtoPorts::udp(server)).into_iter().collect();
        let clients = DHCP.map(|(_, client)| ProtoPorts::udp(client)).into_iter().collect();
        let igmp = ServiceSet::from(ProtoPorts::protocol(IGMP));
        let rules = [
            pce,
            Some(rule("DNS client", outbound, dns())),
            Some(rule("DHCP client", outbound, servers)),
            Some(rule("DHCP client replies", inbound, clients)),
            Some(rule("ICMP errors", inbound, icmp_errors())),
            Some(rule("IPv6 neighbor discovery", inbound, neighbour_discovery())),
            Some(rule("IPv6 neighbor discovery", outbound, neighbour_discovery())),
            Some(rule("IGMP", inbound, igmp.clone())),
            Some(rule("IGMP", outbound, igmp)),
        ];
        let numbered = (1..).map(Id::int).zip(rules);
        numbered.filter_map(|(id, rule)| Some((id, Arc::new(rule?)))).collect()
    }
}

/// DNS over UDP and TCP.
fn dns() -> ServiceSet {
    let port = |protocol| ProtoPorts::Ports(protocol, PortRange::single(DNS));
    [PortProtocol::Udp, PortProtocol::Tcp].map(port).into_iter().collect()
}

/// ICMP types of one version from ranges of numbers.
fn icmp(version: IcmpVersion, ranges: &[(u8, u8)]) -> ServiceSet {
    let types = ranges.iter().filter_map(|(first, last)| U8Range::new(*first, *last).ok());
    types.map(|types| ProtoPorts::IcmpTypes(version, types)).collect()
}

/// Errors that routers and peers send back, which traceroute and path discovery need.
fn icmp_errors() -> ServiceSet {
    icmp(IcmpVersion::V4, &ICMP_ERRORS).union(&icmp(IcmpVersion::V6, &[ICMPV6_ERRORS]))
}

/// What an IPv6 link needs to work at all.
fn neighbour_discovery() -> ServiceSet {
    icmp(IcmpVersion::V6, &[NEIGHBOUR_DISCOVERY])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pce: Option<(IpSet, ServiceSet)>) -> Vec<String> {
        let line = |(id, rule): (&Id, &Arc<EssentialRule>)| {
            let peers = rule.peers.as_ref().map_or("any".into(), |peers| peers.to_string());
            format!("{id:?} {} {:?} {peers} {}", rule.name, rule.direction, rule.services)
        };
        EssentialRule::standard(pce).iter().map(line).collect()
    }

    #[test]
    fn standard_set() {
        let pce: IpSet =
            ["192.0.2.1/32".parse::<bulkhead_netset::IpRange>().unwrap()].into_iter().collect();
        let ports = ServiceSet::from(ProtoPorts::tcp(8444));
        let all = text(Some((pce, ports)));
        assert_eq!(
            all,
            [
                "1 PCE connection Outbound 192.0.2.1 tcp/8444",
                "2 DNS client Outbound any tcp/53,udp/53",
                "3 DHCP client Outbound any udp/67,udp/547",
                "4 DHCP client replies Inbound any udp/68,udp/546",
                "5 ICMP errors Inbound any icmp/3,icmp/11-12,icmpv6/1-4",
                "6 IPv6 neighbor discovery Inbound any icmpv6/133-137",
                "7 IPv6 neighbor discovery Outbound any icmpv6/133-137",
                "8 IGMP Inbound any 2",
                "9 IGMP Outbound any 2",
            ]
        );
        assert_eq!(text(None), all[1..]);
    }
}
