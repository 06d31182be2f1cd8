//! Assertions: statements about reachability that the policy must keep. How they are checked stands in
//! [`crate::x::assertions`].

use super::{Hooks, rules};

/// What Assertion adds to the common mechanism: actors and services are checked as those of rules.
pub const HOOKS: Hooks = Hooks { check: Some(|txn, doc, _| rules::check(txn, doc)), ..Hooks::NONE };
