# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A queue as the library of its application asks it and has it send, in a program of ours that the application's interpreter runs.

The program comes on its standard input, with what it is to do as data in its first line; it answers with one line of JSON.
"""

from __future__ import annotations

import json
import os
import re
import time

from ..run_command import failure, run
from ..text.masking import masked

# Of the program's answers: some 1,000 dead messages have 0.5 MB.
_ANSWER_BYTES = 16 * 1024 * 1024
# A program takes so long at most until it begins, and sends for so long at most.
_SEND_SECONDS = 20.0
_ENDING_SECONDS = 2.0
_ERROR = re.compile(r"(?:[A-Za-z]+ )?[A-Za-z.]*(?:Error|Exception)\b.*:")
_OPTIONS = ("queue", "prefix", "schema", "application_name", "application_url_variable")


class ApplicationError(Exception):
    """A program could not ask or send; one line.

    Attributes:
        kind: ``application``.
    """

    kind = "application"


class InApplication:
    """A queue to which a program sends; see :class:`in_database.InDatabase` for what it has.

    Args:
        name: of the queue in the inventory.
        queue: of :func:`queues.spec.described`.
        program: its text.
        asks: what asks the engine, such as :class:`in_redis.InRedis`; without it, the program does, of an engine that keeps how a message
            ended before until it has ended again.
        timeout_seconds: for one run of the program.
    """

    def __init__(self, name, queue, program, asks, timeout_seconds):
        self._name, self._queue, self._program, self._asks = name, queue, program, asks
        self._timeout_seconds = timeout_seconds
        self._keep_open = ()
        self.gone_is_done = asks is not None and asks.gone_is_done
        self.is_certain = asks is not None
        self.where = asks.where if asks else f"the application {queue['application_name']}"

    def close(self):
        """End the sessions of what asks."""
        if self._asks:
            self._asks.close()

    def keep_open(self, descriptor):
        """Have every program keep a descriptor."""
        self._keep_open = () if descriptor is None else (descriptor,)

    def dead(self, most):
        """The oldest dead messages, at most so many."""
        return self._asks.dead(most) if self._asks else self._asked("dead", most=most)

    def places(self, ids):
        """Where messages are, by id: ``place``, ``mark`` and ``error`` of those that are there."""
        if self._asks:
            return self._asks.places(ids)
        return {one["id"]: one for one in self._asked("places", ids=list(ids))}

    def send_until_seconds(self):
        """Until when the program may still send after a run has begun to, by the clock of this host."""
        return time.time() + _SEND_SECONDS

    def send(self, marks):
        """Have messages sent again whose mark is still that of their copy; the ids of those that are."""
        # By its own clock from its start, and by the one of this host: so it ends even where it was kept waiting or has another.
        return self._asked(
            "send",
            marks=[[one, mark] for one, mark in marks.items()],
            seconds=_SEND_SECONDS - _ENDING_SECONDS,
            until_seconds=time.time() + _SEND_SECONDS - _ENDING_SECONDS,
        )

    def _asked(self, what, **more):
        options = {name: self._queue[name] for name in _OPTIONS if self._queue.get(name) is not None}
        argv = self._queue["application"]
        seconds = max(self._timeout_seconds, _SEND_SECONDS if what == "send" else 0)
        given = with_request(self._program, dict(options, what=what, **more))
        ended = run(argv, seconds, dict(os.environ), given=given, keep_open=self._keep_open, limit_bytes=_ANSWER_BYTES)
        answer = answer_of(ended["stdout"])
        if answer is None or ended["exit_code"] != 0 or "answer" not in answer:
            said = masked(str(answer["error"])) if answer and "error" in answer else _why(argv, ended, seconds)
            raise ApplicationError(
                f"queue {self._name}: the program in its application ({argv[0]}) could not {_WORDS[what]}: {said}"
            )
        return answer["answer"]


_WORDS = {"dead": "list what is dead", "places": "tell where messages are", "send": "send again"}


def with_request(program, request):
    """A program that has its request as data: a text that is written alike in Python and in JavaScript. Pure.

    Args:
        program: its text, in which ``"REQUEST"`` is where the request goes, once.
        request: plain data.
    """
    return program.replace('"REQUEST"', json.dumps(json.dumps(request)), 1).encode()


def _why(argv, ended, seconds):
    """Why a program ended without an answer: an interpreter says more than it does in its last line."""
    errors = [line for line in ended["stderr"].splitlines() if _ERROR.match(line.strip())]
    return masked(errors[-1]) if errors and not ended["error"] else failure(argv, ended, seconds)


def answer_of(printed):
    """The JSON object in the last line that begins as one, or None: a library may print as well. Pure."""
    for line in reversed(printed.splitlines()):
        if line.startswith(('{"answer"', '{"error"')):
            try:
                return json.loads(line)
            except ValueError:
                return None
    return None
