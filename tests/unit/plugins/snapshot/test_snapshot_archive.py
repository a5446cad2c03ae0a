# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an archive is made of, its names and bounds, its pages, and how it comes onto the disk."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.plugins.module_utils.text.masking import MASK
from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots import archive, html, pages
from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.asked import Asked, asked_of, chosen
from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.assembled import (
    Kept,
    assembled,
    bounded,
    level,
    manifest,
)
from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.names import file_name, stamp_of, stem
from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.secrets import (
    Redaction,
    known_secrets,
    shown_settings,
)
from ansible_collections.oncall.runbooks.plugins.plugin_utils.snapshots.words import (
    bytes_in_words,
    in_words,
    label,
    seconds_in_words,
)
from ansible_collections.oncall.runbooks.tests.support.html_pages import contrast, of_itself

EVIL = "<script>alert('x')</script>\"&amp;<img src=x onerror=y> {{ 7 * 7 }} \u202e"
MB = 1024 * 1024


def about(**more: Any) -> dict[str, Any]:
    return {
        "schema": 1, "host": "shop", "system": "shop", "stem": "shop-20261130T120000.000000Z", "at_seconds": 1796040000.0,
        "seconds": 3.2, "parts": ["services", "logs"], "had": ["services"], "max_bytes": MB, "reachable": True,
        "versions": {"oncall.runbooks": "0.2.0"}, **more,
    }  # fmt: skip


def asked(part: str = "services", name: str = "states", look: str = "service", **more: Any) -> Asked:
    return Asked(part, name, f"what {name} is", look, **more)


def a_log(
    text: str = "a line\n", name: str = "api", source: str = "/var/log/api.log", of_bytes: int | None = None
) -> dict[str, Any]:
    size = len(text.encode())
    return {
        "name": name,
        "source": source,
        "text": text,
        "of_bytes": size if of_bytes is None else of_bytes,
        "kept_bytes": size,
        "binary_lines": 0,
    }


def of(answers: dict[str, Any], *looks: Asked, secrets: tuple[str, ...] = (), max_bytes: int = 16 * MB) -> Kept:
    return assembled(looks or [asked()], answers, Redaction(secrets), max_bytes)


# ------------------------------------------------------------------ names
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("api", "api"),
        ("größe-日本", "größe-日本"),
        ("../x", r"_x-[0-9a-f]{6}"),
        ("..", r"_-[0-9a-f]{6}"),
        ("", r"_-[0-9a-f]{6}"),
        ("-rf", r"rf-[0-9a-f]{6}"),
        ("a/b", r"a_b-[0-9a-f]{6}"),
        ("a\\b\0c\n", r"a_b_c_-[0-9a-f]{6}"),
        ("group:api_00", r"group_api_00-[0-9a-f]{6}"),
        ("x" * 300, r"x{100}-[0-9a-f]{6}"),
    ],
)
def test_names_of_files(name, file):
    assert re.fullmatch(file, file_name(name))


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_name_leads_out_of_its_folder_and_no_two_are_one(one, other):
    name = file_name(one)
    assert "/" not in name and "\0" not in name and not name.startswith((".", "-")) and name
    assert len(name.encode()) <= 110
    assert name != file_name(other) or one == other


def test_an_archive_is_called_by_host_and_time():
    assert stem("shop.example", 1796040000.25) == "shop.example-20261130T120000.250000Z"
    assert stamp_of(stem("a/b", 1796040000.25)) == "20261130T120000.250000"
    assert stamp_of("notes") == ""


