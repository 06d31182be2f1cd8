//! Random intents over a small world of addresses and services, so that entries overlap often.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_fwrender::Transport;
use bulkhead_ids::Id;
use bulkhead_model::{
    AddressSets, Effect, Entry, EntryFlags, Intent, Mode, Os, Peers, RuleRef, RuleTable,
    ServiceMatch, SetId,
};
use bulkhead_netset::{IpRange, IpSet, ProtoPorts, ServiceSet};

use crate::chance::Chance;

/// The addresses of sets by their ids.
#[derive(Debug, Default)]
pub(crate) struct Sets(pub(crate) BTreeMap<SetId, Arc<IpSet>>);

impl AddressSets for Sets {
    fn addresses(&self, id: SetId) -> Option<Arc<IpSet>> {
        self.0.get(&id).cloned()
    }
}

/// The host's own addresses.
pub(crate) const LOCAL: [&str; 2] = ["10.9.0.1", "fd09::1"];

/// Addresses that packets come from and go to. All but the host's are on its link.
pub(crate) fn peers() -> Vec<IpAddr> {
    let v4 = (2..30).map(|n| format!("10.9.0.{n}"));
    let v6 = (2..14).map(|n| format!("fd09::{n:x}"));
    v4.chain(v6).map(|text| text.parse().unwrap()).collect()
}

/// The address of the host that a peer talks to.
pub(crate) fn local(peer: IpAddr) -> IpAddr {
    LOCAL[usize::from(peer.is_ipv6())].parse().unwrap()
}

const RANGES: [&str; 19] = [
    // Two halves of a range with a gap; the others cut short pieces off them.
    "10.0.0.0-10.9.0.8",
    "10.9.0.12-10.255.255.255",
    "10.9.0.15",
    "fd09::5-fd09::ffff",
    "10.9.0.2",
    "10.9.0.3",
    "10.9.0.5",
    "10.9.0.7",
    "10.9.0.2-10.9.0.9",
    "10.9.0.8/29",
    "10.9.0.0/24",
    "10.9.0.17-10.9.0.23",
    "10.9.0.19",
    "0.0.0.0/0",
    "10.0.0.0/8",
    "fd09::/16",
    "fd09::3",
    "fd09::4-fd09::8",
    "::/0",
];

const SERVICES: [&str; 22] = [
    "all",
    "tcp",
    "udp",
    "icmp",
    "icmpv6",
    "tcp/22",
    "tcp/22",
    "tcp/80",
    "tcp/443",
    "tcp/80-90",
    "tcp/85-8080",
    "udp/53",
    "udp/53-60",
    "udp/1-1000",
    "icmp/8",
    "icmp/8/0",
    "icmp/3-10",
    "icmpv6/128",
    "icmpv6/128/0",
    "47",
    "40-60",
    "132",
];

const EFFECTS: [Effect; 8] = [
    Effect::Essential,
    Effect::OverrideDeny,
    Effect::OverrideDeny,
    Effect::Allow,
    Effect::Allow,
    Effect::Allow,
    Effect::Deny,
    Effect::Deny,
];

/// Transports that packets carry; most are near the bounds of the services.
pub(crate) fn transport(chance: &mut Chance, v6: bool) -> Transport {
    let port = |chance: &mut Chance| {
        let ports = [1, 22, 53, 60, 61, 79, 80, 81, 84, 85, 90, 91, 443, 1000, 1001, 8080, 8081];
        *chance.pick(&ports)
    };
    // Far from every service but "all", except now and then.
    let source = if chance.percent(90) { 40_000 + chance.below(20_000) } else { 22 };
    let source = u16::try_from(source).unwrap();
    match chance.below(10) {
        0..=3 => Transport::Tcp { source, destination: port(chance) },
        4..=6 => Transport::Udp { source, destination: port(chance) },
        7 => Transport::Other(*chance.pick(&[39, 40, 47, 60, 61, 132])),
        _ if v6 => Transport::Icmpv6 {
            icmp_type: *chance.pick(&[1, 128, 129]),
            code: *chance.pick(&[0, 1]),
        },
        _ => {
            let icmp_type = *chance.pick(&[0, 3, 8, 10, 11]);
            Transport::Icmp { icmp_type, code: *chance.pick(&[0, 1]) }
        }
    }
}

