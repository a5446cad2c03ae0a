# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable set in a supervisor configuration, read back by supervisor itself."""

from __future__ import annotations

import json
import os
import stat
import warnings

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from supervisor.datatypes import dict_of_key_value_pairs
from supervisor.options import ServerOptions

from ansible_collections.oncall.runbooks.plugins.module_utils.file_in_one_step import put
from ansible_collections.oncall.runbooks.plugins.module_utils.supervisor.environment import changed, names
from ansible_collections.oncall.runbooks.plugins.module_utils.text.url_parameter import with_url_parameter
from ansible_collections.oncall.runbooks.plugins.module_utils.text.variable import CannotChange
from ansible_collections.oncall.runbooks.plugins.modules import service_environment as module
from ansible_collections.oncall.runbooks.tests.support.modules import run_module

SECTION = "program:api"


def read_by_supervisor(text, folder, program="api"):
    """The variables that supervisor's own option parser gives a program."""
    path = folder / "read-by-supervisor.conf"
    path.write_bytes(("[supervisord]\n" + text).encode("utf-8", "surrogateescape"))
    options = ServerOptions()
    options.environ_expansions = {"ENV_FROM_OUTSIDE": "outside"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options.realize(["-c", str(path), "-l", str(folder / "log"), "-j", str(folder / "pid")])
    (found,) = [
        process.environment
        for group in options.process_group_configs
        for process in group.process_configs
        if process.name == program
    ]
    return found


def program(*lines):
    return "\n".join(("; the web application", "[program:api]", "command=sleep 1", *lines, "")) + (
        '[program:other]\ncommand=sleep 1 ; other\nenvironment=A="other"\n'
    )


# What a section says -> which variable is set to what -> how exactly its lines read afterwards
SET = [
    ('environment=A="1"', "A", "2", 'environment=A="2"'),
    ("environment=A='1'", "A", "2", "environment=A='2'"),
    ("environment=A=1", "A", "2", 'environment=A="2"'),
    ('environment=A="1"', "B", "2", 'environment=A="1",B="2"'),
    ('environment = A="1" , B = "x" ; why', "A", "2", 'environment = A="2" , B = "x" ; why'),
    ('environment = A="1" , B = "x" ; why', "C", "2", 'environment = A="1" , B = "x", C="2" ; why'),
    ('Environment: A="1"', "A", "2", 'Environment: A="2"'),
    ('environment=A="1",', "B", "2", 'environment=A="1",B="2"'),
    ("environment=", "A", "2", 'environment=A="2"'),
    ("environment=   ; none yet", "A", "2", 'environment=A="2"   ; none yet'),
    ('environment=A="1",B="2",A="3"', "A", "4", 'environment=A="1",B="2",A="4"'),
    (
        'environment=\n    A="1", ; first\n    # second\n    B="2"',
        "B",
        "3",
        'environment=\n    A="1", ; first\n    # second\n    B="3"',
    ),
    ('environment=\n    A="1",\n    B="2"', "C", "3", 'environment=\n    A="1",\n    B="2",\n    C="3"'),
    ('environment=\n\tA="1"', "C", "3", 'environment=\n\tA="1",\n\tC="3"'),
    ('environment=A="one\n  two",B="2"', "B", "3", 'environment=A="one\n  two",B="3"'),
    ('environment=A="one\n  two",B="2"', "A", "3", 'environment=A="3",B="2"'),
    ('environment=A="50%%",B="2"', "B", "7%", 'environment=A="50%%",B="7%%"'),
    (
        'environment=A="%(here)s",B=%(ENV_FROM_OUTSIDE)s',
        "C",
        "1",
        'environment=A="%(here)s",B=%(ENV_FROM_OUTSIDE)s,C="1"',
    ),
    ('environment=A=%(ENV_FROM_OUTSIDE)s,B="1"', "A", "2", 'environment=A="2",B="1"'),
    ('environment=A="1"', "A", 'say "hi" now', "environment=A='say \"hi\" now'"),
    ('environment=A="1"', "A", "it's", 'environment=A="it\'s"'),
    ("environment=A='1'", "A", "it's", 'environment=A="it\'s"'),
    ('environment=A="1"', "A", "a\"b'c", "environment=A=a\"b'c"),
    ('environment=A="1"', "A", "a,b=c #no", None),
    ('environment=A="1"', "A", "a,b=c#yes;yes", 'environment=A="a,b=c#yes;yes"'),
    ('environment=A="1"', "A", "", 'environment=A=""'),
    ('environment=A="1"', "A", "%(here)s", 'environment=A="%%(here)s"'),
    ('environment=A="1"', "A", "caf\u00e9", 'environment=A="caf\u00e9"'),
    ('environment=A="1"\nenvironment=B="1"', "B", "2", 'environment=A="1"\nenvironment=B="2"'),
    ("; nothing here", "A", "1", 'environment=A="1"\n; nothing here'),
    ("  numprocs=1", "A", "1", '  numprocs=1\nenvironment=A="1"'),
    ("autostart=true\n\n# end", "A", "1", 'autostart=true\nenvironment=A="1"\n\n# end'),
]


@pytest.mark.parametrize(("lines", "name", "value", "after"), SET)
def test_set(tmp_path, lines, name, value, after):
    text = program(*lines.split("\n"))
    if after is None:
        with pytest.raises(CannotChange, match="supervisor has no notation for this value"):
            changed(text, SECTION, name, value)
        return
    outcome = changed(text, SECTION, name, value)
    assert outcome["text"] == program(*after.split("\n"))
    before = read_by_supervisor(text, tmp_path)
    assert outcome["was_set"] == (name in before)
    assert (outcome["before"], outcome["after"]) == (sorted(before), sorted({*before, name}))
    assert read_by_supervisor(outcome["text"], tmp_path) == {**before, name: value}
    assert read_by_supervisor(outcome["text"], tmp_path, "other") == {"A": "other"}
    assert changed(outcome["text"], SECTION, name, value)["text"] == outcome["text"]


REMOVED = [
    ('environment=A="1"', "A", None),
    ('environment=A="1" ; why', "A", "environment= ; why"),
    ('environment=A="1",B="2"', "A", 'environment=B="2"'),
    ('environment=A="1",B="2"', "B", 'environment=A="1"'),
    ('environment=A="1", B="2", C="3"', "B", 'environment=A="1", C="3"'),
    ('environment=A="1",B="2",A="3"', "A", 'environment=B="2"'),
    ('environment=B="2",A="1",A="3"', "A", 'environment=B="2"'),
    ('environment=\n    A="1", ; first\n    B="2"', "B", 'environment=\n    A="1" ; first'),
    ('environment=\n    A="1", ; first\n    B="2"', "A", 'environment=\n     ; first\n    B="2"'),
    ('environment=\n    A="1",\n    B="2",\n    C="3"', "B", 'environment=\n    A="1",\n    C="3"'),
    ('environment=A="1"', "B", 'environment=A="1"'),
    ("autostart=true", "B", "autostart=true"),
]


@pytest.mark.parametrize(("lines", "name", "after"), REMOVED)
def test_removed(tmp_path, lines, name, after):
    text = program(*lines.split("\n"))
    before = read_by_supervisor(text, tmp_path)
    outcome = changed(text, SECTION, name, None)
    assert outcome["text"] == program(*([] if after is None else after.split("\n")))
    before.pop(name, None)
    assert read_by_supervisor(outcome["text"], tmp_path) == before


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "autostart=true",
        'environment=A="1"',
        'environment=A="1", B="2" ; why',
        'environment=\n    A="1",\n    B="2"',
        'environment=\n\tA="1"',
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_set_and_removed_leaves_nothing_behind(lines, end):
    text = program(*lines.split("\n")).replace("\n", end)
    with_it = changed(text, SECTION, "NEW", "x y")["text"]
    assert with_it != text
    assert with_it.count(end) == with_it.count("\n")
    assert changed(with_it, SECTION, "NEW", None)["text"] == text


def test_a_file_without_a_last_line_break(tmp_path):
    text = "[program:api]\ncommand=sleep 1"
    outcome = changed(text, SECTION, "A", "1")
    assert outcome["text"] == '[program:api]\ncommand=sleep 1\nenvironment=A="1"\n'
    assert changed(text + '\nenvironment=B="1"', SECTION, "B", "2")["text"].endswith('\nenvironment=B="2"')


URL = "postgres://app:se%%40c#ret@db.internal/app"
PARAMETERS = [
    (URL + "?connection_limit=5", "35", URL + "?connection_limit=35", True),
    (URL + "?a=1&connection_limit=5&b=%%20#x", "35", URL + "?a=1&connection_limit=35&b=%%20#x", True),
    (URL + "?connection%%5Flimit=5", "35", URL + "?connection_limit=35", True),
    (URL + "?a=1", "35", URL + "?a=1&connection_limit=35", False),
    (URL, "35", URL + "?connection_limit=35", False),
    ("redis://cache/0#top", "35", "redis://cache/0?connection_limit=35#top", False),
    (URL + "?connection_limit=5&connection_limit=6", "35", URL + "?connection_limit=35&connection_limit=35", True),
    (URL + "?my_connection_limit=5", "35", URL + "?my_connection_limit=5&connection_limit=35", False),
    (URL + "?connection_limit=%%33%%35", "35", URL + "?connection_limit=%%33%%35", True),
    (URL + "?connection_limit", "35", URL + "?connection_limit=35", True),
    (URL + "?connection_limit=5", "a b&c=%", URL + "?connection_limit=a%%20b%%26c%%3D%%25", True),
    (URL + "?", "35", URL + "?connection_limit=35", False),
    (URL + "?a=1&connection_limit=5", None, URL + "?a=1", True),
    (URL + "?connection_limit=5", None, URL, True),
    (URL + "?a=1", None, URL + "?a=1", False),
]


@pytest.mark.parametrize(("url", "value", "after", "was_set"), PARAMETERS)
def test_url_parameter(url, value, after, was_set):
    assert with_url_parameter(url, "connection_limit", value) == (after, was_set)


@pytest.mark.parametrize(("url", "value", "after", "was_set"), PARAMETERS)
@pytest.mark.parametrize("quote", ['"', "'"])
def test_url_parameter_in_a_section(tmp_path, url, value, after, was_set, quote):
    line = "environment=A=1,DATABASE_URL={q}{url}{q},B=%(here)s"
    outcome = changed(program(line.format(q=quote, url=url)), SECTION, "DATABASE_URL", value, "connection_limit")
    assert outcome["text"] == program(line.format(q=quote, url=after))
    assert outcome["was_set"] is was_set
    found = read_by_supervisor(outcome["text"], tmp_path)
    assert found == {"A": "1", "DATABASE_URL": after.replace("%%", "%"), "B": str(tmp_path)}


def test_an_expansion_in_the_url_stays():
    line = 'environment=U="postgres://app:%(ENV_PASSWORD)s@db/app?connection_limit={}"'
    outcome = changed(program(line.format(5)), SECTION, "U", "35", "connection_limit")
    assert outcome["text"] == program(line.format(35))


REFUSED = [
    ('environment=A="1"', {"section": "program:none"}, "there is no section [program:none]"),
    ('environment=A="1"', {"value": "a\nb"}, "the value for A holds a line break or another control character"),
    ('environment=A="1"', {"value": "a\x1b[0m"}, "control character"),
    ('environment=A="1"', {"value": "a\x00"}, "control character"),
    ('environment=A="1"', {"value": "\ud800"}, "control character"),
    ('environment=A="1"', {"value": '"s3cret"'}, "supervisor has no notation for this value"),
    ('environment=A="1"', {"value": "both \" and ' s3cret"}, "supervisor has no notation for this value"),
    ('environment=A="1"', {"value": "s3cret ; x"}, "supervisor has no notation for this value"),
    ('environment=A="1"', {"name": "A B"}, "name must be letters, digits and underscores"),
    ('environment=A="1"', {"name": "1A"}, "name must be letters"),
    ('environment=A="1"', {"name": "A\n"}, "name must be letters"),
    ('environment=A="1"', {"url_parameter": "x"}, "what A holds in [program:api] is not a URL"),
    ('environment=A="1"', {"name": "B", "url_parameter": "x"}, "B is not set in [program:api]: there is no URL"),
    ('environment=A="s3cret', {}, "a quote is not closed"),
    ("environment=s3cret", {}, "it is not KEY=value,KEY=value"),
    ('environment=A="50%"', {}, "a % that is neither %% nor %(...)s"),
    ('environment=A=ab#comment\n  cd,B="1"', {}, "a comment in the middle of a word"),
    ("s3cret", {}, "it is not a supervisor configuration (ParsingError)"),
]


@pytest.mark.parametrize(("lines", "arguments", "message"), REFUSED)
def test_refused(lines, arguments, message):
    given_ = {"section": SECTION, "name": "A", "value": "2", **arguments}
    with pytest.raises(CannotChange) as caught:
        changed(program(*lines.split("\n")), **given_)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_inherited_is_not_hidden():
    with pytest.raises(CannotChange, match="is not where it can be changed"):
        changed('[DEFAULT]\nenvironment=B="1"\n[program:api]\ncommand=x\n', SECTION, "A", "1")


def test_supervisord_itself_expands_twice():
    text = '[supervisord]\nenvironment=A="1"\n'
    assert changed(text, "supervisord", "A", "2")["text"] == '[supervisord]\nenvironment=A="2"\n'
    with pytest.raises(CannotChange, match="expands"):
        changed(text, "supervisord", "A", "2%")


LETTERS = st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_categories=["Cc", "Cs"])


