//! From a request to its handler: the same steps for every operation, in one place.
//!
//! path -> row of the table -> credentials -> rate -> permission -> body -> schema -> handler. A refused
//! request leaves an audit event where the operation would have.

use super::{Cx, Handler, Reply, body, handlers, path};
use crate::app::App;
use crate::audit;
use crate::authn::{self, Caller};
use crate::authz;
use crate::clock::new_uuid;
use crate::txn::Origin;
use crate::world::SYSTEM;
use bulkhead_api::{ApiError, Operation, limits, operations};
use bulkhead_ids::{Id, Kind};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Method, Request, Response, header};
use http_body_util::Full;
use hyper::body::Body;
use serde_json::Value;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

type Route = Vec<(Method, &'static Operation, Handler)>;
/// An operation, its handler and the path's parameters.
type Hit = (&'static Operation, Handler, Vec<(String, String)>);

/// Paths and the operations on them.
pub struct Routes {
    paths: matchit::Router<usize>,
    routes: Vec<Route>,
}

/// Why the table cannot be served: a bug that the tests find.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// An operation has no handler.
    #[error("operation `{0}` has no handler")]
    NoHandler(String),
    /// Two paths collide.
    #[error("path `{0}` collides with another: {1}")]
    Path(String, String),
}

impl Routes {
    /// Builds the router from the operation table.
    ///
    /// # Errors
    /// When a row has no handler or paths collide.
    pub fn build() -> Result<Self, RouteError> {
        let mut out = Self { paths: matchit::Router::new(), routes: Vec::new() };
        let mut known: Vec<(&str, usize)> = Vec::new();
        for op in operations() {
            let handler = handlers::find(op).ok_or_else(|| RouteError::NoHandler(op.id.clone()))?;
            let at = match known.iter().find(|(p, _)| *p == op.path) {
                Some((_, n)) => *n,
                None => {
                    let n = out.routes.len();
                    out.paths
                        .insert(op.path.clone(), n)
                        .map_err(|e| RouteError::Path(op.path.clone(), e.to_string()))?;
                    known.push((&op.path, n));
                    out.routes.push(Vec::new());
                    n
                }
            };
            if let Some(route) = out.routes.get_mut(at) {
                route.push((op.method.clone(), op, handler));
            }
        }
        Ok(out)
    }

    fn find(&self, method: &Method, path: &str) -> Result<Hit, ApiError> {
        let hit = self.paths.at(path).map_err(|_| ApiError::NotFound)?;
        let route = self.routes.get(*hit.value).ok_or(ApiError::NotFound)?;
        let (_, op, handler) =
            route.iter().find(|(m, ..)| m == method).ok_or(ApiError::MethodNotAllowed)?;
        let params = hit
            .params
            .iter()
            .map(|(k, v)| Some((k.to_owned(), path::decode(v)?)))
            .collect::<Option<Vec<_>>>()
            .ok_or(ApiError::NotFound)?;
        Ok((op, *handler, params))
    }
}

/// Answers one request.
pub async fn serve(
    app: Arc<App>,
    peer: IpAddr,
    request: Request<impl Body<Data = Bytes> + Unpin>,
) -> Response<Full<Bytes>> {
    let (parts, mut incoming) = request.into_parts();
    let started = std::time::Instant::now();
    let id = new_uuid().to_string();
    let mut origin = Arc::new(Origin {
        endpoint: parts.uri.path().to_owned(),
        method: parts.method.to_string(),
        ip: peer.to_string(),
        request_id: id.clone(),
        pce_fqdn: app.fqdn.clone(),
        ..Origin::default()
    });
    let mut seen = Seen::default();
    let work = answer(&app, peer, &parts, &mut incoming, (&mut origin, &mut seen));
    // A panic is a bug; it costs the one request and is told like any other internal error.
    let result = AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| Err(ApiError::Internal("a handler panicked".into())));
    let whole = result.is_ok() || body::drain(&mut incoming).await;
    let mut reply = result.unwrap_or_else(|e| {
        record(&app, &origin, &seen, &e);
        if let ApiError::Internal(context) = &e {
            tracing::error!(request.id = %id, context, "internal error");
        }
        Reply::error(&e)
    });
    if !whole && parts.version < http::Version::HTTP_2 {
        reply = reply.with("connection", "close");
    }
    log(&origin, &seen, &reply, started.elapsed());
    let operation: &'static str = seen.op.map_or("none", |o| o.id.as_str());
    app.state.metrics.request(operation, reply.status.as_u16(), started.elapsed());
    reply.into_response(&id)
}

