//! Completion that knows the PCE: labels and names of objects, asked for within two seconds.

use crate::context::{Context, Global};
use crate::noun::Noun;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use serde_json::Value;
use std::ffi::OsStr;

/// Candidates shown at most.
const SHOWN_MAX: usize = 200;

/// Completes `key:value`, after the last comma.
pub(crate) fn labels() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let typed = typed.to_string_lossy();
        let (before, last) = typed.rsplit_once(',').map_or(("", &*typed), |(b, l)| (b, l));
        let before = if before.is_empty() { String::new() } else { format!("{before},") };
        let candidates = rows("/labels", &[]).into_iter().filter_map(|label| {
            let text = |name| label.get(name).and_then(Value::as_str);
            let label = format!("{}:{}", text("key")?, text("value")?);
            label.starts_with(last).then(|| CompletionCandidate::new(format!("{before}{label}")))
        });
        candidates.take(SHOWN_MAX).collect()
    })
}

/// Completes names of objects.
pub(crate) fn objects(noun: Noun) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let typed = typed.to_string_lossy().into_owned();
        if noun.kind.parent().is_some() {
            return Vec::new();
        }
        let policy = noun.kind.is_policy();
        let side = if policy { "/sec_policy/draft" } else { "" };
        let path = format!("{side}/{}", noun.kind.collection());
        let filter =
            noun.described.filters.contains_key("name").then_some(("name", typed.as_str()));
        let found = rows(&path, filter.as_slice()).into_iter().filter_map(|object| {
            let text = |name| object.get(name).and_then(Value::as_str);
            let name = match (text("key"), text("value")) {
                (Some(key), Some(value)) => format!("{key}:{value}"),
                _ => text("name").or_else(|| text("hostname"))?.to_owned(),
            };
            name.starts_with(&typed).then(|| CompletionCandidate::new(name))
        });
        found.take(SHOWN_MAX).collect()
    })
}

/// The first page of a collection; nothing when the PCE does not answer soon.
fn rows(path: &str, query: &[(&str, &str)]) -> Vec<Value> {
    let cx = Context::new(Global { timeout: Some(2), quiet: true, ..Global::default() });
    let Ok(pce) = cx.pce() else { return Vec::new() };
    let Ok(pce) = pce.to_builder().retry_count(0).build() else { return Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    runtime.block_on(async {
        let mut request = pce.get(path);
        for (name, value) in query {
            request = request.query(name, value);
        }
        match request.await {
            Ok(answer) => answer.json().unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    })
}

/// Prints the script that makes a shell ask this program for candidates.
pub(crate) fn script(shell: &str) -> crate::error::Result {
    let shells = clap_complete::env::Shells::builtins();
    let Some(known) = shells.completer(shell) else {
        let names: Vec<_> = shells.names().collect();
        let text = format!("no completion for `{shell}`; there are {}", names.join(", "));
        return Err(crate::error::Failure::usage(text));
    };
    let mut out = std::io::stdout().lock();
    Ok(known.write_registration("COMPLETE", "bulkhead", "bulkhead", "bulkhead", &mut out)?)
}

/// Writes to standard output.
pub(crate) fn write(text: &str) -> crate::error::Result {
    use std::io::Write;
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}