@settings(
    max_examples=100, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    before=st.lists(st.tuples(st.from_regex(r"[A-C]", fullmatch=True), st.text(LETTERS, max_size=12)), max_size=4),
    name=st.from_regex(r"[A-D]", fullmatch=True),
    value=st.one_of(st.none(), st.text(LETTERS, max_size=20)),
    separator=st.sampled_from([",", ", ", ",\n  ", ", ; why\n\t", " , "]),
)
def test_supervisor_reads_back_what_was_written_or_it_is_refused(before, name, value, separator):
    text = "[program:api]\ncommand=x\n"
    try:
        for key, old in before:
            text = changed(text, SECTION, key, old)["text"]
    except CannotChange:
        pass
    text = text.replace(",", separator) if not any("," in old for _key, old in before) else text
    expected = environment_in(text)
    try:
        after = changed(text, SECTION, name, value)["text"]
    except CannotChange as refusal:
        assert value is not None, refusal
        assert set(value) & set("\"';#"), refusal
        return
    expected = {**expected, name: value}
    if value is None:
        del expected[name]
    assert environment_in(after) == expected


def environment_in(text):
    from supervisor.options import UnhosedConfigParser, expand

    parser = UnhosedConfigParser()
    parser.read_string(text)
    value = parser.saneget(SECTION, "environment", "", do_expand=False)
    return dict_of_key_value_pairs(expand(value, {}, "environment"))


