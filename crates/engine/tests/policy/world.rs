//! Small worlds in few words.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_engine::Engine;
use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AllowRule, Decision, DenyRule, Flow, FlowEnd, Interface, IpList, Label, LabelGroup,
    Mode, RuleRef, RuleSet, Scope, ScopeEntry, ScopeTarget, ServiceRef, Snapshot, Workload,
};
use bulkhead_netset::{IpRange, ProtoPorts, ServiceSet};

/// The rule set that rules go to unless a test says otherwise.
pub(crate) const SET: Id = Id::int(1);

#[derive(Default)]
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    names: BTreeMap<String, Id>,
    next: u64,
}

impl World {
    /// A world with one open rule set.
    pub(crate) fn new() -> Self {
        let mut world = Self { next: 100, ..Self::default() };
        world.rule_set(SET, Vec::new());
        world
    }

    pub(crate) fn id(&mut self, name: &str) -> Id {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        self.next += 1;
        self.names.insert(name.to_owned(), Id::int(self.next));
        Id::int(self.next)
    }

    /// A label `key:value`, made when first named.
    pub(crate) fn label(&mut self, text: &str) -> Id {
        let id = self.id(text);
        let (key, value) = text.split_once(':').unwrap();
        let label = Label { key: key.into(), value: value.into() };
        self.snapshot.labels.insert(id, Arc::new(label));
        id
    }

    pub(crate) fn group(&mut self, name: &str, key: &str, labels: &[&str]) -> Id {
        let id = self.id(name);
        let labels = labels.iter().map(|l| self.label(l)).collect();
        let group = LabelGroup { key: key.into(), labels, sub_groups: Vec::new() };
        self.snapshot.label_groups.insert(id, Arc::new(group));
        id
    }

    /// A managed workload in full enforcement with one address on `eth0`.
    pub(crate) fn workload(&mut self, name: &str, address: &str, labels: &str) -> Id {
        let id = self.id(name);
        let mut labels: Vec<Id> = labels.split_whitespace().map(|l| self.label(l)).collect();
        labels.sort();
        let interface = Interface {
            name: "eth0".into(),
            address: address.parse().unwrap(),
            prefix: Some(24),
            network: None,
            ignored: false,
        };
        let workload = Workload {
            labels,
            interfaces: vec![interface],
            mode: Mode::Full,
            managed: true,
            ..Workload::default()
        };
        self.snapshot.workloads.insert(id, Arc::new(workload));
        id
    }

