//! One call: sent, repeated when that helps, and its answer read.

use crate::pce::Inner;
use crate::{ApiError, Error, Pce, Result};
use bytes::{Bytes, BytesMut};
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

/// Bytes of an answer that is held in memory as a whole; larger ones are read as streams.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// Longest wait between two tries; a server that asks for more is not asked again.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// Wait before the first repetition when the server names none; doubles each time.
const WAIT_FIRST: Duration = Duration::from_millis(250);
/// The same after a 429: limits count by the minute.
const WAIT_FIRST_LIMITED: Duration = Duration::from_secs(1);

/// A raw call in the making; await it, or [`Request::send`] it.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited"]
pub struct Request {
    pce: Pce,
    call: Call,
    include_org: bool,
    error: Option<Error>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
    /// Whether sending it twice does no harm.
    pub(crate) repeatable: bool,
}

/// An answer with a status below 400.
#[derive(Clone, Debug)]
pub struct Response {
    request: String,
    /// HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decompressed.
    pub body: Bytes,
}

impl Request {
    pub(crate) fn new(pce: &Pce, method: Method, path: &str) -> Self {
        let call = Call::new(method, path);
        Self { pce: pce.clone(), call, include_org: pce.inner().config.include_org, error: None }
    }

    /// Adds a query parameter.
    pub fn query(mut self, name: &str, value: impl ToString) -> Self {
        push_query(&mut self.call.path, name, &value.to_string());
        self
    }

    /// Sets a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => _ = self.call.headers.insert(name, value),
            _ => self.error = Some(Error::invalid("header", format!("`{name}` cannot be sent"))),
        }
        self
    }

    /// Sets the body.
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => self.call.body = Some(bytes.into()),
            Err(e) => self.error = Some(Error::invalid("body", e.to_string())),
        }
        self
    }

    /// Whether `/orgs/N` is put before the path. Paths that begin with `/orgs/` never get it.
    pub fn include_org(mut self, include: bool) -> Self {
        self.include_org = include;
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// [`Error::Api`] for a status of 400 or above; [`Error::Transport`] and [`Error::Timeout`] when
    /// there is no answer.
    pub async fn send(self) -> Result<Response> {
        let (pce, call) = self.ready()?;
        pce.inner().send(&call).await
    }

    /// The client and the call with its full path.
    pub(crate) fn ready(mut self) -> Result<(Pce, Call)> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let path = self.call.path.trim_start_matches('/');
        self.call.path = match self.include_org && !path.starts_with("orgs/") {
            true => format!("/orgs/{}/{path}", self.pce.org_id()),
            false => format!("/{path}"),
        };
        Ok((self.pce, self.call))
    }
}

impl IntoFuture for Request {
    type Output = Result<Response>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// Appends a query parameter to a path.
pub(crate) fn push_query(path: &mut String, name: &str, value: &str) {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    path.push(if path.contains('?') { '&' } else { '?' });
    path.extend(utf8_percent_encode(name, KEPT));
    path.push('=');
    path.extend(utf8_percent_encode(value, KEPT));
}

impl Call {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        // A repeated bulk_create would create twice.
        let repeatable = method != Method::POST && !path.contains("/bulk_create");
        Self { method, path: path.to_owned(), headers: HeaderMap::new(), body: None, repeatable }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    /// Method and path, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Inner {
    /// Sends a call and reads the whole answer, with repetitions.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response> {
        let mut tries = 0;
        loop {
            match self.whole(call).await {
                Ok(answer) => return Ok(answer),
                // An earlier try deleted it, and its answer was lost.
                Err(error) if tries > 0 && call.method == Method::DELETE && error.is_gone() => {
                    return Ok(Response::empty(call));
                }
                Err(error) => self.pause(call, error, &mut tries).await?,
            }
        }
    }

