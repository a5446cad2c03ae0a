# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shapes of status pages: which component is meant, what is said of it, and which open incidents name it. No I/O.

Statuspage writes ``summary.json``, Better Stack ``index.json`` (JSON:API), Instatus ``components.json`` and ``summary.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from .values import NotReadable, seconds_of

_OVER = {"resolved", "postmortem", "completed", "operational"}
_NOT_YET = {"scheduled", "notstartedyet"}
_DAY_SECONDS = 86400
_MOST_NAMES = 10


class WrongShape(Exception):
    """What a page answered is not what pages of its kind answer, or does not have the component."""


@dataclass(frozen=True)
class Component:
    """One component: its id, its name, its status in the page's own word, the id of its group, and whether it is one."""

    id: str
    name: str
    status: str
    group: str = ""
    is_group: bool = False


@dataclass(frozen=True)
class Incident:
    """One open incident or maintenance, in the page's own words; times in seconds since 1970."""

    name: str
    status: str = ""
    impact: str = ""
    url: str = ""
    started_at: float | None = None
    updated_at: float | None = None

    @classmethod
    def of(cls, row: Mapping[str, Any], **more: Any) -> Incident:
        """An incident as most pages write it."""
        return cls(
            name=_text(row.get("name") or row.get("title")),
            status=_text(row.get("status")).lower(),
            impact=_text(more.get("impact") or row.get("impact")).lower(),
            url=_text(row.get("shortlink") or row.get("url")),
            started_at=moment(row.get("started_at") or row.get("started") or row.get("start") or row.get("created_at")),
            updated_at=moment(row.get("updated_at") or row.get("updatedAt")),
        )


@dataclass(frozen=True)
class Said:
    """What a page says: of the component, in open incidents that name it, in how many others, and since when."""

    component: Component
    incidents: list[Incident]
    elsewhere: int | None
    updated_at: float | None


def moment(found: Any) -> float | None:
    """A time of a page in seconds since 1970, or None."""
    if found is None or isinstance(found, (dict, list)):
        return None
    try:
        return seconds_of(found)
    except NotReadable:
        pass
    try:
        # As JavaScript writes a date; what it calls the zone follows in brackets.
        return datetime.strptime(str(found).partition(" (")[0], "%a %b %d %Y %H:%M:%S GMT%z").timestamp()
    except (OverflowError, ValueError):
        return None


def statuspage(wanted: str, now: float, summary: Any) -> Said:
    """Atlassian Statuspage, ``/api/v2/summary.json``."""
    page = summary.get("page") if isinstance(summary, Mapping) else None
    if not isinstance(page, Mapping) or not isinstance(summary.get("components"), list):
        raise WrongShape("this is no summary of a Statuspage: page and components are not there")
    components = [
        Component(
            _text(row.get("id")),
            _text(row.get("name")),
            _text(row.get("status")),
            _text(row.get("group_id")),
            row.get("group") is True,
        )
        for row in _rows(summary["components"])
    ]
    component = _the(wanted, components)
    meant = _with_members(component, components)
    opened = [(row, Incident.of(row)) for row in _rows(summary.get("incidents")) if not _is(row, _OVER)]
    planned = _rows(summary.get("scheduled_maintenances"))
    opened += [(row, Incident.of(row, impact="maintenance")) for row in planned if not _is(row, _OVER | _NOT_YET)]
    return _split(
        component,
        meant,
        [(_ids(row.get("components"), "id"), one) for row, one in opened],
        moment(page.get("updated_at")),
    )


def better_stack(wanted: str, now: float, index: Any) -> Said:
    """Better Stack, ``/index.json``. ``updated_at`` there is when the page's settings were changed, so days count."""
    data = index.get("data") if isinstance(index, Mapping) else None
    if (
        not isinstance(data, Mapping)
        or data.get("type") != "status_page"
        or not isinstance(index.get("included"), list)
    ):
        raise WrongShape("this is no index of a Better Stack status page: data and included are not there")
    rows = [row for row in _rows(index["included"]) if isinstance(row.get("attributes"), Mapping)]
    sections = {_text(row.get("id")): row["attributes"] for row in rows if row.get("type") == "status_page_section"}
    resources = [row for row in rows if row.get("type") == "status_page_resource"]
    components = [Component(name, _text(one.get("name")), "", is_group=True) for name, one in sections.items()]
    members = [
        Component(
            _text(row.get("id")),
            _text(row["attributes"].get("public_name")),
            _text(row["attributes"].get("status")),
            _text(row["attributes"].get("status_page_section_id")),
        )
        for row in resources
    ]
    component = _the(wanted, members, components)
    reports = [row["attributes"] for row in rows if row.get("type") == "status_report"]
    opened = [(_affected(one), _report(one)) for one in reports if _is_open_report(one, now)]
    history = next(row["attributes"].get("status_history") for row in resources if _text(row.get("id")) == component.id)
    return _split(component, {component.id}, opened, _last_day(history, now))


