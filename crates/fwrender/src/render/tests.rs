use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead_ids::Id;
use bulkhead_model::{
    CustomRule, Effect, Entry, EntryFlags, IpTablesStatement, NetworkType, Peers, RuleRef,
    RuleTable, ServiceMatch, SetId,
};
use bulkhead_netset::{IpRange, IpSet, ProtoPorts};

use super::*;
use crate::ruleset::SkipReason;

struct Sets(BTreeMap<SetId, Arc<IpSet>>);

impl AddressSets for Sets {
    fn addresses(&self, id: SetId) -> Option<Arc<IpSet>> {
        self.0.get(&id).cloned()
    }
}

fn sets(texts: &[&str]) -> Sets {
    let set = |text: &str| text.split(',').map(|r| r.parse::<IpRange>().unwrap()).collect();
    let ids = (0..).map(|n| SetId([n; 16]));
    Sets(ids.zip(texts).map(|(id, text)| (id, Arc::new(set(text)))).collect())
}

fn service(text: &str) -> Arc<[ServiceMatch]> {
    let ports = text.split(',').map(|s| s.parse::<ProtoPorts>().unwrap()).collect();
    vec![ServiceMatch { ports, process: None, windows_service: None }].into()
}

fn entry(effect: Effect, set: u8, services: &str, rule: u64) -> Entry {
    let key = (Id::int(1), Id::int(rule));
    let rule = match effect {
        Effect::Allow => RuleRef::Allow(key),
        Effect::Essential => RuleRef::Essential(key.1),
        Effect::Deny | Effect::OverrideDeny => RuleRef::Deny(key),
    };
    Entry {
        effect,
        peers: Peers::Set(SetId([set; 16])),
        services: service(services),
        flags: EntryFlags::default(),
        rules: vec![rule].into(),
    }
}

fn intent(mode: Mode, inbound: Vec<Entry>, outbound: Vec<Entry>) -> Intent {
    let arcs = |entries: Vec<Entry>| entries.into_iter().map(Arc::new).collect();
    let table =
        RuleTable { inbound: arcs(inbound), outbound: arcs(outbound), ..RuleTable::default() };
    Intent { mode, os: Os::Other, ignored_interfaces: Vec::new(), table: Arc::new(table) }
}

fn ruleset(intent: &Intent, sets: &Sets) -> Ruleset {
    render(intent, sets, &RenderOptions::default()).unwrap()
}

/// The chain of that name, or whose name begins so.
fn chain<'a>(text: &'a str, name: &str) -> &'a str {
    let start = text.find(&format!("    chain {name}")).unwrap_or_else(|| panic!("{name}\n{text}"));
    let rest = &text[start..];
    &rest[..rest.find("\n    }").unwrap()]
}

#[test]
fn the_whole_text_of_a_small_policy() {
    let mut denied = entry(Effect::OverrideDeny, 1, "tcp/22", 9);
    denied.flags.no_log = true;
    let inbound = vec![entry(Effect::Allow, 0, "tcp/22,tcp/80-90,icmp/8", 7), denied];
    let outbound = vec![entry(Effect::Allow, 1, "all", 8)];
    let text = ruleset(
        &intent(Mode::Full, inbound, outbound),
        &sets(&["10.0.0.0/8", "10.1.1.1,fd00::/64"]),
    )
    .to_text();
    let golden = include_str!("golden.nft");
    if text != golden {
        let path = std::env::temp_dir().join("golden.nft");
        std::fs::write(&path, &text).unwrap();
        panic!("the text differs from golden.nft; it is in {}:\n{text}", path.display());
    }
    crate::Interpreter::parse(&text).unwrap();
}

#[test]
fn idle_leaves_the_host_alone() {
    let intent = intent(Mode::Idle, vec![entry(Effect::Deny, 0, "all", 1)], Vec::new());
    let got = ruleset(&intent, &sets(&["10.0.0.1"]));
    assert_eq!(got.table, None);
    assert_eq!(got.to_text(), "add table inet bulkhead\ndelete table inet bulkhead\n");
}