# The module


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "conf.d" / "api.conf"
    path.parent.mkdir()
    line = 'environment=DATABASE_URL="postgres://app:s3cret@db/app?connection_limit=5",PG_POOL_MAX="25"'
    path.write_text(program(line))
    path.chmod(0o640)
    return path


def run(path, /, **params):
    return run_module("service_environment", path.parent.parent, **{"path": str(path), "section": SECTION, **params})


def test_the_module_changes_once(path):
    text = path.read_text()
    code, result = run(path, name="PG_POOL_MAX", value="1035")
    assert (code, result["changed"], result["was_set"]) == (0, True, True)
    assert path.read_text() == text.replace('"25"', '"1035"')
    assert "1035" not in json.dumps(result)
    code, result = run(path, name="PG_POOL_MAX", value="1035")
    assert (code, result["changed"], result["was_set"]) == (0, False, True)
    code, result = run(path, name="PG_POOL_MAX", state="absent")
    assert (code, result["changed"], result["was_set"]) == (0, True, True)
    code, result = run(path, name="PG_POOL_MAX", state="absent")
    assert (code, result["changed"], result["was_set"]) == (0, False, False)
    assert [entry.name for entry in path.parent.iterdir()] == ["api.conf"]


def test_the_module_sets_a_parameter_and_never_shows_the_url(path):
    text = path.read_text()
    code, result = run(path, name="DATABASE_URL", url_parameter="connection_limit", value="1035", diff=True)
    assert (code, result["changed"], result["was_set"]) == (0, True, True)
    assert path.read_text() == text.replace("connection_limit=5", "connection_limit=1035")
    assert "s3cret" not in json.dumps(result)
    assert "1035" not in json.dumps(result)


