//! TLS as the builder asks for it: verified, with a CA bundle, or not verified; client certificates.

use crate::{Error, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the server's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// Against the certificates that the system trusts.
    #[default]
    System,
    /// Against the certificates of this PEM file alone.
    CaFile(PathBuf),
    /// Against the certificates of this PEM text alone.
    CaPem(String),
    /// Not at all: anyone on the way can read and change everything, the credentials too.
    Off,
}

/// Where the client's own certificate and key are: one PEM file with both, or two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCert {
    /// The certificate and its chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The configuration of TLS connections.
pub(crate) fn config(verify: &Verify, client: Option<&ClientCert>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Config(format!("cannot set up TLS: {e}")))?;
    let builder = match verify {
        Verify::Off => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        }
        _ => {
            let verifier =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots(verify)?), provider)
                    .build()
                    .map_err(|e| Error::Config(format!("cannot use the CA bundle: {e}")))?;
            builder.with_webpki_verifier(verifier)
        }
    };
    let mut config = match client {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let chain = certificates(&read(&files.cert)?, &files.cert)?;
            let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
                .map_err(|e| unusable(&files.key, &e))?;
            builder.with_client_auth_cert(chain, key).map_err(|e| unusable(&files.cert, &e))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn roots(verify: &Verify) -> Result<RootCertStore> {
    let mut store = RootCertStore::empty();
    let certs = match verify {
        Verify::CaFile(path) => certificates(&read(path)?, path)?,
        Verify::CaPem(text) => certificates(text.as_bytes(), Path::new("the given text"))?,
        Verify::System | Verify::Off => rustls_native_certs::load_native_certs().certs,
    };
    if matches!(verify, Verify::System) {
        // Some systems ship roots that no longer parse.
        store.add_parsable_certificates(certs);
        if store.is_empty() {
            return Err(Error::Config(
                "the system has no trusted certificates; give a CA bundle".to_owned(),
            ));
        }
        return Ok(store);
    }
    for cert in certs {
        store.add(cert).map_err(|e| Error::Config(format!("cannot use the CA bundle: {e}")))?;
    }
    Ok(store)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::Config(format!("cannot read {}: {e}", path.display())))
}

fn unusable(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Config(format!("cannot use {}: {error}", path.display()))
}

fn certificates(pem: &[u8], path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certs: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<std::result::Result<_, _>>()
        .map_err(|e| unusable(path, &e))?;
    if certs.is_empty() {
        return Err(unusable(path, &"it holds no certificate in PEM form"));
    }
    Ok(certs)
}

/// Accepts any certificate; signatures of the handshake are still checked.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _end: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
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
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
