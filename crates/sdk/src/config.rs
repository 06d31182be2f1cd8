//! Where the PCE is and how to reach it: the builder, the environment, the address.

use crate::pce::Inner;
use crate::tls::{self, ClientCert, Verify};
use crate::{Credentials, Error, Pce, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Port used when neither the URL nor the builder names one.
pub const PORT_DEFAULT: u16 = 443;
/// Seconds without a byte from the server after which a call fails.
pub const TIMEOUT_S_DEFAULT: u64 = 30;
/// Times a failed call is repeated.
pub const RETRY_COUNT_DEFAULT: u32 = 5;
/// Seconds that an asynchronous job may take.
pub const JOB_TIMEOUT_S_DEFAULT: u64 = 600;

/// What a [`Pce`] is made of; [`Pce::builder`] starts one, [`Pce::to_builder`] changes one.
#[derive(Clone, Debug)]
#[must_use]
pub struct PceBuilder {
    pub(crate) url: String,
    pub(crate) port: Option<u16>,
    pub(crate) version: String,
    pub(crate) org: u32,
    pub(crate) include_org: bool,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) proxies: Proxies,
    pub(crate) verify: Verify,
    pub(crate) client_cert: Option<ClientCert>,
    pub(crate) timeout: Duration,
    pub(crate) job_timeout: Duration,
    pub(crate) retry_count: u32,
}

/// Which proxies stand between.
#[derive(Clone, Debug, Default)]
pub(crate) enum Proxies {
    /// Those of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    #[default]
    Environment,
    /// None.
    Direct,
    /// These.
    Given { http: Option<String>, https: Option<String> },
}

