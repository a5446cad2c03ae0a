# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Circuit breakers out of what was observed, whatever library they are of, and what keeps them open. Every replica has its own state.

In the observation ``metrics`` these entries count. Each is ``ENTRY@REPLICA`` where the replica was asked by itself; of a Prometheus
server the last label of each group is the replica:

- ``states``, by name and state: a gauge for each state, 1 for the one that is (resilience4j, or an own metric with the state in a label);
- ``codes``, by name: a gauge whose number is the state, as ``circuit_breaker_codes`` says (such as app_circuit_breaker);
- ``events``, by name and event: the counters of opossum-prometheus; ``rose``, by the same: their increase;
- ``failure_percent``, by name; below 0 means too few calls;
- ``opened``, by name: a counter of how often it opened;
- ``up``, by replica: the targets that a Prometheus server has now.

A row has ``name``, ``replica`` ("" where several were asked together), ``replicas`` (how many it stands for), ``state`` (one of
``STATES``), ``or_half_open`` (open, and a probe may be on its way), ``failure_percent``, ``opened`` (times since the process began),
``opened_lately`` and ``lately_seconds`` (since the look before, or over the range of a Prometheus server), each None where it is not
known, ``flaps`` (it opened again and again lately, whatever it is now), and ``reason`` (why the state is unknown, or "").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.net.bounded_http import public_url
from ..breaker_states import (
    COMMA,
    ENTRIES,
    STATES,
    by_name,
    code_of,
    of_entry,
    of_thing,
    plain,
    row_of,
    state_of,
    what_rose,
)

Row = Mapping[str, Any]

# What an inventory says of a dependency, and of its parts: the keys there are, and those that have to be there.
_KEYS = ("probe", "status_page", "connector", "service", "threshold", "reset")
_PARTS = {
    "connector": (("url", "method", "headers", "auth", "body", "status", "command"), ()),
    "threshold": (("variable", "maximum", "step"), ("variable", "maximum")),
    "reset": (("variable", "maximum", "unit", "factor"), ("variable", "maximum")),
}
# It lets no call pass, or one as a test.
_TRIPPED = ("open", "half_open")


def metric_breakers(
    metrics: Row,
    asked: Row,
    circuit_breaker_codes: Row,
    circuit_breaker_replica_label: str = "",
    earlier: Row | None = None,
    earlier_seconds: float = 0.0,
) -> list[dict[str, Any]]:
    """The breakers that metrics show, and a row of unknown state for each replica that shows none.

    Args:
        metrics: as observed.
        asked: the entries that were asked for, whether they are there or not.
        circuit_breaker_codes: numbers to words.
        circuit_breaker_replica_label: the last label of each group is the replica; "" where each entry names it.
        earlier: ``value`` of the look before, ``earlier_seconds`` ago.
    """
    values, before = metrics.get("value") or {}, earlier or {}
    silent = set(metrics.get("unmoved") or ())
    if circuit_breaker_replica_label:
        return _of_server(metrics, asked, circuit_breaker_codes, before, earlier_seconds)
    found = []
    for key in asked:
        entry, _at, replica = str(key).partition("@")
        if entry not in ENTRIES:
            continue
        own = _own(values, replica)
        rows = of_entry(own, entry, replica, circuit_breaker_codes) if entry in own and replica not in silent else []
        if not rows:
            why = "it gave the very same text twice" if replica in silent else _why_none(metrics, [key], replica)
            rows = [row_of("", replica, "unknown", reason=why)]
        found += [_with_past(row, own, _own(before, replica), earlier_seconds) for row in rows]
    return found


