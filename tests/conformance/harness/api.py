"""Raw JSON requests against the server, with the assertions that most cases share."""

import itertools
import os

import requests

TIMEOUT_S = 60
_numbers = itertools.count(1)


def unique(prefix):
    """A name that no other test of this run uses."""
    return f"{prefix}-{os.getpid()}-{next(_numbers)}"


class Api:
    """A session of one credential; paths are given as hrefs (`/orgs/1/labels`), `/api/v2` is put before them."""

    def __init__(self, boot, auth=None):
        self.boot = boot
        self.base = boot["https_url"].rstrip("/") + "/api/v2"
        self.org = f"/orgs/{boot['org_id']}"
        self.draft = f"{self.org}/sec_policy/draft"
        self.active = f"{self.org}/sec_policy/active"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = boot["ca_file"]
        self.session.auth = auth or (boot["api_key"], boot["api_secret"])
        self.session.headers["Accept"] = "application/json"

    def request(self, method, path, **kwargs):
        kwargs.setdefault("timeout", TIMEOUT_S)
        return self.session.request(method, self.base + path, **kwargs)

    def get(self, path, **params):
        return self.request("GET", path, params=params)

    def post(self, path, body):
        return self.request("POST", path, json=body)

    def put(self, path, body):
        return self.request("PUT", path, json=body)

    def delete(self, path):
        return self.request("DELETE", path)

    def read(self, path, **params):
        """GET that must answer 200; returns the decoded body."""
        return ok(self.get(path, **params), 200).json()

    def create(self, path, body):
        """POST that must answer 201 with an object that has an href; returns it."""
        created = ok(self.post(path, body), 201).json()
        assert created["href"].startswith("/orgs/") or created["href"].startswith("/users/"), created
        return created

    def update(self, href, body):
        ok(self.put(href, body), 204)

    def remove(self, href):
        ok(self.delete(href), 204)

    def provision(self, *hrefs, note="conformance"):
        """Provisions the given draft hrefs; returns the new policy version."""
        return self.create(f"{self.org}/sec_policy", {"update_description": note, "change_subset": subset(*hrefs)})

    def label(self, key="role", value=None):
        return self.create(f"{self.org}/labels", {"key": key, "value": value or unique(f"L-{key}")})

    def ip_list(self, name=None, **fields):
        body = {"name": name or unique("IPL"), "ip_ranges": [{"from_ip": "10.0.0.0/8"}], **fields}
        return self.create(f"{self.draft}/ip_lists", body)

    def service(self, name=None, port=443):
        body = {"name": name or unique("S"), "service_ports": [{"port": port, "proto": 6}]}
        return self.create(f"{self.draft}/services", body)

    def rule_set(self, name=None, scopes=((),), **fields):
        body = {"name": name or unique("RS"), "scopes": [list(s) for s in scopes], **fields}
        return self.create(f"{self.draft}/rule_sets", body)

    def rule(self, rule_set, **changes):
        return self.create(f"{rule_set['href']}/sec_rules", rule_body(**changes))


def rule_body(**changes):
    """An acceptable sec_rule body (all workloads to all workloads, tcp 443), with members replaced or added."""
    body = {
        "enabled": True,
        "providers": [{"actors": "ams"}],
        "consumers": [{"actors": "ams"}],
        "ingress_services": [{"proto": 6, "port": 443}],
        "resolve_labels_as": {"providers": ["workloads"], "consumers": ["workloads"]},
    }
    body.update(changes)
    return {k: v for k, v in body.items() if v is not None}


def ref(thing):
    return {"href": thing if isinstance(thing, str) else thing["href"]}


def subset(*hrefs):
    """The change_subset of draft hrefs, sorted by the collection each of them names."""
    groups = {}
    for href in hrefs:
        groups.setdefault(href.split("/draft/")[1].split("/")[0], []).append({"href": href})
    return groups


def ok(response, status):
    """Asserts the status and shows the body when it differs; also the exact content type that clients compare with."""
    assert response.status_code == status, f"{response.request.method} {response.url}: {response.status_code} {response.text[:2000]}"
    if response.content:
        assert response.headers["Content-Type"] == "application/json", response.headers
    return response


def refused(response, status=406, token=None, saying=None):
    """Asserts a refusal: status, exact content type, an array of token and message; returns the tokens."""
    ok(response, status)
    errors = response.json()
    assert isinstance(errors, list) and errors, errors
    for error in errors:
        assert isinstance(error["token"], str) and error["token"], errors
        assert isinstance(error["message"], str) and error["message"], errors
    tokens = [error["token"] for error in errors]
    if token is not None:
        assert token in tokens, errors
    if saying is not None:
        assert any(saying in error["message"] for error in errors), errors
    return tokens


def operations(api):
    """(method, path template) pairs that the running server says it has built."""
    paths = ok(api.get("/openapi.json"), 200).json()["paths"]
    found = set()
    for path, methods in paths.items():
        path = path.removeprefix("/api/v2")
        found.update((method.upper(), path) for method in methods if method in ("get", "post", "put", "delete"))
    return found
