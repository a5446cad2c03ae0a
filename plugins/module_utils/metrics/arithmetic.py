# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic on samples, each a pair of labels and a number: to select them, measure their growth and add them up. No I/O."""

from __future__ import annotations

import math
import re

from ..host.usage_window import slope_of
from .series import identity

AGGREGATES = ("sum", "max", "min", "avg", "count")


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
    interned = {}
    earlier = {identity(labels, interned): value for labels, value in before}
    starts = [earlier.get(identity(labels, interned), 0.0) for labels, _value in after]
    reset = {_histogram(labels) for (labels, value), start in zip(after, starts) if value < start}
    return [
        (labels, value if reset and _histogram(labels) in reset else value - start)
        for (labels, value), start in zip(after, starts)
    ]


def _histogram(labels):
    return frozenset(item for item in labels.items() if item[0] != "le")


def per_second(samples, seconds):
    """The samples divided by an interval of ``seconds``."""
    return [(labels, value / seconds) for labels, value in samples]


def slopes(times, scans):
    """How fast each series changes per second, by least squares: those that are in every scan, as samples.

    Args:
        times: when each scan was made, in seconds.
        scans: two or more of them.
    """
    interned = {}
    by_series = [{identity(labels, interned): value for labels, value in scan} for scan in scans]
    found = []
    for labels, _value in scans[-1]:
        series = identity(labels, interned)
        if all(series in values for values in by_series):
            found.append((labels, slope_of([(at, values[series]) for at, values in zip(times, by_series)])))
    return found


def aggregate(samples, how="sum", by=()):
    """One number for each combination of the labels in ``by``: a dict of tuple of label values to float.

    Without ``by`` there is one group, ``()``. No samples give no group.
    """
    groups = {}
    for labels, value in samples:
        groups.setdefault(tuple(labels.get(name, "") for name in by), []).append(value)
    return {group: _combine(values, how) for group, values in groups.items()}


def by_endpoint(rows, how="sum"):
    """The number of each endpoint by itself, of series as (endpoint, labels, number). One without series has none."""
    own = {}
    for endpoint, labels, number in rows:
        own.setdefault(endpoint, []).append((labels, number))
    return {endpoint: aggregate(samples, how)[()] for endpoint, samples in own.items()}


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
