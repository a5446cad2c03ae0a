# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders that decide what is done: nobody else may change them. The rule is the collection's, as the ledger has it."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from .catalog import collection
from .errors import OncallError


def check(what: str, path: Path | str, beside: bool = False) -> None:
    """OncallError where others may change what is at a path, or on the way to it.

    Args:
        what: this is, for the message.
        path: absolute.
        beside: whether what else lies in this folder counts as well.
    """
    try:
        found = _rule().objection(str(path), beside=beside)
    except OSError as error:
        raise OncallError(f"cannot use the {what} {path}: {error.strerror}") from None
    if found:
        raise OncallError(f"cannot use the {what} {path}: {found}")


def make_folder(path: Path | str) -> None:
    """Make a folder for this user alone. OSError where that is not possible."""
    _rule().make_folder(str(path))


@cache
def _rule() -> Any:
    """The collection's module, which is no package that could be imported by its name."""
    file = collection() / "plugins" / "module_utils" / "trusted_path.py"
    spec = importlib.util.spec_from_file_location("oncall_trusted_path", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
