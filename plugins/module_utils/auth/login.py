# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One login with the canary, and one question that only somebody who is logged in may ask."""

from __future__ import annotations

import json
import re
import time
from urllib.parse import urljoin, urlsplit

from ..deadline import DeadlineExceeded
from ..net.bounded_http import FetchError, fetch, moment_in_header, public_url, retry_after_seconds
from ..text.masking import masked
from ..text.one_line import without_secrets
from . import budget
from .cookies import cookies_of, told
from .token_errors import kind_of

_MAX_BYTES = 256 * 1024
_TOKEN_CHARACTERS = 16 * 1024
_EXCERPT_CHARACTERS = 120
_REFUSED = (400, 401, 403, 422)
_LOCKED_WORDS = ("locked", "too many", "rate limit", "temporarily blocked", "temporarily disabled", "try again later")
# What is wanted besides a name and a password that are right, in an answer or in the place that it leads to.
_MORE_WORDS = re.compile(
    r"(?<![a-z])(?:mfa|2fa|t?otp|two[ _-]?factor|second[ _-]?factor|multi[ _-]?factor|one[ _-]?time[ _-](?:code|password)|verification[ _-]?code"
    r"|password[ _-]?(?:has[ _-]|is[ _-])?(?:expired|(?:change|reset)[ _-]?(?:is[ _-])?required)"
    r"|(?:expired|must[ _-]?change|change)[ _-](?:your[ _-])?password|credentials[ _-]?expired)(?![a-z])"
    # Not where an answer says that it is not so.
    r"(?![\w \"']*:\s*(?:false|null|0))",
    re.IGNORECASE,
)
_ERROR_WORDS = re.compile(r"error|fail|invalid|denied|incorrect|wrong", re.IGNORECASE)
NOT_ASKED = {"state": "not_asked", "status": None, "reason": "", "kind": None}
NOTHING = {
    "probed": False,
    "status": None,
    "error": "",
    "reason": "",
    "milliseconds": None,
    "retry_after_seconds": None,
    "clock_ahead_seconds": None,
    "clock_within_seconds": None,
    "cookies": [],
    "route": NOT_ASKED,
}


def look(login, about_budget, deadline):
    """Log in once, and ask the route with what came of it.

    Args:
        login: as :func:`spec.checked` gives it.
        about_budget: a dict ``directory``, ``limit`` and ``window_seconds`` for :func:`budget.probe`.
        deadline: for both.

    Returns:
        ``login`` of the module ``auth_info``, and the token, or "". The token goes to the controller and nowhere else.
    """
    about = json.dumps(
        [
            login["request"]["url"],
            login["request"]["body"].decode("utf-8", "replace") if login["request"]["body"] else "",
        ]
    )
    try:
        with budget.probe(about=about, **about_budget) as settle:
            found, answer = _asked(login, deadline)
            token = ""
            if found["state"] == "in":
                found, token = _with_route(login, found, answer, deadline)
            is_shown = bool(token) or found["route"]["state"] == "in"
            if found["state"] == "no_token" or (found["state"] == "in" and is_shown):
                settle("in")
            elif found["state"] not in ("refused", "locked") and found["status"] not in _REFUSED:
                settle("unclear")
    except budget.MayNot as error:
        return {**NOTHING, "state": "not_probed", "reason": str(error)}, ""
    return found, token


