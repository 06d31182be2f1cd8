//! Dates of queries, in the forms that people and programs have them.

use crate::{Error, Result};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Unix times above this are milliseconds: as seconds they lie beyond the year 5000.
const SECONDS_MAX: f64 = 100_000_000_000.0;

/// A moment: a text, or a Unix time in seconds or milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryDate {
    /// RFC 3339; without an offset in UTC; a day alone is its first moment.
    Text(String),
    /// Unix time, in seconds or milliseconds by its size.
    Unix(f64),
}

impl From<&str> for QueryDate {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for QueryDate {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for QueryDate {
    fn from(time: f64) -> Self {
        Self::Unix(time)
    }
}

impl From<i64> for QueryDate {
    fn from(time: i64) -> Self {
        // Times up to the year 200,000 in milliseconds are exact.
        Self::Unix(time as f64)
    }
}

impl QueryDate {
    /// The moment.
    pub(super) fn parse(&self, field: &str) -> Result<Timestamp> {
        let bad = |shown: &str| {
            let forms = "2022-02-01T00:00:00Z, 2022-02-01, or a Unix time";
            Error::invalid(field, format!("`{shown}` is no date; write {forms}"))
        };
        match self {
            Self::Text(text) => parse_text(text.trim()).ok_or_else(|| bad(text)),
            Self::Unix(time) => {
                let seconds = if time.abs() > SECONDS_MAX { time / 1_000.0 } else { *time };
                let duration = std::time::Duration::try_from_secs_f64(seconds.max(0.0)).ok();
                let duration = duration.filter(|_| seconds >= 0.0 && seconds.is_finite());
                let span = duration.and_then(|d| jiff::SignedDuration::try_from(d).ok());
                let moment = span.and_then(|s| Timestamp::from_duration(s).ok());
                moment.ok_or_else(|| bad(&time.to_string()))
            }
        }
    }
}

fn parse_text(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    let in_utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let with_time = text.contains([':']);
    match with_time {
        true => text.parse::<DateTime>().ok().and_then(in_utc),
        false => text.parse::<Date>().ok().map(|day| day.at(0, 0, 0, 0)).and_then(in_utc),
    }
}

/// The form that the API takes: to the second, in UTC.
pub(super) fn show(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_every_form_of_date() {
        let first = "2022-02-01T00:00:00Z";
        for (date, want) in [
            (QueryDate::from(first), first),
            ("2022-02-01".into(), first),
            ("2022-02-01T00:00:00".into(), first),
            ("2022-02-01 00:00:00".into(), first),
            ("2022-02-01T01:00:00+01:00".into(), first),
            (1_643_673_600.into(), first),
            (1_643_673_600_000.into(), first),
            (1_643_673_600.5.into(), first),
            (0.into(), "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(date.parse("d").map(show).ok().as_deref(), Some(want), "{date:?}");
        }
        for bad in ["", "yesterday", "2022-13-01", "1643673600", "2022-02-01T25:00:00Z"] {
            let refusal = QueryDate::from(bad).parse("start_date").unwrap_err().to_string();
            assert!(refusal.starts_with("invalid `start_date`"), "{refusal}");
        }
        for bad in [-1.0, f64::NAN, f64::INFINITY, 1e300] {
            assert!(QueryDate::from(bad).parse("d").is_err(), "{bad}");
        }
    }
}
