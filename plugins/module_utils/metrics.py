# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observe metrics endpoints: values, rates, ratios and quantiles of a few families."""

from __future__ import annotations

import math
import time

from ansible_collections.oncall.runbooks.plugins.module_utils import metrics_text
from ansible_collections.oncall.runbooks.plugins.module_utils.bounded_http import (
    FetchError,
    fetch,
    public_url,
)
from ansible_collections.oncall.runbooks.plugins.module_utils.deadline import all_within
from ansible_collections.oncall.runbooks.plugins.module_utils.metrics_spec import listed, parse_specs
from ansible_collections.oncall.runbooks.plugins.module_utils.observer_specs import METRICS
from ansible_collections.oncall.runbooks.plugins.module_utils.text import one_line

_ACCEPT = {"accept": "text/plain;version=0.0.4, */*;q=0.1"}
# fetch keeps its own deadline and says more; this one is for what hangs outside of it.
_GRACE_SECONDS = 0.25
_MAX_GROUPS = 1000


class _Unmeasured(Exception):
    """Why a metric has no value, in one line."""


def observe(params):
    """Read the endpoints and work out the metrics asked for.

    Args:
        params: what ``observer_specs.METRICS`` describes.

    Returns:
        A dict of ``available``, ``reason`` (if not), ``endpoints``, ``metric`` and ``value``, as the module
        ``metrics_info`` documents them. Only what could be measured is in ``value``.

    Raises:
        ValueError: the parameters make no sense; names the metric, the key and what is known.
    """
    endpoints = _endpoints(params["endpoints"] or {})
    window_seconds = _positive(params, "window_seconds")
    timeout_seconds = _positive(params, "timeout_seconds")
    specs = parse_specs(params.get("metrics") or {}, endpoints)
    readings = _read(endpoints, specs, window_seconds, timeout_seconds)
    metric, value = _measure_all(specs, readings)
    reasons = [f"endpoint {name}: {reading['reason']}" for name, reading in readings.items() if "reason" in reading]
    reasons += [
        f"metric {name} ({entry['family']}): {entry['reason']}" for name, entry in metric.items() if "reason" in entry
    ]
    shown = ("available", "reason", "url", "status", "bytes", "seconds")
    result = {"available": not reasons}
    if reasons:
        result["reason"] = one_line(reasons[0], 500)
    result["endpoints"] = {
        name: {key: reading[key] for key in shown if key in reading} for name, reading in readings.items()
    }
    result["metric"] = metric
    result["value"] = value
    return result


def _endpoints(urls):
    if not urls:
        raise ValueError("endpoints: name at least one")
    for name, url in urls.items():
        if not isinstance(url, str) or not url:
            raise ValueError(f"endpoints: {name} must be a URL, not {type(url).__name__}")
    return {str(name): url for name, url in urls.items()}


def _positive(params, key):
    value = params.get(key)
    value = METRICS[key]["default"] if value is None else float(value)
    if not 0 < value < math.inf:
        raise ValueError(f"{key}: must be above 0, not {value:g}")
    return value


def _read(endpoints, specs, window_seconds, timeout_seconds):
    """Read every endpoint once, and those a window is needed for a second time.

    Returns a dict of endpoint name to its last reading, which holds the one before it under ``before``.
    """
    of_family = [spec for spec in specs.values() if spec["measure"] != "ratio"]
    wanted = {name: {spec["wanted"] for spec in of_family if name in spec["endpoints"]} for name in endpoints}
    windowed = {name for spec in of_family if spec["windowed"] for name in spec["endpoints"]}
    started = time.monotonic()
    readings = _read_once(endpoints, wanted, timeout_seconds)
    again = {name: url for name, url in endpoints.items() if name in windowed and readings[name]["available"]}
    if again:
        time.sleep(max(0.0, started + window_seconds - time.monotonic()))
        for name, reading in _read_once(again, wanted, timeout_seconds).items():
            if "reason" in reading:
                reading["reason"] = "second sample: " + reading["reason"]
            reading["before"] = readings[name]
            readings[name] = reading
    return readings


