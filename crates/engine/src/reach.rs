//! Reachability: whether somebody reaches somebody on some services, proved over classes of workloads.
//!
//! What is judged is what the policy allows, as if every workload were managed and in full enforcement:
//! between two workloads both ends must allow, towards or from an IP list the workload's end alone. Workloads of
//! one class have the same table; what it leaves open is worked out as pieces of addresses and services, so
//! that every address is judged and none is tried. An address of an IP list counts as nobody's, also where a
//! workload has it.
//!
//! Entries that act for some process, Windows service or user only count where that makes a claim fail: as
//! open for [`Claim::Never`], as closed for the other two. Names count as closed.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AddressSets, Effect, Entry, Flow, FlowEnd, NetworkType, Peers, RuleTable, ServiceRef,
    Snapshot,
};
use bulkhead_netset::{IpSet, PortRange, ProtoPorts, ServiceSet, U8Range};
use rayon::prelude::*;

use crate::engine::Engine;
use crate::hosts::{HostIx, contributes};
use crate::names::NetsIx;
use crate::service::entries;

/// What is claimed of consumers, providers and services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// No consumer reaches any provider on any part of the services.
    Never,
    /// Every consumer reaches every other provider on all of the services.
    Always,
    /// Some consumer reaches some provider on some part of the services.
    Allowed,
}

/// A claim about who reaches whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    /// The claim.
    pub claim: Claim,
    /// Who connects: labels, label groups, dimensions, workloads, all workloads, IP lists. Others name nobody.
    pub consumers: Vec<Actor>,
    /// Who is connected to.
    pub providers: Vec<Actor>,
    /// On which services.
    pub services: Vec<ServiceRef>,
}

/// Whether a claim holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It does.
    Holds,
    /// It does not; a flow that shows it, where one flow can (not for [`Claim::Allowed`]).
    Broken(Option<Box<Flow>>),
}

/// One side of a claim: workloads by class, and addresses.
struct Side {
    workloads: Vec<Member>,
    addresses: IpSet,
}

/// Workloads of one class.
struct Member {
    table: Arc<RuleTable>,
    nets: NetsIx,
    hosts: Vec<HostIx>,
}

/// A member with what its entries leave open towards the other side, in one direction.
struct Open<'a> {
    member: &'a Member,
    /// What decides the claim of what it sees of the other side's workloads.
    pieces: Vec<Piece>,
}

/// Addresses and services that go together.
type Piece = (IpSet, ServiceSet);

/// The pieces without what one other piece covers.
fn minus(pieces: Vec<Piece>, (ips, services): &Piece) -> Vec<Piece> {
    let mut out = Vec::with_capacity(pieces.len());
    for (a, s) in pieces {
        let both = a.intersection(ips);
        if both.is_empty() || s.is_disjoint(services) {
            out.push((a, s));
            continue;
        }
        let (apart, rest) = (a.difference(ips), s.difference(services));
        if !apart.is_empty() {
            out.push((apart, s));
        }
        if !rest.is_empty() {
            out.push((both, rest));
        }
    }
    out
}

impl Engine {
    /// Judges a claim. A side that names nobody makes `never` and `always` hold, and `allowed` not.
    pub fn judge(&self, assertion: &Assertion) -> Outcome {
        let asked = entries(&assertion.services, self.snapshot());
        // Whose process it is makes no difference to what is asked.
        let services = ServiceSet::union_all(asked.iter().map(|e| &e.ports));
        let sides = [&assertion.consumers, &assertion.providers].map(|actors| self.named(actors));
        let [consumers, providers] = &sides;
        let judge = Judge { engine: self, claim: assertion.claim, services: &services };
        let found = judge
            .between(consumers, providers)
            .or_else(|| judge.with_addresses(&providers.workloads, &consumers.addresses, true))
            .or_else(|| judge.with_addresses(&consumers.workloads, &providers.addresses, false));
        match (assertion.claim, found) {
            (Claim::Allowed, Some(_)) | (Claim::Never | Claim::Always, None) => Outcome::Holds,
            (Claim::Allowed, None) => Outcome::Broken(None),
            (_, Some(flow)) => Outcome::Broken(Some(Box::new(flow))),
        }
    }

