# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels: which there are, and what each is sent. Pure: a message comes in, the request comes out; :mod:`.sender` sends it.

Shapes are those of the services' own documents: PagerDuty's Events API v2, Opsgenie's Alert API v2, Statuspage's API v1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

import msgspec

from ...errors import OncallError
from ...shared import masked
from ..escalation.people import Directory
from ..escalation.policy import Line, PolicyError, Strict, Word, read
from .templates import KINDS, Rendered, apart
from .words import address, values_of

TELL = "incident_tell"
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[^\x00-\x20\x7f]*\Z")]
Kind = Literal["initial", "update", "resolution", "customers", "escalation"]
Action = Literal["trigger", "acknowledge", "resolve", "tell"]
INSIDE: tuple[Kind, ...] = ("initial", "update", "resolution", "escalation")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
_VALUE = re.compile(r"[\t -~]{0,4096}\Z")
# Those that say how a body travels are the sender's.
_OWN_HEADERS = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "expect", "upgrade", "te", "trailer"}
)
_MOST_LEAVES = 200


class ChannelError(OncallError):
    """A channel cannot send this; the message is one line."""


class Apprise(Strict, frozen=True, tag="apprise", tag_field="kind"):
    """Chat, mail, SMS or push: an address as apprise takes it, which is a secret."""

    address: Secret
    kinds: tuple[Kind, ...] = INSIDE


class PagerDuty(Strict, frozen=True, tag="pagerduty", tag_field="kind"):
    """An integration with Events API v2."""

    routing_key: Secret
    url: Secret = "https://events.pagerduty.com/v2/enqueue"
    kinds: tuple[Kind, ...] = INSIDE


class Responder(Strict, frozen=True):
    """Whom Opsgenie tells."""

    type: Literal["team", "user", "escalation", "schedule"]
    id: Line = ""
    name: Line = ""
    username: Line = ""


class Opsgenie(Strict, frozen=True, tag="opsgenie", tag_field="kind"):
    """An API integration; ``https://api.eu.opsgenie.com`` for accounts in the EU."""

    api_key: Secret
    url: Secret = "https://api.opsgenie.com"
    responders: tuple[Responder, ...] = ()
    tags: tuple[Line, ...] = ()
    kinds: tuple[Kind, ...] = INSIDE


class Statuspage(Strict, frozen=True, tag="statuspage", tag_field="kind"):
    """A status page for customers.

    Attributes:
        components: id -> its status while something is wrong.
        deliver_notifications: whether subscribers are told.
    """

    api_key: Secret
    page: Word
    url: Secret = "https://api.statuspage.io"
    components: dict[Word, Literal["degraded_performance", "partial_outage", "major_outage", "under_maintenance"]] = (
        msgspec.field(default_factory=dict)
    )
    deliver_notifications: bool = True
    kinds: tuple[Kind, ...] = ("customers",)


class Webhook(Strict, frozen=True, tag="webhook", tag_field="kind"):
    """Any other service, such as a ticket system: a body of its own.

    Attributes:
        body: data whose texts are templates, sent as JSON; without it, all there is.
        repeatable: whether the other side takes the same ``id`` twice as one.
    """

    url: Secret
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: Any = None
    repeatable: bool = False
    kinds: tuple[Kind, ...] = ("initial", "resolution")


Channel = Apprise | PagerDuty | Opsgenie | Statuspage | Webhook


class Tell(Strict, frozen=True):
    """Which channels there are, and which are used for each severity.

    Attributes:
        channels: name -> channel.
        by_severity: level -> names; a level that is not here has none.
    """

    channels: dict[Word, Channel] = msgspec.field(default_factory=dict)
    by_severity: dict[Word, tuple[Word, ...]] = msgspec.field(default_factory=dict)

    def of(self, severity: str, kind: str) -> tuple[str, ...]:
        """The channels by which a message of this kind goes out."""
        return tuple(name for name in self.by_severity.get(severity, ()) if kind in self.channels[name].kinds)

    def channel(self, reach: str) -> Channel:
        """The channel by which a person is reached: one of these by its name, or an address as apprise takes it.

        Raises:
            ChannelError: it is neither.
        """
        if found := self.channels.get(reach):
            return found
        if "://" in reach:
            return Apprise(reach)
        raise ChannelError(f"{masked(reach, 60)!r} is no channel of {TELL}, and no address")


