# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of ``oncall serve``: what is good, and for each mistake one line that says where it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncall import OncallError
from oncall.serve.settings import load, not_reloaded, parse, secret

FILE = Path("/srv/oncall/serve.yml")
# Four lines: what a case adds begins on the fifth.
BASE = """\
inventories: [hosts.yml]
state_directory: state
runbooks:
  db_pool: {mode: auto}
"""
WHOLE = """\
inventories: [hosts.yml, /srv/other, "a.example,b.example,"]
state_directory: state
listen: "[::1]:9096"
node: one
tokens_file: ../tokens
tls: {certificate: tls/cert.pem, key: tls/key.pem, client_ca: tls/ca.pem}
runbook_label: runbook
host_label: host
watchdog_alert: ""
database: postgresql://oncall:word@db.example:5432/oncall
alertmanager: {url: http://am.example:9093, token_file: am-token}
executor: awx
awx: {url: "https://awx.example", token_file: awx-token, organization: Default, ca: ca.pem}
drain_seconds: 60
keep_days: 7
keep_environment: [LAB_HOME]
limits:
  running: 2
  remedies_per_hour: 10
  queued_notifications: 100
  groups:
    web.eu: {hosts_per_hour: 3, share_at_once: 0.25}
runbooks:
  db_pool:
    mode: approve
    alerts: [PoolExhausted, PoolWaits]
    approve_seconds: 600
    timeout_seconds: 900
    max_not_helped: 1
    variables: {run_max_risk: low, deep: {list: [1, 2.5, null, true, text]}}
  cache: {}
maintenance:
  - reason: the move
    begins_at: 2026-01-01T02:00:00Z
    ends_at: "2026-01-01T06:00:00+02:00"
    hosts: [web]
    runbooks: [cache]
"""


def mistake(text: str) -> tuple[int, str]:
    """The line that is named, and what is said of it."""
    with pytest.raises(OncallError) as raised:
        parse(text, FILE)
    message = str(raised.value)
    assert message.startswith(f"{FILE}:") and message.isprintable()
    line, _, what = message.removeprefix(f"{FILE}:").partition(": ")
    return int(line), what


def test_a_whole_file_with_paths_from_its_own_folder():
    told = parse(WHOLE, FILE)
    assert told.inventories == ("/srv/oncall/hosts.yml", "/srv/other", "a.example,b.example,")
    assert (told.state_directory, told.tokens_file) == ("/srv/oncall/state", "/srv/oncall/../tokens")
    assert told.tls and told.tls.client_ca == "/srv/oncall/tls/ca.pem"
    assert told.awx and (told.awx.token_file, told.awx.ca) == ("/srv/oncall/awx-token", "/srv/oncall/ca.pem")
    assert told.alertmanager and told.alertmanager.token_file == "/srv/oncall/am-token"
    assert told.address == ("::1", 9096)
    assert told.runbooks["db_pool"].variables["deep"] == {"list": [1, 2.5, None, True, "text"]}
    assert told.limits.groups["web.eu"].hosts_per_hour == 3
    (window,) = told.maintenance
    assert (window.begins_at, window.ends_at) == (
        datetime(2026, 1, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, 4, tzinfo=UTC),
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["off", "suggest", "approve", "auto", "'off'"])
def test_a_mode(mode):
    assert parse(BASE.replace("auto", mode), FILE).runbooks["db_pool"].mode == mode.strip("'")


def test_what_is_not_said():
    told = parse(BASE.replace("{mode: auto}", "{}"), FILE)
    assert told.runbooks["db_pool"].mode == "suggest"
    assert (told.listen, told.database, told.tls) == ("127.0.0.1:9095", "", None)
    assert told.limits.groups["all"].share_at_once == 0.5


@pytest.mark.parametrize("text", ["1e3", "None", "'0x10'", "'true'", "nan", "1_0a"])
def test_text_stays_text(text):
    assert parse(f"{BASE}node: {text}\n", FILE).node == text.strip("'")


