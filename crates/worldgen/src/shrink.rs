//! The smallest part of a snapshot that still shows a failure.

use std::sync::Arc;

use bulkhead_model::{AllowRule, Change, DenyRule, RuleSet, Snapshot, Workload};

/// Removes objects, and parts of those that stay, as long as the failure is still there.
///
/// Greedy: the result has no object or part that can be removed alone. Takes about as many calls as the
/// snapshot has objects, for each round in which something went. A snapshot that does not fail comes back
/// unchanged.
pub fn shrink(s: &Snapshot, mut still_fails: impl FnMut(&Snapshot) -> bool) -> Snapshot {
    let mut small = s.clone();
    if !still_fails(&small) {
        return small;
    }
    loop {
        let before = small.clone();
        // A removal means the same whatever else went; a simplification does not, so these start anew.
        for change in removals(&small) {
            small = smaller(&small, &change, &mut still_fails).unwrap_or(small);
        }
        let simpler = |small: &Snapshot, fails: &mut dyn FnMut(&Snapshot) -> bool| {
            simplifications(small).iter().find_map(|change| smaller(small, change, fails))
        };
        while let Some(next) = simpler(&small, &mut still_fails) {
            small = next;
        }
        if small == before {
            return small;
        }
    }
}

/// The snapshot after a change, where that changes something and the failure is still there.
fn smaller(
    s: &Snapshot,
    change: &Change,
    still_fails: &mut dyn FnMut(&Snapshot) -> bool,
) -> Option<Snapshot> {
    let mut next = s.clone();
    next.apply(change);
    (next != *s && still_fails(&next)).then_some(next)
}

/// The removal of each object, rules first.
fn removals(s: &Snapshot) -> Vec<Change> {
    let mut out = Vec::new();
    out.extend(s.allow_rules.keys().map(|key| Change::AllowRule(*key, None)));
    out.extend(s.deny_rules.keys().map(|key| Change::DenyRule(*key, None)));
    out.extend(s.ip_tables_rules.keys().map(|key| Change::IpTablesRule(*key, None)));
    out.extend(s.boundaries.keys().map(|id| Change::Boundary(*id, None)));
    out.extend(s.essential.keys().map(|id| Change::Essential(*id, None)));
    out.extend(s.rule_sets.keys().map(|id| Change::RuleSet(*id, None)));
    out.extend(s.bindings.keys().map(|id| Change::Binding(*id, None)));
    out.extend(s.virtual_services.keys().map(|id| Change::VirtualService(*id, None)));
    out.extend(s.virtual_servers.keys().map(|id| Change::VirtualServer(*id, None)));
    out.extend(s.services.keys().map(|id| Change::Service(*id, None)));
    out.extend(s.ip_lists.keys().map(|id| Change::IpList(*id, None)));
    out.extend(s.workloads.keys().map(|id| Change::Workload(*id, None)));
    out.extend(s.label_groups.keys().map(|id| Change::LabelGroup(*id, None)));
    out.extend(s.labels.keys().map(|id| Change::Label(*id, None)));
    out.push(Change::Settings(Arc::default()));
    out
}

/// Each copy of a list with one element less.
fn without_one<T: Clone>(list: &[T]) -> Vec<Vec<T>> {
    let skip = |n: usize| {
        let kept = list.iter().enumerate().filter(|(i, _)| *i != n);
        kept.map(|(_, element)| element.clone()).collect()
    };
    (0..list.len()).map(skip).collect()
}

