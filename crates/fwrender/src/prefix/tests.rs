use super::*;

fn rules(count: u64) -> Vec<RuleRef> {
    (1..=count).map(|n| RuleRef::Deny((Id::int(12), Id::int(n)))).collect()
}

#[test]
fn prefixes_are_printed_and_read_back() {
    let all = [
        RuleRef::Allow((Id::int(12), Id::int(34))),
        RuleRef::Deny((Id::int(12), Id::int(35))),
        RuleRef::Boundary(Id::int(7)),
        RuleRef::Essential(Id::int(3)),
    ];
    let cases: [(LogPrefix, &str); 3] = [
        (
            LogPrefix::new(Path::In, Cause::OverrideDeny, Outcome::Drop, &all),
            "bulkhead in override_deny drop a12/34,d12/35,b7,e3",
        ),
        (
            LogPrefix::new(Path::ForwardOut, Cause::Default, Outcome::Pass, &[]),
            "bulkhead fwd_out default pass",
        ),
        (
            LogPrefix::new(Path::Out, Cause::Deny, Outcome::Reject, &rules(2)),
            "bulkhead out deny reject d12/1,d12/2",
        ),
    ];
    for (prefix, text) in cases {
        assert_eq!(prefix.to_string(), text);
        assert_eq!(text.parse(), Ok(prefix));
    }
}

#[test]
fn long_prefixes_count_what_does_not_fit() {
    let uuid = Id::from_bytes([0xfe; 16]);
    let long = RuleRef::Deny((uuid, uuid));
    for rules in [rules(3), rules(40), rules(5000), vec![long; 3], vec![long; 70_000]] {
        let path = Path::ForwardOut;
        let prefix = LogPrefix::new(path, Cause::OverrideDeny, Outcome::Reject, &rules);
        let text = prefix.to_string();
        assert!(text.len() <= PREFIX_LEN_MAX, "{text}");
        assert!(!prefix.rules.is_empty());
        assert_eq!(prefix.rules.len() + prefix.more, rules.len());
        assert_eq!(text.parse(), Ok(prefix));
        assert!(comment(&rules).unwrap().len() <= COMMENT_LEN_MAX);
    }
    // No more is left out than must be.
    let text = LogPrefix::new(Path::In, Cause::Deny, Outcome::Drop, &rules(40)).to_string();
    assert!(text.len() > PREFIX_LEN_MAX - 7, "{text}");
}

#[test]
fn other_texts_are_no_prefixes() {
    let texts = [
        "",
        "bulkhead",
        "kernel in deny drop d1/2",
        "bulkhead in deny drop x1/2",
        "bulkhead in deny drop d1",
        "bulkhead in deny drop d1/2 more",
        "bulkhead in deny drop d1/2+",
        "bulkhead inside deny drop",
        "bulkhead in deny melt",
        "bulkhead in deny drop dé/2",
    ];
    for text in texts {
        assert_eq!(text.parse::<LogPrefix>(), Err(PrefixError), "{text}");
    }
}
