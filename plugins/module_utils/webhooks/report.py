# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What finance gets: every event that needed a look, with its amounts and what was done, as CSV and as Markdown. Pure."""

from __future__ import annotations

import csv
import io
import time

COLUMNS = (
    ("id", "event"),
    ("type", "type"),
    ("made", "made (UTC)"),
    ("payment_id", "payment"),
    ("amount", "amount at the provider (minor units)"),
    ("currency", "currency"),
    ("paid_amount", "amount in the database (minor units)"),
    ("paid_currency", "currency in the database"),
    ("state", "state"),
    ("done", "what was done"),
    ("left_alone", "why it was not sent again"),
)
# Of a table of the report: what each state means, for people who do not know webhooks.
WORDS = {
    "ok": "arrived, and paid as the provider says",
    "delivered": "delivered; the database was not asked",
    "pending": "young, may still be on its way",
    "undelivered": "the provider could not deliver it, and the database does not have it",
    "not_in_database": "delivered, and the database does not have it",
    "twice": "the database has the event more than once, so it may have been handled twice",
    "amount_differs": "the database has another amount or another currency",
    "no_payment": "arrived, and the database has no such payment",
    "unknown": "not known",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def rows_of(events, done):
    """The rows of a report, the oldest first.

    Args:
        events: as ``events.told`` of the module ``webhook_info``.
        done: what was done with which event, in words, by its id.
    """
    rows = []
    for event in events:
        made = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(event["created"]))
        rows.append(dict(event, made=made, done=done.get(event["id"], "")))
    return rows


def as_csv(rows):
    """A table that a spreadsheet opens, and in which nothing is a formula."""
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL, lineterminator="\r\n")
    writer.writerow([title for _key, title in COLUMNS])
    writer.writerows([_cell(row.get(key)) for key, _title in COLUMNS] for row in rows)
    return file.getvalue()


def _cell(value):
    """A value as a cell: a number as it is, a text so that no spreadsheet takes it for a formula."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def as_markdown(rows, about):
    """The same for people.

    Args:
        rows: of :func:`rows_of`.
        about: ``made`` (a moment, in words), ``url`` of the endpoint, ``counts`` of all events that were looked at, ``seen``, ``compared``,
            ``limits`` (lines), ``since_seconds`` and ``kept_seconds``.
    """
    days = about["kept_seconds"] // 86400
    hours = about["since_seconds"] / 3600
    lines = [
        f"# Payments: what the provider says, and what the database has ({about['made']})",
        "",
        f"Endpoint: `{_text(about['url'])}`. {about['seen']} events were looked at: those of the last {hours:.3g} hours, and those of the last {days} days"
        " that were not delivered.",
        f"What is older than {days} days the provider keeps no longer. {about['compared']} amounts were compared.",
        "Amounts are whole numbers in the currency's minor unit, such as cents.",
        "",
        "| state | events | what it means |",
        "|---|---|---|",
        *(f"| {_text(state)} | {count} | {WORDS.get(state, '')} |" for state, count in about["counts"].items()),
        "",
    ]
    if about["limits"]:
        lines += ["Not seen:", "", *(f"- {_text(line)}" for line in about["limits"]), ""]
    lines += ["## " + ("Events that needed a look" if rows else "No event needed a look"), ""]
    if rows:
        lines += ["| " + " | ".join(title for _key, title in COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        lines += ["| " + " | ".join(_text(row.get(key)) for key, _title in COLUMNS) + " |" for row in rows]
        sums = _sums(rows)
        lines += [
            "",
            "## Sums of these",
            "",
            "| state | currency | events | at the provider | in the database |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {_text(state)} | {_text(currency)} | {count} | {here} | {there} |"
            for (state, currency), (count, here, there) in sums
        ]
    return "\n".join([*lines, ""])


def _sums(rows):
    sums = {}
    for row in rows:
        if row["amount"] is not None:
            count, here, there = sums.get((row["state"], row["currency"] or ""), (0, 0, 0))
            # What another currency has is no part of a sum.
            paid = row["paid_amount"] if row["paid_currency"] == row["currency"] else None
            sums[row["state"], row["currency"] or ""] = (count + 1, here + row["amount"], there + (paid or 0))
    return sorted(sums.items())


def _text(value):
    """A value in a cell of Markdown: on one line, and nothing of it is markup."""
    text = "" if value is None else " ".join(str(value).split())
    for sign in "\\`|<>[]*_":
        text = text.replace(sign, f"\\{sign}")
    return text
