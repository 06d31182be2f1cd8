//! Interfaces of workloads as a collection of their own.
//!
//! They are a view of the `interfaces` of the workload, where they are stored: reads show its elements,
//! writes are updates of the workload. The id is the interface's name, which several elements may share.

use super::{Hooks, crud, workloads};
use crate::http::request::whole_number;
use crate::http::{Cx, Handler, Reply};
use crate::render::View;
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::{AnyHref, Id, Kind, PolicyVersion};
use http::StatusCode;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What WorkloadInterface adds to the common mechanism: nothing, since it has handlers of its own.
pub const HOOKS: Hooks = Hooks::NONE;

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "workload_interface_list" => Some(|cx| Box::pin(list(cx))),
        "workload_interface_get" => Some(|cx| Box::pin(get(cx))),
        "workload_interface_create" => Some(|cx| Box::pin(create(cx))),
        "workload_interface_delete" => Some(|cx| Box::pin(delete(cx))),
        "workload_interfaces_delete" => Some(|cx| Box::pin(delete_many(cx))),
        _ => None,
    }
}

/// The workload that the path names.
fn workload(cx: &Cx, txn: Option<&Txn<'_>>) -> Result<Arc<Obj>, ApiError> {
    let id = cx.id(Kind::Workload, "parent")?;
    let world = txn.map_or(&*cx.world, |t| &t.world);
    world.get(Kind::Workload, id).cloned().ok_or(ApiError::NotFound)
}

/// The elements of a workload as answers show them, with their hrefs.
fn elements(cx: &Cx, workload: &Arc<Obj>) -> Vec<Value> {
    let shown = View::draft(&cx.world, cx.caps(Kind::Workload)).value(workload, None);
    let list = shown.get("interfaces").and_then(Value::as_array).cloned().unwrap_or_default();
    list.into_iter().map(|e| with_href(cx.org, workload.id, e)).collect()
}

fn with_href(org: u32, workload: Id, mut element: Value) -> Value {
    if let Some(map) = element.as_object_mut() {
        let name = map.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let href = AnyHref {
            org: Some(org),
            version: None,
            kind: Kind::WorkloadInterface,
            parent: Some(workload),
            id: Id::text(&name),
            text: Some(name.into()),
        };
        map.insert("href".into(), href.to_string().into());
    }
    element
}

fn named(element: &Value, name: &str) -> bool {
    element.get("name").and_then(Value::as_str) == Some(name)
}

async fn list(cx: &Cx) -> Result<Reply, ApiError> {
    let workload = workload(cx, None)?;
    let mut limit = limits::LIST_ROWS_DEFAULT;
    let mut wanted = None;
    for (name, value) in &cx.query {
        match name.as_str() {
            "name" => wanted = Some(value.to_lowercase()),
            "max_results" => limit = whole_number(name, value)?,
            other => {
                return Err(ApiError::input(format!(
                    "`{other}` is no query parameter of this list; it takes name, max_results"
                )));
            }
        }
    }
    let mut found = elements(cx, &workload);
    let total = found.len();
    if let Some(part) = wanted {
        found.retain(|e| {
            let name = e.get("name").and_then(Value::as_str).unwrap_or_default();
            name.to_lowercase().contains(&part)
        });
    }
    let matched = found.len();
    found.truncate(limit);
    let reply = Reply::json(StatusCode::OK, &found.into());
    Ok(reply.with("x-total-count", total).with("x-matched-count", matched))
}

async fn get(cx: &Cx) -> Result<Reply, ApiError> {
    let workload = workload(cx, None)?;
    let mut found = elements(cx, &workload).into_iter().filter(|e| named(e, cx.param("id")));
    found.next().map(|e| Reply::json(StatusCode::OK, &e)).ok_or(ApiError::NotFound)
}

/// Changes the stored elements of the workload.
async fn change(
    cx: &Cx,
    event: &str,
    change: impl Fn(&mut Vec<Value>) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    cx.write(event, |txn| {
        let old = workload(cx, Some(txn))?;
        if old.doc.is("managed") {
            return Err(ApiError::invalid(
                "method_not_allowed_error",
                "the interfaces of a workload with an agent come from the agent",
            ));
        }
        let stored = old.doc.get("interfaces").map(|v| v.to_json(cx.org, PolicyVersion::Draft));
        let mut list = match stored {
            Some(Value::Array(list)) => list,
            _ => Vec::new(),
        };
        change(&mut list)?;
        crud::update(txn, &old, Map::from_iter([("interfaces".to_owned(), list.into())]))
    })
    .await?;
    Ok(())
}

async fn create(cx: &Cx) -> Result<Reply, ApiError> {
    let mut element = cx.object();
    workloads::normalise_interface(&mut element)?;
    let element = Value::Object(element);
    change(cx, "workload_interface.create", |list| {
        list.push(element.clone());
        Ok(())
    })
    .await?;
    let answer = with_href(cx.org, cx.id(Kind::Workload, "parent")?, element);
    Ok(Reply::json(StatusCode::CREATED, &answer))
}

async fn delete(cx: &Cx) -> Result<Reply, ApiError> {
    change(cx, "workload_interface.delete", |list| {
        let before = list.len();
        list.retain(|e| !named(e, cx.param("id")));
        if list.len() == before { Err(ApiError::NotFound) } else { Ok(()) }
    })
    .await?;
    Ok(Reply::no_content())
}

/// Deletes several: by name all addresses of that name, by name and address one.
async fn delete_many(cx: &Cx) -> Result<Reply, ApiError> {
    change(cx, "workload_interface.delete", |list| {
        for item in cx.items() {
            let of = |v: &Value, name: &str| v.get(name).and_then(Value::as_str).map(str::to_owned);
            let (name, address) = (of(item, "name"), of(item, "address"));
            let before = list.len();
            list.retain(|e| {
                of(e, "name") != name || (address.is_some() && of(e, "address") != address)
            });
            if list.len() == before {
                let name = name.unwrap_or_default();
                return Err(ApiError::input(format!("there is no interface `{name}` like that")));
            }
        }
        Ok(())
    })
    .await?;
    Ok(Reply::text(StatusCode::OK, ""))
}
