//! JSON Schemas of bodies and answers, and the check of a body against its schema.

use crate::descriptor::{Descriptor, Match, Search, defs};
use crate::error::{ApiError, ErrorItem, INPUT_VALIDATION};
use crate::limits;
use crate::table::Operation;
use bulkhead_ids::{AnyHref, Kind};
use jsonschema::error::{ValidationError, ValidationErrorKind};
use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// Most errors told of one body.
const ERRORS_TOLD_MAX: usize = 5;

/// Compiled schemas by operation, each made when it is first needed.
type Validators = BTreeMap<&'static str, OnceLock<Result<Validator, String>>>;

fn external_schema() -> Value {
    json!({"type": ["string", "null"], "maxLength": limits::NAME_CHARS_MAX})
}

fn body(d: &Descriptor, create: bool) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, field) in &d.fields {
        if if create { field.in_create() } else { field.in_update() } {
            properties.insert(name.clone(), field.schema.clone());
        }
        if create && field.required() {
            required.push(Value::String(name.clone()));
        }
    }
    if d.external_data {
        for name in ["external_data_set", "external_data_reference"] {
            properties.entry(name).or_insert_with(external_schema);
        }
    }
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("additionalProperties".into(), false.into());
    schema.insert("properties".into(), properties.into());
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    let rules = if create { &d.create_rules } else { &d.update_rules };
    schema.extend(rules.iter().map(|(k, v)| (k.clone(), v.clone())));
    schema.into()
}

/// The body of POST.
pub fn create(d: &Descriptor) -> Value {
    body(d, true)
}

/// The body of PUT: any subset of the writable fields.
pub fn update(d: &Descriptor) -> Value {
    body(d, false)
}

/// The object as answers show it.
pub fn answer(d: &Descriptor) -> Value {
    let mut properties = Map::new();
    properties.insert("href".into(), json!({"type": "string"}));
    let mut required = vec![json!("href")];
    for (name, field) in d.fields.iter().filter(|(_, f)| f.in_answers() && !f.write_only) {
        let schema = field.get_schema.as_ref().unwrap_or(&field.schema);
        properties.insert(name.clone(), schema.clone());
        if field.always {
            required.push(json!(name));
        }
    }
    let mut add = |name: &str, schema: Value| {
        properties.entry(name).or_insert(schema);
    };
    if d.external_data {
        add("external_data_set", external_schema());
        add("external_data_reference", external_schema());
    }
    let actor = json!({"type": ["object", "null"], "properties": {"href": {"type": "string"}}});
    let time = json!({"type": ["string", "null"], "format": "date-time"});
    if d.audit {
        for name in ["created", "updated"] {
            add(&format!("{name}_at"), time.clone());
            add(&format!("{name}_by"), actor.clone());
        }
    }
    if d.audit && (d.versioned() || d.soft_delete) {
        add("deleted_at", time);
        add("deleted_by", actor);
    }
    if d.versioned() {
        add("update_type", json!({"enum": ["create", "update", "delete", null]}));
    }
    if d.soft_delete {
        add("deleted", json!({"type": "boolean"}));
    }
    if d.caps {
        add("caps", json!({"type": "array", "items": {"enum": ["write", "provision"]}}));
    }
    json!({"type": "object", "properties": properties, "required": required})
}

/// The answer of a search: what matches, and how many there are.
pub fn search_answer(search: Search) -> Value {
    let text = json!({"type": "string"});
    let item = match search {
        Search::Facets => text,
        Search::Autocomplete => json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["href"],
            "properties": {"href": text, "name": {"type": ["string", "null"]},
                "hostname": {"type": ["string", "null"]}, "key": text, "value": text, "sid": text},
        }),
    };
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["matches", "num_matches"],
        "properties": {
            "matches": {"type": "array", "items": item},
            "num_matches": {"type": "integer", "minimum": 0},
        },
    })
}

/// The query parameters of a list: the descriptor's filters and those that all lists have.
pub fn list_query(d: &Descriptor) -> Vec<(String, Value)> {
    let text = json!({"type": "string"});
    let mut query = vec![("max_results".to_owned(), json!({"type": "integer", "minimum": 0}))];
    for (name, f) in &d.filters {
        let schema = f.schema.clone().unwrap_or_else(|| text.clone());
        if f.matches == Match::Range {
            query.push((format!("{name}[gte]"), schema.clone()));
            query.push((format!("{name}[lte]"), schema));
        } else {
            query.push((name.clone(), schema));
        }
    }
    if d.external_data {
        query.push(("external_data_set".into(), text.clone()));
        query.push(("external_data_reference".into(), text));
    }
    if d.soft_delete {
        query.push(("include_deleted".into(), json!({"type": "boolean"})));
    }
    query.dedup_by(|a, b| a.0 == b.0);
    query
}

