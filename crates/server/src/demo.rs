//! The sample organisation of `serve --demo`: a company with a few hundred workloads and its policy.
//!
//! What it is stands in `demo/organisation.json`, a list of steps. Each object goes the way that a
//! request of the owner would take, with its event, so that nothing in the sample is unlike what users
//! make themselves. A marker in the data directory tells a start that was cut off half-way.

mod bodies;
mod file;

use crate::boot::Login;
use crate::policy::{affected, closure, provision};
use crate::resource::crud;
use crate::run::RunError;
use crate::state::State;
use crate::txn::{Origin, Txn};
use crate::world::SYSTEM;
use bulkhead_api::{ApiError, Operation, operations};
use bulkhead_ids::{Id, Kind};
use file::Step;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Body = Map<String, Value>;

/// The file that is there while the sample is loaded.
const MARKER: &str = "demo-unfinished";
/// The organisation that is filled.
const ORG: u32 = 1;

fn marker(data_dir: &Path) -> PathBuf {
    data_dir.join(MARKER)
}

/// Whether the sample is to be loaded: it was asked for, and the data directory is empty.
///
/// # Errors
/// Where an earlier start was cut off while it loaded the sample; when the marker cannot be written.
pub fn wanted(state: &State, data_dir: &Path, asked: bool) -> Result<bool, RunError> {
    let marker = marker(data_dir);
    if marker.exists() {
        return Err(RunError::Usage(format!(
            "an earlier start with `--demo` was cut off and left half of the sample: remove `{}` \
             and start again",
            data_dir.display()
        )));
    }
    if !asked {
        return Ok(false);
    }
    if state.world(SYSTEM).is_some_and(|w| w.count(Kind::User) > 0) {
        tracing::info!(
            "`--demo` is ignored: `{}` holds an organisation already, and goes on as it is",
            data_dir.display()
        );
        return Ok(false);
    }
    let written = std::fs::File::create(&marker).and_then(|f| f.sync_all());
    written.map_err(|e| RunError::File(marker, e))?;
    Ok(true)
}

/// Fills organisation 1, in the name of its owner.
///
/// # Errors
/// When the sample does not fit the API, which the tests find, or cannot be stored.
pub fn load(state: &State, login: &Login, (host, data_dir): (&str, &Path)) -> Result<(), RunError> {
    let origin = Origin {
        href: format!("/users/{}", login.user.as_int().unwrap_or_default()),
        name: login.email.clone(),
        pce_fqdn: Arc::from(host),
        ..Origin::default()
    };
    let loader = Loader { state, origin };
    for step in file::read()? {
        loader.step(step)?;
    }
    let marker = marker(data_dir);
    std::fs::remove_file(&marker).map_err(|e| RunError::File(marker, e))?;
    tracing::info!("the sample organisation is loaded");
    Ok(())
}

struct Loader<'a> {
    state: &'a State,
    origin: Origin,
}

impl Loader<'_> {
    fn change<T>(
        &self,
        event: &str,
        change: impl FnOnce(&mut Txn<'_>) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let change = |txn: &mut Txn<'_>| {
            txn.event_type = Some(event.to_owned());
            change(txn)
        };
        Ok(self.state.write_blocking(ORG, &self.origin, change)?.0)
    }

    fn step(&self, step: Step) -> Result<(), ApiError> {
        match step {
            Step::Create { kind, items } => {
                items.into_iter().try_for_each(|body| self.create(named(&kind)?, None, body))
            }
            Step::Labels { values } => values.iter().try_for_each(|(key, values)| {
                let bodies = values.iter().map(|v| json!({"key": key, "value": v}));
                bodies.into_iter().try_for_each(|body| self.create(Kind::Label, None, body))
            }),
            Step::Workloads(estate) => self.change("workloads.bulk_create", |txn| {
                bodies::workloads(&estate)?
                    .into_iter()
                    .try_for_each(|body| put(txn, Kind::Workload, None, body))
            }),
            Step::RuleSets { sets } => sets.into_iter().try_for_each(|set| {
                let (body, rules) = bodies::rule_set(set)?;
                self.change("rule_set.create", |txn| {
                    let parent = made(txn, Kind::RuleSet, None, body)?;
                    rules
                        .into_iter()
                        .try_for_each(|(kind, body)| put(txn, kind, Some(parent), body))
                })
            }),
            Step::Rules { set, rules } => rules.iter().try_for_each(|rule| {
                let (kind, body) = bodies::rule(rule)?;
                let parent =
                    self.change("", |txn| bodies::find(&txn.world, Kind::RuleSet, &set))?;
                self.create(kind, Some(parent), body)
            }),
            Step::Update { kind, name, body } => {
                let kind = named(&kind)?;
                self.change(&format!("{}.update", kind.name()), |txn| {
                    let id = bodies::find(&txn.world, kind, &name)?;
                    let old = txn.world.get(kind, id).cloned().ok_or(ApiError::NotFound)?;
                    let body = object(bodies::resolved(&txn.world, body)?);
                    crud::update(txn, &old, body).map(|_| ())
                })
            }
            Step::Delete { kind, name } => {
                let kind = named(&kind)?;
                self.change(&format!("{}.delete", kind.name()), |txn| {
                    let id = bodies::find(&txn.world, kind, &name)?;
                    let old = txn.world.get(kind, id).cloned().ok_or(ApiError::NotFound)?;
                    crud::delete(txn, &old)
                })
            }
            Step::Provision { message } => self.change("sec_policy.create", |txn| {
                let set = closure::all_pending(&txn.world);
                let workloads = affected::affected_anew(&txn.world, &set).workloads();
                provision(txn, &set, Some(&message), workloads);
                Ok(())
            }),
        }
    }

    fn create(&self, kind: Kind, parent: Option<Id>, body: Value) -> Result<(), ApiError> {
        let event = format!("{}.create", kind.name());
        self.change(&event, |txn| put(txn, kind, parent, body))
    }
}

fn named(kind: &str) -> Result<Kind, ApiError> {
    Kind::from_name(kind).ok_or_else(|| ApiError::Internal(format!("sample: no kind `{kind}`")))
}

fn object(body: Value) -> Body {
    match body {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn put(txn: &mut Txn<'_>, kind: Kind, parent: Option<Id>, body: Value) -> Result<(), ApiError> {
    made(txn, kind, parent, body).map(|_| ())
}

/// Creates an object as its POST would.
fn made(txn: &mut Txn<'_>, kind: Kind, parent: Option<Id>, body: Value) -> Result<Id, ApiError> {
    let body = bodies::resolved(&txn.world, body)?;
    let told = |e: ApiError| {
        let why: Vec<String> = e.items().into_iter().map(|i| i.message).collect();
        ApiError::Internal(format!("sample: {} {body}: {}", kind.name(), why.join("; ")))
    };
    post(kind)?.check_one(&body).map_err(told)?;
    crud::create(txn, kind, parent, object(body.clone())).map(|o| o.id).map_err(told)
}

/// The operation that makes an object of a kind.
fn post(kind: Kind) -> Result<&'static Operation, ApiError> {
    let id = format!("{}_create", kind.name());
    let found = operations().iter().find(|o| o.id == id);
    found.ok_or_else(|| ApiError::Internal(format!("sample: no operation `{id}`")))
}