#[test]
fn refused_input() {
    let none = sets(&[]);
    let options = RenderOptions::default;
    let mut windows = intent(Mode::Full, Vec::new(), Vec::new());
    windows.os = Os::Windows;
    assert_eq!(render(&windows, &none, &options()), Err(RenderError::Windows));
    let missing = intent(Mode::Full, vec![entry(Effect::Deny, 4, "all", 1)], Vec::new());
    let error = RenderError::MissingSet(SetId([4; 16]));
    assert_eq!(render(&missing, &none, &options()), Err(error));
    for name in ["", "a b", "7up", "x;", "x\n", "t\u{e9}"] {
        let intent = intent(Mode::Full, Vec::new(), Vec::new());
        let options = RenderOptions { table: name.to_owned(), ..options() };
        assert_eq!(render(&intent, &none, &options), Err(RenderError::Name(name.to_owned())));
    }
    for name in ["", "eth*", "*", "eth\"0", "a b", "sixteen-bytes-xx", "eth0\n"] {
        let mut intent = intent(Mode::Full, Vec::new(), Vec::new());
        intent.ignored_interfaces = vec![Arc::from(name)];
        let error = RenderError::Name(name.to_owned());
        assert_eq!(render(&intent, &none, &options()), Err(error));
    }
}

#[test]
fn what_nftables_cannot_see_is_left_out_and_listed() {
    let mut process = entry(Effect::Allow, 0, "tcp/22", 1);
    let services = process.services.iter().cloned();
    process.services =
        services.map(|m| ServiceMatch { process: Some(Arc::from("sshd")), ..m }).collect();
    let mut group = entry(Effect::Allow, 0, "tcp/22", 2);
    group.flags.principals = vec![Id::int(5)].into();
    let mut away = entry(Effect::Allow, 0, "tcp/22", 3);
    away.flags.network_type = NetworkType::NonBrn;
    let mut names = entry(Effect::Deny, 0, "tcp/22", 4);
    names.peers = Peers::Names(vec![Arc::from("a.example.com")].into());
    let intent = intent(Mode::Full, vec![process], vec![group, away, names]);
    let got = ruleset(&intent, &sets(&["10.0.0.1"]));
    let reasons: Vec<_> = got.skipped.iter().map(|s| (s.inbound, s.reason)).collect();
    let want = [
        (true, SkipReason::Process),
        (false, SkipReason::UserGroup),
        (false, SkipReason::NetworkType),
        (false, SkipReason::Names),
    ];
    assert_eq!(reasons, want);
    assert!(!got.to_text().contains("a1/"));
}

#[test]
fn learned_names_come_after_override_deny_and_before_deny() {
    let mut names = entry(Effect::Allow, 0, "tcp/443", 2);
    names.peers = Peers::Names(vec![Arc::from("*.example.com")].into());
    let outbound = vec![
        entry(Effect::OverrideDeny, 0, "tcp/22", 1),
        names,
        entry(Effect::Deny, 0, "tcp/443", 3),
    ];
    let text = ruleset(&intent(Mode::Full, Vec::new(), outbound), &sets(&["10.0.0.1"])).to_text();
    let jumps: Vec<_> = text
        .split("    chain out_")
        .map(|c| c.lines().filter_map(|l| l.trim().strip_prefix("jump ")).collect::<Vec<_>>())
        .find(|jumps| jumps.len() == 3)
        .unwrap();
    assert!(jumps[0].starts_with("override_deny_"), "{jumps:?}");
    assert_eq!(jumps[1], "names");
    assert!(jumps[2].starts_with("deny_"), "{jumps:?}");
    assert_eq!(chain(&text, "names").matches("daddr @names").count(), 2);
    assert_eq!(text.matches("flags timeout").count(), 2);
}

