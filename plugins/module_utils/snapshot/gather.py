# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at many things of a stack at once, and lets no trouble with one take another away."""

from __future__ import annotations

from functools import partial

from ..deadline import LATE_ADVICE, Deadline, DeadlineExceeded, all_within
from ..observe import OBSERVERS
from ..text.masking import masked
from . import exposition, functions, logs, surroundings
from .parallel import each

# Besides the observers: what they do not tell, because it is text as it is, or no state of a service.
OWN = {
    "environment": (surroundings.ENVIRONMENT_SPEC, surroundings.environment),
    "exposition": (exposition.SPEC, exposition.look),
    "functions": (functions.SPEC, functions.look),
    "ledger": (surroundings.LEDGER_SPEC, surroundings.ledger),
    "logs": (logs.SPEC, logs.look),
    "platform": (surroundings.PLATFORM_SPEC, surroundings.platform),
}
# Those that can be asked over the network. The others look at the host itself.
ANYWHERE = ("exposition", "functions")


# Each of these is a session of the database. All at once they could take the last connections of one that is in need.
_IN_A_DATABASE = (
    *("postgres_access", "postgres_activity", "postgres_size", "postgres_wal"),
    *("job_schedule", "queue", "sync_state", "workflow"),
)
_SESSIONS = 3


def needs_host(look, params):
    """Whether this can only be looked at from the managed host.

    Args:
        look: an observer, or one of :data:`OWN`.
        params: its parameters, validated.
    """
    return OBSERVERS[look].needs_host(params) if look in OBSERVERS else look not in ANYWHERE


def validated(look, parameters):
    """The parameters of a look, with their defaults.

    Raises:
        ValueError: there is no such look, or its parameters are not right; in one line.
    """
    from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

    if look not in OBSERVERS and look not in OWN:
        raise ValueError(f"unknown look {look}; known are {', '.join(sorted([*OBSERVERS, *OWN]))}")
    spec = OBSERVERS[look].SPEC if look in OBSERVERS else OWN[look][0]
    found = ArgumentSpecValidator(spec).validate(parameters)
    if found.error_messages:
        raise ValueError(masked("; ".join(found.error_messages)))
    return found.validated_parameters


def gather(looks, seconds):
    """Look at everything that is asked for, at the same time.

    Args:
        looks: by a name, a dict ``look`` (an observer, or one of :data:`OWN`) and ``parameters``.
        seconds: for all of them together.

    Returns:
        By the same names what each told: ``available``, ``reason``, what the observer documents, and ``files`` of those that are text.
        Nothing is raised: whatever goes wrong with one is the reason why it is not there.
    """
    deadline = Deadline(seconds)
    answers, calls, in_turn = {}, {}, {}
    for name in looks:
        # Loaded before the threads start, which would wait for each other's imports on the clock of the observers.
        try:
            call = _call(looks[name]["look"], looks[name]["parameters"])
            (in_turn if looks[name]["look"] in _IN_A_DATABASE else calls)[name] = call
        except ValueError as error:
            answers[name] = _refused(str(error))

    def together():
        return zip(in_turn, each(list(in_turn.values()), lambda call: call(), deadline, _SESSIONS))

    *told, turns = all_within(deadline.remaining_seconds(), [*calls.values(), together])
    answers.update(zip(calls, told))
    answers.update(dict.fromkeys(in_turn, turns) if isinstance(turns, Exception) else turns)
    return {name: _told(answers[name]) for name in looks}


def _call(look, parameters):
    given = validated(look, parameters)
    function = OBSERVERS[look].load() if look in OBSERVERS else OWN[look][1]
    return partial(_services if look == "service" else _plainly, function, given)


def _plainly(function, params):
    return function(params)


def _services(observe, params):
    """What the observer tells of the services that are described right. By itself it tells of none where one is not."""
    from ..services.states import check

    good, limits = {}, []
    for key, service in params["services"].items():
        try:
            check({key: service})
            good[key] = service
        except ValueError as error:
            limits.append(str(error))
    if not good and limits:
        return {"available": False, "reason": limits[0], "limits": limits[1:]}
    return {**observe(dict(params, services=good)), "limits": limits}


def _refused(reason):
    return {"available": False, "reason": reason}


def _told(answer):
    if isinstance(answer, ValueError):
        return _refused(masked(answer, 600))
    if isinstance(answer, DeadlineExceeded):
        return _refused(f"{answer}: {LATE_ADVICE}")
    if isinstance(answer, Exception):
        return _refused(f"it could not be read: {masked(f'{type(answer).__name__}: {answer}')}; please report this")
    return answer