@dataclass(frozen=True)
class Event:
    """What a message is about, besides its words.

    Attributes:
        id: of the message.
        incident: its id; ``number``: its short name.
        kind: of the template.
        action: what a pager makes of it.
        system: what is looked after.
        severity: its level; ``common``: critical, high, medium or low.
        state: of the incident.
        opened_at: when it began.
        who: who acknowledged or resolved; "" for none.
        runbook: the one that it is about; "" for none.
        page: an address of ours; "" for none.
        reference: what a status page calls it, from the answer to the first message; "" where it has none yet.
        values: what a webhook's templates may name.
    """

    id: str
    incident: str
    number: str
    kind: str
    action: Action
    system: str
    severity: str
    common: str
    state: str
    opened_at: float
    who: str = ""
    runbook: str = ""
    page: str = ""
    reference: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        method, url, headers, body: as they are sent.
        repeatable: whether the other side takes the same one twice as one, so that it may be sent again where nobody knows.
        proof: the key that a JSON answer of success has; "" where any answer of success will do.
        proof_value: what it has to be; "" for anything.
        reference: the key of the answer with what the other side calls it.
        trouble: why a team's own body is not used; "" where all is well.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    repeatable: bool
    proof: str = ""
    proof_value: str = ""
    reference: str = ""
    trouble: str = ""


@dataclass(frozen=True)
class Notify:
    """A message for apprise."""

    address: str = field(repr=False)
    subject: str
    body: str
    tone: Literal["info", "success", "warning", "failure"]
    repeatable: bool = False


def tell_of(variables: Mapping[str, Any], severities: Sequence[str]) -> Tell:
    """The channels that the variables of an inventory describe.

    Raises:
        PolicyError: what is wrong, in one line, without the secrets in it.
    """
    tell: Tell = read(variables.get(TELL) or {}, Tell, TELL)
    for severity, names in tell.by_severity.items():
        if severity not in severities:
            raise PolicyError(
                f"{TELL}.by_severity: there is no severity {severity!r} here; there are {', '.join(severities)}"
            )
        for name in names:
            if name not in tell.channels:
                raise PolicyError(
                    f"{TELL}.by_severity.{severity}: there is no channel {name!r}; there are {', '.join(tell.channels)}"
                )
    for name, channel in tell.channels.items():
        if trouble := _trouble(channel):
            raise PolicyError(f"{TELL}.channels.{name}: {trouble}")
    return tell


def unreachable(tell: Tell, people: Directory, roles: Iterable[str]) -> list[str]:
    """Who cannot be told by what the inventory says of them, a line each.

    Args:
        tell: the channels.
        people: contacts and people.
        roles: those that steps call; the others are never told.
    """
    lines = []
    ways = [(f"person {name!r}", reach) for name, person in people.people.items() for reach in person.reach]
    ways += [
        (f"contact {role!r}", people.contacts[role].reach) for role in dict.fromkeys(roles) if role in people.contacts
    ]
    for who, reach in ways:
        try:
            if reach:
                tell.channel(reach)
        except ChannelError as error:
            lines.append(f"{who} cannot be told: {error}")
    return lines


def _trouble(channel: Channel) -> str:
    if isinstance(channel, Apprise):
        return "" if "://" in channel.address else "its address is none; it begins like mailto:// or slack://"
    try:
        parts = urlsplit(channel.url)
        is_plain = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except ValueError:
        is_plain = False
    if not is_plain or not channel.url.isascii() or "#" in channel.url:
        return "its url is no address of http or https without a user"
    if isinstance(channel, Webhook):
        for header, value in channel.headers.items():
            if not _HEADER.match(header) or header.lower() in _OWN_HEADERS:
                return f"{header[:60]!r} is no header that a request may have"
            if not _VALUE.match(value):
                return f"the header {header} has a value that no header can have"
        if len(_leaves(channel.body)) > _MOST_LEAVES:
            return f"its body has more than {_MOST_LEAVES} texts"
    return ""