# ------------------------------------------------------------------ secrets of the inventory
INVENTORY = {
    "inventory_hostname": "shop",
    "ansible_password": "planted-ssh-4711",
    "vault_oncall_password": "planted-vault-4712",
    "system_database": {"host": "db.example", "name": "shop", "user": "shopuser1", "password": "planted/db@4713"},
    "system_redis": {"password": "shopuser1"},
    "system_prometheus": {"url": "https://reader:planted-url-4714@prom.example"},
    "system_apis": {"auth": {"url": "https://api.example/auth-state", "auth": {"bearer": "planted-bearer-4715"},
                             "headers": {"X-Anything": "planted-header-4716"}}},
    "system_services": {"auth": {"manager": "systemd", "name": "auth-server.service"}, "token": {"manager": "docker", "name": "token-cache"}},
    "system_queues": {"jobs": {"engine": "inngest", "signing_key": "planted-sign-4717", "url": "http://jobs.example"}},
    "system_auth": {"login": {"url": "https://api.example/login", "body": {"wer": "planted-canary-4719", "pin": "planted-pin-4720"}}},
    "system_auth_of_a_form": {"login": {"url": "https://api.example/login", "body": "wer=canary&kennwort=planted-form-4721"}},
    "system_payment_webhook": {"secrets": ["planted-whsec-4718"], "api_key": "short"},
}  # fmt: skip


def test_the_secrets_of_an_inventory_are_known_by_their_values():
    found = known_secrets(INVENTORY)
    planted = set(re.findall(r"planted[-/@\w]*\d{4}", json.dumps(INVENTORY)))
    assert planted <= set(found)
    assert "planted%2Fdb%404713" in found, "as it stands in a URL"
    assert "shopuser1" not in found, "it is the name of a user as well, and everywhere"
    assert "short" not in found
    assert "https://api.example/login" not in found
    assert not {"auth-server.service", "token-cache", "https://api.example/auth-state"} & set(found)


def test_settings_are_shown_without_them():
    shown = shown_settings(INVENTORY)
    text = json.dumps(shown)
    assert "planted-url" in text, "URLs are masked with all other text"
    assert re.findall(r"planted(?!-url)", text) == []
    assert shown["system_services"] == INVENTORY["system_services"]
    assert shown["system_auth"]["login"] == {"url": "https://api.example/login", "body": MASK}
    assert shown["system_apis"]["auth"]["auth"] == shown["system_apis"]["auth"]["headers"] == MASK
    assert "planted" not in json.dumps(Redaction(()).data(shown))


def test_data_is_looked_through_as_deep_as_it_goes():
    redaction = Redaction(("planted-known-4711",))
    shown = redaction.data(
        {
            "a": [{"password": "planted4712value", "token": 4713, "password_file": "/run/x", "ok": True}],
            "line": "dsn postgres://u:planted4714value@db/x and planted-known-4711",
            "planted-known-4711": 1,
            "statement": "INSERT INTO t VALUES ('planted4715value')",
            "number": 3,
            "nothing": None,
        }
    )
    assert "planted" not in json.dumps(shown)
    assert shown["a"][0] == {"password": MASK, "token": MASK, "password_file": "/run/x", "ok": True}
    assert (shown["number"], shown["nothing"]) == (3, None)
    assert redaction.data({"q": "UPDATE t SET x = 'a'"}, with_literals=True) == {"q": "UPDATE t SET x = 'a'"}


# ------------------------------------------------------------------ what is asked for
TABLE: dict[str, Any] = {
    "services": {"title": "Services", "looks": {"states": {"about": "states", "variable": "system_services", "look": "service",
                                                          "parameters": {"services": "{{ system_services }}"}}}},
    "logs": {"title": "Logs", "looks": {"logs": {"about": "logs", "look": "logs", "parameters": {}}}},
    "payments": {"title": "Payments", "looks": {"webhook": {"about": "webhook", "why_not": "it would be sent events"}}},
    "apis": {"title": "APIs", "looks": {"apis": {"about": "apis", "look": "api", "parameters": {"apis": {"x": {"url": 3}}}}}},
}  # fmt: skip


def asked_for(parts: list[str], variables: dict[str, Any]) -> dict[str, Asked]:
    def template(value: Any) -> Any:
        if value == {"services": "{{ system_services }}"}:
            if variables.get("system_services") == "broken":
                raise ValueError("'lab' is undefined, password=planted4711value")
            return {"services": variables["system_services"]}
        return value

    return {one.key: one for one in asked_of(TABLE, chosen(TABLE, parts), variables.get, template, 16 * MB)}


