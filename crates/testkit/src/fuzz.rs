//! Damaged inputs for parsers: samples that are cut, spliced, repeated and peppered with odd bytes.

use crate::Rng;
use std::time::{Duration, Instant};

/// Pieces that parsers stumble over.
const ODD: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\xc0\x80",
    b"/",
    b"//",
    b"..",
    b"%",
    b"%0",
    b"%00",
    b"%ff",
    b"&",
    b"=",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b",",
    b":",
    b"-",
    b"0",
    b"00",
    b"18446744073709551616",
    b"1e999",
    b"null",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x92\xa9",
    b" ",
    b"\n",
];

/// One damaged input made of the samples; at most about four times as long as the longest.
pub fn damaged(rng: &mut Rng, samples: &[&[u8]]) -> Vec<u8> {
    let mut out = rng.pick(samples).copied().unwrap_or_default().to_vec();
    for _ in 0..rng.between(0, 6) {
        let at = index(rng, out.len());
        match rng.between(0, 6) {
            0 => out.truncate(at),
            1 => out
                .splice(at..at, rng.pick(ODD).copied().unwrap_or_default().iter().copied())
                .for_each(drop),
            2 => {
                let end = at + index(rng, out.len() - at);
                out.splice(at..end, []).for_each(drop);
            }
            3 => {
                let other = rng.pick(samples).copied().unwrap_or_default();
                let from = index(rng, other.len());
                out.splice(at..at, other.iter().skip(from).copied()).for_each(drop);
            }
            4 => {
                let byte = u8::try_from(rng.between(0, 256)).unwrap_or_default();
                out.splice(at..at, [byte]).for_each(drop);
            }
            _ => {
                let times = usize::try_from(rng.between(1, 40)).unwrap_or(1);
                let piece = rng.pick(ODD).copied().unwrap_or_default().repeat(times);
                out.splice(at..at, piece).for_each(drop);
            }
        }
    }
    out
}

fn index(rng: &mut Rng, len: usize) -> usize {
    usize::try_from(rng.between(0, len as u64 + 1)).unwrap_or_default().min(len)
}

/// Calls `parse` with damaged inputs for about a second; prints how many, and the last input if it panics.
#[track_caller]
pub fn feed(test: &str, samples: &[&[u8]], parse: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let mut rng = Rng::announced(test);
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(1000) {
        let input = damaged(&mut rng, samples);
        if std::panic::catch_unwind(|| parse(&input)).is_err() {
            panic!("{test}: panics at {:?}", String::from_utf8_lossy(&input));
        }
    }
}
