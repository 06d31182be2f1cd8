//! Golden cases of policy: a world, a flow, and what every implementation must say of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    Decision, DraftDecision, Effect, EndDecision, Flow, FlowEnd, Mode, RuleRef, Snapshot, Verdict,
};
use serde::{Deserialize, Serialize};

use crate::doc::{DocError, World};

/// Why the cases cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A file cannot be read.
    #[error("cannot read `{0}`")]
    Read(PathBuf, #[source] std::io::Error),
    /// A file is not of the form of cases.
    #[error("`{0}` is not a file of cases")]
    Form(PathBuf, #[source] serde_json::Error),
    /// A case names something that is not there.
    #[error("case `{0}`")]
    Case(String, #[source] DocError),
    /// A case names a fixture that is not there.
    #[error("case `{0}` wants the unknown fixture `{1}`")]
    Fixture(String, String),
    /// A value of an expectation is unknown.
    #[error("case `{0}` expects `{1}`, which no decision has")]
    Expectation(String, String),
}

/// A file of cases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseFile {
    /// What the cases of the file are about.
    pub about: String,
    /// The cases.
    pub cases: Vec<CaseDoc>,
}

/// A case as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseDoc {
    /// Unique name.
    pub name: String,
    /// The sentence that it shows.
    pub why: String,
    /// Name of a file in `fixtures` that the world stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixture: Option<String>,
    /// The objects of this case.
    #[serde(default)]
    pub world: World,
    /// The question.
    pub flow: FlowDoc,
    /// Answers by mode of the two ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect: Vec<ExpectDoc>,
    /// The rules that decide at each end, whatever the mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<BecauseDoc>,
}

/// A flow as written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowDoc {
    /// Source: workload, address, or both.
    pub from: String,
    /// Destination: the same.
    pub to: String,
    /// One service, for example `tcp/443`.
    pub service: String,
    /// Process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Windows service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows_service: Option<String>,
    /// Name of the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// User groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub principals: Vec<u64>,
}

/// An answer as written; an end is left out where nothing is enforced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectDoc {
    /// Modes of the managed ends: one for both, or source and destination with a slash between. Without
    /// modes the workloads keep those of the world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modes: Option<String>,
    /// Whether the flow passes both ends.
    pub passes: bool,
    /// What the source reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What the destination reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The decision of the whole flow, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draft: Option<String>,
}

/// Reasons as written, for example `allow 1/2`, `override_deny 1/1`, `boundary 3`, `essential 2`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BecauseDoc {
    /// At the source.
    #[serde(default)]
    pub from: Vec<String>,
    /// At the destination.
    #[serde(default)]
    pub to: Vec<String>,
}

/// A case ready to run.
#[derive(Debug, Clone)]
pub struct Case {
    /// Unique name.
    pub name: String,
    /// The sentence that it shows.
    pub why: String,
    /// The question.
    pub flow: Flow,
    /// Snapshots with what must come out, in the order of the file.
    pub runs: Vec<Run>,
}

/// One snapshot of a case, with the modes of the ends applied, and the answer.
#[derive(Debug, Clone)]
pub struct Run {
    /// The modes as written, for messages.
    pub modes: String,
    /// The policy.
    pub snapshot: Snapshot,
    /// Whether the flow passes both ends.
    pub passes: bool,
    /// What the source reports.
    pub from: Option<Verdict>,
    /// What the destination reports.
    pub to: Option<Verdict>,
    /// The decision, where it is known.
    pub draft: Option<DraftDecision>,
    /// The rules at the source and at the destination as the file writes them, where it does.
    pub because: Option<(Vec<String>, Vec<String>)>,
}

