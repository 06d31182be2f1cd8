//! Organisations of a given size for benchmarks: believable rather than tricky.
//!
//! Six label keys. Applications differ in size by orders of magnitude, each has some of the roles and lives in
//! few locations; six of ten workloads are in production. Most rules stay within one application and
//! environment (a rule set with that scope), some let another application in, few are for everyone.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AllowRule, Interface, IpList, Label, Mode, RuleSet, ScopeEntry, ScopeTarget, Service,
    ServiceEntry, ServiceRef, Snapshot, Workload,
};
use bulkhead_netset::{IpRange, IpSet, PortProtocol, PortRange, ProtoPorts};
use fastrand::Rng;

/// The size of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Where all chance comes from.
    pub seed: u64,
    /// Workloads, all managed, with one IPv4 address each; at most 2^24.
    pub workloads: u32,
    /// Applications.
    pub apps: u32,
    /// Rule sets, each for one application and environment.
    pub rule_sets: u32,
    /// Allow rules.
    pub rules: u32,
    /// IP lists.
    pub ip_lists: u32,
    /// Ranges of the longest list.
    pub ranges_max: u32,
}

impl Shape {
    /// Rows P1 and P2: 100,000 workloads, 75,000 rules.
    pub const P1: Self = Self {
        seed: 1,
        workloads: 100_000,
        apps: 3_000,
        rule_sets: 9_000,
        rules: 75_000,
        ip_lists: 200,
        ranges_max: 10_000,
    };
    /// Row P3: 10,000 workloads, 192,000 rules in 650 rule sets.
    pub const P3: Self = Self {
        seed: 3,
        workloads: 10_000,
        apps: 3_000,
        rule_sets: 650,
        rules: 192_000,
        ip_lists: 400,
        ranges_max: 10_000,
    };
}

const ROLES: u32 = 40;
const ENVS: u32 = 6;
const LOCS: u32 = 12;
const SYSTEMS: u32 = 4;
const UNITS: u32 = 20;
const SERVICES: u32 = 500;

/// First label ids of the keys.
const ROLE: u64 = 1_000;
const ENV: u64 = 2_000;
const LOC: u64 = 3_000;
const SYSTEM: u64 = 4_000;
const UNIT: u64 = 5_000;
const APP: u64 = 10_000;

/// First ids of other kinds.
const WORKLOAD: u64 = 1_000_000;
const SERVICE: u64 = 100;
const LIST: u64 = 100;

/// The label of an application, by number.
pub const fn app_label(app: u32) -> Id {
    Id::int(APP + app as u64)
}

/// The label that six of ten workloads carry.
pub const fn common_label() -> Id {
    Id::int(ENV)
}

/// The id of a workload, by number.
pub const fn workload_id(n: u32) -> Id {
    Id::int(WORKLOAD + n as u64)
}

/// A number below a limit, small ones far more often.
fn skewed(rng: &mut Rng, limit: u32) -> u32 {
    let x = rng.f64();
    ((x * x * x) * f64::from(limit)) as u32
}

/// An environment: six of ten are the first.
fn env(rng: &mut Rng) -> u32 {
    if rng.u32(0..10) < 6 { 0 } else { rng.u32(1..ENVS) }
}

/// One of the few roles of an application.
fn role(rng: &mut Rng, app: u32) -> u32 {
    let few = 3 + app % 6;
    (app.wrapping_mul(7) + skewed(rng, few)) % ROLES
}

/// An organisation of a shape; the same for the same shape.
pub fn world(shape: &Shape) -> Snapshot {
    let mut rng = Rng::with_seed(shape.seed);
    let mut s = Snapshot::default();
    labels(shape, &mut s);
    for n in 0..shape.workloads {
        let app = skewed(&mut rng, shape.apps);
        let place = (app + rng.u32(0..3)) % LOCS;
        let mut labels = vec![
            Id::int(ROLE + u64::from(role(&mut rng, app))),
            Id::int(ENV + u64::from(env(&mut rng))),
            Id::int(LOC + u64::from(place)),
            app_label(app),
        ];
        if rng.u32(0..2) == 0 {
            labels.push(Id::int(SYSTEM + u64::from(skewed(&mut rng, SYSTEMS))));
        }
        if rng.u32(0..3) == 0 {
            labels.push(Id::int(UNIT + u64::from(app % UNITS)));
        }
        labels.sort_unstable();
        s.workloads.insert(workload_id(n), Arc::new(workload(n, labels)));
    }
    services(&mut rng, &mut s);
    ip_lists(shape, &mut rng, &mut s);
    rules(shape, &mut rng, &mut s);
    s
}

fn labels(shape: &Shape, s: &mut Snapshot) {
    let keys = [
        ("role", ROLE, ROLES),
        ("env", ENV, ENVS),
        ("loc", LOC, LOCS),
        ("os", SYSTEM, SYSTEMS),
        ("bu", UNIT, UNITS),
        ("app", APP, shape.apps),
    ];
    for (key, first, count) in keys {
        for n in 0..count {
            let label = Label { key: key.into(), value: format!("{key}-{n}").into() };
            s.labels.insert(Id::int(first + u64::from(n)), Arc::new(label));
        }
    }
}

