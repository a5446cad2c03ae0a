# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Alertmanager's webhook sends, read strictly. Whatever is in it stays data: no value is ever changed or interpreted.

The format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from ...inventory import is_address

# Of Ansible, which would take such a label for a variable of its own.
FORBIDDEN_LABELS = re.compile(r"(ansible_|__ansible_).*|meta", re.DOTALL)
MOST_ALERTS = 10_000
MOST_LABELS = 1000
MOST_TEXT = 16_384

# Not \d, which is every digit that any script has.
TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})\Z"
Text = Annotated[str, msgspec.Meta(max_length=MOST_TEXT)]
Texts = Annotated[dict[Text, Text], msgspec.Meta(max_length=MOST_LABELS)]
_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^\[\]:]*))(?::(?P<port>[0-9]{1,5}))?")


class Refused(Exception):
    """The notification, or one alert of it, cannot be taken; the message says what is wrong with it."""


class Alert(msgspec.Struct, frozen=True, rename="camel"):
    """One alert, of the fields that are used.

    Attributes:
        fingerprint: Alertmanager's hash of the labels, the same on all of its nodes.
        starts_at: RFC 3339, when the episode began.
    """

    status: Literal["firing", "resolved"]
    labels: Texts
    starts_at: Annotated[str, msgspec.Meta(pattern=TIME)]
    fingerprint: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{1,64}\Z")]
    annotations: Texts = {}


class _Notification(msgspec.Struct):
    alerts: Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_ALERTS)]
    version: Literal["4"] = "4"


class Bad(msgspec.Struct, frozen=True):
    """An alert that cannot be read.

    Attributes:
        reason: what is wrong with it.
        text: the beginning of it.
    """

    reason: str
    text: str


class Kept(msgspec.Struct):
    """A notification as it is kept until it is sorted."""

    alerts: list[Alert]
    bad: list[Bad]


_notification = msgspec.json.Decoder(_Notification)
_kept = msgspec.json.Decoder(Kept)
_alert = msgspec.json.Decoder(Alert)


def read(body: bytes) -> tuple[list[Alert], list[Bad]]:
    """The alerts of a notification, and those that cannot be read: one bad alert does not cost the others.

    Raises:
        Refused: it is no notification at all.
    """
    try:
        notification = _notification.decode(body)
    except (ValueError, RecursionError) as error:
        raise Refused(f"this is no notification of Alertmanager's webhook: {_why(error)}") from None
    good: list[Alert] = []
    bad: list[Bad] = []
    for raw in notification.alerts:
        try:
            alert = _alert.decode(raw)
            _instant(alert.starts_at)
            good.append(_clean(alert))
        except (ValueError, RecursionError) as error:
            bad.append(Bad(_why(error), bytes(raw)[:2000].decode("utf-8", "replace")))
    return good, bad


def kept(body: bytes) -> Kept:
    """What was kept, as it is read again."""
    return _kept.decode(body)


def _clean(alert: Alert) -> Alert:
    if not any(map(FORBIDDEN_LABELS.fullmatch, (*alert.labels, *alert.annotations))):
        return alert
    kept: dict[str, Any] = {
        field: {k: v for k, v in getattr(alert, field).items() if not FORBIDDEN_LABELS.fullmatch(k)}
        for field in ("labels", "annotations")
    }
    return msgspec.structs.replace(alert, **kept)


def _why(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)[:300]


def host_of(instance: str) -> str:
    """The host that an ``instance`` names, with or without a port, IPv6 in brackets; "" where it names none."""
    if is_address(instance):
        return instance
    found = _HOST_PORT.fullmatch(instance)
    if not found or (found["port"] and int(found["port"]) > 65535):
        return ""
    if found["v6"] is not None:
        return found["v6"] if is_address(found["v6"]) else ""
    return found["host"]


def _instant(written: str) -> str:
    """The same text for the same instant: every Alertmanager writes the time of its own zone."""
    seconds, fraction, zone = re.fullmatch(r"(.{19})(?:\.(\d+))?(.+)", written).groups()  # type: ignore[union-attr]
    moment = datetime.fromisoformat(seconds + zone.replace("Z", "+00:00"))
    return f"{int(moment.timestamp())}.{(fraction or '').ljust(9, '0')}"


def episode_id(alert: Alert, runbook: str, host: str) -> str:
    """Names the episode: the same for every notification of it, from any sender."""
    # With lengths before them, so that no two of these can be read as two others.
    parts = (alert.fingerprint, _instant(alert.starts_at), runbook, host)
    whole = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:20]
