# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the webhook of a payment provider, in words and in lists of events. What is not known stays undefined.

``provider``, ``endpoint``, ``events`` and ``stored`` are the parts of the observation ``webhook``; a row of events is what that tells of one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]

# Of the provider's own, and not of the way there.
_SICK_PAGE = ("partial_outage", "major_outage")
_RUNS = ("running", "starting")


def provider_trouble(provider: Row, page: Row, page_known: bool) -> list[str]:
    """Why the provider is not well, in words."""
    found = [provider["reason"]] if provider["error"] == "server_error" else []
    if page_known and page["status"] in _SICK_PAGE:
        incidents = ", ".join(one["name"] for one in page["incidents"])
        said = f"its status page says {page['status'].replace('_', ' ')} of {page['component']}"
        found.append(said + (f" ({incidents})" if incidents else ""))
    return found


def page_known(page: Row) -> bool:
    """Whether its status page tells anything."""
    return page["available"] is True


def refused_key(provider: Row, events: Row) -> str:
    """What the provider answers to a key that it refuses, or nothing."""
    for part in (provider, events):
        if part["error"] in ("credentials", "not_allowed"):
            return str(part["reason"])
    return ""


def endpoint_fails(endpoint: Row) -> bool:
    """Whether it gave no good answer to what is signed, for another reason than the signature."""
    return endpoint["status"] is None or endpoint["status"] >= 500


def endpoint_errors(endpoint: Row) -> bool:
    """Whether it answers with an error of its own."""
    return endpoint["status"] is not None and endpoint["status"] >= 500


def endpoint_measured(endpoint: Row, provider: Row) -> bool:
    """Whether it was measured. A name or a network may be trouble of this side; where the provider is reached from here, it is not."""
    return bool(endpoint["available"] or ("status" in endpoint and provider["available"]))


def unreached(endpoint: Row, endpoint_measured: bool) -> str:
    """Why no answer of the endpoint came back, where that is not because it takes too long; or nothing."""
    if endpoint["status"] is not None or (endpoint["error"] == "timeout" and endpoint["connected"]):
        return ""
    return str(endpoint["reason"]) if endpoint_measured else ""


def is_slow(endpoint: Row, payment_webhook_answer_seconds: float) -> bool:
    """Whether it was reached, and no answer came in time."""
    is_late = endpoint["seconds"] >= payment_webhook_answer_seconds
    return bool(endpoint["connected"]) and (is_late or (endpoint["status"] is None and endpoint["error"] == "timeout"))


def clock_is_off(endpoint: Row, payment_webhook_tolerance_seconds: float) -> bool:
    """Whether its clock is why signatures are refused, or soon will be."""
    offset = endpoint["clock_offset_seconds"]
    if endpoint["takes_tomorrow"] is True:
        return True
    return offset is not None and abs(offset) > payment_webhook_tolerance_seconds


def clock_in_words(endpoint: Row) -> str:
    offset = endpoint["clock_offset_seconds"]
    if endpoint["takes_tomorrow"] is True and (offset is None or abs(offset) < 60):
        return "The secret is right, and the handler takes its signature for too old: its clock is ahead, though what answers for it shows another"
    which = "ahead of" if offset > 0 else "behind"
    too = "old" if offset > 0 else "new"
    refused = f", and it takes right signatures for too {too}" if endpoint["takes_tomorrow"] is True else ""
    return f"The clock of the endpoint is {abs(offset):.0f} s {which} that of {endpoint['clock_of']}{refused}"


# ---------------------------------------------------------------------- the service that has the endpoint
def service_known(told: Row, routes: Mapping[str, Row]) -> bool:
    """Whether it is known how the service gets on, where the inventory names one."""
    if told and not told["available"]:
        return False
    return all(one["available"] for one in routes.values())


def service_is_down(told: Row, routes: Mapping[str, Row]) -> bool:
    """Whether it does not run, or none of its other routes gives an answer."""
    if not told:
        # Nothing is handed over about a service that nobody names.
        return False
    if told["available"] and told["state"] not in _RUNS:
        return True
    return bool(routes) and all(one["available"] and one["status"] is None for one in routes.values())


def routes_known(routes: Mapping[str, Row]) -> bool:
    """Whether each of them was asked."""
    return all(one["available"] for one in routes.values())


def routes_err(routes: Mapping[str, Row]) -> bool:
    """Whether all of them answer with an error of the service."""
    return bool(routes) and all(one["available"] and (one["status"] or 0) >= 500 for one in routes.values())


def routes_in_words(routes: Mapping[str, Row]) -> str:
    said = [
        f"{name} {'answers ' + str(one['status']) if one['status'] else one['reason']}" for name, one in routes.items()
    ]
    return ", ".join(said) or "none is named"


def service_in_words(told: Row, routes: Mapping[str, Row], system_payment_webhook: Row) -> str:
    if not told:
        return "no service is named for it"
    name = system_payment_webhook["service"]
    return f"{name} is {told['state'] if told['available'] else 'not seen'}, {routes_in_words(routes)}"


def answers_in_words(endpoint: Row) -> str:
    """How often each answer came to what was signed with a secret of the inventory."""
    return ", ".join(f"{count} times {answer}" for answer, count in endpoint["answers"].items())


def endpoint_in_words(endpoint: Row) -> str:
    if endpoint["status"] is None or endpoint["status"] >= 300:
        return str(endpoint["reason"])
    signed = (
        f"signed with secret {endpoint['right_secret']} of {endpoint['secrets']}"
        if endpoint["right_secret"]
        else "signed"
    )
    return f"the endpoint answers {endpoint['status']} in {endpoint['seconds']} s to what is {signed}, {endpoint['forged_status']} to what is forged"


