# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Django. ``showmigrations --plan`` tells every migration of the image and which are applied; ``migrate --plan`` whether it would refuse."""

from __future__ import annotations

import re

from .told import NotUnderstood, excerpt, expected, lines_of, row

TABLE = "django_migrations"
COLUMNS = ("id", "app", "name", "applied")
ROWS = "SELECT app, name, extract(epoch FROM now() - applied) AS age_seconds FROM {source} ORDER BY id"
PROGRAM = ("python", "manage.py")
ASKS = {"plan": ("showmigrations", "--plan", "--no-color"), "dry": ("migrate", "--plan", "--no-color")}
# Which migrations a squashed one stands for is told by Django's own loader alone. It is asked only where the table and the image differ: it takes
# one more start of Python.
ASKS_WHERE_THEY_DIFFER = {
    "replaces": (
        "shell",
        "-c",
        "from django.db.migrations.loader import MigrationLoader as L; "
        "print('\\n'.join('replaces ' + '.'.join(k) + ' ' + '.'.join(r) for k, m in L(None, True).disk_migrations.items() for r in m.replaces))",
    )
}
# What a session of its own has for limits, lock_timeout before statement_timeout. Settings may have options for the driver, which then reads no
# PGOPTIONS.
LIMITS = (
    "shell",
    "-c",
    "from django.db import connection as c; k = c.cursor(); "
    "k.execute(\"SELECT string_agg(setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN ('lock_timeout', 'statement_timeout')\"); "
    "print('limits', k.fetchone()[0])",
)
LIMITS_ADVICE = "OPTIONS of DATABASES in its settings has options of its own, it seems"
# That it fails is what it tells.
OUTCOMES = ("dry",)
MIGRATE = ("migrate", "--noinput", "--no-color")
UNLOCK = None
READS_PGOPTIONS = True

_LINE = re.compile(r"\[([X ])\]\s+([A-Za-z_]\w*)\.(\S+)")
_REPLACES = re.compile(r"replaces ([A-Za-z_]\w*\.\S+) ([A-Za-z_]\w*\.\S+)\Z")
_CONFLICT = re.compile(r"Conflicting migrations detected; multiple leaf nodes in the migration graph: (.{0,300})")
_LEAVES = re.compile(r"\(([^()]+) in (\w+)\)")


def rows(found, _locks):
    """The migrations in the table, as app.name."""
    return [row(f"{one['app']}.{one['name']}", age_seconds=one["age_seconds"]) for one in found]


def read(printed):
    """What the image has, and what its own view of the database is."""
    names, applied = [], []
    text = printed["plan"]["stdout"]
    for line in lines_of(text):
        told = _LINE.match(line)
        if told:
            mark, app, migration = told.groups()
            names.append(f"{app}.{migration}")
            if mark == "X":
                applied.append(names[-1])
    if not names:
        raise NotUnderstood(f"showmigrations --plan names no migration: {excerpt(text)}")
    heads, refusal = None, ""
    if printed["dry"]["exit_code"] != 0:
        said = printed["dry"]["stderr"] + printed["dry"]["stdout"]
        conflict = _CONFLICT.search(" ".join(lines_of(said)))
        if conflict:
            heads = [
                f"{app}.{leaf.strip()}"
                for leaves, app in _LEAVES.findall(conflict.group(1))
                for leaf in leaves.split(",")
            ]
        else:
            refusal = (lines_of(said) or ["it said nothing"])[-1]
    return expected(names, applied=applied, heads=heads, refusal=refusal, replaces=_replaces(printed.get("replaces")))


def _replaces(ended):
    """By the name of each squashed migration those that it stands for."""
    found = {}
    for line in lines_of(ended["stdout"]) if ended and ended.get("exit_code") == 0 else ():
        told = _REPLACES.match(line)
        if told:
            found.setdefault(told[1], []).append(told[2])
    return found


def is_of_nobody(name, names):
    """Whether a row is of an application of which the image has no migration: it was taken out, and Django asks for nothing of it."""
    app = name.partition(".")[0]
    return not any(one.partition(".")[0] == app for one in names)
