//! CSV out and in: a second import of the same file finds nothing to do.
//!
//! Cells hold texts and numbers as they are, labels as `key:value`, everything else as JSON.

use crate::context::Context;
use crate::error::{Failure, Result};
use crate::noun::{Noun, find};
use bulkhead_ids::Kind;
use bulkhead_sdk::models::Workload;
use bulkhead_sdk::{BulkResult, Pce};
use clap::ArgMatches;
use futures_util::TryStreamExt;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

/// Where a cell's labels are split.
const SEPARATOR: &str = ";";

/// The columns of a noun: its href, then every field that can be written.
fn columns(noun: Noun) -> Vec<&'static str> {
    let writable = |(name, field): &(&'static String, &bulkhead_api::Field)| {
        (field.in_create() || field.in_update()) && field.in_answers() && *name != "agent"
    };
    let fields = noun.described.fields.iter().filter(writable).map(|(name, _)| name.as_str());
    let external = ["external_data_set", "external_data_reference"];
    let external = external.into_iter().filter(|_| noun.described.external_data);
    ["href"].into_iter().chain(fields.filter(|f| *f != "href")).chain(external).collect()
}

/// The fields that are not in the body of POST, by what they are: changed after creation only.
fn creatable(noun: Noun, name: &str) -> bool {
    noun.described.fields.get(name).is_none_or(bulkhead_api::Field::in_create)
}

fn changeable(noun: Noun, name: &str) -> bool {
    noun.described.fields.get(name).is_none_or(bulkhead_api::Field::in_update)
}

/// Labels by href and by `key:value`.
struct Labels {
    by_href: BTreeMap<String, String>,
    by_name: BTreeMap<String, String>,
}

async fn labels(pce: &Pce) -> Result<Labels> {
    let (mut by_href, mut by_name) = (BTreeMap::new(), BTreeMap::new());
    let mut all = pce.labels().list().all();
    while let Some(label) = all.try_next().await? {
        if let (Some(href), Some(key), Some(value)) = (label.href, label.key, label.value) {
            by_name.insert(format!("{key}:{value}"), href.clone());
            by_href.insert(href, format!("{key}:{value}"));
        }
    }
    Ok(Labels { by_href, by_name })
}

/// The text of a field in a cell.
fn cell(value: &Value, labels: &Labels) -> String {
    let label = |value: &Value| labels.by_href.get(find::href(value)?).cloned();
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => String::new(),
        Value::Array(list) => match list.iter().map(label).collect::<Option<Vec<_>>>() {
            Some(mut names) => {
                names.sort();
                names.join(SEPARATOR)
            }
            None => Value::Array(list.iter().map(plain).collect()).to_string(),
        },
        other => plain(other).to_string(),
    }
}

/// A value without what answers add to references and leave null.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            if let Some(href) =
                map.get("href").filter(|_| map.len() > 1 && !map.contains_key("address"))
            {
                return json!({ "href": href });
            }
            let kept = map.iter().filter(|(name, value)| !value.is_null() && *name != "href");
            let answered = ["network_detection_mode", "loopback", "network", "public_ip"];
            let kept = kept.filter(|(name, _)| !answered.contains(&name.as_str()));
            Value::Object(kept.map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(plain).collect()),
        other => other.clone(),
    }
}

/// The value that a cell stands for, given what kind of value the field has.
fn uncell(noun: Noun, field: &str, text: &str, labels: &Labels) -> Result<Value, String> {
    let described = noun.described.fields.get(field).map(|f| bulkhead_api::resolved(&f.schema));
    let kind = described.and_then(|schema| schema.get("type"));
    let types = |name: &str| match kind {
        Some(Value::String(one)) => one == name,
        Some(Value::Array(any)) => any.iter().any(|t| t == name),
        _ => false,
    };
    if types("array") {
        if text.is_empty() {
            return Ok(json!([]));
        }
        if text.starts_with('[') {
            return serde_json::from_str(text).map_err(|e| format!("{field}: {e}"));
        }
        let href = |name: &str| {
            let href = labels.by_name.get(name.trim());
            href.map(|href| json!({ "href": href })).ok_or(format!("there is no label {name}"))
        };
        return text.split(SEPARATOR).map(href).collect::<Result<Vec<_>, _>>().map(Value::Array);
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    match kind {
        _ if types("string") => Ok(Value::String(text.to_owned())),
        Some(_) => serde_json::from_str(text).map_err(|e| format!("{field}: `{text}`: {e}")),
        None => Ok(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))),
    }
}