/// One line a request; reads that succeed are told at the debug level only.
fn log(origin: &Origin, seen: &Seen, reply: &Reply, took: std::time::Duration) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                request.id = %origin.request_id,
                method = %origin.method,
                path = %origin.endpoint,
                status = reply.status.as_u16(),
                operation = seen.op.map(|o| o.id.as_str()).unwrap_or_default(),
                org.id = seen.org,
                caller = %origin.href,
                duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
                size_bytes = reply.body.len(),
                "request"
            )
        };
    }
    if origin.method == "GET" && reply.status.is_success() {
        line!(debug);
    } else {
        line!(info);
    }
}

/// How far a request came.
#[derive(Default)]
struct Seen {
    op: Option<&'static Operation>,
    org: u32,
    /// Notifications for the event of the refusal.
    notes: Vec<Value>,
    /// Whether the event of the refusal is written already.
    recorded: bool,
}

async fn answer(
    app: &Arc<App>,
    peer: IpAddr,
    parts: &http::request::Parts,
    incoming: impl Body<Data = Bytes> + Unpin,
    (shared, seen): (&mut Arc<Origin>, &mut Seen),
) -> Result<Reply, ApiError> {
    // Nobody else holds it until the handler does.
    let origin = Arc::make_mut(shared);
    if length(&parts.uri) > limits::URI_BYTES_MAX {
        return Err(ApiError::Malformed("the address is too long".into()));
    }
    let path = path::normalise(parts.uri.path()).ok_or(ApiError::NotFound)?;
    let (op, handler, params) = app.routes.find(&parts.method, &path)?;
    seen.op = Some(op);
    origin.status = op.status;
    let authorization = text(&parts.headers, &header::AUTHORIZATION);
    let org = organisation(op, &params)?;
    seen.org = org.unwrap_or_default();
    let client = authz::Client::of(&parts.headers, peer);
    let address = authz::client_address(app, &client, org);
    if address != peer {
        origin.ip = address.to_string();
    }
    let peer = address;
    let mut caller = match op.access.anonymous {
        true => None,
        false => {
            Some(authenticated(app, op, authorization.as_deref(), (&client, origin, seen)).await?)
        }
    };
    if let Some(c) = &mut caller {
        origin.href.clone_from(&c.href);
        origin.name.clone_from(&c.name);
        let now = app.state.clock.now().as_millisecond();
        app.rates.count(&c.credential, now).map_err(ApiError::TooMany)?;
        admit(app, op, c, org, &params)?;
        origin.roles = Some(c.roles);
    }
    let world = app.state.world(org.unwrap_or(SYSTEM)).ok_or(ApiError::NotFound)?;
    let query = path::query(parts.uri.query().unwrap_or_default())
        .ok_or_else(|| ApiError::input("the query is no UTF-8, or holds a NUL"))?;
    let read = body::read(&parts.headers, incoming).await?;
    let body = json(op, &parts.headers, &read.bytes)?;
    op.check(&body)?;
    let respond_async = text(&parts.headers, &header::HeaderName::from_static("prefer"))
        .is_some_and(|p| p.split(',').any(|w| w.trim().eq_ignore_ascii_case("respond-async")));
    let cx = Cx {
        app: app.clone(),
        op,
        params,
        query,
        body,
        raw: read.bytes.clone(),
        caller,
        origin: shared.clone(),
        org: org.unwrap_or(SYSTEM),
        world,
        respond_async,
        authorization,
        peer,
        client,
        recorded: AtomicBool::new(false),
    };
    let result = handler(&cx).await;
    seen.recorded = cx.recorded.load(Ordering::Relaxed);
    result
}

/// The caller of a request, who may call from where it does.
async fn authenticated(
    app: &App,
    op: &Operation,
    authorization: Option<&str>,
    (client, origin, seen): (&authz::Client, &Origin, &mut Seen),
) -> Result<Caller, ApiError> {
    let org = Some(seen.org).filter(|o| *o != SYSTEM);
    let caller = match authn::identify(app, op, authorization, origin).await {
        Ok(caller) => caller,
        Err(refused) => {
            seen.recorded = refused.recorded;
            seen.notes = refused.notes;
            seen.org = refused.org.unwrap_or(seen.org);
            return Err(refused.error);
        }
    };
    if authz::address_allowed(app, &caller, client, org) {
        return Ok(caller);
    }
    seen.notes.push(audit::notification(
        "request.authentication_failed",
        serde_json::json!({
            "reason": "the access restriction of the account does not cover the address",
            "account": {"href": caller.href, "name": caller.name},
            "src_ip": origin.ip,
        }),
    ));
    if org.is_none() {
        seen.org = authn::home(app, &caller).unwrap_or_default();
    }
    Err(ApiError::Unauthenticated)
}

