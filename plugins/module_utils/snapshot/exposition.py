# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What metrics endpoints expose, as it is; or what a Prometheus server has of a stack, in the same text format."""

from __future__ import annotations

import json

from ..deadline import Deadline, DeadlineExceeded
from ..metrics.exposition import not_metrics_reason
from ..metrics.promql import selector
from ..net.bounded_http import FetchError, fetch, public_url
from ..text.masking import masked
from .parallel import each
from .text import kept

SPEC = {
    "endpoints": {"type": "dict", "default": {}},
    "prometheus": {"type": "dict"},
    "max_bytes": {"type": "int", "required": True},
    "timeout_seconds": {"type": "float", "default": 10.0},
}
_ACCEPT = {"accept": "text/plain;version=0.0.4, */*;q=0.1"}
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


def look(params):
    """Read them.

    Args:
        params: as in :data:`SPEC`.

    Returns:
        A dict ``available``, ``reason`` where there is none, ``files``, and ``limits``: a line for each that was not read.
    """
    deadline = Deadline(params["timeout_seconds"])
    asked = [(name, _of_endpoint, url) for name, url in params["endpoints"].items()]
    if params["prometheus"]:
        # It has what the endpoints expose.
        asked = [("prometheus", _of_server, params["prometheus"])]
    if not asked:
        reason = "system_endpoints and system_prometheus are empty: nothing says where the metrics are"
        return {"available": False, "reason": reason, "files": [], "limits": []}
    share = params["max_bytes"] // len(asked)
    files, limits = [], []
    answers = each(asked, lambda one: one[1](one[2], deadline), deadline)
    for (name, _read, _where), answer in zip(asked, answers):
        if isinstance(answer, (FetchError, ValueError, DeadlineExceeded)):
            limits.append(f"the metrics of {masked(name)} are not there: {masked(answer)}")
        elif isinstance(answer, Exception):
            limits.append(
                f"the metrics of {masked(name)} are not there: {masked(type(answer).__name__)}: {masked(answer)}"
            )
        else:
            source, body = answer
            text = kept(body[:share], is_cut=len(body) > share)
            files.append(dict(text, name=name, source=source, of_bytes=len(body), kept_bytes=min(len(body), share)))
    if not files:
        return {"available": False, "reason": limits[0], "files": [], "limits": limits[1:]}
    return {"available": True, "files": files, "limits": limits}


def _of_endpoint(url, deadline):
    status, _headers, body = fetch(url, deadline.remaining_seconds(), headers=_ACCEPT)
    what = None if status == 200 else f"answered {status} instead of 200"
    if what is None and not_metrics_reason(body):
        what = f"answered with {not_metrics_reason(body)}"
    if what:
        raise ValueError(f"GET {public_url(url)}: {what}; is this the address of the metrics?")
    return f"GET {public_url(url)}", body


def _of_server(prometheus, deadline):
    from urllib.parse import urlencode

    labels = prometheus.get("labels") or {}
    if not labels:
        raise ValueError(
            "system_prometheus.labels is empty: without them nothing says which of its series belong to this stack"
        )
    url = str(prometheus["url"]).rstrip("/") + "/api/v1/query"
    body = urlencode({"query": selector("", [(name, str(value)) for name, value in labels.items()])}).encode()
    status, _headers, answer = fetch(url, deadline.remaining_seconds(), headers=_FORM, body=body)
    try:
        rows = json.loads(answer)["data"]["result"]
        text = "".join(f"{_series(row['metric'])} {row['value'][1]}\n" for row in rows)
    except (ValueError, LookupError, TypeError):
        raise ValueError(
            f"POST {public_url(url)}: answered {status} with what is no result; is this a Prometheus server?"
        ) from None
    if not rows:
        raise ValueError(f"POST {public_url(url)}: it has no series with the labels of system_prometheus.labels")
    return f"POST {public_url(url)}", text.encode()


def _series(metric):
    """A series as the text format writes it."""
    labels = [
        f"{name}={json.dumps(str(value), ensure_ascii=False)}"
        for name, value in sorted(metric.items())
        if name != "__name__"
    ]
    return str(metric.get("__name__", "")) + (f"{{{','.join(labels)}}}" if labels else "")
