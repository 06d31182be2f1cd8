//! A table whose rows keep their number while they live.

/// Rows by number; numbers of removed rows are used again.
#[derive(Debug, Clone)]
pub(crate) struct Slots<T> {
    rows: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub(crate) fn insert(&mut self, row: T) -> u32 {
        if let Some(ix) = self.free.pop()
            && let Some(slot) = self.rows.get_mut(ix as usize)
        {
            *slot = Some(row);
            return ix;
        }
        self.rows.push(Some(row));
        u32::try_from(self.rows.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn remove(&mut self, ix: u32) -> Option<T> {
        let row = self.rows.get_mut(ix as usize)?.take()?;
        self.free.push(ix);
        Some(row)
    }

    #[inline]
    pub(crate) fn get(&self, ix: u32) -> Option<&T> {
        self.rows.get(ix as usize)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, ix: u32) -> Option<&mut T> {
        self.rows.get_mut(ix as usize)?.as_mut()
    }

    /// The rows that live, by number.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0u32..).zip(&self.rows).filter_map(|(ix, row)| Some((ix, row.as_ref()?)))
    }
}
