#!/usr/bin/env python3
"""Compares the resource descriptors with the vendor's JSON schemas, where those are at hand.

Reads `schemas/25.2.20` and `schemas/26.3.0` below $BULKHEAD_SHARED, or below `../shared` beside the
repository; without them only the descriptors themselves are checked, and the rest is reported as
skipped. Needs Python 3.11 and the package `jsonschema` (4.18 or later).

Differences that are meant stand in `descriptor_differences.json`: pattern of the printed line
(`*` matches anything) and the reason. Any other difference makes the exit status 1, and so does a
pattern that no longer matches anything.
"""

import fnmatch
import json
import os
import re
import sys
from pathlib import Path

from jsonschema import Draft4Validator, Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
RESOURCES = ROOT / "crates/api/resources"
SHARED = Path(os.environ.get("BULKHEAD_SHARED", ROOT.parent / "shared"))
RELEASES = ["25.2.20", "26.3.0"]
ANSWERS = "26.3.0"
SAMPLES_MAX = 400

# Schema files of a kind: answer, POST body, PUT bodies. "items" after # means the array's element.
VENDOR = {
    "label": ("v2/labels_get", "v2/labels_post", ["v2/labels_put"]),
    "label_group": ("v2/sec_policy_label_groups_get", "v2/sec_policy_label_groups_post", ["v2/sec_policy_label_groups_put"]),
    "ip_list": ("v2/sec_policy_ip_lists_get", "v2/sec_policy_ip_lists_post", ["v2/sec_policy_ip_lists_put"]),
    "service": ("v2/sec_policy_services_get", "v2/sec_policy_services_post", ["v2/sec_policy_services_put"]),
    "rule_set": ("v2/sec_policy_rule_sets_get", "v2/sec_policy_rule_sets_post", ["v2/sec_policy_rule_sets_put"]),
    "sec_rule": ("v2/sec_policy_rule_sets_sec_rules_get", "v2/sec_policy_rule_sets_sec_rules_post",
                 ["v2/sec_policy_rule_sets_sec_rules_put"]),
    "deny_rule": ("common/deny_rules_get", None, []),
    "ip_tables_rule": ("common/ip_tables_rules_get", "common/ip_tables_rules_post", []),
    "enforcement_boundary": ("v2/sec_policy_enforcement_boundaries_get", "v2/sec_policy_enforcement_boundaries_post",
                             ["v2/sec_policy_enforcement_boundaries_put"]),
    "virtual_service": ("v2/sec_policy_virtual_services_get", "v2/sec_policy_virtual_services_post",
                        ["v2/sec_policy_virtual_services_put"]),
    "virtual_server": ("v2/sec_policy_virtual_servers_get", "v2/sec_policy_virtual_servers_post",
                       ["v2/sec_policy_virtual_servers_put"]),
    "service_binding": ("v2/service_bindings_get#items", "v2/service_bindings_post#items", []),
    "security_principal": ("v2/security_principals_get", "v2/security_principals_post", ["v2/security_principals_put"]),
    "firewall_settings": ("v2/sec_policy_firewall_settings_get", None, ["v2/sec_policy_firewall_settings_put"]),
    "sec_policy": ("v2/sec_policy_get", None, []),
    "workload": ("v2/workloads_get", "v2/workloads_post", ["v2/workloads_without_ven_put", "v2/workloads_with_ven_put"]),
    "workload_interface": ("v2/workloads_interfaces_get", "v2/workloads_interfaces_post", []),
    "ven": ("v2/vens_get", None, ["v2/vens_put"]),
    "pairing_profile": ("v2/pairing_profiles_get", "v2/pairing_profiles_post", ["v2/pairing_profiles_put"]),
    "container_cluster": ("v2/container_clusters_get", "v2/container_clusters_post", ["v2/container_clusters_put"]),
    "container_workload_profile": ("v2/container_clusters_container_workload_profiles_get",
                                   "v2/container_clusters_container_workload_profiles_post",
                                   ["v2/container_clusters_container_workload_profiles_put"]),
    "user": ("v2/users_get", "v2/users_post", ["v2/users_put"]),
    "api_key": ("v2/users_api_keys_get", "v2/users_api_keys_post", ["v2/users_api_keys_put"]),
    "service_account": ("v2/service_accounts_get", "v2/service_accounts_post", ["v2/service_accounts_put"]),
    "service_account_key": (None, "v2/service_accounts_api_keys_post", []),
    "auth_security_principal": ("v2/orgs_auth_security_principals_get", "v2/orgs_auth_security_principals_post",
                                ["v2/orgs_auth_security_principals_put"]),
    "permission": ("v2/orgs_permissions_get", "v2/orgs_permissions_post", ["v2/orgs_permissions_put"]),
    "role": ("v2/orgs_roles_get", None, []),
    "access_restriction": ("v2/orgs_access_restrictions_get", "v2/orgs_access_restrictions_post",
                           ["v2/orgs_access_restrictions_put"]),
    "password_policy": ("v2/authentication_settings_password_policy_get", None,
                        ["v2/authentication_settings_password_policy_put"]),
    "settings": ("v2/settings_get", None, ["v2/settings_put"]),
    "event_settings": ("v2/settings_events_get", None, ["v2/settings_events_put"]),
    "workload_settings": ("v2/settings_workloads_get", None, ["v2/settings_workloads_put"]),
    "syslog_destination": ("v2/settings_syslog_destinations_get", "v2/settings_syslog_destinations_post",
                           ["v2/settings_syslog_destinations_put"]),
    "traffic_collector_setting": ("v2/settings_traffic_collector_get", "v2/settings_traffic_collector_post",
                                  ["v2/settings_traffic_collector_put"]),
    "trusted_proxy_ips": ("v2/settings_trusted_proxy_ips_get", None, ["v2/settings_trusted_proxy_ips_put"]),
    "event": ("v2/events_get", None, []),
    "job": ("v2/jobs_get", None, []),
}
EXTERNAL = ["external_data_set", "external_data_reference"]
# Properties that are refused on purpose (see descriptor_differences.json), left out of samples.
NOT_TAKEN = set()
# Properties that exclude each other, though the vendor's PUT schemas do not say so.
EXCLUSIVE = [("service", "service_ports")]
UUID = "6f0c8a5e-2b1d-4c3e-9f4a-1b2c3d4e5f60"


