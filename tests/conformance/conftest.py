"""Fixtures of the client conformance suite: one real server for each pytest process."""

import os
import sys
import urllib.parse

import pytest

from harness import record
from harness.api import Api
from harness.server import Server

for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
    os.environ.pop(name, None)
os.environ["NO_PROXY"] = "127.0.0.1,localhost"

record.install(os.environ.get("BULKHEAD_PART", f"pytest-{os.getpid()}"))


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The server under test; at the end SIGTERM must make it exit with 0."""
    running = Server(tmp_path_factory.mktemp("pce")).start()
    yield running
    died = not running.alive()
    code = running.stop()
    if died or code != 0:
        sys.stderr.write(running.log_tail())
    assert not died, "the server died during the suite"
    assert code == 0, f"SIGTERM made the server exit with {code}"


@pytest.fixture(scope="session")
def boot(server):
    """What the server wrote to its bootstrap file."""
    return server.boot


@pytest.fixture(scope="session")
def api(boot):
    """Raw requests with the owner's API key."""
    return Api(boot)


@pytest.fixture
def new_pce(boot):
    """Makes a connected PolicyComputeEngine over https with verification by the server's own CA."""
    from illumio import PolicyComputeEngine

    def make(user=None, secret=None, org_id=None, url=None):
        address = urllib.parse.urlsplit(url or boot["https_url"])
        pce = PolicyComputeEngine(
            f"{address.scheme}://{address.hostname}", port=str(address.port),
            org_id=str(org_id or boot["org_id"]), retry_count=0,
        )
        pce.set_tls_settings(verify=boot["ca_file"])
        pce.set_credentials(user or boot["api_key"], secret or boot["api_secret"])
        return pce

    return make


@pytest.fixture
def pce(new_pce):
    return new_pce()