/// A workload with one address.
pub fn workload(n: u32, labels: Vec<Id>) -> Workload {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + n));
    let interface =
        Interface { name: "eth0".into(), address, prefix: Some(24), network: None, ignored: false };
    Workload {
        labels,
        interfaces: vec![interface],
        mode: Mode::Full,
        managed: true,
        ..Workload::default()
    }
}

fn services(rng: &mut Rng, s: &mut Snapshot) {
    for n in 0..SERVICES {
        let entries = (0..rng.u32(1..4)).map(|_| ServiceEntry {
            ports: ports(rng).into(),
            windows: false,
            process: None,
            windows_service: None,
        });
        let service = Service { entries: entries.collect(), egress: Vec::new() };
        s.services.insert(Id::int(SERVICE + u64::from(n)), Arc::new(service));
    }
}

/// A port, or now and then a range.
fn ports(rng: &mut Rng) -> ProtoPorts {
    let first = 1 + u16::try_from(skewed(rng, 50_000)).unwrap_or(443);
    let protocol = if rng.u32(0..5) == 0 { PortProtocol::Udp } else { PortProtocol::Tcp };
    let last = if rng.u32(0..20) == 0 { first + 100 } else { first };
    let range = PortRange::new(first, last).unwrap_or(PortRange::single(first));
    ProtoPorts::Ports(protocol, range)
}

fn ip_lists(shape: &Shape, rng: &mut Rng, s: &mut Snapshot) {
    let any = IpList { addresses: Arc::new(IpSet::all()), fqdns: Vec::new() };
    s.ip_lists.insert(Id::int(1), Arc::new(any));
    for n in 0..shape.ip_lists {
        let count = 1 + skewed(rng, shape.ranges_max);
        let count = if n == 0 { shape.ranges_max } else { count };
        let range = |rng: &mut Rng| {
            // Outside of 10.0.0.0/8, where the workloads are.
            let first = 0x0B00_0000 + rng.u32(0..0xC000_0000);
            let last = first.saturating_add(rng.u32(0..64));
            let ip = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
            IpRange::new(ip(first), ip(last)).ok()
        };
        let ranges: IpSet = (0..count).filter_map(|_| range(rng)).collect();
        let list = IpList { addresses: Arc::new(ranges), fqdns: Vec::new() };
        s.ip_lists.insert(Id::int(LIST + u64::from(n)), Arc::new(list));
    }
}

fn label(first: u64, n: u32) -> Actor {
    Actor::Label { id: Id::int(first + u64::from(n)), exclusion: false }
}

fn rules(shape: &Shape, rng: &mut Rng, s: &mut Snapshot) {
    let sets: Vec<(u32, u32)> = (0..shape.rule_sets)
        .map(|n| (n % shape.apps, (n / shape.apps).max(env(rng)) % ENVS))
        .collect();
    for (n, (app, env)) in (1u64..).zip(&sets) {
        let entry = |id| ScopeEntry { target: ScopeTarget::Label(id), exclusion: false };
        let scope = vec![entry(app_label(*app)), entry(Id::int(ENV + u64::from(*env)))];
        s.rule_sets.insert(Id::int(n), Arc::new(RuleSet { enabled: true, scopes: vec![scope] }));
    }
    // What is for everyone stands in a rule set without scope.
    let everyone = Id::int(u64::from(shape.rule_sets) + 1);
    s.rule_sets.insert(everyone, Arc::new(RuleSet { enabled: true, scopes: Vec::new() }));
    for n in 0..shape.rules {
        let id = Id::int(u64::from(n) + 1);
        if n % 1_000 == 999 {
            s.allow_rules.insert((everyone, id), Arc::new(broad(rng)));
            continue;
        }
        let at = rng.usize(0..sets.len());
        let app = sets.get(at).map_or(0, |set| set.0);
        let set = Id::int(u64::try_from(at).unwrap_or_default() + 1);
        s.allow_rules.insert((set, id), Arc::new(narrow(shape, rng, app)));
    }
}

/// A rule for everyone: a common service, for example name service or backup.
fn broad(rng: &mut Rng) -> AllowRule {
    let consumers = match rng.u32(0..3) {
        0 => vec![Actor::AllWorkloads],
        1 => vec![label(ENV, env(rng))],
        _ => vec![label(LOC, rng.u32(0..LOCS))],
    };
    AllowRule {
        enabled: true,
        providers: vec![label(ROLE, rng.u32(0..ROLES)), label(LOC, rng.u32(0..LOCS))],
        consumers,
        services: vec![ServiceRef::Inline(ports(rng).into())],
        ..AllowRule::default()
    }
}

