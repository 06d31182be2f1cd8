//! The process: what a start, a stop and a second start promise.

use bulkhead_testkit::Server;
use serde_json::json;

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");

#[test]
fn a_label_outlives_a_restart() {
    let server = Server::start(PCE);
    let made = server.client().post("labels", &json!({"key": "app", "value": "HRM"})).expect(201);
    let server = server.restart();
    let path = made.href();
    let seen = server.client().get(&path).expect(200);
    assert_eq!(seen.body["value"], "HRM");
    assert_eq!(server.anonymous().get(&path).status, 401);
    server.stop();
}
