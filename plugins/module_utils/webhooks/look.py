# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at a webhook from both ends: what the provider sent, whether the endpoint takes it, and what the application has of it."""

from __future__ import annotations

import time

from ..deadline import Deadline, DeadlineExceeded, all_within
from ..postgres.client import DatabaseError
from ..text.masking import masked
from .database import Statements
from .events import KEPT_SECONDS, event_of, is_comparable, left_alone, state_of
from .inventory import checked
from .listing import PAGE, Cut, oldest_first
from .probe import probe
from .provider import Provider, ProviderError

# Events of each state that are told; all of them are counted.
MOST_TOLD = 1000


def observe(params):
    """Observe a webhook.

    Args:
        params: as in :data:`observers.webhook.SPEC`.

    Returns:
        What is documented in the module ``webhook_info``.

    Raises:
        ValueError: the webhook is not described in a way that can be used.
    """
    return looked(params)[0]


def looked(params):
    """As :func:`observe`, and besides it all events, those that are as they should be included."""
    bounds = ("pending_seconds", "look_back_seconds", "answer_seconds", "timeout_seconds", "most_pages")
    if min(params[name] for name in bounds) <= 0:
        raise ValueError(f"{', '.join(bounds)} must be above 0")
    webhook = checked(params["webhook"], params["probe_type"])
    deadline = Deadline(params["timeout_seconds"])
    asked = Provider(webhook, deadline)
    # First, because its clock is the one that signs.
    provider = _asked_for_endpoints(asked, webhook)
    offset = asked.clock_offset_seconds
    calls = [
        lambda: _events(asked, webhook, params, provider),
        lambda: probe(webhook, params["probe_type"], params["answer_seconds"], offset, deadline),
    ]
    events, endpoint = all_within(_left(deadline) + 0.5, calls)
    events = events if isinstance(events, dict) else _not_seen(events)
    endpoint = endpoint if isinstance(endpoint, dict) else _not_seen(endpoint)
    reach = webhook["database"] or params["database"]
    rows = events.pop("rows", [])
    statements = Statements(webhook, reach, deadline)
    database, processed, paid = _asked_database(rows, statements)
    if events["available"]:
        # One that is disabled by now was there when they were sent.
        is_alone = provider.get("endpoints") == 1
        earlier = None if processed is None else _asked_earlier(asked, webhook, statements, rows, processed)
        told = judged(rows, processed, paid, params["pending_seconds"], is_alone, earlier)
        events.update(told, limits=events["limits"] + told["limits"])
    provider.update(
        clock_offset_seconds=offset, waited_seconds=round(asked.waited_seconds, 1), questions=asked.questions
    )
    return summary(provider, endpoint, events, database), rows


def _left(deadline):
    try:
        return deadline.remaining_seconds()
    except DeadlineExceeded:
        return 0.0


def _not_seen(error):
    """Why something could not be looked at."""
    if isinstance(error, (ProviderError, DatabaseError)):
        return {"available": False, "reason": str(error), "error": error.kind}
    if isinstance(error, DeadlineExceeded):
        return {"available": False, "reason": str(error), "error": "timeout"}
    text = masked(f"{type(error).__name__}: {error}")
    return {"available": False, "reason": f"it could not be read: {text}; please report this", "error": "other"}


def _asked_for_endpoints(asked, webhook):
    """Whether the provider has this endpoint, and what it thinks of it."""
    try:
        return endpoint_of(asked.endpoints(), webhook)
    except (ProviderError, DeadlineExceeded) as error:
        return _not_seen(error)


def endpoint_of(endpoints, webhook):
    """What a provider says of an endpoint. Pure.

    Args:
        endpoints: of :meth:`provider.Provider.endpoints`.
        webhook: with its ``url`` and its ``event_types``.
    """
    # Those of the other mode get no event of this one.
    own = [one for one in endpoints if one["url"] == webhook["url"] and one["livemode"] in (webhook["livemode"], None)]
    found = {"available": True, "reason": "", "error": "", "endpoints": len(endpoints), "known": bool(own)}
    if not own:
        return found
    # Where one URL is registered twice, that which works.
    one = sorted(own, key=lambda row: row["enabled"] is not True)[0]
    wanted = one["enabled_events"]
    missing = [kind for kind in webhook["event_types"] if kind not in (wanted or [])]
    return {
        **found,
        "enabled": one["enabled"],
        "endpoint": one["id"],
        "enabled_endpoints": sum(row["enabled"] is True for row in endpoints),
        "not_subscribed": None if wanted is None else [] if "*" in wanted else missing,
    }


