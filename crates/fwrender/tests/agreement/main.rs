//! Those who must agree on every packet: the intent read entry by entry, and the interpreter of the text that
//! the kernel gets; where network namespaces are permitted, the kernel itself.
//!
//! `BULKHEAD_SEED` sets the seed of all tests here; a failure prints the seed that brings it about again.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod chance;
#[cfg(test)]
mod intents;
#[cfg(test)]
mod interpreter;
#[cfg(test)]
mod kernel;
#[cfg(test)]
mod lab;
#[cfg(test)]
mod naive;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod worlds;
