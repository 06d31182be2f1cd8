//! Scopes of rule sets and of firewall settings.

use std::collections::BTreeSet;

use bulkhead_model::{Scope, ScopeTarget, Snapshot};

use crate::labels::{Requirement, Term, requirements};

/// One scope after expansion: all its requirements must hold. Empty: everything is inside.
pub(crate) type OneScope = Vec<Requirement>;

/// Whether labels are inside a scope. Section 5: a key that the scope does not name is open.
pub(crate) fn inside(s: &Snapshot, scope: &OneScope, labels: &[bulkhead_ids::Id]) -> bool {
    scope.iter().all(|requirement| requirement.holds(s, labels))
}

/// R-SCOPES: the scopes of a rule set, each of which is a world of its own for intra-scope rules.
///
/// Section 5: no scope at all means the same as one empty scope.
pub(crate) fn r_scopes(s: &Snapshot, scopes: &[Scope]) -> Vec<OneScope> {
    if scopes.is_empty() {
        return vec![OneScope::new()];
    }
    scopes.iter().flat_map(|scope| expanded(s, scope)).collect()
}

/// The scopes that one written scope stands for.
pub(crate) fn expanded(s: &Snapshot, scope: &Scope) -> Vec<OneScope> {
    match r_scope_dangling(s, scope) {
        None => Vec::new(),
        Some(wanted) => r_scope_group(&wanted),
    }
}

/// R-SCOPE-DANGLING: a scope with a missing label or group, included or excluded, matches nothing.
fn r_scope_dangling(s: &Snapshot, scope: &Scope) -> Option<Vec<Requirement>> {
    let term = |target: &ScopeTarget| match target {
        ScopeTarget::Label(id) => Term::Label(*id),
        ScopeTarget::LabelGroup(id) => Term::Group(*id),
    };
    let terms: Vec<_> = scope.iter().map(|e| (term(&e.target), e.exclusion)).collect();
    requirements(s, &terms)
}

/// R-SCOPE-GROUP and R-SCOPE-DUP: one scope for each included label of a key, the product over the keys; an
/// exclusion stays one scope. A key whose includes are empty leaves no scope.
fn r_scope_group(wanted: &[Requirement]) -> Vec<OneScope> {
    let mut scopes = vec![OneScope::new()];
    for requirement in wanted {
        let alternatives: Vec<Requirement> = match requirement {
            Requirement::OneOf(labels) => {
                labels.iter().map(|l| Requirement::OneOf(BTreeSet::from([*l]))).collect()
            }
            Requirement::SomeBut(..) => vec![requirement.clone()],
        };
        let with = |scope: &OneScope, one: &Requirement| {
            scope.iter().cloned().chain([one.clone()]).collect::<OneScope>()
        };
        scopes =
            scopes.iter().flat_map(|scope| alternatives.iter().map(|a| with(scope, a))).collect();
    }
    scopes
}
