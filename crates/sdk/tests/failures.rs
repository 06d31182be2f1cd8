//! What the client does when a server, a proxy or the network misbehaves.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of tests fails the test that uses it"
)]

use bulkhead_sdk::models::{Label, Workload};
use bulkhead_sdk::{Error, Method, Pce, Verify};
use bulkhead_testkit::script::{Answer, Script};
use futures_util::TryStreamExt;
use serde_json::json;
use std::time::{Duration, Instant};

fn pce(script: &Script) -> Pce {
    let pce = Pce::builder(&script.url()).no_proxy().api_key("api_1", "s");
    pce.timeout(Duration::from_secs(2)).job_timeout(Duration::from_secs(3)).build().unwrap()
}

fn ok() -> Answer {
    Answer::json(200, r#"{"href":"/orgs/1/labels/1","key":"role","value":"x"}"#)
}

fn limited() -> Answer {
    Answer::json(429, r#"[{"token":"too_many_requests_error","message":"slow down"}]"#)
}

const LABEL: &str = "/orgs/1/labels/1";

#[tokio::test]
async fn waits_as_long_as_a_429_asks_and_by_itself_when_it_does_not() {
    let script = Script::start(vec![limited().header("Retry-After", "1"), ok()]);
    let started = Instant::now();
    pce(&script).labels().get(LABEL).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_eq!(script.lines(), ["GET /api/v2/orgs/1/labels/1"; 2]);

    let script = Script::start(vec![limited(), ok()]);
    let started = Instant::now();
    pce(&script).labels().get(LABEL).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(500));
}

#[tokio::test]
async fn gives_up_with_the_servers_own_words() {
    let script =
        Script::start(vec![limited().header("Retry-After", "7").header("X-Request-Id", "r1")]);
    let never = pce(&script).to_builder().retry_count(0).build().unwrap();
    let error = never.labels().get(LABEL).await.unwrap_err();
    assert_eq!((error.status(), error.token()), (Some(429), Some("too_many_requests_error")));
    assert_eq!((error.message(), error.is_retryable()), (Some("slow down"), true));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(error.api().unwrap().request_id.as_deref(), Some("r1"));
    assert!(error.hint().unwrap().contains("rate limit"));
    assert_eq!(error.to_string(), "GET /orgs/1/labels/1: 429 too_many_requests_error: slow down");
}

#[tokio::test]
async fn repeats_a_get_but_not_a_post_after_a_500() {
    let broken = || Answer::json(500, r#"[{"token":"internal_error","message":""}]"#);
    let script = Script::start(vec![broken(), Answer::hang_up(), ok()]);
    pce(&script).labels().get(LABEL).await.unwrap();
    assert_eq!(script.lines().len(), 3);

    for answer in [broken(), Answer::hang_up()] {
        let script = Script::start(vec![answer, ok()]);
        let error = pce(&script).labels().create(&Label::new("role", "x")).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(script.lines().len(), 1, "it might have created twice");
    }
    let script = Script::start(vec![Answer::hang_up(), Answer::json(200, "[]")]);
    assert!(pce(&script).workloads().bulk_create(&[Workload::new("a")]).await.is_err());
    assert_eq!(script.lines().len(), 1, "bulk_create is a PUT that is no PUT");
}

#[tokio::test]
async fn a_delete_whose_answer_was_lost_is_done() {
    let gone = || Answer::json(404, r#"[{"token":"not_found_error","message":"x"}]"#);
    let script = Script::start(vec![Answer::hang_up(), gone()]);
    pce(&script).labels().delete(LABEL).await.unwrap();
    assert_eq!(script.lines(), ["DELETE /api/v2/orgs/1/labels/1"; 2]);
    let script = Script::start(vec![gone()]);
    assert!(pce(&script).labels().delete(LABEL).await.unwrap_err().is_gone());
}

#[tokio::test]
async fn a_post_that_was_refused_before_it_acted_is_repeated() {
    let busy = Answer::json(503, r#"[{"token":"unavailable","message":"x"}]"#);
    let script = Script::start(vec![busy.header("Retry-After", "0"), ok()]);
    pce(&script).labels().create(&Label::new("role", "x")).await.unwrap();
    assert_eq!(script.lines(), ["POST /api/v2/orgs/1/labels"; 2]);
}

#[tokio::test]
async fn html_of_a_proxy_is_named_as_such() {
    let script = Script::start(vec![Answer::html(200, "<html><title>Sign in</title>")]);
    let error = pce(&script).labels().get(LABEL).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET /orgs/1/labels/1: cannot read the answer at `.`: it is HTML, not JSON"
    );
    assert!(error.hint().unwrap().contains("proxy"));

    let script = Script::start(vec![Answer::html(403, "<h1>Blocked by policy</h1>")]);
    let error = pce(&script).labels().get(LABEL).await.unwrap_err();
    assert_eq!((error.status(), error.token()), (Some(403), None));
    assert!(error.to_string().contains("Blocked by policy"));

    let script = Script::start(vec![Answer::html(200, "<html>")]);
    let rows = pce(&script).labels().list().max_results(9).all();
    let error = rows.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.to_string().contains("HTML"), "{error}");
}

#[tokio::test]
async fn truncated_and_wrong_json_say_where() {
    let script = Script::start(vec![Answer::json(200, r#"{"href":"/orgs/1/labels/1","key":"ro"#)]);
    let error = pce(&script).labels().get(LABEL).await.unwrap_err();
    assert!(error.to_string().contains("EOF"), "{error}");

    let wrong = r#"[{"href":"/a"},{"href":"/b","interfaces":[{"cidr_block":"x"}]}]"#;
    let script = Script::start(vec![Answer::json(200, wrong)]);
    let error = pce(&script).workloads().list().send().await.unwrap_err();
    assert!(error.to_string().contains("at `[1].interfaces[0].cidr_block`"), "{error}");

    let script = Script::start(vec![Answer::json(200, wrong)]);
    let rows = pce(&script).workloads().list().max_results(9).all();
    let error = rows.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(error.to_string().contains("at `[1].interfaces[0].cidr_block`"), "{error}");

    let script = Script::start(vec![Answer::json(200, "[{\"href\":\"/a\"},{\"hr")]);
    let mut rows = pce(&script).workloads().list().max_results(9).all();
    assert_eq!(rows.try_next().await.unwrap().unwrap().href.as_deref(), Some("/a"));
    let error = rows.try_next().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GET /orgs/1/workloads?max_results=9: cannot read the answer at `[1]`: it is cut off"
    );

    let script = Script::start(vec![Answer::json(200, "[{\"href\":\"/a\"}]").cut(5)]);
    let never = pce(&script).to_builder().retry_count(0).build().unwrap();
    assert!(matches!(never.workloads().list().send().await, Err(Error::Transport { .. })));
}

#[tokio::test]
async fn unreachable_and_untrusted_servers_fail_at_once_or_after_the_last_try() {
    let gone = Script::start(Vec::new()).url();
    let pce = Pce::builder(&gone).no_proxy().retry_count(1).build().unwrap();
    let error = pce.must_connect().await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }) && error.is_retryable(), "{error:?}");
    assert!(error.hint().unwrap().contains("listens"), "{:?}", error.hint());
    assert!(!pce.check_connection().await);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = format!("https://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let started = Instant::now();
    let pce = Pce::builder(&plain).no_proxy().verify(Verify::Off).build().unwrap();
    assert!(pce.must_connect().await.unwrap_err().hint().unwrap().contains("TLS"));
    assert!(started.elapsed() < Duration::from_secs(2), "trying again does not help");
}

#[tokio::test]
async fn silence_ends_after_the_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let pce = Pce::builder(&url).no_proxy().retry_count(0).timeout(Duration::from_millis(300));
    let error = pce.build().unwrap().must_connect().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
}

#[tokio::test]
async fn jobs_are_awaited_and_their_failures_told() {
    let accepted = |location: &str| {
        Answer::json(202, "").header("Location", location).header("Retry-After", "0")
    };
    let running = || Answer::json(200, r#"{"status":"running","result":{}}"#);
    let done = |href: &str| {
        Answer::json(200, &json!({"status": "done", "result": {"href": href}}).to_string())
    };
    let script = Script::start(vec![
        accepted("/orgs/1/jobs/j"),
        Answer::json(200, r#"{"status":"pending"}"#),
        running(),
        done("/orgs/1/datafiles/d"),
        Answer::json(200, r#"[{"value":"a"},{"value":"b"}]"#),
    ]);
    let labels = pce(&script).labels().list().filter("key", "role").get_async().await.unwrap();
    assert_eq!(labels.len(), 2);
    assert_eq!(
        script.lines(),
        [
            "GET /api/v2/orgs/1/labels?key=role",
            "GET /api/v2/orgs/1/jobs/j",
            "GET /api/v2/orgs/1/jobs/j",
            "GET /api/v2/orgs/1/jobs/j",
            "GET /api/v2/orgs/1/datafiles/d",
        ]
    );
    assert!(script.asked()[0].contains("\nprefer: respond-async"));

    let failed = Answer::json(200, r#"{"status":"failed","result":{"message":"out of luck"}}"#);
    let script = Script::start(vec![accepted("/orgs/1/jobs/j"), failed]);
    let error = pce(&script).labels().list().get_async().await.unwrap_err();
    assert_eq!(error.to_string(), "job /orgs/1/jobs/j failed: out of luck");

    let mut forever = vec![accepted("/orgs/1/jobs/j")];
    forever.extend((0..100).map(|_| running()));
    let error = pce(&Script::start(forever)).labels().list().get_async().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");

    let script = Script::start(vec![accepted("https://evil.example.com/orgs/1/jobs/j")]);
    let error = pce(&script).labels().list().get_async().await.unwrap_err();
    assert!(error.to_string().contains("elsewhere"), "credentials stay with the PCE: {error}");

    let rows = || Answer::json(200, "[]");
    let script =
        Script::start(vec![accepted("/api/v2/orgs/1/jobs/j"), done("/api/v2/orgs/1/d"), rows()]);
    pce(&script).labels().list().get_async().await.unwrap();
    assert_eq!(script.lines()[1..], ["GET /api/v2/orgs/1/jobs/j", "GET /api/v2/orgs/1/d"]);

    let script = Script::start(vec![Answer::json(200, r#"[{"value":"a"}]"#)]);
    let labels = pce(&script).labels().list().get_async().await.unwrap();
    assert_eq!(labels.len(), 1, "a server that answers at once");
}

#[tokio::test]
async fn a_bulk_call_that_breaks_off_says_what_is_done() {
    let created = |n: usize| {
        let item = |i| json!({"href": format!("/orgs/1/workloads/{i}"), "status": "created"});
        Answer::json(200, &json!((0..n).map(item).collect::<Vec<_>>()).to_string())
    };
    let refused = Answer::json(406, r#"[{"token":"input_validation_error","message":"no"}]"#);
    let script = Script::start(vec![created(1000), refused]);
    let all: Vec<Workload> = (0..1500).map(|n| Workload::new(format!("w{n}"))).collect();
    let error = pce(&script).workloads().bulk_create(&all).await.unwrap_err();
    assert_eq!(error.to_string(), "1000 of 1500 items were answered before this failure");
    assert_eq!(error.token(), Some("input_validation_error"));
    let Error::Bulk { done, .. } = error else { panic!("{error:?}") };
    assert!(done.len() == 1000 && done.iter().all(bulkhead_sdk::BulkResult::is_ok));

    let script = Script::start(vec![created(1)]);
    let error = pce(&script).workloads().bulk_create(&all[..2]).await.unwrap_err();
    assert!(error.to_string().contains("1 results for 2 items"));
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_before_it_is_sent() {
    let script = Script::start(Vec::new());
    let pce = pce(&script);
    for error in [
        pce.labels().get("/orgs/1/workloads/x").await.unwrap_err(),
        pce.labels().delete(&Label::new("role", "x")).await.unwrap_err(),
        pce.rules().list().send().await.unwrap_err(),
        pce.get("/x").header("bad header", "x").await.unwrap_err(),
        pce.provision_policy_changes("x", &[&"/orgs/1/labels/1"]).await.unwrap_err(),
    ] {
        assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
    }
    for (value, text) in [(0, "port"), (1, "org")] {
        let builder = pce.to_builder();
        let builder = if value == 0 { builder.port(0) } else { builder.org(0) };
        assert!(matches!(builder.build(), Err(Error::Config(_))), "{text}");
    }
    let missing = pce.to_builder().port(1).client_cert("/nowhere.pem").build().unwrap_err();
    assert!(missing.to_string().contains("/nowhere.pem"));
}

#[tokio::test]
async fn sends_what_it_is_told() {
    let script = Script::start(vec![Answer::json(200, "[]"), Answer::json(200, "[]")]);
    let pce = pce(&script).with_credentials("me@example.com", "pw").unwrap();
    pce.get("/users").include_org(false).query("a b", "c&d").header("X-Own", "1").await.unwrap();
    pce.request(Method::PUT, "orgs/7/x").json(&json!({"a": 1})).await.unwrap();
    let asked = script.asked();
    assert!(asked[0].starts_with("GET /api/v2/users?a%20b=c%26d\n"), "{}", asked[0]);
    assert!(asked[0].contains("\nauthorization: Basic bWVAZXhhbXBsZS5jb206cHc=\n"));
    assert!(asked[0].contains("\nx-own: 1"));
    assert!(asked[1].starts_with("PUT /api/v2/orgs/7/x\n"), "{}", asked[1]);
    assert!(asked[1].ends_with("\n\n{\"a\":1}"));
}

#[tokio::test]
async fn goes_through_a_proxy() {
    let script = Script::start(vec![ok()]);
    let pce = Pce::builder("http://pce.invalid").port(80).proxies(Some(&script.url()), None);
    pce.build().unwrap().labels().get(LABEL).await.unwrap();
    assert_eq!(script.lines(), ["GET http://pce.invalid/api/v2/orgs/1/labels/1"]);
}