def build(channel: Channel, event: Event, words: Rendered) -> Call | Notify:
    """What is sent by a channel.

    Raises:
        ChannelError: this channel cannot say it.
    """
    if event.kind not in KINDS:
        raise ChannelError(f"there is no kind of message {event.kind[:60]!r}")
    if isinstance(channel, Apprise):
        tone = {"resolution": "success", "customers": "info"}.get(
            event.kind, "failure" if event.common in ("critical", "high") else "warning"
        )
        return Notify(channel.address, words.subject, words.body, tone)  # type: ignore[arg-type]
    if isinstance(channel, PagerDuty):
        return _pagerduty(channel, event, words)
    if isinstance(channel, Opsgenie):
        return _opsgenie(channel, event, words)
    if isinstance(channel, Statuspage):
        return _statuspage(channel, event, words)
    return _webhook(channel, event, words)


# ---------------------------------------------------------------------- PagerDuty, Events API v2
_PAGERDUTY = {"critical": "critical", "high": "error", "medium": "warning", "low": "info"}


def _pagerduty(channel: PagerDuty, event: Event, words: Rendered) -> Call:
    # The same key for all of an incident: a trigger that comes twice is one alert.
    body: dict[str, Any] = {
        "routing_key": channel.routing_key,
        "event_action": {"tell": "trigger"}.get(event.action, event.action),
        "dedup_key": _key(event),
    }
    if body["event_action"] == "trigger":
        body["payload"] = {
            "summary": _cut(words.subject, 1024),
            "source": _cut(event.system or "oncall", 255),
            "severity": _PAGERDUTY[event.common],
            "timestamp": datetime.fromtimestamp(event.opened_at, timezone.utc).isoformat(timespec="milliseconds"),
            "class": event.runbook or "incident",
            "custom_details": {
                "incident": event.number,
                "severity": event.severity,
                "state": event.state,
                "text": words.body,
            },
        }
        if event.page:
            body["links"] = [{"href": event.page, "text": event.number}]
            body["client_url"] = event.page
        body["client"] = "oncall"
    return _json(channel.url, body, {}, repeatable=True, proof="status", proof_value="success", reference="dedup_key")


# ---------------------------------------------------------------------- Opsgenie, Alert API v2
_OPSGENIE = {"critical": "P1", "high": "P2", "medium": "P3", "low": "P5"}


def _opsgenie(channel: Opsgenie, event: Event, words: Rendered) -> Call:
    base = f"{channel.url.rstrip('/')}/v2/alerts"
    headers = {"Authorization": f"GenieKey {channel.api_key}"}
    if event.action in ("acknowledge", "resolve"):
        verb = "acknowledge" if event.action == "acknowledge" else "close"
        note = {"source": "oncall", "user": _cut(event.who or "oncall", 100), "note": _cut(words.body, 25_000)}
        return _json(
            f"{base}/{quote(_key(event), safe='')}/{verb}?identifierType=alias",
            note,
            headers,
            repeatable=True,
            proof="requestId",
        )
    body: dict[str, Any] = {
        "message": _cut(words.subject, 130),
        "alias": _key(event),
        "description": _cut(words.body, 15_000),
        "priority": _OPSGENIE[event.common],
        "source": "oncall",
        "entity": _cut(event.system, 512),
        "tags": [_cut(tag, 50) for tag in (*channel.tags, event.severity)][:20],
        "details": {
            name: text
            for name, text in (
                ("incident", event.number),
                ("state", event.state),
                ("runbook", event.runbook),
                ("page", event.page),
            )
            if text
        },
    }
    if channel.responders:
        body["responders"] = [msgspec.to_builtins(one) for one in channel.responders]
    return _json(base, body, headers, repeatable=True, proof="requestId")


