//! Sets of services.

use super::{IcmpVersion, PortProtocol, ProtoPorts, U8Range};
use crate::port::{PortRange, PortSet};
use crate::span::{Point, Span, Spans};
use std::fmt;

/// A point of the service space: protocol in bits 16 to 23, port or ICMP type and code below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ServicePoint(u32);

/// Bits of one protocol.
const PROTOCOL_BITS: u32 = 16;
/// Bits of one ICMP type.
const TYPE_BITS: u32 = 8;

impl Point for ServicePoint {
    const MIN: Self = Self(0);
    const MAX: Self = Self(0xFF_FFFF);
    fn next(self) -> Option<Self> {
        (self < Self::MAX).then_some(Self(self.0.wrapping_add(1)))
    }
    fn prev(self) -> Option<Self> {
        self.0.checked_sub(1).map(Self)
    }
}

/// The point of a protocol with a port, or with an ICMP type and code in two bytes.
fn point(protocol: u8, detail: u16) -> ServicePoint {
    ServicePoint(u32::from(protocol) << PROTOCOL_BITS | u32::from(detail))
}

/// The points an entry stands for.
fn span(entry: &ProtoPorts) -> Span<ServicePoint> {
    let detail = |icmp_type, code| u16::from_be_bytes([icmp_type, code]);
    let (first, last) = match *entry {
        ProtoPorts::Protocols(range) => {
            return (point(range.first(), 0), point(range.last(), u16::MAX));
        }
        ProtoPorts::Ports(_, ports) => (ports.first(), ports.last()),
        ProtoPorts::IcmpTypes(_, types) => (detail(types.first(), 0), detail(types.last(), 255)),
        ProtoPorts::IcmpCodes(_, icmp_type, codes) => {
            (detail(icmp_type, codes.first()), detail(icmp_type, codes.last()))
        }
    };
    (point(entry.first_protocol(), first), point(entry.first_protocol(), last))
}

/// A piece of a range that is cut at the bounds of equally sized units.
enum Piece {
    /// Whole units, from the first to the last.
    Whole(U8Range),
    /// A part of one unit: its number, first and last point in it.
    Part(u8, u16, u16),
}

/// The low bits of a number, as the unit number or the place in it; the callers leave no more.
fn low_u8(n: u32) -> u8 {
    let [_, _, _, low] = n.to_be_bytes();
    low
}

/// A part of one unit from its points.
fn part(first: u32, last: u32, bits: u32) -> Piece {
    let place = |n: u32| {
        let [_, _, high, low] = (n & ((1 << bits) - 1)).to_be_bytes();
        u16::from_be_bytes([high, low])
    };
    Piece::Part(low_u8(first >> bits), place(first), place(last))
}

/// Cuts a range into the part before the first bound, the whole units, and the part after the last bound.
fn pieces(first: u32, last: u32, bits: u32) -> impl Iterator<Item = Piece> {
    let whole_from = (first + ((1 << bits) - 1)) >> bits;
    let whole_to = (last + 1) >> bits;
    let (head_end, tail_start) = (whole_from << bits, whole_to << bits);
    let head = (first < head_end).then(|| part(first, last.min(head_end - 1), bits));
    let whole = (whole_from < whole_to)
        .then(|| U8Range::new(low_u8(whole_from), low_u8(whole_to - 1)).ok().map(Piece::Whole))
        .flatten();
    let tail = (whole_from <= whole_to && tail_start <= last).then(|| part(tail_start, last, bits));
    [head, whole, tail].into_iter().flatten()
}

/// The entries of a part of one protocol.
fn protocol_entries(protocol: u8, first: u16, last: u16) -> Vec<ProtoPorts> {
    if let Some(protocol) = PortProtocol::from_number(protocol) {
        return vec![ProtoPorts::Ports(protocol, PortRange::from_span((first, last)))];
    }
    let Some(icmp) = IcmpVersion::from_number(protocol) else {
        // INVARIANT: a protocol without ports and types is inside as a whole, so it has no parts.
        return Vec::new();
    };
    let entry = |piece| match piece {
        Piece::Whole(types) => Some(ProtoPorts::IcmpTypes(icmp, types)),
        Piece::Part(icmp_type, first, last) => {
            let codes = U8Range::new(low_u8(first.into()), low_u8(last.into())).ok()?;
            Some(ProtoPorts::IcmpCodes(icmp, icmp_type, codes))
        }
    };
    pieces(first.into(), last.into(), TYPE_BITS).filter_map(entry).collect()
}