def test_parts_are_chosen_by_name():
    assert chosen(TABLE, []) == ["services", "logs", "payments", "apis"]
    assert chosen(TABLE, ["logs", "services"]) == ["services", "logs"]
    with pytest.raises(
        ValueError, match="snapshot_parts has no part servces; did you mean services\\? there are services, logs"
    ):
        chosen(TABLE, ["servces"])


def test_each_look_has_its_parameters_or_its_reason():
    found = asked_for([], {"system_services": {"api": {"manager": "command", "commands": {}}}})
    assert found["services.states"].parameters == {"services": {"api": {"manager": "command", "commands": {}}}}
    assert (found["services.states"].why_not, found["services.states"].needs_host) == ("", False)
    assert found["logs.logs"].parameters["max_bytes"] == 6 * MB
    assert found["logs.logs"].needs_host
    assert (found["payments.webhook"].why_not, found["payments.webhook"].applies) == ("it would be sent events", False)
    assert found["apis.apis"].why_not.startswith("what the inventory says of it cannot be used: ")


def test_what_the_inventory_has_not_is_told_apart_from_what_it_has_wrong():
    absent = asked_for(["services"], {})["services.states"]
    assert (absent.why_not, absent.applies) == (
        "system_services is not set: the inventory has nothing of this kind",
        False,
    )
    broken = asked_for(["services"], {"system_services": "broken"})["services.states"]
    assert broken.applies and "'lab' is undefined" in broken.why_not and "planted" not in broken.why_not
    wrong = asked_for(["services"], {"system_services": ["no dictionary"]})["services.states"]
    assert wrong.applies and wrong.why_not.startswith("system_services cannot be used: ")


# ------------------------------------------------------------------ what is kept
def test_nothing_is_silently_missing():
    looks = [
        asked(),
        asked("services", "environment", "environment"),
        asked("queues", "queues", "queue"),
        asked("redis", "server", "redis", applies=False, why_not="no Redis"),
    ]
    kept = of(
        {
            "services.states": {"available": True, "services": {"api": {"available": True}, "db": {"available": False, "reason": "service db: gone"}}},
            "services.environment": {"available": False, "reason": "nobody may look"},
            "redis.server": {"available": False, "reason": "no Redis"},
        },
        *looks,
    )  # fmt: skip
    assert [(one["part"], one["look"], one["reason"]) for one in kept.missing] == [
        ("services", "states", "db: service db: gone"),
        ("services", "environment", "nobody may look"),
        ("queues", "queues", "nothing was told"),
    ]
    assert [one["reason"] for one in kept.absent] == ["no Redis"]
    assert kept.had == []
    assert list(kept.files) == ["services/states.json"]


def test_a_thing_whose_reason_is_a_limit_as_well_is_told_once():
    answer = {
        "available": True,
        "queues": {"mail": {"available": False, "reason": "down"}},
        "limits": ["queue mail is not seen: down"],
    }
    kept = of({"queues.queues": answer}, asked("queues", "queues", "queue"))
    assert [one["reason"] for one in kept.missing] == ["queue mail is not seen: down"]


def test_two_logs_are_never_one_file():
    files = [
        a_log("1\n", "api", "/a"),
        a_log("2\n", "api", "/b"),
        a_log("3\n", "../api", "/c"),
        a_log("4\n", "_api", "/d"),
        a_log("1\n", "api", "/a"),
    ]
    kept = of({"logs.logs": {"available": True, "files": files}}, asked("logs", "logs", "logs"))
    assert sorted(content for content in kept.files.values()) == [b"1\n", b"2\n", b"3\n", b"4\n"]


