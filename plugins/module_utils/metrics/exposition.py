# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a few families out of a Prometheus or OpenMetrics text, and the arithmetic on their samples.

A sample is ``(labels, value)``: a dict of strings and a float. No function here does any I/O.
"""

from __future__ import annotations

import json
import math
import re

from ..host.usage_window import slope_of

SUFFIXES = ("", "_total", "_bucket", "_sum", "_count")
AGGREGATES = ("sum", "max", "min", "avg", "count")

# What decides whether a body is metrics at all; a whole 16 MiB need not be decoded for that.
_HEAD_BYTES = 65536
_MAX_NAMES_COMPARED = 2000

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
_NAME = re.compile(
    rb"(?m)^(?:(?:#[ \t]+TYPE[ \t]+)?([a-zA-Z_:][a-zA-Z0-9_:]*)(?=[ \t{])"
    rb'|(?:#[ \t]+TYPE[ \t]+|\{[ \t]*)"([^"\\\n]*(?:\\[^\n][^"\\\n]*)*)"(?=[ \t]*[,} \t]))'
)
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


def looks_like_metrics(body):
    """Whether ``body`` can be a metrics text. It may still hold no sample at all."""
    return not_metrics_reason(body) is None


def is_cut_off(body, content_type):
    """Whether a text that says it is OpenMetrics lacks the line that such a text ends with."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/openmetrics-text" and body.rstrip()[-5:] != b"# EOF"


def family_names(body):
    """The set of names declared or sampled in ``body``. Slow beside :func:`scan`: for suggestions only."""
    names = set()
    for match in _NAME.finditer(body):
        bare, quoted = match.groups()
        names.add((bare or _plain(quoted)).decode("utf-8", "replace"))
    return names


def near_names(body, family, limit=3):
    """Up to ``limit`` names in ``body`` that ``family`` could have been meant to be, the nearest first."""
    import difflib

    names = family_names(body)
    if len(names) > _MAX_NAMES_COMPARED:
        names = {name for name in names if name[:3] == family[:3]}
    return difflib.get_close_matches(family, sorted(names)[:_MAX_NAMES_COMPARED], limit)


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
    """Whether a name can only be written in quotes, which a target does where it is asked for such names."""
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
        both.append({_identity(labels, {}): (labels, value) for labels, value in samples or ()})
    plain, total = both
    for key in plain.keys() & total.keys():
        (labels, value), other = plain[key], total[key][1]
        if value != other and not (math.isnan(value) and math.isnan(other)):
            raise ValueError(
                f"{_shown(base, labels)} is there twice, with {value:.15g} and as {base}_total with {other:.15g}"
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
            _keep(found.setdefault(suffix, {}), labels, value, stamp, start, interned)
        except ValueError as error:
            detail = "not UTF-8" if isinstance(error, UnicodeDecodeError) else error
            raise ValueError(f"line {_line(body, start)} ({family}) is not valid: {detail}") from None
        except _Contradiction as other:
            both = sorted([(_line(body, other.start), other.value), (_line(body, start), value)])
            told = " and ".join(f"{number:.15g} in line {line}" for line, number in both)
            raise ValueError(f"{_shown(family + suffix, labels)} is there twice, with {told}") from None
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


class _Contradiction(Exception):
    """One series has two values; this is the earlier one."""

    def __init__(self, value, start):
        super().__init__()
        self.value, self.start = value, start


def _keep(series, labels, value, stamp, start, interned):
    """Enter a sample, as Prometheus does: of the same series twice, the later counts, and once where they are equal."""
    key = _identity(labels, interned)
    before = series.setdefault(key, (labels, value, stamp, start))
    if before[3] == start:
        return
    _labels_before, value_before, stamp_before, start_before = before
    if stamp is not None and stamp_before is not None and stamp != stamp_before:
        if stamp > stamp_before:
            series[key] = (labels, value, stamp, start)
    elif value != value_before and not (math.isnan(value) and math.isnan(value_before)):
        raise _Contradiction(value_before, start_before)


def _identity(labels, interned):
    """What makes two series the same one: the bound of a bucket and a quantile are numbers, however they are written."""
    if "le" in labels or "quantile" in labels:
        labels = dict(labels)
        for name in ("le", "quantile"):
            if name in labels:
                labels[name] = _number(labels[name], interned)
    return frozenset(item for item in labels.items() if item[1]) if "" in labels.values() else frozenset(labels.items())


def _number(text, interned):
    # Among what is interned the keys are bytes.
    number = interned.get(text)
    if number is None:
        try:
            number = repr(float(text))
        except ValueError:
            number = text
        interned[text] = number
    return number


def _float(text):
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text[:40].decode('ascii', 'replace')} is no number") from None


def _shown(name, labels):
    inside = [f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in sorted(labels.items())]
    return name + (f"{{{','.join(inside)}}}" if inside else "")


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
        text = interned[value] = _plain(value).decode("utf-8")
    return text


def _plain(value):
    return _ESCAPE.sub(_unescape, value) if b"\\" in value else value


def _unescape(match):
    return b"\n" if match.group(1) == b"n" else match.group(1)


