//! Rule sets and rules.

use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    Actor, AllowRule, DenyRule, Direction, EssentialRule, IpTablesRule, IpTablesStatement,
    NetworkType, Resolve, RuleSet, Scope, ScopeEntry, ScopeTarget, ServiceRef, Snapshot,
};

use super::{
    BOUNDARIES, GROUPS, IP_LISTS, KEYS, Maker, PRINCIPALS, RULE_SETS, SERVICES, VIRTUAL_SERVERS,
    VIRTUAL_SERVICES,
};

/// Allow rules, deny rules and custom rules of a rule set have the ids 1 to this.
pub(super) const RULES: u64 = 6;

impl Maker<'_> {
    pub(super) fn rules(&mut self, s: &mut Snapshot) {
        let ids = |(first, count): (u64, u64)| (first..first + count).map(Id::int);
        for set in ids(RULE_SETS) {
            s.rule_sets.insert(set, Arc::new(self.rule_set()));
            for rule in self.rng.u64(1..=2)..=RULES {
                s.allow_rules.insert((set, Id::int(rule)), Arc::new(self.allow()));
            }
            for rule in 1..=self.rng.u64(0..=3) {
                s.deny_rules.insert((set, Id::int(rule)), Arc::new(self.deny()));
            }
            if self.chance(40) {
                s.ip_tables_rules.insert((set, Id::int(1)), Arc::new(self.custom()));
            }
        }
        for id in ids(BOUNDARIES) {
            if self.chance(50) {
                s.boundaries.insert(id, Arc::new(self.boundary()));
            }
        }
        if self.chance(30) {
            s.essential.insert(Id::int(1), Arc::new(self.essential()));
        }
    }

    pub(super) fn rule_set(&mut self) -> RuleSet {
        let scopes = if self.chance(35) { Vec::new() } else { self.some(1, 3, Self::scope) };
        RuleSet { enabled: self.chance(92), scopes }
    }

    pub(super) fn scope(&mut self) -> Scope {
        self.some(0, 2, Self::scope_entry)
    }

    fn scope_entry(&mut self) -> ScopeEntry {
        let target = if self.chance(35) {
            ScopeTarget::LabelGroup(self.id(GROUPS))
        } else {
            ScopeTarget::Label(self.any_label())
        };
        ScopeEntry { target, exclusion: self.chance(20) }
    }

    /// An actor that stands for workloads.
    fn workload_actor(&mut self) -> Actor {
        match self.rng.u8(0..20) {
            0..=9 => Actor::Label { id: self.any_label(), exclusion: self.chance(20) },
            10..=13 => Actor::LabelGroup { id: self.id(GROUPS), exclusion: self.chance(25) },
            14..=16 => Actor::AllWorkloads,
            17 => Actor::Dimension(KEYS.get(self.key()).copied().unwrap_or_default().into()),
            _ => Actor::Workload(self.workload_id()),
        }
    }

    /// An actor of either side.
    fn actor(&mut self) -> Actor {
        match self.rng.u8(0..10) {
            0..=6 => self.workload_actor(),
            7..=8 => Actor::IpList(self.id(IP_LISTS)),
            _ => Actor::VirtualService(self.id(VIRTUAL_SERVICES)),
        }
    }

    fn providers(&mut self) -> Vec<Actor> {
        let mut actors = self.some(1, 3, Self::actor);
        if self.chance(8) {
            actors.push(Actor::VirtualServer(self.id(VIRTUAL_SERVERS)));
        }
        actors
    }

    fn consumers(&mut self) -> Vec<Actor> {
        let mut actors = self.some(1, 3, Self::actor);
        if self.chance(8) {
            actors.push(Actor::ContainerHosts);
        }
        actors
    }

    fn services(&mut self) -> Vec<ServiceRef> {
        let one = |maker: &mut Self| {
            if maker.chance(70) {
                ServiceRef::Service(maker.id(SERVICES))
            } else {
                ServiceRef::Inline(maker.service_set(1))
            }
        };
        self.some(1, 2, one)
    }

    fn resolve(&mut self) -> Resolve {
        let both = Resolve { workloads: true, virtual_services: true };
        let virtual_services = Resolve { workloads: false, virtual_services: true };
        let plain = Resolve::default();
        self.one(plain, &[plain, plain, both, virtual_services])
    }

    fn network_type(&mut self) -> NetworkType {
        let brn = NetworkType::Brn;
        self.one(brn, &[brn, brn, brn, brn, NetworkType::All, NetworkType::NonBrn])
    }

    pub(super) fn allow(&mut self) -> AllowRule {
        let principals = if self.chance(10) { vec![self.id(PRINCIPALS)] } else { Vec::new() };
        AllowRule {
            enabled: self.chance(92),
            providers: self.providers(),
            consumers: self.consumers(),
            services: self.services(),
            egress_services: if self.chance(10) { vec![self.id(SERVICES)] } else { Vec::new() },
            resolve_providers: self.resolve(),
            resolve_consumers: self.resolve(),
            unscoped_consumers: self.chance(35),
            provider_subnets: self.chance(12),
            consumer_subnets: self.chance(12),
            all_ips_except_providers: self.chance(6),
            all_ips_except_consumers: self.chance(6),
            sec_connect: self.chance(8),
            machine_auth: self.chance(5),
            stateless: self.chance(8),
            network_type: self.network_type(),
            no_log: self.chance(15),
            principals,
        }
    }

    pub(super) fn deny(&mut self) -> DenyRule {
        DenyRule {
            enabled: self.chance(92),
            override_deny: self.chance(35),
            providers: self.providers(),
            consumers: self.consumers(),
            services: self.services(),
            egress_services: if self.chance(6) { vec![self.id(SERVICES)] } else { Vec::new() },
            unscoped_consumers: self.chance(35),
            all_ips_except_providers: self.chance(6),
            all_ips_except_consumers: self.chance(6),
            network_type: self.network_type(),
            no_log: self.chance(15),
        }
    }

    pub(super) fn boundary(&mut self) -> DenyRule {
        DenyRule { override_deny: false, unscoped_consumers: false, ..self.deny() }
    }

    pub(super) fn custom(&mut self) -> IpTablesRule {
        let statement = IpTablesStatement {
            table: "filter".into(),
            chain: self.one("INPUT", &["OUTPUT", "FORWARD"]).into(),
            parameters: "-p tcp --dport 9 -j DROP".into(),
        };
        IpTablesRule {
            enabled: self.chance(85),
            actors: self.some(1, 2, Self::workload_actor),
            ipv6: self.chance(30),
            statements: vec![statement],
        }
    }

    pub(super) fn essential(&mut self) -> EssentialRule {
        let (inbound, outbound) = (Direction::Inbound, Direction::Outbound);
        let peers = self.addresses();
        EssentialRule {
            name: "essential".into(),
            direction: self.one(inbound, &[outbound]),
            peers: self.chance(50).then(|| Arc::new(peers)),
            services: self.service_set(2),
        }
    }
}
