//! Addresses: ranges, sets, and sets built from inclusions and exclusions.
//!
//! Choices made here, once for all users:
//!
//! - **Families never mix.** IPv4 and IPv6 are two number spaces. A range lies in one of them, a set has a
//!   part in each, and the complement is taken in both.
//! - **IPv4-mapped IPv6 text (`::ffff:10.0.0.1`) is refused**, as address, as base of a prefix and as an end.
//!   Taking it as IPv4 would make two spellings of one address, taking it as IPv6 would make a rule that
//!   matches no packet. In the algebra itself those numbers are ordinary IPv6, so that complements are exact;
//!   a caller that receives mapped addresses from sockets converts them with `IpAddr::to_canonical` first.
//! - **Host bits in a prefix are cleared**: `10.1.2.3/8` means `10.0.0.0/8`, as filters commonly read it.
//! - **No zone ids** (`fe80::1%eth0`), no netmasks, no octets with leading zeros, no white space.
//!
//! Source: Security Policy Guide 24.5, "IP Lists"; `ip_ranges` of the REST API 26.3.

mod builder;
mod range;
mod set;

pub use builder::{ExclusionError, IpSetBuilder};
pub use range::{IP_TEXT_LEN_MAX, IpRange};
pub use set::IpSet;

/// Why a text or a pair of addresses is no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum IpError {
    /// Longer than [`IP_TEXT_LEN_MAX`].
    #[error("longer than {IP_TEXT_LEN_MAX} bytes")]
    TooLong,
    /// Not an address in the usual notation.
    #[error("not an IPv4 or IPv6 address")]
    Address,
    /// An IPv6 address with a zone id.
    #[error("an address with a zone id, write the address alone")]
    Zone,
    /// An IPv6 address that stands for an IPv4 address.
    #[error("an IPv4-mapped IPv6 address, write the IPv4 address")]
    Mapped,
    /// The part after the slash is no prefix length of the family.
    #[error("not a prefix length: 0 to 32 for IPv4, 0 to 128 for IPv6")]
    Prefix,
    /// A prefix where the end of a range allows an address only.
    #[error("a prefix cannot be an end of a range")]
    PrefixInRange,
    /// One end is IPv4 and the other IPv6.
    #[error("a range cannot have one IPv4 and one IPv6 end")]
    Mixed,
    /// The last address is below the first.
    #[error("the last address is below the first")]
    Reversed,
}

#[cfg(test)]
mod tests;