def test_a_home_is_that_of_its_user(monkeypatch):
    monkeypatch.setenv("HOME", "/srv/op")
    assert parse(BASE.replace(": state", ": ~/state"), FILE).state_directory == "/srv/op/state"


@pytest.mark.parametrize(
    ("added", "line", "says"),
    [
        # Names
        ("  db_pol: {}\n", 5, "no runbook 'db_pol'; did you mean db_pool"),
        ("  db.pool: {}\n", 5, "no runbook 'db.pool'; did you mean db_pool?"),
        ("  {}: {{}}\n".format("x" * 30), 5, "there are api_down, "),
        ("  ../cache: {}\n", 5, "no runbook '../cache'"),
        ("  cache: {alerts: [A]}\n  api_down:\n    alerts:\n      - A\n", 7, "the alert A is of cache already"),
        ("maintenance:\n- {reason: a, begins_at: 2026-01-01T00:00:00Z, ends_at: 2026-01-02T00:00:00Z,\n"
         "   runbooks: [cache,\n   cash]}\n", 8, "no runbook 'cash'; did you mean cache"),
        # The same twice, or somewhere else
        ("  db_pool: {mode: off}\n", 5, "db_pool is given twice"),
        ("state_directory: other\n", 5, "state_directory is given twice"),
        ("limits:\n  groups:\n    a: {}\n    a: {}\n", 8, "a is given twice"),
        ("node: &n one\nwatchdog_alert: *n\n", 6, "the alias *n; write it out"),
        ("limits: &l\n  groups: *l\n", 6, "the alias *l; write it out"),
        ("  cache:\n    variables: &v\n      self: [*v]\n", 7, "the alias *v; write it out"),
        ("  cache:\n    <<: {mode: auto}\n", 6, "the key << is no text"),
        # Keys
        ("listens: 1\n", 5, "unknown field `listens`"),
        ("  cache:\n    mode: auto\n    modes: auto\n", 7, "unknown field `modes`"),
        ("limits:\n  groups:\n    web:\n      share: 1\n", 8, "unknown field `share`"),
        ("limits:\n  running: 1\n  rate: 1\n", 7, "unknown field `rate`"),
        ("  on: {}\n", 5, "the key on is no text; put it in quotes"),
        ("  1: {}\n", 5, "the key 1 is no text"),
        ("  [cache]: {}\n", 5, "a key has to be text"),
        ("  ? {a: b}\n  : {}\n", 5, "a key has to be text"),
        ("  cache:\n    variables:\n      1: a\n", 7, "the key 1 is no text"),
        ("maintenance:\n  - reason: x\n    begins_at: 2026-01-01T00:00:00Z\n", 6, "required field `ends_at`"),
        ("tls: {certificate: a}\n", 5, "required field `key`"),
        # Kinds
        ("  cache:\n    mode: autom\n", 6, "Invalid enum value 'autom'"),
        ("  cache:\n    mode: on\n", 6, "got `bool`"),
        ("  cache: auto\n", 5, "Expected `object`, got `str`"),
        ("  cache:\n", 5, "Expected `object`, got `null`"),
        ("  cache:\n    alerts:\n      - A\n      - 7\n", 8, "Expected `str`, got `int`"),
        ("  cache:\n    alerts: [A,\n     null]\n", 7, "Expected `str`, got `null`"),
        ("  cache:\n    variables:\n      run_maxrisk: low\n", 6, "no variable run_maxrisk; did you mean run_max_risk"),
        ("  cache: {max_not_helped: '2'}\n", 5, "Expected `int`, got `str`"),
        ("  cache:\n    variables: [a]\n", 6, "Expected `object`, got `array`"),
        ("  cache:\n    variables:\n      since: 2026-01-01\n", 6, "put it in quotes"),
        ("  cache:\n    variables: {a: .nan}\n", 6, "put it in quotes"),
        ("  cache:\n    variables: {a: !!binary aGk=}\n", 6, "put it in quotes"),
        ("limits:\n  groups:\n    web:\n      hosts_per_hour: many\n", 8, "Expected `int`, got `str`"),
        ("limits:\n  groups:\n    web: {}\n    web.eu:\n      hosts_per_hour: 0\n", 9, "Expected `int` >= 1"),
        ("limits:\n  groups: [web]\n", 6, "Expected `object`, got `array`"),
        ("node: 0x10\n", 5, "Expected `str`, got `int`"),
        ("node: true\n", 5, "Expected `str`, got `bool`"),
        ("node: ~\n", 5, "Expected `str`, got `null`"),
        ("node: 1.0e+3\n", 5, "Expected `str`, got `float`"),
        ("node: 2026-01-01\n", 5, "Expected `str`, got `date`"),
        ('node: "a\\0b"\n', 5, "Expected `str` matching regex"),
        ('node: ""\n', 5, "Expected `str` of length >= 1"),
        ('tokens_file: "a\\nb"\n', 5, "Expected `str` matching regex"),
        ("keep_environment:\n  - HOME\n  - false\n", 7, "Expected `str`, got `bool`"),
        # Sizes
        ("drain_seconds: 0\n", 5, "Expected `float` > 0"),
        ("drain_seconds: -1\n", 5, "Expected `float` > 0"),
        ("drain_seconds: .nan\n", 5, "Expected `float`"),
        ("drain_seconds: .inf\n", 5, "Expected `float` <= 604800"),
        ("drain_seconds: 604801\n", 5, "Expected `float` <= 604800"),
        ("drain_seconds: 5m\n", 5, "Expected `float`, got `str`"),
        ("  cache:\n    timeout_seconds: 1e9\n", 6, "Expected `float`"),
        ("  cache:\n    approve_seconds: true\n", 6, "Expected `float`, got `bool`"),
        ("keep_days: 0\n", 5, "Expected `int` >= 1"),
        ("limits: {running: 201}\n", 5, "Expected `int` <= 200"),
        ("limits: {running: 1.5}\n", 5, "Expected `int`, got `float`"),
        ("limits:\n  groups:\n    all: {share_at_once: 1.01}\n", 7, "Expected `float` <= 1"),
        ("limits:\n  groups:\n    all: {share_at_once: 0}\n", 7, "Expected `float` > 0"),
        # Windows
        ("maintenance:\n  - reason: a\n    begins_at: 2026-01-01T00:00:00\n    ends_at: 2026-01-02T00:00:00Z\n", 6, "time zone"),
        ("maintenance:\n  - reason: a\n    begins_at: 2026-01-02T00:00:00Z\n    ends_at: 2026-01-01T00:00:00Z\n", 8,
         "it ends before it begins"),
        ("maintenance:\n  - reason: a\n    begins_at: 2026-01-01T00:00:00Z\n    ends_at: 2026-01-01T01:00:00+01:00\n", 8,
         "it ends before it begins"),
        ("maintenance:\n  - reason: a\n    begins_at: 2026-13-01T00:00:00Z\n    ends_at: 2026-01-01T01:00:00Z\n", 7,
         "'2026-13-01T00:00:00Z' is not what timestamp can be"),
        ("maintenance:\n  - reason: a\n    begins_at: 2026-01-01\n    ends_at: 2026-01-02T01:00:00Z\n", 7, "got `date`"),
        ("maintenance:\n  - reason: a\n    begins_at: soon\n    ends_at: 2026-01-02T01:00:00Z\n", 7, "Invalid RFC3339"),
        ("maintenance: {reason: a}\n", 5, "Expected `array`, got `object`"),
        ("maintenance:\n  - reason: 7\n    begins_at: 2026-01-01T00:00:00Z\n    ends_at: 2026-01-02T00:00:00Z\n", 6,
         "Expected `str`, got `int`"),
        # Addresses
        ("alertmanager:\n  url: am.example:9093\n", 6, "is no http or https address"),
        ("alertmanager:\n  url: file:///etc/passwd\n", 6, "is no http or https address"),
        ("alertmanager:\n  url: http://\n", 6, "is no http or https address"),
        ("alertmanager:\n  url: 'http://[::1'\n", 6, "is no http or https address"),
        ("alertmanager:\n  url: http://am.example:99999\n", 6, "is no http or https address"),
        ("alertmanager:\n  url: http://me:s3cret@am.example:9093\n", 6, "no name and no password belong in the address"),
        ("executor: awx\n", 5, "AWX is to play; say where it is"),
        ("awx:\n  url: http://awx.example\n  token_file: t\n", 5, "say executor: awx, or leave awx out"),
        ("executor: tower\n", 5, "executor"),
        ("awx:\n  token_file: t\n  url: ftp://awx.example\n", 7, "is no http or https address"),
        ("database: mysql://db.example/oncall\n", 5, "leave it out for SQLite"),
        ("database: 'postgresql://db.example:port/oncall'\n", 5, "leave it out for SQLite"),
        ("tokens_file: ~nobody-at-all/tokens\n", 5, "nobody has the home ~nobody-at-all"),
        ("awx:\n  url: https://awx.example\n  token_file: ~nobody-at-all/t\n", 7, "nobody has the home"),
    ],
)  # fmt: skip
def test_a_mistake_and_its_line(added, line, says):
    found, what = mistake(BASE + added)
    assert (found, says in what) == (line, True), f"{found}: {what}"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "required field `inventories`"),
        ("# nothing\n\n", 1, "required field `inventories`"),
        ("- a\n- b\n", 1, "Expected `object`, got `array`"),
        ("text\n", 1, "Expected `object`, got `str`"),
        ("~\n", 1, "Expected `object`, got `null`"),
        ("a: [1,\n\n", 3, "expected the node content"),
        ("a: b\n c: d\n", 2, "mapping values are not allowed here"),
        ("a: b\n---\nc: d\n", 2, "but found another document"),
        ("a: b\nc:\n\t- d\n", 3, "cannot start any token"),
        ("a: b\nc: \0\n", 2, "the character #x0000"),
        ("a: b\nc: \x1b[31m\n", 2, "the character #x001b"),
        ("a: b\nc: !!python/object/apply:os.system [id]\n", 2, "could not determine a constructor"),
        ("a: b\nc: !unsafe d\n", 2, "could not determine a constructor"),
        ("a: b\nc: !!bool d\n", 2, "'d' is not what bool can be"),
        ("a: b\nc: !!map [d]\n", 2, "expected a mapping node, but found sequence"),
        ("a: b\nc: !!set d\n", 2, "expected a mapping node, but found scalar"),
        ("a: b\nc: !!int ''\n", 2, "'' is not what int can be"),
        ("a: b\nc: !!timestamp d\n", 2, "'d' is not what timestamp can be"),
        (f"a: {'9' * 5000}\n", 1, "is not what int can be"),
        ("[" * 100_000, 1, "it is nested too deeply"),
        (BASE.replace("[hosts.yml]", "[]"), 1, "Expected `array` of length >= 1"),
        (BASE.replace("[hosts.yml]", "hosts.yml"), 1, "Expected `array`, got `str`"),
        (BASE.replace("[hosts.yml]", "[~nobody-at-all/h]"), 1, "nobody has the home"),
        (BASE.replace("state\n", "''\n"), 2, "Expected `str` of length >= 1"),
        ("state_directory: s\nrunbooks: {}\n", 1, "required field `inventories`"),
        (BASE.replace("  db_pool: {mode: auto}\n", "- db_pool\n"), 3, "Expected `object`, got `array`"),
    ],
)
def test_a_file_that_is_none(text, line, says):
    found, what = mistake(text)
    assert (found, says in what) == (line, True), f"{found}: {what}"


