# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of a payment provider, in what matters of them: who paid is never read. Pure."""

from __future__ import annotations

import re

# For so long the provider keeps events; what is older cannot be had.
KEPT_SECONDS = 30 * 86400
# An event that came so much later than another of the same payment follows it, and was not made with it.
_LATER_SECONDS = 60
# Where an object says which payment it is about, and how much was paid; types that are not here have no amount to compare.
PAYMENTS = {
    "payment_intent.succeeded": {"payment_id": "id", "amount": "amount_received", "currency": "currency"},
    "charge.succeeded": {"payment_id": "payment_intent", "amount": "amount", "currency": "currency"},
    "checkout.session.completed": {"payment_id": "payment_intent", "amount": "amount_total", "currency": "currency"},
    "invoice.paid": {"payment_id": "payment_intent", "amount": "amount_paid", "currency": "currency"},
}
_ID = re.compile(r"evt_[A-Za-z0-9_]{1,120}\Z")
_PAYMENT_ID = re.compile(r"[A-Za-z0-9_.:-]{1,120}\Z")
_CURRENCY = re.compile(r"[a-z]{3}\Z")
_TYPE_CHARACTERS = 100


def is_event_id(text):
    """Whether this is what an event can be called: it goes into a path and into a report."""
    return isinstance(text, str) and _ID.match(text) is not None


def event_of(document, payments):
    """What matters of an event, or None where this is none.

    Args:
        document: of the provider.
        payments: where types have their payment, as :data:`PAYMENTS`.

    Returns:
        A dict ``id``, ``type``, ``created`` (seconds since 1970), ``livemode``, ``pending_webhooks`` (None where not said), and
        ``payment_id``, ``amount`` (in minor units) and ``currency``, each None where there is none; and ``about``, the payment, or else the
        object, that it is about.
    """
    if not isinstance(document, dict) or not is_event_id(document.get("id")):
        return None
    kind, created = document.get("type"), _whole(document.get("created"))
    if not isinstance(kind, str) or created is None or not isinstance(document.get("livemode"), bool):
        return None
    paths = payments.get(kind)
    object_ = document["data"].get("object") if isinstance(document.get("data"), dict) else None
    payment_id = _text(_at(object_, paths["payment_id"]), _PAYMENT_ID) if paths else None
    currency = _at(object_, paths["currency"]) if paths else None
    currency = _text(currency.lower() if isinstance(currency, str) else None, _CURRENCY) if payment_id else None
    about = payment_id or _text(_at(object_, "payment_intent"), _PAYMENT_ID) or _text(_at(object_, "id"), _PAYMENT_ID)
    return {
        "id": document["id"],
        "type": kind[:_TYPE_CHARACTERS],
        "created": created,
        "livemode": document["livemode"],
        "pending_webhooks": _whole(document.get("pending_webhooks")),
        "payment_id": payment_id,
        "amount": _whole(_at(object_, paths["amount"])) if payment_id else None,
        "currency": currency,
        "about": about,
    }


def _at(value, path):
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _whole(value):
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value, pattern):
    return value if isinstance(value, str) and pattern.match(value) else None


def is_comparable(event):
    """Whether its amount can be compared with that of the database: of one without its currency nothing can be said."""
    return event["amount"] is not None and event["currency"] is not None


def state_of(event, processed, paid, pending_seconds, is_alone):
    """What became of an event, in a word.

    Args:
        event: a row with ``delivered`` and ``age_seconds``.
        processed: how often the database has it; None where that is not known.
        paid: ``amount`` and ``currency`` of its payment in the database; an empty dict where there is no such payment, None where that
            is not known, or where nothing is to be compared.
        pending_seconds: an event that is younger may still be on its way.
        is_alone: whether the provider sends to this endpoint alone: what it could not deliver was for no other.

    Returns:
        ``pending``, ``undelivered`` (the provider could not deliver it), ``not_in_database`` (it was delivered), ``twice``, ``amount_differs``,
        ``no_payment`` (the event is in the database, and its payment is not), ``ok``, ``delivered`` (the database was not asked) or
        ``unknown``.
    """
    if processed:
        if processed > 1:
            return "twice"
        if paid is None or event["amount"] is None:
            return "ok"
        if not paid:
            return "no_payment"
        if not is_comparable(event):
            return "ok"
        is_equal = (paid["amount"], paid["currency"]) == (event["amount"], event["currency"])
        return "ok" if is_equal else "amount_differs"
    if event["age_seconds"] < pending_seconds:
        return "pending"
    if processed is None:
        return "delivered" if event["delivered"] else "undelivered" if is_alone else "unknown"
    return "not_in_database" if event["delivered"] else "undelivered"


def left_alone(event, others, is_paid, earlier, is_alone):
    """Why an event that is not marked as processed must not be sent again, or "".

    Args:
        event: a row, as above.
        others: those of the same ``about`` that were processed.
        is_paid: whether the database has its payment.
        earlier: of :func:`look.earlier_of`; None where that is not known.
        is_alone: whether this is the provider's only endpoint, so that what was not delivered is not here.
    """
    if any(one["created"] > event["created"] + _LATER_SECONDS for one in others):
        return "a later event of the same payment was processed"
    if is_paid and not others:
        return "the database has the payment, so it could be counted twice"
    if earlier is None:
        return "it is not known whether the database keeps events for so long"
    if earlier["kept_since"] is not None and earlier["kept_since"] <= event["created"]:
        return ""
    if earlier["delivered"]:
        return "nothing shows that the database keeps events for so long: of those delivered before it, it has none"
    return "" if is_alone and not event["delivered"] else "nothing shows that the database has any event that old"
