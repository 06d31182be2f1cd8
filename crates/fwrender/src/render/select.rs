//! Which entries act on this host, on which path, and with what.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_model::{
    AddressSets, Effect, Entry, Intent, NetworkType, Peers, RuleRef, ServiceMatch, SetId,
};
use bulkhead_netset::{IpSet, ServiceSet};

use crate::options::{RenderError, RenderOptions, SecureConnect};
use crate::prefix::Path;
use crate::ruleset::{SkipReason, Skipped};

/// The peers of a pick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PickPeers {
    /// Every address.
    Any,
    /// The addresses of the set of that number in [`Selection::sets`].
    Set(u32),
    /// Addresses that the agent learns for these patterns.
    Names(Arc<[Arc<str>]>),
}

/// What one entry means on one path.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    pub(crate) effect: Effect,
    pub(crate) peers: PickPeers,
    pub(crate) services: ServiceSet,
    pub(crate) rules: Arc<[RuleRef]>,
    pub(crate) no_log: bool,
    /// Matches only what IPsec carries.
    pub(crate) secure: bool,
    /// Not tracked; the replies are open too.
    pub(crate) stateless: bool,
}

/// The entries that act on this host.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    picks: BTreeMap<Path, Vec<Pick>>,
    /// The sets that the picks use, each once, in the order of their ids.
    pub(crate) sets: Vec<(SetId, Arc<IpSet>)>,
    pub(crate) skipped: Vec<Skipped>,
    /// Policy acts on traffic of containers.
    pub(crate) forward: bool,
}

impl Selection {
    /// The picks of a path, in the order of the intent.
    pub(crate) fn picks(&self, path: Path) -> &[Pick] {
        self.picks.get(&path).map_or(&[], Vec::as_slice)
    }
}

/// Picks the entries of an intent.
pub(crate) fn select(
    intent: &Intent,
    sets: &dyn AddressSets,
    options: &RenderOptions,
) -> Result<Selection, RenderError> {
    let table = &*intent.table;
    let mut selection = Selection { sets: used_sets(intent, sets)?, ..Selection::default() };
    let all = table.inbound.iter().chain(&table.outbound);
    selection.forward = table.containers_inherit || all.clone().any(|e| e.flags.internal_bridge);
    let inbound = table.inbound.iter().map(|e| (true, e));
    for (inbound, entry) in inbound.chain(table.outbound.iter().map(|e| (false, e))) {
        match pick(entry, inbound, &selection.sets, options) {
            Ok(Some(pick)) => selection.place(pick, entry, inbound, table.containers_inherit),
            Ok(None) => {}
            Err(reason) => {
                let rules = Arc::clone(&entry.rules);
                selection.skipped.push(Skipped { rules, inbound, reason });
            }
        }
    }
    Ok(selection)
}

impl Selection {
    fn place(&mut self, pick: Pick, entry: &Entry, inbound: bool, inherit: bool) {
        let (host, forward) =
            if inbound { (Path::In, Path::ForwardIn) } else { (Path::Out, Path::ForwardOut) };
        if entry.flags.internal_bridge || inherit {
            // Forwarded packets are always tracked: their addresses may be translated.
            let pick = Pick { stateless: false, ..pick.clone() };
            self.picks.entry(forward).or_default().push(pick);
        }
        if !entry.flags.internal_bridge {
            self.picks.entry(host).or_default().push(pick);
        }
    }
}

/// The sets that entries name; a set that is not known means that the policy is not complete.
fn used_sets(
    intent: &Intent,
    sets: &dyn AddressSets,
) -> Result<Vec<(SetId, Arc<IpSet>)>, RenderError> {
    let entries = intent.table.inbound.iter().chain(&intent.table.outbound);
    let mut out = BTreeMap::new();
    for entry in entries {
        if let Peers::Set(id) = entry.peers {
            out.insert(id, sets.addresses(id).ok_or(RenderError::MissingSet(id))?);
        }
    }
    Ok(out.into_iter().collect())
}

/// What an entry means here; nothing for one without any service.
fn pick(
    entry: &Entry,
    inbound: bool,
    sets: &[(SetId, Arc<IpSet>)],
    options: &RenderOptions,
) -> Result<Option<Pick>, SkipReason> {
    let flags = &entry.flags;
    let here = match flags.network_type {
        NetworkType::All => true,
        NetworkType::Brn => options.on_corporate_network,
        NetworkType::NonBrn => !options.on_corporate_network,
    };
    if !here {
        return Err(SkipReason::NetworkType);
    }
    if !flags.principals.is_empty() {
        return Err(SkipReason::UserGroup);
    }
    let allow = entry.effect == Effect::Allow;
    let peers = match &entry.peers {
        Peers::Any => PickPeers::Any,
        Peers::Set(id) => match sets.binary_search_by(|(known, _)| known.cmp(id)) {
            Ok(i) => PickPeers::Set(u32::try_from(i).unwrap_or(u32::MAX)),
            // INVARIANT: every set of every entry was looked up before.
            Err(_) => return Ok(None),
        },
        Peers::Names(names) if allow && !inbound => PickPeers::Names(Arc::clone(names)),
        Peers::Names(_) => return Err(SkipReason::Names),
    };
    let plain = |m: &&ServiceMatch| m.process.is_none() && m.windows_service.is_none();
    let usable: Vec<_> = entry.services.iter().filter(plain).collect();
    if usable.is_empty() && !entry.services.is_empty() {
        return Err(SkipReason::Process);
    }
    let services = ServiceSet::union_all(usable.iter().map(|m| &m.ports));
    let secure = allow
        && (flags.sec_connect || flags.machine_auth)
        && options.secure_connect == SecureConnect::Require;
    let named = matches!(peers, PickPeers::Names(_));
    Ok((!services.is_empty()).then(|| Pick {
        effect: entry.effect,
        peers,
        services,
        rules: Arc::clone(&entry.rules),
        no_log: flags.no_log,
        secure,
        stateless: allow && flags.stateless && !secure && !named,
    }))
}
