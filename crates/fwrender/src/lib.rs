//! Turns what one host must enforce into nftables text, and judges packets by that text.
//!
//! ```text
//!  Intent ──┐
//!  sets ────┼─► render ──► Ruleset ──► text ──► nft -f ──► kernel
//!  options ─┘                            │                    ║  must agree on every packet
//!                                        └──► Interpreter ────╝
//! ```
//!
//! Pure: no processes, no netlink, no clock. Equal input gives equal text; chains and classes are named by
//! what they hold, so that a part that stays the same keeps its name.
//!
//! # Shape of the ruleset
//!
//! One table of family `inet`, replaced as a whole in one transaction. For the first packet of a connection:
//!
//! 1. Ignored interfaces, loopback and open connections pass; in full enforcement packets that belong to no
//!    connection are dropped.
//! 2. The address of the peer is looked up in `ranges4` (or `ranges6`) and then in the hash `peers4`; the last
//!    hit is the *class*. Addresses for which the host has the same answers are one class, so an address
//!    that changes its labels is one element that changes. The class leads to a chain by a hash map.
//! 3. The chain of the class asks essential, override deny, allow (by address, then by learned name) and deny
//!    in this order, as far as the class has any, and goes to the default of the mode. What one effect says
//!    is a chain that classes share: one hash look-up of protocol and port, and small interval maps for
//!    ranges, ICMP and whole protocols.
//! 4. The verdict is a chain that tells the agent over NFLOG, with the deciding rules in the prefix
//!    ([`LogPrefix`]), and drops, rejects or accepts. The rules are in its comment too.
//!
//! So a packet meets a bounded number of look-ups, whatever the number of peers, services and rules. Maps of
//! addresses hold numbers and no verdicts: the kernel follows every verdict of a map when one changes.
//!
//! The text needs a register between two look-ups and takes the packet priority, because marks belong to
//! others (routing, NAT of container platforms). It is cleared before a verdict: what is lost is the
//! explicit priority (`SO_PRIORITY`) of the first packet of a connection. A netlink encoder of the typed form
//! can use a real register instead.
//!
//! # What is not here
//!
//! IPsec itself: rules with `sec_connect` or `machine_auth` match only packets that IPsec carried, and key
//! exchange needs rules of its own. Names: their sets start empty, the agent fills them. User groups,
//! processes and Windows services cannot be seen by nftables; such entries are left out and listed in
//! [`Ruleset::skipped`], which narrows what is allowed. A connection that a new policy forbids lives on until
//! the agent removes it from connection tracking.

mod interpret;
mod options;
mod peers;
mod prefix;
mod render;
mod ruleset;
mod service;
mod sweep;

pub use interpret::{
    CtState, Fate, InterpretError, Interpreter, Judgement, Packet, Transport, Way,
};
pub use options::{RenderError, RenderOptions, SecureConnect, TABLE_NAME_LEN_MAX};
pub use prefix::{
    COMMENT_LEN_MAX, Cause, LogPrefix, Outcome, PREFIX_LEN_MAX, PREFIX_MARK, Path, PrefixError,
};
pub use render::render;
pub use ruleset::{
    Chain, ClassId, Family, Hook, Iptables, Lookup, Match, NamedSet, Rule, Ruleset, SetContent,
    Side, SkipReason, Skipped, Statement, Table, Verdict,
};
