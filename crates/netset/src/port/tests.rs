use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn text_that_is_a_range() {
    let cases = [
        ("0", 0, 0, "0"),
        ("443", 443, 443, "443"),
        ("8000-8100", 8000, 8100, "8000-8100"),
        ("7-7", 7, 7, "7"),
        ("0-65535", 0, 65_535, "0-65535"),
    ];
    for (text, first, last, printed) in cases {
        let range: PortRange = text.parse().unwrap();
        assert_eq!((range.first(), range.last()), (first, last), "{text}");
        assert_eq!(range.to_string(), printed, "{text}");
    }
}

#[test]
fn text_that_is_no_range() {
    let cases = [
        ("", PortError::Number),
        ("-", PortError::Number),
        ("-1", PortError::Number),
        ("1-", PortError::Number),
        ("+1", PortError::Number),
        ("080", PortError::Number),
        ("00", PortError::Number),
        (" 80", PortError::Number),
        ("80 - 90", PortError::Number),
        ("65536", PortError::Number),
        ("99999999999", PortError::Number),
        ("0x50", PortError::Number),
        ("٨٠", PortError::Number),
        ("http", PortError::Number),
        ("1-2-3", PortError::Number),
        ("90-80", PortError::Reversed),
        ("00000000000000080", PortError::TooLong),
    ];
    for (text, expected) in cases {
        assert_eq!(text.parse::<PortRange>(), Err(expected), "{text}");
    }
}

#[test]
fn fields_of_a_service_entry() {
    let cases = [
        (None, None, Ok("0-65535")),
        (Some(443), None, Ok("443")),
        (Some(0), None, Ok("0")),
        (Some(8000), Some(8100), Ok("8000-8100")),
        (Some(80), Some(80), Ok("80")),
        (None, Some(80), Err(PortError::NoFirst)),
        (Some(90), Some(80), Err(PortError::Reversed)),
        (Some(-1), None, Err(PortError::Number)),
        (Some(65_536), None, Err(PortError::Number)),
        (Some(i64::MIN), Some(i64::MAX), Err(PortError::Number)),
        (Some(1), Some(65_536), Err(PortError::Number)),
    ];
    for (port, to_port, expected) in cases {
        let got = PortRange::from_fields(port, to_port).map(|r| r.to_string());
        assert_eq!(got, expected.map(String::from), "{port:?} {to_port:?}");
    }
}

#[test]
fn sets_print_their_fewest_ranges() {
    let cases = [
        ("", ""),
        ("443,80", "80,443"),
        ("80-81,82", "80-82"),
        ("0-100,50-65535", "0-65535"),
        ("65535,0", "0,65535"),
    ];
    for (input, expected) in cases {
        let ranges = input.split(',').filter(|s| !s.is_empty());
        let set: PortSet = ranges.map(|s| s.parse::<PortRange>().unwrap()).collect();
        assert_eq!(set.to_string(), expected, "{input}");
    }
    assert!(PortSet::all().is_all() && PortSet::new().is_empty());
    assert_eq!(PortSet::all().complement(), PortSet::new());
}

/// Ends crowd at the bounds, so that sets meet there.
fn range() -> impl Strategy<Value = PortRange> {
    let end = || prop_oneof![0..40u16, 65_500..=65_535u16, 1000..1040u16];
    (end(), end()).prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).unwrap())
}

/// Every port near an end that `range` makes, and one of each stretch between, which are all alike.
fn looked_at() -> impl Iterator<Item = u16> {
    (0..64).chain([500]).chain(990..1050).chain([30_000]).chain(65_490..=65_535)
}

fn model(ranges: &[PortRange]) -> BTreeSet<u16> {
    looked_at().filter(|p| ranges.iter().any(|r| r.first() <= *p && *p <= r.last())).collect()
}

fn members(set: &PortSet) -> BTreeSet<u16> {
    looked_at().filter(|p| set.contains(*p)).collect()
}

proptest! {
    #[test]
    fn operations_agree_with_a_naive_set(
        a in prop::collection::vec(range(), 0..5),
        b in prop::collection::vec(range(), 0..5),
    ) {
        let (x, y): (PortSet, PortSet) = (a.iter().copied().collect(), b.iter().copied().collect());
        let (m, n) = (model(&a), model(&b));
        let all: BTreeSet<u16> = looked_at().collect();
        prop_assert_eq!(members(&x), m.clone());
        prop_assert_eq!(members(&x.union(&y)), &m | &n);
        prop_assert_eq!(members(&x.intersection(&y)), &m & &n);
        prop_assert_eq!(members(&x.difference(&y)), &m - &n);
        prop_assert_eq!(members(&x.complement()), &all - &m);
        prop_assert_eq!(x.contains_set(&y), m.is_superset(&n));
        prop_assert_eq!(x.is_disjoint(&y), m.is_disjoint(&n));
        prop_assert_eq!(x == y, m == n);
        prop_assert!(a.iter().all(|r| x.contains_range(r)));
    }

    #[test]
    fn printed_ranges_parse_back(a: u16, b: u16) {
        let range = PortRange::new(a.min(b), a.max(b)).unwrap();
        prop_assert_eq!(range.to_string().parse::<PortRange>(), Ok(range));
    }
}
