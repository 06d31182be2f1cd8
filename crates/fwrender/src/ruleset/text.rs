//! Prints the typed form as nftables text.

use std::fmt::{self, Display, Formatter, Write as _};

use bulkhead_netset::{IcmpVersion, PortProtocol};

use super::{
    Chain, ClassId, Family, Hook, Lookup, Match, NamedSet, Rule, Ruleset, SetContent, Side,
    Statement, Verdict,
};

impl Display for Ruleset {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        // Adding first makes the deletion succeed when there is no table yet.
        write!(f, "add table inet {name}\ndelete table inet {name}\n")?;
        let Some(table) = &self.table else { return Ok(()) };
        writeln!(f, "table inet {name} {{")?;
        for (i, set) in table.sets.iter().enumerate() {
            write!(f, "{}{set}", if i == 0 { "" } else { "\n" })?;
        }
        for chain in &table.chains {
            write!(f, "\n{chain}")?;
        }
        f.write_str("}\n")
    }
}

impl Display for ClassId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}:{:x}", self.0 >> 16, self.0 & 0xffff)
    }
}

impl Display for NamedSet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let kind = match &self.content {
            SetContent::Addresses { .. } => "set",
            SetContent::Classes { .. } | SetContent::Dispatch(_) => "map",
        };
        writeln!(f, "    {kind} {} {{", self.name)?;
        match &self.content {
            SetContent::Addresses { family, timeout, ranges } => {
                let flags = if *timeout { "timeout" } else { "interval" };
                writeln!(f, "        type {}\n        flags {flags}", address_type(*family))?;
                elements(f, ranges.iter())?;
            }
            SetContent::Classes { family, interval, ranges } => {
                writeln!(f, "        type {} : classid", address_type(*family))?;
                if *interval {
                    writeln!(f, "        flags interval")?;
                }
                elements(f, ranges.iter().map(|(range, class)| format!("{range} : {class}")))?;
            }
            SetContent::Dispatch(chains) => {
                writeln!(f, "        type classid : verdict")?;
                elements(f, chains.iter().map(|(class, chain)| format!("{class} : goto {chain}")))?;
            }
        }
        f.write_str("    }\n")
    }
}

/// The elements, one on a line; nothing for an empty set, whose braces nft would refuse.
fn elements<T: Display>(f: &mut Formatter<'_>, items: impl Iterator<Item = T>) -> fmt::Result {
    let mut items = items.peekable();
    if items.peek().is_none() {
        return Ok(());
    }
    f.write_str("        elements = {\n")?;
    for item in items {
        writeln!(f, "            {item},")?;
    }
    f.write_str("        }\n")
}

const fn address_type(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4_addr",
        Family::V6 => "ipv6_addr",
    }
}

impl Display for Chain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "    chain {} {{", self.name)?;
        if let Some(hook) = self.hook {
            let (hook, priority) = match hook {
                Hook::Prerouting => ("prerouting", "-300"),
                Hook::Input => ("input", "0"),
                Hook::Forward => ("forward", "0"),
                Hook::OutputRaw => ("output", "-300"),
                Hook::Output => ("output", "0"),
            };
            // The policy is accept because a chain is never left half-way: its last rule decides.
            writeln!(f, "        type filter hook {hook} priority {priority}; policy accept;")?;
        }
        for rule in &self.rules {
            writeln!(f, "        {rule}")?;
        }
        f.write_str("    }\n")
    }
}