# ---- reading


def load_descriptors():
    out = {}
    for path in sorted(RESOURCES.glob("*.json")):
        d = json.loads(path.read_text())
        if d.get("kind") != path.stem:
            report(f"{path.name}: kind is {d.get('kind')}")
        out[path.stem] = {"fields": {}, "operations": {}, **d}
    return out


def load_defs():
    out = {}
    for path in sorted((RESOURCES / "defs").glob("*.json")):
        for name, schema in json.loads(path.read_text()).items():
            if name in out:
                report(f"defs/{path.name}: {name} is defined twice")
            out[name] = schema
    return out


def load_kinds():
    """Name -> place of every kind in the table of `crates/ids`."""
    source = (ROOT / "crates/ids/src/kind.rs").read_text()
    return dict(re.findall(r'^    [A-Z]\w+ "(\w+)" "[^"]+" \w+\s+Place::(\w+)', source, re.M))


def vendor_schema(release, name):
    """A schema file with all its references put in place, or None where the release lacks it."""
    name, _, part = name.partition("#")
    path = SHARED / "schemas" / release / f"{name}.schema.json"
    if not path.exists():
        return None
    schema = inline(json.loads(path.read_text()), path, ())
    return schema[part] if part else schema


def inline(node, path, seen):
    if isinstance(node, list):
        return [inline(x, path, seen) for x in node]
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if isinstance(ref, str) and not ref.startswith("#"):
        target = (path.parent / ref.split("#")[0]).resolve()
        if target in seen or not target.exists():
            return {}
        return inline(json.loads(target.read_text()), target, (*seen, target))
    out = {k: inline(v, path, seen) for k, v in node.items() if k not in ("$schema", "id", "expose_to")}
    return flatten(out, {})


