# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts: what alerts led to on each, holds and ledger; quarantine and the switch that pauses everything."""

from __future__ import annotations

from ....api import Runbooks
from ....errors import OncallError
from ....incidents import commands as do
from ....incidents.store.timeline import Filter
from ...decide.dispatcher import PAUSED
from ..people import Role
from ..visit import Answer, Gone, Moved, Shown, Unheard, Visit
from .base import View, known_teams, levels_of, row

MOST_HOSTS = 500
MOST_REASON = 300


def hosts(visit: Visit) -> Answer:
    """All of the inventory, those first on which something goes on."""
    sources = visit.sources
    wanted = visit.asked("q", 100).lower()
    known = sources.names()
    busy: dict[str, dict[str, int]] = {}
    for one in sources.store.episodes(("waiting", "running", "queued"), 500):
        counts = busy.setdefault(one["host"], {})
        counts[one["state"]] = counts.get(one["state"], 0) + 1
    helped: dict[str, list[int]] = {}
    for one in sources.store.proven():
        told = helped.setdefault(one["host"], [0, 0])
        told[0] += one["helped"]
        told[1] += one["remedies"]
    names = [name for name in sorted(known.hosts | busy.keys()) if wanted in name.lower()]
    names.sort(key=lambda name: name not in busy)
    groups = {
        name: sorted(group for group, members in known.members.items() if name in members and group != "all")
        for name in names
    }
    return Shown(
        "hosts.html.j2",
        {
            "hosts": [
                (name, groups[name], busy.get(name, {}), helped.get(name, [0, 0])) for name in names[:MOST_HOSTS]
            ],
            "more": max(0, len(names) - MOST_HOSTS),
            "asked": wanted,
            "paused": sources.paused(),
            "paused_by_command": sources.store.control(PAUSED) is not None,
            "quarantine": sources.store.quarantine(30),
            "may_act": visit.may(Role.RESPONDER),
        },
    )


def _host(visit: Visit) -> str:
    """The host of the path; only names of the inventory are given to Ansible."""
    name = visit.part("host")
    if name not in visit.sources.names().hosts:
        raise Gone(f"the inventory has no host {name[:80]!r}")
    return name


def host(visit: Visit) -> Answer:
    """What is known of one, without asking it."""
    return Shown("host.html.j2", _of_host(visit, _host(visit), None, ""))


def ledger(visit: Visit) -> Answer:
    """The same, with what its ledger says now."""
    name = _host(visit)
    told, trouble = None, ""
    try:
        told = _runbooks(visit).ledger(name)
    except OncallError as error:
        trouble = str(error)
    return Shown("host.html.j2", _of_host(visit, name, told, trouble), 502 if trouble else 200)


def _of_host(visit: Visit, name: str, told: dict[str, object] | None, trouble: str) -> dict[str, object]:
    sources = visit.sources
    levels = levels_of(known_teams(visit))
    members = sources.names().members
    return {
        "host": name,
        "groups": sorted(group for group, hosts in members.items() if name in hosts and group != "all"),
        "episodes": [one for one in sources.store.episodes((), 400) if one["host"] == name][:20],
        "incidents": [row(visit, one, levels) for one in sources.incidents.listed(Filter(host=name, most=10))],
        "proven": [one for one in sources.store.proven() if one["host"] == name],
        "ledger": told,
        "trouble": trouble,
        "is_local": sources.settings().executor == "local",
        "may_act": visit.may(Role.RESPONDER),
    }


def _runbooks(visit: Visit) -> Runbooks:
    settings = visit.sources.settings()
    if settings.executor != "local":
        raise Unheard(
            "AWX plays here, and this service cannot reach hosts; run the playbook ledger, hold or release there"
        )
    return Runbooks(settings.inventories, settings.keep_environment)


def _reason(visit: Visit) -> str:
    reason = " ".join(do.cut(visit.said("reason"), MOST_REASON).split())
    if not reason:
        raise Unheard("say why; people read it where they meet it")
    return reason


def hold(visit: Visit) -> Answer:
    """No remedy touches it until it is released."""
    name = _host(visit)
    _runbooks(visit).hold(name, f"{_reason(visit)} ({visit.who})")
    return Moved(f"/hosts/{name}/ledger", "held")


def release(visit: Visit) -> Answer:
    """Remedies may touch it again."""
    name, run = _host(visit), visit.said("run")
    if run and not (run.isascii() and run.isalnum() and len(run) < 80):
        raise Unheard(f"{run[:40]!r} is no run")
    _runbooks(visit).release(name, run)
    return Moved(f"/hosts/{name}/ledger", "released")


def pause(visit: Visit) -> Answer:
    """Begin nothing more."""
    visit.sources.store.set(PAUSED, f"{_reason(visit)} ({visit.who})")
    visit.sources.wake()
    return Moved("/hosts", "paused")


def resume(visit: Visit) -> Answer:
    """Begin runs again."""
    if not visit.sources.store.unset(PAUSED):
        raise Unheard("nothing is paused by command; where it is by a file, remove the file on that node")
    visit.sources.wake()
    return Moved("/hosts", "resumed")


VIEWS = (
    View("/hosts", hosts),
    View("/hosts/{host}", host),
    View("/hosts/{host}/ledger", ledger, Role.RESPONDER, slow=True),
    View("/hosts/{host}/hold", hold, Role.RESPONDER, "POST", slow=True),
    View("/hosts/{host}/release", release, Role.RESPONDER, "POST", slow=True),
    View("/pause", pause, Role.RESPONDER, "POST"),
    View("/resume", resume, Role.RESPONDER, "POST"),
)
