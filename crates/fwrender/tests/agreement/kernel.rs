//! The kernel against the interpreter and the intent, with real packets between two namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bulkhead_fwrender::{
    CtState, Fate, Interpreter, Packet, RenderOptions, SecureConnect, Transport, Way, render,
};
use bulkhead_ids::Id;
use bulkhead_model::{
    Effect, Entry, EntryFlags, Intent, Mode, Os, Peers, RuleRef, RuleTable, ServiceMatch, SetId,
};
use bulkhead_netset::{IpRange, ProtoPorts};
use bulkhead_worldgen::small::{self, Rng};
use socket2::{Domain, Socket, Type};

use crate::chance::{Chance, budget, seed};
use crate::intents::{LOCAL, Sets, intent, local, peers, transport};
use crate::lab::{Lab, enter};
use crate::worlds::{Host, Question};
use crate::{naive, wire, worlds};

/// Runs a test in namespaces of its own, or says why not. `BULKHEAD_REQUIRE_NETNS=1` makes that a failure.
fn in_lab(name: &'static str, test: fn(&Lab)) {
    // The namespace belongs to a thread; one of our own leaves the runner's alone.
    let run = move || match Lab::new(name) {
        Ok(lab) => test(&lab),
        Err(reason) => {
            let required = std::env::var("BULKHEAD_REQUIRE_NETNS").is_ok_and(|v| v == "1");
            assert!(!required, "no network namespaces: {reason}");
            eprintln!("SKIPPED {name}: needs root, `nft` and `ip`: {reason}");
        }
    };
    std::thread::spawn(run).join().unwrap();
}

/// What connection tracking makes of a packet that opens something, or only looks so.
///
/// ICMP that is no request opens no connection; errors without a connection are invalid.
fn state(transport: Transport) -> CtState {
    let opens = match transport {
        Transport::Icmp { icmp_type, .. } => matches!(icmp_type, 8 | 13 | 15 | 17),
        Transport::Icmpv6 { icmp_type, .. } => matches!(icmp_type, 128 | 139),
        _ => true,
    };
    if opens { CtState::New } else { CtState::Invalid }
}

fn packet(chance: &mut Chance) -> Packet {
    let peer = *chance.pick(&peers());
    let transport = match transport(chance, peer.is_ipv6()) {
        // Headers of other protocols would have to be right for the kernel to take them.
        Transport::Other(_) => Transport::Other(*chance.pick(&[39, 40, 61])),
        other => other,
    };
    let mut packet = match chance.percent(50) {
        true => Packet::inbound(peer, local(peer), transport),
        false => Packet::outbound(peer, local(peer), transport),
    };
    packet.state = state(transport);
    packet
}

#[test]
#[ignore = "needs namespaces of the kernel; `make test-netns` runs it"]
fn the_kernel_does_what_the_text_says() {
    in_lab("agree", |lab| {
        let seed = seed();
        let policies = budget("BULKHEAD_KERNEL_POLICIES", 200);
        let count = budget("BULKHEAD_KERNEL_PACKETS", 200);
        println!("seed {seed}, {policies} policies, {count} packets each");
        let start = std::time::Instant::now();
        let mut fates = [0usize; 2];
        for number in 0..policies as u64 {
            let mut chance = Chance::new(seed.wrapping_add(number));
            let passed = one_policy(lab, &mut chance, count, seed.wrapping_add(number));
            fates[0] += passed;
            fates[1] += count - passed;
        }
        // Neither side may be rare, or the test would say little.
        assert!(fates.iter().all(|n| n * 10 > policies * count), "passed, dropped: {fates:?}");
        println!("passed {}, dropped {}, {:?}", fates[0], fates[1], start.elapsed());
    });
}

/// Loads a random policy, sends packets, compares; how many passed.
fn one_policy(lab: &Lab, chance: &mut Chance, count: usize, seed: u64) -> usize {
    let (intent, sets) = intent(chance, true);
    let options = RenderOptions { log_rate: Some(1000), ..RenderOptions::default() };
    let text = render(&intent, &sets, &options).unwrap().to_text();
    let judged = |packet: Packet| {
        let answer = naive::judge(&intent, &sets, &packet, SecureConnect::Require);
        // Packets outside of any connection are a matter of the ruleset, not of the policy.
        let fate = (packet.state == CtState::New).then_some(answer.fate);
        (packet, fate)
    };
    let packets: Vec<_> = (0..count).map(|_| judged(packet(chance))).collect();
    compare(lab, &text, &packets).unwrap_or_else(|difference| {
        panic!("BULKHEAD_SEED={seed} BULKHEAD_KERNEL_POLICIES=1: {difference}\n{intent:#?}\n{text}")
    })
}