# ---- reporting

LINES, USED = [], set()


def report(line):
    if line not in LINES:
        LINES.append(line)


def told(error):
    """Where and what, short enough for one line and without sample values."""
    where = ".".join("[]" if isinstance(p, int) else p for p in error.absolute_path)
    message = error.message
    if error.validator in ("type", "enum", "const", "pattern"):
        message = f"{json.dumps(error.instance)[:24]} breaks {error.validator} {json.dumps(error.validator_value)}"
    elif len(message) > 140:
        message = f"breaks {error.validator}"
    return f"{where}: {message}"


def finish():
    allowed_path = Path(__file__).with_name("descriptor_differences.json")
    allowed = json.loads(allowed_path.read_text())
    open_lines = []
    for line in LINES:
        hits = [p for p in allowed if fnmatch.fnmatchcase(line, p.replace("[", "[[]"))]
        USED.update(hits)
        if not hits:
            open_lines.append(line)
    for line in open_lines:
        print("difference:", line)
    stale = [p for p in allowed if p not in USED] if (SHARED / "schemas").exists() else []
    for pattern in stale:
        print("stale entry in descriptor_differences.json:", pattern)
    print(f"{len(LINES)} differences, {len(LINES) - len(open_lines)} of them explained, {len(stale)} stale entries")
    return 1 if open_lines or stale else 0


# ---- our schemas


def body_schema(d, defs, create):
    props = {n: f["schema"] for n, f in d["fields"].items() if ("C" if create else "U") in f["ops"]}
    if d.get("external_data"):
        for name in EXTERNAL:
            props.setdefault(name, {"type": ["string", "null"]})
    schema = {"type": "object", "additionalProperties": False, "properties": props, "$defs": defs}
    required = [n for n, f in d["fields"].items() if create and "C*" in f["ops"]]
    if required:
        schema["required"] = required
    return {**schema, **d.get("create_rules" if create else "update_rules", {})}


def walk(node):
    if isinstance(node, dict):
        yield node
        for v in node.values():
            yield from walk(v)
    elif isinstance(node, list):
        for v in node:
            yield from walk(v)


def check_own(descriptors, defs, kinds):
    """References resolve, formats name kinds, schemas are schemas, defaults obey them."""
    for name, schema in defs.items():
        check_refs(f"defs {name}", schema, defs, kinds)
    for kind, d in descriptors.items():
        if kind not in kinds:
            report(f"{kind}: not in the table of kinds")
        check_refs(kind, d, defs, kinds)
        for name, f in d["fields"].items():
            if not re.fullmatch(r"G?(C\*?)?U?", f["ops"]) or not f["ops"]:
                report(f"{kind}.{name}: ops {f['ops']}")
            for key in ("schema", "get_schema"):
                if key in f:
                    Draft202012Validator.check_schema(f[key])
            if "default" in f:
                schema = {**f["schema"], "$defs": defs} if "$ref" not in f["schema"] else {"allOf": [f["schema"]], "$defs": defs}
                for e in Draft202012Validator(schema).iter_errors(f["default"]):
                    report(f"{kind}.{name}: default: {e.message}")
        for key in d.get("expand", {}):
            if key not in kinds:
                report(f"{kind}: expand of unknown kind {key}")


def check_refs(where, node, defs, kinds):
    for n in walk(node):
        ref = n.get("$ref")
        if isinstance(ref, str) and ref.removeprefix("#/$defs/") not in defs:
            report(f"{where}: {ref} does not resolve")
        fmt = n.get("format")
        if isinstance(fmt, str) and fmt.startswith("href-"):
            for k in fmt.removeprefix("href-").split("-or-"):
                if k not in kinds:
                    report(f"{where}: format of unknown kind {k}")


