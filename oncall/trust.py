# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders that decide what is done: nobody else may change them. The rule is the collection's, as the ledger has it."""

from __future__ import annotations

from pathlib import Path

from .errors import OncallError
from .shared import module_util


def check(what: str, path: Path | str, beside: bool = False) -> None:
    """OncallError where others may change what is at a path, or on the way to it.

    Args:
        what: this is, for the message.
        path: absolute.
        beside: whether what else lies in this folder counts as well.
    """
    try:
        found = module_util("trusted_path").objection(str(path), beside=beside)
    except OSError as error:
        raise OncallError(f"cannot use the {what} {path}: {error.strerror}") from None
    if found:
        raise OncallError(f"cannot use the {what} {path}: {found}")


def make_folder(path: Path | str) -> None:
    """Make a folder for this user alone. OSError where that is not possible."""
    module_util("trusted_path").make_folder(str(path))