@pytest.mark.parametrize(
    ("listen", "says"),
    [
        ("0.0.0.0:9095", "can be reached from outside"),
        ("[::]:9095", "can be reached from outside"),
        ("192.0.2.1:9095", "can be reached from outside"),
        ("oncall.example:9095", "can be reached from outside"),
        # What some programs take for this machine is not worth the doubt.
        ("127.1:9095", "can be reached from outside"),
        ("0:9095", "can be reached from outside"),
        ("localhost.evil.example:9095", "can be reached from outside"),
        ("127.0.0.1", "is no address and port"),
        ("127.0.0.1:0", "is no address and port"),
        ("127.0.0.1:99999", "is no address and port"),
        ("127.0.0.1:http", "is no address and port"),
        (":9095", "is no address and port"),
        ("::1", "is no address and port"),
        ("[::1:9095", "is no address and port"),
        ("http://127.0.0.1:9095", "is no address and port"),
        ("user@127.0.0.1:9095", "is no address and port"),
        ("127.0.0.1:9095/alerts", "is no address and port"),
    ],
)
def test_an_address_to_listen_to(listen, says):
    found, what = mistake(f"{BASE}listen: '{listen}'\n")
    assert (found, says in what) == (5, True), what


@pytest.mark.parametrize("listen", ["127.0.0.1:1", "127.9.9.9:9095", "[::1]:9095", "localhost:9095"])
def test_this_machine_needs_no_token(listen):
    assert parse(f"{BASE}listen: '{listen}'\n", FILE).tokens_file == ""


