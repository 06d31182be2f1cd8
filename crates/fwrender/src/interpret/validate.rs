//! What the kernel refuses beyond the grammar: unknown names, loops, jumps nested too deeply.

use std::collections::{BTreeMap, BTreeSet};

use super::InterpretError;
use super::elements::Elements;
use super::program::{Op, Program, Source, Value, ValueKind, Verdict};

/// Chains that a packet may be inside of at once (`NFT_JUMP_STACK_SIZE`).
const DEPTH_MAX: usize = 16;

/// Refuses what the kernel would refuse to load.
pub(super) fn validate(program: &Program) -> Result<(), InterpretError> {
    let mut leads: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, chain) in &program.chains {
        let targets = leads.entry(name).or_default();
        for op in chain.rules.iter().flat_map(|rule| &rule.ops) {
            check_sets(program, op)?;
            targets.extend(targets_of(program, op));
        }
    }
    let missing = leads.values().flatten().find(|target| !program.chains.contains_key(**target));
    if let Some(target) = missing {
        return Err(InterpretError::Reference(format!("there is no chain `{target}`")));
    }
    let mut depths = BTreeMap::new();
    for name in leads.keys() {
        let depth = depth(name, &leads, &mut depths, 1)?;
        if depth > DEPTH_MAX {
            return Err(InterpretError::Reference(format!("chain `{name}` leads too deep")));
        }
    }
    Ok(())
}

/// How many chains deep it goes from a chain.
fn depth<'a>(
    name: &'a str,
    leads: &BTreeMap<&'a str, BTreeSet<&'a str>>,
    known: &mut BTreeMap<&'a str, usize>,
    level: usize,
) -> Result<usize, InterpretError> {
    if let Some(depth) = known.get(name) {
        return Ok(*depth);
    }
    if level > DEPTH_MAX {
        return Err(InterpretError::Reference(format!("chain `{name}`: a loop, or too deep")));
    }
    let mut deepest = 0;
    for target in leads.get(name).into_iter().flatten() {
        deepest = deepest.max(depth(target, leads, known, level + 1)?);
    }
    known.insert(name, deepest + 1);
    Ok(deepest + 1)
}

/// The set that an operation names must be there, with the right type.
fn check_sets(program: &Program, op: &Op) -> Result<(), InterpretError> {
    let (name, keys, values) = match op {
        Op::In(fields, Source::Named(name)) => {
            (name, fields.iter().map(|f| f.kind()).collect::<Vec<_>>(), None)
        }
        Op::VerdictMap(fields, Source::Named(name)) => {
            (name, fields.iter().map(|f| f.kind()).collect(), Some(ValueKind::Verdict))
        }
        Op::MapPriority(field, name) => (name, vec![field.kind()], Some(ValueKind::Class)),
        _ => return Ok(()),
    };
    match program.sets.get(name) {
        Some(set) if set.keys == keys && set.values == values => Ok(()),
        Some(_) => Err(InterpretError::Reference(format!("set `{name}` is of another type"))),
        None => Err(InterpretError::Reference(format!("there is no set `{name}`"))),
    }
}

fn targets_of<'a>(program: &'a Program, op: &'a Op) -> Vec<&'a str> {
    let of_elements = |elements: &'a Elements| -> Vec<&'a str> {
        let verdicts = elements.values().filter_map(|value| match value {
            Value::Verdict(verdict) => target(verdict),
            Value::Member | Value::Class(_) => None,
        });
        verdicts.collect()
    };
    match op {
        Op::Verdict(verdict) => target(verdict).into_iter().collect(),
        Op::VerdictMap(_, Source::Inline(elements)) => of_elements(elements),
        Op::VerdictMap(_, Source::Named(name)) => {
            program.sets.get(name).map(|set| of_elements(&set.elements)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn target(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Jump(chain) | Verdict::Goto(chain) => Some(chain),
        Verdict::Accept | Verdict::Drop | Verdict::Return => None,
    }
}
