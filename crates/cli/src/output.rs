//! What goes to standard output: one object after the other, in the form asked for.

use crate::error::{Failure, Result};
use clap::ValueEnum;
use serde_json::Value;
use std::io::{BufWriter, StdoutLock, Write};

/// Rows from which the widths of a table's columns are taken.
const ROWS_MEASURED: usize = 500;
/// Widest column of a table that is not `wide`, in characters.
const COLUMN_MAX: usize = 48;

/// Forms of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// More columns for people.
    Wide,
    /// A JSON array, or one object.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// YAML.
    Yaml,
    /// Comma-separated values.
    Csv,
    /// Hrefs only.
    Name,
}

/// How to print.
#[derive(Clone, Debug, Default)]
pub(crate) struct Style {
    pub(crate) format: Format,
    pub(crate) fields: Vec<String>,
    pub(crate) header: bool,
}

/// Prints objects as they come.
pub(crate) struct Printer {
    style: Style,
    columns: Vec<String>,
    kept: Vec<Vec<String>>,
    widths: Vec<usize>,
    rows: usize,
    out: BufWriter<StdoutLock<'static>>,
}

impl Printer {
    /// For objects of which tables show these columns.
    pub(crate) fn new(style: &Style, columns: &[&str]) -> Self {
        let columns = match style.fields.is_empty() {
            true => columns.iter().map(|c| (*c).to_owned()).collect(),
            false => style.fields.clone(),
        };
        let out = BufWriter::new(std::io::stdout().lock());
        Self { style: style.clone(), columns, kept: Vec::new(), widths: Vec::new(), rows: 0, out }
    }

    /// One object of a list.
    pub(crate) fn row(&mut self, object: &Value) -> Result {
        self.rows += 1;
        match self.style.format {
            Format::Json => {
                self.out.write_all(if self.rows == 1 { b"[\n" } else { b",\n" })?;
                let chosen = self.chosen(object);
                serde_json::to_writer(&mut self.out, &chosen).map_err(unwritable)?;
            }
            Format::Jsonl => {
                let chosen = self.chosen(object);
                serde_json::to_writer(&mut self.out, &chosen).map_err(unwritable)?;
                self.out.write_all(b"\n")?;
            }
            Format::Yaml => {
                let text = serde_norway::to_string(&vec![self.chosen(object)]);
                self.out.write_all(text.map_err(unwritable)?.as_bytes())?;
            }
            Format::Name => {
                let href = object.get("href").map(cell).unwrap_or_default();
                writeln!(self.out, "{href}")?;
            }
            Format::Csv => {
                let cells = self.cells(object);
                if self.rows == 1 && self.style.header {
                    let header = self.columns.clone();
                    self.csv(&header)?;
                }
                self.csv(&cells)?;
            }
            Format::Table | Format::Wide => {
                let cells = self.cells(object);
                match self.widths.is_empty() {
                    false => self.line(&cells)?,
                    true => {
                        self.kept.push(cells);
                        if self.kept.len() >= ROWS_MEASURED {
                            self.measure()?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// One object alone.
    pub(crate) fn object(mut self, object: &Value) -> Result {
        match self.style.format {
            Format::Json | Format::Table | Format::Wide => {
                let text = match self.style.format {
                    Format::Json => serde_json::to_string_pretty(&self.chosen(object)),
                    _ => Ok(serde_norway::to_string(&self.chosen(object)).map_err(unwritable)?),
                };
                writeln!(self.out, "{}", text.map_err(unwritable)?.trim_end())?;
                Ok(self.out.flush()?)
            }
            _ => {
                self.row(object)?;
                self.finish()
            }
        }
    }

    /// After the last object of a list.
    pub(crate) fn finish(mut self) -> Result {
        match self.style.format {
            Format::Json => self.out.write_all(if self.rows == 0 { b"[]\n" } else { b"\n]\n" })?,
            Format::Table | Format::Wide => self.measure()?,
            Format::Csv if self.rows == 0 && self.style.header => {
                let header = self.columns.clone();
                self.csv(&header)?;
            }
            _ => {}
        }
        Ok(self.out.flush()?)
    }

    /// The object, or those of its fields that were asked for.
    fn chosen(&self, object: &Value) -> Value {
        if self.style.fields.is_empty() {
            return object.clone();
        }
        let pick = |field: &String| (field.clone(), at(object, field).cloned().unwrap_or_default());
        Value::Object(self.style.fields.iter().map(pick).collect())
    }

    fn cells(&self, object: &Value) -> Vec<String> {
        self.columns.iter().map(|column| at(object, column).map(cell).unwrap_or_default()).collect()
    }

    fn csv(&mut self, cells: &[String]) -> Result {
        let mut writer = csv::Writer::from_writer(&mut self.out);
        writer.write_record(cells).map_err(unwritable)?;
        Ok(writer.flush()?)
    }

    fn measure(&mut self) -> Result {
        let kept = std::mem::take(&mut self.kept);
        let header: Vec<String> = self.columns.iter().map(|c| c.to_uppercase()).collect();
        let most = if self.style.format == Format::Wide { usize::MAX } else { COLUMN_MAX };
        let width = |n: usize| {
            let cells = kept.iter().chain([&header]).filter_map(|row| row.get(n));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(most)
        };
        if self.widths.is_empty() {
            self.widths = (0..self.columns.len()).map(width).collect();
            if self.style.header && !kept.is_empty() {
                self.line(&header)?;
            }
        }
        kept.iter().try_for_each(|row| self.line(row))
    }

    fn line(&mut self, cells: &[String]) -> Result {
        let mut line = String::new();
        for (cell, width) in cells.iter().zip(&self.widths) {
            let long = cell.chars().count() > *width;
            let shown: String = match long {
                true => cell.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
                false => cell.clone(),
            };
            line.push_str(&format!("{shown:<width$}  "));
        }
        Ok(writeln!(self.out, "{}", line.trim_end())?)
    }
}

fn unwritable(error: impl std::fmt::Display) -> Failure {
    Failure::failed(format!("cannot write the output: {error}"))
}

/// The value at a path with dots.
pub(crate) fn at<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    match object.get(path) {
        Some(value) => Some(value),
        None => path.split('.').try_fold(object, |value, name| value.get(name)),
    }
}

/// A value in a cell of a table.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(short).collect::<Vec<_>>().join(" "),
        Value::Object(_) => short(value),
        other => other.to_string(),
    }
}

/// What names an object inside another.
fn short(value: &Value) -> String {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    if let (Some(key), Some(value)) = (text("key"), text("value")) {
        return format!("{key}:{value}");
    }
    for name in ["name", "hostname", "value", "fqdn", "address", "from_ip", "href"] {
        if let Some(text) = text(name) {
            return match (name, value.get("to_ip").and_then(Value::as_str)) {
                ("from_ip", Some(to)) => format!("{text}-{to}"),
                _ => text.to_owned(),
            };
        }
    }
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
