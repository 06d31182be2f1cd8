//! Many workloads at once, chosen by filters: labels and modes.

use crate::context::Context;
use crate::error::{Failure, Result};
use crate::noun::find;
use bulkhead_sdk::models::{Workload, WorkloadUpdate};
use bulkhead_sdk::{EnforcementMode, Pce, Reference};
use clap::{Args, Subcommand};
use futures_util::TryStreamExt;

// Verbs of workloads beyond those of every noun.
#[derive(Debug, Subcommand)]
pub(crate) enum Bulk {
    /// Give labels to every workload that matches; a label takes the place of one with the same key
    #[command(
        after_help = "Example:\n  bulkhead workload label --hostname db --add role:DB --remove env --yes"
    )]
    Label {
        #[command(flatten)]
        chosen: Chosen,
        /// Label to give; several times
        #[arg(long, value_name = "KEY:VALUE", add = crate::complete::labels())]
        add: Vec<String>,
        /// Key whose label is taken away; several times
        #[arg(long, value_name = "KEY")]
        remove: Vec<String>,
    },
    /// Set how far policy is enforced on every workload that matches
    #[command(
        after_help = "Example:\n  bulkhead workload mode full --labels app:Shop,env:Prod --yes"
    )]
    Mode {
        /// idle, visibility_only, selective or full
        mode: EnforcementMode,
        #[command(flatten)]
        chosen: Chosen,
    },
}

/// Which workloads.
#[derive(Debug, Args)]
pub(crate) struct Chosen {
    /// Labels that are all there; several times: any of these sets
    #[arg(long, value_name = "KEY:VALUE,...", add = crate::complete::labels())]
    labels: Vec<String>,
    /// Part of the name
    #[arg(long)]
    name: Option<String>,
    /// Part of the host name
    #[arg(long)]
    hostname: Option<String>,
    /// Whether an agent is paired
    #[arg(long)]
    managed: Option<bool>,
    /// Every workload
    #[arg(long)]
    all: bool,
}

impl Chosen {
    async fn find(&self, pce: &Pce) -> Result<Vec<Workload>> {
        let mut list = pce.workloads().list();
        if !self.labels.is_empty() {
            list = list.filter("labels", find::label_sets(pce, self.labels.iter()).await?);
        }
        let texts = [("name", &self.name), ("hostname", &self.hostname)];
        for (name, value) in texts {
            if let Some(value) = value {
                list = list.filter(name, value);
            }
        }
        if let Some(managed) = self.managed {
            list = list.filter("managed", managed);
        }
        let any = self.name.is_some() || self.hostname.is_some() || self.managed.is_some();
        if !any && self.labels.is_empty() && !self.all {
            return Err(Failure::usage(
                "say which workloads: --labels, --name, --hostname or --all",
            ));
        }
        Ok(list.all().try_collect().await?)
    }
}

pub(crate) async fn run(cx: &Context, command: Bulk) -> Result {
    let pce = cx.pce()?;
    let (what, changes) = match command {
        Bulk::Label { chosen, add, remove } => {
            let given = labels(&pce, &add).await?;
            if given.is_empty() && remove.is_empty() {
                return Err(Failure::usage("say which labels: --add KEY:VALUE or --remove KEY"));
            }
            let change = |workload: &Workload| relabelled(workload, &given, &remove);
            let found = chosen.find(&pce).await?;
            ("Relabel", found.iter().filter_map(change).collect::<Vec<_>>())
        }
        Bulk::Mode { mode, chosen } => {
            let found = chosen.find(&pce).await?;
            let other = found.into_iter().filter(|w| w.enforcement_mode.as_ref() != Some(&mode));
            let change = |workload: Workload| {
                let change = WorkloadUpdate::default().enforcement_mode(mode.clone());
                workload.href.map(|href| change.href(href))
            };
            ("Change the mode of", other.filter_map(change).collect())
        }
    };
    if changes.is_empty() {
        cx.say("nothing to do");
        return Ok(());
    }
    if cx.global.dry_run {
        cx.say(format!("would change {} workloads", changes.len()));
        return Ok(());
    }
    cx.confirm(&format!("{what} {} workloads?", changes.len()))?;
    send(cx, &pce, &changes).await
}

/// Labels by key and href.
async fn labels(pce: &Pce, texts: &[String]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for text in texts {
        let href = find::label(pce, text).await?;
        let key = pce.labels().get(&href).await?.key.unwrap_or_default();
        found.push((key, href));
    }
    Ok(found)
}

/// The change of a workload's labels, `None` when they are as wanted already.
fn relabelled(
    workload: &Workload,
    given: &[(String, String)],
    remove: &[String],
) -> Option<WorkloadUpdate> {
    let had = workload.labels.clone().unwrap_or_default();
    let goes = |label: &&Reference| {
        let key = label.get("key").unwrap_or_default();
        remove.iter().any(|k| k == key) || given.iter().any(|(k, _)| k == key)
    };
    let kept = had.iter().filter(|label| !goes(label)).map(|label| label.href.clone());
    let mut wanted: Vec<String> = kept.chain(given.iter().map(|(_, href)| href.clone())).collect();
    let mut before: Vec<String> = had.iter().map(|label| label.href.clone()).collect();
    wanted.sort();
    before.sort();
    if wanted == before {
        return None;
    }
    let change = WorkloadUpdate::default().href(workload.href.clone()?);
    Some(change.labels(wanted.iter().map(String::as_str)))
}

async fn send(cx: &Context, pce: &Pce, changes: &[WorkloadUpdate]) -> Result {
    let (mut done, mut refused) = (0, 0);
    for chunk in changes.chunks(1_000) {
        for result in pce.workloads().bulk_update(chunk).await? {
            done += 1;
            if let Some(error) = result.errors.first() {
                refused += 1;
                cx.say(format!("{}: {error}", result.href.unwrap_or_default()));
            }
        }
        cx.progress("changed", done, Some(changes.len()));
    }
    cx.say(format!("{} workloads changed", done - refused));
    match refused {
        0 => Ok(()),
        n => Err(Failure::failed(format!("{n} workloads were refused, as said above"))),
    }
}
