# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an endpoint takes events that are signed right, and no others: it is sent an event of our own that its handler ignores."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter

from ..deadline import DeadlineExceeded
from ..net.bounded_http import FetchError, fetch
from .hidden import shown, shown_url
from .provider import clock_offset_seconds
from .signature import HEADER, header

_MAX_BYTES = 64 * 1024
_EXCERPT_CHARACTERS = 120
# What handlers answer to a signature that is wrong.
REFUSED = (400, 401, 403)
# So far in the future a signature is right for a clock that is ahead, and for no wrong secret.
_AHEAD_SECONDS = 86400
# From here on a clock is another one, and not only read from whole seconds.
_OTHER_CLOCK_SECONDS = 60
# So often more the same is sent: of several replicas, one may answer otherwise.
_AGAIN, _AGAIN_SECONDS = 4, 2.0


def send(webhook, body, secret, at_seconds, timeout_seconds):
    """Send an event to the endpoint as the provider does.

    Args:
        webhook: as :data:`spec.WEBHOOK` says.
        body: bytes.
        secret: to sign with.
        at_seconds: the provider's time, in seconds since 1970.
        timeout_seconds: for the whole answer.

    Returns:
        A dict ``status`` (None where none came), ``seconds``, ``error`` (as :class:`net.bounded_http.FetchError` has it, or empty),
        ``connected``, ``reason`` (one line) and ``clock_offset_seconds``.
    """
    url = webhook["url"]
    began = time.time()
    counted = time.monotonic()
    headers = {"Content-Type": "application/json; charset=utf-8", HEADER: header(secret, at_seconds, body)}
    found = {"status": None, "error": "", "connected": True, "reason": "", "clock_offset_seconds": None}
    try:
        # A redirect is no delivery for the provider either.
        status, answered, content = fetch(url, timeout_seconds, _MAX_BYTES, headers=headers, body=body, redirects=False)
    except FetchError as error:
        reason = shown(webhook, str(error))
        found.update(error=error.kind, connected=error.connected, reason=reason)
    else:
        excerpt = shown(webhook, content[:2000].decode("utf-8", "replace"), _EXCERPT_CHARACTERS)
        found.update(
            status=status,
            reason=f"POST {shown_url(webhook, url)} answers {status}" + (f": {excerpt}" if excerpt else ""),
            clock_offset_seconds=clock_offset_seconds(answered.get("date", ""), began, time.time()),
        )
    return dict(found, seconds=round(time.monotonic() - counted, 3))


def probe(webhook, probe_type, answer_seconds, provider_offset_seconds, deadline):
    """Send the endpoint an event of our own: signed with each secret until one is right, signed wrong, and signed right some more times. Where
    no secret is right, also signed for tomorrow and for the endpoint's own clock.

    Args:
        webhook: as :data:`spec.WEBHOOK` says.
        probe_type: of the event; the handler must ignore it.
        answer_seconds: for how long an answer may take.
        provider_offset_seconds: how far the provider's clock, which signs its events, is before ours; None where not known.
        deadline: for everything.

    Returns:
        What is documented as ``endpoint`` in the module ``webhook_info``.
    """
    sender = _Sender(webhook, probe_type, answer_seconds, provider_offset_seconds, deadline)
    signed = []
    for number, secret in enumerate(webhook["secrets"], 1):
        signed.append(dict(sender.send(secret), secret=number))
        if signed[-1]["status"] not in REFUSED:
            break
    last = signed[-1]
    forged = tomorrow = None
    again = []
    if last["status"] is not None:
        forged = sender.send(f"whsec_{uuid.uuid4().hex}")
        tried = [last] if last["status"] not in REFUSED else signed
        again = [one for before in tried for one in _again(sender, webhook, before)]
    if last["status"] in REFUSED and forged["status"] in REFUSED and not any(map(_is_taken, again)):
        tomorrow = [
            sender.send(secret, ahead)
            for secret in webhook["secrets"]
            for ahead in _other_clocks(last, provider_offset_seconds)
        ]
    return told(webhook, last, forged, tomorrow, provider_offset_seconds, [*signed, *again])


