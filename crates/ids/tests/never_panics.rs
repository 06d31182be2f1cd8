//! The href parser takes anything, and prints back what it took.

use bulkhead_ids::AnyHref;
use bulkhead_testkit::fuzz::feed;

const SAMPLES: &[&[u8]] = &[
    b"/orgs/1/labels/7",
    b"/orgs/1/workloads/2f1a1f4e-7f1e-4d8e-9d5e-0a3b9a2c1d00/interfaces/eth0",
    b"/orgs/12/sec_policy/draft/rule_sets/3/sec_rules/18446744073709551615",
    b"/orgs/1/sec_policy/7/ip_lists/3",
    b"/orgs/1/sec_policy/active/label_groups/2f1a1f4e-7f1e-4d8e-9d5e-0a3b9a2c1d00",
    b"/orgs/1/settings/syslog/destinations/2f1a1f4e-7f1e-4d8e-9d5e-0a3b9a2c1d00",
    b"/orgs/1/security_principals/S-1-5-21-1180699209",
    b"/users/4/api_keys/15ceed1f",
    b"/orgs/1/sec_policy/draft/firewall_settings",
];

#[test]
fn hrefs() {
    feed("hrefs", SAMPLES, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(href) = text.parse::<AnyHref>() {
            assert_eq!(href.to_string(), text, "printed otherwise than read");
        }
    });
}