/// A rule of one application.
fn narrow(shape: &Shape, rng: &mut Rng, app: u32) -> AllowRule {
    let mut rule = AllowRule {
        enabled: rng.u32(0..50) > 0,
        providers: vec![label(ROLE, role(rng, app))],
        consumers: vec![label(ROLE, role(rng, app))],
        ..AllowRule::default()
    };
    match rng.u32(0..10) {
        0 | 1 => {
            let other = skewed(rng, shape.apps);
            rule.unscoped_consumers = true;
            rule.consumers =
                vec![Actor::Label { id: app_label(other), exclusion: false }, label(ENV, env(rng))];
        }
        2 => {
            let list = LIST + u64::from(skewed(rng, shape.ip_lists));
            rule.consumers = vec![Actor::IpList(Id::int(list))];
            rule.unscoped_consumers = true;
        }
        3 => rule.consumers = vec![Actor::AllWorkloads],
        _ => {}
    }
    rule.services = vec![match rng.u32(0..2) {
        0 => ServiceRef::Inline(ports(rng).into()),
        _ => ServiceRef::Service(Id::int(SERVICE + u64::from(skewed(rng, SERVICES)))),
    }];
    rule
}

/// A decision benchmark: rules from one application and environment to another's role, on one port.
#[derive(Debug, Clone)]
pub struct Decisions {
    /// The organisation.
    pub snapshot: Snapshot,
    /// For each workload: application, environment, role.
    pub tuples: Vec<(u32, u32, u32)>,
    /// The rules: consumer application and environment, provider application, environment, role, port.
    pub rules: Vec<(u32, u32, u32, u32, u32, u16)>,
    /// Questions: source, destination, port. About half hit a rule.
    pub questions: Vec<(u32, u32, u16)>,
}

const D_APPS: u32 = 500;
const D_ENVS: u32 = 4;
const D_ROLES: u32 = 5;

/// Row D1: workloads with four labels, label rules and questions.
pub fn decisions(seed: u64, workloads: u32, rules: u32, questions: u32) -> Decisions {
    let mut rng = Rng::with_seed(seed);
    let mut s = Snapshot::default();
    for (key, first, count) in
        [("app", APP, D_APPS), ("env", ENV, D_ENVS), ("role", ROLE, D_ROLES), ("loc", LOC, 8)]
    {
        for n in 0..count {
            let label = Label { key: key.into(), value: format!("{n}").into() };
            s.labels.insert(Id::int(first + u64::from(n)), Arc::new(label));
        }
    }
    let mut tuples = Vec::new();
    for n in 0..workloads {
        let tuple = (rng.u32(0..D_APPS), rng.u32(0..D_ENVS), rng.u32(0..D_ROLES));
        let id = |first: u64, n: u32| Id::int(first + u64::from(n));
        let mut labels =
            vec![id(APP, tuple.0), id(ENV, tuple.1), id(ROLE, tuple.2), id(LOC, rng.u32(0..8))];
        labels.sort_unstable();
        s.workloads.insert(workload_id(n), Arc::new(workload(n, labels)));
        tuples.push(tuple);
    }
    let set = Id::int(1);
    s.rule_sets.insert(set, Arc::new(RuleSet { enabled: true, scopes: Vec::new() }));
    let port = |rng: &mut Rng| 20_000 + rng.u16(0..120);
    let mut all = Vec::new();
    for n in 0..rules {
        let to = rng.u32(0..D_APPS);
        let from = if rng.bool() { to } else { rng.u32(0..D_APPS) };
        let env = rng.u32(0..D_ENVS);
        let rule = (from, env, to, env, rng.u32(0..D_ROLES), port(&mut rng));
        let allow = AllowRule {
            enabled: true,
            consumers: vec![label(APP, from), label(ENV, env)],
            providers: vec![label(APP, to), label(ENV, env), label(ROLE, rule.4)],
            services: vec![ServiceRef::Inline(ProtoPorts::tcp(rule.5).into())],
            ..AllowRule::default()
        };
        s.allow_rules.insert((set, Id::int(u64::from(n) + 1)), Arc::new(allow));
        all.push(rule);
    }
    let mut by_source = std::collections::BTreeMap::<(u32, u32), Vec<u32>>::new();
    let mut by_target = std::collections::BTreeMap::<(u32, u32, u32), Vec<u32>>::new();
    for (n, t) in (0u32..).zip(&tuples) {
        by_source.entry((t.0, t.1)).or_default().push(n);
        by_target.entry(*t).or_default().push(n);
    }
    let mut asked = Vec::new();
    while asked.len() < questions as usize && !all.is_empty() {
        if rng.bool() {
            asked.push((rng.u32(0..workloads), rng.u32(0..workloads), port(&mut rng)));
            continue;
        }
        let Some(rule) = all.get(rng.usize(0..all.len())) else { continue };
        let from = by_source.get(&(rule.0, rule.1)).and_then(|v| v.get(rng.usize(0..v.len())));
        let to =
            by_target.get(&(rule.2, rule.3, rule.4)).and_then(|v| v.get(rng.usize(0..v.len())));
        if let (Some(from), Some(to)) = (from, to) {
            asked.push((*from, *to, rule.5));
        }
    }
    Decisions { snapshot: s, tuples, rules: all, questions: asked }
}
