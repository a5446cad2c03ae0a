# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets into an application and who does not: a canary's login, the identity provider, and the logs."""

from __future__ import annotations

import base64
import json
import time
import zlib
from urllib.parse import urlsplit

from ..deadline import Deadline, all_within
from ..net.documents import fetched, request_of, secrets_of, unpacked
from ..observers.service import SPEC as OF_SERVICES
from ..services import states
from ..services.states import check, read_log
from ..text.masking import masked
from . import login as canary
from .refusals import Tally
from .request_lines import Reader, route_of
from .spec import checked
from .token_errors import counted

_DISCOVERY = "/.well-known/openid-configuration"
_LOG_BYTES = 8 * 1024 * 1024
# A program of ours says so; what it asked is no user.
_OUR_OWN = "oncall.runbooks"
_TEXT_CHARACTERS = 500


def observe(params):
    """Look at everything at once.

    Args:
        params: see ``observers.auth.SPEC``.

    Returns:
        What ``plugin_utils.finishing.auth`` makes the answer of: as the module ``auth_info`` documents it, but for ``token`` and the keys,
        which are packed.

    Raises:
        ValueError: the inventory cannot be used.
    """
    auth = checked(params["auth"])
    if not params["timeout_seconds"] > 0 or not params["lately_seconds"] > 0 or params["log_lines"] < 1:
        raise ValueError("timeout_seconds and lately_seconds must be above 0, and log_lines at least 1")
    if params["probe_refused_limit"] < 1 or not params["probe_window_seconds"] > 0:
        raise ValueError("probe_refused_limit must be at least 1, and probe_window_seconds above 0")
    wanted = {auth["access_log"], *auth["logs"]} - {""}
    missing = sorted(wanted - set(params["services"]))
    if missing:
        raise ValueError(f"system_auth names the service {missing[0]}, which is not in system_services")
    services = {name: params["services"][name] for name in sorted(wanted)}
    check(services)
    seconds = params["timeout_seconds"]
    login, issuer, logs, started = all_within(
        2 * seconds + 1,
        [
            lambda: _login(auth, params, Deadline(seconds)),
            lambda: _issuer(auth, Deadline(seconds)),
            lambda: {name: _lines(name, one, params) for name, one in services.items()},
            lambda: _started_at_seconds(auth, params),
        ],
    )
    login, token = (
        (None, "")
        if login is None
        else login
        if not isinstance(login, Exception)
        else ({**canary.NOTHING, "state": "not_probed", "reason": str(login)}, "")
    )
    if isinstance(logs, Exception):
        logs = {name: ([], str(logs)) for name in services}
    if isinstance(started, Exception):
        started = None
    now = time.time()
    if isinstance(issuer, Exception):
        issuer = {"discovery": None, "keys": {"available": False, "error": "timeout", "reason": str(issuer)}}
    return {
        "login": login,
        "token": packed(token) if token else "",
        "issuer": issuer,
        "now_seconds": now,
        "requests": _requests(auth, logs, params, now, started),
        "token_errors": _token_errors(auth, logs, params, now),
    }


def packed(text):
    """A text as documents are handed on, so that nobody reads it by chance."""
    return base64.b64encode(zlib.compress(text.encode(), 1)).decode("ascii")


def _login(auth, params, deadline):
    if auth["login"] is None:
        return None
    about = {
        "directory": params["marks_directory"],
        "limit": params["probe_refused_limit"],
        "window_seconds": params["probe_window_seconds"],
    }
    return canary.look(auth["login"], about, deadline)


def _issuer(auth, deadline):
    """The discovery document, read, and the keys, packed; None where the inventory names neither."""
    if not auth["issuer"] and not auth["jwks_url"]:
        return None
    discovery = _discovery(auth["issuer"], deadline) if auth["issuer"] else None
    url, reason = auth["jwks_url"], ""
    if not url:
        url, reason = _keys_url(auth["issuer"], discovery)
    keys = _document(url, deadline) if url else {"available": False, "error": "not_asked", "reason": reason}
    return {"discovery": discovery, "keys": keys}


def _document(url, deadline):
    began = time.time()
    request, secrets = request_of("system_auth.issuer", url), secrets_of(url)
    (answer,) = fetched([(request, secrets)], deadline.remaining_seconds())
    at, ended = answer.pop("server_time_seconds", None), time.time()
    answer["clock_ahead_seconds"] = None if at is None else round(at + 0.5 - (began + ended) / 2, 1)
    answer["clock_within_seconds"] = None if at is None else round(0.5 + (ended - began) / 2, 1)
    return answer


def _discovery(issuer, deadline):
    """What the discovery document says: ``issuer`` and ``jwks_uri`` as texts, or empty."""
    found = _document(issuer.rstrip("/") + _DISCOVERY, deadline)
    packed = found.pop("document", None)
    if packed is None:
        return found
    try:
        document = json.loads(unpacked(packed).decode("utf-8"))
        if not isinstance(document, dict):
            raise ValueError("no object")
    except (ValueError, RecursionError):
        reason = (
            f"GET {issuer.rstrip('/')}{_DISCOVERY} answers {found['status']} with what is no JSON object, or is cut off"
        )
        return {**found, "available": False, "error": "bad_json", "reason": masked(reason)}
    texts = {key: document.get(key) for key in ("issuer", "jwks_uri")}
    return {**found, **{key: text[:_TEXT_CHARACTERS] if isinstance(text, str) else "" for key, text in texts.items()}}