    /// Sends a call and leaves the body of the answer to be read, with repetitions up to there.
    pub(crate) async fn open(&self, call: &Call) -> Result<reqwest::Response> {
        let mut tries = 0;
        loop {
            match self.once(call).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.pause(call, error, &mut tries).await?,
            }
        }
    }

    /// Waits before the next try, or gives the error back when there is none.
    async fn pause(&self, call: &Call, error: Error, tries: &mut u32) -> Result<()> {
        let Some(wait) = wait(&error, call.repeatable, *tries, self.config.retry_count) else {
            return Err(error);
        };
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(request = call.name(), tries = *tries, wait_ms, %error, "repeating");
        tokio::time::sleep(wait).await;
        *tries += 1;
        Ok(())
    }

    async fn whole(&self, call: &Call) -> Result<Response> {
        let answer = self.once(call).await?;
        self.read(call, answer).await
    }

    /// Sends a call once; statuses of 400 and above are errors.
    async fn once(&self, call: &Call) -> Result<reqwest::Response> {
        let url = format!("{}{}", self.base, call.path);
        let mut request = self.http.request(call.method.clone(), url).headers(call.headers.clone());
        if !call.headers.contains_key(ACCEPT) {
            request = request.header(ACCEPT, "application/json");
        }
        if let Some(auth) = &self.auth {
            request = request.header(reqwest::header::AUTHORIZATION, auth);
        }
        if call.body.is_some() || matches!(call.method, Method::POST | Method::PUT) {
            if !call.headers.contains_key(CONTENT_TYPE) {
                request = request.header(CONTENT_TYPE, "application/json");
            }
            request = request.body(call.body.clone().unwrap_or_default());
        }
        let answer = request.send().await.map_err(|e| self.transport(call, e))?;
        let status = answer.status();
        tracing::trace!(request = call.name(), status = status.as_u16(), "answered");
        if status.as_u16() < 400 {
            return Ok(answer);
        }
        let retry_after = header(answer.headers(), RETRY_AFTER.as_str()).and_then(seconds);
        let request_id = header(answer.headers(), "x-request-id").map(str::to_owned);
        // A refusal without a readable body is still that refusal.
        let body = answer.bytes().await.unwrap_or_default();
        let refusal = ApiError::new(status.as_u16(), call.name(), &body);
        Err(Error::Api(Box::new(ApiError { retry_after, request_id, ..refusal })))
    }

    async fn read(&self, call: &Call, mut answer: reqwest::Response) -> Result<Response> {
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.transport(call, e))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                let reason = format!("more than {ANSWER_BYTES_MAX} bytes; stream the collection");
                return Err(decode(call.name(), ".", reason));
            }
            body.extend_from_slice(&chunk);
        }
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Response { request: call.name(), status, headers, body: body.freeze() })
    }

    pub(crate) fn transport(&self, call: &Call, error: reqwest::Error) -> Error {
        let request = format!("{} {}{}", call.method, self.base, call.path);
        Error::transport(&request, self.config.timeout, error)
    }
}

pub(crate) fn decode(request: String, path: impl ToString, reason: impl Into<String>) -> Error {
    Error::Decode { request, path: path.to_string(), reason: reason.into() }
}

/// How long to wait before the next try, `None` to give up.
///
/// The server has not acted on a 429 or a 503, so any call is repeated after those; after other
/// failures only calls that do no harm when they arrive twice.
fn wait(error: &Error, repeatable: bool, tries: u32, limit: u32) -> Option<Duration> {
    let untouched = match error {
        Error::Api(refusal) => matches!(refusal.status, 429 | 503),
        Error::Transport { source, .. } => source.is_connect(),
        _ => false,
    };
    // What listens nowhere, or is no PCE, will not be one in a minute.
    let hopeless = matches!(error, Error::Transport { source, .. } if permanent(source));
    if tries >= limit || hopeless || !error.is_retryable() || !(repeatable || untouched) {
        return None;
    }
    let first = if error.status() == Some(429) { WAIT_FIRST_LIMITED } else { WAIT_FIRST };
    let longest = first.saturating_mul(1 << tries.min(16)).min(WAIT_MAX);
    match error.retry_after() {
        Some(asked) => (asked <= WAIT_MAX).then_some(asked),
        None => Some(longest / 2 + longest.mul_f64(f64::from(chance()) / 512.0)),
    }
}

/// Failures of TLS and of the name: the same at every try.
fn permanent(error: &reqwest::Error) -> bool {
    use std::error::Error as _;
    let mut cause = error.source();
    while let Some(next) = cause {
        let text = next.to_string();
        if ["certificate", "corrupt message", "lookup", "dns"].iter().any(|p| text.contains(p)) {
            return true;
        }
        cause = next.source();
    }
    false
}

