//! From one snapshot to the next: what a change touches is computed anew, nothing else.
//!
//! Order: the snapshot and the names change first; then workloads go to the classes that they now belong to,
//! under the rules as they were, which gives the deltas of address sets; then the rules that the change
//! touches are expanded again. New statements are installed before old ones are taken out, so that a selector
//! that both use lives on with its set ids.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use bulkhead_ids::Id;
use bulkhead_model::{Change, RuleKey, RuleRef, SetId};
use bulkhead_netset::IpSet;
use roaring::RoaringBitmap;

use crate::engine::Engine;
use crate::expand::{Draft, fixed};
use crate::hosts::Host;
use crate::plan::Plan;
use crate::sets::Before;
use crate::store::{Fresh, Gone, PeerKind, World, is_complex};

/// One address set whose content changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDelta {
    /// The set.
    pub id: SetId,
    /// Addresses that it has now and had not before.
    pub added: IpSet,
    /// Addresses that it had before and has no more.
    pub removed: IpSet,
}

/// What a change did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// Workloads whose intent may be another than before: their table changed, they moved to another
    /// class, or their own mode or interfaces changed. Sorted. None is missing; a change that cancels
    /// itself out may name workloads whose intent is the same.
    pub workloads: Vec<Id>,
    /// Address sets in use before and after whose content changed, sorted by id.
    pub sets: Vec<SetDelta>,
    /// Address sets that came into use, sorted; read them with [`bulkhead_model::AddressSets`].
    pub new_sets: Vec<SetId>,
    /// Address sets that went out of use, sorted.
    pub gone_sets: Vec<SetId>,
}

/// What one call of `apply` has found so far.
#[derive(Debug, Default)]
struct Found {
    workloads: BTreeSet<Id>,
    classes: RoaringBitmap,
    sets: BTreeMap<SetId, (IpSet, IpSet)>,
    new_sets: Vec<SetId>,
    gone: Gone,
}

impl Engine {
    /// Applies changes in their order and keeps everything current.
    ///
    /// Afterwards the engine answers as [`Engine::new`] of the resulting snapshot would, byte for byte.
    pub fn apply(&mut self, changes: &[Change]) -> Effects {
        let plan = self.plan(changes);
        let mut found = Found::default();
        self.move_hosts(&plan, &mut found);
        self.refresh_bound(&plan, &mut found);
        self.change_settings(&plan, &mut found);
        let touched = self.workload_deltas(&plan, &mut found);
        self.change_rules(&plan, &mut found);
        self.fixed_deltas(&plan, touched, &mut found);
        self.effects(found)
    }

    /// Puts the workloads of the plan into their classes.
    fn move_hosts(&mut self, plan: &Plan, found: &mut Found) {
        let mut opened = Vec::new();
        for (id, before) in &plan.hosts {
            let workload = self.snapshot.workloads.get(id).cloned();
            let known = self.hosts.by_id.get(id).copied();
            let same = known.and_then(|ix| self.hosts.rows.get(ix)).map(|h| &h.workload);
            let ix = if same.is_some() && same == workload.as_ref() {
                known
            } else {
                if let Some(old) = known.and_then(|ix| self.hosts.remove(ix)) {
                    self.note_unknown(&old.workload.labels, false);
                }
                workload.map(|workload| {
                    self.note_unknown(&workload.labels, true);
                    let host = Host::new(*id, &workload, &mut self.names);
                    self.hosts.add(host)
                })
            };
            opened.extend(ix.and_then(|ix| self.settle(ix)));
            let now = ix.and_then(|ix| self.hosts.rows.get(ix));
            if before.differs(now) {
                found.workloads.insert(*id);
            }
        }
        self.hosts.unknown.retain(|_, count| *count > 0);
        let left = plan.hosts.values().filter_map(Before::class);
        let closed: Vec<_> = left.filter_map(|class| self.close_class(class)).collect();
        for nets in closed {
            self.store.forget_nets(nets, &mut found.gone.sets);
        }
        if !opened.is_empty() {
            let peers: Vec<u32> = self.store.peers.iter().map(|(ix, _)| ix).collect();
            let ids = self.name_peers(&peers);
            found.new_sets.extend(ids);
        }
    }

    /// Asks selectors of bound workloads again when bindings changed.
    fn refresh_bound(&mut self, plan: &Plan, found: &mut Found) {
        let services = plan.bindings.iter().filter_map(|id| self.store.by_service.get(id));
        let mut selectors: Vec<u32> = services.flatten().copied().collect();
        selectors.sort_unstable();
        selectors.dedup();
        for ix in selectors {
            let Some(row) = self.store.selectors.get(ix) else { continue };
            let world = World { hosts: &self.hosts, bindings: &self.bindings };
            let now = world.classes(&row.selector);
            let changed = &now ^ &row.classes;
            for class in &changed {
                let Some(class) = self.hosts.classes.get_mut(class) else { continue };
                match class.selectors.binary_search(&ix) {
                    Ok(at) => {
                        class.selectors.remove(at);
                    }
                    Err(at) => class.selectors.insert(at, ix),
                }
            }
            found.classes |= changed;
            if let Some(row) = self.store.selectors.get_mut(ix) {
                row.classes = now;
            }
        }
    }

