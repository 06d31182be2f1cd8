//! What the policy engine reads and what it says: types only, no policy logic and no I/O.
//!
//! The crate stands between everything that computes policy (`engine`, `oracle`), everything that feeds it
//! (`server`) and everything that carries its results on (`fwrender`, the agent). It exists so that the
//! oracle can share the question and the form of the answer with the engine, and nothing else.
//!
//! ```text
//!  Snapshot ──────────────► engine / oracle ──► Decision   (one flow, with reasons)
//!   labels, groups                          └─► Intent     (one workload: entries over shared address sets)
//!   workloads, bindings           ▲
//!   ip lists, services            │
//!   rule sets and rules           Change (one object set or removed)
//! ```
//!
//! A snapshot is one side of policy: the draft, the active or a numbered version, together with what is
//! not versioned (labels, workloads, bindings). References are plain ids and may dangle: whoever computes
//! with a snapshot treats a missing referent as matching nothing, never as everything.
//!
//! Source: policy semantics of the product as written down in `docs/design/engine.md`.

mod actor;
mod change;
mod decision;
mod essential;
mod flow;
mod intent;
mod object;
mod rule;
mod service;
mod snapshot;
mod workload;

pub use actor::{Actor, Scope, ScopeEntry, ScopeTarget};
pub use change::Change;
pub use decision::{
    BoundaryDecision, ByMode, Decision, DraftDecision, Effect, EndDecision, NearMiss,
    NearMissReason, Verdict,
};
pub use flow::{Flow, FlowEnd};
pub use intent::{
    AddressSets, CustomRule, Direction, Entry, EntryFlags, Intent, Peers, RuleTable, ServiceMatch,
    SetId,
};
pub use object::{
    FirewallSettings, IkeAuthentication, IpList, Label, LabelGroup, ServiceBinding, VirtualServer,
    VirtualService,
};
pub use rule::{
    AllowRule, DenyRule, EssentialRule, IpTablesRule, IpTablesStatement, NetworkType, Resolve,
    RuleKey, RuleRef, RuleSet,
};
pub use service::{Service, ServiceEntry, ServiceRef};
pub use snapshot::Snapshot;
pub use workload::{Interface, Mode, Os, Workload};
