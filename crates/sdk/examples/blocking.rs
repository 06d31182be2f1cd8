//! Without async: every call waits.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use bulkhead_sdk::models::{Label, Workload};
use bulkhead_sdk::{Result, blocking::Pce};

fn main() -> Result<()> {
    run(&Pce::from_env()?)
}

/// Ten workloads, listed by label.
pub(crate) fn run(pce: &Pce) -> Result<()> {
    pce.must_connect()?;
    let label = pce.labels().create(&Label::new("role", "R-Blocking"))?;
    let new: Vec<Workload> =
        (0..10).map(|n| Workload::new(format!("blocking-{n}")).labels([&label])).collect();
    let made = pce.workloads().bulk_create(&new)?;
    println!("{} made", made.iter().filter(|result| result.is_ok()).count());
    for workload in pce.workloads().list(|list| list.label(&label)) {
        println!("{:?}", workload?.name);
    }
    let hrefs: Vec<_> = made.into_iter().map(|result| result.href).collect();
    pce.workloads().bulk_delete(&hrefs)?;
    assert!(pce.workloads().get_all(|list| list.label(&label))?.is_empty());
    assert!(pce.workloads().get_by_name("blocking-1")?.is_none());
    pce.labels().delete(&label)
}
