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
use socket2::{Domain, Socket, Type};

use crate::chance::{Chance, budget, seed};
use crate::intents::{Sets, intent, local, peers, transport};
use crate::lab::{Lab, enter};
use crate::{naive, wire};

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
    match transport {
        Transport::Icmp { icmp_type: 8, .. } | Transport::Icmpv6 { icmp_type: 128, .. } => {
            CtState::New
        }
        Transport::Icmp { .. } | Transport::Icmpv6 { .. } => CtState::Invalid,
        _ => CtState::New,
    }
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
    let interpreter = Interpreter::parse(&text).unwrap();
    lab.load(&text);
    let packets: Vec<Packet> = (0..count).map(|_| packet(chance)).collect();
    for (number, packet) in (1..).zip(&packets) {
        let bytes = wire::bytes(packet, number);
        lab.send(packet.way == Way::Input, &bytes, packet.destination);
    }
    let arriving = packets.iter().filter(|p| p.way == Way::Input).count();
    let seen = lab.seen(arriving);
    let mut passed = 0;
    for (number, packet) in (1..).zip(&packets) {
        let there: &BTreeSet<u32> = match packet.way {
            Way::Input => &seen.passed_in,
            _ => &seen.passed_out,
        };
        let kernel = there.contains(&number);
        let judgement = interpreter.packet(packet);
        let text_says = judgement.fate == Fate::Accept;
        // Packets outside of any connection are a matter of the ruleset, not of the policy.
        let policy_says = (packet.state == CtState::New).then(|| {
            naive::judge(&intent, &sets, packet, SecureConnect::Require).fate == Fate::Accept
        });
        if kernel != text_says || policy_says.is_some_and(|says| says != kernel) {
            panic!(
                "BULKHEAD_SEED={seed} BULKHEAD_KERNEL_POLICIES=1: {packet:?} passes: kernel {kernel}, \
                 text {text_says}, policy {policy_says:?}\n{judgement:?}\n{intent:#?}\n{text}"
            );
        }
        passed += usize::from(kernel);
    }
    passed
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
