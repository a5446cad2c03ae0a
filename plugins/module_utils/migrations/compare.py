# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the table has beside what the image has. Pure."""

from __future__ import annotations

from ..text.masking import masked
from .told import MOST, name

# As many names are told of each list; how many there are is told as well.
SHOWN = 200


def compared(tool, rows, image):
    """What both say together.

    Args:
        tool: its module.
        rows: what the table has, as :func:`told.row` makes them.
        image: what the image has, as :func:`told.expected` makes it; None where it could not be asked.

    Returns:
        What is documented in the module ``migrations_info`` of one set, as far as both tell it: without ``pending`` where nothing tells that.
    """
    done = [one["name"] for one in rows if not one["failed"]]
    own = list(done)
    failed = [one for one in rows if one["failed"]]
    ages = [one["age_seconds"] for one in rows if one["age_seconds"] is not None and not one["failed"]]
    found = {
        "failed": [
            {"name": name(one["name"]), "error": masked(one["error"]) if one["error"] else ""} for one in failed[:SHOWN]
        ],
        "is_new": not rows,
        "newest_applied_seconds": round(max(0.0, min(ages)), 1) if ages else None,
        "at": ", ".join(map(name, own[-3:])),
        "applied_count": len(own),
    }
    if image is None:
        return found
    done += _stood_for(done, image["replaces"])
    # golang-migrate keeps one version: that which ended in the midst is where the database is.
    is_last = getattr(tool, "IS_LAST", False)
    pending, unknown = _differences(tool, [one["name"] for one in rows] if is_last else done, image)
    if unknown and getattr(tool, "IS_GRAPH", False):
        # What comes before a revision that the image has not, only another image knows.
        return dict(found, unknown=_shown(unknown), heads=[], drifted=[], out_of_order=[], refusal="", disagrees="")
    lost = {one["name"] for one in failed}
    pending = [one for one in pending if one not in lost]
    unknown = [one for one in unknown if one not in lost]
    expected_count = len(done) + len(pending) if getattr(tool, "IS_DIFFERENCE", False) else len(image["names"])
    of_table = {one["name"]: one["checksum"] for one in rows}
    changed = [one for one in image["names"] if _is_changed(image["checksums"].get(one), of_table.get(one))]
    heads = image["heads"] or []
    return dict(
        found,
        expected_count=expected_count,
        applied_count=expected_count - len(pending) - len(lost & set(image["names"])),
        pending=_shown(pending),
        pending_count=len(pending),
        unknown=_shown(unknown),
        drifted=_shown(dict.fromkeys([*image["drifted"], *changed])),
        heads=_shown(heads) if len(heads) > 1 else [],
        out_of_order=_shown(image["out_of_order"]),
        refusal=masked(image["refusal"]) if image["refusal"] else "",
        disagrees=disagreement(tool, done, image),
    )


def _shown(names):
    return [name(one) for one in names][:SHOWN]


def _is_changed(in_image, in_table):
    return bool(in_image and in_table and in_image != in_table)


def _differences(tool, done, image):
    """What is pending, and what is applied that the image does not know."""
    names = image["names"]
    if getattr(tool, "IS_GRAPH", False):
        reached = ancestors([one for one in done if one in image["parents"]], image["parents"])
        return [one for one in names if one not in reached], [one for one in done if one not in image["parents"]]
    if getattr(tool, "IS_LAST", False):
        last = max((int(one) for one in done), default=0)
        return [one for one in names if int(one) > last], [one for one in done if one not in names]
    if getattr(tool, "IS_DIFFERENCE", False):
        return image["pending"], image["unknown"]
    there, of_image = (
        set(done),
        {*names, *image["apart"], *(old for olds in image["replaces"].values() for old in olds)},
    )
    is_of_nobody = getattr(tool, "is_of_nobody", None)
    pending = image["pending"] if image["pending"] is not None else [one for one in names if one not in there]
    strangers = [one for one in done if one not in of_image and not (is_of_nobody and is_of_nobody(one, names))]
    return pending, list(dict.fromkeys([*image["unknown"], *strangers]))


def _stood_for(done, replaces):
    """Those that have no row, and for which all that they stand for have one."""
    there, found = set(done), []
    while True:
        more = [one for one, olds in replaces.items() if one not in there and there.issuperset(olds)]
        if not more:
            return found
        there.update(more)
        found += more


def ancestors(revisions, parents):
    """These revisions, and all before them."""
    reached, left = set(), list(revisions)
    while left and len(reached) <= MOST:
        one = left.pop()
        if one not in reached:
            reached.add(one)
            left += parents.get(one, ())
    return reached


def disagreement(tool, done, image):
    """Where the tool, from where it is run, sees another table than the one that was read, in words; or ""."""
    seen = image["applied"]
    if seen is None:
        return ""
    there, of_image = set(done), set(image["names"])
    if getattr(tool, "IS_GRAPH", False):
        if there == set(seen):
            return ""
        return f"the tool is at {_some(seen)}, and the table at {_some(done)}"
    only_tool = [one for one in seen if one not in there and one in of_image]
    only_table = [one for one in image["names"] if one in there and one not in set(seen)]
    if only_tool:
        return f"the tool has {_some(only_tool)} applied, and the table has not"
    if only_table:
        return f"the table has {_some(only_table)} applied, and the tool has not"
    return ""


def _some(names):
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (", ".join(name(one) for one in list(names)[:3]) or "none") + more
