//! `${name}` in strings of test data, and patterns that answers are held against.

use serde_json::Value;
use std::collections::BTreeMap;

/// Values by name.
pub type Vars = BTreeMap<String, Value>;

/// Replaces `${name}` in a text; an unknown name stays as it is, and is then found in what fails.
pub fn fill_text(text: &str, vars: &Vars) -> String {
    let mut out = text.to_owned();
    for (name, value) in vars {
        let mark = format!("${{{name}}}");
        if out.contains(&mark) {
            let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            out = out.replace(&mark, &plain);
        }
    }
    out
}

/// Replaces `${name}` in all strings and names of members; a string that is nothing else takes the
/// value with its type.
pub fn fill(value: &Value, vars: &Vars) -> Value {
    match value {
        Value::String(s) => {
            let whole = s.strip_prefix("${").and_then(|s| s.strip_suffix('}'));
            match whole.and_then(|name| vars.get(name)) {
                Some(v) => v.clone(),
                None => fill_text(s, vars).into(),
            }
        }
        Value::Array(list) => list.iter().map(|v| fill(v, vars)).collect(),
        Value::Object(map) => {
            map.iter().map(|(k, v)| (fill_text(k, vars), fill(v, vars))).collect()
        }
        other => other.clone(),
    }
}

/// Holds a value against a pattern; the answer names each difference with its place.
///
/// Objects may have more members than the pattern. Lists have as many elements. A string `<...>` stands
/// for what changes between runs: `<any>`, `<text>`, `<int>`, `<href>`, `<uuid>`, `<time>`, and `<absent>`
/// for a member that must not be there.
pub fn differences(pattern: &Value, value: &Value) -> Vec<String> {
    let mut out = Vec::new();
    compare(pattern, Some(value), "", &mut out);
    out
}

fn compare(pattern: &Value, value: Option<&Value>, at: &str, out: &mut Vec<String>) {
    let Some(value) = value else {
        if pattern != "<absent>" {
            out.push(format!("{at}: missing, expected {pattern}"));
        }
        return;
    };
    match (pattern, value) {
        (Value::Object(want), Value::Object(have)) => {
            for (name, p) in want {
                compare(p, have.get(name), &format!("{at}/{name}"), out);
            }
        }
        (Value::Array(want), Value::Array(have)) => {
            if want.len() != have.len() {
                out.push(format!("{at}: {} elements, expected {}", have.len(), want.len()));
            }
            for (n, (p, v)) in want.iter().zip(have).enumerate() {
                compare(p, Some(v), &format!("{at}/{n}"), out);
            }
        }
        (Value::String(p), v) if p.starts_with('<') && p.ends_with('>') => {
            let wrong = !stands_for(p, v);
            out.extend(wrong.then(|| format!("{at}: {v} is no {p}")));
        }
        (p, v) if p != v => out.push(format!("{at}: {v}, expected {p}")),
        _ => {}
    }
}

fn stands_for(mark: &str, value: &Value) -> bool {
    let text = value.as_str();
    match mark {
        "<any>" => true,
        "<text>" => text.is_some_and(|t| !t.is_empty()),
        "<int>" => value.is_u64() || value.is_i64(),
        "<href>" => text.is_some_and(|t| t.starts_with('/') && !t.ends_with('/')),
        "<uuid>" => text.is_some_and(is_uuid),
        "<time>" => text.is_some_and(|t| t.len() >= 20 && t.ends_with('Z') && t.contains('T')),
        _ => text == Some(mark),
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b) || b == b'-';
    groups == [8, 4, 4, 4, 12] && text.bytes().all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_are_replaced() {
        let vars = Vars::from([("n".to_owned(), json!(7)), ("s".to_owned(), json!("x"))]);
        assert_eq!(
            fill(&json!({"a": "${n}", "b": ["<${s}${n}>"]}), &vars),
            json!({"a": 7, "b": ["<x7>"]})
        );
        assert_eq!(fill_text("${none}", &vars), "${none}");
    }

    #[test]
    fn differences_are_named() {
        let value =
            json!({"a": 1, "b": [{"c": "2026-01-01T00:00:00.000Z"}], "h": "/orgs/1/labels/7"});
        for (pattern, want) in [
            (json!({"a": 1, "b": [{"c": "<time>"}], "h": "<href>", "z": "<absent>"}), None),
            (json!({"a": 2}), Some("/a: 1, expected 2")),
            (json!({"z": 2}), Some("/z: missing, expected 2")),
            (json!({"a": "<absent>"}), Some("/a: 1 is no <absent>")),
            (json!({"b": []}), Some("/b: 1 elements, expected 0")),
            (json!({"h": "<uuid>"}), Some("/h: \"/orgs/1/labels/7\" is no <uuid>")),
            (json!({"h": "<time>"}), Some("/h: \"/orgs/1/labels/7\" is no <time>")),
        ] {
            assert_eq!(differences(&pattern, &value).first().map(String::as_str), want);
        }
    }
}
