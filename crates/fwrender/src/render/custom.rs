//! Custom iptables rules as text for `iptables-restore`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bulkhead_model::{CustomRule, IpTablesStatement};

use crate::options::RenderError;
use crate::ruleset::Iptables;

/// Tables that a custom rule may write to.
///
/// Source: `ip_tables_rules` of the REST API 26.3.
const TABLES: [&str; 3] = ["filter", "mangle", "nat"];
/// Chains that belong to the kernel.
const BUILT_IN: [&str; 5] = ["INPUT", "OUTPUT", "FORWARD", "PREROUTING", "POSTROUTING"];
/// Longest name of a chain that iptables takes, less our prefix.
const CHAIN_LEN_MAX: usize = 19;
/// Prefix of our chains.
const OURS: &str = "BULKHEAD-";

/// The rules of one family.
///
/// Errors: a statement that is not one line of one table and chain. Options that read or write files cannot
/// be told from others here; who may write custom rules is a matter of roles.
pub(crate) fn iptables(rules: &[CustomRule], ipv6: bool) -> Result<Iptables, RenderError> {
    let mut chains: BTreeMap<&str, (BTreeSet<String>, String)> = BTreeMap::new();
    let mut jumps = BTreeSet::new();
    for rule in rules.iter().filter(|r| r.ipv6 == ipv6) {
        for statement in &rule.statements {
            let refuse =
                |reason| RenderError::Custom { rule_set: rule.rule.0, rule: rule.rule.1, reason };
            let table = check(statement).map_err(refuse)?;
            let (names, lines) = chains.entry(table).or_default();
            let chain = own_chain(&statement.chain);
            if chain != *statement.chain {
                jumps.insert((table.to_owned(), statement.chain.to_string(), chain.clone()));
            }
            // Writing to a string cannot fail.
            let _ = writeln!(lines, "-A {chain} {}", statement.parameters.trim());
            names.insert(chain);
        }
    }
    let mut text = String::new();
    for (table, (names, lines)) in chains {
        let _ = writeln!(text, "*{table}");
        for name in names {
            // Without this line the rules would be added a second time when the text is applied again.
            let _ = writeln!(text, ":{name} - [0:0]");
        }
        let _ = writeln!(text, "{lines}COMMIT");
    }
    Ok(Iptables { text, jumps: jumps.into_iter().collect() })
}

fn own_chain(chain: &str) -> String {
    if BUILT_IN.contains(&chain) { format!("{OURS}{chain}") } else { chain.to_owned() }
}

/// The table of a statement that is fit to be a line.
fn check(statement: &IpTablesStatement) -> Result<&'static str, &'static str> {
    let table = TABLES.into_iter().find(|t| *t == &*statement.table);
    let table = table.ok_or("the table is none of filter, mangle, nat")?;
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let chain = &*statement.chain;
    let long = chain.is_empty() || chain.len() > CHAIN_LEN_MAX;
    if long || chain.starts_with('-') || !chain.chars().all(fits) {
        return Err("the chain is not a name of at most 19 letters, digits, `-`, `_` and `.`");
    }
    if statement.parameters.chars().any(char::is_control) {
        return Err("the parameters are more than one line");
    }
    if statement.parameters.trim().is_empty() {
        return Err("the parameters are empty");
    }
    Ok(table)
}
