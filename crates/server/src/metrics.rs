//! Figures for Prometheus, served as text on a listener of their own that is off by default.

use crate::app::App;
use crate::world::World;
use bulkhead_api::limits;
use bulkhead_ids::Kind;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OperationLabels {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ObjectLabels {
    org: u32,
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OrgLabels {
    org: u32,
}

#[derive(Clone, Copy, Debug, Hash, PartialEq, Eq, EncodeLabelValue)]
enum Outcome {
    Ok,
    Failed,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CommitLabels {
    outcome: Outcome,
}

type Latency = Family<OperationLabels, Histogram, fn() -> Histogram>;

/// Every figure of one server.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Latency,
    commits: Family<CommitLabels, Counter>,
    commit_writes: Histogram,
    commit_seconds: Histogram,
    objects: Family<ObjectLabels, Gauge>,
    pending: Family<OrgLabels, Gauge>,
    revision: Family<OrgLabels, Gauge>,
    version: Family<OrgLabels, Gauge>,
    storing: AtomicBool,
}

/// 0.1 ms to 26 s in steps of four.
fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 4.0, 10))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut made = Self {
            registry: Mutex::new(Registry::with_prefix("bulkhead")),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(seconds),
            commits: Family::default(),
            commit_writes: Histogram::new(exponential_buckets(1.0, 2.0, 10)),
            commit_seconds: seconds(),
            objects: Family::default(),
            pending: Family::default(),
            revision: Family::default(),
            version: Family::default(),
            storing: AtomicBool::new(true),
        };
        made.register();
        made
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = self.registry.get_mut();
        r.register("requests", "Answered requests", self.requests.clone());
        let help = "Time from the last header to the answer";
        r.register_with_unit("request", help, Unit::Seconds, self.request_seconds.clone());
        r.register("commits", "Transactions of the store", self.commits.clone());
        r.register("commit_writes", "Writes in one commit", self.commit_writes.clone());
        let help = "Time of a commit, flush to disk included";
        r.register_with_unit("commit", help, Unit::Seconds, self.commit_seconds.clone());
        r.register("objects", "Objects that are not deleted", self.objects.clone());
        r.register("pending_objects", "Objects not provisioned yet", self.pending.clone());
        r.register("revision", "Changes of the organisation so far", self.revision.clone());
        r.register("policy_version", "Active policy version", self.version.clone());
    }

    /// Counts an answered request.
    pub fn request(&self, operation: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { operation, status }).inc();
        let labels = OperationLabels { operation };
        self.request_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts a commit of some writes.
    pub fn commit(&self, writes: usize, took: Duration, ok: bool) {
        self.storing.store(ok, Ordering::Relaxed);
        let outcome = if ok { Outcome::Ok } else { Outcome::Failed };
        self.commits.get_or_create(&CommitLabels { outcome }).inc();
        self.commit_writes.observe(writes as f64);
        self.commit_seconds.observe(took.as_secs_f64());
    }

    /// Whether the last commit went well; true before the first.
    pub fn storing(&self) -> bool {
        self.storing.load(Ordering::Relaxed)
    }

    fn sizes(&self, world: &World) {
        let org = world.org;
        let gauge = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        for kind in Kind::ALL {
            let labels = ObjectLabels { org, kind: kind.name() };
            self.objects.get_or_create(&labels).set(gauge(world.count(*kind) as u64));
        }
        let labels = OrgLabels { org };
        self.pending.get_or_create(&labels).set(gauge(world.pending().count() as u64));
        self.revision.get_or_create(&labels).set(gauge(world.revision));
        self.version.get_or_create(&labels).set(gauge(world.version));
    }

    /// All figures in the OpenMetrics text format.
    pub fn text(&self, app: &App) -> String {
        app.state.worlds().values().for_each(|w| self.sizes(w));
        let mut out = String::new();
        // INVARIANT: writing to a String does not fail.
        let _ = encode(&mut out, &self.registry.lock());
        out
    }
}

fn answer(app: &App, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let found = request.uri().path() == "/metrics" && request.method() == http::Method::GET;
    let text = if found { app.state.metrics.text(app) } else { String::new() };
    let mut response = Response::new(Full::new(text.into()));
    if found {
        let value = header::HeaderValue::from_static(CONTENT_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    } else {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

async fn serve(app: Arc<App>, stream: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(answer(&app, &request)) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits::HEADER_READ_S))
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(e) = served {
        tracing::debug!(error = %e, "metrics connection ended");
    }
}

/// Serves `/metrics` over plain HTTP until told to stop.
pub async fn run(app: Arc<App>, listener: TcpListener, mut stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(limits::METRICS_CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => a,
            _ = stop.changed() => return,
        };
        let (Ok((stream, _)), Ok(permit)) = (accepted, room.clone().try_acquire_owned()) else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let app = app.clone();
        tokio::spawn(async move {
            serve(app, stream).await;
            drop(permit);
        });
    }
}
