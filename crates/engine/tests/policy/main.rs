//! The readings of `docs/design/engine.md`, one test each, on small worlds.

#[cfg(test)]
mod incremental;
#[cfg(test)]
mod intents;
#[cfg(test)]
mod readings;
#[cfg(test)]
mod world;
