"""Writes every exchange that goes through `requests` to a JSON-lines file.

The hook sits in `requests.Session.send`, below the clients under test, which stay unmodified.
`test_schema_answers.py` judges the recording afterwards. Long arrays are sampled at both ends.
"""

import json
import os
import pathlib
import urllib.parse

import requests

SAMPLE = 60


def install(name):
    """Starts recording into $BULKHEAD_RECORD_DIR/<name>.jsonl; does nothing when that variable is unset."""
    directory = os.environ.get("BULKHEAD_RECORD_DIR")
    if not directory:
        return
    path = pathlib.Path(directory) / f"{name}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    send = requests.Session.send

    def recording_send(session, request, **kwargs):
        response = send(session, request, **kwargs)
        if not kwargs.get("stream"):
            with path.open("a") as out:
                out.write(json.dumps(exchange(request, response)) + "\n")
        return response

    requests.Session.send = recording_send


def exchange(request, response):
    """The recorded form of one request and its answer."""
    url = urllib.parse.urlsplit(request.url)
    return {
        "test": os.environ.get("PYTEST_CURRENT_TEST", "").split(" ")[0],
        "method": request.method,
        "path": url.path,
        "query": url.query,
        "status": response.status_code,
        "content_type": response.headers.get("Content-Type"),
        "length": len(response.content),
        "request": sampled(parsed(request.body)),
        "body": sampled(parsed(response.content)),
    }


def parsed(raw):
    if not isinstance(raw, (str, bytes)) or not raw:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None


def sampled(value):
    if isinstance(value, list) and len(value) > 2 * SAMPLE:
        return value[:SAMPLE] + value[-SAMPLE:]
    return value
