# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A circuit breaker that is open."""

from __future__ import annotations

from lab.compose.target import Fault, Target
from lab.rights import right


def _open(target: Target, provider_is_well: bool) -> None:
    target.set_environment("api", BREAKER_FAILURES="3", BREAKER_RESET_SECONDS="1")
    target.recreate("api")
    target.wait(lambda: target.api("/health")[0] == 200, what="the API")
    # Nobody asks for rates: what would test it is a call.
    target.load(5, "/orders")
    target.provider(503)
    target.wait(lambda: target.api("/rates") and target.metric("app_circuit_breaker"), what="the open breaker")
    if provider_is_well:
        target.provider()


def _is_open(target: Target) -> tuple[bool, str]:
    state = target.metric("app_circuit_breaker")
    return bool(state), f"app_circuit_breaker is {state}"


FAULTS = {
    "breaker_waits": Fault(
        "the API's circuit breaker is open, its provider is well again, and nobody calls it",
        lambda target: _open(target, provider_is_well=True),
        _is_open,
        rights={"circuit_breaker": right("stays_open", "retry")},
    ),
    "breaker_provider_down": Fault(
        "the API's circuit breaker is open, and its provider answers 503",
        lambda target: _open(target, provider_is_well=False),
        _is_open,
        rights={
            "circuit_breaker": right("they_are_down"),
            **dict.fromkeys(("notification_provider", "payment_webhook"), right(also="provider_down", healthy=True)),
            "error_rate": right(also="provider_failing", healthy=True),
        },
    ),
}