def test_check_mode_and_diff_show_names_only(path):
    text = path.read_text()
    code, result = run(path, name="PG_POOL_MAX", value="1035", check=True, diff=True)
    assert (code, result["changed"]) == (0, True)
    assert path.read_text() == text
    assert result["diff"] == {
        "before_header": str(path),
        "after_header": str(path),
        "before": "[program:api] environment\n  DATABASE_URL\n  PG_POOL_MAX\n",
        "after": "[program:api] environment\n  DATABASE_URL\n  PG_POOL_MAX (another value)\n",
    }
    code, result = run(path, name="NEW", value="1035", check=True, diff=True)
    assert result["diff"]["after"] == "[program:api] environment\n  DATABASE_URL\n  NEW\n  PG_POOL_MAX\n"
    code, result = run(path, name="PG_POOL_MAX", state="absent", check=True, diff=True)
    assert result["diff"]["after"] == "[program:api] environment\n  DATABASE_URL\n"
    code, result = run(path, name="PG_POOL_MAX", value="25", check=True, diff=True)
    assert result["diff"]["before"] == result["diff"]["after"]


def test_mode_owner_and_link_stay(path, tmp_path):
    if os.geteuid() == 0:
        os.chown(path, 12345, 23456)
    before = path.stat()
    link = tmp_path / "link.conf"
    link.symlink_to(path)
    code, _result = run(link, name="PG_POOL_MAX", value="35")
    after = path.stat()
    assert code == 0
    assert link.is_symlink()
    assert 'PG_POOL_MAX="35"' in path.read_text()
    assert (after.st_uid, after.st_gid, stat.S_IMODE(after.st_mode)) == (before.st_uid, before.st_gid, 0o640)
    assert after.st_ino != before.st_ino


