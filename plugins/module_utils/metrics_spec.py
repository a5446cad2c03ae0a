# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a metric of the metrics observer may be asked for, checked before anything is read."""

from __future__ import annotations

import math

from ansible_collections.oncall.runbooks.plugins.module_utils import metrics_text

_OF_FAMILY = {"measure", "family", "labels", "by", "endpoints"}
_KEYS = {
    "value": _OF_FAMILY | {"aggregate"},
    "increase": _OF_FAMILY | {"aggregate", "lifetime"},
    "rate": _OF_FAMILY | {"aggregate"},
    "quantile": _OF_FAMILY | {"quantile", "lifetime"},
    "ratio": {"measure", "of", "to"},
}


def parse_specs(metrics, endpoints):
    """The metrics asked for, checked and with every key filled in.

    Raises:
        ValueError: names the metric, the key and what is known.
    """
    specs = {str(name): _parse_spec(str(name), spec, endpoints) for name, spec in metrics.items()}
    for name, spec in specs.items():
        if spec["measure"] == "ratio":
            _check_ratio(name, spec, specs)
    return specs


def _parse_spec(name, spec, endpoints):
    if isinstance(spec, str):
        spec = {"family": spec}
    if not isinstance(spec, dict):
        raise ValueError(f"metric {name}: write the name of a family or a dict, not {type(spec).__name__}")
    measure = spec.get("measure", "value")
    if not isinstance(measure, str) or measure not in _KEYS:
        raise ValueError(f"metric {name}: measure {measure!r} is not known; known: {listed(_KEYS)}")
    for key in spec:
        if key not in _KEYS[measure]:
            raise ValueError(
                f"metric {name}: {key!r} is not known for measure {measure}; known: {listed(_KEYS[measure])}"
            )
    if measure == "ratio":
        return {"measure": measure, "of": spec.get("of"), "to": spec.get("to")}
    family = spec.get("family")
    if not isinstance(family, str) or not family.strip() or not family.isprintable():
        raise ValueError(f"metric {name}: family must be the name of a metric family, not {family!r}")
    if measure == "quantile" and family.endswith("_bucket"):
        family = family[: -len("_bucket")]
    parsed = {
        "measure": measure,
        "family": family,
        "tests": _tests(name, spec.get("labels")),
        "by": _names(name, "by", spec.get("by")),
        "aggregate": spec.get("aggregate", "sum"),
        "lifetime": spec.get("lifetime", False),
        "quantile": spec.get("quantile", 0.95),
        "endpoints": _names(name, "endpoints", spec.get("endpoints")) or list(endpoints),
    }
    if parsed["aggregate"] not in metrics_text.AGGREGATES:
        known = ", ".join(metrics_text.AGGREGATES)
        raise ValueError(f"metric {name}: aggregate {parsed['aggregate']!r} is not known; known: {known}")
    if not isinstance(parsed["lifetime"], bool):
        raise ValueError(f"metric {name}: lifetime must be true or false, not {parsed['lifetime']!r}")
    if measure == "quantile" and "le" in parsed["by"]:
        raise ValueError(f"metric {name}: by cannot hold le, which the quantile is made from")
    parsed["quantile"] = _quantile(name, parsed["quantile"])
    for endpoint in parsed["endpoints"]:
        if endpoint not in endpoints:
            raise ValueError(f"metric {name}: endpoints: {endpoint!r} is not known; known: {listed(endpoints)}")
    # Buckets are by far the most lines; they are read only for a quantile.
    parsed["wanted"] = (family, ("_bucket",)) if measure == "quantile" else (family, ("", "_total"))
    parsed["windowed"] = measure in ("increase", "rate", "quantile") and not parsed["lifetime"]
    return parsed


def _check_ratio(name, spec, specs):
    for key in ("of", "to"):
        other = specs.get(str(spec[key]))
        if other is None or other["measure"] == "ratio":
            known = listed(entry for entry in specs if specs[entry]["measure"] != "ratio") or "none"
            raise ValueError(
                f"metric {name}: {key} must name an entry that is no ratio, not {spec[key]!r}; known: {known}"
            )
        spec[key] = str(spec[key])
    of_by, to_by = specs[spec["of"]]["by"], specs[spec["to"]]["by"]
    if to_by and of_by != to_by:
        raise ValueError(f"metric {name}: of is by {of_by or 'nothing'} but to is by {to_by}; write the same for both")


def _quantile(name, value):
    try:
        quantile = float(value)
    except (TypeError, ValueError):
        quantile = math.nan
    if not 0 <= quantile <= 1:
        raise ValueError(f"metric {name}: quantile must be between 0 and 1, not {value!r}")
    return quantile


def _tests(name, labels):
    if not isinstance(labels or {}, dict):
        raise ValueError(f"metric {name}: labels must be a dict of label name to value, not {labels!r}")
    # YAML reads 500 and true as what they look like; in a metrics text they are text.
    plain = {
        str(label): str(value).lower() if isinstance(value, bool) else str(value)
        for label, value in (labels or {}).items()
    }
    try:
        return metrics_text.label_tests(plain)
    except ValueError as error:
        raise ValueError(f"metric {name}: labels: {error}") from None


def _names(name, key, value):
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, (list, tuple)) or not all(isinstance(item, str) for item in names):
        raise ValueError(f"metric {name}: {key} must be a list of names, not {value!r}")
    return list(names)


def listed(names):
    """Names for a message, in order."""
    return ", ".join(sorted(names))
