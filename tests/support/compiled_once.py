# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets Ansible compile an expression once for all tests of a process.

A play judges a table once, and a test thousands of times. Compiling the same expressions again and again is more than half of that.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from ansible._internal._templating._engine import TemplateEngine
from ansible._internal._templating._jinja_bits import AnsibleEnvironment

_compile = {name: getattr(TemplateEngine, name) for name in ("_compile_template", "_compile_expression")}


@cache
def _environment(folder: str) -> AnsibleEnvironment:
    return AnsibleEnvironment(ansible_basedir=folder)


@cache
def _compiled(name: str, folder: str, text: str, options: Any) -> Any:
    engine = TemplateEngine()
    engine._environment = _environment(folder)
    return _compile[name](engine, text, options)


def compile_once() -> None:
    """From here on, in this process."""

    def once(name: str) -> Any:
        def compile_it(self: TemplateEngine, text: str, options: Any) -> Any:
            # A caller may compile in an environment of its own; what is compiled there is its own too.
            if self.environment is not _environment(self.basedir):
                return _compile[name](self, text, options)
            return _compiled(name, self.basedir, text, options)

        return compile_it

    # The environment holds nothing of the one who asks: variables come with each rendering.
    setattr(TemplateEngine, "environment", property(lambda self: self._environment or _environment(self.basedir)))  # noqa: B010
    for name in _compile:
        setattr(TemplateEngine, name, once(name))
