//! list, get, create, update and delete of any noun.

use super::{Noun, body, find};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::output::{Format, Printer};
use bulkhead_api::Match;
use bulkhead_sdk::{Pce, Request};
use clap::ArgMatches;
use futures_util::TryStreamExt;
use serde_json::Value;

/// Runs a verb.
pub(crate) async fn run(cx: &Context, noun: Noun, verb: &str, matches: &ArgMatches) -> Result {
    let pce = cx.pce()?;
    match verb {
        "list" => list(cx, &pce, noun, matches).await,
        "get" => get(cx, &pce, noun, matches).await,
        "create" => create(cx, &pce, noun, matches).await,
        "update" => update(cx, &pce, noun, matches).await,
        "delete" => delete(cx, &pce, noun, matches).await,
        "export" => crate::exchange::export(cx, &pce, noun, matches).await,
        "import" => crate::exchange::import(cx, &pce, noun, matches).await,
        other => Err(Failure::usage(format!("no verb `{other}`"))),
    }
}

/// A printer for objects of a noun.
pub(crate) fn printer(cx: &Context, noun: Noun) -> Printer {
    let columns = match cx.style.format {
        Format::Wide | Format::Csv => noun.wide(),
        _ => noun.columns(),
    };
    Printer::new(&cx.style, &columns)
}

fn side(matches: &ArgMatches) -> &'static str {
    match matches.try_get_one::<bool>("active") {
        Ok(Some(true)) => "active",
        _ => "draft",
    }
}

fn parent(matches: &ArgMatches) -> Option<&str> {
    matches.try_get_one::<String>("parent").ok().flatten().map(String::as_str)
}

/// The request that list's flags describe.
async fn query(pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result<Request> {
    let path = noun.path(pce, side(matches), parent(matches))?;
    let mut request = pce.get(&path).include_org(false);
    for (name, filter) in &noun.described.filters {
        for name in [name.clone(), format!("{name}[gte]"), format!("{name}[lte]")] {
            let Ok(Some(values)) = matches.try_get_many::<String>(&name) else { continue };
            let value = match filter.matches {
                Match::Labels => find::label_sets(pce, values).await?,
                _ => values.cloned().collect::<Vec<_>>().join(","),
            };
            request = request.query(&name, value);
        }
    }
    for name in noun.common() {
        if let Ok(Some(value)) = matches.try_get_one::<String>(name) {
            request = request.query(name, value);
        }
    }
    Ok(request)
}

async fn list(cx: &Context, pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result {
    let mut request = query(pce, noun, matches).await?;
    let mut printer = printer(cx, noun);
    if matches.get_flag("all") {
        let mut rows = pce.stream::<Value>(request);
        let mut seen = 0;
        while let Some(row) = rows.try_next().await? {
            printer.row(&row)?;
            seen += 1;
            if seen % 1_000 == 0 {
                cx.progress("read", seen, None);
            }
        }
        return printer.finish();
    }
    if let Some(count) = matches.get_one::<String>("max-results") {
        request = request.query("max_results", count);
    }
    let answer = request.await?;
    let rows: Vec<Value> = answer.json()?;
    rows.iter().try_for_each(|row| printer.row(row))?;
    printer.finish()?;
    let matched = answer.header("x-matched-count").and_then(|count| count.parse().ok());
    let all: usize = matched.or(answer.total_count().map(|n| n as usize)).unwrap_or(rows.len());
    if all > rows.len() {
        cx.say(format!("{} of {all} shown; add --all for the rest", rows.len()));
    }
    Ok(())
}

/// The href of the object that a verb is about.
async fn target(pce: &Pce, noun: Noun, matches: &ArgMatches, side: &str) -> Result<String> {
    if noun.single() {
        return noun.path(pce, side, None);
    }
    let Some(text) = matches.get_one::<String>("object") else {
        return Err(Failure::usage("name the object"));
    };
    let href = find::object(pce, noun, text).await?;
    Ok(match (side, text.starts_with('/')) {
        ("active", false) => bulkhead_sdk::convert_draft_href_to_active(&href),
        _ => href,
    })
}

async fn get(cx: &Context, pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result {
    let href = target(pce, noun, matches, side(matches)).await?;
    let object: Value = pce.get(&href).include_org(false).await?.json()?;
    printer(cx, noun).object(&object)
}

/// Shows what would be sent.
pub(crate) fn show(cx: &Context, method: &str, path: &str, body: Option<&Value>) -> Result {
    let mut text = format!("would send {method} {path}");
    if let Some(body) = body {
        text.push_str(&format!("\n{body:#}"));
    }
    cx.say(text);
    Ok(())
}

async fn create(cx: &Context, pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result {
    let path = noun.path(pce, "draft", parent(matches))?;
    let mut body = body::of(matches)?;
    // Some collections take lists only.
    if noun.described.create_request.as_ref().and_then(|r| r.get("type"))
        == Some(&Value::from("array"))
    {
        body = Value::Array(vec![body]);
    }
    if cx.global.dry_run {
        return show(cx, "POST", &path, Some(&body));
    }
    let made: Value = pce.post(&path).include_org(false).json(&body).await?.json()?;
    printer(cx, noun).object(&made)
}

async fn update(cx: &Context, pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result {
    let href = target(pce, noun, matches, "draft").await?;
    let body = body::of(matches)?;
    if cx.global.dry_run {
        return show(cx, "PUT", &href, Some(&body));
    }
    pce.put(&href).include_org(false).json(&body).await?;
    cx.say(format!("changed {href}"));
    Ok(())
}

async fn delete(cx: &Context, pce: &Pce, noun: Noun, matches: &ArgMatches) -> Result {
    let href = target(pce, noun, matches, "draft").await?;
    if cx.global.dry_run {
        return show(cx, "DELETE", &href, None);
    }
    cx.confirm(&format!("Delete {href}?"))?;
    pce.delete(&href).include_org(false).await?;
    cx.say(format!("deleted {href}"));
    Ok(())
}
