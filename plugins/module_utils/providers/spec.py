# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Channels and their providers as an inventory writes them, checked."""

from __future__ import annotations

import re

from ..net.dns import is_name, resolver_of
from ..text.one_line import one_line
from .kinds import KINDS, kind

RECORDS = ("spf", "dkim", "dmarc")
_CHANNEL_KEYS = {"providers", "from", "domain", "queue", "switch", "resolvers", "records"}
_PROVIDER_KEYS = {
    "name",
    "kind",
    "value",
    "url",
    "from",
    "domain",
    "status_page",
    "dkim_selectors",
    "spf",
    "key_variable",
}
_SWITCH_KEYS = {"services", "variable", "unset", "show", "set"}
# For the sender of a conversation over SMTP: nothing that could end its line.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}\Z")
_SECRET_CHARACTERS = 4


def channel_of(name, given):
    """One channel with all its keys.

    Args:
        name: its key in ``system_notification_providers``.
        given: what stands there.

    Returns:
        A dict ``providers`` (each with ``name``, ``kind``, ``value``, ``url``, ``domain``, ``from``, ``secrets`` and what its kind has),
        ``queue``, ``show``, ``resolvers`` and ``records``.

    Raises:
        ValueError: it cannot be used; the message begins with the place.
    """
    place = f"system_notification_providers.{one_line(name, 60)}"
    if not isinstance(given, dict) or not isinstance(given.get("providers"), list) or not given["providers"]:
        raise ValueError(f"{place}: must be a dict with the key providers, a list of one or more")
    _only(place, given, _CHANNEL_KEYS)
    records = given.get("records", list(RECORDS))
    if not isinstance(records, list) or not set(records) <= set(RECORDS):
        raise ValueError(f"{place}.records: must be a list of some of {', '.join(RECORDS)}")
    providers = [_provider(f"{place}.providers[{number}]", one, given) for number, one in enumerate(given["providers"])]
    for key in ("name", "value"):
        values = [one[key] for one in providers]
        twice = [one for one in values if values.count(one) > 1]
        if twice:
            raise ValueError(f"{place}: two providers have the {key} {one_line(twice[0], 60)}")
    try:
        resolvers = [resolver_of(one) for one in given.get("resolvers") or []]
    except ValueError as error:
        raise ValueError(f"{place}.resolvers: {error}") from None
    switch = given.get("switch") or {}
    if not isinstance(switch, dict):
        raise ValueError(f"{place}.switch: must be a dict")
    _only(f"{place}.switch", switch, _SWITCH_KEYS)
    return {
        "providers": providers,
        "queue": str(given.get("queue") or ""),
        "show": switch.get("show"),
        "resolvers": resolvers,
        "records": records,
    }


def _only(place, given, known):
    more = sorted(set(map(str, given)) - known)
    if more:
        raise ValueError(f"{place}: unknown key {one_line(more[0], 60)}; known are {', '.join(sorted(known))}")


def _provider(place, given, channel):
    if not isinstance(given, dict) or given.get("kind") not in KINDS:
        raise ValueError(f"{place}.kind: must be one of {', '.join(KINDS)}")
    module = kind(given["kind"])
    _only(place, given, _PROVIDER_KEYS | set(module.KEYS) | set(module.MORE_KEYS))
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", str(given.get("name", ""))):
        raise ValueError(f"{place}.name: must be a name of letters, digits, _, . and -")
    found = {"from": channel.get("from"), "domain": channel.get("domain"), **given}
    missing = [key for key in module.KEYS if found.get(key) in (None, "")]
    if missing:
        raise ValueError(f"{place}: a provider of the kind {given['kind']} also needs {', '.join(missing)}")
    selectors = given.get("dkim_selectors") or []
    if not isinstance(selectors, list) or not all(is_name(one) for one in selectors):
        raise ValueError(f"{place}.dkim_selectors: must be a list of names")
    for key in ("domain", "spf"):
        if found.get(key) and not is_name(found[key]):
            raise ValueError(f"{place}.{key}: {one_line(found[key], 60)} is no name of a domain")
    if found.get("from") and not _ADDRESS.match(str(found["from"])):
        raise ValueError(f"{place}.from: must be a bare address, such as noreply@shop.example")
    if hasattr(module, "check_keys"):
        module.check_keys(place, found)
    secrets = [str(found[key]) for key in module.SECRETS if len(str(found.get(key) or "")) >= _SECRET_CHARACTERS]
    url = str(found.get("url") or getattr(module, "URL", ""))
    return {**found, "name": str(given["name"]), "value": str(found.get("value", given["name"])), "url": url.rstrip("/"),
            "dkim_selectors": selectors, "secrets": sorted(secrets, key=len, reverse=True)}  # fmt: skip
