//! The engine: a snapshot and everything computed from it.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{Actor, AddressSets, Intent, Peers, RuleKey, RuleRef, SetId, Snapshot};
use bulkhead_netset::IpSet;
use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::expand::{Bindings, Draft, Expander};
use crate::hosts::{ClassIx, ClassKey, Host, HostIx, Hosts, Settings};
use crate::names::{Names, NetsIx};
use crate::selector::{Conj, Selector};
use crate::side::Context;
use crate::store::{Fresh, Read, Store, World, is_complex};

/// One side of policy, computed: what every workload enforces, and why.
///
/// Built from a whole [`Snapshot`] and kept current by [`Engine::apply`]; both ways to one snapshot give the
/// same answers, byte for byte. All reads take `&self` and may run on many threads.
#[derive(Debug, Clone, Default)]
pub struct Engine {
    pub(crate) snapshot: Snapshot,
    pub(crate) names: Names,
    pub(crate) hosts: Hosts,
    pub(crate) bindings: Bindings,
    /// Virtual services that a workload is bound to.
    pub(crate) bound: FxHashMap<Id, Vec<Id>>,
    /// How many actors name a workload.
    pub(crate) mentions: FxHashMap<Id, u32>,
    pub(crate) store: Store,
    pub(crate) scopes: SettingScopes,
}

/// The scopes of the firewall settings, expanded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SettingScopes {
    static_policy: Vec<Conj>,
    containers_inherit: Vec<Conj>,
    reject_blocked: Vec<Conj>,
    loopback_in_policy: Vec<Conj>,
}

impl Engine {
    /// Computes everything from a snapshot.
    pub fn new(snapshot: Snapshot) -> Self {
        let names = Names::new(&snapshot);
        let mut engine = Self { names, snapshot, ..Self::default() };
        engine.read_bindings();
        engine.count_mentions();
        engine.scopes = engine.setting_scopes();
        let workloads: Vec<_> =
            engine.snapshot.workloads.iter().map(|(id, w)| (*id, Arc::clone(w))).collect();
        for (id, workload) in workloads {
            let host = Host::new(id, &workload, &mut engine.names);
            engine.note_unknown(&workload.labels, true);
            let ix = engine.hosts.add(host);
            engine.settle(ix);
        }
        engine.install_all();
        engine
    }

    /// The snapshot that the answers are for.
    pub const fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    fn install_all(&mut self) {
        let rules = all_rules(&self.snapshot);
        let expander = self.expander();
        let drafts: Vec<(RuleRef, Vec<Draft>)> =
            rules.into_par_iter().map(|rule| (rule, expander.rule(rule))).collect();
        let mut fresh = Fresh::default();
        let world = World { hosts: &self.hosts, bindings: &self.bindings };
        for (rule, drafts) in drafts {
            self.store.install(rule, drafts, world, &mut fresh);
        }
        let tables: Vec<RuleKey> = self.snapshot.ip_tables_rules.keys().copied().collect();
        for key in tables {
            let selector = self.custom_selector(key);
            let world = World { hosts: &self.hosts, bindings: &self.bindings };
            self.store.install_custom(key, &selector, world, &mut fresh);
        }
        self.fill(&fresh);
        self.name_peers(&fresh.peers);
    }

    /// Gives new selectors their classes.
    pub(crate) fn fill(&mut self, fresh: &Fresh) {
        let world = World { hosts: &self.hosts, bindings: &self.bindings };
        let rows = &self.store.selectors;
        let live = fresh.selectors.par_iter().filter_map(|ix| Some((*ix, rows.get(*ix)?)));
        let found: Vec<_> = live.map(|(ix, row)| (ix, world.classes(&row.selector))).collect();
        for (ix, classes) in found {
            for class in &classes {
                if let Some(class) = self.hosts.classes.get_mut(class)
                    && let Err(at) = class.selectors.binary_search(&ix)
                {
                    class.selectors.insert(at, ix);
                }
            }
            if let Some(row) = self.store.selectors.get_mut(ix) {
                row.classes = classes;
            }
        }
    }

    /// Gives new peers their set ids; the ids, in no order.
    pub(crate) fn name_peers(&mut self, peers: &[u32]) -> Vec<SetId> {
        let mut ids = Vec::with_capacity(peers.len());
        for peer in peers {
            self.store.name_sets(*peer, &self.names, &mut ids);
        }
        self.resolve_complex(&ids);
        ids
    }

