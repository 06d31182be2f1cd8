//! Snapshots for tests and benchmarks: golden cases, random small worlds, shrinking.
//!
//! - [`cases`]: the golden cases under `cases/policy`, each a world, a flow and what must come out.
//! - [`doc`]: the text form of a snapshot that those files use, in both directions.
//! - [`small`]: random worlds of a few dozen objects that lean towards what is easy to get wrong, random flows
//!   that hit them, random changes.
//! - [`large`]: organisations of the size that the speed goals name, with a believable spread of labels.
//! - [`shrink`]: the smallest part of a snapshot that still shows a failure.
//!
//! All chance comes from the seed that the caller gives; the same seed gives the same world everywhere.

pub mod cases;
pub mod doc;
pub mod large;
pub mod shrink;
pub mod small;
