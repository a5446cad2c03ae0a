# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a team's template in a process of its own, whose time, memory and output are bounded. Standard input has it, as JSON.

It is run as a file, and imports nothing of the package.
"""

from __future__ import annotations

import json
import sys
from functools import lru_cache
from typing import Any

CPU_SECONDS = 2
MEMORY_BYTES = 512 * 1024 * 1024
# Longer than any template within reason: the rest is an error and not a message.
MOST_CHARACTERS = 16_000


class TooLong(Exception):
    """More came out of a template than a message may have."""


def environment() -> Any:
    """Where templates are rendered: nothing can be changed, nothing is loaded, and an unknown name is an error."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=64)
def _compiled(source: str) -> Any:
    return environment().from_string(source)


def render(source: str, values: dict[str, Any]) -> str:
    """What a template makes of the values.

    Raises:
        TooLong: more than a message may have.
    """
    parts, length = [], 0
    for part in _compiled(source).generate(values):
        length += len(part)
        if length > MOST_CHARACTERS:
            raise TooLong(f"it makes more than {MOST_CHARACTERS} characters")
        parts.append(part)
    return "".join(parts)


def trouble(error: BaseException) -> str:
    """What is wrong with a template, in one line."""
    line = getattr(error, "lineno", None)
    said = " ".join(str(getattr(error, "message", None) or error).split())[:200] or type(error).__name__
    return f"line {line}: {said}" if line else said


def _main() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    asked = json.load(sys.stdin)
    sys.path[:] = asked["path"]
    answer: dict[str, dict[str, str]] = {"said": {}}
    for name, source in asked["parts"].items():
        try:
            answer["said"][name] = render(source, asked["values"])
        except MemoryError:
            answer["trouble"] = {"why": f"{name}: it takes too much memory"}
            break
        except Exception as error:
            answer["trouble"] = {"why": f"{name}: {trouble(error)}"}
            break
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    _main()
