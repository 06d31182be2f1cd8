//! What every storage back end does, as tests over `dyn Store`: a back end adds itself to
//! `contract!` and runs them all.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod common;

use bulkhead_ids::Kind;
use bulkhead_store::{ChangeSet, EventFilter, Op, Refusal, Store, StoreError, UpdateType};
use common::{
    Fresh, Sqlite, actives, add_event, changes, close, delete, event, event_docs, id, key,
    modified, open, put, snapshot, version_docs,
};
use std::sync::atomic::{AtomicBool, Ordering};

macro_rules! contract {
    ($($test:ident)*) => {
        mod sqlite {
            $(
                #[test]
                fn $test() {
                    let fresh = <super::Sqlite as super::Fresh>::fresh();
                    super::$test(super::Fresh::store(&fresh));
                }
            )*
        }
    };
}

contract! {
    what_is_committed_is_loaded
    a_put_replaces_and_a_delete_removes
    a_failing_op_undoes_the_whole_batch
    a_conflict_undoes_the_whole_batch_and_names_the_change_set
    revisions_count_per_organisation_also_within_a_batch
    versions_are_validity_intervals
    versions_by_kind_and_parent
    modified_says_what_a_version_did
    intervals_that_make_no_sense_are_refused
    organisations_do_not_see_each_other
    events_pass_filters_newest_first
    events_by_text_find_it_literally
    events_are_pruned_and_counted
    events_are_followed_in_the_order_of_recording
    an_event_id_is_taken_once
    blobs_are_kept_replaced_and_swept
    counters_keep_their_last_value
    numbers_beyond_the_store_are_refused
    readers_see_whole_batches_only
}

fn commit(store: &dyn Store, ops: Vec<Op>) {
    store.commit(&[changes(1, ops)]).unwrap();
}

fn what_is_committed_is_loaded(store: &dyn Store) {
    assert!(snapshot(store).is_empty());
    let rule = Op::PutCurrent {
        key: key(1, Kind::SecRule, 5),
        parent: Some(id(3)),
        pending: Some(UpdateType::Delete),
        doc: (*b"{\"rule\":5}").into(),
    };
    commit(
        store,
        vec![
            put(key(1, Kind::Label, 7), "{\"label\":7}"),
            rule,
            open(key(1, Kind::RuleSet, 3), None, 1, "{\"set\":3}"),
            Op::SetCounter { org: 1, name: "next_id", value: 8 },
        ],
    );
    assert_eq!(
        snapshot(store),
        [
            "active rule_set 3 of organisation 1 under None from 1: {\"set\":3}",
            "counter 1 next_id 8",
            "current label 7 of organisation 1 under None None: {\"label\":7}",
            "current sec_rule 5 of organisation 1 under Some(3) Some(Delete): {\"rule\":5}",
            "revision 1 1",
        ]
    );
}

fn a_put_replaces_and_a_delete_removes(store: &dyn Store) {
    let (a, b) = (key(1, Kind::Workload, 1), key(1, Kind::Workload, 2));
    commit(store, vec![put(a, "old"), put(b, "b"), put(a, "new")]);
    commit(store, vec![delete(b), delete(b)]);
    assert_eq!(
        snapshot(store),
        ["current workload 1 of organisation 1 under None None: new", "revision 1 2",]
    );
}

fn a_failing_op_undoes_the_whole_batch(store: &dyn Store) {
    commit(store, vec![put(key(1, Kind::Label, 1), "before")]);
    let before = snapshot(store);
    let absent = key(1, Kind::Service, 9);
    let error = store
        .commit(&[
            changes(2, vec![put(key(2, Kind::Label, 1), "other"), add_event(event(2, 1))]),
            changes(1, vec![put(key(1, Kind::Label, 1), "after"), close(absent, 4)]),
            changes(1, vec![put(key(1, Kind::Label, 2), "never reached")]),
        ])
        .unwrap_err();
    let StoreError::Rejected { changeset: 1, op: 1, refusal } = &error else {
        panic!("{error}");
    };
    assert_eq!(*refusal, Refusal::NotActive(absent));
    assert!(!error.retryable());
    assert_eq!(snapshot(store), before);
    assert_eq!(store.events(2, &EventFilter::default(), 10).unwrap().total, 0);
}

