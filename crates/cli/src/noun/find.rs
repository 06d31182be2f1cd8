//! From what people write to hrefs: names, labels as `key:value`, hrefs as they are.

use super::Noun;
use crate::error::{Failure, Result};
use bulkhead_ids::Kind;
use bulkhead_sdk::Pce;
use serde_json::Value;

/// The href of the object that a text names.
pub(crate) async fn object(pce: &Pce, noun: Noun, text: &str) -> Result<String> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    if noun.kind == Kind::Label {
        return label(pce, text).await;
    }
    if noun.kind.parent().is_some() {
        let text = format!("a {} is named by its href, not `{text}`", noun.name());
        return Err(Failure::usage(text));
    }
    let path = noun.path(pce, "draft", None)?;
    // The first that the noun has, and that its list can be filtered by.
    let fields = ["name", "hostname", "username", "display_name"];
    let filter = fields.into_iter().find(|f| noun.described.filters.contains_key(*f));
    let mut request = pce.get(&path).include_org(false);
    if let Some(filter) = filter {
        request = request.query(filter, text);
    }
    let found: Vec<Value> = request.query("max_results", 10_000).await?.json()?;
    let named = |object: &&Value| {
        fields.iter().any(|f| object.get(f).and_then(Value::as_str) == Some(text))
            || href(object).and_then(|h| h.rsplit('/').next()) == Some(text)
    };
    let mut exact = found.iter().filter(named).filter_map(href);
    match (exact.next(), exact.next()) {
        (Some(one), None) => Ok(one.to_owned()),
        (Some(_), Some(_)) => {
            Err(Failure::usage(format!("several are called `{text}`; use the href")))
        }
        (None, _) => Err(Failure::failed(format!("no {} is called `{text}`", noun.name()))),
    }
}

/// The href of a label written as `key:value`, or as href.
pub(crate) async fn label(pce: &Pce, text: &str) -> Result<String> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    let Some((key, value)) = text.split_once(':').or_else(|| text.split_once('=')) else {
        return Err(Failure::usage(format!("write a label as key:value, not `{text}`")));
    };
    let found = pce.find_label(key, value).await?;
    let href = found.and_then(|label| label.href);
    href.ok_or_else(|| Failure::failed(format!("there is no label {key}:{value}")))
}

/// The filter `labels`: each element is a set, written with commas.
pub(crate) async fn label_sets<'a>(
    pce: &Pce,
    sets: impl Iterator<Item = &'a String>,
) -> Result<String> {
    let mut out = Vec::new();
    for set in sets {
        // JSON as the API has it goes through as it is.
        if set.starts_with('[') {
            return Ok(set.clone());
        }
        let mut hrefs = Vec::new();
        for one in set.split(',') {
            hrefs.push(label(pce, one.trim()).await?);
        }
        out.push(hrefs);
    }
    Ok(serde_json::json!(out).to_string())
}

/// The href in an object.
pub(crate) fn href(object: &Value) -> Option<&str> {
    object.get("href").and_then(Value::as_str)
}
