# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says about a queue, whatever engine it has. Checks, no I/O."""

from __future__ import annotations

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..observers.redis import SERVER
from ..postgres.spec import DATABASE
from ..text.one_line import one_line, without_secrets
from .engines import STORES, engine

_STORE_OPTIONS = {
    "redis": {"redis": dict(SERVER, required=False)},
    "database": {"database": dict(DATABASE, required=False)},
    "url": {},
}


def described(name, queue, params):
    """A queue with all its options, and the store that it is in.

    Args:
        name: of the queue in the inventory.
        queue: what the inventory says.
        params: as in :data:`observers.queue.SPEC`.

    Returns:
        The options by name. ``store`` is ``redis``, ``database`` or ``url``, and ``reach`` how that is reached.

    Raises:
        ValueError: one line that names the queue and what is wrong.
    """
    if not isinstance(queue, dict):
        raise ValueError(f"queue {one_line(name)} must be a dict with at least the key engine")
    if queue.get("engine") not in STORES:
        known = ", ".join(sorted(STORES))
        raise ValueError(
            f"queue {one_line(name)}: unknown engine {one_line(queue.get('engine'))}; known engines: {known}"
        )
    store = STORES[queue["engine"]]
    module = engine(queue["engine"])
    options = {
        "engine": {"type": "str"},
        "limit_seconds": {"type": "float", "default": 300.0},
        # Not for looking: what acts, and who works.
        "commands": {"type": "dict", "default": {}},
        "workers": {"type": "list", "elements": "str", "default": []},
        **_STORE_OPTIONS[store],
        **module.OPTIONS,
    }
    validated = ArgumentSpecValidator(options).validate(queue)
    if validated.error_messages:
        said = without_secrets("; ".join(validated.error_messages), *_secrets(queue))
        raise ValueError(f"queue {one_line(name)}: {one_line(said)}")
    found = dict(validated.validated_parameters, store=store)
    found["reach"] = found["url"] if store == "url" else found.get(store) or params.get(store)
    if not found["reach"]:
        raise ValueError(
            f"queue {one_line(name)}: nothing says how its {store} is reached; give it {store}, or set system_{store}"
        )
    if hasattr(module, "check"):
        module.check(name, found)
    return found


def _secrets(queue):
    stores = [queue.get(store) for store in ("redis", "database")]
    return [store.get("password") for store in stores if isinstance(store, dict)] + [queue.get("signing_key")]
