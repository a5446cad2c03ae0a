# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a run as a page that reads well as it is, and rendered.

What matters comes first: what is wrong, what was done, whether it helped, what to do next. Text from outside is data: it is
escaped where Markdown would make a link, an emphasis, a heading or HTML of it, and nowhere else.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

_CODE = re.compile(r"(?<!`)(`[^`]+`)(?!`)")
# GitHub and others make a link of a bare address. In a code span it stays text, and reads well.
_ADDRESS = re.compile(r"(?i:\b(?:[a-z][a-z0-9+.-]*://|www\.|mailto:|xmpp:)[^\s`]+|[\w.+-]+@[\w-]+\.[\w.-]+)")
_AT_START = re.compile(r"^(?=[-+*](?:\s|$|[-+*])|[=>~]|#{1,6}(?:\s|$)|\[|_[\s_])|^(\d{1,9})(?=[.)](?:\s|$))")
_SPECIAL = re.compile(
    r"""
    \\(?=[!-/:-@\[-`{-~]|$)         # would escape what follows
    | `
    | <(?=[a-z/!?])                 # HTML
    | &(?=\#?\w+;)
    | \](?=[(\[:]|$)                # a link, or the definition of one
    | (?<=\S)~ | ~(?=~)             # struck out
    | (?<![^\W_])_ | _(?![^\W_])    # emphasis: not inside a word
    """,
    re.VERBOSE | re.IGNORECASE,
)


def markdown(document: Mapping[str, Any]) -> str:
    """The record as Markdown.

    Args:
        document: what the callback ``record`` writes as JSON.
    """
    pages = ["\n".join(_run(run)).rstrip() for run in document["runs"]]
    pages += ["\n".join(_snapshot(one)).rstrip() for one in document.get("snapshots") or ()]
    return "\n\n".join(pages) + "\n"


def _run(run: Mapping[str, Any]) -> list[str]:
    lines = ["# " + inline(f"{run['runbook']} on {run['host']}: {run['outcome']}"), "", inline(run["summary"]), ""]
    for title, section in SECTIONS.items():
        if found := [*section(run)]:
            lines += [f"## {title}", "", *found, ""]
    for title, key in (("Evidence", "evidence"), ("Evidence afterwards", "evidence_after")):
        if run.get(key):
            dump = json.dumps(run[key], indent=2, ensure_ascii=False).replace("```", "` ` `")
            lines += [f"## {title}", "", "```json", dump, "```", ""]
    return lines


def _snapshot(one: Mapping[str, Any]) -> list[str]:
    lines = ["# " + inline(f"snapshot of {one['host']}"), "", inline(one["summary"]), ""]
    where = [_item(f"{key}: `{one[key]}`") for key in ("archive", "index", "overview", "sha256") if one.get(key)]
    lines += [*where, *([""] if where else [])]
    if one.get("missing"):
        lines += [
            "## Not there",
            "",
            *(_item(f"{it['part']}: {it['what']}: {it['reason']}") for it in one["missing"]),
            "",
        ]
    if one.get("cut"):
        cut = [
            _item(
                f"{it['file']}: {it['kept_bytes']} bytes of {'an unknown number' if it['of_bytes'] is None else it['of_bytes']}"
            )
            for it in one["cut"]
        ]
        lines += ["## Cut", "", *cut, ""]
    return lines


def _wrong(run: Mapping[str, Any]) -> Iterable[str]:
    for finding in run.get("findings") or ():
        if finding["status"] == "problem":
            yield _item(f"{finding['cause']}: {finding.get('summary') or finding.get('reason') or 'found'}")
    for finding in run.get("findings") or ():
        if finding["status"] == "unknown":
            yield _item(f"{finding['cause']}: not known. {finding.get('reason') or ''}")


def _done(run: Mapping[str, Any]) -> Iterable[str]:
    for action in run.get("actions") or ():
        took = "" if action["seconds"] is None else f" in {action['seconds']} s"
        reason = f": {action['reason']}" if action["reason"] else ""
        yield _item(f"{action['remedy']} for {action['cause']}: {_words(action['state'])}{took}{reason}")
        if action["details"]:
            yield f"  - details: {_code(action['details'])}"
    if run.get("hand_over"):
        yield _item(f"handed over to {', '.join(run['hand_over'])}")
    if run.get("guard"):
        yield _item(f"stopped by the guard {run['guard']['name']}: {run['guard']['reason']}")
    for one in run.get("passed_guards") or ():
        yield _item(f"passed the guard {one['guard']}: {one['reason']}")
    if run.get("override"):
        yield _item(f"override: {run['override']}")
    for note in run.get("notes") or ():
        yield _item(note)


def _working(run: Mapping[str, Any]) -> Iterable[str]:
    for row in run.get("health_after") or run.get("health") or ():
        if row["shown"]:
            yield _item(row["figures"] or row["whether"])