/// The length of an address as it was sent.
fn length(uri: &http::Uri) -> usize {
    let host = uri.authority().map_or(0, |a| a.as_str().len());
    host + uri.path_and_query().map_or(0, |p| p.as_str().len())
}

fn text(headers: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// The organisation that the path names.
fn organisation(op: &Operation, params: &[(String, String)]) -> Result<Option<u32>, ApiError> {
    let name = if op.kind == Some(Kind::Org) { "id" } else { "org" };
    let Some((_, s)) = params.iter().find(|(k, _)| k == name) else { return Ok(None) };
    match s.parse::<u32>() {
        Ok(n) if n > 0 && !s.starts_with(['0', '+']) => Ok(Some(n)),
        _ => Err(ApiError::NotFound),
    }
}

/// Finds the caller's roles and checks them against the operation.
///
/// For global paths they are the roles in all organisations of the caller together. An organisation
/// that does not exist and one that the caller has no part in look the same.
fn admit(
    app: &App,
    op: &Operation,
    caller: &mut Caller,
    org: Option<u32>,
    params: &[(String, String)],
) -> Result<(), ApiError> {
    let worlds = app.state.worlds();
    let system = worlds.get(&SYSTEM).ok_or(ApiError::NotFound)?;
    match org {
        Some(org) => {
            let foreign = || ApiError::Forbidden(format!("no access to organisation {org}"));
            let world = worlds.get(&org).ok_or_else(foreign)?;
            caller.roles = authn::roles(system, world, caller);
            if caller.roles.is_empty() {
                return Err(foreign());
            }
            caller.orgs = vec![(org, caller.roles)];
        }
        None => {
            caller.orgs = authn::organisations(app, caller);
            caller.roles = caller
                .orgs
                .iter()
                .flat_map(|(_, roles)| roles.iter())
                .fold(bulkhead_api::RoleSet::NONE, bulkhead_api::RoleSet::with);
        }
    }
    let named = if op.path.starts_with("/users/") {
        let of = |name: &str| params.iter().find(|(k, _)| k == name).map(|(_, v)| v.as_str());
        of("parent").or_else(|| of("id")).and_then(|s| s.parse().ok()).map(Id::int)
    } else {
        None
    };
    authz::check(op, caller, named)
}

/// The parsed body of operations that take one; null otherwise.
fn json(op: &Operation, headers: &HeaderMap, bytes: &[u8]) -> Result<Value, ApiError> {
    if op.request.is_none() || bytes.is_empty() {
        if op.request.is_some() && op.method == Method::PUT && !op.check_ok(&Value::Null) {
            return Err(ApiError::input("No payload provided for PUT request"));
        }
        return Ok(Value::Null);
    }
    if !body::is_json(headers) {
        return Err(ApiError::input("send the body with `Content-Type: application/json`"));
    }
    body::parse(bytes)
}

/// Records a refused request in the audit trail: failed credentials and permissions always, others
/// where the operation would have changed something.
fn record(app: &App, origin: &Origin, seen: &Seen, e: &ApiError) {
    if seen.recorded {
        return;
    }
    let changes = seen.op.is_some_and(|o| o.method != Method::GET);
    let event_type = match e {
        ApiError::Unauthenticated => "request.authentication_failed".to_owned(),
        ApiError::Forbidden(_) => "request.authorization_failed".to_owned(),
        ApiError::Internal(_) => "request.internal_server_error".to_owned(),
        ApiError::Invalid(_) if changes => match seen.op {
            Some(op) => op.event.clone(),
            None => return,
        },
        _ => return,
    };
    let now = app.state.clock.now();
    let org = if app.state.world(seen.org).is_some() { seen.org } else { SYSTEM };
    if app.rates.count_to("audit of refusals", 600, now.as_millisecond()).is_err() {
        tracing::warn!("audit events of refused requests are limited to 600 a minute");
        return;
    }
    app.state.note(org, vec![audit::refused(org, origin, now, (&event_type, &seen.notes), e)]);
}
