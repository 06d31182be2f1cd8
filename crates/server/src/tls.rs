//! The PCE's own certificate authority and server certificate, made at the first start.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Days that the authority's certificate is valid.
const CA_DAYS: i64 = 3650;
/// Days that the server's certificate is valid; 825 is the most that common clients accept.
const SERVER_DAYS: i64 = 820;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or written.
    #[error("cannot use `{}`", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// A certificate could not be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// A stored certificate or key is damaged.
    #[error("`{}` holds no valid PEM: delete the `tls` directory to have it made anew", .0.display())]
    Pem(PathBuf, #[source] rustls_pki_types::pem::Error),
    /// The TLS library refuses the certificate.
    #[error("the certificate cannot be used")]
    Rustls(#[from] rustls::Error),
}

/// Where certificates and keys are.
pub struct Files {
    /// PEM of the authority's certificate.
    pub ca_cert: PathBuf,
    ca_key: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Files {
    /// The files of a data directory.
    pub fn of(data_dir: &Path) -> Self {
        let dir = data_dir.join("tls");
        Self {
            ca_cert: dir.join("ca.pem"),
            ca_key: dir.join("ca.key"),
            cert: dir.join("server.pem"),
            key: dir.join("server.key"),
        }
    }

    /// Makes what is missing: the authority once, the server certificate when it or the authority is
    /// new.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn ensure(&self, host: &str, now: jiff::Timestamp) -> Result<(), TlsError> {
        let dir = self.ca_cert.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|e| TlsError::File(dir.to_owned(), e))?;
        if !(self.ca_cert.exists() && self.ca_key.exists()) {
            self.make_ca(now)?;
            self.make_server(host, now)?;
        }
        if !(self.cert.exists() && self.key.exists()) {
            self.make_server(host, now)?;
        }
        Ok(())
    }

    fn make_ca(&self, now: jiff::Timestamp) -> Result<(), TlsError> {
        let key = KeyPair::generate()?;
        let mut params = params("Bulkhead local CA", now, CA_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let cert = params.self_signed(&key)?;
        write(&self.ca_key, &key.serialize_pem(), 0o600)?;
        write(&self.ca_cert, &cert.pem(), 0o644)
    }

    fn make_server(&self, host: &str, now: jiff::Timestamp) -> Result<(), TlsError> {
        let ca_key = KeyPair::from_pem(&read(&self.ca_key)?)?;
        let issuer = Issuer::from_ca_cert_pem(&read(&self.ca_cert)?, ca_key)?;
        let key = KeyPair::generate()?;
        let mut params = params(host, now, SERVER_DAYS);
        let mut names: Vec<String> =
            ["localhost", "127.0.0.1", "::1", host].map(String::from).to_vec();
        names.sort();
        names.dedup();
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let cert = params.signed_by(&key, &issuer)?;
        write(&self.key, &key.serialize_pem(), 0o600)?;
        write(&self.cert, &cert.pem(), 0o644)
    }

    /// The TLS configuration of the server: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// When certificate or key cannot be read or used.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let pem = |p: &Path| {
            let p = p.to_owned();
            move |e| TlsError::Pem(p, e)
        };
        let cert = CertificateDer::from_pem_file(&self.cert).map_err(pem(&self.cert))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(pem(&self.key))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn params(name: &str, now: jiff::Timestamp, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut dn = DistinguishedName::new();
    dn.push(DnType::CommonName, name);
    params.distinguished_name = dn;
    let start = std::time::UNIX_EPOCH
        + std::time::Duration::from_secs(u64::try_from(now.as_second()).unwrap_or_default());
    let day = std::time::Duration::from_secs(86_400);
    params.not_before = (start - day).into();
    params.not_after = (start + day * u32::try_from(days).unwrap_or_default()).into();
    params
}

fn read(path: &Path) -> Result<String, TlsError> {
    fs::read_to_string(path).map_err(|e| TlsError::File(path.to_owned(), e))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let failed = |e| TlsError::File(path.to_owned(), e);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