/// Names of the definitions that a schema uses, directly or through others.
fn used_defs(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            let name = map.get("$ref").and_then(Value::as_str);
            if let Some(name) = name.and_then(|r| r.strip_prefix("#/$defs/"))
                && found.insert(name.to_owned())
                && let Some(def) = defs().get(name)
            {
                used_defs(def, found);
            }
            map.values().for_each(|v| used_defs(v, found));
        }
        Value::Array(list) => list.iter().for_each(|v| used_defs(v, found)),
        _ => {}
    }
}

/// The definition that a schema of nothing but a reference to the shared definitions means; any other
/// schema is itself.
pub fn resolved(schema: &'static Value) -> &'static Value {
    let name = schema.get("$ref").and_then(Value::as_str);
    let name = name.and_then(|r| r.strip_prefix("#/$defs/"));
    name.and_then(|n| defs().get(n)).unwrap_or(schema)
}

/// A schema together with the definitions it uses, so that it stands on its own.
pub fn standalone(schema: &Value) -> Value {
    let mut found = BTreeSet::new();
    used_defs(schema, &mut found);
    let mut out = schema.clone();
    if let (Value::Object(map), false) = (&mut out, found.is_empty()) {
        let used: Map<String, Value> = found
            .into_iter()
            .filter_map(|n| defs().get(&n).map(|d| (n.clone(), d.clone())))
            .collect();
        map.insert("$defs".into(), used.into());
    }
    out
}

/// The formats `href-KIND[-or-KIND]` that appear in a schema.
fn href_formats(schema: &Value, found: &mut BTreeMap<String, Vec<Kind>>) {
    match schema {
        Value::Object(map) => {
            if let Some(format) = map.get("format").and_then(Value::as_str)
                && let Some(kinds) = format.strip_prefix("href-")
            {
                let kinds = kinds.split("-or-").filter_map(Kind::from_name).collect();
                found.insert(format.to_owned(), kinds);
            }
            map.values().for_each(|v| href_formats(v, found));
        }
        Value::Array(list) => list.iter().for_each(|v| href_formats(v, found)),
        _ => {}
    }
}

fn is_ip(s: &str) -> bool {
    s.parse::<std::net::IpAddr>().is_ok()
}

fn is_ip_or_cidr(s: &str) -> bool {
    match s.split_once('/') {
        None => is_ip(s),
        Some((ip, len)) => {
            let max = match ip.parse::<std::net::IpAddr>() {
                Ok(std::net::IpAddr::V4(_)) => 32,
                Ok(std::net::IpAddr::V6(_)) => 128,
                Err(_) => return false,
            };
            len.len() <= 3
                && len.bytes().all(|b| b.is_ascii_digit())
                && len.parse::<u8>().is_ok_and(|n| n <= max)
        }
    }
}

fn is_fqdn_pattern(s: &str) -> bool {
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
    !s.is_empty()
        && s.len() <= limits::NAME_CHARS_MAX
        && s.trim_end_matches('.')
            .split('.')
            .all(|l| !l.is_empty() && l.len() <= 63 && l.chars().all(ok))
}

/// Compiles a schema; an error is a bug in the descriptors, which the crate's tests find.
///
/// # Errors
/// The text of the compiler when the schema is no JSON Schema.
pub fn compile(schema: &Value) -> Result<Validator, String> {
    let whole = standalone(schema);
    let mut options = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .with_format("ip-address", is_ip)
        .with_format("ip-or-cidr", is_ip_or_cidr)
        .with_format("fqdn-pattern", is_fqdn_pattern);
    let mut formats = BTreeMap::new();
    href_formats(&whole, &mut formats);
    for (name, kinds) in formats {
        options = options.with_format(name, move |s: &str| {
            s.parse::<AnyHref>().is_ok_and(|h| kinds.contains(&h.kind))
        });
    }
    options.build(&whole).map_err(|e| e.to_string())
}

impl Operation {
    /// Whether a body passes the operation's schema.
    pub fn check_ok(&self, body: &Value) -> bool {
        self.check(body).is_ok()
    }

    /// Checks a body against the operation's schema; of the items of a bulk call only that they are
    /// objects.
    ///
    /// # Errors
    /// [`ApiError::Invalid`] with one item per fault, at most five; `Internal` for a broken schema.
    pub fn check(&self, body: &Value) -> Result<(), ApiError> {
        static CACHE: OnceLock<Validators> = OnceLock::new();
        self.check_in(&CACHE, body, |op| {
            let mut schema = op.request.clone()?;
            if let (true, Some(list)) = (op.bulk, schema.as_object_mut()) {
                list.insert("items".into(), json!({"type": "object"}));
            }
            Some(schema)
        })
    }

    /// Checks an item of a bulk call.
    ///
    /// # Errors
    /// As [`Operation::check`].
    pub fn check_item(&self, item: &Value) -> Result<(), ApiError> {
        static CACHE: OnceLock<Validators> = OnceLock::new();
        self.check_in(&CACHE, item, |op| op.request.as_ref()?.get("items").cloned())
    }

    /// Checks one object, alone or as the element of the list that the operation takes.
    ///
    /// # Errors
    /// As [`Operation::check`].
    pub fn check_one(&self, object: &Value) -> Result<(), ApiError> {
        let list = self.request.as_ref().and_then(|r| r.get("type")).is_some_and(|t| t == "array");
        if list { self.check(&json!([object])) } else { self.check(object) }
    }

    fn check_in(
        &self,
        cache: &'static OnceLock<Validators>,
        body: &Value,
        schema: impl Fn(&Self) -> Option<Value>,
    ) -> Result<(), ApiError> {
        if self.request.is_none() {
            return Ok(());
        }
        let cache = cache.get_or_init(|| {
            crate::operations().iter().map(|o| (o.id.as_str(), OnceLock::new())).collect()
        });
        let compiled = || schema(self).ok_or_else(|| "there is none".to_owned());
        let slot = cache.get(self.id.as_str());
        match slot.map(|s| s.get_or_init(|| compiled().and_then(|s| compile(&s)))) {
            Some(Ok(v)) => check_with(v, body, &self.id),
            Some(Err(e)) => Err(ApiError::Internal(format!("schema of {}: {e}", self.id))),
            None => Err(ApiError::Internal(format!("{} is not in the table", self.id))),
        }
    }
}

fn check_with(v: &Validator, body: &Value, operation: &str) -> Result<(), ApiError> {
    if v.is_valid(body) {
        return Ok(());
    }
    let items: Vec<ErrorItem> =
        v.iter_errors(body).take(ERRORS_TOLD_MAX).map(|e| item(&e, operation)).collect();
    Err(ApiError::Invalid(items))
}

fn item(e: &ValidationError<'_>, operation: &str) -> ErrorItem {
    let at = e.instance_path().to_string();
    let field = if at.is_empty() { "#".to_owned() } else { format!("#{at}") };
    if let ValidationErrorKind::Format { format } = e.kind() {
        let value = e.instance().as_str().unwrap_or_default();
        if format.starts_with("href-") {
            return ErrorItem::new("invalid_uri", format!("Invalid URI: {{{}}}", short(value)));
        }
        if format.starts_with("ip-") {
            let message = format!("{field}: `{}` is not an IP address", short(value));
            return ErrorItem::new("invalid_ip_address", message);
        }
    }
    let reason = short(&e.to_string());
    ErrorItem::new(
        INPUT_VALIDATION,
        format!("Input validation failed. Details: {{{field}: {reason}}} in schema {operation}"),
    )
}

/// At most 300 characters of a text, so that an answer does not echo a huge body.
fn short(s: &str) -> String {
    const CHARS: usize = 300;
    if s.chars().nth(CHARS).is_none() {
        return s.to_owned();
    }
    s.chars().take(CHARS).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_schema_compiles_and_every_ref_resolves() {
        let mut bad = Vec::new();
        for op in crate::operations() {
            for schema in [&op.request, &op.answer].into_iter().flatten() {
                if let Err(e) = compile(schema) {
                    bad.push(format!("{}: {e}", op.id));
                }
            }
        }
        assert_eq!(bad, Vec::<String>::new());
    }
}
