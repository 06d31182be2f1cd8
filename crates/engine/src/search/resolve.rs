//! Rules that would act on what is searched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{Actor, Resolve, Scope, ScopeEntry, ScopeTarget, Snapshot};
use roaring::RoaringBitmap;

use super::index::RuleIndex;
use super::postings::SideIndex;

/// Labels by key: what a searched workload carries.
type Carried = BTreeMap<Arc<str>, Id>;

/// Every group that holds a label, through sub-groups too.
fn groups_with(snapshot: &Snapshot, label: Id) -> Vec<Id> {
    let mut found: BTreeSet<Id> = BTreeSet::new();
    loop {
        let before = found.len();
        for (id, group) in &snapshot.label_groups {
            let holds = group.labels.contains(&label)
                || group.sub_groups.iter().any(|sub| found.contains(sub));
            if holds {
                found.insert(*id);
            }
        }
        if found.len() == before {
            // R-DANGLING: members of another key than the group's do not count.
            let key = snapshot.labels.get(&label).map(|l| &l.key);
            let of_key = |id: &Id| snapshot.label_groups.get(id).map(|g| &g.key) == key;
            return found.into_iter().filter(of_key).collect();
        }
    }
}

/// Whether every group below a group exists.
pub(super) fn is_complete(snapshot: &Snapshot, group: Id) -> bool {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![group]);
    while let Some(id) = todo.pop() {
        match snapshot.label_groups.get(&id) {
            Some(group) if seen.insert(id) => todo.extend(&group.sub_groups),
            Some(_) => {}
            None => return false,
        }
    }
    true
}

/// Every label of a group, through sub-groups too.
pub(crate) fn labels_of(snapshot: &Snapshot, group: Id) -> BTreeSet<Id> {
    let (mut labels, mut seen, mut todo) = (BTreeSet::new(), BTreeSet::new(), vec![group]);
    while let Some(id) = todo.pop() {
        if let (true, Some(group)) = (seen.insert(id), snapshot.label_groups.get(&id)) {
            labels.extend(&group.labels);
            todo.extend(&group.sub_groups);
        }
    }
    labels
}

/// A question to one side of the rules.
pub(super) struct Ask<'a> {
    pub(super) index: &'a RuleIndex,
    pub(super) snapshot: &'a Snapshot,
    pub(super) side: &'a SideIndex,
    /// True for consumers, which a rule may leave unscoped.
    pub(super) consumers: bool,
    /// What searched labels mean.
    pub(super) labels_as: Resolve,
}