/// Every object as it is now.
async fn current(pce: &Pce, noun: Noun) -> Result<Vec<Value>> {
    let path = noun.path(pce, "draft", None)?;
    let mut rows = pce.stream::<Value>(pce.get(&path).include_org(false));
    let mut all = Vec::new();
    while let Some(row) = rows.try_next().await? {
        all.push(row);
    }
    Ok(all)
}

pub(crate) async fn export(cx: &Context, pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result {
    let labels = labels(pce).await?;
    let columns = columns(noun);
    let out: Box<dyn Write> = match matches.get_one::<String>("file") {
        Some(path) => Box::new(
            std::fs::File::create(path)
                .map_err(|e| Failure::failed(format!("cannot write {path}: {e}")))?,
        ),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut writer = csv::Writer::from_writer(out);
    let failed = |e: csv::Error| Failure::failed(format!("cannot write CSV: {e}"));
    writer.write_record(&columns).map_err(failed)?;
    let path = noun.path(pce, "draft", None)?;
    let mut rows = pce.stream::<Value>(pce.get(&path).include_org(false));
    let mut count = 0;
    while let Some(row) = rows.try_next().await? {
        let cells =
            columns.iter().map(|c| row.get(*c).map(|v| cell(v, &labels)).unwrap_or_default());
        writer.write_record(cells).map_err(failed)?;
        count += 1;
    }
    writer.flush()?;
    cx.say(format!("{count} rows"));
    Ok(())
}

/// What is to be done about one row.
struct Row {
    line: u64,
    name: String,
    act: Act,
}

enum Act {
    Nothing,
    Create(Value),
    Update { href: String, change: Value, fields: Vec<String> },
    Wrong(String),
}

/// The rows of a file as texts by column.
fn read(noun: Noun, path: &str) -> Result<Vec<(u64, BTreeMap<String, String>)>> {
    let mut bytes = Vec::new();
    let read = match path {
        "-" => std::io::stdin().lock().read_to_end(&mut bytes),
        _ => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    read.map_err(|e| Failure::usage(format!("cannot read {path}: {e}")))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
    let wrong = |e: csv::Error| Failure::usage(format!("{path}: {e}"));
    let header: Vec<String> = reader.headers().map_err(wrong)?.iter().map(str::to_owned).collect();
    let known = columns(noun);
    let strange: Vec<_> = header.iter().filter(|c| !known.contains(&c.as_str())).collect();
    if !strange.is_empty() || header.is_empty() {
        let text = format!("{path}: unknown columns {strange:?}; known: {}", known.join(", "));
        return Err(Failure::usage(text));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(wrong)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = header.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        rows.push((line, cells));
    }
    Ok(rows)
}

/// What names an object that has no href yet: external reference, name, host name, or key and value.
fn identity(get: impl Fn(&str) -> Option<String>) -> Option<String> {
    let get = |name: &str| get(name).filter(|text| !text.is_empty());
    if let (Some(set), Some(reference)) = (get("external_data_set"), get("external_data_reference"))
    {
        return Some(format!("external {set}/{reference}"));
    }
    match (get("key"), get("value")) {
        (Some(key), Some(value)) => Some(format!("{key}:{value}")),
        _ => get("name").or_else(|| get("hostname")),
    }
}

fn plan(
    noun: Noun,
    rows: Vec<(u64, BTreeMap<String, String>)>,
    now: &[Value],
    labels: &Labels,
) -> Vec<Row> {
    let text =
        |object: &Value, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
    let by_href: BTreeMap<&str, &Value> =
        now.iter().filter_map(|o| Some((find::href(o)?, o))).collect();
    let by_name: BTreeMap<String, &Value> =
        now.iter().filter_map(|o| Some((identity(|n| text(o, n))?, o))).collect();
    let mut seen = BTreeSet::new();
    let mut planned = Vec::with_capacity(rows.len());
    for (line, cells) in rows {
        let name = identity(|n| cells.get(n).cloned()).unwrap_or_default();
        let href = cells.get("href").filter(|href| !href.is_empty());
        let found = match href {
            Some(href) => by_href.get(href.as_str()).copied(),
            None => by_name.get(&name).copied(),
        };
        let key = found.and_then(find::href).map_or_else(|| name.clone(), str::to_owned);
        let act = if !seen.insert(key) && !name.is_empty() {
            Act::Wrong("a row above is about the same object".to_owned())
        } else {
            match (href, found) {
                (Some(href), None) => Act::Wrong(format!("there is no {href}")),
                (_, found) => decide(noun, &cells, found, labels).unwrap_or_else(Act::Wrong),
            }
        };
        planned.push(Row { line, name, act });
    }
    planned
}

fn decide(
    noun: Noun,
    cells: &BTreeMap<String, String>,
    found: Option<&Value>,
    labels: &Labels,
) -> Result<Act, String> {
    let mut body = Map::new();
    let mut fields = Vec::new();
    for (field, text) in cells.iter().filter(|(field, _)| *field != "href") {
        let value = uncell(noun, field, text, labels)?;
        match found {
            None if creatable(noun, field) && !text.is_empty() => {
                _ = body.insert(field.clone(), value)
            }
            None => {}
            Some(object) => {
                let had = object.get(field).map(|v| cell(v, labels)).unwrap_or_default();
                if had != cell(&value, labels) {
                    if !changeable(noun, field) {
                        return Err(format!("{field} cannot be changed"));
                    }
                    fields.push(format!("{field}: `{had}` -> `{text}`"));
                    body.insert(field.clone(), value);
                }
            }
        }
    }
    Ok(match found.and_then(find::href) {
        None if body.is_empty() => return Err("an empty row".to_owned()),
        None => Act::Create(Value::Object(body)),
        Some(_) if body.is_empty() => Act::Nothing,
        Some(href) => Act::Update { href: href.to_owned(), change: Value::Object(body), fields },
    })
}

pub(crate) async fn import(cx: &Context, pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result {
    let path = matches.get_one::<String>("file").map_or("-", String::as_str);
    let rows = read(noun, path)?;
    let labels = labels(pce).await?;
    let now = current(pce, noun).await?;
    let mut planned = plan(noun, rows, &now, &labels);
    for row in &planned {
        let (line, name) = (row.line, &row.name);
        match &row.act {
            Act::Nothing => {}
            Act::Create(_) => cx.say(format!("line {line}: + create {name}")),
            Act::Update { fields, .. } => {
                cx.say(format!("line {line}: ~ change {name}: {}", fields.join(", ")));
            }
            Act::Wrong(why) => cx.say(format!("line {line}: ! {name}: {why}")),
        }
    }
    let count = |is: fn(&Act) -> bool| planned.iter().filter(|row| is(&row.act)).count();
    let (new, changed) =
        (count(|a| matches!(a, Act::Create(_))), count(|a| matches!(a, Act::Update { .. })));
    let wrong = count(|a| matches!(a, Act::Wrong(_)));
    cx.say(format!("{new} to create, {changed} to change, {wrong} wrong, {} rows", planned.len()));
    if new + changed == 0 {
        cx.say("nothing to do");
    }
    let mut results = BTreeMap::new();
    if matches.get_flag("apply") && !cx.global.dry_run {
        results = apply(cx, pce, noun, &mut planned).await?;
    }
    report(matches, &planned, &results)?;
    let failed = results.values().filter(|r| !r.is_ok()).count() + wrong;
    match failed {
        0 => Ok(()),
        n => {
            Err(Failure::failed(format!("{n} rows were not applied; the others are as said above")))
        }
    }
}

/// Makes the changes; gives what became of each line.
async fn apply(
    cx: &Context,
    pce: &Pce,
    noun: Noun,
    rows: &mut [Row],
) -> Result<BTreeMap<u64, BulkResult>> {
    let (mut creates, mut updates) = (Vec::new(), Vec::new());
    for row in rows.iter() {
        match &row.act {
            Act::Create(body) => creates.push((row.line, None, body.clone())),
            Act::Update { href, change, .. } => {
                updates.push((row.line, Some(href.clone()), change.clone()));
            }
            Act::Nothing | Act::Wrong(_) => {}
        }
    }
    let all = creates.len() + updates.len();
    let mut done = BTreeMap::new();
    for (items, new) in [(creates, true), (updates, false)] {
        for chunk in items.chunks(1_000) {
            let results = match noun.kind {
                Kind::Workload => bulk(pce, chunk, new).await?,
                _ => one_by_one(pce, noun, chunk).await?,
            };
            for ((line, _, _), result) in chunk.iter().zip(results) {
                if let Some(error) = result.errors.first() {
                    cx.say(format!("line {line}: ! {error}"));
                }
                done.insert(*line, result);
            }
            cx.progress("applied", done.len(), Some(all));
        }
    }
    Ok(done)
}

type Item = (u64, Option<String>, Value);

async fn bulk(pce: &Pce, items: &[Item], new: bool) -> Result<Vec<BulkResult>> {
    let body = |(_, href, body): &Item| {
        let mut body = body.clone();
        if let (Some(href), Value::Object(map)) = (href, &mut body) {
            map.insert("href".to_owned(), json!(href));
        }
        body
    };
    let bodies: Vec<Value> = items.iter().map(body).collect();
    let workloads = pce.resource::<Workload>();
    Ok(match new {
        true => workloads.bulk_create(&bodies).await?,
        false => workloads.bulk_update(&bodies).await?,
    })
}

async fn one_by_one(pce: &Pce, noun: Noun, items: &[Item]) -> Result<Vec<BulkResult>> {
    let collection = noun.path(pce, "draft", None)?;
    let mut results = Vec::new();
    for (_, href, body) in items {
        let answer = match href {
            Some(href) => pce.put(href).include_org(false).json(body).await,
            None => pce.post(&collection).include_org(false).json(body).await,
        };
        let mut result = BulkResult::default();
        match answer {
            Ok(_) => {}
            Err(error) => match error.api() {
                Some(refusal) if refusal.status == 406 => result.errors.clone_from(&refusal.errors),
                // Nothing is wrong with the row; going on would fail at every one.
                _ => return Err(error.into()),
            },
        }
        results.push(result);
    }
    Ok(results)
}

/// One line for each row of the file.
fn report(matches: &ArgMatches, rows: &[Row], results: &BTreeMap<u64, BulkResult>) -> Result {
    let Some(path) = matches.get_one::<String>("report") else { return Ok(()) };
    let failed = |e: csv::Error| Failure::failed(format!("cannot write {path}: {e}"));
    let mut writer = csv::Writer::from_path(path).map_err(failed)?;
    writer.write_record(["line", "object", "action", "result"]).map_err(failed)?;
    for row in rows {
        let (action, wrong) = match &row.act {
            Act::Nothing => ("none", None),
            Act::Create(_) => ("create", None),
            Act::Update { .. } => ("change", None),
            Act::Wrong(why) => ("refused", Some(why.clone())),
        };
        let outcome = results.get(&row.line).map(|result| match result.errors.first() {
            Some(error) => error.to_string(),
            None => "done".to_owned(),
        });
        let text = wrong.or(outcome).unwrap_or_else(|| "not applied".to_owned());
        let text = if action == "none" { "as it is".to_owned() } else { text };
        writer.write_record([&row.line.to_string(), &row.name, action, &text]).map_err(failed)?;
    }
    Ok(writer.flush()?)
}
