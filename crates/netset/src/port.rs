//! Ports of TCP and UDP: ranges and sets. Port 0 is a port like any other.

use crate::digits::decimal;
use crate::span::{Span, Spans};
use std::fmt;
use std::str::FromStr;

/// Longest text that is looked at, in bytes: `65535-65535`, some room.
pub const PORT_TEXT_LEN_MAX: usize = 16;

/// Why a text or a pair of numbers is no range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PortError {
    /// Longer than [`PORT_TEXT_LEN_MAX`].
    #[error("longer than {PORT_TEXT_LEN_MAX} bytes")]
    TooLong,
    /// Not a number from 0 to 65535 in plain digits.
    #[error("not a port: a number from 0 to 65535")]
    Number,
    /// The last port is below the first.
    #[error("the last port is below the first")]
    Reversed,
    /// There is a last port and no first.
    #[error("a last port needs a first port")]
    NoFirst,
}

/// A non-empty range of ports, both ends inside.
///
/// Prints as `443` or `8000-8100` and parses from both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port.
    pub const ALL: Self = Self { first: 0, last: u16::MAX };

    /// One port.
    pub const fn single(port: u16) -> Self {
        Self { first: port, last: port }
    }

    /// The ports from the first to the last, both inside.
    ///
    /// Errors: [`PortError::Reversed`].
    pub const fn new(first: u16, last: u16) -> Result<Self, PortError> {
        if first <= last { Ok(Self { first, last }) } else { Err(PortError::Reversed) }
    }

    /// The range that the fields `port` and `to_port` of a service entry mean.
    ///
    /// Neither: every port; `port` alone: that port; both: a range with both ends.
    /// Errors: [`PortError::Number`], [`PortError::Reversed`], [`PortError::NoFirst`].
    pub fn from_fields(port: Option<i64>, to_port: Option<i64>) -> Result<Self, PortError> {
        let number = |n: i64| u16::try_from(n).map_err(|_| PortError::Number);
        match (port, to_port) {
            (None, None) => Ok(Self::ALL),
            (None, Some(_)) => Err(PortError::NoFirst),
            (Some(port), None) => number(port).map(Self::single),
            (Some(port), Some(to_port)) => Self::new(number(port)?, number(to_port)?),
        }
    }

    /// The lowest port.
    pub const fn first(&self) -> u16 {
        self.first
    }

    /// The highest port.
    pub const fn last(&self) -> u16 {
        self.last
    }

    /// Whether the port is inside.
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }

    /// The range a valid pair of ends stands for.
    pub(crate) const fn from_span(span: Span<u16>) -> Self {
        // INVARIANT: spans come out of sets, where first <= last.
        Self { first: span.0, last: span.1 }
    }
}

impl FromStr for PortRange {
    type Err = PortError;
    fn from_str(s: &str) -> Result<Self, PortError> {
        if s.len() > PORT_TEXT_LEN_MAX {
            return Err(PortError::TooLong);
        }
        let number = |s| decimal(s, u16::MAX).ok_or(PortError::Number);
        match s.split_once('-') {
            None => number(s).map(Self::single),
            Some((first, last)) => Self::new(number(first)?, number(last)?),
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

/// A set of ports; equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortSet(pub(crate) Spans<u16>);

impl PortSet {
    /// The set without any port.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every port.
    pub fn all() -> Self {
        Self(Spans::full())
    }

    /// Ports in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0))
    }

    /// Ports in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0))
    }

    /// Ports in this set and not in the other.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0))
    }

    /// Ports that are not in this set.
    #[must_use]
    pub fn complement(&self) -> Self {
        Self(self.0.complement())
    }

    /// Whether no port is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every port is inside.
    pub fn is_all(&self) -> bool {
        self.0.is_full()
    }

    /// Whether the port is inside.
    pub fn contains(&self, port: u16) -> bool {
        self.0.contains(port)
    }

    /// Whether the whole range is inside.
    pub fn contains_range(&self, range: &PortRange) -> bool {
        self.0.contains_span((range.first, range.last))
    }

    /// Whether every port of the other set is inside.
    pub fn contains_set(&self, other: &Self) -> bool {
        self.0.contains_set(&other.0)
    }

    /// Whether no port is in both.
    pub fn is_disjoint(&self, other: &Self) -> bool {
        self.0.is_disjoint(&other.0)
    }

    /// The fewest ranges that make the set: ascending, apart from each other.
    pub fn ranges(&self) -> impl Iterator<Item = PortRange> + '_ {
        self.0.as_slice().iter().map(|s| PortRange::from_span(*s))
    }
}

/// The union of the ranges, which may overlap and come in any order.
impl FromIterator<PortRange> for PortSet {
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> Self {
        Self(Spans::from_unsorted(ranges.into_iter().map(|r| (r.first, r.last)).collect()))
    }
}

/// The ranges with a comma between; nothing for the empty set.
impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.ranges().enumerate() {
            write!(f, "{}{range}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
