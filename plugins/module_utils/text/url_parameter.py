# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One query parameter of a URL that is kept to the letter otherwise."""

from __future__ import annotations

from urllib.parse import quote, unquote_plus


def with_url_parameter(raw, parameter, value):
    """Set one query parameter of a URL, or remove it.

    Args:
        raw: the URL, with every ``%`` written as ``%%``.
        parameter: the name of the parameter.
        value: its new value, or None to remove it. A parameter that is there several times is set everywhere.

    Returns:
        The URL, otherwise unchanged to the letter, and whether the parameter was there.
    """
    head, question, rest = raw.partition("?")
    # Without a query a # may be part of a password; only behind the host it starts a fragment.
    head, hash_sign, fragment = (head, "", "") if question else _split_fragment(head)
    if question:
        rest, hash_sign, fragment = rest.partition("#")
    items = rest.split("&") if rest else []
    is_it = [unquote_plus(item.partition("=")[0].replace("%%", "%")) == parameter for item in items]
    was_set = any(is_it)
    if value is None:
        items = [item for item, hit in zip(items, is_it) if not hit]
    else:
        new = quote(parameter, safe="") + "=" + quote(value, safe="")
        new = new.replace("%", "%%")
        items = [_same_or(item, value, new) if hit else item for item, hit in zip(items, is_it)]
        if not was_set:
            items.append(new)
    if not was_set and value is None:
        return raw, False
    return head + ("?" if items else "") + "&".join(items) + hash_sign + fragment, was_set


def _same_or(item, value, new):
    return item if unquote_plus(item.partition("=")[2].replace("%%", "%")) == value else new


def _split_fragment(head):
    before, hash_sign, fragment = head.rpartition("#")
    return (before, hash_sign, fragment) if hash_sign and "@" not in fragment else (head, "", "")