/// A random number from 0 to 255; 0 on a system without randomness.
fn chance() -> u8 {
    let mut byte = [0];
    // Without it the waits of many clients are alike, nothing worse.
    let _ = getrandom::fill(&mut byte);
    byte[0]
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

pub(crate) fn seconds(text: &str) -> Option<Duration> {
    text.trim().parse().ok().map(Duration::from_secs)
}

impl Response {
    /// 204 for a call that was carried out, but not answered.
    fn empty(call: &Call) -> Self {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        Self { request: call.name(), status: 204, headers, body }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`Error::Decode`] with the path of the value that is not as `T` wants it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        parse(&self.request, &self.body)
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; what is no text counts as absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Rows of the whole collection, as `X-Total-Count` says.
    pub fn total_count(&self) -> Option<u64> {
        count(&self.headers, "x-total-count")
    }

    pub(crate) fn name(&self) -> &str {
        &self.request
    }
}

/// A header that holds a number.
pub(crate) fn count(headers: &HeaderMap, name: &str) -> Option<u64> {
    header(headers, name)?.trim().parse().ok()
}

/// Parses a body, and says where it is not as `T` wants it.
pub(crate) fn parse<T: DeserializeOwned>(request: &str, body: &[u8]) -> Result<T> {
    // The plain parser is faster; the one that knows the path runs again over what failed.
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let start = body.trim_ascii_start();
    if start.first() == Some(&b'<') {
        return Err(decode(request.to_owned(), ".", "it is HTML, not JSON"));
    }
    if start.is_empty() {
        return Err(decode(request.to_owned(), ".", "it is empty"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let (path, reason) = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(e) => (e.path().to_string(), e.inner().to_string()),
        Ok(_) => (".".to_owned(), "something follows the value".to_owned()),
    };
    Err(decode(request.to_owned(), path, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, retry_after: Option<u64>) -> Error {
        let refusal = ApiError::new(status, String::new(), b"");
        let retry_after = retry_after.map(Duration::from_secs);
        Error::Api(Box::new(ApiError { retry_after, ..refusal }))
    }

    #[test]
    fn repeats_what_may_help_and_does_no_harm() {
        let asked = |status, repeatable| wait(&refused(status, Some(3)), repeatable, 0, 5);
        let three = Some(Duration::from_secs(3));
        for status in [429, 503] {
            assert_eq!((asked(status, true), asked(status, false)), (three, three));
        }
        for status in [500, 502, 504, 408] {
            assert_eq!((asked(status, true), asked(status, false)), (three, None));
        }
        for status in [400, 401, 403, 404, 406, 501] {
            assert_eq!(asked(status, true), None);
        }
        assert_eq!(wait(&refused(429, Some(3)), true, 5, 5), None, "the last try");
        assert_eq!(wait(&refused(429, Some(3600)), true, 0, 5), None, "longer than anyone waits");
    }

    #[test]
    fn waits_grow_and_stay_bounded() {
        for tries in 0..20 {
            let waited = wait(&refused(429, None), true, tries, 100).unwrap();
            let most = WAIT_FIRST_LIMITED.saturating_mul(1 << tries.min(16)).min(WAIT_MAX);
            assert!(waited >= most / 2 && waited <= most, "{tries}: {waited:?}");
        }
    }

    #[test]
    fn query_values_are_encoded() {
        let mut path = "/x".to_owned();
        push_query(&mut path, "labels", r#"[["/a"]]"#);
        push_query(&mut path, "name", "a b+c");
        assert_eq!(path, "/x?labels=%5B%5B%22%2Fa%22%5D%5D&name=a%20b%2Bc");
    }

    #[test]
    fn unreadable_answers_say_where() {
        let read = |body: &str| parse::<Vec<(u8, u8)>>("GET /x", body.as_bytes()).unwrap_err();
        assert_eq!(
            read("[[1,2],[3,\"x\"]]").to_string(),
            "GET /x: cannot read the answer at `[1][1]`: invalid type: string \"x\", expected u8 \
             at line 1 column 13"
        );
        assert!(read("<html>").to_string().ends_with("HTML, not JSON"));
        assert!(read("").to_string().ends_with("empty"));
        assert!(read("[[1,2]").to_string().contains("EOF"));
    }
}