impl PceBuilder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            port: None,
            version: "v2".to_owned(),
            org: 1,
            include_org: true,
            credentials: None,
            proxies: Proxies::default(),
            verify: Verify::default(),
            client_cert: None,
            timeout: Duration::from_secs(TIMEOUT_S_DEFAULT),
            job_timeout: Duration::from_secs(JOB_TIMEOUT_S_DEFAULT),
            retry_count: RETRY_COUNT_DEFAULT,
        }
    }

    /// The port; stronger than one in the URL.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The API version in paths; `v2` unless set.
    pub fn version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    /// The organisation; 1 unless set.
    pub fn org(mut self, org: u32) -> Self {
        self.org = org;
        self
    }

    /// Whether raw calls put `/orgs/N` before their path unless they say otherwise; true unless set.
    pub fn include_org(mut self, include: bool) -> Self {
        self.include_org = include;
        self
    }

    /// User name and password, or API key and secret.
    pub fn credentials(mut self, user: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials = Some(Credentials::new(user, secret));
        self
    }

    /// API key (`api_...`) and secret.
    pub fn api_key(self, key: impl Into<String>, secret: impl Into<String>) -> Self {
        self.credentials(key, secret)
    }

    /// Proxies for plain and for TLS connections, in place of those of the environment.
    pub fn proxies(mut self, http: Option<&str>, https: Option<&str>) -> Self {
        let own = |url: Option<&str>| url.map(str::to_owned);
        self.proxies = Proxies::Given { http: own(http), https: own(https) };
        self
    }

    /// No proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxies = Proxies::Direct;
        self
    }

    /// How the server's certificate is checked.
    pub fn verify(mut self, verify: Verify) -> Self {
        self.verify = verify;
        self
    }

    /// Trusts the certificates of a PEM file, and no others.
    pub fn ca_file(self, path: impl AsRef<Path>) -> Self {
        self.verify(Verify::CaFile(path.as_ref().to_owned()))
    }

    /// The client's own certificate: a PEM file with certificate and key.
    pub fn client_cert(self, both: impl AsRef<Path>) -> Self {
        self.client_cert_and_key(&both, &both)
    }

    /// The client's own certificate and its key, each a PEM file.
    pub fn client_cert_and_key(mut self, cert: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        let (cert, key) = (cert.as_ref().to_owned(), key.as_ref().to_owned());
        self.client_cert = Some(ClientCert { cert, key });
        self
    }

    /// How long a call waits for the next byte of its answer; 30 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long an asynchronous job may take; 10 minutes unless set.
    pub fn job_timeout(mut self, timeout: Duration) -> Self {
        self.job_timeout = timeout;
        self
    }

    /// How often a failed call is repeated; 5 unless set, 0 = never.
    pub fn retry_count(mut self, count: u32) -> Self {
        self.retry_count = count;
        self
    }

    /// Makes the client. Nothing is sent.
    ///
    /// # Errors
    /// [`Error::Config`] for a bad address, port 0, organisation 0, or files that cannot be used.
    pub fn build(self) -> Result<Pce> {
        let base = self.base()?;
        let http = self.http_client(base.starts_with("https"))?;
        let auth = match &self.credentials {
            None => None,
            Some(given) => Some(given.header().ok_or_else(|| {
                Error::Config("the credentials hold characters that no header may".to_owned())
            })?),
        };
        Ok(Pce::from_inner(Arc::new(Inner { http, base, auth, config: self })))
    }

    /// Scheme, host, port and API version.
    fn base(&self) -> Result<String> {
        let (scheme, host) = crate::functions::parse_url(&self.url)?;
        let port = self.port.or(port_of(&self.url)?).unwrap_or(PORT_DEFAULT);
        if port == 0 || self.org == 0 {
            let text = "the port and the organisation are numbers from 1".to_owned();
            return Err(Error::Config(text));
        }
        Ok(format!("{scheme}://{host}:{port}/api/{}", self.version))
    }

    fn http_client(&self, tls: bool) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("bulkhead-sdk/", env!("CARGO_PKG_VERSION")))
            // A redirect would lose the `/api/v2` prefix of the API's own paths.
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(self.timeout)
            .read_timeout(self.timeout)
            .tcp_nodelay(true)
            .retry(reqwest::retry::never());
        // Without TLS nothing is loaded, and the default of the library is never asked for.
        let tls = if tls { &self.verify } else { &Verify::Off };
        builder = builder.tls_backend_preconfigured(tls::config(tls, self.client_cert.as_ref())?);
        builder = match &self.proxies {
            Proxies::Environment => builder,
            Proxies::Direct => builder.no_proxy(),
            Proxies::Given { http, https } => {
                let http = http.as_ref().map(reqwest::Proxy::http);
                let https = https.as_ref().map(reqwest::Proxy::https);
                let mut builder = builder.no_proxy();
                for proxy in [http, https].into_iter().flatten() {
                    builder = builder.proxy(proxy.map_err(|e| config_error("the proxy", e))?);
                }
                builder
            }
        };
        builder.build().map_err(|e| config_error("the client", e))
    }

    /// The builder that the environment describes; see [`Pce::from_env`].
    ///
    /// # Errors
    /// [`Error::Config`] when the host is missing or a number is none.
    pub fn from_env() -> Result<Self> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// [`PceBuilder::from_env`] over any source of variables.
    ///
    /// # Errors
    /// As [`PceBuilder::from_env`].
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let host = var("ILLUMIO_PCE_HOST")
            .ok_or_else(|| Error::Config("set ILLUMIO_PCE_HOST to the PCE's address".to_owned()))?;
        let mut builder = Self::new(&host);
        if let Some(port) = var("ILLUMIO_PCE_PORT") {
            builder = builder.port(number("ILLUMIO_PCE_PORT", &port)?);
        }
        if let Some(org) = var("ILLUMIO_PCE_ORG_ID") {
            builder = builder.org(number("ILLUMIO_PCE_ORG_ID", &org)?);
        }
        match (var("ILLUMIO_API_KEY_USERNAME"), var("ILLUMIO_API_KEY_SECRET")) {
            (Some(key), Some(secret)) => builder = builder.api_key(key, secret),
            (None, None) => {}
            _ => {
                let text = "set ILLUMIO_API_KEY_USERNAME and ILLUMIO_API_KEY_SECRET together";
                return Err(Error::Config(text.to_owned()));
            }
        }
        if let Some(path) = var("ILLUMIO_CA_FILE") {
            builder = builder.ca_file(path);
        }
        let insecure = var("ILLUMIO_ALLOW_INSECURE_TLS").unwrap_or_default();
        if !insecure.is_empty() && truth("ILLUMIO_ALLOW_INSECURE_TLS", &insecure)? {
            builder = builder.verify(Verify::Off);
        }
        if let Some(proxy) = var("ILLUMIO_PROXY_URL") {
            builder = builder.proxies(Some(&proxy), Some(&proxy));
        }
        Ok(builder)
    }
}

