# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A metric over time as SVG: no script, no font and no picture from elsewhere, and its words for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from . import words
from .document import Metric
from .points import COLUMNS, lines

WIDTH, HEIGHT = 420, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 412, 66, 194
# A label is given one of these heights, so that actions soon after each other can be told apart.
_LABEL_ROWS = (32, 46, 60)
_LABEL_WIDTH = 36
# Where a page does not say it; a page of ours sets the colours of its theme.
STYLE = """
.plot { color: var(--text, #1a1a1a); background: var(--ground, #ffffff); font: 13px system-ui, sans-serif; }
.plot text { fill: currentColor; }
.plot .axis, .plot .gap { stroke: var(--line, #767676); fill: none; }
.plot .window { fill: var(--raised, #f2f2f2); }
.plot .curve { stroke: var(--link, #0b4f9e); fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.plot .curve-point { fill: var(--link, #0b4f9e); }
.plot .mark { stroke: var(--bad, #9b1c1c); stroke-width: 1.5; stroke-dasharray: 5 3; }
.plot .mark-name { fill: var(--bad, #9b1c1c); font-weight: 600; }
"""
_DARK = "--text: #ececec; --ground: #121212; --line: #8a8a8a; --raised: #1f1f1f; --link: #9ac1ff; --bad: #ffaaa0;"


@dataclass(frozen=True)
class Mark:
    """Something that was done: when, the number of its entry, and what."""

    at: float
    number: int
    words: str


def svg(metric: Metric, marks: Iterable[Mark] = (), *, name: str = "plot", alone: bool = False) -> str:
    """The picture of a metric.

    Args:
        metric: what is drawn.
        marks: what was done; those outside of the points are left out.
        name: begins its ids, so that a page can have several.
        alone: whether it is a file of its own and no part of a page; then it brings its colours.
    """
    measured = [point for point in metric.points if point[1] is not None]
    begin = min((at for at, _value in measured), default=metric.from_at)
    end = max((at for at, _value in measured), default=metric.until_at)
    low = min((value for _at, value in measured if value is not None), default=0.0)
    high = max((value for _at, value in measured if value is not None), default=0.0)

    def x(at: float) -> float:
        # A single moment stands in the middle.
        share = (at - begin) / (end - begin) if end > begin else 0.5
        return _LEFT + (_RIGHT - _LEFT) * min(1.0, max(0.0, share))

    def y(value: float) -> float:
        # Not high - low, which may be larger than a float can be.
        share = 0.5 if high == low else (value / 2 - low / 2) / (high / 2 - low / 2)
        return _BOTTOM - (_BOTTOM - _TOP) * share

    shown = [mark for mark in marks if measured and begin <= mark.at <= end]
    body = [
        *_window(x(metric.from_at), x(metric.until_at)),
        f'<path class="axis" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>',
        *(_curve([(x(at), y(value)) for at, value in line]) for line in _lines(metric, begin, end)),
        *_marks([(x(mark.at), mark.number) for mark in shown]),
        *_labels(metric, low, high, begin, end, bool(measured)),
    ]
    style = f"<style>{STYLE}@media (prefers-color-scheme: dark) {{ .plot {{ {_DARK} }} }}</style>" if alone else ""
    namespace = ' xmlns="http://www.w3.org/2000/svg"' if alone else ""
    return "\n".join(
        [
            f'<svg{namespace} class="plot" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" aria-labelledby="{name}-title {name}-text">',
            f'<title id="{name}-title">{_text(words.line(metric.name, 80))}</title>',
            f'<desc id="{name}-text">{_text(description(metric, shown))}</desc>{style}',
            *body,
            "</svg>",
        ]
    )


def description(metric: Metric, marks: Sequence[Mark] = ()) -> str:
    """The picture in words."""
    found = [f"{one.name} {words.measured(one.value, metric.unit)} at {words.when(one.at)}" for one in metric.figures]
    told = [
        f"{words.line(metric.name, 80)}: {', '.join(found)}."
        if found
        else f"{words.line(metric.name, 80)}: {metric.not_known}."
    ]
    if metric.not_measured:
        told.append(f"{metric.not_measured} of {metric.count} points have no value.")
    if metric.set_back:
        told.append(f"The clock was set back {metric.set_back} times.")
    if marks:
        # As many as somebody listens to.
        shown = "; ".join(
            f"#{mark.number} at {words.when(mark.at)}: {words.line(mark.words, 80)}" for mark in marks[:10]
        )
        told.append(f"Marked are {len(marks)} actions: {shown}.")
    return " ".join(told)


def _lines(metric: Metric, begin: float, end: float) -> list[list[tuple[float, float]]]:
    # Three times the usual step is a gap, but for what the eye cannot see.
    gap = max(3 * (metric.step_seconds or 0.0), 3 * (end - begin) / COLUMNS)
    return lines(metric.points, gap)


def _window(begin: float, end: float) -> list[str]:
    width = end - begin
    return (
        [f'<rect class="window" x="{begin:.1f}" y="{_TOP}" width="{width:.1f}" height="{_BOTTOM - _TOP}"/>']
        if width > 0
        else []
    )


def _curve(line: Sequence[tuple[float, float]]) -> str:
    if len(line) == 1:
        return f'<circle class="curve-point" cx="{line[0][0]:.1f}" cy="{line[0][1]:.1f}" r="3"/>'
    return f'<path class="curve" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in line)}"/>'


def _marks(marks: Sequence[tuple[float, int]]) -> list[str]:
    """A line for each; its number stands above it where there is room."""
    found, ends = [], dict.fromkeys(_LABEL_ROWS, float("-inf"))
    for x, number in sorted(marks):
        to_the_left = x > _RIGHT - _LABEL_WIDTH
        begin = x - _LABEL_WIDTH if to_the_left else x
        row = next((row for row in _LABEL_ROWS if ends[row] <= begin), None)
        found.append(f'<path class="mark" d="M{x:.1f} {_TOP if row is None else row + 3}V{_BOTTOM}"/>')
        if row is not None:
            ends[row] = begin + _LABEL_WIDTH
            anchor = "end" if to_the_left else "start"
            found.append(f'<text class="mark-name" x="{x:.1f}" y="{row}" text-anchor="{anchor}">#{number}</text>')
    return found


def _labels(metric: Metric, low: float, high: float, begin: float, end: float, measured: bool) -> list[str]:
    """The lowest and the highest value, and the first and the last time: figures that stand in the record."""
    if not measured:
        return [
            f'<text x="{WIDTH / 2:.0f}" y="{(_TOP + _BOTTOM) / 2:.0f}" text-anchor="middle">no value is known</text>'
        ]
    unit, foot = metric.unit, _BOTTOM + 18
    values = f"{words.figure(low)} to {words.measured(high, unit)}" if high != low else words.measured(low, unit)
    labels = [f'<text x="{_LEFT}" y="12">{_text(values)}</text>']
    if begin == end:
        return [*labels, f'<text x="{WIDTH / 2:.0f}" y="{foot}" text-anchor="middle">{words.clock(begin)} UTC</text>']
    same_day = words.day(begin) == words.day(end)
    first, last = (words.clock(at) if same_day else f"{words.day(at)} {words.clock(at)}" for at in (begin, end))
    return [
        *labels,
        f'<text x="{_LEFT}" y="{foot}">{first}</text>',
        f'<text x="{_RIGHT}" y="{foot}" text-anchor="end">{last} UTC</text>',
    ]


def _text(value: str) -> str:
    return escape(value, quote=True)