@pytest.mark.parametrize(
    ("how", "safe"),
    [
        ("tokens_file: t", True),
        ("tls: {certificate: c, key: k, client_ca: ca}", True),
        # Nobody but the client knows who it talks to.
        ("tls: {certificate: c, key: k}", False),
        ("tokens_file: ''", False),
    ],
)
def test_a_public_address_needs_a_token_or_certificates_of_clients(how, safe):
    text = f"{BASE}listen: 0.0.0.0:9095\n{how}\n"
    if safe:
        assert parse(text, FILE).address == ("0.0.0.0", 9095)
    else:
        assert mistake(text)[0] == 5


@settings(max_examples=150, database=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, WHOLE.count("\n") - 1),
            st.sampled_from(
                [
                    "",
                    ": ",
                    "- ",
                    "  ",
                    "[",
                    "{",
                    "}",
                    "~",
                    "'",
                    '"',
                    "&a ",
                    "*a",
                    "!!set ",
                    "!!binary x",
                    "? ",
                    "<<: ",
                    "0x",
                    "\t",
                    "\0",
                ]
            )
            | st.text(max_size=5),
            st.sampled_from(["before", "after", "instead", "value"]),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_is_wrong_is_one_line(changes):
    lines = WHOLE.splitlines()
    for index, text, where in changes:
        name, colon, _value = lines[index].partition(":")
        told = {
            "before": text + lines[index],
            "after": lines[index] + text,
            "instead": text,
            "value": f"{name}{colon} {text}",
        }
        lines[index] = told[where]
    text = "\n".join(lines)
    try:
        parse(text, FILE)
    except OncallError as error:
        line, _, what = str(error).removeprefix(f"{FILE}:").partition(": ")
        assert 1 <= int(line) <= len(text.splitlines()) + 1 and what and "\n" not in str(error)


