# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a few families out of a Prometheus or OpenMetrics text.

A sample is ``(labels, value)``: a dict of strings and a float. No function here does any I/O.
"""

from __future__ import annotations

import math
import re

from .series import Contradiction, identity, keep, shown

SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")

# What decides whether a body is metrics at all; a whole 16 MiB need not be decoded for that.
_HEAD_BYTES = 65536

# Every quantified part ends at a character the part itself cannot contain: no input makes these slow.
_QUOTED = rb'"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"'
_SAMPLE = re.compile(
    rb'[ \t]*(?:\{([^"}\n]*(?:' + _QUOTED + rb'[^"}\n]*)*)\}[ \t]*|(?<=[ \t]))'
    rb"([-+.0-9A-Za-z]+)"  # value
    rb"(?:[ \t]+([-+.0-9eE]+))?"  # timestamp
    rb"(?:[ \t]+#[ \t]*\{[^\n]*)?"  # exemplar
    rb"[ \t]*\r?(?:\n|\Z)"
)
# A name in quotes that has no value is the metric's own, which Prometheus 3 takes anywhere within the braces.
_LABEL = re.compile(
    rb'[ \t]*(?:([a-zA-Z_][a-zA-Z0-9_]*)|"([^"\\]*(?:\\.[^"\\]*)*)")[ \t]*'
    rb'(?:=[ \t]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*)?(?:,[ \t]*|\Z)',
    re.DOTALL,
)
_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ESCAPE = re.compile(rb'\\([\\n"])')
_INDENT = re.compile(rb"(?m)^[ \t]+")
_INDENTED = re.compile(rb"\n[ \t]")
_METRICS_LINE = re.compile(
    rb"(?m)^(?:#[ \t]*(?:HELP|TYPE|UNIT|EOF)\b"
    rb"|[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^\n]*\}|[ \t])[ \t]*[-+]?(?:[0-9.]|[nN]a[nN]|[iI]nf)"
    # In JSON, a colon follows the first string of an object.
    rb'|\{[ \t]*(?:"[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"[ \t]*[,}=]|[a-zA-Z_][a-zA-Z0-9_]*[ \t]*="))'
)
_JSON_START = re.compile(rb'\[|\{\s*(?:\}|"(?:[^"\\]|\\.)*"\s*:)')
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")


def not_metrics_reason(body):
    """Why ``body`` cannot be a metrics text (empty, binary, HTML, JSON, other text), or None if it can."""
    head = body[:_HEAD_BYTES]
    start = head.lstrip()
    if not start:
        return "an empty body"
    if _CONTROL.search(head):
        return "binary data, not the text format"
    if start.startswith(b"<"):
        return "an HTML or XML page, not metrics"
    if _METRICS_LINE.search(_INDENT.sub(b"", head)):
        return None
    if _JSON_START.match(start):
        return "JSON, not metrics"
    return "text without a single line of metrics"


def is_cut_off(body, content_type):
    """Whether a text that says it is OpenMetrics lacks the line that such a text ends with."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/openmetrics-text" and body.rstrip()[-5:] != b"# EOF"


def declared_type(body, family):
    """The type that ``body`` declares for ``family`` ("counter", "gauge", ...), or None."""
    for name in (family.encode(), b'"' + _escaped(family) + b'"'):
        needle = b"# TYPE " + name + b" "
        position = body.find(needle)
        while position > 0 and body[position - 1] != 0x0A:
            position = body.find(needle, position + 1)
        if position >= 0:
            start = position + len(needle)
            return body[start : start + 40].split(b"\n", 1)[0].strip().decode("ascii", "replace")
    return None


def needs_utf8(name):
    """Whether a name can only be written in quotes; a target does so where the request accepts it."""
    return not _PLAIN_NAME.fullmatch(name)


def scan(body, families, suffixes=SUFFIXES, oldest=None):
    """Read the samples of the families asked for and pass over everything else.

    A counter is found with and without ``_total``, on either side. A family that is declared and has no
    sample yet is there with an empty list; a family that is not there at all has no key.

    Args:
        body: a text in the Prometheus or OpenMetrics format, as bytes.
        families: the names to read.
        suffixes: what may follow a name: those of counters, histograms and summaries unless told otherwise.
        oldest: seconds since 1970; a sample that says that it is older stops the reading. None: any age will do.

    Returns:
        A dict of sample name (family plus suffix) to a list of ``(labels, value)``.

    Raises:
        ValueError: a line of one of these families is not a valid sample, or is too old; names the line.
    """
    if body[:1] in (b" ", b"\t") or _INDENTED.search(body):
        body = _INDENT.sub(b"", body)
    found = {}
    for family in families:
        of_family = _scan_family(body, family, suffixes, oldest)
        base = family[:-6] if family.endswith("_total") else ""
        if not of_family and base and declared_type(body, base) == "counter":
            of_family = _scan_family(body, base, ("",), oldest) or {family: []}
        if not of_family and declared_type(body, family):
            of_family = {family: []}
        if of_family and declared_type(body, base or family) == "counter":
            _check_both_names(body, base or family, of_family, oldest)
        found.update(of_family)
    return found


