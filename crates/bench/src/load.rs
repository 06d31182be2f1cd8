//! HTTP load over kept connections.

use crate::BenchError;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One kept connection.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authorization: Arc<str>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(addr: SocketAddr, authorization: &str) -> Result<Self, BenchError> {
        let stream = tokio::net::TcpStream::connect(addr)
            .await
            .map_err(|e| BenchError::Io("cannot connect".into(), e))?;
        stream.set_nodelay(true).map_err(|e| BenchError::Io("cannot connect".into(), e))?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|e| BenchError::Server(format!("cannot connect: {e}")))?;
        tokio::spawn(connection);
        Ok(Self { sender, authorization: authorization.into() })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn call(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(u16, Bytes), BenchError> {
        let failed = |e: &dyn std::fmt::Display| BenchError::Server(format!("{path}: {e}"));
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v2{path}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, self.authorization.as_ref())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|e| failed(&e))?;
        self.sender.ready().await.map_err(|e| failed(&e))?;
        let response = self.sender.send_request(request).await.map_err(|e| failed(&e))?;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.map_err(|e| failed(&e))?.to_bytes();
        Ok((status, bytes))
    }
}

/// GETs a path over some connections for some time; requests a second.
pub(crate) async fn gets(
    (addr, authorization): (SocketAddr, &str),
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<f64, BenchError> {
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        let mut connection = Connection::open(addr, authorization).await?;
        let path = path.to_owned();
        tasks.spawn(async move {
            let mut done = 0_u32;
            while began.elapsed() < time {
                let (status, _) = connection.call(Method::GET, &path, Bytes::new()).await?;
                if status != 200 {
                    return Err(BenchError::Server(format!("{path}: status {status}")));
                }
                done += 1;
            }
            Ok(done)
        });
    }
    let mut done = 0.0;
    while let Some(result) = tasks.join_next().await {
        let count = result.map_err(|e| BenchError::Server(e.to_string()))??;
        done += f64::from(count);
    }
    Ok(done / began.elapsed().as_secs_f64())
}