def _asked(login, deadline):
    request = login["request"]
    found = {**NOTHING, "probed": True}
    began, counted = time.time(), time.monotonic()
    try:
        status, headers, body = fetch(
            request["url"],
            min(deadline.remaining_seconds(), request["timeout_seconds"] or deadline.seconds),
            _MAX_BYTES,
            headers=request["headers"],
            body=request["body"],
            method=request["method"],
            redirects=False,
        )
    except (FetchError, DeadlineExceeded) as error:
        state = "unreachable" if getattr(error, "kind", "timeout") != "too_large" else "unreadable"
        shown = masked(without_secrets(str(error), *login["secrets"]))
        return {**found, "state": state, "error": getattr(error, "kind", "timeout"), "reason": shown}, None
    found.update(
        status=status,
        milliseconds=round((time.monotonic() - counted) * 1000, 1),
        retry_after_seconds=retry_after_seconds(headers),
        **clock(headers, began),
    )
    cookies = cookies_of(headers.get("set-cookie", ""))
    token = _token_in(body, login["token"])
    state, why = _state(login, status, headers, body, token, cookies)
    asked = without_secrets(f"{request['method']} {public_url(request['url'])}", *login["secrets"])
    found.update(state=state, reason=f"{asked} answers {status}" + (f": {why}" if why else ""))
    is_page = body[:2000].lstrip()[:1] == b"<" and 200 <= status < 300
    return found, {"token": token, "cookies": cookies, "is_page": is_page}


def clock(headers, began):
    """How far a server's clock is ahead of this one, and how exactly that is known."""
    at = moment_in_header(headers.get("date", ""))
    if at is None:
        return {"clock_ahead_seconds": None, "clock_within_seconds": None}
    now = time.time()
    # It has whole seconds, and was said somewhere between the question and its answer.
    return {
        "clock_ahead_seconds": round(at + 0.5 - (began + now) / 2, 1),
        "clock_within_seconds": round(0.5 + (now - began) / 2, 1),
    }


def _token_in(body, path):
    """The token of an answer, where it has one."""
    if not path:
        return ""
    try:
        value = json.loads(body.decode("utf-8"))
        for key in path.split("."):
            value = value[key]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return (
        value
        if isinstance(value, str) and 0 < len(value) <= _TOKEN_CHARACTERS and value.isprintable() and " " not in value
        else ""
    )


def _state(login, status, headers, body, token, cookies):
    """What an answer to a login means, and why, in a few words."""
    start = body[:2000].lstrip(b"\xef\xbb\xbf \t\r\n")
    is_markup = start[:1] == b"<" or "html" in headers.get("content-type", "").lower()
    hidden = [
        *login["secrets"],
        *([token] if token else []),
        *(one["value"] for one in cookies if len(one["value"]) >= 4),
    ]
    said = "" if is_markup else masked(without_secrets(start.decode("utf-8", "replace"), *hidden), _EXCERPT_CHARACTERS)
    expected = login["request"]["status"]
    leads_to = headers.get("location", "") if 300 <= status < 400 else ""
    # Where it leads to is not shown: a link may hold a code.
    if _MORE_WORDS.search(_path_of(leads_to, login)):
        return "more_wanted", "it leads to where more is asked for"
    has_cookie = any(one["name"] == login["cookie"] for one in cookies)
    # Whoever is let in is told of a second factor as well, among the settings.
    is_out = status in (*_REFUSED, 428) or (200 <= status < 300 and not token and not has_cookie)
    if is_out and _MORE_WORDS.search(said):
        return "more_wanted", said
    # Servers give a cookie to whoever asks, so it alone is no sign of a login.
    if not login["token"] and _leads_back(leads_to, login):
        return "refused", "it leads back to the login, or to an error"
    if status in expected if expected else 200 <= status < 400:
        if token or (has_cookie and not login["token"]):
            return "in", ""
        wanted = f"a token at {login['token']}" if login["token"] else f"the cookie {masked(login['cookie'], 60)}"
        if is_markup and 200 <= status < 300:
            return "unreadable", f"HTML and not {wanted}; is it a login page, or another port?"
        if 300 <= status < 400:
            return "unreadable", f"it leads elsewhere, without {wanted}; is this the URL that a login is posted to?"
        return "no_token", f"without {wanted}"
    if status in login["locked"] or (status in _REFUSED and any(word in said.lower() for word in _LOCKED_WORDS)):
        return "locked", said
    if status in _REFUSED:
        if is_markup and login["token"]:
            said = "HTML, which may be of a proxy or a firewall before the application"
        return "refused", said
    return ("failed" if status >= 500 else "unreadable"), said


