//! Delivery to syslog receivers on loopback: TCP, UDP and TLS, what is selected, and a receiver that
//! goes away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use bulkhead_testkit::{Client, Launch, Server};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

const PCE: &str = env!("CARGO_BIN_EXE_bulkhead-pce");
/// Most that is waited for a message.
const PATIENCE: Duration = Duration::from_secs(20);

fn destination(client: &Client, port: u16, remote: Value) -> Value {
    let fqdn = client.get("/health").body[0]["fqdn"].clone();
    let mut to = json!({"address": "127.0.0.1", "port": port, "protocol": 6, "tls_enabled": false, "tls_verify_cert": true});
    to.as_object_mut().unwrap().extend(remote.as_object().unwrap().clone());
    json!({
        "pce_scope": [fqdn], "type": "remote_syslog", "description": "SIEM",
        "audit_event_logger": {"configuration_event_included": true, "system_event_included": true, "min_severity": "informational"},
        "traffic_event_logger": {"traffic_flow_allowed_event_included": false, "traffic_flow_potentially_blocked_event_included": false, "traffic_flow_blocked_event_included": false},
        "node_status_logger": {"node_status_included": false},
        "remote_syslog": to,
    })
}

fn add(client: &Client, body: &Value) -> String {
    let made = client.post("settings/syslog/destinations", body).expect(201);
    made.body["href"].as_str().unwrap().to_owned()
}

fn label(client: &Client, value: &str) {
    client.post("labels", &json!({"key": "app", "value": value})).expect(201);
}

/// The JSON after the head of a message.
fn event(message: &str) -> Value {
    let at = message.find('{').unwrap_or_else(|| panic!("no JSON in {message}"));
    serde_json::from_str(&message[at..]).unwrap_or_else(|e| panic!("{e}: {message}"))
}

/// Sends each line of all connections to the other end.
fn lines(listener: TcpListener) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let send = send.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = send.send(line);
                }
            });
        }
    });
    receive
}

