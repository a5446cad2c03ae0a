# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of likely causes as it is written, checked, and expanded to what :mod:`judge` judges.

A cause is a dictionary of Ansible expressions and templates:

``when``
    The expression that is true where this is the cause, or a list of them that all are.
``summary``
    One line that says what was measured.
``unless``
    Earlier causes that explain the same signal: a list of them and of sections; ``earlier`` for all of them; or
    ``{earlier_but: [...]}``. If one of them is a problem, this one is not; if one is unknown, so is this one.
``only_where``
    What has to be well before this cause can be told from another: an expression, or a list of them. Where it is false, and
    ``when`` is true, the cause is named as explained by the first problem; without one it is unknown.
``conclusive``
    An expression that must be true before a false ``when`` counts as ``ok``: whether everything could be seen. Without
    it that of the whole table counts (``<runbook>_conclusive``); ``true`` needs nothing.
``harmless``
    ``true``: explains the alert and needs no action.
``left_behind``
    ``true``: what a fault leaves behind when it is gone, for a person to decide about.
``evidence``
    Rows that show it.
``remedy``, ``risk``, ``targets``, ``undo``
    The file under ``tasks/remedies/``; ``low``, ``medium`` or ``high``; exactly what would be touched (a list; empty
    makes the remedy unavailable); the data its rollback needs.
``why_nothing``
    With ``targets``: why there is nothing to touch, where they are empty, and what to change.
``operates``
    The service it operates and the verbs that its manager needs for that (``{service: api, verbs: [restart]}``), or a queue and those of
    its engine (``{queue: mail, verbs: [retry]}``).
    Without ``targets``, that service is the target.
``needs``
    With ``remedy``: what else it cannot do without, ``{break_glass: {reason: ..., ttl_seconds: ...}}``: a token to write where the
    system is read-only, for the one task that needs it. The risk of such a remedy is ``high``.
``advice``
    What a person should look at, a line or a list of lines.
``hand_over``
    The runbook that owns this cause, and is run for it on the same host when this one has come to its end.
``subject``
    With ``hand_over``: what that runbook is to look at, which finds it as ``run_subject``.

A section is a dictionary with ``causes``: its ``when`` stands before that of each of them. Where it is false, all of
them are ``ok``, if the section's ``conclusive`` is true, or that of the whole table where the section has none. Without a
``when`` the section's ``conclusive`` counts for its causes. Its ``unless``, ``only_where`` and ``evidence`` count for each of
its causes that has none of its own.

A claim of ``<runbook>_healthy`` is what has to be seen before a host is healthy, because that no known cause was seen
shows nothing:

``whether``
    What is claimed, in words that follow "whether" ("a request gets a connection at once").
``when``
    The expression that shows it, or a list of them.
``figures``
    What was measured, in a few words ("pool 3 of 8, 0 wait"): shown of a healthy host, and before and after a remedy.
``beyond``
    ``true``: the runbook's signal is another one. Where it is not shown, it is listed as not looked at, and changes no
    outcome.
``applies``
    The expression that is true where the system has anything of this kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

RISKS = ("none", "low", "medium", "high")
KEYS = {
    *("when", "summary", "unless", "only_where", "conclusive", "harmless", "left_behind", "evidence"),
    *("remedy", "risk", "targets", "why_nothing", "undo", "operates", "needs", "advice", "hand_over", "subject"),
}
BREAK_GLASS = "break_glass"
BREAK_GLASS_KEYS = {"reason", "ttl_seconds"}
# What several causes can have in common.
SHARED = {"unless", "only_where", "evidence"}
CLAIM_KEYS = {"whether", "when", "figures", "beyond", "applies"}
SECTION_KEYS = {"when", "conclusive", "causes"} | SHARED
EARLIER, EARLIER_BUT = "earlier", "earlier_but"


class BadTable(Exception):
    """The table of causes itself is wrong."""