fn a_conflict_undoes_the_whole_batch_and_names_the_change_set(store: &dyn Store) {
    commit(store, vec![]);
    let stale = ChangeSet {
        org: 1,
        expected_revision: Some(1),
        ops: vec![put(key(1, Kind::Label, 2), "stale")],
    };
    let first = changes(1, vec![put(key(1, Kind::Label, 1), "first")]);
    let error = store.commit(&[first, stale.clone()]).unwrap_err();
    assert!(error.retryable());
    let StoreError::Conflict { changeset: 1, org: 1, expected: 1, found: 2 } = error else {
        panic!("{error}");
    };
    assert_eq!(snapshot(store), ["revision 1 1"]);
    store.commit(&[stale]).unwrap();
    assert_eq!(snapshot(store).last().unwrap(), "revision 1 2");
}

fn revisions_count_per_organisation_also_within_a_batch(store: &dyn Store) {
    let expect = |org, revision| ChangeSet { org, expected_revision: Some(revision), ops: vec![] };
    store.commit(&[expect(1, 0), expect(2, 0), expect(1, 1), changes(1, vec![])]).unwrap();
    store.commit(&[]).unwrap();
    store.commit(&[expect(1, 3), expect(0, 0)]).unwrap();
    assert_eq!(snapshot(store), ["revision 0 1", "revision 1 4", "revision 2 1"]);
}

/// Three lists over five versions: 1 made, changed, deleted, made again; 2 there throughout; 3 late.
fn five_versions(store: &dyn Store) {
    let list = |n| key(1, Kind::IpList, n);
    commit(store, vec![open(list(1), None, 1, "1a"), open(list(2), None, 1, "2a")]);
    commit(store, vec![close(list(1), 2), open(list(1), None, 2, "1b")]);
    commit(store, vec![close(list(1), 3), open(list(3), None, 3, "3a")]);
    commit(store, vec![close(list(3), 4), open(list(3), None, 4, "3b")]);
    commit(store, vec![open(list(1), None, 5, "1c")]);
}

fn versions_are_validity_intervals(store: &dyn Store) {
    five_versions(store);
    let expected: [&[&str]; 8] = [
        &[],
        &["1a@1", "2a@1"],
        &["1b@2", "2a@1"],
        &["2a@1", "3a@3"],
        &["2a@1", "3b@4"],
        &["1c@5", "2a@1", "3b@4"],
        &["1c@5", "2a@1", "3b@4"],
        &["1c@5", "2a@1", "3b@4"],
    ];
    for (version, expected) in (0..7).chain([u64::MAX]).zip(expected) {
        assert_eq!(version_docs(store, version, None, None), expected, "version {version}");
        for n in 1..=3 {
            let one = store.version_row(&key(1, Kind::IpList, n), version).unwrap();
            let all = store.version_rows(1, version, Some(Kind::IpList), None).unwrap();
            let found = all.into_iter().find(|row| row.key.id == id(n));
            assert_eq!(one, found, "list {n} in version {version}");
        }
    }
    assert_eq!(actives(store), ["1c", "2a", "3b"]);
}

fn versions_by_kind_and_parent(store: &dyn Store) {
    let rule = |n, set, from, doc| open(key(1, Kind::SecRule, n), Some(id(set)), from, doc);
    commit(
        store,
        vec![
            open(key(1, Kind::RuleSet, 1), None, 1, "set 1"),
            rule(11, 1, 1, "rule 11"),
            rule(12, 1, 1, "rule 12"),
            rule(21, 2, 1, "rule 21"),
            open(key(1, Kind::DenyRule, 13), Some(id(1)), 1, "deny 13"),
        ],
    );
    commit(store, vec![close(key(1, Kind::SecRule, 12), 2), rule(10, 1, 2, "rule 10")]);
    let rules = Some(Kind::SecRule);
    let under = |version, kind, set| version_docs(store, version, kind, Some(id(set)));
    assert_eq!(under(1, rules, 1), ["rule 11@1", "rule 12@1"]);
    assert_eq!(under(2, rules, 1), ["rule 10@2", "rule 11@1"]);
    assert_eq!(under(2, rules, 2), ["rule 21@1"]);
    assert_eq!(under(1, None, 1), ["deny 13@1", "rule 11@1", "rule 12@1"]);
    assert_eq!(version_docs(store, 1, rules, None), ["rule 11@1", "rule 12@1", "rule 21@1"]);
    assert_eq!(version_docs(store, 2, Some(Kind::RuleSet), None), ["set 1@1"]);
    assert_eq!(version_docs(store, 2, Some(Kind::Service), None), [""; 0]);
    let row = store.version_row(&key(1, Kind::SecRule, 12), 1).unwrap().unwrap();
    assert_eq!(row.parent, Some(id(1)));
}