def _read_once(endpoints, wanted, timeout_seconds):
    def reader(name, url):
        return lambda: _read_endpoint(url, wanted[name], timeout_seconds)

    answers = all_within(timeout_seconds + _GRACE_SECONDS, [reader(name, url) for name, url in endpoints.items()])
    readings = {}
    for (name, url), answer in zip(endpoints.items(), answers):
        if isinstance(answer, Exception):
            answer = {
                "available": False,
                "reason": one_line(f"GET {public_url(url)}: {answer}"),
                "url": public_url(url),
            }
        readings[name] = answer
    return readings


def _read_endpoint(url, wanted, timeout_seconds):
    """One reading. The body is reduced to the samples asked for here, so that it is never kept."""
    started = time.monotonic()
    reading = {"available": False, "url": public_url(url)}
    try:
        status, _headers, body = fetch(url, timeout_seconds, headers=_ACCEPT)
    except FetchError as error:
        reading["reason"] = str(error)
        return reading
    finished = time.monotonic()
    reading.update(status=status, bytes=len(body), seconds=round(finished - started, 4))
    reading["at"] = (started + finished) / 2
    problem = f"answered {status} instead of 200" if status != 200 else None
    if problem is None and metrics_text.not_metrics_reason(body):
        problem = f"answered with {metrics_text.not_metrics_reason(body)}"
    if problem:
        reading["reason"] = f"GET {reading['url']}: {problem}; is this the address of the metrics?"
        return reading
    reading["available"] = True
    reading["families"] = {key: _samples(body, *key) for key in wanted}
    return reading


def _samples(body, family, suffixes):
    """The samples of one family, or as a string why there are none."""
    try:
        found = metrics_text.scan(body, {family}, suffixes)
    except ValueError as error:
        return str(error)
    if suffixes == ("_bucket",):
        samples = found.get(family + "_bucket")
        if samples is None and family in found and metrics_text.declared_type(body, family) != "histogram":
            return f"{family} is no histogram"
        samples = found.get(family) if samples is None else samples
    else:
        samples = metrics_text.samples_of(found, family)
        if samples == [] and metrics_text.declared_type(body, family) in ("histogram", "summary"):
            return f"{family} is a histogram or summary: use {family}_count or _sum, or measure a quantile"
        base = next((family[: -len(end)] for end in ("_count", "_sum") if family.endswith(end)), "")
        if samples is None and base and metrics_text.declared_type(body, base) in ("histogram", "summary"):
            return []
    if samples is None:
        near = metrics_text.near_names(body, family)
        return f"{family} is not there" + (f"; near: {', '.join(near)}" if near else "")
    return samples


def _measure_all(specs, readings):
    measured = {}
    metric = {}
    order = sorted(specs, key=lambda name: specs[name]["measure"] == "ratio")
    for name in order:
        spec = specs[name]
        entry = {"available": False, "series": 0}
        metric[name] = entry
        try:
            if spec["measure"] == "ratio":
                entry["family"] = " / ".join(specs[spec[key]]["family"] for key in ("of", "to"))
                entry["series"] = sum(metric[spec[key]]["series"] for key in ("of", "to"))
                groups, unmeasured = _ratio(spec, specs, measured, metric)
            else:
                entry["family"] = spec["family"]
                groups, unmeasured = _groups(spec, readings, entry)
            measured[name] = _finite(groups, unmeasured, by=_by(spec, specs))
            entry["available"] = True
            if unmeasured:
                entry["unmeasured"] = {_joined(group): reason for group, reason in unmeasured.items()}
        except _Unmeasured as problem:
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
    return specs[spec["of"]]["by"] if spec["measure"] == "ratio" else spec["by"]


def _finite(groups, unmeasured, by):
    """The groups with a number that means something; the others go to ``unmeasured`` with the reason."""
    if len(groups) > _MAX_GROUPS:
        raise _Unmeasured(f"{len(groups)} groups by {', '.join(by)}, at most {_MAX_GROUPS}: narrow it with labels")
    for group, number in groups.items():
        if not math.isfinite(number):
            unmeasured[group] = "the value is NaN" if math.isnan(number) else "the value is infinite"
    measured = {group: number for group, number in groups.items() if group not in unmeasured}
    if unmeasured and not measured:
        group, reason = next(iter(unmeasured.items()))
        raise _Unmeasured(f"{reason} ({_joined(group)})" if group else reason)
    return measured


