# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By whom each channel sends, whether that one would take a message, and whether the application's messages get through.

A row is a channel: ``channel``; ``providers`` (rows of the observer, in order); ``in_use`` (one of these, or None where it is not known),
``others`` (the rest); ``processes`` (each with ``process``, ``provider`` and ``keys``, the variables whose secret is another one);
``differ`` (whether these do not agree); ``queue`` (its name, or ""); ``ready``, ``oldest_seconds``, ``running``, ``paused``,
``done_per_second``, ``growth_per_second``, ``dead_lately`` and ``errors`` of the queue (None where not told); ``waits``, ``fails`` and
``hurt`` (True, False, or None where not known), what the application's messages suffer; ``goes_out``, whether some get through; ``mark`` (what a run
of ours noted);
``records``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..role_contract import ROLES
from ..verbs import QUEUE, SERVICE, missing_for

Row = Mapping[str, Any]

# Errors of a provider, in the order of the table: what it says against us, and that nobody says anything.
_CLASSES = {
    "credentials": ("credentials", "forbidden"),
    "suspended": ("suspended",),
    "quota_used_up": ("quota",),
    "domain_unverified": ("unverified",),
    "rate_limited": ("rate_limited",),
    "name_or_tls": ("dns", "tls"),
    "provider_down": ("down",),
}
# Of these the oldest that waits has no age, and is told where it is the same in two looks: without that, it has gone on.
_LOOKED_AT_TWICE = ("celery", "redis_list")
# What the errors of the application's own jobs say, as masked lines.
_REFUSED = re.compile(
    r"(?i)\b(?:401|403|535|530|534|5\.7\.8|unauthori[sz]ed|forbidden|authenticat\w+|invalid[ _](?:api[ _]?)?(?:key|token|auth)|"
    r"invalid_auth|token_revoked|bad credentials|20003)\b"
)


def rows(
    notification_provider: Row,
    queue_states: Row,
    service_states: Row,
    __notification_provider_channels: Row,
    notification_provider_depth: int,
    notification_provider_oldest_seconds: float,
    notification_provider_failing: int,
    notification_provider_failing_ratio: float,
    since_seconds: float,
) -> list[dict[str, Any]]:
    """Every channel."""
    found = []
    for channel, seen in notification_provider["channels"].items():
        given = __notification_provider_channels[channel]
        processes, in_use = _in_use(seen, given, service_states)
        queue = queue_states.get(seen["queue"], {}) if seen["queue"] else {}
        row = {
            "channel": channel,
            "providers": seen["providers"],
            "in_use": in_use,
            "others": [one for one in seen["providers"] if in_use is not None and one["name"] != in_use["name"]],
            "processes": processes,
            "differ": len({one["provider"] for one in processes if one["provider"] is not None}) > 1,
            "queue": seen["queue"],
            **_queue(queue),
            "mark": seen["mark"],
            "records": seen["records"],
        }
        row["waits"] = _waits(row, notification_provider_depth, notification_provider_oldest_seconds)
        row["fails"] = _fails(
            row,
            notification_provider_failing,
            notification_provider_failing_ratio,
            float(since_seconds),
        )
        row["goes_out"] = _goes_out(row, notification_provider_failing_ratio, float(since_seconds))
        row["hurt"] = _either(row["waits"], row["fails"])
        found.append(row)
    return found


def _in_use(seen: Row, given: Row, states: Row) -> tuple[list[dict[str, Any]], Row | None]:
    """What each process of the application was started with, and the provider that all of them use."""
    providers = {one["name"]: one for one in seen["providers"]}
    switch = given.get("switch") or {}
    if "variable" not in switch:
        # Without a switch there is nothing to choose.
        name = seen["current"] if "show" in switch else next(iter(providers))
        return [], providers.get(name)
    told = [
        one for service in switch.get("services") or () for one in _processes(service, states.get(service, {}), switch)
    ]
    keys = [one["key_variable"] for one in given["providers"] if one.get("key_variable")]
    processes = [
        {"process": name, "provider": value, "keys": [key for key in keys if compared.get(key) == ""]}
        for name, value, compared in told
    ]
    names = {one["provider"] for one in processes}
    return processes, providers.get(names.pop() or "") if len(names) == 1 else None