def _again(sender, webhook, before):
    """What comes of the same some more times; no more after one without an answer, nor of an endpoint that is slow."""
    found = [before]
    while len(found) <= _AGAIN and found[-1]["status"] is not None and _seconds(found) < _AGAIN_SECONDS:
        found.append(dict(sender.send(webhook["secrets"][before["secret"] - 1]), secret=before["secret"]))
    return [one for one in found[1:] if one["error"] != "not_sent"]


def _seconds(answers):
    return sum(one["seconds"] for one in answers)


def _other_clocks(last, provider_offset_seconds):
    """By how much the endpoint's clock may be before the provider's: libraries differ in whether a signature may be from the future."""
    own = (last["clock_offset_seconds"] or 0.0) - (provider_offset_seconds or 0.0)
    return [_AHEAD_SECONDS, *([own] if abs(own) >= _OTHER_CLOCK_SECONDS else [])]


def told(webhook, last, forged, tomorrow, provider_offset_seconds, signed=()):
    """What the answers of an endpoint say. Pure.

    Args:
        webhook: as :data:`spec.WEBHOOK` says.
        last: of :func:`send`, to the last event that was signed with a ``secret``, whose number it has.
        forged: of :func:`send`, to one that was signed wrong; None where none was sent.
        tomorrow: of :func:`send`, to those that were dated a day ahead or by its own clock; None where none was sent.
        provider_offset_seconds: as for :func:`probe`.
        signed: of :func:`send`, to all that were signed with a ``secret``, whose number each has.
    """
    offset = last["clock_offset_seconds"]
    answers = [(one["secret"], _in_a_word(one)) for one in signed or [last]]
    return {
        # Refused, reset or silent is an answer; what never got there may be trouble of this side.
        "available": last["status"] is not None or last["connected"] or last["error"] == "refused",
        "url": shown_url(webhook, webhook["url"]),
        "status": last["status"],
        "error": last["error"],
        "connected": last["connected"],
        "reason": last["reason"],
        "seconds": last["seconds"],
        "right_secret": last["secret"] if _is_taken(last) else None,
        "secrets": len(webhook["secrets"]),
        # The same secret is right or wrong, whoever answers.
        "alike": len({secret for secret, _word in answers}) == len({*answers}),
        "answers": dict(Counter(word for _secret, word in answers)),
        "takes_forged": None if forged is None or forged["status"] is None else _is_taken(forged),
        "forged_status": forged["status"] if forged else None,
        "takes_tomorrow": any(_is_taken(one) for one in tomorrow) if tomorrow else None,
        "clock_offset_seconds": None if offset is None else round(offset - (provider_offset_seconds or 0.0), 1),
        "clock_of": "this machine" if provider_offset_seconds is None else "the provider",
    }


def _in_a_word(answer):
    return str(answer["status"] or answer["error"])


def _is_taken(answer):
    return answer["status"] is not None and 200 <= answer["status"] < 300


class _Sender:
    def __init__(self, webhook, probe_type, answer_seconds, provider_offset_seconds, deadline):
        self._webhook, self._kind, self._seconds = webhook, probe_type, answer_seconds
        self._offset = provider_offset_seconds or 0.0
        self._deadline = deadline

    def send(self, secret, ahead_seconds=0):
        now = time.time() + self._offset
        body = json.dumps(
            {
                "id": f"evt_oncall_{uuid.uuid4().hex}",
                "object": "event",
                "api_version": None,
                "created": int(now),
                "type": self._kind,
                "livemode": self._webhook["livemode"],
                "pending_webhooks": 0,
                "request": {"id": None, "idempotency_key": None},
                "data": {"object": {"object": "oncall_probe"}},
            }
        ).encode()
        try:
            seconds = min(self._seconds, self._deadline.remaining_seconds())
        except DeadlineExceeded as error:
            return {
                "status": None,
                "error": "not_sent",
                "connected": False,
                "reason": str(error),
                "seconds": 0.0,
                "clock_offset_seconds": None,
            }
        return send(self._webhook, body, secret, now + ahead_seconds, seconds)
