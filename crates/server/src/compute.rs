//! The policy engine beside the world: fed by what changed, asked by the policy operations.

pub mod convert;
pub mod follow;
