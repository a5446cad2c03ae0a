#!/usr/bin/python
# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the webhook of a payment provider."""

from __future__ import annotations

DOCUMENTATION = r"""
module: webhook_info
version_added: 0.2.0
short_description: Look at the webhook of a payment provider from both ends
description:
  - Asks the provider's API which endpoint it has and which events it could not deliver, sends the endpoint events of our own, and asks the
    database of the application which events it has processed and which amounts it has.
  - The endpoint is sent one event that is signed right and one that is not, and where the right one is refused, one for each further secret
    and for tomorrow's clock. Each has a type that the handler has to ignore, and an id of its own.
  - The provider is asked what Stripe documents, C(GET /v1/webhook_endpoints) and C(GET /v1/events), the oldest events first. It is only read.
    Where it answers 429, it is asked again when it says, within the time there is.
  - Who paid is never read. Keys and secrets are in no answer.
  - What the provider sees on its way to the endpoint, such as a firewall before it, is not seen from here.
author: oncall.runbooks maintainers (@oncall-runbooks)
extends_documentation_fragment:
  - oncall.runbooks.observer
  - oncall.runbooks.webhook
requirements:
  - psycopg2 or psycopg for C(transport=psycopg); the docker command for C(transport=docker)
"""

EXAMPLES = r"""
- name: What became of the payments of today
  oncall.runbooks.webhook_info:
    webhook:
      url: https://shop.example/webhooks/stripe
      api_key: "{{ vault_stripe_read_key }}"
      secrets: ["{{ vault_stripe_webhook_secret }}"]
      event_types: [payment_intent.succeeded, charge.refunded]
      statements:
        processed: >-
          SELECT event_id AS id FROM stripe_events WHERE processed_at IS NOT NULL
          AND event_id IN (SELECT jsonb_array_elements_text(:event_ids::jsonb))
        amounts: >-
          SELECT intent AS payment_id, amount_cents AS amount, currency FROM payments
          WHERE intent IN (SELECT jsonb_array_elements_text(:payment_ids::jsonb))
    database: "{{ system_database }}"
  register: observed

- name: Say what is missing
  ansible.builtin.debug:
    msg: "{{ observed.events.counts }}"
"""

