# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table of auth_failures reads in a login, in the keys of an identity provider and in who was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.auth.request_lines import route_of

Row = Mapping[str, Any]

NOBODY_KNOWS = "nobody knows when"
# Times in headers and tokens are whole seconds, and an answer takes some.
_ROUNDING_SECONDS = 2.0
_TOLD = 4


# The canary.


def login_state(auth: Row) -> str:
    """What came of the canary's login; ``none`` where there is no canary."""
    return str(auth["login"]["state"]) if auth["login"] else "none"


def login_error(auth: Row) -> str:
    return str(auth["login"]["error"]) if auth["login"] else ""


def login_reason(auth: Row) -> str:
    return str(auth["login"]["reason"]) if auth["login"] else "no login is configured"


def route_state(auth: Row) -> str:
    """What the route answered that takes what the canary was given."""
    return str(auth["login"]["route"]["state"]) if auth["login"] else "not_asked"


def route_reason(auth: Row) -> str:
    return str(auth["login"]["route"]["reason"]) if auth["login"] else ""


def login_in_words(auth: Row, login_state: str, route_state: str) -> str:
    """What a person is told of the canary."""
    if login_state == "none":
        return "no canary"
    if login_state != "in":
        return f"the canary: {auth['login']['reason']}"
    took = f"the canary logged in within {auth['login']['milliseconds']:.0f} ms"
    return (
        f"{took} and was let in"
        if route_state == "in"
        else f"{took}; {auth['login']['route']['reason'] or 'no route was asked'}"
    )


def cookie_problems(auth: Row) -> list[str]:
    """Why browsers drop the cookie that lets users in."""
    cookies = auth["login"]["cookies"] if auth["login"] else []
    return [problem for cookie in cookies for problem in cookie["problems"]]


_OF_COOKIES = {
    "domain": "its Domain is not the host that sets it",
    "route_domain": "its Domain does not reach the host of the route",
    "secure": "it is Secure and set over plain HTTP",
    "same_site": "SameSite=None needs Secure",
    "prefix": "its name promises what its attributes do not keep",
    "path": "its Path does not reach the route",
    "ended": "it has ended already",
    "missing": "it is not set at all",
}


def cookie_in_words(auth: Row) -> str:
    """Each cookie with what is wrong with it."""
    cookies = auth["login"]["cookies"] if auth["login"] else []
    said = [
        f"{one['name']} (Domain {one['domain'] or 'not given'}): {', '.join(_OF_COOKIES[problem] for problem in one['problems'])}"
        for one in cookies
        if one["problems"]
    ]
    return "; ".join(said)


def cookie_advice(began: str) -> str:
    """What to do about a cookie that no deployment is shown to have changed."""
    if began == "with the deployment":
        return "It began with the last deployment. Set the cookie's attributes right, or run rollback with rollback_to."
    return "Set the cookie's attributes right in the settings of the application, or those of what stands before it and takes TLS off."


def fresh_refused(login_state: str, route_state: str, cookie_problems: Sequence[str]) -> bool:
    """Whether what the canary was just given is refused, though a browser would send it."""
    return login_state == "in" and route_state == "refused" and not cookie_problems


# The token, and the keys of the identity provider.


def token_kind(auth: Row) -> str:
    """What kind of token the canary got; ``none`` where it got none."""
    return str(auth["token"]["kind"]) if auth["token"] else "none"


def provider_errors(auth: Row) -> list[str]:
    """What keeps the identity provider's documents away; ``empty`` where there are no keys in them."""
    parts = [auth["discovery"], auth["published"]]
    found = [str(part["error"]) for part in parts if part and not part["available"]]
    # Keys that nobody asked for are no second trouble.
    if len(found) > 1:
        found = [one for one in found if one != "not_asked"]
    if auth["published"] and auth["published"]["available"] and not auth["published"]["count"]:
        found.append("empty")
    return found


def provider_reason(auth: Row) -> str:
    """Why, in one line."""
    reasons = [str(part["reason"]) for part in (auth["discovery"], auth["published"]) if part and not part["available"]]
    return reasons[0] if reasons else "no key is published"


