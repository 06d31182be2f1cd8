//! Base chains: what holds before policy is asked, and how the class of a peer is found.

use std::net::SocketAddr;

use bulkhead_model::{Intent, Mode};
use bulkhead_netset::{IcmpVersion, U8Range};

use super::classes::{Builder, default_chain};
use super::verdicts::{Verdicts, rule};
use crate::prefix::{Cause, LogPrefix, Outcome, Path};
use crate::ruleset::{Chain, Family, Hook, Match, Rule, Side, Statement, Verdict};

/// Map of single addresses to classes.
pub(crate) fn peers_map(family: Family) -> String {
    format!("peers{}", family.digit())
}

/// Map of ranges of addresses to classes.
pub(crate) fn ranges_map(family: Family) -> String {
    format!("ranges{}", family.digit())
}

/// Map of classes to their chains on a path.
pub(crate) fn dispatch_map(path: Path) -> String {
    format!("{}_classes", path.as_str())
}

/// ICMPv6 types of multicast listeners (130 to 132, 143) and neighbour discovery (133 to 136).
const NEIGHBOUR_DISCOVERY: [(u8, u8); 2] = [(130, 136), (143, 143)];

/// The base chains in the order of the kernel's hooks.
pub(crate) fn base_chains(builder: &Builder<'_>, intent: &Intent) -> Vec<Chain> {
    let mut out = Vec::new();
    let mut rules = opening(builder, intent, Path::In);
    rules.extend(dispatch(builder, Path::In));
    out.push(chain("input", Hook::Input, rules));
    if builder.selection.forward {
        out.push(chain("forward", Hook::Forward, forward(builder, intent)));
        for path in [Path::ForwardIn, Path::ForwardOut] {
            let rules = dispatch(builder, path);
            out.push(Chain { name: path.as_str().to_owned(), hook: None, rules });
        }
    }
    let mut rules = opening(builder, intent, Path::Out);
    rules.extend(pce(&builder.verdicts.options.pce));
    rules.extend(dispatch(builder, Path::Out));
    out.push(chain("output", Hook::Output, rules));
    out
}

fn chain(name: &str, hook: Hook, rules: Vec<Rule>) -> Chain {
    Chain { name: name.to_owned(), hook: Some(hook), rules }
}

fn when(condition: Match, statement: Statement) -> Rule {
    Rule { matches: vec![condition], statement, comment: None }
}

const ACCEPT: Statement = Statement::Verdict(Verdict::Accept);

fn interface(path: Path, name: &str) -> Match {
    let name = name.to_owned();
    if path.is_inbound() { Match::InputInterface(name) } else { Match::OutputInterface(name) }
}

/// Interfaces that are left alone, on one path.
pub(crate) fn ignored(intent: &Intent, path: Path) -> impl Iterator<Item = Rule> + '_ {
    let names = intent.ignored_interfaces.iter();
    names.map(move |name| when(interface(path, name), ACCEPT))
}

/// The rules before policy: ignored interfaces, loopback, connections that are open already.
fn opening(builder: &Builder<'_>, intent: &Intent, path: Path) -> Vec<Rule> {
    let mut rules: Vec<Rule> = ignored(intent, path).collect();
    if !intent.table.loopback_in_policy {
        rules.push(when(interface(path, "lo"), ACCEPT));
    }
    rules.extend(connections(builder, path));
    if builder.verdicts.options.neighbour_discovery {
        let types = NEIGHBOUR_DISCOVERY.iter().filter_map(|(a, b)| U8Range::new(*a, *b).ok());
        rules.push(when(Match::IcmpTypes(IcmpVersion::V6, types.collect()), ACCEPT));
    }
    rules
}

/// Connections that were allowed when they began; in full enforcement nothing passes that belongs to no
/// connection and cannot open one. In the other modes such a packet is judged like any other, so that a
/// deny rule still drops it.
fn connections(builder: &Builder<'_>, path: Path) -> Vec<Rule> {
    let mut rules = vec![when(Match::Established, ACCEPT)];
    if builder.verdicts.mode == Mode::Full {
        let goto = Statement::Verdict(Verdict::Goto(invalid_chain(path)));
        rules.push(when(Match::Invalid, goto));
    }
    rules
}

fn invalid_chain(path: Path) -> String {
    format!("{}_invalid", path.as_str())
}

/// The connection to the policy compute engine.
fn pce(listeners: &[SocketAddr]) -> impl Iterator<Item = Rule> + '_ {
    Family::ALL.into_iter().filter_map(|family| {
        let of_family = listeners.iter().filter(|l| l.is_ipv4() == (family == Family::V4));
        let mut peers: Vec<_> = of_family.copied().collect();
        peers.sort_unstable();
        peers.dedup();
        (!peers.is_empty()).then(|| when(Match::TcpEndpoints(family, peers), ACCEPT))
    })
}

/// Finds the class of the peer and goes to its chain.
///
/// Ranges first, single addresses after them: the last look-up that finds something wins.
fn dispatch(builder: &Builder<'_>, path: Path) -> Vec<Rule> {
    let side = if path.is_inbound() { Side::Source } else { Side::Destination };
    let mut rules = vec![rule(Statement::ClearClass)];
    for family in Family::ALL {
        for map in [ranges_map(family), peers_map(family)] {
            rules.push(rule(Statement::SetClass(side, family, map)));
        }
    }
    rules.push(rule(Statement::Dispatch(dispatch_map(path))));
    rules.push(rule(Statement::Verdict(Verdict::Goto(builder.other(path)))));
    rules
}

/// Traffic to and from container interfaces; between two of them it is judged as traffic to the second.
fn forward(builder: &Builder<'_>, intent: &Intent) -> Vec<Rule> {
    let mut rules: Vec<Rule> =
        ignored(intent, Path::In).chain(ignored(intent, Path::Out)).collect();
    rules.push(when(Match::Established, ACCEPT));
    let names = &builder.verdicts.options.container_interfaces;
    for path in [Path::ForwardIn, Path::ForwardOut] {
        for name in names {
            let name = name.clone();
            let condition = match path {
                Path::ForwardIn => Match::OutputInterface(name),
                _ => Match::InputInterface(name),
            };
            let goto = Statement::Verdict(Verdict::Goto(path.as_str().to_owned()));
            rules.push(when(condition, goto));
        }
    }
    rules
}

/// The chains of packets that no rule matches, and of those that belong to no connection.
pub(crate) fn default_chains(verdicts: &Verdicts<'_>, paths: &[Path]) -> Vec<Chain> {
    let mut out = Vec::new();
    for path in paths {
        let name = default_chain(*path);
        let outcome = verdicts.unmatched();
        let prefix = LogPrefix::new(*path, Cause::Default, outcome, &[]);
        out.push(Chain { name, hook: None, rules: verdicts.ending(outcome, Some(prefix), None) });
    }
    if verdicts.mode == Mode::Full {
        for path in [Path::In, Path::Out] {
            let name = invalid_chain(path);
            let prefix = LogPrefix::new(path, Cause::Invalid, Outcome::Drop, &[]);
            let rules = verdicts.ending(Outcome::Drop, Some(prefix), None);
            out.push(Chain { name, hook: None, rules });
        }
    }
    out
}