def test_a_text_has_its_own_size_and_what_was_cut():
    files = [
        a_log("end\n", "api", of_bytes=10_000_000_000),
        a_log("all\n", "db", "/db"),
        dict(a_log("some\n", "web", "/web"), of_bytes=None),
    ]
    kept = of({"logs.logs": {"available": True, "files": files}}, asked("logs", "logs", "logs"))
    assert [(one["file"], one["kept_bytes"], one["of_bytes"]) for one in kept.cut] == [
        ("logs/api.log", 4, 10_000_000_000),
        ("logs/web.log", 5, None),
    ]


@given(st.lists(st.integers(0, 5000), max_size=40), st.integers(0, 20000))
def test_who_is_short_keeps_all_and_the_others_share_what_is_left(sizes, budget):
    share = level(sizes, budget)
    kept = [min(size, share) for size in sizes]
    assert sum(kept) <= budget + 1e-6
    assert sum(sizes) > budget or kept == sizes
    if sum(sizes) > budget:
        assert sum(kept) == pytest.approx(budget)


def test_an_archive_keeps_its_bounds():
    line = "a line of a log which is not short at all, and there are many of them\n"
    logs = [a_log(line * 8000, f"service-{number}", f"/{number}") for number in range(6)]
    big = {
        "available": True,
        "services": {f"s{number}": {"available": True, "text": "x" * 3000} for number in range(400)},
    }
    small = {"available": True, "name": "shop"}
    looks = [asked("logs", "logs", "logs"), asked(), asked("database", "size", "postgres_size")]
    kept = of(
        {"logs.logs": {"available": True, "files": logs}, "services.states": big, "database.size": small},
        *looks,
        max_bytes=2 * MB,
    )
    page = bounded(
        lambda most: pages.index(about(), kept, {"logs": "Logs", "services": "S", "database": "D"}, most, True), MB // 4
    )
    everything = {"index.html": page, "manifest.json": manifest(about(), kept, page), **kept.files}
    assert sum(map(len, everything.values())) <= 2 * MB
    assert "database/size.json" in kept.files and "services/states.json" not in kept.files
    (lost,) = kept.missing
    assert "raise snapshot_max_bytes" in lost["reason"]
    assert len(kept.cut) == 6
    assert all(text.text.endswith(line) for text in kept.texts), "of a log the end is kept, and whole lines"


def test_the_manifest_has_the_sum_of_each_file():
    kept = of({"logs.logs": {"available": True, "files": [a_log(of_bytes=99)]}}, asked("logs", "logs", "logs"))
    told = json.loads(manifest(about(), kept, b"page"))
    assert {one["path"]: one["sha256"] for one in told["files"]} == {
        "index.html": hashlib.sha256(b"page").hexdigest(),
        "logs/api.log": hashlib.sha256(b"a line\n").hexdigest(),
    }
    (log,) = (one for one in told["files"] if one["path"] == "logs/api.log")
    assert (log["bytes"], log["kept_bytes"], log["of_bytes"], log["source"]) == (7, 7, 99, "/var/log/api.log")


# ------------------------------------------------------------------ pages
def a_page(linked: bool = False, most: int = 100, text: str = "a line\n", **things: Any) -> tuple[bytes, Kept]:
    answers = {
        "services.states": {"available": True, "services": things or {"api": {"available": True, "state": "running"}}},
        "logs.logs": {
            "available": True,
            "files": [a_log(text, of_bytes=10_000_000_000)],
            "limits": [f"no log: {EVIL}"],
        },
    }
    kept = of(answers, asked(), asked("logs", "logs", "logs"))
    return pages.index(about(host=EVIL), kept, {"services": "Services", "logs": EVIL}, most, linked), kept


@pytest.mark.parametrize("linked", [True, False])
def test_the_index_needs_nothing_and_what_comes_from_outside_is_text(linked):
    content, _kept = a_page(
        linked, text=f"{EVIL}\n" * 3, **{EVIL: {"available": True, "state": EVIL, EVIL: EVIL, "deep": {EVIL: [EVIL]}}}
    )
    page = of_itself(content)
    assert page.words.count("<script>alert('x')</script>") >= 8
    assert b"<script" not in content and b"onerror=y>" not in content
    assert ("logs/api.log" in page.links) is linked


