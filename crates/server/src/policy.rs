//! The policy life cycle: pending, provisioning, versions, restore.

use crate::doc::Val;
use crate::http::Handler;
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;
use bulkhead_ids::{Id, Kind};
use serde_json::json;

/// Makes everything that is pending active, as a new version.
///
/// # Errors
/// 406 when nothing is pending.
pub fn provision_all(txn: &mut Txn<'_>, message: &str) -> Result<(), ApiError> {
    let pending: Vec<(Kind, Id)> = txn.world.pending().map(|(k, i, _)| (k, i)).collect();
    txn.world.version += 1;
    let version = txn.world.version;
    for (kind, id) in pending {
        txn.activate(kind, id, version);
    }
    let doc = json!({"version": version, "commit_message": message, "created_at": txn.time()});
    txn.save(Obj::new(Kind::PolicyVersion, Id::int(version), None, Val::from_json(&doc)));
    Ok(())
}

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}