def test_a_password_is_not_in_a_message():
    for url in ("postgres://oncall:hunter2@db.example/oncall", "postgresql://oncall:hunter2@db.example:x/oncall"):
        assert "hunter2" not in mistake(f"{BASE}database: '{url}'\n")[1]


def test_a_name_with_line_breaks_is_said_on_one_line():
    assert mistake(f'{BASE}"x\\ny\\u2028z": 1\n')[0] == 5


def test_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "latin1.yml").write_bytes(BASE.encode() + b"node: caf\xe9\n")
    (tmp_path / "utf16.yml").write_bytes(BASE.encode("utf-16"))
    says = {
        "latin1.yml": ":5: this is not UTF-8",
        "utf16.yml": ":1: this is not UTF-8",
        "none.yml": ": No such file or directory",
        ".": ": Is a directory",
    }
    for name, what in says.items():
        with pytest.raises(OncallError) as raised:
            load(tmp_path / name)
        assert str(raised.value).endswith(what) and name.strip(".") in str(raised.value)
    with pytest.raises(OncallError, match="Could not determine home"):
        load(Path("~nobody-at-all/serve.yml"))


def test_paths_are_from_the_folder_of_the_file(tmp_path, monkeypatch):
    (tmp_path / "serve.yml").write_text(BASE)
    monkeypatch.chdir(tmp_path)
    assert load(Path("serve.yml")).state_directory == str(tmp_path / "state")