impl Run {
    /// What differs between an answer and what is expected; nothing when it is right.
    pub fn differences(&self, answer: &Decision) -> Vec<String> {
        let mut out = Vec::new();
        let mut compare = |what: &str, wanted: String, got: String| {
            if wanted != got {
                out.push(format!("{what}: expected {wanted}, got {got}"));
            }
        };
        let text = |verdict: Option<Verdict>| verdict.map_or("nothing", Verdict::as_str).to_owned();
        compare("source", text(self.from), text(answer.source.verdict));
        compare("destination", text(self.to), text(answer.destination.verdict));
        let passes = |end: &EndDecision| end.verdict.is_none_or(Verdict::passes);
        let through = passes(&answer.source) && passes(&answer.destination);
        compare("passes", self.passes.to_string(), through.to_string());
        if let Some(draft) = self.draft {
            compare("decision", draft.as_str().into(), answer.decision.as_str().into());
        }
        if let Some((from, to)) = &self.because {
            compare("rules at source", from.join(", "), reasons(&answer.source).join(", "));
            compare("rules at destination", to.join(", "), reasons(&answer.destination).join(", "));
        }
        out
    }
}

/// The rules of an end as the files write them.
pub fn reasons(end: &EndDecision) -> Vec<String> {
    let number = |id: Id| format!("{id:?}");
    let one = |(rule, effect): &(RuleRef, Effect)| match rule {
        RuleRef::Allow((set, rule)) | RuleRef::Deny((set, rule)) => {
            format!("{} {}/{}", effect.as_str(), number(*set), number(*rule))
        }
        RuleRef::Boundary(id) => format!("boundary {}", number(*id)),
        RuleRef::Essential(id) => format!("essential {}", number(*id)),
    };
    end.rules.iter().map(one).collect()
}

fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, CaseError> {
    let text = fs::read_to_string(path).map_err(|e| CaseError::Read(path.into(), e))?;
    serde_json::from_str(&text).map_err(|e| CaseError::Form(path.into(), e))
}

/// The JSON files of a directory, sorted.
fn files(dir: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let wrong = |e| CaseError::Read(dir.into(), e);
    let entries = fs::read_dir(dir).map_err(wrong)?;
    let paths = entries.map(|entry| entry.map(|e| e.path()).map_err(wrong));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    Ok(paths)
}

/// The golden cases of the repository: every file of `cases/policy`, in order.
///
/// Errors: a file that cannot be read or is not of the form, a case that names what is not there.
pub fn policy_cases() -> Result<Vec<Case>, CaseError> {
    load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/policy"))
}

/// The cases of a directory, with fixtures from its folder `fixtures`.
///
/// Errors: as [`policy_cases`].
pub fn load(dir: &Path) -> Result<Vec<Case>, CaseError> {
    let mut fixtures = BTreeMap::new();
    for path in files(&dir.join("fixtures"))? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        fixtures.insert(name, read::<World>(&path)?);
    }
    let mut cases = Vec::new();
    for path in files(dir)? {
        for doc in read::<CaseFile>(&path)?.cases {
            cases.push(case(doc, &fixtures)?);
        }
    }
    Ok(cases)
}

fn case(doc: CaseDoc, fixtures: &BTreeMap<String, World>) -> Result<Case, CaseError> {
    let base = match &doc.fixture {
        None => World::default(),
        Some(name) => fixtures
            .get(name)
            .cloned()
            .ok_or_else(|| CaseError::Fixture(doc.name.clone(), name.clone()))?,
    };
    let world = base.with(doc.world.clone());
    let wrong = |e| CaseError::Case(doc.name.clone(), e);
    let snapshot = world.snapshot().map_err(wrong)?;
    let flow = world.flow(&doc.flow).map_err(wrong)?;
    let runs = doc.expect.iter().map(|expect| run(&doc, expect, &snapshot, &flow));
    let runs = runs.collect::<Result<_, _>>()?;
    Ok(Case { name: doc.name, why: doc.why, flow, runs })
}

