# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Alertmanager's webhook sends, and Grafana's, read strictly. Whatever is in it stays data: no value is ever changed or
interpreted.

The formats: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config, and "Webhook notifier" in the
documentation of Grafana Alerting.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from ...inventory import is_address
from .bounds import excess

# Of Ansible, which would take such a label for a variable of its own.
FORBIDDEN_LABELS = re.compile(r"(ansible_|__ansible_).*|meta", re.DOTALL)
# The version of a notification. In Grafana's, an alert has the same fields and some more, and there is an orgId.
ALERTMANAGER, GRAFANA = "4", "1"
MOST_ALERTS = 10_000
MOST_LABELS = 1000
MOST_TEXT = 16_384

# Of a notification, and of one alert, whatever is in them.
MOST_VALUES = 2_000_000
MOST_VALUES_OF_ALERT = 2 * MOST_LABELS + 2000
# Of a name and its text. An alert is not put aside for a long text that is cut or not read: it only must not become large.
MOST_BYTES_OF_TEXTS = 2 * 1024 * 1024
MOST_LOOKED_INTO = 1024 * 1024
MOST_VALUES_LOOKED_INTO = 20_000
MOST_LEFT_OUT = 10**9
SHOWN_OF_A_GROUP = 300

RULER = (
    "it is a list of alerts, as Prometheus, vmalert and Grafana send it to the API of an Alertmanager: send it to an Alertmanager,"
    " and name this address in its webhook_configs"
)
_LEGACY = (
    "it is of Grafana's legacy alerting, whose alerts have no labels: use Grafana Alerting with a contact point of the type"
    " Webhook, or an Alertmanager"
)
_OTHER_RECEIVER = (
    "it is made for a chat or a pager: use webhook_configs of Alertmanager, or a contact point of Grafana of the type Webhook"
    " without a payload of your own"
)
# What messages of other programs have, and Alertmanager's have not; where all keys are there, this is what to say.
FOREIGN: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"evalMatches"}), _LEGACY),
    (frozenset({"ruleId", "ruleName"}), _LEGACY),
    (frozenset({"ruleName", "ruleUrl"}), _LEGACY),
    (
        frozenset({"status", "data"}),
        "it is an answer of an API, as of Prometheus or Alertmanager, and no notification: name this address in webhook_configs",
    ),
    (
        frozenset({"Type", "TopicArn"}),
        "it is of Amazon SNS: use webhook_configs of Alertmanager, or a contact point of Grafana of the type Webhook",
    ),
    (frozenset({"text"}), _OTHER_RECEIVER),
    (frozenset({"attachments"}), _OTHER_RECEIVER),
    (frozenset({"blocks"}), _OTHER_RECEIVER),
    (frozenset({"embeds"}), _OTHER_RECEIVER),
    (frozenset({"@type", "@context"}), _OTHER_RECEIVER),
    (frozenset({"routing_key", "event_action"}), _OTHER_RECEIVER),
    (frozenset({"service_key", "event_type"}), _OTHER_RECEIVER),
)

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


NOTHING = msgspec.Raw(b"")


class _Notification(msgspec.Struct, rename="camel"):
    # What is Raw may be anything: it costs no alert, and becomes nothing before it is known how much that would be.
    alerts: msgspec.Raw
    version: msgspec.Raw = msgspec.Raw(b'"4"')
    truncated_alerts: msgspec.Raw = NOTHING
    receiver: msgspec.Raw = NOTHING
    group_key: msgspec.Raw = NOTHING
    org_id: msgspec.Raw = NOTHING


class Bad(msgspec.Struct, frozen=True):
    """An alert that cannot be read.

    Attributes:
        reason: what is wrong with it.
        text: the beginning of it.
    """

    reason: str
    text: str


class LeftOut(msgspec.Struct, frozen=True):
    """What the sender says that it left out of a notification.

    Attributes:
        alerts: how many; 0 where it says so in a way that cannot be read.
        receiver: the name of the receiver there.
        group: the key of the group.
    """

    alerts: int
    receiver: str = ""
    group: str = ""


class Kept(msgspec.Struct):
    """A notification as it is kept until it is sorted."""

    # As JSON: all at once they would take seven times the room.
    alerts: list[msgspec.Raw]
    bad: list[Bad]
    left_out: LeftOut | None = None

    def each(self) -> Iterator[Alert]:
        """Its alerts, one after the other."""
        return map(_alert.decode, self.alerts)


