//! The connection to a receiver: TCP, TLS over TCP, UDP, or the socket of this host's syslog.

use crate::doc::Val;
use bulkhead_api::limits;
use futures_util::FutureExt;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram};
use tokio_rustls::TlsConnector;

/// How long a connection may take to open, and a write to be taken.
const PATIENCE: Duration = Duration::from_secs(limits::SYSLOG_WRITE_S);
const TCP: i64 = 6;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// An open connection.
pub(super) enum Receiver {
    Stream(Box<dyn Stream>),
    Datagrams(UdpSocket, std::net::SocketAddr),
    Local(UnixDatagram),
}

fn other(e: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::other(e)
}

async fn patient<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout(PATIENCE, work).await;
    done.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

impl Receiver {
    /// Opens the connection that the `remote_syslog` of a destination describes.
    pub(super) async fn remote(remote: &Val) -> io::Result<Self> {
        patient(async {
            let host = remote.str("address").unwrap_or_default();
            let port = remote.int("port").and_then(|p| u16::try_from(p).ok()).unwrap_or(514);
            if remote.int("protocol") != Some(TCP) {
                let mut found = tokio::net::lookup_host((host, port)).await?;
                let to = found.next().ok_or_else(|| other("the name has no address"))?;
                let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                // Not connected: what a closed port answers says nothing about the next datagram.
                return Ok(Self::Datagrams(UdpSocket::bind(from).await?, to));
            }
            let stream = TcpStream::connect((host, port)).await?;
            stream.set_nodelay(true)?;
            if !remote.is("tls_enabled") {
                return Ok(Self::Stream(Box::new(stream)));
            }
            let name = ServerName::try_from(host.to_owned()).map_err(other)?;
            let connector = TlsConnector::from(Arc::new(client(remote)?));
            Ok(Self::Stream(Box::new(connector.connect(name, stream).await?)))
        })
        .await
    }

    /// Opens the socket of this host's syslog.
    pub(super) fn local(socket: &Path) -> io::Result<Self> {
        let datagrams = UnixDatagram::unbound()?;
        datagrams.connect(socket)?;
        Ok(Self::Local(datagrams))
    }

    /// Whether messages have to fit into a datagram.
    pub(super) const fn bounded(&self) -> bool {
        !matches!(self, Self::Stream(_))
    }

    /// Sends messages; on an error none of them may count as sent.
    pub(super) async fn send(&mut self, messages: &[String]) -> io::Result<()> {
        patient(async {
            match self {
                Self::Stream(stream) => {
                    open(stream)?;
                    let mut all = String::new();
                    for message in messages {
                        all.push_str(message);
                        all.push('\n');
                    }
                    stream.write_all(all.as_bytes()).await?;
                    stream.flush().await?;
                    open(stream)
                }
                Self::Datagrams(socket, to) => {
                    for message in messages {
                        socket.send_to(message.as_bytes(), *to).await?;
                    }
                    Ok(())
                }
                Self::Local(socket) => {
                    for message in messages {
                        socket.send(message.as_bytes()).await?;
                    }
                    Ok(())
                }
            }
        })
        .await
    }
}

/// Finds out whether the receiver closed the connection. What it says is of no interest.
fn open(stream: &mut Box<dyn Stream>) -> io::Result<()> {
    let mut said = [0; 512];
    loop {
        match stream.read(&mut said).now_or_never() {
            None => return Ok(()),
            Some(Ok(0)) => return Err(io::ErrorKind::ConnectionReset.into()),
            Some(Ok(_)) => {}
            Some(Err(e)) => return Err(e),
        }
    }
}

/// How TLS is spoken: certificates must come from the authorities that the destination names, or
/// from those that this host trusts.
fn client(remote: &Val) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(other)?;
    if remote.get("tls_verify_cert").is_some_and(|v| *v == Val::Bool(false)) {
        let anybody = Arc::new(Anybody(provider));
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(anybody)
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    match remote.str("tls_ca_bundle").filter(|pem| !pem.is_empty()) {
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.map_err(other)?).map_err(other)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Takes any certificate: for destinations that say `tls_verify_cert: false`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
