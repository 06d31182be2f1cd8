//! Services: protocols with their ports, or ICMP types and codes.
//!
//! A service set is a set in one space of 256 protocols with 65,536 points each: for TCP and UDP a point is a
//! port, for ICMP and ICMPv6 a pair of type and code, for every other protocol the points have no meaning and
//! are inside all together or not at all. So the algebra of services is the algebra of ranges, and "every
//! protocol except TCP port 22" is as exact as "TCP port 22".
//!
//! The space knows nothing of addresses: ICMP with IPv6 addresses, or ICMPv6 with IPv4 ones, match no packet
//! and are left to the caller.
//!
//! Source: `service_ports` of the REST API 26.3; Security Policy Guide 24.5, "Services".

mod entry;
mod set;

use crate::digits::decimal;
use crate::port::PortError;
use std::fmt;

pub use entry::{ICMP_CODE_FIELD_MAX, ProtoPorts, SERVICE_TEXT_LEN_MAX, ServiceFields};
pub use set::ServiceSet;

/// Why fields or a text are no service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ServiceError {
    /// Longer than [`SERVICE_TEXT_LEN_MAX`].
    #[error("longer than {SERVICE_TEXT_LEN_MAX} bytes")]
    TooLong,
    /// Not a protocol.
    #[error("not a protocol: -1 for all, or an IANA number from 0 to 255")]
    Protocol,
    /// The ports are wrong; the source says how.
    #[error("not a range of ports")]
    Port(#[source] PortError),
    /// Ports for a protocol that has none.
    #[error("only TCP and UDP have ports")]
    PortNotAllowed,
    /// An ICMP type or code for another protocol.
    #[error("only ICMP and ICMPv6 have types and codes")]
    IcmpNotAllowed,
    /// Not an ICMP type.
    #[error("not an ICMP type: a number from 0 to 255")]
    IcmpType,
    /// Not an ICMP code.
    #[error(
        "not an ICMP code: a number from 0 to {ICMP_CODE_FIELD_MAX} in a field, to 255 in text"
    )]
    IcmpCode,
    /// A code without a type.
    #[error("an ICMP code needs an ICMP type")]
    CodeWithoutType,
    /// The last number of a range is below the first.
    #[error("the last number is below the first")]
    Reversed,
}

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortProtocol {
    /// TCP, protocol 6.
    Tcp,
    /// UDP, protocol 17.
    Udp,
}

impl PortProtocol {
    /// The IANA number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// The protocol with that IANA number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            6 => Some(Self::Tcp),
            17 => Some(Self::Udp),
            _ => None,
        }
    }
}

/// A protocol that has ICMP types and codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IcmpVersion {
    /// ICMP for IPv4, protocol 1.
    V4,
    /// ICMPv6, protocol 58.
    V6,
}

impl IcmpVersion {
    /// The IANA number of the protocol.
    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 1,
            Self::V6 => 58,
        }
    }

    /// The version with that IANA protocol number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::V4),
            58 => Some(Self::V6),
            _ => None,
        }
    }
}

/// A non-empty range of protocol numbers, ICMP types or ICMP codes, both ends inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct U8Range {
    first: u8,
    last: u8,
}

impl U8Range {
    /// Every number.
    pub const ALL: Self = Self { first: 0, last: u8::MAX };

    /// One number.
    pub const fn single(number: u8) -> Self {
        Self { first: number, last: number }
    }

    /// The numbers from the first to the last, both inside.
    ///
    /// Errors: [`ServiceError::Reversed`].
    pub const fn new(first: u8, last: u8) -> Result<Self, ServiceError> {
        if first <= last { Ok(Self { first, last }) } else { Err(ServiceError::Reversed) }
    }

    /// The lowest number.
    pub const fn first(&self) -> u8 {
        self.first
    }

    /// The highest number.
    pub const fn last(&self) -> u8 {
        self.last
    }

    /// Whether the number is inside.
    pub const fn contains(&self, number: u8) -> bool {
        self.first <= number && number <= self.last
    }

    /// Reads `5` or `5-9`; gives `wrong` for what are not such numbers.
    fn parse(s: &str, wrong: ServiceError) -> Result<Self, ServiceError> {
        let number = |s| decimal(s, 255).and_then(|n| u8::try_from(n).ok()).ok_or(wrong);
        match s.split_once('-') {
            None => number(s).map(Self::single),
            Some((first, last)) => Self::new(number(first)?, number(last)?),
        }
    }
}

impl fmt::Display for U8Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => write!(f, "{first}"),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests;
