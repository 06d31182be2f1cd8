//! The index over all rules of a snapshot.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AllowRule, Change, DenyRule, IpTablesRule, Resolve, RuleRef, ServiceEntry, ServiceRef,
    Snapshot,
};
use bulkhead_netset::ServiceSet;
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use super::postings::SideIndex;
use super::resolve::Ask;
use super::{Found, Query, RuleKind, WantedService};

/// A rule of any kind.
#[derive(Debug, Clone)]
enum Rule {
    Allow(Arc<AllowRule>),
    Deny(Arc<DenyRule>),
    IpTables(Arc<IpTablesRule>),
}

impl Rule {
    fn sides(&self) -> [&[Actor]; 2] {
        match self {
            Self::Allow(r) => [&r.providers, &r.consumers],
            Self::Deny(r) => [&r.providers, &r.consumers],
            // The hosts that get the lines are an end of either kind.
            Self::IpTables(r) => [&r.actors, &r.actors],
        }
    }

    fn services(&self) -> &[ServiceRef] {
        match self {
            Self::Allow(r) => &r.services,
            Self::Deny(r) => &r.services,
            Self::IpTables(_) => &[],
        }
    }

    fn kind(&self) -> RuleKind {
        match self {
            Self::Allow(_) => RuleKind::Allow,
            Self::Deny(r) if r.override_deny => RuleKind::OverrideDeny,
            Self::Deny(_) => RuleKind::Deny,
            Self::IpTables(_) => RuleKind::IpTables,
        }
    }

    /// What labels of a side pick: workloads, virtual services.
    fn resolves(&self, consumers: bool) -> (bool, bool) {
        match self {
            Self::Allow(r) => {
                let side = if consumers { r.resolve_consumers } else { r.resolve_providers };
                (side.workloads, side.virtual_services)
            }
            _ => (true, false),
        }
    }

    fn unscoped_consumers(&self) -> bool {
        match self {
            Self::Allow(r) => r.unscoped_consumers,
            Self::Deny(r) => r.unscoped_consumers,
            Self::IpTables(_) => false,
        }
    }

    fn enabled(&self) -> bool {
        match self {
            Self::Allow(r) => r.enabled,
            Self::Deny(r) => r.enabled,
            Self::IpTables(r) => r.enabled,
        }
    }

    fn passes(&self, query: &Query) -> bool {
        let is = |wanted: Option<bool>, value: bool| wanted.is_none_or(|w| w == value);
        let allow = match self {
            Self::Allow(rule) => Some(rule),
            _ => None,
        };
        let of_allow = |wanted: Option<bool>, value: fn(&AllowRule) -> bool| match allow {
            Some(rule) => is(wanted, value(rule)),
            None => wanted.is_none(),
        };
        let scoped_kind = !matches!(self, Self::IpTables(_));
        is(query.enabled, self.enabled())
            && of_allow(query.sec_connect, |r| r.sec_connect)
            && of_allow(query.machine_auth, |r| r.machine_auth)
            && of_allow(query.stateless, |r| r.stateless)
            && of_allow(query.all_ips_except_providers, |r| r.all_ips_except_providers)
            && of_allow(query.all_ips_except_consumers, |r| r.all_ips_except_consumers)
            && match query.unscoped_consumers {
                Some(wanted) => scoped_kind && self.unscoped_consumers() == wanted,
                None => true,
            }
    }
}

/// All rules of a snapshot, by what they name.
///
/// Kept current by [`RuleIndex::apply`], in any order of changes.
#[derive(Debug, Clone, Default)]
pub struct RuleIndex {
    rules: Vec<Option<(Found, Rule)>>,
    numbers: FxHashMap<Found, u32>,
    free: Vec<u32>,
    all: RoaringBitmap,
    kinds: FxHashMap<RuleKind, RoaringBitmap>,
    sides: [SideIndex; 2],
    to_workloads: [RoaringBitmap; 2],
    to_services: [RoaringBitmap; 2],
    unscoped: [RoaringBitmap; 2],
    sets: FxHashMap<Id, RoaringBitmap>,
    services: FxHashMap<ServiceRef, RoaringBitmap>,
    principals: FxHashMap<Id, RoaringBitmap>,
}

impl RuleIndex {
    /// The index of a snapshot.
    pub fn new(snapshot: &Snapshot) -> Self {
        let mut index = Self::default();
        for (key, rule) in &snapshot.allow_rules {
            index.add(Found::Rule(RuleRef::Allow(*key)), Rule::Allow(Arc::clone(rule)));
        }
        for (key, rule) in &snapshot.deny_rules {
            index.add(Found::Rule(RuleRef::Deny(*key)), Rule::Deny(Arc::clone(rule)));
        }
        for (id, rule) in &snapshot.boundaries {
            index.add(Found::Rule(RuleRef::Boundary(*id)), Rule::Deny(Arc::clone(rule)));
        }
        for (key, rule) in &snapshot.ip_tables_rules {
            index.add(Found::IpTables(*key), Rule::IpTables(Arc::clone(rule)));
        }
        index
    }

