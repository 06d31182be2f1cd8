//! Figures beside their peer or limit.

use crate::BenchError;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// Rows in the order of measurement.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

/// One figure.
pub(crate) struct Row {
    /// As in the table of goals.
    pub(crate) id: &'static str,
    /// What was measured.
    pub(crate) what: String,
    /// Ours, with its unit.
    pub(crate) ours: (f64, &'static str),
    /// The peer's or limit's, with its name.
    pub(crate) peer: Option<(f64, &'static str)>,
    /// The ratio as the goal states it.
    pub(crate) ratio: Option<f64>,
    /// The goal, and whether it is met.
    pub(crate) goal: Option<(&'static str, bool)>,
}

/// The median of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

impl Report {
    /// Adds a row and tells it at once.
    pub(crate) fn add(&mut self, row: Row) {
        say(&line(&row));
        self.rows.push(row);
    }

    /// Prints all rows.
    pub(crate) fn print(&self) {
        say("");
        for row in &self.rows {
            say(&line(row));
        }
    }

    /// Writes all rows as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<(), BenchError> {
        let rows: Vec<Value> = self.rows.iter().map(json_row).collect();
        let text = format!("{:#}\n", json!({"rows": rows}));
        std::fs::write(path, text)
            .map_err(|e| BenchError::Io(format!("cannot write `{}`", path.display()), e))
    }
}

fn json_row(r: &Row) -> Value {
    json!({
        "id": r.id,
        "what": r.what,
        "ours": rounded(r.ours.0),
        "unit": r.ours.1,
        "peer": r.peer.map(|p| rounded(p.0)),
        "peer_is": r.peer.map(|p| p.1),
        "ratio": r.ratio.map(rounded),
        "goal": r.goal.map(|g| g.0),
        "met": r.goal.map(|g| g.1),
    })
}

fn rounded(f: f64) -> f64 {
    (f * 1000.0).round() / 1000.0
}

fn line(r: &Row) -> String {
    let peer = r.peer.map(|(f, name)| format!("  {name}: {f:.2}")).unwrap_or_default();
    let ratio = r.ratio.map(|f| format!("  ratio {f:.2}")).unwrap_or_default();
    let goal = r
        .goal
        .map(|(g, met)| format!("  goal {g}: {}", if met { "met" } else { "MISSED" }))
        .unwrap_or_default();
    format!("{:3} {:58} {:10.2} {}{peer}{ratio}{goal}", r.id, r.what, r.ours.0, r.ours.1)
}

/// Prints a line of progress.
pub(crate) fn say(text: &str) {
    // A closed pipe is no reason to stop measuring.
    let _ = writeln!(std::io::stdout(), "{text}");
}
