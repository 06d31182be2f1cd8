use super::*;
use crate::port::{PortRange, PortSet};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn entry(s: &str) -> ProtoPorts {
    s.parse().unwrap_or_else(|e| panic!("{s}: {e}"))
}

/// A set from entries with commas between.
fn set(s: &str) -> ServiceSet {
    s.split(',').filter(|s| !s.is_empty()).map(entry).collect()
}

#[test]
fn text_that_is_an_entry() {
    let types = |a, b| ProtoPorts::IcmpTypes(IcmpVersion::V4, U8Range::new(a, b).unwrap());
    let ports = |a, b| ProtoPorts::Ports(PortProtocol::Udp, PortRange::new(a, b).unwrap());
    let codes = U8Range::new(0, 4).unwrap();
    let cases = [
        ("all", ProtoPorts::ALL, "all"),
        ("0-255", ProtoPorts::ALL, "all"),
        ("tcp", ProtoPorts::protocol(6), "tcp"),
        ("6", ProtoPorts::protocol(6), "tcp"),
        ("47", ProtoPorts::protocol(47), "47"),
        ("0-5", ProtoPorts::Protocols(U8Range::new(0, 5).unwrap()), "0-5"),
        ("tcp/443", ProtoPorts::tcp(443), "tcp/443"),
        ("6/443", ProtoPorts::tcp(443), "tcp/443"),
        ("udp/53", ProtoPorts::udp(53), "udp/53"),
        ("udp/8000-8100", ports(8000, 8100), "udp/8000-8100"),
        ("icmp", ProtoPorts::protocol(1), "icmp"),
        ("icmp/8", types(8, 8), "icmp/8"),
        ("icmp/3-5", types(3, 5), "icmp/3-5"),
        ("icmpv6/1/0-4", ProtoPorts::IcmpCodes(IcmpVersion::V6, 1, codes), "icmpv6/1/0-4"),
        ("58/1/0-4", ProtoPorts::IcmpCodes(IcmpVersion::V6, 1, codes), "icmpv6/1/0-4"),
    ];
    for (text, expected, printed) in cases {
        assert_eq!(entry(text), expected, "{text}");
        assert_eq!(expected.to_string(), printed, "{text}");
    }
}

#[test]
fn text_that_is_no_entry() {
    let number = ServiceError::Port(PortError::Number);
    let cases = [
        ("", ServiceError::Protocol),
        ("TCP", ServiceError::Protocol),
        (" tcp", ServiceError::Protocol),
        ("-1", ServiceError::Protocol),
        ("256", ServiceError::Protocol),
        ("006", ServiceError::Protocol),
        ("tcp-udp", ServiceError::Protocol),
        ("/80", ServiceError::Protocol),
        ("9-3", ServiceError::Reversed),
        ("tcp/", number),
        ("tcp/80/90", number),
        ("tcp/65536", number),
        ("tcp/9-3", ServiceError::Port(PortError::Reversed)),
        ("47/80", ServiceError::PortNotAllowed),
        ("all/80", ServiceError::PortNotAllowed),
        ("6-7/80", ServiceError::PortNotAllowed),
        ("icmp/", ServiceError::IcmpType),
        ("icmp/256", ServiceError::IcmpType),
        ("icmp/3-5/1", ServiceError::IcmpType),
        ("icmp/3/", ServiceError::IcmpCode),
        ("icmp/3/256", ServiceError::IcmpCode),
        ("icmp/3/1/1", ServiceError::IcmpCode),
        ("icmp/5-3", ServiceError::Reversed),
        ("tcp/00000000000000000000080", ServiceError::TooLong),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<ProtoPorts>(), Err(expected), "{text}");
    }
}

/// Fields in the order proto, port, to_port, icmp_type, icmp_code; -9 stands for absent.
fn fields([proto, rest @ ..]: [i64; 5]) -> ServiceFields {
    let [port, to_port, icmp_type, icmp_code] = rest.map(|n| (n != -9).then_some(n));
    ServiceFields { proto, port, to_port, icmp_type, icmp_code }
}

