//! Names in place of hrefs.

use super::INSIDE;
use crate::error::{Failure, Result};
use bulkhead_api::{Field, descriptor};
use bulkhead_ids::Kind;
use bulkhead_sdk::Pce;
use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Both directions.
#[derive(Default)]
pub(super) struct Symbols {
    by_href: BTreeMap<String, String>,
    by_name: BTreeMap<String, String>,
}

/// The name of an object in files.
pub(super) fn name(kind: Kind, object: &Value) -> Option<String> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    match kind {
        Kind::Label => Some(format!("{}:{}", text("key")?, text("value")?)),
        _ => text("name").map(str::to_owned),
    }
}

/// An href without the side of the policy.
fn drafted(href: &str) -> String {
    bulkhead_sdk::convert_active_href_to_draft(href)
}

impl Symbols {
    pub(super) fn add(&mut self, kind: Kind, name: &str, href: &str) {
        let name = format!("{}/{name}", kind.collection());
        self.by_href.insert(drafted(href), name.clone());
        self.by_name.insert(name, drafted(href));
    }

    pub(super) fn href(&self, kind: Kind, name: &str) -> Option<&str> {
        self.by_name.get(&format!("{}/{name}", kind.collection())).map(String::as_str)
    }

    /// Rules may name workloads; those with names of their own get symbols.
    pub(super) async fn add_workloads(&mut self, pce: &Pce) -> Result {
        let mut rows = pce.workloads().list().all();
        while let Some(workload) = rows.try_next().await? {
            if let (Some(href), Some(name)) = (workload.href, workload.name.or(workload.hostname)) {
                self.add(Kind::Workload, &name, &href);
            }
        }
        Ok(())
    }

    /// The value with names for hrefs; what has no name keeps its href.
    fn named(&self, value: &Value) -> Value {
        match value {
            Value::Object(map) => match map.get("href").and_then(Value::as_str) {
                Some(href) => match self.by_href.get(&drafted(href)) {
                    Some(name) => json!({ "ref": name }),
                    None => json!({ "href": drafted(href) }),
                },
                None => {
                    let kept = map.iter().filter(|(_, value)| !value.is_null());
                    let entry =
                        |(name, value): (&String, &Value)| (name.clone(), self.named(value));
                    Value::Object(kept.map(entry).collect())
                }
            },
            Value::Array(list) => Value::Array(list.iter().map(|v| self.named(v)).collect()),
            other => other.clone(),
        }
    }

    /// The value with hrefs for names.
    pub(super) fn resolved(&self, value: &Value) -> Result<Value> {
        Ok(match value {
            Value::Object(map) => match map.get("ref").and_then(Value::as_str) {
                Some(name) => match self.by_name.get(name) {
                    Some(href) => json!({ "href": href }),
                    None => return Err(Failure::failed(format!("there is no `{name}`"))),
                },
                None => {
                    let entry = |(name, value): (&String, &Value)| {
                        Ok((name.clone(), self.resolved(value)?))
                    };
                    Value::Object(map.iter().map(entry).collect::<Result<_>>()?)
                }
            },
            Value::Array(list) => {
                Value::Array(list.iter().map(|v| self.resolved(v)).collect::<Result<_>>()?)
            }
            other => other.clone(),
        })
    }
}

/// An object as files have it: fields that can be written and say something, names for hrefs.
pub(super) fn written(kind: Kind, object: &Value, symbols: &Symbols) -> Value {
    let mut out = Map::new();
    let Some(described) = descriptor(kind) else { return Value::Null };
    let writable = |field: &Field| field.in_answers() && (field.in_create() || field.in_update());
    for (name, field) in &described.fields {
        let value = object.get(name).filter(|v| !v.is_null());
        let inside = INSIDE.iter().find(|(inside, _)| kind == Kind::RuleSet && inside == name);
        match (value, inside) {
            (Some(Value::Array(list)), Some((_, kind))) => {
                let kept = list.iter().filter(|rule| {
                    rule.get("update_type").and_then(Value::as_str) != Some("delete")
                });
                let rules: Vec<Value> = kept.map(|rule| written(*kind, rule, symbols)).collect();
                out.insert(name.clone(), Value::Array(sorted(rules)));
            }
            (Some(value), None) if writable(field) => {
                let silent =
                    value.as_str() == Some("") || value.as_array().is_some_and(Vec::is_empty);
                let silent = silent && !field.required() && !matches!(name.as_str(), "labels");
                if !silent {
                    out.insert(name.clone(), ordered(name, symbols.named(value)));
                }
            }
            _ => {}
        }
    }
    for name in ["external_data_set", "external_data_reference"] {
        if let Some(value) = object.get(name).filter(|v| !v.is_null()) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(out)
}

/// Lists whose order says nothing are sorted, so that files do not change by themselves.
fn ordered(name: &str, value: Value) -> Value {
    let sets = ["labels", "providers", "consumers", "sub_groups", "consuming_security_principals"];
    match value {
        Value::Array(list) if sets.contains(&name) => Value::Array(sorted(list)),
        other => other,
    }
}

pub(super) fn sorted(mut list: Vec<Value>) -> Vec<Value> {
    list.sort_by_key(Value::to_string);
    list
}
