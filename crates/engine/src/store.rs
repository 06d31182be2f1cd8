//! The compiled state: selectors, peers and statements with numbers, and who uses whom.

use std::sync::{Arc, OnceLock};

use bulkhead_ids::Id;
use bulkhead_model::{Direction, Effect, Entry, EntryFlags, RuleKey, RuleRef, SetId, Snapshot};
use bulkhead_netset::IpSet;
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;

use crate::expand::{Bindings, Draft, Source, Target, fixed};
use crate::hosts::{Class, ClassIx, Hosts};
use crate::names::{KeyIx, LabelIx, Names, NetsIx};
use crate::selector::{Base, Cond, Conj, Selector, Term, text};
use crate::service::{Programs, Services};
use crate::slots::Slots;

pub(crate) type SelIx = u32;
pub(crate) type PeerIx = u32;
pub(crate) type StmtIx = u32;

/// A selector in use.
#[derive(Debug, Clone, Default)]
pub(crate) struct SelRow {
    pub(crate) selector: Selector,
    refs: u32,
    /// The classes that it picks.
    pub(crate) classes: RoaringBitmap,
    /// Statements that are programmed on it.
    pub(crate) statements: Vec<StmtIx>,
    /// Custom iptables rules that are sent to it.
    pub(crate) custom: Vec<RuleKey>,
    /// Peers that are told its addresses.
    pub(crate) peers: SmallVec<[PeerIx; 2]>,
    anchors: SmallVec<[Anchor; 1]>,
}

/// Where a term is found from a class.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Anchor {
    Label(LabelIx),
    Key(KeyIx),
    Workload(Id),
    Service(Id),
    Always,
}

/// What peers resolve to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerKind {
    /// Addresses of workloads, or their subnets.
    Workloads(SelIx, bool),
    /// The same in every network.
    Everywhere(SelIx, bool),
    /// Addresses of an object; with the workloads that stand behind them.
    Fixed(Source, Option<SelIx>),
    /// Every address but those.
    Except(Vec<PeerKind>),
}

/// Peers in use.
#[derive(Debug, Clone)]
pub(crate) struct PeerRow {
    pub(crate) kind: PeerKind,
    pub(crate) source: Source,
    refs: u32,
    /// Set ids by the networks of the host; one for all where networks do not matter.
    pub(crate) ids: SmallVec<[(NetsIx, SetId); 1]>,
}

/// In place of networks where they do not matter.
pub(crate) const ANY_NETS: NetsIx = u32::MAX;

/// The peers of a statement, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StmtTarget {
    Any,
    Peer(PeerIx),
    Names(Arc<[Arc<str>]>),
}

/// A statement in use.
#[derive(Debug, Clone)]
pub(crate) struct Stmt {
    pub(crate) rule: RuleRef,
    pub(crate) effect: Effect,
    pub(crate) direction: Direction,
    pub(crate) hosts: SelIx,
    pub(crate) target: StmtTarget,
    pub(crate) programs: Programs,
    pub(crate) flags: EntryFlags,
    /// The entry that it makes in the networks named, on Windows and elsewhere.
    pub(crate) entries: [OnceLock<(NetsIx, Arc<Entry>)>; 2],
}

impl Stmt {
    /// What it enforces on a system of one kind.
    pub(crate) fn services(&self, windows: bool) -> &Arc<Services> {
        if windows { &self.programs.windows } else { &self.programs.other }
    }

    fn same_as(&self, draft: &Draft) -> bool {
        self.effect == draft.effect
            && self.direction == draft.direction
            && self.programs == draft.programs
            && self.flags == draft.flags
    }
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    pub(crate) selectors: Slots<SelRow>,
    selector_ixs: FxHashMap<Selector, SelIx>,
    by_label: FxHashMap<LabelIx, Vec<SelIx>>,
    by_key: FxHashMap<KeyIx, Vec<SelIx>>,
    by_workload: FxHashMap<Id, Vec<SelIx>>,
    pub(crate) by_service: FxHashMap<Id, Vec<SelIx>>,
    always: Vec<SelIx>,
    pub(crate) peers: Slots<PeerRow>,
    peer_ixs: FxHashMap<Source, PeerIx>,
    pub(crate) statements: Slots<Stmt>,
    pub(crate) by_rule: FxHashMap<RuleRef, Vec<StmtIx>>,
    pub(crate) custom: FxHashMap<RuleKey, SelIx>,
    programs: FxHashSet<Arc<Services>>,
    pub(crate) sets: FxHashMap<SetId, (PeerIx, NetsIx)>,
    /// What peers resolve to whose changes cannot be told from single workloads.
    pub(crate) complex: FxHashMap<SetId, Arc<IpSet>>,
    /// Sets of networks that some class has, with the number of classes.
    pub(crate) nets: FxHashMap<NetsIx, u32>,
}

