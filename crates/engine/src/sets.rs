//! What moved workloads mean for address sets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{SetId, Workload};
use smallvec::SmallVec;

use crate::engine::Engine;
use crate::hosts::{Address, ClassIx, Host, Via, contributes};
use crate::names::NetsIx;
use crate::plan::Plan;
use crate::store::{PeerKind, SelIx};

/// Who had an address before, among the workloads of a plan: workload, way, networks.
type OldOwners = BTreeMap<IpAddr, Vec<(Id, Via, NetsIx)>>;

/// A workload before a change.
#[derive(Debug, Default)]
pub(crate) struct Before {
    was: Option<(ClassIx, NetsIx, Arc<Workload>)>,
    selectors: Vec<SelIx>,
    addresses: SmallVec<[(IpAddr, Via); 2]>,
    interfaces: SmallVec<[Address; 1]>,
}

impl Before {
    pub(crate) fn new(engine: &Engine, id: Id) -> Self {
        let Some((_, host)) = engine.hosts.host(id) else { return Self::default() };
        let selectors = engine.hosts.class_of(host).map(|c| c.selectors.clone());
        let addresses = host.contributions();
        Self {
            was: Some((host.class, host.nets, Arc::clone(&host.workload))),
            selectors: selectors.unwrap_or_default(),
            addresses,
            interfaces: host.addresses.clone(),
        }
    }

    /// The class that it was in.
    pub(crate) fn class(&self) -> Option<ClassIx> {
        self.was.as_ref().map(|(class, ..)| *class)
    }

    /// Whether the intent of the workload may be another now.
    pub(crate) fn differs(&self, now: Option<&Host>) -> bool {
        let managed = |w: &Workload| w.managed;
        let ignored = |w: &Workload| -> BTreeSet<Arc<str>> {
            let all = w.interfaces.iter().filter(|i| i.ignored);
            all.map(|i| Arc::clone(&i.name)).collect()
        };
        match (&self.was, now) {
            (None, None) => false,
            (None, Some(now)) => managed(&now.workload),
            (Some((_, _, was)), None) => managed(was),
            (Some((class, _, was)), Some(now)) => {
                let now_w = &now.workload;
                (managed(was) || managed(now_w))
                    && (*class != now.class
                        || was.mode != now_w.mode
                        || was.managed != now_w.managed
                        || ignored(was) != ignored(now_w))
            }
        }
    }
}

/// Addresses that came and went, by set.
pub(crate) type Deltas = BTreeMap<SetId, (BTreeSet<IpAddr>, BTreeSet<IpAddr>)>;

impl Engine {
    /// The address sets that workloads of a plan leave or enter, after they moved.
    pub(crate) fn address_deltas(&self, plan: &Plan, touched: &mut BTreeSet<SelIx>) -> Deltas {
        let mut deltas = Deltas::new();
        let mut old = OldOwners::new();
        for (id, before) in &plan.hosts {
            let Some((_, nets, _)) = &before.was else { continue };
            for (ip, via) in &before.addresses {
                old.entry(*ip).or_default().push((*id, *via, *nets));
            }
        }
        for (id, before) in &plan.hosts {
            let now = self.hosts.host(*id).map(|(_, host)| host);
            let own = now.and_then(|host| self.hosts.class_of(host));
            let selectors = own.map_or(&[][..], |class| &class.selectors);
            let addresses = now.map(Host::contributions).unwrap_or_default();
            let same_place = before.addresses == addresses
                && Some(&before.interfaces) == now.map(|host| &host.addresses)
                && before.was.as_ref().map(|w| w.1) == now.map(|host| host.nets);
            let both: BTreeSet<SelIx> = before.selectors.iter().chain(selectors).copied().collect();
            for ix in both {
                let stays = before.selectors.binary_search(&ix).is_ok()
                    && selectors.binary_search(&ix).is_ok();
                if stays && same_place {
                    continue;
                }
                touched.insert(ix);
                let ips = before.addresses.iter().chain(&addresses).map(|(ip, _)| *ip);
                self.selector_deltas((plan, &old), ix, ips, &mut deltas);
            }
        }
        deltas.retain(|_, (added, removed)| !added.is_empty() || !removed.is_empty());
        deltas
    }

    fn selector_deltas(
        &self,
        old: (&Plan, &OldOwners),
        ix: SelIx,
        ips: impl Iterator<Item = IpAddr> + Clone,
        deltas: &mut Deltas,
    ) {
        let Some(row) = self.store.selectors.get(ix) else { return };
        for peer in row.peers.iter().filter_map(|p| self.store.peers.get(*p)) {
            if peer.kind != PeerKind::Workloads(ix, false) {
                continue;
            }
            for (nets, set) in &peer.ids {
                for ip in ips.clone() {
                    let (was, is) = (self.had(old, ix, ip, *nets), self.has(ix, ip, *nets));
                    if was == is {
                        continue;
                    }
                    let (added, removed) = deltas.entry(*set).or_default();
                    if is {
                        added.insert(ip)
                    } else {
                        removed.insert(ip)
                    };
                }
            }
        }
    }

    /// Whether a selector's set has an address now.
    fn has(&self, ix: SelIx, ip: IpAddr, nets: NetsIx) -> bool {
        let Some(row) = self.store.selectors.get(ix) else { return false };
        let mut owners = self.hosts.owners.get(&ip).into_iter().flatten();
        owners.any(|(host, via)| {
            let host = self.hosts.rows.get(*host);
            host.is_some_and(|host| {
                contributes(&self.names, nets, host.nets, *via) && row.classes.contains(host.class)
            })
        })
    }

    /// Whether a selector's set had an address before: workloads of the plan count by what they were, all
    /// others did not move.
    fn had(&self, (plan, old): (&Plan, &OldOwners), ix: SelIx, ip: IpAddr, nets: NetsIx) -> bool {
        let Some(row) = self.store.selectors.get(ix) else { return false };
        let moved = old.get(&ip).into_iter().flatten().any(|(id, via, own)| {
            let before = plan.hosts.get(id);
            contributes(&self.names, nets, *own, *via)
                && before.is_some_and(|b| b.selectors.binary_search(&ix).is_ok())
        });
        let mut owners = self.hosts.owners.get(&ip).into_iter().flatten();
        moved
            || owners.any(|(host, via)| {
                let host = self.hosts.rows.get(*host);
                host.is_some_and(|host| {
                    !plan.hosts.contains_key(&host.id)
                        && contributes(&self.names, nets, host.nets, *via)
                        && row.classes.contains(host.class)
                })
            })
    }
}