def test_the_index_says_what_is_there_what_not_and_what_was_cut():
    content, _kept = a_page()
    words = " ".join(of_itself(content).words.split())
    assert "Tried, and not there (1)" in words
    assert "cut: the last 7 B of 10 GB" in words
    assert "2026-11-30 12:00:00 UTC" in words
    assert "shop-20261130T120000.000000Z.tar.gz" in words


def test_a_thousand_services_in_the_index():
    services = {
        f"dienst-{number}-ü": {"available": True, "state": "running", "rss_bytes": 5_000_000} for number in range(1000)
    }
    content, kept = a_page(most=400, **services)
    page = of_itself(content)
    assert any("400 of 1000; the file has all" in caption for caption in page.captions)
    assert "dienst-399-ü" in page.words and "dienst-400-ü" not in page.words
    assert len(json.loads(kept.files["services/states.json"])["services"]) == 1000
    assert len(bounded(lambda most: a_page(most=most, **services)[0], 30_000)) <= 30_000


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4), max_leaves=30))  # fmt: skip
def test_whatever_an_observer_tells_can_be_shown(value):
    kept = of(
        {"services.states": {"available": True, "told": value, "services": value if isinstance(value, dict) else {}}}
    )
    of_itself(pages.index(about(), kept, {"services": "Services"}, 50, True))
    json.loads(manifest(about(), kept, b""))


@pytest.mark.parametrize("theme", [html.LIGHT, html.DARK], ids=["light", "dark"])
def test_contrast(theme):
    for ground in ("ground", "raised"):
        for text in ("text", "quiet", "link", "bad"):
            assert contrast(theme[text], theme[ground]) >= 4.5, f"{text} on {ground}"
        assert contrast(theme["line"], theme[ground]) >= 3, "what is not text, but has to be seen"
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


def test_both_themes_and_narrow_screens_are_in_the_style():
    content, _kept = a_page()
    style = re.search(r"<style>(.*?)</style>", content.decode(), re.S)[1]
    assert "prefers-color-scheme: dark" in style and all(
        colour in style for colour in (*html.LIGHT.values(), *html.DARK.values())
    )
    assert "max-width: 40rem" in style and "overflow-x: auto" in style and "overflow-wrap: anywhere" in style


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rss_bytes", 512, "512 B"),
        ("bytes", 10_000_000_000, "10 GB"),
        ("bytes", 999_900, "1000 kB"),
        ("uptime_seconds", 90061, "1 d 1 h"),
        ("seconds", 0.012, "12 ms"),
        ("seconds", 119.7, "2 min"),
        ("lag_seconds", -61, "-1 min 1 s"),
        ("started_at_seconds", 1796040000, "2026-11-30 12:00:00 UTC"),
        ("now_seconds", 1796040000, "2026-11-30 12:00:00 UTC"),
        ("at_seconds", 1e300, "1e+300"),
        ("used_ratio", 0.873, "87.3 %"),
        ("rows", 1234567, "1,234,567"),
        ("pid", 1234567, "1234567"),
        ("x", float("nan"), "nan"),
        ("x", None, "not known"),
        ("x", True, "yes"),
        ("x", [], "none"),
    ],
)
def test_figures_in_words(name, value, words):
    assert in_words(name, value) == words


def test_labels_and_sizes():
    assert [label(one) for one in ("rss_bytes", "started_at_seconds", "used_ratio", "used_bytes", "bytes")] == [
        "rss",
        "started at",
        "used share",
        "used",
        "bytes",
    ]
    assert [bytes_in_words(one) for one in (0, 1500, 123456, 5e15)] == ["0 B", "1.5 kB", "123 kB", "5000 TB"]
    assert seconds_in_words(59.999) == "60 s"


