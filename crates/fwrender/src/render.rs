//! From the intent of one host to the ruleset of its kernel.

use bulkhead_model::{AddressSets, Intent, Mode, Os};

use crate::options::{RenderError, RenderOptions, TABLE_NAME_LEN_MAX};
use crate::peers::{Classes, classes};
use crate::prefix::Cause;
use crate::ruleset::{Family, NamedSet, Ruleset, SetContent, Table};

mod base;
mod classes;
mod custom;
mod select;
mod stateless;
mod tables;
mod verdicts;

use classes::Builder;
use select::{Selection, select};
use verdicts::{Pool, Verdicts};

/// Longest name of a network interface in Linux, in bytes.
const INTERFACE_LEN_MAX: usize = 15;

/// The ruleset of an intent over the address sets that it names.
///
/// Pure: equal input gives equal text. Precedence is essential, override deny, allow, deny, then the default
/// of the mode, for every combination of peers and services. In mode idle there is no table at all.
///
/// Errors: [`RenderError`]; then the host keeps the ruleset that it has.
pub fn render(
    intent: &Intent,
    sets: &dyn AddressSets,
    options: &RenderOptions,
) -> Result<Ruleset, RenderError> {
    if intent.os == Os::Windows {
        return Err(RenderError::Windows);
    }
    check_names(intent, options)?;
    let mut ruleset = Ruleset {
        name: options.table.clone(),
        table: None,
        iptables: custom::iptables(&[], false)?,
        ip6tables: custom::iptables(&[], true)?,
        skipped: Vec::new(),
    };
    if intent.mode == Mode::Idle {
        return Ok(ruleset);
    }
    ruleset.iptables = custom::iptables(&intent.table.custom, false)?;
    ruleset.ip6tables = custom::iptables(&intent.table.custom, true)?;
    let selection = select(intent, sets, options)?;
    let (mode, reject) = (intent.mode, intent.table.reject_blocked);
    let verdicts = Verdicts { options, mode, reject, pool: Pool::default() };
    ruleset.table = Some(table(intent, &selection, verdicts)?);
    ruleset.skipped = selection.skipped;
    Ok(ruleset)
}

/// Sets and chains in the order in which a packet meets them.
fn table(
    intent: &Intent,
    selection: &Selection,
    verdicts: Verdicts<'_>,
) -> Result<Table, RenderError> {
    let mut builder = Builder::new(selection, verdicts);
    let mut sets = Vec::new();
    let all: Vec<_> = selection.sets.iter().map(|(_, set)| &**set).collect();
    for family in Family::ALL {
        let Classes { singles, ranges } = classes(&all, family, |numbers| builder.class(numbers))?;
        for (name, interval, ranges) in
            [(base::ranges_map(family), true, ranges), (base::peers_map(family), false, singles)]
        {
            let content = SetContent::Classes { family, interval, ranges };
            sets.push(NamedSet { name, content });
        }
    }
    for (i, path) in builder.paths().iter().enumerate() {
        let numbers = builder.numbers.iter();
        let chains = numbers.filter_map(|(class, chains)| Some((*class, chains.get(i)?.clone())));
        let content = SetContent::Dispatch(chains.collect());
        sets.push(NamedSet { name: base::dispatch_map(*path), content });
    }
    let (raw, raw_sets) = stateless::raw_chains(selection, intent);
    let mut chains = raw;
    chains.extend(base::base_chains(&builder, intent));
    let defaults = base::default_chains(&builder.verdicts, builder.paths());
    let (names, name_sets) = std::mem::take(&mut builder.names);
    sets.extend(name_sets);
    sets.extend(raw_sets);
    chains.extend(builder.classes.into_values().flat_map(Pool::into_chains));
    let mut names = classes::names_chain(names);
    for (cause, tier) in builder.tiers {
        chains.extend(tier.into_chains());
        if cause == Cause::Allow {
            chains.extend(names.take());
        }
    }
    chains.extend(defaults);
    chains.extend(builder.verdicts.pool.into_chains());
    Ok(Table { sets, chains })
}

/// Names that go into the text must be what nftables takes as one word, or one quoted interface.
fn check_names(intent: &Intent, options: &RenderOptions) -> Result<(), RenderError> {
    let table = &options.table;
    let letter = table.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
    let word = table.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !letter || !word || table.len() > TABLE_NAME_LEN_MAX {
        return Err(RenderError::Name(table.clone()));
    }
    let odd = |name: &&str| {
        let bad =
            |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\' | '/' | '*');
        name.len() > INTERFACE_LEN_MAX || name.is_empty() || name.chars().any(bad)
    };
    let ignored = intent.ignored_interfaces.iter().map(|name| &**name);
    // Only the host itself may say "any rest": a name with a star in policy would open every interface.
    let containers = options.container_interfaces.iter();
    let containers = containers.map(|name| name.strip_suffix('*').unwrap_or(name));
    match ignored.chain(containers).find(odd) {
        Some(name) => Err(RenderError::Name(name.to_owned())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
