# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Chromium, as Debian packages it, with an empty profile; and axe-core in it, which knows WCAG."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.peers import peers
from ansible_collections.oncall.runbooks.tests.support.waiting import until
from lab.compose import engine
from lab.layout import LabError

CHROMIUM = Path("/usr/bin/chromium")
# It asks nobody for anything: neither updates nor accounts.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDE, PHONE = {"width": 1180, "height": 820}, {"width": 360, "height": 740}
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
SECONDS = 60


@contextmanager
def chromium() -> Iterator[Browser]:
    """A running one; a test is left out where Debian's package is not installed, and may not be."""
    _installed()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        try:
            yield browser
        finally:
            browser.close()


def _installed() -> None:
    """Debian's package is there: as root it is installed where it is missing, as Docker is."""
    if CHROMIUM.exists():
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        left_out("there is no Chromium: apt-get install chromium")
    with (engine.cache_folder() / "chromium.lock").open("w") as lock:
        # Tests run beside each other.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not CHROMIUM.exists():
            try:
                engine.apt_install("chromium")
            except LabError as error:
                left_out(f"there is no Chromium, and it cannot be installed: {error}")


@contextmanager
def looking(browser: Browser, base: str, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """A window, and what went wrong in it: whatever a policy forbade, a script threw, or was asked of another host."""
    context: BrowserContext = browser.new_context(base_url=base, **options)
    context.set_default_timeout(SECONDS * 1000)
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(base) else trouble.append(f"asks {request.url}"))
    try:
        yield page, trouble
    finally:
        context.close()


def axe(page: Page) -> list[str]:
    """What is wrong for people who do not see, hear or point as others do, a line each."""
    source = (peers() / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    # As a test tool, past the policy of the page, in a world of its own.
    session = page.context.new_cdp_session(page)
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})["executionContextId"]
    session.send("Runtime.evaluate", {"expression": source, "contextId": world})
    asked = f"axe.run(document, {json.dumps({'runOnly': [*RULES]})}).then((told) => JSON.stringify(told.violations))"
    answer = session.send(
        "Runtime.evaluate", {"expression": asked, "contextId": world, "awaitPromise": True, "returnByValue": True}
    )
    session.detach()
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
        for one in json.loads(answer["result"]["value"])
        for node in one["nodes"]
    ]


def width(page: Page) -> int:
    """How wide the page is, whatever of it is seen."""
    return int(page.evaluate("document.documentElement.scrollWidth"))


@contextmanager
def served(application: Any, port: int) -> Iterator[str]:
    """An application of ASGI on this port; its address."""
    server = uvicorn.Server(uvicorn.Config(application, host="127.0.0.1", port=port, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