    /// Resolves those of the sets that must be resolved before they change.
    pub(crate) fn resolve_complex(&mut self, ids: &[SetId]) {
        for id in ids {
            let Some((peer, nets)) = self.store.sets.get(id) else { continue };
            let row = self.store.peers.get(*peer).filter(|row| is_complex(&row.kind));
            let Some(row) = row else { continue };
            let set = self.store.resolve(&row.kind, *nets, self.read());
            self.store.complex.insert(*id, set);
        }
    }

    pub(crate) const fn context(&self) -> Context<'_> {
        Context { snapshot: &self.snapshot, names: &self.names }
    }

    pub(crate) const fn expander(&self) -> Expander<'_> {
        Expander { context: self.context(), bindings: &self.bindings }
    }

    pub(crate) const fn read(&self) -> Read<'_> {
        Read { snapshot: &self.snapshot, names: &self.names, hosts: &self.hosts }
    }

    fn read_bindings(&mut self) {
        for binding in self.snapshot.bindings.values() {
            let bindings = self.bindings.entry(binding.virtual_service).or_default();
            bindings.push(Arc::clone(binding));
            self.bound.entry(binding.workload).or_default().push(binding.virtual_service);
        }
    }

    fn count_mentions(&mut self) {
        let snapshot = &self.snapshot;
        let denies = snapshot.deny_rules.values().chain(snapshot.boundaries.values());
        let denies = denies.flat_map(|r| r.providers.iter().chain(&r.consumers));
        let allows =
            snapshot.allow_rules.values().flat_map(|r| r.providers.iter().chain(&r.consumers));
        let tables = snapshot.ip_tables_rules.values().flat_map(|r| &r.actors);
        for actor in allows.chain(denies).chain(tables) {
            if let Actor::Workload(id) = actor {
                *self.mentions.entry(*id).or_default() += 1;
            }
        }
    }

    /// Counts labels of a workload that do not exist.
    pub(crate) fn note_unknown(&mut self, labels: &[Id], more: bool) {
        for id in labels.iter().filter(|id| self.names.label(**id).is_none()) {
            let count = self.hosts.unknown.entry(*id).or_default();
            *count = if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        }
    }

    pub(crate) fn setting_scopes(&self) -> SettingScopes {
        let expand = |scopes: &[_]| {
            if scopes.is_empty() { Vec::new() } else { self.context().r_scopes(scopes, false) }
        };
        let settings = &self.snapshot.settings;
        SettingScopes {
            static_policy: expand(&settings.static_policy),
            containers_inherit: expand(&settings.containers_inherit),
            reject_blocked: expand(&settings.reject_blocked),
            loopback_in_policy: expand(&settings.loopback_in_policy),
        }
    }

    pub(crate) fn settings_of(&self, key: &ClassKey) -> Settings {
        let on = |scopes: &[Conj]| self.context().in_scopes(scopes, &key.labels);
        Settings {
            static_policy: on(&self.scopes.static_policy),
            containers_inherit: on(&self.scopes.containers_inherit),
            reject_blocked: on(&self.scopes.reject_blocked),
            loopback_in_policy: on(&self.scopes.loopback_in_policy),
        }
    }

    fn class_key(&self, host: &Host) -> ClassKey {
        let pinned = self.mentions.contains_key(&host.id) || self.bound.contains_key(&host.id);
        let workload = &host.workload;
        ClassKey {
            labels: self.context().pairs(&workload.labels),
            nets: host.nets,
            os: workload.os,
            managed: workload.managed,
            endpoint: workload.endpoint,
            container_host: workload.container_host,
            pinned: pinned.then_some(host.id),
        }
    }

    /// Puts a workload into the class that it belongs to now; a new class gets its selectors and settings.
    ///
    /// Returns the networks of the class, when no class had them before.
    pub(crate) fn settle(&mut self, ix: HostIx) -> Option<NetsIx> {
        let key = self.class_key(self.hosts.rows.get(ix)?);
        let (class, new) = self.hosts.enter(ix, key)?;
        if new { self.open_class(class) } else { None }
    }

    /// Finds the selectors and settings of a new class; the networks, when no class had them before.
    fn open_class(&mut self, ix: ClassIx) -> Option<NetsIx> {
        let class = self.hosts.classes.get(ix)?;
        let pinned = class.key.pinned;
        let bound = pinned.and_then(|id| self.bound.get(&id)).map_or(&[][..], |b| b);
        let world = World { hosts: &self.hosts, bindings: &self.bindings };
        let mut selectors = self.store.candidates(class, bound);
        selectors.retain(|s| {
            let row = self.store.selectors.get(*s);
            row.is_some_and(|row| world.picks(&row.selector, class))
        });
        let (settings, nets) = (self.settings_of(&class.key), class.key.nets);
        for selector in &selectors {
            if let Some(row) = self.store.selectors.get_mut(*selector) {
                row.classes.insert(ix);
            }
        }
        let class = self.hosts.classes.get_mut(ix)?;
        class.selectors = selectors;
        class.settings = settings;
        let users = self.store.nets.entry(nets).or_default();
        *users += 1;
        (*users == 1).then_some(nets)
    }

    /// Drops a class if it has no workloads left; the networks, when no class has them any more.
    pub(crate) fn close_class(&mut self, ix: ClassIx) -> Option<NetsIx> {
        self.hosts.classes.get(ix).filter(|class| class.members.is_empty())?;
        let class = self.hosts.drop_class(ix)?;
        for selector in &class.selectors {
            if let Some(row) = self.store.selectors.get_mut(*selector) {
                row.classes.remove(ix);
            }
        }
        let nets = class.key.nets;
        let users = self.store.nets.get_mut(&nets)?;
        *users = users.saturating_sub(1);
        if *users > 0 {
            return None;
        }
        self.store.nets.remove(&nets);
        Some(nets)
    }

    /// The selector of a custom iptables rule, over all scopes of its rule set.
    pub(crate) fn custom_selector(&self, key: RuleKey) -> Selector {
        let rule = self.snapshot.ip_tables_rules.get(&key).filter(|r| r.enabled);
        let head = self.snapshot.rule_sets.get(&key.0).filter(|head| head.enabled);
        let (Some(rule), Some(head)) = (rule, head) else { return Selector::default() };
        let context = self.context();
        let scopes = context.r_scopes(&head.scopes, false);
        let sides = scopes.iter().map(|scope| context.r_side(&rule.actors, scope, <_>::default()));
        Selector::new(sides.flat_map(|side| side.workloads.0).collect())
    }

    /// What a managed workload must enforce; none for an unmanaged or unknown one.
    pub fn intent(&self, workload: Id) -> Option<Intent> {
        let (_, host) = self.hosts.host(workload)?;
        if host.workload.managed { self.policy(workload) } else { None }
    }

    /// What a workload must enforce, or would have to if it were managed; none for an unknown one.
    pub fn policy(&self, workload: Id) -> Option<Intent> {
        let (_, host) = self.hosts.host(workload)?;
        let table = self.table(host.class)?;
        let ignored = host.workload.interfaces.iter().filter(|i| i.ignored);
        let mut ignored: Vec<Arc<str>> = ignored.map(|i| Arc::clone(&i.name)).collect();
        ignored.sort_unstable();
        ignored.dedup();
        Some(Intent {
            mode: host.workload.mode,
            os: host.workload.os,
            ignored_interfaces: ignored,
            table,
        })
    }

    /// The address sets that the entries of a workload use, sorted, each once.
    pub fn sets_of(&self, workload: Id) -> Vec<SetId> {
        let Some(intent) = self.intent(workload) else { return Vec::new() };
        let entries = intent.table.inbound.iter().chain(&intent.table.outbound);
        let sets = entries.filter_map(|entry| match &entry.peers {
            Peers::Set(id) => Some(*id),
            Peers::Any | Peers::Names(_) => None,
        });
        let mut sets: Vec<SetId> = sets.collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}

impl AddressSets for Engine {
    fn addresses(&self, id: SetId) -> Option<Arc<IpSet>> {
        if let Some(known) = self.store.complex.get(&id) {
            return Some(Arc::clone(known));
        }
        let (peer, nets) = self.store.sets.get(&id)?;
        let row = self.store.peers.get(*peer)?;
        Some(self.store.resolve(&row.kind, *nets, self.read()))
    }
}

/// Every rule that may be programmed.
pub(crate) fn all_rules(snapshot: &Snapshot) -> Vec<RuleRef> {
    let allow = snapshot.allow_rules.keys().map(|k| RuleRef::Allow(*k));
    let deny = snapshot.deny_rules.keys().map(|k| RuleRef::Deny(*k));
    let boundaries = snapshot.boundaries.keys().map(|k| RuleRef::Boundary(*k));
    let essential = snapshot.essential.keys().map(|k| RuleRef::Essential(*k));
    allow.chain(deny).chain(boundaries).chain(essential).collect()
}
