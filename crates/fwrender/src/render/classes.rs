//! Classes of peers: what an address means on each path, and the chains that say it.

use std::collections::{BTreeMap, HashMap};

use bulkhead_model::Effect;
use sha2::{Digest, Sha256};

use super::select::{Pick, PickPeers, Selection};
use super::tables::service_rules;
use super::verdicts::{Pool, Verdicts, digest, rule};
use crate::options::RenderError;
use crate::peers::OTHER;
use crate::prefix::{Cause, Path};
use crate::ruleset::{
    ClassId, Family, Match, NamedSet, Rule, SetContent, Side, Statement, Verdict,
};

/// The chain of names, which all classes share.
const NAMES: &str = "names";

/// The effects in the order in which they are asked.
const ORDER: [(Effect, Cause); 4] = [
    (Effect::Essential, Cause::Essential),
    (Effect::OverrideDeny, Cause::OverrideDeny),
    (Effect::Allow, Cause::Allow),
    (Effect::Deny, Cause::Deny),
];

/// Path and effect with the picks that apply, and the stateless ones of the other direction, by number.
type TierKey = (Path, Cause, Vec<usize>, Vec<usize>);

/// Makes classes, their chains and the chains of each effect.
pub(crate) struct Builder<'a> {
    pub(crate) selection: &'a Selection,
    pub(crate) verdicts: Verdicts<'a>,
    /// Chains of classes by path.
    pub(crate) classes: BTreeMap<Path, Pool>,
    /// Chains of services by effect.
    pub(crate) tiers: BTreeMap<Cause, Pool>,
    /// Rules of the chain of names and the sets that they use.
    pub(crate) names: (Vec<Rule>, Vec<NamedSet>),
    /// Class numbers that are taken, with the chain of each path.
    pub(crate) numbers: BTreeMap<ClassId, Vec<String>>,
    known: HashMap<Vec<u32>, ClassId>,
    services: HashMap<TierKey, Option<String>>,
    other: Vec<String>,
}

impl<'a> Builder<'a> {
    /// Begins with the class of all addresses that no set holds.
    pub(crate) fn new(selection: &'a Selection, verdicts: Verdicts<'a>) -> Self {
        let mut builder = Self {
            selection,
            verdicts,
            classes: BTreeMap::new(),
            tiers: BTreeMap::new(),
            names: (Vec::new(), Vec::new()),
            numbers: BTreeMap::new(),
            known: HashMap::new(),
            services: HashMap::new(),
            other: Vec::new(),
        };
        builder.name_rules();
        builder.other = builder.chains(&[]);
        builder
    }