def _path_of(leads_to, login):
    try:
        return urlsplit(urljoin(login["request"]["url"], leads_to)).path if leads_to else ""
    except ValueError:
        return ""


def _leads_back(leads_to, login):
    """Whether an answer leads to the login again, or to where an error is shown."""
    try:
        there, here = urlsplit(urljoin(login["request"]["url"], leads_to)), urlsplit(login["request"]["url"])
    except ValueError:
        return False
    is_same = there.hostname == here.hostname and there.path.rstrip("/") == here.path.rstrip("/")
    return bool(leads_to) and (is_same or bool(_ERROR_WORDS.search(there.query)))


def _with_route(login, found, answer, deadline):
    now = time.time()
    token = answer["token"]
    named = [one for one in answer["cookies"] if one["name"] == login["cookie"]][-1:]
    cookies = [told(one, login["request"]["url"], login["route"], now) for one in named]
    found["cookies"] = cookies
    if login["cookie"] and not named:
        found["cookies"] = [
            {
                "name": login["cookie"],
                "domain": "",
                "path": "",
                "secure": False,
                "same_site": "",
                "problems": ["missing"],
            }
        ]
    if not login["route"]:
        return found, token
    headers = {"Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if named and not cookies[0]["problems"]:
        headers["Cookie"] = f"{named[0]['name']}={named[0]['value']}"
    if len(headers) == 1:
        # A browser would send nothing either.
        return {
            **found,
            "route": {**NOT_ASKED, "state": "refused", "reason": "not asked: a browser would not send the cookie"},
        }, token
    secrets = [
        *login["secrets"],
        *([token] if token else []),
        *(one["value"] for one in named if len(one["value"]) >= 4),
    ]
    found["route"] = _route(login["route"], headers, secrets, deadline)
    if answer["is_page"] and not token and found["route"]["state"] in ("refused", "unreadable"):
        # A form that does not take a password is shown again, with a cookie that lets nobody in.
        reason = f"{found['reason']}: it shows a page, and its cookie lets nobody in"
        return {**found, "state": "refused", "reason": reason, "cookies": [], "route": NOT_ASKED}, ""
    return found, token


def _is_the_same(url, leads_to):
    """Whether a redirect leads to the same place, with another scheme, another name of the host, or a slash more or less."""
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, leads_to))
    except ValueError:
        return False
    return bool(leads_to) and here.path.rstrip("/").lower() == there.path.rstrip("/").lower()


def _route(url, headers, secrets, deadline):
    asked = without_secrets(f"GET {public_url(url)}", *secrets)
    try:
        status, answered, body = fetch(url, deadline.remaining_seconds(), _MAX_BYTES, headers=headers, redirects=False)
    except (FetchError, DeadlineExceeded) as error:
        return {
            "state": "unreachable",
            "status": None,
            "kind": None,
            "reason": masked(without_secrets(str(error), *secrets)),
        }
    challenge = answered.get("www-authenticate", "")
    text = without_secrets(f"{challenge} {body[:2000].decode('utf-8', 'replace')}", *secrets)
    is_markup = body[:200].lstrip()[:1] == b"<"
    if 200 <= status < 300:
        # A page to log in is shown with 200 as well.
        state = "unreadable" if is_markup else "in"
    elif 300 <= status < 400 and _is_the_same(url, answered.get("location", "")):
        # Who is logged in is sent there as well: with a slash at its end, or with TLS.
        state, text = "unreadable", "it leads to the same path, written otherwise; correct system_auth.login.route"
    elif status in (401, 403) or 300 <= status < 400:
        state = "refused"
    else:
        state = "failed" if status >= 500 else "unreadable"
    said = masked(text, _EXCERPT_CHARACTERS) if state != "in" and not is_markup else ""
    shown = f"{asked} answers {status}" + (f": {said}" if said else "")
    return {"state": state, "status": status, "kind": kind_of(text) if state == "refused" else None, "reason": shown}
