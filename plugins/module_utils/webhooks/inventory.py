# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about the webhook of a payment provider, made fit to be used. Pure."""

from __future__ import annotations

import re

from ..queues.statement import is_name, wrapped
from .events import PAYMENTS

# As many as the provider takes in one question.
MOST_TYPES = 20
# What a statement asks with, beside the parameters of the inventory.
OF_STATEMENTS = {"processed": "event_ids", "amounts": "payment_ids"}
_TYPE = re.compile(r"[a-z0-9_]+(?:\.[a-z0-9_]+)*\Z")
_PATH = re.compile(r"\w+(?:\.\w+)*\Z")


def checked(webhook, probe_type):
    """The webhook as the inventory has it, with the ``payments`` of every type that is known.

    Raises:
        ValueError: it cannot be used; one line.
    """
    place = "system_payment_webhook"
    types = webhook["event_types"]
    if not 0 < len(types) <= MOST_TYPES:
        raise ValueError(
            f"{place}.event_types: name 1 to {MOST_TYPES} types, which are what the provider takes at once"
        )
    for one in (*types, probe_type):
        if not _TYPE.match(one):
            raise ValueError(f"{place}.event_types: {one!r} is no type of event, such as payment_intent.succeeded")
    if probe_type in types:
        raise ValueError(f"probe_type: {probe_type} is among event_types, and the handler must ignore it")
    if not webhook["secrets"] or not all(webhook["secrets"]):
        raise ValueError(
            f"{place}.secrets: name the signing secret of the endpoint, and while it is rolled the former one behind it"
        )
    for parameter in webhook["parameters"]:
        if not is_name(parameter) or parameter in OF_STATEMENTS.values():
            raise ValueError(f"{place}.parameters: a parameter cannot have the name {parameter!r}")
    for name, text in webhook["statements"].items():
        if text:
            try:
                wrapped(text, {*webhook["parameters"], OF_STATEMENTS[name]}, "")
            except ValueError as error:
                raise ValueError(f"{place}.statements.{name}: {error}") from None
    return dict(webhook, payments={**PAYMENTS, **_payments(place, webhook["payments"])})


def _payments(place, given):
    for kind, paths in given.items():
        keys = sorted(paths) if isinstance(paths, dict) else []
        if keys != ["amount", "currency", "payment_id"] or not all(_PATH.match(str(path)) for path in paths.values()):
            raise ValueError(
                f"{place}.payments.{kind}: must be a dict of payment_id, amount and currency, each a path in data.object"
            )
    return {str(kind): {key: str(path) for key, path in paths.items()} for kind, paths in given.items()}
