# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A page as a browser reads it, and what a page that opens by itself has to keep."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "link", "input"}
_ELEMENTS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "a",
        "header",
        "h1",
        "h2",
        "h3",
        "p",
        "nav",
        "ul",
        "li",
        "main",
        "section",
    ),
    *("div", "table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre", "span"),
    *("footer", "figure", "figcaption", "strong"),
    # Of a picture: none of these loads anything.
    *("svg", "desc", "path", "rect", "circle", "text"),
}
_ATTRIBUTES = {
    *(
        "lang",
        "charset",
        "name",
        "content",
        "http-equiv",
        "class",
        "href",
        "id",
        "aria-label",
        "aria-labelledby",
        "tabindex",
    ),
    *("role", "scope", "open"),
    *("viewbox", "d", "x", "y", "width", "height", "cx", "cy", "r", "text-anchor"),
}


class Page(HTMLParser):
    """A page that was read.

    Attributes:
        trouble: what is wrong with it, a line each.
        captions: of its tables.
        links: where its links lead.
        ids: of its elements.
        words: all its text.
    """

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.trouble: list[str] = []
        self.captions: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.rows: list[list[str]] = []
        self.words = ""
        self._open: list[str] = []
        self._first_in_table = False
        self.feed(html)
        self.close()
        self.trouble += [f"{name} is never closed" for name in self._open]
        if len(self.ids) != len(set(self.ids)):
            self.trouble.append("an id is there twice")
        targets = {link[1:] for link in self.links if link.startswith("#")}
        self.trouble += [f"#{target} leads nowhere" for target in targets - set(self.ids)]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in _ELEMENTS:
            self.trouble.append(f"an element {tag}")
        if self._first_in_table and tag != "caption":
            self.trouble.append("a table without a caption")
        self._first_in_table = tag == "table"
        for name, value in attributes:
            if name not in _ATTRIBUTES:
                self.trouble.append(f"an attribute {name} of {tag}")
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")
                if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//|/|\.\.", value or ""):
                    self.trouble.append(f"a link to {value}")
        if tag == "caption":
            self.captions.append("")
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.trouble.append(f"{tag} is closed, and was not open")

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            if re.search(r"@import|url\(|expression", data):
                self.trouble.append("a style that loads something")
            return
        self.words += data
        if "caption" in self._open:
            self.captions[-1] += data
        if self._open and self._open[-1] in ("td", "th", "a", "span") and {"td", "th"} & set(self._open) and self.rows:
            self.rows[-1][-1] += data


def of_itself(content: bytes) -> Page:
    """A page that was read, after it was seen that it needs nothing and nobody."""
    html = content.decode("utf-8")
    assert html.startswith('<!doctype html>\n<html lang="en">')
    assert "default-src 'none'; style-src 'unsafe-inline'" in html
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in html
    page = Page(html)
    assert page.trouble == []
    assert all(caption.strip() for caption in page.captions)
    return page


def contrast(one: str, other: str) -> float:
    """The contrast of two colours, from 1 to 21, as WCAG 2 works it out."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
