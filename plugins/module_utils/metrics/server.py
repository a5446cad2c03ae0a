# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics from a Prometheus server: each metric asked for becomes PromQL, and the server works it out."""

from __future__ import annotations

import json

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..metrics import promql
from ..net.bounded_http import FetchError, fetch, public_url
from ..text.masking import masked
from ..text.one_line import one_line
from .spec import COUNTED, Unmeasured, check_count, leaves

NAME = "prometheus"
# fetch keeps the deadline and says more; this one is for what hangs outside of it.
_GRACE_SECONDS = 0.25
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


def read(prometheus, specs, timeout_seconds):
    """Ask the server for everything, in two rounds at most: the numbers, then why some of them are missing.

    Args:
        prometheus: as in ``observers.metrics.SPEC``.
        specs: as parsed by :func:`spec.parse_specs`.
        timeout_seconds: for everything together.

    Returns:
        ``{"prometheus": reading}``, in the form of :func:`endpoints.read`.

    Raises:
        ValueError: the URL, the labels or the window make no sense.
    """
    questions = promql.Questions(prometheus)
    asked = {spec["name"]: spec for spec in leaves(specs)}
    server = _Server(prometheus["url"], timeout_seconds)
    first = {("", "down"): questions.down()}
    for name, spec in asked.items():
        first[name, "number"] = questions.number(spec)
        if spec["measure"] != "promql":
            first[name, "series"] = questions.series(spec)
    answers = server.ask(first)
    reading = {"available": True, "url": server.shown, "window_seconds": questions.window_seconds}
    if isinstance(answers["", "down"], Exception):
        reading.update(available=False, reason=str(answers["", "down"]))
    else:
        second = {}
        for name, spec in asked.items():
            if spec["measure"] != "promql" and not isinstance(answers[name, "number"], Exception):
                if answers["", "down"]:
                    second[name, "lost"] = questions.lost(spec)
                if _is_doubtful(spec, answers[name, "number"]):
                    second[name, "everything"] = questions.everything(spec)
                    second[name, "names"] = questions.names(spec)
        answers.update(server.ask(second))
    reading["answers"] = answers
    return {NAME: reading}


def _is_doubtful(spec, rows):
    """Whether an answer may come from a family or a label that is not there."""
    empty_fits = any(test("") for _label, test in spec["tests"])
    return not rows or empty_fits or any(all(label not in labels for labels, _n in rows) for label in spec["by"])


def groups(spec, readings, entry):
    """The numbers of one metric, as :func:`endpoints.groups` gives them."""
    rows = _looked_up(spec, readings, entry)
    found = _grouped(spec, rows)
    if spec["measure"] == "promql":
        for number in found.values():
            check_count(spec, number)
        return found, {}
    if spec["measure"] == "quantile":
        # A quantile of nothing is NaN, which is the only NaN there is.
        unmeasured = {group: f"{spec['family']}: no observations" for group in found if found[group] != found[group]}
        if not found:
            raise Unmeasured(f"{spec['family']}: no observations with these labels")
        return found, unmeasured
    if found or spec["by"]:
        return found, {}
    # As for endpoints: that nothing was counted is known, because the window holds other series of the family.
    if spec["aggregate"] == "count" or (spec["measure"] in COUNTED and spec["aggregate"] == "sum"):
        return {(): 0.0}, {}
    raise Unmeasured(f"{spec['family']} has no value: none of its series has these labels")


def rows(spec, readings, entry):
    """The series of one side of a sum or difference, as :func:`endpoints.rows` gives them."""
    found = _looked_up(spec, readings, entry)
    for _labels, number in found:
        check_count(spec, number)
    if not found and spec["measure"] not in COUNTED:
        raise Unmeasured(f"{spec['family']} has no value: none of its series has these labels")
    return [("", labels, number) for labels, number in found]


def _looked_up(spec, readings, entry):
    reading = readings[NAME]
    answers = {question: answer for (name, question), answer in reading["answers"].items() if name == spec["name"]}
    # The number first: where the server does not answer, it says why.
    for answer in [answers["number"], *answers.values()]:
        if isinstance(answer, Exception):
            raise Unmeasured(str(answer))
    if not reading["available"]:
        raise Unmeasured(reading["reason"])
    rows = answers["number"]
    if spec["measure"] == "promql":
        entry["series"] = len(rows)
        return rows
    entry["series"] = int(answers["series"][0][1]) if answers["series"] else 0
    if spec["windowed"]:
        entry["seconds"] = reading["window_seconds"]
    if answers.get("lost"):
        targets = ", ".join(one_line(f"{row.get('job')} {row.get('instance')}", 80) for row, _count in answers["lost"])
        raise Unmeasured(f"target {targets} is down: what the others show would look like the whole")
    if "everything" in answers:
        _check_there(spec, answers, reading["window_seconds"])
    return rows


def _grouped(spec, rows):
    found = {}
    for labels, number in rows:
        group = tuple(labels.get(name, "") for name in spec["by"])
        if group in found:
            raise Unmeasured(f"{len(rows)} results, more than one for each combination of by: aggregate them")
        found[group] = number
    if not found and spec["measure"] == "promql":
        raise Unmeasured("the expression has no result")
    return found


