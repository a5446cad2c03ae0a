# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of requests to AWS (Signature Version 4). Pure.

By hand, as managed hosts have no botocore, and one GET needs nothing else of it: checked against the examples that AWS publishes.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


def signed(method, url, headers, body, at, region, service, access_key, secret_key):
    """The headers of a request, with ``x-amz-date`` and ``authorization`` added.

    Args:
        method: of HTTP.
        url: of the request, its path already quoted.
        headers: those to sign, besides ``host``.
        body: bytes.
        at: a datetime in UTC.
        region: such as ``eu-west-1``.
        service: the name under which it signs, such as ``ses``.
        access_key: public half of the credentials.
        secret_key: the other half, which is in nothing that is returned.
    """
    parts = urlsplit(url)
    date, moment = at.strftime("%Y%m%d"), at.strftime("%Y%m%dT%H%M%SZ")
    everything = {name.lower(): " ".join(str(value).split()) for name, value in headers.items()}
    everything.update({"host": parts.netloc.rpartition("@")[2], "x-amz-date": moment})
    names = ";".join(sorted(everything))
    canonical = "\n".join(
        (
            method,
            quote(parts.path or "/", safe="/-_.~%"),
            _query(parts.query),
            *(f"{name}:{everything[name]}" for name in sorted(everything)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{date}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = ("AWS4" + secret_key).encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    authorization = f"{_ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "x-amz-date": moment, "authorization": authorization}


def _query(text):
    pairs = sorted(
        (quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(text, keep_blank_values=True)
    )
    return "&".join(f"{name}={value}" for name, value in pairs)
