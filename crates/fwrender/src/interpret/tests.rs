use super::*;

/// A table with a base chain of these rules and other things beside it.
fn table(rules: &str, beside: &str) -> String {
    format!(
        "add table inet t\ndelete table inet t\ntable inet t {{\n{beside}\n\tchain input {{\n\t\t\
         type filter hook input priority 0; policy accept;\n{rules}\n\t}}\n}}\n"
    )
}

fn tcp(destination: u16) -> Packet {
    let address = |text: &str| text.parse().unwrap();
    let transport = Transport::Tcp { source: 40_000, destination };
    Packet::inbound(address("10.0.0.1"), address("10.0.0.2"), transport)
}

fn fate(rules: &str, beside: &str, packet: &Packet) -> Fate {
    let text = table(rules, beside);
    Interpreter::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}")).packet(packet).fate
}

#[test]
fn one_rule_at_a_time() {
    let mut established = tcp(22);
    established.state = CtState::Established;
    let cases: [(&str, &Packet, Fate); 14] = [
        ("drop", &tcp(22), Fate::Drop),
        ("", &tcp(22), Fate::Accept),
        ("accept\ndrop", &tcp(22), Fate::Accept),
        ("iifname \"eth0\" drop", &tcp(22), Fate::Drop),
        ("iifname \"et*\" drop", &tcp(22), Fate::Drop),
        ("iifname \"lo\" drop", &tcp(22), Fate::Accept),
        ("oifname \"eth0\" drop", &tcp(22), Fate::Accept),
        ("ct state established,related accept\ndrop", &established, Fate::Accept),
        ("ct state established,related accept\ndrop", &tcp(22), Fate::Drop),
        ("tcp dport { 20-22 } drop", &tcp(22), Fate::Drop),
        ("tcp sport { 20-22 } drop", &tcp(22), Fate::Accept),
        ("udp dport { 22 } drop", &tcp(22), Fate::Accept),
        ("meta l4proto . th dport vmap { 6 . 22 : drop, 17 . 53 : accept }", &tcp(22), Fate::Drop),
        ("meta l4proto tcp reject with tcp reset", &tcp(22), Fate::Reject),
    ];
    for (rules, packet, want) in cases {
        assert_eq!(fate(rules, "", packet), want, "{rules}");
    }
}

#[test]
fn jumps_come_back_and_gotos_do_not() {
    let beside = "\tchain empty {\n\t}\n\tchain over {\n\t\tgoto empty\n\t\tdrop\n\t}";
    assert_eq!(fate("jump empty\ndrop", beside, &tcp(1)), Fate::Drop);
    assert_eq!(fate("goto empty\ndrop", beside, &tcp(1)), Fate::Accept);
    assert_eq!(fate("jump over\ndrop", beside, &tcp(1)), Fate::Drop);
}

#[test]
fn the_last_class_that_is_found_wins() {
    let beside = "\tmap nets {\n\t\ttype ipv4_addr : classid\n\t\tflags interval\n\t\telements = {\n\
                  \t\t\t10.0.0.0/8 : 0:1,\n\t\t}\n\t}\n\tmap hosts {\n\t\ttype ipv4_addr : classid\n\
                  \t\telements = {\n\t\t\t10.0.0.1 : abcd:2,\n\t\t}\n\t}\n\tchain one {\n\t\tdrop\n\t}\n\
                  \tmap go {\n\t\ttype classid : verdict\n\t\telements = {\n\t\t\t0:1 : goto one,\n\t\t}\n\t}";
    let rules = "meta priority set none\nmeta priority set ip saddr map @nets\n\
                 meta priority set ip saddr map @hosts\nmeta priority vmap @go";
    assert_eq!(fate(rules, beside, &tcp(1)), Fate::Accept);
    let mut other = tcp(1);
    other.source = "10.0.0.9".parse().unwrap();
    assert_eq!(fate(rules, beside, &other), Fate::Drop);
    other.source = "192.0.2.1".parse().unwrap();
    assert_eq!(fate(rules, beside, &other), Fate::Accept);
}

#[test]
fn what_the_kernel_would_refuse_is_refused() {
    let set = |body: &str| format!("\tset s {{\n\t\t{body}\n\t}}");
    let cases = [
        ("jump nowhere", String::new(), "no chain `nowhere`"),
        ("ip saddr @s drop", String::new(), "no set `s`"),
        ("ip6 saddr @s drop", set("type ipv4_addr"), "of another type"),
        ("", set("type ipv4_addr\n\t\telements = { 10.0.0.0/8 }"), "without the flag"),
        (
            "",
            set("type ipv4_addr\n\t\tflags interval\n\t\telements = { 10.0.0.0/8, 10.1.1.1 }"),
            "overlap",
        ),
        (
            "",
            set("type ipv4_addr\n\t\tflags interval\n\t\telements = { 10.0.0.1/8 }"),
            "as element",
        ),
        ("jump input", String::new(), "a loop"),
        ("ip saddr 10.0.0.1 drop", String::new(), "elements are missing"),
        ("meta mark set 1", String::new(), "`meta mark`"),
        ("queue num 1", String::new(), "`queue num`"),
        ("log prefix \"a group 1", String::new(), "quotes without end"),
        ("tcp dport { 70000 } drop", String::new(), "as element"),
        ("tcp dport { 9-7 } drop", String::new(), "below its start"),
    ];
    for (rules, beside, want) in cases {
        let error = Interpreter::parse(&table(rules, &beside)).unwrap_err().to_string();
        assert!(error.contains(want), "{rules} {beside}: {error}");
    }
    assert!(Interpreter::parse("table inet t {\n}\n").is_err(), "the old table stays");
}

#[test]
fn logs_and_comments_tell_the_way() {
    let beside = "\tchain no {\n\t\tlimit rate 5/second burst 5 packets log prefix \"gone\" group 3\n\
                  \t\tdrop comment \"d1/2\"\n\t}";
    let text = table("tcp dport vmap { 22 : goto no }", beside);
    let judgement = Interpreter::parse(&text).unwrap().packet(&tcp(22));
    let want = Judgement {
        fate: Fate::Drop,
        logs: vec!["gone".to_owned()],
        comments: vec!["d1/2".to_owned()],
    };
    assert_eq!(judgement, want);
}