fn services(chance: &mut Chance) -> Arc<[ServiceMatch]> {
    let count = 1 + chance.below(2);
    let mut out: Vec<ServiceMatch> = (0..count)
        .map(|_| {
            let count = 1 + chance.below(3);
            let entries = (0..count).map(|_| chance.pick(&SERVICES).parse::<ProtoPorts>().unwrap());
            let ports: ServiceSet = entries.collect();
            let process = chance.percent(4).then(|| Arc::from("sshd"));
            ServiceMatch { ports, process, windows_service: None }
        })
        .collect();
    out.sort();
    out.dedup();
    out.into()
}

fn rules(chance: &mut Chance, effect: Effect) -> Arc<[RuleRef]> {
    let count = 1 + chance.below(3);
    let id = |chance: &mut Chance| Id::int(1 + chance.below(900) as u64);
    let mut out: Vec<RuleRef> = (0..count)
        .map(|_| match effect {
            Effect::Essential => RuleRef::Essential(id(chance)),
            Effect::Allow => RuleRef::Allow((id(chance), id(chance))),
            Effect::OverrideDeny => RuleRef::Deny((id(chance), id(chance))),
            Effect::Deny if chance.percent(30) => RuleRef::Boundary(id(chance)),
            Effect::Deny => RuleRef::Deny((id(chance), id(chance))),
        })
        .collect();
    out.sort();
    out.dedup();
    out.into()
}

fn entry(chance: &mut Chance, sets: &[SetId], plain: bool) -> Arc<Entry> {
    let effect = *chance.pick(&EFFECTS);
    let peers = match chance.below(10) {
        0 => Peers::Any,
        1 if !plain => Peers::Names(vec![Arc::from("*.example.com")].into()),
        _ => Peers::Set(*chance.pick(sets)),
    };
    let services = services(chance);
    let flags = EntryFlags {
        stateless: chance.percent(8),
        sec_connect: !plain && chance.percent(8),
        no_log: chance.percent(15),
        internal_bridge: !plain && chance.percent(8),
        principals: if chance.percent(4) { vec![Id::int(1)].into() } else { Arc::default() },
        ..EntryFlags::default()
    };
    Arc::new(Entry { effect, peers, services, flags, rules: rules(chance, effect) })
}

/// Random sets and an intent over them. A plain one has nothing that a test with a real kernel cannot bring
/// about: no names, no IPsec, no containers.
pub(crate) fn intent(chance: &mut Chance, plain: bool) -> (Intent, Sets) {
    let mut sets = Sets::default();
    for number in 0..6u8 {
        let count = chance.below(5);
        let ranges = (0..count).map(|_| chance.pick(&RANGES).parse::<IpRange>().unwrap());
        sets.0.insert(SetId([number; 16]), Arc::new(ranges.collect()));
    }
    let ids: Vec<_> = sets.0.keys().copied().collect();
    let entries = |chance: &mut Chance| {
        let count = chance.below(9);
        (0..count).map(|_| entry(chance, &ids, plain)).collect()
    };
    let table = RuleTable {
        inbound: entries(chance),
        outbound: entries(chance),
        reject_blocked: chance.percent(25),
        containers_inherit: !plain && chance.percent(20),
        ..RuleTable::default()
    };
    let mode = *chance.pick(&[Mode::VisibilityOnly, Mode::Selective, Mode::Full, Mode::Full]);
    let table = Arc::new(table);
    (Intent { mode, os: Os::Other, ignored_interfaces: Vec::new(), table }, sets)
}
