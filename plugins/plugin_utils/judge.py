# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The likely causes, judged; the findings, made into a plan.

The causes are those of :func:`table.expand`. Their expressions and templates are evaluated one cause at a time, so
that what could not be measured makes that one cause unknown and no other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from ..module_utils.break_glass.spec import grant_of
from ..module_utils.text.one_line import one_line
from .secrets import PASSWORDS, without_secrets
from .table import BREAK_GLASS, RISKS, BadTable

PROBLEM, OK, UNKNOWN = "problem", "ok", "unknown"
HEALTHY = "healthy"

Evaluate = Callable[[Any], Any]
Reasons = Callable[[Any], list[str]]


# What Ansible says by itself of something that is not there.
_BARE = re.compile(
    r"^object of type .* has no (?:attribute|element) '?(?P<key>[^']*)'?$|^'(?P<name>[^']*)' is undefined$"
)


class CannotTell(Exception):
    """An expression uses something that was not measured.

    Attributes:
        said: the table itself says why (``undef(hint=...)``), in words for a person.
        undefined: it is not there, and a default may take its place; else it is there and wrong.
    """

    def __init__(self, message: object, said: bool = False, undefined: bool = False) -> None:
        super().__init__(message)
        self.said, self.undefined = said, undefined


def told_of(error: CannotTell) -> str:
    """Why it cannot be told, in one line for a person: what is not there by its name, not by what Python holds."""
    text = one_line(error)
    bare = _BARE.search(text)
    return f"{bare['key'] or bare['name']} was not measured" if bare else text


def judge(causes: Mapping[str, Any], condition: Evaluate, template: Evaluate, reasons: Reasons) -> list[dict]:
    """Judge every cause of the table, in its order.

    Args:
        causes: the table, as :func:`table.expand` gives it.
        condition: gives the truth of an expression, or raises :class:`CannotTell`.
        template: gives the value of a template, or raises :class:`CannotTell`.
        reasons: why something that an expression rests on could not be measured; what could not be measured besides has
            nothing to do with the cause.

    Returns:
        One finding for each cause: ``cause``, ``status`` (``problem``, ``ok`` or ``unknown``), and with it
        ``summary`` and ``evidence``, or ``reason``.
    """
    findings: list[dict] = []
    status: dict[str, str] = {}
    for slug, cause in causes.items():
        finding = _judge_one(str(slug), cause, condition, template, reasons, status)
        status[finding["cause"]] = finding["status"]
        findings.append(finding)
    return [_beside(finding, findings) for finding in findings]


def _beside(finding: dict, findings: list[dict]) -> dict:
    """A cause that is there, and that another one keeps from being told apart: named as explained by the first problem."""
    if not finding.pop("hidden", False):
        return finding
    first = next((other["cause"] for other in findings if other["status"] == PROBLEM), "")
    if first:
        return {**finding, "summary": f"explained by {first}", "explained_by": first}
    return {**finding, "status": UNKNOWN, "reason": f"{finding['cause']} could not be told from another cause"}


def all_ok(causes: Mapping[str, Any]) -> list[dict]:
    """The findings where there is nothing that any of the causes could be about."""
    return [{"cause": slug, "status": OK} for slug in causes]


