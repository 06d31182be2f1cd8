//! From draft to active: diff, plan, provision, revert, versions, restore, check, explain.

use crate::context::Context;
use crate::error::{Failure, Result, code};
use crate::output::Printer;
use bulkhead_sdk::models::PendingItem;
use bulkhead_sdk::{Pce, ToHref, convert_draft_href_to_active};
use clap::Subcommand;
use serde_json::{Value, json};

/// Draft and active policy
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Pending changes, field by field; exit code 3 when there are some
    #[command(after_help = "Example:\n  bulkhead policy diff -o json")]
    Diff,
    /// What provisioning would do: objects, what they need, workloads; exit code 3 when there is something
    #[command(after_help = "Example:\n  bulkhead policy plan")]
    Plan {
        /// Only these objects
        #[arg(long, value_name = "HREF")]
        only: Vec<String>,
    },
    /// Make pending changes active
    #[command(after_help = "Example:\n  bulkhead policy provision --note 'open the web' --yes")]
    Provision {
        /// Only these objects
        #[arg(long, value_name = "HREF")]
        only: Vec<String>,
        /// Why, for the history
        #[arg(long, default_value = "")]
        note: String,
        /// Wait until every affected agent has confirmed
        #[arg(long)]
        wait: bool,
        /// Seconds to wait at most
        #[arg(long, default_value_t = 300, value_name = "SECONDS")]
        wait_timeout: u64,
    },
    /// Take pending changes back
    Revert {
        /// Only these objects
        #[arg(long, value_name = "HREF")]
        only: Vec<String>,
    },
    /// The history
    Versions {
        /// Newest versions shown
        #[arg(long, default_value_t = 50, value_name = "N")]
        max_results: u64,
    },
    /// Make the draft as the policy was in a version
    Restore {
        /// Number of the version
        version: u64,
    },
    /// Whether a connection is allowed: 0 yes, 5 blocked, 6 potentially blocked
    #[command(after_help = "Example:\n  bulkhead policy check 10.0.0.1 10.0.0.2 443/tcp --draft")]
    Check(Flow),
    /// Why a connection is allowed or not: rules at both ends, near misses
    #[command(after_help = "Example:\n  bulkhead policy explain 10.0.0.1 10.0.0.2 443/tcp")]
    Explain(Flow),
    /// Run a file of expectations; exit code 1 when one fails
    #[command(
        after_help = "Each expectation of the YAML list has `from`, `to`, `port` (443/tcp) and \
        `expect` (allowed, blocked or potentially_blocked).\nExample:\n  bulkhead policy test expectations.yaml"
    )]
    Test {
        /// YAML or JSON file, `-` for standard input
        file: String,
        /// Against the draft in place of the active policy
        #[arg(long)]
        draft: bool,
    },
}

/// A connection.
#[derive(Debug, clap::Args)]
pub(crate) struct Flow {
    /// Address or workload href of the source
    source: String,
    /// Address or workload href of the destination
    destination: String,
    /// Port and protocol, like 443/tcp
    port: String,
    /// Against the draft in place of the active policy
    #[arg(long)]
    draft: bool,
}

pub(crate) async fn run(cx: &Context, command: Policy) -> Result {
    let pce = cx.pce()?;
    match command {
        Policy::Diff => diff(cx, &pce).await,
        Policy::Plan { only } => plan(cx, &pce, &only).await,
        Policy::Provision { only, note, wait, wait_timeout } => {
            let wait = wait.then_some(wait_timeout);
            provision(cx, &pce, &only, &note, wait).await
        }
        Policy::Revert { only } => revert(cx, &pce, &only).await,
        Policy::Versions { max_results } => versions(cx, &pce, max_results).await,
        Policy::Restore { version } => {
            cx.confirm(&format!("Replace the draft by version {version}?"))?;
            pce.restore_policy(version).await?;
            cx.say("done; see `bulkhead policy diff`, then `bulkhead policy provision`");
            Ok(())
        }
        Policy::Check(flow) => crate::explain::check(cx, &pce, &flow.query()?).await,
        Policy::Explain(flow) => crate::explain::explain(cx, &pce, &flow.query()?).await,
        Policy::Test { file, draft } => crate::explain::test(cx, &pce, &file, draft).await,
    }
}

impl Flow {
    fn query(&self) -> Result<crate::explain::Query> {
        crate::explain::Query::new(&self.source, &self.destination, &self.port, self.draft)
    }
}

/// Pending items, in the order of their kinds.
async fn pending(pce: &Pce, only: &[String]) -> Result<Vec<PendingItem>> {
    let all = pce.pending_policy_changes().await?;
    let mut items: Vec<PendingItem> = all.into_values().flatten().collect();
    if only.is_empty() {
        return Ok(items);
    }
    for href in only {
        if !items.iter().any(|item| item.href.as_ref() == Some(href)) {
            return Err(Failure::usage(format!("{href} has no pending change")));
        }
    }
    items.retain(|item| item.href.as_ref().is_some_and(|href| only.contains(href)));
    Ok(items)
}

/// Fields that change with every write and say nothing.
const NOISE: &[&str] = &[
    "href",
    "updated_at",
    "updated_by",
    "created_at",
    "created_by",
    "update_type",
    "caps",
    "deleted_at",
    "deleted_by",
];

/// What is different between two forms of an object.
pub(crate) fn differences(path: &str, old: &Value, new: &Value, out: &mut Vec<Value>) {
    match (old, new) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for name in names.into_iter().filter(|name| !NOISE.contains(&name.as_str())) {
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let none = &Value::Null;
                differences(&at, a.get(name).unwrap_or(none), b.get(name).unwrap_or(none), out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (n, (old, new)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}[{n}]"), old, new, out);
            }
        }
        _ if sides_equal(old, new) => {}
        _ => out.push(json!({"field": path, "active": old, "draft": new})),
    }
}

