//! Workloads by label class, and which workload contributes which address.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use bulkhead_ids::Id;
use bulkhead_model::{Os, RuleTable, Workload};
use bulkhead_netset::{IpRange, IpSet};
use ipnet::IpNet;
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::index::HostIndex;
use crate::names::{KeyIx, LabelIx, Names, NetIx, NetsIx};
use crate::slots::Slots;

pub(crate) type ClassIx = u32;
pub(crate) type HostIx = u32;

/// What the workloads of a class have in common; all that policy can ask of a workload but its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ClassKey {
    /// Labels that exist, as sorted pairs.
    pub(crate) labels: Vec<(KeyIx, LabelIx)>,
    pub(crate) nets: NetsIx,
    pub(crate) os: Os,
    pub(crate) managed: bool,
    pub(crate) endpoint: bool,
    pub(crate) container_host: bool,
    /// Set for a workload that something refers to directly: a class of its own.
    pub(crate) pinned: Option<Id>,
}

/// Firewall settings that act on a class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) static_policy: bool,
    pub(crate) containers_inherit: bool,
    pub(crate) reject_blocked: bool,
    pub(crate) loopback_in_policy: bool,
}

/// A label class.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) key: ClassKey,
    /// Its workloads, sorted by number.
    pub(crate) members: Vec<HostIx>,
    /// Selectors that pick it, sorted.
    pub(crate) selectors: Vec<u32>,
    pub(crate) settings: Settings,
    pub(crate) table: OnceLock<Arc<RuleTable>>,
    pub(crate) index: OnceLock<Arc<HostIndex>>,
}

/// How a workload comes to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// An interface in this network.
    Net(NetIx),
    /// Its public address.
    Public,
}

/// One address of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) ip: IpAddr,
    pub(crate) net: NetIx,
    pub(crate) prefix: Option<u8>,
}

/// A workload.
#[derive(Debug, Clone)]
pub(crate) struct Host {
    pub(crate) id: Id,
    pub(crate) class: ClassIx,
    pub(crate) nets: NetsIx,
    /// Addresses of the interfaces that are not ignored, in their order.
    pub(crate) addresses: SmallVec<[Address; 1]>,
    pub(crate) workload: Arc<Workload>,
    /// Its one interface address, when it has no other and no public one, and nobody else has it.
    pub(crate) sole: Option<IpAddr>,
}

/// Who has an address.
pub(crate) type Owners = SmallVec<[(HostIx, Via); 1]>;

/// All workloads and classes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hosts {
    pub(crate) rows: Slots<Host>,
    pub(crate) by_id: FxHashMap<Id, HostIx>,
    pub(crate) owners: FxHashMap<IpAddr, Owners>,
    pub(crate) classes: Slots<Class>,
    by_key: FxHashMap<ClassKey, ClassIx>,
    pub(crate) all: RoaringBitmap,
    pub(crate) containers: RoaringBitmap,
    pub(crate) by_label: FxHashMap<LabelIx, RoaringBitmap>,
    pub(crate) by_label_key: FxHashMap<KeyIx, RoaringBitmap>,
    pub(crate) pinned: FxHashMap<Id, ClassIx>,
    /// Label ids that workloads carry and that do not exist, with the number of carriers.
    pub(crate) unknown: FxHashMap<Id, u32>,
}

impl Host {
    /// A workload's row, without a class.
    pub(crate) fn new(id: Id, workload: &Arc<Workload>, names: &mut Names) -> Self {
        let used = workload.interfaces.iter().filter(|i| !i.ignored);
        let addresses: SmallVec<[Address; 1]> = used
            .map(|i| Address { ip: i.address, net: names.net(i.network), prefix: i.prefix })
            .collect();
        let nets = names.nets(r_network(&addresses));
        Self { id, class: u32::MAX, nets, addresses, workload: Arc::clone(workload), sole: None }
    }

    /// The addresses that it may contribute, each once, with the way.
    pub(crate) fn contributions(&self) -> SmallVec<[(IpAddr, Via); 2]> {
        let mut out: SmallVec<[(IpAddr, Via); 2]> =
            self.addresses.iter().map(|a| (a.ip, Via::Net(a.net))).collect();
        out.extend(self.workload.public_ip.map(|ip| (ip, Via::Public)));
        out
    }
}

/// R-NETWORK: a workload's networks are those of its interfaces that are not ignored; sorted.
fn r_network(addresses: &[Address]) -> Vec<NetIx> {
    let mut nets: Vec<NetIx> = addresses.iter().map(|a| a.net).collect();
    nets.sort_unstable();
    nets.dedup();
    nets
}

/// R-NETWORK: whether a host in `host_nets` sees this address of a peer in `peer_nets`.
pub(crate) fn contributes(names: &Names, host_nets: NetsIx, peer_nets: NetsIx, via: Via) -> bool {
    match via {
        Via::Net(net) => names.net_list(host_nets).contains(&net),
        Via::Public => !names.nets_meet(host_nets, peer_nets),
    }
}

/// R-SUBNETS: what an interface contributes when a side is told as subnets.
pub(crate) fn r_subnets(address: &Address) -> IpRange {
    let net = address.prefix.and_then(|prefix| IpNet::new(address.ip, prefix).ok());
    net.map_or_else(|| IpRange::from(address.ip), |net| IpRange::from(net.trunc()))
}

impl Hosts {
    pub(crate) fn host(&self, id: Id) -> Option<(HostIx, &Host)> {
        let ix = *self.by_id.get(&id)?;
        Some((ix, self.rows.get(ix)?))
    }