def _of_server(metrics: Row, asked: Row, codes: Row, before: Row, seconds: float) -> list[dict[str, Any]]:
    """Of a Prometheus server: what a target left behind that is gone counts no more."""
    missing = [name for name in (*ENTRIES, "up") if name in asked and name not in (metrics.get("value") or {})]
    if missing:
        return [row_of("", "", "unknown", reason=_why_none(metrics, missing, ""))]
    now, then = _by_replica(metrics["value"]), _by_replica(before)
    range_seconds = float(((metrics.get("metric") or {}).get("rose") or {}).get("seconds") or 0)
    living = {plain(replica) for replica in metrics["value"]["up"]}
    found = []
    for replica in sorted(set(now) & living):
        rows = _of_replica(now[replica], replica, codes)
        found += [_with_past(row, now[replica], then.get(replica, {}), seconds, range_seconds) for row in rows]
    # Where the inventory says which targets are theirs, each of them has to show its breakers.
    for replica in sorted(living - set(now)) if _says_whose(asked["up"]) else ():
        found.append(
            row_of("", replica, "unknown", reason="it is a target of the Prometheus server, and no breaker is shown")
        )
    return found or [row_of("", "", "unknown", reason="no target that the Prometheus server has shows one")]


def _says_whose(up: Row) -> bool:
    return isinstance(up.get("family"), Mapping) and bool(up["family"].get("labels"))