/// A set of services: of protocols, ports, and ICMP types and codes.
///
/// Equal sets are equal values, however they were made: `tcp/0-65535` and `tcp` give the same set.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceSet(Spans<ServicePoint>);

impl ServiceSet {
    /// The set without any service.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every protocol and port: the service `All Services`.
    pub fn all() -> Self {
        Self(Spans::full())
    }

    /// The union of many sets; `O(n log n)` in all their ranges.
    pub fn union_all<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self {
        let spans = sets.into_iter().flat_map(|s| s.0.as_slice().iter().copied()).collect();
        Self(Spans::from_unsorted(spans))
    }

    /// Services in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0))
    }

    /// Services in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0))
    }

    /// Services in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0))
    }

    /// Services that are not in this set.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self(self.0.complement())
    }

    /// Whether no service is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every protocol and port is inside.
    pub fn is_all(&self) -> bool {
        self.0.is_full()
    }

    /// Whether the port of TCP or UDP is inside.
    pub fn contains_port(&self, protocol: PortProtocol, port: u16) -> bool {
        self.0.contains(point(protocol.number(), port))
    }

    /// Whether the ICMP type and code is inside.
    pub fn contains_icmp(&self, icmp: IcmpVersion, icmp_type: u8, code: u8) -> bool {
        self.0.contains(point(icmp.number(), u16::from_be_bytes([icmp_type, code])))
    }

    /// Whether the whole protocol is inside, with all its ports or types.
    pub fn contains_protocol(&self, number: u8) -> bool {
        self.contains_entry(&ProtoPorts::protocol(number))
    }

    /// Whether the entry is inside as a whole.
    pub fn contains_entry(&self, entry: &ProtoPorts) -> bool {
        self.0.contains_span(span(entry))
    }

    /// Whether every service of the other set is inside.
    pub fn contains_set(&self, other: &Self) -> bool {
        self.0.contains_set(&other.0)
    }

    /// Whether no service is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.0.is_disjoint(&other.0)
    }

    /// The ports of TCP or UDP that are inside.
    pub fn ports(&self, protocol: PortProtocol) -> PortSet {
        let in_entry = |entry| match entry {
            ProtoPorts::Protocols(range) if range.contains(protocol.number()) => {
                Some(PortRange::ALL)
            }
            ProtoPorts::Ports(p, ports) if p == protocol => Some(ports),
            _ => None,
        };
        self.entries().filter_map(in_entry).collect()
    }

    /// The entries that make the set: ascending by protocol number, disjoint, the coarsest that are exact.
    pub fn entries(&self) -> impl Iterator<Item = ProtoPorts> + '_ {
        let spans = self.0.as_slice().iter();
        let pieces = spans.flat_map(|(first, last)| pieces(first.0, last.0, PROTOCOL_BITS));
        pieces.flat_map(|piece| match piece {
            Piece::Whole(protocols) => vec![ProtoPorts::Protocols(protocols)],
            Piece::Part(protocol, first, last) => protocol_entries(protocol, first, last),
        })
    }
}

/// The union of the entries, which may overlap and come in any order.
impl FromIterator<ProtoPorts> for ServiceSet {
    fn from_iter<I: IntoIterator<Item = ProtoPorts>>(entries: I) -> Self {
        Self(Spans::from_unsorted(entries.into_iter().map(|e| span(&e)).collect()))
    }
}

impl From<ProtoPorts> for ServiceSet {
    fn from(entry: ProtoPorts) -> Self {
        std::iter::once(entry).collect()
    }
}

/// The entries with a comma between; nothing for the empty set.
impl fmt::Display for ServiceSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, entry) in self.entries().enumerate() {
            write!(f, "{}{entry}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
