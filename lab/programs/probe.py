# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health check of a container: whether /health answers 200. Imports little, because it runs every 2 seconds."""

import os
import socket

with socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), timeout=2) as connection:
    connection.sendall(b"GET /health HTTP/1.0\r\n\r\n")
    answer = connection.recv(1000)
if answer.split()[1:2] != [b"200"]:
    raise SystemExit(f"/health answers {answer[:100]!r}")
