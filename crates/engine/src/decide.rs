//! The decision of one flow, with its reasons.

use std::collections::BTreeSet;

use bulkhead_model::{
    BoundaryDecision, ByMode, Decision, Direction, DraftDecision, Effect, EndDecision, Flow, Mode,
    RuleRef, Verdict,
};
use smallvec::SmallVec;

use crate::ends::{End, View};
use crate::engine::Engine;
use crate::expand::fixed;
use crate::hosts::{Class, Host};
use crate::index::{HostIndex, Item, NO_SELECTOR};
use crate::names::NetsIx;
use crate::service::{Span, r_fqdn, restrictions_met, span};
use crate::store::{PeerIx, PeerKind, SelIx, Stmt, StmtTarget};

/// The rules that match at one end, by effect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hits {
    /// Rules, sorted by effect, each once.
    pub(crate) rules: SmallVec<[(Effect, RuleRef); 4]>,
    /// True where the flow never leaves the host.
    pub(crate) loopback: bool,
}

impl Hits {
    pub(crate) fn has(&self, effect: Effect) -> bool {
        self.rules.iter().any(|(e, _)| *e == effect)
    }

    /// The effect that decides: the first in the order of precedence.
    pub(crate) fn effect(&self) -> Option<Effect> {
        if self.loopback { Some(Effect::Essential) } else { self.rules.first().map(|(e, _)| *e) }
    }

    fn deciding(&self) -> Vec<(RuleRef, Effect)> {
        let Some((effect, _)) = self.rules.first().filter(|_| !self.loopback) else {
            return Vec::new();
        };
        let same = self.rules.iter().take_while(|(e, _)| e == effect);
        same.map(|(e, rule)| (*rule, *e)).collect()
    }
}

impl Engine {
    /// Decides one flow: what each end does, why, and what the draft view says.
    ///
    /// `near_misses` is left empty; [`Engine::explain`] fills it.
    pub fn decide(&self, flow: &Flow) -> Decision {
        let (src, dst) = self.ends(flow);
        let (at_src, at_dst) = self.hits(flow, src, dst);
        Decision {
            decision: r_draft([&at_src, &at_dst], self.deciding_mode(src, dst)),
            source: self.end_decision(src, &at_src),
            destination: self.end_decision(dst, &at_dst),
            near_misses: Vec::new(),
        }
    }

    /// Every rule that matches a flow at either end, by effect, whatever else matches there.
    pub fn matching(&self, flow: &Flow) -> BTreeSet<(Effect, RuleRef)> {
        let (src, dst) = self.ends(flow);
        let (at_src, at_dst) = self.hits(flow, src, dst);
        at_src.rules.into_iter().chain(at_dst.rules).collect()
    }

    /// The rules that match at the source (outbound) and at the destination (inbound).
    pub(crate) fn hits(&self, flow: &Flow, src: End, dst: End) -> (Hits, Hits) {
        if self.r_own_address(src, dst) {
            let loopback = Hits { loopback: true, ..Hits::default() };
            return (loopback.clone(), loopback);
        }
        let at = |own: End, peer: End, direction| {
            let host = self.row(own.host);
            host.map_or_else(Hits::default, |host| self.r_match(flow, host, peer, direction))
        };
        (at(src, dst, Direction::Outbound), at(dst, src, Direction::Inbound))
    }

    /// R-OWN-ADDRESS: a flow from a workload to itself is essential, unless policy acts on its loopback.
    fn r_own_address(&self, src: End, dst: End) -> bool {
        let same = src.host.is_some() && src.host == dst.host;
        let class = self.row(src.host).and_then(|host| self.hosts.class_of(host));
        same && !class.is_some_and(|class| class.settings.loopback_in_policy)
    }

    pub(crate) fn index<'a>(&'a self, class: &'a Class) -> &'a HostIndex {
        class.index.get_or_init(|| HostIndex::new(class, &self.store).into())
    }

