//! The meaning of policy, written for reading: a second opinion for the engine, the renderer and the kernel.
//!
//! [`decide`] answers one flow, [`packet`] what one host does with one packet. Both start from nothing at
//! every call and look at every rule, every actor and every workload: slow, short, and without any index,
//! cache or shared set that could be stale. The crate shares with the engine the input and output types
//! (`model`) and the algebra of addresses and services (`netset`), and no algorithm.
//!
//! Every choice is a reading of `docs/design/engine.md` and stands in one function with the name of that
//! reading: `R-DENY-DIR` is `r_deny_dir`. "Section" in a comment is a heading of that page's source, the
//! product's behaviour as its documentation tells it.
//!
//! | module | question |
//! | --- | --- |
//! | `labels` | does a set of labels meet the label entries of a side or scope |
//! | `scope` | which scopes does a rule set have after groups are expanded |
//! | `side` | who is on a side of a rule |
//! | `address` | which address is whose, and under which addresses does one host see another |
//! | `service` | which services does an entry stand for at this end |
//! | `hit` | does a rule act on this flow at this end |
//! | `decide` | verdicts by mode and the decision of the whole flow |
//! | `host` | one packet at one host; custom iptables rules; settings |

mod address;
mod decide;
mod hit;
mod host;
mod labels;
mod scope;
mod service;
mod side;

pub use decide::decide;
pub use host::{custom_rules, forwarded_packet, in_scopes, packet};
pub use side::members;