def _events(asked, webhook, params, provider):
    """The events of the types that the application wants, the oldest first."""
    now = int(time.time() + (asked.clock_offset_seconds or 0.0))
    if not provider["available"] and provider["error"] not in ("not_allowed", "not_found", "bad_status", "protocol"):
        # It would not answer this either, and the time is for others.
        return {key: provider[key] for key in ("available", "reason", "error")}
    found = _Found(webhook, now)
    limits, pages = [], params["most_pages"]
    since_seconds = min(params["look_back_seconds"], KEPT_SECONDS)
    if provider.get("enabled") is False or provider.get("not_subscribed"):
        # Of what was not sent anywhere the provider says that all of it was delivered.
        since_seconds = KEPT_SECONDS
    for is_delivered, seconds in ((False, KEPT_SECONDS), (True, since_seconds)):
        filters = _filters(webhook, is_delivered)
        what = "delivered events" if is_delivered else "events that were not delivered"
        try:
            listed = oldest_first(
                lambda query: asked.listed("/v1/events", query), now - int(seconds), now, filters, pages
            )
            for page in listed:
                found.add(page, is_delivered)
        except Cut:
            limits.append(f"not all {what} were looked at: {pages} pages were read, up to {found.last(is_delivered)}")
        except (ProviderError, DeadlineExceeded) as error:
            if not is_delivered and not found.rows:
                return _not_seen(error)
            limits.append(f"not all {what} were looked at: {error}")
    if found.unreadable:
        limits.append(f"{found.unreadable} events could not be read")
    return {
        "available": True,
        "reason": "",
        "error": "",
        "rows": sorted(found.rows.values(), key=lambda row: row["created"]),
        "other_mode": found.other_mode,
        "other_types": found.other_types,
        "since_seconds": int(since_seconds),
        "kept_seconds": KEPT_SECONDS,
        "limits": limits,
    }


def _filters(webhook, is_delivered):
    types = [("types[]", kind) for kind in webhook["event_types"]]
    return [*types, ("delivery_success", "true" if is_delivered else "false")]


def _asked_earlier(asked, webhook, statements, rows, processed):
    """Of :func:`earlier_of`, with a page of older events where those that were read do not show it; None where that cannot be had."""
    found = earlier_of(rows, processed, [])
    missing = [row["created"] for row in rows if row["id"] not in processed]
    if not missing or (found["kept_since"] is not None and found["kept_since"] <= min(missing)):
        return found
    query = [*_filters(webhook, True), ("created[lte]", str(min(missing))), ("limit", str(PAGE))]
    try:
        page = _Found(webhook, 0)
        page.add(asked.listed("/v1/events", query)["data"], True)
        older = [row for row in page.rows.values() if row["id"] not in {one["id"] for one in rows}]
        return earlier_of(rows, {**processed, **statements.processed([row["id"] for row in older])}, older)
    except (ProviderError, DatabaseError, DeadlineExceeded):
        return None


def earlier_of(rows, processed, older):
    """How far back the database is seen to keep events. Pure.

    Args:
        rows: that were looked at.
        processed: by id, those of all that the database has.
        older: delivered ones, from before the oldest that is missing.

    Returns:
        A dict ``kept_since``, when the oldest that it has was made (None without any), and ``delivered``, how many ``older`` ones there are.
    """
    kept = [row["created"] for row in [*rows, *older] if row["id"] in processed]
    return {"kept_since": min(kept) if kept else None, "delivered": len(older)}


