# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the application's database has of events and payments, by statements of the inventory with bound parameters."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation

from ..postgres.client import Client
from ..queues.statement import wrapped
from .inventory import OF_STATEMENTS

# So many ids go into one question.
_AT_ONCE = 500
_IDS = """SELECT coalesce(json_object_agg(id, times), '{}')::text FROM (
  SELECT id::text AS id, count(*) AS times FROM rows WHERE id IS NOT NULL GROUP BY 1 LIMIT 5000) t"""
_AMOUNTS = """SELECT coalesce(json_agg(t), '[]')::text FROM (
  SELECT payment_id::text AS payment_id, amount::text AS amount, currency::text AS currency, count(*) AS times FROM rows
  GROUP BY 1, 2, 3 LIMIT 5000) t"""


class Statements:
    """The statements of an inventory, asked read-only.

    Args:
        webhook: as :func:`spec.checked` gives it.
        reach: as :data:`postgres.spec.DATABASE`.
        deadline: for everything that is asked.
    """

    def __init__(self, webhook, reach, deadline):
        self._texts, self._parameters = webhook["statements"], webhook["parameters"]
        self._reach, self._deadline = reach, deadline

    def has(self, name):
        """Whether there is a statement of this name, and a database to ask."""
        return bool(self._reach and self._texts.get(name))

    def processed(self, event_ids):
        """Those of the events that the application has processed: id -> in how many rows.

        Raises:
            DatabaseError: it could not be asked.
        """
        asked = set(event_ids)
        found = {one: count for rows in self._asked("processed", _IDS, event_ids) for one, count in rows.items()}
        # A statement that gives more than it was asked for says nothing of the others.
        return {one: count for one, count in found.items() if one in asked}

    def amounts(self, payment_ids):
        """The payments of the database: id -> ``amount`` (None where it is no whole number, or not the only one) and ``currency``.

        Raises:
            DatabaseError: it could not be asked.
        """
        found = {}
        for rows in self._asked("amounts", _AMOUNTS, payment_ids):
            for row in rows:
                one = {"amount": whole(row["amount"]), "currency": (row["currency"] or "").strip().lower() or None}
                is_alone = row["payment_id"] not in found and row["times"] == 1
                found[row["payment_id"]] = one if is_alone else {"amount": None, "currency": None}
        return {name: one for name, one in found.items() if name in set(payment_ids)}

    def _asked(self, name, answer, ids):
        statement = wrapped(self._texts[name], {*self._parameters, OF_STATEMENTS[name]}, answer)
        ids = list(dict.fromkeys(ids))
        with Client(self._reach, self._deadline.remaining_seconds()) as client:
            for start in range(0, len(ids), _AT_ONCE):
                self._deadline.remaining_seconds()
                some = json.dumps(ids[start : start + _AT_ONCE])
                yield client.query(statement, {**self._parameters, OF_STATEMENTS[name]: some})


def whole(text):
    """An amount in minor units, or None where it is no whole number."""
    try:
        number = Decimal(str(text))
    except InvalidOperation:
        return None
    return int(number) if number.is_finite() and number == number.to_integral_value() and abs(number) < 10**18 else None
