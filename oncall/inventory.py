# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of an inventory by their exact names: never a pattern, never a group."""

from __future__ import annotations

import difflib
import ipaddress
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .environment import beside_python, environment_of
from .errors import OncallError

SECONDS = 60
# Ansible takes these for a pattern.
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Names:
    """The names of the hosts and of the groups of an inventory.

    Attributes:
        members: group -> its hosts, with those of the groups in it.
    """

    hosts: frozenset[str]
    groups: frozenset[str]
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)


def names(inventories: Sequence[str], keep_environment: Sequence[str] = ()) -> Names:
    """What an inventory names. What else ansible-inventory tells, secrets among it, is dropped at once."""
    argv = [beside_python("ansible-inventory"), "--list", *(part for one in inventories for part in ("-i", one))]
    try:
        groups = json.loads(_said(argv, environment_of("inventory", keep_environment, {})))
        described = groups.pop("_meta", {}).get("hostvars", {})
        hosts = frozenset({*described, *(host for group in groups.values() for host in group.get("hosts", ()))})
        if not hosts:
            raise OncallError(f"the inventory {', '.join(inventories)} has no host")
        members = {"all": hosts, **{group: frozenset(_members(group, groups)) for group in groups if group != "all"}}
        return Names(hosts, frozenset({"all", "ungrouped", *groups}), members)
    except subprocess.CalledProcessError as error:
        lines = [line.strip() for line in error.stderr.splitlines() if line.strip()] or ["it said nothing"]
        said = [line for line in lines if line.startswith(("[ERROR]", "ERROR!"))] or lines
        raise OncallError(f"cannot read the inventory {', '.join(inventories)}: {said[0][:300]}") from None
    except (OSError, ValueError, AttributeError, subprocess.TimeoutExpired) as error:
        raise OncallError(f"cannot read the inventory {', '.join(inventories)}: {type(error).__name__}") from None


def _said(argv: Sequence[str], environment: Mapping[str, str]) -> str:
    """What a program printed. A program that takes too long is killed with all that it has started, such as a script."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, env=environment, start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            out, errors = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, argv, out, errors)
    return str(out)


def _members(group: str, groups: Mapping[str, Any]) -> Iterator[str]:
    told = groups.get(group, {})
    yield from told.get("hosts", ())
    for child in told.get("children", ()):
        yield from _members(child, groups)


def exact(host: str, known: Names) -> str:
    """The host, which is one of the known ones; OncallError where it is not, or where Ansible would take it for more."""
    if host not in known.hosts:
        near = difflib.get_close_matches(host, sorted(known.hosts), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "list them with: ansible-inventory --graph"
        raise OncallError(f"no host {host[:100]!r} in the inventory; {hint}")
    if host in known.groups or not (_PLAIN.fullmatch(host) or is_address(host)):
        what = "a group" if host in known.groups else "a pattern"
        raise OncallError(f"Ansible takes the name of the host {host[:100]!r} for that of {what}; give it another one")
    return host


def is_address(host: str) -> bool:
    """Whether it is one of IPv4 or IPv6."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
