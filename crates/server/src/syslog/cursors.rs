//! How far the events were delivered to each destination, kept in a file.

use super::Place;
use bulkhead_ids::Id;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The file in the data directory.
const FILE: &str = "syslog-cursors.json";

#[derive(Default)]
struct Inner {
    at: BTreeMap<Place, u64>,
    changed: bool,
}

/// The place in the order of recording up to which each destination has everything.
pub(super) struct Cursors {
    file: PathBuf,
    inner: Mutex<Inner>,
}

impl Cursors {
    /// Reads the file of a data directory. Without one, or with one that cannot be read, destinations
    /// begin with what happens from now on.
    pub(super) fn open(data_dir: &Path) -> Self {
        let file = data_dir.join(FILE);
        let at = match std::fs::read(&file) {
            Ok(bytes) => parse(&bytes).unwrap_or_else(|| {
                tracing::warn!(file = %file.display(), "damaged: delivery begins with new events");
                BTreeMap::new()
            }),
            Err(_) => BTreeMap::new(),
        };
        Self { file, inner: Mutex::new(Inner { at, changed: false }) }
    }

    /// The place that a destination has reached.
    pub(super) fn get(&self, place: Place) -> Option<u64> {
        self.inner.lock().at.get(&place).copied()
    }

    /// Notes the place that a destination has reached.
    pub(super) fn set(&self, place: Place, seq: u64) {
        let mut inner = self.inner.lock();
        inner.changed |= inner.at.insert(place, seq) != Some(seq);
    }

    /// Forgets destinations that are no more.
    pub(super) fn keep(&self, known: impl Fn(Place) -> bool) {
        let mut inner = self.inner.lock();
        let before = inner.at.len();
        inner.at.retain(|place, _| known(*place));
        inner.changed |= inner.at.len() != before;
    }

    /// Writes the file where something changed; it appears whole or not at all.
    pub(super) fn save(&self) {
        let mut inner = self.inner.lock();
        if !inner.changed {
            return;
        }
        let all: BTreeMap<String, u64> =
            inner.at.iter().map(|((org, id), seq)| (format!("{org}/{id:?}"), *seq)).collect();
        let part = self.file.with_extension("part");
        let written = serde_json::to_vec(&all)
            .map_err(std::io::Error::from)
            .and_then(|bytes| std::fs::write(&part, bytes))
            .and_then(|()| std::fs::rename(&part, &self.file));
        match written {
            Ok(()) => inner.changed = false,
            Err(e) => tracing::warn!(file = %self.file.display(), error = %e, "cannot be written"),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<BTreeMap<Place, u64>> {
    let all: BTreeMap<String, u64> = serde_json::from_slice(bytes).ok()?;
    let place = |s: &str| {
        let (org, id) = s.split_once('/')?;
        Some((org.parse().ok()?, Id::uuid(id.parse().ok()?)))
    };
    all.iter().map(|(s, seq)| Some((place(s)?, *seq))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_kept_over_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let place = |org| (org, Id::uuid(crate::clock::new_uuid()));
        let (a, b) = (place(1), place(2));
        let cursors = Cursors::open(dir.path());
        cursors.set(a, 7);
        cursors.set(b, 9);
        cursors.keep(|p| p == a);
        cursors.save();
        let cursors = Cursors::open(dir.path());
        assert_eq!((cursors.get(a), cursors.get(b)), (Some(7), None));
        std::fs::write(dir.path().join(FILE), "x").unwrap();
        assert_eq!(Cursors::open(dir.path()).get(a), None);
    }
}
