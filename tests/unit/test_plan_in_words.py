"""A plan in words, as a person reads it at a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.oncall.runbooks.plugins.plugin_utils.plan_in_words import described, targets_in_words

SIZE = {"service": "api", "variable": "PG_POOL_MAX", "url_parameter": "", "from": 25, "to": 35}
WORDS = [
    ([{"service": "api"}], "api"),
    ([{"service": "api"}, {"service": "worker"}], "api and worker"),
    ([{"service": "web", "members": ["web:web_01"]}], "web:web_01 of web"),
    ([SIZE], "api: PG_POOL_MAX 25 -> 35"),
    (
        [{"service": "database", "setting": "max_connections", "from": 100, "to": 200}],
        "database: max_connections 100 -> 200",
    ),
    ([{"service": "api", "from": 536870912, "to": 1073741824, "restart": True}], "api: 512 MiB -> 1024 MiB"),
    ([{"service": "api", "variable": "MAPS", "to": "off"}], "api: MAPS to off"),
    ([{"pid": 4048, "backend_start": "1763687000.000101"}], "pid 4048"),
    ([{"pid": 4048}, {"pid": 4049}], "pids 4048 and 4049"),
    ([{"pid": number} for number in range(4048, 4073)], "pids 4048, 4049, 4050 and 22 more"),
    ([{"pid": 7, "start_ticks": 9, "user": "app", "command": "node x", "service": "api", "port": 8080}], "api: 8080"),
    ([{"path": "/var/log/a.1", "device": 1, "inode": 2, "bytes": 3}], "/var/log/a.1"),
    ([{"id": "sha256:ab"}], "id sha256:ab"),
    ([{"build_cache": "/var/lib/docker"}], "build cache /var/lib/docker"),
    (
        [{"folders": ["/var/log/journal", "/run/log/journal"], "to_bytes": 1}],
        "folders /var/log/journal /run/log/journal",
    ),
    ([{"command": ["failover", "--now"]}], "command failover --now"),
    ([{"strange": 1, "other": "x"}], "strange 1, other x"),
    ([], ""),
]


@pytest.mark.parametrize(("targets", "words"), WORDS)
def test_targets(targets, words):
    assert targets_in_words(targets) == words


@given(st.lists(st.dictionaries(st.text(max_size=8), st.one_of(st.none(), st.integers(), st.text())), max_size=30))
def test_whatever_they_are_it_is_one_line(targets):
    words = targets_in_words(targets)
    assert len(words) <= 200
    assert not {"\n", "\r", "\x1b"} & set(words)


def test_each_step_says_what_it_does_and_how_it_is_undone():
    meta = {
        "remedies": {"a": "Does it."},
        "rollbacks": {"a": "Puts it back."},
        "irreversible": {"b": "Nothing is lost."},
    }
    first, second = described([{"remedy": "a", "targets": [{"pid": 7}]}, {"remedy": "b", "targets": []}], meta)
    assert [first[key] for key in ("words", "does", "undone", "irreversible")] == [
        "pid 7",
        "Does it.",
        "Puts it back.",
        "",
    ]
    assert [second[key] for key in ("words", "does", "undone", "irreversible")] == ["", "", "", "Nothing is lost."]