def _judge_one(
    slug: str,
    cause: Mapping[str, Any],
    condition: Evaluate,
    template: Evaluate,
    reasons: Reasons,
    status: Mapping[str, str],
) -> dict:
    there = _through(slug, cause["gates"], condition, reasons)
    if there["status"] != OK and "only_where" in cause:
        # Asked last: a host that is well pays nothing for it.
        apart = _through(slug, [cause["only_where"]], condition, reasons)
        if apart["status"] == OK:
            return {**apart, "hidden": True} if there["status"] == PROBLEM else apart
        there = apart if there["status"] == PROBLEM else there
    if there["status"] != PROBLEM:
        return there
    others = cause["unless"]
    explained = [other for other in others if status[other] == PROBLEM]
    if explained:
        summary = f"explained by {explained[0]}"
        return {"cause": slug, "status": OK, "summary": summary, "explained_by": explained[0]}
    unclear = [other for other in others if status[other] == UNKNOWN]
    if unclear:
        return {
            "cause": slug,
            "status": UNKNOWN,
            "reason": _why(reasons(cause["gates"]), f"{unclear[0]} could not be ruled out"),
        }
    finding: dict[str, Any] = {"cause": slug, "status": OK if cause.get("harmless") else PROBLEM}
    for key in ("summary", "evidence", "advice"):
        if key in cause:
            try:
                finding[key] = without_secrets(template(cause[key]), PASSWORDS)
            except CannotTell as error:
                finding[key] = f"{slug} ({key} not available: {told_of(error)})"
    if cause.get("left_behind"):
        finding["left_behind"] = True
    if "hand_over" in cause:
        finding["hand_over"] = str(cause["hand_over"])
    if "subject" in cause:
        try:
            finding["subject"] = template(cause["subject"])
        except CannotTell as error:
            # It would look at another one, and may call that well.
            return {"cause": slug, "status": UNKNOWN, "reason": _why(reasons(cause["subject"]), told_of(error))}
    return finding


def _through(slug: str, gates: list[tuple[Any, Any]], condition: Evaluate, reasons: Reasons) -> dict:
    """The finding of one whose gates are all open (a problem so far), or of the first that is not."""
    try:
        for when, conclusive in gates:
            if condition(when):
                continue
            if conclusive is None or condition(conclusive):
                return {"cause": slug, "status": OK}
            why = _why(reasons([when, conclusive]), "not everything could be seen")
            return {"cause": slug, "status": UNKNOWN, "reason": why}
    except CannotTell as error:
        # What was seen and says nothing, before what could not be seen: that may be about something else.
        known = [*([one_line(error)] if error.said else []), *reasons(gates)]
        return {"cause": slug, "status": UNKNOWN, "reason": _why(known, told_of(error))}
    return {"cause": slug, "status": PROBLEM}


def weigh(
    claims: Mapping[str, Any],
    condition: Evaluate,
    template: Evaluate,
    missed: Callable[[Any], str],
    accepted: Collection[str] = (),
) -> list[dict]:
    """Weigh what has to be seen before a host is healthy: no known cause is no evidence.

    Args:
        claims: as :func:`table.claims` gives them.
        condition, template: as for :func:`judge`.
        missed: why something that an expression rests on was not measured, or "": its other keys may be left over or
            made up, and show nothing.
        accepted: the names of claims that the inventory does without.

    Returns:
        One row for each claim that applies here: ``name``, ``whether`` (what is claimed), ``beyond`` (it is not what the
        runbook is about), ``accepted``, ``shown`` (None: it could not be measured), ``figures`` and, where it was not
        measured, the ``reason``.
    """
    return [
        _weigh_one(name, claim, condition, template, missed, name in accepted)
        for name, claim in claims.items()
        if _applies(claim, condition)
    ]


def _applies(claim: Mapping[str, Any], condition: Evaluate) -> bool:
    try:
        return "applies" not in claim or condition(claim["applies"])
    except CannotTell:
        # Whether there is any of this here is part of what was not seen.
        return True


def _weigh_one(
    name: str,
    claim: Mapping[str, Any],
    condition: Evaluate,
    template: Evaluate,
    missed: Callable[[Any], str],
    accepted: bool,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "name": name,
        # Where it cannot be put into words, its name: the template itself would be rendered wherever it is shown.
        "whether": name.replace("_", " "),
        "beyond": claim.get("beyond", False),
        "accepted": accepted,
        "shown": None,
        "figures": "",
    }
    for key, work_out in (("whether", template), ("figures", template), ("when", condition)):
        try:
            row["shown" if key == "when" else key] = work_out(claim.get(key, ""))
        except CannotTell as error:
            # Words that cannot be made, as a share of nothing, are no reason why it is not shown.
            if key == "when":
                row["reason"] = told_of(error)
    if row["shown"] and (reason := missed(claim["when"])):
        row.update(shown=None, reason=reason)
    return row


def is_signal(row: Mapping[str, Any]) -> bool:
    """Whether a row of :func:`weigh` is about what brings the runbook here, and counts."""
    return not row["beyond"] and not row["accepted"]


