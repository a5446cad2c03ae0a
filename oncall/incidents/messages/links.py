# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links in messages that act by one tap. Signed, for one person, one incident and one thing, and for a while. Pure.

Scanners of mail follow links: looking at one (GET, HEAD) changes nothing and shows a page with a button; only that button (POST) acts.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from ...errors import OncallError

ACTIONS = ("acknowledge", "approve", "reject")
MOST_SECONDS = 7 * 86400.0
MOST_CHARACTERS = 2000
LEAST_KEY_BYTES = 32
# What is signed with the same key for another purpose is no link.
_PURPOSE = b"oncall incident link 1\x00"


class LinkError(OncallError):
    """This link does nothing; the message is one line for the person who followed it."""


@dataclass(frozen=True)
class Link:
    """What a link allows.

    Attributes:
        incident: its id.
        action: one of :data:`ACTIONS`.
        who: the person to whom it was sent, under whose name it acts.
        message: the id of the message that carries it; it acts once.
        expires_at: from then on it does nothing.
        plan: the hash of the plan that is decided on; "" for an acknowledgement.
    """

    incident: str
    action: str
    who: str
    message: str
    expires_at: float
    plan: str = ""


@dataclass(frozen=True)
class Key:
    """A secret, and the short name that says which one it is, so that keys can be replaced while links of the last one are out."""

    name: str
    secret: bytes


def signed(link: Link, key: Key, now: float) -> str:
    """The part of an address that is the link.

    Raises:
        LinkError: it is not one that may be made.
    """
    if link.action not in ACTIONS:
        raise LinkError(f"a link cannot {link.action[:40]!r}; it can {', '.join(ACTIONS)}")
    if (link.action == "acknowledge") == bool(link.plan):
        raise LinkError("a link that decides on a plan names its hash, and no other does")
    if not link.who or not link.incident or not link.message:
        raise LinkError("a link is for one person, one incident and one message")
    if not (math.isfinite(link.expires_at) and now < link.expires_at <= now + MOST_SECONDS):
        raise LinkError(f"a link has to expire within {MOST_SECONDS / 86400:g} days")
    if len(key.secret) < LEAST_KEY_BYTES:
        raise LinkError(f"the key for links needs {LEAST_KEY_BYTES} bytes or more")
    payload = _encoded(json.dumps(asdict(link), separators=(",", ":"), sort_keys=True).encode())
    token = f"{key.name}.{payload}.{_encoded(_signature(key, payload))}"
    if len(token) > MOST_CHARACTERS:
        raise LinkError("the link is too long")
    return token


def read(token: str, keys: Sequence[Key], now: float) -> Link:
    """What a link allows.

    Raises:
        LinkError: it was not made here, was changed, or has expired.
    """
    parts = token.split(".") if len(token) <= MOST_CHARACTERS and token.isascii() else []
    key = next((one for one in keys if len(parts) == 3 and one.name == parts[0]), None)
    if key is None or not hmac.compare_digest(_encoded(_signature(key, parts[1])), parts[2]):
        raise LinkError(
            "this link is none of ours, or it was changed on its way; open the incident on the page instead"
        )
    link = _link(_decoded(parts[1]))
    if not now < link.expires_at:
        raise LinkError("this link has expired; open the incident on the page instead")
    return link


def followed(method: str, link: Link, used: Collection[str]) -> Literal["look", "act", "used"]:
    """What following a link does: only ``act`` changes anything.

    Args:
        method: of the request.
        link: as :func:`read` gives it.
        used: :func:`use_of` of the links that have acted.

    Raises:
        LinkError: it is followed in no way that a browser has.
    """
    if method not in ("GET", "HEAD", "POST"):
        raise LinkError("a link is opened, and its button pressed; nothing else")
    if use_of(link) in used:
        return "used"
    return "act" if method == "POST" else "look"


def use_of(link: Link) -> str:
    """What is kept when it has acted. Approving and rejecting by one message is one use: the first counts."""
    return f"{link.message}/{'decide' if link.plan else link.action}"


def _signature(key: Key, payload: str) -> bytes:
    return hmac.new(key.secret, _PURPOSE + key.name.encode() + b"\x00" + payload.encode(), hashlib.sha256).digest()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, binascii.Error):
        found = None
    return found if isinstance(found, dict) else {}


def _link(said: Mapping[str, Any]) -> Link:
    kinds = {one.name: float if one.name == "expires_at" else str for one in fields(Link)}
    if set(said) != set(kinds) or any(
        not isinstance(said[name], (kind, int) if kind is float else kind) for name, kind in kinds.items()
    ):
        raise LinkError("this link is of another version of this program; open the incident on the page instead")
    return Link(**said)
