"""Finds the vendor's published schema of an answer and validates against it (draft-04, relative references)."""

import json
import os
import pathlib
import re

from jsonschema import Draft4Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT4

VERSION = "26.3.0"
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
# POST answers that are not the object's GET form.
OWN_FORM = {"/users/{}/api_keys", "/orgs/{}/pairing_profiles/{}/pairing_key", "/orgs/{}/service_accounts/{}/api_keys", "/orgs/{}/service_bindings"}

formats = FormatChecker(formats=())
formats.checks("date-time")(lambda value: not isinstance(value, str) or bool(DATE_TIME.fullmatch(value)))


def directory():
    """Where the published schemas lie, or None: $BULKHEAD_SHARED/schemas, else ../shared beside the repository."""
    shared = os.environ.get("BULKHEAD_SHARED") or pathlib.Path(__file__).resolve().parents[4] / "shared"
    path = pathlib.Path(shared) / "schemas" / VERSION
    return path if (path / "v2" / "illumio.api.json").exists() else None


class Catalogue:
    """The operations of the published interface with the schema names of their bodies and answers."""

    def __init__(self, root):
        self.root = root
        self.operations = {}
        classes = json.loads((root / "v2" / "illumio.api.json").read_text())["classes"]
        for methods in classes.values():
            for operation in methods["methods"].values():
                key = (operation["http_method"], re.sub(r":[a-z_]+", "{}", operation["path"]))
                self.operations[key] = operation.get("schema")
        self.patterns = [
            (method, path, re.compile(path.replace("{}", "[^/]+") + "$")) for method, path in sorted(self.operations, key=lambda k: k[1].count("{}"))
        ]
        self.registry = Registry(retrieve=self._retrieve)

    def _retrieve(self, uri):
        return DRAFT4.create_resource(json.loads(pathlib.Path(uri.removeprefix("file://")).read_text()))

    def template(self, method, path):
        """The published path of a requested one, parameters as {}; the most literal match wins."""
        return next((p for m, p, pattern in self.patterns if m == method and pattern.match(path)), None)

    def answer_schema(self, method, template):
        """The schema name of a successful answer, or None where the interface publishes none."""
        schema = self.operations.get((method, template))
        if method == "GET":
            return schema
        if method != "POST" or template in OWN_FORM:
            return None
        response = f"{schema}_response"
        if schema and (self.root / "v2" / f"{response}.schema.json").exists():
            return response
        return self.operations.get(("GET", template))

    def load(self, name):
        return json.loads((self.root / "v2" / f"{name}.schema.json").read_text())

    def errors(self, name, body):
        """(json path with [] for indices, rule, message) of each violation; arrays are judged by element where the schema is of one object."""
        is_list = self.load(name).get("type") == "array"
        bodies = body if isinstance(body, list) and not is_list else [body] if isinstance(body, list) == is_list else [[body]]
        uri = f"file://{self.root}/v2/{name}.schema.json"
        validator = Draft4Validator({"$ref": uri}, registry=self.registry, format_checker=formats)
        for one in bodies:
            for error in validator.iter_errors(one):
                yield place(error), error.validator, error.message[:300]


def place(error):
    return "".join("[]" if isinstance(step, int) else f".{step}" for step in error.absolute_path) or "."


def members(catalogue, name, document, schema):
    """Names of members that the published request schema has and ours (an OpenAPI schema) lacks."""
    published = set(flat(catalogue.load(name)).get("properties", {}))
    return published - set(properties(document, schema))


def flat(schema):
    while schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        schema = schema["items"]
    return schema


def properties(document, schema):
    """All member names of an OpenAPI schema, through references, arrays and alternatives."""
    if "$ref" in schema:
        target = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return properties(document, target)
    found = dict(schema.get("properties", {}))
    for keyword in ("oneOf", "anyOf", "allOf"):
        for part in schema.get(keyword, []):
            found.update(properties(document, part))
    for keyword in ("then", "else"):
        if keyword in schema:
            found.update(properties(document, schema[keyword]))
    if "items" in schema and not found:
        found.update(properties(document, schema["items"]))
    return found
