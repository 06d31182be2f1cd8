//! Elements of sets and maps.

use std::collections::{BTreeMap, HashMap};

use super::program::Value;

/// Disjoint elements: ranges of one key, or exact tuples of several.
#[derive(Debug, Clone, Default)]
pub(super) struct Elements {
    /// First point to last point and value.
    ranges: BTreeMap<u128, (u128, Value)>,
    tuples: HashMap<Vec<u128>, Value>,
}

impl Elements {
    /// Adds an element; the reason when it cannot be.
    pub(super) fn insert(
        &mut self,
        key: Vec<(u128, u128)>,
        value: Value,
    ) -> Result<(), &'static str> {
        if key.iter().any(|(first, last)| first > last) {
            return Err("a range whose end is below its start");
        }
        if let [(first, last)] = *key.as_slice() {
            let before = self.ranges.range(..=last).next_back();
            if before.is_some_and(|(_, (end, _))| *end >= first) {
                return Err("elements overlap");
            }
            self.ranges.insert(first, (last, value));
            return Ok(());
        }
        if key.iter().any(|(first, last)| first != last) {
            return Err("a range in a tuple");
        }
        let key = key.into_iter().map(|(first, _)| first).collect();
        match self.tuples.insert(key, value) {
            None => Ok(()),
            Some(_) => Err("elements overlap"),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u128]) -> Option<&Value> {
        match *key {
            [point] => {
                let (_, (last, value)) = self.ranges.range(..=point).next_back()?;
                (point <= *last).then_some(value)
            }
            _ => self.tuples.get(key),
        }
    }

    /// All values.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value> {
        self.ranges.values().map(|(_, value)| value).chain(self.tuples.values())
    }

    /// Whether an element is a range of more than one point.
    pub(super) fn has_ranges(&self) -> bool {
        self.ranges.iter().any(|(first, (last, _))| first != last)
    }
}
