//! The one reader of decimal numbers: digits only, no sign, no leading zero.

/// Reads a decimal number that fills the whole text; `None` if it is anything else or above `max`.
///
/// Leading zeros are refused because some programs read them as octal.
pub(crate) fn decimal(s: &str, max: u16) -> Option<u16> {
    let canonical = s == "0" || !s.starts_with('0');
    let digits = !s.is_empty() && s.len() <= 5 && s.bytes().all(|b| b.is_ascii_digit());
    if !(canonical && digits) {
        return None;
    }
    s.parse::<u32>().ok().and_then(|n| u16::try_from(n).ok()).filter(|n| *n <= max)
}
