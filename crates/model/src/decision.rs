//! An answer: what happens to one flow, and why.

use bulkhead_ids::Id;

use crate::rule::RuleRef;
use crate::workload::Mode;

/// Effect of a rule, in order of precedence (the first wins).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Built-in allow above everything.
    Essential,
    /// Override deny rule.
    OverrideDeny,
    /// Allow rule.
    Allow,
    /// Deny rule or enforcement boundary.
    Deny,
}

impl Effect {
    /// The value of `effect` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Essential => "essential",
            Self::OverrideDeny => "override_deny",
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// What one end reports (`policy_decision`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// A rule allows it.
    Allowed,
    /// Dropped.
    Blocked,
    /// Passes, and would be dropped in a stricter mode.
    PotentiallyBlocked,
    /// The host does not compare flows with policy.
    Unknown,
}

impl Verdict {
    /// The value of `policy_decision` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::PotentiallyBlocked => "potentially_blocked",
            Self::Unknown => "unknown",
        }
    }

    /// True when the packet passes this end.
    pub const fn passes(self) -> bool {
        !matches!(self, Self::Blocked)
    }
}

/// Why an end blocked a flow (`boundary_decision`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BoundaryDecision {
    /// A deny rule or enforcement boundary.
    Blocked,
    /// An override deny rule.
    BlockedByOverrideDeny,
}

impl BoundaryDecision {
    /// The value of `boundary_decision` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::BlockedByOverrideDeny => "blocked_by_override_deny",
        }
    }
}

/// The decision of a whole flow (`draft_policy_decision`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DraftDecision {
    /// An allow rule or essential rule matches, no deny.
    Allowed,
    /// An allow rule beats a deny rule.
    AllowedAcrossBoundary,
    /// No rule, the deciding host is in full enforcement.
    Blocked,
    /// No rule, the deciding host does not block.
    PotentiallyBlocked,
    /// A deny rule acts.
    BlockedByBoundary,
    /// A deny rule would act.
    PotentiallyBlockedByBoundary,
    /// An override deny rule acts.
    BlockedByOverrideDeny,
    /// An override deny rule would act.
    PotentiallyBlockedByOverrideDeny,
}

impl DraftDecision {
    /// All decisions.
    pub const ALL: [Self; 8] = [
        Self::Allowed,
        Self::AllowedAcrossBoundary,
        Self::Blocked,
        Self::PotentiallyBlocked,
        Self::BlockedByBoundary,
        Self::PotentiallyBlockedByBoundary,
        Self::BlockedByOverrideDeny,
        Self::PotentiallyBlockedByOverrideDeny,
    ];

    /// The value of `draft_policy_decision` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::AllowedAcrossBoundary => "allowed_across_boundary",
            Self::Blocked => "blocked",
            Self::PotentiallyBlocked => "potentially_blocked",
            Self::BlockedByBoundary => "blocked_by_boundary",
            Self::PotentiallyBlockedByBoundary => "potentially_blocked_by_boundary",
            Self::BlockedByOverrideDeny => "blocked_by_override_deny",
            Self::PotentiallyBlockedByOverrideDeny => "potentially_blocked_by_override_deny",
        }
    }
}

/// What each mode but idle would report at one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ByMode {
    /// In `visibility_only`.
    pub visibility_only: Verdict,
    /// In `selective`.
    pub selective: Verdict,
    /// In `full`.
    pub full: Verdict,
}

/// What happens at one end of a flow, as if the packet reached it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct EndDecision {
    /// The workload at this end; none for an address that no workload has.
    pub workload: Option<Id>,
    /// Its enforcement mode; none without workload, and for an unmanaged one.
    pub mode: Option<Mode>,
    /// What it reports today; none where nothing is enforced (no workload, or unmanaged).
    pub verdict: Option<Verdict>,
    /// Why it blocks, when a deny does.
    pub boundary: Option<BoundaryDecision>,
    /// What each mode would do here; for every workload, managed or not.
    pub by_mode: Option<ByMode>,
    /// Every rule of the effect that decides at this end, sorted; empty when none matches. For every
    /// workload, managed or not.
    pub rules: Vec<(RuleRef, Effect)>,
}

/// Why a rule that looks as if it should match does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NearMissReason {
    /// The rule is switched off.
    RuleDisabled,
    /// Its rule set is switched off.
    RuleSetDisabled,
    /// Both sides match, the service does not.
    Service,
    /// The port matches, the process or Windows service does not.
    Process,
    /// Consumer and service match, the destination is not among the providers.
    Provider,
    /// Provider and service match, the source is not among the consumers.
    Consumer,
    /// Both sides match the actors, but not in one scope.
    Scope,
    /// Only for users of a group.
    UserGroup,
    /// Only on another kind of network.
    NetworkType,
    /// Matches only a name, and the flow has none.
    Fqdn,
    /// Enforced at the other end only.
    Direction,
    /// Another effect of higher precedence decides.
    Precedence,
}

impl NearMissReason {
    /// The value of `reason` on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RuleDisabled => "rule_disabled",
            Self::RuleSetDisabled => "rule_set_disabled",
            Self::Service => "service_does_not_match",
            Self::Process => "process_does_not_match",
            Self::Provider => "destination_is_no_provider",
            Self::Consumer => "source_is_no_consumer",
            Self::Scope => "outside_scope",
            Self::UserGroup => "user_group_required",
            Self::NetworkType => "network_type_does_not_match",
            Self::Fqdn => "name_required",
            Self::Direction => "enforced_at_other_end",
            Self::Precedence => "overruled",
        }
    }
}

/// One rule that nearly decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NearMiss {
    /// The rule.
    pub rule: RuleRef,
    /// What is missing.
    pub reason: NearMissReason,
}

/// The whole answer for one flow.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Decision {
    /// The decision as the draft view shows it.
    pub decision: DraftDecision,
    /// At the source.
    pub source: EndDecision,
    /// At the destination.
    pub destination: EndDecision,
    /// Rules that nearly matched, sorted, bounded in number by who computes them.
    pub near_misses: Vec<NearMiss>,
}
