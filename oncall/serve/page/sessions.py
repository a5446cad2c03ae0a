# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions: who somebody is from one request to the next, in a cookie that is signed, expires, and hangs on what it was begun with.

The cookie is no secret of the database: it says who signed in how. It is signed with a key that all nodes share. Signing out is
remembered until the session would have been over.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from ..settings import Page
from ..store.opened import Opened
from .people import Person, Role

# Of the control table.
KEY, SIGNED_OUT = "page_key", "page_signed_out:"
KEY_BYTES = 32
AUDIENCE = "oncall page session"
# A cookie is made anew when this part of its time is over, and not with each request.
RENEWED_AFTER = 0.25


@dataclass(frozen=True)
class Session:
    """A session.

    Attributes:
        id: of it; sign-outs are kept by it.
        renewed: when the cookie was made; ends_at: when it is over, whatever happens.
    """

    id: str
    person: Person
    renewed: float
    ends_at: float


class Sessions:
    """The sessions of a service.

    Args:
        store: where the key is that all nodes share, and who signed out.
        page: the settings.
        still: (way, bound) -> the person as known now, for ways that can say so; None where nobody is known by it any more.
        clock: says what time it is.
    """

    def __init__(
        self,
        store: Opened,
        page: Page,
        still: Callable[[Person], Person | None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._page, self._still, self._clock = store, page, still, clock
        if store.control(KEY) is None:
            store.set_if_new(KEY, secrets.token_hex(KEY_BYTES))
        self._key = bytes.fromhex(store.control(KEY) or "")

    def key_for(self, purpose: str) -> bytes:
        """A key for one purpose alone."""
        return hmac.new(self._key, purpose.encode(), hashlib.sha256).digest()

    def begin(self, person: Person) -> str:
        """The cookie of somebody who has just shown who this is."""
        now = self._clock()
        return self._cookie(Session(secrets.token_hex(16), person, now, now + self._page.session_hours * 3600))

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie; None where it is over, was changed, or hangs on what is not there any more."""
        try:
            told: dict[str, Any] = jwt.decode(
                cookie,
                self.key_for("session"),
                algorithms=["HS256"],
                audience=AUDIENCE,
                options={
                    "require": ["sub", "sid", "way", "bound", "role", "end", "iat"],
                    "verify_exp": False,
                    "verify_iat": False,
                },
            )
            groups = tuple(map(str, told.get("groups", ())))
            person = Person(str(told["sub"]), Role(told["role"]), str(told["way"]), str(told["bound"]), groups)
            session = Session(str(told["sid"]), person, float(told["iat"]), float(told["end"]))
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None
        now = self._clock()
        # Made in the future: the clock was set back, and nobody knows how old it is.
        if not session.renewed - 60 <= now < min(session.ends_at, session.renewed + self._page.session_minutes * 60):
            return None
        now_known = self._still(person)
        if now_known is None or self._store.control(SIGNED_OUT + session.id) is not None:
            return None
        return Session(session.id, now_known, session.renewed, session.ends_at)

    def renewed(self, session: Session) -> str:
        """A new cookie for a session that goes on; "" where the old one is good for long enough."""
        now = self._clock()
        age = now - session.renewed
        if age < self._page.session_minutes * 60 * RENEWED_AFTER:
            return ""
        return self._cookie(Session(session.id, session.person, now, session.ends_at))

    def end(self, session: Session) -> None:
        """Somebody signs out: the cookie is worth nothing from now on, wherever it was copied to."""
        self._store.forget_controls(SIGNED_OUT, self._clock() - self._page.session_hours * 3600 - 3600)
        self._store.set(SIGNED_OUT + session.id, "")

    def csrf(self, session: str) -> str:
        """What each form of a session carries, and no other site can know."""
        return hmac.new(self.key_for("form"), session.encode(), hashlib.sha256).hexdigest()[:32]

    def is_csrf(self, session: str, told: str) -> bool:
        return hmac.compare_digest(self.csrf(session).encode(), told.encode("utf-8", "replace"))

    def _cookie(self, session: Session) -> str:
        told = {
            "aud": AUDIENCE,
            "sub": session.person.name,
            "role": int(session.person.role),
            "way": session.person.way,
            "bound": session.person.bound,
            "groups": session.person.groups,
            "sid": session.id,
            "iat": session.renewed,
            "end": session.ends_at,
        }
        return jwt.encode(told, self.key_for("session"), algorithm="HS256")