    /// The paths on which policy acts.
    pub(crate) fn paths(&self) -> &'static [Path] {
        match self.selection.forward {
            true => &Path::ALL,
            false => &[Path::In, Path::Out],
        }
    }

    /// The chain of the class of all addresses that no set holds.
    pub(crate) fn other(&self, path: Path) -> String {
        let chains = self.paths().iter().zip(&self.other);
        chains.into_iter().find(|(p, _)| **p == path).map(|(_, c)| c.clone()).unwrap_or_default()
    }

    /// The class of addresses that lie in the sets of these numbers and in no other.
    ///
    /// Its number follows from what the class may do, so that equal classes are one, and a class keeps its
    /// number from one ruleset to the next.
    pub(crate) fn class(&mut self, sets: &[u32]) -> Result<ClassId, RenderError> {
        if let Some(class) = self.known.get(sets) {
            return Ok(*class);
        }
        let chains = self.chains(sets);
        let class = if chains == self.other { OTHER } else { self.number(chains)? };
        self.known.insert(sets.to_vec(), class);
        Ok(class)
    }

    fn number(&mut self, chains: Vec<String>) -> Result<ClassId, RenderError> {
        let hash = Sha256::digest(chains.join(" ").as_bytes());
        let first = hash.iter().take(4).fold(0u32, |n, byte| n << 8 | u32::from(*byte));
        // All ones and zero have a meaning of their own as a packet priority.
        let wanted = (0..u32::MAX).map(|n| ClassId(first.wrapping_add(n)));
        for class in wanted.filter(|c| c.0 != 0 && c.0 != u32::MAX) {
            match self.numbers.get(&class) {
                Some(taken) if *taken == chains => return Ok(class),
                Some(_) => {}
                None => {
                    self.numbers.insert(class, chains);
                    return Ok(class);
                }
            }
        }
        Err(RenderError::TooManyClasses)
    }

    /// The chain of each path for addresses in the sets of these numbers.
    fn chains(&mut self, sets: &[u32]) -> Vec<String> {
        self.paths().iter().map(|path| self.chain(*path, sets)).collect()
    }

    fn chain(&mut self, path: Path, sets: &[u32]) -> String {
        let mut rules = vec![rule(Statement::ClearClass)];
        for (effect, cause) in ORDER {
            let jump = |chain: String| rule(Statement::Verdict(Verdict::Jump(chain)));
            rules.extend(self.tier(path, effect, cause, sets).map(jump));
            if cause == Cause::Allow && path == Path::Out && !self.names.0.is_empty() {
                rules.push(jump(NAMES.to_owned()));
            }
        }
        let default = default_chain(path);
        rules.push(rule(Statement::Verdict(Verdict::Goto(default))));
        self.classes.entry(path).or_default().add(path.as_str(), rules)
    }

    /// The chain of one effect; none when no entry of it has the class as peer.
    fn tier(&mut self, path: Path, effect: Effect, cause: Cause, sets: &[u32]) -> Option<String> {
        let selection = self.selection;
        let mine = |pick: &Pick| {
            pick.effect == effect
                && match &pick.peers {
                    PickPeers::Any => true,
                    PickPeers::Set(number) => sets.binary_search(number).is_ok(),
                    PickPeers::Names(_) => false,
                }
        };
        let number = |picks: &[Pick], stateless: bool| -> Vec<usize> {
            let picks = picks.iter().enumerate();
            picks.filter(|(_, p)| mine(p) && (!stateless || p.stateless)).map(|(i, _)| i).collect()
        };
        let (picks, others) = (selection.picks(path), selection.picks(reverse(path)));
        let key = (path, cause, number(picks, false), number(others, true));
        if let Some(chain) = self.services.get(&key) {
            return chain.clone();
        }
        let get = |picks: &'a [Pick], numbers: &[usize]| -> Vec<&'a Pick> {
            numbers.iter().filter_map(|i| picks.get(*i)).collect()
        };
        let (picks, answered) = (get(picks, &key.2), get(others, &key.3));
        let rules = service_rules(&mut self.verdicts, path, cause, &picks, &answered);
        let chain = (!rules.is_empty())
            .then(|| self.tiers.entry(cause).or_default().add(cause.as_str(), rules));
        self.services.insert(key, chain.clone());
        chain
    }

    /// The chain that asks for learned addresses: two rules for each distinct list of names.
    fn name_rules(&mut self) {
        let mut lists: BTreeMap<String, Vec<&Pick>> = BTreeMap::new();
        for pick in self.selection.picks(Path::Out) {
            if let PickPeers::Names(names) = &pick.peers {
                lists.entry(names.join(" ")).or_default().push(pick);
            }
        }
        for (list, picks) in lists {
            let rules = service_rules(&mut self.verdicts, Path::Out, Cause::Allow, &picks, &[]);
            let chain = self.tiers.entry(Cause::Allow).or_default().add("allow", rules);
            for family in Family::ALL {
                let name = names_set(&list, family);
                let matches = vec![Match::Address(Side::Destination, family, name.clone())];
                let statement = Statement::Verdict(Verdict::Jump(chain.clone()));
                self.names.0.push(Rule { matches, statement, comment: None });
                let content = SetContent::Addresses { family, timeout: true, ranges: Vec::new() };
                self.names.1.push(NamedSet { name, content });
            }
        }
    }
}

/// The chain of names with its rules.
pub(crate) fn names_chain(rules: Vec<Rule>) -> Option<crate::ruleset::Chain> {
    let name = NAMES.to_owned();
    (!rules.is_empty()).then_some(crate::ruleset::Chain { name, hook: None, rules })
}

/// The set that holds the addresses learned for a list of names (patterns with a space between).
fn names_set(list: &str, family: Family) -> String {
    format!("names{}_{}", family.digit(), digest(list))
}

/// The chain for what no rule matches.
pub(crate) fn default_chain(path: Path) -> String {
    format!("{}_default", path.as_str())
}

/// The other direction of the same kind of traffic.
const fn reverse(path: Path) -> Path {
    match path {
        Path::In => Path::Out,
        Path::Out => Path::In,
        Path::ForwardIn => Path::ForwardOut,
        Path::ForwardOut => Path::ForwardIn,
    }
}
