//! A set of addresses from what is included and what is taken out again, as an IP list says it.

use super::{IpRange, IpSet};

/// Why inclusions and exclusions do not make an IP list.
///
/// Source: `ip_ranges` of the REST API 26.3: the excluded addresses are a strict subset of the included ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ExclusionError {
    /// An exclusion has an address that no inclusion has.
    #[error("exclusion `{range}` is not inside the included ranges")]
    Outside {
        /// Its place among the exclusions, from 0, in the order they were added.
        index: usize,
        /// The exclusion.
        range: IpRange,
    },
    /// The exclusions take away every included address.
    #[error("the exclusions leave no address of the included ranges")]
    NothingLeft,
}

/// Collects inclusions and exclusions; their order has no meaning, overlaps are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IpSetBuilder {
    include: Vec<IpRange>,
    exclude: Vec<IpRange>,
}

impl IpSetBuilder {
    /// A builder with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the addresses of the range.
    pub fn include(&mut self, range: IpRange) -> &mut Self {
        self.include.push(range);
        self
    }

    /// Takes out the addresses of the range, whatever inclusions come later.
    pub fn exclude(&mut self, range: IpRange) -> &mut Self {
        self.exclude.push(range);
        self
    }

    /// The included addresses without the excluded ones, with no check of the exclusions.
    ///
    /// This is the effective set of a list already accepted. Exclusions alone make the empty set.
    pub fn effective(&self) -> IpSet {
        let include: IpSet = self.include.iter().copied().collect();
        include.difference(&self.exclude.iter().copied().collect())
    }

    /// The same set, if the exclusions are a strict subset of the inclusions.
    ///
    /// A builder with neither is fine and gives the empty set. An exclusion may be covered by several
    /// inclusions together. `O(n log n)`. Errors: the first [`ExclusionError::Outside`] in the order of adding,
    /// otherwise [`ExclusionError::NothingLeft`].
    pub fn build(&self) -> Result<IpSet, ExclusionError> {
        let include: IpSet = self.include.iter().copied().collect();
        let outside = self.exclude.iter().position(|range| !include.contains_range(range));
        if let Some((index, range)) = outside.and_then(|i| Some((i, *self.exclude.get(i)?))) {
            return Err(ExclusionError::Outside { index, range });
        }
        let set = include.difference(&self.exclude.iter().copied().collect());
        let nothing_left = set.is_empty() && !self.exclude.is_empty();
        if nothing_left { Err(ExclusionError::NothingLeft) } else { Ok(set) }
    }
}