def _by_replica(values: Row) -> dict[str, dict[str, dict[str, float]]]:
    """The entries of each replica, whose name is the last part of each group."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for entry, groups in values.items():
        for group, number in groups.items() if isinstance(groups, Mapping) and entry != "up" else ():
            *rest, replica = COMMA.split(str(group))
            found.setdefault(plain(replica), {}).setdefault(entry, {})[",".join(rest)] = number
    return found


def _own(values: Row, replica: str) -> dict[str, Any]:
    parts = [(str(key).partition("@"), groups) for key, groups in values.items()]
    return {entry: groups for (entry, _at, of), groups in parts if of == replica}


def _why_none(metrics: Row, keys: Any, replica: str) -> str:
    told = metrics.get("metric") or {}
    mine = [key for key in keys if str(key).partition("@")[2] == replica and key.partition("@")[0] in (*ENTRIES, "up")]
    reasons = [str(told[key]["reason"]) for key in mine if (told.get(key) or {}).get("reason")]
    return reasons[0] if reasons else str(metrics.get("reason") or "no breaker is shown")


def _of_replica(values: Row, replica: str, codes: Row) -> list[dict[str, Any]]:
    return [row for entry in ENTRIES if entry in values for row in of_entry(values, entry, replica, codes)]


def _with_past(
    row: dict[str, Any], now: Row, before: Row, seconds: float, range_seconds: float = 0.0
) -> dict[str, Any]:
    """A row with how often its breaker opened; one whose events were ambiguous, with what rose since the look before.

    Where a Prometheus server told what rose, that was over ``range_seconds``.
    """
    opened, opened_before = _opened(now, row["name"]), _opened(before, row["name"])
    if opened is None:
        return row
    rose = by_name(now.get("rose") or {}).get(row["name"], {})
    if range_seconds > seconds and rose:
        # It works out what rose between two scrapes, which is no whole number.
        row = {**row, "opened_lately": round(rose.get("open", 0)), "lately_seconds": range_seconds}
    elif opened_before is not None and seconds > 0:
        # A counter that is lower began anew.
        lately = opened - opened_before if opened >= opened_before else opened
        row = {**row, "opened_lately": lately, "lately_seconds": seconds}
    if row["state"] == "unknown" and row["name"] and "events" in now:
        events, then = (by_name(one.get("events") or {}).get(row["name"], {}) for one in (now, before))
        since = {event: number - then.get(event, 0) for event, number in events.items()}
        state = what_rose(since) if then and all(number >= 0 for number in since.values()) else ""
        if state:
            row = {**row, "state": state, "reason": "", "or_half_open": state == "open" and "halfOpen" not in events}
    return {**row, "opened": opened}


def _opened(values: Row, name: str) -> float | None:
    if "events" in values:
        events = by_name(values["events"]).get(name)
        return None if events is None else events.get("open", 0)
    own = {plain(group): number for group, number in (values.get("opened") or {}).items()}
    return own.get(name)


def api_breakers(api: Row, circuit_breaker_apis: Sequence[str]) -> list[dict[str, Any]]:
    """The breakers that HTTP APIs show, one API for each replica, and a row of unknown state for each that could not be read.

    Their things have the fields ``name`` and ``state`` and, where there are such, ``replica`` and ``failure_percent``.
    """
    rows = []
    for name in circuit_breaker_apis:
        one = (api.get("apis") or {}).get(name) or {"available": False}
        shown = [of_thing(thing, name) for thing in one.get("things") or ()] if one["available"] is True else []
        if not shown or one.get("complete") is not True:
            limits = [one.get("reason"), *(one.get("limits") or ()), api.get("reason"), "no breaker is shown"]
            rows.append(row_of("", name, "unknown", reason=str(next(filter(None, limits)))))
        rows += shown
    return rows


def breakers(
    asked: Row,
    circuit_breaker_apis: Sequence[str],
    circuit_breaker_dependencies: Mapping[str, Any],
    circuit_breaker_service: str,
    circuit_breaker_flaps: int,
    circuit_breaker_flap_seconds: float,
    service: Row | None = None,
    metric_breakers: Sequence[Row] | None = None,
    api_breakers: Sequence[Row] | None = None,
) -> list[dict[str, Any]]:
    """All of them.

    Raises:
        ValueError: what was asked for is not there.
    """
    if (asked and metric_breakers is None) or (circuit_breaker_apis and api_breakers is None):
        raise ValueError("what shows the breakers was not read")
    rows = [*(metric_breakers or ()), *(api_breakers or ())]
    states = (service or {}).get("services") or {}

    def flaps(row: Row) -> bool:
        lately = row["opened_lately"] or 0
        owner = _owner(circuit_breaker_dependencies.get(row["name"]), circuit_breaker_service)
        # One that opened between the two looks goes on with what it did since its process began.
        often = _opened_in(row, states.get(owner) or {}, circuit_breaker_flap_seconds) if lately else 0
        return bool(max(lately, often) >= max(1, circuit_breaker_flaps))

    return [{**row, "flaps": flaps(row)} for row in rows]


def _owner(said: Any, service: str) -> str:
    """The service whose breaker it is."""
    return str((said.get("service") if isinstance(said, Mapping) else "") or service)


def tripped(breakers: Sequence[Row]) -> list[Row]:
    """Those that let no call pass, or one as a test, and those that do so again and again."""
    return [row for row in breakers if row["state"] in _TRIPPED or row["flaps"]]


def lost(breakers: Sequence[Row]) -> list[Row]:
    """Those whose state is not known."""
    return [row for row in breakers if row["state"] == "unknown" and not row["flaps"]]


def forced(breakers: Sequence[Row]) -> list[dict[str, str]]:
    """Those that a person opened: ``breaker``, and ``where`` in words."""
    rows = [row for row in breakers if row["state"] == "forced_open"]
    names = dict.fromkeys(row["name"] for row in rows)
    return [{"breaker": name, "where": _where([row for row in rows if row["name"] == name])} for name in names]


def look_again(breakers: Sequence[Row], circuit_breaker_flaps: int) -> list[str]:
    """The names of those of which another look tells more: open, on their way, not told yet, or closed and opened often before."""
    return sorted(
        {
            row["name"]
            for row in breakers
            if row["name"]
            and (row["state"] in (*_TRIPPED, "unknown") or (row["opened"] or 0) >= max(1, circuit_breaker_flaps))
        }
    )


def in_words(breakers: Sequence[Row]) -> str:
    """Every breaker with its states, in a few words."""
    counts: dict[str, dict[str, int]] = {}
    for row in breakers:
        states = counts.setdefault(row["name"] or "a breaker", {})
        states[row["state"]] = states.get(row["state"], 0) + row["replicas"]
    return "; ".join(
        f"{name}: " + ", ".join(f"{state.replace('_', ' ')} in {count}" for state, count in sorted(states.items()))
        for name, states in sorted(counts.items())
    )


def lost_in_words(lost: Sequence[Row]) -> str:
    """Why the state of some is not known."""
    return "; ".join(
        dict.fromkeys(f"{' of '.join(filter(None, [row['name'], row['replica']]))}: {row['reason']}" for row in lost)
    )


# ---------------------------------------------------------------------- what keeps them open
def faults(
    breakers: Sequence[Row],
    tripped: Sequence[Row],
    misdescribed: Sequence[str],
    circuit_breaker_dependencies: Mapping[str, Any],
    circuit_breaker_service: str,
    circuit_breaker_flaps: int,
    circuit_breaker_flap_seconds: float,
    http_probe: Row | None = None,
    status_page: Row | None = None,
    service: Row | None = None,
) -> list[dict[str, Any]]:
    """What keeps each breaker open, that is.

    Returns:
        For each breaker by name a dictionary ``breaker``, ``open_in`` and ``closed_in`` (replicas), ``where`` and ``closed_where``
        (the same in words), ``kind``, ``told`` (what was asked and what came back, in words), ``retry_after_seconds`` (or None),
        ``failure_percent``, ``opened`` (times in the last
        ``circuit_breaker_flap_seconds``, the least), ``service``, and ``change`` (a variable with ``from`` and ``to``, or empty).

        ``kind`` is one of ``down`` (they are), ``way`` (the way there), ``name``, ``certificate``, ``credentials``, ``rate_limited``,
        ``wrong_answer``, ``undescribed`` (nothing says how to ask), ``unmeasured``, and of a dependency that is well
        ``one_replica``, ``threshold`` or ``reset`` (of a breaker that opens again and again, what makes it), ``trips`` and ``open``.
    """
    found = []
    for name in sorted({row["name"] for row in tripped}):
        said = {} if misdescribed else circuit_breaker_dependencies.get(name) or {}
        mine = [row for row in breakers if row["name"] in ("", name)]
        is_open = [row for row in tripped if row["name"] == name]
        closed = [row for row in mine if row["state"] == "closed" and not row["flaps"]]
        owner = _owner(said, circuit_breaker_service)
        states = ((service or {}).get("services") or {}).get(owner) or {}
        probe = ((http_probe or {}).get("endpoints") or {}).get(name) if said.get("probe") else {}
        page = ((status_page or {}).get("pages") or {}).get(name) if said.get("status_page") else {}
        row = {
            "breaker": name,
            "open_in": [one["replica"] for one in is_open],
            "where": _where(is_open),
            "closed_in": [one["replica"] for one in closed],
            "closed_where": _where(closed),
            "told": "; ".join(filter(None, [_probe_in_words(name, probe), _page_in_words(name, page)])),
            "retry_after_seconds": (probe or {}).get("retry_after_seconds"),
            "failure_percent": max((one["failure_percent"] or 0 for one in is_open), default=0) or None,
            "opened": max(_opened_in(one, states, circuit_breaker_flap_seconds) for one in is_open),
            "service": owner,
            "change": {},
        }
        if misdescribed:
            found.append({**row, "kind": "unmeasured", "told": misdescribed[0]})
            continue
        kind = _kind(probe, page, _sends_credentials(said.get("probe")))
        if kind == "well":
            kind, row["change"] = _of_one_that_is_well(row, mine, is_open, states, said, circuit_breaker_flaps)
        found.append({**row, "kind": kind})
    return found


def _where(rows: Sequence[Row]) -> str:
    """The replicas by name, or how many they are where several were asked together."""
    return " and ".join(
        str(row["replica"]) or f"{row['replicas']} replica{'s' * (row['replicas'] != 1)}" for row in rows
    )


def _opened_in(row: Row, states: Row, seconds: float) -> float:
    """How often a breaker opened within some seconds, the least: since the process began, where that is not longer ago."""
    uptime = states.get("uptime_seconds")
    since_start = row["opened"] if uptime is not None and 0 <= uptime <= seconds else 0
    return max(row["opened_lately"] or 0, since_start or 0)


def _sends_credentials(probe: Any) -> bool:
    """Whether a probe asks with any: without them a refusal says nothing of those that the application has."""
    url = probe.get("url") if isinstance(probe, Mapping) else probe
    has_some = isinstance(probe, Mapping) and bool(probe.get("headers"))
    return has_some or "@" in str(url).partition("://")[2].partition("/")[0] or "?" in str(url)


def _kind(probe: Row | None, page: Row | None, sends_credentials: bool) -> str:
    """What the dependency's own page and a request to it say. An empty one was not asked for, None could not be asked."""
    if probe is None or page is None:
        return "unmeasured"
    word = page.get("status") if page.get("available") is True else None
    if word in ("degraded", "partial_outage", "major_outage", "maintenance"):
        return "down"
    if not probe:
        return "undescribed"
    error, status = probe.get("error"), probe.get("status")
    if error == "" and probe.get("ok") is True and probe.get("available") is True:
        return "well"
    if error in ("refused", "timeout", "reset", "unreachable"):
        # Where nobody took the connection, it may be they or the way there.
        silent = "down" if probe.get("available") is True else "unmeasured"
        return "way" if word == "operational" else silent
    if error == "bad_status" and isinstance(status, int):
        refused = "credentials" if sends_credentials else "wrong_answer"
        by_status = {401: refused, 403: refused, 429: "rate_limited"}
        return by_status.get(status, "down" if status >= 500 else "wrong_answer")
    kinds = {"dns": "name", "tls": "certificate"}
    words = ("redirect", "too_large", "protocol", "bad_json")
    return kinds.get(str(error), "wrong_answer" if error in words else "unmeasured")


