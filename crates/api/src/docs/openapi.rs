//! The OpenAPI document.

use crate::descriptor::defs;
use crate::table::{Action, Operation, operations};
use bulkhead_ids::{IdStyle, Kind};
use serde_json::{Map, Value, json};

/// OpenAPI 3.1: paths without the `/api/v2` prefix, which is the server's URL.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for op in operations() {
        let entry = paths.entry(op.path.clone()).or_insert_with(|| json!({}));
        if let Value::Object(methods) = entry {
            methods.insert(op.method.as_str().to_lowercase(), operation(op));
        }
    }
    let mut schemas: Map<String, Value> =
        defs().iter().map(|(name, def)| (name.clone(), component(def))).collect();
    schemas.insert("errors".into(), errors());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Bulkhead PCE REST API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Wire compatible with the Illumio PCE REST API v2. Lists answer \
                asynchronously to `Prefer: respond-async`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v2"}],
        "security": [{"basic": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "User name and password are an API key and its secret, or a \
                        session's user name and token.",
                },
            },
            "schemas": schemas,
        },
    })
}

fn errors() -> Value {
    json!({
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "required": ["token", "message"],
            "properties": {"token": {"type": "string"}, "message": {"type": "string"}},
        },
    })
}

/// A schema with its references as OpenAPI has them.
fn component(schema: &Value) -> Value {
    match schema {
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| match (k.as_str(), v.as_str()) {
                ("$ref", Some(r)) => {
                    (k.clone(), r.replace("#/$defs/", "#/components/schemas/").into())
                }
                _ => (k.clone(), component(v)),
            })
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(component).collect(),
        other => other.clone(),
    }
}

fn content(schema: &Value) -> Value {
    json!({"application/json": {"schema": component(schema)}})
}

fn operation(op: &Operation) -> Value {
    let mut out = json!({
        "operationId": op.id,
        "tags": [op.kind.map_or("system", Kind::name)],
        "summary": summary(op),
        "description": op.doc,
        "parameters": parameters(op),
        "responses": responses(op),
        "x-roles": op.access.to_string(),
        "x-exposure": op.exposure,
    });
    let Value::Object(map) = &mut out else { return out };
    if op.access.anonymous {
        map.insert("security".into(), json!([]));
    }
    if let Some(request) = &op.request {
        map.insert("requestBody".into(), json!({"required": true, "content": content(request)}));
    }
    out
}

fn summary(op: &Operation) -> String {
    let name = op.kind.map_or("", Kind::name).replace('_', " ");
    match op.action {
        Action::List => format!("List: {name}"),
        Action::Get => format!("Get one: {name}"),
        Action::Create => format!("Create: {name}"),
        Action::Update => format!("Update: {name}"),
        Action::Delete => format!("Delete: {name}"),
        Action::Custom => op.id.replace('_', " "),
    }
}

fn responses(op: &Operation) -> Value {
    let mut out = Map::new();
    let success = match &op.answer {
        Some(answer) => json!({"description": "Success", "content": content(answer)}),
        None => json!({"description": "Success, without a body"}),
    };
    out.insert(op.status.to_string(), success);
    if op.action == Action::List {
        let job = "Accepted: the header `Location` names the job that makes the list";
        out.insert("202".into(), json!({"description": job}));
    }
    let refused = json!({"$ref": "#/components/schemas/errors"});
    let refused = json!({"application/json": {"schema": refused}});
    out.insert("default".into(), json!({"description": "Refused", "content": refused}));
    out.into()
}

fn parameters(op: &Operation) -> Vec<Value> {
    let names = op.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    let mut out: Vec<Value> = names
        .map(|name| {
            let schema = path_schema(op, name);
            json!({"name": name, "in": "path", "required": true, "schema": schema})
        })
        .collect();
    out.extend(op.query.iter().map(|(name, schema)| {
        json!({"name": name, "in": "query", "required": false, "schema": component(schema)})
    }));
    if op.action == Action::List {
        out.push(json!({
            "name": "Prefer",
            "in": "header",
            "required": false,
            "schema": {"type": "string", "enum": ["respond-async"]},
        }));
    }
    out
}

fn path_schema(op: &Operation, name: &str) -> Value {
    let id = |kind: Option<Kind>| match kind.map(Kind::id_style) {
        Some(IdStyle::Int) => json!({"type": "integer", "minimum": 1}),
        Some(IdStyle::Uuid) => json!({"type": "string", "format": "uuid"}),
        Some(IdStyle::Text | IdStyle::Singleton) | None => {
            json!({"type": "string", "minLength": 1})
        }
    };
    match name {
        "org" => json!({"type": "integer", "minimum": 1, "examples": [1]}),
        "pv" => json!({
            "anyOf": [{"enum": ["draft", "active"]}, {"type": "integer", "minimum": 0}],
            "examples": ["draft"],
        }),
        "id" => id(op.kind),
        "parent" => id(op.kind.and_then(Kind::parent)),
        _ => id(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs<'a>(v: &'a Value, found: &mut Vec<&'a str>) {
        match v {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|v| refs(v, found));
            }
            Value::Array(list) => list.iter().for_each(|v| refs(v, found)),
            _ => {}
        }
    }

    #[test]
    fn every_operation_is_there_and_every_reference_resolves() {
        let document = document();
        let methods = document["paths"].as_object().unwrap().values();
        let count: usize = methods.map(|m| m.as_object().unwrap().len()).sum();
        assert_eq!(count, operations().len());
        let mut found = Vec::new();
        refs(&document, &mut found);
        for r in found {
            let pointer = r.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{r}");
        }
    }
}
