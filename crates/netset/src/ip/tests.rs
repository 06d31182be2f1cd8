use super::*;
use ipnet::IpNet;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

fn range(s: &str) -> IpRange {
    s.parse().unwrap_or_else(|e| panic!("{s}: {e}"))
}

fn addr(s: &str) -> IpAddr {
    s.parse().unwrap()
}

fn set(ranges: &[&str]) -> IpSet {
    ranges.iter().map(|s| range(s)).collect()
}

#[test]
fn text_that_is_a_range() {
    let cases = [
        ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0"),
        ("10.0.0.1/32", "10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("10.0.0.0/8", "10.0.0.0", "10.255.255.255", "10.0.0.0/8"),
        ("10.1.2.3/8", "10.0.0.0", "10.255.255.255", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("10.0.0.0-10.0.0.255", "10.0.0.0", "10.0.0.255", "10.0.0.0/24"),
        ("10.0.0.1-10.0.0.9", "10.0.0.1", "10.0.0.9", "10.0.0.1-10.0.0.9"),
        ("10.0.0.1-10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("::", "::", "::", "::"),
        ("::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        ("2001:DB8::0001", "2001:db8::1", "2001:db8::1", "2001:db8::1"),
        ("2001:db8::5/64", "2001:db8::", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::/64"),
        ("fe80::1-fe80::3", "fe80::1", "fe80::3", "fe80::1-fe80::3"),
        ("64:ff9b::10.0.0.1", "64:ff9b::a00:1", "64:ff9b::a00:1", "64:ff9b::a00:1"),
    ];
    for (text, first, last, printed) in cases {
        let got = range(text);
        let expected = IpRange::new(addr(first), addr(last)).unwrap();
        assert_eq!(got, expected, "{text}");
        assert_eq!((got.first(), got.last()), (addr(first), addr(last)), "{text}");
        assert_eq!(got.to_string(), printed, "{text}");
        assert_eq!(range(printed), got, "{text}");
    }
}

#[test]
fn text_that_is_no_range() {
    let long = "1".repeat(IP_TEXT_LEN_MAX + 1);
    let cases = [
        ("", IpError::Address),
        (" 10.0.0.1", IpError::Address),
        ("10.0.0.1\n", IpError::Address),
        ("10.0.0.1\0", IpError::Address),
        ("10.0.0", IpError::Address),
        ("10.0.0.0.1", IpError::Address),
        ("10.0.0.256", IpError::Address),
        ("010.0.0.1", IpError::Address),
        ("10.0.0.00", IpError::Address),
        ("0x0a.0.0.1", IpError::Address),
        ("167772161", IpError::Address),
        ("10.0.0.-1", IpError::Address),
        ("١٠.0.0.1", IpError::Address),
        ("example.com", IpError::Address),
        ("2001:db8::00001", IpError::Address),
        ("2001::db8::1", IpError::Address),
        ("[::1]", IpError::Address),
        ("1:2:3:4:5:6:7", IpError::Address),
        ("64:ff9b::010.0.0.1", IpError::Address),
        ("fe80::1%eth0", IpError::Zone),
        ("fe80::%1/64", IpError::Zone),
        ("::ffff:10.0.0.1", IpError::Mapped),
        ("::ffff:0a00:1", IpError::Mapped),
        ("::ffff:0:0/96", IpError::Mapped),
        ("::ffff:0:0-::ffff:0:1", IpError::Mapped),
        ("10.0.0.0/", IpError::Prefix),
        ("10.0.0.0/33", IpError::Prefix),
        ("10.0.0.0/08", IpError::Prefix),
        ("10.0.0.0/+8", IpError::Prefix),
        ("10.0.0.0/-8", IpError::PrefixInRange),
        ("10.0.0.0/8/8", IpError::Prefix),
        ("10.0.0.0/255.0.0.0", IpError::Prefix),
        ("10.0.0.0/99999999999", IpError::Prefix),
        ("::/129", IpError::Prefix),
        ("10.0.0.0/8-10.0.0.1", IpError::PrefixInRange),
        ("10.0.0.0-10.0.0.1/8", IpError::PrefixInRange),
        ("10.0.0.1-", IpError::Address),
        ("10.0.0.1-10.0.0.2-10.0.0.3", IpError::Address),
        ("10.0.0.1 - 10.0.0.2", IpError::Address),
        ("10.0.0.2-10.0.0.1", IpError::Reversed),
        ("::2-::1", IpError::Reversed),
        ("10.0.0.1-::2", IpError::Mixed),
        ("::1-255.255.255.255", IpError::Mixed),
        (long.as_str(), IpError::TooLong),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<IpRange>(), Err(expected), "{text}");
    }
}

#[test]
fn fields_of_a_list_entry() {
    let long = "1".repeat(IP_TEXT_LEN_MAX + 1);
    let cases = [
        ("10.0.0.1", None, Ok("10.0.0.1")),
        ("10.0.0.0/8", None, Ok("10.0.0.0/8")),
        ("10.0.0.1", Some("10.0.0.9"), Ok("10.0.0.1-10.0.0.9")),
        ("::1", Some("::1"), Ok("::1")),
        ("10.0.0.1-10.0.0.9", None, Err(IpError::Address)),
        ("10.0.0.0/8", Some("10.0.0.9"), Err(IpError::PrefixInRange)),
        ("10.0.0.1", Some("10.0.0.0/8"), Err(IpError::PrefixInRange)),
        ("10.0.0.1", Some(""), Err(IpError::Address)),
        ("", None, Err(IpError::Address)),
        ("10.0.0.9", Some("10.0.0.1"), Err(IpError::Reversed)),
        ("10.0.0.9", Some("::9"), Err(IpError::Mixed)),
        ("10.0.0.9", Some(long.as_str()), Err(IpError::TooLong)),
        (long.as_str(), None, Err(IpError::TooLong)),
    ];
    for (from_ip, to_ip, expected) in cases {
        let got = IpRange::from_fields(from_ip, to_ip);
        assert_eq!(got, expected.map(range), "{from_ip} {to_ip:?}");
    }
}

#[test]
fn families_never_meet() {
    let (v4, v6) = (set(&["0.0.0.0/0"]), set(&["::/0"]));
    assert_ne!(range("0.0.0.0"), range("::"));
    assert_ne!(v4, v6);
    assert!(v4.is_disjoint(&v6) && !v4.contains_set(&v6) && !v6.contains_set(&v4));
    assert!(!v4.contains(addr("::1")) && !v4.contains(addr("::ffff:10.0.0.1")));
    assert!(!v6.contains(addr("10.0.0.1")) && v6.contains(addr("::ffff:10.0.0.1")));
    assert!(!range("::/0").contains(addr("1.2.3.4")) && !range("0.0.0.0/0").contains(addr("::1")));
    assert!(!range("::/0").contains_range(&range("1.2.3.4")));
    assert_eq!(v4.complement(), v6);
    assert_eq!(v4.union(&v6), IpSet::all());
    assert!(IpSet::all().is_all() && !v4.is_all());
    assert_eq!((IpSet::all().ipv4(), IpSet::all().ipv6()), (v4, v6));
    assert_eq!(IpRange::ALL_V4, range("0.0.0.0/0"));
    assert_eq!(IpRange::ALL_V6, range("::/0"));
}

#[test]
fn sets_as_ranges_and_prefixes() {
    let cases: [(&[&str], &str, &str); 6] = [
        (&[], "", ""),
        (
            &["::1", "10.0.0.2", "10.0.0.1"],
            "10.0.0.1-10.0.0.2,::1",
            "10.0.0.1/32,10.0.0.2/32,::1/128",
        ),
        (&["10.0.0.0/9", "10.128.0.0/9"], "10.0.0.0/8", "10.0.0.0/8"),
        (
            &["0.0.0.0", "255.255.255.255"],
            "0.0.0.0,255.255.255.255",
            "0.0.0.0/32,255.255.255.255/32",
        ),
        (&["0.0.0.0/0", "::/0"], "0.0.0.0/0,::/0", "0.0.0.0/0,::/0"),
        (
            &["10.0.0.1-10.0.0.6"],
            "10.0.0.1-10.0.0.6",
            "10.0.0.1/32,10.0.0.2/31,10.0.0.4/31,10.0.0.6/32",
        ),
    ];
    for (input, ranges, cidrs) in cases {
        let set = set(input);
        assert_eq!(set.to_string(), ranges, "{input:?}");
        let got: Vec<String> = set.cidrs().map(|n| n.to_string()).collect();
        assert_eq!(got.join(","), cidrs, "{input:?}");
    }
}

#[test]
fn worst_ranges_have_as_many_prefixes_as_documented() {
    assert_eq!(range("0.0.0.1-255.255.255.254").cidrs().count(), 62);
    let v6 = range("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");
    assert_eq!(v6.cidrs().count(), 254);
}

#[test]
fn address_counts() {
    let cases: [(&[&str], u128); 4] = [
        (&[], 0),
        (&["0.0.0.0/0"], 1 << 32),
        (&["10.0.0.0/30", "::/126"], 8),
        (&["::/0", "10.0.0.1"], u128::MAX),
    ];
    for (input, expected) in cases {
        assert_eq!(set(input).address_count(), expected, "{input:?}");
    }
}

fn builder(include: &[&str], exclude: &[&str]) -> IpSetBuilder {
    let mut builder = IpSetBuilder::new();
    for s in exclude {
        builder.exclude(range(s));
    }
    for s in include {
        builder.include(range(s));
    }
    builder
}

#[test]
fn exclusions_are_a_strict_subset() {
    let outside = |index, s| Err(ExclusionError::Outside { index, range: range(s) });
    type Case<'a> = (&'a [&'a str], &'a [&'a str], Result<&'a str, ExclusionError>);
    let cases: [Case<'_>; 10] = [
        (&[], &[], Ok("")),
        (&["192.168.0.0/16"], &["192.168.0.0/17"], Ok("192.168.128.0/17")),
        (
            &["10.0.0.0/25", "10.0.0.128/25"],
            &["10.0.0.127-10.0.0.128"],
            Ok("10.0.0.0-10.0.0.126,10.0.0.129-10.0.0.255"),
        ),
        (&["10.0.0.0/8", "::/0"], &["10.0.0.0/8"], Ok("::/0")),
        (&["10.0.0.0/8"], &["10.0.0.0/9", "11.0.0.0/8", "12.0.0.0"], outside(1, "11.0.0.0/8")),
        (&["10.0.0.0/8"], &["9.255.255.255-10.0.0.0"], outside(0, "9.255.255.255-10.0.0.0")),
        (&["0.0.0.0/0"], &["::1"], outside(0, "::1")),
        (&[], &["10.0.0.1"], outside(0, "10.0.0.1")),
        (&["10.0.0.0/8"], &["10.0.0.0/8"], Err(ExclusionError::NothingLeft)),
        (&["10.0.0.0/8"], &["10.128.0.0/9", "10.0.0.0/9"], Err(ExclusionError::NothingLeft)),
    ];
    for (include, exclude, expected) in cases {
        let got = builder(include, exclude).build().map(|s| s.to_string());
        assert_eq!(got, expected.map(String::from), "{include:?} {exclude:?}");
    }
    assert_eq!(builder(&["10.0.0.0/31"], &["10.0.0.1-10.0.0.9"]).effective(), set(&["10.0.0.0"]));
    assert_eq!(builder(&[], &["10.0.0.1"]).effective(), IpSet::new());
}

#[test]
fn lists_of_65536_ranges() {
    let at = |n: u32| IpRange::from(IpAddr::from(Ipv4Addr::from_bits(n)));
    let mut builder = IpSetBuilder::new();
    builder.include(range("10.0.0.0/8"));
    let base = 10 << 24;
    for n in (0..65_536u32).rev() {
        builder.exclude(at(base + 2 * n + 1));
    }
    let set = builder.build().unwrap();
    assert_eq!(set.range_count(), 65_537); // the even numbers and what follows the last odd one
    assert_eq!(set.address_count(), (1 << 24) - 65_536);
    let odd = set.complement().intersection(&IpSet::from(range("10.0.0.0/8")));
    assert_eq!(odd.range_count(), 65_536);
    assert_eq!(IpSet::union_all([&set, &odd]), IpSet::from(range("10.0.0.0/8")));
    assert!(set.is_disjoint(&odd) && !set.contains_set(&odd));
}

/// Places in the number spaces where a window of 64 addresses is looked at in full: the bounds of each
/// family, and IPv6 numbers that look like IPv4 ones.
const WINDOWS: [(bool, u128); 6] = [
    (true, 0),
    (true, 0xFFFF_FFC0),
    (true, 0x0A00_0000),
    (false, 0),
    (false, 0x0A00_0000),
    (false, u128::MAX - 63),
];

fn at((v4, base): (bool, u128), offset: u8) -> IpAddr {
    let number = base + u128::from(offset);
    if v4 {
        Ipv4Addr::from_bits(u32::try_from(number).unwrap()).into()
    } else {
        Ipv6Addr::from_bits(number).into()
    }
}

fn windows() -> impl Iterator<Item = IpAddr> {
    WINDOWS.into_iter().flat_map(|w| (0..64).map(move |offset| at(w, offset)))
}

fn small_range() -> impl Strategy<Value = IpRange> {
    (0..WINDOWS.len(), 0..64u8, 0..64u8).prop_map(|(w, a, b)| {
        IpRange::new(at(WINDOWS[w], a.min(b)), at(WINDOWS[w], a.max(b))).unwrap()
    })
}

fn any_range() -> impl Strategy<Value = IpRange> {
    let v4 = (any::<u32>(), any::<u32>())
        .prop_map(|(a, b)| (Ipv4Addr::from(a.min(b)).into(), Ipv4Addr::from(a.max(b)).into()));
    let v6 = (any::<u128>(), any::<u128>(), 0..128u32).prop_map(|(a, b, shift)| {
        let b = a.saturating_add(b >> shift);
        (Ipv6Addr::from(a).into(), Ipv6Addr::from(b).into())
    });
    let big = prop_oneof![v4, v6].prop_map(|(a, b): (IpAddr, IpAddr)| IpRange::new(a, b).unwrap());
    prop_oneof![big, small_range()]
}

fn model(ranges: &[IpRange]) -> BTreeSet<IpAddr> {
    windows().filter(|a| ranges.iter().any(|r| r.first() <= *a && *a <= r.last())).collect()
}

fn members(set: &IpSet) -> BTreeSet<IpAddr> {
    windows().filter(|a| set.contains(*a)).collect()
}

/// The other half of the prefix one bit shorter.
fn sibling(net: IpNet) -> Option<IpNet> {
    let parent = net.supernet()?;
    parent.subnets(net.prefix_len()).ok()?.find(|n| *n != net)
}

proptest! {
    #[test]
    fn operations_agree_with_a_naive_set(
        a in prop::collection::vec(small_range(), 0..8),
        b in prop::collection::vec(small_range(), 0..8),
    ) {
        let (x, y): (IpSet, IpSet) = (a.iter().copied().collect(), b.iter().copied().collect());
        let (m, n) = (model(&a), model(&b));
        let all: BTreeSet<IpAddr> = windows().collect();
        prop_assert_eq!(members(&x), m.clone());
        prop_assert_eq!(members(&x.union(&y)), &m | &n);
        prop_assert_eq!(members(&x.intersection(&y)), &m & &n);
        prop_assert_eq!(members(&x.difference(&y)), &m - &n);
        prop_assert_eq!(members(&x.complement()), &all - &m);
        prop_assert_eq!(x.contains_set(&y), m.is_superset(&n));
        prop_assert_eq!(x.is_disjoint(&y), m.is_disjoint(&n));
        prop_assert_eq!(x.address_count(), u128::try_from(m.len()).unwrap());
        prop_assert_eq!(x == y, m == n);
        prop_assert_eq!(IpSet::union_all([&x, &y]), x.union(&y));
        let from_addrs: IpSet = m.into_iter().collect();
        prop_assert_eq!(from_addrs, x);
    }

    #[test]
    fn laws_hold_in_the_whole_space(
        a in prop::collection::vec(any_range(), 0..12),
        b in prop::collection::vec(any_range(), 0..12),
    ) {
        let (x, y): (IpSet, IpSet) = (a.into_iter().collect(), b.into_iter().collect());
        prop_assert_eq!(x.complement().complement(), x.clone());
        prop_assert_eq!(x.union(&y).complement(), x.complement().intersection(&y.complement()));
        prop_assert_eq!(x.difference(&y).union(&x.intersection(&y)), x.clone());
        prop_assert_eq!(x.union(&x.complement()), IpSet::all());
        prop_assert!(x.intersection(&x.complement()).is_empty());
        prop_assert!(x.union(&y).contains_set(&x) && x.contains_set(&x.intersection(&y)));
        prop_assert!(x.ranges().all(|r| x.contains_range(&r) && x.contains(r.last())));
        prop_assert_eq!(x.ipv4().union(&x.ipv6()), x);
    }

    #[test]
    fn prefixes_are_exact_disjoint_and_fewest(a in prop::collection::vec(any_range(), 0..6)) {
        let set: IpSet = a.into_iter().collect();
        let nets: Vec<IpNet> = set.cidrs().collect();
        prop_assert_eq!(nets.iter().copied().collect::<IpSet>(), set);
        for pair in nets.windows(2) {
            prop_assert!(IpRange::from(pair[0]).last() < IpRange::from(pair[1]).first());
        }
        // An exact disjoint cover can only be shortened by joining the two halves of a prefix.
        let known: BTreeSet<IpNet> = nets.iter().copied().collect();
        prop_assert!(nets.iter().filter_map(|n| sibling(*n)).all(|s| !known.contains(&s)));
    }

    #[test]
    fn printed_ranges_parse_back(range in any_range()) {
        let mapped = |a: IpAddr| a != a.to_canonical();
        let text = range.to_string();
        if mapped(range.first()) || mapped(range.last()) {
            prop_assert_eq!(text.parse::<IpRange>(), Err(IpError::Mapped));
        } else {
            prop_assert_eq!(text.parse::<IpRange>(), Ok(range));
        }
        prop_assert!(text.len() <= IP_TEXT_LEN_MAX);
    }

    #[test]
    fn building_finds_the_first_exclusion_outside(
        include in prop::collection::vec(small_range(), 0..6),
        exclude in prop::collection::vec(small_range(), 0..6),
    ) {
        let mut builder = IpSetBuilder::new();
        include.iter().for_each(|r| { builder.include(*r); });
        exclude.iter().for_each(|r| { builder.exclude(*r); });
        let inside = model(&include);
        let outside = exclude.iter().position(|r| !model(&[*r]).is_subset(&inside));
        let left = &inside - &model(&exclude);
        prop_assert_eq!(members(&builder.effective()), left.clone());
        match (builder.build(), outside) {
            (Err(ExclusionError::Outside { index, range }), Some(i)) => {
                prop_assert_eq!((index, range), (i, exclude[i]));
            }
            (Err(ExclusionError::NothingLeft), None) => {
                prop_assert!(left.is_empty() && !exclude.is_empty());
            }
            (Ok(set), None) => {
                prop_assert_eq!(members(&set), left.clone());
                prop_assert!(exclude.is_empty() || !left.is_empty());
            }
            other => prop_assert!(false, "{:?}", other),
        }
    }
}