RETURN = r"""
available: {description: Whether the provider or the endpoint could be asked., type: bool, returned: always}
reason: {description: "Why neither could, in one line.", type: str, returned: when available is false}
complete: {description: Whether all was seen., type: bool, returned: always}
limits: {description: "What was not seen and why, a line each.", type: list, elements: str, returned: always}
provider:
  description: What the provider says of the endpoint.
  type: dict
  returned: always
  contains:
    available: {description: Whether it could be asked., type: bool}
    reason: {description: "Why not, in one line.", type: str}
    error:
      description:
        - What kind of trouble it is, or empty. C(credentials) where the key is refused, C(not_allowed) where it may not read this, C(rate_limited),
          C(server_error), C(protocol), C(bad_status); else as M(oncall.runbooks.http_probe_info) tells it.
      type: str
    known: {description: Whether it has an endpoint with this URL., type: bool, returned: when available}
    endpoints: {description: How many endpoints it has., type: int, returned: when available}
    enabled_endpoints: {description: How many of them are enabled., type: int, returned: when known}
    endpoint: {description: Id of this endpoint., type: str, returned: when known}
    enabled: {description: Whether it is enabled. None where that is not said., type: bool, returned: when known}
    not_subscribed:
      description: Those of the C(event_types) that the endpoint is not subscribed to. None where that is not said.
      type: list
      elements: str
      returned: when known
    clock_offset_seconds:
      description: How far its clock is before ours, by the header Date. None where it has none.
      type: float
      returned: always
    waited_seconds: {description: How long it made us wait because too much was asked of it., type: float, returned: always}
    questions: {description: How many requests it was sent., type: int, returned: always}
endpoint:
  description: What the endpoint does with events of our own.
  type: dict
  returned: always
  contains:
    available:
      description: Whether it was measured. Not where its name does not resolve or nothing of it could be reached, which may be trouble of this side.
      type: bool
    reason: {description: What it answered to the last event that was signed with a secret, type: str}
    error: {description: "What kept it from an answer, or empty, as M(oncall.runbooks.http_probe_info) tells it.", type: str}
    url: {description: Its URL without what is secret in it., type: str}
    status: {description: The status it answered with., type: int}
    connected: {description: Whether somebody was there., type: bool}
    seconds: {description: How long the answer took., type: float}
    right_secret: {description: "Which of the secrets it takes, counted from 1. None where it takes none.", type: int}
    secrets: {description: How many there are., type: int}
    alike:
      description: >-
        Whether each secret got the same answer whenever it signed. Of several replicas, one may have another secret, or fail.
      type: bool
    answers: {description: "How often each answer came to what was signed, by status, or by what kept it from one.", type: dict}
    takes_forged: {description: Whether it takes an event with a signature that is wrong. None where that was not measured., type: bool}
    forged_status: {description: The status it answers to that., type: int}
    takes_tomorrow:
      description: >-
        Where it refuses every secret, whether it takes one of them in a signature that is dated a day ahead or by its own clock. Then its clock
        is wrong and not the secret.
      type: bool
    clock_offset_seconds: {description: "How far its clock is before that of RV(endpoint.clock_of), by the header Date.", type: float}
    clock_of: {description: What its clock is compared with., type: str}
events:
  description: The events that the application wants.
  type: dict
  returned: always
  contains:
    available: {description: Whether the provider told them., type: bool}
    reason: {description: "Why not, in one line.", type: str}
    error: {description: What kind of trouble it is, type: str}
    complete: {description: Whether all of them were looked at., type: bool, returned: when available}
    seen: {description: How many were looked at., type: int}
    compared: {description: Of how many the amount was compared with the database., type: int}
    counts:
      description:
        - How many are in each state. C(ok), processed and, where that is known, paid as the database has it. C(pending), young enough to be on its
          way. C(undelivered), the provider could not deliver it, and the database does not have it. C(not_in_database), it was delivered and
          is not there. C(twice), it is there in several rows. C(amount_differs), and C(no_payment) where the event was processed and its payment
          is not there. C(delivered), the database was not asked. C(unknown), not delivered to some endpoint, and the database was not asked.
      type: dict
    told:
      description:
        - Those that are neither C(ok) nor C(delivered), the oldest first, 1000 at most. Each has C(id), C(type), C(state), C(created) (in seconds
          since 1970), C(age_seconds), C(livemode), C(delivered), C(pending_webhooks), C(processed), C(left_alone) (why it must not be sent
          again, though it is not marked as processed, or empty), C(about) (its payment or other object), C(payment_id), C(amount), C(currency),
          C(paid_amount) and C(paid_currency). What is not known is none.
      type: list
      elements: dict
    other_mode: {description: How many of the other mode were left alone., type: int}
    other_types: {description: How many of other types the provider told although it was not asked for them., type: int}
    since_seconds: {description: How far back events that were delivered were looked for., type: int}
    kept_seconds: {description: How far back the provider keeps events., type: int}
database:
  description: What the database told.
  type: dict
  returned: always
  contains:
    available: {description: Whether it told which events were processed., type: bool}
    reason: {description: "Why not, in one line.", type: str}
    error: {description: "What kind of trouble it is, or empty, as M(oncall.runbooks.postgres_activity_info) tells it.", type: str}
    processed_known: {description: Whether it is known which events were processed., type: bool}
    amounts_known: {description: Whether it is known what was paid., type: bool}
"""

from ..module_utils.observer_module import run
from ..module_utils.observers import webhook


def main():
    """Run the module."""
    run(webhook)


if __name__ == "__main__":
    main()
