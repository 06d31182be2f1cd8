//! The clock and the source of randomness: one of each, made in `main`, replaceable in tests.

use jiff::Timestamp;
use std::cell::RefCell;
use uuid::Uuid;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, UTC.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A time as the wire has it: RFC 3339, UTC, milliseconds.
pub fn wire_time(t: Timestamp) -> String {
    t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// Fills a buffer from the operating system's random source.
///
/// # Errors
/// When the operating system has none; nothing may then be made that must be secret.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

thread_local! {
    /// Random bytes that no UUID was made of yet.
    static SPARE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// UUIDs for which random bytes are fetched at once: each request has an id, and asking the operating
/// system for each costs more than the rest of it.
const FETCHED: usize = 128;

/// A new version 4 UUID. It is unique, but nothing secret: secrets are made of [`random`].
pub fn new_uuid() -> Uuid {
    let spare = SPARE.with_borrow_mut(|spare| {
        if spare.is_empty() {
            spare.resize(16 * FETCHED, 0);
            if getrandom::fill(spare).is_err() {
                spare.clear();
            }
        }
        let from = spare.len().checked_sub(16)?;
        let bytes = spare.get(from..)?.try_into().ok();
        spare.truncate(from);
        bytes
    });
    spare.map_or_else(Uuid::new_v4, |bytes| uuid::Builder::from_random_bytes(bytes).into_uuid())
}

/// A new version 7 UUID, for what is stored: ids that are made together stand together in every index,
/// so that a thousand new rows touch a few pages and not a thousand.
pub fn ordered_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from(if n < 10 { b'0' + n } else { b'a' + n - 10 });
    let mut out = String::with_capacity(bytes.len() * 2);
    out.extend(bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]));
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn uuids_differ_and_are_of_version_4() {
        let made: std::collections::HashSet<_> =
            (0..3 * super::FETCHED).map(|_| super::new_uuid()).collect();
        assert_eq!(made.len(), 3 * super::FETCHED);
        assert!(
            made.iter()
                .all(|u| u.get_version_num() == 4 && u.get_variant() == uuid::Variant::RFC4122)
        );
    }

    #[test]
    fn hexadecimal_digits_are_lower_case() {
        assert_eq!(super::hex(&[0x00, 0x9a, 0xf1, 0xff]), "009af1ff");
    }
}
