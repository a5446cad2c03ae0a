# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver and what sorts after it, under requests that nobody thought of: never an error, never another host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.tests.support.serving import TOKEN, alert, notification
from ansible_collections.oncall.runbooks.tests.support.stores import new_store
from oncall.inventory import Names
from oncall.serve.intake.alerts import Kept
from oncall.serve.intake.group_commit import GroupCommit
from oncall.serve.intake.routing import sort
from oncall.serve.intake.tokens import Tokens
from oncall.serve.intake.web import Web
from oncall.serve.settings import parse

SETTINGS = parse(
    "inventories: [a]\nstate_directory: b\nrunbooks: {cache: {mode: auto, alerts: [RedisDown]}, db_pool: {}}\n",
    Path("/serve.yml"),
)
HOSTS = frozenset({"h000", "h001", "2001:db8::7", "web", "odd:1"})
KNOWN = Names(HOSTS, frozenset({"all", "ungrouped", "web"}), {"all": HOSTS, "web": frozenset({"h000"})})
# Ansible would take the others for more than one host.
EXACT = {"h000", "h001", "2001:db8::7"}
OPEN = ("/healthz", "/readyz")
ANSWERS = {200, 202, 307, 400, 401, 404, 405, 413, 415}
FUZZ = settings(
    max_examples=300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


JSON = (b"content-type", b"application/json")


async def not_crowded() -> str:
    return ""


class Receiver:
    """The application, without a server around it; the journal keeps in a list, the database is real."""

    def __init__(self, folder: Path) -> None:
        (folder / "tokens").touch(mode=0o600)
        (folder / "tokens").write_text(f"{TOKEN}\n")
        self.kept: list[bytes] = []
        self.read = 0
        self.store = new_store(folder / "state")
        self._journal = GroupCommit(self.kept.extend, lambda: None)
        self._app = Web(
            self._journal,
            Tokens(str(folder / "tokens")),
            not_crowded,
            lambda: b"x 1\n",
            lambda: "",
            lambda word: None,
            lambda left_out: None,
        )
        self._runner = asyncio.Runner()

    def ask(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], parts: list[bytes], whole: bool = True
    ) -> int:
        """The status of the one answer."""
        return self._runner.run(asyncio.wait_for(self._ask(method, path, headers, parts, whole), 20))

    async def _ask(
        self, method: str, path: str, headers: list[tuple[bytes, bytes]], parts: list[bytes], whole: bool
    ) -> int:
        said: list[dict[str, Any]] = []
        left = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        left.append({"type": "http.request", "body": b"", "more_body": False} if whole else {"type": "http.disconnect"})
        self.read = 0

        async def receive() -> dict[str, Any]:
            self.read += 1
            return left.pop(0) if left else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            said.append(message)

        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "scheme": "http", "method": method,
            "path": path, "raw_path": path.encode("utf-8", "replace"), "root_path": "", "query_string": b"",
            "headers": [(b"host", b"oncall"), *headers],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 9095), "state": {},
        }  # fmt: skip
        await self._app(scope, receive, send)
        if not said:
            # Nobody is there any more.
            assert not whole
            return 400
        assert [message["type"] for message in said] == ["http.response.start", "http.response.body"]
        for name, value in said[0]["headers"]:
            assert not {*b"\r\n\0"} & {*name, *value}
        return int(said[0]["status"])

    def close(self) -> None:
        self._runner.close()
        self._journal.close()
        self.store.close()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path_factory.mktemp("fuzz"))
    yield receiver
    receiver.close()


def sorted_into_the_database(receiver: Receiver) -> None:
    """What was kept goes on its way as in the service; it leads to runs on exact hosts and nowhere else."""
    for number, body in enumerate(receiver.kept):
        kept = msgspec.json.decode(body, type=Kept)
        found = sort(kept.each(), kept.bad, SETTINGS, KNOWN, float(number))
        assert {row["host"] for row in found.firing} <= EXACT
        assert {row["runbook"] for row in found.firing} <= set(SETTINGS.runbooks)
        assert all(row["reason"].isprintable() for row in found.aside)
        for row in found.firing:
            named = json.loads(row["alert"])["labels"]["instance"]
            assert named in (row["host"], f"[{row['host']}]") or named.startswith(
                (f"{row['host']}:", f"[{row['host']}]:")
            )
        receiver.store.sort([], found.firing, found.resolved, found.aside, found.seen)
        event("firing" if found.firing else "aside" if found.aside else "nothing")
    receiver.kept.clear()


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "h000",
            "h001:6379",
            "[2001:db8::7]:1",
            "web",
            "all",
            "odd:1",
            "h00*",
            "!h000",
            "cache",
            "db_pool",
            "RedisDown",
            "firing",
        ]
    ),
    st.sampled_from(
        [
            "2026-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59.999999999-23:59",
            "ab12",
            "\0",
            "\u202e",
            "{{ 1 }}",
        ]
    ),
    st.builds(str.__add__, st.sampled_from(["h000", "h001:", "[", "2026-01-01T00:00:00"]), st.text(max_size=5)),
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)
LABELS = st.dictionaries(
    st.sampled_from(["instance", "runbook", "alertname", "ansible_host", "meta"]) | TEXTS, TEXTS, max_size=5
)


