//! What an intent says of a packet, entry by entry: slow, and written to be read.

use std::net::IpAddr;

use bulkhead_fwrender::{CtState, Fate, Packet, SecureConnect, Transport, Way};
use bulkhead_model::{AddressSets, Effect, Entry, Intent, Mode, Peers, RuleRef, ServiceMatch};
use bulkhead_netset::{IcmpVersion, PortProtocol, ServiceSet};

/// What decides and what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) fate: Fate,
    /// The effect that decides; none for the default of the mode.
    pub(crate) effect: Option<Effect>,
    /// Every rule of that effect.
    pub(crate) rules: Vec<RuleRef>,
    pub(crate) logged: bool,
}

/// Whether a service set holds what a packet carries, by its destination port.
pub(crate) fn serves(set: &ServiceSet, transport: Transport) -> bool {
    match transport {
        Transport::Tcp { destination, .. } => set.contains_port(PortProtocol::Tcp, destination),
        Transport::Udp { destination, .. } => set.contains_port(PortProtocol::Udp, destination),
        Transport::Icmp { icmp_type, code } => set.contains_icmp(IcmpVersion::V4, icmp_type, code),
        Transport::Icmpv6 { icmp_type, code } => {
            set.contains_icmp(IcmpVersion::V6, icmp_type, code)
        }
        Transport::Other(number) => set.contains_protocol(number),
    }
}

/// Whether a packet can be the answer to one that the set holds.
fn answers(set: &ServiceSet, transport: Transport) -> bool {
    let icmp = |version: IcmpVersion, asked: u8| {
        set.contains_protocol(version.number())
            || (0..=255).any(|code| set.contains_icmp(version, asked, code))
    };
    match transport {
        Transport::Tcp { source, .. } => set.contains_port(PortProtocol::Tcp, source),
        Transport::Udp { source, .. } => set.contains_port(PortProtocol::Udp, source),
        Transport::Icmp { icmp_type, .. } => match icmp_type {
            0 => icmp(IcmpVersion::V4, 8),
            _ => set.contains_protocol(1),
        },
        Transport::Icmpv6 { icmp_type, .. } => match icmp_type {
            129 => icmp(IcmpVersion::V6, 128),
            _ => set.contains_protocol(58),
        },
        Transport::Other(number) => set.contains_protocol(number),
    }
}

/// The services of an entry that mean something on Linux.
fn services(entry: &Entry) -> ServiceSet {
    let usable = |m: &&ServiceMatch| m.process.is_none() && m.windows_service.is_none();
    ServiceSet::union_all(entry.services.iter().filter(usable).map(|m| &m.ports))
}

fn has_peer(entry: &Entry, peer: IpAddr, sets: &dyn AddressSets) -> bool {
    match &entry.peers {
        Peers::Any => true,
        Peers::Set(id) => sets.addresses(*id).unwrap().contains(peer),
        // Nothing is learned in these tests.
        Peers::Names(_) => false,
    }
}

/// What an intent says of a packet.
pub(crate) fn judge(
    intent: &Intent,
    sets: &dyn AddressSets,
    packet: &Packet,
    secure: SecureConnect,
) -> Answer {
    let table = &intent.table;
    // A forwarded packet is on its way to a container unless its output interface says otherwise.
    let inbound = match packet.way {
        Way::Input => true,
        Way::Output => false,
        Way::Forward => packet.output_interface == "docker0",
    };
    let forward = packet.way == Way::Forward;
    let peer = if inbound { packet.source } else { packet.destination };
    let (mine, others) = match inbound {
        true => (&table.inbound, &table.outbound),
        false => (&table.outbound, &table.inbound),
    };
    let here = |entry: &&std::sync::Arc<Entry>| {
        let on_path = match forward {
            true => entry.flags.internal_bridge || table.containers_inherit,
            false => !entry.flags.internal_bridge,
        };
        on_path && entry.flags.principals.is_empty() && has_peer(entry, peer, sets)
    };
    let needs_ipsec = |entry: &Entry| {
        let asked = entry.effect == Effect::Allow && entry.flags.sec_connect;
        asked && secure == SecureConnect::Require
    };
    let stateless = |entry: &&std::sync::Arc<Entry>| {
        let allow = entry.effect == Effect::Allow && entry.flags.stateless;
        allow && !needs_ipsec(entry) && !forward
    };
    let open = |entry: &&std::sync::Arc<Entry>| !needs_ipsec(entry) || packet.secured;
    let direct = |e: &&std::sync::Arc<Entry>| serves(&services(e), packet.transport);
    let reply = |e: &&std::sync::Arc<Entry>| answers(&services(e), packet.transport);

    let any_policy = !forward
        || table.containers_inherit
        || table.inbound.iter().chain(&table.outbound).any(|e| e.flags.internal_bridge);
    let untracked = mine.iter().filter(here).filter(stateless).any(|e| direct(&e))
        || others.iter().filter(here).filter(stateless).any(|e| reply(&e));
    let open_already =
        matches!(packet.state, CtState::Established | CtState::Related) && !untracked;
    if !any_policy || open_already {
        return Answer { fate: Fate::Accept, effect: None, rules: Vec::new(), logged: false };
    }
    for effect in [Effect::Essential, Effect::OverrideDeny, Effect::Allow, Effect::Deny] {
        let mut hits: Vec<&Entry> = Vec::new();
        let of_effect = |e: &&std::sync::Arc<Entry>| e.effect == effect;
        let direct_hits = mine.iter().filter(of_effect).filter(here).filter(open).filter(direct);
        hits.extend(direct_hits.map(|e| &**e));
        if hits.is_empty() {
            let replies = others.iter().filter(of_effect).filter(here).filter(stateless);
            hits.extend(replies.filter(reply).map(|e| &**e));
        }
        if !hits.is_empty() {
            return decided(intent, effect, &hits);
        }
    }
    let fate = match intent.mode {
        Mode::Full => blocked(intent),
        _ => Fate::Accept,
    };
    Answer { fate, effect: None, rules: Vec::new(), logged: true }
}

fn decided(intent: &Intent, effect: Effect, hits: &[&Entry]) -> Answer {
    let mut rules: Vec<RuleRef> = hits.iter().flat_map(|e| e.rules.iter().copied()).collect();
    rules.sort();
    rules.dedup();
    let (fate, logged) = match effect {
        Effect::Essential | Effect::Allow => (Fate::Accept, false),
        _ if intent.mode == Mode::VisibilityOnly => (Fate::Accept, true),
        _ => (blocked(intent), true),
    };
    let logged = logged && !hits.iter().any(|e| e.flags.no_log);
    Answer { fate, effect: Some(effect), rules, logged }
}

fn blocked(intent: &Intent) -> Fate {
    if intent.table.reject_blocked { Fate::Reject } else { Fate::Drop }
}

/// Whether a stateless entry of the other direction opens a packet of the host as a reply.
pub(crate) fn opened_as_reply(intent: &Intent, sets: &dyn AddressSets, packet: &Packet) -> bool {
    let (peer, others) = match packet.way {
        Way::Input => (packet.source, &intent.table.outbound),
        Way::Output => (packet.destination, &intent.table.inbound),
        Way::Forward => return false,
    };
    let stateless = |e: &&std::sync::Arc<Entry>| e.effect == Effect::Allow && e.flags.stateless;
    others
        .iter()
        .filter(stateless)
        .any(|e| has_peer(e, peer, sets) && answers(&services(e), packet.transport))
}
