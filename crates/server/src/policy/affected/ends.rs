//! The workloads at the two ends of a rule, found through the labels they carry.

use super::Policy;
use crate::doc::Val;
use crate::world::{Obj, Side, World};
use bulkhead_ids::{Id, Kind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// One condition on the labels of an object; all of a selector must hold.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Condition {
    /// The label key.
    key: Box<str>,
    /// Any of these labels; `None` is any label of the key.
    any: Option<Vec<Id>>,
    /// None of these.
    none: Vec<Id>,
}

type Selector = Vec<Condition>;

/// The workloads of an organisation, indexed by label, and those that were marked.
pub(super) struct Ends<'a> {
    world: &'a World,
    workloads: Vec<(&'a Obj, Vec<Id>)>,
    by_id: HashMap<Id, usize>,
    by_label: HashMap<Id, Vec<usize>>,
    by_key: HashMap<Box<str>, Vec<usize>>,
    keys: HashMap<Id, Box<str>>,
    exists: HashMap<Selector, bool>,
    done: HashSet<Selector>,
    marked: Vec<bool>,
    left: usize,
}

/// One end of a rule: what its entries select.
#[derive(Default)]
struct End {
    selectors: Vec<Selector>,
    workloads: Vec<usize>,
    /// Something other than a workload is at this end.
    others: bool,
}

/// The labels of one key that the entries of one side name.
#[derive(Default)]
struct Named {
    any: Option<BTreeSet<Id>>,
    none: BTreeSet<Id>,
}

/// The ids that a list of `{"href": ...}` names.
fn labels(doc: &Val) -> Vec<Id> {
    doc.list("labels").iter().filter_map(Val::target).map(|(_, id)| id).collect()
}

impl<'a> Ends<'a> {
    pub(super) fn new(world: &'a World) -> Self {
        let key = |o: &Obj| Some((o.id, o.doc.str("key")?.into()));
        let mut out = Self {
            world,
            workloads: Vec::new(),
            by_id: HashMap::new(),
            by_label: HashMap::new(),
            by_key: HashMap::new(),
            keys: world.objects(Side::Draft, Kind::Label).filter_map(|o| key(o)).collect(),
            exists: HashMap::new(),
            done: HashSet::new(),
            marked: Vec::new(),
            left: 0,
        };
        let alive = world.objects(Side::Draft, Kind::Workload).filter(|o| !o.doc.is("deleted"));
        for obj in alive {
            let (n, labels) = (out.workloads.len(), labels(&obj.doc));
            out.by_id.insert(obj.id, n);
            for label in &labels {
                out.by_label.entry(*label).or_default().push(n);
                if let Some(key) = out.keys.get(label) {
                    out.by_key.entry(key.clone()).or_default().push(n);
                }
            }
            out.workloads.push((obj, labels));
        }
        out.left = out.workloads.len();
        out.marked = vec![false; out.left];
        out
    }

    pub(super) fn mark_all(&mut self) {
        self.marked.fill(true);
        self.left = 0;
    }

    /// Marked workloads: with an agent, and without.
    pub(super) fn count(&self) -> (usize, usize) {
        let marked = self.workloads.iter().zip(&self.marked).filter(|(_, m)| **m);
        let managed =
            |o: &Obj| o.doc.is("managed") || matches!(o.doc.get("ven"), Some(Val::Obj(_)));
        marked.fold(
            (0, 0),
            |(a, b), ((obj, _), _)| {
                if managed(obj) { (a + 1, b) } else { (a, b + 1) }
            },
        )
    }

    /// Marks the workloads at both ends of a rule as it is in a state of the policy.
    pub(super) fn rule(&mut self, policy: Policy<'_>, (kind, id): (Kind, Id)) {
        let Some(rule) = policy.get(kind, id).filter(|_| self.left > 0) else { return };
        if !rule.doc.is("enabled") {
            return;
        }
        let mut scopes = vec![Vec::new()];
        if let Some(parent) = rule.parent {
            match policy.get(Kind::RuleSet, parent).filter(|s| s.doc.is("enabled")) {
                Some(set) => scopes = self.scopes(policy, set),
                None => return,
            }
        }
        let free = rule.doc.is("unscoped_consumers");
        for scope in scopes {
            let open = Vec::new();
            if kind == Kind::IpTablesRule {
                let end = self.end(policy, (rule, "actors", &scope));
                self.mark(end);
                continue;
            }
            let provider = self.end(policy, (rule, "providers", &scope));
            let consumer = self.end(policy, (rule, "consumers", if free { &open } else { &scope }));
            if self.some(&provider) && self.some(&consumer) {
                self.mark(provider);
                self.mark(consumer);
            }
        }
    }

    /// Each scope as conditions; one that can match nothing is left out.
    fn scopes(&self, policy: Policy<'_>, set: &Obj) -> Vec<Selector> {
        let scopes = set.doc.list("scopes");
        if scopes.is_empty() {
            return vec![Vec::new()];
        }
        scopes.iter().map(|scope| self.conditions(policy, scope.items().iter())).collect()
    }