impl Display for Rule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for condition in &self.matches {
            write!(f, "{condition} ")?;
        }
        write!(f, "{}", self.statement)?;
        match &self.comment {
            Some(comment) => write!(f, " comment \"{comment}\""),
            None => Ok(()),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accept"),
            Self::Drop => f.write_str("drop"),
            Self::Jump(chain) => write!(f, "jump {chain}"),
            Self::Goto(chain) => write!(f, "goto {chain}"),
        }
    }
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::InputInterface(name) => write!(f, "iifname \"{name}\""),
            Self::OutputInterface(name) => write!(f, "oifname \"{name}\""),
            Self::Established => f.write_str("ct state established,related"),
            Self::Invalid => f.write_str("ct state invalid"),
            Self::Local => f.write_str("fib daddr type local"),
            Self::Address(side, family, set) => write!(f, "{} @{set}", address(*side, *family)),
            Self::Protocols(ranges) => write!(f, "meta l4proto {}", braces(ranges)),
            Self::Ports(protocol, side, ranges) => {
                write!(f, "{} {} {}", protocol_name(*protocol), port(*side), braces(ranges))
            }
            Self::IcmpTypes(icmp, ranges) => {
                write!(f, "{} type {}", icmp_name(*icmp), braces(ranges))
            }
            Self::IcmpCodes(icmp, pairs) => {
                let name = icmp_name(*icmp);
                let pairs = pairs.iter().map(|(a, b)| format!("{a} . {b}"));
                write!(f, "{name} type . {name} code {}", braces(pairs))
            }
            Self::TcpEndpoints(family, peers) => {
                let peers = peers.iter().map(|p| format!("{} . {}", p.ip(), p.port()));
                let daddr = address(Side::Destination, *family);
                write!(f, "{daddr} . tcp dport {}", braces(peers))
            }
            Self::Secured(path) if path.is_inbound() => f.write_str("meta secpath exists"),
            Self::Secured(_) => f.write_str("rt ipsec exists"),
        }
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict(verdict) => write!(f, "{verdict}"),
            Self::Lookup(lookup) => write!(f, "{lookup}"),
            Self::ClearClass => f.write_str("meta priority set none"),
            Self::SetClass(side, family, map) => {
                write!(f, "meta priority set {} map @{map}", address(*side, *family))
            }
            Self::Dispatch(map) => write!(f, "meta priority vmap @{map}"),
            Self::Untrack => f.write_str("notrack"),
            Self::Log { prefix, group, rate } => {
                if let Some(rate) = rate {
                    write!(f, "limit rate {rate}/second burst {rate} packets ")?;
                }
                write!(f, "log prefix \"{prefix}\" group {group}")
            }
            Self::RejectTcp => f.write_str("meta l4proto tcp reject with tcp reset"),
            Self::Reject => f.write_str("reject with icmpx type admin-prohibited"),
        }
    }
}

impl Display for Lookup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ports(side, items) => {
                let items = items.iter().map(|(p, n, v)| format!("{} . {n} : {v}", p.number()));
                write!(f, "meta l4proto . th {} vmap {}", port(*side), braces(items))
            }
            Self::PortRanges(protocol, side, items) => {
                let (name, field) = (protocol_name(*protocol), port(*side));
                write!(f, "{name} {field} vmap {}", braces(pairs(items)))
            }
            Self::IcmpCodes(icmp, items) => {
                let name = icmp_name(*icmp);
                let items = items.iter().map(|(t, c, v)| format!("{t} . {c} : {v}"));
                write!(f, "{name} type . {name} code vmap {}", braces(items))
            }
            Self::IcmpTypes(icmp, items) => {
                write!(f, "{} type vmap {}", icmp_name(*icmp), braces(pairs(items)))
            }
            Self::Protocols(items) => write!(f, "meta l4proto vmap {}", braces(pairs(items))),
        }
    }
}

fn pairs<T: Display>(items: &[(T, Verdict)]) -> impl Iterator<Item = String> {
    items.iter().map(|(key, verdict)| format!("{key} : {verdict}"))
}

/// Items in braces with commas between.
fn braces<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let mut text = String::from("{ ");
    for (i, item) in items.into_iter().enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(text, "{comma}{item}");
    }
    text.push_str(" }");
    text
}

const fn address(side: Side, family: Family) -> &'static str {
    match (family, side) {
        (Family::V4, Side::Source) => "ip saddr",
        (Family::V4, Side::Destination) => "ip daddr",
        (Family::V6, Side::Source) => "ip6 saddr",
        (Family::V6, Side::Destination) => "ip6 daddr",
    }
}

const fn port(side: Side) -> &'static str {
    match side {
        Side::Source => "sport",
        Side::Destination => "dport",
    }
}

const fn protocol_name(protocol: PortProtocol) -> &'static str {
    match protocol {
        PortProtocol::Tcp => "tcp",
        PortProtocol::Udp => "udp",
    }
}

const fn icmp_name(icmp: IcmpVersion) -> &'static str {
    match icmp {
        IcmpVersion::V4 => "icmp",
        IcmpVersion::V6 => "icmpv6",
    }
}