def _of_one_that_is_well(
    row: Row, mine: Sequence[Row], is_open: Sequence[Row], states: Row, said: Row, flaps: int
) -> tuple[str, dict[str, Any]]:
    if any(one["state"] == "unknown" and not one["flaps"] for one in mine):
        return "unmeasured", {}
    if row["closed_in"]:
        return "one_replica", {}
    if row["opened"] < flaps:
        return "open", {}
    numbers = states.get("numbers") or {}
    for kind, change in (
        ("threshold", _threshold(said.get("threshold") or {}, numbers, row["failure_percent"])),
        ("reset", _reset(said.get("reset") or {}, numbers, is_open)),
    ):
        if change:
            return kind, change
    return "trips", {}


def _threshold(said: Row, numbers: Row, percent: float | None) -> dict[str, Any]:
    """A higher threshold, where the one that the process has is what opened the breaker, and the next one would not have."""
    now = numbers.get(str(said.get("variable")))
    if now is None or percent is None:
        return {}
    to = min(now + float(said.get("step") or 10), float(said["maximum"]))
    return _change(said, now, to) if now <= percent < to else {}


def _reset(said: Row, numbers: Row, is_open: Sequence[Row]) -> dict[str, Any]:
    """A longer time until the next test, where the one that the process has is the pace at which the breaker opens again."""
    now = numbers.get(str(said.get("variable")))
    if not now:
        return {}
    seconds = now * (0.001 if said.get("unit", "ms") == "ms" else 1.0)
    paces = [row["lately_seconds"] / row["opened_lately"] for row in is_open if row["opened_lately"]]
    if len(paces) < len(is_open) or not all(seconds / 2 <= pace <= seconds * 2 for pace in paces):
        return {}
    to = min(now * float(said.get("factor") or 2), float(said["maximum"]))
    return _change(said, now, to) if to > now else {}


