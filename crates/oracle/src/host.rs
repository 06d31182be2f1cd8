//! One host on its own: what it does with a packet, and what else policy tells it.

use std::net::IpAddr;

use bulkhead_ids::Id;
use bulkhead_model::{
    CustomRule, Direction, Effect, Flow, FlowEnd, Resolve, RuleRef, Scope, Snapshot, Workload,
};
use bulkhead_netset::ProtoPorts;

use crate::hit::{Question, Traffic, hits, r_disabled};
use crate::scope::{expanded, inside, r_scopes};
use crate::side::r_side;

/// What a host does with a new connection of its own to or from an address, and every rule behind that.
///
/// The effect is that of the highest precedence; none: no rule, the default of the mode. The packet names no
/// process, user or host name, so rules that need one do nothing. The rules are sorted; none are named for
/// traffic of the host with itself. A host that is missing has no rules.
pub fn packet(
    s: &Snapshot,
    workload: Id,
    direction: Direction,
    peer: IpAddr,
    service: &ProtoPorts,
) -> (Option<Effect>, Vec<RuleRef>) {
    at_host(s, workload, direction, peer, (service, Traffic::Own))
}

/// The same for a connection that the host forwards to (inbound) or from (outbound) its containers.
///
/// Virtual services on the internal bridge act there, and the host's own policy where the setting
/// `containers_inherit` names it.
pub fn forwarded_packet(
    s: &Snapshot,
    workload: Id,
    direction: Direction,
    peer: IpAddr,
    service: &ProtoPorts,
) -> (Option<Effect>, Vec<RuleRef>) {
    let inherits = in_scopes(s, workload, &s.settings.containers_inherit);
    at_host(s, workload, direction, peer, (service, Traffic::Forwarded(inherits)))
}

fn at_host(
    s: &Snapshot,
    workload: Id,
    direction: Direction,
    peer: IpAddr,
    (service, traffic): (&ProtoPorts, Traffic),
) -> (Option<Effect>, Vec<RuleRef>) {
    let Some(host) = s.workloads.get(&workload) else { return (None, Vec::new()) };
    if has_address(host, peer) && !loopback_in_policy(s, workload) {
        // R-OWN-ADDRESS: a host reaches itself over loopback.
        return (Some(Effect::Essential), Vec::new());
    }
    let peer = FlowEnd { workload: None, ip: Some(peer) };
    let flow = Flow::new(FlowEnd::default(), FlowEnd::default(), *service);
    let host = (workload, host.as_ref());
    let hits = hits(&Question { s, host, direction, peer, flow: &flow, traffic });
    let effect = hits.iter().map(|(_, effect)| *effect).min();
    let deciding = hits.into_iter().filter(|(_, hit)| Some(*hit) == effect);
    (effect, deciding.map(|(rule, _)| rule).collect())
}

fn has_address(w: &Workload, ip: IpAddr) -> bool {
    w.interfaces.iter().any(|interface| interface.address == ip)
}

/// Whether one of the scopes of a setting names a workload. No scope names nobody, an empty one everybody.
///
/// False for a workload that is missing.
pub fn in_scopes(s: &Snapshot, workload: Id, scopes: &[Scope]) -> bool {
    let named = |w: &Workload| {
        let mut each = scopes.iter().flat_map(|scope| expanded(s, scope));
        each.any(|scope| inside(s, &scope, &w.labels))
    };
    s.workloads.get(&workload).is_some_and(|w| named(w))
}

/// Whether policy also acts on the loopback interfaces of a workload.
pub(crate) fn loopback_in_policy(s: &Snapshot, workload: Id) -> bool {
    in_scopes(s, workload, &s.settings.loopback_in_policy)
}

/// The custom iptables rules of a workload, by rule.
///
/// Section 10: those whose actors pick the workload within a scope of their rule set; outside of allow and
/// deny, and as they are written.
pub fn custom_rules(s: &Snapshot, workload: Id) -> Vec<CustomRule> {
    let mut custom = Vec::new();
    for (key, rule) in &s.ip_tables_rules {
        let Some(set) = r_disabled(s, key.0, rule.enabled) else { continue };
        let picks = |scope| {
            r_side(s, &rule.actors, Some(scope), Resolve::default()).workloads.contains(&workload)
        };
        if r_scopes(s, &set.scopes).iter().any(picks) {
            custom.push(CustomRule {
                rule: *key,
                ipv6: rule.ipv6,
                statements: rule.statements.clone(),
            });
        }
    }
    custom
}
