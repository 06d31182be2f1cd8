//! Judges packets by nftables text alone, in the way of the kernel.
//!
//! Reads the subset of the language that [`crate::render()`] writes and refuses everything else, so that it
//! cannot judge by what it did not understand. It shares no type with the renderer: what it says follows
//! from the text that the kernel would get. Rate limits are taken as never exhausted.

use std::net::IpAddr;

mod elements;
mod eval;
mod parse;
mod program;
mod token;
mod validate;

use program::Program;

/// What a packet carries above IP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// TCP, the opening packet.
    Tcp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// UDP.
    Udp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// ICMP.
    Icmp {
        /// Type.
        icmp_type: u8,
        /// Code.
        code: u8,
    },
    /// ICMPv6.
    Icmpv6 {
        /// Type.
        icmp_type: u8,
        /// Code.
        code: u8,
    },
    /// Another protocol, by number.
    Other(u8),
}

/// What connection tracking says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum CtState {
    /// Opens a connection.
    #[default]
    New,
    /// Belongs to one.
    Established,
    /// Is an error or helper connection of one.
    Related,
    /// Belongs to none and cannot open one.
    Invalid,
    /// Is not looked at.
    Untracked,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// To the host.
    Input,
    /// From the host.
    Output,
    /// Through the host.
    Forward,
}

/// One packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Which way it goes.
    pub way: Way,
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// What it carries.
    pub transport: Transport,
    /// What connection tracking says.
    pub state: CtState,
    /// Interface that it came in by; empty for one from the host.
    pub input_interface: String,
    /// Interface that it goes out by; empty for one to the host.
    pub output_interface: String,
    /// Came through IPsec, or will leave through it.
    pub secured: bool,
}

impl Packet {
    /// The first packet of a connection from a peer to the host, by `eth0`.
    pub fn inbound(peer: IpAddr, local: IpAddr, transport: Transport) -> Self {
        Self {
            way: Way::Input,
            source: peer,
            destination: local,
            transport,
            state: CtState::New,
            input_interface: "eth0".to_owned(),
            output_interface: String::new(),
            secured: false,
        }
    }

    /// The first packet of a connection from the host to a peer, by `eth0`.
    pub fn outbound(peer: IpAddr, local: IpAddr, transport: Transport) -> Self {
        Self {
            way: Way::Output,
            source: local,
            destination: peer,
            input_interface: String::new(),
            output_interface: "eth0".to_owned(),
            ..Self::inbound(peer, local, transport)
        }
    }
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    /// Passes.
    Accept,
    /// Dropped silently.
    Drop,
    /// Dropped, and the sender told.
    Reject,
}

/// What the ruleset says of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Judgement {
    /// What becomes of it.
    pub fate: Fate,
    /// Log prefixes that it leaves, in order.
    pub logs: Vec<String>,
    /// Comments of the rules that gave the verdicts, in order.
    pub comments: Vec<String>,
}

/// Why a text cannot be judged by, or a packet not be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InterpretError {
    /// The text is not of the language, or of a part of it that is not known here.
    #[error("line {line}: {reason}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A chain or set that is named and not there, a loop, or too deep a chain of jumps.
    #[error("{0}")]
    Reference(String),
}

/// A ruleset, ready to judge.
#[derive(Debug, Clone)]
pub struct Interpreter {
    program: Program,
}

impl Interpreter {
    /// Reads a text as `nft -f` gets it. A text that only removes its table lets everything pass.
    ///
    /// Errors: what [`InterpretError`] says; names that are not defined and overlapping elements are
    /// refused as the kernel refuses them.
    pub fn parse(text: &str) -> Result<Self, InterpretError> {
        let program = parse::parse(text)?;
        validate::validate(&program)?;
        Ok(Self { program })
    }

    /// Adds an address to a named set, as the agent does with what it learns. False when there is no such
    /// set of that family, or the address is in it.
    pub fn insert(&mut self, set: &str, address: IpAddr) -> bool {
        self.program.sets.get_mut(set).is_some_and(|set| set.insert_address(address))
    }

    /// Names of the sets that are filled while the ruleset is in force.
    pub fn dynamic_sets(&self) -> impl Iterator<Item = &str> {
        self.program.sets.iter().filter(|(_, set)| set.timeout).map(|(name, _)| name.as_str())
    }

    /// What becomes of a packet.
    pub fn packet(&self, packet: &Packet) -> Judgement {
        eval::judge(&self.program, packet)
    }
}

#[cfg(test)]
mod tests;
