# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a metric of the metrics observer may be asked for, checked before anything is read."""

from __future__ import annotations

import math

from ..metrics import exposition
from ..observers.metrics import SPEC

_OF_FAMILY = {"measure", "family", "labels", "by", "endpoints"}
_KEYS = {
    "value": _OF_FAMILY | {"aggregate", "counts"},
    "increase": _OF_FAMILY | {"aggregate", "lifetime"},
    "rate": _OF_FAMILY | {"aggregate"},
    "quantile": _OF_FAMILY | {"quantile", "lifetime"},
    "slope": _OF_FAMILY | {"aggregate"},
    "promql": {"measure", "promql", "by"},
    "ratio": {"measure", "of", "to"},
    "seconds_to": {"measure", "of", "slope", "limit"},
}
# Made from other entries, named under these keys.
OF_OTHERS = {"ratio": ("of", "to"), "seconds_to": ("of", "slope", "limit")}
# Of these, summed, no series means that nothing was counted.
COUNTED = ("increase", "rate")
# More than there can be of anything, or can be counted within a window.
_MOST_COUNTED = 1e15


class Unmeasured(Exception):
    """Why a metric has no value, in one line."""


def check_count(spec, number):
    """Raise Unmeasured where the metric is one of things counted, and the number cannot be how many they are."""
    # What is not finite is told of where every number is looked at.
    if spec.get("counts") and math.isfinite(number) and not 0 <= number <= _MOST_COUNTED:
        raise Unmeasured(f"{spec['family']} shows {number:g}, which cannot be a count")


def positive(params, key, least=0):
    """A parameter as a number above 0, or its default; ValueError where it is not, or below ``least``."""
    value = params.get(key)
    value = SPEC[key]["default"] if value is None else value
    if not max(0, least) <= float(value) < math.inf or float(value) <= 0:
        raise ValueError(f"{key}: must be {f'at least {least}' if least else 'above 0'}, not {value:g}")
    return value


def parse_specs(metrics, endpoints, has_server):
    """The metrics asked for, checked and with every key filled in.

    Args:
        metrics: name -> what is asked for.
        endpoints: the names that may be named.
        has_server: whether a Prometheus server is asked, which alone understands ``promql``.

    Raises:
        ValueError: names the metric, the key and what is known.
    """
    specs = {str(name): _parse_spec(str(name), spec, endpoints, has_server) for name, spec in metrics.items()}
    for name, spec in specs.items():
        if spec["measure"] in OF_OTHERS:
            _check_others(name, spec, specs)
    return specs


def _parse_spec(name, spec, endpoints, has_server):
    if isinstance(spec, str):
        spec = {"family": spec}
    if not isinstance(spec, dict):
        raise ValueError(f"metric {name}: write the name of a family or a dict, not {type(spec).__name__}")
    if isinstance(spec.get("family"), dict):
        spec = _with_family(name, spec["family"], spec)
    measure = spec.get("measure", "value")
    if not isinstance(measure, str) or measure not in _KEYS:
        raise ValueError(f"metric {name}: measure {measure!r} is not known; known: {listed(_KEYS)}")
    for key in spec:
        if key not in _KEYS[measure]:
            raise ValueError(
                f"metric {name}: {key!r} is not known for measure {measure}; known: {listed(_KEYS[measure])}"
            )
    if measure in OF_OTHERS:
        return {"measure": measure, **{key: spec.get(key) for key in OF_OTHERS[measure]}}
    if measure == "promql":
        return _promql(name, spec, has_server)
    family = spec.get("family")
    if not isinstance(family, str) or not family.strip() or not family.isprintable():
        raise ValueError(f"metric {name}: family must be the name of a metric family, not {family!r}")
    if measure == "quantile" and family.endswith("_bucket"):
        family = family[: -len("_bucket")]
    parsed = {
        "name": name,
        "measure": measure,
        "family": family,
        "labels": _labels(name, spec.get("labels")),
        "by": _names(name, "by", spec.get("by")),
        "aggregate": spec.get("aggregate", "sum"),
        "lifetime": spec.get("lifetime", False),
        "quantile": spec.get("quantile", 0.95),
        "endpoints": _names(name, "endpoints", spec.get("endpoints")) or list(endpoints),
    }
    if parsed["aggregate"] not in exposition.AGGREGATES:
        known = ", ".join(exposition.AGGREGATES)
        raise ValueError(f"metric {name}: aggregate {parsed['aggregate']!r} is not known; known: {known}")
    counts = spec.get("counts", False)
    if not isinstance(counts, bool):
        raise ValueError(f"metric {name}: counts must be true or false, not {counts!r}")
    # Over a lifetime a counter of bytes may well get there.
    parsed["counts"] = counts or (measure in COUNTED and not parsed["lifetime"])
    if not isinstance(parsed["lifetime"], bool):
        raise ValueError(f"metric {name}: lifetime must be true or false, not {parsed['lifetime']!r}")
    if measure == "quantile" and "le" in parsed["by"]:
        raise ValueError(f"metric {name}: by cannot hold le, which the quantile is made from")
    parsed["quantile"] = _quantile(name, parsed["quantile"])
    try:
        parsed["tests"] = exposition.label_tests(parsed["labels"])
    except ValueError as error:
        raise ValueError(f"metric {name}: labels: {error}") from None
    for endpoint in parsed["endpoints"]:
        if endpoint not in endpoints:
            raise ValueError(f"metric {name}: endpoints: {endpoint!r} is not known; known: {listed(endpoints)}")
    # Buckets are by far the most lines; they are read only for a quantile.
    parsed["wanted"] = (family, ("_bucket",)) if measure == "quantile" else (family, ("", "_total"))
    parsed["windowed"] = measure in (*COUNTED, "quantile", "slope") and not parsed["lifetime"]
    return parsed


