# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem as one HTML page that opens by itself: no script, nothing from elsewhere, and values are data.

The template escapes every value. Only the pictures are markup, and `plot` escapes the texts in them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from ...shared import plugin_util
from . import plot, rows, words
from .document import PostMortem
from .template import SHOWN


def html(post: PostMortem) -> bytes:
    """The page."""
    page = plugin_util("snapshots.html")
    # Paper is light.
    paper = " ".join(f"--{name}: {colour};" for name, colour in page.LIGHT.items())
    said = _template().render(
        post=post,
        style=Markup(f"{page.style()}{plot.STYLE}@media print {{ :root {{ {paper} }} }}"),  # noqa: S704 - ours
        heading=rows.heading(post),
        facts=list(rows.facts(post)),
        rows=rows.rows,
        places=rows.places,
        plots=plots(post),
        titles=SHOWN,
        most=rows.CITED,
        line=words.line,
    )
    return (said.rstrip() + "\n").encode("utf-8", "replace")


def plots(post: PostMortem, *, alone: bool = False) -> list[Markup]:
    """The metrics as SVG, with what was done marked."""
    marks = [
        plot.Mark(one.at, one.entries[0], f"{one.remedy} {words.data(one.target)}".strip()) for one in post.actions
    ]
    pictures = (
        plot.svg(one, marks, name=f"plot-{place}", alone=alone) for place, one in enumerate(post.metrics, start=1)
    )
    return [Markup(picture) for picture in pictures]  # noqa: S704 - the texts in it are escaped


@cache
def _template() -> Template:
    loader = FileSystemLoader(Path(__file__).parent)
    found: Template = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("page.html.j2")
    return found
