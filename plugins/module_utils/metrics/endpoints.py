# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics from endpoints that expose them as text: read once or over a window, and worked out here."""

from __future__ import annotations

import time

from ..deadline import all_within
from ..metrics import arithmetic, exposition
from ..net.bounded_http import (
    FetchError,
    fetch,
    public_url,
)
from ..text.one_line import one_line
from .spec import (
    COUNTED,
    Unmeasured,
    check_count,
    leaves,
    listed,
)

_ACCEPT = "text/plain;version=0.0.4, */*;q=0.1"
# A target writes names in quotes only where the request accepts them; else it writes app_db_pool for app.db.pool.
_ACCEPT_UTF8 = f"text/plain;version=1.0.0;escaping=allow-utf-8, {_ACCEPT.replace('0.0.4', '0.0.4;q=0.5')}"
# fetch keeps its own deadline and says more; this one is for what hangs outside of it.
_GRACE_SECONDS = 0.25
# As of a Prometheus server, which shows a series no longer than that.
_STALE_SECONDS = 300


def read(endpoints, specs, window_seconds, samples, timeout_seconds):
    """Read every endpoint once, and those a window is needed for until its end.

    Args:
        endpoints: name -> URL.
        specs: as parsed by :func:`spec.parse_specs`.
        window_seconds: from the first reading to the last; 0 for one reading only.
        samples: readings for a slope, at least 2; everything else takes the first and the last.
        timeout_seconds: for each of them.

    Returns:
        A dict of endpoint name to its last reading, which holds those before it under ``earlier``.
    """
    of_family = list(leaves(specs))
    # An endpoint with two names is one target: its series count once.
    first, targets = {}, {}
    for name, url in endpoints.items():
        targets[name] = first.setdefault(target_of(url), name)
    asked = {name: endpoints[name] for name in first.values()}
    wanted = {name: set() for name in asked}
    windowed = set()
    for spec in of_family:
        for name in spec["endpoints"]:
            wanted[targets[name]].add(spec["wanted"])
            if spec["windowed"] and window_seconds:
                windowed.add(targets[name])
    count = samples if any(spec["measure"] == "slope" for spec in of_family) else 2
    accept = {"accept": _ACCEPT_UTF8 if any(map(_asks_for_utf8, of_family)) else _ACCEPT}
    started = time.monotonic()
    readings = _read_once(asked, wanted, timeout_seconds, accept)
    for number in range(1, count):
        again = {name: url for name, url in asked.items() if name in windowed and readings[name]["available"]}
        if not again:
            break
        time.sleep(max(0.0, started + window_seconds * number / (count - 1) - time.monotonic()))
        for name, reading in _read_once(again, wanted, timeout_seconds, accept).items():
            if "reason" in reading:
                reading["reason"] = f"{'second sample' if number == 1 else f'sample {number + 1}'}: {reading['reason']}"
            reading["earlier"] = [*readings[name].pop("earlier", []), readings[name]]
            readings[name] = reading
    return {
        name: readings[target] if name == target else {**readings[target], "same_as": target}
        for name, target in targets.items()
    }


def unmoved(readings):
    """The endpoints that gave the very same text in every sample, while another one gave another.

    A process counts at least its own time, so that this is a copy of what was true once, or nobody asks that replica for anything.
    """
    told = {
        name: {one.get("content") for one in [*reading["earlier"], reading]}
        for name, reading in readings.items()
        if reading.get("earlier")
    }
    same = [name for name, contents in told.items() if len(contents) == 1]
    return same if len(same) < len(told) else []


