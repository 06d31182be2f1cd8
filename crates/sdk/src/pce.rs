//! The client: one handle for everything, cheap to clone.

use crate::models::{IpList, Label, PairingProfile, Service, WorkloadSettings};
use crate::resource::Single;
use crate::transport::{Call, Request};
use crate::{
    ALL_SERVICES_NAME, ANY_IP_LIST_NAME, Credentials, Error, Handle, PceBuilder, RefTo, Resource,
    Result, href_from,
};
use reqwest::Method;
use reqwest::header::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// A Policy Compute Engine, and the credentials to use it with.
///
/// Clones share connections. Handles of the kinds of objects are methods: [`Pce::labels`],
/// [`Pce::rule_sets`] and so on; [`Pce::get`], [`Pce::post`], [`Pce::put`] and [`Pce::delete`] reach
/// everything else.
#[derive(Clone, Debug)]
pub struct Pce {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    /// Scheme, host, port, `/api/v2`.
    pub(crate) base: String,
    pub(crate) auth: Option<HeaderValue>,
    pub(crate) config: PceBuilder,
}

impl Pce {
    /// Starts a client for a PCE: a host name, or a URL with `http` or `https`.
    pub fn builder(url: &str) -> PceBuilder {
        PceBuilder::new(url)
    }

    /// The client that the environment describes.
    ///
    /// Variables: `ILLUMIO_PCE_HOST`, `ILLUMIO_PCE_PORT`, `ILLUMIO_PCE_ORG_ID`, `ILLUMIO_API_KEY_USERNAME`,
    /// `ILLUMIO_API_KEY_SECRET`, `ILLUMIO_CA_FILE`, `ILLUMIO_ALLOW_INSECURE_TLS`, `ILLUMIO_PROXY_URL`.
    ///
    /// # Errors
    /// As [`PceBuilder::from_env`] and [`PceBuilder::build`].
    pub fn from_env() -> Result<Self> {
        PceBuilder::from_env()?.build()
    }

    pub(crate) const fn from_inner(inner: Arc<Inner>) -> Self {
        Self { inner }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// A builder with everything as it is here, to change timeouts, proxies or TLS.
    pub fn to_builder(&self) -> PceBuilder {
        self.inner.config.clone()
    }

    /// The same PCE over the same connections with other credentials.
    ///
    /// # Errors
    /// [`Error::Config`] when they hold characters that no header may.
    pub fn with_credentials(&self, user: &str, secret: &str) -> Result<Self> {
        let given = Credentials::new(user, secret);
        let Some(auth) = given.header() else {
            return Err(Error::Config("the credentials hold unusable characters".to_owned()));
        };
        let mut config = self.to_builder();
        config.credentials = Some(given);
        let (http, base) = (self.inner.http.clone(), self.inner.base.clone());
        Ok(Self::from_inner(Arc::new(Inner { http, base, auth: Some(auth), config })))
    }

    /// The organisation.
    pub fn org_id(&self) -> u32 {
        self.inner.config.org
    }

    /// Scheme, host, port and API version: what every path is put behind.
    pub fn base_url(&self) -> &str {
        &self.inner.base
    }

    /// A GET of a path below the organisation; await it.
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// A POST to a path below the organisation; give it a body, and await it.
    pub fn post(&self, path: &str) -> Request {
        self.request(Method::POST, path)
    }

    /// A PUT to a path below the organisation; give it a body, and await it.
    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    /// A DELETE of a path below the organisation; await it.
    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// A call with any method.
    pub fn request(&self, method: Method, path: &str) -> Request {
        Request::new(self, method, path)
    }

    /// The collection at a path through an asynchronous job, whole and as JSON; for large ones prefer
    /// [`crate::List::all`] of a handle, or [`Pce::stream`].
    ///
    /// # Errors
    /// [`Error::Job`] when the job fails, and those of [`Request::send`].
    pub async fn get_collection(&self, path: &str) -> Result<Vec<Value>> {
        use futures_util::TryStreamExt;
        self.stream::<Value>(self.get(path)).try_collect().await
    }

    /// The handle of any resource, also of one declared elsewhere.
    pub fn resource<R: Resource>(&self) -> Handle<R> {
        Handle::new(self)
    }

    /// Checks that the PCE answers and accepts the credentials.
    ///
    /// # Errors
    /// Why it does not, with the hint of [`Error::hint`].
    pub async fn must_connect(&self) -> Result<()> {
        self.get("/health").include_org(false).await?;
        self.get("/settings/workloads").include_org(true).await?;
        Ok(())
    }

    /// Whether [`Pce::must_connect`] succeeds.
    pub async fn check_connection(&self) -> bool {
        self.must_connect().await.is_ok()
    }

    /// The IP list that holds every address.
    ///
    /// # Errors
    /// [`Error::Decode`] when the server has none, and those of [`Request::send`].
    pub async fn get_default_ip_list(&self) -> Result<IpList> {
        let found = self.ip_lists().active().get_by_name(ANY_IP_LIST_NAME).await?;
        found.ok_or_else(|| missing("/sec_policy/active/ip_lists", ANY_IP_LIST_NAME))
    }

    /// The service that holds every port and protocol.
    ///
    /// # Errors
    /// As [`Pce::get_default_ip_list`].
    pub async fn get_default_service(&self) -> Result<Service> {
        let found = self.services().active().get_by_name(ALL_SERVICES_NAME).await?;
        found.ok_or_else(|| missing("/sec_policy/active/services", ALL_SERVICES_NAME))
    }

    /// Makes a key with which hosts pair through a profile. It is shown once.
    ///
    /// # Errors
    /// Those of [`Request::send`].
    pub async fn generate_pairing_key(
        &self,
        profile: &(impl RefTo<PairingProfile> + ?Sized),
    ) -> Result<String> {
        #[derive(Deserialize)]
        struct Key {
            activation_code: String,
        }
        let path = format!("{}/pairing_key", href_from(profile)?);
        let answer = self.post(&path).json(&json!({})).await?;
        answer.json::<Key>().map(|key| key.activation_code)
    }

    /// The label with that key and exactly that value.
    ///
    /// # Errors
    /// Those of [`Request::send`].
    pub async fn find_label(&self, key: &str, value: &str) -> Result<Option<Label>> {
        let found =
            self.labels().list().filter("key", key).filter("value", value).get_all().await?;
        let exact = |label: &Label| label.value.as_deref() == Some(value);
        Ok(found.into_iter().find(exact))
    }

    /// The settings of workloads, which every user may read.
    ///
    /// # Errors
    /// Those of [`Request::send`].
    pub async fn get_workload_settings(&self) -> Result<WorkloadSettings> {
        self.workload_settings().read().await
    }
}

impl<R: Single> Handle<R> {
    /// The one object of this kind.
    ///
    /// # Errors
    /// Those of [`Request::send`].
    pub async fn read(&self) -> Result<R> {
        self.pce().inner().send(&Call::get(&self.path()?)).await?.json()
    }
}

fn missing(path: &str, name: &str) -> Error {
    let reason = format!("there is no `{name}`; every organisation should have it");
    Error::Decode { request: format!("GET {path}"), path: ".".to_owned(), reason }
}
