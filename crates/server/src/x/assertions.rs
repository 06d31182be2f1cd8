//! Assertions: checked on demand and at every provisioning. What a claim means: [`bulkhead_engine::reach`].

use crate::audit;
use crate::compute::convert::{actors, service_refs};
use crate::compute::reasons::Names;
use crate::doc::{Val, href};
use crate::http::{Cx, Reply};
use crate::resource::refs;
use crate::txn::Txn;
use crate::world::{Obj, Side, World};
use bulkhead_api::ApiError;
use bulkhead_engine::Engine;
use bulkhead_engine::reach::{Assertion, Claim, Outcome};
use bulkhead_ids::{Id, Kind, PolicyVersion};
use bulkhead_model::{Flow, FlowEnd};
use bulkhead_netset::ProtoPorts;
use http::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The refusal of a provisioning that would break an assertion.
const BROKEN: &str = "assertion_violated";

/// What came of one assertion.
#[derive(Clone)]
pub struct Verdict {
    assertion: Arc<Obj>,
    outcome: Outcome,
}

impl Verdict {
    fn holds(&self) -> bool {
        self.outcome == Outcome::Holds
    }

    fn name(&self) -> &str {
        self.assertion.doc.str("name").unwrap_or_default()
    }

    fn counterexample(&self, names: &Names) -> Value {
        match &self.outcome {
            Outcome::Broken(Some(flow)) => shown(names, flow),
            Outcome::Broken(None) | Outcome::Holds => Value::Null,
        }
    }

    fn json(&self, names: &Names) -> Value {
        json!({
            "href": href(names.org, names.pv, Kind::Assertion, self.assertion.id).to_string(),
            "name": self.name(),
            "holds": self.holds(),
            "on_violation": self.assertion.doc.str("on_violation").unwrap_or("report"),
            "counterexample": self.counterexample(names),
        })
    }
}

fn judge(engine: &Engine, assertion: &Arc<Obj>) -> Verdict {
    let doc = &assertion.doc;
    let outcome = engine.judge(&Assertion {
        claim: match doc.str("statement") {
            Some("never") => Claim::Never,
            Some("always") => Claim::Always,
            _ => Claim::Allowed,
        },
        consumers: actors(doc.list("consumers")),
        providers: actors(doc.list("providers")),
        services: service_refs(doc),
    });
    Verdict { assertion: assertion.clone(), outcome }
}

fn enabled(world: &World) -> impl Iterator<Item = &Arc<Obj>> {
    world.objects(Side::Draft, Kind::Assertion).filter(|a| a.doc.is("enabled"))
}

/// The enabled assertions that do not hold of a policy.
pub fn broken(world: &World, engine: &Engine) -> Vec<Verdict> {
    enabled(world).map(|a| judge(engine, a)).filter(|v| !v.holds()).collect()
}

/// Refuses a provisioning when a broken assertion says so.
///
/// # Errors
/// `assertion_violated`, with the name of the first and its counterexample.
pub fn refuse(world: &World, broken: &[Verdict]) -> Result<(), ApiError> {
    let refusing = |v: &&Verdict| v.assertion.doc.str("on_violation") == Some("refuse");
    let Some(verdict) = broken.iter().find(refusing) else { return Ok(()) };
    let names = Names { org: world.org, pv: PolicyVersion::Draft };
    let shown = match verdict.counterexample(&names) {
        Value::Null => "nothing is allowed".to_owned(),
        flow => format!("counterexample: {flow}"),
    };
    let message = format!("the assertion `{}` would not hold: {shown}", verdict.name());
    Err(ApiError::invalid(BROKEN, message))
}

/// Tells of broken assertions in the event of a provisioning.
pub fn report(txn: &mut Txn<'_>, broken: &[Verdict]) {
    let names = Names { org: txn.world.org, pv: PolicyVersion::Draft };
    for verdict in broken {
        let info = verdict.json(&names);
        txn.notifications.push(audit::notification("assertion.violated", info));
    }
}

/// A flow as `x/explain` takes it.
fn shown(names: &Names, flow: &Flow) -> Value {
    let end = |end: &FlowEnd| match (end.workload, end.ip) {
        (Some(id), _) => json!({"workload": {"href": names.workload(id)}}),
        (None, ip) => json!({"ip": ip.map(|ip| ip.to_string())}),
    };
    let mut out = json!({"src": end(&flow.src), "dst": end(&flow.dst)});
    if let Some(out) = out.as_object_mut() {
        let mut put = |name: &str, value: u64| _ = out.insert(name.to_owned(), value.into());
        put("proto", flow.service.first_protocol().into());
        match &flow.service {
            ProtoPorts::Ports(_, range) => put("port", range.first().into()),
            ProtoPorts::IcmpCodes(_, icmp_type, codes) => {
                put("icmp_type", (*icmp_type).into());
                put("icmp_code", codes.first().into());
            }
            ProtoPorts::Protocols(_) | ProtoPorts::IcmpTypes(..) => {}
        }
    }
    out
}

/// Checks the assertions that the body names, or all that are enabled.
pub(super) async fn check(cx: &Cx) -> Result<Reply, ApiError> {
    let pv = super::version(cx, PolicyVersion::Draft)?;
    let mut body = cx.body.clone();
    refs::resolve(&cx.world, &mut body)?;
    let named = Val::from_json(&body);
    let chosen: Vec<Arc<Obj>> = match body.get("assertions") {
        Some(_) => {
            let ids: BTreeSet<Id> =
                named.list("assertions").iter().filter_map(Val::target).map(|t| t.1).collect();
            ids.iter().filter_map(|id| cx.world.get(Kind::Assertion, *id).cloned()).collect()
        }
        None => enabled(&cx.world).cloned().collect(),
    };
    let names = Names { org: cx.org, pv };
    let verdicts: Vec<Verdict> =
        super::with_engine(cx, pv, move |e| chosen.iter().map(|a| judge(e, a)).collect()).await?;
    let holds = verdicts.iter().all(Verdict::holds);
    let results: Vec<Value> = verdicts.iter().map(|v| v.json(&names)).collect();
    Ok(Reply::json(StatusCode::OK, &json!({"holds": holds, "results": results})))
}
