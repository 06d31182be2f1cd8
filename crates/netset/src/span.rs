//! Sets over any ordered, countable, bounded space, as sorted ranges.
//!
//! INVARIANT of [`Spans`]: in every pair `first <= last`, pairs ascend, and between two neighbours at least
//! one point is missing. So each set has exactly one representation and `==` is equality of sets.

use std::iter::Peekable;

/// A point of the space a set lives in.
pub(crate) trait Point: Copy + Ord + std::fmt::Debug {
    /// The least point.
    const MIN: Self;
    /// The greatest point.
    const MAX: Self;
    /// The next greater point, `None` after [`Self::MAX`].
    fn next(self) -> Option<Self>;
    /// The next smaller point, `None` before [`Self::MIN`].
    fn prev(self) -> Option<Self>;
}

macro_rules! integer_points {
    ($($t:ty),*) => {$(
        impl Point for $t {
            const MIN: Self = <$t>::MIN;
            const MAX: Self = <$t>::MAX;
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn prev(self) -> Option<Self> {
                self.checked_sub(1)
            }
        }
    )*};
}

integer_points!(u8, u16, u32, u128);

/// First and last point of a range, both inside it.
pub(crate) type Span<P> = (P, P);

/// A set of points; see the module for its form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spans<P>(Vec<Span<P>>);

impl<P> Default for Spans<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// Appends a range to a canonical list whose last range starts no later, merging when they touch.
fn push<P: Point>(out: &mut Vec<Span<P>>, span: Span<P>) {
    match out.last_mut() {
        Some(last) if last.1.next().is_none_or(|after| span.0 <= after) => {
            last.1 = last.1.max(span.1);
        }
        _ => out.push(span),
    }
}

/// The one of two ascending lists whose head starts first, advanced.
fn next_of<P: Point, I: Iterator<Item = Span<P>>>(
    a: &mut Peekable<I>,
    b: &mut Peekable<I>,
) -> Option<Span<P>> {
    match (a.peek(), b.peek()) {
        (Some(x), Some(y)) if y.0 < x.0 => b.next(),
        (Some(_), _) => a.next(),
        (None, _) => b.next(),
    }
}

impl<P: Point> Spans<P> {
    /// Every point.
    pub(crate) fn full() -> Self {
        Self(vec![(P::MIN, P::MAX)])
    }

    /// The union of ranges in any order; `O(n log n)`. A reversed range is dropped as empty.
    pub(crate) fn from_unsorted(mut spans: Vec<Span<P>>) -> Self {
        spans.retain(|s| s.0 <= s.1);
        spans.sort_unstable();
        let mut out = Vec::with_capacity(spans.len());
        for span in spans {
            push(&mut out, span);
        }
        Self(out)
    }

    /// The ranges, ascending.
    pub(crate) fn as_slice(&self) -> &[Span<P>] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0 == [(P::MIN, P::MAX)]
    }

    /// Whether the whole range is inside; `O(log n)`.
    pub(crate) fn contains_span(&self, span: Span<P>) -> bool {
        let after = self.0.partition_point(|s| s.0 <= span.0);
        let holder = after.checked_sub(1).and_then(|i| self.0.get(i));
        holder.is_some_and(|s| span.1 <= s.1)
    }

    /// Whether the point is inside; `O(log n)`.
    pub(crate) fn contains(&self, point: P) -> bool {
        self.contains_span((point, point))
    }

    pub(crate) fn union(&self, other: &Self) -> Self {
        let mut out = Vec::with_capacity(self.0.len().max(other.0.len()));
        let (mut a, mut b) =
            (self.0.iter().copied().peekable(), other.0.iter().copied().peekable());
        while let Some(span) = next_of(&mut a, &mut b) {
            push(&mut out, span);
        }
        Self(out)
    }

    /// The common part of each pair of overlapping ranges, ascending.
    fn overlaps<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = Span<P>> + 'a {
        let (mut a, mut b) =
            (self.0.iter().copied().peekable(), other.0.iter().copied().peekable());
        std::iter::from_fn(move || {
            while let (Some(&x), Some(&y)) = (a.peek(), b.peek()) {
                // The range that ends first can meet nothing further on.
                if x.1 < y.1 {
                    a.next();
                } else {
                    b.next();
                }
                let common = (x.0.max(y.0), x.1.min(y.1));
                if common.0 <= common.1 {
                    return Some(common);
                }
            }
            None
        })
    }

    pub(crate) fn intersection(&self, other: &Self) -> Self {
        // INVARIANT: overlaps of two canonical lists never touch: two neighbours of them are kept apart by
        // the gap of one of the lists.
        Self(self.overlaps(other).collect())
    }

    pub(crate) fn is_disjoint(&self, other: &Self) -> bool {
        self.overlaps(other).next().is_none()
    }

    pub(crate) fn complement(&self) -> Self {
        let mut out = Vec::with_capacity(self.0.len() + 1);
        let mut start = Some(P::MIN);
        for &(first, last) in &self.0 {
            if let (Some(from), Some(to)) = (start, first.prev())
                && from <= to
            {
                out.push((from, to));
            }
            start = last.next();
        }
        out.extend(start.map(|from| (from, P::MAX)));
        Self(out)
    }

    pub(crate) fn difference(&self, other: &Self) -> Self {
        self.intersection(&other.complement())
    }

    /// Whether every point of the other set is inside; linear in both.
    pub(crate) fn contains_set(&self, other: &Self) -> bool {
        let mut mine = self.0.iter().peekable();
        other.0.iter().all(|span| {
            while mine.next_if(|s| s.1 < span.1).is_some() {}
            mine.peek().is_some_and(|s| s.0 <= span.0)
        })
    }
}

#[cfg(test)]
mod tests;
