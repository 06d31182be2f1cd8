//! Answers.

use bulkhead_api::ApiError;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

/// An answer in the making.
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// JSON text, or empty.
    pub body: Bytes,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl Reply {
    /// A body that is already JSON text.
    pub fn text(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { status, body: body.into(), headers: Vec::new() }
    }

    /// 200 with a body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::text(StatusCode::OK, body)
    }

    /// A JSON value.
    pub fn json(status: StatusCode, value: &Value) -> Self {
        Self::text(status, value.to_string())
    }

    /// 204 without a body.
    pub fn no_content() -> Self {
        Self::text(StatusCode::NO_CONTENT, Bytes::new())
    }

    /// Adds a header; a value that is none is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        if let Ok(v) = HeaderValue::from_str(&value.to_string()) {
            self.headers.push((HeaderName::from_static(name), v));
        }
        self
    }

    /// The answer to a refused request.
    pub fn error(e: &ApiError) -> Self {
        let status = StatusCode::from_u16(e.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&e.items()).unwrap_or_default();
        let reply = Self::text(status, body);
        match e.retry_after_s() {
            Some(s) => reply.with("retry-after", s),
            None => reply,
        }
    }

    /// The HTTP response.
    ///
    /// `Content-Type` is exactly `application/json`: public clients compare for equality.
    pub fn into_response(self, request_id: &str) -> Response<Full<Bytes>> {
        let has_body = !self.body.is_empty();
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if has_body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-request-id", id);
        }
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}
