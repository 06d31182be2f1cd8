//! Services of many entries, cut into pieces with one outcome each.

use bulkhead_netset::{IcmpVersion, PortProtocol, PortRange, ProtoPorts, ServiceSet, U8Range};

use crate::sweep::sweep;

/// Points of one protocol.
const POINTS: u128 = 1 << 16;
/// Points of one ICMP type.
const CODES: u128 = 1 << 8;
/// The last point: protocol 255 with the last detail.
const LAST: u128 = (1 << 24) - 1;

/// Cuts the services of entries into disjoint pieces; each piece comes with the entries that hold it.
pub(crate) fn pieces<'a>(
    entries: impl IntoIterator<Item = (u32, &'a ServiceSet)>,
) -> Vec<(ProtoPorts, Vec<u32>)> {
    let spans = entries.into_iter().flat_map(|(number, set)| {
        set_spans(set).into_iter().map(move |(first, last)| (first, last, number))
    });
    let cut = sweep(spans);
    cut.into_iter()
        .flat_map(|(first, last, inputs)| {
            decompose(first, last).into_iter().map(move |piece| (piece, inputs.clone()))
        })
        .collect()
}

/// The spans of a set, those that touch joined.
fn set_spans(set: &ServiceSet) -> Vec<(u128, u128)> {
    let mut out: Vec<(u128, u128)> = Vec::new();
    for entry in set.entries() {
        let (first, last) = span(&entry);
        match out.last_mut() {
            Some((_, end)) if *end + 1 == first => *end = last,
            _ => out.push((first, last)),
        }
    }
    out
}

/// First and last point of an entry: protocol in bits 16 to 23, port or ICMP type and code below.
fn span(entry: &ProtoPorts) -> (u128, u128) {
    let base = u128::from(entry.first_protocol()) * POINTS;
    match *entry {
        ProtoPorts::Protocols(range) => (base, u128::from(range.last()) * POINTS + (POINTS - 1)),
        ProtoPorts::Ports(_, ports) => {
            (base + u128::from(ports.first()), base + u128::from(ports.last()))
        }
        ProtoPorts::IcmpTypes(_, types) => (
            base + u128::from(types.first()) * CODES,
            base + u128::from(types.last()) * CODES + (CODES - 1),
        ),
        ProtoPorts::IcmpCodes(_, icmp_type, codes) => {
            let base = base + u128::from(icmp_type) * CODES;
            (base + u128::from(codes.first()), base + u128::from(codes.last()))
        }
    }
}

/// The entries that make a span, the coarsest that are exact.
fn decompose(first: u128, last: u128) -> Vec<ProtoPorts> {
    let last = last.min(LAST);
    units(first, last, POINTS)
        .into_iter()
        .flat_map(|unit| match unit {
            Unit::Whole(range) => vec![ProtoPorts::Protocols(range)],
            Unit::Part(protocol, first, last) => protocol_part(protocol, first, last),
        })
        .collect()
}

fn protocol_part(protocol: u8, first: u128, last: u128) -> Vec<ProtoPorts> {
    if let Some(protocol) = PortProtocol::from_number(protocol) {
        let (Ok(first), Ok(last)) = (u16::try_from(first), u16::try_from(last)) else {
            return Vec::new();
        };
        return PortRange::new(first, last)
            .map(|r| ProtoPorts::Ports(protocol, r))
            .into_iter()
            .collect();
    }
    let Some(icmp) = IcmpVersion::from_number(protocol) else {
        // INVARIANT: a protocol without ports and types is in a set as a whole or not at all.
        return Vec::new();
    };
    let unit = |unit| match unit {
        Unit::Whole(types) => Some(ProtoPorts::IcmpTypes(icmp, types)),
        Unit::Part(icmp_type, first, last) => {
            let codes = U8Range::new(u8::try_from(first).ok()?, u8::try_from(last).ok()?).ok()?;
            Some(ProtoPorts::IcmpCodes(icmp, icmp_type, codes))
        }
    };
    units(first, last, CODES).into_iter().filter_map(unit).collect()
}