#[test]
fn equal_classes_are_one_and_keep_their_names() {
    let inbound = |extra: Option<Entry>| {
        let mut entries =
            vec![entry(Effect::Allow, 0, "tcp/22", 1), entry(Effect::Allow, 1, "tcp/22", 1)];
        entries.extend(extra);
        entries
    };
    let sets = sets(&["10.0.0.1,10.0.0.3", "10.0.0.5", "10.0.0.7"]);
    let before = ruleset(&intent(Mode::Full, inbound(None), Vec::new()), &sets).to_text();
    // Two sets, one meaning.
    assert_eq!(before.matches(" : goto in_").count(), 1);
    let extra = entry(Effect::Allow, 2, "tcp/23", 2);
    let after = ruleset(&intent(Mode::Full, inbound(Some(extra)), Vec::new()), &sets).to_text();
    for line in before.lines().filter(|l| l.contains("10.0.0.")) {
        assert!(after.contains(line), "{line}");
    }
}

#[test]
fn the_number_of_rules_does_not_grow_with_the_policy() {
    let rules = |count: u64| {
        let texts: Vec<_> = (0..count).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
        let texts: Vec<_> = texts.iter().map(String::as_str).collect();
        let entries = (0..count.min(200))
            .map(|n| entry(Effect::Allow, 0, &format!("tcp/{}", 1000 + 2 * n), n))
            .collect();
        let all = texts.join(",");
        let text = ruleset(&intent(Mode::Full, entries, Vec::new()), &sets(&[&all])).to_text();
        let tier = chain(&text, "allow_");
        tier.lines().count()
    };
    assert_eq!(rules(2), rules(2000));
}

fn custom(table: &str, chain: &str, parameters: &str, ipv6: bool) -> CustomRule {
    let statement = IpTablesStatement {
        table: Arc::from(table),
        chain: Arc::from(chain),
        parameters: Arc::from(parameters),
    };
    CustomRule { rule: (Id::int(1), Id::int(2)), ipv6, statements: vec![statement] }
}

#[test]
fn custom_iptables_rules_are_text_of_their_own() {
    let rules = [
        custom("filter", "INPUT", "-p tcp --dport 22 -j LOG", false),
        custom("filter", "MINE", "-j RETURN", false),
        custom("nat", "POSTROUTING", "-j MASQUERADE", true),
        custom("filter", "INPUT", "-j MINE", false),
    ];
    let v4 = custom::iptables(&rules, false).unwrap();
    let want = "*filter\n:BULKHEAD-INPUT - [0:0]\n:MINE - [0:0]\n-A BULKHEAD-INPUT -p tcp --dport 22 -j LOG\n\
                -A MINE -j RETURN\n-A BULKHEAD-INPUT -j MINE\nCOMMIT\n";
    assert_eq!(v4.text, want);
    let jump = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
    assert_eq!(v4.jumps, [jump("filter", "INPUT", "BULKHEAD-INPUT")]);
    let v6 = custom::iptables(&rules, true).unwrap();
    let want =
        "*nat\n:BULKHEAD-POSTROUTING - [0:0]\n-A BULKHEAD-POSTROUTING -j MASQUERADE\nCOMMIT\n";
    assert_eq!(v6.text, want);
}

#[test]
fn custom_iptables_rules_cannot_bring_other_lines() {
    let bad = [
        custom("raw", "INPUT", "-j LOG", false),
        custom("filter", "IN PUT", "-j LOG", false),
        custom("filter", "", "-j LOG", false),
        custom("filter", "-A", "-j LOG", false),
        custom("filter", "INPUT", "-j LOG\nCOMMIT", false),
        custom("filter", "INPUT", " ", false),
        custom("filter", "a-chain-of-twenty-or", "-j LOG", false),
    ];
    for rule in bad {
        let got = custom::iptables(std::slice::from_ref(&rule), false);
        assert!(matches!(got, Err(RenderError::Custom { .. })), "{rule:?}");
    }
}
