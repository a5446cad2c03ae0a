# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a browser makes of a cookie that a login sets. Pure."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_MOST_COOKIES = 50
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}\Z")
_ADDRESS = re.compile(r"[0-9.]+\Z|.*:")


def cookies_of(header):
    """The cookies of an answer.

    Args:
        header: what :func:`net.bounded_http.fetch` gives as ``set-cookie``: one to a line.

    Returns:
        Dicts ``name``, ``value`` and ``attributes`` (lower case names, and texts).
    """
    found = []
    for line in header.split("\n")[:_MOST_COOKIES]:
        pair, _sign, rest = line.partition(";")
        name, sign, value = pair.strip().partition("=")
        if not sign or not _NAME.match(name.strip()):
            continue
        attributes = {}
        for part in rest.split(";"):
            key, _sign, text = part.strip().partition("=")
            attributes[key.strip().lower()] = text.strip()
        found.append({"name": name.strip(), "value": value.strip().strip('"'), "attributes": attributes})
    return found


def told(cookie, url, route, now_seconds):
    """What may be told of a cookie, and why a browser would not send it.

    Args:
        cookie: one of :func:`cookies_of`.
        url: that set it.
        route: that it is for; empty where that is not known.
        now_seconds: since 1970.

    Returns:
        A dict ``name``, ``domain`` (empty: the host alone), ``path``, ``secure``, ``same_site`` and ``problems``, each one of
        ``domain``, ``route_domain``, ``secure``, ``same_site``, ``prefix``, ``path`` and ``ended``.
    """
    attributes = cookie["attributes"]
    domain = attributes.get("domain", "").lstrip(".").lower()
    path = attributes.get("path", "") if attributes.get("path", "").startswith("/") else _default_path(url)
    secure, same_site = "secure" in attributes, attributes.get("samesite", "").lower()
    host, scheme = _place(url)
    problems = []
    if domain and not (_reaches(domain, host) and ("." in domain or domain == host)):
        problems.append("domain")
    elif route and not (_reaches(domain, _place(route)[0]) if domain else _place(route)[0] == host):
        problems.append("route_domain")
    # Browsers trust their own machine.
    if secure and scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        problems.append("secure")
    if same_site == "none" and not secure:
        problems.append("same_site")
    name = cookie["name"].lower()
    is_host_only = not attributes.get("domain") and attributes.get("path") == "/"
    if (name.startswith("__host-") and not (secure and is_host_only)) or (name.startswith("__secure-") and not secure):
        problems.append("prefix")
    if route and not _is_below(path, urlsplit(route).path or "/"):
        problems.append("path")
    if _has_ended(attributes, now_seconds):
        problems.append("ended")
    return {
        "name": cookie["name"],
        "domain": domain,
        "path": path,
        "secure": secure,
        "same_site": same_site,
        "problems": problems,
    }


def _place(url):
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.scheme.lower()


def _reaches(domain, host):
    return host == domain or (host.endswith("." + domain) and not _ADDRESS.match(host))


def _default_path(url):
    return (urlsplit(url).path or "/").rpartition("/")[0] or "/"


def _is_below(path, asked):
    return asked == path or asked.startswith(path if path.endswith("/") else path + "/")


def _has_ended(attributes, now_seconds):
    if "max-age" in attributes:
        return bool(re.match(r"-\d+\Z|0+\Z", attributes["max-age"]))
    if not attributes.get("expires"):
        return False
    from ..net.bounded_http import moment_in_header

    ends = moment_in_header(attributes["expires"])
    return ends is not None and ends <= now_seconds