# ---------------------------------------------------------------------- Statuspage, API v1
_STATUSPAGE = {"critical": "critical", "high": "major", "medium": "minor", "low": "minor"}


def _statuspage(channel: Statuspage, event: Event, words: Rendered) -> Call:
    is_over = event.action == "resolve"
    base = f"{channel.url.rstrip('/')}/v1/pages/{quote(channel.page, safe='')}/incidents"
    incident: dict[str, Any] = {
        "status": "resolved" if is_over else _of_state(event.state),
        "body": words.body,
        "deliver_notifications": channel.deliver_notifications,
    }
    if channel.components:
        incident["components"] = (
            dict.fromkeys(channel.components, "operational") if is_over else dict(channel.components)
        )
    headers = {"Authorization": f"OAuth {channel.api_key}"}
    if event.reference:
        # A change that comes twice shows the same words twice.
        return _json(
            f"{base}/{quote(event.reference, safe='')}",
            {"incident": incident},
            headers,
            False,
            "id",
            reference="id",
            method="PATCH",
        )
    if is_over:
        raise ChannelError("the status page has no incident of ours that could be resolved")
    incident["name"] = _cut(words.subject, 250)
    incident["impact_override"] = _STATUSPAGE[event.common]
    if channel.components:
        incident["component_ids"] = list(channel.components)
    # It takes a second one as another incident, so that one of which nothing is known is not sent again.
    return _json(base, {"incident": incident}, headers, False, "id", reference="id")


def _of_state(state: str) -> str:
    return {"triggered": "investigating", "acknowledged": "investigating", "mitigated": "monitoring"}.get(
        state, "identified"
    )


# ---------------------------------------------------------------------- a webhook with a body of one's own
def _webhook(channel: Webhook, event: Event, words: Rendered) -> Call:
    known = {
        **values_of(event.values), "id": event.id, "incident_id": event.incident, "incident": event.number, "kind": event.kind, "action": event.action,
        "system": event.system, "severity": event.severity, "state": event.state, "subject": words.subject, "text": words.body, "page": address(event.page),
    }  # fmt: skip
    plain = (
        "id",
        "incident_id",
        "incident",
        "kind",
        "action",
        "system",
        "severity",
        "state",
        "subject",
        "text",
        "page",
    )
    body, trouble = {name: known[name] for name in plain}, ""
    if channel.body is not None:
        leaves = _leaves(channel.body)
        said, trouble = apart(leaves, known)
        if trouble:
            trouble = f"its own body is not used: {trouble}"
        else:
            body = _filled(channel.body, said, "body")
    call = _json(channel.url, body, dict(channel.headers), channel.repeatable, method=channel.method)
    return Call(**{**{name: getattr(call, name) for name in call.__dataclass_fields__}, "trouble": trouble})


def _leaves(value: Any, at: str = "body") -> dict[str, str]:
    if isinstance(value, str):
        return {at: value}
    found: dict[str, str] = {}
    for key, one in (
        value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    ):
        found |= _leaves(one, f"{at}.{key}" if isinstance(value, Mapping) else f"{at}[{key}]")
    return found


def _filled(value: Any, said: Mapping[str, str], at: str) -> Any:
    """The same data with its texts as they were rendered: what comes out of a template never becomes structure."""
    if isinstance(value, str):
        return said[at]
    if isinstance(value, Mapping):
        return {key: _filled(one, said, f"{at}.{key}") for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_filled(one, said, f"{at}[{number}]") for number, one in enumerate(value)]
    return value


def _key(event: Event) -> str:
    return f"oncall-{event.incident}"[:255]


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _json(
    url: str,
    body: Any,
    headers: dict[str, str],
    repeatable: bool,
    proof: str = "",
    proof_value: str = "",
    reference: str = "",
    method: str = "POST",
) -> Call:
    own = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "oncall"}
    given = {name.lower() for name in headers}
    sent = {name: value for name, value in own.items() if name.lower() not in given} | headers
    return Call(
        method, url, sent, json.dumps(body, ensure_ascii=False).encode(), repeatable, proof, proof_value, reference
    )
