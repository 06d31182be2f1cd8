//! Cuts a line at the bounds of many ranges, so that each piece lies in the same ranges as a whole.

/// A piece of the line: first and last point, and which of the inputs hold it, ascending.
pub(crate) type Piece<P> = (P, P, Vec<u32>);

/// The pieces of all ranges, ascending, disjoint; neighbours that touch differ in their inputs. Points that
/// are in no range are in no piece.
///
/// Each range is (first, last, number of the input); ranges of one input do not overlap. The cost is
/// `O(n log n)` in the ranges, times the number of inputs that overlap in one place.
pub(crate) fn sweep(ranges: impl IntoIterator<Item = (u128, u128, u32)>) -> Vec<Piece<u128>> {
    // (first point after the change, opens, input); what ends past the last point needs no event.
    let mut events = Vec::new();
    for (first, last, input) in ranges {
        events.push((first, true, input));
        if let Some(after) = last.checked_add(1) {
            events.push((after, false, input));
        }
    }
    events.sort_unstable();
    let mut out: Vec<Piece<u128>> = Vec::new();
    let mut active: Vec<u32> = Vec::new();
    let mut start = 0;
    for (at, opens, input) in events {
        if at > start {
            push(&mut out, start, at - 1, &active);
            start = at;
        }
        match (active.binary_search(&input), opens) {
            (Err(i), true) => active.insert(i, input),
            (Ok(i), false) => {
                active.remove(i);
            }
            // INVARIANT: ranges of one input neither overlap nor touch, so each opens before it ends.
            (Ok(_), true) | (Err(_), false) => {}
        }
    }
    push(&mut out, start, u128::MAX, &active);
    out
}

fn push(out: &mut Vec<Piece<u128>>, first: u128, last: u128, active: &[u32]) {
    if active.is_empty() {
        return;
    }
    match out.last_mut() {
        Some((_, end, inputs)) if end.checked_add(1) == Some(first) && inputs == active => {
            *end = last;
        }
        _ => out.push((first, last, active.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a [(u128, u128, u32)], &'a [(u128, u128, &'a [u32])]);

    #[test]
    fn pieces_are_cut_at_every_bound() {
        let cases: [Case<'_>; 5] = [
            (&[], &[]),
            (&[(1, 5, 0)], &[(1, 5, &[0])]),
            (&[(1, 5, 0), (3, 9, 1)], &[(1, 2, &[0]), (3, 5, &[0, 1]), (6, 9, &[1])]),
            (
                &[(0, u128::MAX, 0), (7, 7, 1)],
                &[(0, 6, &[0]), (7, 7, &[0, 1]), (8, u128::MAX, &[0])],
            ),
            (&[(1, 2, 0), (3, 4, 1), (3, 4, 0)], &[(1, 2, &[0]), (3, 4, &[0, 1])]),
        ];
        for (ranges, want) in cases {
            let want: Vec<_> = want.iter().map(|(a, b, i)| (*a, *b, i.to_vec())).collect();
            assert_eq!(sweep(ranges.iter().copied()), want, "{ranges:?}");
        }
    }
}