class _Found:
    """Events as they are read."""

    def __init__(self, webhook, now):
        self._webhook, self._now = webhook, now
        self.rows = {}
        self.unreadable = self.other_mode = self.other_types = 0

    def add(self, documents, is_delivered):
        for document in documents:
            event = event_of(document, self._webhook["payments"])
            if event is None:
                self.unreadable += 1
            elif event["livemode"] != self._webhook["livemode"]:
                self.other_mode += 1
            elif event["type"] not in self._webhook["event_types"]:
                self.other_types += 1
            else:
                # Delivered while the lists were read: the later list is right.
                self.rows[event["id"]] = dict(
                    event, delivered=is_delivered, age_seconds=max(0, self._now - event["created"])
                )

    def last(self, is_delivered):
        """When the newest of them was made, for a person."""
        made = [row["created"] for row in self.rows.values() if row["delivered"] is is_delivered]
        return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(max(made))) if made else "no event"


def _asked_database(rows, statements):
    """What the database says, which of the events were processed (None where not known), and what was paid (likewise)."""
    database = {"available": False, "error": "", "processed_known": False, "amounts_known": False, "reason": ""}
    processed = paid = None
    if not statements.has("processed"):
        why = "nothing says how the database shows that an event was processed: see system_payment_webhook.statements.processed"
        return dict(database, reason=why), None, None
    try:
        processed = statements.processed([row["id"] for row in rows])
        database.update(available=True, processed_known=True)
        if statements.has("amounts"):
            there = [row["payment_id"] for row in rows if row["payment_id"] is not None]
            paid = statements.amounts(there)
            database["amounts_known"] = True
    except (DatabaseError, DeadlineExceeded) as error:
        database.update(_not_seen(error))
    return database, processed, paid


def judged(rows, processed, paid, pending_seconds, is_alone, earlier=None):
    """What became of the events, counted and told. Pure.

    Args:
        rows: of :func:`events.event_of`, with ``delivered`` and ``age_seconds``, the oldest first. Each gets what the database says of it.
        processed: those that the application has, by id in how many rows; None where that is not known.
        paid: payments by id, as the database has them; None where that is not known.
        pending_seconds, is_alone: as for :func:`events.state_of`.
        earlier: of :func:`earlier_of`.

    Returns:
        The counts and the rows that are documented in the module ``webhook_info``, and ``limits``.
    """
    counts, told, done = {}, [], {}
    for row in rows:
        if processed and row["id"] in processed and row["about"] is not None:
            done.setdefault(row["about"], []).append(row)
    for row in rows:
        own = None if paid is None or row["payment_id"] is None else paid.get(row["payment_id"], {})
        is_processed = None if processed is None else processed.get(row["id"], 0)
        why = "" if is_processed != 0 else left_alone(row, done.get(row["about"], []), bool(own), earlier, is_alone)
        row.update(
            processed=None if is_processed is None else is_processed > 0,
            left_alone=why,
            paid_amount=own.get("amount") if own else None,
            paid_currency=own.get("currency") if own else None,
            state=state_of(row, is_processed, own, pending_seconds, is_alone),
        )
        counts[row["state"]] = counts.get(row["state"], 0) + 1
        # What is as it should be is only counted: a shop has thousands of them.
        if row["state"] not in ("ok", "delivered"):
            told.append(row)
    more = len(told) - MOST_TOLD
    return {
        "seen": len(rows),
        "compared": sum(
            row["processed"] is True and row["paid_amount"] is not None and is_comparable(row) for row in rows
        ),
        "counts": dict(sorted(counts.items())),
        "told": told[:MOST_TOLD],
        "limits": [f"{more} more events need a look, and only the oldest {MOST_TOLD} are told"] if more > 0 else [],
    }


def summary(provider, endpoint, events, database):
    """The answer. Pure."""
    parts = {"provider": provider, "endpoint": endpoint, "events": events, "database": database}
    limits = [*events.pop("limits", [])]
    if events["available"]:
        events["complete"] = not limits
    limits += [f"{name}: {part['reason']}" for name, part in parts.items() if not part["available"] and part["reason"]]
    found = {
        "available": any(part["available"] for part in (provider, endpoint)),
        "complete": not limits,
        "limits": limits,
    }
    if not found["available"]:
        found["reason"] = provider["reason"] or endpoint["reason"]
    return {**found, **parts}
