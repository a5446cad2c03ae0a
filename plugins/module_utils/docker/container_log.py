# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of what a container wrote, however much there is."""

from __future__ import annotations

from .engine import TooMuch, end_of, payloads

_READ_LIMIT_BYTES = 16 * 1024 * 1024


def end_of_log(engine, inspected, lines, keep_bytes):
    """The last lines of a container's log as text, at most ``keep_bytes`` of it.

    The engine sends the oldest line first. Where the lines asked for are more than 16 MiB, fewer are asked for, so that
    what is read is always the end.

    Args:
        engine: an ``Engine``.
        inspected: what it said about the container.
        lines: how many.
        keep_bytes: the most that is kept of them.

    Raises:
        EngineError: the log cannot be read.
    """
    path = f"/containers/{inspected['Id']}/logs"
    is_terminal = bool((inspected.get("Config") or {}).get("Tty"))
    while True:
        chunks = engine.chunks(path, _READ_LIMIT_BYTES, stdout=1, stderr=1, tail=lines)
        try:
            kept, is_cut = end_of(chunks if is_terminal else payloads(chunks), keep_bytes)
        except TooMuch:
            if lines == 1:
                raise
            lines = max(1, lines // 20)
            continue
        text = kept.decode("utf-8", "replace")
        if is_cut and "\n" in text.rstrip("\n"):
            text = text.partition("\n")[2]  # the first line is cut anywhere
        return "\n".join(text.splitlines()[-lines:])
