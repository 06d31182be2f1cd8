//! What holds for every policy, on random worlds.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    AllowRule, Change, Decision, Direction, DraftDecision, Effect, EndDecision, Flow, Mode,
    NetworkType, RuleRef, Snapshot, Verdict,
};
use bulkhead_oracle::{custom_rules, decide, forwarded_packet, members, packet};
use bulkhead_worldgen::small::{Rng, change, flow, world};

/// Random worlds in one run, or as many as the variable says.
fn worlds() -> u64 {
    std::env::var("BULKHEAD_WORLDS").ok().and_then(|n| n.parse().ok()).unwrap_or(24)
}

/// Runs a check on random worlds with random flows; a failure names the seed of the world.
fn for_random(flows: usize, mut check: impl FnMut(&Snapshot, &Flow, &mut Rng)) {
    for seed in 0..worlds() {
        let s = world(seed, 10);
        let mut rng = Rng::with_seed(seed);
        for n in 0..flows {
            let flow = flow(&mut rng, &s);
            let at = std::panic::AssertUnwindSafe(|| check(&s, &flow, &mut rng));
            // The panic inside has printed what is wrong; this adds where.
            let fine = std::panic::catch_unwind(at).is_ok();
            assert!(fine, "world of seed {seed}, flow {n}");
        }
    }
}

fn ends(decision: &Decision) -> [&EndDecision; 2] {
    [&decision.source, &decision.destination]
}

#[test]
fn every_question_has_a_consistent_answer() {
    for_random(30, |s, flow, _| {
        let answer = decide(s, flow);
        for end in ends(&answer) {
            let workload = end.workload.map(|id| &s.workloads[&id]);
            assert_eq!(end.mode, workload.filter(|w| w.managed).map(|w| w.mode));
            assert_eq!(end.verdict.is_some(), end.mode.is_some());
            assert_eq!(end.by_mode.is_some(), end.workload.is_some());
            let Some(by_mode) = end.by_mode else {
                assert_eq!(*end, EndDecision::default());
                continue;
            };
            let expected = match end.mode {
                Some(Mode::Idle) => Some(Verdict::Unknown),
                Some(Mode::VisibilityOnly) => Some(by_mode.visibility_only),
                Some(Mode::Selective) => Some(by_mode.selective),
                Some(Mode::Full) => Some(by_mode.full),
                None => None,
            };
            assert_eq!(end.verdict, expected);
            // A stricter mode never lets more through.
            assert!(by_mode.visibility_only.passes());
            assert!(by_mode.selective.passes() || !by_mode.full.passes());
            assert!(end.rules.windows(2).all(|pair| pair[0] < pair[1] && pair[0].1 == pair[1].1));
        }
        if answer.source.workload.is_none() && answer.destination.workload.is_none() {
            assert_eq!(answer.decision, DraftDecision::PotentiallyBlocked);
        }
    });
}

#[test]
fn changed_worlds_have_answers_too() {
    for seed in 0..worlds() {
        let mut s = world(seed, 8);
        let mut rng = Rng::with_seed(seed);
        for _ in 0..30 {
            s.apply(&change(&mut rng, &s));
            let flow = flow(&mut rng, &s);
            decide(&s, &flow);
        }
        for id in s.workloads.keys() {
            custom_rules(&s, *id);
        }
    }
}

/// Whether an end lets the flow through in full enforcement.
fn open(end: &EndDecision) -> bool {
    end.by_mode.is_some_and(|by_mode| by_mode.full.passes())
}

#[test]
fn switching_off_an_allow_rule_never_opens_an_end() {
    for_random(10, |s, flow, rng| {
        let Some((key, rule)) = s.allow_rules.iter().nth(rng.usize(0..s.allow_rules.len().max(1)))
        else {
            return;
        };
        let off = AllowRule { enabled: false, ..AllowRule::clone(rule) };
        let mut without = s.clone();
        without.apply(&Change::AllowRule(*key, Some(Arc::new(off))));
        let (before, after) = (decide(s, flow), decide(&without, flow));
        for (before, after) in ends(&before).into_iter().zip(ends(&after)) {
            assert!(open(before) || !open(after), "{key:?} was off and opened {flow:?}");
        }
    });
}

#[test]
fn removing_a_deny_rule_never_closes_an_end() {
    for_random(10, |s, flow, rng| {
        let Some(key) = s.deny_rules.keys().nth(rng.usize(0..s.deny_rules.len().max(1))) else {
            return;
        };
        let mut without = s.clone();
        without.apply(&Change::DenyRule(*key, None));
        let (before, after) = (decide(s, flow), decide(&without, flow));
        for (before, after) in ends(&before).into_iter().zip(ends(&after)) {
            assert!(!open(before) || open(after), "{key:?} was removed and closed {flow:?}");
        }
    });
}

#[test]
fn losing_what_allow_rules_name_never_opens_an_end() {
    let mut opened = 0;
    for_random(10, |s, flow, rng| {
        let mut s = s.clone();
        s.deny_rules.clear();
        s.boundaries.clear();
        s.settings = Arc::default();
        let mut without = s.clone();
        let any = |rng: &mut Rng, ids: Vec<Id>| ids.get(rng.usize(0..ids.len().max(1))).copied();
        let gone = match rng.u8(0..5) {
            0 => any(rng, s.label_groups.keys().copied().collect())
                .map(|id| Change::LabelGroup(id, None)),
            1 => any(rng, s.ip_lists.keys().copied().collect()).map(|id| Change::IpList(id, None)),
            2 => any(rng, s.labels.keys().copied().collect()).map(|id| Change::Label(id, None)),
            3 => {
                any(rng, s.rule_sets.keys().copied().collect()).map(|id| Change::RuleSet(id, None))
            }
            _ => any(rng, s.virtual_services.keys().copied().collect())
                .map(|id| Change::VirtualService(id, None)),
        };
        let Some(gone) = gone else { return };
        without.apply(&gone);
        let (before, after) = (decide(&s, flow), decide(&without, flow));
        for (before, after) in ends(&before).into_iter().zip(ends(&after)) {
            assert!(open(before) || !open(after), "{gone:?} opened {flow:?}");
            opened += usize::from(open(before));
        }
    });
    assert!(opened > 0, "no end was ever open: the worlds test nothing");
}