def test_what_a_reload_cannot_change():
    old = parse(BASE, FILE)
    new = parse(f"{BASE}listen: 127.0.0.1:1\nkeep_days: 9\nnode: two\n", FILE)
    assert not_reloaded(old, new) == ["listen", "node"]
    assert not_reloaded(old, old) == []


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"hunter2 x", b"hunter2\nx", b"hunter2\xff", "hunter2é".encode(), b"hunter2\0"]
)
def test_a_secret_that_is_none_is_not_shown(tmp_path, content):
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(OncallError) as raised:
        secret(str(tmp_path / "token"))
    assert "\n" not in str(raised.value) and "hunter2" not in str(raised.value)


def test_a_secret_is_the_one_line_of_its_file(tmp_path):
    (tmp_path / "token").write_text("  abc/+=\n")
    assert secret(str(tmp_path / "token")) == "abc/+="
    with pytest.raises(OncallError, match="No such file"):
        secret(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("added", "line", "says"),
    [
        ("page: {session_hours: 3}\n", 5, "nobody can sign in: name a tokens_file, a proxy or openid"),
        ("listen: 192.0.2.1:9095\ntokens_file: t\npage: {}\n", 7, "give tls, or listen on 127.0.0.1 behind a proxy"),
        ("page: {address: 'oncall.example'}\n", 5, "is no address of a page"),
        ("page: {address: 'https://oncall.example/page'}\n", 5, "is no address of a page"),
        ("page: {address: 'https://a@oncall.example'}\n", 5, "is no address of a page"),
        ("page: {address: 'http://oncall.example'}\n", 5, "it has to be https, or this machine"),
        ("page:\n  proxy: {addresses: [10.0.0.5/8]}\n  roles: {viewer: ['*']}\n", 6, "'10.0.0.5/8' is no network"),
        ("page:\n  proxy: {addresses: []}\n", 6, "length >= 1"),
        ("page:\n  proxy: {addresses: [10.0.0.5]}\n", 5, "say who may do what: roles:"),
        ("page:\n  roles: {king: [ada]}\n", 6, "king"),
        ("page:\n  openid: {issuer: 'http://login.example', client_id: c}\n  roles: {viewer: ['*']}\n", 6, "is no https address"),
        ("page:\n  openid: {issuer: 'https://me:s3cret@login.example', client_id: c}\n  roles: {viewer: ['*']}\n", 6, "no name and no password"),
        ("page:\n  openid: {issuer: 'https://login.example', client_id: c, scopes: [email]}\n  roles: {viewer: ['*']}\n", 6, "the scope openid"),
        ("page: {session_minutes: 0}\n", 5, ">= 1"),
    ],
)  # fmt: skip
def test_a_page_that_nobody_could_use_safely(added, line, says):
    with pytest.raises(OncallError) as caught:
        parse(BASE + added, FILE)
    assert str(caught.value).startswith(f"{FILE}:{line}: ") and says in str(caught.value)


def test_a_page():
    added = (
        "page:\n  address: https://Oncall.example:8443/\n  proxy: {addresses: [10.0.0.0/24, '::1']}\n"
        "  openid: {issuer: 'https://login.example/realms/shop', client_id: oncall, client_secret_file: s, ca: ca.pem}\n"
        "  roles: {admin: [ada], viewer: ['*']}\n"
    )
    page = parse(BASE + added, FILE).page
    assert page is not None and page.openid is not None
    assert page.origin == "https://oncall.example:8443"
    assert (page.openid.client_secret_file, page.openid.ca) == ("/srv/oncall/s", "/srv/oncall/ca.pem")
    # Behind a proxy that has TLS, or with TLS of its own.
    tls = "listen: 192.0.2.1:9095\ntokens_file: t\ntls: {certificate: c, key: k}\npage: {}\n"
    assert parse(BASE + tls, FILE).page is not None
    assert not_reloaded(parse(BASE, FILE), parse(BASE + added, FILE)) == ["page"]
