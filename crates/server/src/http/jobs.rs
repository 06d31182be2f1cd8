//! Asynchronous lists: answer 202 at once, make the list in the background, keep it for a day.
//!
//! Source: REST API guide 25.2, "Asynchronous GET collections". `Location` is the relative href of
//! the job, as all public clients need it.

use super::standard::{page, parent, query};
use super::{Cx, Handler, Reply};
use crate::clock::{new_uuid, wire_time};
use crate::doc::Val;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::{ApiError, Role, limits};
use bulkhead_ids::{Id, Kind, PolicyVersion};
use bulkhead_store::Op;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "datafile_get" => Some(|cx| Box::pin(datafile(cx))),
        "job_delete" => Some(|cx| Box::pin(delete(cx))),
        _ => None,
    }
}

/// Starts a job for the list that the request asks for.
///
/// # Errors
/// 406 where the list itself would be refused.
pub async fn start(cx: &Cx) -> Result<Reply, ApiError> {
    let kind = cx.op.kind.ok_or(ApiError::NotFound)?;
    let world = cx.world().await?;
    let mut query = query(cx, &world, kind)?;
    query.unlimited();
    let parent = parent(cx, &world, kind)?;
    // The job reads the world of the request, as a synchronous answer would have.
    let body = page(cx, &world, &query, parent)?.0.body;
    start_with(cx, async { Ok(body) }).await
}

/// Starts a job that makes a body, and answers 202 once the job is durable.
///
/// # Errors
/// `TooMany` while the organisation has too many jobs.
pub async fn start_with(
    cx: &Cx,
    body: impl Future<Output = Result<Bytes, ApiError>> + Send + 'static,
) -> Result<Reply, ApiError> {
    let id = new_uuid();
    if cx.world.count(Kind::Job) >= limits::JOBS_MAX {
        return Err(ApiError::TooMany(60));
    }
    let job = job(cx);
    cx.app.state.write(cx.org, &cx.origin, |txn| put(txn, id, &job)).await?;
    let (app, org, origin) = (cx.app.clone(), cx.org, cx.origin.clone());
    let datafile = new_uuid();
    tokio::spawn(async move {
        let result = match packed(body).await {
            Ok(packed) => {
                let change = |txn: &mut Txn<'_>| finish(txn, id, datafile, packed);
                app.state.write(org, &origin, change).await.map(|_| ())
            }
            Err(e) => Err(e),
        };
        let Err(e) = result else { return };
        tracing::error!(job = %id, error = ?e, "job failed");
        let result = json!({"message": "the result could not be made or stored: ask again"});
        let change = |txn: &mut Txn<'_>| {
            end(txn, Id::uuid(id), "failed", result);
            Ok(())
        };
        if app.state.write(org, &origin, change).await.is_err() {
            tracing::error!(job = %id, "job could not be marked failed");
        }
    });
    Ok(Reply::text(StatusCode::ACCEPTED, Bytes::new())
        .with("location", format!("/orgs/{}/jobs/{id}", cx.org))
        .with("retry-after", limits::JOB_RETRY_AFTER_S))
}

async fn packed(body: impl Future<Output = Result<Bytes, ApiError>>) -> Result<Vec<u8>, ApiError> {
    let body = body.await?;
    let packed = tokio::task::spawn_blocking(move || zstd::encode_all(body.as_ref(), 1)).await;
    let packed = packed.map_err(|e| ApiError::Internal(e.to_string()))?;
    packed.map_err(|e| ApiError::Internal(e.to_string()))
}

/// Ends a job; says whether it was still there and open.
fn end(txn: &mut Txn<'_>, id: Id, status: &str, result: Value) -> bool {
    let Some(job) = txn.world.get(Kind::Job, id).filter(|j| open(j)).cloned() else { return false };
    let mut doc = crate::resource::crud::document(txn.world.org, &job);
    doc.insert("status".into(), status.into());
    doc.insert("result".into(), result);
    doc.insert("terminated_at".into(), txn.time().into());
    txn.save(Obj::new(Kind::Job, id, None, Val::from_json(&doc.into())));
    true
}

fn open(job: &Obj) -> bool {
    matches!(job.doc.str("status"), Some("pending" | "running"))
}

fn datafile_href(org: u32, id: Uuid) -> String {
    format!("/orgs/{org}/datafiles/{id}")
}

fn job(cx: &Cx) -> Value {
    json!({
        "job_type": ":illumio/async_requests",
        "description": cx.origin.endpoint,
        "status": "pending",
        "result": {},
        "requested_at": wire_time(cx.app.state.clock.now()),
        "requested_by": {"href": cx.origin.href},
        "created_by": {"href": cx.origin.href},
    })
}

fn put(txn: &mut Txn<'_>, id: Uuid, job: &Value) -> Result<(), ApiError> {
    txn.save(Obj::new(Kind::Job, Id::uuid(id), None, Val::from_json(job)));
    Ok(())
}

