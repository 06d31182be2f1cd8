//! Our own additions to the API, under `/orgs/:org/x/`: what the policy does, why, and what would change.

pub mod assertions;
pub mod effect;
pub mod explain;
pub mod intent;

use crate::http::{Cx, Handler};
use crate::world::Side;
use bulkhead_api::ApiError;
use bulkhead_engine::Engine;
use bulkhead_ids::PolicyVersion;
use serde_json::Value;

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    Some(match id {
        "x_explain" => |cx| Box::pin(explain::explain(cx)),
        "x_effect" => |cx| Box::pin(effect::effect(cx)),
        "x_workload_policy" => |cx| Box::pin(intent::policy(cx)),
        "assertions_check" => |cx| Box::pin(assertions::check(cx)),
        _ => return None,
    })
}

/// The policy version that `pversion` of the body or of the query names.
///
/// # Errors
/// 406 for a text that is no version, and for a version that does not exist.
fn version(cx: &Cx, default: PolicyVersion) -> Result<PolicyVersion, ApiError> {
    let named = match cx.body.get("pversion") {
        Some(Value::String(s)) => Some(s.clone()),
        Some(Value::Number(n)) => Some(n.to_string()),
        _ => cx.query("pversion").map(str::to_owned),
    };
    let Some(named) = named else { return Ok(default) };
    let bad = || ApiError::input(format!("`pversion`: there is no policy version `{named}`"));
    match named.parse().map_err(|_| bad())? {
        PolicyVersion::Number(n) if n == 0 || n > cx.world.version => Err(bad()),
        version => Ok(version),
    }
}

/// Asks the engine of a policy version, on a thread that may compute.
///
/// # Errors
/// `Unavailable` when a past version cannot be read.
pub async fn with_engine<R: Send + 'static>(
    cx: &Cx,
    pv: PolicyVersion,
    ask: impl FnOnce(&Engine) -> R + Send + 'static,
) -> Result<R, ApiError> {
    let (app, world) = (cx.app.clone(), cx.world.clone());
    let side = match pv {
        PolicyVersion::Draft => Side::Draft,
        PolicyVersion::Active => Side::Active,
        PolicyVersion::Number(n) if n == world.version => Side::Active,
        PolicyVersion::Number(n) => {
            let past = app.world_at(&world, n).await?;
            return blocking(move || app.compute.ask_past(n, &past, ask)).await;
        }
    };
    blocking(move || app.compute.ask(&world, |sides| ask(sides.side(side)))).await
}

/// Runs work that computes on a thread of its own.
///
/// # Errors
/// `Internal` when it breaks off.
pub async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> R + Send + 'static,
) -> Result<R, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| ApiError::Internal(e.to_string()))
}
