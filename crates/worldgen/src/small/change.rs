//! Changes: what happens to an organisation between two looks at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{Change, RuleKey, Snapshot, Workload};

use super::rules::RULES;
use super::{
    BINDINGS, BOUNDARIES, GROUPS, IP_LISTS, KEYS, Maker, RULE_SETS, Rng, SERVICES, VALUES,
    VIRTUAL_SERVERS, VIRTUAL_SERVICES, label_id, label_of,
};

/// A random change to one object: set anew, made, or removed, also while others refer to it.
///
/// Relabelling, edits of rules, groups and lists come most often.
pub fn change(rng: &mut Rng, s: &Snapshot) -> Change {
    let removal = if rng.u8(0..6) == 0 { removal(rng, s) } else { None };
    let last = s.workloads.keys().last().and_then(|id| id.as_int()).unwrap_or(1);
    removal.unwrap_or_else(|| Maker { rng, workloads: last }.edit(s))
}

/// A key of a map at random; none when it is empty.
fn any<K: Copy, V>(rng: &mut Rng, map: &BTreeMap<K, V>) -> Option<K> {
    let n = rng.usize(0..map.len().max(1));
    map.keys().nth(n).copied()
}

/// The removal of one object; none when there is no object of the kind that was drawn.
pub(super) fn removal(rng: &mut Rng, s: &Snapshot) -> Option<Change> {
    Some(match rng.u8(0..12) {
        0 => Change::Label(any(rng, &s.labels)?, None),
        1 => Change::LabelGroup(any(rng, &s.label_groups)?, None),
        2 => Change::Workload(any(rng, &s.workloads)?, None),
        3 => Change::IpList(any(rng, &s.ip_lists)?, None),
        4 => Change::Service(any(rng, &s.services)?, None),
        5 => Change::VirtualService(any(rng, &s.virtual_services)?, None),
        6 => Change::VirtualServer(any(rng, &s.virtual_servers)?, None),
        7 => Change::Binding(any(rng, &s.bindings)?, None),
        8 => Change::RuleSet(any(rng, &s.rule_sets)?, None),
        9 => Change::AllowRule(any(rng, &s.allow_rules)?, None),
        10 => Change::DenyRule(any(rng, &s.deny_rules)?, None),
        _ => Change::Boundary(any(rng, &s.boundaries)?, None),
    })
}

impl Maker<'_> {
    fn edit(&mut self, s: &Snapshot) -> Change {
        let key = |maker: &mut Self| -> RuleKey {
            (maker.id(RULE_SETS), Id::int(maker.rng.u64(1..=RULES + 1)))
        };
        match self.rng.u8(0..40) {
            0..=13 => self.workload_edit(s),
            14..=18 => Change::AllowRule(key(self), Some(Arc::new(self.allow()))),
            19..=21 => Change::DenyRule(key(self), Some(Arc::new(self.deny()))),
            22..=24 => self.group_edit(),
            25..=27 => Change::IpList(self.id(IP_LISTS), Some(Arc::new(self.ip_list()))),
            28..=29 => Change::Service(self.id(SERVICES), Some(Arc::new(self.service()))),
            30 => {
                let vs = self.virtual_service();
                Change::VirtualService(self.id(VIRTUAL_SERVICES), Some(Arc::new(vs)))
            }
            31 => {
                let server = self.virtual_server();
                Change::VirtualServer(self.id(VIRTUAL_SERVERS), Some(Arc::new(server)))
            }
            32..=33 => Change::Binding(self.id(BINDINGS), Some(Arc::new(self.binding()))),
            34..=35 => Change::RuleSet(self.id(RULE_SETS), Some(Arc::new(self.rule_set()))),
            36 => Change::IpTablesRule(key(self), Some(Arc::new(self.custom()))),
            37 => Change::Boundary(self.id(BOUNDARIES), Some(Arc::new(self.boundary()))),
            38 => self.label_again(),
            _ => match self.chance(50) {
                true => Change::Settings(Arc::new(self.settings())),
                false => Change::Essential(Id::int(1), Some(Arc::new(self.essential()))),
            },
        }
    }

    fn group_edit(&mut self) -> Change {
        let id = self.id(GROUPS);
        Change::LabelGroup(id, Some(Arc::new(self.group(id))))
    }

    /// A label made, or made again after its removal.
    fn label_again(&mut self) -> Change {
        let (key, value) = (self.rng.usize(0..KEYS.len()), self.rng.u64(0..VALUES));
        Change::Label(label_id(key, value), Some(Arc::new(label_of(key, value))))
    }

    /// Relabelled, moved, another mode, another agent state, or altogether new.
    fn workload_edit(&mut self, s: &Snapshot) -> Change {
        let id = Id::int(self.rng.u64(1..=self.workloads + 1));
        let Some(old) = s.workloads.get(&id) else {
            return Change::Workload(id, Some(Arc::new(self.workload())));
        };
        let mut new = Workload::clone(old);
        match self.rng.u8(0..10) {
            0..=4 => new.labels = self.labels(),
            5 => new.mode = self.mode(),
            6..=7 => new.interfaces = self.interfaces(),
            8 => new.managed = !new.managed,
            _ => new = self.workload(),
        }
        Change::Workload(id, Some(Arc::new(new)))
    }
}