# ---- samples

TEXTS = [
    (r"href$", f"/orgs/1/discovered_virtual_servers/{UUID}"),
    (r"(from_ip|ip|address|default_gateway_address|public_ip|ip_overrides|dst_ip|src_ip|vip|.*_ips|ips|proxy)$", "10.1.2.3"),
    (r"to_ip$", "10.1.2.9"),
    (r"(fqdn|pce_fqdn|pce_scope|hostname)$", "host.example.com"),
    (r"(color)$", "#00ff00"),
    (r"initial$", "A"),
    (r"(email|username)$", "user@example.com"),
    (r"actors$", "ams"),
]


def text(schema, name):
    fmt = schema.get("format", "")
    if fmt == "date-time":
        return "2025-01-02T03:04:05.000Z"
    if fmt == "date":
        return "2025-01-02"
    if fmt in ("ip-address", "ip-or-cidr", "ipv4"):
        return "10.1.2.3"
    if fmt == "ipv6":
        return "fd00::1"
    for pattern, value in TEXTS:
        if re.search(pattern, name):
            return value
    return "x" * max(1, schema.get("minLength", 1))


def resolve(schema, defs):
    while isinstance(schema, dict) and "$ref" in schema:
        schema = defs[schema["$ref"].removeprefix("#/$defs/")]
    return schema


def samples(schema, full, name="", defs=None, deep=0):
    """Values that the schema allows: with `full` all properties, else the required ones only."""
    if schema is True or schema is None:
        return ["x"]
    schema = resolve(schema, defs)
    if not isinstance(schema, dict) or deep > 12:
        return []
    if "const" in schema:
        return [schema["const"]]
    schema = flatten(schema, defs)
    for key in ("oneOf", "anyOf"):
        if key in schema:
            base = {k: v for k, v in schema.items() if k != key}
            out = []
            for alt in schema[key]:
                merged = merge(base, resolve(alt, defs))
                if key == "oneOf" and "properties" in base:
                    others = {r for a in schema[key] if a is not alt for r in a.get("required", [])}
                    merged["properties"] = {k: v for k, v in merged["properties"].items() if k not in others - set(alt.get("required", []))}
                out += samples(merged, full, name, defs, deep + 1)
            return out[:SAMPLES_MAX]
    if "enum" in schema:
        return list(schema["enum"]) if full else schema["enum"][:1]
    guess = "object" if "properties" in schema else "integer" if "minimum" in schema else "string"
    types = schema.get("type", guess)
    out = []
    for t in types if isinstance(types, list) else [types]:
        out += of_type(t, schema, full, name, defs, deep)
    return out[:SAMPLES_MAX]


def flatten(schema, defs):
    """The schema with the parts of its allOf merged into it."""
    parts = schema.get("allOf")
    if not isinstance(parts, list):
        return schema
    out = {k: v for k, v in schema.items() if k != "allOf"}
    for part in parts:
        out = merge(out, flatten(resolve(part, defs), defs))
    return out


def of_type(t, schema, full, name, defs, deep):
    if t == "null":
        return [None]
    if t == "boolean":
        return [True, False] if full else [True]
    if t in ("integer", "number"):
        low = schema.get("minimum", 0)
        return sorted({low, min(max(low, 1), schema.get("maximum", 1)), schema.get("maximum", low)}) if full else [max(low, 1)]
    if t == "string":
        return [text(schema, name)]
    if t == "array":
        return arrays(schema, full, name, defs, deep)
    return objects(schema, full, defs, deep)


def arrays(schema, full, name, defs, deep):
    item = schema.get("items", {"type": "string"})
    count = schema.get("minItems", 0)
    if not full:
        return [samples(item, False, name, defs, deep + 1)[:1] * count]
    each = [[v] for v in samples(item, True, name, defs, deep + 1)]
    return ([] if count else [[]]) + [v * max(count, 1) for v in each]