def expand(
    causes: Mapping[str, Any],
    remedies: set[str],
    conclusive: Any = None,
    extra: Mapping[str, Any] | None = None,
    deprecated: Callable[[str], None] = lambda text: None,
) -> dict[str, dict[str, Any]]:
    """The causes by slug, without sections and abbreviations.

    Args:
        causes: the table as it is written, not templated.
        remedies: names of the files under ``tasks/remedies/``.
        conclusive: of the whole table.
        extra: causes of an inventory. A cause with the slug of one of the table takes its place, the others come last.
        deprecated: takes a line for each way of writing that ends with the next version.

    Returns:
        Each cause with ``gates`` (pairs of ``when``, a list, and ``conclusive``, or None; that of its section first),
        ``unless`` (slugs), and ``targets`` with ``operates``.

    Raises:
        BadTable: one line that names the cause and the key.
    """
    written = {one.slug: one for one in _written(causes, conclusive)}
    written.update({one.slug: one for one in _written(extra or {}, None)})
    done: dict[str, dict[str, Any]] = {}
    sections: dict[str, list[str]] = {}
    for slug, one in written.items():
        cause = dict(one.cause)
        # What 0.1.0 called needs is told by its keys.
        needs = cause.pop("needs") if "service" in _keys(cause.get("needs")) else None
        if needs is not None:
            deprecated(f"cause {slug} has needs; write operates instead")
            cause["operates"] = needs
        _check(slug, cause, remedies)
        done[slug] = {
            **{key: value for key, value in cause.items() if key not in ("when", "conclusive")},
            "gates": [*one.gates, (_list(cause["when"]), cause.get("conclusive", one.conclusive))],
            "unless": _unless(slug, cause.get("unless", ()), done, sections),
        }
        if "only_where" in cause:
            done[slug]["only_where"] = (_list(cause["only_where"]), one.conclusive)
        if "operates" in cause and "targets" not in cause and needs is None:
            kind = "queue" if "queue" in cause["operates"] else "service"
            done[slug]["targets"] = [{kind: cause["operates"][kind]}]
        if one.section:
            sections.setdefault(one.section, []).append(slug)
    return done