def _joined(group):
    if len(group) < 2:
        return "".join(group)
    return ",".join(part.replace("\\", "\\\\").replace(",", "\\,") for part in group)


def _groups(spec, readings, entry):
    """``(groups, unmeasured)`` of one entry: dicts of tuple of label values to number, and to reason."""
    everything, samples = _pooled(spec, readings, entry)
    entry["series"] = len(samples)
    asked = [label for label, _test in spec["tests"]] + spec["by"]
    known = {label for labels, _number in everything for label in labels} if asked else set()
    for label in asked:
        if everything and label not in known:
            there = f"its labels are {listed(known)}" if known else "it has no labels"
            raise _Unmeasured(f"no series of {spec['family']} has the label {label}; {there}")
    if spec["measure"] == "quantile":
        return _quantiles(spec, samples)
    groups = metrics_text.aggregate(samples, spec["aggregate"], spec["by"])
    if groups or spec["by"]:
        return groups, {}
    # A labelled counter has no series until it first counts: that nothing was counted is known to be 0.
    counts = spec["measure"] in ("increase", "rate") and spec["aggregate"] == "sum"
    if counts or spec["aggregate"] == "count":
        return {(): 0.0}, {}
    selected = f"none of its {len(everything)} series has these labels" if everything else "it has no series yet"
    raise _Unmeasured(f"{spec['family']} has no value: {selected}")


def _pooled(spec, readings, entry):
    """All series of the family on all endpoints, and those selected, as measured over the window if any."""
    everything, samples = [], []
    for name in spec["endpoints"]:
        reading = readings[name]
        now = _of_endpoint(name, reading, spec)
        selected = metrics_text.select(now, spec["tests"])
        if spec["windowed"]:
            before = metrics_text.select(_of_endpoint(name, reading["before"], spec), spec["tests"])
            seconds = reading["at"] - reading["before"]["at"]
            entry["seconds"] = round(seconds, 4)
            selected = metrics_text.increase(before, selected)
            if spec["measure"] == "rate":
                selected = metrics_text.per_second(selected, seconds)
        everything += now
        samples += selected
    return everything, samples


def _of_endpoint(name, reading, spec):
    if not reading["available"]:
        raise _Unmeasured(f"endpoint {name}: {reading['reason']}")
    samples = reading["families"][spec["wanted"]]
    if isinstance(samples, str):
        raise _Unmeasured(f"endpoint {name}: GET {reading['url']}: {samples}")
    return samples


def _quantiles(spec, samples):
    groups, unmeasured = {}, {}
    try:
        buckets = metrics_text.bucket_groups(samples, spec["by"])
    except ValueError as error:
        raise _Unmeasured(f"{spec['family']}: {error}") from None
    if not buckets:
        raise _Unmeasured(f"{spec['family']}: no observations with these labels")
    for group, of_group in buckets.items():
        try:
            groups[group] = metrics_text.histogram_quantile(spec["quantile"], of_group)
        except ValueError as error:
            unmeasured[group] = f"{spec['family']}: {error}"
    return groups, unmeasured


def _ratio(spec, specs, measured, metric):
    for key in ("of", "to"):
        if spec[key] not in measured:
            raise _Unmeasured(f"{spec[key]}: {metric[spec[key]]['reason']}")
    of, to = measured[spec["of"]], measured[spec["to"]]
    per_group = bool(specs[spec["to"]]["by"])
    of_counts = specs[spec["of"]]["measure"] in ("increase", "rate") and specs[spec["of"]]["aggregate"] == "sum"
    groups, unmeasured = {}, {}
    for group in list(of) + [group for group in to if per_group and group not in of]:
        try:
            if group not in of and not of_counts:
                raise ValueError(f"{spec['of']} has no such group")
            divisor = to.get(group) if per_group else to[()]
            if divisor is None:
                raise ValueError(f"{spec['to']} has no such group")
            groups[group] = metrics_text.ratio(of.get(group, 0.0), divisor)
        except ValueError as error:
            unmeasured[group] = f"{spec['of']} / {spec['to']}: {error}"
    return groups, unmeasured