def _check_there(spec, answers, window_seconds):
    """Raise Unmeasured where what was asked for is not there, which is not the same as nothing counted."""
    family, everything = spec["family"], answers["everything"]
    names = {labels.get("__name__", "") for labels, _count in answers["names"]}
    if not everything:
        if names & set(promql.sample_names(spec)):
            raise Unmeasured(
                f"there are not two samples of {family} within {window_seconds:g} s: "
                "a window takes at least four scrape intervals"
            )
        if names and spec["measure"] == "quantile":
            raise Unmeasured(f"{family} is no histogram with buckets")
        if names:
            raise Unmeasured(f"{family} is a histogram or summary: use {family}_count or _sum, or measure a quantile")
        raise Unmeasured(f"{family} is not there, or not with the labels given for the server")
    for label in [*spec["labels"], *spec["by"]]:
        if not any(labels.get(label) for labels, _count in everything):
            raise Unmeasured(f"no series of {family} has the label {label}")


class _Server:
    """One server, which has one deadline for all questions."""

    def __init__(self, url, timeout_seconds):
        if not isinstance(url, str) or not url.startswith(("http://", "https://")) or "?" in url or "#" in url:
            raise ValueError("prometheus: url must be http or https, up to the path before /api/v1")
        self.shown = public_url(url)
        self._url = url.rstrip("/") + "/api/v1/query"
        self._deadline = Deadline(timeout_seconds)

    def ask(self, questions):
        """Ask them all at once: a dict of key to expression becomes one of key to rows, or to an exception."""
        try:
            seconds = round(self._deadline.remaining_seconds(), 2) or 0.01
        except DeadlineExceeded as error:
            return {key: Unmeasured(f"POST {public_url(self._url)}: {error}") for key in questions}
        calls = [lambda text=text: self._rows(text, seconds) for text in questions.values()]
        return dict(zip(questions, all_within(seconds + _GRACE_SECONDS, calls)))

    def _rows(self, expression, seconds):
        from urllib.parse import urlencode

        body = urlencode({"query": expression, "timeout": f"{round(seconds * 1000)}ms"}).encode()
        try:
            status, _headers, answer = fetch(self._url, seconds, headers=_FORM, body=body)
        except FetchError as error:
            raise Unmeasured(str(error)) from None
        try:
            return rows_of(status, answer)
        except ValueError as error:
            raise Unmeasured(f"POST {public_url(self._url)}: {error}") from None


def rows_of(status, body):
    """What a server answered, as a list of ``(labels, number)``.

    Raises:
        ValueError: it is no answer, an error, partial, or no instant vector; says so in one line.
    """
    if status in (401, 403):
        raise ValueError(f"answered {status}: it wants other credentials than those in the URL")
    kind = result = None
    try:
        document = json.loads(body.decode("utf-8"))
        said = document["status"]
        if said == "error":
            error = masked(f"{document.get('errorType')}: {document.get('error')}", 250)
        else:
            kind, result = document["data"]["resultType"], document["data"]["result"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"answered {status} with {_what(body)}; is this the address of a Prometheus server?") from None
    if said == "error":
        raise ValueError(f"answered {status}, {error}")
    doubt = _doubt(document)
    if doubt:
        raise ValueError(doubt)
    if kind == "scalar":
        kind, result = "vector", [{"metric": {}, "value": result}]
    if status != 200 or said != "success" or kind != "vector":
        raise ValueError(f"answered {status} with a {one_line(kind, 40)}, not an instant vector")
    try:
        return [({str(k): str(v) for k, v in row["metric"].items()}, float(row["value"][1])) for row in result]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise ValueError("answered with a vector that is not one of plain numbers") from None


def _doubt(document):
    """Why an answer may not be the whole, or "".

    VictoriaMetrics says ``isPartial``. Prometheus, Thanos and others put what they did without, such as a store that did not
    answer, into ``warnings``, beside what PromQL itself warns of, after which a number may mean nothing. ``infos`` are hints
    about the expression; Cortex says "partial data" among them or among the warnings.
    """
    data = document.get("data")
    for part in (document, data if isinstance(data, dict) else {}):
        if part.get("isPartial") not in (None, False):
            return "the answer may be partial: isPartial is set, so not every storage node answered"
    warnings, infos = _texts(document.get("warnings")), _texts(document.get("infos"))
    lacking = [text for text in warnings if not text.startswith("PromQL ")]
    lacking += [text for text in infos if "partial" in text.lower()]
    if lacking:
        return f"the answer may be partial: {masked('; '.join(lacking), 250)}"
    return f"the server warns of the answer: {masked('; '.join(warnings), 250)}" if warnings else ""


def _texts(said):
    return [str(text) for text in (said if isinstance(said, list) else [said]) if text]


def _what(body):
    if not body.strip():
        return "an empty body"
    return "an HTML or XML page" if body.lstrip().startswith(b"<") else "something that is no answer of its API"
