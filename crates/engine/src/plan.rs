//! What a list of changes touches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AllowRule, Change, DenyRule, IpList, RuleKey, RuleRef, ScopeEntry, ScopeTarget,
    ServiceBinding, ServiceRef, VirtualService,
};
use bulkhead_netset::IpSet;

use crate::engine::Engine;
use crate::expand::Source;
use crate::sets::Before;

/// An object that a rule can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Ref {
    Label(Id),
    Group(Id),
    List(Id),
    Service(Id),
    VirtualService(Id),
    Server(Id),
    Workload(Id),
}

/// What a list of changes touches.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Workloads to be put into their classes again, as they were.
    pub(crate) hosts: BTreeMap<Id, Before>,
    pub(crate) rules: BTreeSet<RuleRef>,
    pub(crate) customs: BTreeSet<RuleKey>,
    /// Virtual services whose bindings changed.
    pub(crate) bindings: BTreeSet<Id>,
    /// Addresses of objects as they were.
    pub(crate) fixed: BTreeMap<Source, Arc<IpSet>>,
    /// True when a label's key or existence, or what a label group holds, changed.
    pub(crate) names_changed: bool,
    pub(crate) settings: bool,
    /// True when every table says something else about IPsec.
    pub(crate) ike: bool,
    refs: BTreeSet<Ref>,
    /// Workloads that something came to name, or ceased to.
    pins: BTreeSet<Id>,
    labels: BTreeSet<Id>,
    groups: BTreeSet<Id>,
}

impl Plan {
    /// What a source held before the changes, when an object that it reads changed.
    pub(crate) fn old_content(&self, source: &Source) -> Option<Arc<IpSet>> {
        match source {
            Source::Overrides(id, _) => {
                let plain = Source::Overrides(*id, <_>::default());
                self.fixed.get(&plain).cloned()
            }
            Source::Address(id, _) => {
                // A place that did not exist held nothing.
                let known = self.fixed.contains_key(&Source::Overrides(*id, <_>::default()));
                known.then(|| self.fixed.get(source).cloned().unwrap_or_default())
            }
            _ => self.fixed.get(source).cloned(),
        }
    }

    fn keep(&mut self, source: Source, content: Option<Arc<IpSet>>) {
        self.fixed.entry(source).or_insert_with(|| content.unwrap_or_default());
    }

    fn keep_service(&mut self, id: Id, old: Option<&Arc<VirtualService>>) {
        let plain = Source::Overrides(id, <_>::default());
        if self.fixed.contains_key(&plain) {
            return;
        }
        self.keep(plain, old.map(|vs| Arc::clone(&vs.ip_overrides)));
        for (place, (set, _)) in old.iter().flat_map(|vs| vs.addresses.iter().enumerate()) {
            self.keep(Source::Address(id, place), Some(Arc::clone(set)));
        }
    }
}

/// What makes rules that name a list say something else.
fn list_shape(list: Option<&Arc<IpList>>) -> Option<(bool, bool, &Vec<Arc<str>>)> {
    list.map(|l| (l.addresses.is_all(), l.addresses.is_empty(), &l.fqdns))
}

impl Engine {
    /// Takes changes into the snapshot, the names, the bindings and the counts of mentions, and finds what
    /// must be computed again.
    pub(crate) fn plan(&mut self, changes: &[Change]) -> Plan {
        let mut plan = Plan::default();
        for change in changes {
            self.note(change, &mut plan);
            self.snapshot.apply(change);
        }
        self.rename(&mut plan);
        self.name_dirty_rules(&mut plan);
        let pins = std::mem::take(&mut plan.pins);
        pins.into_iter().for_each(|id| self.before(id, &mut plan));
        plan
    }

