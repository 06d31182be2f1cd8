//! The steps from what is to what is wanted, and making them.

use super::symbols::{Symbols, sorted};
use super::{INSIDE, KINDS, Objects};
use crate::error::{Failure, Result};
use crate::noun::{Noun, find};
use bulkhead_api::descriptor;
use bulkhead_ids::Kind;
use bulkhead_sdk::Pce;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;

/// One change.
pub(super) struct Step {
    kind: Kind,
    name: String,
    act: Act,
}

enum Act {
    Create(Value),
    /// The fields that differ, with the values wanted.
    Update(Map<String, Value>, Vec<String>),
    Delete,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name) = (self.kind.name(), &self.name);
        match &self.act {
            Act::Create(_) => write!(f, "+ {kind} {name}"),
            Act::Update(_, fields) => write!(f, "~ {kind} {name}: {}", fields.join(", ")),
            Act::Delete => write!(f, "- {kind} {name}"),
        }
    }
}

/// What has to be done: creations and changes in the order of dependence, then deletions against it.
pub(super) fn steps(
    now: &BTreeMap<Kind, Objects>,
    wanted: &BTreeMap<Kind, Objects>,
    prune: bool,
) -> Vec<Step> {
    let none = Objects::new();
    let mut steps = Vec::new();
    for kind in KINDS {
        let now = now.get(kind).unwrap_or(&none);
        for (name, object) in wanted.get(kind).unwrap_or(&none) {
            let act = match now.get(name) {
                None => Some(Act::Create(object.clone())),
                Some(old) => update(*kind, old, object),
            };
            steps.extend(act.map(|act| Step { kind: *kind, name: name.clone(), act }));
        }
    }
    for kind in KINDS.iter().rev().filter(|_| prune) {
        let Some(wanted) = wanted.get(kind) else { continue };
        for name in now.get(kind).unwrap_or(&none).keys().rev() {
            let built_in = matches!(
                name.as_str(),
                bulkhead_sdk::ANY_IP_LIST_NAME | bulkhead_sdk::ALL_SERVICES_NAME
            );
            if !wanted.contains_key(name) && !built_in {
                steps.push(Step { kind: *kind, name: name.clone(), act: Act::Delete });
            }
        }
    }
    steps
}

fn update(kind: Kind, old: &Value, new: &Value) -> Option<Act> {
    let (old, new) = (old.as_object()?, new.as_object()?);
    let inside = |name: &str| kind == Kind::RuleSet && INSIDE.iter().any(|(i, _)| *i == name);
    let mut change = Map::new();
    for (name, value) in new {
        let value = match value {
            Value::Array(list) if inside(name) => Value::Array(sorted(list.clone())),
            other => other.clone(),
        };
        if old.get(name) != Some(&value) {
            change.insert(name.clone(), value);
        }
    }
    // What a file leaves out was taken out, where the field can be empty.
    for (name, value) in old.iter().filter(|(name, _)| !new.contains_key(*name)) {
        let empty = match value {
            Value::Array(_) => Value::Array(Vec::new()),
            Value::String(_) => Value::String(String::new()),
            _ => continue,
        };
        change.insert(name.clone(), empty);
    }
    let fields: Vec<String> = change.keys().cloned().collect();
    (!fields.is_empty()).then_some(Act::Update(change, fields))
}

/// The part of a body that an operation takes.
fn accepted(kind: Kind, body: &Value, create: bool) -> Value {
    let Some(described) = descriptor(kind) else { return body.clone() };
    let takes = |name: &str| match described.fields.get(name) {
        Some(field) if create => field.in_create(),
        Some(field) => field.in_update(),
        None => name.starts_with("external_data"),
    };
    match body {
        Value::Object(map) => {
            let kept = map.iter().filter(|(name, _)| takes(name));
            Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        other => other.clone(),
    }
}

impl Step {
    /// Makes the change.
    pub(super) async fn make(self, pce: &Pce, symbols: &mut Symbols) -> Result {
        let Some(noun) = Noun::of(self.kind) else { return Ok(()) };
        let gone = || Failure::failed(format!("there is no {} {}", self.kind.name(), self.name));
        match &self.act {
            Act::Create(object) => {
                let (own, inner) = parted(self.kind, object);
                let body = symbols.resolved(&accepted(self.kind, &own, true))?;
                let path = noun.path(pce, "draft", None)?;
                let made: Value = pce.post(&path).include_org(false).json(&body).await?.json()?;
                let href = find::href(&made).ok_or_else(gone)?.to_owned();
                symbols.add(self.kind, &self.name, &href);
                for (kind, rules) in inner {
                    add(pce, &href, kind, &rules, symbols).await?;
                }
            }
            Act::Update(change, _) => {
                let href = symbols.href(self.kind, &self.name).ok_or_else(gone)?.to_owned();
                let (own, inner) = parted(self.kind, &Value::Object(change.clone()));
                let body = symbols.resolved(&accepted(self.kind, &own, false))?;
                if body.as_object().is_some_and(|map| !map.is_empty()) {
                    pce.put(&href).include_org(false).json(&body).await?;
                }
                for (kind, rules) in inner {
                    exchange(pce, &href, kind, rules, symbols).await?;
                }
            }
            Act::Delete => {
                let href = symbols.href(self.kind, &self.name).ok_or_else(gone)?;
                pce.delete(href).include_org(false).await?;
            }
        }
        Ok(())
    }
}

/// An object without what lives inside it, and that.
fn parted(kind: Kind, object: &Value) -> (Value, Vec<(Kind, Vec<Value>)>) {
    let mut own = object.as_object().cloned().unwrap_or_default();
    let mut inner = Vec::new();
    for (name, kind) in INSIDE.iter().filter(|_| kind == Kind::RuleSet) {
        if let Some(Value::Array(rules)) = own.remove(*name) {
            inner.push((*kind, rules));
        }
    }
    (Value::Object(own), inner)
}

async fn add(pce: &Pce, set: &str, kind: Kind, rules: &[Value], symbols: &Symbols) -> Result {
    for rule in rules {
        let body = symbols.resolved(&accepted(kind, rule, true))?;
        let path = format!("{set}/{}", kind.collection());
        pce.post(&path).include_org(false).json(&body).await?;
    }
    Ok(())
}

/// Deletes the rules that are not wanted and adds those that are missing.
async fn exchange(
    pce: &Pce,
    set: &str,
    kind: Kind,
    mut wanted: Vec<Value>,
    symbols: &Symbols,
) -> Result {
    let path = format!("{set}/{}", kind.collection());
    let there: Vec<Value> =
        pce.get(&path).include_org(false).query("max_results", 100_000).await?.json()?;
    for rule in there {
        if rule.get("update_type").and_then(Value::as_str) == Some("delete") {
            continue;
        }
        let form = super::symbols::written(kind, &rule, symbols);
        match wanted.iter().position(|rule| *rule == form) {
            Some(n) => _ = wanted.swap_remove(n),
            None => {
                if let Some(href) = find::href(&rule) {
                    pce.delete(href).include_org(false).await?;
                }
            }
        }
    }
    add(pce, set, kind, &wanted, symbols).await
}
