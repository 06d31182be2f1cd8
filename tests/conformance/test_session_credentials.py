"""The Session Credentials page: authenticate, log in, use, log out; and what must not work."""

import requests

from harness.api import Api, ok, refused, unique


def authenticate(boot, password=None):
    fresh = Api(boot, auth=(boot["email"], password or boot["password"]))
    return fresh.request("POST", "/login_users/authenticate", params={"pce_fqdn": "localhost"}, headers={"Content-Type": "application/json"})


def login(boot, token):
    return requests.get(
        boot["https_url"].rstrip("/") + "/api/v2/users/login", headers={"Authorization": f"Token token={token}"},
        verify=boot["ca_file"], timeout=30,
    )


def session(boot):
    """A logged-in session: (login answer, Api that uses it)."""
    answer = ok(login(boot, ok(authenticate(boot), 201).json()["auth_token"]), 200).json()
    return answer, Api(boot, auth=(answer["auth_username"], answer["session_token"]))


def test_login_use_logout(boot):
    answer, user = session(boot)
    assert answer["auth_username"] == "user_" + answer["href"].rsplit("/", 1)[1]
    assert answer["inactivity_expiration_minutes"] == 10
    assert answer["type"] == "local"
    assert answer["orgs"][0]["org_id"] == boot["org_id"]
    assert answer["orgs"][0]["org_href"] == f"/orgs/{boot['org_id']}"
    assert answer["orgs"][0]["role_scopes"][0]["role"]["href"] == f"/orgs/{boot['org_id']}/roles/owner"
    assert isinstance(answer["product_version"]["version"], str)
    assert isinstance(user.read(f"{user.org}/labels"), list)
    assert user.read("/noop") == {}
    user.update(f"{answer['href']}/logout", {})
    refused(user.get(f"{user.org}/labels"), 401)


def test_authentication_token_works_once(boot):
    token = ok(authenticate(boot), 201).json()["auth_token"]
    ok(login(boot, token), 200)
    refused(login(boot, token), 401)


def test_forged_tokens(boot):
    refused(login(boot, "no-such-token"), 401)
    refused(login(boot, ""), 401)
    refused(authenticate(boot, password="wrong-password"), 401)


def test_login_with_an_api_key_lists_the_organisations(boot, api):
    assert api.read("/users/login")["orgs"][0]["org_id"] == boot["org_id"]


def test_session_may_create_and_delete_api_keys(boot):
    answer, user = session(boot)
    made = ok(user.post(f"{answer['href']}/api_keys", {"name": unique("key"), "description": "d"}), 201).json()
    with_key = Api(boot, auth=(made["auth_username"], made["secret"]))
    assert with_key.get("/noop").status_code == 200
    href = f"{answer['href']}/api_keys/{made['key_id']}"
    assert user.read(href)["auth_username"] == made["auth_username"]
    user.update(href, {"description": "changed"})
    user.remove(href)
    refused(with_key.get("/noop"), 401)


def test_header_names_are_case_insensitive(boot):
    answer = requests.get(
        boot["https_url"].rstrip("/") + "/api/v2/noop", headers={"aUTHORIZATION": "Basic Zm9vOmJhcg==", "ACCEPT": "application/json"},
        verify=boot["ca_file"], timeout=30,
    )
    refused(answer, 401)


def test_no_credentials(boot):
    bare = Api(boot)
    bare.session.auth = None
    refused(bare.get(f"{bare.org}/labels"), 401)
    assert bare.get("/node_available").status_code == 200
    refused(bare.get("/health"), 401)


def test_session_of_one_user_cannot_log_out_another(boot, api):
    answer, user = session(boot)
    other = int(answer["href"].rsplit("/", 1)[1]) + 1000
    assert user.put(f"/users/{other}/logout", {}).status_code in (403, 404)
    assert user.get("/noop").status_code == 200