/// What matching a selector with classes reads.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) hosts: &'a Hosts,
    pub(crate) bindings: &'a Bindings,
}

impl World<'_> {
    /// Whether a term picks a class.
    fn term_picks(&self, term: &Term, class: &Class) -> bool {
        let base = match &term.base {
            Base::All => true,
            Base::ContainerHosts => class.key.container_host,
            Base::Workload(id) => class.key.pinned == Some(*id),
            Base::Bound(service, overrides) => class.key.pinned.is_some_and(|workload| {
                let bindings = self.bindings.get(service).into_iter().flatten();
                let mut own = bindings.filter(|b| b.workload == workload);
                own.any(|b| overrides.as_ref().is_none_or(|o| *o == b.port_overrides))
            }),
        };
        base && term.conj.holds(&class.key.labels)
    }

    pub(crate) fn picks(&self, selector: &Selector, class: &Class) -> bool {
        selector.0.iter().any(|t| self.term_picks(t, class))
    }

    /// The classes that a selector picks.
    pub(crate) fn classes(&self, selector: &Selector) -> RoaringBitmap {
        let mut out = RoaringBitmap::new();
        for term in &selector.0 {
            let mut keep = |ix: ClassIx| {
                if let Some(class) = self.hosts.classes.get(ix)
                    && self.term_picks(term, class)
                {
                    out.insert(ix);
                }
            };
            match &term.base {
                Base::Workload(id) => self.hosts.pinned.get(id).copied().into_iter().for_each(keep),
                Base::Bound(service, _) => {
                    let bindings = self.bindings.get(service).into_iter().flatten();
                    let pins = bindings.filter_map(|b| self.hosts.pinned.get(&b.workload));
                    pins.copied().for_each(keep);
                }
                Base::All if term.conj.0.is_empty() => out |= &self.hosts.all,
                Base::ContainerHosts if term.conj.0.is_empty() => out |= &self.hosts.containers,
                Base::All | Base::ContainerHosts => match self.anchor(&term.conj) {
                    Some(Cond::In(_, labels)) => {
                        let postings = labels.iter().filter_map(|l| self.hosts.by_label.get(l));
                        postings.for_each(|classes| classes.iter().for_each(&mut keep));
                    }
                    Some(Cond::Except(key, _)) => {
                        let classes = self.hosts.by_label_key.get(key);
                        classes.into_iter().flatten().for_each(keep);
                    }
                    None => {}
                },
            }
        }
        out
    }

    /// The condition that the fewest classes can meet.
    fn anchor<'c>(&self, conj: &'c Conj) -> Option<&'c Cond> {
        let count = |cond: &Cond| -> u64 {
            let len = |set: Option<&RoaringBitmap>| set.map_or(0, RoaringBitmap::len);
            match cond {
                Cond::In(_, labels) => labels.iter().map(|l| len(self.hosts.by_label.get(l))).sum(),
                Cond::Except(key, _) => len(self.hosts.by_label_key.get(key)),
            }
        };
        conj.0.iter().min_by_key(|c| count(c))
    }

    fn anchors(&self, selector: &Selector) -> SmallVec<[Anchor; 1]> {
        let mut out = SmallVec::new();
        for term in &selector.0 {
            match (&term.base, self.anchor(&term.conj)) {
                (Base::Workload(id), _) => out.push(Anchor::Workload(*id)),
                (Base::Bound(id, _), _) => out.push(Anchor::Service(*id)),
                (Base::All | Base::ContainerHosts, Some(Cond::In(_, labels))) => {
                    out.extend(labels.iter().map(|l| Anchor::Label(*l)));
                }
                (Base::All | Base::ContainerHosts, Some(Cond::Except(key, _))) => {
                    out.push(Anchor::Key(*key));
                }
                (Base::All | Base::ContainerHosts, None) => out.push(Anchor::Always),
            }
        }
        out
    }
}