    /// Notes what one change touches, before it is in the snapshot.
    fn note(&mut self, change: &Change, plan: &mut Plan) {
        match change {
            Change::Label(id, _) => {
                plan.labels.insert(*id);
            }
            Change::LabelGroup(id, _) => {
                plan.groups.insert(*id);
            }
            Change::Workload(id, new) => {
                self.before(*id, plan);
                if self.snapshot.workloads.contains_key(id) != new.is_some() {
                    self.note_existence(*id, plan);
                }
            }
            Change::IpList(id, new) => {
                let old = self.snapshot.ip_lists.get(id);
                if list_shape(old) != list_shape(new.as_ref()) {
                    plan.refs.insert(Ref::List(*id));
                }
                plan.keep(Source::List(*id), old.map(|l| Arc::clone(&l.addresses)));
            }
            Change::Service(id, _) => self.note_service(*id, plan),
            Change::VirtualService(id, _) => {
                plan.keep_service(*id, self.snapshot.virtual_services.get(id));
                plan.refs.insert(Ref::VirtualService(*id));
            }
            Change::VirtualServer(id, _) => {
                let old = self.snapshot.virtual_servers.get(id).and_then(|s| s.address);
                plan.keep(Source::Server(*id), Some(Arc::new(old.into_iter().collect())));
                plan.refs.insert(Ref::Server(*id));
            }
            Change::Binding(id, new) => self.note_binding(*id, new.as_ref(), plan),
            Change::RuleSet(id, _) => self.note_rule_set(*id, plan),
            Change::Essential(id, _) => {
                let old = self.snapshot.essential.get(id).and_then(|r| r.peers.clone());
                plan.keep(Source::Essential(*id), old);
                plan.rules.insert(RuleRef::Essential(*id));
            }
            Change::Settings(new) => {
                plan.settings = true;
                plan.ike |= new.ike != self.snapshot.settings.ike;
            }
            Change::AllowRule(..)
            | Change::DenyRule(..)
            | Change::IpTablesRule(..)
            | Change::Boundary(..) => self.note_rule(change, plan),
        }
    }