    /// Label and label group entries as one condition for each key.
    fn conditions<'v>(
        &self,
        policy: Policy<'_>,
        entries: impl Iterator<Item = &'v Val>,
    ) -> Selector {
        let mut keys: BTreeMap<Box<str>, Named> = BTreeMap::new();
        for entry in entries {
            if let Some(dimension) = entry.str("label_dimension") {
                keys.entry(dimension.into()).or_default();
            }
            let Some((key, labels)) = self.named(policy, entry) else { continue };
            let named = keys.entry(key).or_default();
            match entry.is("exclusion") {
                true => named.none.extend(labels),
                false => named.any.get_or_insert_default().extend(labels),
            }
        }
        let condition = |(key, named): (Box<str>, Named)| Condition {
            key,
            any: named.any.map(|a| a.into_iter().collect()),
            none: named.none.into_iter().collect(),
        };
        keys.into_iter().map(condition).collect()
    }

    /// The key and the labels of an entry that names a label or a label group.
    fn named(&self, policy: Policy<'_>, entry: &Val) -> Option<(Box<str>, Vec<Id>)> {
        if let Some((_, id)) = entry.get("label").and_then(Val::target) {
            return Some((self.keys.get(&id).cloned().unwrap_or_default(), vec![id]));
        }
        let (kind, id) = entry.get("label_group").and_then(Val::target)?;
        let key = policy.get(kind, id)?.doc.str("key").unwrap_or_default().into();
        let (mut found, mut seen, mut todo) = (Vec::new(), BTreeSet::new(), vec![id]);
        while let Some(id) = todo.pop() {
            let Some(group) = policy.get(kind, id).filter(|_| seen.insert(id)) else { continue };
            found.extend(labels(&group.doc));
            todo.extend(group.doc.list("sub_groups").iter().filter_map(Val::target).map(|t| t.1));
        }
        Some((key, found))
    }

    fn end(&self, policy: Policy<'_>, (rule, side, scope): (&Obj, &str, &Selector)) -> End {
        let mut out = End::default();
        let entries = rule.doc.list(side);
        let by_label = self.conditions(policy, entries.iter());
        let mut select =
            |own: Selector| out.selectors.push(own.into_iter().chain(scope.clone()).collect());
        let resolve = rule.doc.get("resolve_labels_as").map(|r| r.list(side));
        let as_what =
            |what: &str| resolve.is_none_or(|r| r.iter().any(|v| v.as_str() == Some(what)));
        let everybody = entries.iter().any(|e| e.str("actors") == Some("ams"));
        if as_what("workloads") {
            if !by_label.is_empty() {
                select(by_label.clone());
            } else if everybody {
                select(Vec::new());
            }
        }
        if resolve.is_some() && as_what("virtual_services") && !by_label.is_empty() {
            let all: Selector = by_label.into_iter().chain(scope.clone()).collect();
            let services = self.world.objects(Side::Active, Kind::VirtualService);
            for service in services.filter(|s| self.matches(&labels(&s.doc), &all)) {
                self.bound(service.id, &mut out);
            }
        }
        for entry in entries {
            if let Some((_, id)) = entry.get("workload").and_then(Val::target) {
                let n = self.by_id.get(&id).copied();
                let inside =
                    |n: &usize| self.workloads.get(*n).is_some_and(|(_, l)| self.matches(l, scope));
                out.workloads.extend(n.filter(inside));
            } else if let Some((_, id)) = entry.get("virtual_service").and_then(Val::target) {
                self.bound(id, &mut out);
            } else if entry.get("ip_list").is_some() || entry.get("virtual_server").is_some() {
                out.others = true;
            }
        }
        out
    }

    /// Adds the workloads that are bound to a virtual service.
    fn bound(&self, service: Id, out: &mut End) {
        out.others = true;
        let target = (Kind::VirtualService, service);
        for id in self.world.referrers_of(Side::Draft, target, Kind::ServiceBinding) {
            let binding = self.world.get(Kind::ServiceBinding, id);
            let workload = binding.and_then(|b| b.doc.get("workload")?.target());
            out.workloads.extend(workload.and_then(|(_, id)| self.by_id.get(&id).copied()));
        }
    }

    fn some(&mut self, end: &End) -> bool {
        end.others || !end.workloads.is_empty() || end.selectors.iter().any(|s| self.any(s))
    }

    fn any(&mut self, selector: &Selector) -> bool {
        if let Some(known) = self.exists.get(selector) {
            return *known;
        }
        let found = self.matching(selector).next().is_some();
        self.exists.insert(selector.clone(), found);
        found
    }

    fn mark(&mut self, end: End) {
        let mut hits = end.workloads;
        for selector in end.selectors {
            if self.done.contains(&selector) {
                continue;
            }
            hits.extend(self.matching(&selector));
            self.done.insert(selector);
        }
        for n in hits {
            if let Some(mark) = self.marked.get_mut(n).filter(|m| !**m) {
                *mark = true;
                self.left -= 1;
            }
        }
    }

    /// The workloads of a selector, from the condition that fewest meet.
    fn matching<'s>(&'s self, selector: &'s Selector) -> Box<dyn Iterator<Item = usize> + 's> {
        let lists = |c: &'s Condition| -> Vec<&'s [usize]> {
            match &c.any {
                Some(any) => {
                    any.iter().filter_map(|l| Some(self.by_label.get(l)?.as_slice())).collect()
                }
                None => self.by_key.get(&c.key).map(Vec::as_slice).into_iter().collect(),
            }
        };
        let smallest =
            selector.iter().map(lists).min_by_key(|l| l.iter().map(|p| p.len()).sum::<usize>());
        let Some(smallest) = smallest else { return Box::new(0..self.workloads.len()) };
        let hits = smallest.into_iter().flatten().copied();
        Box::new(hits.filter(|n| {
            self.workloads.get(*n).is_some_and(|(_, labels)| self.matches(labels, selector))
        }))
    }

    fn matches(&self, labels: &[Id], selector: &Selector) -> bool {
        selector.iter().all(|c| {
            labels.iter().any(|l| match &c.any {
                Some(any) => any.contains(l) && !c.none.contains(l),
                None => self.keys.get(l) == Some(&c.key) && !c.none.contains(l),
            })
        })
    }
}
