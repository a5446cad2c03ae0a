# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inngest: its GraphQL, which counts, or its REST API version 2 where that is turned off (--no-ui)."""

from __future__ import annotations

from datetime import datetime, timezone

from ..net.bounded_http import public_url
from ..text.masking import masked
from .answer import by_name, epoch_of, job, name_of, number_of, oldest, over_limit, settled

OPTIONS = {
    "url": {"type": "str", "required": True},
    "signing_key": {"type": "str", "no_log": True},
    "functions": {"type": "list", "elements": "str", "default": []},
    "apps": {"type": "list", "elements": "str", "default": []},
    # Runs that were queued before are not looked for.
    "since_seconds": {"type": "float", "default": 604800.0},
}

_GRAPHQL = "/v0/gql"
_REST = "/api/v2/runs"
_PAGE = 100
# Pages of each status that REST, which counts nothing, is asked for.
_PAGES = 5
_NODE = "edges { node { id queuedAt startedAt endedAt function { name slug } } }"
_QUERY = f"""
query Queue($open: RunsFilterV2!, $running: RunsFilterV2!, $dead: RunsFilterV2!, $deadLately: RunsFilterV2!, $ended: RunsFilterV2!) {{
  ready: runs(first: {_PAGE}, orderBy: [{{field: QUEUED_AT, direction: ASC}}], filter: $open) {{ totalCount {_NODE} }}
  running: runs(first: {_PAGE}, orderBy: [{{field: STARTED_AT, direction: ASC}}], filter: $running) {{ totalCount {_NODE} }}
  dead: runs(first: 1, orderBy: [{{field: ENDED_AT, direction: DESC}}], filter: $dead) {{ totalCount }}
  deadLately: runs(first: 1, orderBy: [{{field: ENDED_AT, direction: DESC}}], filter: $deadLately) {{ totalCount }}
  ended: runs(first: 1, orderBy: [{{field: ENDED_AT, direction: DESC}}], filter: $ended) {{ totalCount }}
}}"""


def look(store, queue, bounds):
    """What is told of the runs of one server.

    Args:
        store: a :class:`url.Url`.
        queue: as :data:`OPTIONS` say.
        bounds: how much to look at.
    """
    now = datetime.now(timezone.utc).timestamp()
    headers = {"Authorization": f"Bearer {queue['signing_key']}"} if queue["signing_key"] else {}
    body = {"query": _QUERY, "variables": variables(queue, bounds, now)}
    status, document = store.ask(_GRAPHQL, headers, body, bounds["share_seconds"] / 2)
    if status == 200:
        return answer_of_graphql(store, document, now, bounds)
    found = {
        status: _pages(store, headers, queue, bounds, now, status)
        for status in ("QUEUED", "RUNNING", "FAILED", "COMPLETED")
    }
    return answer_of_rest(found, now, bounds)


_APPS = "query Apps { apps { id externalID name url connected error functionCount functions { slug name } } }"


def functions(store, queue):
    """The applications that are registered, and their functions.

    Args:
        store: a :class:`url.Url`.
        queue: as :data:`OPTIONS` say.

    Returns:
        A dict ``apps`` (each ``name``, ``url``, ``connected``, ``error`` and ``functions``, how many) and ``functions`` (each ``app``,
        ``slug`` and ``name``).

    Raises:
        UrlError: no usable answer. Without GraphQL (``--no-ui``) there is none.
    """
    headers = {"Authorization": f"Bearer {queue['signing_key']}"} if queue["signing_key"] else {}
    status, document = store.ask(_GRAPHQL, headers, {"query": _APPS})
    if status != 200:
        raise store.error(
            _GRAPHQL, "status", f"answers {status}: does the server run with --no-ui, which turns it off?"
        )
    return functions_of(store, document, queue["apps"])


def functions_of(store, document, wanted):
    """What GraphQL tells of applications. Pure.

    Args:
        store: for an error.
        document: its answer.
        wanted: names of the applications that count; empty for all.

    Raises:
        UrlError: it tells nothing that can be read.
    """
    try:
        told = [app for app in document["data"]["apps"] if not wanted or wanted_app(app, wanted)]
        return {
            "apps": [
                {
                    "name": name_of(app.get("name") or app.get("externalID")),
                    "url": public_url(app["url"]) if app.get("url") else None,
                    "connected": app.get("connected"),
                    "error": masked(app["error"]) if app.get("error") else None,
                    "functions": app.get("functionCount"),
                }
                for app in told
            ],
            "functions": [
                {
                    "app": name_of(app.get("name") or app.get("externalID")),
                    "slug": name_of(one.get("slug")),
                    "name": name_of(one.get("name")),
                }
                for app in told
                for one in app.get("functions") or []
            ],
        }
    except (AttributeError, KeyError, TypeError):
        raise store.error(_GRAPHQL, "protocol", "answers with no list of applications") from None


def wanted_app(app, wanted):
    """Whether an application is one of those named, by any of its names."""
    return bool({app.get("id"), app.get("externalID"), app.get("name")} & set(wanted))


