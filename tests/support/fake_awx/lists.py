# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page of a list, as its query asks for it."""

from __future__ import annotations

from urllib.parse import urlencode

from ansible_collections.oncall.runbooks.tests.support.fake_awx.kinds import Item, class_of
from ansible_collections.oncall.runbooks.tests.support.fake_awx.refusals import refuse


def listed(items: list[Item], query: dict[str, str], path: str = "") -> Item:
    """A page of what a query is about."""
    all_of: list[tuple[str, str]] = []
    either: list[tuple[str, str]] = []
    for name, value in query.items():
        if name in ("page", "page_size", "order_by"):
            continue
        field, _, how = name.removeprefix("or__").partition("__")
        if (items and field not in items[0]) or how not in ("", "in", "name", "isnull"):
            raise refuse(400, f"{class_of(items[0]['type'] + 's') if items else 'It'} has no field named '{field}'")
        (either if name.startswith("or__") else all_of).append((name.removeprefix("or__"), value))
    found = [item for item in items if all(_fits(item, name, value) for name, value in all_of)]
    if either:
        found = [item for item in found if any(_fits(item, name, value) for name, value in either)]
    if order := query.get("order_by"):
        found.sort(key=lambda item: item[order.lstrip("-")], reverse=order.startswith("-"))
    size, page = min(int(query.get("page_size", 25)), 200), int(query.get("page", 1))
    shown = found[(page - 1) * size : page * size]
    if page > 1 and not shown:
        raise refuse(404, "Invalid page.")
    more = f"{path}?{urlencode({**query, 'page': page + 1})}" if page * size < len(found) else None
    return {"count": len(found), "next": more, "previous": None, "results": shown}


def _fits(item: Item, name: str, value: str) -> bool:
    field, _, how = name.partition("__")
    if how == "name":
        return bool(item["summary_fields"].get(field, {}).get("name") == value)
    has = item.get(field)
    if how == "isnull":
        return (has is None) == (value.lower() in ("true", "1", "yes"))
    if isinstance(has, bool):
        return has == (value.lower() in ("true", "1", "yes"))
    return ("" if has is None else str(has)) in (value.split(",") if how == "in" else [value])
