# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/coverage.md, and ``python -m docs.generate.coverage``: which test exercises what each source document asks for.

The items are in tests/coverage.yml, what a role claims in its ``meta/runbook.yml`` or ``meta/overview.yml``, and what a test exercises in its mark.
The command prints the table, then a line for each hole, and ends with 1 where there is one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .marks import Exercise, exercises
from .readme import NOTE
from .source import ROOT, SourceError, load, roles
from .words import code, prose, table

SYSTEMS = {"LP": "labpics", "SY": "synap", "JO": "journey", "IE": "insightengine", "PD": "panidobro"}
# What a table concludes, or when it is asked, a row can show. Whether something is really looked at, done or proven, it cannot.
ROWS_DO = {"signal", "cause", "reference"}
# Of a runbook, and of a role that covers items and is no runbook.
CLAIMING = ("runbook.yml", "overview.yml")
OPEN = "open: there is no such runbook yet"
HOW = """\
What the five source documents ask for, item by item, and the tests that exercise it. `make coverage` prints the same, and fails
where something is missing: an item without a test, a runbook that does not claim its item or claims one that it has not, and a test
that names an item that there is not. A row of a table with causes (`tests/unit`) counts for a signal, a cause and a reference. All else
takes a test against real programs. An item whose runbook is not there yet is open; as soon as the runbook is there, it is a hole."""


@dataclass(frozen=True)
class Coverage:
    """What is asked for, who claims it, and what exercises it.

    Attributes:
        items: of tests/coverage.yml, in its order.
        claims: role -> the ids that its meta/runbook.yml or meta/overview.yml says it covers; only roles that have one of them.
        exercises: what the tests say.
        there: the roles and playbooks that there are.
    """

    items: list[dict[str, str]]
    claims: dict[str, list[str]]
    exercises: list[Exercise]
    there: set[str]

    def of(self, item: dict[str, str]) -> list[Exercise]:
        """The tests that count for an item."""
        said = [one for one in self.exercises if one.item == item["id"]]
        return [one for one in said if item["kind"] in ROWS_DO or not one.path.startswith("tests/unit/")]

    def holes(self) -> list[str]:
        """What is missing or contradicts itself, a line each."""
        return [*self._of_items(), *self._of_claims(), *self._of_tests()]

    def _of_items(self) -> Iterator[str]:
        ids = [item["id"] for item in self.items]
        yield from (
            f"tests/coverage.yml has {one} more than once" for one in sorted({one for one in ids if ids.count(one) > 1})
        )
        for item in self.items:
            role, what = item["runbook"], f"{item['id']} ({item['kind']} of {item['runbook']})"
            if role not in self.there:
                continue
            if role in self.claims and item["id"] not in self.claims[role]:
                yield f"{what}: roles/{role}/meta does not claim it in covers"
            if not self.of(item):
                rows = [one.name for one in self.exercises if one.item == item["id"]]
                why = (
                    f"only {', '.join(rows)} does, which shows nothing done"
                    if rows
                    else f"no test exercises it: {item['text']}"
                )
                yield f"{what}: {why}"

    def _of_claims(self) -> Iterator[str]:
        owners = {item["id"]: item["runbook"] for item in self.items}
        for role, claimed in self.claims.items():
            where = f"roles/{role}/meta"
            for one in claimed:
                if one not in owners:
                    yield f"{where} covers {one}, which is no item of tests/coverage.yml"
                elif owners[one] != role:
                    yield f"{where} covers {one}, which is an item of {owners[one]}"
            yield from (
                f"{where} covers {one} twice" for one in sorted({one for one in claimed if claimed.count(one) > 1})
            )

    def _of_tests(self) -> Iterator[str]:
        owners = {item["id"]: item["runbook"] for item in self.items}
        for one in self.exercises:
            if one.item not in owners:
                yield f"{one.name} covers {one.item}, which is no item of tests/coverage.yml"
            elif owners[one.item] not in self.there:
                yield f"{one.name} covers {one.item}, and there is no {owners[one.item]}"


def read(root: Path = ROOT) -> Coverage:
    """All of it, as the repository has it."""
    claims: dict[str, list[str]] = {
        role: load("roles", role, "meta", name)["covers"]
        for role in roles()
        for name in CLAIMING
        if (root / "roles" / role / "meta" / name).is_file()
    }
    playbooks = {path.stem for path in (root / "playbooks").glob("*.yml")}
    return Coverage(load("tests", "coverage.yml")["items"], claims, exercises(root), {*roles(), *playbooks})


def files() -> dict[Path, str]:
    return {ROOT / "docs" / "coverage.md": page(read())}


def page(found: Coverage) -> str:
    parts = [NOTE, "# Coverage", HOW, counted(found)]
    for letters, system in SYSTEMS.items():
        rows: list[tuple[str, ...]] = [("item", "kind", "asked for", "runbook", "tests")]
        for item in (one for one in found.items if one["id"].startswith(f"{letters}-")):
            role = item["runbook"]
            linked = f"[{role}](../roles/{role}/README.md)" if role in found.claims else role
            tests = "<br>".join(_linked(one) for one in found.of(item))
            rows.append((item["id"], item["kind"], prose(item["text"]), linked, tests or _nothing(found, item)))
        parts += [f"## {system}", table(*rows)]
    return "\n\n".join(parts) + "\n"


def counted(found: Coverage) -> str:
    there = [item for item in found.items if item["runbook"] in found.there]
    exercised = sum(bool(found.of(item)) for item in there)
    return (
        f"{len(found.items)} items: {exercised} exercised, {len(there) - exercised} without a test,"
        f" {len(found.items) - len(there)} open."
    )


def _nothing(found: Coverage, item: dict[str, str]) -> str:
    return "**none**" if item["runbook"] in found.there else OPEN


def _linked(one: Exercise) -> str:
    path = one.path.removeprefix("tests/").removesuffix(".py").removesuffix("/expected.yml")
    # An underline of a name is none of Markdown's.
    row = f" `{one.row}`" if one.row else ""
    return f"[{path}](../{one.path}) {code(one.test) if one.test else ''}{row}".rstrip()


def text(found: Coverage) -> Iterable[str]:
    """The table for a terminal."""
    for item in found.items:
        yield f"{item['id']:7} {item['runbook']:22} {item['kind']:9} {item['text']}"
        yield from (
            f"{'':40} {line}" for line in [one.name for one in found.of(item)] or [_nothing(found, item).strip("*")]
        )


def main() -> int:
    try:
        found = read()
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(text(found)))
    print(counted(found))
    holes = found.holes()
    for hole in holes:
        print(hole, file=sys.stderr)
    return int(bool(holes))


if __name__ == "__main__":
    sys.exit(main())