/// A piece of a span that is cut into units of equal size.
enum Unit {
    /// Whole units.
    Whole(U8Range),
    /// A part of one unit: its number, first and last point within.
    Part(u8, u128, u128),
}

/// Cuts a span into the part before the first whole unit, the whole units, and the part after them.
fn units(first: u128, last: u128, size: u128) -> Vec<Unit> {
    let number = |n: u128| u8::try_from(n).unwrap_or(u8::MAX);
    let part =
        |first: u128, last: u128| Unit::Part(number(first / size), first % size, last % size);
    let (from, to) = (first.div_ceil(size), (last + 1) / size);
    if from > to {
        return vec![part(first, last)];
    }
    let mut out = Vec::new();
    if first < from * size {
        out.push(part(first, from * size - 1));
    }
    if from < to
        && let Ok(range) = U8Range::new(number(from), number(to - 1))
    {
        out.push(Unit::Whole(range));
    }
    if to * size <= last {
        out.push(part(to * size, last));
    }
    out
}

/// The services of the replies to a set: ports as they are (they are source ports then), ICMP requests
/// become their replies, other protocols stay.
pub(crate) fn replies(set: &ServiceSet) -> ServiceSet {
    set.entries().flat_map(|entry| reply_entries(&entry)).collect()
}

fn reply_entries(entry: &ProtoPorts) -> Vec<ProtoPorts> {
    let reply = |icmp, icmp_type: u8| {
        let answer = match (icmp, icmp_type) {
            (IcmpVersion::V4, 8) => 0,
            (IcmpVersion::V4, 13) => 14,
            (IcmpVersion::V4, 15) => 16,
            (IcmpVersion::V4, 17) => 18,
            (IcmpVersion::V6, 128) => 129,
            _ => return None,
        };
        Some(ProtoPorts::IcmpTypes(icmp, U8Range::single(answer)))
    };
    match *entry {
        ProtoPorts::IcmpTypes(icmp, types) => {
            (types.first()..=types.last()).filter_map(|t| reply(icmp, t)).collect()
        }
        ProtoPorts::IcmpCodes(icmp, icmp_type, _) => reply(icmp, icmp_type).into_iter().collect(),
        ProtoPorts::Protocols(_) | ProtoPorts::Ports(..) => vec![*entry],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str) -> ServiceSet {
        text.split(',').map(|s| s.parse::<ProtoPorts>().unwrap()).collect()
    }

    #[test]
    fn pieces_carry_the_entries_that_hold_them() {
        let cases = [
            (vec!["all"], "all[0]"),
            (vec!["tcp/80", "tcp/80-90"], "tcp/80[0, 1] tcp/81-90[1]"),
            (vec!["all", "tcp/22"], "0-5[0] tcp/0-21[0] tcp/22[0, 1] tcp/23-65535[0] 7-255[0]"),
            (vec!["icmp/8/0", "icmp/3-9"], "icmp/3-7[1] icmp/8/0[0, 1] icmp/8/1-255[1] icmp/9[1]"),
            (vec!["udp", "47"], "udp[0] 47[1]"),
            (vec!["255", "0-255"], "0-254[1] 255[0, 1]"),
        ];
        for (entries, want) in cases {
            let sets: Vec<_> = entries.iter().map(|e| set(e)).collect();
            let got = pieces((0..).zip(&sets));
            let got: Vec<_> = got.iter().map(|(p, i)| format!("{p}{i:?}")).collect();
            assert_eq!(got.join(" "), want, "{entries:?}");
        }
    }

    #[test]
    fn replies_of_requests() {
        let got =
            replies(&set("icmp/8,icmpv6/128-129,tcp/22,udp/53,gre".replace("gre", "47").as_str()));
        assert_eq!(got, set("icmp/0,icmpv6/129,tcp/22,udp/53,47"));
    }
}