def variables(queue, bounds, now):
    """The filters of the runs that are asked for. Pure."""
    all_of_it, lately = _time(now - queue["since_seconds"]), _time(now - bounds["lately_seconds"])
    whose = {
        name: queue[option] for name, option in (("functionIDs", "functions"), ("appIDs", "apps")) if queue[option]
    }
    return {
        "open": {"from": all_of_it, "timeField": "QUEUED_AT", "status": ["QUEUED"], **whose},
        "running": {"from": all_of_it, "timeField": "QUEUED_AT", "status": ["RUNNING"], **whose},
        "dead": {"from": all_of_it, "timeField": "QUEUED_AT", "status": ["FAILED"], **whose},
        "deadLately": {"from": lately, "timeField": "ENDED_AT", "status": ["FAILED"], **whose},
        "ended": {"from": lately, "timeField": "ENDED_AT", "status": ["COMPLETED", "FAILED", "CANCELLED"], **whose},
    }


def _time(moment):
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer_of_graphql(store, document, now, bounds):
    """What GraphQL tells, in the words of all queues.

    Raises:
        UrlError: it tells nothing that can be read.
    """
    data = document.get("data") if isinstance(document, dict) else None
    try:
        counts = {name: int(data[name]["totalCount"]) for name in ("ready", "running", "dead", "deadLately", "ended")}
        ready, running = ([edge["node"] for edge in data[name]["edges"]] for name in ("ready", "running"))
    except (KeyError, TypeError, ValueError):
        said = document.get("errors") if isinstance(document, dict) else None
        text = (
            said[0].get("message")
            if isinstance(said, list) and said and isinstance(said[0], dict)
            else "no counts of runs"
        )
        raise store.error(_GRAPHQL, "protocol", f"answers with {name_of(text)}") from None
    limits = []
    if counts["running"] > len(running):
        limits.append(f"the {len(running)} oldest of {counts['running']} running jobs are looked at")
    return settled(
        {
            **_of_runs(ready, running, now, bounds, limits),
            "ready": counts["ready"],
            "running": counts["running"],
            "dead": counts["dead"],
            "dead_lately": counts["deadLately"],
            "throughput_per_second": round(counts["ended"] / bounds["lately_seconds"], 4),
        },
        limits,
    )


def _of_runs(ready, running, now, bounds, limits):
    names = [_name(one) for one in ready]
    waits = [now - at for at in (_at(one, "queuedAt", "queued_at") for one in ready) if at is not None]
    jobs = [job(one.get("id") or "", _name(one), _age(one, now)) for one in running]
    return {
        "oldest_ready_age_seconds": oldest(waits, limits),
        **over_limit(jobs, bounds["limit_seconds"], bounds["most_running"]),
        "by_name": by_name(names, bounds["top"]),
        "by_name_of": len(names),
    }


def _name(run):
    function = run.get("function")
    if isinstance(function, dict):
        function = function.get("slug") or function.get("id") or function.get("name")
    return name_of(function)


def _at(run, *names):
    for name in names:
        if run.get(name) is not None:
            number = number_of(run[name])
            return epoch_of(run[name]) if number is None else number / 1000
    return None


def _age(run, now):
    began = _at(run, "startedAt", "started_at")
    return None if began is None else now - began


def _pages(store, headers, queue, bounds, now, status):
    """Runs of a status, and whether these are all."""
    from urllib.parse import quote, urlencode

    asked = [("status", status), ("limit", _PAGE)]
    if status == "COMPLETED":
        asked += [("from", _time(now - bounds["lately_seconds"])), ("time_field", "endedAt")]
    else:
        asked += [("from", _time(now - queue["since_seconds"])), ("time_field", "queuedAt")]
    asked += [("function_id", one) for one in queue["functions"]] + [("app_id", one) for one in queue["apps"]]
    runs, cursor = [], None
    for _page in range(_PAGES):
        query = urlencode(asked + ([("cursor", cursor)] if cursor else []), quote_via=quote)
        code, document = store.ask(f"{_REST}?{query}", headers, None, bounds["share_seconds"] / 4)
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, list):
            raise store.error(
                _REST, "status", f"answers {code}, and {_GRAPHQL} does not answer either: is it Inngest 1.38 or newer?"
            )
        runs += [one for one in data if isinstance(one, dict)]
        page = document.get("page") if isinstance(document.get("page"), dict) else {}
        cursor = page.get("cursor") if page.get("hasMore", page.get("has_more")) else None
        if not cursor:
            return runs, len(data) < _PAGE or bool(page)
    return runs, False


def answer_of_rest(found, now, bounds):
    """What REST tells, in the words of all queues. Pure.

    Args:
        found: by status, the runs and whether these are all.
        now: in seconds.
        bounds: how much to tell.
    """
    limits = [
        f"at least {len(runs)} runs are {status}: no more are asked for"
        for status, (runs, is_all) in found.items()
        if not is_all
    ]
    failed = [_at(one, "endedAt", "ended_at") for one in found["FAILED"][0]]
    lately = sum(at is not None and now - at < bounds["lately_seconds"] for at in failed)
    done = len(found["COMPLETED"][0]) + lately if found["COMPLETED"][1] and found["FAILED"][1] else None
    return settled(
        {
            **_of_runs(found["QUEUED"][0], found["RUNNING"][0], now, bounds, limits),
            "ready": len(found["QUEUED"][0]),
            "running": len(found["RUNNING"][0]),
            "dead": len(failed),
            "dead_lately": lately,
            "throughput_per_second": None if done is None else round(done / bounds["lately_seconds"], 4),
        },
        limits,
    )