#[test]
fn fields_of_a_service_entry() {
    use ServiceError as E;
    let cases = [
        ([-1, -9, -9, -9, -9], Ok("all")),
        ([6, -9, -9, -9, -9], Ok("tcp")),
        ([6, 443, -9, -9, -9], Ok("tcp/443")),
        ([17, 8000, 8100, -9, -9], Ok("udp/8000-8100")),
        ([1, -9, -9, -9, -9], Ok("icmp")),
        ([1, -9, -9, 8, -9], Ok("icmp/8")),
        ([58, -9, -9, 128, 0], Ok("icmpv6/128/0")),
        ([1, -9, -9, 255, 15], Ok("icmp/255/15")),
        ([47, -9, -9, -9, -9], Ok("47")),
        ([0, -9, -9, -9, -9], Ok("0")),
        ([255, -9, -9, -9, -9], Ok("255")),
        ([256, -9, -9, -9, -9], Err(E::Protocol)),
        ([-2, -9, -9, -9, -9], Err(E::Protocol)),
        ([i64::MAX, -9, -9, -9, -9], Err(E::Protocol)),
        ([-1, 80, -9, -9, -9], Err(E::PortNotAllowed)),
        ([-1, -9, -9, 8, -9], Err(E::IcmpNotAllowed)),
        ([47, 80, -9, -9, -9], Err(E::PortNotAllowed)),
        ([1, 80, -9, -9, -9], Err(E::PortNotAllowed)),
        ([1, 80, -9, 8, -9], Err(E::PortNotAllowed)),
        ([6, -9, -9, 8, -9], Err(E::IcmpNotAllowed)),
        ([6, 80, -9, 8, -9], Err(E::IcmpNotAllowed)),
        ([47, -9, -9, 8, -9], Err(E::IcmpNotAllowed)),
        ([6, -1, -9, -9, -9], Err(E::Port(PortError::Number))),
        ([6, -9, 80, -9, -9], Err(E::Port(PortError::NoFirst))),
        ([6, 90, 80, -9, -9], Err(E::Port(PortError::Reversed))),
        ([1, -9, -9, 256, -9], Err(E::IcmpType)),
        ([1, -9, -9, 8, 16], Err(E::IcmpCode)),
        ([1, -9, -9, 8, -1], Err(E::IcmpCode)),
        ([1, -9, -9, -9, 0], Err(E::CodeWithoutType)),
    ];
    for (input, expected) in cases {
        let got = ProtoPorts::from_fields(&fields(input)).map(|e| e.to_string());
        assert_eq!(got, expected.map(String::from), "{input:?}");
    }
}

#[test]
fn sets_print_their_coarsest_entries() {
    let cases = [
        ("", ""),
        ("all,tcp/22", "all"),
        ("tcp/0-65535", "tcp"),
        ("tcp/0-79,tcp/80-65535,5,7", "5-7"),
        ("udp/53,tcp/53,icmp", "icmp,tcp/53,udp/53"),
        ("icmp/3/0-255,icmp/4-6,icmp/7/0-9", "icmp/3-6,icmp/7/0-9"),
        ("icmp/3/5-255,icmp/4/0-7", "icmp/3/5-255,icmp/4/0-7"),
        ("icmp/0-255", "icmp"),
        ("tcp/60000-65535,7-16,udp/0-9", "tcp/60000-65535,7-16,udp/0-9"),
    ];
    for (input, expected) in cases {
        assert_eq!(set(input).to_string(), expected, "{input}");
    }
}

#[test]
fn complements_are_exact() {
    let cases = [
        ("", "all"),
        ("all", ""),
        ("tcp/22", "0-5,tcp/0-21,tcp/23-65535,7-255"),
        ("icmp/8/0", "0,icmp/0-7,icmp/8/1-255,icmp/9-255,2-255"),
        ("255", "0-254"),
    ];
    for (input, expected) in cases {
        assert_eq!(set(input).complement().to_string(), expected, "{input}");
    }
}

#[test]
fn questions_to_a_set() {
    let s = set("tcp/80,icmp/8/0,icmpv6/128,47,udp");
    assert!(s.contains_port(PortProtocol::Tcp, 80) && !s.contains_port(PortProtocol::Tcp, 81));
    assert!(s.contains_port(PortProtocol::Udp, 80));
    assert!(s.contains_icmp(IcmpVersion::V4, 8, 0) && !s.contains_icmp(IcmpVersion::V4, 8, 1));
    assert!(s.contains_icmp(IcmpVersion::V6, 128, 9) && !s.contains_icmp(IcmpVersion::V6, 8, 0));
    assert!(s.contains_protocol(47) && s.contains_protocol(17) && !s.contains_protocol(6));
    assert!(s.contains_entry(&entry("udp/1-9")) && !s.contains_entry(&entry("tcp/79-80")));
    assert!(
        !s.contains_entry(&ProtoPorts::ALL) && ServiceSet::all().contains_entry(&ProtoPorts::ALL)
    );
    assert_eq!(s.ports(PortProtocol::Tcp).to_string(), "80");
    assert_eq!(s.ports(PortProtocol::Udp), PortSet::all());
    assert_eq!(set("47,icmp").ports(PortProtocol::Udp), PortSet::new());
    assert!(ServiceSet::all().is_all() && ServiceSet::new().is_empty());
    assert_eq!(ServiceSet::from(ProtoPorts::ALL), ServiceSet::all());
}

fn u8_range() -> impl Strategy<Value = U8Range> {
    (any::<u8>(), any::<u8>()).prop_map(|(a, b)| U8Range::new(a.min(b), a.max(b)).unwrap())
}