def _change(said: Row, now: float, to: float) -> dict[str, Any]:
    return {"variable": str(said["variable"]), "from": _number(now), "to": _number(to)}


def _number(value: float) -> int | float:
    return int(value) if value == int(value) else value


def changes(faults: Sequence[Row]) -> list[dict[str, Any]]:
    """What would be set where a breaker opens again and again."""
    return [{"service": row["service"], "breaker": row["breaker"], **row["change"]} for row in faults if row["change"]]


def why_not_changed(faults: Sequence[Row], circuit_breaker_dependencies: Mapping[str, Row]) -> str:
    """Why nothing is set for those that open again and again, and what to change."""
    lines = []
    for row in [one for one in faults if one["kind"] == "trips"]:
        said = circuit_breaker_dependencies.get(row["breaker"]) or {}
        names = [str(said[key]["variable"]) for key in ("threshold", "reset") if said.get(key)]
        lines.append(
            f"nothing shows that {' or '.join(names)} of {row['service']} is what opens {row['breaker']}"
            if names
            else f"circuit_breaker_dependencies.{row['breaker']} names neither threshold nor reset"
        )
    return "; ".join(lines)


def retries(faults: Sequence[Row], circuit_breaker_dependencies: Mapping[str, Row]) -> list[dict[str, Any]]:
    """The connectors to call, so that a breaker whose dependency is well tests it: once for each replica that has it open."""
    found = []
    for row in [one for one in faults if one["kind"] == "open"]:
        connector = (circuit_breaker_dependencies.get(row["breaker"]) or {}).get("connector") or {}
        if connector.get("url"):
            calls = f"{str(connector.get('method') or 'POST').upper()} {public_url(str(connector['url']))}"
        elif connector.get("command"):
            calls = str(connector["command"][0])
        else:
            continue
        found += [{"breaker": row["breaker"], "calls": calls, "replica": replica} for replica in row["open_in"]]
    return found


