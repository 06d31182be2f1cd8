//! Workloads: hosts, managed or not.
//!
//! Everything that answers show is stored, so that the text of a workload is rendered once and kept.
//! `agent` is the older view of the newer fields: requests set the newer fields through it, and it is
//! made anew at each change. Source: REST API 25.2 and 26.3, schemas `workloads_*`.

mod bulk;
mod check;
mod filter;
mod interfaces;
mod modes;
#[cfg(test)]
mod tests;

pub use check::one_label_of_a_key;
pub use filter::{in_clusters, one_of, texts};
pub use interfaces::normalise as normalise_interface;
pub use modes::{legacy_of, mode_of};

use super::{Hooks, service_bindings};
use crate::http::Handler;
use bulkhead_api::ApiError;

/// What Workload adds to the common mechanism.
pub const HOOKS: Hooks = Hooks {
    check: Some(check::check),
    split: Some(modes::split),
    deletable: Some(|_, w| match w.doc.is("managed") {
        false => Ok(()),
        true => Err(ApiError::invalid(
            "method_not_allowed_error",
            "a workload with an agent cannot be deleted: unpair the agent first",
        )),
    }),
    deleted: Some(|txn, w| service_bindings::unbind_workload(txn, w.id)),
    filter: Some(filter::filter),
    ..Hooks::NONE
};

/// Handlers of the operations that are not standard.
pub fn handler(id: &str) -> Option<Handler> {
    match id {
        "workloads_bulk_create" => Some(|cx| Box::pin(bulk::create(cx))),
        "workloads_bulk_update" => Some(|cx| Box::pin(bulk::update(cx))),
        "workloads_bulk_delete" => Some(|cx| Box::pin(bulk::delete(cx))),
        "workloads_set_labels" => Some(|cx| Box::pin(bulk::set_labels(cx))),
        "workloads_remove_labels" => Some(|cx| Box::pin(bulk::remove_labels(cx))),
        _ => None,
    }
}