    pub(crate) fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Workload)) {
        let id = self.id(name);
        let mut workload = (*self.snapshot.workloads[&id]).clone();
        edit(&mut workload);
        self.snapshot.workloads.insert(id, Arc::new(workload));
    }

    pub(crate) fn list(&mut self, name: &str, ranges: &[&str], names: &[&str]) -> Id {
        let id = self.id(name);
        let ranges = ranges.iter().map(|r| r.parse::<IpRange>().unwrap());
        let list = IpList {
            addresses: Arc::new(ranges.collect()),
            fqdns: names.iter().map(|n| (*n).into()).collect(),
        };
        self.snapshot.ip_lists.insert(id, Arc::new(list));
        id
    }

    pub(crate) fn rule_set(&mut self, id: Id, scopes: Vec<Scope>) {
        self.snapshot.rule_sets.insert(id, Arc::new(RuleSet { enabled: true, scopes }));
    }

    /// A scope of labels; `!key:value` is an exclusion.
    pub(crate) fn scope(&mut self, text: &str) -> Scope {
        let entry = |world: &mut Self, word: &str| {
            let (exclusion, word) = match word.strip_prefix('!') {
                Some(word) => (true, word),
                None => (false, word),
            };
            let target = match word.contains(':') {
                true => ScopeTarget::Label(world.label(word)),
                false => ScopeTarget::LabelGroup(world.id(word)),
            };
            ScopeEntry { target, exclusion }
        };
        text.split_whitespace().map(|word| entry(self, word)).collect()
    }

    /// Actors: `ams`, `key:value`, `!key:value`, `lg/NAME`, `!lg/NAME`, `wl/NAME`, `ipl/NAME`, `vs/NAME`,
    /// `server/NAME`, `dim/KEY`.
    pub(crate) fn actors(&mut self, text: &str) -> Vec<Actor> {
        text.split_whitespace().map(|word| self.actor(word)).collect()
    }

    fn actor(&mut self, word: &str) -> Actor {
        let (exclusion, word) = match word.strip_prefix('!') {
            Some(word) => (true, word),
            None => (false, word),
        };
        match word.split_once('/') {
            Some(("lg", name)) => Actor::LabelGroup { id: self.id(name), exclusion },
            Some(("wl", name)) => Actor::Workload(self.id(name)),
            Some(("ipl", name)) => Actor::IpList(self.id(name)),
            Some(("vs", name)) => Actor::VirtualService(self.id(name)),
            Some(("server", name)) => Actor::VirtualServer(self.id(name)),
            Some(("dim", key)) => Actor::Dimension(key.into()),
            Some(_) => panic!("{word}"),
            None if word == "ams" => Actor::AllWorkloads,
            None if word == "hosts" => Actor::ContainerHosts,
            None => Actor::Label { id: self.label(word), exclusion },
        }
    }

    /// An allow rule on TCP port 443 of rule set [`SET`].
    pub(crate) fn allow(&mut self, providers: &str, consumers: &str) -> RuleRef {
        self.allow_with(providers, consumers, |_| {})
    }

    pub(crate) fn allow_with(
        &mut self,
        providers: &str,
        consumers: &str,
        edit: impl FnOnce(&mut AllowRule),
    ) -> RuleRef {
        let mut rule = AllowRule {
            enabled: true,
            providers: self.actors(providers),
            consumers: self.actors(consumers),
            services: vec![ServiceRef::Inline(ProtoPorts::tcp(443).into())],
            ..AllowRule::default()
        };
        edit(&mut rule);
        self.next += 1;
        let key = (SET, Id::int(self.next));
        self.snapshot.allow_rules.insert(key, Arc::new(rule));
        RuleRef::Allow(key)
    }

    pub(crate) fn deny(
        &mut self,
        providers: &str,
        consumers: &str,
        override_deny: bool,
    ) -> RuleRef {
        let rule = DenyRule {
            enabled: true,
            override_deny,
            providers: self.actors(providers),
            consumers: self.actors(consumers),
            services: vec![ServiceRef::Inline(ServiceSet::all())],
            ..DenyRule::default()
        };
        self.next += 1;
        let key = (SET, Id::int(self.next));
        self.snapshot.deny_rules.insert(key, Arc::new(rule));
        RuleRef::Deny(key)
    }

    /// A flow to TCP port 443 between workloads by name, or addresses.
    pub(crate) fn flow(&mut self, src: &str, dst: &str) -> Flow {
        let mut end = |text: &str| match text.parse() {
            Ok(ip) => FlowEnd { workload: None, ip: Some(ip) },
            Err(_) => FlowEnd { workload: Some(self.id(text)), ip: None },
        };
        Flow::new(end(src), end(dst), ProtoPorts::tcp(443))
    }

    pub(crate) fn engine(&self) -> Engine {
        Engine::new(self.snapshot.clone())
    }

    pub(crate) fn decide(&mut self, src: &str, dst: &str) -> Decision {
        let flow = self.flow(src, dst);
        self.engine().decide(&flow)
    }

    /// The rules that match outbound at the source and inbound at the destination.
    pub(crate) fn rules(&mut self, src: &str, dst: &str) -> (Vec<RuleRef>, Vec<RuleRef>) {
        let decision = self.decide(src, dst);
        let of = |end: bulkhead_model::EndDecision| end.rules.into_iter().map(|r| r.0).collect();
        (of(decision.source), of(decision.destination))
    }
}