fn modified_says_what_a_version_did(store: &dyn Store) {
    five_versions(store);
    let expected: [&[&str]; 7] = [
        &[],
        &["create 1a", "create 2a"],
        &["update 1b"],
        &["delete 1b", "create 3a"],
        &["update 3b"],
        &["create 1c"],
        &[],
    ];
    for (version, expected) in (0..).zip(expected) {
        assert_eq!(modified(store, version), expected, "version {version}");
    }
    assert_eq!(modified(store, u64::MAX), [""; 0]);
}

fn refusal(store: &dyn Store, ops: Vec<Op>) -> Refusal {
    match store.commit(&[changes(1, ops)]) {
        Err(StoreError::Rejected { changeset: 0, refusal, .. }) => refusal,
        other => panic!("{other:?}"),
    }
}

fn intervals_that_make_no_sense_are_refused(store: &dyn Store) {
    let list = key(1, Kind::IpList, 1);
    commit(store, vec![open(list, None, 5, "a")]);
    assert_eq!(refusal(store, vec![open(list, None, 6, "b")]), Refusal::AlreadyActive(list));
    for at in [4, 5] {
        assert_eq!(refusal(store, vec![close(list, at)]), Refusal::Interval(list));
    }
    commit(store, vec![close(list, 7)]);
    assert_eq!(refusal(store, vec![close(list, 8)]), Refusal::NotActive(list));
    assert_eq!(refusal(store, vec![open(list, None, 6, "b")]), Refusal::Interval(list));
    commit(store, vec![open(list, None, 7, "b")]);
}

fn organisations_do_not_see_each_other(store: &dyn Store) {
    for org in [1, 2] {
        let list = key(org, Kind::IpList, 1);
        let doc = format!("of {org}");
        store
            .commit(&[changes(
                org,
                vec![
                    put(list, &doc),
                    open(list, None, 1, &doc),
                    close(list, 2),
                    open(list, None, 2, &doc),
                    add_event(event(org, 1)),
                    Op::PutBlob { org, id: id(1), expires_us: 9, body: doc.as_bytes().into() },
                    Op::SetCounter { org, name: "next_id", value: u64::from(org) },
                ],
            )])
            .unwrap();
    }
    store
        .commit(&[changes(
            2,
            vec![
                delete(key(2, Kind::IpList, 1)),
                close(key(2, Kind::IpList, 1), 3),
                Op::PruneEvents { org: 2, before_us: i64::MAX },
                Op::DeleteBlob { org: 2, id: id(1) },
            ],
        )])
        .unwrap();
    assert_eq!(version_docs(store, 3, None, None), ["of 1@2"]);
    assert_eq!(store.version_rows(2, 3, None, None).unwrap(), []);
    assert_eq!(store.modified(1, 3).unwrap(), []);
    assert_eq!(store.modified(2, 3).unwrap().len(), 1);
    assert_eq!(store.events(1, &EventFilter::default(), 9).unwrap().rows.len(), 1);
    assert_eq!(store.events(2, &EventFilter::default(), 9).unwrap().total, 0);
    assert_eq!(store.event(2, id(1)).unwrap(), None);
    assert_eq!(store.blob(1, id(1)).unwrap().unwrap(), b"of 1");
    assert_eq!(store.blob(2, id(1)).unwrap(), None);
}

fn some(s: &str) -> Option<Box<str>> {
    Some(s.into())
}

/// Sixty events, one each ten microseconds; every third failed, every fifth has no status, every
/// fourth is by another user, three types in turn.
fn sixty_events(store: &dyn Store) {
    let ops = (0..60).map(|n| {
        let mut e = event(1, n);
        e.event_type = ["label.create", "label.update", "user.login"][n as usize % 3].into();
        e.severity = if n % 10 == 0 { "err" } else { "info" }.into();
        e.created_by = if n % 4 == 0 { "/users/2" } else { "/users/1" }.into();
        e.status = match n {
            n if n % 5 == 0 => None,
            n if n % 3 == 0 => some("failure"),
            _ => some("success"),
        };
        add_event(e)
    });
    commit(store, ops.collect());
}