impl Store {
    fn anchored(&mut self, anchor: &Anchor) -> &mut Vec<SelIx> {
        match anchor {
            Anchor::Label(l) => self.by_label.entry(*l).or_default(),
            Anchor::Key(k) => self.by_key.entry(*k).or_default(),
            Anchor::Workload(id) => self.by_workload.entry(*id).or_default(),
            Anchor::Service(id) => self.by_service.entry(*id).or_default(),
            Anchor::Always => &mut self.always,
        }
    }

    /// The number of a selector, with one more user. A new one gets no classes yet: they are asked for
    /// afterwards, for many at once, and are in the list of `fresh`.
    fn selector(&mut self, selector: &Selector, world: World<'_>, fresh: &mut Vec<SelIx>) -> SelIx {
        if let Some(ix) = self.selector_ixs.get(selector).copied() {
            if let Some(row) = self.selectors.get_mut(ix) {
                row.refs += 1;
            }
            return ix;
        }
        let anchors = world.anchors(selector);
        let row = SelRow {
            selector: selector.clone(),
            refs: 1,
            anchors: anchors.clone(),
            ..SelRow::default()
        };
        let ix = self.selectors.insert(row);
        self.selector_ixs.insert(selector.clone(), ix);
        anchors.iter().for_each(|a| self.anchored(a).push(ix));
        fresh.push(ix);
        ix
    }

    /// One user of a selector less; the last takes it out of its classes.
    fn release_selector(&mut self, ix: SelIx, hosts: &mut Hosts) {
        let Some(row) = self.selectors.get_mut(ix) else { return };
        row.refs = row.refs.saturating_sub(1);
        if row.refs > 0 {
            return;
        }
        let Some(row) = self.selectors.remove(ix) else { return };
        self.selector_ixs.remove(&row.selector);
        for anchor in &row.anchors {
            self.anchored(anchor).retain(|s| *s != ix);
        }
        for class in &row.classes {
            if let Some(class) = hosts.classes.get_mut(class)
                && let Ok(at) = class.selectors.binary_search(&ix)
            {
                class.selectors.remove(at);
            }
        }
    }

    fn kind(&mut self, source: &Source, world: World<'_>, fresh: &mut Vec<SelIx>) -> PeerKind {
        match source {
            Source::Workloads(selector, subnets) => {
                PeerKind::Workloads(self.selector(selector, world, fresh), *subnets)
            }
            Source::Everywhere(selector, subnets) => {
                PeerKind::Everywhere(self.selector(selector, world, fresh), *subnets)
            }
            Source::Overrides(_, selector) => {
                let behind = self.selector(selector, world, fresh);
                PeerKind::Fixed(source.clone(), Some(behind))
            }
            Source::Except(parts) => {
                PeerKind::Except(parts.iter().map(|p| self.kind(p, world, fresh)).collect())
            }
            _ => PeerKind::Fixed(source.clone(), None),
        }
    }

    fn peer(&mut self, source: &Source, world: World<'_>, fresh: &mut Fresh) -> PeerIx {
        if let Some(ix) = self.peer_ixs.get(source).copied() {
            if let Some(row) = self.peers.get_mut(ix) {
                row.refs += 1;
            }
            return ix;
        }
        let kind = self.kind(source, world, &mut fresh.selectors);
        let selectors = selectors_of(&kind);
        let row = PeerRow { kind, source: source.clone(), refs: 1, ids: SmallVec::new() };
        let ix = self.peers.insert(row);
        for selector in selectors {
            if let Some(row) = self.selectors.get_mut(selector)
                && !row.peers.contains(&ix)
            {
                row.peers.push(ix);
            }
        }
        self.peer_ixs.insert(source.clone(), ix);
        fresh.peers.push(ix);
        ix
    }