def _not_seen(run: Mapping[str, Any]) -> Iterable[str]:
    yield from map(_item, run.get("not_looked_at") or ())


def _proven(run: Mapping[str, Any]) -> Iterable[str]:
    """What was seen afterwards of each cause acted on, and of all that is wrong then."""
    after = {finding["cause"]: finding for finding in run.get("findings_after") or ()}
    for action in run.get("actions") or ():
        if action["helped"] is not None:
            now = after.get(action["cause"], {})
            seen = now.get("summary") or now.get("reason") or ""
            gone = "is gone" if action["helped"] else "is not gone"
            helped = "helped" if action["helped"] else f"did not help. {seen}"
            yield _item(f"{action['cause']} {gone}: {action['remedy']} {helped}")
    yield from map(_item, run.get("before_and_after") or ())
    treated = {action["cause"] for action in run.get("actions") or ()}
    for cause, finding in after.items():
        if finding["status"] != "ok" and cause not in treated:
            state = "there now" if finding["status"] == "problem" else "not known"
            yield _item(f"{cause}: {state}. {finding.get('summary') or finding.get('reason') or ''}")


def _next(run: Mapping[str, Any]) -> Iterable[str]:
    for finding in run.get("findings_after") or run.get("findings") or ():
        if finding["status"] == "problem" and finding.get("advice"):
            advice = finding["advice"]
            for line in advice if isinstance(advice, list) else [advice]:
                yield _item(f"{finding['cause']}: {line}")
    plan = run.get("plan") or {}
    approvable = run["outcome"] == "planned" or (run.get("guard") or {}).get("name") == "plan"
    if approvable and any(step["available"] for step in plan.get("steps") or ()):
        yield f"- to act on exactly this plan: `-e run_plan={plan['hash']}`"
    if run.get("escalation"):
        yield _item(f"tell {run['escalation']}")


def _plan(run: Mapping[str, Any]) -> Iterable[str]:
    plan = run.get("plan") or {}
    if plan.get("steps"):
        yield f"- hash `{plan['hash']}`, risk {plan['risk']}"
    for step in plan.get("steps") or ():
        state = f"risk {step['risk']}" if step["available"] else f"not available: {step['why_not']}"
        yield _item(f"{step['remedy']} for {step['cause']}, {state}")
        for before, key in (("on ", "words"), ("", "does"), ("undone: ", "undone"), ("not undone: ", "irreversible")):
            if step.get(key):
                yield f"  - {inline(before + step[key])}"
        yield f"  - targets: {_code(step['targets'])}"
        if step["undo"] is not None:
            yield f"  - undo: {_code(step['undo'])}"


def _about(run: Mapping[str, Any]) -> Iterable[str]:
    checked = ", in check mode" if run.get("check_mode") else ""
    yield f"- started {_time(run['started_at'])}, took {run['seconds']:.1f} s{checked}"
    for key in ("run_id", "begun_by", "title", "severity"):
        if run.get(key):
            yield _item(f"{_words(key)}: {run[key]}")
    fine = [finding for finding in run.get("findings") or () if finding["status"] == "ok"]
    for finding in fine:
        if finding.get("summary"):
            yield _item(f"also seen: {finding['cause']}: {finding['summary']}")
    if absent := [finding["cause"] for finding in fine if not finding.get("summary")]:
        yield _item(f"looked for and not found: {', '.join(absent)}")


def _seen(run: Mapping[str, Any]) -> Iterable[str]:
    yield from (_item(line) for line in run.get("lines") or ())


SECTIONS: dict[str, Callable[[Mapping[str, Any]], Iterable[str]]] = {
    "At one look": _seen,
    "What is wrong": _wrong,
    "What was done": _done,
    "Whether it helped": _proven,
    "What to do next": _next,
    "Seen working": _working,
    "Not looked at": _not_seen,
    "Plan": _plan,
    "This run": _about,
}


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _item(text: str) -> str:
    return f"- {inline(text)}"


def inline(value: Any) -> str:
    """One block of text from outside, escaped where it would be markup; code spans stay what they are."""
    parts = _CODE.split(_addresses_as_code(" ".join(str(value).split())))
    many_stars = sum(part.count("*") for part in parts[::2]) > 1
    parts[::2] = [_escaped(part, many_stars) for part in parts[::2]]
    return _AT_START.sub(r"\1\\", "".join(parts))


def _addresses_as_code(text: str) -> str:
    parts = _CODE.split(text)
    parts[::2] = [_ADDRESS.sub(lambda found: f"`{found[0]}`", part) for part in parts[::2]]
    return "".join(parts)


def _escaped(text: str, many_stars: bool) -> str:
    text = _SPECIAL.sub(r"\\\g<0>", text)
    # A single one is no emphasis.
    return text.replace("*", "\\*") if many_stars else text


def _code(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= 400 else text[:399] + "…"
    return "`" + text.replace("`", "'") + "`"


def _time(epoch_seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(epoch_seconds))
