"""Requests that are wrong below the level of a body's meaning: bytes, sizes, depth, encodings, paths, slow senders."""

import gzip
import json
import socket
import time

import pytest

from harness import wire
from harness.api import Api, ok, refused, unique

MIB = 1 << 20
GROWTH_LIMIT_KIB = 256 * 1024
JSON = {"Content-Type": "application/json"}
ABSENT = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def unharmed(server, api):
    """After every case the server lives, answers quickly, and its memory has not grown past the limit."""
    before = server.memory_kib()
    yield
    assert server.alive(), server.log_tail()
    start = time.monotonic()
    ok(api.get("/health"), 200)
    assert time.monotonic() - start < 10
    assert server.memory_kib() - before < GROWTH_LIMIT_KIB


def send(api, path, data, method="POST", **headers):
    return api.request(method, path, data=data, headers={**JSON, **headers})


def labels(api):
    return f"{api.org}/labels"


MALFORMED = {
    "cut": b'{"key": "role", "val', "empty": b"", "words": b"key=role", "single quotes": b"{'key': 'role', 'value': 'x'}",
    "trailing comma": b'{"key": "role", "value": "x",}', "two documents": b'{"key":"role","value":"x"}{"key":"role","value":"y"}',
    "invalid utf-8": b'{"key": "role", "value": "\xff\xfe"}', "overlong utf-8": b'{"key": "role", "value": "\xc0\xaf"}',
    "lone surrogate": b'{"key": "role", "value": "\\ud800"}', "raw control": b'{"key": "role", "value": "a\x01b"}', "utf-16": '{"key":"role"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"key": "role", "value": "x"', "NaN": b'{"key": "role", "value": NaN}', "huge number": b'{"key": "role", "value": 1e999999}',
    "duplicate key": b'{"key": "role", "value": "dup-a", "value": "dup-b"}', "nul bytes": b"\x00" * 64,
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_json(api, case):
    answer = send(api, labels(api), MALFORMED[case])
    assert answer.status_code in (400, 406), answer.text
    refused(answer, answer.status_code)
    assert api.read(labels(api), value="dup-") == []


def test_wrong_content_type(api):
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        answer = api.request("POST", labels(api), data=json.dumps({"key": "role", "value": unique("ct")}), headers={"Content-Type": kind})
        assert answer.status_code in (406, 415), answer.text
        refused(answer, answer.status_code)


@pytest.mark.parametrize("opening,closing", [("[", "]"), ('{"a":', "}")], ids=["arrays", "objects"])
@pytest.mark.parametrize("closed", [True, False])
def test_deep_json(api, opening, closing, closed):
    deep = opening * 10_000 + ("1" if closed else "") + (closing * 10_000 if closed else "")
    for body in (deep, '{"key": "role", "value": ' + deep + "}"):
        answer = send(api, labels(api), body)
        assert answer.status_code in (400, 406, 413), answer.text
        refused(answer, answer.status_code)


def test_10_mib_body(boot):
    head = wire.head(boot, "POST", "/api/v2/orgs/1/labels", f"Content-Length: {10 * MIB}")
    status, _ = wire.send_until_answered(boot, head, (b"x" * 65536 for _ in range(160)))
    assert status in (400, 406, 413), status


def test_10_mib_of_valid_json(boot, api):
    body = json.dumps({"key": "role", "value": "x" * (10 * MIB)}).encode()
    head = wire.head(boot, "POST", "/api/v2/orgs/1/labels", f"Content-Length: {len(body)}")
    status, _ = wire.send_until_answered(boot, head, (body[i:i + 65536] for i in range(0, len(body), 65536)))
    assert status in (406, 413), status
    assert api.read(labels(api), value="x" * 256) == []


def test_endless_chunked_body(boot):
    head = wire.head(boot, "POST", "/api/v2/orgs/1/labels", "Transfer-Encoding: chunked")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    status, sent = wire.send_until_answered(boot, head, (chunk for _ in range(4096)))
    assert status in (0, 400, 406, 413), status
    assert sent < 200 * MIB, "a body without an end must be cut off"


def test_declared_length_beyond_every_limit(boot):
    head = wire.head(boot, "POST", "/api/v2/orgs/1/labels", "Content-Length: 9000000000000")
    status, sent = wire.send_until_answered(boot, head, (b" " * 65536 for _ in range(4096)))
    assert status in (0, 400, 413), status
    assert sent < 200 * MIB


@pytest.mark.parametrize("mebibytes", [1, 512])
def test_gzip_bomb(server, boot, mebibytes):
    packed = gzip.compress(b'{"key":"role","value":"' + b"a" * (mebibytes * MIB) + b'"}')
    peak = server.memory_kib("VmHWM")
    head = wire.head(boot, "POST", "/api/v2/orgs/1/labels", "Content-Encoding: gzip", f"Content-Length: {len(packed)}")
    status, _ = wire.send_until_answered(boot, head, (packed[i:i + 65536] for i in range(0, len(packed), 65536)))
    assert status in (400, 406, 413, 415), status
    assert server.memory_kib("VmHWM") - peak < GROWTH_LIMIT_KIB


def hrefs(count, form):
    return [{"href": form.format(i)} for i in range(count)]


@pytest.mark.parametrize("method,path,body", [
    ("POST", "workloads", lambda: {"name": "w", "labels": hrefs(100_000, "/orgs/1/labels/{}")}),
    ("POST", "sec_policy/draft/label_groups", lambda: {"name": "g", "key": "env", "labels": hrefs(100_000, "/orgs/1/labels/{}")}),
    ("POST", "sec_policy/draft/rule_sets", lambda: {"name": "r", "scopes": [[{"label": h} for h in hrefs(100_000, "/orgs/1/labels/{}")]]}),
    ("POST", "sec_policy", lambda: {"change_subset": {"ip_lists": hrefs(100_000, "/orgs/1/sec_policy/draft/ip_lists/{}")}}),
    ("PUT", "workloads/bulk_delete", lambda: hrefs(100_000, "/orgs/1/workloads/00000000-0000-4000-8000-{:012d}")),
    ("PUT", "workloads/bulk_create", lambda: [{"name": f"w{i}"} for i in range(100_000)]),
    ("PUT", "security_principals/bulk_create", lambda: [{"sid": f"S-{i}", "name": f"s{i}"} for i in range(100_000)]),
    ("POST", "service_bindings", lambda: [{"virtual_service": {"href": "x"}, "workload": {"href": "y"}}] * 100_000),
    ("PUT", "optional_features", lambda: [{"name": "ui_analytics", "enabled": True}] * 100_000),
], ids=lambda v: v if isinstance(v, str) else "")
def test_lists_of_100000(api, method, path, body):
    start = time.monotonic()
    answer = api.request(method, f"{api.org}/{path}", json=body())
    assert answer.status_code in (406, 413), answer.text[:500]
    refused(answer, answer.status_code)
    assert time.monotonic() - start < 30


def test_ip_list_of_100000_ranges_is_taken_or_refused(api):
    ranges = [{"from_ip": f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}"} for i in range(100_000)]
    answer = api.post(f"{api.draft}/ip_lists", {"name": unique("IPL"), "ip_ranges": ranges})
    assert answer.status_code in (201, 406, 413), answer.text[:500]
    if answer.status_code == 201:
        assert len(api.read(answer.json()["href"])["ip_ranges"]) == 100_000
        api.remove(answer.json()["href"])


@pytest.mark.parametrize("path,statuses", [
    ("/orgs/1/no_such_collection", {404}), ("/orgs/1/labels/0", {404}), ("/orgs/1/labels/99999999", {404}), ("/orgs/1/labels/abc", {404}),
    ("/orgs/1/labels/99999999999999999999999999", {404}), ("/orgs/2/labels", {403, 404}), ("/orgs/2/labels/1", {403, 404}), ("/orgs/0/labels", {403, 404}),
    ("/orgs/-1/labels", {403, 404}), ("/orgs/abc/labels", {403, 404}), ("/orgs/99999999999999999999999/labels", {403, 404}),
    (f"/orgs/1/workloads/{ABSENT}", {404}), ("/orgs/1/workloads/not-a-uuid", {404}), ("/orgs/1/sec_policy/99999999", {404}),
    ("/orgs/1/sec_policy/sideways/ip_lists", {404, 406}), ("/orgs/1/sec_policy/99999999/ip_lists", {404}), (f"/orgs/1/jobs/{ABSENT}", {404}),
    (f"/orgs/1/datafiles/{ABSENT}", {404}), ("/users/99999999", {403, 404}), ("/orgs/1/labels/%00", {400, 404}), ("/orgs/1/labels/%ff", {400, 404}),
    ("/orgs/1/labels/..%2f..%2fhealth", {400, 404}), ("/" + "a" * 5000, {404, 414}),
], ids=lambda v: v[:40] if isinstance(v, str) else "")
def test_unknown_paths(api, path, statuses):
    answer = api.get(path)
    assert answer.status_code in statuses, answer.text
    refused(answer, answer.status_code)


def test_wrong_methods(api):
    for method, path in (("PATCH", labels(api)), ("DELETE", labels(api)), ("PUT", labels(api)), ("POST", f"{api.org}/labels/1"), ("DELETE", f"{api.draft}/firewall_settings")):
        answer = api.request(method, path, json={})
        assert answer.status_code in (404, 405), (method, path, answer.status_code)


@pytest.mark.parametrize("query", [
    {"max_results": "-1"}, {"max_results": "many"}, {"max_results": "9" * 40}, {"max_results": ""}, {"max_results": "1.5"},
])
def test_bad_result_limits(api, query):
    refused(api.get(labels(api), **query))


@pytest.mark.parametrize("collection,query", [
    ("workloads", {"managed": "perhaps"}), ("workloads", {"labels": "not json"}), ("workloads", {"labels": "[[7]]"}), ("workloads", {"labels": '["/orgs/1/labels/1"]'}),
    ("workloads", {"labels": "[" * 5000}), ("workloads", {"enforcement_mode": "blocking"}), ("sec_policy/draft/services", {"port": "http"}),
    ("sec_policy/draft/services", {"proto": "9" * 30}), ("events", {"timestamp[gte]": "2024-01-01"}), ("events", {"timestamp[gte]": "yesterday"}), ("events", {"severity": "loud"}),
    ("events", {"max_results": "10001"}),
])
def test_bad_filters(api, collection, query):
    refused(api.get(f"{api.org}/{collection}", **query))


@pytest.mark.parametrize("raw", ["value=%00", "value=%ff%fe", "value=%", "value=%zz", "value=" + "a" * 20000, "&&&", "=", "value", "value=a&value=b", "a[b][c]=1"])
def test_odd_query_strings(api, raw):
    answer = api.request("GET", f"{labels(api)}?{raw}")
    assert answer.status_code in (200, 400, 406, 414, 431), answer.status_code
    if answer.status_code in (400, 406):
        refused(answer, answer.status_code)


@pytest.mark.parametrize("authorization", [
    "", "Basic", "Basic !!!", "Basic Zm9v", "Basic " + "A" * 20000, "Bearer x", "Token token=", "Token token=" + "a" * 20000, "Digest a", "Basic Og==", "Basic /////w==",
], ids=lambda a: a[:20] or "empty")
def test_bad_authorization(boot, authorization):
    bare = Api(boot)
    bare.session.auth = None
    answer = bare.request("GET", labels(bare), headers={"Authorization": authorization})
    assert answer.status_code in (400, 401, 431), answer.status_code


def test_doubled_and_trailing_slashes(api):
    for path in (f"{api.org}//labels", f"{labels(api)}/", f"//orgs/{api.boot['org_id']}/labels"):
        ok(api.get(path), 200)


def test_request_smuggling_headers(boot):
    for headers in (("Content-Length: 5", "Content-Length: 6"), ("Content-Length: -1",), ("Content-Length: 2", "Transfer-Encoding: chunked"), ("Transfer-Encoding: sideways",)):
        with wire.connect(boot) as stream:
            stream.sendall(wire.head(boot, "POST", "/api/v2/orgs/1/labels", *headers) + b"{}GET /")
            assert wire.read_status(stream) in (0, 400, 406, 411, 413, 501)


def test_large_header_block(boot):
    with wire.connect(boot) as stream:
        try:
            stream.sendall(wire.head(boot, "GET", "/api/v2/noop", *(f"X-Filler-{i}: {'a' * 1000}" for i in range(2000))))
        except OSError:  # the server may close at once; over TLS that shows as an end of file
            return
        assert wire.read_status(stream) in (0, 400, 413, 431)


def test_plain_text_on_the_tls_port(boot):
    port = int(boot["https_url"].rsplit(":", 1)[1].strip("/"))
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        plain.sendall(b"GET /api/v2/noop HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(10)
        assert b"200 OK" not in plain.recv(4096)


def test_slow_clients_do_not_hold_up_others_and_are_cut_off(boot, api):
    """64 senders stop in the middle of head or body: others are served at once, and in bounded time they are dropped."""
    whole = wire.head(boot, "POST", "/api/v2/orgs/1/labels", "Content-Length: 1000")
    streams = []
    try:
        for i in range(64):
            stream = wire.connect(boot)
            stream.sendall(whole[:40] if i % 2 else whole + b'{"key"')
            streams.append(stream)
        for _ in range(20):
            start = time.monotonic()
            ok(api.get("/noop"), 200)
            assert time.monotonic() - start < 5
        deadline = time.monotonic() + 120
        for stream in streams:
            assert wire.answered(stream, max(0.0, deadline - time.monotonic())), "a silent sender is still connected after 120 s"
            assert wire.read_status(stream) in (0, 400, 406, 408)
    finally:
        for stream in streams:
            stream.close()