#[test]
fn ids_of_rule_sets_and_rules_do_not_matter() {
    let other = |id: Id| Id::int(100_000 - id.as_int().unwrap());
    let rename = |rule: RuleRef| match rule {
        RuleRef::Allow((set, rule)) => RuleRef::Allow((other(set), other(rule))),
        RuleRef::Deny((set, rule)) => RuleRef::Deny((other(set), other(rule))),
        rule => rule,
    };
    for_random(10, |s, flow, _| {
        let mut turned = s.clone();
        turned.rule_sets = s.rule_sets.iter().map(|(id, set)| (other(*id), set.clone())).collect();
        turned.allow_rules =
            s.allow_rules.iter().map(|(k, r)| ((other(k.0), other(k.1)), r.clone())).collect();
        turned.deny_rules =
            s.deny_rules.iter().map(|(k, r)| ((other(k.0), other(k.1)), r.clone())).collect();
        let mut expected = decide(s, flow);
        for end in [&mut expected.source, &mut expected.destination] {
            for (rule, _) in &mut end.rules {
                *rule = rename(*rule);
            }
            end.rules.sort();
        }
        assert_eq!(decide(&turned, flow), expected);
    });
}

#[test]
fn one_host_agrees_with_the_whole_flow() {
    let mut compared = 0;
    for_random(20, |s, flow, _| {
        // A packet names no process, user or host name, and is the host's own.
        let mut s = s.clone();
        for vs in s.virtual_services.values_mut() {
            Arc::make_mut(vs).internal_bridge = false;
        }
        let flow = Flow {
            process: None,
            windows_service: None,
            dst_fqdn: None,
            principals: Vec::new(),
            ..flow.clone()
        };
        let (Some(src), Some(dst)) = (flow.src.ip, flow.dst.ip) else { return };
        let answer = decide(&s, &flow);
        if answer.source.workload == answer.destination.workload {
            return;
        }
        for (end, direction, peer) in [
            (&answer.source, Direction::Outbound, dst),
            (&answer.destination, Direction::Inbound, src),
        ] {
            let Some(id) = end.workload else { continue };
            if s.workloads[&id].interfaces.iter().any(|i| i.address == peer) {
                continue;
            }
            let (effect, rules) = packet(&s, id, direction, peer, &flow.service);
            assert_eq!(effect, end.rules.first().map(|(_, effect)| *effect));
            assert_eq!(rules, end.rules.iter().map(|(rule, _)| *rule).collect::<Vec<_>>());
            compared += 1;
        }
    });
    assert!(compared > 50, "only {compared} ends were compared");
}

#[test]
fn every_effect_and_decision_is_met() {
    let (mut effects, mut decisions, mut networks) = (Vec::new(), Vec::new(), Vec::new());
    for_random(30, |s, flow, _| {
        let answer = decide(s, flow);
        decisions.push(answer.decision);
        for (rule, effect) in ends(&answer).into_iter().flat_map(|end| &end.rules) {
            effects.push(*effect);
            if let RuleRef::Allow(key) = rule {
                networks.push(s.allow_rules[key].network_type);
            }
        }
    });
    for effect in [Effect::Essential, Effect::OverrideDeny, Effect::Allow, Effect::Deny] {
        assert!(effects.contains(&effect), "no flow met {effect:?}");
    }
    for decision in DraftDecision::ALL {
        assert!(decisions.contains(&decision), "no flow met {decision:?}");
    }
    assert!(networks.contains(&NetworkType::All) && !networks.contains(&NetworkType::NonBrn));
}

#[test]
fn forwarded_traffic_has_its_own_rules() {
    let mut met = 0;
    for_random(10, |s, flow, _| {
        let Some(peer) = flow.src.ip else { return };
        for id in s.workloads.keys() {
            let (_, rules) = forwarded_packet(s, *id, Direction::Inbound, peer, &flow.service);
            for rule in rules {
                let RuleRef::Allow(key) = rule else { continue };
                let inherits = bulkhead_oracle::in_scopes(s, *id, &s.settings.containers_inherit);
                let bridged = s.bindings.values().any(|b| {
                    b.workload == *id
                        && s.virtual_services
                            .get(&b.virtual_service)
                            .is_some_and(|vs| vs.internal_bridge)
                });
                assert!(inherits || bridged, "{key:?} acts on forwarded traffic of {id:?}");
                met += 1;
            }
        }
    });
    assert!(met > 0, "no forwarded packet met a rule");
}

#[test]
fn members_are_a_union_over_scopes() {
    for_random(3, |s, _, _| {
        for (key, rule) in &s.allow_rules {
            let Some(set) = s.rule_sets.get(&key.0) else { continue };
            let all = members(s, &rule.providers, &set.scopes);
            let everywhere = members(s, &rule.providers, &[]);
            assert!(all.is_subset(&everywhere));
            for scope in &set.scopes {
                assert!(members(s, &rule.providers, std::slice::from_ref(scope)).is_subset(&all));
            }
        }
    });
}
