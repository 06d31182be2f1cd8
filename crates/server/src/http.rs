//! The HTTP edge: listeners, dispatch from the operation table, bodies, answers.

pub mod body;
pub mod dispatch;
pub mod handlers;
pub mod jobs;
pub mod listen;
pub mod path;
pub mod reply;
pub mod request;
pub mod standard;

pub use reply::Reply;
pub use request::Cx;

use bulkhead_api::ApiError;
use std::future::Future;
use std::pin::Pin;

/// What a handler returns.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Reply, ApiError>> + Send + 'a>>;

/// A handler of an operation.
pub type Handler = for<'a> fn(&'a Cx) -> Answer<'a>;