/// Loads a ruleset and sends packets, each with its fate by the policy where that has an opinion; how many
/// passed, or the first on which kernel, text and policy do not agree.
fn compare(lab: &Lab, text: &str, packets: &[(Packet, Option<Fate>)]) -> Result<usize, String> {
    let interpreter = Interpreter::parse(text).unwrap();
    lab.load(text);
    for (number, (packet, _)) in (1..).zip(packets) {
        let bytes = wire::bytes(packet, number);
        lab.send(packet.way == Way::Input, &bytes, packet.destination);
    }
    let arriving = packets.iter().filter(|(p, _)| p.way == Way::Input).count();
    let seen = lab.seen(arriving);
    let mut passed = 0;
    for (number, (packet, policy)) in (1..).zip(packets) {
        let there: &BTreeSet<u32> = match packet.way {
            Way::Input => &seen.passed_in,
            _ => &seen.passed_out,
        };
        let kernel = there.contains(&number);
        let judgement = interpreter.packet(packet);
        let says = (judgement.fate == Fate::Accept, policy.map(|fate| fate == Fate::Accept));
        if says.0 != kernel || says.1.is_some_and(|policy| policy != kernel) {
            return Err(format!(
                "{packet:?} passes: kernel {kernel}, text {}, policy {:?}; {judgement:?}",
                says.0, says.1
            ));
        }
        passed += usize::from(kernel);
    }
    Ok(passed)
}

#[test]
#[ignore = "needs namespaces of the kernel; `make test-netns` runs it"]
fn oracle_engine_text_and_kernel_agree() {
    in_lab("worlds", |lab| {
        let seed = seed();
        let count = budget("BULKHEAD_KERNEL_WORLDS", 25);
        println!("seed {seed}, {count} worlds");
        let start = std::time::Instant::now();
        let (mut hosts, mut sent, mut passed) = (0, 0, 0);
        for seed in (0..count as u64).map(|number| seed.wrapping_add(number)) {
            let world = small::world(seed, worlds::SIZE);
            let mut rng = Rng::with_seed(seed);
            // A few hosts of each world.
            for host in worlds::hosts(&world, &worlds::options()).iter().take(4) {
                let asked = (0..400).map(|_| worlds::question(&mut rng, host));
                let packets: Vec<_> = asked.filter_map(|q| real(host, &q)).take(200).collect();
                passed += compare(lab, &host.text, &packets).unwrap_or_else(|difference| {
                    let id = host.id;
                    panic!("BULKHEAD_SEED={seed} BULKHEAD_KERNEL_WORLDS=1, host {id:?}: {difference}\n{}", host.text)
                });
                hosts += 1;
                sent += packets.len();
            }
        }
        println!("{hosts} hosts, {sent} packets, {passed} passed, {:?}", start.elapsed());
        assert!(sent > 100 * hosts, "too few packets are real");
    });
}

/// A question about a packet that can be sent, with what the oracle says of it.
fn real(host: &Host, q: &Question) -> Option<(Packet, Option<Fate>)> {
    let mut packet = q.packet.clone();
    let routed = |ip: IpAddr| match ip {
        IpAddr::V4(a) => matches!(a.octets(), [10, ..] | [192, 0, 2, _] | [203, 0, 113, _]),
        IpAddr::V6(a) => matches!(a.octets(), [0xfd, ..]),
    };
    let sendable = match packet.transport {
        // Headers of other protocols would have to be right for the kernel to take them.
        Transport::Other(number) => matches!(number, 39 | 40 | 61),
        // Neighbour discovery and the like are not tracked at all.
        Transport::Icmpv6 { icmp_type, .. } => !matches!(icmp_type, 130..=138 | 141..=143),
        _ => true,
    };
    let loopback = packet.input_interface == "lo" || packet.output_interface == "lo";
    let ours = LOCAL.iter().any(|local| local.parse() == Ok(q.peer));
    let beside = packet.way == Way::Forward || loopback || ours || worlds::is_reply(host, q);
    if beside || !sendable || !routed(q.peer) {
        return None;
    }
    packet.state = state(packet.transport);
    let fate = worlds::fate(&host.intent, worlds::oracle(host, q).0);
    let fate = (packet.state == CtState::New).then_some(fate);
    Some((packet, fate))
}

