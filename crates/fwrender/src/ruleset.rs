//! The typed form of what the kernel is told: one table, its sets and maps, its chains of rules.

use std::net::SocketAddr;
use std::sync::Arc;

use bulkhead_model::RuleRef;
use bulkhead_netset::{IcmpVersion, IpRange, PortProtocol, PortRange, U8Range};

use crate::prefix::{LogPrefix, Path};

mod text;

/// Address family of a set or a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both families.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The digit at the end of set names.
    pub const fn digit(self) -> char {
        match self {
            Self::V4 => '4',
            Self::V6 => '6',
        }
    }
}

/// Which address or port of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The sender's.
    Source,
    /// The receiver's.
    Destination,
}

/// Number of a class of peers; 0 is the class of all addresses that no set of the host holds.
///
/// In the text it is a packet priority (`classid`), two hexadecimal halves: the one register that a rule in
/// text form can write without touching what others on the host use (see the crate's page).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

/// What a set holds, and maps to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SetContent {
    /// Addresses; learned by the agent when `timeout` is set.
    Addresses {
        /// Their family.
        family: Family,
        /// Elements may expire; starts empty.
        timeout: bool,
        /// Sorted, disjoint.
        ranges: Vec<IpRange>,
    },
    /// Address to class: single addresses in a hash, or ranges in an interval tree.
    Classes {
        /// Their family.
        family: Family,
        /// True for ranges.
        interval: bool,
        /// Sorted, disjoint.
        ranges: Vec<(IpRange, ClassId)>,
    },
    /// Class to the chain of a path.
    Dispatch(Vec<(ClassId, String)>),
}

/// A named set or map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamedSet {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub content: SetContent,
}

/// What happens to a packet next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Passes our table.
    Accept,
    /// Dropped.
    Drop,
    /// On to another chain, then back.
    Jump(String),
    /// On to another chain for good.
    Goto(String),
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Match {
    /// Came in by an interface; a `*` at the end matches any rest.
    InputInterface(String),
    /// Goes out by an interface.
    OutputInterface(String),
    /// Belongs to a connection, or is an error or helper connection of one.
    Established,
    /// Belongs to no connection and cannot open one.
    Invalid,
    /// Sent to an address of the host.
    Local,
    /// An address is in a named set.
    Address(Side, Family, String),
    /// Protocol numbers.
    Protocols(Vec<U8Range>),
    /// Ports.
    Ports(PortProtocol, Side, Vec<PortRange>),
    /// ICMP types.
    IcmpTypes(IcmpVersion, Vec<U8Range>),
    /// Pairs of ICMP type and code.
    IcmpCodes(IcmpVersion, Vec<(u8, u8)>),
    /// Destination address and TCP port, all of one family.
    TcpEndpoints(Family, Vec<SocketAddr>),
    /// Came through IPsec (inbound path), or will leave through it (outbound).
    Secured(Path),
}

/// A look-up of the service whose result is the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Lookup {
    /// One hash look-up of protocol and port.
    Ports(Side, Vec<(PortProtocol, u16, Verdict)>),
    /// Ranges of ports of one protocol.
    PortRanges(PortProtocol, Side, Vec<(PortRange, Verdict)>),
    /// ICMP type and code.
    IcmpCodes(IcmpVersion, Vec<(u8, u8, Verdict)>),
    /// ICMP types.
    IcmpTypes(IcmpVersion, Vec<(U8Range, Verdict)>),
    /// Whole protocols.
    Protocols(Vec<(U8Range, Verdict)>),
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Statement {
    /// A verdict.
    Verdict(Verdict),
    /// A verdict by service.
    Lookup(Lookup),
    /// Forget the class.
    ClearClass,
    /// Look the class of an address up in a map; nothing changes when it is not there.
    SetClass(Side, Family, String),
    /// Go to the chain of the class by a map.
    Dispatch(String),
    /// No connection tracking for this packet.
    Untrack,
    /// Tell the agent, at most so many times a second.
    Log {
        /// What it says.
        prefix: LogPrefix,
        /// NFLOG group.
        group: u16,
        /// Packets a second.
        rate: Option<u32>,
    },
    /// Reset the TCP connection.
    RejectTcp,
    /// Say that it is prohibited.
    Reject,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rule {
    /// Conditions, all of them.
    pub matches: Vec<Match>,
    /// What it does then.
    pub statement: Statement,
    /// Which policy rules it comes from.
    pub comment: Option<String>,
}

/// Where the kernel enters a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    /// Before routing and connection tracking.
    Prerouting,
    /// To the host.
    Input,
    /// Through the host.
    Forward,
    /// From the host, before connection tracking.
    OutputRaw,
    /// From the host.
    Output,
}

/// A chain of rules.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where it is entered; none for one that rules lead to.
    pub hook: Option<Hook>,
    /// In order.
    pub rules: Vec<Rule>,
}

/// The one table that is ours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Table {
    /// Sets and maps.
    pub sets: Vec<NamedSet>,
    /// Chains: base chains, then classes, then essential, override deny, allow, deny, default.
    pub chains: Vec<Chain>,
}

/// Custom iptables rules as text for `iptables-restore --noflush`, and where they are hooked in.
///
/// Lines for a built-in chain stand in a chain of our own (`BULKHEAD-` and its name), so that applying the
/// text again replaces them and removing them touches nobody else's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Iptables {
    /// Text for one family; empty when there are no rules.
    pub text: String,
    /// (table, built-in chain, our chain) that needs a jump once, sorted.
    pub jumps: Vec<(String, String, String)>,
}

/// Why an entry is not in the ruleset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SkipReason {
    /// Names a process or Windows service, which means nothing on this host.
    Process,
    /// For users of a group, which the kernel does not know.
    UserGroup,
    /// For another kind of network than the host is in.
    NetworkType,
    /// Names act outbound in allow rules only.
    Names,
}

/// An entry that is not in the ruleset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Skipped {
    /// The rules that make it.
    pub rules: Arc<[RuleRef]>,
    /// True for one of the inbound entries.
    pub inbound: bool,
    /// Why.
    pub reason: SkipReason,
}

/// Everything that one host is told. `Display` prints the nftables text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ruleset {
    /// Name of the table.
    pub name: String,
    /// Its content; none where the host firewall is left alone (idle): the table is removed.
    pub table: Option<Table>,
    /// Custom IPv4 rules.
    pub iptables: Iptables,
    /// Custom IPv6 rules.
    pub ip6tables: Iptables,
    /// What was left out, in the order of the intent.
    pub skipped: Vec<Skipped>,
}

impl Ruleset {
    /// Text for `nft -f`: one transaction that replaces the table as a whole, or removes it.
    pub fn to_text(&self) -> String {
        self.to_string()
    }
}
