//! What a caller may do: the operation's row against the caller's roles.

use crate::app::App;
use crate::authn::{Account, Caller};
use bulkhead_api::{ApiError, Operation};
use bulkhead_ids::Id;
use std::net::IpAddr;

/// Whether the caller may call the operation; `this_user` is the user that the path names.
///
/// # Errors
/// `Forbidden`.
pub fn check(op: &Operation, caller: &Caller, this_user: Option<Id>) -> Result<(), ApiError> {
    let access = op.access;
    let own = matches!((caller.account, this_user), (Account::User(a), Some(b)) if a == b);
    // Who asked for a job is known only from the job: its handler checks.
    if access.authenticated
        || access.anonymous
        || access.job_owner
        || access.roles.meets(caller.roles)
        || (access.this_user && own)
    {
        return Ok(());
    }
    Err(ApiError::Forbidden(format!("`{}` needs one of: {access}", op.id)))
}

/// Whether the access restriction of an account lets it call from an address.
pub fn address_allowed(_app: &App, _caller: &Caller, _peer: IpAddr) -> bool {
    true
}

/// The client's address: that of the connection, or what a trusted proxy says it is.
pub fn client_address(_app: &App, _headers: &http::HeaderMap, peer: IpAddr) -> IpAddr {
    peer.to_canonical()
}