def objects(schema, full, defs, deep):
    props = {n: s for n, s in schema.get("properties", {}).items() if n not in NOT_TAKEN}
    required = [r for r in schema.get("required", []) if r in props]
    if not props and full:
        return [{"href": text({}, "href")}]
    for one, other in EXCLUSIVE:
        if {one, other} <= set(props):
            halves = [{n: s for n, s in props.items() if n != x or x in required} for x in (one, other)]
            if halves[0] != props != halves[1]:
                return [v for h in halves for v in objects({**schema, "properties": h}, full, defs, deep)]
    if {"label", "label_group"} <= set(props) and "href" not in props and not required:
        out = []
        for n, s in props.items():  # an actor or scope entry: one selector each
            if n != "exclusion":
                out += [{n: v} for v in samples(s, full, n, defs, deep + 1)]
        return out
    if not full:
        return [{n: v[0] for n in required if (v := samples(props[n], False, n, defs, deep + 1))}]
    each = {n: v for n, s in props.items() if (v := samples(s, True, n, defs, deep + 1))}
    base = {n: next((x for x in v if x not in (None, [])), v[0]) for n, v in each.items()}
    out = [base]
    for n, values in each.items():
        out += [{**base, n: v} for v in values if v != base[n]]
    return out


def merge(a, b):
    out = dict(a)
    for k, v in b.items():
        if k == "properties":
            out[k] = {**a.get(k, {}), **{n: s for n, s in v.items() if s is not False}}
        elif k == "required":
            out[k] = [*a.get(k, []), *v]
        else:
            out[k] = v
    return out


# ---- comparison


def check_bodies(kind, d, defs, release):
    _, post, puts = VENDOR[kind]
    for verb, names in (("POST", [post] if post else []), ("PUT", puts)):
        schemas = [t for n in names if (t := vendor_schema(release, n))]
        create = verb == "POST"
        if not schemas or ("create" if create else "update") not in d["operations"]:
            continue
        ours = body_schema(d, defs, create)
        compare_names(f"{kind} {verb} {release}", ours, schemas)
        validator = Draft202012Validator(ours)
        for theirs in schemas:
            vendor = Draft4Validator(theirs)
            bodies = [b for full in (False, True) for b in samples(theirs, full) if vendor.is_valid(b)]
            if not bodies:
                report(f"{kind} {verb} {release}: no sample of the vendor's schema")
            for error in (e for b in bodies for e in validator.iter_errors(b)):
                report(f"{kind} {verb} {release}: refused: {told(error)}")


def compare_names(where, ours, schemas):
    mine, vendor = set(ours["properties"]), {n for t in schemas for n in t.get("properties", {})}
    for name in sorted(vendor - mine):
        report(f"{where}: {name} not accepted")
    for name in sorted(mine - vendor):
        report(f"{where}: {name} only ours")
    mine, vendor = set(ours.get("required", [])), {n for t in schemas for n in t.get("required", [])}
    for name in sorted(mine ^ vendor):
        report(f"{where}: {name} required only {'here' if name in mine else 'there'}")


def refuses(kind, d, defs, create):
    """An unknown property, a read-only one and a body without a required one are refused."""
    if ("create" if create else "update") not in d["operations"]:
        return
    schema = body_schema(d, defs, create)
    validator = Draft202012Validator(schema)
    verb = "POST" if create else "PUT"
    plain = {k: v for k, v in schema.items() if k != "allOf"}
    bodies = (b for full in (False, True) for s in (plain, schema) for b in samples(s, full, "", defs))
    good = next((b for b in bodies if validator.is_valid(b)), None)
    if good is None:
        report(f"{kind} {verb}: no sample obeys our own schema")
        return
    for name in ("no_such_property", "href", "created_at", "caps"):
        if name not in schema["properties"] and validator.is_valid({**good, name: "x"}):
            report(f"{kind} {verb}: {name} accepted")
    for name in schema.get("required", []):
        if validator.is_valid({k: v for k, v in good.items() if k != name}):
            report(f"{kind} {verb}: body without {name} accepted")


