//! Rule search against a look at every rule.

use std::collections::BTreeSet;

use bulkhead_engine::search::{Found, Query, RuleIndex, RuleKind, WantedService};
use bulkhead_ids::Id;
use bulkhead_model::{Actor, AllowRule, Change, RuleRef, Scope, ServiceRef, Snapshot};
use bulkhead_netset::{ProtoPorts, ServiceSet};
use bulkhead_oracle::members;
use bulkhead_worldgen::cases::policy_cases;

fn worlds() -> Vec<Snapshot> {
    let cases = policy_cases().unwrap_or_else(|e| unreachable!("the cases of the repository: {e}"));
    cases.into_iter().filter_map(|case| Some(case.runs.into_iter().next()?.snapshot)).collect()
}

fn scopes(s: &Snapshot, set: Id, rule: &AllowRule, consumers: bool) -> Option<Vec<Scope>> {
    let set = s.rule_sets.get(&set)?;
    let unbound = consumers && rule.unscoped_consumers;
    Some(if unbound { Vec::new() } else { set.scopes.clone() })
}

/// Allow rules that act on a workload on one side, found by looking at every rule.
fn acting(s: &Snapshot, workload: Id, consumers: bool) -> BTreeSet<Found> {
    let acts = |(key, rule): (&(Id, Id), &std::sync::Arc<AllowRule>)| {
        let (actors, resolve) = if consumers {
            (&rule.consumers, rule.resolve_consumers)
        } else {
            (&rule.providers, rule.resolve_providers)
        };
        let actors: Vec<Actor> = actors
            .iter()
            .filter(|a| resolve.workloads || matches!(a, Actor::Workload(_)))
            .cloned()
            .collect();
        let scopes = scopes(s, key.0, rule, consumers)?;
        members(s, &actors, &scopes)
            .contains(&workload)
            .then_some(Found::Rule(RuleRef::Allow(*key)))
    };
    s.allow_rules.iter().filter_map(acts).collect()
}

fn resolved(actor: Actor, consumers: bool) -> Query {
    let mut query = Query { kinds: vec![RuleKind::Allow], resolve: true, ..Query::default() };
    if consumers {
        query.consumers.push(actor)
    } else {
        query.providers.push(actor)
    }
    query
}

#[test]
fn resolved_workloads_are_found_by_every_rule_that_acts_on_them() {
    let mut hits = 0;
    for s in worlds() {
        let index = RuleIndex::new(&s);
        for workload in s.workloads.keys() {
            for consumers in [false, true] {
                let query = resolved(Actor::Workload(*workload), consumers);
                let found: BTreeSet<Found> = index.search(&s, &query).into_iter().collect();
                assert_eq!(found, acting(&s, *workload, consumers), "{workload:?} in {s:?}");
                hits += found.len();
            }
        }
    }
    assert!(hits > 500, "the cases have rules that act on workloads: {hits}");
}

#[test]
fn a_resolved_label_finds_the_rules_that_could_act_on_some_workload_with_it() {
    for s in worlds() {
        let index = RuleIndex::new(&s);
        for label in s.labels.keys() {
            for consumers in [false, true] {
                let actor = Actor::Label { id: *label, exclusion: false };
                let found = index.search(&s, &resolved(actor, consumers));
                let carrying = s.workloads.iter().filter(|(_, w)| w.labels.contains(label));
                for (id, _) in carrying {
                    for rule in acting(&s, *id, consumers) {
                        assert!(found.contains(&rule), "{rule:?} acts on {id:?} with {label:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn exact_actors_and_services_are_found_where_they_stand() {
    for s in worlds() {
        let index = RuleIndex::new(&s);
        for (key, rule) in &s.allow_rules {
            let exact = Query {
                kinds: vec![RuleKind::Allow],
                providers: rule.providers.clone(),
                consumers: rule.consumers.clone(),
                ..Query::default()
            };
            assert!(index.search(&s, &exact).contains(&Found::Rule(RuleRef::Allow(*key))));
            for service in &rule.services {
                let wanted = match service {
                    ServiceRef::Service(id) => WantedService::Service(*id),
                    ServiceRef::Inline(ports) => WantedService::Entry {
                        ports: ports.clone(),
                        process: None,
                        windows_service: None,
                    },
                };
                let query = Query { services: vec![wanted], ..Query::default() };
                assert!(index.search(&s, &query).contains(&Found::Rule(RuleRef::Allow(*key))));
            }
        }
    }
}

#[test]
fn ports_find_rules_by_what_their_services_hold() {
    let tcp = |port| ServiceSet::from_iter([ProtoPorts::tcp(port)]);
    for s in worlds() {
        let index = RuleIndex::new(&s);
        for port in [22, 80, 443, 3306, 8050, 9999] {
            let wanted =
                WantedService::Entry { ports: tcp(port), process: None, windows_service: None };
            let query =
                Query { kinds: vec![RuleKind::Allow], services: vec![wanted], ..Query::default() };
            let holds = |service: &ServiceRef| match service {
                ServiceRef::Inline(set) => !set.is_disjoint(&tcp(port)),
                ServiceRef::Service(id) => s.services.get(id).is_some_and(|service| {
                    service.entries.iter().any(|e| !e.ports.is_disjoint(&tcp(port)))
                }),
            };
            let all = s.allow_rules.iter().filter(|(_, r)| r.services.iter().any(holds));
            let all: Vec<Found> = all.map(|(k, _)| Found::Rule(RuleRef::Allow(*k))).collect();
            assert_eq!(index.search(&s, &query), all);
        }
    }
}

#[test]
fn an_index_that_followed_changes_equals_a_new_one() {
    let worlds = worlds();
    let mut index = RuleIndex::default();
    let mut before = Snapshot::default();
    for s in &worlds {
        let gone = before.allow_rules.keys().filter(|k| !s.allow_rules.contains_key(k));
        let changes: Vec<Change> = gone
            .map(|k| Change::AllowRule(*k, None))
            .chain(before.deny_rules.keys().map(|k| Change::DenyRule(*k, None)))
            .chain(s.allow_rules.iter().map(|(k, r)| Change::AllowRule(*k, Some(r.clone()))))
            .chain(s.deny_rules.iter().map(|(k, r)| Change::DenyRule(*k, Some(r.clone()))))
            .collect();
        changes.iter().for_each(|change| index.apply(change));
        let fresh = RuleIndex::new(s);
        let all = Query::default();
        assert_eq!(index.search(s, &all), fresh.search(s, &all));
        for id in s.workloads.keys() {
            let query = resolved(Actor::Workload(*id), true);
            assert_eq!(index.search(s, &query), fresh.search(s, &query));
        }
        before = s.clone();
    }
}