def before_and_after(before: list[dict], after: list[dict]) -> list[str]:
    """The figures of the claims that are others now, a line each."""
    now = {row["name"]: row["figures"] for row in after}
    changed = [(row["figures"], now.get(row["name"], "")) for row in before]
    return [f"{one} -> {other}" for one, other in changed if one and other and one != other]


def not_looked_at(health: list[dict]) -> list[str]:
    """What nobody should take for seen, a line each."""
    return [
        f"whether {row['whether']}" + (" (accepted by system_blind_spots)" if row["accepted"] else "")
        for row in health
        if not row["shown"] and not (is_signal(row) and row["shown"] is False)
    ]


def _why(reasons: list[str], otherwise: str) -> str:
    return "; ".join(dict.fromkeys(reasons)) or otherwise


def plan(
    causes: Mapping[str, Any],
    findings: list[dict],
    template: Evaluate,
    missing: Callable[[str, str, str], str],
    definition: Callable[[str], Any],
    where: Callable[[], Any],
    runbook: str,
    host: str,
) -> dict:
    """The remedies for the problems found, in the table's order, with a hash over what they would touch.

    Args:
        causes: as for :func:`judge`.
        findings: of :func:`judge`.
        template: gives the value of a template, or raises :class:`CannotTell`.
        missing: for ``service`` or ``queue``, its name and a verb, why its manager or engine cannot do that, or ""; for ``break_glass``, why no
            token can be had.
        definition: what the inventory says about a service; part of the hash, because it says what is run.
        where: gives what says where it acts; part of the hash, because a host may mean another machine by now.
        runbook, host: part of the hash, so that a plan approved for one host fits no other.

    Returns:
        ``steps`` (``remedy``, ``cause``, ``risk``, ``targets``, ``undo``, ``available``, ``why_not``, and ``needs`` where it has any), ``risk`` (the
        highest of the available ones) and ``hash``. The hash leaves out what changes by itself, such as
        durations.
    """
    steps: list[dict] = []
    for finding in findings:
        cause = causes[finding["cause"]]
        if finding["status"] == PROBLEM and "remedy" in cause:
            step = _step(finding["cause"], cause, template, missing)
            if not any(_what(step) == _what(other) for other in steps):
                steps.append(step)
    available = [step for step in steps if step["available"]]
    identity = [
        runbook,
        host,
        [finding["cause"] for finding in findings if finding["status"] == PROBLEM],
        [[step["cause"], step["risk"], step["undo"], *_what(step), *_needs_of(step)] for step in available],
        [definition(service) for step in available for service in step.pop("services")],
        # Only where something is to be done: it has to be rendered.
        where() if available else {},
    ]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    for step in steps:
        step.pop("services", None)
    return {
        "steps": steps,
        "risk": max((step["risk"] for step in available), key=RISKS.index, default="none"),
        # The letter keeps YAML and -e from reading a number into it.
        "hash": f"p{digest[:15]}",
    }


def _needs_of(step: Mapping[str, Any]) -> list:
    # Only where there are any: plans without them keep their hash.
    return [step["needs"]] if "needs" in step else []


def _what(step: Mapping[str, Any]) -> list:
    return [step["remedy"], step["targets"]]


