# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics of a program under the names that a system has for them."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.samples import Sample


class Shaped(CollectorRegistry):
    """What is registered, and of it only the families that have a name.

    Args:
        families: the system's name of a family, by the lab's.
        labels: the system's name of a label, by the lab's.
    """

    def __init__(self, families: dict[str, str], labels: dict[str, str]) -> None:
        super().__init__()
        self._families = {bare(ours): bare(theirs) for ours, theirs in families.items()}
        self._labels = labels

    def collect(self) -> Iterable[Metric]:
        for family in REGISTRY.collect():
            name = self._families.get(family.name)
            if name is None:
                continue
            shaped = Metric(name, family.documentation, family.type)
            shaped.samples = [self._sample(sample, family.name, name) for sample in family.samples]
            yield shaped

    def _sample(self, sample: Sample, ours: str, theirs: str) -> Sample:
        labels = {self._labels.get(name, name): value for name, value in sample.labels.items()}
        return sample._replace(name=theirs + sample.name.removeprefix(ours), labels=labels)


def bare(name: str) -> str:
    """A family's name as it is kept: of a counter without the end that all counters have."""
    return name.removesuffix("_total")