fn config_error(what: &str, error: reqwest::Error) -> Error {
    use std::error::Error as _;
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    Error::Config(format!("cannot make {what}: {cause}"))
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| Error::Config(format!("{name} is no number in range: `{text}`")))
}

fn truth(name: &str, text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Ok(true),
        "0" | "false" | "no" | "off" => Ok(false),
        _ => Err(Error::Config(format!("{name} is neither true nor false: `{text}`"))),
    }
}

/// The port in a URL, if it has one.
fn port_of(url: &str) -> Result<Option<u16>> {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let tail = authority.rsplit_once(']').map_or(authority, |(_, tail)| tail);
    tail.rsplit_once(':').map(|(_, port)| number("the port in the URL", port)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str, port: Option<u16>) -> Result<String> {
        PceBuilder { port, ..PceBuilder::new(url) }.base()
    }

    #[test]
    fn the_address_is_a_name_or_a_url() {
        for (url, port, want) in [
            ("pce.example.com", None, "https://pce.example.com:443/api/v2"),
            ("pce.example.com", Some(8443), "https://pce.example.com:8443/api/v2"),
            ("http://pce.example.com/x?y", None, "http://pce.example.com:443/api/v2"),
            ("https://127.0.0.1:9000", None, "https://127.0.0.1:9000/api/v2"),
            ("https://127.0.0.1:9000/", Some(1), "https://127.0.0.1:1/api/v2"),
            ("[::1]:8443", None, "https://[::1]:8443/api/v2"),
        ] {
            assert_eq!(base(url, port).unwrap(), want);
        }
        for bad in ["", "ftp://x", "https://", "x:y", "x:70000", "x:0", "a b"] {
            assert!(base(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_environment_says_it_all() {
        let vars = |set: &'static [(&'static str, &'static str)]| {
            PceBuilder::from_vars(move |name| {
                set.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned())
            })
        };
        let all = vars(&[
            ("ILLUMIO_PCE_HOST", "pce.example.com"),
            ("ILLUMIO_PCE_PORT", "8443"),
            ("ILLUMIO_PCE_ORG_ID", "7"),
            ("ILLUMIO_API_KEY_USERNAME", "api_1"),
            ("ILLUMIO_API_KEY_SECRET", "s"),
            ("ILLUMIO_ALLOW_INSECURE_TLS", "True"),
            ("ILLUMIO_PROXY_URL", "http://proxy:3128"),
        ])
        .unwrap();
        assert_eq!((all.port, all.org, all.verify.clone()), (Some(8443), 7, Verify::Off));
        assert_eq!(all.credentials, Some(Credentials::new("api_1", "s")));
        assert!(
            matches!(&all.proxies, Proxies::Given { https: Some(p), .. } if p.ends_with("3128"))
        );
        assert!(vars(&[]).is_err());
        assert!(vars(&[("ILLUMIO_PCE_HOST", "x"), ("ILLUMIO_PCE_PORT", "no")]).is_err());
        assert!(vars(&[("ILLUMIO_PCE_HOST", "x"), ("ILLUMIO_API_KEY_SECRET", "s")]).is_err());
    }
}
