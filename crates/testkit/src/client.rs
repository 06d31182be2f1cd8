//! A small blocking client: JSON over plain HTTP on loopback, a connection per request.

use base64::Engine;
use minreq::{Method, Request};
use serde_json::Value;

/// Seconds after which a request without an answer fails.
const TIMEOUT_S: u64 = 60;

/// Sends requests to one server with one credential.
#[derive(Clone, Debug)]
pub struct Client {
    base: String,
    authorization: Option<String>,
    org: u32,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers with lower-case names, in the order sent.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; null when it is empty or no JSON.
    pub body: Value,
    /// The body as sent.
    pub text: String,
}

impl Client {
    /// A client without credentials; `base` is scheme, host and port.
    pub fn anonymous(base: &str) -> Self {
        Self { base: base.to_owned(), authorization: None, org: 1 }
    }

    /// The same server with HTTP Basic credentials.
    #[must_use]
    pub fn with(&self, user: &str, secret: &str) -> Self {
        let token = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{secret}"));
        Self { authorization: Some(format!("Basic {token}")), ..self.clone() }
    }

    /// The same server and credential, for paths of another organisation.
    #[must_use]
    pub fn in_org(&self, org: u32) -> Self {
        Self { org, ..self.clone() }
    }

    /// The same credential at another server; `base` is scheme, host and port.
    #[must_use]
    pub fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The `Authorization` header, if there is one.
    pub fn authorization(&self) -> Option<&str> {
        self.authorization.as_deref()
    }

    /// The server's scheme, host and port.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The organisation that [`Client::path`] puts before relative paths.
    pub fn org(&self) -> u32 {
        self.org
    }

    /// The full path: one that starts with `/` goes below `/api/v2`, others below the organisation.
    pub fn path(&self, path: &str) -> String {
        match path.starts_with('/') {
            true => format!("/api/v2{path}"),
            false => format!("/api/v2/orgs/{}/{path}", self.org),
        }
    }

    /// Sends a request and returns the answer, or why there was none.
    ///
    /// # Errors
    /// When the connection fails or ends before the whole answer.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, minreq::Error> {
        let bytes = body.map(|b| b.to_string().into_bytes());
        self.try_send_raw(method, &self.path(path), &[], bytes)
    }

    /// [`Client::try_send`] with a full path, further headers and any bytes.
    ///
    /// # Errors
    /// When the connection fails or ends before the whole answer.
    pub fn try_send_raw(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Reply, minreq::Error> {
        let url = format!("{}{path}", self.base);
        let mut request = Request::new(Method::Custom(method.to_owned()), url)
            .with_timeout(TIMEOUT_S)
            .with_follow_redirects(false)
            .with_header("Accept", "application/json");
        if let Some(a) = &self.authorization {
            request = request.with_header("Authorization", a);
        }
        if body.is_some() && !headers.iter().any(|(k, _)| k.eq_ignore_ascii_case("content-type")) {
            request = request.with_header("Content-Type", "application/json");
        }
        for (name, value) in headers {
            request = request.with_header(*name, *value);
        }
        if let Some(bytes) = body {
            request = request.with_body(bytes);
        } else if method != "GET" {
            request = request.with_header("Content-Length", "0");
        }
        let response = request.send()?;
        // What the library makes of a connection that ended without a status line.
        if response.status_code == 503 && response.headers.is_empty() {
            return Err(minreq::Error::IoError(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Reply::new(&response))
    }

    /// Sends a request.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        match self.try_send(method, path, body) {
            Ok(reply) => reply,
            Err(e) => panic!("{method} {path}: no answer: {e}"),
        }
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None)
    }

    /// POST of a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, Some(body))
    }

    /// PUT of a JSON body.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, Some(body))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, None)
    }
}

impl Reply {
    fn new(r: &minreq::Response) -> Self {
        let text = String::from_utf8_lossy(r.as_bytes()).into_owned();
        Self {
            status: r.status_code,
            headers: r.headers.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.clone())).collect(),
            body: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }

    /// The first header of that name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(k, _)| k.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    /// Fails the test unless the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "unexpected status; body: {}", self.text);
        self
    }

    /// The `href` of the body; fails the test without one.
    #[track_caller]
    pub fn href(&self) -> String {
        match self.body.get("href").and_then(Value::as_str) {
            Some(href) => href.to_owned(),
            None => panic!("no href in the answer {}: {}", self.status, self.text),
        }
    }

    /// The tokens of an error body, or of the errors in a list.
    pub fn tokens(&self) -> Vec<&str> {
        let items = self.body.as_array().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(|i| i.get("token").and_then(Value::as_str)).collect()
    }
}