def target_of(url):
    """What a URL asks for, so that two spellings of it are the same: a tuple, or the URL where it cannot be read."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
        host = (parts.hostname or url).rstrip(".")
        # One process listens on a port of this host, under either name.
        host = "127.0.0.1" if host == "localhost" else host
        return parts.scheme, parts.username, host, port, parts.path or "/", parts.query
    except ValueError:
        return url


def _asks_for_utf8(spec):
    return any(map(exposition.needs_utf8, [spec["family"], *spec["labels"], *spec["by"]]))


def _read_once(endpoints, wanted, timeout_seconds, accept):
    def reader(name, url):
        return lambda: _read_endpoint(url, wanted[name], timeout_seconds, accept)

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


def _read_endpoint(url, wanted, timeout_seconds, accept):
    """One reading. The body is reduced to the samples asked for here, so that it is never kept."""
    started = time.monotonic()
    reading = {"available": False, "url": public_url(url)}
    try:
        status, headers, body = fetch(url, timeout_seconds, headers=accept)
    except FetchError as error:
        reading["reason"] = str(error)
        return reading
    finished = time.monotonic()
    reading.update(status=status, bytes=len(body), seconds=round(finished - started, 4))
    reading["at"] = (started + finished) / 2
    problem = f"answered {status} instead of 200" if status != 200 else None
    if problem is None and exposition.not_metrics_reason(body):
        problem = f"answered with {exposition.not_metrics_reason(body)}"
    if problem:
        reading["reason"] = f"GET {reading['url']}: {problem}; is this the address of the metrics?"
        return reading
    if exposition.is_cut_off(body, headers.get("content-type", "")):
        reading["reason"] = (
            f"GET {reading['url']}: may be partial: it says that it is OpenMetrics and has no # EOF at its end"
        )
        return reading
    reading["available"] = True
    reading["content"] = hash(body)
    reading["families"] = {key: _samples(body, *key) for key in wanted}
    return reading


def _samples(body, family, suffixes):
    """The samples of one family, or as a string why there are none."""
    try:
        found = exposition.scan(body, {family}, suffixes, time.time() - _STALE_SECONDS)
    except ValueError as error:
        return str(error)
    if suffixes == ("_bucket",):
        samples = found.get(family + "_bucket")
        if samples is None and family in found and exposition.declared_type(body, family) != "histogram":
            return f"{family} is no histogram"
        samples = found.get(family) if samples is None else samples
    else:
        samples = exposition.samples_of(found, family)
        if samples == [] and exposition.declared_type(body, family) in ("histogram", "summary"):
            return f"{family} is a histogram or summary: use {family}_count or _sum, or measure a quantile"
        base = next((family[: -len(end)] for end in ("_count", "_sum") if family.endswith(end)), "")
        if samples is None and base and exposition.declared_type(body, base) in ("histogram", "summary"):
            return []
    if samples is None:
        from .near_names import near_names

        near = near_names(body, family)
        return f"{family} is not there" + (f"; near: {', '.join(near)}" if near else "")
    return samples


def groups(spec, readings, entry):
    """The numbers of one metric of a family.

    Args:
        spec: as parsed.
        readings: of :func:`read`.
        entry: what is told about the metric; ``series`` and ``seconds`` are entered here.

    Returns:
        ``(groups, unmeasured)``: dicts of tuple of label values to number, and to reason.

    Raises:
        Unmeasured: it has no number at all.
    """
    everything, rows = _looked_up(spec, readings, entry)
    samples = [(labels, number) for _target, labels, number in rows]
    if spec["measure"] == "quantile":
        return _quantiles(spec, samples)
    found = arithmetic.aggregate(samples, spec["aggregate"], spec["by"])
    if not spec["by"] and len(spec["endpoints"]) > 1:
        entry["by_endpoint"] = arithmetic.by_endpoint(rows, spec["aggregate"])
    if found or spec["by"]:
        return found, {}
    # A labelled counter has no series until it first counts: that nothing was counted is known to be 0.
    if spec["aggregate"] == "count" or (spec["measure"] in COUNTED and spec["aggregate"] == "sum"):
        return {(): 0.0}, {}
    raise Unmeasured(_no_value(spec, everything))


def rows(spec, readings, entry):
    """The series of one side of a sum or difference, each as (target, labels, number).

    Raises:
        Unmeasured: they are not known, or there is none of what is not counted.
    """
    everything, found = _looked_up(spec, readings, entry)
    if not found and spec["measure"] not in COUNTED:
        raise Unmeasured(_no_value(spec, everything))
    return found


def _no_value(spec, everything):
    which = "is in every sample, with these labels" if spec["measure"] == "slope" else "has these labels"
    selected = f"none of its {len(everything)} series {which}" if everything else "it has no series yet"
    return f"{spec['family']} has no value: {selected}"


def _looked_up(spec, readings, entry):
    """The labels of all series of the family on all endpoints, and the series selected, as measured over the window if any."""
    everything, found = [], []
    targets = {readings[name].get("same_as", name): name for name in reversed(spec["endpoints"])}
    for name in reversed(list(targets.values())):
        reading = readings[name]
        now = _of_endpoint(name, reading, spec)
        selected = arithmetic.select(now, spec["tests"])
        if spec["windowed"]:
            if "earlier" not in reading:
                raise Unmeasured("it takes two samples, and window_seconds is 0")
            entry["seconds"] = round(reading["at"] - reading["earlier"][0]["at"], 4)
            selected = _over_window(spec, [*reading["earlier"], reading], name)
        everything += now
        # Each by itself: a sum would hide a value below 0.
        for _labels, number in selected:
            check_count(spec, number)
        found += [(name, labels, number) for labels, number in selected]
    entry["series"] = len(found)
    asked = list(spec["labels"]) + spec["by"]
    known = {label for labels, _number in everything for label in labels} if asked else set()
    for label in asked:
        if everything and label not in known:
            there = f"its labels are {listed(known)}" if known else "it has no labels"
            raise Unmeasured(f"no series of {spec['family']} has the label {label}; {there}")
    return everything, found


def _over_window(spec, taken, name):
    times = [reading["at"] for reading in taken]
    selected = [arithmetic.select(_of_endpoint(name, reading, spec), spec["tests"]) for reading in taken]
    if spec["measure"] == "slope":
        return arithmetic.slopes(times, selected)
    grown = arithmetic.increase(selected[0], selected[-1])
    return arithmetic.per_second(grown, times[-1] - times[0]) if spec["measure"] == "rate" else grown


def _of_endpoint(name, reading, spec):
    if not reading["available"]:
        raise Unmeasured(f"endpoint {name}: {reading['reason']}")
    samples = reading["families"][spec["wanted"]]
    if isinstance(samples, str):
        raise Unmeasured(f"endpoint {name}: GET {reading['url']}: {samples}")
    return samples


def _quantiles(spec, samples):
    from .histogram import bucket_groups, histogram_quantile

    found, unmeasured = {}, {}
    try:
        buckets = bucket_groups(samples, spec["by"])
    except ValueError as error:
        raise Unmeasured(f"{spec['family']}: {error}") from None
    if not buckets:
        raise Unmeasured(f"{spec['family']}: no observations with these labels")
    for group, of_group in buckets.items():
        try:
            found[group] = histogram_quantile(spec["quantile"], of_group)
        except ValueError as error:
            unmeasured[group] = f"{spec['family']}: {error}"
    return found, unmeasured
