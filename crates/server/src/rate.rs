//! Requests a minute of each credential, in fixed windows of one minute.

use parking_lot::Mutex;
use std::collections::HashMap;

/// Windows kept before idle ones are dropped.
const KEPT_MAX: usize = 10_000;
const WINDOW_MS: i64 = 60_000;

/// Counts the requests of each credential.
pub struct Rates {
    per_minute: u32,
    windows: Mutex<HashMap<Box<str>, Window>>,
}

struct Window {
    since_ms: i64,
    count: u32,
}

impl Rates {
    /// Allows that many requests a minute and credential; 0 allows any number.
    pub fn new(per_minute: u32) -> Self {
        Self { per_minute, windows: Mutex::default() }
    }

    /// Counts a request; an error is the number of seconds to wait.
    ///
    /// # Errors
    /// When the credential has used up its minute.
    pub fn count(&self, credential: &str, now_ms: i64) -> Result<(), u32> {
        self.count_to(credential, self.per_minute, now_ms)
    }

    /// [`Rates::count`] with a bound of its own, for calls that are limited further.
    ///
    /// # Errors
    /// As [`Rates::count`].
    pub fn count_to(&self, credential: &str, per_minute: u32, now_ms: i64) -> Result<(), u32> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let mut windows = self.windows.lock();
        if windows.len() >= KEPT_MAX {
            windows.retain(|_, w| now_ms - w.since_ms < WINDOW_MS);
        }
        let window = match windows.get_mut(credential) {
            Some(w) => w,
            None => {
                windows.entry(credential.into()).or_insert(Window { since_ms: now_ms, count: 0 })
            }
        };
        if now_ms - window.since_ms >= WINDOW_MS {
            *window = Window { since_ms: now_ms, count: 0 };
        }
        if window.count >= per_minute {
            let left_ms = window.since_ms + WINDOW_MS - now_ms;
            return Err(u32::try_from(left_ms / 1000 + 1).unwrap_or(60));
        }
        window.count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Rates;

    #[test]
    fn the_call_after_the_last_waits_for_the_window() {
        let rates = Rates::new(3);
        for _ in 0..3 {
            assert_eq!(rates.count("a", 1_000), Ok(()));
        }
        assert_eq!(rates.count("a", 31_000), Err(31));
        assert_eq!(rates.count("b", 31_000), Ok(()));
        assert_eq!(rates.count("a", 61_000), Ok(()));
    }

    #[test]
    fn zero_is_no_limit() {
        let rates = Rates::new(0);
        assert!((0..10_000).all(|_| rates.count("a", 0).is_ok()));
    }
}
