//! Container workload profiles: what the pods of a namespace get.
//!
//! `labels` holds per key a fixed label or a list to choose from; `assign_labels`, the older form, sets and
//! shows the fixed ones of them.

use super::{Hooks, Predicate, crud, list, refs};
use crate::doc::{self, Val};
use crate::http::{Cx, Handler, Reply};
use crate::render::{Out, View};
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::{ApiError, ErrorItem};
use bulkhead_ids::{AnyHref, Id, Kind, PolicyVersion};
use serde_json::{Map, Value, json};
use std::sync::Arc;

type Body = Map<String, Value>;

/// That a body gave `assign_labels`, and whether it gave `labels` beside.
const ASSIGN: &str = "_assign";
/// That a body made the profile managed and left the mode open.
const OPEN_MODE: &str = "_open_mode";

/// What ContainerWorkloadProfile adds to the common mechanism.
pub const HOOKS: Hooks = Hooks {
    check: Some(check),
    split: Some(split),
    deletable: Some(|_, p| match p.doc.is("linked") {
        false => Ok(()),
        true => Err(ApiError::invalid(
            "method_not_allowed_error",
            "the namespace of this profile exists: the profile cannot be deleted",
        )),
    }),
    let_go: Some(let_go),
    derive: Some(derive),
    filter: Some(filter),
    ..Hooks::NONE
};

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "container_workload_profiles_update" => Some(|cx| Box::pin(update_many(cx))),
        _ => None,
    }
}

fn split(body: &mut Body) -> Body {
    // The guide writes `assign` where the schema has `assignment`.
    for entry in body.get_mut("labels").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(map) = entry.as_object_mut()
            && let Some(v) = map.remove("assign")
        {
            map.insert("assignment".into(), v);
        }
    }
    if body.contains_key("assign_labels") {
        let form = if body.contains_key("labels") { "both" } else { "only" };
        body.insert(ASSIGN.into(), form.into());
    }
    if body.get("managed") == Some(&true.into()) && !body.contains_key("enforcement_mode") {
        body.insert(OPEN_MODE.into(), true.into());
    }
    Map::new()
}

fn check(txn: &mut Txn<'_>, doc: &mut Body, _old: Option<&Obj>) -> Result<(), ApiError> {
    let form = doc.remove(ASSIGN);
    let form = form.as_ref().and_then(Value::as_str);
    let mut labels = array(doc.remove("labels"));
    let assigned = array(doc.remove("assign_labels"));
    if form == Some("only") {
        labels.retain(|e| fixed(e).is_none());
    }
    if form.is_some() {
        for label in assigned {
            assign(&txn.world, &mut labels, label)?;
        }
    }
    let mut keys = Vec::new();
    for entry in &labels {
        let key = entry.get("key").and_then(Value::as_str).unwrap_or_default();
        if keys.contains(&key) {
            return Err(ApiError::input(format!("`labels` has the key `{key}` twice")));
        }
        keys.push(key);
        right_keys(&txn.world, entry, key)?;
    }
    managed(doc, labels.is_empty())?;
    doc.insert("labels".into(), labels.into());
    if doc.get("description").is_some_and(Value::is_null) {
        doc.insert("description".into(), "".into());
    }
    Ok(())
}

fn array(v: Option<Value>) -> Vec<Value> {
    match v {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// The href of the fixed label of an entry.
fn fixed(entry: &Value) -> Option<&str> {
    entry.get("assignment")?.get("href")?.as_str()
}

fn label_key<'a>(world: &'a World, href: &str) -> Result<&'a str, ApiError> {
    let bad = || ApiError::invalid_uri(href);
    let id = href.parse::<AnyHref>().map_err(|_| bad())?.id;
    world.get(Kind::Label, id).and_then(|l| l.doc.str("key")).ok_or_else(bad)
}

/// Adds a fixed label to the entries, unless it stands there.
fn assign(world: &World, labels: &mut Vec<Value>, label: Value) -> Result<(), ApiError> {
    let href = label.get("href").and_then(Value::as_str).unwrap_or_default().to_owned();
    let key = label_key(world, &href)?;
    match labels.iter().find(|e| e.get("key").and_then(Value::as_str) == Some(key)) {
        Some(entry) if fixed(entry) == Some(&href) => Ok(()),
        Some(_) => Err(ApiError::input(format!(
            "`labels` and `assign_labels` disagree on the key `{key}`"
        ))),
        None => {
            labels.push(json!({"key": key, "assignment": label}));
            Ok(())
        }
    }
}

/// Refuses a label of another key than its entry's.
fn right_keys(world: &World, entry: &Value, key: &str) -> Result<(), ApiError> {
    let choices = entry.get("restriction").and_then(Value::as_array).into_iter().flatten();
    let choices = choices.filter_map(|l| l.get("href").and_then(Value::as_str));
    for href in fixed(entry).into_iter().chain(choices) {
        if label_key(world, href)? != key {
            return Err(ApiError::input(format!("{href} is no label of the key `{key}`")));
        }
    }
    Ok(())
}

