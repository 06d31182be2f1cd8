//! Addresses of many sets, cut into classes: single addresses and ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bulkhead_netset::{IpRange, IpSet};

use crate::options::RenderError;
use crate::ruleset::{ClassId, Family};
use crate::sweep::sweep;

/// The class of addresses that no set holds, or that are treated like those.
pub(crate) const OTHER: ClassId = ClassId(0);

/// The classes of the addresses of one family.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Classes {
    /// Single addresses; they overrule a range that holds them.
    pub(crate) singles: Vec<(IpRange, ClassId)>,
    /// Ranges of more than a few addresses.
    pub(crate) ranges: Vec<(IpRange, ClassId)>,
}

/// Ranges of at most this many addresses are told as single addresses: neighbouring hosts with the same
/// labels are not a network, and one of them may change.
const SHORT: u128 = 8;

type Span = (u128, u128, ClassId);

/// The classes of the addresses of sets; `classify` gives the class of the addresses in the sets of those
/// numbers and in no other.
///
/// A single address inside a range does not cut it in two: the look-up of single addresses comes after that
/// of ranges and wins. So a host that changes its labels changes one element of a hash, and an IP list stays
/// one element however many hosts are inside.
pub(crate) fn classes(
    sets: &[&IpSet],
    family: Family,
    mut classify: impl FnMut(&[u32]) -> Result<ClassId, RenderError>,
) -> Result<Classes, RenderError> {
    let ranges = (0u32..).zip(sets).flat_map(|(number, set)| {
        let mine = set.ranges().filter(move |r| r.is_ipv4() == (family == Family::V4));
        mine.map(move |range| (bits(range.first()), bits(range.last()), number))
    });
    let mut spans: Vec<Span> = Vec::new();
    for (first, last, sets) in sweep(ranges) {
        let class = classify(&sets)?;
        match spans.last_mut() {
            _ if class == OTHER => {}
            Some((_, end, same)) if end.checked_add(1) == Some(first) && *same == class => {
                *end = last;
            }
            _ => spans.push((first, last, class)),
        }
    }
    Ok(part(&spans, family))
}

/// Parts single addresses from ranges, and joins ranges that only single addresses keep apart.
fn part(spans: &[Span], family: Family) -> Classes {
    let mut singles: Vec<(u128, ClassId)> = Vec::new();
    let mut ranges: Vec<Span> = Vec::new();
    // Where the unbroken row of ranges and single addresses ends.
    let mut reached: Option<u128> = None;
    // Whether the last range is part of that row.
    let mut joins = false;
    for &(first, last, class) in spans {
        let gap = reached.is_some_and(|end| end.checked_add(2) == Some(first));
        let touches = gap || reached.is_some_and(|end| end.checked_add(1) == Some(first));
        joins &= touches;
        if gap {
            singles.push((first - 1, OTHER));
        }
        if last - first < SHORT {
            singles.extend((first..=last).map(|at| (at, class)));
        } else {
            match ranges.last_mut() {
                Some((_, end, same)) if joins && *same == class => *end = last,
                _ => ranges.push((first, last, class)),
            }
            joins = true;
        }
        reached = Some(last);
    }
    let around = |at: u128| {
        let after = ranges.partition_point(|r| r.0 <= at);
        let holder = after.checked_sub(1).and_then(|i| ranges.get(i));
        holder.filter(|r| at <= r.1).map_or(OTHER, |r| r.2)
    };
    let needed = singles.iter().filter(|(at, class)| around(*at) != *class);
    Classes {
        singles: needed.map(|(at, class)| (address(*at, family).into(), *class)).collect(),
        ranges: ranges.iter().filter_map(|r| Some((range(r.0, r.1, family)?, r.2))).collect(),
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(a) => a.to_bits().into(),
        IpAddr::V6(a) => a.to_bits(),
    }
}

fn address(bits: u128, family: Family) -> IpAddr {
    match family {
        // INVARIANT: the points of the IPv4 line come from IPv4 addresses.
        Family::V4 => Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into(),
        Family::V6 => Ipv6Addr::from_bits(bits).into(),
    }
}

fn range(first: u128, last: u128, family: Family) -> Option<IpRange> {
    IpRange::new(address(first, family), address(last, family)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Classes of sets given as text; the class is a number with one bit for each set.
    fn classes_of(sets: &[&str]) -> Vec<String> {
        let sets: Vec<IpSet> = sets
            .iter()
            .map(|s| s.split(',').map(|r| r.parse::<IpRange>().unwrap()).collect())
            .collect();
        let sets: Vec<_> = sets.iter().collect();
        let bits = |numbers: &[u32]| Ok(ClassId(numbers.iter().map(|n| 1 << n).sum()));
        let mut out = Vec::new();
        for family in Family::ALL {
            let got = classes(&sets, family, bits).unwrap();
            out.extend(got.ranges.iter().map(|(r, c)| format!("{r}={}", c.0)));
            out.extend(got.singles.iter().map(|(r, c)| format!("{r}:{}", c.0)));
        }
        out
    }

    #[test]
    fn singles_do_not_cut_ranges() {
        let cases: [(&[&str], &[&str]); 8] = [
            (&[], &[]),
            (&["10.0.0.1,10.0.0.3"], &["10.0.0.1:1", "10.0.0.3:1"]),
            (&["10.0.0.0/8", "10.1.2.3"], &["10.0.0.0/8=1", "10.1.2.3:3"]),
            (
                &["10.0.0.0/24", "10.0.0.40,10.0.0.41,10.0.0.43"],
                &["10.0.0.0/24=1", "10.0.0.40:3", "10.0.0.41:3", "10.0.0.43:3"],
            ),
            (&["10.0.0.0-10.0.0.9,10.0.0.11-10.0.0.20"], &["10.0.0.0-10.0.0.20=1", "10.0.0.10:0"]),
            (&["10.0.0.0/24", "10.0.0.128/25"], &["10.0.0.0/25=1", "10.0.0.128/25=3"]),
            // What is missing between two ranges is more than one address, whatever follows it.
            (
                &["10.0.0.0-10.0.0.20,10.0.0.40-10.0.0.42,10.0.0.44-10.0.0.90"],
                &[
                    "10.0.0.0-10.0.0.20=1",
                    "10.0.0.44-10.0.0.90=1",
                    "10.0.0.40:1",
                    "10.0.0.41:1",
                    "10.0.0.42:1",
                ],
            ),
            (&["::/0", "2001:db8::1"], &["::/0=1", "2001:db8::1:3"]),
        ];
        for (sets, want) in cases {
            assert_eq!(classes_of(sets), want, "{sets:?}");
        }
    }
}
