//! Random worlds: what the oracle says of a packet at a host, against the text made from the engine's intent.

use std::net::IpAddr;
use std::rc::Rc;

use bulkhead_engine::Engine;
use bulkhead_fwrender::{
    Cause, Fate, Interpreter, Judgement, LogPrefix, Outcome, Packet, Path, RenderOptions,
    SecureConnect, Transport, Way, render,
};
use bulkhead_ids::Id;
use bulkhead_model::{Direction, Effect, Intent, Mode, Os, RuleRef, Snapshot};
use bulkhead_netset::{IcmpVersion, PortProtocol, PortRange, ProtoPorts, U8Range};
use bulkhead_worldgen::small::{self, Rng};

use crate::chance::{budget, seed};
use crate::naive;

/// Workloads of a world.
pub(crate) const SIZE: usize = 10;

/// One packet at one host of a world.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) packet: Packet,
    direction: Direction,
    pub(crate) peer: IpAddr,
    service: ProtoPorts,
}

/// A host of a world with the ruleset that it gets.
pub(crate) struct Host {
    pub(crate) world: Snapshot,
    pub(crate) id: Id,
    engine: Rc<Engine>,
    pub(crate) intent: Intent,
    pub(crate) text: String,
    pub(crate) interpreter: Interpreter,
}

/// The hosts of a world that have a ruleset: managed and no Windows.
pub(crate) fn hosts(world: &Snapshot, options: &RenderOptions) -> Vec<Host> {
    let engine = Rc::new(Engine::new(world.clone()));
    let mut out = Vec::new();
    for (id, workload) in &world.workloads {
        let Some(intent) = engine.intent(*id).filter(|i| i.os != Os::Windows) else { continue };
        assert!(workload.managed);
        let text = render(&intent, &*engine, options).unwrap().to_text();
        let interpreter = Interpreter::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        let engine = Rc::clone(&engine);
        out.push(Host { world: world.clone(), id: *id, engine, intent, text, interpreter });
    }
    out
}

/// What policies are rendered with here: every verdict is told, and IPsec is somebody else's matter.
pub(crate) fn options() -> RenderOptions {
    RenderOptions {
        log_allowed: true,
        secure_connect: SecureConnect::Trust,
        // The oracle knows no such messages.
        neighbour_discovery: false,
        ..RenderOptions::default()
    }
}

/// One packet that an entry of a service may stand for.
fn transport(rng: &mut Rng, service: ProtoPorts, v6: bool) -> (Transport, ProtoPorts) {
    let ports = |rng: &mut Rng, protocol, range: PortRange| {
        let destination = *rng.choice(&[range.first(), range.last(), 443]).unwrap();
        let source = rng.u16(40_000..60_000);
        let service = ProtoPorts::Ports(protocol, PortRange::single(destination));
        match protocol {
            PortProtocol::Tcp => (Transport::Tcp { source, destination }, service),
            PortProtocol::Udp => (Transport::Udp { source, destination }, service),
        }
    };
    // ICMP of the other family is no packet that exists.
    let icmp = |icmp_type: u8, code: u8| {
        let version = if v6 { IcmpVersion::V6 } else { IcmpVersion::V4 };
        let service = ProtoPorts::IcmpCodes(version, icmp_type, U8Range::single(code));
        match version {
            IcmpVersion::V4 => (Transport::Icmp { icmp_type, code }, service),
            IcmpVersion::V6 => (Transport::Icmpv6 { icmp_type, code }, service),
        }
    };
    match service {
        ProtoPorts::Ports(protocol, range) => ports(rng, protocol, range),
        ProtoPorts::IcmpTypes(_, types) => icmp(types.first(), rng.u8(0..2)),
        ProtoPorts::IcmpCodes(_, icmp_type, codes) => icmp(icmp_type, codes.last()),
        ProtoPorts::Protocols(range) => {
            match *rng.choice(&[range.first(), range.last(), 6]).unwrap() {
                6 => ports(rng, PortProtocol::Tcp, PortRange::ALL),
                17 => ports(rng, PortProtocol::Udp, PortRange::ALL),
                1 | 58 => icmp(if v6 { 128 } else { 8 }, 0),
                number => (Transport::Other(number), ProtoPorts::protocol(number)),
            }
        }
    }
}

/// A random packet to or from a host, or through it.
pub(crate) fn question(rng: &mut Rng, host: &Host) -> Question {
    let flow = small::flow(rng, &host.world);
    let peer = loop {
        let end = small::flow(rng, &host.world).src;
        let of = |id: Id| Some(host.world.workloads.get(&id)?.interfaces.first()?.address);
        if let Some(ip) = end.ip.or_else(|| end.workload.and_then(of)) {
            break ip;
        }
    };
    let (transport, service) = transport(rng, flow.service, peer.is_ipv6());
    let local: IpAddr = if peer.is_ipv6() { "fd09::1" } else { "10.9.0.1" }.parse().unwrap();
    let inbound = rng.bool();
    let mut packet = match inbound {
        true => Packet::inbound(peer, local, transport),
        false => Packet::outbound(peer, local, transport),
    };
    let own = |w: &bulkhead_model::Workload| w.interfaces.iter().any(|i| i.address == peer);
    let outside =
        if host.world.workloads.get(&host.id).is_some_and(|w| own(w)) { "lo" } else { "up0" };
    if rng.u8(0..10) == 0 && outside != "lo" {
        packet.way = Way::Forward;
    }
    let container = if packet.way == Way::Forward { "docker0" } else { "" };
    let (from, to) = if inbound { (outside, container) } else { (container, outside) };
    packet.input_interface = from.to_owned();
    packet.output_interface = to.to_owned();
    let direction = if inbound { Direction::Inbound } else { Direction::Outbound };
    Question { packet, direction, peer, service }
}