fn any_entry() -> impl Strategy<Value = ProtoPorts> {
    let port_protocol = prop_oneof![Just(PortProtocol::Tcp), Just(PortProtocol::Udp)];
    let icmp = prop_oneof![Just(IcmpVersion::V4), Just(IcmpVersion::V6)];
    let port = || prop_oneof![0..4u16, 65_532..=65_535u16, any::<u16>()];
    let ports = (port(), port()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap());
    prop_oneof![
        1 => u8_range().prop_map(ProtoPorts::Protocols),
        1 => (0..=255u8).prop_map(ProtoPorts::protocol),
        3 => (port_protocol, ports).prop_map(|(p, r)| ProtoPorts::Ports(p, r)),
        2 => (icmp.clone(), u8_range()).prop_map(|(v, r)| ProtoPorts::IcmpTypes(v, r)),
        2 => (icmp, 0..4u8, u8_range()).prop_map(|(v, t, r)| ProtoPorts::IcmpCodes(v, t, r)),
    ]
}

/// A packet as the model sees it: protocol, and port or type and code where the protocol has them.
type Packet = (u8, u16);

/// Packets near every end that an entry has.
fn packets(entries: &[ProtoPorts]) -> BTreeSet<Packet> {
    let around = |n: u8| [n.saturating_sub(1), n, n.saturating_add(1)];
    let near = |n: u16| [n.saturating_sub(1), n, n.saturating_add(1)];
    let mut out = BTreeSet::new();
    let detail = |t: u8, c: u8| u16::from_be_bytes([t, c]);
    for entry in entries {
        let (protocols, details) = match *entry {
            ProtoPorts::Protocols(r) => (vec![r.first(), r.last()], vec![0, 65_535]),
            ProtoPorts::Ports(p, r) => (vec![p.number()], vec![r.first(), r.last()]),
            ProtoPorts::IcmpTypes(v, r) => {
                (vec![v.number()], vec![detail(r.first(), 0), detail(r.last(), 255)])
            }
            ProtoPorts::IcmpCodes(v, t, r) => {
                (vec![v.number()], vec![detail(t, r.first()), detail(t, r.last())])
            }
        };
        for p in protocols.into_iter().flat_map(around).chain([1, 6, 17, 58, 47]) {
            out.extend(details.iter().flat_map(|d| near(*d)).map(|d| (p, d)));
        }
    }
    out
}

/// Read straight from the meaning of an entry.
fn matches(entry: &ProtoPorts, (protocol, detail): Packet) -> bool {
    let [icmp_type, code] = detail.to_be_bytes();
    match entry {
        ProtoPorts::Protocols(r) => r.contains(protocol),
        ProtoPorts::Ports(p, r) => p.number() == protocol && r.contains(detail),
        ProtoPorts::IcmpTypes(v, r) => v.number() == protocol && r.contains(icmp_type),
        ProtoPorts::IcmpCodes(v, t, r) => {
            v.number() == protocol && *t == icmp_type && r.contains(code)
        }
    }
}

fn holds(set: &ServiceSet, (protocol, detail): Packet) -> bool {
    let [icmp_type, code] = detail.to_be_bytes();
    match (PortProtocol::from_number(protocol), IcmpVersion::from_number(protocol)) {
        (Some(p), _) => set.contains_port(p, detail),
        (None, Some(v)) => set.contains_icmp(v, icmp_type, code),
        (None, None) => set.contains_protocol(protocol),
    }
}

proptest! {
    #[test]
    fn operations_agree_with_the_meaning_of_entries(
        a in prop::collection::vec(any_entry(), 0..6),
        b in prop::collection::vec(any_entry(), 0..6),
    ) {
        let (x, y): (ServiceSet, ServiceSet) = (a.iter().copied().collect(), b.iter().copied().collect());
        let (union, both) = (x.union(&y), x.intersection(&y));
        let (without, rest) = (x.difference(&y), x.complement());
        for p in packets(&a).union(&packets(&b)) {
            let (m, n) = (a.iter().any(|e| matches(e, *p)), b.iter().any(|e| matches(e, *p)));
            let got = [&x, &union, &both, &without, &rest].map(|s| holds(s, *p));
            prop_assert_eq!(got, [m, m || n, m && n, m && !n, !m], "{:?}", p);
        }
        prop_assert_eq!(ServiceSet::union_all([&x, &y]), union.clone());
        prop_assert!(union.contains_set(&y) && x.contains_set(&both) && without.is_disjoint(&y));
        prop_assert_eq!(x.contains_set(&y), y.difference(&x).is_empty());
        prop_assert_eq!(x.is_disjoint(&y), both.is_empty());
    }

    #[test]
    fn entries_are_exact_disjoint_and_ascending(a in prop::collection::vec(any_entry(), 0..8)) {
        for set in [a.iter().copied().collect::<ServiceSet>(), a.iter().copied().collect::<ServiceSet>().complement()] {
            let entries: Vec<ProtoPorts> = set.entries().collect();
            prop_assert_eq!(entries.iter().copied().collect::<ServiceSet>(), set.clone());
            for (i, e) in entries.iter().enumerate() {
                let others: ServiceSet = entries.iter().take(i).copied().collect();
                prop_assert!(others.is_disjoint(&ServiceSet::from(*e)));
            }
            prop_assert!(entries.is_sorted_by_key(ProtoPorts::first_protocol));
        }
    }

    #[test]
    fn printed_entries_parse_back(e in any_entry()) {
        prop_assert_eq!(e.to_string().parse::<ProtoPorts>(), Ok(e));
    }
}
