//! Listeners: TCP, TLS, HTTP/1.1 and HTTP/2, with bounds on connections and on slow clients.

use super::dispatch;
use crate::app::App;
use bulkhead_api::limits;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;
use tower_http::compression::{CompressionLayer, CompressionLevel};

/// Seconds that open requests get to finish after SIGTERM.
const DRAIN_S: u64 = 20;

/// Accepts connections until told to stop, then lets open requests finish.
pub async fn run(
    app: Arc<App>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits::CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            a = listener.accept() => a,
            _ = stop.changed() => break,
        };
        let (stream, peer) = match accepted {
            Ok(a) => a,
            Err(e) => {
                // Out of file descriptors or the like: wait a little rather than spin.
                tracing::warn!(error = %e, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            tracing::warn!("connection refused: {} are open", limits::CONNECTIONS_MAX);
            continue;
        };
        let (app, tls, watcher) = (app.clone(), tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            serve_stream(app, stream, peer.ip(), (tls, watcher)).await;
            drop(permit);
        });
    }
    drop(listener);
    let drained = tokio::time::timeout(Duration::from_secs(DRAIN_S), graceful.shutdown()).await;
    if drained.is_err() {
        tracing::warn!("requests still open after {DRAIN_S} s were cut off");
    }
}

async fn serve_stream(
    app: Arc<App>,
    stream: TcpStream,
    peer: IpAddr,
    (tls, watcher): (Option<TlsAcceptor>, Watcher),
) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return serve_io(app, stream, peer, watcher).await };
    let time = Duration::from_secs(limits::HEADER_READ_S);
    match tokio::time::timeout(time, tls.accept(stream)).await {
        Ok(Ok(stream)) => serve_io(app, stream, peer, watcher).await,
        Ok(Err(e)) => tracing::debug!(error = %e, client = %peer, "TLS handshake failed"),
        Err(_) => tracing::debug!(client = %peer, "TLS handshake took too long"),
    }
}

async fn serve_io(
    app: Arc<App>,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: IpAddr,
    watcher: Watcher,
) {
    let service = tower::service_fn(move |request: Request<Incoming>| {
        let app = app.clone();
        async move { Ok::<Response<Full<Bytes>>, Infallible>(dispatch::serve(app, peer, request).await) }
    });
    let layer = CompressionLayer::new().quality(CompressionLevel::Fastest);
    let service = tower::Layer::layer(&layer, service).map_err(|e| match e {});
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(limits::HEADER_READ_S))
        .max_buf_size(128 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(30))
        .max_concurrent_streams(256)
        .max_header_list_size(128 * 1024);
    let service = TowerToHyperService::new(service);
    let connection = builder.serve_connection(TokioIo::new(io), service);
    if let Err(e) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(error = %e, client = %peer, "connection ended");
    }
}
