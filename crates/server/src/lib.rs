//! The PCE server.
//!
//! A request goes: [`http::listen`] -> [`http::dispatch`] -> a handler ([`http::standard`] for the
//! common actions) -> [`resource`] on a [`txn::Txn`] -> [`state::State`], which commits in groups and
//! publishes the new [`world::World`]. Reads end at the world.

pub mod app;
pub mod audit;
pub mod authn;
pub mod authz;
pub mod boot;
pub mod clock;
pub mod compute;
pub mod config;
pub mod demo;
pub mod doc;
pub mod health;
pub mod http;
pub mod metrics;
pub mod policy;
pub mod rate;
pub mod render;
pub mod resource;
pub mod run;
pub mod state;
pub mod syslog;
pub mod tasks;
pub mod tls;
pub mod txn;
pub mod world;
pub mod x;
