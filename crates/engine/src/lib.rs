//! The policy engine: from a snapshot to what every host enforces, why, and what would change.
//!
//! ```text
//!  Snapshot ─► names ─► expand: rule x scope ─► statements ──────────────────┐
//!     │        labels, groups      side, service, selector                   │
//!     │                                                                      ▼
//!     └──► hosts: workloads ─► label classes ◄── selectors (shared) ◄── store: statements, peers, set ids
//!                                   │                                        │
//!                                   ├─► table: entries of a class ─► Intent ─┤
//!                                   └─► index: statements by port ─► decide ─┘
//! ```
//!
//! - **Classes.** Workloads with the same labels, networks and kind are one class; whoever is named directly
//!   is a class of its own. Policy is computed for classes. See `hosts`.
//! - **Selectors.** A side of a rule within a scope, expanded and canonical. Equal ones are one: it knows its
//!   classes, the statements programmed on it and the peers that are told its addresses. See `selector`.
//! - **Statements.** A rule becomes statements: on the workloads of one selector, in one direction, towards
//!   one kind of peers, for some services. See `expand`; the readings that make them have functions of their
//!   name (`r_scopes`, `r_deny_dir`, ...), in `side`, `service`, `expand`, `ends`, `decide` and `table`.
//! - **Address sets** are what peers resolve to for hosts in a set of networks. An id is a hash of the meaning,
//!   never of the content. See `store`.
//! - **Changes** ([`Engine::apply`]) move workloads between classes and expand the rules that they touch
//!   again; the rest stays. See `apply`.
//!
//! Pure: no I/O, no clock, no randomness. Numbers of rows depend on history and never reach the output, which
//! is ordered by ids. No snapshot makes the engine panic; what is missing narrows.

mod apply;
mod decide;
pub mod effect;
mod ends;
mod engine;
mod expand;
mod explain;
mod hosts;
mod index;
mod many;
mod names;
mod plan;
pub mod reach;
pub mod search;
mod selector;
mod service;
mod sets;
mod side;
mod slots;
mod store;
mod table;

pub use apply::{Effects, SetDelta};
pub use engine::Engine;
pub use explain::NEAR_MISSES_MAX;