def why_not_retried(faults: Sequence[Row]) -> str:
    """Why nothing can be called, and what to change."""
    names = [row["breaker"] for row in faults if row["kind"] == "open"]
    return f"circuit_breaker_dependencies.{names[0]}.connector does not say how it is called" if names else ""


def misdescribed(
    circuit_breaker_dependencies: Mapping[str, Any],
    circuit_breaker_codes: Row,
    circuit_breaker_apis: Sequence[str],
    system_apis: Row,
) -> list[str]:
    """What is wrong with how dependencies, states and APIs are described, a line each."""
    lines = [
        f"circuit_breaker_codes: {key} has to be a number, and its word one of {', '.join(STATES[:-1])}"
        for key, word in circuit_breaker_codes.items()
        if code_of(key) is None or state_of(word) == "unknown"
    ]
    lines += [
        f"circuit_breaker_apis: {name} is not in system_apis"
        for name in circuit_breaker_apis
        if name not in system_apis
    ]
    for name, said in circuit_breaker_dependencies.items():
        place = f"circuit_breaker_dependencies.{name}"
        lines += _wrong_keys(place, said, _KEYS, ())
        for key, (known, needed) in _PARTS.items():
            if isinstance(said, Mapping) and said.get(key) is not None:
                lines += _wrong_keys(f"{place}.{key}", said[key], known, needed)
                lines += _wrong_values(f"{place}.{key}", said[key])
        connector = said.get("connector") if isinstance(said, Mapping) else None
        if isinstance(connector, Mapping) and bool(connector.get("url")) == bool(connector.get("command")):
            lines.append(f"{place}.connector needs either url or command")
    return lines


def _wrong_keys(place: str, said: Any, known: Sequence[str], needed: Sequence[str]) -> list[str]:
    if not isinstance(said, Mapping):
        return [f"{place} has to be a dictionary with keys of {', '.join(known)}"]
    wrong = [f"{place} has the unknown key {key}; known are {', '.join(known)}" for key in said if key not in known]
    return wrong + [f"{place} needs the key {key}" for key in needed if not said.get(key)]


def _wrong_values(place: str, said: Any) -> list[str]:
    """Of a threshold or a reset time: what is not of its kind."""
    given = said if isinstance(said, Mapping) else {}
    lines = [
        f"{place}.{key} has to be a number above 0, and not {given[key]!r}"
        for key in ("maximum", "step", "factor")
        if key in given and (isinstance(given[key], bool) or not _is_above_0(given[key]))
    ]
    if given.get("unit", "ms") not in ("ms", "s"):
        lines.append(f"{place}.unit has to be ms or s, and not {given['unit']!r}")
    return lines


def _is_above_0(value: Any) -> bool:
    try:
        return 0 < float(value) < float("inf")
    except (TypeError, ValueError):
        return False


def _probe_in_words(name: str, probe: Row | None) -> str:
    if probe is None:
        return f"the probe of {name} was not carried out"
    if not probe:
        return ""
    return str(probe.get("reason") or f"{probe.get('url')} answers {probe.get('status')} in {probe.get('seconds')} s")


def _page_in_words(name: str, page: Row | None) -> str:
    if page is None:
        return f"no page was asked for {name}: system_status_pages does not have it, or the question failed"
    if not page:
        return ""
    if page.get("available") is not True:
        return f"their status page is not known: {page.get('reason')}"
    incidents = ", ".join(str(one["name"]) for one in page.get("incidents") or ())
    return f"their page says of {page.get('component')}: {page.get('status')}" + (
        f" ({incidents})" if incidents else ""
    )