# ------------------------------------------------------------------ on the disk
def test_an_archive_is_for_its_owner_and_whole(tmp_path):
    folder = tmp_path / "new" / "snapshots"
    archive.prepare(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    path = folder / "shop-20261130T120000.000000Z.tar.gz"
    content = archive.packed("shop-x", {"manifest.json": b'{"a": 1}', "logs/größe.log": b"x\n"}, 1796040000)
    before = os.umask(0)
    try:
        archive.keep(path, content)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in folder.iterdir()] == [path.name]
    with tarfile.open(path) as members:
        assert [(one.name, one.mode, one.size) for one in members] == [
            ("shop-x/manifest.json", 0o600, 8),
            ("shop-x/logs/größe.log", 0o600, 2),
        ]
    assert archive.manifest_of(path) == {"a": 1}


def test_a_folder_that_cannot_be_had_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(archive.NoArchive, match="set snapshot_directory to a folder"):
        archive.prepare(tmp_path / "file" / "below")


def test_what_a_killed_snapshot_left_is_taken_away_a_day_later(tmp_path):
    for name, age in ((".tmpabc.new", 90_000), (".tmpdef.new", 60), ("mine.new", 90_000)):
        (tmp_path / name).write_text("half")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    archive.prepare(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".tmpdef.new", "mine.new"]


def put(folder: Path, file: str, second: int, **more: Any) -> None:
    name = f"{file}-20261130T1200{second:02d}.000000Z"
    listing = {
        "host": file,
        "at_seconds": 1796040000 + second,
        "parts": ["a", "b"],
        "had": ["a"],
        "missing": [{"reason": "gone"}],
        **more,
    }
    (folder / f"{name}.tar.gz").write_bytes(
        archive.packed(name, {"manifest.json": json.dumps(listing).encode()}, 1796040000)
    )


def test_the_overview_has_every_archive_the_newest_first_and_the_broken_ones(tmp_path):
    put(tmp_path, "a", 1)
    put(tmp_path, "b", 3, host=EVIL)
    put(tmp_path, "c", 2, missing=[])
    (tmp_path / "d-20261130T120004.000000Z.tar.gz").write_bytes(b"no archive")
    (tmp_path / "e-20261130T120005.000000Z.tar.gz").write_bytes(
        (tmp_path / "a-20261130T120001.000000Z.tar.gz").read_bytes()[:40]
    )
    put(tmp_path, "f", 6, missing="no list", had=None)
    (tmp_path / "other.tar.gz").write_bytes(b"somebody else's")
    listed = archive.listed(tmp_path)
    assert [one["archive"][0] for one in listed] == ["f", "e", "d", "b", "c", "a"]
    page = of_itself(pages.overview(listed, 1796040000, 200))
    assert [row[0] for row in page.rows[1:]] == [one["archive"] for one in listed[:3]] + [EVIL, "c", "a"]
    assert "c-20261130T120002.000000Z.html" in page.links
    assert "1: gone" in page.words
    assert of_itself(pages.overview([], 1796040000, 200)).rows == []


def test_one_writes_the_overview_after_the_other(tmp_path):
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with archive.alone(tmp_path):
            inside.set()
            go_on.wait(20)
            order.append("first")

    def second() -> None:
        with archive.alone(tmp_path):
            order.append("second")

    threads = [threading.Thread(target=first)]
    threads[0].start()
    inside.wait(20)
    threads.append(threading.Thread(target=second))
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert order == ["first", "second"]


def test_who_holds_the_lock_for_long_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_LOCK_SECONDS", 0.2)
    with archive.alone(tmp_path), pytest.raises(archive.NoArchive, match="another snapshot has held"), archive.alone(
        tmp_path
    ):
        pass


def test_a_manifest_that_is_none_is_told(tmp_path):
    path = tmp_path / "x-20261130T120000.000000Z.tar.gz"
    for files in ({"other": b"{}"}, {"manifest.json": b"no JSON"}, {"manifest.json": b"[]"}, {}):
        path.write_bytes(archive.packed("x", files, 0))
        with pytest.raises(ValueError, match=r"manifest|no whole archive"):
            archive.manifest_of(path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as members:
        members.addfile(tarfile.TarInfo("x/manifest.json"))
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="no whole archive"):
        archive.manifest_of(path)
