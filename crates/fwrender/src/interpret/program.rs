//! The parsed form of a ruleset text.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::elements::Elements;

/// A property of a packet that rules look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Ip4(Half),
    Ip6(Half),
    Protocol,
    /// Port of whatever transport protocol.
    Port(Half),
    TcpPort(Half),
    UdpPort(Half),
    IcmpType,
    IcmpCode,
    Icmpv6Type,
    Icmpv6Code,
    Priority,
}

/// Source or destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Half {
    Source,
    Destination,
}

/// How the values of a field are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Ip4,
    Ip6,
    Byte,
    Port,
    Class,
}

impl Field {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Ip4(_) => Kind::Ip4,
            Self::Ip6(_) => Kind::Ip6,
            Self::Port(_) | Self::TcpPort(_) | Self::UdpPort(_) => Kind::Port,
            Self::Priority => Kind::Class,
            _ => Kind::Byte,
        }
    }
}

/// What an element maps to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing: an element of a set.
    Member,
    Class(u32),
    Verdict(Verdict),
}

/// A verdict as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Accept,
    Drop,
    Return,
    Jump(String),
    Goto(String),
}

/// Elements given in place or by name.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Inline(Elements),
    Named(String),
}

/// One part of a rule; a condition that does not hold ends the rule.
#[derive(Debug, Clone)]
pub(super) enum Op {
    /// The fields are in a set.
    In(Vec<Field>, Source),
    /// The verdict of the fields.
    VerdictMap(Vec<Field>, Source),
    /// The priority becomes what the field maps to.
    MapPriority(Field, String),
    ClearPriority,
    /// Name of the interface, input (true) or output; the flag says any rest.
    Interface(bool, String, bool),
    /// Words of `ct state`.
    State(Vec<super::CtState>),
    /// Sent to an address of the host.
    Local,
    /// Came through IPsec (true), or will leave through it.
    Secured(bool),
    Log(String),
    Untrack,
    Reject,
    Verdict(Verdict),
}

/// One rule.
#[derive(Debug, Clone, Default)]
pub(super) struct Rule {
    pub(super) ops: Vec<Op>,
    pub(super) comment: Option<String>,
}

/// Where the kernel enters a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Entrance {
    Prerouting,
    Input,
    Forward,
    Output,
}

/// One chain.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    /// Entrance, priority, and whether the end of the chain drops.
    pub(super) base: Option<(Entrance, i32, bool)>,
    pub(super) rules: Vec<Rule>,
}

/// One named set or map.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) keys: Vec<Kind>,
    /// What it maps to; none for a set.
    pub(super) values: Option<ValueKind>,
    pub(super) timeout: bool,
    pub(super) elements: Elements,
}

/// What a map maps to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueKind {
    Class,
    Verdict,
}

impl Set {
    pub(super) fn insert_address(&mut self, address: IpAddr) -> bool {
        let (kind, bits) = match address {
            IpAddr::V4(a) => (Kind::Ip4, u128::from(a.to_bits())),
            IpAddr::V6(a) => (Kind::Ip6, a.to_bits()),
        };
        self.keys == [kind] && self.values.is_none() && {
            self.elements.insert(vec![(bits, bits)], Value::Member).is_ok()
        }
    }
}

/// A whole text.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    pub(super) sets: BTreeMap<String, Set>,
    pub(super) chains: BTreeMap<String, Chain>,
}
