//! The decision of one flow.

use bulkhead_ids::Id;
use bulkhead_model::{
    BoundaryDecision, ByMode, Decision, Direction, DraftDecision, Effect, EndDecision, Flow,
    FlowEnd, Mode, RuleRef, Snapshot, Verdict, Workload,
};

use crate::address::r_flow_address;
use crate::hit::{Question, Traffic, hits};
use crate::host::loopback_in_policy;

/// What happens to a flow at both ends, by which rules, and what the draft view says of it.
///
/// Every snapshot and every flow has an answer; `near_misses` is empty (R-NEAR-MISS).
pub fn decide(s: &Snapshot, flow: &Flow) -> Decision {
    let (src, dst) = r_flow_address(s, flow);
    let loopback = r_own_address(s, src, dst);
    let at = |end: FlowEnd, peer: FlowEnd, direction| {
        let id = end.workload?;
        let host = (id, s.workloads.get(&id)?.as_ref());
        let question = Question { s, host, direction, peer, flow, traffic: Traffic::Any };
        Some(End { host, loopback, hits: if loopback { Vec::new() } else { hits(&question) } })
    };
    let source = at(src, dst, Direction::Outbound);
    let destination = at(dst, src, Direction::Inbound);
    Decision {
        decision: r_draft(source.as_ref(), destination.as_ref()),
        source: source.map(End::decision).unwrap_or_default(),
        destination: destination.map(End::decision).unwrap_or_default(),
        near_misses: Vec::new(),
    }
}

/// R-OWN-ADDRESS: a flow from a workload to itself is essential, unless its loopback is in policy.
fn r_own_address(s: &Snapshot, src: FlowEnd, dst: FlowEnd) -> bool {
    src.workload.is_some_and(|id| dst.workload == Some(id) && !loopback_in_policy(s, id))
}

/// A workload as an end of the flow, with the rules that act there.
struct End<'a> {
    host: (Id, &'a Workload),
    loopback: bool,
    hits: Vec<(RuleRef, Effect)>,
}

impl End<'_> {
    fn has(&self, effect: Effect) -> bool {
        self.hits.iter().any(|(_, hit)| *hit == effect)
    }

    /// The effect that decides. Section 11, precedence; R-OWN-ADDRESS for loopback, which no rule names.
    fn effect(&self) -> Option<Effect> {
        let highest = self.hits.iter().map(|(_, effect)| *effect).min();
        if self.loopback { Some(Effect::Essential) } else { highest }
    }

    /// R-UNMANAGED: modes and rules are answered for every workload, a verdict only where an agent is.
    fn decision(self) -> EndDecision {
        let effect = self.effect();
        let mode = self.host.1.managed.then_some(self.host.1.mode);
        let verdict = mode.map(|mode| r_by_mode(effect, mode));
        let of_effect = |hit: &&(RuleRef, Effect)| Some(hit.1) == effect;
        EndDecision {
            workload: Some(self.host.0),
            mode,
            verdict,
            boundary: boundary(effect, verdict),
            by_mode: Some(ByMode {
                visibility_only: r_by_mode(effect, Mode::VisibilityOnly),
                selective: r_by_mode(effect, Mode::Selective),
                full: r_by_mode(effect, Mode::Full),
            }),
            rules: self.hits.iter().filter(of_effect).copied().collect(),
        }
    }
}

/// R-BY-MODE: what an end in a mode reports, given the effect that decides there.
///
/// Section 12: idle compares nothing; visibility_only drops nothing; selective drops what is denied; full
/// drops what is not allowed.
fn r_by_mode(effect: Option<Effect>, mode: Mode) -> Verdict {
    match (mode, effect) {
        (Mode::Idle, _) => Verdict::Unknown,
        (_, Some(Effect::Essential | Effect::Allow)) => Verdict::Allowed,
        (Mode::VisibilityOnly, Some(Effect::OverrideDeny | Effect::Deny)) => {
            Verdict::PotentiallyBlocked
        }
        (Mode::Selective | Mode::Full, Some(Effect::OverrideDeny | Effect::Deny)) => {
            Verdict::Blocked
        }
        (mode, None) => r_default(mode),
    }
}

/// R-DEFAULT: what happens to a flow that no rule names.
fn r_default(mode: Mode) -> Verdict {
    match mode {
        Mode::Idle => Verdict::Unknown,
        Mode::VisibilityOnly | Mode::Selective => Verdict::PotentiallyBlocked,
        Mode::Full => Verdict::Blocked,
    }
}

/// Section 16: `boundary_decision` says which kind of deny blocks; nothing where none does.
fn boundary(effect: Option<Effect>, verdict: Option<Verdict>) -> Option<BoundaryDecision> {
    match (verdict, effect) {
        (Some(Verdict::Blocked), Some(Effect::OverrideDeny)) => {
            Some(BoundaryDecision::BlockedByOverrideDeny)
        }
        (Some(Verdict::Blocked), Some(Effect::Deny)) => Some(BoundaryDecision::Blocked),
        _ => None,
    }
}

/// R-DRAFT: the decision of the whole flow. Hits count at whichever end they are programmed; an essential
/// hit is an allow, and leaves no other hit at its end.
fn r_draft(source: Option<&End<'_>>, destination: Option<&End<'_>>) -> DraftDecision {
    let ends = || source.into_iter().chain(destination);
    let acts =
        |effect| ends().any(|end| end.effect() != Some(Effect::Essential) && end.has(effect));
    let essential = ends().any(|end| end.effect() == Some(Effect::Essential));
    let allow = essential || acts(Effect::Allow);
    let mode = deciding_mode(source, destination);
    let enforced = matches!(mode, Mode::Selective | Mode::Full);
    let either = |acting, potential| if enforced { acting } else { potential };
    if acts(Effect::OverrideDeny) {
        either(
            DraftDecision::BlockedByOverrideDeny,
            DraftDecision::PotentiallyBlockedByOverrideDeny,
        )
    } else if allow && acts(Effect::Deny) {
        DraftDecision::AllowedAcrossBoundary
    } else if allow {
        DraftDecision::Allowed
    } else if acts(Effect::Deny) {
        either(DraftDecision::BlockedByBoundary, DraftDecision::PotentiallyBlockedByBoundary)
    } else if mode == Mode::Full {
        DraftDecision::Blocked
    } else {
        DraftDecision::PotentiallyBlocked
    }
}

/// R-DRAFT: the mode of the deciding host: the destination when managed, else the source when managed;
/// visibility_only when neither is.
fn deciding_mode(source: Option<&End<'_>>, destination: Option<&End<'_>>) -> Mode {
    let mut ends = destination.into_iter().chain(source).map(|end| end.host.1);
    ends.find(|host| host.managed).map_or(Mode::VisibilityOnly, |host| host.mode)
}
