"""Steps that the use-case flows share: label tables, services and rules by short names."""

import illumio

from harness.api import unique


def make_labels(pce, table):
    """Creates the labels of {key: [value]}; returns them by the value asked for (the real one is made unique)."""
    made = {}
    for key, values in table.items():
        for value in values:
            made[value] = pce.labels.create(illumio.Label(key=key, value=unique(value)))
    return made


def make_service(pce, name, *ports):
    """Creates a service of (port, protocol name) pairs."""
    entries = [illumio.ServicePort(port=port, proto=illumio.convert_protocol(proto)) for port, proto in ports]
    return pce.services.create(illumio.Service(name=unique(name), service_ports=entries))


def active(reference):
    return illumio.convert_draft_href_to_active(reference.href)
