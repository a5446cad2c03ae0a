# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who somebody is, and what this person may do: by a token, by what a proxy says, or by OpenID Connect."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ...incidents.commands import PROGRAM
from ..intake.tokens import Known, Tokens
from ..settings import Page, Proxy

MOST_NAME = 100
# Of a token, so that a session of it can be told, and the token itself stands nowhere.
DIGEST_LENGTH = 32


class Role(IntEnum):
    """What somebody may do: each may do what those below may."""

    VIEWER = 1
    RESPONDER = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Person:
    """Somebody who is known.

    Attributes:
        name: under which everything stands in the timeline.
        way: ``token``, ``proxy``, ``openid`` or ``link``.
        bound: what the session hangs on, such as the digest of a token.
        groups: of those that have a role, the ones that this person was in at the sign-in.
    """

    name: str
    role: Role
    way: str
    bound: str = ""
    groups: tuple[str, ...] = ()

    def may(self, role: Role) -> bool:
        return self.role >= role


def plain_name(told: str, machines: Collection[str] = ()) -> str:
    """A name that can stand in a timeline; "" where it can stand for nobody, as the program's own or a node's."""
    name = " ".join("".join(one if one.isprintable() else " " for one in told[: MOST_NAME * 2]).split())
    is_machine = name.casefold() in {PROGRAM.casefold(), *(one.casefold() for one in machines)}
    return "" if not name or len(name) > MOST_NAME or is_machine else name


def role_of(page: Page, name: str, groups: Collection[str]) -> Role | None:
    """The highest role that the settings give to a person or to one of the groups; None for none."""
    known = {"*", *_ways("person", name), *(one for group in groups for one in _ways("group", group))}
    found = [Role[role.upper()] for role, names in page.roles.items() if known & {*names}]
    return max(found, default=None)


def with_a_role(page: Page, groups: Iterable[str]) -> tuple[str, ...]:
    """The groups that the settings name: of all groups of a person, a cookie has no room."""
    named = {*itertools.chain.from_iterable(page.roles.values())}
    return tuple(one for one in groups if named & _ways("group", one))


def _ways(kind: str, name: str) -> set[str]:
    """How the settings can name it. A name that itself looks like ``group:x`` is none of a group."""
    is_plain = not name.startswith(("person:", "group:"))
    return {f"{kind}:{name}", *([name] if is_plain and name != "*" else [])}


def digest(token: bytes) -> str:
    """What a token is known by where it must not stand itself."""
    return hashlib.sha256(b"oncall page token\0" + token).hexdigest()[:DIGEST_LENGTH]


class TokenPeople:
    """Those whose tokens stand in the ``tokens_file`` with a role and a name. What is only for machines signs nobody in.

    Args:
        tokens: of the service.
        machines: names that no person has.
    """

    def __init__(self, tokens: Tokens, machines: Callable[[], Collection[str]]) -> None:
        self._tokens, self._machines = tokens, machines

    @property
    def problem(self) -> str:
        """Why nobody is known; "" where somebody is."""
        return self._tokens.problem

    def person(self, token: str) -> Person | None:
        """Whose token this is."""
        given = token.encode("utf-8", "replace")
        return self._person(self._tokens.whose(lambda one: hmac.compare_digest(one, given)), digest(given))

    def bound(self, known: str) -> Person | None:
        """Whose token has this digest, as the file says now."""
        return self._person(self._tokens.whose(lambda one: hmac.compare_digest(digest(one), known)), known)

    def _person(self, told: Known | None, known: str) -> Person | None:
        name = plain_name(told.name, self._machines()) if told else ""
        if told is None or not name or told.role.upper() not in Role.__members__:
            return None
        return Person(name, Role[told.role.upper()], "token", known)


def of_proxy(
    page: Page, proxy: Proxy, peer: str, headers: Mapping[str, Sequence[str]], machines: Collection[str]
) -> Person | None:
    """Whom a proxy names; None where it names nobody, or is none that is believed.

    Args:
        headers: name, in lower case -> its values.
        machines: names that no person has.
    """
    told = headers.get(proxy.user_header.lower(), ())
    # Two of them: one is the proxy's, and the other may be the client's.
    if len(told) != 1 or not is_of(peer, proxy.addresses):
        return None
    name = plain_name(told[0], machines)
    lists = headers.get(proxy.groups_header.lower(), ()) if proxy.groups_header else ()
    groups = [one.strip() for text in lists if len(lists) == 1 for one in text.split(",")]
    role = role_of(page, name, groups) if name else None
    return Person(name, role, "proxy", name) if role else None


def is_of(peer: str, networks: Sequence[str]) -> bool:
    """Whether an address is in one of these networks."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in ipaddress.ip_network(one) for one in networks)
