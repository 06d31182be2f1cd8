//! Everything that can go wrong, by stage, with what the caller may do about it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::error::Error as _;
use std::time::Duration;

/// The result of everything that talks to a PCE.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed.
///
/// `Display` says what failed in this layer; walk [`std::error::Error::source`] for the causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client cannot be made as asked: bad address, unreadable file, missing variable.
    #[error("{0}")]
    Config(String),
    /// A value that the client refuses before sending anything.
    #[error("invalid `{field}`: {reason}")]
    Invalid {
        /// Which value.
        field: String,
        /// What is wrong with it, and what is accepted.
        reason: String,
    },
    /// The request did not reach the server, or the connection broke before the whole answer.
    #[error("{request}: no connection or a broken one")]
    Transport {
        /// Method and URL.
        request: String,
        /// What the HTTP library says.
        source: reqwest::Error,
    },
    /// Nothing was heard from the server for the timeout, or a job did not end in time.
    #[error("{request}: nothing within {seconds} s")]
    Timeout {
        /// Method and URL, or the job.
        request: String,
        /// Seconds waited.
        seconds: u64,
    },
    /// The answer is not what the API promises.
    #[error("{request}: cannot read the answer at `{path}`: {reason}")]
    Decode {
        /// Method and URL.
        request: String,
        /// JSON path of the value, `.` for the whole body.
        path: String,
        /// What was found.
        reason: String,
    },
    /// The server refused the request.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The asynchronous job of a collection ended in failure.
    #[error("job {href} failed: {message}")]
    Job {
        /// The job.
        href: String,
        /// What the server says.
        message: String,
    },
    /// A bulk call broke off between two requests: some items are done, the rest is not.
    #[error("{} of {total} items were answered before this failure", done.len())]
    Bulk {
        /// One result per item of the requests that were answered, in order.
        done: Vec<crate::BulkResult>,
        /// Items asked for.
        total: usize,
        /// Why the next request failed. What it held may have been applied if the connection broke.
        source: Box<Self>,
    },
}

/// A refusal by the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Method and path.
    pub request: String,
    /// The elements of the body; empty when it is not in the API's form.
    pub errors: Vec<ErrorItem>,
    /// How long the server asks to wait.
    pub retry_after: Option<Duration>,
    /// The server's name for the request, to find it in its logs.
    pub request_id: Option<String>,
    /// The beginning of a body that is not in the API's form.
    pub body: Option<String>,
}

/// One element of an error answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorItem {
    /// Machine-readable reason.
    pub token: String,
    /// Text for people.
    pub message: String,
    /// Further members.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Characters shown of a body that is not in the API's form.
const EXCERPT_CHARS_MAX: usize = 200;

impl std::fmt::Display for ErrorItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.token.as_str(), self.message.as_str()) {
            ("", message) => f.write_str(message),
            (token, "") => f.write_str(token),
            (token, message) => write!(f, "{token}: {message}"),
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.request, self.status)?;
        for (n, item) in self.errors.iter().enumerate() {
            write!(f, "{}{item}", if n == 0 { " " } else { "; " })?;
        }
        self.body.as_ref().map_or(Ok(()), |body| write!(f, " `{body}`"))
    }
}

impl std::error::Error for ApiError {}

impl ApiError {
    /// Reads the body of an answer with status 400 or above.
    pub(crate) fn new(status: u16, request: String, body: &[u8]) -> Self {
        let errors = serde_json::from_slice(body).map_or_else(|_| Vec::new(), items);
        let text = String::from_utf8_lossy(body);
        let excerpt = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let excerpt: String = excerpt.chars().take(EXCERPT_CHARS_MAX).collect();
        let body = (errors.is_empty() && !excerpt.is_empty()).then_some(excerpt);
        Self { status, request, errors, retry_after: None, request_id: None, body }
    }

    /// The token of the first element.
    pub fn token(&self) -> Option<&str> {
        self.errors.first().map(|item| item.token.as_str()).filter(|token| !token.is_empty())
    }

    /// Whether a token of the answer holds this text: tokens of one family share a substring, such as
    /// `already_deleted`.
    pub fn mentions(&self, part: &str) -> bool {
        self.errors.iter().any(|item| item.token.contains(part))
    }
}

