# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of what looks at the webhook of a payment provider."""

from __future__ import annotations

import textwrap

from ..doc_fragments.postgres import DATABASE

_REST = DATABASE.lstrip("\n").split("\n", 2)[2].replace("    required: true\n", "", 1)
_OWN_DATABASE = (
    "  database:\n    description: How to reach the database that has the events, where it is another one.\n" + _REST
)

WEBHOOK = (
    r"""
  webhook:
    description: The webhook as the variable C(system_payment_webhook) of the inventory describes it.
    type: dict
    required: true
    suboptions:
      url:
        description: URL of the endpoint exactly as it is registered at the provider. Events of our own are sent there.
        type: str
        required: true
      provider_url:
        description: Where the provider's API is. It has to speak what Stripe documents.
        type: str
        default: https://api.stripe.com
      api_key:
        description:
          - A restricted key that may read Events and Webhook Endpoints, and nothing else. A secret key could move money.
        type: str
        required: true
      write_key:
        description:
          - A restricted key that may write Webhook Endpoints. Only where an endpoint that the provider disabled may be enabled from here.
        type: str
      secrets:
        description:
          - The signing secrets of the endpoint (C(whsec_...)), the current one first. While one is rolled, the former one comes second.
        type: list
        elements: str
        required: true
      event_types:
        description: The types of events that the application needs, from 1 to 20. No others are looked at.
        type: list
        elements: str
        required: true
      livemode:
        description: Whether this is about real payments. Events of the other mode are left alone.
        type: bool
        default: true
      service:
        description: Name in C(system_services) of the service that has the endpoint.
        type: str
"""
    + textwrap.indent(_OWN_DATABASE, "    ")
    + r"""      statements:
        description:
          - How the database shows what the application has. Each is one query, asked in a read-only session, with bound parameters.
        type: dict
        default: {}
        suboptions:
          processed:
            description:
              - A query with the column C(id), of those events in C(:event_ids) (a JSON array, as text) that were processed. Without it nobody
                knows what is missing, and nothing is sent again. An event with several rows was processed twice.
            type: str
          amounts:
            description:
              - A query with the columns C(payment_id), C(amount) (in minor units) and C(currency), of those payments in C(:payment_ids) that are
                paid, one row for each. An event whose payment is there already is not sent again.
            type: str
      parameters:
        description: Values for C(:name) in the statements. No value becomes a part of a statement.
        type: dict
        default: {}
      payments:
        description:
          - Where events of a type say which payment they are about, by type, a dictionary of C(payment_id), C(amount) and C(currency), each
            a path in C(data.object) with dots.
          - C(payment_intent.succeeded), C(charge.succeeded), C(checkout.session.completed) and C(invoice.paid) are known. Amounts of types that
            are not known are not compared.
        type: dict
        default: {}
"""
)
STORE = (
    "  database:\n    description: How to reach the database of the application, usually the inventory's C(system_database).\n"
    + _REST
)

OPTIONS = (
    WEBHOOK
    + STORE
    + r"""  probe_type:
    description:
      - Type of the event that is sent to the endpoint. Its handler must ignore it, and answer from 200 to 299 if it is signed right.
    type: str
    default: oncall.probe
  pending_seconds:
    description: An event that is younger may still be on its way, and is no failure.
    type: float
    default: 900
  look_back_seconds:
    description: >-
      For how far back events that were delivered are looked for in the database. Those that were not delivered are looked for as far back as the
      provider keeps them, 30 days.
    type: float
    default: 86400
  most_pages:
    description: How many pages of a hundred events are asked for, of those that were not delivered and of those that were, each.
    type: int
    default: 30
  answer_seconds:
    description: For how long the endpoint may take to answer.
    type: float
    default: 10
  timeout_seconds:
    description: The time in seconds for all of it, waiting for the provider's rate limit included.
    type: float
    default: 30
"""
)


class ModuleDocFragment:
    DOCUMENTATION: str = "options:" + OPTIONS
