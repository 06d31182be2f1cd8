//! The rule table of a class.

use std::cmp::Ordering;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    CustomRule, Direction, Entry, EntryFlags, NetworkType, Os, Peers, RuleKey, RuleRef, RuleTable,
};

use crate::engine::Engine;
use crate::expand::Target;
use crate::expand::peers;
use crate::hosts::{Class, ClassIx};
use crate::store::{Stmt, StmtTarget};

impl Engine {
    /// The table of a class, made when first asked for.
    pub(crate) fn table(&self, ix: ClassIx) -> Option<Arc<RuleTable>> {
        let class = self.hosts.classes.get(ix)?;
        Some(Arc::clone(class.table.get_or_init(|| Arc::new(self.make_table(class)))))
    }

    fn make_table(&self, class: &Class) -> RuleTable {
        let rows = class.selectors.iter().filter_map(|ix| self.store.selectors.get(*ix));
        let (mut inbound, mut outbound) = (Vec::new(), Vec::new());
        let mut custom: Vec<RuleKey> = Vec::new();
        for row in rows {
            for ix in &row.statements {
                let Some(statement) = self.store.statements.get(*ix) else { continue };
                let Some(entry) = self.entry(statement, class) else { continue };
                match statement.direction {
                    Direction::Inbound => inbound.push(entry),
                    Direction::Outbound => outbound.push(entry),
                }
            }
            custom.extend(&row.custom);
        }
        custom.sort_unstable();
        let settings = class.settings;
        RuleTable {
            inbound: merged(inbound),
            outbound: merged(outbound),
            custom: custom.iter().filter_map(|key| self.custom_rule(*key)).collect(),
            static_policy: settings.static_policy,
            reject_blocked: settings.reject_blocked,
            loopback_in_policy: settings.loopback_in_policy,
            containers_inherit: settings.containers_inherit,
            ike: self.snapshot.settings.ike,
        }
    }

    fn custom_rule(&self, key: RuleKey) -> Option<CustomRule> {
        let rule = self.snapshot.ip_tables_rules.get(&key)?;
        Some(CustomRule { rule: key, ipv6: rule.ipv6, statements: rule.statements.clone() })
    }

    /// The entry of a statement for hosts of a class; none where it means nothing.
    fn entry(&self, statement: &Stmt, class: &Class) -> Option<Arc<Entry>> {
        let windows = class.key.os == Os::Windows;
        let services = statement.services(windows);
        if services.matches.is_empty() || !r_brn(statement.flags.network_type, class.key.endpoint) {
            return None;
        }
        let same = Arc::ptr_eq(&statement.programs.windows, &statement.programs.other);
        let [first, second] = &statement.entries;
        let cell = if windows && !same { second } else { first };
        let nets = class.key.nets;
        if let Some((known, entry)) = cell.get()
            && *known == nets
        {
            return Some(Arc::clone(entry));
        }
        let entry = Arc::new(Entry {
            effect: statement.effect,
            peers: self.peers_of(statement, nets)?,
            services: Arc::clone(&services.matches),
            flags: statement.flags.clone(),
            rules: [statement.rule].into(),
        });
        let (known, shared) = cell.get_or_init(|| (nets, Arc::clone(&entry)));
        Some(if *known == nets { Arc::clone(shared) } else { entry })
    }

    fn peers_of(&self, statement: &Stmt, nets: u32) -> Option<Peers> {
        match &statement.target {
            StmtTarget::Any => Some(Peers::Any),
            StmtTarget::Names(names) => peers(&Target::Names(Arc::clone(names)), None),
            StmtTarget::Peer(ix) => self.store.set_of(*ix, nets).map(Peers::Set),
        }
    }
}

/// R-BRN, in tables: rules for other networks act on endpoints only.
const fn r_brn(network_type: NetworkType, endpoint: bool) -> bool {
    endpoint || !matches!(network_type, NetworkType::NonBrn)
}

/// Compares everything of two entries but their rules and logging.
fn compare_but_rules(a: &Entry, b: &Entry) -> Ordering {
    fn rest(flags: &EntryFlags) -> (bool, bool, bool, bool, NetworkType, &[Id]) {
        let EntryFlags { stateless, sec_connect, machine_auth, internal_bridge, .. } = *flags;
        let principals = &*flags.principals;
        (stateless, sec_connect, machine_auth, internal_bridge, flags.network_type, principals)
    }
    let ends = a.effect.cmp(&b.effect).then_with(|| a.peers.cmp(&b.peers));
    ends.then_with(|| a.services.cmp(&b.services)).then_with(|| rest(&a.flags).cmp(&rest(&b.flags)))
}

/// Sorted entries, those that say the same made one of all their rules.
fn merged(mut entries: Vec<Arc<Entry>>) -> Vec<Arc<Entry>> {
    entries.sort_unstable_by(|a, b| compare_but_rules(a, b).then_with(|| a.rules.cmp(&b.rules)));
    let mut out: Vec<Arc<Entry>> = Vec::with_capacity(entries.len());
    for group in entries.chunk_by(|a, b| compare_but_rules(a, b).is_eq()) {
        match group {
            [single] => out.push(Arc::clone(single)),
            [first, ..] => out.push(Arc::new(united(first, group))),
            [] => {}
        }
    }
    out.sort_unstable();
    out
}

fn united(first: &Entry, group: &[Arc<Entry>]) -> Entry {
    let mut rules: Vec<RuleRef> = group.iter().flat_map(|e| e.rules.iter().copied()).collect();
    rules.sort_unstable();
    rules.dedup();
    Entry {
        flags: EntryFlags { no_log: r_log(group), ..first.flags.clone() },
        rules: rules.into(),
        ..first.clone()
    }
}

/// R-LOG: not logged when one of the rules says so.
fn r_log(group: &[Arc<Entry>]) -> bool {
    group.iter().any(|e| e.flags.no_log)
}