    pub(crate) fn class_of(&self, host: &Host) -> Option<&Class> {
        self.classes.get(host.class)
    }

    /// Adds a row and its addresses; the class comes later.
    pub(crate) fn add(&mut self, host: Host) -> HostIx {
        let (id, contributions) = (host.id, host.contributions());
        let ix = self.rows.insert(host);
        self.by_id.insert(id, ix);
        for (ip, via) in contributions {
            let owners = self.owners.entry(ip).or_default();
            if !owners.contains(&(ix, via)) {
                owners.push((ix, via));
            }
            self.count_owners(ip);
        }
        ix
    }

    /// Brings up to date who is the only owner of an address.
    fn count_owners(&mut self, ip: IpAddr) {
        let Some(owners) = self.owners.get(&ip) else { return };
        for (ix, _) in owners {
            if let Some(host) = self.rows.get_mut(*ix) {
                let one = owners.len() == 1
                    && host.addresses.len() == 1
                    && host.workload.public_ip.is_none();
                host.sole = one.then_some(ip);
            }
        }
    }

    /// Takes a workload out of its class and out of the addresses, and drops its row.
    pub(crate) fn remove(&mut self, ix: HostIx) -> Option<Host> {
        let host = self.rows.remove(ix)?;
        self.by_id.remove(&host.id);
        for (ip, _) in host.contributions() {
            if let Some(owners) = self.owners.get_mut(&ip) {
                owners.retain(|o| o.0 != ix);
                if owners.is_empty() {
                    self.owners.remove(&ip);
                }
            }
            self.count_owners(ip);
        }
        self.leave(ix, host.class);
        Some(host)
    }

    fn leave(&mut self, ix: HostIx, class: ClassIx) {
        if let Some(class) = self.classes.get_mut(class)
            && let Ok(at) = class.members.binary_search(&ix)
        {
            class.members.remove(at);
        }
    }

    /// Puts a workload into a class; true when the class is new.
    pub(crate) fn enter(&mut self, ix: HostIx, key: ClassKey) -> Option<(ClassIx, bool)> {
        let old = self.rows.get(ix)?.class;
        let found = self.by_key.get(&key).copied();
        if found == Some(old) {
            return Some((old, false));
        }
        self.leave(ix, old);
        let class = found.unwrap_or_else(|| self.new_class(key));
        self.rows.get_mut(ix)?.class = class;
        let members = &mut self.classes.get_mut(class)?.members;
        if let Err(at) = members.binary_search(&ix) {
            members.insert(at, ix);
        }
        Some((class, found.is_none()))
    }

    fn new_class(&mut self, key: ClassKey) -> ClassIx {
        let class = Class {
            key: key.clone(),
            members: Vec::new(),
            selectors: Vec::new(),
            settings: Settings::default(),
            table: OnceLock::new(),
            index: OnceLock::new(),
        };
        let ix = self.classes.insert(class);
        self.all.insert(ix);
        if key.container_host {
            self.containers.insert(ix);
        }
        for (label_key, label) in &key.labels {
            self.by_label.entry(*label).or_default().insert(ix);
            self.by_label_key.entry(*label_key).or_default().insert(ix);
        }
        if let Some(id) = key.pinned {
            self.pinned.insert(id, ix);
        }
        self.by_key.insert(key, ix);
        ix
    }

    /// Drops a class without workloads.
    pub(crate) fn drop_class(&mut self, ix: ClassIx) -> Option<Class> {
        let class = self.classes.remove(ix)?;
        self.all.remove(ix);
        self.containers.remove(ix);
        for (key, label) in &class.key.labels {
            if let Some(classes) = self.by_label.get_mut(label) {
                classes.remove(ix);
            }
            if let Some(classes) = self.by_label_key.get_mut(key) {
                classes.remove(ix);
            }
        }
        if let Some(id) = class.key.pinned
            && self.pinned.get(&id) == Some(&ix)
        {
            self.pinned.remove(&id);
        }
        self.by_key.remove(&class.key);
        Some(class)
    }

    /// Every address that the workloads of some classes have anywhere, their public ones too.
    pub(crate) fn everywhere(&self, classes: &RoaringBitmap, subnets: bool) -> IpSet {
        let classes = classes.iter().filter_map(|ix| self.classes.get(ix));
        let members = classes.flat_map(|c| &c.members).filter_map(|ix| self.rows.get(*ix));
        let ranges = members.flat_map(|host| {
            let own = host.addresses.iter();
            let own = own.map(move |a| if subnets { r_subnets(a) } else { IpRange::from(a.ip) });
            own.chain(host.workload.public_ip.map(IpRange::from))
        });
        ranges.collect()
    }

    /// The addresses that the workloads of some classes contribute to hosts in these networks (R-NETWORK).
    pub(crate) fn addresses(
        &self,
        names: &Names,
        classes: &RoaringBitmap,
        subnets: bool,
        nets: NetsIx,
    ) -> IpSet {
        let mut ranges: Vec<IpRange> = Vec::new();
        for class in classes.iter().filter_map(|ix| self.classes.get(ix)) {
            let meet = names.nets_meet(nets, class.key.nets);
            let list = names.net_list(nets);
            for host in class.members.iter().filter_map(|ix| self.rows.get(*ix)) {
                if !meet {
                    ranges.extend(host.workload.public_ip.map(IpRange::from));
                    continue;
                }
                let seen = host.addresses.iter().filter(|a| list.contains(&a.net));
                ranges.extend(seen.map(
                    |a| {
                        if subnets { r_subnets(a) } else { IpRange::from(a.ip) }
                    },
                ));
            }
        }
        ranges.into_iter().collect()
    }
}