    fn named(&self, actors: &[Actor]) -> Side {
        let snapshot = self.snapshot();
        let wanted = Wanted::new(snapshot, actors);
        let mut classes: BTreeMap<u32, Vec<HostIx>> = BTreeMap::new();
        for (id, workload) in &snapshot.workloads {
            if wanted.has(snapshot, *id, &workload.labels)
                && let Some((ix, host)) = self.hosts.host(*id)
            {
                classes.entry(host.class).or_default().push(ix);
            }
        }
        let member = |(class, hosts): (u32, Vec<HostIx>)| {
            let nets = self.hosts.classes.get(class)?.key.nets;
            Some(Member { table: self.table(class)?, nets, hosts })
        };
        let mut workloads: Vec<Member> = classes.into_iter().filter_map(member).collect();
        // Numbers of classes depend on history; which counterexample is found must not.
        let first = |m: &Member| m.hosts.first().and_then(|ix| self.row(Some(*ix))).map(|h| h.id);
        workloads.sort_unstable_by_key(first);
        let lists = actors.iter().filter_map(|actor| match actor {
            Actor::IpList(id) => snapshot.ip_lists.get(id).map(|l| &*l.addresses),
            _ => None,
        });
        Side { workloads, addresses: IpSet::union_all(lists) }
    }

    /// Two different workloads of two members with addresses of the given sets, as they see each other.
    fn example(
        &self,
        (ours, our_ips): (&Member, &IpSet),
        (theirs, their_ips): (&Member, &IpSet),
    ) -> Option<(FlowEnd, FlowEnd)> {
        let ends = |member: &Member, ips: &IpSet, nets: NetsIx| -> Vec<(Id, IpAddr)> {
            self.seen(member, nets).filter(|(_, ip)| ips.contains(*ip)).collect()
        };
        let ours_seen = ends(ours, our_ips, theirs.nets);
        let theirs_seen =
            if ours_seen.is_empty() { Vec::new() } else { ends(theirs, their_ips, ours.nets) };
        let end = |(id, ip): (Id, IpAddr)| FlowEnd { workload: Some(id), ip: Some(ip) };
        ours_seen.iter().find_map(|our| {
            let fits = |their: &&(Id, IpAddr)| {
                their.0 != our.0 && their.1 != our.1 && their.1.is_ipv4() == our.1.is_ipv4()
            };
            theirs_seen.iter().find(fits).map(|their| (end(*our), end(*their)))
        })
    }

    /// The workloads of a member with the addresses under which hosts in some networks see them (R-NETWORK).
    fn seen<'a>(
        &'a self,
        member: &'a Member,
        nets: NetsIx,
    ) -> impl Iterator<Item = (Id, IpAddr)> + 'a {
        let hosts = member.hosts.iter().filter_map(|ix| self.row(Some(*ix)));
        hosts.flat_map(move |host| {
            let all = host.contributions().into_iter();
            let seen = all.filter(move |(_, via)| contributes(&self.names, nets, host.nets, *via));
            seen.map(|(ip, _)| (host.id, ip))
        })
    }
}

/// Which workloads actors name.
struct Wanted<'a> {
    all: bool,
    workloads: Vec<Id>,
    /// By label key: labels included, labels excluded, whether any is included.
    keys: BTreeMap<&'a str, (Vec<Id>, Vec<Id>, bool)>,
}

impl<'a> Wanted<'a> {
    fn new(snapshot: &'a Snapshot, actors: &'a [Actor]) -> Self {
        let mut out = Self { all: false, workloads: Vec::new(), keys: BTreeMap::new() };
        for actor in actors {
            match actor {
                Actor::AllWorkloads => out.all = true,
                Actor::Workload(id) => out.workloads.push(*id),
                Actor::Label { id, exclusion } => {
                    let key = snapshot.labels.get(id).map_or("", |l| &l.key);
                    out.add(key, [*id], *exclusion);
                }
                Actor::LabelGroup { id, exclusion } => {
                    let key = snapshot.label_groups.get(id).map_or("", |g| &g.key);
                    out.add(key, crate::search::labels_of(snapshot, *id), *exclusion);
                }
                Actor::Dimension(key) => {
                    let labels = snapshot.labels.iter().filter(|(_, l)| l.key == *key);
                    out.add(key, labels.map(|(id, _)| *id).collect::<Vec<Id>>(), false);
                }
                _ => {}
            }
        }
        out
    }

