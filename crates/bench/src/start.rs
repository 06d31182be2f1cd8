//! Row A3: cold start, beside reading the same rows from SQLite.

use crate::BenchError;
use crate::process::{Plan, Server};
use crate::report::{Report, Row, median};
use std::path::Path;
use std::time::Instant;

const ROUNDS: usize = 5;

pub(crate) fn measure(plan: &Plan, data: &Path, report: &mut Report) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| BenchError::Io("cannot start".into(), e))?;
    let (mut ours, mut limit, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    let mut memory = Vec::new();
    for _ in 0..ROUNDS {
        let server = runtime.block_on(Server::start(plan, data))?;
        let start_s = server.started_in.as_secs_f64();
        memory.push(server.peak_mib());
        runtime.block_on(server.stop());
        let read_s = read(data)?;
        ratios.push(start_s / read_s);
        ours.push(start_s);
        limit.push(read_s);
    }
    let ratio = median(ratios);
    let shape = format!("{} workloads, {} rules", plan.workloads, plan.rules);
    report.add(Row {
        id: "A3",
        what: format!("cold start, {shape}"),
        ours: (median(ours), "s"),
        peer: Some((median(limit), "s to read the rows from SQLite")),
        ratio: Some(ratio),
        goal: Some(("<= 3x", ratio <= 3.0)),
    });
    let mib = median(memory);
    report.add(Row {
        id: "A3",
        what: format!("peak memory at start, {shape}"),
        ours: (mib, "MiB"),
        peer: None,
        ratio: None,
        goal: Some(("<= 1,500 MiB", mib <= 1500.0)),
    });
    Ok(())
}

/// Seconds to read every row that the start reads, each column touched, with a client of our own.
fn read(data: &Path) -> Result<f64, BenchError> {
    let failed = |e: rusqlite::Error| BenchError::Server(format!("SQLite: {e}"));
    let began = Instant::now();
    let db = rusqlite::Connection::open_with_flags(
        data.join("store.db"),
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY,
    )
    .map_err(failed)?;
    let mut bytes = 0;
    for table in ["current", "active"] {
        let mut query =
            db.prepare(&format!("SELECT kind, id, parent, doc FROM {table}")).map_err(failed)?;
        let mut rows = query.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            let (kind, id): (String, Vec<u8>) =
                (row.get(0).map_err(failed)?, row.get(1).map_err(failed)?);
            let doc: Vec<u8> = row.get(3).map_err(failed)?;
            bytes += kind.len() + id.len() + doc.len();
        }
    }
    if bytes == 0 {
        return Err(BenchError::Server("the database is empty".into()));
    }
    Ok(began.elapsed().as_secs_f64())
}