/// What the oracle says of a packet: the effect that decides, and every rule of it.
pub(crate) fn oracle(host: &Host, q: &Question) -> (Option<Effect>, Vec<RuleRef>) {
    let ask = match q.packet.way {
        Way::Forward => bulkhead_oracle::forwarded_packet,
        Way::Input | Way::Output => bulkhead_oracle::packet,
    };
    ask(&host.world, host.id, q.direction, q.peer, &q.service)
}

/// What becomes of a packet when that effect decides.
pub(crate) fn fate(intent: &Intent, effect: Option<Effect>) -> Fate {
    let blocked = if intent.table.reject_blocked { Fate::Reject } else { Fate::Drop };
    match (effect, intent.mode) {
        (_, Mode::Idle | Mode::VisibilityOnly) => Fate::Accept,
        (Some(Effect::Essential | Effect::Allow), _) => Fate::Accept,
        (Some(Effect::OverrideDeny | Effect::Deny), _) | (None, Mode::Full) => blocked,
        (None, Mode::Selective) => Fate::Accept,
    }
}

/// The log prefix of a packet when that effect decides.
fn log(intent: &Intent, q: &Question, effect: Option<Effect>, rules: &[RuleRef]) -> String {
    let path = match (q.packet.way, q.direction) {
        (Way::Forward, Direction::Inbound) => Path::ForwardIn,
        (Way::Forward, Direction::Outbound) => Path::ForwardOut,
        (_, Direction::Inbound) => Path::In,
        (_, Direction::Outbound) => Path::Out,
    };
    let (cause, allowed) = match effect {
        Some(Effect::Essential) => (Cause::Essential, true),
        Some(Effect::OverrideDeny) => (Cause::OverrideDeny, false),
        Some(Effect::Allow) => (Cause::Allow, true),
        Some(Effect::Deny) => (Cause::Deny, false),
        None => (Cause::Default, false),
    };
    let outcome = match fate(intent, effect) {
        Fate::Accept if allowed => Outcome::Accept,
        Fate::Accept => Outcome::Pass,
        Fate::Drop => Outcome::Drop,
        Fate::Reject => Outcome::Reject,
    };
    LogPrefix::new(path, cause, outcome, rules).to_string()
}

/// True when a stateless rule of the other direction opens the packet as a reply, which the oracle, who is
/// asked for the first packet of a connection, does not know.
pub(crate) fn is_reply(host: &Host, q: &Question) -> bool {
    naive::opened_as_reply(&host.intent, &*host.engine, &q.packet)
}

/// Whether the text says what the oracle says; the difference if not.
fn differs(host: &Host, q: &Question, judgement: &Judgement) -> Option<String> {
    let (effect, rules) = oracle(host, q);
    let table = &host.intent.table;
    let mut entries = table.inbound.iter().chain(&table.outbound);
    // Without policy for containers nothing that is forwarded is looked at.
    let not_asked = q.packet.way == Way::Forward
        && !table.containers_inherit
        && !entries.any(|e| e.flags.internal_bridge);
    let want = if not_asked { Fate::Accept } else { fate(&host.intent, effect) };
    if judgement.fate != want {
        return Some(format!("oracle {effect:?} {rules:?}: {want:?}, text: {judgement:?}"));
    }
    let loopback =
        [&q.packet.input_interface, &q.packet.output_interface].contains(&&"lo".to_owned());
    let untold =
        host.intent.mode == Mode::Idle || (loopback && rules.is_empty() && effect.is_some());
    let no_log = |rule: &RuleRef| match rule {
        RuleRef::Allow(key) => host.world.allow_rules.get(key).is_some_and(|r| r.no_log),
        RuleRef::Deny(key) => host.world.deny_rules.get(key).is_some_and(|r| r.no_log),
        RuleRef::Boundary(id) => host.world.boundaries.get(id).is_some_and(|r| r.no_log),
        RuleRef::Essential(_) => false,
    };
    let expected = match untold || not_asked || rules.iter().any(no_log) {
        true => Vec::new(),
        false => vec![log(&host.intent, q, effect, &rules)],
    };
    (judgement.logs != expected).then(|| format!("oracle {expected:?}, text {:?}", judgement.logs))
}

/// The first difference at the hosts of a world, with so many packets for each.
fn difference(world: &Snapshot, seed: u64, packets: usize) -> Option<String> {
    for host in hosts(world, &options()) {
        let mut rng = Rng::with_seed(seed);
        for _ in 0..packets {
            let q = question(&mut rng, &host);
            if is_reply(&host, &q) {
                continue;
            }
            if let Some(text) = differs(&host, &q, &host.interpreter.packet(&q.packet)) {
                return Some(format!("host {:?}: {q:?}: {text}\n{}", host.id, host.text));
            }
        }
    }
    None
}

#[test]
fn the_text_says_what_the_oracle_says() {
    let seed = seed();
    let worlds = budget("BULKHEAD_WORLDS", 60);
    println!("seed {seed}, {worlds} worlds");
    for number in 0..worlds as u64 {
        let seed = seed.wrapping_add(number);
        let world = small::world(seed, SIZE);
        if let Some(text) = difference(&world, seed, 60) {
            let smaller =
                bulkhead_worldgen::shrink::shrink(&world, |w| difference(w, seed, 60).is_some());
            let text = difference(&smaller, seed, 60).unwrap_or(text);
            panic!("BULKHEAD_SEED={seed} BULKHEAD_WORLDS=1: {text}\n{smaller:#?}");
        }
    }
}