/// Whether two values are the same but for the side that their hrefs name.
fn sides_equal(old: &Value, new: &Value) -> bool {
    let side =
        |value: &Value| value.to_string().replace("/sec_policy/draft/", "/sec_policy/active/");
    side(old) == side(new)
}

async fn diff(cx: &Context, pce: &Pce) -> Result {
    let items = pending(pce, &[]).await?;
    let columns = ["update_type", "name", "field", "active", "draft", "href"];
    let mut printer = Printer::new(&cx.style, &columns);
    for item in &items {
        let href = item.href.clone().unwrap_or_default();
        let base = json!({"update_type": item.update_type, "name": item.name, "href": href});
        let mut fields = Vec::new();
        if item.update_type.as_deref() == Some("update") {
            let draft: Value = pce.get(&href).include_org(false).await?.json()?;
            let active = convert_draft_href_to_active(&href);
            let active: Value = pce.get(&active).include_org(false).await?.json()?;
            differences("", &active, &draft, &mut fields);
        }
        if fields.is_empty() {
            fields.push(json!({}));
        }
        for field in fields {
            let mut row = base.clone();
            if let (Value::Object(row), Value::Object(field)) = (&mut row, field) {
                row.extend(field);
            }
            printer.row(&row)?;
        }
    }
    printer.finish()?;
    if items.is_empty() { Ok(()) } else { Err(Failure::Code(code::DIFFERENCES)) }
}

fn named(items: &[PendingItem]) -> Vec<&dyn ToHref> {
    items.iter().map(|item| &item.href as &dyn ToHref).collect()
}

async fn plan(cx: &Context, pce: &Pce, only: &[String]) -> Result {
    let items = pending(pce, only).await?;
    let objects = named(&items);
    let needed = pce.policy_dependencies(&objects).await?;
    let impact = pce.policy_impact(&objects).await?;
    // Which hosts change, and how: an addition of Bulkhead's that other servers do not have.
    let effect = match pce.get("/x/effect").await {
        Ok(answer) => answer.json()?,
        Err(error) if matches!(error.status(), Some(403..=406)) => Value::Null,
        Err(error) => return Err(error.into()),
    };
    let plan = json!({"changes": items, "missing": needed, "impact": impact, "effect": effect});
    Printer::new(&cx.style, &["changes", "missing", "impact", "effect"]).object(&plan)?;
    if items.is_empty() { Ok(()) } else { Err(Failure::Code(code::DIFFERENCES)) }
}

async fn provision(
    cx: &Context,
    pce: &Pce,
    only: &[String],
    note: &str,
    wait: Option<u64>,
) -> Result {
    let items = pending(pce, only).await?;
    if items.is_empty() {
        cx.say("nothing is pending");
        return Ok(());
    }
    for item in &items {
        let word = |text: &Option<String>| text.clone().unwrap_or_default();
        cx.say(format!("{} {} {}", word(&item.update_type), word(&item.name), word(&item.href)));
    }
    if cx.global.dry_run {
        return Ok(());
    }
    cx.confirm(&format!("Provision {} changes?", items.len()))?;
    let version = pce.provision_policy_changes(note, &named(&items)).await?;
    let shown = serde_json::to_value(&version).unwrap_or_default();
    Printer::new(&cx.style, &["version", "workloads_affected", "commit_message", "href"])
        .object(&shown)?;
    match wait {
        Some(seconds) => follow(cx, pce, seconds).await,
        None => Ok(()),
    }
}

/// Waits until no managed workload is behind its policy.
async fn follow(cx: &Context, pce: &Pce, seconds: u64) -> Result {
    use futures_util::TryStreamExt;
    let until = std::time::Duration::from_secs(seconds);
    let ended = tokio::time::timeout(until, async {
        loop {
            let (mut all, mut applied) = (0, 0);
            let mut rows = pce.workloads().list().filter("managed", true).all();
            while let Some(workload) = rows.try_next().await? {
                let status = workload.agent.and_then(|agent| agent.status);
                let state = status.and_then(|status| status.security_policy_sync_state);
                all += 1;
                applied += usize::from(state.as_deref() == Some("applied"));
            }
            cx.progress("agents", applied, Some(all));
            if applied == all {
                cx.say(format!("{all} agents have the policy"));
                return Result::Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        }
    });
    match ended.await {
        Ok(result) => result,
        Err(_) => {
            cx.say(format!("not every agent has confirmed within {seconds} s"));
            Err(Failure::Code(code::PENDING))
        }
    }
}

async fn revert(cx: &Context, pce: &Pce, only: &[String]) -> Result {
    let items = pending(pce, only).await?;
    if items.is_empty() {
        cx.say("nothing is pending");
        return Ok(());
    }
    cx.confirm(&format!("Take back {} changes?", items.len()))?;
    match only.is_empty() {
        true => pce.revert_policy_changes(&[]).await?,
        false => pce.revert_policy_changes(&named(&items)).await?,
    }
    cx.say(format!("{} changes taken back", items.len()));
    Ok(())
}

async fn versions(cx: &Context, pce: &Pce, max_results: u64) -> Result {
    let page = pce.policy_versions().list().max_results(max_results).send().await?;
    let columns = ["version", "created_at", "workloads_affected", "commit_message", "href"];
    let mut printer = Printer::new(&cx.style, &columns);
    for version in page.items {
        printer.row(&serde_json::to_value(version).unwrap_or_default())?;
    }
    printer.finish()
}
