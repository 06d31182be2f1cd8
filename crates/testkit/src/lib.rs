//! What tests of the whole server share: the real `bulkhead-pce` process and a client for it.
//!
//! [`Launch`] starts the binary on free ports of loopback in a temporary directory and waits until it
//! accepts calls; [`Server`] stops, kills and restarts it; [`Client`] sends JSON. Nothing here knows the
//! server's insides. A helper that cannot do its work panics: that fails the test that asked.
#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a helper of tests fails the test that uses it"
)]

pub mod cases;
mod client;
pub mod collections;
pub mod fuzz;
mod rng;
pub mod script;
mod server;
pub mod stage;
pub mod template;

pub use cases::assert_list;
pub use client::{Client, Reply};
pub use rng::Rng;
pub use server::{Home, Launch, Server, pce_binary, run};
