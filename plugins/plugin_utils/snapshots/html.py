# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTML that opens by itself: no network, no script, and nothing from outside but as text.

Contrast is that of WCAG AA or better in both themes, tables have captions, and on a narrow screen only a table scrolls sideways.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

# Name -> colour, in both themes. Every text stands on one of the two grounds.
LIGHT = {
    "ground": "#ffffff",
    "raised": "#f2f2f2",
    "text": "#1a1a1a",
    "quiet": "#555555",
    "link": "#0b4f9e",
    "bad": "#9b1c1c",
    "line": "#767676",
}
DARK = {
    "ground": "#121212",
    "raised": "#1f1f1f",
    "text": "#ececec",
    "quiet": "#b8b8b8",
    "link": "#9ac1ff",
    "bad": "#ffaaa0",
    "line": "#8a8a8a",
}
_STYLE = """
:root { color-scheme: light dark; %(light)s }
@media (prefers-color-scheme: dark) { :root { %(dark)s } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 80rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.25rem 0 .25rem; }
a { color: var(--link); } a:focus-visible, summary:focus-visible, .wide:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; list-style: none; margin: .5rem 0; padding: 0; }
nav a { display: inline-block; padding: .25rem 0; }
.quiet { color: var(--quiet); } .bad { color: var(--bad); font-weight: 600; }
.wide { overflow-x: auto; margin: .5rem 0 1rem; }
table { border-collapse: collapse; min-width: 100%%; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border: 1px solid var(--line); overflow-wrap: anywhere;
  min-width: 4rem; max-width: 40rem; }
th { background: var(--raised); } td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .25rem 0; }
pre { background: var(--raised); border: 1px solid var(--line); padding: .5rem; margin: .25rem 0; font-size: .8rem; line-height: 1.4;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.skip { position: absolute; left: -100rem; } .skip:focus { position: static; }
@media (max-width: 40rem) { body { padding: .6rem; } th, td { padding: .2rem .35rem; } }
@media print { details > * { display: block; } .wide { overflow: visible; } }
"""


def _colours(theme: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in theme.items())


def style() -> str:
    """The style of a page, for every part of this project that writes one."""
    return _STYLE % {"light": _colours(LIGHT), "dark": _colours(DARK)}


def text(value: Any) -> str:
    """Text from outside, as text."""
    return escape(str(value), quote=True)


def page(title: str, sections: Iterable[tuple[str, str, str]], head: str) -> bytes:
    """A whole page.

    Args:
        title: of it, as text.
        sections: each an id, a title as text, and its HTML.
        head: HTML before them.
    """
    sections = list(sections)
    links = "".join(f'<li><a href="#{key}">{text(name)}</a></li>' for key, name, _body in sections)
    bodies = "\n".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{text(name)}</h2>\n{body}</section>'
        for key, name, body in sections
    )
    html = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{text(title)}</title>
<style>{style()}</style>
</head>
<body>
<a class="skip" href="#content">To the content</a>
<header><h1>{text(title)}</h1>
{head}</header>
<nav aria-label="Parts"><ul>{links}</ul></nav>
<main id="content">
{bodies}
</main>
</body>
</html>
"""
    return html.encode("utf-8", "replace")


def table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], row_heads: bool = True) -> str:
    """A table; a cell is text, unless it is :class:`Html`. Numbers stand right.

    Args:
        caption: as text.
        columns: their heads, as text.
        rows: their cells.
        row_heads: whether the first cell of a row is its head.
    """
    heads = "".join(f'<th scope="col">{text(one)}</th>' for one in columns)
    lines = []
    for row in rows:
        cells = [_cell(cell, is_head=row_heads and not position) for position, cell in enumerate(row)]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    body = "\n".join(lines)
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{text(caption)}"><table><caption>{text(caption)}</caption>\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>\n"
    )


class Html(str):
    """HTML of our own, that is not escaped again."""


class Number(str):
    """A figure, which stands right."""


def _cell(cell: Any, is_head: bool) -> str:
    inner = cell if isinstance(cell, Html) else text(cell)
    if is_head:
        return f'<th scope="row">{inner}</th>'
    return f'<td class="number">{inner}</td>' if isinstance(cell, Number) else f"<td>{inner}</td>"


def lines_of(summary: str, lines: str) -> str:
    """A text that is shown when somebody asks for it, without a script."""
    return f"<details><summary>{text(summary)}</summary>\n<pre>{text(lines)}</pre></details>\n"
