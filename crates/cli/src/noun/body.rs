//! Bodies of requests, from files, JSON and single fields.

use crate::error::{Failure, Result};
use clap::ArgMatches;
use serde_json::{Map, Value};
use std::io::Read;

/// The text of a file, or of standard input for `-`.
pub(crate) fn text(path: &str) -> Result<String> {
    let mut text = String::new();
    let read = match path {
        "-" => std::io::stdin().lock().read_to_string(&mut text),
        _ => std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|e| Failure::usage(format!("cannot read {path}: {e}")))?;
    Ok(text)
}

/// JSON or YAML.
pub(crate) fn parse(what: &str, text: &str) -> Result<Value> {
    serde_norway::from_str(text).map_err(|e| Failure::usage(format!("{what}: {e}")))
}

/// The body that the flags of create and update describe.
pub(crate) fn of(matches: &ArgMatches) -> Result<Value> {
    let mut body = Map::new();
    let mut add = |what: &str, value: Value| match value {
        Value::Object(fields) => {
            body.extend(fields);
            Ok(())
        }
        _ => Err(Failure::usage(format!("{what} holds no object with fields"))),
    };
    if let Some(path) = matches.get_one::<String>("file") {
        add(path, parse(path, &text(path)?)?)?;
    }
    if let Some(json) = matches.get_one::<String>("json") {
        add("--json", parse("--json", json)?)?;
    }
    for pair in matches.get_many::<String>("set").into_iter().flatten() {
        let Some((field, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("--set wants FIELD=VALUE, not `{pair}`")));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        put(&mut body, field, value);
    }
    if body.is_empty() {
        return Err(Failure::usage("no fields; add --file, --json or --set FIELD=VALUE"));
    }
    Ok(Value::Object(body))
}

/// Sets a field, inside others where the name has dots.
fn put(body: &mut Map<String, Value>, field: &str, value: Value) {
    match field.split_once('.') {
        None => _ = body.insert(field.to_owned(), value),
        Some((outer, inner)) => {
            let entry = body.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = entry {
                put(map, inner, value);
            }
        }
    }
}