def claims(written: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What has to be seen before a host is healthy, by name.

    Raises:
        BadTable: one line that names the claim and the key.
    """
    for name, claim in written.items():
        if not isinstance(claim, Mapping) or not {"whether", "when"} <= set(claim) <= CLAIM_KEYS:
            raise BadTable(f"claim {name} takes whether and when, and of {', '.join(sorted(CLAIM_KEYS))} nothing else")
    return {str(name): claim for name, claim in written.items()}


def evidence(written: Any, template: Callable[[str], str]) -> dict[str, Any]:
    """What a person wants to see beside the findings: templates by name.

    Args:
        written: such a dictionary, or a list of dictionaries and of lists of names: ``metrics.value.requests`` in one of
            those is shown as ``requests``.
        template: makes a template of the text of one.
    """
    found: dict[str, Any] = {}
    for one in written if isinstance(written, list) else [written]:
        if isinstance(one, list):
            found.update((name.rpartition(".")[2], template("{{ " + name + " }}")) for name in one)
        else:
            found.update(one)
    return found


@dataclass(frozen=True)
class _Written:
    """A cause as it stands, and what it has from where it stands."""

    slug: str
    cause: Mapping[str, Any]
    conclusive: Any
    section: str = ""
    gates: list[tuple[list[Any], Any]] = field(default_factory=list)


def _written(causes: Mapping[str, Any], conclusive: Any) -> list[_Written]:
    found: list[_Written] = []
    for name, entry in causes.items():
        if not isinstance(entry, Mapping):
            raise BadTable(f"cause {name} is not a dictionary")
        if "causes" not in entry:
            found.append(_Written(str(name), entry, conclusive))
            continue
        unknown = sorted(set(entry) - SECTION_KEYS)
        if unknown:
            known = ", ".join(sorted(SECTION_KEYS))
            raise BadTable(f"section {name} has the unknown key {unknown[0]}; known are {known}")
        inside = entry["causes"]
        if not isinstance(inside, Mapping) or not all(isinstance(cause, Mapping) for cause in inside.values()):
            raise BadTable(f"section {name} has causes that are no dictionaries")
        seen = entry.get("conclusive", conclusive)
        gates, of_causes = ([(_list(entry["when"]), seen)], conclusive) if "when" in entry else ([], seen)
        shared = {key: entry[key] for key in entry if key in SHARED}
        found += [
            _Written(str(slug), {**shared, **cause}, of_causes, str(name), gates) for slug, cause in inside.items()
        ]
    twice = [one.slug for one in found if [other.slug for other in found].count(one.slug) > 1]
    if twice:
        raise BadTable(f"cause {twice[0]} is there twice")
    return found


def _keys(value: Any) -> set[Any]:
    return set(value) if isinstance(value, Mapping) else set()


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _unless(slug: str, written: Any, known: Mapping[str, Any], sections: Mapping[str, list[str]]) -> list[str]:
    if written == EARLIER:
        return list(known)
    if isinstance(written, Mapping):
        if set(written) != {EARLIER_BUT}:
            raise BadTable(
                f"cause {slug} has an unless that is no list, not {EARLIER}, and not {{{EARLIER_BUT}: [...]}}"
            )
        but = {other for name in _list(written[EARLIER_BUT]) for other in _named(slug, name, known, sections)}
        return [other for other in known if other not in but]
    return list(dict.fromkeys(other for name in _list(written) for other in _named(slug, name, known, sections)))


def _named(slug: str, name: Any, known: Mapping[str, Any], sections: Mapping[str, list[str]]) -> list[str]:
    if name in sections:
        return sections[name]
    if name not in known:
        raise BadTable(f"cause {slug} names {name} in unless, which is no earlier cause")
    return [str(name)]


def _check(slug: str, cause: Mapping[str, Any], remedies: set[str]) -> None:
    unknown = sorted(set(cause) - KEYS)
    if unknown:
        raise BadTable(f"cause {slug} has the unknown key {unknown[0]}; known are {', '.join(sorted(KEYS))}")
    for key in ("when", "summary"):
        if key not in cause:
            raise BadTable(f"cause {slug} has no {key}")
    remedy, risk = cause.get("remedy"), cause.get("risk")
    if remedy is not None and remedy not in remedies:
        raise BadTable(
            f"cause {slug} has the unknown remedy {remedy}; known are {', '.join(sorted(remedies)) or 'none'}"
        )
    if remedy is not None and (not isinstance(risk, str) or ("{{" not in risk and risk not in RISKS[1:])):
        raise BadTable(f"cause {slug} has the risk {risk!r}; a remedy has one of {', '.join(RISKS[1:])}")
    operates = cause.get("operates", {})
    if operates and not (isinstance(operates, Mapping) and set(operates) in ({"service", "verbs"}, {"queue", "verbs"})):
        raise BadTable(f"cause {slug} has operates without exactly service and verbs, or queue and verbs")
    if "needs" in cause:
        _check_needs(slug, cause)
    if not any(key in cause for key in ("remedy", "advice", "harmless", "hand_over")):
        raise BadTable(f"cause {slug} has neither remedy nor advice")
    if "left_behind" in cause and (cause["left_behind"] is not True or "advice" not in cause or "remedy" in cause):
        raise BadTable(f"cause {slug} has a left_behind that is not true, no advice, or a remedy beside it")
    if "hand_over" in cause and ("remedy" in cause or not isinstance(cause["hand_over"], str)):
        raise BadTable(f"cause {slug} has a hand_over that is not the name of a runbook, or a remedy beside it")
    if "subject" in cause and not ("hand_over" in cause and isinstance(cause["subject"], Mapping)):
        raise BadTable(f"cause {slug} has a subject that is no dictionary, or no hand_over beside it")


def _check_needs(slug: str, cause: Mapping[str, Any]) -> None:
    needs = cause["needs"]
    if _keys(needs) != {BREAK_GLASS}:
        raise BadTable(f"cause {slug} has needs that are not exactly {{{BREAK_GLASS}: ...}}")
    if not {"reason"} <= _keys(needs[BREAK_GLASS]) <= BREAK_GLASS_KEYS:
        keys = ", ".join(sorted(BREAK_GLASS_KEYS))
        raise BadTable(f"cause {slug} has needs.{BREAK_GLASS} without a reason, or with more than {keys}")
    if "remedy" not in cause:
        raise BadTable(f"cause {slug} has needs, and no remedy that could use them")
    if cause.get("risk") != "high":
        # Somebody made the system read-only on purpose.
        raise BadTable(f"cause {slug} needs {BREAK_GLASS}, and its risk is not high")
