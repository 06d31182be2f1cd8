//! The one place that maps failures to HTTP status and token.
//!
//! Source: REST API guide 25.2, "HTTP response codes"; tokens as listed in the guide and as public
//! clients expect them. Every validation failure is a 406: there is no 409 and no 422.

use serde::Serialize;
use std::borrow::Cow;

/// One element of an error body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorItem {
    /// Machine-readable reason; part of the wire contract.
    pub token: Cow<'static, str>,
    /// Text for people: lower-case field names, and what to do where that is known.
    pub message: String,
}

impl ErrorItem {
    /// An item from its two parts.
    pub fn new(token: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { token: token.into(), message: message.into() }
    }
}

/// Why a request is refused. The answer's body is always an array of [`ErrorItem`].
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// 406: the request is understood but not acceptable.
    #[error("not acceptable")]
    Invalid(Vec<ErrorItem>),
    /// 400: the request cannot be read at all.
    #[error("malformed request")]
    Malformed(String),
    /// 401: credentials are missing, wrong or expired.
    #[error("unauthenticated")]
    Unauthenticated,
    /// 403: the caller may not do this.
    #[error("forbidden")]
    Forbidden(String),
    /// 404: no such path or object.
    #[error("not found")]
    NotFound,
    /// 405: the path exists, the method does not.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// 408: the client took too long to send its request.
    #[error("request timed out")]
    TimedOut,
    /// 413: the body is larger than [`crate::limits::BODY_BYTES_MAX`].
    #[error("body too large")]
    TooLarge,
    /// 429 with the seconds after which to try again.
    #[error("too many requests")]
    TooMany(u32),
    /// 500: a bug; the text goes to the log only.
    #[error("internal error")]
    Internal(String),
    /// 503: the store is away or the server is overloaded; try again after some seconds.
    #[error("unavailable")]
    Unavailable(String),
}

/// Token of a body or parameter that fails its schema.
pub const INPUT_VALIDATION: &str = "input_validation_error";

impl ApiError {
    /// A 406 with one item.
    pub fn invalid(token: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![ErrorItem::new(token, message)])
    }

    /// A 406 with token [`INPUT_VALIDATION`].
    pub fn input(message: impl Into<String>) -> Self {
        Self::invalid(INPUT_VALIDATION, message)
    }

    /// A 406 for an href that is malformed, of another kind, of another organisation, or names
    /// nothing; the answer is the same for all, so that nothing is learnt about other organisations.
    pub fn invalid_uri(href: &str) -> Self {
        Self::invalid("invalid_uri", format!("Invalid URI: {{{href}}}"))
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid(_) => 406,
            Self::Malformed(_) => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden(_) => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::TimedOut => 408,
            Self::TooLarge => 413,
            Self::TooMany(_) => 429,
            Self::Internal(_) => 500,
            Self::Unavailable(_) => 503,
        }
    }

    /// Whether the same request may succeed later without change.
    pub const fn retryable(&self) -> bool {
        match self {
            Self::TooMany(_) | Self::Unavailable(_) | Self::TimedOut => true,
            Self::Invalid(_)
            | Self::Malformed(_)
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::TooLarge
            | Self::Internal(_) => false,
        }
    }

    /// Seconds for the `Retry-After` header, where one is sent.
    pub const fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::TooMany(s) => Some(*s),
            Self::Unavailable(_) => Some(2),
            Self::TimedOut
            | Self::Invalid(_)
            | Self::Malformed(_)
            | Self::Unauthenticated
            | Self::Forbidden(_)
            | Self::NotFound
            | Self::MethodNotAllowed
            | Self::TooLarge
            | Self::Internal(_) => None,
        }
    }

    /// The elements of the answer's body. Internal context never shows.
    pub fn items(&self) -> Vec<ErrorItem> {
        let one = |token: &'static str, message: String| vec![ErrorItem::new(token, message)];
        match self {
            Self::Invalid(items) => items.clone(),
            Self::Malformed(m) => one("invalid_argument", m.clone()),
            Self::Unauthenticated => one(
                "authentication_failed",
                "Authentication failed: send HTTP Basic with an API key or a session token".into(),
            ),
            Self::Forbidden(m) => one("forbidden_error", m.clone()),
            Self::NotFound => one("not_found_error", "No such path or object".into()),
            Self::MethodNotAllowed => {
                one("method_not_allowed_error", "This path does not take that method".into())
            }
            Self::TimedOut => one("request_timeout", "The request took too long to arrive".into()),
            Self::TooLarge => one(
                "request_too_large",
                format!("The body is larger than {} bytes", crate::limits::BODY_BYTES_MAX),
            ),
            Self::TooMany(s) => {
                one("too_many_requests_error", format!("Too many requests: try again in {s} s"))
            }
            Self::Internal(_) => one(
                "internal_error",
                "Internal error: quote the X-Request-Id header when you report it".into(),
            ),
            Self::Unavailable(m) => one("service_unavailable", m.clone()),
        }
    }
}
