# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second net for secrets, on the controller: it knows those of the inventory by their values.

The first one is on the managed host, which knows secrets by their shape and by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from ...module_utils.auth.spec import leaves
from ...module_utils.snapshot.statements import without_literals
from ...module_utils.text.masking import MASK, is_secret_name, mask_lines
from ...module_utils.text.one_line import without_sequences

# A shorter one is a word that stands in many places. It is still masked wherever its name says what it is.
SHORTEST = 8
# All that is below these is how somebody proves who they are, whatever it is called.
_WITHHELD = ("auth", "headers", "cookies", "signing_key", "secrets", "private_key", "vault")
# Below these stand names that somebody gave: a service may be called auth.
_NAMED = {
    f"system_{one}"
    for one in (
        *("services", "endpoints", "metrics", "queues", "schedules", "workflows", "apis", "connectors", "status_pages"),
        "notification_providers",
    )
}
_USER_AND_PASSWORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s/@:]*:([^\s@]+)@")


def known_secrets(variables: Mapping[str, Any]) -> tuple[str, ...]:
    """The values in an inventory that are secrets: by their name, by where they stand, or as the password in a URL.

    Args:
        variables: of a host, templated as far as they could be.

    Returns:
        The longest first, so that one which is part of another does not spoil it; as they are, and as they stand in a URL.
    """
    found: set[str] = set()
    open_words: set[str] = set()
    for is_secret, text in [*_leaves(variables), *_of_logins(variables)]:
        for password in _USER_AND_PASSWORD.findall(text):
            found |= {password, unquote(password)}
        (found if is_secret else open_words).add(text.strip())
    open_words -= {text.strip() for _is_secret, text in _of_logins(variables)}
    # A password that is also the name of a user or a database would make the archive unreadable, and hide nothing.
    secrets = {one for one in found - open_words if len(one) >= SHORTEST}
    secrets |= {quote(one, safe="") for one in secrets}
    return tuple(sorted(secrets, key=lambda one: (-len(one), one)))


def _leaves(value: Any, is_secret: bool = False, are_names: bool = False) -> Iterator[tuple[bool, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, is_secret or (not are_names and withheld(str(key))), key in _NAMED)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item, is_secret)
    elif isinstance(value, str) and value.strip():
        yield is_secret, value


def _of_logins(value: Any) -> Iterator[tuple[bool, str]]:
    """The texts that somebody logs in with: a name and a password are among them, whatever their keys are called."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key == "login" and isinstance(item, Mapping):
                yield from ((True, text) for text in leaves(item.get("body")) if text.strip())
            else:
                yield from _of_logins(item)


def withheld(name: str) -> bool:
    """Whether what has this name in an inventory is not shown."""
    return name.lower() in _WITHHELD or is_secret_name(name)


class Redaction:
    """Makes data and texts fit to be kept.

    Args:
        secrets: of :func:`known_secrets`.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        secrets = tuple(secrets)
        self._known = re.compile("|".join(map(re.escape, secrets))) if secrets else None

    def text(self, text: str) -> str:
        """A text of lines that was made fit on the managed host, without what only the controller knows."""
        return self._known.sub(MASK, text) if self._known else text

    def data(self, value: Any, with_literals: bool = False) -> Any:
        """Plain data without secrets in it: every text is looked through, and what is named as a secret is gone.

        Args:
            value: the data.
            with_literals: whether SQL in it keeps its literals, as that of an inventory may.
        """
        if isinstance(value, Mapping):
            return {
                self._line(str(key), True): self._named(str(key), item, with_literals) for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.data(item, with_literals) for item in value]
        return self._line(value, with_literals) if isinstance(value, str) else value

    def _named(self, name: str, item: Any, with_literals: bool) -> Any:
        if isinstance(item, (str, int, float)) and not isinstance(item, bool) and item and is_secret_name(name):
            return MASK
        return self.data(item, with_literals)

    def _line(self, text: str, with_literals: bool) -> str:
        lines = [without_sequences(line) for line in text.split("\n")]
        return self.text("\n".join(mask_lines(lines if with_literals else without_literals(lines))))


def shown_settings(value: Any, are_names: bool = False) -> Any:
    """Settings of an inventory as they may be kept: what is below the name of a secret is gone, however deep it lies."""
    if isinstance(value, Mapping):
        return {
            str(key): MASK
            if item and not are_names and withheld(str(key))
            else {**shown_settings(item), "body": MASK}
            if key == "login" and isinstance(item, Mapping) and item.get("body")
            else shown_settings(item, key in _NAMED)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [shown_settings(item) for item in value]
    return value