/// The elements of an error body: the array of the API, or what gateways send in its place.
fn items(body: Value) -> Vec<ErrorItem> {
    let of_text = |message: String| ErrorItem { message, ..ErrorItem::default() };
    let item = |value: Value| match value {
        Value::Object(mut map) if !map.contains_key("token") && map.contains_key("error") => {
            Some(of_text(map.remove("error").as_ref().map(text).unwrap_or_default()))
        }
        Value::Object(_) => serde_json::from_value(value).ok(),
        other => Some(of_text(text(&other))),
    };
    match body {
        Value::Array(list) => list.into_iter().filter_map(item).collect(),
        Value::Object(mut map) => match map.remove("errors") {
            Some(Value::Array(list)) => list.into_iter().filter_map(item).collect(),
            _ => item(Value::Object(map)).into_iter().collect(),
        },
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), reason: reason.into() }
    }

    pub(crate) fn transport(request: &str, timeout: Duration, source: reqwest::Error) -> Self {
        let request = request.to_owned();
        if source.is_timeout() {
            return Self::Timeout { request, seconds: timeout.as_secs() };
        }
        // The URL is in our own text already.
        Self::Transport { request, source: source.without_url() }
    }

    /// The refusal, when the server answered with one.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(refusal) => Some(refusal),
            Self::Bulk { source, .. } => source.api(),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        self.api().map(|refusal| refusal.status)
    }

    /// The first token of a refusal.
    pub fn token(&self) -> Option<&str> {
        self.api().and_then(ApiError::token)
    }

    /// The first message of a refusal.
    pub fn message(&self) -> Option<&str> {
        self.api().and_then(|refusal| refusal.errors.first()).map(|item| item.message.as_str())
    }

    /// How long the server asks to wait before trying again.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api().and_then(|refusal| refusal.retry_after)
    }

    /// Whether the object is not there, or not any more.
    pub fn is_gone(&self) -> bool {
        self.api()
            .is_some_and(|refusal| refusal.status == 404 || refusal.mentions("already_deleted"))
    }

    /// Whether the same call may succeed later without change.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Timeout { .. } => true,
            Self::Api(refusal) => matches!(refusal.status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Bulk { source, .. } => source.is_retryable(),
            Self::Config(_) | Self::Invalid { .. } | Self::Decode { .. } | Self::Job { .. } => {
                false
            }
        }
    }

    /// What to try next, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Transport { source, .. } => Some(transport_hint(source)),
            Self::Timeout { .. } => Some("raise the timeout, or ask for less"),
            Self::Api(refusal) => status_hint(refusal),
            Self::Bulk { source, .. } => source.hint(),
            Self::Decode { reason, .. } if reason.contains("HTML") => {
                Some("a proxy or a login page may stand between; check address, port and proxy")
            }
            _ => None,
        }
    }
}

fn status_hint(refusal: &ApiError) -> Option<&'static str> {
    match refusal.status {
        401 => Some("check the API key and secret; the key may have expired or been revoked"),
        403 => Some("check the organisation, and the roles of the key's owner"),
        407 => Some("the proxy wants credentials; put them into its URL"),
        429 => Some("the rate limit is used up; wait a minute or ask for fewer, larger answers"),
        _ if refusal.body.as_ref().is_some_and(|body| body.starts_with('<')) => {
            Some("a proxy or a gateway answered instead of the PCE; check address, port and proxy")
        }
        _ => None,
    }
}

/// Names the usual causes of broken connections.
fn transport_hint(error: &reqwest::Error) -> &'static str {
    let mut texts = String::new();
    let mut cause = error.source();
    while let Some(next) = cause {
        texts.push_str(&next.to_string());
        texts.push('\n');
        cause = next.source();
    }
    const CAUSES: &[(&str, &str)] = &[
        (
            "UnknownIssuer",
            "the server's certificate is not signed by a trusted CA; give the CA bundle",
        ),
        ("NotValidForName", "the certificate is for another name; use the name that it holds"),
        ("Expired", "the server's certificate has expired"),
        ("certificate", "check the CA bundle and the client certificate"),
        ("refused", "nothing listens there; check address and port, and that the PCE runs"),
        ("lookup", "the name is unknown; check the address"),
        ("dns error", "the name is unknown; check the address"),
        ("corrupt message", "the server speaks no TLS there; check the port and the scheme"),
    ];
    let known = CAUSES.iter().find(|(part, _)| texts.contains(part));
    known.map_or("check address, port, proxy and network", |(_, hint)| hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form_of_error_body() {
        let read = |body: &str| ApiError::new(406, "GET /x".to_owned(), body.as_bytes());
        let shown = |body: &str| read(body).to_string();
        let token = r#"[{"token":"a","message":"b"},{"token":"c","message":"d"}]"#;
        assert_eq!(shown(token), "GET /x: 406 a: b; c: d");
        assert_eq!(read(token).token(), Some("a"));
        assert_eq!(shown(r#"[{"error":"no"}]"#), "GET /x: 406 no");
        assert_eq!(shown(r#"["no"]"#), "GET /x: 406 no");
        assert_eq!(shown(r#"{"errors":[{"token":"a"}]}"#), "GET /x: 406 a");
        assert_eq!(shown(r#"{"token":"a","message":"b"}"#), "GET /x: 406 a: b");
        assert_eq!(shown("<html>\n <p>Bad gateway"), "GET /x: 406 `<html> <p>Bad gateway`");
        assert_eq!(shown(""), "GET /x: 406");
    }
}
