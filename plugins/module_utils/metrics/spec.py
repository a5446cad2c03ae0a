# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a metric of the metrics observer may be asked for, checked before anything is read."""

from __future__ import annotations

import math

from ..metrics import arithmetic
from ..observers.metrics import SPEC

_OF_FAMILY = {"measure", "family", "suffix", "labels", "by", "endpoints"}
# What is made of several families, measure by measure.
_OF_SEVERAL = {"sum", "of", "minus"}
_KEYS = {
    "value": _OF_FAMILY | {"aggregate", "counts"},
    "increase": _OF_FAMILY | {"aggregate", "lifetime"},
    "rate": _OF_FAMILY | {"aggregate"},
    "quantile": _OF_FAMILY | {"quantile", "lifetime"},
    "slope": _OF_FAMILY | {"aggregate"},
    "promql": {"measure", "promql", "by", "counts"},
    "ratio": {"measure", "of", "to"},
    "seconds_to": {"measure", "of", "slope", "limit"},
}
# Made from other entries, named under these keys.
OF_OTHERS = {"ratio": ("of", "to"), "seconds_to": ("of", "slope", "limit")}
_OF_A_SIDE = {"family", "labels", "endpoints"} | _OF_SEVERAL
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


def leaves(specs):
    """The metrics to read: all that are made of no others, and each side of a sum or a difference."""
    for spec in specs.values():
        if spec["measure"] not in OF_OTHERS:
            for _sign, side in spec.get("sides", [(1, spec)]):
                yield side


def check_said(name, said):
    """Raise ValueError where this cannot be what an inventory says of a family, in one line."""
    said = _as_dict(name, said)
    known = _OF_A_SIDE.union(*(keys for measure, keys in _KEYS.items() if measure not in OF_OTHERS))
    for key in said:
        if key not in known:
            raise ValueError(f"metric {name}: {key!r} is not known; known: {listed(known)}")
    if said.get("measure") != "promql" and "promql" not in said:
        for _sign, side in _sides(name, {key: value for key, value in said.items() if key in _OF_A_SIDE}):
            _check_family(name, side.get("family"))
            _label_tests(name, _labels(name, side.get("labels")))


def _parse_spec(name, spec, endpoints, has_server):
    spec = _as_dict(name, spec)
    while isinstance(spec.get("family"), dict):
        spec = _with_family(name, spec["family"], spec)
    measure = spec.get("measure", "value")
    if not isinstance(measure, str) or measure not in _KEYS:
        raise ValueError(f"metric {name}: measure {measure!r} is not known; known: {listed(_KEYS)}")
    several = "sum" in spec or "minus" in spec
    if several and (measure == "quantile" or "family" not in _KEYS[measure]):
        raise ValueError(f"metric {name}: a {measure} is of one family, not of a sum or a difference")
    known = (_KEYS[measure] | _OF_SEVERAL) - {"family"} if several else _KEYS[measure]
    for key in spec:
        if key not in known:
            raise ValueError(f"metric {name}: {key!r} is not known for measure {measure}; known: {listed(known)}")
    if measure in OF_OTHERS:
        return {"measure": measure, **{key: spec.get(key) for key in OF_OTHERS[measure]}}
    if measure == "promql":
        return _promql(name, spec, has_server)
    return _of_several(name, spec, endpoints) if several else _of_family(name, measure, spec, endpoints)


def _as_dict(name, spec):
    if isinstance(spec, str):
        return {"family": spec}
    if isinstance(spec, dict):
        return spec
    raise ValueError(f"metric {name}: write the name of a family or a dict, not {_told(spec)}")


def _of_several(name, spec, endpoints):
    """A sum or a difference: each side is a metric of a family by itself, measured like the whole."""
    signed = _sides(name, {key: spec[key] for key in _OF_SEVERAL if key in spec})
    common = {key: value for key, value in spec.items() if key not in _OF_SEVERAL | {"aggregate", "labels"}}
    common["measure"] = spec.get("measure", "value")
    if "counts" in _KEYS[common["measure"]]:
        # What is left of a whole is not below 0.
        common.setdefault("counts", any(sign < 0 for sign, _side in signed))
    sides = []
    for sign, side in signed:
        own = _labels(name, side.get("labels"))
        labels = {**own, **_labels(name, spec.get("labels"))}
        parsed = _of_family(name, common["measure"], {**common, **side, "labels": labels}, endpoints)
        said = ",".join(f"{label}={value}" for label, value in sorted(own.items()))
        parsed.update(name=f"{name} side {len(sides) + 1}", side=True, own_labels=sorted(own))
        parsed["told"] = parsed["family"] + (f"{{{said}}}" if said else "")
        sides.append((sign, parsed))
    whole = {**common, "family": "-", "aggregate": spec.get("aggregate", "sum")}
    told = "".join(f"{' + ' if sign > 0 else ' - '}{side['told']}" for sign, side in sides)
    return {
        **_of_family(name, common["measure"], whole, endpoints),
        "family": told.replace(" + ", "", 1),
        "sides": sides,
    }


