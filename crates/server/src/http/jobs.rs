//! Asynchronous lists: answer 202 at once, make the list in the background, keep it for a day.
//!
//! Source: REST API guide 25.2, "Asynchronous GET collections". `Location` is the relative href of
//! the job, as all public clients need it.

use super::standard::{page, parent, query};
use super::{Cx, Handler, Reply};
use crate::clock::{new_uuid, wire_time};
use crate::doc::Val;
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::{ApiError, limits};
use bulkhead_ids::{Id, Kind};
use bulkhead_store::Op;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
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
    let id = new_uuid();
    let world = cx.world().await?;
    let mut query = query(cx, &world, kind)?;
    query.unlimited();
    let parent = parent(cx, &world, kind)?;
    if cx.world.count(Kind::Job) >= limits::JOBS_MAX {
        return Err(ApiError::TooMany(60));
    }
    let job = job(cx, "pending", &json!({}));
    cx.app.state.write(cx.org, &cx.origin, |txn| put(txn, id, &job)).await?;
    // The answer is made before it is waited for: 202 is sent once the job is durable, and the job
    // reads the world of the request, as a synchronous answer would have.
    let body = page(cx, &world, &query, parent)?.0.body;
    let (app, org, origin) = (cx.app.clone(), cx.org, cx.origin.clone());
    let datafile = new_uuid();
    let done = self::job(cx, "done", &json!({"href": format!("/orgs/{org}/datafiles/{datafile}")}));
    tokio::spawn(async move {
        let packed = tokio::task::spawn_blocking(move || zstd::encode_all(body.as_ref(), 1)).await;
        let result = match packed {
            Ok(Ok(packed)) => {
                let change = |txn: &mut Txn<'_>| finish(txn, id, datafile, (&done, packed));
                app.state.write(org, &origin, change).await.map(|_| ())
            }
            _ => Err(ApiError::Internal("the result could not be packed".into())),
        };
        if let Err(e) = result {
            tracing::error!(job = %id, error = %e, "job failed");
            let failed = json!({"message": "the result could not be stored: ask again"});
            let mut done = done;
            if let Value::Object(map) = &mut done {
                map.insert("status".into(), "failed".into());
                map.insert("result".into(), failed);
            }
            if app.state.write(org, &origin, |txn| put(txn, id, &done)).await.is_err() {
                tracing::error!(job = %id, "job could not be marked failed");
            }
        }
    });
    Ok(Reply::text(StatusCode::ACCEPTED, Bytes::new())
        .with("location", format!("/orgs/{}/jobs/{id}", cx.org))
        .with("retry-after", limits::JOB_RETRY_AFTER_S))
}

fn job(cx: &Cx, status: &str, result: &Value) -> Value {
    let now = wire_time(cx.app.state.clock.now());
    json!({
        "job_type": ":illumio/async_requests",
        "description": cx.origin.endpoint,
        "status": status,
        "result": result,
        "requested_at": now,
        "requested_by": {"href": cx.origin.href},
        "created_by": {"href": cx.origin.href},
        "terminated_at": if status == "pending" { Value::Null } else { now.clone().into() },
    })
}

fn put(txn: &mut Txn<'_>, id: Uuid, job: &Value) -> Result<(), ApiError> {
    txn.save(Obj::new(Kind::Job, Id::uuid(id), None, Val::from_json(job)));
    Ok(())
}

fn finish(
    txn: &mut Txn<'_>,
    id: Uuid,
    datafile: Uuid,
    (job, body): (&Value, Vec<u8>),
) -> Result<(), ApiError> {
    put(txn, id, job)?;
    let keep_us = i64::from(limits::DATAFILE_KEEP_H) * 3_600_000_000;
    let expires_us = txn.now.as_microsecond() + keep_us;
    let org = txn.world.org;
    txn.op(Op::PutBlob { org, id: Id::uuid(datafile), expires_us, body: body.into() });
    Ok(())
}

/// The result of a job.
///
/// # Errors
/// `NotFound` when it does not exist or was swept.
pub async fn datafile(cx: &Cx) -> Result<Reply, ApiError> {
    let id = cx.id(Kind::Datafile, "id")?;
    let (store, org) = (cx.app.state.store.clone(), cx.org);
    let body = tokio::task::spawn_blocking(move || {
        let packed = store.blob(org, id).map_err(|e| ApiError::Unavailable(e.to_string()))?;
        let packed = packed.ok_or(ApiError::NotFound)?;
        zstd::decode_all(packed.as_slice()).map_err(|e| ApiError::Internal(e.to_string()))
    })
    .await
    .map_err(|e| ApiError::Internal(e.to_string()))??;
    Ok(Reply::ok(body))
}

/// Deletes a job: by owner, admin, or who asked for it.
///
/// # Errors
/// `Forbidden` for others.
pub async fn delete(cx: &Cx) -> Result<Reply, ApiError> {
    let id = cx.id(Kind::Job, "id")?;
    let job = cx.world.get(Kind::Job, id).ok_or(ApiError::NotFound)?;
    let by = job.doc.get("requested_by").and_then(|b| b.str("href").map(str::to_owned));
    let by = by.or_else(|| {
        let (kind, id) = job.doc.get("requested_by")?.target()?;
        Some(crate::doc::href(cx.org, bulkhead_ids::PolicyVersion::Draft, kind, id).to_string())
    });
    let own = by.is_some_and(|b| b == cx.origin.href);
    if !own && !cx.op.access.roles.meets(cx.roles()) {
        return Err(ApiError::Forbidden("only who asked for the job may delete it".into()));
    }
    cx.write("job.delete", |txn| {
        txn.remove(Kind::Job, id);
        Ok(())
    })
    .await?;
    Ok(Reply::no_content())
}

/// The event of jobs that are dropped after their time: none; they are no deeds of anybody.
pub fn sweep(txn: &mut Txn<'_>, older_than: &str) {
    let old: Vec<Id> = txn
        .world
        .rows(Kind::Job)
        .filter(|(_, r)| {
            let asked = r.draft.as_ref().and_then(|o| o.doc.str("requested_at"));
            asked.is_some_and(|t| t < older_than)
        })
        .map(|(id, _)| id)
        .collect();
    for id in old {
        txn.remove(Kind::Job, id);
    }
}