    fn note_rule(&mut self, change: &Change, plan: &mut Plan) {
        fn allow(rule: &Arc<AllowRule>) -> Vec<Actor> {
            rule.providers.iter().chain(&rule.consumers).cloned().collect()
        }
        fn deny(rule: &Arc<DenyRule>) -> Vec<Actor> {
            rule.providers.iter().chain(&rule.consumers).cloned().collect()
        }
        let snapshot = &self.snapshot;
        let (old, new) = match change {
            Change::AllowRule(key, new) => {
                plan.rules.insert(RuleRef::Allow(*key));
                (snapshot.allow_rules.get(key).map(allow), new.as_ref().map(allow))
            }
            Change::DenyRule(key, new) => {
                plan.rules.insert(RuleRef::Deny(*key));
                (snapshot.deny_rules.get(key).map(deny), new.as_ref().map(deny))
            }
            Change::Boundary(id, new) => {
                plan.rules.insert(RuleRef::Boundary(*id));
                (snapshot.boundaries.get(id).map(deny), new.as_ref().map(deny))
            }
            Change::IpTablesRule(key, new) => {
                plan.customs.insert(*key);
                let old = snapshot.ip_tables_rules.get(key).map(|r| r.actors.clone());
                (old, new.as_ref().map(|r| r.actors.clone()))
            }
            _ => return,
        };
        for actor in new.iter().flatten() {
            self.names.put_actor(actor);
            if let Actor::Workload(id) = actor {
                *self.mentions.entry(*id).or_default() += 1;
                plan.pins.insert(*id);
            }
        }
        for actor in old.iter().flatten() {
            if let Actor::Workload(id) = actor
                && let Some(count) = self.mentions.get_mut(id)
            {
                plan.pins.insert(*id);
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.mentions.remove(id);
                }
            }
        }
    }

    /// What depends on whether a workload exists: complements of sides that name it (R-ALL-IPS-EXCEPT), and
    /// addresses that stand for bound workloads (R-VS-PROVIDER).
    fn note_existence(&self, id: Id, plan: &mut Plan) {
        if self.mentions.contains_key(&id) {
            plan.refs.insert(Ref::Workload(id));
        }
        let services = self.bound.get(&id).into_iter().flatten();
        plan.refs.extend(services.map(|service| Ref::VirtualService(*service)));
    }

    fn note_service(&self, id: Id, plan: &mut Plan) {
        plan.refs.insert(Ref::Service(id));
        let users = self.snapshot.virtual_services.iter().filter(|(_, vs)| vs.service == Some(id));
        plan.refs.extend(users.map(|(id, _)| Ref::VirtualService(*id)));
    }

    fn note_binding(&mut self, id: Id, new: Option<&Arc<ServiceBinding>>, plan: &mut Plan) {
        let old = self.snapshot.bindings.get(&id).cloned();
        for binding in old.iter().chain(new) {
            self.before(binding.workload, plan);
            plan.bindings.insert(binding.virtual_service);
            plan.refs.insert(Ref::VirtualService(binding.virtual_service));
        }
        if let Some(old) = old {
            if let Some(all) = self.bindings.get_mut(&old.virtual_service) {
                if let Some(at) = all.iter().position(|b| *b == old) {
                    all.swap_remove(at);
                }
                if all.is_empty() {
                    self.bindings.remove(&old.virtual_service);
                }
            }
            if let Some(all) = self.bound.get_mut(&old.workload) {
                if let Some(at) = all.iter().position(|s| *s == old.virtual_service) {
                    all.swap_remove(at);
                }
                if all.is_empty() {
                    self.bound.remove(&old.workload);
                }
            }
        }
        if let Some(new) = new {
            self.bindings.entry(new.virtual_service).or_default().push(Arc::clone(new));
            self.bound.entry(new.workload).or_default().push(new.virtual_service);
        }
    }

    fn note_rule_set(&self, id: Id, plan: &mut Plan) {
        let all = (id, Id::from_bytes([0; 16]))..=(id, Id::from_bytes([u8::MAX; 16]));
        let snapshot = &self.snapshot;
        let allow = snapshot.allow_rules.range(all.clone()).map(|(key, _)| RuleRef::Allow(*key));
        plan.rules.extend(allow);
        let deny = snapshot.deny_rules.range(all.clone()).map(|(key, _)| RuleRef::Deny(*key));
        plan.rules.extend(deny);
        plan.customs.extend(snapshot.ip_tables_rules.range(all).map(|(key, _)| *key));
        // A rule that comes in the same list of changes notes itself.
    }

    /// Keeps a workload as it was before the first change.
    pub(crate) fn before(&self, id: Id, plan: &mut Plan) {
        plan.hosts.entry(id).or_insert_with(|| Before::new(self, id));
    }

    /// Brings labels and groups up to date and notes who depends on them.
    fn rename(&mut self, plan: &mut Plan) {
        let mut changed: BTreeSet<Id> = BTreeSet::new();
        let mut carriers: BTreeSet<Id> = BTreeSet::new();
        for id in &std::mem::take(&mut plan.labels) {
            let old = self.names.label(*id);
            let label = self.snapshot.labels.get(id).cloned();
            if !self.names.put_label(*id, label.as_ref()) {
                continue;
            }
            changed.insert(*id);
            plan.refs.insert(Ref::Label(*id));
            let classes = old.and_then(|name| self.hosts.by_label.get(&name.ix));
            let classes = classes.into_iter().flatten().filter_map(|ix| self.hosts.classes.get(ix));
            let members = classes.flat_map(|c| &c.members).filter_map(|m| self.hosts.rows.get(*m));
            carriers.extend(members.map(|host| host.id));
            if self.hosts.unknown.contains_key(id) {
                let rows = self.hosts.rows.iter();
                let carry = rows.filter(|(_, host)| host.workload.labels.contains(id));
                carriers.extend(carry.map(|(_, host)| host.id));
            }
            if old.is_none() != label.is_none() {
                self.recount_unknown(*id, label.is_some());
            }
            self.services_with_label(*id, plan);
        }
        carriers.into_iter().for_each(|id| self.before(id, plan));
        if !changed.is_empty() || !plan.groups.is_empty() {
            let known = self.snapshot.label_groups.keys().copied();
            let all: BTreeSet<Id> = known.chain(plan.groups.iter().copied()).collect();
            let groups = all.into_iter().filter(|id| self.names.put_group(*id, &self.snapshot));
            let groups: Vec<Ref> = groups.map(Ref::Group).collect();
            plan.names_changed = !groups.is_empty() || !changed.is_empty();
            plan.refs.extend(groups);
        }
    }

    /// Counts the carriers of a label that came into being or ceased to be.
    fn recount_unknown(&mut self, id: Id, exists: bool) {
        if exists {
            self.hosts.unknown.remove(&id);
            return;
        }
        let rows = self.hosts.rows.iter();
        let carry = rows.filter(|(_, host)| host.workload.labels.contains(&id)).count();
        self.hosts.unknown.insert(id, u32::try_from(carry).unwrap_or(u32::MAX));
    }

    /// Virtual services and servers are judged by their labels too.
    fn services_with_label(&self, id: Id, plan: &mut Plan) {
        let snapshot = &self.snapshot;
        let services = snapshot.virtual_services.iter().filter(|(_, vs)| vs.labels.contains(&id));
        plan.refs.extend(services.map(|(id, _)| Ref::VirtualService(*id)));
        let servers = snapshot.virtual_servers.iter().filter(|(_, s)| s.labels.contains(&id));
        plan.refs.extend(servers.map(|(id, _)| Ref::Server(*id)));
    }

    /// Notes every rule that names an object that changed.
    fn name_dirty_rules(&self, plan: &mut Plan) {
        if plan.refs.is_empty() {
            return;
        }
        let refs = &plan.refs;
        let services_changed = refs.iter().any(|r| matches!(r, Ref::VirtualService(_)));
        let named = |actors: &[Actor]| {
            actors.iter().any(|a| actor_ref(a).is_some_and(|r| refs.contains(&r)))
        };
        let dimensions = refs.iter().any(|r| matches!(r, Ref::Label(_) | Ref::Group(_)));
        let dimension = |actors: &[Actor]| {
            dimensions && actors.iter().any(|a| matches!(a, Actor::Dimension(_)))
        };
        let offered = |services: &[ServiceRef]| {
            services
                .iter()
                .any(|s| matches!(s, ServiceRef::Service(id) if refs.contains(&Ref::Service(*id))))
        };
        let egress = |ids: &[Id]| ids.iter().any(|id| refs.contains(&Ref::Service(*id)));
        let scope_entry = |e: &ScopeEntry| match e.target {
            ScopeTarget::Label(id) => refs.contains(&Ref::Label(id)),
            ScopeTarget::LabelGroup(id) => refs.contains(&Ref::Group(id)),
        };
        let sets = self.snapshot.rule_sets.iter();
        let scoped = sets.filter(|(_, set)| set.scopes.iter().flatten().any(scope_entry));
        let scoped: BTreeSet<Id> = scoped.map(|(id, _)| *id).collect();
        let mut rules = BTreeSet::new();
        for (key, rule) in &self.snapshot.allow_rules {
            let sides = [&rule.providers, &rule.consumers];
            let resolves =
                rule.resolve_providers.virtual_services || rule.resolve_consumers.virtual_services;
            if scoped.contains(&key.0)
                || sides.iter().any(|side| named(side) || dimension(side))
                || (resolves && services_changed)
                || offered(&rule.services)
                || egress(&rule.egress_services)
            {
                rules.insert(RuleRef::Allow(*key));
            }
        }
        let denies =
            self.snapshot.deny_rules.iter().map(|(key, r)| (RuleRef::Deny(*key), Some(key.0), r));
        let boundaries =
            self.snapshot.boundaries.iter().map(|(id, r)| (RuleRef::Boundary(*id), None, r));
        for (rule_ref, set, rule) in denies.chain(boundaries) {
            let sides = [&rule.providers, &rule.consumers];
            if set.is_some_and(|set| scoped.contains(&set))
                || sides.iter().any(|side| named(side) || dimension(side))
                || offered(&rule.services)
                || egress(&rule.egress_services)
            {
                rules.insert(rule_ref);
            }
        }
        let tables = self.snapshot.ip_tables_rules.iter();
        let tables = tables.filter(|(key, rule)| {
            scoped.contains(&key.0) || named(&rule.actors) || dimension(&rule.actors)
        });
        let customs: Vec<RuleKey> = tables.map(|(key, _)| *key).collect();
        plan.customs.extend(customs);
        plan.rules.extend(rules);
    }
}

/// What an actor names.
pub(crate) const fn actor_ref(actor: &Actor) -> Option<Ref> {
    match actor {
        Actor::Label { id, .. } => Some(Ref::Label(*id)),
        Actor::LabelGroup { id, .. } => Some(Ref::Group(*id)),
        Actor::IpList(id) => Some(Ref::List(*id)),
        Actor::Workload(id) => Some(Ref::Workload(*id)),
        Actor::VirtualService(id) => Some(Ref::VirtualService(*id)),
        Actor::VirtualServer(id) => Some(Ref::Server(*id)),
        Actor::AllWorkloads | Actor::ContainerHosts | Actor::Dimension(_) => None,
    }
}
