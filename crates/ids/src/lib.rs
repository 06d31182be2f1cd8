//! Typed identifiers and hrefs of the PCE API: parse once at the edge, print back byte for byte.
//!
//! An *href* is the only identifier of an object on the wire: a path that starts with `/` and never
//! holds the host or `/api/v2`. Objects of an organisation live under `/orgs/N`; policy objects have a
//! policy version (`draft`, `active` or a number) in their path, and the same id in each version.
//!
//! [`AnyHref`] is the parsed form of any kind, [`Href`] the one of a kind known at compile time.
//!
//! Source: REST API guide 25.2, "REST API URIs"; object kinds and id styles from the vendor's schemas.

mod href;
mod id;
mod kind;
mod typed;

pub use href::{AnyHref, HrefError, PolicyVersion};
pub use id::Id;
pub use kind::{IdStyle, Kind, Place};
pub use typed::{Href, HrefKind, kinds};