    fn add(&mut self, key: &'a str, labels: impl IntoIterator<Item = Id>, exclusion: bool) {
        let (include, exclude, includes) = self.keys.entry(key).or_default();
        if exclusion {
            exclude.extend(labels);
        } else {
            include.extend(labels);
            *includes = true;
        }
    }

    fn has(&self, snapshot: &Snapshot, id: Id, labels: &[Id]) -> bool {
        let excludes = self.keys.values().any(|(_, exclude, _)| !exclude.is_empty());
        if self.workloads.contains(&id) || (self.all && !excludes) {
            return true;
        }
        let carried = |key: &str| {
            let of_key = |id: &&Id| snapshot.labels.get(id).is_some_and(|l| &*l.key == key);
            labels.iter().find(of_key)
        };
        !self.keys.is_empty()
            && self.keys.iter().all(|(key, (include, exclude, includes))| {
                let label = carried(key);
                label.is_some_and(|l| (!includes || include.contains(l)) && !exclude.contains(l))
            })
    }
}

struct Judge<'a> {
    engine: &'a Engine,
    claim: Claim,
    services: &'a ServiceSet,
}

impl Judge<'_> {
    /// The services of an entry that count, for the claim.
    fn counting(&self, entry: &Entry) -> ServiceSet {
        // R-BRN: every host counts as on the corporate network.
        if entry.flags.network_type == NetworkType::NonBrn {
            return ServiceSet::new();
        }
        let limited = !entry.flags.principals.is_empty();
        let open = self.claim == Claim::Never;
        // A deny closes for `never` only what it closes for everybody, an allow opens the other way round.
        let denies = matches!(entry.effect, Effect::OverrideDeny | Effect::Deny);
        let some_count = open != denies;
        let counts = |process: bool| some_count || !(limited || process);
        let matches = entry.services.iter();
        let ports = matches.filter(|m| counts(m.process.is_some() || m.windows_service.is_some()));
        ServiceSet::union_all(ports.map(|m| &m.ports)).intersection(self.services)
    }

    fn peers(&self, entry: &Entry) -> Option<Arc<IpSet>> {
        match &entry.peers {
            Peers::Any => Some(Arc::new(IpSet::all())),
            Peers::Set(id) => self.engine.addresses(*id),
            Peers::Names(_) => None,
        }
    }

    /// What entries let through of the services, to or from addresses.
    fn open(&self, entries: &[Arc<Entry>], addresses: &IpSet) -> Vec<Piece> {
        let of = |effect: Effect| -> Vec<Piece> {
            let some = entries.iter().filter(|e| e.effect == effect);
            let piece = |e: &Arc<Entry>| {
                let (ips, services) = (self.peers(e)?.intersection(addresses), self.counting(e));
                (!ips.is_empty() && !services.is_empty()).then_some((ips, services))
            };
            some.filter_map(piece).collect()
        };
        let mut open = of(Effect::Allow);
        for denied in of(Effect::OverrideDeny) {
            open = minus(open, &denied);
        }
        open.extend(of(Effect::Essential));
        open
    }

    /// The pieces that decide the claim: what is open, or for [`Claim::Always`] what is not.
    fn telling(&self, open: Vec<Piece>, addresses: &IpSet) -> Vec<Piece> {
        match self.claim {
            Claim::Never | Claim::Allowed => open,
            Claim::Always if addresses.is_empty() || self.services.is_empty() => Vec::new(),
            Claim::Always => {
                let whole = vec![(addresses.clone(), self.services.clone())];
                open.iter().fold(whole, minus)
            }
        }
    }

    fn opened<'m>(&self, member: &'m Member, other: &Side, inbound: bool) -> Open<'m> {
        let others = other.workloads.iter().flat_map(|m| self.engine.seen(m, member.nets));
        let others: IpSet = others.map(|(_, ip)| ip).collect();
        let entries = if inbound { &member.table.inbound } else { &member.table.outbound };
        let pieces = self.telling(self.open(entries, &others), &others);
        Open { member, pieces }
    }

    /// A flow between workloads of the two sides that decides the claim.
    fn between(&self, consumers: &Side, providers: &Side) -> Option<Flow> {
        let outs = consumers.workloads.par_iter().map(|m| self.opened(m, providers, false));
        let outs: Vec<Open<'_>> = outs.filter(|o| !o.pieces.is_empty()).collect();
        let ins = providers.workloads.par_iter().map(|m| self.opened(m, consumers, true));
        let ins: Vec<Open<'_>> = ins.filter(|o| !o.pieces.is_empty()).collect();
        if self.claim == Claim::Always {
            // One closed end is enough.
            let inbound = ins.iter().find_map(|open| self.closed(open, consumers, true));
            return inbound
                .or_else(|| outs.iter().find_map(|open| self.closed(open, providers, false)));
        }
        ins.par_iter().find_map_first(|to| outs.iter().find_map(|from| self.pair(from, to)))
    }

    /// A flow that an end closes, with a workload of the other side.
    fn closed(&self, open: &Open<'_>, other: &Side, inbound: bool) -> Option<Flow> {
        for (peers, services) in &open.pieces {
            let service = services.entries().next()?;
            for member in &other.workloads {
                let all = IpSet::all();
                let ends = self.engine.example((member, peers), (open.member, &all));
                if let Some((peer, own)) = ends {
                    let (src, dst) = if inbound { (peer, own) } else { (own, peer) };
                    return Some(Flow::new(src, dst, narrow(service)));
                }
            }
        }
        None
    }

    /// A flow that both ends leave open.
    fn pair(&self, from: &Open<'_>, to: &Open<'_>) -> Option<Flow> {
        for (sources, inbound) in &to.pieces {
            for (targets, outbound) in &from.pieces {
                let services = inbound.intersection(outbound);
                let Some(service) = services.entries().next() else { continue };
                let ends = self.engine.example((from.member, sources), (to.member, targets));
                if let Some((src, dst)) = ends {
                    return Some(Flow::new(src, dst, narrow(service)));
                }
            }
        }
        None
    }

    /// A flow between a workload and addresses that decides the claim.
    fn with_addresses(&self, members: &[Member], peers: &IpSet, inbound: bool) -> Option<Flow> {
        members.par_iter().find_map_first(|member| {
            let entries = if inbound { &member.table.inbound } else { &member.table.outbound };
            let telling = self.telling(self.open(entries, peers), peers);
            let (ips, services) = telling.first()?;
            let (ip, service) = (ips.ranges().next()?.first(), services.entries().next()?);
            let own = self.engine.row(member.hosts.first().copied())?.id;
            let own = FlowEnd { workload: Some(own), ip: None };
            let (src, dst) = if inbound { (at(ip), own) } else { (own, at(ip)) };
            Some(Flow::new(src, dst, narrow(service)))
        })
    }
}

const fn at(ip: IpAddr) -> FlowEnd {
    FlowEnd { workload: None, ip: Some(ip) }
}

/// One port, type or protocol of an entry: an example of it.
fn narrow(entry: ProtoPorts) -> ProtoPorts {
    match entry {
        ProtoPorts::Protocols(range) => ProtoPorts::Protocols(U8Range::single(range.first())),
        ProtoPorts::Ports(protocol, range) => {
            ProtoPorts::Ports(protocol, PortRange::single(range.first()))
        }
        ProtoPorts::IcmpTypes(version, types) => {
            ProtoPorts::IcmpCodes(version, types.first(), U8Range::single(0))
        }
        ProtoPorts::IcmpCodes(version, icmp_type, codes) => {
            ProtoPorts::IcmpCodes(version, icmp_type, U8Range::single(codes.first()))
        }
    }
}