/// Objects with one part less.
fn simplifications(s: &Snapshot) -> Vec<Change> {
    let mut out = Vec::new();
    for (key, rule) in &s.allow_rules {
        out.extend(smaller_allow(rule).map(|r| Change::AllowRule(*key, Some(Arc::new(r)))));
    }
    for (key, rule) in &s.deny_rules {
        out.extend(smaller_deny(rule).map(|r| Change::DenyRule(*key, Some(Arc::new(r)))));
    }
    for (id, rule) in &s.boundaries {
        out.extend(smaller_deny(rule).map(|r| Change::Boundary(*id, Some(Arc::new(r)))));
    }
    for (id, set) in &s.rule_sets {
        let with = |scopes| RuleSet { scopes, ..RuleSet::clone(set) };
        let scopes = without_one(&set.scopes).into_iter().map(with);
        out.extend(scopes.map(|set| Change::RuleSet(*id, Some(Arc::new(set)))));
    }
    for (id, w) in &s.workloads {
        let labels = without_one(&w.labels).into_iter();
        let labels = labels.map(|labels| Workload { labels, ..Workload::clone(w) });
        let interfaces = without_one(&w.interfaces).into_iter();
        let interfaces = interfaces.map(|interfaces| Workload { interfaces, ..Workload::clone(w) });
        let public = Workload { public_ip: None, ..Workload::clone(w) };
        let smaller = labels.chain(interfaces).chain([public]);
        out.extend(smaller.map(|w| Change::Workload(*id, Some(Arc::new(w)))));
    }
    out
}

fn smaller_allow(rule: &AllowRule) -> impl Iterator<Item = AllowRule> {
    let with = || rule.clone();
    let plain = AllowRule {
        enabled: rule.enabled,
        providers: rule.providers.clone(),
        consumers: rule.consumers.clone(),
        services: rule.services.clone(),
        ..AllowRule::default()
    };
    let flags = [
        plain,
        AllowRule { egress_services: Vec::new(), ..with() },
        AllowRule { principals: Vec::new(), ..with() },
        AllowRule { resolve_providers: Default::default(), ..with() },
        AllowRule { resolve_consumers: Default::default(), ..with() },
        AllowRule { provider_subnets: false, consumer_subnets: false, ..with() },
        AllowRule { all_ips_except_providers: false, ..with() },
        AllowRule { all_ips_except_consumers: false, ..with() },
    ];
    let mut out = flags.to_vec();
    out.extend(
        without_one(&rule.providers).into_iter().map(|providers| AllowRule { providers, ..with() }),
    );
    out.extend(
        without_one(&rule.consumers).into_iter().map(|consumers| AllowRule { consumers, ..with() }),
    );
    out.extend(
        without_one(&rule.services).into_iter().map(|services| AllowRule { services, ..with() }),
    );
    out.into_iter()
}

fn smaller_deny(rule: &DenyRule) -> impl Iterator<Item = DenyRule> {
    let with = || rule.clone();
    let flags = [
        DenyRule { egress_services: Vec::new(), ..with() },
        DenyRule { all_ips_except_providers: false, ..with() },
        DenyRule { all_ips_except_consumers: false, ..with() },
        DenyRule { no_log: false, ..with() },
    ];
    let mut out = flags.to_vec();
    out.extend(
        without_one(&rule.providers).into_iter().map(|providers| DenyRule { providers, ..with() }),
    );
    out.extend(
        without_one(&rule.consumers).into_iter().map(|consumers| DenyRule { consumers, ..with() }),
    );
    out.extend(
        without_one(&rule.services).into_iter().map(|services| DenyRule { services, ..with() }),
    );
    out.into_iter()
}

#[cfg(test)]
mod tests {
    use super::shrink;
    use crate::small::world;
    use bulkhead_ids::Id;

    #[test]
    fn keeps_only_what_the_failure_needs() {
        let s = world(5, 10);
        let id = *s.workloads.keys().next().unwrap();
        let small = shrink(&s, |s| s.workloads.contains_key(&id));
        assert_eq!(small.workloads.len(), 1);
        assert!(small.workloads[&id].labels.is_empty());
        assert!(small.labels.is_empty() && small.allow_rules.is_empty());
    }

    #[test]
    fn a_snapshot_that_does_not_fail_stays() {
        let s = world(5, 10);
        assert_eq!(shrink(&s, |s| s.labels.contains_key(&Id::int(12_345))), s);
    }
}
