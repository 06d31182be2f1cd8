//! Exact set algebra over IP addresses, ports and services; no I/O.
//!
//! Validation of IP lists, the policy engine and the firewall renderer all ask the same questions (is this
//! address inside, what is left after the exclusions, which prefixes say the same) and must get the same
//! answers. They get them here, from one algorithm in `span`: a set is a sorted list of disjoint ranges that
//! do not touch. That form is canonical, so equal sets are equal values with equal hashes, and every
//! operation of two sets is one sweep over both lists.
//!
//! - [`IpRange`], [`IpSet`], [`IpSetBuilder`]: addresses. IPv4 and IPv6 are separate worlds: no range spans
//!   both, `0.0.0.0/0` covers no IPv6 address, and an IPv4-mapped IPv6 address is not the IPv4 address.
//! - [`PortRange`], [`PortSet`]: ports 0 to 65535.
//! - [`ProtoPorts`], [`ServiceSet`]: protocols with their ports or ICMP types and codes.
//!
//! All parsers take bounded text, refuse what they do not know and never panic. Whatever cannot be
//! represented is an error of the constructor; no operation on a built set can fail.

mod digits;
mod ip;
mod port;
mod proto;
mod span;

pub use ip::{ExclusionError, IP_TEXT_LEN_MAX, IpError, IpRange, IpSet, IpSetBuilder};
pub use port::{PORT_TEXT_LEN_MAX, PortError, PortRange, PortSet};
pub use proto::{
    ICMP_CODE_FIELD_MAX, IcmpVersion, PortProtocol, ProtoPorts, SERVICE_TEXT_LEN_MAX, ServiceError,
    ServiceFields, ServiceSet, U8Range,
};