fn managed(doc: &mut Body, bare: bool) -> Result<(), ApiError> {
    let open = doc.remove(OPEN_MODE).is_some();
    let managed = doc.get("managed").and_then(Value::as_bool).unwrap_or(false);
    if !managed && !bare {
        return Err(ApiError::invalid(
            "unmanaged_container_workload_profile_labels",
            "a profile has labels only while it is managed: set `managed` to true",
        ));
    }
    let idle = doc.get("enforcement_mode").and_then(Value::as_str) == Some("idle");
    match (managed && idle, open) {
        (true, true) => {
            doc.insert("enforcement_mode".into(), "visibility_only".into());
            Ok(())
        }
        (true, false) => Err(ApiError::input("a managed profile cannot be idle")),
        (false, _) => Ok(()),
    }
}

/// A label that is only offered leaves the offers when it is deleted; a fixed one stays.
fn let_go(org: u32, profile: &Obj, target: (Kind, Id)) -> Option<Body> {
    let entries = profile.doc.list("labels");
    let is = |v: &Val| v.target() == Some(target);
    if target.0 != Kind::Label || entries.iter().any(|e| e.get("assignment").is_some_and(is)) {
        return None;
    }
    let offered = |e: &&Val| e.list("restriction").iter().any(is);
    entries.iter().find(offered)?;
    let gone = doc::href(org, PolicyVersion::Draft, target.0, target.1);
    let gone = Value::from(gone.to_string());
    let mut doc = crud::document(org, profile);
    for entry in doc.get_mut("labels").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(list) = entry.get_mut("restriction").and_then(Value::as_array_mut) {
            list.retain(|l| l.get("href") != Some(&gone));
        }
    }
    Some(doc)
}

/// The fixed labels of a profile.
fn assigned(profile: &Obj) -> impl Iterator<Item = Id> {
    let entries = profile.doc.list("labels").iter();
    entries.filter_map(|e| e.get("assignment")?.target()).map(|(_, id)| id)
}

fn derive(view: &View<'_>, profile: &Obj, out: &mut Out<'_>) {
    let href = |id| doc::href(view.world.org, PolicyVersion::Draft, Kind::Label, id).to_string();
    let list: Value = assigned(profile).map(|id| json!({"href": href(id)})).collect();
    out.member("assign_labels", &list);
}

/// `assign_labels`: the fixed labels hold all of one of the lists.
fn filter(world: &World, _side: Side, _name: &str, value: &str) -> Result<Predicate, ApiError> {
    let lists = list::label_lists(world, value)?;
    Ok(Box::new(move |_, o| {
        let own: Vec<Id> = assigned(o).collect();
        lists.iter().any(|l| !l.is_empty() && l.iter().all(|id| own.contains(id)))
    }))
}

/// Sets the same on many profiles of a cluster, all or none.
async fn update_many(cx: &Cx) -> Result<Reply, ApiError> {
    cx.write("container_workload_profile.update", |txn| {
        let cluster = cx.id(Kind::ContainerCluster, "parent")?;
        txn.world.get(Kind::ContainerCluster, cluster).ok_or(ApiError::NotFound)?;
        let mut body = cx.object();
        let profiles = array(body.remove("container_workload_profiles"));
        refs::resolve_members(&txn.world, &mut body)?;
        for (n, item) in profiles.iter().enumerate() {
            let href = item.get("href").and_then(Value::as_str).unwrap_or_default();
            let done = profile(txn, cluster, href)
                .and_then(|old| crud::update(txn, &old, body.clone()).map(|_| ()));
            done.map_err(|e| told(e, n))?;
        }
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

fn profile(txn: &Txn<'_>, cluster: Id, href: &str) -> Result<Arc<Obj>, ApiError> {
    let bad = || ApiError::invalid_uri(href);
    let h: AnyHref = href.parse().map_err(|_| bad())?;
    let own = h.org == Some(txn.world.org)
        && h.kind == Kind::ContainerWorkloadProfile
        && h.parent == Some(cluster);
    let found = txn.world.get(h.kind, h.id).filter(|o| own && o.parent == Some(cluster));
    found.cloned().ok_or_else(bad)
}

/// The refusal of one record, as the product tells it.
fn told(e: ApiError, index: usize) -> ApiError {
    let ApiError::Invalid(items) = e else { return e };
    let one = |i: ErrorItem| {
        let message = format!("record_index=>{index}, {}: {}", i.token, i.message);
        ErrorItem::new(bulkhead_api::error::INPUT_VALIDATION, message)
    };
    ApiError::Invalid(items.into_iter().map(one).collect())
}