fn events_pass_filters_newest_first(store: &dyn Store) {
    sixty_events(store);
    type Pass = fn(u64) -> bool;
    let any = EventFilter::default;
    let types = |t: &[&str]| t.iter().map(|t| (*t).into()).collect();
    let cases: Vec<(EventFilter, Pass)> = vec![
        (any(), |_| true),
        (EventFilter { event_types: types(&["user.login"]), ..any() }, |n| n % 3 == 2),
        (EventFilter { event_types: types(&["user.login", "label.create", "x"]), ..any() }, |n| {
            n % 3 != 1
        }),
        (EventFilter { event_types: types(&["label"]), ..any() }, |_| false),
        (EventFilter { status: some("failure"), ..any() }, |n| n % 5 != 0 && n % 3 == 0),
        (EventFilter { status: some(""), ..any() }, |n| n % 5 == 0),
        (EventFilter { severity: some("err"), ..any() }, |n| n % 10 == 0),
        (EventFilter { created_by: some("/users/2"), ..any() }, |n| n % 4 == 0),
        (EventFilter { timestamp_gte_us: Some(100), ..any() }, |n| n >= 10),
        (EventFilter { timestamp_lte_us: Some(100), ..any() }, |n| n <= 10),
        (
            EventFilter {
                event_types: types(&["label.create"]),
                severity: some("info"),
                created_by: some("/users/1"),
                timestamp_gte_us: Some(101),
                timestamp_lte_us: Some(500),
                ..any()
            },
            |n| n % 3 == 0 && n % 10 != 0 && n % 4 != 0 && (11..=50).contains(&n),
        ),
    ];
    for (filter, pass) in cases {
        let expected: Vec<String> =
            (0..60).rev().filter(|n| pass(*n)).map(|n| format!("event {n}")).collect();
        let page = store.events(1, &filter, 100).unwrap();
        assert_eq!(event_docs(&page), expected, "{filter:?}");
        assert_eq!((page.total, page.matched), (60, expected.len() as u64), "{filter:?}");
        let first = store.events(1, &filter, 4).unwrap();
        assert_eq!(event_docs(&first), expected[..expected.len().min(4)], "{filter:?}");
        assert_eq!(first.matched, page.matched);
    }
    assert_eq!(store.events(1, &any(), 0).unwrap().rows, Vec::<Vec<u8>>::new());
    assert_eq!(store.event(1, id(33)).unwrap().unwrap(), b"event 33");
    assert_eq!(store.event(1, id(60)).unwrap(), None);
}