    fn release_peer(&mut self, ix: PeerIx, hosts: &mut Hosts, gone: &mut Vec<SetId>) {
        let Some(row) = self.peers.get_mut(ix) else { return };
        row.refs = row.refs.saturating_sub(1);
        if row.refs > 0 {
            return;
        }
        let Some(row) = self.peers.remove(ix) else { return };
        self.peer_ixs.remove(&row.source);
        for (_, id) in row.ids {
            self.sets.remove(&id);
            self.complex.remove(&id);
            gone.push(id);
        }
        for selector in selectors_of(&row.kind) {
            if let Some(row) = self.selectors.get_mut(selector) {
                row.peers.retain(|p| *p != ix);
            }
            self.release_selector(selector, hosts);
        }
    }

    fn shared(&mut self, services: &Arc<Services>) -> Arc<Services> {
        if let Some(known) = self.programs.get(services) {
            return Arc::clone(known);
        }
        self.programs.insert(Arc::clone(services));
        Arc::clone(services)
    }

    /// Takes in the statements of a rule.
    pub(crate) fn install(
        &mut self,
        rule: RuleRef,
        drafts: Vec<Draft>,
        world: World<'_>,
        fresh: &mut Fresh,
    ) {
        if drafts.is_empty() {
            return;
        }
        let mut own = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let hosts = self.selector(&draft.hosts, world, &mut fresh.selectors);
            let target = match &draft.target {
                Target::Any => StmtTarget::Any,
                Target::Names(names) => StmtTarget::Names(Arc::clone(names)),
                Target::Source(source) => StmtTarget::Peer(self.peer(source, world, fresh)),
            };
            let programs = Programs {
                windows: self.shared(&draft.programs.windows),
                other: self.shared(&draft.programs.other),
            };
            let statement = self.statements.insert(Stmt {
                rule,
                effect: draft.effect,
                direction: draft.direction,
                hosts,
                target,
                programs,
                flags: draft.flags,
                entries: [OnceLock::new(), OnceLock::new()],
            });
            if let Some(row) = self.selectors.get_mut(hosts) {
                row.statements.push(statement);
                fresh.touched.insert(hosts);
            }
            own.push(statement);
        }
        self.by_rule.insert(rule, own);
    }

    /// Whether the statements of a rule already are these, in this order.
    pub(crate) fn unchanged(&self, rule: RuleRef, drafts: &[Draft]) -> bool {
        let own = self.by_rule.get(&rule).map_or(&[][..], |own| own);
        own.len() == drafts.len()
            && own.iter().zip(drafts).all(|(ix, draft)| {
                self.statements
                    .get(*ix)
                    .is_some_and(|s| s.same_as(draft) && self.same_ends(s, draft))
            })
    }

    fn same_ends(&self, statement: &Stmt, draft: &Draft) -> bool {
        let target = match (&statement.target, &draft.target) {
            (StmtTarget::Any, Target::Any) => true,
            (StmtTarget::Names(a), Target::Names(b)) => a == b,
            (StmtTarget::Peer(ix), Target::Source(source)) => self.peer_ixs.get(source) == Some(ix),
            _ => false,
        };
        target && self.selector_ixs.get(&draft.hosts) == Some(&statement.hosts)
    }

    /// Forgets that statements are those of a rule; they act until [`Store::uninstall`].
    pub(crate) fn detach(&mut self, rule: RuleRef) -> Vec<StmtIx> {
        self.by_rule.remove(&rule).unwrap_or_default()
    }

    /// Takes out statements.
    pub(crate) fn uninstall(&mut self, old: Vec<StmtIx>, hosts: &mut Hosts, gone: &mut Gone) {
        for ix in old {
            let Some(statement) = self.statements.remove(ix) else { continue };
            if let Some(row) = self.selectors.get_mut(statement.hosts) {
                row.statements.retain(|s| *s != ix);
                gone.classes |= &row.classes;
            }
            if let StmtTarget::Peer(peer) = statement.target {
                self.release_peer(peer, hosts, &mut gone.sets);
            }
            self.release_selector(statement.hosts, hosts);
        }
    }

    /// Sends a custom iptables rule to the workloads of a selector.
    pub(crate) fn install_custom(
        &mut self,
        rule: RuleKey,
        selector: &Selector,
        world: World<'_>,
        fresh: &mut Fresh,
    ) {
        if selector.is_none() {
            return;
        }
        let ix = self.selector(selector, world, &mut fresh.selectors);
        if let Some(row) = self.selectors.get_mut(ix) {
            row.custom.push(rule);
            fresh.touched.insert(ix);
        }
        self.custom.insert(rule, ix);
    }

    /// Stops sending a custom rule to the workloads of a selector.
    pub(crate) fn uninstall_custom(
        &mut self,
        rule: RuleKey,
        ix: SelIx,
        hosts: &mut Hosts,
        gone: &mut Gone,
    ) {
        if let Some(row) = self.selectors.get_mut(ix) {
            if let Some(at) = row.custom.iter().position(|r| *r == rule) {
                row.custom.remove(at);
            }
            gone.classes |= &row.classes;
        }
        self.release_selector(ix, hosts);
    }

    /// The selectors that may pick a class, each once.
    pub(crate) fn candidates(&self, class: &Class, bindings_of: &[Id]) -> Vec<SelIx> {
        let mut out = self.always.clone();
        let mut seen_key = None;
        for (key, label) in &class.key.labels {
            out.extend(self.by_label.get(label).into_iter().flatten());
            if seen_key != Some(*key) {
                out.extend(self.by_key.get(key).into_iter().flatten());
                seen_key = Some(*key);
            }
        }
        if let Some(id) = class.key.pinned {
            out.extend(self.by_workload.get(&id).into_iter().flatten());
        }
        out.extend(bindings_of.iter().filter_map(|id| self.by_service.get(id)).flatten());
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Gives peers their set ids for hosts in these networks.
    pub(crate) fn name_sets(&mut self, peer: PeerIx, names: &Names, fresh: &mut Vec<SetId>) {
        let Some(row) = self.peers.get(peer) else { return };
        let wanted: Vec<NetsIx> = if by_nets(&row.kind) {
            self.nets.keys().copied().filter(|n| !row.ids.iter().any(|(m, _)| m == n)).collect()
        } else if row.ids.is_empty() {
            vec![ANY_NETS]
        } else {
            return;
        };
        let ids: Vec<_> = wanted.iter().map(|n| (*n, set_id(&row.source, *n, names))).collect();
        for (nets, id) in &ids {
            self.sets.insert(*id, (peer, *nets));
            fresh.push(*id);
        }
        if let Some(row) = self.peers.get_mut(peer) {
            row.ids.extend(ids);
        }
    }

    /// Takes the set ids for hosts in networks that no class has any more.
    pub(crate) fn forget_nets(&mut self, nets: NetsIx, gone: &mut Vec<SetId>) {
        let peers: Vec<PeerIx> = self.peers.iter().map(|(ix, _)| ix).collect();
        for peer in peers {
            let Some(row) = self.peers.get_mut(peer) else { continue };
            if let Some(at) = row.ids.iter().position(|(n, _)| *n == nets) {
                let (_, id) = row.ids.remove(at);
                self.sets.remove(&id);
                self.complex.remove(&id);
                gone.push(id);
            }
        }
    }

    /// The set that peers are for a host in these networks.
    pub(crate) fn set_of(&self, peer: PeerIx, nets: NetsIx) -> Option<SetId> {
        let ids = &self.peers.get(peer)?.ids;
        ids.iter().find(|(n, _)| *n == nets || *n == ANY_NETS).map(|(_, id)| *id)
    }

    /// What peers resolve to for a host in these networks.
    pub(crate) fn resolve(&self, kind: &PeerKind, nets: NetsIx, read: Read<'_>) -> Arc<IpSet> {
        match kind {
            PeerKind::Workloads(selector, subnets) => {
                let Some(row) = self.selectors.get(*selector) else { return Arc::default() };
                Arc::new(read.hosts.addresses(read.names, &row.classes, *subnets, nets))
            }
            PeerKind::Everywhere(selector, subnets) => {
                let Some(row) = self.selectors.get(*selector) else { return Arc::default() };
                Arc::new(read.hosts.everywhere(&row.classes, *subnets))
            }
            PeerKind::Fixed(source, _) => fixed(source, read.snapshot).unwrap_or_default(),
            PeerKind::Except(parts) => {
                let parts: Vec<_> = parts.iter().map(|p| self.resolve(p, nets, read)).collect();
                Arc::new(IpSet::union_all(parts.iter().map(|p| &**p)).complement())
            }
        }
    }
}

