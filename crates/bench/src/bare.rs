//! The limit of row A1: the same HTTP stack with a handler that returns fixed bytes.

use crate::BenchError;
use crate::report::say;
use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::convert::Infallible;
use std::path::Path;
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;

/// Serves until killed; prints its address first.
pub(crate) async fn serve(body: &Path) -> Result<(), BenchError> {
    let io = |e| BenchError::Io("bare server".into(), e);
    let bytes: Bytes = std::fs::read(body).map_err(io)?.into();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.map_err(io)?;
    say(&listener.local_addr().map_err(io)?.to_string());
    loop {
        let (stream, _) = listener.accept().await.map_err(io)?;
        stream.set_nodelay(true).map_err(io)?;
        let bytes = bytes.clone();
        tokio::spawn(async move {
            let service = tower::service_fn(move |_: Request<Incoming>| {
                let mut response = Response::new(Full::new(bytes.clone()));
                let json = http::HeaderValue::from_static("application/json");
                response.headers_mut().insert(header::CONTENT_TYPE, json);
                async move { Ok::<_, Infallible>(response) }
            });
            let layer = CompressionLayer::new();
            let service = tower::Layer::layer(&layer, service).map_err(|e: Infallible| match e {});
            let builder = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(service.map_err(|e: Infallible| e));
            // A connection that breaks off is the load's own doing.
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