def _keys_url(issuer, discovery):
    """Where the keys are, by the discovery document, and why they are not asked for where that is so."""
    if not discovery["available"]:
        return "", discovery["reason"]
    url = discovery["jwks_uri"]
    try:
        own, other = urlsplit(issuer), urlsplit(url)
        is_same = (own.scheme, own.hostname, own.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return "", "the discovery document has a jwks_uri that is no URL"
    if not url:
        return "", "the discovery document has no jwks_uri"
    if not is_same:
        # A document from outside does not say where this program goes.
        return (
            "",
            f"the discovery document has its keys at another place ({masked(url, 100)}); where that is right, name it in system_auth.jwks_url",
        )
    return url, ""


def _lines(name, service, params):
    """The last lines of a service's log, and why there are none where that is so."""
    pairs, reason = read_log(name, service, params["log_lines"], _LOG_BYTES, params["timeout_seconds"])
    lines = [line for _what, text in pairs for line in text.splitlines()]
    return lines, "" if pairs else reason or f"service {name}: it has no log"


def _started_at_seconds(auth, params):
    """When what checks tokens was started, of several the first; None where that is not known."""
    service = params["services"].get(auth["service"])
    if service is None:
        return None
    asked = {name: option.get("default") for name, option in OF_SERVICES.items()}
    asked.update(services={auth["service"]: service}, log_lines=0, timeout_seconds=params["timeout_seconds"])
    found = states.observe(asked)["services"][auth["service"]]
    each = [one.get("started_at_seconds") for one in found.get("members") or [found]]
    return None if None in each else min(each)


def _requests(auth, logs, params, now, started):
    name = auth["access_log"]
    if not name:
        return {
            "available": False,
            "reason": "system_auth names neither access_log nor service: no log tells who is refused",
            "limits": [],
        }
    lines, reason = logs[name]
    if reason:
        return {"available": False, "reason": reason, "limits": []}
    login_route = route_of(auth["login"]["request"]["url"]) if auth["login"] else ""
    tally = Tally(now, params["lately_seconds"], login_route)
    of_this_start = None if started is None else Tally(now, min(now - started, params["lately_seconds"]), login_route)
    reader = Reader()
    is_known = False
    for line in lines:
        request = reader.request(line)
        # One of our own shows that the log has requests, and nothing of users.
        is_known = is_known or request is not None
        if request and _OUR_OWN not in line:
            tally.add(request)
            if of_this_start:
                of_this_start.add(request)
    limits = []
    told = tally.told()
    # A log that has no line from before the window may not have all of it.
    is_whole = tally.older > 0 or len(lines) < params["log_lines"]
    if not is_whole:
        limits.append(
            f"the last {len(lines)} lines of {name} do not reach back {params['window_seconds']:.0f} s; log_lines can be more"
        )
    if told["requests"] > told["dated"]:
        limits.append(
            f"{told['requests'] - told['dated']} of {told['requests']} requests in the log of {name} have no time with a zone"
        )
    if tally.ahead:
        limits.append(f"{tally.ahead} requests in the log of {name} are dated in the future")
    if tally.ahead and not told["requests"] and not tally.older:
        return {"available": False, "reason": limits.pop(), "limits": limits}
    if lines and not is_known:
        reason = (
            f"none of the last {len(lines)} lines of {name} is a request in a shape that is known; "
            "name the service that logs them in system_auth.access_log"
        )
        return {"available": False, "reason": reason, "limits": limits}
    return {
        "available": True,
        "service": name,
        "lines": len(lines),
        "window_seconds": params["lately_seconds"],
        "limits": limits,
        "since_start": of_this_start and _since(of_this_start.told(), now - started),
        **told,
    }


def _since(told, seconds):
    refused = told["unauthorized"] + told["forbidden"]
    return {"seconds": round(seconds, 1), "refused": refused, "let_in": told["let_in"]}


def _token_errors(auth, logs, params, now):
    read, limits, lines = [], [], []
    reader = Reader()
    for name in auth["logs"]:
        own, reason = logs[name]
        if reason:
            limits.append(reason)
            continue
        read.append(name)
        lines += _of_window(reader, own, now, params["lately_seconds"])
    if not read:
        return {
            "available": False,
            "reason": limits[0] if limits else "system_auth names neither logs nor service",
            "kinds": [],
            "limits": limits[1:],
        }
    return {"available": True, "services": read, "kinds": counted(lines), "limits": limits}


def _of_window(reader, lines, now, window_seconds):
    """Those that are not older. One without a time is as old as the one before it: errors take several lines."""
    found, is_old = [], False
    for line in lines:
        at = reader.at_seconds(line)
        if at is not None:
            is_old = now - at > window_seconds
        if not is_old:
            found.append(line)
    return found
