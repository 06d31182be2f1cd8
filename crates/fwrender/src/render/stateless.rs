//! Packets of stateless rules pass connection tracking by.

use bulkhead_model::Intent;
use bulkhead_netset::{IcmpVersion, PortProtocol, ProtoPorts, ServiceSet};

use super::base::ignored;
use super::select::{PickPeers, Selection};
use super::verdicts::digest;
use crate::prefix::Path;
use crate::ruleset::{Chain, Family, Hook, Match, NamedSet, Rule, SetContent, Side, Statement};
use crate::service::replies;

/// The raw chains and their sets; nothing when no rule is stateless.
///
/// Only decides what is tracked: whether a packet passes is the matter of the filter chains. A handful of
/// rules for each list of peers; the product allows 100 stateless rules in an organisation.
pub(crate) fn raw_chains(selection: &Selection, intent: &Intent) -> (Vec<Chain>, Vec<NamedSet>) {
    let (mut incoming, mut outgoing, mut sets) = (Vec::new(), Vec::new(), Vec::new());
    for path in [Path::In, Path::Out] {
        for pick in selection.picks(path).iter().filter(|p| p.stateless) {
            let peers = match &pick.peers {
                PickPeers::Any => None,
                PickPeers::Set(number) => Some(*number),
                PickPeers::Names(_) => continue,
            };
            let answers = replies(&pick.services);
            let (to_host, from_host) = match path.is_inbound() {
                true => ((&pick.services, Side::Destination), (&answers, Side::Source)),
                false => ((&answers, Side::Source), (&pick.services, Side::Destination)),
            };
            for family in Family::ALL {
                let set = peers.map(|number| {
                    sets.push(number);
                    peer_set(selection, number, family)
                });
                let from = |side| set.clone().map(|set| Match::Address(side, family, set));
                incoming.extend(untracked(from(Side::Source), Some(Match::Local), to_host));
                outgoing.extend(untracked(from(Side::Destination), None, from_host));
                if set.is_none() {
                    // Without a list of peers the rules hold for both families.
                    break;
                }
            }
        }
    }
    if incoming.is_empty() && outgoing.is_empty() {
        return (Vec::new(), Vec::new());
    }
    sets.sort_unstable();
    sets.dedup();
    let raw = |name: &str, hook, path, rules| Chain {
        name: name.to_owned(),
        hook: Some(hook),
        rules: ignored(intent, path).chain(rules).collect(),
    };
    let chains = vec![
        raw("raw_prerouting", Hook::Prerouting, Path::In, incoming),
        raw("raw_output", Hook::OutputRaw, Path::Out, outgoing),
    ];
    (chains, sets.into_iter().flat_map(|number| named_sets(selection, number)).collect())
}

fn peer_set(selection: &Selection, number: u32, family: Family) -> String {
    let id = usize::try_from(number).ok().and_then(|i| selection.sets.get(i)).map(|(id, _)| id.0);
    format!("stateless{}_{}", family.digit(), digest(&format!("{id:?}")))
}

fn named_sets(selection: &Selection, number: u32) -> Vec<NamedSet> {
    let set = usize::try_from(number).ok().and_then(|i| selection.sets.get(i)).map(|(_, set)| set);
    let Some(set) = set else { return Vec::new() };
    let named = |family| {
        let ranges = set.ranges().filter(|r| r.is_ipv4() == (family == Family::V4)).collect();
        let content = SetContent::Addresses { family, timeout: false, ranges };
        NamedSet { name: peer_set(selection, number, family), content }
    };
    Family::ALL.map(named).to_vec()
}

/// Rules that take the packets of services out of tracking: one for each kind of service.
fn untracked(
    peer: Option<Match>,
    local: Option<Match>,
    (services, side): (&ServiceSet, Side),
) -> Vec<Rule> {
    let conditions = service_matches(services, side);
    let rule = |condition: Option<Match>| Rule {
        matches: [local.clone(), peer.clone(), condition].into_iter().flatten().collect(),
        statement: Statement::Untrack,
        comment: None,
    };
    if services.is_all() {
        return vec![rule(None)];
    }
    conditions.into_iter().map(|condition| rule(Some(condition))).collect()
}

/// Conditions that together are the service set, one for each kind of service.
fn service_matches(services: &ServiceSet, side: Side) -> Vec<Match> {
    let entries: Vec<_> = services.entries().collect();
    let mut out = Vec::new();
    for protocol in [PortProtocol::Tcp, PortProtocol::Udp] {
        let ports = entries.iter().filter_map(|entry| match entry {
            ProtoPorts::Ports(p, ports) if *p == protocol => Some(*ports),
            _ => None,
        });
        out.push(Match::Ports(protocol, side, ports.collect()));
    }
    for icmp in [IcmpVersion::V4, IcmpVersion::V6] {
        let types = entries.iter().filter_map(|entry| match entry {
            ProtoPorts::IcmpTypes(version, types) if *version == icmp => Some(*types),
            _ => None,
        });
        out.push(Match::IcmpTypes(icmp, types.collect()));
        let codes = entries.iter().filter_map(|entry| match entry {
            ProtoPorts::IcmpCodes(version, icmp_type, codes) if *version == icmp => {
                Some((codes.first()..=codes.last()).map(|code| (*icmp_type, code)))
            }
            _ => None,
        });
        out.push(Match::IcmpCodes(icmp, codes.flatten().collect()));
    }
    let protocols = entries.iter().filter_map(|entry| match entry {
        ProtoPorts::Protocols(range) => Some(*range),
        _ => None,
    });
    out.push(Match::Protocols(protocols.collect()));
    out.retain(|condition| match condition {
        Match::Ports(_, _, items) => !items.is_empty(),
        Match::IcmpTypes(_, items) | Match::Protocols(items) => !items.is_empty(),
        Match::IcmpCodes(_, items) => !items.is_empty(),
        _ => true,
    });
    out
}