fn events_by_text_find_it_literally(store: &dyn Store) {
    let docs = [r#"{"n":"50% off_now"}"#, r#"{"n":"500 OFF now"}"#, r#"{"n":"a\\b \"q\""}"#];
    let ops = docs.iter().zip(0..).map(|(doc, n)| {
        let mut e = event(1, n);
        e.timestamp_us = 5;
        e.doc = doc.as_bytes().into();
        add_event(e)
    });
    commit(store, ops.collect());
    let find = |text: &str| {
        let filter = EventFilter { text: some(text), ..EventFilter::default() };
        let page = store.events(1, &filter, 10).unwrap();
        assert_eq!(page.matched, page.rows.len() as u64);
        event_docs(&page)
    };
    assert_eq!(find("50%"), [docs[0]]);
    assert_eq!(find("off_"), [docs[0]]);
    assert_eq!(find("Off"), [docs[1], docs[0]]);
    assert_eq!(find("a\\b \"q\""), [docs[2]]);
    assert_eq!(find("absent"), [""; 0]);
}

fn events_are_followed_in_the_order_of_recording(store: &dyn Store) {
    assert_eq!((store.last_event().unwrap(), store.events_after(0, 9).unwrap()), (0, vec![]));
    sixty_events(store);
    let all = store.events_after(0, 100).unwrap();
    assert_eq!(all.len(), 60);
    assert!(all.windows(2).all(|w| w[0].seq < w[1].seq));
    assert_eq!(store.last_event().unwrap(), all[59].seq);
    let some = store.events_after(all[9].seq, 5).unwrap();
    assert_eq!(some, all[10..15]);
    assert!(some.iter().all(|e| e.org == 1 && !e.doc.is_empty()));
    assert_eq!(store.events_after(all[59].seq, 5).unwrap(), vec![]);
}

fn events_are_pruned_and_counted(store: &dyn Store) {
    sixty_events(store);
    commit(store, vec![Op::PruneEvents { org: 1, before_us: 550 }]);
    let page = store.events(1, &EventFilter::default(), 100).unwrap();
    assert_eq!(event_docs(&page), ["event 59", "event 58", "event 57", "event 56", "event 55"]);
    assert_eq!((page.total, page.matched), (5, 5));
    commit(store, vec![Op::PruneEvents { org: 1, before_us: i64::MAX }, add_event(event(1, 1))]);
    assert_eq!(store.events(1, &EventFilter::default(), 100).unwrap().total, 1);
}

fn an_event_id_is_taken_once(store: &dyn Store) {
    commit(store, vec![add_event(event(1, 1))]);
    assert_eq!(refusal(store, vec![add_event(event(1, 1))]), Refusal::EventExists);
    assert_eq!(store.events(1, &EventFilter::default(), 9).unwrap().total, 1);
}

fn blobs_are_kept_replaced_and_swept(store: &dyn Store) {
    let blob = |n, expires_us, body: &[u8]| Op::PutBlob {
        org: 1,
        id: id(n),
        expires_us,
        body: body.into(),
    };
    let large: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
    commit(store, vec![blob(1, 10, b"one"), blob(2, 20, b""), blob(3, 30, &large)]);
    commit(store, vec![blob(1, 40, b"again")]);
    assert_eq!(store.blob(1, id(1)).unwrap().unwrap(), b"again");
    assert_eq!(store.blob(1, id(2)).unwrap().unwrap(), b"");
    assert!(store.blob(1, id(3)).unwrap().unwrap() == large);
    assert_eq!(store.sweep_blobs(19).unwrap(), 0);
    assert_eq!(store.sweep_blobs(30).unwrap(), 2);
    assert_eq!(store.blob(1, id(2)).unwrap(), None);
    assert_eq!(store.blob(1, id(1)).unwrap().unwrap(), b"again");
    commit(store, vec![Op::DeleteBlob { org: 1, id: id(1) }]);
    assert_eq!(store.blob(1, id(1)).unwrap(), None);
}

fn counters_keep_their_last_value(store: &dyn Store) {
    let set = |name, value| Op::SetCounter { org: 1, name, value };
    commit(store, vec![set("next_id", 5), set("version", 1), set("next_id", i64::MAX as u64)]);
    commit(store, vec![set("version", 2)]);
    assert_eq!(
        snapshot(store),
        ["counter 1 next_id 9223372036854775807", "counter 1 version 2", "revision 1 2",]
    );
}

fn numbers_beyond_the_store_are_refused(store: &dyn Store) {
    let list = key(1, Kind::IpList, u64::MAX);
    let counter = Op::SetCounter { org: 1, name: "next_id", value: u64::MAX };
    assert_eq!(refusal(store, vec![counter]), Refusal::TooLarge("counter"));
    let version = Refusal::TooLarge("version");
    assert_eq!(refusal(store, vec![open(list, None, u64::MAX, "")]), version);
    commit(store, vec![open(list, None, 1, "a")]);
    assert_eq!(refusal(store, vec![close(list, 1 << 63)]), version);
    assert_eq!(version_docs(store, 1, None, None), ["a@1"]);
}

/// A writer replaces two rows together; every load must find the two equal.
fn readers_see_whole_batches_only(store: &dyn Store) {
    let both = |n: u32| {
        let doc = n.to_string();
        let set = |org| changes(org, vec![put(key(org, Kind::Label, 1), &doc)]);
        store.commit(&[set(1), set(2)]).unwrap();
    };
    both(0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (1..200).for_each(both);
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let rows = snapshot(store);
            let doc = |row: &str| row.rsplit(' ').next().unwrap().to_owned();
            assert_eq!(doc(&rows[0]), doc(&rows[1]), "{rows:?}");
        }
    });
    assert!(snapshot(store)[0].ends_with(": 199"));
}
