//! Every bulk operation of the table with items that break their schema.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use bulkhead_api::{Operation, operations};
use bulkhead_testkit::stage::{Stage, fill_path, kinds_of};
use serde_json::{Value, json};

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");

fn path(stage: &Stage, op: &Operation) -> String {
    fill_path(&op.path, 1, &|before| {
        let href = kinds_of(before).find_map(|k| stage.href(0, k.name()))?;
        href.rsplit('/').next().map(str::to_owned)
    })
}

#[test]
fn an_item_that_breaks_its_schema_fails_alone() {
    let stage = Stage::seeded(PCE);
    let [owner, _] = &stage.owners;
    let bulk: Vec<&Operation> = operations().iter().filter(|o| o.bulk).collect();
    assert!(bulk.len() >= 12, "{}", bulk.len());
    for op in bulk {
        let path = path(&stage, op);
        let put = |body: &Value| owner.send(op.method.as_str(), &path, Some(body));
        let answer = put(&json!([{"colour": "red"}, {"href": 7}])).expect(200);
        assert_eq!(answer.body.as_array().map(Vec::len), Some(2), "{}: {}", op.id, answer.text);
        for item in answer.body.as_array().unwrap() {
            let failure = match item.get("errors") {
                Some(errors) => &errors[0],
                None => {
                    assert_eq!(item["status"], "validation_failure", "{}", op.id);
                    item
                }
            };
            assert_eq!(item["href"], Value::Null, "{}", op.id);
            assert_eq!(failure["token"], "input_validation_error", "{}", op.id);
        }
        let told = answer.body.pointer("/0/message").or(answer.body.pointer("/0/errors/0/message"));
        assert!(told.unwrap().as_str().unwrap().contains("colour"), "{}: {}", op.id, answer.text);
        // What is wrong with the list refuses all of it.
        for body in [json!({}), json!(["x"]), json!(vec![json!({}); 2001])] {
            let reply = put(&body).expect(406);
            assert_eq!(reply.body[0]["token"], "input_validation_error", "{}", op.id);
        }
    }
}
