//! Health, version and the like: what belongs to no object.

use crate::clock::wire_time;
use crate::http::{Cx, Handler, Reply};
use bulkhead_api::ApiError;
use bulkhead_ids::Id;
use http::StatusCode;
use serde_json::{Value, json};

/// The product version whose API is spoken; clients compare it with what they need.
pub const PRODUCT_VERSION: &str = "25.4.0";
/// The build of that version.
const BUILD: u32 = 1;

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "health_get" => Some(|cx| Box::pin(health(cx))),
        "node_available_get" => Some(|cx| Box::pin(empty(cx))),
        "supercluster_leader_get" => Some(|cx| Box::pin(empty(cx))),
        "product_version_get" => Some(|cx| Box::pin(version(cx))),
        "noop_get" => Some(|cx| Box::pin(noop(cx))),
        "openapi_get" => Some(|cx| Box::pin(openapi(cx))),
        _ => None,
    }
}

/// The version as answers show it.
pub fn product_version() -> Value {
    json!({
        "version": PRODUCT_VERSION,
        "build": BUILD,
        "release_info": "",
        "engineering_info": concat!("Bulkhead ", env!("CARGO_PKG_VERSION")),
        "long_display": format!("{PRODUCT_VERSION}-{BUILD}"),
        "short_display": PRODUCT_VERSION,
        "product_name": "asp",
    })
}

async fn health(cx: &Cx) -> Result<Reply, ApiError> {
    let (app, now) = (cx.app.clone(), wire_time(cx.app.state.clock.now()));
    let report = tokio::task::spawn_blocking(move || {
        // Any read will do: it fails when the database does.
        let reads = app.state.store.event(0, Id::SINGLETON).is_ok();
        let database = reads && app.state.metrics.storing();
        app.node.report(&app.fqdn, &[("api", true), ("database", database)], &now)
    });
    let report = report.await.map_err(|e| ApiError::Internal(e.to_string()))?;
    Ok(Reply::json(StatusCode::OK, &report))
}

/// The status of the operation table and no body: a node that answers is available, and a single
/// PCE leads itself.
async fn empty(cx: &Cx) -> Result<Reply, ApiError> {
    let status = StatusCode::from_u16(cx.op.status).unwrap_or(StatusCode::OK);
    Ok(Reply::text(status, bytes::Bytes::new()))
}

async fn version(_cx: &Cx) -> Result<Reply, ApiError> {
    Ok(Reply::json(StatusCode::OK, &product_version()))
}

async fn noop(_cx: &Cx) -> Result<Reply, ApiError> {
    Ok(Reply::json(StatusCode::OK, &json!({})))
}

async fn openapi(_cx: &Cx) -> Result<Reply, ApiError> {
    Ok(Reply::ok(bulkhead_api::openapi_text().as_bytes()))
}