_notification = msgspec.json.Decoder(_Notification)
_alerts = msgspec.json.Decoder(list[msgspec.Raw])
_kept = msgspec.json.Decoder(Kept)
_alert = msgspec.json.Decoder(Alert)


def read(body: bytes | bytearray) -> Kept:
    """The alerts of a notification, and those that cannot be read: one bad alert does not cost the others.

    Raises:
        Refused: it is no notification at all.
    """
    try:
        notification = _notification.decode(body)
        if body.count(b",") >= MOST_ALERTS and (why := excess(notification.alerts, MOST_ALERTS, MOST_VALUES)):
            raise Refused(f"this is no notification of Alertmanager's webhook: {why}")
        alerts = _alerts.decode(notification.alerts)
    except (ValueError, RecursionError) as error:
        raise Refused(f"this is no notification of Alertmanager's webhook: {_foreign(body) or _why(error)}") from None
    version = _plain(notification.version)
    if version != ALERTMANAGER and not (version == GRAFANA and notification.org_id):
        raise Refused(
            f"this is no notification of Alertmanager's webhook: its version is {str(version)[:20]!r}; "
            f'Alertmanager\'s is "{ALERTMANAGER}", and "{GRAFANA}" with an orgId is Grafana\'s'
        )
    good: list[msgspec.Raw] = []
    bad: list[Bad] = []
    for raw in alerts:
        try:
            good.append(msgspec.Raw(msgspec.json.encode(_one(raw))))
        except (Refused, ValueError, RecursionError) as error:
            bad.append(Bad(_why(error), bytes(memoryview(raw)[:2000]).decode("utf-8", "replace")))
    return Kept(good, bad, _left_out(notification))


def _one(raw: msgspec.Raw) -> Alert:
    # A shorter one cannot have so many.
    if len(raw) > 2 * MOST_VALUES_OF_ALERT and (
        why := excess(raw, MOST_VALUES_OF_ALERT, MOST_VALUES_OF_ALERT, MOST_BYTES_OF_TEXTS)
    ):
        raise Refused(why)
    alert = _alert.decode(raw)
    _instant(alert.starts_at)
    return _clean(alert)


def _left_out(notification: _Notification) -> LeftOut | None:
    said = _plain(notification.truncated_alerts)
    if said in (None, 0, ""):
        return None
    count = said if isinstance(said, int) and not isinstance(said, bool) and said > 0 else 0
    receiver, group = _plain(notification.receiver), _plain(notification.group_key)
    return LeftOut(min(count, MOST_LEFT_OUT), *(str(text or "")[:SHOWN_OF_A_GROUP] for text in (receiver, group)))


def in_words(left_out: LeftOut) -> str:
    """What was left out, without its number where that cannot be read."""
    return f"{left_out.alerts or 'some'} alerts were left out"


def _plain(raw: msgspec.Raw) -> Any:
    """What it is; "?" where it is long."""
    try:
        return msgspec.json.decode(raw if len(raw) <= MOST_TEXT else b'"?"') if raw else None
    except (ValueError, RecursionError):
        return "?"


def _foreign(body: bytes | bytearray) -> str:
    """Which program sent the message, and what to configure instead; "" where that is not known."""
    if len(body) > MOST_LOOKED_INTO:
        return ""
    try:
        # Whether it is any JSON at all.
        msgspec.json.decode(body, type=msgspec.Raw)
        if body.count(b",") > MOST_VALUES_LOOKED_INTO or excess(body, MOST_VALUES_LOOKED_INTO, MOST_VALUES_LOOKED_INTO):
            return ""
        return sender_of(msgspec.json.decode(body))
    except (ValueError, RecursionError):
        return ""


def sender_of(document: Any) -> str:
    """Which program sends such messages, and what to configure instead; "" where that is not known."""
    if isinstance(document, list):
        if document and all(isinstance(one, dict) and isinstance(one.get("labels"), dict) for one in document):
            return RULER
        return ""
    if not isinstance(document, dict):
        return ""
    for keys, said in FOREIGN:
        if keys <= document.keys():
            return said
    return ""


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
