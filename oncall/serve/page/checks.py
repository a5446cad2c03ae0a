# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks each part whether it answers, without anybody being told anything.

Of a channel, only its host is asked for a connection, with TLS where it has it: whether a key is right shows with a message, and none is sent.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from ... import inventory
from ...environment import beside_python
from ...errors import OncallError, first_line
from ...incidents.messages.channels import Apprise, Channel
from ...shared import masked
from ..api_calls import CallFailed, call
from ..settings import Settings
from .visit import Sources

SECONDS = 8.0
PLAYER_SECONDS = 30.0
AT_ONCE = 8
PORTS = {"http": 80, "https": 443, "mailto": 25, "mailtos": 587}


@dataclass(frozen=True)
class Check:
    """Something that is asked.

    Attributes:
        name: what it is; ``how``: what is asked of it.
        answers: whether it answered; None where it was not asked.
        said: what came back.
    """

    name: str
    how: str
    ask: Callable[[], str]
    answers: bool | None = None
    said: str = ""
    seconds: float = 0.0


def checks_of(sources: Sources) -> list[Check]:
    """All that can be asked."""
    settings = sources.settings()
    found = [
        Check("Database", "a query", lambda: f"{sources.store.counts()['inbox']} notifications wait to be sorted"),
        Check("Inventory", "all hosts are listed", lambda: _inventory(settings)),
        Check("Executor", "its version", lambda: _executor(settings)),
    ]
    if settings.alertmanager is not None:
        url, token_file = settings.alertmanager.url, settings.alertmanager.token_file
        found.append(Check("Alertmanager", "its status", lambda: _alertmanager(url, token_file)))
    if settings.page is not None and settings.page.openid is not None:
        issuer, ca = settings.page.openid.issuer, settings.page.openid.ca
        found.append(Check("OpenID Connect", "its description", lambda: _openid(issuer, ca)))
    for system, team in sorted(sources.teams().teams.items()):
        for name, channel in team.tell.channels.items():
            ask = partial(_channel, channel)
            found.append(Check(f"Channel {name} of {system}", "a connection, without a message", ask))
    return found


def run_checks(checks: Sequence[Check]) -> list[Check]:
    """Ask all of them, side by side."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check") as threads:
        return [*threads.map(_asked, checks)]


def _asked(check: Check) -> Check:
    began = time.monotonic()
    try:
        said, answers = check.ask(), True
    except (OncallError, CallFailed) as error:
        said, answers = str(error), False
    except subprocess.TimeoutExpired:
        said, answers = f"no answer within {PLAYER_SECONDS:g} s", False
    except Exception as error:
        said, answers = f"{type(error).__name__}: {first_line(error)}", False
    return replace(check, answers=answers, said=masked(said, 300), seconds=round(time.monotonic() - began, 2))


def _inventory(settings: Settings) -> str:
    names = inventory.names(settings.inventories, settings.keep_environment)
    return f"{len(names.hosts)} hosts in {len(names.groups)} groups"


def _executor(settings: Settings) -> str:
    if settings.awx is not None:
        told = call(f"{settings.awx.url.rstrip('/')}/api/v2/me/", settings.awx.token_file, ca=settings.awx.ca)
        names = [str(one.get("username")) for one in (told or {}).get("results", ())]
        return f"AWX knows this service as {', '.join(names) or 'nobody'}"
    done = subprocess.run(
        [beside_python("ansible-playbook"), "--version"],
        capture_output=True,
        text=True,
        timeout=PLAYER_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise OncallError(f"ansible-playbook ended with {done.returncode}: {done.stderr.strip()[:200]}")
    return done.stdout.splitlines()[0]


def _alertmanager(url: str, token_file: str) -> str:
    told: Any = call(f"{url.rstrip('/')}/api/v2/status", token_file)
    version = (told or {}).get("versionInfo", {}).get("version", "of no version that it tells")
    return f"Alertmanager {version}"


def _openid(issuer: str, ca: str) -> str:
    told: Any = call(f"{issuer.rstrip('/')}/.well-known/openid-configuration", ca=ca)
    if not isinstance(told, dict) or told.get("issuer") != issuer:
        raise OncallError(f"it calls itself {str((told or {}).get('issuer'))[:100]!r}, and the settings {issuer!r}")
    return "it describes itself under the name that the settings have"


def _channel(channel: Channel) -> str:
    """Whether its host takes a connection."""
    if isinstance(channel, Apprise):
        return _apprise(channel.address)
    parts = urlsplit(channel.url)
    return _connected(parts.hostname or "", parts.port or PORTS[parts.scheme], parts.scheme == "https")


def _apprise(address: str) -> str:
    import apprise

    made = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    if made is None:
        raise OncallError("apprise does not understand its address")
    host, port = getattr(made, "smtp_host", "") or getattr(made, "host", ""), getattr(made, "port", None)
    name = str(getattr(made, "service_name", "") or "a service")
    secure = bool(getattr(made, "secure", False))
    if not isinstance(host, str) or ("." not in host and host != "localhost" and not _is_address(host)):
        # Many are a name of a service, and the host stands in apprise itself.
        return f"apprise understands it, as {name}; whether that answers shows with a message"
    return _connected(host, int(port or (443 if secure else 80)), secure and not getattr(made, "smtp_host", ""))


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True


def _connected(host: str, port: int, is_tls: bool) -> str:
    try:
        with socket.create_connection((host, port), SECONDS) as made:
            if not is_tls:
                return f"{host} port {port} takes a connection; nothing was sent"
            with ssl.create_default_context().wrap_socket(made, server_hostname=host) as secured:
                return f"{host} port {port} answers with {secured.version()} and a valid certificate; nothing was sent"
    except OSError as error:
        raise OncallError(f"{host} port {port}: {getattr(error, 'strerror', '') or error}") from None