@st.composite
def alerts(draw: Any) -> Any:
    """A good one, in which anything may be changed."""
    told = alert(draw(st.sampled_from(["h000", "h001:6379", "[2001:db8::7]:1"])), draw(st.integers(0, 50)))
    told["labels"].update(draw(LABELS))
    told["status"] = draw(st.sampled_from(["firing", "firing", "resolved"]))
    for name in draw(st.lists(st.sampled_from([*told]), max_size=2)):
        told[name] = draw(VALUES)
    return draw(st.sampled_from([told] * 9 + [draw(VALUES)]))


@st.composite
def bodies(draw: Any) -> bytes:
    """A notification, in which bytes may be changed; or anything."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200) | VALUES.map(json.dumps).map(str.encode))
    body = json.dumps(
        {"version": "4", "alerts": draw(st.lists(alerts(), max_size=4))}, ensure_ascii=draw(st.booleans())
    ).encode("utf-8", "surrogatepass")
    if draw(st.integers(0, 3)) == 0:
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 3)) :]
    return body


@FUZZ
@given(bodies(), st.lists(st.integers(0, 500), max_size=3))
def test_any_notification(receiver, body, cuts):
    marks = [0, *sorted(cuts), len(body)]
    parts = [body[begin:end] for begin, end in zip(marks, marks[1:], strict=False)]
    status = receiver.ask("POST", "/alerts", [(b"authorization", f"Bearer {TOKEN}".encode()), JSON], parts)
    event(str(status))
    assert status in (202, 400)
    assert status == 202 or receiver.kept == []
    sorted_into_the_database(receiver)


HEADER_NAMES = [
    "authorization",
    "content-length",
    "content-encoding",
    "content-type",
    "transfer-encoding",
    "host",
    "expect",
    "x-forwarded-for",
]
HEADERS = st.lists(
    st.tuples(
        st.sampled_from([name.encode() for name in HEADER_NAMES]) | st.binary(min_size=1, max_size=10).map(bytes.lower),
        st.sampled_from([f"Bearer {TOKEN}".encode(), f"Bearer  {TOKEN}".encode(), b"5", b"9" * 5000, b"\xb2", b"gzip", b"identity", b""]) | st.binary(max_size=30),
    ),
    max_size=5,
)  # fmt: skip


@FUZZ
@given(
    st.sampled_from(["POST"] * 12 + ["GET", "PUT", "HEAD", "OPTIONS", "post", "\x00"]),
    st.sampled_from(["/alerts"] * 12 + ["/alerts/", "/metrics", "/healthz", "/readyz", "/"]).flatmap(
        lambda path: st.just(path) if path != "/" else st.text(max_size=20).map("/{}".format)
    ),
    HEADERS,
    st.sampled_from([True, True, False]),
    st.lists(st.binary(max_size=50) | st.just(notification([alert()])), max_size=3),
    st.sampled_from([True, True, False]),
)
@example("POST", "/alerts", [(b"content-length", b"9" * 5000)], True, [b"{}"], True)
@example("POST", "/alerts", [(b"content-encoding", b"identity"), (b"content-encoding", b"gzip")], True, [b"{}"], True)
@example("POST", "/alerts", [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")], False, [b"{}"], True)
@example("POST", "/alerts/", [(b"host", b"\xff\r\nX: y")], True, [], True)
def test_any_request(receiver, method, path, headers, known, parts, whole):
    if known:
        headers = [
            (b"authorization", f"Bearer {TOKEN}".encode()),
            *([] if any(name == b"content-type" for name, _ in headers) else [JSON]),
            *(one for one in headers if one[0] != b"authorization"),
        ]
    status = receiver.ask(method, path, headers, parts, whole)
    event(str(status))
    assert status in ANSWERS
    given_tokens = [value for name, value in headers if name == b"authorization"]
    names = [name for name, _ in headers]
    encoding = [value for name, value in headers if name == b"transfer-encoding"]
    if b"host" in names or (encoding and (b"content-length" in names or encoding != [b"chunked"])):
        assert (status, receiver.read, receiver.kept) == (400, 0, [])
    elif given_tokens != [f"Bearer {TOKEN}".encode()] and path not in OPEN:
        assert (status, receiver.read, receiver.kept) == (401, 0, [])
    if status != 202:
        assert receiver.kept == []
    sorted_into_the_database(receiver)