def _sides(name, spec):
    """The families that a metric is made of, each with 1 or -1; a side can be a sum or a difference itself."""
    spec = _as_dict(name, spec)
    while isinstance(spec.get("family"), dict):
        spec = _with_family(name, spec["family"], spec)
    for key in spec:
        if key not in _OF_A_SIDE:
            raise ValueError(f"metric {name}: {key!r} is not known for a side; known: {listed(_OF_A_SIDE)}")
    given = [key for key in ("family", "sum", "of") if key in spec]
    if len(given) > 1 or ("minus" in spec) != ("of" in spec):
        raise ValueError(f"metric {name}: write a family, or sum, or both of and minus")
    if "sum" in spec:
        signed = [(1, side) for side in _several(name, "sum", spec["sum"], 2)]
    elif "of" in spec:
        signed = [(1, spec["of"])] + [(-1, side) for side in _several(name, "minus", spec["minus"], 1)]
    else:
        return [(1, spec)]
    found = []
    for sign, side in signed:
        for own_sign, family in _sides(name, side):
            labels = {**_labels(name, family.get("labels")), **_labels(name, spec.get("labels"))}
            among = {"endpoints": spec["endpoints"]} if "endpoints" in spec else {}
            found.append((sign * own_sign, {**among, **family, "labels": labels}))
    return found


def _several(name, key, sides, least):
    sides = sides if isinstance(sides, (list, tuple)) else [sides]
    if len(sides) < least:
        raise ValueError(f"metric {name}: {key} must be a list of at least {least} families")
    return sides


def _of_family(name, measure, spec, endpoints):
    family = _check_family(name, spec.get("family"))
    suffix = spec.get("suffix") or ""
    if not isinstance(suffix, str):
        raise ValueError(f"metric {name}: suffix must be what follows the family's name, such as _count")
    if (measure == "quantile" or suffix) and family.endswith("_bucket"):
        family = family[: -len("_bucket")]
    family += suffix
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
    if parsed["aggregate"] not in arithmetic.AGGREGATES:
        known = ", ".join(arithmetic.AGGREGATES)
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
    parsed["tests"] = _label_tests(name, parsed["labels"])
    for endpoint in parsed["endpoints"]:
        if endpoint not in endpoints:
            raise ValueError(f"metric {name}: endpoints: {endpoint!r} is not known; known: {listed(endpoints)}")
    # Buckets are by far the most lines; they are read only for a quantile.
    parsed["wanted"] = (family, ("_bucket",)) if measure == "quantile" else (family, ("", "_total"))
    parsed["windowed"] = measure in (*COUNTED, "quantile", "slope") and not parsed["lifetime"]
    return parsed


def _check_family(name, family):
    if not isinstance(family, str) or not family.strip() or not family.isprintable():
        raise ValueError(f"metric {name}: family must be the name of a metric family, not {_told(family)}")
    return family


def _told(value):
    if value is None or isinstance(value, (bool, dict, list, tuple)):
        return "nothing" if value is None else "true or false" if isinstance(value, bool) else "a list or a dict"
    return repr(value)[:40]


def _with_family(name, said, spec):
    """What an inventory says of a family, which may be more than its name, with what is asked of it here."""
    if said.get("measure") == "promql" or "promql" in said:
        for key in ("labels", "suffix"):
            if spec.get(key):
                raise ValueError(f"metric {name}: an expression of PromQL takes no {key}; name a family for it")
        if spec.get("measure", "value") != "value":
            raise ValueError(
                f"metric {name}: the {spec['measure']} of an expression of PromQL is not known; name a family for it"
            )
        # It is one number for each group, so there is nothing to aggregate.
        return {"measure": "promql", **said, **{key: spec[key] for key in ("by", "counts") if spec.get(key)}}
    labels = {**_labels(name, said.get("labels")), **_labels(name, spec.get("labels"))}
    own = {key: value for key, value in spec.items() if key != "family"}
    return {**said, **own, **({"labels": labels} if labels else {})}


def _promql(name, spec, has_server):
    expression = spec.get("promql")
    if not isinstance(expression, str) or not expression.strip():
        raise ValueError(f"metric {name}: promql must be an expression, not {expression!r}")
    if not has_server:
        raise ValueError(f"metric {name}: promql needs a Prometheus server, and none is given")
    by = _names(name, "by", spec.get("by"))
    return {"name": name, "measure": "promql", "family": expression, "by": by, "counts": bool(spec.get("counts"))}


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
        raise ValueError(f"metric {name}: labels must be a dict of label name to value, not {_told(labels)}")
    return plain_labels(labels)


def _label_tests(name, labels):
    try:
        return arithmetic.label_tests(labels)
    except ValueError as error:
        raise ValueError(f"metric {name}: labels: {error}") from None


def plain_labels(labels):
    """Labels as text: YAML reads 500 and true as what they look like, in metrics they are text."""
    return {
        str(label): str(value).lower() if isinstance(value, bool) else str(value)
        for label, value in (labels or {}).items()
    }


def _names(name, key, value):
    names = [value] if isinstance(value, str) else value or []
    if not isinstance(names, (list, tuple)) or not all(isinstance(item, str) for item in names):
        raise ValueError(f"metric {name}: {key} must be a list of names, not {_told(value)}")
    return list(names)


def listed(names):
    """Names for a message, in order."""
    return ", ".join(sorted(names))