def instatus(wanted: str, now: float, listed: Any, summary: Any = None) -> Said:
    """Instatus, ``/v3/components.json`` and ``/summary.json``. It says nowhere when it was written."""
    rows = listed.get("components") if isinstance(listed, Mapping) else listed
    if not isinstance(rows, list):
        raise WrongShape("this is no list of components of an Instatus page")
    flat = [
        one for row in _rows(rows) for one in (row, *({**child, "group": row} for child in _rows(row.get("children"))))
    ]
    groups = {_text(row["group"].get("id")) for row in flat if isinstance(row.get("group"), Mapping)}
    components = [
        Component(
            _text(row.get("id")),
            _text(row.get("name")),
            _text(row.get("status")),
            _text(row["group"].get("id")) if isinstance(row.get("group"), Mapping) else "",
            row.get("isParent") is True or _text(row.get("id")) in groups,
        )
        for row in flat
    ]
    component = _the(wanted, components)
    if not isinstance(summary, Mapping):
        return Said(component, [], None, None)
    opened = [(row, Incident.of(row)) for row in _rows(summary.get("activeIncidents")) if not _is(row, _OVER)]
    planned = _rows(summary.get("activeMaintenances"))
    opened += [(row, Incident.of(row, impact="maintenance")) for row in planned if not _is(row, _OVER | _NOT_YET)]
    meant = _with_members(component, components)
    named = []
    for row, one in opened:
        # Of most incidents only the title says what they are about.
        in_title = {component.id} if component.name.casefold() in one.name.casefold() else set()
        named.append((_ids(row.get("components"), "id") | in_title, one))
    return _split(component, meant, named, None)


SHAPES: dict[str, Callable[..., Said]] = {"statuspage": statuspage, "better_stack": better_stack, "instatus": instatus}


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, (dict, list)) else str(value).strip()


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def _ids(rows: Any, key: str) -> set[str]:
    return {_text(row.get(key)) for row in _rows(rows)}


def _is(row: Mapping[str, Any], words: set[str]) -> bool:
    return _text(row.get("status")).lower().replace("_", "") in words


def _the(wanted: str, components: Iterable[Component], groups: Iterable[Component] = ()) -> Component:
    """The component that is meant, by its id, by its name, or as GROUP / NAME.

    Raises:
        WrongShape: there is none, or there are several.
    """
    components = list(components)
    names = {one.id: one.name for one in (*components, *groups)}
    name = wanted.casefold()
    by_id = [one for one in components if one.id == wanted]
    by_name = [
        one
        for one in components
        if name in (one.name.casefold(), f"{names.get(one.group, '')} / {one.name}".casefold())
    ]
    # A group often has the name of the component in it that matters.
    found = by_id or [one for one in by_name if not one.is_group] or by_name
    if len(found) == 1:
        return found[0]
    if not found:
        some = ", ".join(one.name for one in components[:_MOST_NAMES]) + ", …" * (len(components) > _MOST_NAMES)
        raise WrongShape(f"the page has no component {wanted}; it has {some or 'none'}")
    several = ", ".join(f"{names.get(one.group, '')} / {one.name} ({one.id})" for one in found[:_MOST_NAMES])
    raise WrongShape(f"the page has several components {wanted}, say which: {several}")


def _with_members(component: Component, components: Iterable[Component]) -> set[str]:
    return {component.id} | {one.id for one in components if component.is_group and one.group == component.id}


def _split(
    component: Component, meant: set[str], opened: list[tuple[set[str], Incident]], updated_at: float | None
) -> Said:
    named = [one for ids, one in opened if ids & meant]
    return Said(component, named, len(opened) - len(named), updated_at)


def _affected(report: Mapping[str, Any]) -> set[str]:
    rows = _rows(report.get("affected_resources"))
    return {_text(row.get("status_page_resource_id")) for row in rows if not _is(row, {"resolved"})}


def _is_open_report(report: Mapping[str, Any], now: float) -> bool:
    """By its state: ``ends_at`` of a resolved report is often null. Only a maintenance has an end beforehand."""
    if _text(report.get("aggregate_state")).lower() in _OVER:
        return False
    if report.get("report_type") != "maintenance":
        return True
    begins, ends = moment(report.get("starts_at")), moment(report.get("ends_at"))
    return (begins is None or begins <= now) and (ends is None or ends > now)


def _report(report: Mapping[str, Any]) -> Incident:
    return Incident(
        name=_text(report.get("title")),
        status=_text(report.get("aggregate_state")).lower(),
        impact="maintenance" if report.get("report_type") == "maintenance" else "",
        started_at=moment(report.get("starts_at")),
    )


def _last_day(history: Any, now: float) -> float | None:
    """The end of the last day that a history tells of, but not later than now."""
    days = []
    for row in _rows(history):
        try:
            days.append(date.fromisoformat(_text(row.get("day"))))
        except ValueError:
            continue
    if not days:
        return None
    end = (max(days) - date(1970, 1, 1)).days * _DAY_SECONDS + _DAY_SECONDS
    # Today is not over, and begins earlier in some zones.
    return min(now, end) if end < now + 2 * _DAY_SECONDS else float(end)
