"""The library's Quickstart, step by step, with names made unique where the guide's would collide."""

import illumio
import pytest
from illumio import FQDN, IllumioApiException, IPList, IPRange, Label, LabelGroup, Service, Workload

from harness.api import unique


def test_check_connection(pce):
    assert pce.check_connection() is True
    assert pce.must_connect() is None


def test_url_may_carry_its_scheme(new_pce, boot):
    assert new_pce(url=boot["http_url"]).check_connection() is True


def test_ca_verification_is_on(new_pce):
    pce = new_pce()
    pce.set_tls_settings(verify=True)
    with pytest.raises(IllumioApiException, match="CERTIFICATE_VERIFY_FAILED"):
        pce.must_connect()


def test_wrong_credentials_do_not_connect(new_pce, boot):
    assert new_pce(secret="0" * 64).check_connection() is False
    assert new_pce(user="api_0000000000000000").check_connection() is False
    with pytest.raises(IllumioApiException, match="401"):
        new_pce(secret="wrong").must_connect()


def test_wrong_organisation_does_not_connect(new_pce):
    assert new_pce(org_id=999).check_connection() is False


def test_ip_list_create_update_read_delete(pce):
    listed = pce.ip_lists.get(params={"max_results": 5})
    assert 1 <= len(listed) <= 5
    assert listed[0].href.startswith("/orgs/1/sec_policy/draft/ip_lists/")
    created = pce.ip_lists.create(
        IPList(
            name=unique("IPL-Private"),
            ip_ranges=[
                IPRange(from_ip="127.0.0.1"),
                IPRange(from_ip="172.16.0.0", to_ip="172.31.255.255"),
                IPRange(from_ip="192.168.0.0/16"),
            ],
        )
    )
    assert created.href.startswith("/orgs/1/sec_policy/draft/ip_lists/")
    assert [(r.from_ip, r.to_ip) for r in created.ip_ranges] == [
        ("127.0.0.1", None), ("172.16.0.0", "172.31.255.255"), ("192.168.0.0/16", None),
    ]
    pce.ip_lists.update(created, {"fqdns": [FQDN(fqdn="localhost")]})
    read = pce.ip_lists.get_by_reference(created.href)
    assert [f.fqdn for f in read.fqdns] == ["localhost"]
    assert len(read.ip_ranges) == 3, "a partial update must keep what it does not name"
    pce.ip_lists.delete(created)
    with pytest.raises(IllumioApiException, match="404"):
        pce.ip_lists.get_by_reference(created.href)


def test_reference_as_string_dictionary_and_object(pce):
    href = pce.labels.create(Label(key="role", value=unique("R-Ref"))).href
    for reference in (href, {"href": href}, illumio.Reference(href=href)):
        assert pce.labels.get_by_reference(reference).href == href


def test_api_key_made_with_email_and_password(new_pce, boot):
    pce = new_pce(user=boot["email"], secret=boot["password"])
    me = next(user for user in pce.users.get() if user.username == boot["email"])
    answer = pce.post(f"{me.href}/api_keys", json={"name": "ILLUMIO_PY"}, include_org=False)
    assert answer.status_code == 201
    key = answer.json()
    assert key["auth_username"] == "api_" + key["key_id"]
    assert key["secret"]
    pce.set_credentials(key["auth_username"], key["secret"])
    assert pce.check_connection() is True
    listed = pce.get(f"{me.href}/api_keys", include_org=False).json()
    mine = next(item for item in listed if item["key_id"] == key["key_id"])
    assert mine["name"] == "ILLUMIO_PY"
    assert "secret" not in mine, "a secret is shown once, when the key is made"


def test_low_level_answer_decodes_to_an_object(pce):
    answer = pce.get("/sec_policy/active/services/1")
    service = Service.from_json(answer.json())
    assert (service.href, service.name) == ("/orgs/1/sec_policy/active/services/1", "All Services")


def test_low_level_post_put_delete_and_collection(pce):
    value = unique("R-Low")
    made = pce.post("/labels", json={"key": "role", "value": value})
    assert made.status_code == 201
    href = made.json()["href"]
    assert pce.put(href, json={"value": value + "-b"}).status_code == 204
    found = pce.get_collection("/labels", params={"value": value}).json()
    assert [label["value"] for label in found] == [value + "-b"]
    assert pce.delete(href).status_code == 204


def test_unmanaged_workload_with_four_labels(pce):
    labels = [
        pce.labels.create(Label(key=key, value=unique(value)))
        for key, value in (("role", "R-NTP"), ("app", "A-CoreServices"), ("env", "E-Prod"), ("loc", "L-AWS"))
    ]
    ntp = pce.workloads.create(
        Workload(name="Internal NTP", hostname="ntp0.lab.company.com", public_ip="10.8.0.17", labels=labels)
    )
    assert ntp.href.startswith("/orgs/1/workloads/")
    assert (ntp.name, ntp.hostname, ntp.public_ip) == ("Internal NTP", "ntp0.lab.company.com", "10.8.0.17")
    assert sorted(label.href for label in ntp.labels) == sorted(label.href for label in labels)


def test_label_group_is_provisioned(pce):
    values = [unique(v) for v in ("Test", "Staging", "Development")]
    for value in values:
        pce.labels.create(Label(key="env", value=value))
    env_labels = pce.labels.get(params={"key": "env", "max_results": 500})
    chosen = [label for label in env_labels if label.value in values]
    assert len(chosen) == 3
    group = pce.label_groups.create(LabelGroup(name=unique("LG-E-PreProd"), key="env", labels=chosen))
    assert group.href.startswith("/orgs/1/sec_policy/draft/label_groups/")
    message = "Create pre-production environments label group"
    version = pce.provision_policy_changes(change_description=message, hrefs=[group.href])
    assert version.commit_message == message
    assert version.href == f"/orgs/1/sec_policy/{version.version}"
    active = pce.label_groups.get(policy_version="active", params={"name": group.name})
    assert [g.href for g in active] == [group.href.replace("/draft/", "/active/")]


def test_unprovisioned_object_has_no_active_side_and_vanishes_on_delete(pce):
    group = pce.label_groups.create(LabelGroup(name=unique("LG-Draft"), key="env", labels=[]))
    with pytest.raises(IllumioApiException, match="404"):
        pce.label_groups.get_by_reference(group.href.replace("/draft/", "/active/"))
    pce.label_groups.delete(group)
    with pytest.raises(IllumioApiException, match="404"):
        pce.label_groups.get_by_reference(group.href)