    /// Takes one change in; changes of anything but rules need nothing.
    pub fn apply(&mut self, change: &Change) {
        let (found, rule) = match change {
            Change::AllowRule(key, rule) => {
                (Found::Rule(RuleRef::Allow(*key)), rule.clone().map(Rule::Allow))
            }
            Change::DenyRule(key, rule) => {
                (Found::Rule(RuleRef::Deny(*key)), rule.clone().map(Rule::Deny))
            }
            Change::Boundary(id, rule) => {
                (Found::Rule(RuleRef::Boundary(*id)), rule.clone().map(Rule::Deny))
            }
            Change::IpTablesRule(key, rule) => {
                (Found::IpTables(*key), rule.clone().map(Rule::IpTables))
            }
            _ => return,
        };
        self.remove(found);
        if let Some(rule) = rule {
            self.add(found, rule);
        }
    }

    /// How many rules of a kind there are.
    pub fn count(&self, kind: RuleKind) -> u64 {
        self.kinds.get(&kind).map_or(0, RoaringBitmap::len)
    }

    /// The rules that a query finds, in order. `snapshot` is the one that the index stands at.
    pub fn search(&self, snapshot: &Snapshot, query: &Query) -> Vec<Found> {
        let mut found = self.of_kinds(&query.kinds);
        for service in &query.services {
            found &= self.with_service(snapshot, service);
        }
        for group in &query.principals {
            found &= self.principals.get(group).cloned().unwrap_or_default();
        }
        let [provide, consume] = &self.sides;
        let [providers_as, consumers_as] = &query.labels_as;
        let side = |consumers, actors: &[Actor]| {
            let (side, labels_as) =
                if consumers { (consume, consumers_as) } else { (provide, providers_as) };
            if query.resolve {
                let labels_as =
                    labels_as.unwrap_or(Resolve { workloads: true, virtual_services: true });
                Ask { index: self, snapshot, side, consumers, labels_as }.matching(actors)
            } else {
                let listing = actors.iter().map(|actor| side.listing(actor));
                listing.fold(self.all.clone(), |all, rules| all & rules)
            }
        };
        if !query.providers.is_empty() {
            found &= side(false, &query.providers);
        }
        if !query.consumers.is_empty() {
            found &= side(true, &query.consumers);
        }
        if !query.either.is_empty() {
            found &= side(false, &query.either) | side(true, &query.either);
        }
        let rule = |n: u32| self.rules.get(n as usize)?.as_ref();
        let passing = found.iter().filter_map(rule).filter(|(found, rule)| {
            rule.passes(query) && (!query.effective || rule.enabled() && on(snapshot, found))
        });
        let mut out: Vec<Found> = passing.map(|(found, _)| *found).collect();
        out.sort_unstable();
        out
    }

    fn of_kinds(&self, kinds: &[RuleKind]) -> RoaringBitmap {
        if kinds.is_empty() {
            return self.all.clone();
        }
        kinds.iter().filter_map(|k| self.kinds.get(k)).fold(RoaringBitmap::new(), |a, b| a | b)
    }

    fn with_service(&self, snapshot: &Snapshot, wanted: &WantedService) -> RoaringBitmap {
        match wanted {
            WantedService::Service(id) => {
                self.services.get(&ServiceRef::Service(*id)).cloned().unwrap_or_default()
            }
            WantedService::Flow { ports, process, windows_service } => {
                let entry = |entry: &ServiceEntry| {
                    let free = entry.process.is_none() && entry.windows_service.is_none();
                    entry.ports.contains_set(ports)
                        && (free
                            || owner(entry.process.as_deref(), process.as_deref(), same_process)
                                && owner(
                                    entry.windows_service.as_deref(),
                                    windows_service.as_deref(),
                                    str::eq_ignore_ascii_case,
                                ))
                };
                self.having(snapshot, |set| set.contains_set(ports), entry)
            }
            WantedService::Entry { ports, process, windows_service } => {
                let entry = |entry: &ServiceEntry| {
                    !entry.ports.is_disjoint(ports)
                        && owner(process.as_deref(), entry.process.as_deref(), same_process)
                        && owner(
                            windows_service.as_deref(),
                            entry.windows_service.as_deref(),
                            str::eq_ignore_ascii_case,
                        )
                };
                let plain = |set: &ServiceSet| {
                    process.is_none() && windows_service.is_none() && !set.is_disjoint(ports)
                };
                self.having(snapshot, plain, entry)
            }
        }
    }

    /// Rules with ports of their own, or a service with an entry, that will do.
    fn having(
        &self,
        snapshot: &Snapshot,
        ports: impl Fn(&ServiceSet) -> bool,
        entry: impl Fn(&ServiceEntry) -> bool,
    ) -> RoaringBitmap {
        let has = |service: &ServiceRef| match service {
            ServiceRef::Inline(set) => ports(set),
            ServiceRef::Service(id) => {
                snapshot.services.get(id).is_some_and(|s| s.entries.iter().any(&entry))
            }
        };
        let rules = self.services.iter().filter(|(s, _)| has(s)).map(|(_, rules)| rules);
        rules.fold(RoaringBitmap::new(), |a, b| a | b)
    }

