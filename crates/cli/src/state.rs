//! The whole policy as files: `dump` writes them, `apply` makes the draft like them.
//!
//! One YAML file for each object, in a folder for each kind. Objects are named by `ref: KIND/NAME` in place of
//! hrefs, so that files fit any PCE; labels by `ref: labels/KEY:VALUE`.

mod plan;
mod symbols;

use crate::context::Context;
use crate::error::{Failure, Result, code};
use crate::noun::{Noun, body, find};
use bulkhead_ids::Kind;
use bulkhead_sdk::Pce;
use clap::Args;
use futures_util::TryStreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use self::symbols::Symbols;

/// The kinds that make up a policy: what refers comes after what it refers to.
const KINDS: &[Kind] = &[
    Kind::Label,
    Kind::LabelGroup,
    Kind::Service,
    Kind::IpList,
    Kind::VirtualService,
    Kind::RuleSet,
    Kind::EnforcementBoundary,
];

/// What lives inside the file of a rule set, by field.
pub(crate) const INSIDE: &[(&str, Kind)] = &[
    ("rules", Kind::SecRule),
    ("deny_rules", Kind::DenyRule),
    ("ip_tables_rules", Kind::IpTablesRule),
];

/// Write the whole draft policy as files
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bulkhead dump -d policy")]
pub(crate) struct Dump {
    /// Folder to write
    #[arg(short, long, value_name = "DIR")]
    dir: PathBuf,
}

/// Make the draft policy like files; shows the plan first
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bulkhead apply -f policy --plan\n  bulkhead apply -f policy --prune --yes"
)]
pub(crate) struct Apply {
    /// Folder, as `dump` writes it
    #[arg(short = 'f', long = "file", value_name = "DIR")]
    dir: PathBuf,
    /// Only show the plan; exit code 3 when there is something to do
    #[arg(long)]
    plan: bool,
    /// Also delete what no file describes
    #[arg(long)]
    prune: bool,
}

/// Every object of a kind, by its name in files.
type Objects = BTreeMap<String, Value>;

/// The policy as the PCE has it, with names in place of hrefs, and the names.
async fn current(cx: &Context, pce: &Pce) -> Result<(BTreeMap<Kind, Objects>, Symbols)> {
    let mut raw = Vec::new();
    let mut symbols = Symbols::default();
    for kind in KINDS {
        let Some(noun) = Noun::of(*kind) else { continue };
        let path = noun.path(pce, "draft", None)?;
        let rows: Vec<Value> =
            pce.stream::<Value>(pce.get(&path).include_org(false)).try_collect().await?;
        cx.progress(kind.collection(), rows.len(), Some(rows.len()));
        for row in rows {
            if row.get("update_type").and_then(Value::as_str) == Some("delete") {
                continue;
            }
            if let (Some(href), Some(name)) = (find::href(&row), symbols::name(*kind, &row)) {
                symbols.add(*kind, &name, href);
                raw.push((*kind, name, row));
            }
        }
    }
    symbols.add_workloads(pce).await?;
    let mut all: BTreeMap<Kind, Objects> = BTreeMap::new();
    for (kind, name, row) in raw {
        let form = symbols::written(kind, &row, &symbols);
        all.entry(kind).or_default().insert(name, form);
    }
    Ok((all, symbols))
}

/// The file of an object: its name with what no file system minds.
fn file(dir: &Path, kind: Kind, name: &str) -> PathBuf {
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let mut stem: String = name.chars().map(plain).take(100).collect();
    // Names that look alike then still have files of their own.
    if stem != name || stem.starts_with('.') {
        let sum = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
            (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        stem = format!("{}-{sum:016x}", stem.trim_start_matches('.'));
    }
    dir.join(kind.collection()).join(format!("{stem}.yaml"))
}

pub(crate) async fn dump(cx: &Context, args: Dump) -> Result {
    let pce = cx.pce()?;
    let (all, _) = current(cx, &pce).await?;
    let mut count = 0;
    for (kind, objects) in &all {
        for (name, object) in objects {
            let path = file(&args.dir, *kind, name);
            let text = serde_norway::to_string(object)
                .map_err(|e| Failure::failed(format!("{name} cannot be written: {e}")))?;
            let folder = path.parent().unwrap_or(&args.dir);
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(|e| Failure::failed(format!("cannot write {}: {e}", path.display())))?;
            count += 1;
        }
    }
    cx.say(format!("{count} objects in {}", args.dir.display()));
    Ok(())
}

/// The objects that the files describe.
fn wanted(dir: &Path) -> Result<BTreeMap<Kind, Objects>> {
    let mut all = BTreeMap::new();
    for kind in KINDS {
        let folder = dir.join(kind.collection());
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut objects = Objects::new();
        for entry in entries {
            let path = entry?.path();
            if !path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
                continue;
            }
            let shown = path.display().to_string();
            let object = body::parse(&shown, &body::text(&shown)?)?;
            let name = symbols::name(*kind, &object)
                .ok_or_else(|| Failure::usage(format!("{shown}: no name")))?;
            if objects.insert(name.clone(), object).is_some() {
                return Err(Failure::usage(format!("{shown}: another file is about `{name}` too")));
            }
        }
        all.insert(*kind, objects);
    }
    if all.is_empty() {
        let text = format!("{} holds no policy; `bulkhead dump` writes one", dir.display());
        return Err(Failure::usage(text));
    }
    Ok(all)
}

pub(crate) async fn apply(cx: &Context, args: Apply) -> Result {
    let wanted = wanted(&args.dir)?;
    let pce = cx.pce()?;
    let (now, mut symbols) = current(cx, &pce).await?;
    let steps = plan::steps(&now, &wanted, args.prune);
    for step in &steps {
        cx.say(step.to_string());
    }
    if steps.is_empty() {
        cx.say("nothing to do");
        return Ok(());
    }
    if args.plan || cx.global.dry_run {
        return Err(Failure::Code(code::DIFFERENCES));
    }
    cx.confirm(&format!("Make {} changes to the draft?", steps.len()))?;
    let all = steps.len();
    for (done, step) in steps.into_iter().enumerate() {
        let shown = step.to_string();
        if let Err(failure) = step.make(&pce, &mut symbols).await {
            cx.say(format!("stopped at `{shown}`; {done} of {all} changes are made"));
            return Err(failure);
        }
        cx.progress("applied", done + 1, Some(all));
    }
    cx.say(format!(
        "{all} changes made; see `bulkhead policy diff`, then `bulkhead policy provision`"
    ));
    Ok(())
}