/// What resolving peers reads.
#[derive(Clone, Copy)]
pub(crate) struct Read<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) names: &'a Names,
    pub(crate) hosts: &'a Hosts,
}

/// What installing made.
#[derive(Debug, Default)]
pub(crate) struct Fresh {
    /// Selectors that have no classes yet.
    pub(crate) selectors: Vec<SelIx>,
    /// Peers that have no set ids yet.
    pub(crate) peers: Vec<PeerIx>,
    /// Selectors with more statements than before.
    pub(crate) touched: FxHashSet<SelIx>,
}

/// What uninstalling took away.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    /// Classes that lost a statement.
    pub(crate) classes: RoaringBitmap,
    pub(crate) sets: Vec<SetId>,
}

/// The selectors that peers are made of.
pub(crate) fn selectors_of(kind: &PeerKind) -> SmallVec<[SelIx; 1]> {
    match kind {
        PeerKind::Workloads(ix, _) | PeerKind::Everywhere(ix, _) | PeerKind::Fixed(_, Some(ix)) => {
            SmallVec::from_slice(&[*ix])
        }
        PeerKind::Fixed(_, None) => SmallVec::new(),
        PeerKind::Except(parts) => parts.iter().flat_map(selectors_of).collect(),
    }
}

/// Whether a change of what peers resolve to can be told only by resolving them.
pub(crate) const fn is_complex(kind: &PeerKind) -> bool {
    matches!(kind, PeerKind::Workloads(_, true) | PeerKind::Everywhere(..) | PeerKind::Except(_))
}

