# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Templates of warm plays that are compiled once: a task has a process of its own, which would compile all that it needs again."""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import os
from contextvars import ContextVar
from pathlib import Path
from types import CodeType
from typing import Any

# What the text of a template means depends on these of its environment.
SYNTAX = (
    *("block_start_string", "block_end_string", "variable_start_string", "variable_end_string"),
    *("comment_start_string", "comment_end_string", "line_statement_prefix", "line_comment_prefix"),
    *("trim_blocks", "lstrip_blocks", "newline_sequence", "keep_trailing_newline", "optimized"),
)


def keep(folder: Path) -> None:
    """Have this process and its forks keep compiled templates in a folder, and take them from there.

    Args:
        folder: an empty one.
    """
    from ansible._internal._templating._jinja_bits import AnsibleEnvironment, _TemplateCompileContext

    compile_, compile_expression_ = AnsibleEnvironment.compile, AnsibleEnvironment.compile_expression
    # The text of an expression: what is compiled is its parsed form.
    expression: ContextVar[str | None] = ContextVar("expression", default=None)

    def compile_expression(self: Any, source: str, *args: Any, **kwargs: Any) -> Any:
        token = expression.set(str(source))
        try:
            return compile_expression_(self, source, *args, **kwargs)
        finally:
            expression.reset(token)

    def compile(self: Any, source: Any, *args: Any, **kwargs: Any) -> Any:
        is_text = isinstance(source, str)
        text = str(source) if is_text else expression.get()
        if text is None:
            return compile_(self, source, *args, **kwargs)
        context = _TemplateCompileContext.current(optional=True)
        of_environment = [type(self).__qualname__, *(getattr(self, name) for name in SYNTAX)]
        key = repr((text, is_text, args, kwargs, of_environment, context and context.escape_backslashes))
        file = folder / hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()
        with contextlib.suppress(FileNotFoundError):
            return marshal.loads(file.read_bytes())
        code = compile_(self, source, *args, **kwargs)
        if isinstance(code, CodeType):
            part = file.with_name(f"{file.name}-{os.getpid()}")
            part.write_bytes(marshal.dumps(code))
            part.replace(file)
        return code

    AnsibleEnvironment.compile_expression = compile_expression
    AnsibleEnvironment.compile = compile