def test_bytes_that_are_not_utf8_stay(path):
    path.write_bytes(b"; caf\xe9\r\n" + path.read_bytes())
    before = path.read_bytes()
    run(path, name="PG_POOL_MAX", value="35")
    assert path.read_bytes() == before.replace(b'"25"', b'"35"')


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"path": "/none/api.conf"}, "cannot set A in /none/api.conf: No such file or directory"),
        ({"path": "/"}, "cannot set A in /: Is a directory"),
        ({"section": "program:none"}, ": there is no section [program:none]"),
        ({"name": "A-B"}, ": name must be letters, digits and underscores"),
        ({"value": None}, "value is missing: with state=present it is required"),
        ({"url_parameter": ""}, "url_parameter is empty"),
        ({"format": "toml"}, "value of format must be one of: supervisor, dotenv, systemd, got: toml"),
        ({"name": "PG_POOL_MAX", "url_parameter": "x"}, "what PG_POOL_MAX holds in [program:api] is not a URL"),
    ],
)
def test_the_module_fails_with_one_line(path, params, message):
    before = path.read_text()
    code, result = run(path, **{"name": "A", "value": "qqq", **params})
    assert (code, result["failed"]) == (1, True)
    assert message in result["msg"]
    assert "\n" not in result["msg"]
    assert "s3cret" not in json.dumps(result)
    assert path.read_text() == before


def test_a_failed_write_leaves_the_file_and_no_other(path, monkeypatch):
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _descriptor: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space left"):
        put(str(path), b"new")
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["api.conf"]


def test_documented_options_are_the_options():
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    assert documented.keys() == module.ARGUMENT_SPEC.keys()
    for name, spec in module.ARGUMENT_SPEC.items():
        for key in ("type", "required", "default", "choices"):
            assert documented[name].get(key) == spec.get(key), (name, key)


def test_names_in_order():
    assert names(program('environment=B="1",A="2"'), SECTION) == ["B", "A"]