    fn change_settings(&mut self, plan: &Plan, found: &mut Found) {
        if !plan.settings && !plan.names_changed {
            return;
        }
        let scopes = self.setting_scopes();
        if scopes == self.scopes && !plan.settings {
            return;
        }
        self.scopes = scopes;
        let now: Vec<_> =
            self.hosts.classes.iter().map(|(ix, c)| (ix, self.settings_of(&c.key))).collect();
        for (ix, settings) in now {
            if let Some(class) = self.hosts.classes.get_mut(ix)
                && (class.settings != settings || plan.ike)
            {
                class.settings = settings;
                found.classes.insert(ix);
            }
        }
    }

    /// Finds what moved workloads mean for address sets; the selectors that they touch.
    fn workload_deltas(&self, plan: &Plan, found: &mut Found) -> BTreeSet<u32> {
        let mut touched = BTreeSet::new();
        let deltas = self.address_deltas(plan, &mut touched);
        for (id, (added, removed)) in deltas {
            found.sets.insert(id, (added.into_iter().collect(), removed.into_iter().collect()));
        }
        touched
    }

    /// Expands the rules of the plan again.
    fn change_rules(&mut self, plan: &Plan, found: &mut Found) {
        let expander = self.expander();
        let drafts = plan.rules.iter().map(|rule| (*rule, expander.rule(*rule)));
        let changed = drafts.filter(|(rule, drafts)| !self.store.unchanged(*rule, drafts));
        let changed: Vec<(RuleRef, Vec<Draft>)> = changed.collect();
        let customs: Vec<(RuleKey, _)> =
            plan.customs.iter().map(|key| (*key, self.custom_selector(*key))).collect();
        let (mut fresh, mut old) = (Fresh::default(), Vec::new());
        let world = World { hosts: &self.hosts, bindings: &self.bindings };
        for (rule, drafts) in changed {
            old.extend(self.store.detach(rule));
            self.store.install(rule, drafts, world, &mut fresh);
        }
        let mut old_customs = Vec::new();
        for (key, selector) in &customs {
            old_customs.extend(self.store.custom.remove(key).map(|ix| (*key, ix)));
            self.store.install_custom(*key, selector, world, &mut fresh);
        }
        self.fill(&fresh);
        self.store.uninstall(old, &mut self.hosts, &mut found.gone);
        for (key, ix) in old_customs {
            self.store.uninstall_custom(key, ix, &mut self.hosts, &mut found.gone);
        }
        found.classes |= &found.gone.classes;
        for selector in fresh.touched {
            if let Some(row) = self.store.selectors.get(selector) {
                found.classes |= &row.classes;
            }
        }
        found.new_sets.extend(self.name_peers(&fresh.peers));
    }

    /// Deltas of sets that are addresses of objects, and of those that must be resolved as a whole.
    fn fixed_deltas(&mut self, plan: &Plan, touched: BTreeSet<u32>, found: &mut Found) {
        let mut again: Vec<(SetId, Arc<IpSet>, Arc<IpSet>)> = Vec::new();
        if !plan.fixed.is_empty() {
            for (_, row) in self.store.peers.iter() {
                if let PeerKind::Fixed(source, _) = &row.kind
                    && let Some(old) = plan.old_content(source)
                {
                    let now = fixed(source, &self.snapshot).unwrap_or_default();
                    let ids = row.ids.iter().map(|(_, id)| *id);
                    again.extend(ids.map(|id| (id, Arc::clone(&old), Arc::clone(&now))));
                }
            }
        }
        for (id, old) in &self.store.complex {
            let Some((peer, nets)) = self.store.sets.get(id) else { continue };
            let Some(row) = self.store.peers.get(*peer) else { continue };
            let selectors = crate::store::selectors_of(&row.kind);
            let stale = !plan.fixed.is_empty() || selectors.iter().any(|s| touched.contains(s));
            if stale && is_complex(&row.kind) {
                again.push((
                    *id,
                    Arc::clone(old),
                    self.store.resolve(&row.kind, *nets, self.read()),
                ));
            }
        }
        for (id, old, now) in again {
            if let Some(known) = self.store.complex.get_mut(&id) {
                *known = Arc::clone(&now);
            }
            if old != now {
                found.sets.insert(id, (now.difference(&old), old.difference(&now)));
            }
        }
    }

    fn effects(&mut self, mut found: Found) -> Effects {
        for ix in &found.classes {
            let Some(class) = self.hosts.classes.get_mut(ix) else { continue };
            class.table = OnceLock::new();
            class.index = OnceLock::new();
            let members = class.members.iter().filter_map(|m| self.hosts.rows.get(*m));
            let managed = members.filter(|host| host.workload.managed);
            found.workloads.extend(managed.map(|host| host.id));
        }
        let sort = |mut ids: Vec<SetId>| {
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let (new, gone) = (sort(found.new_sets), sort(found.gone.sets));
        let alive = |id: &SetId| self.store.sets.contains_key(id) && new.binary_search(id).is_err();
        let sets = found.sets.into_iter().filter(|(id, _)| alive(id));
        let sets = sets.map(|(id, (added, removed))| SetDelta { id, added, removed }).collect();
        let in_use = |id: &SetId| self.store.sets.contains_key(id);
        Effects {
            workloads: found.workloads.into_iter().collect(),
            sets,
            new_sets: new.into_iter().filter(in_use).collect(),
            gone_sets: gone.into_iter().filter(|id| !in_use(id)).collect(),
        }
    }
}