#[test]
#[ignore = "needs namespaces of the kernel; `make test-netns` runs it"]
fn connections_open_and_answer() {
    in_lab("tcp", |lab| {
        let allow = small_policy("10.9.0.2,fd09::2", "tcp/8080");
        for (mode, reject, stranger) in [
            (Mode::Full, false, Some(ErrorKind::TimedOut)),
            (Mode::Full, true, Some(ErrorKind::ConnectionRefused)),
            (Mode::Selective, false, None),
            (Mode::VisibilityOnly, false, None),
        ] {
            let (intent, sets) = allow(mode, reject);
            let options = RenderOptions::default();
            lab.load(&render(&intent, &sets, &options).unwrap().to_text());
            for (known, other) in [("10.9.0.2", "10.9.0.3"), ("fd09::2", "fd09::3")] {
                assert_eq!(connect(lab, known, 8080), None, "{mode:?} {known}");
                assert_eq!(connect(lab, other, 8080), stranger, "{mode:?} {reject} {other}");
                assert_eq!(connect(lab, known, 8081), stranger, "{mode:?} {reject} {known}");
            }
        }
    });
}

/// An intent that allows some peers in, and nothing else, by mode and whether it rejects.
fn small_policy(peers: &str, services: &str) -> impl Fn(Mode, bool) -> (Intent, Sets) {
    let ranges = peers.split(',').map(|p| p.parse::<IpRange>().unwrap());
    let addresses = Arc::new(ranges.collect());
    let ports = services.split(',').map(|s| s.parse::<ProtoPorts>().unwrap()).collect();
    let service = ServiceMatch { ports, process: None, windows_service: None };
    let entry = Arc::new(Entry {
        effect: Effect::Allow,
        peers: Peers::Set(SetId([1; 16])),
        services: vec![service].into(),
        flags: EntryFlags::default(),
        rules: vec![RuleRef::Allow((Id::int(1), Id::int(2)))].into(),
    });
    move |mode, reject_blocked| {
        let inbound = vec![Arc::clone(&entry)];
        let table = RuleTable { inbound, reject_blocked, ..RuleTable::default() };
        let table = Arc::new(table);
        let intent = Intent { mode, os: Os::Other, ignored_interfaces: Vec::new(), table };
        (intent, Sets(BTreeMap::from([(SetId([1; 16]), Arc::clone(&addresses))])))
    }
}

/// Connects from an address of the net to the host, which answers with a byte; the error if it fails.
fn connect(lab: &Lab, from: &str, port: u16) -> Option<ErrorKind> {
    let from: IpAddr = from.parse().unwrap();
    let to = SocketAddr::new(local(from), port);
    let domain = Domain::for_address(to);
    let listener = Socket::new(domain, Type::STREAM, None).unwrap();
    // What earlier connections left behind may not keep the port.
    listener.set_reuse_address(true).unwrap();
    listener.bind(&to.into()).unwrap();
    listener.listen(4).unwrap();
    let answer = std::thread::spawn(move || {
        listener.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        // Times out when nobody gets through.
        let (stream, _) = listener.accept().ok()?;
        stream.send(&[42]).ok()
    });
    let net = lab.net_name().to_owned();
    let client = std::thread::spawn(move || {
        enter(&net).unwrap();
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.bind(&SocketAddr::new(from, 0).into())?;
        socket.connect_timeout(&to.into(), Duration::from_millis(300))?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut byte = [0];
        (&socket).read_exact(&mut byte)?;
        assert_eq!(byte, [42]);
        Ok::<_, std::io::Error>(())
    });
    let error = client.join().unwrap().err().map(|e| e.kind());
    let answered = answer.join().unwrap().is_some();
    assert_eq!(answered, error.is_none());
    error
}
