# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an application takes the events of its payment provider: signed right, each once, and paid as they say."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

TOLERANCE_SECONDS = 300
WANTED = ("payment_intent.succeeded",)


class BadSignature(Exception):
    """It does not come from the provider, or not now."""


def verified(
    header: str, body: bytes, secrets: Sequence[str], clock: Callable[[], float] = time.time
) -> dict[str, Any]:
    """The event in a body that is signed with one of the secrets."""
    parts = [part.partition("=")[::2] for part in header.split(",")]
    moments = [value for name, value in parts if name == "t" and value.isdigit()]
    given = [value for name, value in parts if name == "v1"]
    if len(moments) != 1 or not given:
        raise BadSignature("no signature")
    signed = f"{moments[0]}.".encode() + body
    right = [hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets]
    if not any(hmac.compare_digest(one, other) for one in right for other in given):
        raise BadSignature("no signature of ours")
    # One of the future passes, as in the libraries of the provider.
    if int(moments[0]) < clock() - TOLERANCE_SECONDS:
        raise BadSignature("the signature is too old")
    event: dict[str, Any] = json.loads(body)
    return event


def take(connection: psycopg.Connection[Any], event: dict[str, Any]) -> bool:
    """Do what an event says, in one transaction and once; whether it was done now."""
    if event["type"] not in WANTED:
        return False
    with connection.transaction():
        new = connection.execute(
            "INSERT INTO payment_events (id, type) VALUES (%s, %s) ON CONFLICT DO NOTHING RETURNING id",
            [event["id"], event["type"]],
        ).fetchone()
        if new:
            paid = event["data"]["object"]
            connection.execute(
                "INSERT INTO payments VALUES (%s, %s, %s) ON CONFLICT (payment_id) DO UPDATE SET amount = EXCLUDED.amount",
                [paid["id"], paid["amount_received"], paid["currency"]],
            )
    return new is not None
