# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers of SMTP, on loopback, that take messages or refuse in a way that a test wants."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from lab.ports import free_port


class MailServer:
    """A server of SMTP that runs until it is closed.

    Args:
        says: for a command of the protocol (``AUTH``, ``MAIL``, ``DATA``) a line to refuse it with.
        login: user and password that it wants.
        certificate: key and certificate for STARTTLS; without it, none is offered.
        tls_first: it speaks TLS from the first byte.

    Attributes:
        holds: whether messages wait for their answer; ``held`` of them do.
        taken: the messages, each with ``sender``, ``recipients`` and ``content``.
        commands: every command that was given, in capitals, without its arguments.
    """

    def __init__(
        self,
        says: Mapping[str, str] | None = None,
        login: tuple[str, str] | None = None,
        certificate: Path | None = None,
        tls_first: bool = False,
        port: int = 0,
    ) -> None:
        self.says, self.login = dict(says or {}), login
        self.taken: list[dict[str, Any]] = []
        self.holds, self.held = False, 0
        self.commands: list[str] = []
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
        self.port = port or free_port()
        server, first = self, context if tls_first else None

        class Counting(SMTP):
            async def smtp_MAIL(self, arg: str) -> None:
                server.commands.append("MAIL")
                if "MAIL" in server.says:
                    await self.push(server.says["MAIL"])
                    return
                await super().smtp_MAIL(arg)

            async def smtp_RCPT(self, arg: str) -> None:
                server.commands.append("RCPT")
                await super().smtp_RCPT(arg)

            async def smtp_RSET(self, arg: str) -> None:
                server.commands.append("RSET")
                await super().smtp_RSET(arg)

        class Serving(Controller):
            def factory(self) -> SMTP:
                with warnings.catch_warnings():
                    # That a password is asked for without TLS, which some tests want.
                    warnings.simplefilter("ignore", UserWarning)
                    return self._made()

            def _made(self) -> SMTP:
                return Counting(
                    server,
                    hostname="mail.test",
                    tls_context=None if first else context,
                    require_starttls=False,
                    authenticator=server._checked if server.login else None,
                    auth_required=server.login is not None,
                    auth_require_tls=context is not None and not first,
                )

        self._controller = Serving(self, hostname="127.0.0.1", port=self.port, ssl_context=first)
        self._controller.start()

    def _checked(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        self.commands.append("AUTH")
        if "AUTH" in self.says:
            return AuthResult(success=False, handled=False, message=self.says["AUTH"])
        good = isinstance(given, LoginPassword) and (given.login.decode(), given.password.decode()) == self.login
        return AuthResult(
            success=good, handled=False, message=None if good else "535 5.7.8 Authentication credentials invalid"
        )

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.held += 1
        try:
            while self.holds:
                await asyncio.sleep(0.02)
        finally:
            self.held -= 1
        if "DATA" in self.says:
            return self.says["DATA"]
        self.taken.append(
            {"sender": envelope.mail_from, "recipients": envelope.rcpt_tos, "content": envelope.content.decode()}
        )
        return "250 taken"

    def reach(self, **more: Any) -> dict[str, Any]:
        """What an inventory says of it, without a name."""
        login = {"user": self.login[0], "password": self.login[1]} if self.login else {}
        return {"kind": "smtp", "host": "127.0.0.1", "port": self.port, "tls": "none", **login, **more}

    def close(self) -> None:
        self._controller.stop()

    def __enter__(self) -> MailServer:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
