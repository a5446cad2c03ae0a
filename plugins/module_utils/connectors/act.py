# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does something with a connector: by a command or an HTTP request of the inventory, or by the one that restarts tasks of Kafka Connect."""

from __future__ import annotations

import json
from urllib.parse import quote

from ..net.bounded_http import FetchError, fetch, public_url
from ..net.documents import KEYS, request_of, secrets_of
from ..run_command import failure, last_line, run
from ..services.command import with_placeholders
from ..text.masking import masked, masked_lines
from ..text.one_line import without_secrets
from .answer import is_plain
from .error_classes import class_of, counted, table_of
from .failures import SourceError
from .spec import check_argv

_RESTART = "/connectors/{connector}/restart?includeTasks=true&onlyFailed=true"
_STATUS = "/connectors/{connector}/status"
_MOST_BYTES = 1024 * 1024
_EXCERPT_CHARACTERS = 120
_TRACE_LINES = 40
_NOTHING = {"status": None, "last_line": "", "errors": [], "traces": []}


def act(params):
    """Do it.

    Args:
        params: of the module ``connector_action``.

    Returns:
        Of a request, ``status`` (of HTTP). Of a command, ``last_line``, and ``errors``, what :func:`error_classes.counted` finds in what it
        printed. Of tasks that had failed, ``traces``, each with ``task`` and ``trace`` (lines without secrets).

    Raises:
        ValueError: nothing says how, or the name is not plain.
        SourceError: it was not done; one line.
    """
    verb, connector, own_place = params["verb"], params["connector"], params["place"]
    place = own_place or f"system_connectors.{params['source']}"
    seconds, secret = params["timeout_seconds"], {key: params[key] for key in ("auth", "headers") if params[key]}
    if connector and not is_plain(connector):
        raise ValueError(f"{place}: a connector that is acted on cannot have the name {connector!r}")
    if params["argv"]:
        return _ran(
            own_place or f"{place}.commands.{verb}",
            params["argv"],
            connector,
            seconds,
            table_of(params["error_classes"]),
        )
    if params["request"]:
        request = filled({**params["request"], **secret}, connector)
        return _requested(own_place or f"{place}.requests.{verb}", request, seconds, _needed(params))
    if params["kafka_connect_url"] and verb == "restart_tasks":
        return _restarted(place, {**secret, "url": params["kafka_connect_url"].rstrip("/")}, connector, seconds)
    raise ValueError(f"{place}: nothing says how; add commands.{verb} or requests.{verb}")


def _needed(params):
    """With what a token is asked for; None where the plan asks for none."""
    needed = params.get("break_glass")
    if not needed:
        return None
    from ..break_glass.spec import together

    return dict(needed, settings=together(needed["settings"], params.get("break_glass_secrets") or {}))


def _requested(place, request, timeout_seconds, needed):
    """Send a request, with a token where the plan asks for one and the system is read-only."""
    if not needed:
        return {**_NOTHING, "status": _asked(place, request, timeout_seconds)[0]}
    from ..break_glass.granted import NotGranted
    from ..break_glass.issuer import IssuerError
    from ..break_glass.needed import token_where_read_only

    try:
        with token_where_read_only(needed, timeout_seconds) as grant:
            with_token = dict(request, headers={**(request.get("headers") or {}), **grant.headers})
            status, _body = _asked(place, with_token, timeout_seconds)
    except (NotGranted, IssuerError) as error:
        raise SourceError("break_glass", f"{place}: {error}") from None
    return {**_NOTHING, "status": status, "break_glass": grant.told()}


def _ran(place, argv, connector, timeout_seconds, table):
    check_argv(place, argv)
    argv = with_placeholders(argv, {"connector": connector})
    ended = run(argv, timeout_seconds)
    lines = [line for part in ("stdout", "stderr") for line in ended[part].splitlines()]
    if ended["error"] or ended["exit_code"] != 0:
        said = failure(argv, ended, timeout_seconds)
        raise SourceError("timeout" if ended["error"] == "timeout" else class_of(said, table), f"{place}: {said}")
    return {**_NOTHING, "last_line": last_line(ended["stdout"]), "errors": counted(lines, table)}


def filled(given, connector):
    """A request with the name of a connector in it: quoted in the URL, as it is in texts of the body. Pure."""
    request = {key: given[key] for key in KEYS if given.get(key) is not None}
    request.setdefault("method", "POST")
    request["url"] = str(request.get("url") or "").replace("{connector}", quote(connector, safe=""))
    if "body" in request:
        request["body"] = _with_name(request["body"], connector)
    return request


def _with_name(value, connector):
    if isinstance(value, dict):
        return {key: _with_name(one, connector) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_name(one, connector) for one in value]
    return value.replace("{connector}", connector) if isinstance(value, str) else value


def _restarted(place, reach, connector, timeout_seconds):
    def asked(path, method):
        return _asked(
            place, filled({**reach, "url": reach["url"] + path, "method": method}, connector), timeout_seconds
        )

    _status, body = asked(_STATUS, "GET")
    status, _body = asked(_RESTART, "POST")
    return {**_NOTHING, "status": status, "traces": traces_of(body)}


def traces_of(body):
    """The traces of tasks that failed, in the status of a connector: after a restart nobody has them. Pure."""
    try:
        tasks = json.loads(body)["tasks"]
        failed = [task for task in tasks if task["state"] == "FAILED"]
        return [
            {"task": task["id"], "trace": masked_lines(str(task.get("trace") or "").splitlines()[:_TRACE_LINES])}
            for task in failed
        ]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _asked(place, given, timeout_seconds):
    request, secrets = request_of(place, given), secrets_of(given)
    try:
        status, _headers, body = fetch(
            request["url"], timeout_seconds, max_bytes=_MOST_BYTES, headers=request["headers"], body=request["body"],
            method=request["method"], redirects=request["method"] == "GET",
        )  # fmt: skip
    except FetchError as error:
        raise SourceError(error.kind, masked(without_secrets(str(error), *secrets))) from None
    if status not in request["status"] if request["status"] else not 200 <= status < 300:
        text = masked(without_secrets(body[:2000].decode("utf-8", "replace"), *secrets), _EXCERPT_CHARACTERS)
        asked = without_secrets(f"{request['method']} {public_url(request['url'])}", *secrets)
        raise SourceError("bad_status", f"{asked} answers {status}" + (f": {text}" if text and "<" not in text else ""))
    return status, body
