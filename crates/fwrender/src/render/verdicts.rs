//! Chains that end a packet's way, one for each reason, named by what they hold.

use std::collections::BTreeMap;

use bulkhead_model::{Mode, RuleRef};
use sha2::{Digest, Sha256};

use crate::options::RenderOptions;
use crate::prefix::{Cause, LogPrefix, Outcome, Path, comment};
use crate::ruleset::{Chain, Match, Rule, Statement, Verdict};

/// Chains by name; equal content has one name, so that nothing is written twice and a chain that stays the
/// same keeps its name from one ruleset to the next.
#[derive(Debug, Default)]
pub(crate) struct Pool(BTreeMap<String, Chain>);

impl Pool {
    /// The name of the chain with these rules, made when it is not there yet.
    pub(crate) fn add(&mut self, kind: &str, rules: Vec<Rule>) -> String {
        let chain = Chain { name: String::new(), hook: None, rules };
        let name = format!("{kind}_{}", digest(&chain.to_string()));
        self.0.entry(name.clone()).or_insert(Chain { name: name.clone(), ..chain });
        name
    }

    /// The chains in the order of their names.
    pub(crate) fn into_chains(self) -> impl Iterator<Item = Chain> {
        self.0.into_values()
    }
}

/// Sixteen hexadecimal digits that stand for a text; 64 bits of SHA-256, so that texts do not clash.
pub(crate) fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Makes the chains that end a packet's way.
pub(crate) struct Verdicts<'a> {
    pub(crate) options: &'a RenderOptions,
    pub(crate) mode: Mode,
    pub(crate) reject: bool,
    pub(crate) pool: Pool,
}

impl Verdicts<'_> {
    /// The verdict of rules of one effect.
    ///
    /// Source: Security Policy Guide 25.4, "Workload Enforcement States": visibility only drops nothing;
    /// selective drops what deny rules name; full drops what no rule allows.
    pub(crate) fn by_rules(
        &mut self,
        path: Path,
        cause: Cause,
        rules: &[RuleRef],
        no_log: bool,
    ) -> Verdict {
        let outcome = match cause {
            Cause::Essential | Cause::Allow => Outcome::Accept,
            Cause::OverrideDeny | Cause::Deny => self.block(),
            Cause::Default | Cause::Invalid => self.unmatched(),
        };
        let logged = !no_log && (outcome != Outcome::Accept || self.options.log_allowed);
        let prefix = LogPrefix::new(path, cause, outcome, rules);
        let note = comment(rules);
        let rules = self.ending(outcome, logged.then_some(prefix), note);
        Verdict::Goto(self.pool.add(outcome.as_str(), rules))
    }

    /// What a deny does in this mode.
    const fn block(&self) -> Outcome {
        match self.mode {
            Mode::Idle | Mode::VisibilityOnly => Outcome::Pass,
            Mode::Selective | Mode::Full if self.reject => Outcome::Reject,
            Mode::Selective | Mode::Full => Outcome::Drop,
        }
    }

    /// What happens in this mode to what no rule matches.
    pub(crate) const fn unmatched(&self) -> Outcome {
        match self.mode {
            Mode::Idle | Mode::VisibilityOnly | Mode::Selective => Outcome::Pass,
            Mode::Full if self.reject => Outcome::Reject,
            Mode::Full => Outcome::Drop,
        }
    }

    /// Goes on to an ending only for what IPsec carries; comes back otherwise.
    pub(crate) fn secured(&mut self, path: Path, ending: Verdict) -> Verdict {
        let matches = vec![Match::Secured(path)];
        let rule = Rule { matches, statement: Statement::Verdict(ending), comment: None };
        Verdict::Jump(self.pool.add("secure", vec![rule]))
    }

    /// The rules of an ending: tell, then do.
    pub(crate) fn ending(
        &self,
        outcome: Outcome,
        prefix: Option<LogPrefix>,
        comment: Option<String>,
    ) -> Vec<Rule> {
        let mut rules = Vec::new();
        if let Some(prefix) = prefix {
            let (group, rate) = (self.options.log_group, self.options.log_rate);
            rules.push(rule(Statement::Log { prefix, group, rate }));
        }
        match outcome {
            Outcome::Accept | Outcome::Pass => {
                rules.push(rule(Statement::Verdict(Verdict::Accept)))
            }
            Outcome::Drop => rules.push(rule(Statement::Verdict(Verdict::Drop))),
            Outcome::Reject => {
                rules.push(rule(Statement::RejectTcp));
                rules.push(rule(Statement::Reject));
            }
        }
        if let Some(last) = rules.last_mut() {
            last.comment = comment;
        }
        rules
    }
}

/// A rule without conditions.
pub(crate) const fn rule(statement: Statement) -> Rule {
    Rule { matches: Vec::new(), statement, comment: None }
}
