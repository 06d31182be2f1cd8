//! The wire contract of the PCE as data: resources, operations, errors, limits.
//!
//! Each resource is a descriptor file in `resources/` (fields with JSON Schema, operations with roles,
//! filters, uniqueness). From these the crate builds the [operation table](table), which in turn
//! builds the server's router, its permission check and body validation, the OpenAPI document and the
//! reference pages. A handler cannot exist without a row, nor a row without a handler.

pub mod access;
pub mod descriptor;
pub mod docs;
pub mod error;
pub mod limits;
pub mod schema;
pub mod table;

pub use access::{Access, Role, RoleSet};
pub use descriptor::{Descriptor, Field, Filter, Match, Search, Unique, descriptor, descriptors};
pub use docs::{openapi_text, reference_docs};
pub use error::{ApiError, ErrorItem};
pub use schema::resolved;
pub use table::{Action, Operation, operations};
