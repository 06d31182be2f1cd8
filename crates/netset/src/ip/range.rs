//! One range of addresses: parse, print, compare.

use super::IpError;
use crate::digits::decimal;
use crate::span::{Point, Span};
use ipnet::{IpNet, Ipv4Subnets, Ipv6Subnets};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Longest text that is looked at, in bytes: two of the longest IPv6 spellings, a hyphen, some room.
pub const IP_TEXT_LEN_MAX: usize = 96;

/// The two number spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Repr {
    V4(Span<u32>),
    V6(Span<u128>),
}

/// A non-empty range of addresses of one family, both ends inside.
///
/// Order: IPv4 before IPv6, then by first and last address. Prints as `10.0.0.1` (one address),
/// `10.0.0.0/8` (exactly a prefix) or `10.0.0.1-10.0.0.9`, and parses from all three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IpRange(pub(super) Repr);

/// One address as text.
fn address(s: &str) -> Result<IpAddr, IpError> {
    if s.contains('%') {
        return Err(IpError::Zone);
    }
    let addr = s.parse().map_err(|_| IpError::Address)?;
    match addr {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => Err(IpError::Mapped),
        _ => Ok(addr),
    }
}

/// One end of a range as text.
fn end(s: &str) -> Result<IpAddr, IpError> {
    if s.contains('/') { Err(IpError::PrefixInRange) } else { address(s) }
}

/// An address or a prefix as text.
fn address_or_prefix(s: &str) -> Result<IpRange, IpError> {
    let Some((base, len)) = s.split_once('/') else {
        return address(s).map(IpRange::from);
    };
    let base = address(base)?;
    let len = decimal(len, 128).and_then(|n| u8::try_from(n).ok()).ok_or(IpError::Prefix)?;
    IpNet::new(base, len).map(IpRange::from).map_err(|_| IpError::Prefix)
}

/// Refuses long text before it is looked at.
fn bounded(s: &str) -> Result<&str, IpError> {
    if s.len() > IP_TEXT_LEN_MAX { Err(IpError::TooLong) } else { Ok(s) }
}

impl IpRange {
    /// Every IPv4 address.
    pub const ALL_V4: Self = Self(Repr::V4((u32::MIN, u32::MAX)));
    /// Every IPv6 address.
    pub const ALL_V6: Self = Self(Repr::V6((u128::MIN, u128::MAX)));

    /// The range from the first to the last address, both inside.
    ///
    /// Errors: [`IpError::Mixed`], [`IpError::Reversed`].
    pub fn new(first: IpAddr, last: IpAddr) -> Result<Self, IpError> {
        let repr = match (first, last) {
            (IpAddr::V4(a), IpAddr::V4(b)) => Repr::V4((a.to_bits(), b.to_bits())),
            (IpAddr::V6(a), IpAddr::V6(b)) => Repr::V6((a.to_bits(), b.to_bits())),
            _ => return Err(IpError::Mixed),
        };
        if first <= last { Ok(Self(repr)) } else { Err(IpError::Reversed) }
    }

    /// The range that the fields `from_ip` and `to_ip` of an IP list entry mean.
    ///
    /// `from_ip` may be a prefix only when there is no `to_ip`. Errors: any [`IpError`].
    pub fn from_fields(from_ip: &str, to_ip: Option<&str>) -> Result<Self, IpError> {
        let from_ip = bounded(from_ip)?;
        match to_ip {
            None => address_or_prefix(from_ip),
            Some(to_ip) => Self::new(end(from_ip)?, end(bounded(to_ip)?)?),
        }
    }

    /// The lowest address.
    pub fn first(&self) -> IpAddr {
        match self.0 {
            Repr::V4((first, _)) => Ipv4Addr::from_bits(first).into(),
            Repr::V6((first, _)) => Ipv6Addr::from_bits(first).into(),
        }
    }

    /// The highest address.
    pub fn last(&self) -> IpAddr {
        match self.0 {
            Repr::V4((_, last)) => Ipv4Addr::from_bits(last).into(),
            Repr::V6((_, last)) => Ipv6Addr::from_bits(last).into(),
        }
    }

    /// Whether it is a range of IPv4 addresses; otherwise of IPv6 addresses.
    pub fn is_ipv4(&self) -> bool {
        matches!(self.0, Repr::V4(_))
    }

    /// Whether the address is of this family and inside.
    pub fn contains(&self, addr: IpAddr) -> bool {
        self.contains_range(&addr.into())
    }

    /// Whether the other range is of this family and wholly inside.
    pub fn contains_range(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Repr::V4(a), Repr::V4(b)) => a.0 <= b.0 && b.1 <= a.1,
            (Repr::V6(a), Repr::V6(b)) => a.0 <= b.0 && b.1 <= a.1,
            _ => false,
        }
    }

    /// The fewest prefixes that say the same, ascending: at most 62 for IPv4 and 254 for IPv6.
    pub fn cidrs(&self) -> impl Iterator<Item = IpNet> + use<> {
        let (v4, v6) = match (self.first(), self.last()) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (Some(Ipv4Subnets::new(a, b, 0)), None),
            (IpAddr::V6(a), IpAddr::V6(b)) => (None, Some(Ipv6Subnets::new(a, b, 0))),
            _ => (None, None), // INVARIANT: both ends are of one family.
        };
        let v4 = v4.into_iter().flatten().map(IpNet::V4);
        v4.chain(v6.into_iter().flatten().map(IpNet::V6))
    }

    /// The prefix that says the same, if one does; a single address is the longest prefix.
    pub fn as_cidr(&self) -> Option<IpNet> {
        let mut nets = self.cidrs();
        nets.next().filter(|_| nets.next().is_none())
    }
}

impl From<IpAddr> for IpRange {
    fn from(addr: IpAddr) -> Self {
        Self(match addr {
            IpAddr::V4(a) => Repr::V4((a.to_bits(), a.to_bits())),
            IpAddr::V6(a) => Repr::V6((a.to_bits(), a.to_bits())),
        })
    }
}

/// The addresses of the network; host bits do not count.
impl From<IpNet> for IpRange {
    fn from(net: IpNet) -> Self {
        Self(match net {
            IpNet::V4(n) => Repr::V4((n.network().to_bits(), n.broadcast().to_bits())),
            IpNet::V6(n) => Repr::V6((n.network().to_bits(), n.broadcast().to_bits())),
        })
    }
}

/// Reads an address, a prefix, or two addresses with a hyphen between.
impl FromStr for IpRange {
    type Err = IpError;
    fn from_str(s: &str) -> Result<Self, IpError> {
        match bounded(s)?.split_once('-') {
            None => address_or_prefix(s),
            Some((first, last)) => Self::new(end(first)?, end(last)?),
        }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.first(), self.last());
        match self.as_cidr() {
            _ if first == last => write!(f, "{first}"),
            Some(net) => write!(f, "{net}"),
            None => write!(f, "{first}-{last}"),
        }
    }
}

/// How many points a span has, or the greatest number if one too small.
pub(super) fn span_len<P: Point + Into<u128>>(span: Span<P>) -> u128 {
    (span.1.into() - span.0.into()).saturating_add(1)
}
