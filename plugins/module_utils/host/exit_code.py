# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exit code of a program says, in words."""

from __future__ import annotations

_MEANINGS = {
    0: "ended without an error",
    1: "ended with an error of its own",
    2: "ended with an error of its own, often wrong usage",
    125: "the container engine could not start it",
    126: "its program cannot be executed: permissions, or the wrong format",
    127: "its program was not found",
    128: "could not be started",
}
_SIGNALS = {
    "SIGINT": "interrupted",
    "SIGQUIT": "told to quit",
    "SIGILL": "an instruction that this processor does not know",
    "SIGTRAP": "a trap, often a failed check of its runtime",
    "SIGABRT": "it aborted itself",
    "SIGBUS": "a memory access that cannot be done",
    "SIGFPE": "an arithmetic error",
    "SIGKILL": "killed, by the kernel for lack of memory or by somebody",
    "SIGSEGV": "a segmentation fault",
    "SIGTERM": "told to end",
}


def signal_of(exit_code):
    """The signal that an exit code above 128 stands for (``SIGKILL``), or None."""
    import signal

    try:
        return signal.Signals(exit_code - 128).name if exit_code > 128 else None
    except ValueError:
        return None


def meaning(exit_code, signal_name, oom_killed=False):
    """In words, such as ``137 = 128 + 9, SIGKILL: killed ...``; None where neither code nor signal is known."""
    if exit_code is None and signal_name is None:
        return None
    if signal_name is None:
        return f"{exit_code}: {_MEANINGS.get(exit_code, 'ended with an error of its own')}"
    how = "killed by the kernel: it was out of memory" if oom_killed else _SIGNALS.get(signal_name, "ended by a signal")
    code = "" if exit_code is None else f"{exit_code} = 128 + {exit_code - 128}, "
    return f"{code}{signal_name}: {how}"