impl Ask<'_> {
    /// Rules that would act on all of the actors.
    pub(super) fn matching(&self, actors: &[Actor]) -> RoaringBitmap {
        let mut found = self.index.all().clone();
        let mut shapes = vec![Carried::new()];
        let mut labelled = false;
        for actor in actors {
            match actor {
                Actor::Label { id, .. } => {
                    labelled = true;
                    self.carry(&mut shapes, &BTreeSet::from([*id]));
                }
                Actor::LabelGroup { id, .. } => {
                    labelled = true;
                    self.carry(&mut shapes, &labels_of(self.snapshot, *id));
                }
                Actor::Workload(id) => found &= self.workload(*id),
                Actor::VirtualService(id) => found &= self.virtual_service(*id),
                Actor::IpList(id) => found &= self.ip_list(*id),
                other => found &= self.side.listing(other),
            }
        }
        if labelled {
            found &= shapes.iter().fold(RoaringBitmap::new(), |all, s| all | self.some_workload(s));
        }
        found
    }

    /// Every way to add one of the labels to each shape; two labels of one key are alternatives.
    fn carry(&self, shapes: &mut Vec<Carried>, labels: &BTreeSet<Id>) {
        let mut out = Vec::new();
        for id in labels {
            let Some(label) = self.snapshot.labels.get(id) else { continue };
            for shape in shapes.iter() {
                let mut shape = shape.clone();
                shape.insert(Arc::clone(&label.key), *id);
                if !out.contains(&shape) {
                    out.push(shape);
                }
            }
        }
        // Two labels of one key: keep the shapes made before beside those of this label.
        let replaced = labels.iter().filter_map(|id| self.snapshot.labels.get(id));
        let replaced: BTreeSet<&str> = replaced.map(|l| &*l.key).collect();
        out.extend(shapes.iter().filter(|s| s.keys().any(|k| replaced.contains(&**k))).cloned());
        *shapes = out;
    }

    /// Rules that act on some workload with these labels, whatever others it has.
    fn some_workload(&self, shape: &Carried) -> RoaringBitmap {
        let mut found = &self.side.everything | &self.side.conditional;
        let keys = |key: &str| key.is_empty() || shape.contains_key(key);
        for condition in self.side.conditions(self.snapshot, keys) {
            if condition.key.is_empty() {
                found -= condition.any & &self.side.conditional;
            } else if let Some(label) = shape.get(&*condition.key) {
                let groups = groups_with(self.snapshot, *label);
                let met = condition.met(self.side, *label, &groups);
                found -= (&condition.any - met) & &self.side.conditional;
            }
        }
        let mut kinds = RoaringBitmap::new();
        if self.labels_as.workloads {
            kinds |= self.index.to_workloads(self.consumers);
        }
        if self.labels_as.virtual_services {
            kinds |= self.index.to_virtual_services(self.consumers);
        }
        found &= kinds;
        // Some workload with the labels may host containers.
        found |= self.side.listing(&Actor::ContainerHosts);
        for (actor, rules) in &self.side.named {
            let Actor::Workload(id) = actor else { continue };
            let Some(workload) = self.snapshot.workloads.get(id) else { continue };
            if shape.values().all(|label| workload.labels.contains(label)) {
                found |= rules;
            }
        }
        found & self.in_scope(shape, false)
    }

    /// Rules that act on a thing with exactly these labels.
    fn exactly(&self, carried: &Carried) -> RoaringBitmap {
        let mut found = &self.side.everything | &self.side.conditional;
        for condition in self.side.conditions(self.snapshot, |_| true) {
            let met = match carried.get(&*condition.key) {
                Some(label) => {
                    condition.met(self.side, *label, &groups_with(self.snapshot, *label))
                }
                None => RoaringBitmap::new(),
            };
            found -= (condition.any - met) & &self.side.conditional;
        }
        found
    }

    fn carried(&self, labels: &[Id]) -> Carried {
        let label = |id: &Id| Some((Arc::clone(&self.snapshot.labels.get(id)?.key), *id));
        labels.iter().filter_map(label).collect()
    }

    fn workload(&self, id: Id) -> RoaringBitmap {
        let Some(workload) = self.snapshot.workloads.get(&id) else { return RoaringBitmap::new() };
        let carried = self.carried(&workload.labels);
        let mut found = self.exactly(&carried) & self.index.to_workloads(self.consumers);
        if workload.container_host {
            found |= self.side.listing(&Actor::ContainerHosts);
        }
        found |= self.side.listing(&Actor::Workload(id));
        found & self.in_scope(&carried, true)
    }

    fn virtual_service(&self, id: Id) -> RoaringBitmap {
        let Some(service) = self.snapshot.virtual_services.get(&id) else {
            return RoaringBitmap::new();
        };
        let carried = self.carried(&service.labels);
        let found = self.exactly(&carried) & self.index.to_virtual_services(self.consumers);
        (found | self.side.listing(&Actor::VirtualService(id))) & self.in_scope(&carried, true)
    }

    /// Rules with a list that holds every address of this one.
    fn ip_list(&self, id: Id) -> RoaringBitmap {
        let Some(wanted) = self.snapshot.ip_lists.get(&id) else { return RoaringBitmap::new() };
        let covers = |other: &Id| {
            let list = self.snapshot.ip_lists.get(other);
            *other == id
                || list.is_some_and(|l| {
                    !wanted.addresses.is_empty() && l.addresses.contains_set(&wanted.addresses)
                })
        };
        let named = self.side.named.iter().filter_map(|(actor, rules)| match actor {
            Actor::IpList(other) if covers(other) => Some(rules),
            _ => None,
        });
        named.fold(RoaringBitmap::new(), |all, rules| all | rules)
    }

    /// Rules whose rule set has a scope for a thing with these labels; `whole` when it has no others.
    fn in_scope(&self, carried: &Carried, whole: bool) -> RoaringBitmap {
        let mut found = self.index.unscoped(self.consumers);
        for (id, rules) in self.index.by_rule_set() {
            let Some(set) = self.snapshot.rule_sets.get(id) else { continue };
            let open = set.scopes.is_empty();
            if open || set.scopes.iter().any(|scope| self.scope_holds(scope, carried, whole)) {
                found |= rules;
            }
        }
        found
    }

    fn scope_holds(&self, scope: &Scope, carried: &Carried, whole: bool) -> bool {
        let mut keys: BTreeMap<&str, (Vec<Id>, Vec<Id>, bool)> = BTreeMap::new();
        for ScopeEntry { target, exclusion } in scope {
            let (key, labels): (&str, Vec<Id>) = match target {
                ScopeTarget::Label(id) => match self.snapshot.labels.get(id) {
                    Some(label) => (&label.key, vec![*id]),
                    None => return false,
                },
                ScopeTarget::LabelGroup(id) => match self.snapshot.label_groups.get(id) {
                    Some(_) if *exclusion && !is_complete(self.snapshot, *id) => return false,
                    Some(group) => {
                        (&group.key, labels_of(self.snapshot, *id).into_iter().collect())
                    }
                    None => return false,
                },
            };
            let (include, exclude, includes) = keys.entry(key).or_default();
            if *exclusion {
                exclude.extend(labels);
            } else {
                include.extend(labels);
                *includes = true;
            }
        }
        keys.iter().all(|(key, (include, exclude, includes))| match carried.get(*key) {
            Some(label) => (!includes || include.contains(label)) && !exclude.contains(label),
            None => !whole && (!includes || include.iter().any(|l| !exclude.contains(l))),
        })
    }
}
