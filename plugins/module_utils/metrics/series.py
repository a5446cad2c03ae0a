# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When two samples belong to one series, and which of them counts. No I/O."""

from __future__ import annotations

import json
import math


class Contradiction(Exception):
    """One series has two values.

    Attributes:
        value: the earlier one.
        start: where its line begins.
    """

    def __init__(self, value, start):
        super().__init__()
        self.value, self.start = value, start


def keep(series, labels, value, stamp, start, interned):
    """Enter a sample as Prometheus does: of two in one series the later one counts, and two equal ones count once.

    Args:
        series: dict of identity to ``(labels, value, stamp, start)``, changed here.
        labels: of the sample.
        value: of the sample.
        stamp: its timestamp, or None.
        start: where its line begins.
        interned: as of :func:`identity`.

    Raises:
        Contradiction: the series has another value already, and no timestamp says which is the later one.
    """
    key = identity(labels, interned)
    before = series.setdefault(key, (labels, value, stamp, start))
    if before[3] == start:
        return
    _labels_before, value_before, stamp_before, start_before = before
    if stamp is not None and stamp_before is not None and stamp != stamp_before:
        if stamp > stamp_before:
            series[key] = (labels, value, stamp, start)
    elif value != value_before and not (math.isnan(value) and math.isnan(value_before)):
        raise Contradiction(value_before, start_before)


def identity(labels, interned):
    """A key that two spellings of one series share: the bound of a bucket and a quantile are compared as numbers.

    Args:
        labels: dict of label name to value; an empty value is as good as no label.
        interned: filled here, so that no number is read twice.
    """
    if "le" in labels or "quantile" in labels:
        labels = dict(labels)
        for name in ("le", "quantile"):
            if name in labels:
                labels[name] = _number(labels[name], interned)
    return frozenset(item for item in labels.items() if item[1]) if "" in labels.values() else frozenset(labels.items())


def _number(text, interned):
    # Texts cannot meet the keys of labels here, which are bytes.
    number = interned.get(text)
    if number is None:
        try:
            number = repr(float(text))
        except ValueError:
            number = text
        interned[text] = number
    return number


def shown(name, labels):
    """A series as a metrics text writes it, for messages."""
    inside = [f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in sorted(labels.items())]
    return name + (f"{{{','.join(inside)}}}" if inside else "")
