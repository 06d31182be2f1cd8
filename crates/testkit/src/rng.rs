//! Reproducible chance: a seed that the test prints and takes back from `BULKHEAD_SEED`.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;

/// A small generator (SplitMix64); the same seed gives the same numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// One with a seed of the environment, or a new seed; prints which.
    pub fn announced(test: &str) -> Self {
        let given = std::env::var("BULKHEAD_SEED").ok().and_then(|s| s.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        // Nobody reads a closed stream.
        let _ =
            writeln!(std::io::stderr(), "{test}: seed {seed} (BULKHEAD_SEED={seed} repeats it)");
        Self(seed)
    }

    /// One with a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `from` up to, not including, `to`; `from` when there is none.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        match to.checked_sub(from) {
            Some(span) if span > 0 => from + self.number() % span,
            _ => from,
        }
    }

    /// One of the items; `None` of an empty list.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.between(0, items.len() as u64);
        usize::try_from(at).ok().and_then(|at| items.get(at))
    }
}
