# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches status pages, without reading them."""

from __future__ import annotations

import re

from .documents import fetched, request_of, secrets_of

KINDS = ("statuspage", "better_stack", "instatus", "jmespath")
# Below the page's own URL, for each kind; Instatus has components and incidents in two documents.
_PATHS = {
    "statuspage": ("/api/v2/summary.json",),
    "better_stack": ("/index.json",),
    "instatus": ("/v3/components.json", "/summary.json"),
}


def observe(params):
    """Ask all status pages at once.

    Args:
        params: see ``observers.status_page.SPEC``.

    Returns:
        A dict ``pages``: for each, by name, what :func:`.documents.fetched` tells of its documents, in a list.

    Raises:
        ValueError: a page is described in a way that cannot be used.
    """
    if not params["timeout_seconds"] > 0:
        raise ValueError("timeout_seconds must be above 0")
    given = {str(name): one for name, one in params["pages"].items()}
    asked = {name: _requests(f"system_status_pages.{name}", one) for name, one in given.items()}
    requests = [(request, secrets_of(given[name])) for name, many in asked.items() for request in many]
    answers = iter(fetched(requests, params["timeout_seconds"]))
    return {"pages": {name: [next(answers) for _request in many] for name, many in asked.items()}}


def _requests(place, given):
    kind = given.get("kind") if isinstance(given, dict) else None
    if kind not in KINDS:
        raise ValueError(f"{place}.kind: must be one of {', '.join(KINDS)}")
    # Here ``status`` is an expression, and not what HTTP answers.
    first = request_of(place, {key: value for key, value in given.items() if key != "status"})
    return [dict(first, url=url) for url in urls_of(kind, first["url"])]


def urls_of(kind, url):
    """The documents of a page: below its URL, or where the URL itself names one."""
    if kind == "jmespath":
        return [url]
    if url.endswith(".json"):
        # The page itself, without the document.
        page = re.sub(r"(?:/v\d+)?/[^/]*\Z", "", url)
        return [url, *(page + path for path in _PATHS[kind][1:])]
    return [url.rstrip("/") + path for path in _PATHS[kind]]