def provider_told(auth: Row) -> bool:
    """Whether the identity provider was asked, or there is none. That it did not answer is known as well."""
    return bool(auth["available"])


def provider_seen_or_none(auth: Row, has_provider: bool) -> bool:
    """Whether one of its documents was read, or there is no provider."""
    return not has_provider or any(part and part["available"] for part in (auth["discovery"], auth["published"]))


def discovery_told(auth: Row) -> bool:
    return not auth["discovery"] or bool(auth["discovery"]["available"])


def keys_told(auth: Row) -> bool:
    return not auth["published"] or bool(auth["published"]["available"])


def private_keys(auth: Row) -> list[str]:
    """Published keys that only their owner may have."""
    return [str(kid or "without a name") for kid in auth["published"]["private"]] if auth["published"] else []


def kids_in_words(auth: Row) -> str:
    """The published keys."""
    kids = [str(kid or "one without a name") for kid in auth["published"]["kids"]]
    more = auth["published"]["count"] - _TOLD
    return ", ".join(kids[:_TOLD]) + (f" and {more} more" if more > 0 else "") or "none"


def issuer_differs(auth: Row) -> bool:
    """Whether the discovery document or the token has another issuer than the inventory."""
    parts = [part["issuer_right"] for part in (auth["discovery"], auth["token"]) if part]
    return False in parts


def issuers_in_words(auth: Row) -> str:
    """Who says what of the issuer."""
    said = [
        f"{who} says {part['issuer'] or 'nothing'}"
        for who, part in (("the discovery document", auth["discovery"]), ("the token", auth["token"]))
        if part and part["issuer_right"] is False
    ]
    return "; ".join(said)


def ended_certificates(auth_failures_certificate_days: float, certificate: Row | None = None) -> list[Row]:
    """Certificates of the identity provider and of the login that have ended or end soon, each once."""
    rows = certificate["served"] if certificate else []
    return list({row["sha256"]: row for row in rows if row["days_left"] < auth_failures_certificate_days}.values())


# Clocks.


def clocks(auth: Row) -> list[dict[str, Any]]:
    """How far clocks are ahead of the one here, each as exactly as it is known."""
    found = []
    provider = next(
        (
            part
            for part in (auth["discovery"], auth["published"])
            if part and part.get("clock_ahead_seconds") is not None
        ),
        None,
    )
    for who, part in (("the application", auth["login"]), ("the identity provider", provider)):
        if part and part.get("clock_ahead_seconds") is not None:
            found.append(
                {
                    "of": who,
                    "ahead_seconds": part["clock_ahead_seconds"],
                    "within_seconds": part["clock_within_seconds"],
                }
            )
    issued = auth["token"]["issued_ahead_seconds"] if auth["token"] else None
    known = next((one for one in found if one["of"] == "the identity provider"), None)
    # When it was issued is what the clock of the issuer says. A server on the way may have another one, of which the header is; and a token
    # of before, which is kept and given again, shows nothing.
    if issued is not None and (
        known is None or issued > known["ahead_seconds"] + known["within_seconds"] + _ROUNDING_SECONDS
    ):
        found.append({"of": "what issues tokens", "ahead_seconds": issued, "within_seconds": _ROUNDING_SECONDS})
    return found


def off(clocks: Sequence[Row], auth_failures_clock_seconds: float) -> list[dict[str, Any]]:
    """Those that are off. Where all others agree, the clock here is the one."""
    far = [one for one in clocks if abs(one["ahead_seconds"]) - one["within_seconds"] > auth_failures_clock_seconds]
    others = [one["ahead_seconds"] for one in clocks]
    is_here = len(far) == len(clocks) > 1 and max(others) - min(others) <= auth_failures_clock_seconds
    if is_here:
        return [
            {"of": "where this looks from", "ahead_seconds": -others[0], "within_seconds": far[0]["within_seconds"]}
        ]
    return [dict(one) for one in far]


