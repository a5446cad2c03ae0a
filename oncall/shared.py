# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Code of the collection that the program uses too, so that a rule is written once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from .catalog import collection


@cache
def module_util(name: str) -> Any:
    """A module of the collection's ``plugins/module_utils``, such as ``text.masking``.

    The collection is no package that could be imported by its name.
    """
    return _of("module_utils", name)


@cache
def plugin_util(name: str) -> Any:
    """A module of the collection's ``plugins/plugin_utils`` that imports nothing from beside it, such as ``triaging.severity``."""
    return _of("plugin_utils", name)


def _of(folder: str, name: str) -> Any:
    package = ModuleType(f"oncall_{folder}")
    package.__path__ = [str(collection() / "plugins" / folder)]
    sys.modules.setdefault(package.__name__, package)
    return importlib.import_module(f"{package.__name__}.{name}")


def masked(text: object, length: int = 300) -> str:
    """Text from outside on one line of at most ``length`` characters, without the secrets in it."""
    return str(module_util("text.masking").masked(text, length))


def counted(count: int, what: str) -> str:
    """So many of something, whose plural ends with an s."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def masked_values(told: Mapping[Any, Any], length: int = 300) -> dict[str, Any]:
    """Names with their values, as an alert has them, without the secrets in them; of a name that is one of a secret, nothing is said.

    Numbers, truth values and what is nothing stay what they are.
    """
    masking = module_util("text.masking")

    def shown(value: Any) -> Any:
        if isinstance(value, Mapping):
            return masked_values(value, length)
        if isinstance(value, (list, tuple)):
            return [shown(one) for one in value]
        return value if value is None or isinstance(value, (bool, int, float)) else masked(value, length)

    return {
        masked(name, length): masking.MASK if masking.is_secret_name(str(name)) else shown(value)
        for name, value in told.items()
    }
