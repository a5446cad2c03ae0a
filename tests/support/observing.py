# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Observers as the action runs them from the controller, with the steps before and after, and servers that answer them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .http_servers import Handler, HttpServer


def observed(module: str, **arguments: Any) -> dict[str, Any]:
    """What a module of an observer, or ``observe``, returns from the controller."""
    from ansible_collections.oncall.runbooks.plugins.action.observe import observed_here
    from ansible_collections.oncall.runbooks.plugins.plugin_utils.finish import Steps

    steps = Steps(module, arguments)
    answer = observed_here(f"oncall.runbooks.{module}", steps.arguments) if steps.arguments is not None else {}
    assert answer is not None, "it looks from the managed host only"
    return steps.finish(answer)


class Answers(HttpServer):
    """Answers by path: bytes, or a triple of status, bytes and headers, or a function of the request.

    Attributes:
        asked: what was asked for: method, path, headers in small letters, body.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        server = self

        class Answering(Handler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                server.asked.append((self.command, self.path, headers, body))
                answer = server.answers.get(self.path.partition("?")[0], (404, b"not here", {}))
                if callable(answer):
                    answer = answer(headers)
                status, data, more = answer if isinstance(answer, tuple) else (200, answer, {})
                try:
                    self.give(data, status, **more)
                except OSError:
                    self.close_connection = True

            do_POST = do_PUT = do_PATCH = do_GET

        super().__init__(Answering)

    @property
    def url(self) -> str:
        return f"http://{self.place}"


@contextmanager
def answering(**answers: Any) -> Iterator[Answers]:
    """A server that answers; ``a__b`` is the path ``/a/b``."""
    server = Answers({"/" + name.replace("__", "/"): answer for name, answer in answers.items()})
    try:
        yield server
    finally:
        server.close()
