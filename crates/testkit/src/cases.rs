//! Cases as data: sequences of requests with what they must be answered, in JSON files.

use crate::template::{Vars, differences, fill, fill_text};
use crate::{Client, Reply};
use bulkhead_api::{Operation, operations};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file: steps that follow on one another.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub title: String,
    /// The requests, in order.
    pub steps: Vec<Step>,
}

/// A request and the answer it must get.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Id of the operation, which gives the method; the path must be one of its paths.
    pub op: String,
    /// Why the step is there, where that is not plain.
    #[serde(default)]
    pub why: String,
    /// The path, relative to the organisation or with a leading slash below `/api/v2`; with query.
    pub path: String,
    /// Whose credentials: the owner's by default.
    #[serde(default)]
    pub auth: Auth,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<Value>,
    /// Status of the answer.
    pub status: u16,
    /// Token of the first error.
    pub token: Option<String>,
    /// Pattern of the body.
    pub answer: Option<Value>,
    /// Patterns of headers.
    #[serde(default)]
    pub answer_headers: BTreeMap<String, String>,
    /// Names for later steps: a JSON pointer into the body, `id:` and a pointer to
    /// an href for the id at its end, or `header:name`.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// Whether another organisation's objects in the body must be refused: not where the body names
    /// objects that are looked up in another way.
    #[serde(default = "yes")]
    pub foreign: bool,
    /// Times to send the request again, 50 ms apart, while the answer is not as it must be.
    #[serde(default)]
    pub retries: u32,
}

const fn yes() -> bool {
    true
}

/// Whose credentials a step sends.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// The organisation's owner.
    #[default]
    Owner,
    /// Nobody's.
    None,
    /// User and secret of HTTP Basic.
    Basic(String, String),
    /// A whole `Authorization` header.
    Header(String),
}

/// All cases below a directory with the paths of their files, in the order of the paths.
#[track_caller]
pub fn load(dir: &Path) -> Vec<(PathBuf, Case)> {
    let mut files = Vec::new();
    walk(dir, &mut files);
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).expect("a readable case");
        match serde_json::from_str(&text) {
            Ok(case) => (file, case),
            Err(e) => panic!("{}: {e}", file.display()),
        }
    };
    files.into_iter().map(read).collect()
}

#[track_caller]
fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(dir);
    for entry in entries.unwrap_or_else(|e| panic!("{}: {e}", dir.display())).flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|e| e == "json") {
            files.push(path);
        }
    }
}

/// The operation of a step; fails the test when there is none of that name.
#[track_caller]
pub fn operation(id: &str) -> &'static Operation {
    match operations().iter().find(|o| o.id == id) {
        Some(op) => op,
        None => panic!("no operation `{id}`"),
    }
}

/// Whether a path is one of those that a template stands for.
pub fn fits(template: &str, path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    let mut have = path.split('/');
    template.split('/').all(|want| match have.next() {
        Some(part) => part == want || want.starts_with('{') && !part.is_empty(),
        None => false,
    }) && have.next().is_none()
}

impl Step {
    /// The path as it is sent, without `/api/v2`.
    pub fn full_path(&self, client: &Client, vars: &Vars) -> String {
        let path = fill_text(&self.path, vars);
        match path.starts_with('/') {
            true => path,
            false => format!("/orgs/{}/{path}", client.org()),
        }
    }

    /// Sends the request; the client has the owner's credentials.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&self, client: &Client, vars: &Vars) -> Result<Reply, String> {
        self.send_body(client, vars, self.body.as_ref().map(|b| fill(b, vars)))
    }

    /// [`Step::send`] with another body.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send_body(
        &self,
        client: &Client,
        vars: &Vars,
        body: Option<Value>,
    ) -> Result<Reply, String> {
        let path = format!("/api/v2{}", self.full_path(client, vars));
        let (client, header) = match &self.auth {
            Auth::Owner => (client.clone(), None),
            Auth::None => (Client::anonymous(client.base()), None),
            Auth::Basic(user, secret) => {
                (client.with(&fill_text(user, vars), &fill_text(secret, vars)), None)
            }
            Auth::Header(text) => (Client::anonymous(client.base()), Some(fill_text(text, vars))),
        };
        let mut headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        headers.extend(header.as_deref().map(|h| ("Authorization", h)));
        let bytes = body.map(|b| b.to_string().into_bytes());
        let method = operation(&self.op).method.as_str();
        client
            .try_send_raw(method, &path, &headers, bytes)
            .map_err(|e| format!("{method} {path}: no answer: {e}"))
    }

    /// What is wrong with an answer; empty when nothing is.
    pub fn check(&self, reply: &Reply, vars: &Vars) -> Vec<String> {
        let mut wrong = Vec::new();
        if reply.status != self.status {
            wrong.push(format!("status {}, expected {}", reply.status, self.status));
        }
        if let Some(token) = &self.token
            && reply.tokens().first() != Some(&token.as_str())
        {
            wrong.push(format!("tokens {:?}, expected {token}", reply.tokens()));
        }
        if let Some(answer) = &self.answer {
            wrong.extend(differences(&fill(answer, vars), &reply.body));
        }
        for (name, pattern) in &self.answer_headers {
            let have = reply.header(name).map_or(Value::Null, Value::from);
            let want = Value::from(fill_text(pattern, vars));
            wrong.extend(differences(&want, &have).iter().map(|d| format!("header {name}{d}")));
        }
        if !wrong.is_empty() {
            let short: String = reply.text.chars().take(600).collect();
            wrong.push(format!("body: {short}"));
        }
        wrong
    }

    /// Takes the names that the step saves from its answer.
    ///
    /// # Errors
    /// When the answer lacks one of them.
    pub fn remember(&self, reply: &Reply, vars: &mut Vars) -> Result<(), String> {
        for (name, place) in &self.save {
            let value = match place.split_once(':') {
                Some(("header", header)) => reply.header(header).map(Value::from),
                Some(("id", place)) => reply.body.pointer(place).and_then(last_segment),
                _ => reply.body.pointer(place).cloned(),
            };
            vars.insert(name.clone(), value.ok_or_else(|| format!("no `{place}` to save"))?);
        }
        Ok(())
    }
}

/// The id at the end of an href.
fn last_segment(href: &Value) -> Option<Value> {
    Some(Value::from(href.as_str()?.rsplit('/').next()?))
}

/// Holds a list of operations against a file in `tests/`, one name a line; `BULKHEAD_BLESS=1` writes it.
#[track_caller]
pub fn assert_list(file: &str, want: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests").join(file);
    let want: std::collections::BTreeSet<&str> = want.iter().copied().collect();
    if std::env::var_os("BULKHEAD_BLESS").is_some() {
        let lines: String = want.iter().flat_map(|l| [l, "\n"]).collect();
        std::fs::write(&path, lines).expect("a list that can be written");
        return;
    }
    let text = std::fs::read_to_string(&path).expect("a list that can be read");
    let have = text.lines().filter(|l| !l.is_empty()).collect();
    assert_eq!(want, have, "tests/{file} is not true; run with BULKHEAD_BLESS=1 and look at it");
}
