//! A client for Policy Compute Engines: Bulkhead, and every server of the same REST API.
//!
//! ```no_run
//! # async fn example() -> bulkhead_sdk::Result<()> {
//! use bulkhead_sdk::{Pce, models::*};
//! use futures_util::TryStreamExt;
//!
//! let pce = Pce::builder("pce.example.com").port(8443).org(1).api_key("api_1", "secret").build()?;
//! pce.must_connect().await?;
//! let web = pce.labels().create(&Label::new("role", "R-Web")).await?;
//! let mut all = pce.workloads().list().label(&web).filter("managed", true).all();
//! while let Some(workload) = all.try_next().await? {
//!     let name = workload.name.or(workload.hostname).unwrap_or_default();
//!     # drop(name);
//! }
//! let any = pce.get_default_ip_list().await?;
//! let set = pce.rule_sets().create(&RuleSet::new("RS-Web")).await?;
//! let rule = Rule::build(&[&web], &[&any], &[&(443, "tcp")])?.unscoped_consumers(true);
//! pce.rules().parent(&set).create(&rule).await?;
//! pce.provision_policy_changes("open the web", &[&set]).await?;
//! # Ok(()) }
//! ```
//!
//! - [`Pce`] is the handle of everything: cheap to clone, safe to share. Nothing is kept beside it.
//! - Each kind of object has a [`Handle`] with the same operations, typed by its [model](models).
//! - Objects are named by href: a text, a [`Reference`], a JSON object or the object itself.
//! - Drafts are written, the active side is read: `pce.services().active()` has no `delete`.
//! - Updates tell absent, null and value apart: [`Patch`].
//! - Calls that fail for a while are repeated, those that would act twice are not; see [`Error`].
//! - Fields and words of newer servers are kept, not refused.
//!
//! Coming from the Python library: `docs/reference/sdk-mapping.md` has a row for each of its names.

#[cfg(feature = "blocking")]
pub mod blocking;
mod bulk;
mod config;
mod constants;
mod error;
mod functions;
mod handle;
mod job;
mod list;
mod model;
pub mod models;
mod patch;
mod pce;
mod provision;
mod reference;
pub mod resource;
mod rows;
mod secret;
mod tls;
pub mod traffic;
mod transport;
mod words;

pub use bulk::BulkResult;
pub use config::{
    JOB_TIMEOUT_S_DEFAULT, PORT_DEFAULT, PceBuilder, RETRY_COUNT_DEFAULT, TIMEOUT_S_DEFAULT,
};
pub use constants::*;
pub use error::{ApiError, Error, ErrorItem, Result};
pub use functions::{
    convert_active_href_to_draft, convert_draft_href_to_active, convert_protocol, parse_url,
};
pub use handle::{Active, Draft, Handle};
pub use list::{List, Page};
pub use patch::Patch;
pub use pce::Pce;
pub use reference::{RefTo, Reference, ToHref, href_from};
pub use reqwest::Method;
pub use resource::{ChangeOf, NewOf, Place, Resource};
pub use secret::Credentials;
pub use tls::{ClientCert, Verify};
pub use traffic::TrafficQuery;
pub use transport::{Request, Response};
pub use words::*;