def off_in_words(off: Sequence[Row]) -> str:
    said = [
        f"that of {one['of']} is {_time(abs(one['ahead_seconds']))} {'ahead' if one['ahead_seconds'] > 0 else 'behind'}"
        for one in off
    ]
    return "; ".join(said)


def _time(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


# Who is refused.


def refused(auth: Row) -> int:
    """Requests of the window that were answered 401 or 403, but for the login's own."""
    requests = auth["requests"]
    return int(requests["unauthorized"] + requests["forbidden"]) if requests["available"] else 0


def enough(refused: int, auth_failures_min_refused: int) -> bool:
    """Whether so many are refused that it says something."""
    return refused >= auth_failures_min_refused


def ratio(auth: Row, refused: int) -> float:
    """The share of those requests that were refused, of routes that refuse somebody."""
    asked = refused + auth["requests"]["let_in"] if auth["requests"]["available"] else 0
    return refused / asked if asked else 0.0


def raised(enough: bool, ratio: float, auth_failures_refused_ratio: float) -> bool:
    """Whether more are refused than any day brings."""
    return enough and ratio >= auth_failures_refused_ratio


def over(
    auth: Row,
    login_state: str,
    route_state: str,
    auth_failures_min_refused: int,
    auth_failures_refused_ratio: float,
) -> bool:
    """Whether the canary gets in, and no more are refused than any day brings since the service was started. The log has those of before as well."""
    since = auth["requests"]["since_start"] if auth["requests"]["available"] else None
    if not since or (login_state, route_state) != ("in", "in"):
        return False
    share = since["refused"] / max(1, since["refused"] + since["let_in"])
    return bool(since["refused"] < auth_failures_min_refused or share < auth_failures_refused_ratio)


def everybody(auth: Row, auth_failures_min_clients: int, auth_failures_one_ratio: float) -> bool:
    """Whether it is all users, and not one of them."""
    requests = auth["requests"]
    if not requests["available"] or not requests["clients_told"]:
        return False
    # Who was let in before it began has both.
    clients = requests["clients_only_refused"] + requests["clients_let_in"]
    of_them = requests["clients_refused"]
    return bool(of_them >= auth_failures_min_clients and of_them >= auth_failures_one_ratio * clients)


def lone_client(
    auth: Row, refused: int, auth_failures_one_ratio: float, auth_failures_min_clients: int
) -> dict[str, Any]:
    """The client that has most refused requests, while others are let in; nothing where there is no such client.

    Behind a proxy all users look like one client, and what watches the health of the application like another: so few others show nothing.
    """
    requests = auth["requests"]
    if not requests["available"] or not requests["clients_told"] or not requests["top_clients"] or not refused:
        return {}
    top = requests["top_clients"][0]
    others_answered = requests["clients_answered"] - (1 if top["answered"] else 0)
    is_alone = top["refused"] >= auth_failures_one_ratio * refused and others_answered >= auth_failures_min_clients
    return dict(top) if is_alone else {}


def others_in_words(auth: Row, refused: int, lone_client: Row) -> str:
    requests = auth["requests"]
    return f"of {requests['clients'] - 1} others {requests['clients_refused'] - 1} were refused {refused - lone_client['refused']} times"


def lone_route(
    auth: Row,
    refused: int,
    lone_client: Row,
    login_state: str,
    route_state: str,
    canary_route: str,
    auth_failures_one_ratio: float,
    auth_failures_refused_ratio: float,
) -> dict[str, Any]:
    """The route that has most refused requests, while whoever is logged in gets in elsewhere; nothing where there is no such route.

    A 403 says itself that somebody is logged in and may not. A 401 does not: there a canary has to get in at another route, and so have most of
    those that this one refuses.
    """
    requests = auth["requests"]
    if not requests["available"] or not requests["routes"] or not refused or lone_client:
        return {}
    top = requests["routes"][0]
    of_route = top["unauthorized"] + top["forbidden"]
    if of_route < auth_failures_one_ratio * refused or of_route < auth_failures_refused_ratio * (
        of_route + top["let_in"]
    ):
        return {}
    if top["forbidden"] >= auth_failures_one_ratio * of_route:
        is_alone = route_state != "refused" and requests["answered"] > top["let_in"]
    else:
        gets_in = login_state == "in" and route_state == "in" and top["route"] != canary_route
        is_alone = gets_in and top["clients_in_elsewhere"] * 2 > top["clients_refused"]
    return dict(top) if is_alone else {}


def canary_route(system_auth: Row) -> str:
    """The route that the canary asks, as the log tells routes."""
    return route_of(str((system_auth.get("login") or {}).get("route") or "")) if system_auth else ""


def others_log_in(auth: Row) -> bool:
    """Whether somebody else than the canary was let in at the login."""
    return bool(auth["requests"]["available"] and auth["requests"]["logins"]["let_in"] > 0)


def logins_refused(
    auth: Row,
    login_state: str,
    route_state: str,
    auth_failures_min_refused: int,
    auth_failures_refused_ratio: float,
) -> dict[str, Any]:
    """The logins of the window, where most are refused though the canary gets in; nothing where that is not so."""
    requests = auth["requests"]
    if not requests["available"] or (login_state, route_state) != ("in", "in"):
        return {}
    logins = requests["logins"]
    is_so = logins["refused"] >= auth_failures_min_refused and logins["refused"] >= auth_failures_refused_ratio * (
        logins["refused"] + logins["let_in"]
    )
    return dict(logins) if is_so else {}


def in_words(auth: Row, refused: int) -> str:
    """How many are refused, in a few words."""
    requests = auth["requests"]
    if not requests["available"]:
        return f"who is refused is not known ({requests['reason']})"
    asked = refused + requests["let_in"]
    if not refused:
        return f"0 of {requests['requests']} requests refused within {requests['window_seconds']:.0f} s"
    clients = f", of {requests['clients_refused']} of {requests['clients']} clients" if requests["clients_told"] else ""
    said = f"{refused} of {asked} requests were refused ({requests['unauthorized']} with 401, {requests['forbidden']} with 403)"
    return f"{said} within {requests['window_seconds']:.0f} s{clients}"


def since_in_words(auth: Row, raised: bool, over: bool) -> str:
    """What is said of the time since the service was started, where that is why all is well."""
    if not raised or not over:
        return ""
    since = auth["requests"]["since_start"]
    return f"; {since['refused']} of {since['refused'] + since['let_in']} since it was started {_time(since['seconds'])} ago"


# When it began.


def began(
    auth: Row,
    deployed_lately: bool,
    deployed_age_seconds: float,
    refused: int,
    auth_failures_refused_ratio: float,
    auth_failures_onset_seconds: float,
    auth_failures_min_refused: int,
) -> str:
    """When refusals began: ``with the deployment``, ``before the deployment``, ``long after the deployment``, or nobody knows."""
    requests = auth["requests"]
    if not deployed_lately or not requests["available"] or not refused or requests["dated"] < requests["requests"]:
        return NOBODY_KNOWS
    # The minute in which it was deployed has both.
    before = [one for one in requests["minutes"] if one["minutes_ago"] * 60 > deployed_age_seconds]
    after = [one for one in requests["minutes"] if (one["minutes_ago"] + 1) * 60 <= deployed_age_seconds]
    first = [
        one for one in after if (one["minutes_ago"] + 1) * 60 > deployed_age_seconds - auth_failures_onset_seconds - 60
    ]
    if _asked(before) < auth_failures_min_refused or _asked(after) < auth_failures_min_refused or not _asked(first):
        return NOBODY_KNOWS
    if _share(before) >= auth_failures_refused_ratio / 2:
        return "before the deployment"
    if _share(first) >= auth_failures_refused_ratio and _share(after) >= auth_failures_refused_ratio:
        return "with the deployment"
    return "long after the deployment"


def _asked(minutes: Sequence[Row]) -> int:
    return sum(one["refused"] + one["let_in"] for one in minutes)


def _share(minutes: Sequence[Row]) -> float:
    asked = _asked(minutes)
    return sum(one["refused"] for one in minutes) / asked if asked else 0.0


def before_in_words(auth: Row, deployed_age_seconds: float) -> str:
    """The share of before the deployment."""
    before = [one for one in auth["requests"]["minutes"] if one["minutes_ago"] * 60 > deployed_age_seconds]
    return f"{100 * _share(before):.1f} % of {_asked(before)}"


# What logs say of tokens.


def said(auth: Row, auth_failures_token_errors: int) -> list[str]:
    """The kinds of refusals that the logs say so often that they count, and that the canary's own route said."""
    kinds = [one["kind"] for one in auth["token_errors"]["kinds"] if one["count"] >= auth_failures_token_errors]
    own = auth["login"]["route"]["kind"] if auth["login"] else None
    return list(dict.fromkeys([*([own] if own else []), *kinds]))


def said_of_fresh(auth: Row, said: Sequence[str], raised: bool) -> list[str]:
    """Why what the canary was just given is refused: by the answer itself where that says so, and by the logs where it does not.

    Lines of a log may be of tokens of others, such as those that somebody forges. A 403 is mostly said to somebody who is known and may not:
    lines count beside it where users are refused as well.
    """
    route = auth["login"]["route"] if auth["login"] else {}
    if route.get("kind"):
        return [str(route["kind"])]
    return list(said) if raised or route.get("status") != 403 else []


def fresh_in_words(auth: Row, counts_in_words: str) -> str:
    """Whether anything says why it is refused."""
    kind = auth["login"]["route"]["kind"] if auth["login"] else None
    if kind:
        return f"for its {kind.replace('_', ' ')}, as the answer says"
    if auth["token_errors"]["kinds"]:
        return f"and the answer does not say why; of tokens of anybody, the logs say {counts_in_words}"
    return "and nothing says why"


def says_keys(said: Sequence[str]) -> bool:
    """Whether tokens are refused for a key that is not known, or a signature."""
    return bool({"unknown_key", "signature"} & set(said))


def keys_refuse(said_of_fresh: Sequence[str]) -> bool:
    """Whether the canary's own token is refused for a key that is not known, or its signature."""
    return bool({"unknown_key", "signature"} & set(said_of_fresh))


def counts_in_words(auth: Row) -> str:
    """How often the logs say what."""
    words = [f"{one['count']} times {one['kind'].replace('_', ' ')}" for one in auth["token_errors"]["kinds"][:_TOLD]]
    return ", ".join(words) or "the logs say nothing"


def keys_said(auth: Row, counts_in_words: str) -> str:
    """How it is known that keys are the reason."""
    own = auth["login"]["route"]["kind"] if auth["login"] else None
    return f"its answer says {own.replace('_', ' ')}" if own else f"its log says so: {counts_in_words}"


def audience_in_words(auth: Row, said_of_fresh: Sequence[str], counts_in_words: str) -> str:
    """In what they differ."""
    token = auth["token"]
    if token and token["audience_right"] is False:
        return (
            f"the token is for {', '.join(token['audience']) or 'nobody'}, and not for what system_auth.audience says"
        )
    words = " and ".join(one for one in said_of_fresh if one in ("audience", "issuer", "algorithm"))
    return f"a token of a moment ago is refused for its {words} ({counts_in_words})"


# What keeps the sessions.


def session_up(session: Row) -> bool | None:
    """Whether it runs; None where that is not known."""
    if not session:
        return None
    if not session["available"]:
        return None
    return bool(session["state"] == "running" and session["health"] not in ("unhealthy",))


def session_uptime_seconds(session: Row) -> float:
    return (
        float(session["uptime_seconds"])
        if session and session["available"] and session["uptime_seconds"] is not None
        else -1.0
    )


def session_is_new(auth: Row, session_uptime_seconds: float) -> bool:
    """Whether it was started within the window, so that sessions of before may be gone."""
    return bool(auth["requests"]["available"]) and 0 <= session_uptime_seconds < auth["requests"]["window_seconds"]