fn run(doc: &CaseDoc, expect: &ExpectDoc, base: &Snapshot, flow: &Flow) -> Result<Run, CaseError> {
    let unknown = |text: &str| CaseError::Expectation(doc.name.clone(), text.into());
    let mut snapshot = base.clone();
    let modes = expect.modes.clone().unwrap_or_default();
    if !modes.is_empty() {
        let (from, to) = modes.split_once('/').unwrap_or((&modes, &modes));
        let mode = |text| Mode::from_wire(text).ok_or_else(|| unknown(text));
        set_mode(&mut snapshot, flow.src, mode(from)?);
        set_mode(&mut snapshot, flow.dst, mode(to)?);
    }
    let verdict = |text: &Option<String>| match text.as_deref() {
        None => Ok(None),
        Some("allowed") => Ok(Some(Verdict::Allowed)),
        Some("blocked") => Ok(Some(Verdict::Blocked)),
        Some("potentially_blocked") => Ok(Some(Verdict::PotentiallyBlocked)),
        Some("unknown") => Ok(Some(Verdict::Unknown)),
        Some(other) => Err(unknown(other)),
    };
    let draft = match &expect.draft {
        None => None,
        Some(text) => {
            let found = DraftDecision::ALL.into_iter().find(|draft| draft.as_str() == text);
            Some(found.ok_or_else(|| unknown(text))?)
        }
    };
    Ok(Run {
        modes,
        snapshot,
        passes: expect.passes,
        from: verdict(&expect.from)?,
        to: verdict(&expect.to)?,
        draft,
        because: doc.because.clone().map(|because| (because.from, because.to)),
    })
}

/// Puts the workload of an end, or every workload with its address, into a mode.
fn set_mode(s: &mut Snapshot, end: FlowEnd, mode: Mode) {
    for (id, workload) in &mut s.workloads {
        let by_address =
            end.ip.is_some_and(|ip| workload.interfaces.iter().any(|i| i.address == ip));
        if end.workload == Some(*id) || (end.workload.is_none() && by_address) {
            Arc::make_mut(workload).mode = mode;
        }
    }
}

/// A case from a snapshot and a flow, with nothing expected yet.
///
/// Errors: an id that is not an integer.
pub fn case_of(name: &str, why: &str, s: &Snapshot, flow: &Flow) -> Result<CaseDoc, DocError> {
    let world = World::of(s)?;
    let end = |end: FlowEnd| -> Result<String, DocError> {
        let workload = end.workload.map(|id| world.workload_name(id)).transpose()?;
        let ip = end.ip.map(|ip| ip.to_string());
        Ok(workload.into_iter().chain(ip).collect::<Vec<_>>().join(" "))
    };
    let principals = flow.principals.iter().map(|id| crate::doc::number(*id));
    let flow = FlowDoc {
        from: end(flow.src)?,
        to: end(flow.dst)?,
        service: flow.service.to_string(),
        process: flow.process.as_deref().map(Into::into),
        windows_service: flow.windows_service.as_deref().map(Into::into),
        fqdn: flow.dst_fqdn.as_deref().map(Into::into),
        principals: principals.collect::<Result<_, _>>()?,
    };
    let (name, why) = (name.to_owned(), why.to_owned());
    Ok(CaseDoc { name, why, fixture: None, world, flow, expect: Vec::new(), because: None })
}

/// The text of a golden case for a failure: the world, the flow, and the answer that is right.
///
/// Ready to be kept as a file under `cases/policy`. Errors: an id that is not an integer.
pub fn write_case(
    name: &str,
    why: &str,
    s: &Snapshot,
    flow: &Flow,
    answer: &Decision,
) -> Result<String, DocError> {
    let mut doc = case_of(name, why, s, flow)?;
    let text = |end: &EndDecision| end.verdict.map(|verdict| verdict.as_str().to_owned());
    let passes = |end: &EndDecision| end.verdict.is_none_or(Verdict::passes);
    doc.expect = vec![ExpectDoc {
        modes: None,
        passes: passes(&answer.source) && passes(&answer.destination),
        from: text(&answer.source),
        to: text(&answer.destination),
        draft: Some(answer.decision.as_str().into()),
    }];
    let (from, to) = (reasons(&answer.source), reasons(&answer.destination));
    doc.because = Some(BecauseDoc { from, to });
    let file = CaseFile { about: why.into(), cases: vec![doc] };
    // Types of plain texts and maps with integer keys always have a JSON form.
    Ok(serde_json::to_string_pretty(&file).unwrap_or_default() + "\n")
}