# ---------------------------------------------------------------------- events
def state_known(events: Row) -> bool:
    """Whether it is known of each event if it arrived."""
    return events["counts"].get("unknown", 0) == 0


def undelivered(events: Row, provider_trouble: Sequence[str]) -> list[Row]:
    """What the provider could not deliver and the application does not have; what it still tries while it is not well comes by itself."""
    rows = [row for row in events["told"] if row["state"] == "undelivered" and not row["left_alone"]]
    return [row for row in rows if not provider_trouble or row["pending_webhooks"] == 0]


def lost(events: Row) -> list[Row]:
    """What the provider has delivered, or was to deliver to nobody, and the database does not have."""
    return [row for row in events["told"] if row["state"] == "not_in_database" and not row["left_alone"]]


def left_alone(events: Row) -> list[Row]:
    """What is not marked as processed, and could be handled twice if it were sent again."""
    return [row for row in events["told"] if row["state"] in ("undelivered", "not_in_database") and row["left_alone"]]


def why_left_alone(left_alone: Sequence[Row]) -> str:
    """How many for which reason."""
    whys = [row["left_alone"] for row in left_alone]
    return "; ".join(f"{whys.count(why)}: {why}" for why in dict.fromkeys(whys))


def twice(events: Row) -> list[Row]:
    """What the database has in more than one row."""
    return [row for row in events["told"] if row["state"] == "twice"]


def differing(events: Row) -> list[Row]:
    """What was paid otherwise than the database has it."""
    return [row for row in events["told"] if row["state"] in ("amount_differs", "no_payment")]


def amounts_told(stored: Row, compares_amounts: bool) -> bool:
    """Whether amounts were compared, or nobody asks for that."""
    return bool(stored["amounts_known"]) or not compares_amounts


def differing_in_words(differing: Sequence[Row]) -> str:
    first = differing[0]
    there = "no such payment"
    if first["state"] == "amount_differs":
        there = (
            f"{first['paid_amount']} {first['paid_currency']}"
            if first["paid_amount"] is not None
            else "no single amount, or several rows"
        )
    return (
        f"{len(differing)} payments are otherwise in the database; the first is {first['payment_id']}: "
        f"{first['amount']} {first['currency']} at the provider, {there} in the database (minor units)"
    )


def undelivered_since(undelivered: Sequence[Row]) -> str:
    return _moment(undelivered)


def lost_since(lost: Sequence[Row]) -> str:
    return _moment(lost)


def left_alone_since(left_alone: Sequence[Row]) -> str:
    return _moment(left_alone)


def _moment(rows: Sequence[Row]) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(min(row["created"] for row in rows)))


def events_in_words(events: Row) -> str:
    hours = events["since_seconds"] / 3600
    counts = events["counts"]
    missing = counts.get("undelivered", 0) + counts.get("not_in_database", 0)
    return f"{events['seen']} events of the last {hours:.3g} h and of 30 days if not delivered, {missing} are not in the database"


# ---------------------------------------------------------------------- what may be done
def replay_undelivered(
    undelivered: Sequence[Row], endpoint: Row, payment_webhook_replay_most: int
) -> list[dict[str, str]]:
    """The events to replay of those that were not delivered."""
    return _targets(undelivered, endpoint, payment_webhook_replay_most)


def replay_lost(lost: Sequence[Row], endpoint: Row, payment_webhook_replay_most: int) -> list[dict[str, str]]:
    """The events to replay of those that got lost."""
    return _targets(lost, endpoint, payment_webhook_replay_most)


def _targets(rows: Sequence[Row], endpoint: Row, most: int) -> list[dict[str, str]]:
    # Only into a handler that takes what is signed right, and only what the database is known not to have.
    if endpoint["right_secret"] is None or not endpoint["alike"]:
        return []
    return [{"event": row["id"]} for row in rows if row["processed"] is False][:most]


def why_not_replayed(endpoint: Row, stored: Row) -> str:
    """Why nothing is replayed, and what to change."""
    if not stored["processed_known"]:
        return str(stored["reason"])
    return f"no secret of the inventory is taken: {endpoint['reason']}"


def to_enable(
    provider: Row, endpoint: Row, payment_webhook_may_enable: bool, system_payment_webhook: Row
) -> list[dict[str, str]]:
    """The endpoint to enable: only one that works by now, or the provider disables it again."""
    works = endpoint["right_secret"] == 1 and endpoint["alike"] and endpoint["takes_forged"] is False
    may = payment_webhook_may_enable and system_payment_webhook.get("write_key")
    return [{"endpoint": provider["endpoint"]}] if works and may else []


def why_not_enabled(payment_webhook_may_enable: bool, system_payment_webhook: Row, endpoint: Row) -> str:
    """Why it is not enabled from here, and what to change."""
    if not payment_webhook_may_enable:
        return "payment_webhook_may_enable does not allow it"
    if not system_payment_webhook.get("write_key"):
        return "system_payment_webhook.write_key is missing, a restricted key that may write Webhook Endpoints"
    return f"it does not work yet, and would be disabled again: {endpoint['reason']}"


def report_advice(payment_webhook_evidence_directory: str) -> list[str]:
    """What finance gets."""
    return [
        "Nothing here changes an amount: what is right is for finance to say.",
        f"The playbook payment_webhook_report writes all of it into {payment_webhook_evidence_directory}, as CSV and Markdown.",
    ]