    /// R-MATCH: the end itself is matched by identity, the peer by what the statement's peers resolve to.
    fn r_match(&self, flow: &Flow, host: &Host, peer: End, direction: Direction) -> Hits {
        let Some(class) = self.hosts.class_of(host) else { return Hits::default() };
        let view = self.view(peer, class.key.nets);
        let wanted = span(&flow.service);
        let mut covered: SmallVec<[(Effect, RuleRef, Item); 4]> = SmallVec::new();
        for item in self.index(class).ports(direction).meeting(wanted) {
            // The peer's own list of selectors is short and at hand: asked before the statement is read.
            let by_selector = item.selector != NO_SELECTOR;
            if by_selector && !self.class_has(item.selector, &view) {
                continue;
            }
            let Some(statement) = self.store.statements.get(item.statement) else { continue };
            if (item.plain || self.usable(statement, item, class, flow))
                && (by_selector || self.peer_matches(statement, &view, class.key.nets, flow))
            {
                covered.push((statement.effect, statement.rule, *item));
            }
        }
        r_service(wanted, covered)
    }

    /// Whether the flow's process, Windows service and user meet a statement (R-PROC-IN, R-EGRESS,
    /// R-PRINCIPALS).
    fn usable(&self, statement: &Stmt, item: &Item, class: &Class, flow: &Flow) -> bool {
        let windows = class.key.os == bulkhead_model::Os::Windows;
        let matches = &statement.services(windows).matches;
        let Some(wanted) = matches.get(item.alternative as usize) else { return false };
        let user = &statement.flags.principals;
        let user_met = user.is_empty() || user.iter().any(|u| flow.principals.contains(u));
        user_met
            && restrictions_met(wanted, flow.process.as_deref(), flow.windows_service.as_deref())
    }

    pub(crate) fn peer_matches(
        &self,
        statement: &Stmt,
        view: &View,
        nets: NetsIx,
        flow: &Flow,
    ) -> bool {
        match &statement.target {
            StmtTarget::Any => view.ip.is_some() || statement.effect == Effect::Essential,
            StmtTarget::Names(names) => {
                let name = flow.dst_fqdn.as_deref();
                name.is_some_and(|name| names.iter().any(|pattern| r_fqdn(pattern, name)))
            }
            StmtTarget::Peer(ix) => {
                let row = self.store.peers.get(*ix);
                row.is_some_and(|row| self.row_matches(*ix, &row.kind, view, nets))
            }
        }
    }

    /// Whether a selector picks the peer, asked of the peer's classes.
    fn class_has(&self, ix: SelIx, view: &View) -> bool {
        let mut classes = view.classes.iter().filter_map(|c| self.hosts.classes.get(*c));
        classes.any(|class| class.selectors.binary_search(&ix).is_ok())
    }

    fn selector_has(&self, ix: SelIx, view: &View) -> bool {
        let row = self.store.selectors.get(ix);
        row.is_some_and(|row| view.classes.iter().any(|c| row.classes.contains(*c)))
    }

    pub(crate) fn row_matches(
        &self,
        peer: PeerIx,
        kind: &PeerKind,
        view: &View,
        nets: NetsIx,
    ) -> bool {
        match (kind, view.ip) {
            (PeerKind::Workloads(ix, false), _) | (PeerKind::Workloads(ix, true), None) => {
                self.selector_has(*ix, view)
            }
            (PeerKind::Fixed(source, _), Some(ip)) => {
                fixed(source, &self.snapshot).is_some_and(|set| set.contains(ip))
            }
            (PeerKind::Fixed(_, behind), None) => {
                behind.is_some_and(|ix| self.selector_has(ix, view))
            }
            (
                PeerKind::Workloads(_, true) | PeerKind::Everywhere(..) | PeerKind::Except(_),
                Some(ip),
            ) => {
                let set = self.store.set_of(peer, nets).and_then(|id| self.store.complex.get(&id));
                set.is_some_and(|set| set.contains(ip))
            }
            (PeerKind::Everywhere(..) | PeerKind::Except(_), None) => false,
        }
    }

    fn end_decision(&self, end: End, hits: &Hits) -> EndDecision {
        let Some(host) = self.row(end.host) else { return EndDecision::default() };
        let workload = &host.workload;
        let effect = hits.effect();
        let mode = workload.managed.then_some(workload.mode);
        let verdict = mode.map(|mode| verdict(effect, mode));
        EndDecision {
            workload: Some(host.id),
            mode,
            verdict,
            boundary: verdict.and_then(|v| boundary(effect, v)),
            by_mode: Some(r_by_mode(effect)),
            rules: hits.deciding(),
        }
    }