def _check_both_names(body, base, of_family, oldest):
    """Raise ValueError where one counter shows two values, under its name with ``_total`` and without."""
    both = []
    for name in (base, base + "_total"):
        samples = of_family[name] if name in of_family else _scan_family(body, name, ("",), oldest).get(name)
        both.append({identity(labels, {}): (labels, value) for labels, value in samples or ()})
    plain, total = both
    for key in plain.keys() & total.keys():
        (labels, value), other = plain[key], total[key][1]
        if value != other and not (math.isnan(value) and math.isnan(other)):
            raise ValueError(
                f"{shown(base, labels)} is there twice, with {value:.15g} and as {base}_total with {other:.15g}"
            )


def samples_of(found, family):
    """The samples of ``family`` in what :func:`scan` returned, under any name of a counter, or None."""
    for name in (family, family + "_total", family[:-6] if family.endswith("_total") else family):
        if name in found:
            return found[name]
    return None


def _scan_family(body, family, suffixes, oldest):
    interned = {}
    found = {}
    for suffix, start, sample, bare in _lines_of(body, family, suffixes):
        try:
            if sample is None:
                raise ValueError("not a sample")
            labels = _labels(sample.group(1), interned)
            if labels.pop(None, None) is not None and bare:
                raise ValueError("two names")
            value, stamp = _float(sample.group(2)), _float(sample.group(3)) if sample.group(3) else None
            keep(found.setdefault(suffix, {}), labels, value, stamp, start, interned)
        except ValueError as error:
            detail = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
            raise ValueError(f"line {_line(body, start)} ({family}) is not valid: {detail}") from None
        except Contradiction as other:
            both = sorted([(_line(body, other.start), other.value), (_line(body, start), value)])
            told = " and ".join(f"{number:.15g} in line {line}" for line, number in both)
            raise ValueError(f"{shown(family + suffix, labels)} is there twice, with {told}") from None
    if oldest is not None:
        for series in found.values():
            for _labels_of, _value, stamp, start in series.values():
                if stamp is not None and _seconds(stamp) < oldest:
                    raise ValueError(
                        f"line {_line(body, start)} ({family}) is not valid: it is stale, its timestamp is "
                        f"{oldest - _seconds(stamp):.0f} s older than the oldest that counts"
                    )
    return {
        family + suffix: [(labels, value) for labels, value, _stamp, _start in series.values()]
        for suffix, series in found.items()
    }


def _float(text):
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:40].decode('ascii', 'replace')} is no number") from None


def _line(body, start):
    return body.count(b"\n", 0, start) + 1


def _seconds(stamp):
    # Milliseconds in the text format, seconds in OpenMetrics: 1e11 is the year 1973 of the one and 5138 of the other.
    return stamp / 1000 if abs(stamp) > 1e11 else stamp


def _lines_of(body, family, suffixes):
    """The lines of a family: the suffix, where the line begins, the match of a sample or None, and whether the name is bare."""
    name = family.encode()
    endings = b"(" + b"|".join(re.escape(suffix.encode()) for suffix in suffixes) + b")"
    # Only a name that goes on is another family's; anything else after the name is this family's to explain.
    head = re.compile(re.escape(name) + endings + rb"(?![a-zA-Z0-9_:.\-\x80-\xff])")
    for start in _line_starts(body, name):
        match = head.match(body, start)
        if match is not None:
            yield match.group(1).decode(), start, _SAMPLE.match(body, match.end()), True
    quoted = b'"' + _escaped(family)
    if quoted not in body:
        return
    ends_within = re.compile(re.escape(quoted) + endings + b'"')
    for start, position in _quoted_line_starts(body, quoted):
        match = ends_within.match(body, position)
        if match is None:
            continue
        sample = _SAMPLE.match(body, start)
        # The same text can be the value of another family's label.
        if sample is None or _name_within(sample.group(1)) == match.group()[1:-1]:
            yield match.group(1).decode(), start, sample, False


def _name_within(text):
    """The metric's own name within the braces, as it is written; None where there is none or it cannot be told."""
    position = 0
    text = text.strip(b" \t")
    while position < len(text):
        match = _LABEL.match(text, position)
        if match is None:
            return None
        if match.group(3) is None:
            return match.group(2)
        position = match.end()
    return None


def _quoted_line_starts(body, quoted):
    # The metric's name is within the braces where the line has none before them.
    position = body.find(quoted)
    while position >= 0:
        start = body.rfind(b"\n", 0, position) + 1
        if body[start : start + 1] == b"{":
            yield start, position
        position = body.find(quoted, position + len(quoted))


def _line_starts(body, name):
    if body.startswith(name):
        yield 0
    needle = b"\n" + name
    position = body.find(needle)
    while position >= 0:
        yield position + 1
        position = body.find(needle, position + len(needle))


def _labels(text, interned):
    """The labels within the braces; a name in quotes that stands by itself is under None."""
    if text is None:
        return {}
    text = text.strip(b" \t")
    labels = {}
    position = 0
    while position < len(text):
        match = _LABEL.match(text, position)
        if match is None or (match.group(3) is None and match.group(2) is None):
            raise ValueError("malformed labels")
        bare, quoted, value = match.groups()
        name = _text(bare if quoted is None else quoted, interned)
        name, value = (None, name) if value is None else (name, _text(value, interned))
        if name in labels:
            raise ValueError("two names" if name is None else f"label {name} twice")
        labels[name] = value
        position = match.end()
    return labels


def _text(value, interned):
    text = interned.get(value)
    if text is None:
        text = interned[value] = plain(value).decode("utf-8")
    return text


def plain(value):
    return _ESCAPE.sub(_unescape, value) if b"\\" in value else value


def _unescape(match):
    return b"\n" if match.group(1) == b"n" else match.group(1)


def _escaped(name):
    return name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