/// Waits for the message about a label.
#[track_caller]
fn wait_for(received: &mpsc::Receiver<String>, value: &str) -> String {
    loop {
        let message = received.recv_timeout(PATIENCE).expect("a message");
        if message.contains(value) {
            return message;
        }
    }
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[test]
fn events_arrive_once_in_order_and_in_the_chosen_form() {
    let server = Server::start(PCE);
    let client = server.client();
    label(&client, "earlier");
    let (listener, port) = listen();
    let received = lines(listener);
    add(&client, &destination(&client, port, json!({})));
    // What was before the destination is not sent; its own event may be the first.
    thread::sleep(Duration::from_millis(1500));
    for n in 0..300 {
        label(&client, &format!("L{n:03}"));
    }
    let mut seen = Vec::new();
    while seen.len() < 300 {
        let message = received.recv_timeout(PATIENCE).expect("a message");
        assert!(
            message.starts_with("<14>1 ") && message.contains(" illumio_pce/agent "),
            "{message}"
        );
        assert!(!message.contains("earlier"));
        let event = event(&message);
        assert_eq!(event["version"], 2);
        if event["event_type"] == "label.create" {
            let name = event.pointer("/resource_changes/0/resource/label/value").unwrap().clone();
            seen.push(name.as_str().unwrap().to_owned());
        }
    }
    let want: Vec<String> = (0..300).map(|n| format!("L{n:03}")).collect();
    assert_eq!(seen, want);
    for (format, head) in [("CEF", "CEF:0|Illumio|PCE|"), ("LEEF", "LEEF:2.0|Illumio|PCE|")] {
        client.put("settings/events", &json!({"format": format})).expect(204);
        label(&client, format);
        let message = wait_for(&received, &format!("\"value\":\"{format}\""));
        assert!(message.contains(head), "{message}");
    }
}

#[test]
fn loggers_select() {
    let server = Server::start(PCE);
    let client = server.client();
    let (listener, port) = listen();
    let received = lines(listener);
    let mut body = destination(&client, port, json!({}));
    body["audit_event_logger"]["min_severity"] = "error".into();
    body["node_status_logger"]["node_status_included"] = true.into();
    add(&client, &body);
    let state = received.recv_timeout(PATIENCE).expect("the state of the node");
    assert!(state.contains("illumio_pce/system_health") && state.contains(" disk="), "{state}");
    label(&client, "quiet");
    server.anonymous().get("labels").expect(401);
    let message = received.recv_timeout(PATIENCE).expect("a message");
    assert_eq!(event(&message)["event_type"], "request.authentication_failed", "{message}");
    assert!(message.contains("sev=ERROR "));
}

#[test]
fn a_receiver_that_was_away_gets_everything() {
    let server = Server::start(PCE);
    let client = server.client();
    let (listener, port) = listen();
    add(&client, &destination(&client, port, json!({})));
    thread::sleep(Duration::from_millis(1500));
    label(&client, "there");
    let (stream, _) = listener.accept().unwrap();
    // It goes away in the middle.
    drop((stream, listener));
    for n in 0..20 {
        label(&client, &format!("away-{n:02}"));
        thread::sleep(Duration::from_millis(50));
    }
    let events = |kind: &str| {
        let path = format!("events?event_type={kind}");
        client.get(&path).expect(200).body.as_array().unwrap().clone()
    };
    let until = std::time::Instant::now() + PATIENCE;
    while events("remote_syslog.unreachable").is_empty() {
        assert!(std::time::Instant::now() < until, "{}", server.log());
        thread::sleep(Duration::from_millis(100));
    }
    let lost = &events("remote_syslog.unreachable")[0];
    assert_eq!(lost["severity"], "warning");
    assert_eq!(lost["notifications"][0]["info"]["port"], port);
    // A restart of the server forgets nothing either.
    let home = server.stop();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let received = lines(TcpListener::bind(address).unwrap());
    let server = Launch::new(PCE).home(&home).start();
    let mut missing: BTreeSet<String> = (0..20).map(|n| format!("away-{n:02}")).collect();
    while !missing.is_empty() {
        let message = received.recv_timeout(PATIENCE).expect("a message");
        missing.retain(|value| !message.contains(value.as_str()));
    }
    label(&server.client(), "afterwards");
    wait_for(&received, "afterwards");
}

#[test]
fn a_receiver_that_comes_back_is_told() {
    let server = Server::start(PCE);
    let client = server.client();
    let (listener, port) = listen();
    drop(listener);
    add(&client, &destination(&client, port, json!({})));
    thread::sleep(Duration::from_millis(1500));
    label(&client, "first");
    thread::sleep(Duration::from_millis(500));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let received = lines(TcpListener::bind(address).unwrap());
    wait_for(&received, "first");
    let message = wait_for(&received, "remote_syslog.reachable");
    assert_eq!(event(&message)["status"], "success");
}

#[test]
fn datagrams_arrive() {
    let server = Server::start(PCE);
    let client = server.client();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = socket.local_addr().unwrap().port();
    add(&client, &destination(&client, port, json!({"protocol": 17})));
    thread::sleep(Duration::from_millis(1500));
    label(&client, "datagram");
    let mut buffer = vec![0; 65_536];
    loop {
        let (n, _) = socket.recv_from(&mut buffer).expect("a datagram");
        let message = std::str::from_utf8(&buffer[..n]).unwrap();
        if message.contains("\"value\":\"datagram\"") {
            break;
        }
        assert_eq!(event(message)["version"], 2);
    }
}

/// A TLS receiver with a certificate for 127.0.0.1, and the PEM of the certificate.
fn tls() -> (Arc<rustls::ServerConfig>, String) {
    let params = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    (Arc::new(config), certificate.pem())
}

fn tls_lines(listener: TcpListener, config: Arc<rustls::ServerConfig>) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    let serve = move |mut socket: TcpStream, config, send: mpsc::Sender<String>| {
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut socket);
        let mut text = String::new();
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = stream.read(&mut buffer) {
            text.push_str(&String::from_utf8_lossy(&buffer[..n]));
            while let Some(end) = text.find('\n') {
                let line: String = text.drain(..=end).collect();
                let _ = send.send(line.trim_end().to_owned());
            }
        }
    };
    thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let (config, send) = (config.clone(), send.clone());
            thread::spawn(move || serve(socket, config, send));
        }
    });
    receive
}

#[test]
fn tls_receivers_must_prove_who_they_are() {
    let server = Server::start(PCE);
    let client = server.client();
    let (config, pem) = tls();
    let (listener, port) = listen();
    let received = tls_lines(listener, config.clone());
    add(&client, &destination(&client, port, json!({"tls_enabled": true, "tls_ca_bundle": pem})));
    // Not signed by anybody that this host trusts; and the same with the check switched off.
    let (listener, strange) = listen();
    let nothing = tls_lines(listener, config.clone());
    let refused = add(&client, &destination(&client, strange, json!({"tls_enabled": true})));
    let (listener, unchecked) = listen();
    let anything = tls_lines(listener, config);
    let remote = json!({"tls_enabled": true, "tls_verify_cert": false});
    add(&client, &destination(&client, unchecked, remote));
    thread::sleep(Duration::from_millis(1500));
    label(&client, "secret");
    wait_for(&received, "secret");
    wait_for(&anything, "secret");
    let lost = wait_for(&received, "remote_syslog.unreachable");
    assert!(lost.contains(&refused) && lost.contains("certificate"), "{lost}");
    assert!(nothing.try_recv().is_err());
}
