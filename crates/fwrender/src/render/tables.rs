//! Chains of one effect: every service of a class of peers, with its verdict.

use std::collections::BTreeMap;

use bulkhead_model::RuleRef;
use bulkhead_netset::{IcmpVersion, PortProtocol, PortRange, ProtoPorts, U8Range};

use super::select::Pick;
use super::verdicts::{Verdicts, rule};
use crate::prefix::{Cause, Path};
use crate::ruleset::{Lookup, Rule, Side, Statement, Verdict};
use crate::service::{pieces, replies};

/// The rules of a chain that gives every service of the picks its verdict; `answered` are the stateless
/// picks of the other direction, whose replies are open.
///
/// Services that several picks hold name the rules of all of them, and are not logged when one of them says
/// so. The pieces are disjoint, so the order of the rules has no meaning.
pub(crate) fn service_rules(
    verdicts: &mut Verdicts<'_>,
    path: Path,
    cause: Cause,
    picks: &[&Pick],
    answered: &[&Pick],
) -> Vec<Rule> {
    let mut out = Vec::new();
    let cut = pieces((0..).zip(picks.iter().map(|p| &p.services)));
    let cut = judged(verdicts, path, cause, picks, cut);
    emit(&mut out, Side::Destination, cut);
    let answers: Vec<_> = answered.iter().map(|p| replies(&p.services)).collect();
    let cut = pieces((0..).zip(&answers));
    let cut = judged(verdicts, path, cause, answered, cut);
    emit(&mut out, Side::Source, cut);
    out
}

/// The pieces with their verdicts.
fn judged(
    verdicts: &mut Verdicts<'_>,
    path: Path,
    cause: Cause,
    picks: &[&Pick],
    cut: Vec<(ProtoPorts, Vec<u32>)>,
) -> Vec<(ProtoPorts, Verdict)> {
    let mut known: BTreeMap<Vec<u32>, Verdict> = BTreeMap::new();
    let mut out = Vec::with_capacity(cut.len());
    for (piece, holders) in cut {
        let verdict = match known.get(&holders) {
            Some(verdict) => verdict.clone(),
            None => {
                let verdict = verdict_of(verdicts, path, cause, picks, &holders);
                known.insert(holders, verdict.clone());
                verdict
            }
        };
        out.push((piece, verdict));
    }
    out
}

fn verdict_of(
    verdicts: &mut Verdicts<'_>,
    path: Path,
    cause: Cause,
    picks: &[&Pick],
    holders: &[u32],
) -> Verdict {
    let holders: Vec<&Pick> =
        holders.iter().filter_map(|i| picks.get(usize::try_from(*i).ok()?).copied()).collect();
    let mut rules: Vec<RuleRef> = holders.iter().flat_map(|p| p.rules.iter().copied()).collect();
    rules.sort_unstable();
    rules.dedup();
    let no_log = holders.iter().any(|p| p.no_log);
    let verdict = verdicts.by_rules(path, cause, &rules, no_log);
    // What one rule allows openly needs no IPsec although another asks for it.
    if holders.iter().all(|p| p.secure) { verdicts.secured(path, verdict) } else { verdict }
}

/// ICMP types and codes with their verdicts.
type Codes = Vec<(u8, u8, Verdict)>;

/// The pieces by the kind of look-up that finds them.
#[derive(Default)]
struct Groups {
    ports: Vec<(PortProtocol, u16, Verdict)>,
    tcp: Vec<(PortRange, Verdict)>,
    udp: Vec<(PortRange, Verdict)>,
    types: BTreeMap<u8, (IcmpVersion, Vec<(U8Range, Verdict)>)>,
    codes: BTreeMap<u8, (IcmpVersion, Codes)>,
    protocols: Vec<(U8Range, Verdict)>,
}

impl Groups {
    fn add(&mut self, piece: ProtoPorts, verdict: Verdict) {
        match piece {
            ProtoPorts::Protocols(range) => self.protocols.push((range, verdict)),
            ProtoPorts::Ports(protocol, ports) if ports.first() == ports.last() => {
                self.ports.push((protocol, ports.first(), verdict));
            }
            ProtoPorts::Ports(PortProtocol::Tcp, ports) => self.tcp.push((ports, verdict)),
            ProtoPorts::Ports(PortProtocol::Udp, ports) => self.udp.push((ports, verdict)),
            ProtoPorts::IcmpTypes(icmp, types) => {
                let group = self.types.entry(icmp.number()).or_insert_with(|| (icmp, Vec::new()));
                group.1.push((types, verdict));
            }
            ProtoPorts::IcmpCodes(icmp, icmp_type, codes) => {
                // A hash of pairs: at most 256 of them for one type.
                let group = self.codes.entry(icmp.number()).or_insert_with(|| (icmp, Vec::new()));
                let codes = codes.first()..=codes.last();
                group.1.extend(codes.map(|code| (icmp_type, code, verdict.clone())));
            }
        }
    }
}

/// One rule for each kind of look-up that the pieces need: at most eight, whatever their number.
fn emit(out: &mut Vec<Rule>, side: Side, pieces: Vec<(ProtoPorts, Verdict)>) {
    if let [(ProtoPorts::ALL, verdict)] = pieces.as_slice() {
        out.push(rule(Statement::Verdict(verdict.clone())));
        return;
    }
    let mut groups = Groups::default();
    for (piece, verdict) in pieces {
        groups.add(piece, verdict);
    }
    let mut lookups = Vec::new();
    if !groups.ports.is_empty() {
        lookups.push(Lookup::Ports(side, groups.ports));
    }
    for (protocol, items) in [(PortProtocol::Tcp, groups.tcp), (PortProtocol::Udp, groups.udp)] {
        if !items.is_empty() {
            lookups.push(Lookup::PortRanges(protocol, side, items));
        }
    }
    lookups.extend(groups.codes.into_values().map(|(icmp, items)| Lookup::IcmpCodes(icmp, items)));
    lookups.extend(groups.types.into_values().map(|(icmp, items)| Lookup::IcmpTypes(icmp, items)));
    if !groups.protocols.is_empty() {
        lookups.push(Lookup::Protocols(groups.protocols));
    }
    out.extend(lookups.into_iter().map(|lookup| rule(Statement::Lookup(lookup))));
}