/// Ends a job with its result; a job that was deleted meanwhile stays so.
fn finish(txn: &mut Txn<'_>, id: Uuid, datafile: Uuid, body: Vec<u8>) -> Result<(), ApiError> {
    let org = txn.world.org;
    if end(txn, Id::uuid(id), "done", json!({"href": datafile_href(org, datafile)})) {
        let keep_us = i64::from(limits::DATAFILE_KEEP_H) * 3_600_000_000;
        let expires_us = txn.now.as_microsecond() + keep_us;
        txn.op(Op::PutBlob { org, id: Id::uuid(datafile), expires_us, body: body.into() });
    }
    Ok(())
}

/// The result of a job.
///
/// # Errors
/// `NotFound` when it does not exist or was swept; `Forbidden` for all but owners, admins and who
/// asked for the job.
pub async fn datafile(cx: &Cx) -> Result<Reply, ApiError> {
    let id = cx.id(Kind::Datafile, "id")?;
    let filename = cx.query("filename").map(file_name).transpose()?;
    let job = job_of(&cx.world, id).ok_or(ApiError::NotFound)?;
    let above = cx.roles().has(Role::Owner) || cx.roles().has(Role::Admin);
    if !above && !asked_by(cx, job) {
        return Err(ApiError::Forbidden("only who asked for the job may read its result".into()));
    }
    let (store, org) = (cx.app.state.store.clone(), cx.org);
    let body = tokio::task::spawn_blocking(move || {
        let packed = store.blob(org, id).map_err(|e| ApiError::Unavailable(e.to_string()))?;
        let packed = packed.ok_or(ApiError::NotFound)?;
        zstd::decode_all(packed.as_slice()).map_err(|e| ApiError::Internal(e.to_string()))
    })
    .await
    .map_err(|e| ApiError::Internal(e.to_string()))??;
    let reply = Reply::ok(body);
    Ok(match filename {
        Some(name) => reply.with("content-disposition", format!("attachment; filename=\"{name}\"")),
        None => reply,
    })
}

/// A file name that can stand in a header and in a folder.
fn file_name(s: &str) -> Result<&str, ApiError> {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '\\' | '"');
    if s.is_empty() || s.len() > limits::NAME_CHARS_MAX || s.contains(bad) || !s.is_ascii() {
        return Err(ApiError::input("`filename` is a plain ASCII name without path"));
    }
    Ok(s)
}

/// The job whose result a datafile is.
fn job_of(world: &World, datafile: Id) -> Option<&Arc<Obj>> {
    world.objects(Side::Draft, Kind::Job).find(|j| datafile_of(j) == Some(datafile))
}

fn datafile_of(job: &Obj) -> Option<Id> {
    match job.doc.get("result")?.target()? {
        (Kind::Datafile, id) => Some(id),
        _ => None,
    }
}

fn asked_by(cx: &Cx, job: &Obj) -> bool {
    let by = job.doc.get("requested_by");
    let href = by.and_then(|b| match b.target() {
        Some((kind, id)) => {
            Some(crate::doc::href(cx.org, PolicyVersion::Draft, kind, id).to_string())
        }
        None => b.str("href").map(str::to_owned),
    });
    href.is_some_and(|h| h == cx.origin.href)
}

/// Deletes a job: by owner, admin, or who asked for it.
///
/// # Errors
/// `Forbidden` for others.
pub async fn delete(cx: &Cx) -> Result<Reply, ApiError> {
    let id = cx.id(Kind::Job, "id")?;
    let job = cx.world.get(Kind::Job, id).ok_or(ApiError::NotFound)?;
    let own = asked_by(cx, job);
    if !own && !cx.op.access.roles.meets(cx.roles()) {
        return Err(ApiError::Forbidden("only who asked for the job may delete it".into()));
    }
    let datafile = datafile_of(job);
    cx.write(&cx.op.event, |txn| {
        txn.remove(Kind::Job, id);
        drop_datafile(txn, datafile);
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

fn drop_datafile(txn: &mut Txn<'_>, id: Option<Id>) {
    let org = txn.world.org;
    if let Some(id) = id {
        txn.op(Op::DeleteBlob { org, id });
    }
}

/// Jobs to drop, asked for before `old`; and jobs to fail, which a restart at `started` cut off.
fn stale(world: &World, old: &str, started: &str) -> (Vec<Arc<Obj>>, Vec<Arc<Obj>>) {
    let before = |o: &Obj, time: &str| o.doc.str("requested_at").is_some_and(|t| t < time);
    let (dropped, kept): (Vec<_>, Vec<_>) =
        world.objects(Side::Draft, Kind::Job).cloned().partition(|o| before(o, old));
    (dropped, kept.into_iter().filter(|o| open(o) && before(o, started)).collect())
}

/// Whether [`sweep`] has anything to do.
pub fn needs_sweep(world: &World, old: &str, started: &str) -> bool {
    let (dropped, cut_off) = stale(world, old, started);
    !dropped.is_empty() || !cut_off.is_empty()
}

/// Drops jobs after their time, with their results, and fails those that a restart cut off. No
/// event: these are no deeds of anybody.
pub fn sweep(txn: &mut Txn<'_>, old: &str, started: &str) {
    let (dropped, cut_off) = stale(&txn.world, old, started);
    for job in dropped {
        txn.remove(Kind::Job, job.id);
        drop_datafile(txn, datafile_of(&job));
    }
    for job in cut_off {
        let result = json!({"message": "the server was restarted meanwhile: ask again"});
        end(txn, job.id, "failed", result);
    }
}
