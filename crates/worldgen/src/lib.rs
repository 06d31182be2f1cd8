//! Snapshots for tests and benchmarks.
//!
//! - [`cases`]: the golden cases under `cases/policy`, each a world, a flow and what must come out.
//! - [`doc`]: the text form of a snapshot that those files use, in both directions.

pub mod cases;
pub mod doc;
