//! api, doctor, event follow, docs.

use crate::context::Context;
use crate::error::{Failure, Result, code};
use crate::noun::body;
use crate::output::{Format, Printer};
use bulkhead_sdk::{Method, Pce};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

/// Call any path of the API, signed
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bulkhead api GET /labels -q key=role\n  \
    bulkhead api GET /workloads --async -o jsonl\n  bulkhead api PUT /settings/events --file body.yaml")]
pub(crate) struct Api {
    /// GET, POST, PUT or DELETE
    method: String,
    /// Path below the organisation; one that begins with /orgs/, or any with --global, is taken as it is
    path: String,
    /// Query parameter; several times
    #[arg(short = 'q', long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// Body, YAML or JSON, `-` for standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<String>,
    /// Not below the organisation
    #[arg(long)]
    global: bool,
    /// Through an asynchronous job, one row after the other
    #[arg(long = "async")]
    job: bool,
}

pub(crate) async fn api(cx: &Context, args: Api) -> Result {
    use futures_util::TryStreamExt;
    let pce = cx.pce()?;
    let method: Method = args
        .method
        .to_uppercase()
        .parse()
        .map_err(|_| Failure::usage(format!("`{}` is no method", args.method)))?;
    let mut request = pce.request(method, &args.path).include_org(!args.global);
    for pair in &args.query {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(Failure::usage(format!("--query wants NAME=VALUE, not `{pair}`")));
        };
        request = request.query(name, value);
    }
    if let Some(file) = &args.file {
        let body = body::parse(file, &body::text(file)?)?;
        if cx.global.dry_run {
            return crate::noun::verbs::show(cx, &args.method, &args.path, Some(&body));
        }
        request = request.json(&body);
    }
    let style = match cx.style.format {
        Format::Table => crate::output::Style { format: Format::Json, ..cx.style.clone() },
        _ => cx.style.clone(),
    };
    let mut printer = Printer::new(&style, &["name", "href"]);
    if args.job {
        let mut rows = pce.stream::<Value>(request);
        while let Some(row) = rows.try_next().await? {
            printer.row(&row)?;
        }
        return printer.finish();
    }
    let answer = request.await?;
    if answer.body.is_empty() {
        cx.say(format!("{}", answer.status));
        return Ok(());
    }
    match answer.json::<Value>() {
        Ok(Value::Array(rows)) => {
            rows.iter().try_for_each(|row| printer.row(row))?;
            printer.finish()
        }
        Ok(object) => printer.object(&object),
        // Downloads are no JSON.
        Err(_) => Ok(std::io::stdout().lock().write_all(&answer.body)?),
    }
}

/// Looks at everything that must work, each with a hint.
pub(crate) async fn doctor(cx: &Context) -> Result {
    let mut printer = Printer::new(&cx.style, &["check", "result", "hint"]);
    let mut failed = false;
    let mut tell = |check: &str, outcome: Result<String, bulkhead_sdk::Error>| {
        let (result, hint) = match outcome {
            Ok(text) => (text, ""),
            Err(error) => {
                failed = true;
                (format!("FAILED: {error}"), error.hint().unwrap_or_default())
            }
        };
        printer.row(&json!({"check": check, "result": result, "hint": hint}))
    };
    let pce = cx.pce()?.to_builder().retry_count(0).build()?;
    tell("address", Ok(pce.base_url().to_owned()))?;
    let health = pce.get("/health").include_org(false).await;
    let reached = health.is_ok() || health.as_ref().is_err_and(|e| e.api().is_some());
    tell(
        "connection and TLS",
        match &health {
            Err(_) if !reached => health.map(|_| String::new()),
            _ => Ok("answers".to_owned()),
        },
    )?;
    if reached {
        let version = pce.get("/product_version").include_org(false).await;
        let text = |v: Value| v.get("long_display").and_then(Value::as_str).map(str::to_owned);
        tell("version", version.and_then(|v| v.json()).map(|v| text(v).unwrap_or_default()))?;
        tell("clock", Ok(clock(&pce).await))?;
        let settings = pce.get("/settings/workloads").await;
        tell("credentials and organisation", settings.map(|_| "accepted".to_owned()))?;
        let health = pce.get("/health").include_org(false).await.and_then(|h| h.json::<Value>());
        let status = |v: Value| v.pointer("/0/status").and_then(Value::as_str).map(str::to_owned);
        tell("health", health.map(|v| status(v).unwrap_or_else(|| "unknown".to_owned())))?;
        let write = pce.labels().list().max_results(1).send().await;
        let caps = write.map(|page| page.items.into_iter().next().and_then(|label| label.caps));
        tell(
            "permissions on labels",
            caps.map(|caps| match caps {
                Some(caps) if caps.is_empty() => "read only".to_owned(),
                Some(caps) => caps.join(" "),
                None => "unknown: there are no labels".to_owned(),
            }),
        )?;
        let vens = pce.vens().list().filter("status", "active").max_results(1).send().await;
        let count = vens.map(|page| format!("{} active", page.matched.unwrap_or_default()));
        tell("agents", count)?;
    }
    printer.finish()?;
    if failed { Err(Failure::Code(code::FAILED)) } else { Ok(()) }
}

