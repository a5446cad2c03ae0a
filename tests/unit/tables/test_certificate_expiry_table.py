# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured -> what must be concluded, for every cause of the runbook certificate_expiry."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from cryptography.hazmat.primitives.serialization import Encoding

from ansible_collections.oncall.runbooks.plugins.module_utils.net import certificates
from ansible_collections.oncall.runbooks.tests.support.tables import Case, diagnose, role_variables, table
from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued

SYSTEM = {
    "system_services": {"certificate_renewal": {"manager": "systemd", "name": "certbot.service"}},
    "system_endpoints": {"api": "https://127.0.0.1/metrics"},
}
NO_URL: dict[str, Any] = {"system_endpoints": {}}
ALL = ["not_renewed", "ends_soon", "chain_ends", "not_yet_valid", "wrong_name"]
DOWN = ConnectionRefusedError(111, "Connection refused")


def good(days: float, **more: Any) -> Issued:
    return Issued(days, "127.0.0.1", **more)


def shown(whole: bool = True, **endpoints: Issued | OSError | None) -> dict[str, Any]:
    """What the observer makes of certificates, of what does not answer, and of a database without TLS."""

    def chain(target: dict[str, Any], *_place: Any) -> tuple[list[bytes], bool]:
        answer = endpoints[target["name"]]
        if isinstance(answer, OSError):
            raise answer
        ders = []
        while answer:
            ders.append(answer.certificate.public_bytes(Encoding.DER))
            answer = answer.by
        return ders, whole

    asked = {name: "https://127.0.0.1" if one else "postgresql://127.0.0.1" for name, one in endpoints.items()}
    with patch.object(certificates, "_chain", chain):
        return {"certificate": certificates.observe({"endpoints": asked, "timeout_seconds": 5.0})}


RENEWED: dict[str, Any] = {"problems": ["not_renewed"], "acts": ["renew"], "risk": "medium"}
ISSUER = Issued(9, "R3", by=Issued(900, "root"))

test_concluded = table(
    "certificate_expiry",
    SYSTEM,
    {
        "good for long": Case(shown(api=good(60), web=good(21.1)), says=["2 certificates, good for 21 days and more"]),
        "one soon": Case(
            shown(api=good(60), web=good(20.9)), problems=["ends_soon"], says=["web (127.0.0.1, port 443)"]
        ),
        "just not urgent": Case(shown(api=good(3)), problems=["ends_soon"]),
        "urgent": Case(shown(api=good(2.9)), **RENEWED, says=["less than 3 days", "ends in 2.9 days"]),
        "ended": Case(shown(api=good(60), web=good(-4)), **RENEWED, says=["ended 4.0 days ago"]),
        "one urgent, one soon": Case(
            shown(api=good(1), web=good(9)), **{**RENEWED, "problems": ["not_renewed", "ends_soon"]}
        ),
        "one urgent, one not seen": Case(shown(api=good(1), web=DOWN), **RENEWED, unknown=ALL[1:]),
        "good, one not seen": Case(shown(api=good(60), web=DOWN), unknown=ALL, says=["Connection refused"]),
        "none seen": Case(shown(api=DOWN), unknown=ALL),
        "its issuer ends first": Case(shown(api=good(60, by=ISSUER)), problems=["chain_ends"], says=["R3 in 9.0 days"]),
        "both end, the issuer first": Case(shown(api=good(15, by=ISSUER)), problems=["ends_soon", "chain_ends"]),
        "only its own certificate is seen": Case(shown(False, api=good(60)), unknown=["chain_ends"]),
        "only its own certificate is seen, and counts": Case(
            shown(False, api=good(60)),
            variables={"certificate_expiry_whole_chains": False},
            says=["1 certificate, good for 60 days"],
        ),
        "its issuer is not yet valid": Case(
            shown(api=good(60, by=Issued(900, "R4", begins=1, by=Issued(900, "root")))), problems=["not_yet_valid"]
        ),
        "not yet valid": Case(shown(api=good(60, begins=1)), problems=["not_yet_valid"], says=["the clock here says"]),
        "ended, but for another host": Case(
            shown(api=Issued(-4, "other.example")),
            problems=["wrong_name"],
            says=["shows the certificate of other.example"],
        ),
        "a database without TLS": Case(shown(db=None), variables=NO_URL, says=["nothing here shows a certificate"]),
        "nothing to look at": Case(shown(), variables=NO_URL, says=["nothing here shows a certificate"]),
        "nothing renews": Case(
            shown(api=good(1)),
            problems=["not_renewed"],
            why_not="certificate_renewal is not in system_services",
            variables={"system_services": {}},
        ),
        "its manager cannot": Case(
            shown(api=good(1)),
            problems=["not_renewed"],
            why_not="start under the manager command needs system_services.certificate_renewal.commands.start",
            variables={"system_services": {"certificate_renewal": {"manager": "command", "commands": {"stop": ["x"]}}}},
        ),
    },
)


def test_the_plan_names_what_is_renewed():
    (step,) = diagnose("certificate_expiry", shown(api=good(1), web=good(60)), **SYSTEM)["plan"]["steps"]
    (target,) = step["targets"]
    assert sorted(target) == ["address", "endpoint", "not_after", "service"]
    assert (target["endpoint"], target["service"]) == ("api", "certificate_renewal")


@pytest.mark.parametrize(
    ("database", "url"),
    [
        ({"host": "10.0.0.5"}, "postgresql://10.0.0.5:5432?sslmode=prefer"),
        (
            {"host": "fd00::5", "port": 6432, "sslmode": "verify-full"},
            "postgresql://[fd00::5]:6432?sslmode=verify-full",
        ),
        *(({"host": "db", "sslmode": "disable"}, ""), ({"host": "/run/postgresql"}, ""), ({}, "")),
        ({"transport": "docker", "container": "db", "host": "127.0.0.1"}, ""),
    ],
)
def test_what_is_looked_at_by_default(database, url):
    endpoints = {"api": "https://u:s3cret@api.example/metrics", "web": "http://web.example/metrics"}
    system = {**SYSTEM, "system_endpoints": endpoints, "system_database": {"name": "app", **database}}
    variables = {**role_variables("system"), **role_variables("certificate_expiry"), **system}
    templar = Templar(loader=DataLoader(), variables=variables)
    expected = {"api": endpoints["api"], **({"system_database": url} if url else {})}
    assert templar.template(variables["certificate_expiry_endpoints"]) == expected


# The rows that every runbook has; tests/contract sees that they conclude this.
HEALTHY_ROW = "test_concluded[good for long]"
WRONG_CAUSE_ROW = "test_concluded[ended, but for another host]"
NO_TELEMETRY_ROW = "test_concluded[none seen]"
