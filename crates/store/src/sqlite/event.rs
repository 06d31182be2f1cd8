//! Finding audit events.

use crate::{EventFilter, EventPage, NextEvent};
use bulkhead_ids::Id;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

/// A query for events: which index it walks, which rows it wants, and the values bound.
struct Query {
    index: &'static str,
    conditions: String,
    values: Vec<Value>,
}

impl Query {
    fn new(org: u32, filter: &EventFilter) -> Self {
        // The planner has no statistics to choose by: the actor is the narrowest, then the type.
        let index = match filter {
            f if f.created_by.is_some() => "event_by_actor",
            f if !f.event_types.is_empty() => "event_by_type",
            _ => "event_by_time",
        };
        let mut q = Self { index, conditions: "org = ?".to_owned(), values: vec![org.into()] };
        if let Some(actor) = &filter.created_by {
            q.and(" AND created_by = ?", text(actor));
        }
        q.any_type(&filter.event_types);
        if let Some(from) = filter.timestamp_gte_us {
            q.and(" AND timestamp_us >= ?", from.into());
        }
        if let Some(to) = filter.timestamp_lte_us {
            q.and(" AND timestamp_us <= ?", to.into());
        }
        if let Some(status) = &filter.status {
            q.and(" AND status = ?", text(status));
        }
        if let Some(severity) = &filter.severity {
            q.and(" AND severity = ?", text(severity));
        }
        if let Some(needle) = &filter.text {
            q.and(" AND CAST(doc AS TEXT) LIKE ? ESCAPE '!'", Value::Text(pattern(needle)));
        }
        q
    }

    fn and(&mut self, condition: &str, value: Value) {
        self.conditions.push_str(condition);
        self.values.push(value);
    }

    fn any_type(&mut self, types: &[Box<str>]) {
        if types.is_empty() {
            return;
        }
        let places = vec!["?"; types.len()].join(", ");
        self.conditions.push_str(&format!(" AND event_type IN ({places})"));
        self.values.extend(types.iter().map(|t| text(t)));
    }

    fn count(&self) -> String {
        let Self { index, conditions, .. } = self;
        format!("SELECT count(*) FROM event INDEXED BY {index} WHERE {conditions}")
    }

    fn newest(&self) -> String {
        let Self { index, conditions, .. } = self;
        format!(
            "SELECT seq FROM event INDEXED BY {index} WHERE {conditions} \
             ORDER BY timestamp_us DESC, seq DESC LIMIT ?"
        )
    }
}

fn text(s: &str) -> Value {
    Value::Text(s.to_owned())
}

/// A pattern that finds a text in a JSON document: as JSON writes it, and nothing in it special.
fn pattern(needle: &str) -> String {
    let mut out = String::from("%");
    for c in needle.chars() {
        match c {
            '%' | '_' | '!' => out.extend(['!', c]),
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('%');
    out
}

/// The newest events that pass a filter.
pub(super) fn page(
    conn: &Connection,
    org: u32,
    filter: &EventFilter,
    limit: usize,
) -> rusqlite::Result<EventPage> {
    let total = total(conn, org)?;
    let mut query = Query::new(org, filter);
    let matched = if *filter == EventFilter::default() {
        total
    } else {
        let mut count = conn.prepare_cached(&query.count())?;
        count.query_row(params_from_iter(&query.values), |row| row.get(0))?
    };
    query.values.push(Value::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    let mut newest = conn.prepare_cached(&query.newest())?;
    let found: rusqlite::Result<Vec<i64>> =
        newest.query_map(params_from_iter(&query.values), |row| row.get(0))?.collect();
    let mut doc = conn.prepare_cached("SELECT doc FROM event WHERE seq = ?1")?;
    let rows: rusqlite::Result<Vec<Vec<u8>>> =
        found?.iter().map(|seq| doc.query_row([seq], |row| row.get(0))).collect();
    Ok(EventPage { rows: rows?, total, matched })
}

fn total(conn: &Connection, org: u32) -> rusqlite::Result<u64> {
    let mut q = conn.prepare_cached("SELECT events FROM org_state WHERE org = ?1")?;
    q.query_row([org], |row| row.get(0)).optional().map(Option::unwrap_or_default)
}

/// The document of one event.
pub(super) fn one(conn: &Connection, org: u32, id: Id) -> rusqlite::Result<Option<Vec<u8>>> {
    let mut q = conn.prepare_cached("SELECT doc FROM event WHERE org = ?1 AND id = ?2")?;
    q.query_row((org, id.to_bytes()), |row| row.get(0)).optional()
}

/// The events after a place in the order of recording.
pub(super) fn after(conn: &Connection, seq: u64, limit: usize) -> rusqlite::Result<Vec<NextEvent>> {
    let mut q = conn
        .prepare_cached("SELECT seq, org, doc FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    let rows = q.query_map([seq, limit], |row| {
        Ok(NextEvent { seq: row.get(0)?, org: row.get(1)?, doc: row.get(2)? })
    })?;
    rows.collect()
}

/// The place of the event that was recorded last.
pub(super) fn last(conn: &Connection) -> rusqlite::Result<u64> {
    let mut q = conn.prepare_cached("SELECT max(seq) FROM event")?;
    q.query_row([], |row| row.get::<_, Option<u64>>(0)).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::testing::{golden, plan};

    fn some(s: &str) -> Option<Box<str>> {
        Some(s.into())
    }

    #[test]
    fn every_filter_searches_an_index() {
        let any = EventFilter::default;
        let filters = [
            ("none", any()),
            ("time", EventFilter { timestamp_gte_us: Some(1), timestamp_lte_us: Some(9), ..any() }),
            ("status", EventFilter { status: some("failure"), ..any() }),
            ("severity", EventFilter { severity: some("err"), ..any() }),
            ("type", EventFilter { event_types: vec!["a".into()], ..any() }),
            ("types", EventFilter { event_types: vec!["a".into(), "b".into()], ..any() }),
            ("actor", EventFilter { created_by: some("/users/1"), ..any() }),
            (
                "actor, type and time",
                EventFilter {
                    created_by: some("/users/1"),
                    event_types: vec!["a".into()],
                    timestamp_gte_us: Some(1),
                    ..any()
                },
            ),
            ("text", EventFilter { text: some("x"), ..any() }),
        ];
        let mut plans = String::new();
        for (name, filter) in filters {
            let q = Query::new(1, &filter);
            plans += &format!("{name}, count:\n{}", plan(&q.count()));
            plans += &format!("{name}, newest:\n{}", plan(&q.newest()));
        }
        golden("event_plans.txt", &plans);
    }

    #[test]
    fn a_pattern_holds_the_text_as_json_writes_it() {
        assert_eq!(pattern("50%_!"), "%50!%!_!!%");
        assert_eq!(pattern("a\"b\\c\n\u{1}"), "%a\\\"b\\\\c\\n\\u0001%");
    }
}
