//! The clock and the source of randomness: one of each, made in `main`, replaceable in tests.

use jiff::Timestamp;
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

/// A new version 4 UUID.
pub fn new_uuid() -> Uuid {
    Uuid::new_v4()
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut s, b| {
        // INVARIANT: writing to a String does not fail.
        let _ = write!(s, "{b:02x}");
        s
    })
}