def _processes(service: str, state: Row, switch: Row) -> Iterator[tuple[str, str | None, Row]]:
    """Each process with the provider that it was started with (None where that is not known), and all that was compared of it."""
    for part in state.get("containers") or state.get("members") or [state]:
        compared = part.get("compared") if state.get("available") else None
        name = str(part.get("container") or part.get("name") or service)
        value = None if compared is None else compared.get(switch["variable"], switch.get("unset"))
        yield name, value, compared or {}


def _queue(seen: Row) -> dict[str, Any]:
    told = seen if seen.get("available") else {}
    oldest = told.get("oldest_ready_age_seconds")
    return {
        "queue_seen": bool(told),
        "engine": told.get("engine", ""),
        # A count below nothing tells nothing.
        "ready": _count(told.get("ready")),
        "oldest_seconds": told.get("oldest_ready_age_at_least_seconds") if oldest is None else oldest,
        "running": _count(told.get("running")),
        "paused": told.get("paused"),
        "done_per_second": told.get("throughput_per_second"),
        "growth_per_second": told.get("ready_growth_per_second"),
        "dead_lately": _count(told.get("dead_lately")),
        "errors": told.get("errors") or [],
    }


def _count(value: Any) -> int | None:
    return None if value is None or value < 0 else value


def _waits(row: Row, depth: int, oldest_seconds: float) -> bool | None:
    if row["ready"] is None:
        return None
    if row["ready"] >= depth:
        return True
    if row["oldest_seconds"] is None:
        # Where something comes to an end, a few that wait are not stuck; where nothing does, nobody knows for how long they have been.
        goes_on = row["done_per_second"] or row["engine"] in _LOOKED_AT_TWICE
        return False if not row["ready"] or goes_on else None
    return row["oldest_seconds"] >= oldest_seconds


def _fails(row: Row, failing: int, ratio: float, lately_seconds: float) -> bool | None:
    dead = row["dead_lately"]
    if dead is None:
        return None
    return dead >= failing and _failed_share(row, lately_seconds) >= ratio


def _failed_share(row: Row, lately_seconds: float) -> float:
    """The share of failed ones among those that came to an end: the engine counts them among these, or does not."""
    dead = row["dead_lately"] or 0
    ended = max(dead, (row["done_per_second"] or 0) * lately_seconds)
    return dead / ended if ended else 0.0


def _goes_out(row: Row, ratio: float, lately_seconds: float) -> bool:
    """Whether messages come to an end, and not most of them by failing."""
    if row["dead_lately"] is None:
        return False
    return (row["done_per_second"] or 0) > 0 and _failed_share(row, lately_seconds) < ratio


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one or other:
        return True
    return None if one is None or other is None else False


# ---------------------------------------------------------------------- the provider in use
def failing(rows: Sequence[Row]) -> list[Row]:
    """Channels whose provider in use failed every check at the end of the look."""
    return [row for row in rows if row["in_use"] is not None and row["in_use"]["state"] == "failing"]


def both_down(rows: Sequence[Row], contradicted: Sequence[Row]) -> list[Row]:
    """Channels with several providers that all fail, and whose messages do not go out all the same."""
    return [
        row
        for row in rows
        if len(row["providers"]) > 1
        and all(one["state"] == "failing" for one in row["providers"])
        and row not in contradicted
    ]


def contradicted(failing: Sequence[Row]) -> list[Row]:
    """Those whose messages go out all the same: then the check is wrong, or asks with another key."""
    return [row for row in failing if row["hurt"] is False and row["goes_out"]]


def refused(failing: Sequence[Row], both_down: Sequence[Row], contradicted: Sequence[Row]) -> dict[str, list[Row]]:
    """The others by the kind of error, a list for each cause of the table."""
    own = [row for row in failing if row not in both_down and row not in contradicted]
    return {cause: [row for row in own if row["in_use"]["error"] in errors] for cause, errors in _CLASSES.items()}


