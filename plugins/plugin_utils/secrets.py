# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory says, without what is secret in it: by the names that its options have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What nothing that is measured has for a name.
PASSWORDS = frozenset({"password", "signing_key", "api_key", "write_key", "secrets"})
SECRETS = PASSWORDS | {"auth", "headers"}


def without_secrets(value: Any, names: frozenset[str] = SECRETS) -> Any:
    """The same without the options of these names, as far down as there are dictionaries and lists."""
    if isinstance(value, Mapping):
        return {key: without_secrets(one, names) for key, one in value.items() if key not in names}
    if isinstance(value, list):
        return [without_secrets(one, names) for one in value]
    return value
