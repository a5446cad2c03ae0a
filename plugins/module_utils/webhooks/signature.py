# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of a payment provider's events: ``t=SECONDS,v1=HEX``, HMAC-SHA256 of ``SECONDS.BODY`` with the whole secret. Pure."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "Stripe-Signature"
# Older signatures than this are refused, so that nobody can send an event again later.
TOLERANCE_SECONDS = 300


def header(secret, at_seconds, body):
    """The value of the header that proves where a body comes from.

    Args:
        secret: of the endpoint, with its prefix.
        at_seconds: when it is sent, in seconds since 1970.
        body: bytes.
    """
    at_seconds = int(at_seconds)
    signed = f"{at_seconds}.".encode() + body
    return f"t={at_seconds},v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"