    fn add(&mut self, found: Found, rule: Rule) {
        let number = self.free.pop().unwrap_or_else(|| {
            self.rules.push(None);
            u32::try_from(self.rules.len() - 1).unwrap_or(u32::MAX)
        });
        self.numbers.insert(found, number);
        self.all.insert(number);
        self.kinds.entry(rule.kind()).or_default().insert(number);
        match found {
            Found::Rule(RuleRef::Allow((set, _)) | RuleRef::Deny((set, _)))
            | Found::IpTables((set, _)) => {
                self.sets.entry(set).or_default().insert(number);
            }
            Found::Rule(_) => self.unscoped.iter_mut().for_each(|u| _ = u.insert(number)),
        }
        let [_, consumers] = &mut self.unscoped;
        if rule.unscoped_consumers() {
            consumers.insert(number);
        }
        for (n, actors) in rule.sides().into_iter().enumerate() {
            let (workloads, services) = rule.resolves(n == 1);
            if let Some(side) = self.sides.get_mut(n) {
                side.add(number, actors);
            }
            if let (true, Some(set)) = (workloads, self.to_workloads.get_mut(n)) {
                set.insert(number);
            }
            if let (true, Some(set)) = (services, self.to_services.get_mut(n)) {
                set.insert(number);
            }
        }
        for service in rule.services() {
            self.services.entry(service.clone()).or_default().insert(number);
        }
        if let Rule::Allow(rule) = &rule {
            for group in &rule.principals {
                self.principals.entry(*group).or_default().insert(number);
            }
        }
        if let Some(slot) = self.rules.get_mut(number as usize) {
            *slot = Some((found, rule));
        }
    }

    fn remove(&mut self, found: Found) {
        let Some(number) = self.numbers.remove(&found) else { return };
        let Some((_, rule)) = self.rules.get_mut(number as usize).and_then(Option::take) else {
            return;
        };
        self.free.push(number);
        self.all.remove(number);
        for (side, actors) in self.sides.iter_mut().zip(rule.sides()) {
            side.remove(number, actors);
        }
        let flat = self.to_workloads.iter_mut().chain(&mut self.to_services);
        flat.chain(&mut self.unscoped).for_each(|set| _ = set.remove(number));
        self.kinds.values_mut().for_each(|set| _ = set.remove(number));
        if let Found::Rule(RuleRef::Allow((set, _)) | RuleRef::Deny((set, _)))
        | Found::IpTables((set, _)) = found
        {
            forget(&mut self.sets, &set, number);
        }
        rule.services().iter().for_each(|s| forget(&mut self.services, s, number));
        if let Rule::Allow(rule) = &rule {
            rule.principals.iter().for_each(|g| forget(&mut self.principals, g, number));
        }
    }

    pub(super) const fn all(&self) -> &RoaringBitmap {
        &self.all
    }

    pub(super) fn by_rule_set(&self) -> impl Iterator<Item = (&Id, &RoaringBitmap)> {
        self.sets.iter()
    }

    /// Rules whose side is not bound by a scope.
    pub(super) fn unscoped(&self, consumers: bool) -> RoaringBitmap {
        let [providers, consume] = &self.unscoped;
        if consumers { consume.clone() } else { providers.clone() }
    }

    /// Rules of which labels of a side pick workloads.
    pub(super) const fn to_workloads(&self, consumers: bool) -> &RoaringBitmap {
        let [providers, consume] = &self.to_workloads;
        if consumers { consume } else { providers }
    }

    /// Rules of which labels of a side pick virtual services.
    pub(super) const fn to_virtual_services(&self, consumers: bool) -> &RoaringBitmap {
        let [providers, consume] = &self.to_services;
        if consumers { consume } else { providers }
    }
}

/// Whether the rule set of a rule is switched on; a boundary has none.
fn on(snapshot: &Snapshot, found: &Found) -> bool {
    match found {
        Found::Rule(RuleRef::Allow((set, _)) | RuleRef::Deny((set, _)))
        | Found::IpTables((set, _)) => snapshot.rule_sets.get(set).is_some_and(|s| s.enabled),
        Found::Rule(_) => true,
    }
}

fn forget<K: std::hash::Hash + Eq>(map: &mut FxHashMap<K, RoaringBitmap>, key: &K, number: u32) {
    if let Some(set) = map.get_mut(key) {
        set.remove(number);
        if set.is_empty() {
            map.remove(key);
        }
    }
}

/// Whether an entry has the owner that is searched; any will do when none is.
fn owner(wanted: Option<&str>, has: Option<&str>, same: fn(&str, &str) -> bool) -> bool {
    match (wanted, has) {
        (None, _) => true,
        (Some(wanted), Some(has)) => same(wanted, has),
        (Some(_), None) => false,
    }
}

/// Processes are the same by full path, or by file name when one of the two is only that.
fn same_process(a: &str, b: &str) -> bool {
    let file = |s: &str| s.rsplit(['/', '\\']).next().unwrap_or(s).to_owned();
    let bare = |s: &str| !s.contains(['/', '\\']);
    a.eq_ignore_ascii_case(b) || (bare(a) || bare(b)) && file(a).eq_ignore_ascii_case(&file(b))
}
