# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The records of a sender's domain that decide whether mail of it is taken: SPF, DKIM and DMARC."""

from __future__ import annotations

from ..deadline import Deadline, all_within
from ..net.dns import DnsError, texts

MISSING, SEVERAL, WRONG = "missing", "several", "wrong"


def look(domain, selectors, spf, records, resolvers, seconds):
    """Ask for all of them at once.

    Args:
        domain: of the sender.
        selectors: of DKIM, as the provider gave them.
        spf: what the record has to include, or "".
        records: which of ``spf``, ``dkim`` and ``dmarc``.
        resolvers: see :func:`net.dns.texts`.
        seconds: the time for all of them.

    Returns:
        A list of rows ``record``, ``name``, ``found`` (True, False, or None where nobody told), ``problem`` (``missing``, ``several``,
        ``wrong`` or "") and ``reason``.
    """
    wanted = [(kind, name) for kind, name in _names(domain, selectors) if kind in records]
    deadline = Deadline(seconds)

    def ask(name):
        return texts(name, deadline.remaining_seconds(), resolvers)

    answers = all_within(seconds + 0.5, [lambda name=name: ask(name) for _kind, name in wanted])
    rows = [_row(kind, name, answer, spf) for (kind, name), answer in zip(wanted, answers)]
    return [_inherited(row, domain, ask) if row["record"] == "dmarc" else row for row in rows]


def _names(domain, selectors):
    yield "spf", domain
    for selector in selectors:
        yield "dkim", f"{selector}._domainkey.{domain}"
    yield "dmarc", f"_dmarc.{domain}"


def _row(kind, name, answer, spf):
    row = {"record": kind, "name": name, "found": None, "problem": "", "reason": ""}
    if isinstance(answer, Exception):
        return dict(row, reason=str(answer))
    problem = problem_of(kind, answer, spf)
    return dict(row, found=problem == "", problem=problem)


def problem_of(kind, found, spf=""):
    """What is wrong with the texts under a name, or "". Pure.

    Args:
        kind: ``spf``, ``dkim`` or ``dmarc``.
        found: the texts.
        spf: what SPF has to include, or "".
    """
    if kind == "spf":
        own = [text for text in found if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
        # Of several none counts (RFC 7208, 4.5).
        if len(own) != 1:
            return SEVERAL if own else MISSING
        words = [word.lstrip("+") for word in own[0].lower().split()]
        # What another record says instead of this one is not read.
        is_elsewhere = any(word.startswith("redirect=") for word in words)
        return WRONG if spf and not is_elsewhere and f"include:{spf}".lower() not in words else ""
    if kind == "dkim":
        keys = [_tags(text) for text in found if "p" in _tags(text)]
        if not keys:
            return MISSING
        # An empty key is one that was taken back.
        return "" if any(tags["p"] for tags in keys) else WRONG
    own = [text for text in found if text.replace(" ", "").lower().startswith("v=dmarc1")]
    return "" if len(own) == 1 else SEVERAL if own else MISSING


def _tags(text):
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): "".join(value.split()) for name, _sign, value in pairs if name.strip()}


def _inherited(row, domain, ask):
    """DMARC of a domain without one is that of the domains above it; how far up nothing here tells but the dots."""
    above = domain
    while row["problem"] == MISSING and above.count(".") > 1:
        above = above.partition(".")[2]
        try:
            if problem_of("dmarc", ask(f"_dmarc.{above}")) == "":
                return dict(row, found=True, problem="", name=f"_dmarc.{above}")
        except DnsError as error:
            return dict(row, found=None, problem="", reason=str(error))
    return row