def answer_schema(d, kinds, defs):
    """Our answers as one object schema, with what the flags add."""
    props, always = {"href": {"type": "string"}}, ["href"]
    actor = {"type": "object", "required": ["href"], "properties": {"href": {"type": "string"}}}
    nullable = {"anyOf": [actor, {"type": "null"}]}
    time, text_or_null = {"type": "string", "format": "date-time"}, {"type": ["string", "null"]}
    versioned = kinds.get(d["kind"]) == "Policy" or d["kind"] in ("sec_rule", "deny_rule", "ip_tables_rule")
    if d.get("audit"):
        props |= {"created_at": time, "updated_at": time, "created_by": actor, "updated_by": actor}
        if versioned or d.get("soft_delete"):
            props |= {"deleted_at": {"type": ["string", "null"], "format": "date-time"}, "deleted_by": nullable}
        if versioned:
            props["update_type"] = {"enum": ["create", "update", "delete", None]}
        always += list(props)[1:]
    if d.get("external_data"):
        props |= {n: text_or_null for n in EXTERNAL}
    if d.get("caps"):
        props["caps"] = {"type": "array", "items": {"enum": ["write", "provision"]}}
    if d.get("soft_delete"):
        props["deleted"] = {"type": "boolean"}
        always.append("deleted")
    for name, f in d["fields"].items():
        if "G" not in f["ops"] or f.get("write_only"):
            continue
        schema = f.get("get_schema", f["schema"])
        if f.get("null_when_absent"):
            schema = {"anyOf": [schema, {"type": "null"}]}
        props[name] = schema
        if f.get("always") or f.get("null_when_absent") or "default" in f or "C*" in f["ops"]:
            always.append(name)
    schema = {"type": "object", "properties": props, "required": always, "$defs": defs}
    if kind_has_choice(d):
        schema["oneOf"] = d["create_rules"]["oneOf"]
    return schema


def kind_has_choice(d):
    rules = d.get("create_rules", {})
    return all("required" in a for a in rules.get("oneOf", [{}]))


def check_answers(kind, d, defs, kinds):
    name = VENDOR[kind][0]
    theirs = name and vendor_schema(ANSWERS, name)
    if not theirs:
        return
    if theirs.get("type") == "array" and "items" in theirs:
        theirs = theirs["items"]
    ours = answer_schema(d, kinds, defs)
    where = f"{kind} answer {ANSWERS}"
    for missing in sorted(set(theirs.get("properties", {})) - set(ours["properties"])):
        report(f"{where}: {missing} never shown")
    for missing in sorted(set(theirs.get("required", [])) - set(ours["required"])):
        report(f"{where}: {missing} not always there")
    validator = Draft4Validator(theirs)
    for full in (False, True):
        for answer in samples(ours, full, "", defs):
            for error in validator.iter_errors(answer):
                report(f"{where}: invalid: {told(error)}")


def main():
    descriptors, defs, kinds = load_descriptors(), load_defs(), load_kinds()
    check_own(descriptors, defs, kinds)
    if not (SHARED / "schemas").exists():
        print(f"skipped: comparison with the vendor's schemas: {SHARED / 'schemas'} absent")
        return finish()
    for kind, d in descriptors.items():
        if kind in VENDOR:
            for release in RELEASES:
                check_bodies(kind, d, defs, release)
            for create in (True, False):
                refuses(kind, d, defs, create)
            check_answers(kind, d, defs, kinds)
        else:
            for create in (True, False):
                refuses(kind, d, defs, create)
            print(f"skipped: {kind}: the vendor publishes no schema")
    return finish()


if __name__ == "__main__":
    sys.exit(main())
