# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe metrics: values, rates, ratios, quantiles and slopes of a few families, from endpoints or a Prometheus server."""

from __future__ import annotations

import math

from ..metrics import arithmetic
from ..text.one_line import one_line
from .spec import (
    COUNTED,
    OF_OTHERS,
    Unmeasured,
    check_count,
    parse_specs,
    positive,
)

_MAX_GROUPS = 1000


def observe(params):
    """Read the endpoints, or ask the server, and work out the metrics asked for.

    Args:
        params: what ``observers.metrics.SPEC`` describes.

    Returns:
        A dict of ``available``, ``reason`` (if not), ``endpoints``, ``metric`` and ``value``, as the module
        ``metrics_info`` documents them. Only what could be measured is in ``value``.

    Raises:
        ValueError: the parameters make no sense; names the metric, the key and what is known.
    """
    endpoints = {str(name): url for name, url in (params.get("endpoints") or {}).items()}
    prometheus = params.get("prometheus")
    specs = parse_specs(params.get("metrics") or {}, endpoints, bool(prometheus))
    timeout_seconds = positive(params, "timeout_seconds")
    if prometheus:
        from ..metrics import server as source

        readings = source.read(prometheus, specs, timeout_seconds)
    else:
        from ..metrics import endpoints as source

        _check_urls(endpoints)
        # Nobody is to be kept waiting: what takes two samples is not measured.
        window_seconds = 0 if params.get("window_seconds") == 0 else positive(params, "window_seconds")
        samples = positive(params, "samples", 2)
        readings = source.read(endpoints, specs, window_seconds, samples, timeout_seconds)
    metric, value = _measure_all(specs, lambda spec, entry: _groups(source, spec, readings, entry))
    reasons = [f"endpoint {name}: {reading['reason']}" for name, reading in readings.items() if "reason" in reading]
    reasons += [
        f"metric {name} ({entry['family']}): {entry['reason']}" for name, entry in metric.items() if "reason" in entry
    ]
    shown = ("available", "reason", "url", "status", "bytes", "seconds", "same_as")
    result = {"available": not reasons}
    if reasons:
        result["reason"] = one_line(reasons[0], 500)
    result["endpoints"] = {
        name: {key: reading[key] for key in shown if key in reading} for name, reading in readings.items()
    }
    # A server has its own way to tell what is stale.
    result["unmoved"] = [] if prometheus else source.unmoved(readings)
    result["metric"] = metric
    result["value"] = value
    return result


def _groups(source, spec, readings, entry):
    if "sides" not in spec:
        return source.groups(spec, readings, entry)
    from . import combined

    sides = []
    for _sign, side in spec["sides"]:
        of_side = {}
        sides.append(source.rows(side, readings, of_side))
        entry["series"] += of_side["series"]
        entry.update({key: of_side[key] for key in ("seconds",) if key in of_side})
    return combined.groups(spec, sides, entry)


def _check_urls(endpoints):
    if not endpoints:
        raise ValueError("endpoints: name at least one, or a Prometheus server")
    for name, url in endpoints.items():
        if not isinstance(url, str) or not url:
            raise ValueError(f"endpoints: {name} must be a URL, not {'empty' if url == '' else type(url).__name__}")


def _measure_all(specs, groups_of):
    measured = {}
    metric = {}
    order = sorted(specs, key=lambda name: specs[name]["measure"] in OF_OTHERS)
    for name in order:
        spec = specs[name]
        entry = {"available": False, "series": 0}
        metric[name] = entry
        try:
            if spec["measure"] in OF_OTHERS:
                others = [spec[key] for key in OF_OTHERS[spec["measure"]] if spec[key] in specs]
                entry["family"] = " / ".join(specs[other]["family"] for other in others)
                entry["series"] = sum(metric[other]["series"] for other in others)
                unknown = next((other for other in others if other not in measured), None)
                if unknown:
                    raise Unmeasured(f"{unknown}: {metric[unknown]['reason']}")
                combine = _ratio if spec["measure"] == "ratio" else _seconds_to
                groups, unmeasured = combine(spec, specs, measured)
            else:
                entry["family"] = spec["family"]
                groups, unmeasured = groups_of(spec, entry)
                for number in groups.values():
                    check_count(spec, number)
            measured[name] = _finite(groups, unmeasured, by=_by(spec, specs))
            entry["available"] = True
            if unmeasured:
                entry["unmeasured"] = {_joined(group): reason for group, reason in unmeasured.items()}
        except Unmeasured as problem:
            entry["reason"] = one_line(problem, 400)
    value = {
        name: {_joined(group): number for group, number in measured[name].items()}
        if _by(specs[name], specs)
        else measured[name][()]
        for name in specs
        if name in measured
    }
    return {name: metric[name] for name in specs}, value


def _by(spec, specs):
    return specs[spec["of"]]["by"] if spec["measure"] in OF_OTHERS else spec["by"]


def _finite(groups, unmeasured, by):
    """The groups with a number that means something; the others go to ``unmeasured`` with the reason."""
    if len(groups) > _MAX_GROUPS:
        raise Unmeasured(f"{len(groups)} groups by {', '.join(by)}, at most {_MAX_GROUPS}: narrow it with labels")
    for group, number in groups.items():
        if number is not None and not math.isfinite(number):
            unmeasured[group] = "the value is NaN" if math.isnan(number) else "the value is infinite"
    measured = {group: number for group, number in groups.items() if group not in unmeasured}
    if unmeasured and not measured:
        group, reason = next(iter(unmeasured.items()))
        raise Unmeasured(f"{reason} ({_joined(group)})" if group else reason)
    return measured


def _joined(group):
    if len(group) < 2:
        return "".join(group)
    return ",".join(part.replace("\\", "\\\\").replace(",", "\\,") for part in group)


def _ratio(spec, specs, measured):
    of, to = measured[spec["of"]], measured[spec["to"]]
    per_group = bool(specs[spec["to"]]["by"])
    of_counts = specs[spec["of"]]["measure"] in COUNTED and specs[spec["of"]]["aggregate"] == "sum"
    groups, unmeasured = {}, {}
    for group in list(of) + [group for group in to if per_group and group not in of]:
        try:
            if group not in of and not of_counts:
                raise ValueError(f"{spec['of']} has no such group")
            divisor = to.get(group) if per_group else to[()]
            if divisor is None:
                raise ValueError(f"{spec['to']} has no such group")
            groups[group] = arithmetic.ratio(of.get(group, 0.0), divisor)
        except ValueError as error:
            unmeasured[group] = f"{spec['of']} / {spec['to']}: {error}"
    return groups, unmeasured


def _seconds_to(spec, specs, measured):
    """How long each group has until its limit: 0 where it is there, None where it is not on its way."""
    groups, unmeasured = {}, {}
    for group, now in measured[spec["of"]].items():
        limit = spec["limit"]
        if limit in specs:
            limit = measured[limit].get(group if specs[limit]["by"] else ())
        slope = measured[spec["slope"]].get(group)
        if limit is None or slope is None:
            unmeasured[group] = f"{spec['slope'] if slope is None else spec['limit']} has no such group"
        elif now >= limit:
            groups[group] = 0.0
        else:
            groups[group] = (limit - now) / slope if slope > 0 else None
    return groups, unmeasured
