# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is known by a token, and what a file that changes does to that."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from oncall import OncallError
from oncall.serve.intake.tokens import LEAST_LENGTH, Tokens

OLD, NEW = b"old-0123456789abcdef", b"new-0123456789abcdef0"


def knows(tokens, headers):
    """Whether it is somebody's token."""
    return tokens.who(headers) is not None


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "tokens"
    path.touch(mode=0o600)
    path.write_bytes(OLD + b"\n")
    return path


def bearer(token: bytes) -> list[bytes]:
    return [b"Bearer " + token]


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        (bearer(OLD), True),
        ([b"bearer " + OLD], True),
        ([b"BEARER " + OLD], True),
        ([], False),
        ([b""], False),
        ([b"Bearer"], False),
        ([b"Bearer "], False),
        ([OLD], False),
        ([b"Basic " + OLD], False),
        ([b"Bearer" + OLD], False),
        ([b"Bearer\t" + OLD], False),
        ([b"Bearer  " + OLD], False),
        ([b" Bearer " + OLD], False),
        ([b"Bearer " + OLD + b" "], False),
        ([b"Bearer " + OLD + b"\n"], False),
        ([b"Bearer " + OLD + b"," + OLD], False),
        (bearer(OLD[:-1]), False),
        (bearer(OLD + b"f"), False),
        (bearer(OLD.upper()), False),
        (bearer(b"\xff" * 20), False),
        (bearer("tokén-0123456789abcdef".encode()), False),
        (bearer(b"\0" + OLD), False),
        (bearer(OLD * 10_000), False),
        # Of two headers nobody could say which one counts.
        (bearer(OLD) * 2, False),
        ([*bearer(OLD), *bearer(b"x")], False),
        ([*bearer(b"x"), *bearer(OLD)], False),
    ],
)
def test_a_header(file, headers, known):
    assert knows(Tokens(str(file)), headers) is known


def test_any_of_several_and_no_comment(file):
    file.write_bytes(b"# of Alertmanager\n\n" + OLD + b"\r\n   \n  " + NEW + b"  \n #" + NEW + b"x\n")
    tokens = Tokens(str(file))
    assert knows(tokens, bearer(OLD)) and knows(tokens, bearer(NEW))
    assert not knows(tokens, bearer(b"# of Alertmanager")) and not knows(tokens, bearer(b"#" + NEW + b"x"))
    assert not knows(tokens, bearer(b""))


def test_a_token_that_is_not_ascii(file):
    token = "tokén-0123456789abcdef".encode()
    file.write_bytes(token + b"\n")
    assert knows(Tokens(str(file)), bearer(token))


@pytest.mark.parametrize("how", ["in place", "by another file"])
def test_rotated_without_a_restart(file, how):
    tokens = Tokens(str(file))
    for content, known in ((OLD + b"\n" + NEW + b"\n", {OLD, NEW}), (NEW + b"\n", {NEW})):
        if how == "in place":
            file.write_bytes(content)
        else:
            (file.parent / "next").touch(mode=0o600)
            (file.parent / "next").write_bytes(content)
            (file.parent / "next").replace(file)
        assert {token for token in (OLD, NEW) if knows(tokens, bearer(token))} == known


def revoke(file: Path, how: str) -> None:
    if how == "removed":
        file.unlink()
    elif how == "opened to others":
        file.chmod(0o644)
    elif how == "a folder":
        file.unlink()
        file.mkdir()
    elif how == "replaced by one that others may read":
        (file.parent / "next").write_bytes(NEW + b"\n")
        (file.parent / "next").chmod(0o640)
        (file.parent / "next").replace(file)
    else:
        file.write_bytes(how.encode("latin-1"))


REVOKED = [
    "removed", "opened to others", "a folder", "replaced by one that others may read", "", "\n\n", f"# {NEW.decode()}",
    NEW[: LEAST_LENGTH - 1].decode(), f"{OLD.decode()}\n{NEW[:5].decode()}", f"\xff\xfe{NEW.decode()}",
]  # fmt: skip


@pytest.mark.parametrize("how", REVOKED)
def test_what_cannot_be_relied_on_any_more_revokes_every_token(file, how, caplog):
    tokens = Tokens(str(file))
    assert knows(tokens, bearer(OLD)) and tokens.look() == tokens.problem == ""
    revoke(file, how)
    for _ in range(3):
        assert not any(knows(tokens, bearer(token)) for token in (OLD, NEW, NEW[:5], b""))
        assert "\n" not in tokens.look() and tokens.look() == tokens.problem != ""
    # Not with each request.
    (line,) = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert line == f"nobody is known any more: {tokens.problem}" and NEW[:10].decode() not in line
    if file.is_dir():
        file.rmdir()
    file.touch(mode=0o600)
    file.chmod(0o600)
    file.write_bytes(NEW + b"\n")
    assert knows(tokens, bearer(NEW)) and not knows(tokens, bearer(OLD)) and tokens.problem == ""


def test_it_is_said_once_a_minute(file, caplog, monkeypatch):
    tokens = Tokens(str(file))
    file.unlink()
    now = time.monotonic()
    for seconds in range(0, 200, 5):
        monkeypatch.setattr(time, "monotonic", lambda seconds=seconds: now + seconds)
        tokens.look()
    assert caplog.text.count("nobody is known any more") == 4


@pytest.mark.parametrize(
    ("content", "mode", "says"),
    [
        (b"", 0o600, "has no token; make one with: openssl rand -hex 32"),
        (b"# nothing\n\n", 0o600, "has no token"),
        (b"short\n", 0o600, "token 1 of .* has fewer than 16 characters"),
        (OLD + b"\n" + NEW[: LEAST_LENGTH - 1], 0o600, "token 2 of .* has fewer than 16 characters"),
        (OLD, 0o604, "others can read the tokens_file .*: chmod 600"),
        (OLD, 0o640, "others can read"),
        (OLD, 0o620, "others can read"),
        (b"\xff" * 20, 0o600, "cannot read the tokens_file .*: no text"),
        (None, 0o600, "cannot read the tokens_file .*: No such file or directory"),
    ],
)
def test_no_service_without_a_token(file, content, mode, says):
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
        file.chmod(mode)
    with pytest.raises(OncallError, match=says) as raised:
        Tokens(str(file))
    assert "\n" not in str(raised.value) and "short" not in str(raised.value)
