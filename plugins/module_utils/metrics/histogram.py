# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Quantiles of classic histograms, out of their buckets. No I/O."""

from __future__ import annotations

import math


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