def _escaped(name):
    return name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")


def label_tests(labels):
    """Label conditions made ready for :func:`select`.

    Args:
        labels: dict of label name to the exact value, or to ``~`` and a regular expression for all of it.

    Raises:
        ValueError: an expression that does not compile.
    """
    tests = []
    for name, wanted in labels.items():
        if wanted.startswith("~"):
            try:
                tests.append((name, re.compile(wanted[1:]).fullmatch))
            except re.error as error:
                raise ValueError(f"label {name}: {wanted[1:]!r} is no regular expression: {error}") from None
        else:
            tests.append((name, wanted.__eq__))
    return tests


def select(samples, tests):
    """The samples that pass all of ``tests``. As in Prometheus, a label that is not there is an empty one."""
    return [sample for sample in samples if all(test(sample[0].get(name, "")) for name, test in tests)]


def increase(before, after):
    """How much each counter grew between two scans, as samples.

    A counter that is now lower was reset and has since grown by what it shows; so has one that is new. The buckets of one
    histogram are reset together, also those that have passed what they showed by now.
    """
    earlier = {_series(labels): value for labels, value in before}
    reset = {_histogram(labels) for labels, value in after if value < earlier.get(_series(labels), 0.0)}
    grown = []
    for labels, value in after:
        start = 0.0 if reset and _histogram(labels) in reset else earlier.get(_series(labels), 0.0)
        grown.append((labels, value - start))
    return grown


def _histogram(labels):
    return tuple(sorted((name, value) for name, value in labels.items() if name != "le"))


def _series(labels):
    return tuple(sorted(labels.items()))


def per_second(samples, seconds):
    """The samples divided by an interval of ``seconds``."""
    return [(labels, value / seconds) for labels, value in samples]


def slopes(times, scans):
    """How fast each series changes per second, by least squares: those that are in every scan, as samples.

    Args:
        times: when each scan was made, in seconds.
        scans: two or more of them.
    """
    by_series = [{_series(labels): value for labels, value in scan} for scan in scans]
    return [
        (labels, slope_of([(at, values[_series(labels)]) for at, values in zip(times, by_series)]))
        for labels, _value in scans[-1]
        if all(_series(labels) in values for values in by_series)
    ]


def aggregate(samples, how="sum", by=()):
    """One number for each combination of the labels in ``by``: a dict of tuple of label values to float.

    Without ``by`` there is one group, ``()``. No samples give no group.
    """
    groups = {}
    for labels, value in samples:
        groups.setdefault(tuple(labels.get(name, "") for name in by), []).append(value)
    return {group: _combine(values, how) for group, values in groups.items()}


def _combine(values, how):
    if how == "count":
        return float(len(values))
    if any(math.isnan(value) for value in values):
        return math.nan
    if how == "max":
        return max(values)
    if how == "min":
        return min(values)
    total = math.fsum(values) if all(math.isfinite(value) for value in values) else sum(values)
    return total / len(values) if how == "avg" else total


def ratio(of, to):
    """``of / to``.

    Raises:
        ValueError: ``to`` is 0.
    """
    if to == 0:
        raise ValueError("0 / 0: nothing to divide by" if of == 0 else f"{of:g} / 0")
    return of / to


def bucket_groups(samples, by=()):
    """``_bucket`` samples as a dict of group to a dict of upper bound to cumulative count.

    Raises:
        ValueError: a bucket without a usable ``le``.
    """
    groups = {}
    for labels, value in samples:
        upper = _upper_bound(labels.get("le", ""))
        buckets = groups.setdefault(tuple(labels.get(name, "") for name in by), {})
        buckets[upper] = buckets.get(upper, 0.0) + value
    return groups


def _upper_bound(text):
    try:
        upper = float(text)
    except ValueError:
        upper = math.nan
    if math.isnan(upper):
        raise ValueError(f"a bucket with le={text[:40]!r}")
    return upper


def histogram_quantile(quantile, buckets):
    """The quantile of a classic histogram, interpolated within its bucket as Prometheus does.

    Args:
        quantile: 0 to 1.
        buckets: dict of upper bound to cumulative count.

    Raises:
        ValueError: it cannot be told: no ``+Inf`` bucket, only that one, or no observations.
    """
    bounds = sorted(buckets)
    if not bounds or bounds[-1] != math.inf:
        raise ValueError("the histogram has no +Inf bucket")
    if len(bounds) < 2:
        raise ValueError("the histogram has only the +Inf bucket")
    counts = []
    for bound in bounds:
        # Two scrapes of a moving histogram, or a rounding error, can leave a bucket below the one before it.
        counts.append(max(buckets[bound], counts[-1] if counts else 0.0))
    if not counts[-1] > 0:
        raise ValueError("no observations")
    rank = quantile * counts[-1]
    index = next((i for i, count in enumerate(counts[:-1]) if count >= rank), len(bounds) - 1)
    if index == len(bounds) - 1:
        return bounds[-2]
    upper = bounds[index]
    if index == 0 and upper <= 0:
        return upper
    lower, below = (bounds[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    inside = counts[index] - below
    return lower + (upper - lower) * (rank - below) / inside if inside else lower