def _with_family(name, said, spec):
    # What an inventory says of a family may be more than its name.
    labels = {**_labels(name, said.get("labels")), **_labels(name, spec.get("labels"))}
    return {**said, **spec, "family": said.get("family"), **({"labels": labels} if labels else {})}


def _promql(name, spec, has_server):
    expression = spec.get("promql")
    if not isinstance(expression, str) or not expression.strip():
        raise ValueError(f"metric {name}: promql must be an expression, not {expression!r}")
    if not has_server:
        raise ValueError(f"metric {name}: promql needs a Prometheus server, and none is given")
    return {"name": name, "measure": "promql", "family": expression, "by": _names(name, "by", spec.get("by"))}


def _check_others(name, spec, specs):
    for key in OF_OTHERS[spec["measure"]]:
        if key == "limit" and isinstance(spec[key], (int, float)) and not isinstance(spec[key], bool):
            continue
        other = specs.get(str(spec[key]))
        if other is None or other["measure"] in OF_OTHERS or (key == "slope") != (other["measure"] == "slope"):
            kind = "an entry that is a slope" if key == "slope" else "an entry that is no ratio"
            known = listed(
                entry
                for entry in specs
                if specs[entry]["measure"] not in OF_OTHERS and (key == "slope") == (specs[entry]["measure"] == "slope")
            )
            raise ValueError(f"metric {name}: {key} must name {kind}, not {spec[key]!r}; known: {known or 'none'}")
        spec[key] = str(spec[key])
        of_by, other_by = specs[spec["of"]]["by"], other["by"]
        if of_by != other_by and (other_by or key == "slope"):
            raise ValueError(
                f"metric {name}: of is by {of_by or 'nothing'} but {key} is by {other_by or 'nothing'}; "
                "write the same for both"
            )


def _quantile(name, value):
    try:
        quantile = float(value)
    except (TypeError, ValueError):
        quantile = math.nan
    if not 0 <= quantile <= 1:
        raise ValueError(f"metric {name}: quantile must be between 0 and 1, not {value!r}")
    return quantile


def _labels(name, labels):
    if not isinstance(labels or {}, dict):
        raise ValueError(f"metric {name}: labels must be a dict of label name to value, not {labels!r}")
    return plain_labels(labels)


def plain_labels(labels):
    """Labels as text: YAML reads 500 and true as what they look like, in metrics they are text."""
    return {
        str(label): str(value).lower() if isinstance(value, bool) else str(value)
        for label, value in (labels or {}).items()
    }


def _names(name, key, value):
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, (list, tuple)) or not all(isinstance(item, str) for item in names):
        raise ValueError(f"metric {name}: {key} must be a list of names, not {value!r}")
    return list(names)


def listed(names):
    """Names for a message, in order."""
    return ", ".join(sorted(names))
