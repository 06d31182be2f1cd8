use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Ranges given and the list they become.
type Case<'a> = (&'a [Span<u8>], &'a [Span<u8>]);

type Model = BTreeSet<u8>;

fn model(spans: &[Span<u8>]) -> Model {
    spans.iter().flat_map(|(a, b)| *a..=*b).collect()
}

/// Ends crowd at both bounds of the space, where arithmetic goes wrong first.
fn end() -> impl Strategy<Value = u8> {
    prop_oneof![2 => any::<u8>(), 1 => 0..4u8, 1 => 252..=255u8]
}

fn spans() -> impl Strategy<Value = Vec<Span<u8>>> {
    prop::collection::vec((end(), end()).prop_map(|(a, b)| (a.min(b), a.max(b))), 0..8)
}

/// The canonical list of a model, built point by point.
fn canonical(model: &Model) -> Vec<Span<u8>> {
    let mut out: Vec<Span<u8>> = Vec::new();
    for &p in model {
        match out.last_mut() {
            Some(last) if u16::from(last.1) + 1 == u16::from(p) => last.1 = p,
            _ => out.push((p, p)),
        }
    }
    out
}

#[test]
fn building_sorts_merges_and_drops_reversed_ranges() {
    let cases: [Case<'_>; 8] = [
        (&[], &[]),
        (&[(5, 5)], &[(5, 5)]),
        (&[(7, 9), (1, 3)], &[(1, 3), (7, 9)]),
        (&[(1, 3), (4, 6)], &[(1, 6)]),
        (&[(1, 3), (5, 6)], &[(1, 3), (5, 6)]),
        (&[(1, 9), (2, 3)], &[(1, 9)]),
        (&[(250, 255), (255, 255), (0, 0)], &[(0, 0), (250, 255)]),
        (&[(9, 1), (4, 4)], &[(4, 4)]),
    ];
    for (input, expected) in cases {
        assert_eq!(Spans::from_unsorted(input.to_vec()).as_slice(), expected, "{input:?}");
    }
}

#[test]
fn complement_at_the_bounds() {
    let cases: [Case<'_>; 5] = [
        (&[], &[(0, 255)]),
        (&[(0, 255)], &[]),
        (&[(0, 0)], &[(1, 255)]),
        (&[(255, 255)], &[(0, 254)]),
        (&[(0, 1), (3, 3), (254, 255)], &[(2, 2), (4, 253)]),
    ];
    for (input, expected) in cases {
        let set = Spans::from_unsorted(input.to_vec());
        assert_eq!(set.complement().as_slice(), expected, "{input:?}");
    }
    assert!(Spans::<u8>::full().is_full());
    assert!(!Spans::<u8>::default().is_full());
}

proptest! {
    #[test]
    fn operations_agree_with_a_naive_set(a in spans(), b in spans()) {
        let (x, y) = (Spans::from_unsorted(a.clone()), Spans::from_unsorted(b.clone()));
        let (m, n) = (model(&a), model(&b));
        prop_assert_eq!(x.as_slice(), canonical(&m));
        let union = x.union(&y);
        prop_assert_eq!(union.as_slice(), canonical(&(&m | &n)));
        let intersection = x.intersection(&y);
        prop_assert_eq!(intersection.as_slice(), canonical(&(&m & &n)));
        let difference = x.difference(&y);
        prop_assert_eq!(difference.as_slice(), canonical(&(&m - &n)));
        let complement = x.complement();
        let all: Model = (0..=255).collect();
        prop_assert_eq!(complement.as_slice(), canonical(&(&all - &m)));
        prop_assert_eq!(x.contains_set(&y), m.is_superset(&n));
        prop_assert_eq!(x.is_disjoint(&y), m.is_disjoint(&n));
        prop_assert_eq!(x.is_empty(), m.is_empty());
        prop_assert_eq!(x == y, m == n);
        for p in 0..=255 {
            prop_assert_eq!(x.contains(p), m.contains(&p));
        }
    }

    #[test]
    fn a_range_is_inside_when_all_its_points_are(a in spans(), p in end(), q in end()) {
        let (set, m) = (Spans::from_unsorted(a.clone()), model(&a));
        let (p, q) = (p.min(q), p.max(q));
        prop_assert_eq!(set.contains_span((p, q)), (p..=q).all(|n| m.contains(&n)));
    }
}