    /// R-DRAFT: the mode is that of the destination when it is managed, else of the source when that is.
    pub(crate) fn deciding_mode(&self, src: End, dst: End) -> Mode {
        let ends = [dst, src].into_iter().filter_map(|end| self.row(end.host));
        let mut managed = ends.filter(|host| host.workload.managed);
        managed.next().map_or(Mode::VisibilityOnly, |host| host.workload.mode)
    }
}

/// R-SERVICE: an allow matches when its usable entries together cover the whole service of the flow, a deny
/// when they cover any of it.
fn r_service(wanted: Span, mut covered: SmallVec<[(Effect, RuleRef, Item); 4]>) -> Hits {
    let mut hits = Hits::default();
    if let [(effect, rule, item)] = covered.as_slice() {
        let denies = matches!(effect, Effect::Deny | Effect::OverrideDeny);
        if denies || (item.span.0 <= wanted.0 && wanted.1 <= item.span.1) {
            hits.rules.push((*effect, *rule));
        }
        return hits;
    }
    covered.sort_unstable_by_key(|(effect, rule, item)| (*effect, *rule, item.span));
    for group in covered.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some((effect, rule, _)) = group.first() else { continue };
        let denies = matches!(effect, Effect::Deny | Effect::OverrideDeny);
        let mut next = wanted.0;
        for (_, _, item) in group {
            if item.span.0 <= next {
                next = next.max(item.span.1.saturating_add(1));
            }
        }
        if denies || next > wanted.1 {
            hits.rules.push((*effect, *rule));
        }
    }
    hits
}

/// What an end reports in a mode. R-DEFAULT: without any effect it is unknown, would be blocked, or is.
const fn verdict(effect: Option<Effect>, mode: Mode) -> Verdict {
    match (mode, effect) {
        (Mode::Idle, _) => Verdict::Unknown,
        (_, Some(Effect::Essential | Effect::Allow)) => Verdict::Allowed,
        (Mode::VisibilityOnly, _) | (Mode::Selective, None) => Verdict::PotentiallyBlocked,
        (Mode::Selective, Some(Effect::OverrideDeny | Effect::Deny)) | (Mode::Full, _) => {
            Verdict::Blocked
        }
    }
}

/// R-BY-MODE: what each mode does with an effect.
pub(crate) const fn r_by_mode(effect: Option<Effect>) -> ByMode {
    ByMode {
        visibility_only: verdict(effect, Mode::VisibilityOnly),
        selective: verdict(effect, Mode::Selective),
        full: verdict(effect, Mode::Full),
    }
}

/// Why an end blocks, when a deny does.
const fn boundary(effect: Option<Effect>, verdict: Verdict) -> Option<BoundaryDecision> {
    match (verdict, effect) {
        (Verdict::Blocked, Some(Effect::OverrideDeny)) => {
            Some(BoundaryDecision::BlockedByOverrideDeny)
        }
        (Verdict::Blocked, Some(Effect::Deny)) => Some(BoundaryDecision::Blocked),
        _ => None,
    }
}

/// R-DRAFT: the draft view's decision for the hits at both ends. An end where essential decides has an allow
/// and no other hit.
pub(crate) fn r_draft(ends: [&Hits; 2], mode: Mode) -> DraftDecision {
    let essential = |hits: &&Hits| hits.effect() == Some(Effect::Essential);
    let has = |effect| ends.iter().any(|hits| !essential(hits) && hits.has(effect));
    let allowed = has(Effect::Allow) || ends.iter().any(essential);
    let denies = matches!(mode, Mode::Selective | Mode::Full);
    match (has(Effect::OverrideDeny), allowed, has(Effect::Deny)) {
        (true, _, _) if denies => DraftDecision::BlockedByOverrideDeny,
        (true, _, _) => DraftDecision::PotentiallyBlockedByOverrideDeny,
        (false, true, true) => DraftDecision::AllowedAcrossBoundary,
        (false, true, false) => DraftDecision::Allowed,
        (false, false, true) if denies => DraftDecision::BlockedByBoundary,
        (false, false, true) => DraftDecision::PotentiallyBlockedByBoundary,
        (false, false, false) if mode == Mode::Full => DraftDecision::Blocked,
        (false, false, false) => DraftDecision::PotentiallyBlocked,
    }
}
