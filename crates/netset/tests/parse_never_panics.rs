//! Any text and any numbers go into every parser: the answer is a value or an error, never a panic.
//!
//! `PROPTEST_CASES` sets how many cases each test runs. What is accepted must also print as text that is
//! accepted with the same meaning, and hold nothing that strict parsing forbids.

use bulkhead_netset::{
    IP_TEXT_LEN_MAX, IpError, IpRange, PORT_TEXT_LEN_MAX, PortRange, ProtoPorts,
    SERVICE_TEXT_LEN_MAX, ServiceFields,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use std::fmt::{Debug, Display};
use std::net::IpAddr;
use std::str::FromStr;

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    }
}

/// Text of many kinds: anything, the right letters in any order, nearly right, right, and right but for one
/// character put in.
fn text() -> impl Strategy<Value = String> {
    let octet = || prop_oneof!["[0-9]{1,3}", "[a-f0-9]{0,5}"];
    let glue = || prop_oneof!["[.:/%-]", "::", "[.:][.:/-]"];
    let nearly = prop::collection::vec((octet(), glue()), 0..12)
        .prop_map(|v| v.into_iter().map(|(a, b)| a + &b).collect::<String>());
    let valid = prop_oneof![
        4 => any::<IpAddr>().prop_map(|a| a.to_string()),
        2 => (any::<IpAddr>(), 0..140u8).prop_map(|(a, n)| format!("{a}/{n}")),
        4 => (any::<IpAddr>(), any::<IpAddr>()).prop_map(|(a, b)| format!("{a}-{b}")),
        2 => (0..70_000u32).prop_map(|a| a.to_string()),
        3 => (0..70_000u32, 0..70_000u32).prop_map(|(a, b)| format!("{a}-{b}")),
        1 => "(tcp|udp|6|17)/[1-9][0-9]{0,4}",
        1 => "(icmp|icmpv6|1|58)/[1-9][0-9]?(/[1-9][0-9]?)?",
        1 => "(tcp|udp|icmp|icmpv6|all|[0-9]{1,3})(/[0-9]{1,3}(-[0-9]{1,5})?){0,2}",
    ];
    let broken =
        (valid.clone(), any::<prop::sample::Index>(), any::<char>()).prop_map(|(s, at, c)| {
            let mut chars: Vec<char> = s.chars().collect();
            chars.insert(at.index(chars.len() + 1), c);
            chars.into_iter().collect()
        });
    prop_oneof![
        1 => any::<String>(),
        1 => "[0-9a-fA-F:./%x -]{0,120}",
        1 => "\\PC{0,40}",
        2 => nearly,
        6 => valid,
        3 => broken,
    ]
}

/// Parses, and checks what is accepted.
fn check<T>(s: &str, limit: usize) -> Result<(), TestCaseError>
where
    T: FromStr + Display + PartialEq + Debug,
    T::Err: std::error::Error,
{
    match s.parse::<T>() {
        Ok(value) => {
            prop_assert!(s.len() <= limit && s.is_ascii());
            prop_assert!(!s.contains(|c: char| c == '%' || c == '+' || c.is_whitespace()));
            let printed = value.to_string();
            prop_assert_eq!(printed.parse::<T>().ok(), Some(value), "{}", printed);
        }
        Err(e) => {
            prop_assert!(!e.to_string().is_empty());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn ip_range(s in text()) {
        check::<IpRange>(&s, IP_TEXT_LEN_MAX)?;
        // The standard library is the judge of what an address is.
        if let Ok(addr) = s.parse::<IpAddr>() {
            let mapped = addr != addr.to_canonical();
            let expected = if mapped { Err(IpError::Mapped) } else { Ok(IpRange::from(addr)) };
            prop_assert_eq!(s.parse::<IpRange>(), expected);
        }
    }

    #[test]
    fn ip_fields(from_ip in text(), to_ip in prop::option::of(text())) {
        if let Ok(range) = IpRange::from_fields(&from_ip, to_ip.as_deref()) {
            prop_assert!(range.first() <= range.last());
            prop_assert_eq!(range.first().is_ipv4(), range.last().is_ipv4());
            prop_assert!(to_ip.is_none() || !from_ip.contains('/'));
        }
    }

    #[test]
    fn port_range(s in text()) {
        check::<PortRange>(&s, PORT_TEXT_LEN_MAX)?;
    }

    #[test]
    fn service_text(s in text()) {
        check::<ProtoPorts>(&s, SERVICE_TEXT_LEN_MAX)?;
    }

    #[test]
    fn service_fields(
        proto in prop_oneof![any::<i64>(), -2..260i64, Just(6), Just(17), Just(1), Just(58)],
        [port, to_port, icmp_type, icmp_code] in prop::array::uniform4(
            prop::option::of(prop_oneof![any::<i64>(), -2..20i64, 250..260i64, 65_530..65_540i64])
        ),
    ) {
        let fields = ServiceFields { proto, port, to_port, icmp_type, icmp_code };
        if let Ok(entry) = ProtoPorts::from_fields(&fields) {
            prop_assert!((-1..=255).contains(&proto));
            prop_assert_eq!(entry == ProtoPorts::ALL, proto == -1);
            prop_assert!(port.is_none() || proto == 6 || proto == 17);
            prop_assert!(icmp_type.is_none() || proto == 1 || proto == 58);
            prop_assert_eq!(entry.to_string().parse::<ProtoPorts>(), Ok(entry));
        }
    }
}

/// The generator above is worth nothing if no text is ever accepted.
#[test]
fn generated_text_is_often_accepted() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut accepted = [0; 3];
    for _ in 0..2_000 {
        let s = text().new_tree(&mut runner).unwrap().current();
        let kinds = [
            s.parse::<IpRange>().is_ok(),
            s.parse::<PortRange>().is_ok(),
            s.parse::<ProtoPorts>().is_ok(),
        ];
        for (count, ok) in accepted.iter_mut().zip(kinds) {
            *count += usize::from(ok);
        }
    }
    assert!(accepted.iter().all(|n| *n >= 100), "{accepted:?}");
}
