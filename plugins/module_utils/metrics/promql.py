# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of a Prometheus server, as PromQL. No function here does any I/O.

Every value is written as a quoted string, so that it stays data whatever it holds.
"""

from __future__ import annotations

import json
import math
import re

from .spec import plain_labels

_BARE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
# For this long a target that went down is missed among the others.
_LOST_SECONDS = 3600


class Questions:
    """The questions about the metrics of one stack.

    Args:
        prometheus: as in ``observers.metrics.SPEC``.

    Raises:
        ValueError: the labels or the window make no sense.
    """

    def __init__(self, prometheus):
        self.window_seconds = prometheus["window_seconds"]
        if not 0.001 <= self.window_seconds < math.inf:
            raise ValueError(f"prometheus: window_seconds must be above 0, not {self.window_seconds:g}")
        self._labels = plain_labels(prometheus["labels"])
        self._endpoints = {str(name): labels for name, labels in prometheus["endpoints"].items()}
        for name, labels in self._endpoints.items():
            if not isinstance(labels, dict):
                raise ValueError(f"prometheus: endpoints: {name} must be a dict of label name to value")

    def _of_endpoints(self, spec):
        """The labels of each endpoint the metric is read from, each set of labels once."""
        chosen = []
        for name in spec["endpoints"] or [""]:
            labels = {**self._labels, **plain_labels(self._endpoints.get(name))}
            if labels not in chosen:
                chosen.append(labels)
        return chosen

    def _vectors(self, spec, write, labels):
        """``write(series, up)`` for each name the family may have, over its endpoints, as one vector for each name."""
        return [
            " or ".join(
                write(selector(name, [*of_endpoint.items(), *labels.items()]), selector("up", of_endpoint.items()))
                for of_endpoint in self._of_endpoints(spec)
            )
            for name in sample_names(spec)
        ]

    def _measured(self, spec, aggregate, labels):
        # Under its first name or, where there is none of it, under the next: as a text is read.
        return " or ".join(aggregate(vector) for vector in self._vectors(spec, self._written(spec), labels))

    def _written(self, spec):
        window = f"[{_duration(self.window_seconds)}]"

        def written(series, up):
            if not spec["windowed"]:
                return series
            if spec["measure"] == "slope":
                return f"deriv({series}{window})"
            divisor = f" / {self.window_seconds!r}" if spec["measure"] != "increase" else ""
            function = "increase" if spec["measure"] == "increase" else "rate"
            ago = f"offset {_duration(self.window_seconds)}"
            # rate() misses the first count of a new series, and for an error that first count matters. It is
            # new where its target was scraped before and did not show it.
            born = f"(({series} unless {series} {ago}) and on (job, instance) ({up} {ago} == 1)){divisor}"
            return f"({born} or {function}({series}{window}))"

        return written

    def number(self, spec):
        """The metric itself."""
        if spec["measure"] == "promql":
            return spec["family"]
        if spec.get("side"):
            # Series by series: the sides of a sum or difference are matched where the answers are read.
            return self._measured(spec, lambda vector: f"({vector})", spec["labels"])
        if spec["measure"] == "quantile":
            by = _by(["le", *spec["by"]])
            return self._measured(
                spec, lambda vector: f"histogram_quantile({spec['quantile']!r}, sum{by}({vector}))", spec["labels"]
            )
        return self._measured(spec, lambda vector: f"{spec['aggregate']}{_by(spec['by'])}({vector})", spec["labels"])

    def series(self, spec):
        """How many series it is made of."""
        return self._measured(spec, lambda vector: f"count({vector})", spec["labels"])

    def everything(self, spec):
        """The same without the metric's own labels, counted by them: whether they are there at all."""
        by = _by([*spec["labels"], *spec["by"]])
        return self._measured(spec, lambda vector: f"count{by}({vector})", {})

    def names(self, spec):
        """Under which names the family is there."""
        names = "|".join(re.escape(spec["family"]) + end for end in ("", "_total", "_bucket", "_sum", "_count"))
        names += "|" + "|".join(re.escape(name) for name in sample_names(spec))
        return " or ".join(
            f"count by (__name__) ({selector('', [('__name__', '~' + names), *labels.items()])})"
            for labels in self._of_endpoints(spec)
        )

    def down(self):
        """The targets of the stack whose last scrape failed."""
        return f"{selector('up', self._labels.items())} == 0"

    def lost(self, spec):
        """The targets that are down and had series of this metric."""
        recent = f"[{_duration(_LOST_SECONDS)}]"

        def lost(series, up):
            return f"(last_over_time({series}{recent}) and on (job, instance) ({up} == 0))"

        vectors = self._vectors(spec, lost, spec["labels"])
        return " or ".join(f"count by (job, instance) ({vector})" for vector in vectors)


def sample_names(spec):
    """The names under which a server may have the family."""
    family = spec["family"]
    if spec["measure"] == "quantile":
        return [f"{family}_bucket"]
    return [family, family[: -len("_total")] if family.endswith("_total") else f"{family}_total"]


def selector(name, labels):
    """A selector of series.

    Args:
        name: of the series, or "" where ``labels`` says it.
        labels: pairs of label name and the exact value, or ``~`` and a regular expression for all of it.
    """
    matchers = [
        f"{_label(label)}=~{quoted(value[1:])}" if value.startswith("~") else f"{_label(label)}={quoted(value)}"
        for label, value in labels
    ]
    if name and not _BARE.fullmatch(name.replace(":", "_")):
        matchers.insert(0, f"__name__={quoted(name)}")
        name = ""
    return name + (f"{{{','.join(matchers)}}}" if matchers else "")


def quoted(text):
    """A string of PromQL, whose escapes are those of JSON."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text!r} holds half a character, which no label can") from None
    return json.dumps(text, ensure_ascii=False)


def _label(name):
    # What is no plain name, a server from 3.0 on takes in quotes; an older one says that it does not.
    return name if _BARE.fullmatch(name) else quoted(name)


def _by(labels):
    return f" by ({', '.join(_label(label) for label in labels)}) " if labels else " "


def _duration(seconds):
    return f"{max(1, round(seconds * 1000))}ms"
