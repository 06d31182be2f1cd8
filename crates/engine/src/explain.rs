//! Near misses: rules that look as if they should match, and what is missing.

use std::collections::BTreeSet;

use bulkhead_model::{
    Decision, Direction, Effect, Flow, NearMiss, NearMissReason, NetworkType, Os, RuleRef,
};

use crate::ends::{End, View};
use crate::engine::Engine;
use crate::hosts::Class;
use crate::service::{Span, restrictions_met, span};
use crate::store::{Stmt, StmtTarget};

/// Most near misses of one flow (R-NEAR-MISS).
pub const NEAR_MISSES_MAX: usize = 16;

impl Engine {
    /// The decision of a flow with its near misses: rules programmed at an end that miss by one condition,
    /// at most [`NEAR_MISSES_MAX`], sorted. Looks at every rule of both ends: slower than [`Engine::decide`].
    pub fn explain(&self, flow: &Flow) -> Decision {
        let mut decision = self.decide(flow);
        decision.near_misses = self.r_near_miss(flow, &decision);
        decision
    }

    /// R-NEAR-MISS.
    fn r_near_miss(&self, flow: &Flow, decision: &Decision) -> Vec<NearMiss> {
        let (src, dst) = self.ends(flow);
        let mut misses = BTreeSet::new();
        if src.host.is_none() || src.host != dst.host {
            self.misses_at(flow, (src, dst), Direction::Outbound, &mut misses);
            self.misses_at(flow, (dst, src), Direction::Inbound, &mut misses);
        }
        let at = |end: &bulkhead_model::EndDecision| -> BTreeSet<RuleRef> {
            end.rules.iter().map(|r| r.0).collect()
        };
        let (at_src, at_dst) = (at(&decision.source), at(&decision.destination));
        let both = src.host.is_some() && dst.host.is_some();
        for rule in at_src.symmetric_difference(&at_dst).filter(|_| both) {
            let essential = matches!(rule, RuleRef::Essential(_));
            let other = !misses.iter().any(|m: &NearMiss| m.rule == *rule);
            if !essential && other {
                misses.insert(NearMiss { rule: *rule, reason: NearMissReason::Direction });
            }
        }
        // A rule that decides at an end is missing nothing there; elsewhere it is told of by direction.
        misses.retain(|m| {
            m.reason == NearMissReason::Direction
                || !(at_src.contains(&m.rule) || at_dst.contains(&m.rule))
        });
        let mut seen = BTreeSet::new();
        misses.retain(|m| seen.insert(m.rule));
        misses.into_iter().take(NEAR_MISSES_MAX).collect()
    }

    fn misses_at(
        &self,
        flow: &Flow,
        (own, peer): (End, End),
        direction: Direction,
        out: &mut BTreeSet<NearMiss>,
    ) {
        let Some(class) = self.row(own.host).and_then(|host| self.hosts.class_of(host)) else {
            return;
        };
        let view = self.view(peer, class.key.nets);
        let wanted = span(&flow.service);
        let rows = class.selectors.iter().filter_map(|ix| self.store.selectors.get(*ix));
        let statements = rows.flat_map(|row| &row.statements);
        for statement in statements.filter_map(|ix| self.store.statements.get(*ix)) {
            if statement.direction == direction
                && statement.effect != Effect::Essential
                && let Some(reason) = self.miss(statement, class, (&view, wanted), flow)
            {
                out.insert(NearMiss { rule: statement.rule, reason });
            }
        }
    }

    /// The one condition that a statement misses, or that another effect overrules it; none when it misses
    /// more.
    fn miss(
        &self,
        statement: &Stmt,
        class: &Class,
        (view, wanted): (&View, Span),
        flow: &Flow,
    ) -> Option<NearMissReason> {
        let services = statement.services(class.key.os == Os::Windows);
        let covers = |p: &crate::service::Port| p.span.0 <= wanted.0 && wanted.1 <= p.span.1;
        let port = services.ports.iter().any(covers);
        let program = services.ports.iter().filter(|p| covers(p)).any(|p| {
            services.matches.get(p.alternative as usize).is_some_and(|m| {
                restrictions_met(m, flow.process.as_deref(), flow.windows_service.as_deref())
            })
        });
        let users = &statement.flags.principals;
        let user = users.is_empty() || users.iter().any(|u| flow.principals.contains(u));
        let network = statement.flags.network_type != NetworkType::NonBrn;
        let peer = self.peer_matches(statement, view, class.key.nets, flow);
        let elsewhere = match (statement.direction, &statement.target) {
            (_, StmtTarget::Names(_)) => NearMissReason::Fqdn,
            (Direction::Inbound, _) => NearMissReason::Consumer,
            (Direction::Outbound, _) => NearMissReason::Provider,
        };
        let conditions = [
            (port, NearMissReason::Service),
            (program || !port, NearMissReason::Process),
            (user, NearMissReason::UserGroup),
            (network, NearMissReason::NetworkType),
            (peer, elsewhere),
        ];
        let mut missed = conditions.iter().filter(|(met, _)| !met);
        match (missed.next(), missed.next()) {
            (Some((_, reason)), None) => Some(*reason),
            (None, _) => Some(NearMissReason::Precedence),
            _ => None,
        }
    }
}