def _step(
    slug: str, cause: Mapping[str, Any], template: Evaluate, missing: Callable[[str, str, str], str]
) -> dict[str, Any]:
    step: dict[str, Any] = {
        "remedy": str(cause["remedy"]),
        "cause": slug,
        "risk": "high",
        "targets": [],
        "undo": None,
        "available": False,
        "why_not": "",
        "services": [],
    }
    try:
        risk = template(cause.get("risk"))
        if risk not in RISKS[1:]:
            raise BadTable(f"cause {slug} has the risk {risk!r}; a remedy has one of {', '.join(RISKS[1:])}")
        step["risk"] = risk
        step["targets"] = template(cause["targets"]) if "targets" in cause else []
        if "undo" in cause:
            step["undo"] = template(cause["undo"])
        if "targets" in cause and not step["targets"]:
            # Before what it operates, which is often one of them.
            step["why_not"] = _why_nothing(cause, template) or "there is nothing it may touch"
            return step
        if "needs" in cause:
            step["needs"] = template(cause["needs"])
            step["needs"] = {BREAK_GLASS: grant_of(step["needs"][BREAK_GLASS])}
        operates = template(cause.get("operates", {}))
    except CannotTell as error:
        step["why_not"] = f"what it would touch could not be measured ({told_of(error)})"
        return step
    except ValueError as error:
        step["why_not"] = f"needs.{error}"
        return step
    kind = "queue" if "queue" in operates else "service"
    names = _operated(operates, kind, step["targets"])
    step["services"] = names if kind == "service" else []
    why_not = [missing(kind, name, verb) for name in names for verb in operates.get("verbs", ())]
    if "needs" in step:
        why_not.append(missing(BREAK_GLASS, "", "start"))
    step["why_not"] = "; ".join(filter(None, why_not))
    step["available"] = not step["why_not"]
    return step


def _operated(operates: Mapping[str, Any], kind: str, targets: Any) -> list[str]:
    """What a remedy operates: what the cause names, and each of its targets, of which one may lack what the first has."""
    named = [operates[kind]] if kind in operates else []
    of_targets = [one[kind] for one in targets if isinstance(one, Mapping) and kind in one] if named else []
    return list(dict.fromkeys([*named, *of_targets]))


def _why_nothing(cause: Mapping[str, Any], template: Evaluate) -> str:
    """What the table says of why there is nothing that a remedy may touch, or ""."""
    try:
        return one_line(template(cause.get("why_nothing", "")))
    except CannotTell:
        return ""


def status_of(findings: list[dict], health: list[dict]) -> str:
    """``problem`` where there is one; ``unknown`` where a cause is, or where a claim is not shown; else ``healthy``."""
    found = {finding["status"] for finding in findings}
    if PROBLEM in found:
        return PROBLEM
    if UNKNOWN in found or not all(row["shown"] for row in health if is_signal(row)):
        return UNKNOWN
    return HEALTHY


def reasons_in(observation: Any) -> list[str]:
    """Why something could not be measured, and what could not be seen, of one observation."""
    if not isinstance(observation, Mapping):
        return []
    reasons = [str(observation.get("reason") or "not available")] if observation.get("available") is False else []
    services = observation.get("services")
    # Of several services one may be out of reach.
    for one in services.values() if isinstance(services, Mapping) and not reasons else ():
        if isinstance(one, Mapping) and one.get("available") is False:
            reasons.append(str(one.get("reason") or "not available"))
    return [*reasons, *(str(limit) for limit in observation.get("limits") or ())]


def summary_line(status: str, findings: list[dict], health: list[dict]) -> str:
    """What was found, in one line."""
    if status == PROBLEM:
        return "; ".join(str(f.get("summary", f["cause"])) for f in findings if f["status"] == PROBLEM)
    if status == UNKNOWN:
        return "; ".join(filter(None, [_causes_unknown(findings), *map(_not_shown, filter(is_signal, health))]))
    notes = [finding["summary"] for finding in findings if finding.get("summary") and not finding.get("explained_by")]
    figures = [row["figures"] for row in health if row["shown"] and row["figures"]]
    said = [text for text in dict.fromkeys(figures) if not any(text in note for note in notes)]
    return "; ".join([*said, *notes]) or "nothing found"


def _causes_unknown(findings: list[dict]) -> str:
    unknown = [finding for finding in findings if finding["status"] == UNKNOWN]
    reasons = "; ".join(dict.fromkeys(finding["reason"] for finding in unknown))
    # The reason first: a list of eleven causes helps nobody at night.
    return f"{reasons} (cannot tell about {', '.join(finding['cause'] for finding in unknown)})" if unknown else ""


def _not_shown(row: Mapping[str, Any]) -> str:
    if row["shown"]:
        return ""
    if row["shown"] is None:
        return f"not looked at: whether {row['whether']} ({row['reason']})"
    return (
        f"nothing shows that {row['whether']}{', and no known cause fits: ' + row['figures'] if row['figures'] else ''}"
    )