/// Whether what peers resolve to depends on the networks of the host.
pub(crate) const fn by_nets(kind: &PeerKind) -> bool {
    matches!(kind, PeerKind::Workloads(..))
}

/// The id of what peers are for hosts in these networks: a hash of the meaning.
fn set_id(source: &Source, nets: NetsIx, names: &Names) -> SetId {
    let mut bytes = b"bulkhead set 1".to_vec();
    describe(source, names, &mut bytes);
    if nets != ANY_NETS {
        let ids = names.net_list(nets).iter().filter_map(|n| names.net_id(*n));
        let mut ids: Vec<Option<Id>> = ids.collect();
        ids.sort_unstable();
        bytes.push(u8::MAX);
        for id in ids {
            bytes.push(u8::from(id.is_some()));
            bytes.extend_from_slice(&id.unwrap_or(Id::SINGLETON).to_bytes());
        }
    }
    let mut id = [0; 16];
    let hash = blake3::hash(&bytes);
    id.iter_mut().zip(hash.as_bytes()).for_each(|(to, from)| *to = *from);
    SetId(id)
}

fn describe(source: &Source, names: &Names, out: &mut Vec<u8>) {
    let object = |tag: u8, id: &Id, out: &mut Vec<u8>| {
        out.push(tag);
        out.extend_from_slice(&id.to_bytes());
    };
    match source {
        Source::Workloads(selector, subnets) => {
            out.push(u8::from(*subnets));
            selector.describe(names, out);
        }
        Source::List(id) => object(2, id, out),
        Source::Overrides(id, behind) => {
            object(3, id, out);
            behind.describe(names, out);
        }
        Source::Address(id, place) => {
            object(4, id, out);
            out.extend_from_slice(&(*place as u64).to_be_bytes());
        }
        Source::Server(id) => object(5, id, out),
        Source::Essential(id) => object(6, id, out),
        Source::Everywhere(selector, subnets) => {
            out.push(8 + u8::from(*subnets));
            selector.describe(names, out);
        }
        Source::Except(parts) => {
            out.push(7);
            let each = parts.iter().map(|part| {
                let mut bytes = Vec::new();
                describe(part, names, &mut bytes);
                bytes
            });
            let mut each: Vec<Vec<u8>> = each.collect();
            each.sort_unstable();
            each.iter().for_each(|bytes| text(bytes, out));
        }
    }
}
