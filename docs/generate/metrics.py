# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/metrics.md: every name of ``system_metrics``, with who asks for it."""

from __future__ import annotations

import re
from pathlib import Path

from .readme import NOTE
from .source import ROOT, Runbook, SourceError, load
from .words import code, prose, table

HOW = """\
`system_metrics` says what a stack calls a measurement. What it does not name is not looked at; the runbooks for which a name is
required say so and end as `unknown`. Each entry is, everywhere alike, one of these:

```yaml
system_metrics:
  db_pool_max: app_db_pool_max                                                  # a family
  cache_hits: {family: cache_gets_total, labels: {result: hit}}                  # some of its series, as of Micrometer
  db_pool_in_use: {of: pool_total, minus: pool_idle}                             # a difference, as of node-postgres
  cache_errors: {sum: [cache_read_errors_total, cache_write_errors_total]}       # a sum
  requests_in_progress: {measure: promql, promql: "sum(app:in_progress)"}        # with system_prometheus only
```

A sum or difference is worked out series by series, on each endpoint or target by itself, so that replicas are not mixed up. Series
with the same labels belong together, besides the labels that a side names itself. What one side has and another has not makes the
metric unknown, and so does a difference below 0. A quantile is of one family. A histogram is named without `_bucket`; what counts
its observations, as `responses` does with Micrometer, is named with `_count`. `~` in a label begins a regular expression. A name
that has to be quoted, as `app.db.pool`, is written as it is. More is in `ansible-doc oncall.runbooks.metrics_info`.

Labels are those of the column, unless `system_metric_labels` says how they are called: `{route: uri, status: code, provider: target}`,
and for the labels of a circuit breaker `breaker`, `breaker_state` and `breaker_event`."""
DEFAULT_LABELS = {
    "status": "status",
    "route": "route",
    "provider": "host",
    "breaker": "name",
    "breaker_state": "state",
    "breaker_event": "event",
}
_ASKED = re.compile(r"system_metrics \| oncall\.runbooks\.system_metric\('([a-z_]+)'([^)]*)\)")


def files(runbooks: list[Runbook]) -> dict[Path, str]:
    return {ROOT / "docs" / "metrics.md": page(load("roles", "system", "meta", "metrics.yml"), users(runbooks))}


def users(runbooks: list[Runbook]) -> dict[str, dict[str, bool]]:
    """Name of a metric -> runbooks that ask for it, and whether they cannot do without."""
    found: dict[str, dict[str, bool]] = {}
    for runbook in runbooks:
        for name, rest in _ASKED.findall(" ".join(map(str, runbook.defaults.values()))):
            required = "required=true" in rest
            found.setdefault(name, {})[runbook.role] = required or found.get(name, {}).get(runbook.role, False)
    return found


def page(described: dict[str, dict[str, object]], asked: dict[str, dict[str, bool]]) -> str:
    for name in sorted(set(asked) - set(described)):
        raise SourceError(
            f"roles/system/meta/metrics.yml does not describe {name}, which {', '.join(asked[name])} asks for"
        )
    for name in sorted(set(described) - set(asked)):
        raise SourceError(f"roles/system/meta/metrics.yml describes {name}, which no runbook asks for")
    rows = [("name", "what it is", "type", "unit", "labels", "asked for by")]
    for name, one in described.items():
        labels = one["labels"] if isinstance(one["labels"], list) else []
        who = (
            f"[{role}](../roles/{role}/README.md){' (required)' if required else ''}"
            for role, required in asked[name].items()
        )
        rows.append(
            (
                code(name),
                prose(one["description"]),
                str(one["type"]),
                str(one["unit"]),
                ", ".join(code(DEFAULT_LABELS[str(label)]) for label in labels),
                ", ".join(who),
            )
        )
    return "\n\n".join([NOTE, "# Metrics of a stack", HOW, table(*rows)]) + "\n"