def unsteady(rows: Sequence[Row]) -> list[Row]:
    """Channels whose provider in use fails some checks, and whose messages suffer."""
    return [row for row in rows if row["in_use"] is not None and row["in_use"]["state"] == "unsteady" and row["hurt"]]


def takes(rows: Sequence[Row]) -> list[Row]:
    """Channels whose provider in use would take a message: every check says it, or the last one does and nothing suffers."""
    return [
        row
        for row in rows
        if row["in_use"] is not None
        and row["in_use"]["last_passed"]
        and (row["in_use"]["state"] == "good" or row["hurt"] is False)
    ]


def differing(rows: Sequence[Row]) -> list[Row]:
    """Channels that some processes send by one provider, and others by another."""
    return [row for row in rows if row["differ"]]


def other_keys(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Processes that were started with another secret than the one that was checked."""
    return [
        {"channel": row["channel"], "process": one["process"], "variable": variable}
        for row in rows
        for one in row["processes"]
        for variable in one["keys"]
    ]


# ---------------------------------------------------------------------- a good provider
def good(rows: Sequence[Row]) -> list[Row]:
    """Channels whose provider in use would take a message; where it is not known which that is, each of them would."""
    return [
        row
        for row in rows
        if (
            row["in_use"]["state"] == "good"
            if row["in_use"] is not None
            else all(one["state"] == "good" for one in row["providers"])
        )
    ]


def refused_elsewhere(good: Sequence[Row]) -> list[Row]:
    """Those whose jobs fail because somebody refuses their credentials, which are not the ones that were checked."""
    return [row for row in good if row["fails"] and any(_REFUSED.search(one["text"]) for one in row["errors"])]


def messages_fail(good: Sequence[Row]) -> list[Row]:
    """Those whose jobs fail for another reason, or for none that is kept."""
    return [
        row
        for row in good
        if row["fails"] and (not row["errors"] or any(not _REFUSED.search(one["text"]) for one in row["errors"]))
    ]


def backlog(good: Sequence[Row], draining: Sequence[Row]) -> list[Row]:
    """Those in whose queue too much waits that does not fail, though nobody paused it and it does not go out as slowly as we said."""
    waiting = [row for row in good if row["waits"] and not row["fails"] and row not in draining]
    return [row for row in waiting if not row["paused"] and not row["mark"]["paused"]]


def paused_by_us(rows: Sequence[Row]) -> list[Row]:
    """Channels whose queue a run of ours paused that did not come to its end."""
    return [
        row
        for row in rows
        if row["mark"]["paused"] and row["mark"]["queue_age_seconds"] is not None and row["paused"] is not False
    ]


def paused_by_others(rows: Sequence[Row]) -> list[Row]:
    """Channels whose queue somebody paused in which something waits."""
    return [row for row in rows if row["paused"] and row["ready"] and row["mark"]["paused"] is False]


def limited_by_us(rows: Sequence[Row], notification_provider_drain_at_once: int) -> list[Row]:
    """Channels whose queue we slowed down, and in which little waits by now."""
    return [
        row
        for row in rows
        # A note has its age, or it is none.
        if row["mark"]["limited"]
        and row["mark"]["queue_age_seconds"] is not None
        and row["ready"] is not None
        and row["ready"] <= notification_provider_drain_at_once
    ]


def draining(rows: Sequence[Row], limited_by_us: Sequence[Row]) -> list[Row]:
    """Channels of whose messages many wait, and go out as slowly as we said."""
    slow = [row for row in rows if row["mark"]["limited"] and not row["paused"] and row not in limited_by_us]
    return [row for row in slow if not row["fails"] and (row["done_per_second"] or 0) > 0]


def suffering(rows: Sequence[Row], draining: Sequence[Row]) -> list[Row]:
    """Channels whose messages do not get through, or of which that is not known."""
    return [row for row in rows if row["hurt"] is not False and row not in draining]


def bounces(
    rows: Sequence[Row],
    notification_provider_bounce_ratio: float,
    notification_provider_complaint_ratio: float,
    notification_provider_suppressed_ratio: float,
    notification_provider_min_sent: int,
) -> list[dict[str, Any]]:
    """Providers that much comes back from, or that drop much by themselves."""
    limits = {
        "bounce_ratio": ("bounce", notification_provider_bounce_ratio),
        "complaint_ratio": ("are complained of", notification_provider_complaint_ratio),
        "suppressed_ratio": ("are dropped, as the addresses are suppressed", notification_provider_suppressed_ratio),
    }
    found = []
    for row in rows:
        for one in row["providers"]:
            facts = one["facts"]
            if facts.get("sent_lately", 0) < notification_provider_min_sent:
                continue
            said = [f"{facts[key]:.1%} {words}" for key, (words, most) in limits.items() if facts.get(key, 0) > most]
            if said:
                found.append({"channel": row["channel"], "provider": one["name"], "said": " and ".join(said)})
    return found


def quota_ends(good: Sequence[Row]) -> list[dict[str, str]]:
    """Channels in which more waits than the provider in use has left."""
    used = [row for row in good if row["in_use"] is not None and _too_little_left(row["in_use"], row["ready"])]
    return [
        {
            "channel": row["channel"],
            "provider": row["in_use"]["name"],
            "said": _too_little_left(row["in_use"], row["ready"]),
        }
        for row in used
    ]


def records_wrong(rows: Sequence[Row]) -> list[dict[str, str]]:
    """Records of the senders' domains that are not as they have to be."""
    return [{"channel": row["channel"], **one} for row in rows for one in row["records"] if one["found"] is False]


# ---------------------------------------------------------------------- to the next provider, and back
def fallbacks(
    failing: Sequence[Row],
    __notification_provider_channels: Row,
    system_services: Row,
    system_queues: Row,
    notification_provider_drain_at_once: int,
) -> dict[str, dict[str, Any]]:
    """For each channel whose provider fails ``to``, the provider to turn to, or None with ``why_not``."""
    found = {}
    for row in failing:
        to = next((one for one in row["others"] if _passed_one(one) and not _too_little_left(one, row["ready"])), None)
        why = "" if to else _no_other(row)
        why = (
            why
            or _not_hurt(row)
            or _cannot_switch(
                row,
                __notification_provider_channels[row["channel"]],
                system_services,
                system_queues,
                notification_provider_drain_at_once,
            )
        )
        found[row["channel"]] = {"to": None if why or to is None else to["name"], "why_not": why}
    return found


def _passed_one(provider: Row) -> bool:
    return provider["passed"] >= 1 and provider["last_passed"] is True


def _no_other(row: Row) -> str:
    if not row["others"]:
        return f"{row['channel']} has no other provider"
    return "no other provider passed its last check and has enough left: " + "; ".join(
        f"{one['name']}: {_too_little_left(one, row['ready']) or one['reason']}" for one in row["others"]
    )


def _too_little_left(provider: Row, ready: int | None) -> str:
    """Why what is left of its quota is not enough for what waits, or nothing."""
    left = provider["facts"].get("quota_left")
    if left is None or ready is None or left >= ready:
        return ""
    return f"{left:.0f} messages are left of its quota, and {ready} wait"


def _not_hurt(row: Row) -> str:
    if row["hurt"]:
        return ""
    if not row["queue"]:
        return f"system_notification_providers.{row['channel']}.queue names no queue, so a message in progress could go out by both"
    if row["hurt"] is None:
        return f"whether messages wait or fail in the queue {row['queue']} is not known"
    return f"nothing fails or waits too long in the queue {row['queue']} so far"


def _cannot_switch(row: Row, given: Row, services: Mapping[str, Row], queues: Mapping[str, Row], at_once: int) -> str:
    """Why a channel cannot be turned to another provider without a message going out by both; nothing where it can."""
    if not row["queue"]:
        return f"system_notification_providers.{row['channel']}.queue names no queue, so a message in progress could go out by both"
    if row["paused"] and row["mark"]["paused"] is False:
        return f"somebody paused the queue {row['queue']}"
    if row["differ"]:
        return "some processes use one provider and some another"
    for verb in ("pause", "resume"):
        if missing := missing_for(QUEUE, ROLES / "queue" / "engines", queues, row["queue"], verb):
            return missing
    if row["running"] is None:
        return f"nothing tells when the messages in progress of the queue {row['queue']} have come to their end"
    if row["ready"] is None:
        return f"how much waits in the queue {row['queue']} is not known"
    if row["ready"] > at_once:
        slower = missing_for(QUEUE, ROLES / "queue" / "engines", queues, row["queue"], "rate_limit")
        if slower:
            return f"{row['ready']} messages would go out at once: {slower}"
    return _no_switch(row, given, services)


def _no_switch(row: Row, given: Row, services: Mapping[str, Row]) -> str:
    switch = given.get("switch") or {}
    place = f"system_notification_providers.{row['channel']}.switch"
    if "variable" in switch:
        names = list(switch.get("services") or ())
        missing = [
            missing_for(SERVICE, ROLES / "service" / "managers", services, name, "set_environment") for name in names
        ]
        return next(filter(None, missing), "") if names else f"{place}.services names no service"
    return "" if switch.get("set") else f"{place} does not say how to turn the application to another provider"


def fall_back_targets(
    refused: Mapping[str, Sequence[Row]], fallbacks: Mapping[str, Row], __notification_provider_channels: Row
) -> dict[str, list[dict[str, Any]]]:
    """For each cause what its remedy touches: the channels that can be turned, with their queues and services."""
    return {
        cause: [
            target
            for row in rows
            if fallbacks[row["channel"]]["to"]
            for target in _targets(
                row, fallbacks[row["channel"]]["to"], __notification_provider_channels[row["channel"]]
            )
        ]
        for cause, rows in refused.items()
    }


def _targets(row: Row, to: str, given: Row) -> list[dict[str, Any]]:
    values = {one["name"]: str(one.get("value", one["name"])) for one in given["providers"]}
    switch = given.get("switch") or {}
    turned = {"channel": row["channel"], "queue": row["queue"], "from": row["in_use"]["name"], "to": to}
    turned["from_value"], turned["to_value"] = values[turned["from"]], values[to]
    services = switch.get("services") or () if "variable" in switch else ()
    return [turned, *({"channel": row["channel"], "service": one, "variable": switch["variable"]} for one in services)]


def why_not_fallen_back(refused: Mapping[str, Sequence[Row]], fallbacks: Mapping[str, Row]) -> dict[str, str]:
    """For each cause why no channel of it can be turned."""
    return {
        cause: "; ".join(
            dict.fromkeys(fallbacks[row["channel"]]["why_not"] for row in rows if fallbacks[row["channel"]]["why_not"])
        )
        for cause, rows in refused.items()
    }


def on_another(rows: Sequence[Row]) -> list[Row]:
    """Channels that do not send by their first provider."""
    return [row for row in rows if row["in_use"] is not None and row["in_use"]["position"] > 1]


def back_again(
    on_another: Sequence[Row], notification_provider_checks_passed: int, notification_provider_back_after_seconds: float
) -> list[Row]:
    """Those that a run of ours turned away from their first provider some time ago, which works again."""
    return [
        row
        for row in on_another
        if _first_is_well(row, notification_provider_checks_passed)
        and row["mark"]["fell_back"]
        and (row["mark"]["age_seconds"] or 0) >= notification_provider_back_after_seconds
    ]


def _first_is_well(row: Row, checks: int) -> bool:
    first = row["providers"][0]
    is_enough = not _too_little_left(first, row["ready"])
    return first["state"] == "good" and first["passed"] >= checks and is_enough


def elsewhere(on_another: Sequence[Row], back_again: Sequence[Row]) -> list[Row]:
    """Those that stay where they are."""
    return [row for row in on_another if row not in back_again]


def back_targets(
    back_again: Sequence[Row],
    __notification_provider_channels: Row,
    system_services: Row,
    system_queues: Row,
    notification_provider_drain_at_once: int,
) -> list[dict[str, Any]]:
    """What the way back touches."""
    return [
        target
        for row in back_again
        if not _cannot_switch(
            row,
            __notification_provider_channels[row["channel"]],
            system_services,
            system_queues,
            notification_provider_drain_at_once,
        )
        for target in _targets(row, row["providers"][0]["name"], __notification_provider_channels[row["channel"]])
    ]


def why_not_back(
    back_again: Sequence[Row],
    __notification_provider_channels: Row,
    system_services: Row,
    system_queues: Row,
    notification_provider_drain_at_once: int,
) -> str:
    """Why nothing is turned back."""
    return "; ".join(
        dict.fromkeys(
            filter(
                None,
                (
                    _cannot_switch(
                        row,
                        __notification_provider_channels[row["channel"]],
                        system_services,
                        system_queues,
                        notification_provider_drain_at_once,
                    )
                    for row in back_again
                ),
            )
        )
    )


def goes_on(
    paused_by_us: Sequence[Row],
    limited_by_us: Sequence[Row],
    system_queues: Row,
    notification_provider_drain_at_once: int,
) -> dict[str, list[dict[str, Any]]]:
    """What the remedy resume touches: ``paused``, the queues to let go on, and ``limited``, those to let go on at full speed."""

    def can(row: Row, verb: str) -> bool:
        return not missing_for(QUEUE, ROLES / "queue" / "engines", system_queues, row["queue"], verb)

    return {
        "paused": [
            _goes_on(row, paused=True)
            for row in paused_by_us
            if can(row, "resume")
            and row["ready"] is not None
            and (row["ready"] <= notification_provider_drain_at_once or can(row, "rate_limit"))
        ],
        "limited": [_goes_on(row, paused=False) for row in limited_by_us if can(row, "rate_limit")],
    }


def _goes_on(row: Row, paused: bool) -> dict[str, Any]:
    return {"channel": row["channel"], "queue": row["queue"], "paused": paused, "limited": bool(row["mark"]["limited"])}


# ---------------------------------------------------------------------- words
def words(rows: Sequence[Row]) -> str:
    """Every channel, by whom it sends, and what is known of that one and of the queue."""
    return "; ".join(f"{row['channel']}: {_provider_words(row)}{_queue_words(row)}" for row in rows)


def _provider_words(row: Row) -> str:
    one = row["in_use"]
    if one is None:
        used = sorted(
            {
                str(process["provider"] or "another one")
                for process in row["processes"]
                if process["provider"] is not None
            }
        )
        return f"sends by {' and '.join(used)}" if used else "by whom it sends is not known"
    return f"{one['name']} {_checks_words(one)}"


def _checks_words(one: Row) -> str:
    said = f"passed {one['passed']} of {one['checks']} checks"
    left, limit = one["facts"].get("quota_left"), one["facts"].get("quota_limit")
    if left is not None and limit is not None:
        said += f", {left:.0f} of {limit:.0f} messages left"
    return said


def _queue_words(row: Row) -> str:
    if not row["queue_seen"]:
        return ""
    said = [f", {row['queue']}: {'an unknown number' if row['ready'] is None else row['ready']} wait"]
    if row["oldest_seconds"]:
        said.append(f"the oldest for {row['oldest_seconds']:.0f} s")
    if row["dead_lately"]:
        said.append(f"{row['dead_lately']} failed lately")
    return ", ".join(said)


def said(refused: Mapping[str, Sequence[Row]]) -> dict[str, str]:
    """For each cause what the provider in use answered, and what the messages suffer."""
    return {
        cause: "; ".join(f"{row['channel']}: {_refused_words(row)}{_queue_words(row)}" for row in rows)
        for cause, rows in refused.items()
    }


def _refused_words(row: Row) -> str:
    one = row["in_use"]
    return f"{one['name']} failed {one['failed_in_a_row']} checks in a row: {one['reason']}"


def pages(rows: Sequence[Row], status_pages: Row, __notification_provider_channels: Row) -> list[str]:
    """What the status pages say of the components that the providers in use are, a line each."""
    found = []
    for row in rows:
        given = {one["name"]: one for one in __notification_provider_channels[row["channel"]]["providers"]}
        for one in row["providers"]:
            page = status_pages.get(given[one["name"]].get("status_page") or "", {})
            if page:
                found.append(
                    f"its status page says {page.get('status', 'nothing')} of {page.get('component', 'it')} ({one['name']})"
                )
    return found