/// The PCE's time, as its answers say.
async fn clock(pce: &Pce) -> String {
    let date = pce.get("/noop").include_org(false).await;
    let date = date.ok().and_then(|answer| answer.header("date").map(str::to_owned));
    date.unwrap_or_else(|| "the PCE does not say".to_owned())
}

// Verbs of events beyond those of every noun.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Events {
    /// Show events as they happen
    #[command(
        after_help = "Example:\n  bulkhead event follow --event-type workload.create -o jsonl"
    )]
    Follow {
        /// Only events of this type
        #[arg(long)]
        event_type: Option<String>,
        /// Seconds between two looks
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
        interval: u64,
        /// End after this many events
        #[arg(long, value_name = "N")]
        count: Option<u64>,
        /// Begin with events of the past that the last look would have shown
        #[arg(long)]
        past: bool,
    },
}

pub(crate) async fn events(cx: &Context, command: Events) -> Result {
    let Events::Follow { event_type, interval, count, past } = command;
    let pce = cx.pce()?;
    let style = match cx.style.format {
        Format::Json | Format::Yaml => {
            crate::output::Style { format: Format::Jsonl, ..cx.style.clone() }
        }
        _ => cx.style.clone(),
    };
    let columns = ["timestamp", "event_type", "status", "severity", "href"];
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let (mut shown, mut first) = (0, true);
    loop {
        let mut list = pce.events().list().max_results(500);
        if let Some(kind) = &event_type {
            list = list.filter("event_type", kind);
        }
        let page = list.send().await?;
        let hrefs = |page: &bulkhead_sdk::Page<bulkhead_sdk::models::Event>| {
            page.items.iter().filter_map(|event| event.href.clone()).collect()
        };
        let now: BTreeSet<String> = hrefs(&page);
        let mut printer = Printer::new(&style, &columns);
        for event in page.items.iter().rev().filter(|_| past || !first) {
            let new = event.href.as_ref().is_some_and(|href| !seen.contains(href));
            if new && count.is_none_or(|count| shown < count) {
                printer.row(&serde_json::to_value(event).unwrap_or_default())?;
                shown += 1;
            }
        }
        printer.finish()?;
        (seen, first) = (now, false);
        if count.is_some_and(|count| shown >= count) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(interval)).await;
    }
}

/// Writes a man page for each command.
pub(crate) fn man(cx: &Context, dir: &std::path::Path) -> Result {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(crate::cli::command(), dir)?;
    cx.say(format!("man pages in {}", dir.display()));
    Ok(())
}

/// Every command with its flags, one a line: what must not change by accident.
pub(crate) fn tree() -> String {
    fn walk(command: &clap::Command, path: &str, out: &mut String) {
        let path = format!("{path}{}", command.get_name());
        let arg = |arg: &clap::Arg| match arg.get_long() {
            Some(long) => format!(" --{long}"),
            None => format!(" <{}>", arg.get_id().as_str().to_uppercase()),
        };
        let own = command.get_arguments().filter(|a| !a.is_global_set() && !a.is_hide_set());
        let own = own.filter(|a| !matches!(a.get_id().as_str(), "help" | "version"));
        out.push_str(&format!("{path}{}\n", own.map(arg).collect::<String>()));
        for below in command.get_subcommands() {
            walk(below, &format!("{path} "), out);
        }
    }
    let mut out = String::new();
    walk(&crate::cli::command(), "", &mut out);
    out
}
