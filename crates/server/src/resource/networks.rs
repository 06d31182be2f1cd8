//! Networks: separate address spaces.

use super::Hooks;
use crate::http::Handler;
use crate::txn::Txn;
use crate::world::Obj;
use bulkhead_api::ApiError;

/// What Network adds to the common mechanism.
pub const HOOKS: Hooks = Hooks {
    check: Some(|_, _, old| old.map_or(Ok(()), changeable)),
    deletable: Some(deletable),
    ..Hooks::NONE
};

/// Handlers of the operations that are not standard.
pub fn handler(_id: &str) -> Option<Handler> {
    None
}

fn deletable(_: &Txn<'_>, obj: &Obj) -> Result<(), ApiError> {
    changeable(obj)
}

/// Refuses changes of the built-in networks.
fn changeable(obj: &Obj) -> Result<(), ApiError> {
    if obj.doc.is("_builtin") {
        let message = "this network is built in and stays as it is";
        return Err(ApiError::invalid("network_referenced", message));
    }
    Ok(())
}
