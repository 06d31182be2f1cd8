//! Sets of addresses.

use super::IpRange;
use super::range::{Repr, span_len};
use crate::span::Spans;
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// A set of IPv4 and IPv6 addresses.
///
/// Equal sets are equal values, however they were made. Operations of two sets are linear in their ranges,
/// queries for one address or range logarithmic.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpSet {
    v4: Spans<u32>,
    v6: Spans<u128>,
}

impl IpSet {
    /// The set without any address.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every address of both families: what the list `Any (0.0.0.0/0 and ::/0)` holds.
    pub fn all() -> Self {
        Self { v4: Spans::full(), v6: Spans::full() }
    }

    /// The union of many sets; `O(n log n)` in all their ranges, where pairwise union would be quadratic.
    pub fn union_all<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for set in sets {
            v4.extend_from_slice(set.v4.as_slice());
            v6.extend_from_slice(set.v6.as_slice());
        }
        Self { v4: Spans::from_unsorted(v4), v6: Spans::from_unsorted(v6) }
    }

    /// Addresses in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { v4: self.v4.union(&other.v4), v6: self.v6.union(&other.v6) }
    }

    /// Addresses in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self { v4: self.v4.intersection(&other.v4), v6: self.v6.intersection(&other.v6) }
    }

    /// Addresses in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self { v4: self.v4.difference(&other.v4), v6: self.v6.difference(&other.v6) }
    }

    /// Addresses of either family that are not in this set.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self { v4: self.v4.complement(), v6: self.v6.complement() }
    }

    /// The IPv4 part alone.
    #[must_use]
    pub fn ipv4(&self) -> Self {
        Self { v4: self.v4.clone(), v6: Spans::default() }
    }

    /// The IPv6 part alone.
    #[must_use]
    pub fn ipv6(&self) -> Self {
        Self { v4: Spans::default(), v6: self.v6.clone() }
    }

    /// Whether no address is inside.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    /// Whether every address of both families is inside.
    pub fn is_all(&self) -> bool {
        self.v4.is_full() && self.v6.is_full()
    }

    /// Whether the address is inside.
    pub fn contains(&self, addr: IpAddr) -> bool {
        match addr {
            IpAddr::V4(a) => self.v4.contains(a.to_bits()),
            IpAddr::V6(a) => self.v6.contains(a.to_bits()),
        }
    }

    /// Whether the whole range is inside.
    pub fn contains_range(&self, range: &IpRange) -> bool {
        match range.0 {
            Repr::V4(span) => self.v4.contains_span(span),
            Repr::V6(span) => self.v6.contains_span(span),
        }
    }

    /// Whether every address of the other set is inside.
    pub fn contains_set(&self, other: &Self) -> bool {
        self.v4.contains_set(&other.v4) && self.v6.contains_set(&other.v6)
    }

    /// Whether no address is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.v4.is_disjoint(&other.v4) && self.v6.is_disjoint(&other.v6)
    }

    /// How many ranges [`Self::ranges`] gives.
    pub fn range_count(&self) -> usize {
        self.v4.as_slice().len() + self.v6.as_slice().len()
    }

    /// How many addresses are inside, of both families together; `u128::MAX` when that is too small.
    pub fn address_count(&self) -> u128 {
        let v4 = self.v4.as_slice().iter().map(|s| span_len(*s));
        let v6 = self.v6.as_slice().iter().map(|s| span_len(*s));
        v4.chain(v6).fold(0, u128::saturating_add)
    }

    /// The fewest ranges that make the set: ascending, apart from each other, IPv4 first.
    pub fn ranges(&self) -> impl Iterator<Item = IpRange> + '_ {
        let v4 = self.v4.as_slice().iter().map(|s| IpRange(Repr::V4(*s)));
        v4.chain(self.v6.as_slice().iter().map(|s| IpRange(Repr::V6(*s))))
    }

    /// The fewest prefixes that make the set: ascending, disjoint, IPv4 first.
    pub fn cidrs(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.ranges().flat_map(|range| range.cidrs())
    }
}

/// The union of the ranges, which may overlap and come in any order; `O(n log n)`.
impl FromIterator<IpRange> for IpSet {
    fn from_iter<I: IntoIterator<Item = IpRange>>(ranges: I) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for range in ranges {
            match range.0 {
                Repr::V4(span) => v4.push(span),
                Repr::V6(span) => v6.push(span),
            }
        }
        Self { v4: Spans::from_unsorted(v4), v6: Spans::from_unsorted(v6) }
    }
}

impl FromIterator<IpAddr> for IpSet {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addrs: I) -> Self {
        addrs.into_iter().map(IpRange::from).collect()
    }
}

impl FromIterator<IpNet> for IpSet {
    fn from_iter<I: IntoIterator<Item = IpNet>>(nets: I) -> Self {
        nets.into_iter().map(IpRange::from).collect()
    }
}

impl From<IpRange> for IpSet {
    fn from(range: IpRange) -> Self {
        std::iter::once(range).collect()
    }
}

/// The ranges with a comma between; nothing for the empty set.
impl fmt::Display for IpSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.ranges().enumerate() {
            write!(f, "{}{range}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}
