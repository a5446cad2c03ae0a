# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that says what ``oncall serve`` listens to, whom it trusts and what each runbook may do."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import yaml

from .. import catalog
from ..errors import OncallError, UnknownRunbook

Mode = Literal["off", "suggest", "approve", "auto"]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping without unknown keys."""


class Route(Strict, frozen=True):
    """A runbook that alerts may run.

    Attributes:
        mode: ``off``, ``suggest`` (diagnose and publish the plan), ``approve`` (act when a person agrees) or ``auto``.
        alerts: names of alerts that mean this runbook, for those that do not name one themselves.
        approve_seconds: how long a person has to agree.
        timeout_seconds: after which a run is killed.
        max_not_helped: after so many remedies in a row on one host that did not help, ``auto`` asks a person there.
        variables: extra vars of the runs; Ansible trusts them as templates.
    """

    mode: Mode = "suggest"
    alerts: tuple[Name, ...] = ()
    approve_seconds: Seconds = 3600
    timeout_seconds: Seconds = 3600
    max_not_helped: Count = 2
    variables: dict[str, Any] = {}


class GroupLimit(Strict, frozen=True):
    """How much of a group may be remediated.

    Attributes:
        hosts_per_hour: so many different hosts.
        share_at_once: this part of its hosts at the same time, but always one.
    """

    hosts_per_hour: Count = 20
    share_at_once: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5


class Limits(Strict, frozen=True):
    """What bounds all of it, over all nodes.

    Attributes:
        running: runs at the same time.
        remedies_per_hour: runs that may act, begun within an hour.
        queued_notifications: above so many not yet sorted, notifications are refused with 503.
        groups: of the inventory; ``all`` is one.
    """

    running: Annotated[int, msgspec.Meta(ge=1, le=200)] = 4
    remedies_per_hour: Count = 60
    queued_notifications: Count = 10_000
    groups: dict[Name, GroupLimit] = msgspec.field(default_factory=lambda: {"all": GroupLimit()})


class Window(Strict, frozen=True):
    """A time in which nothing is run.

    Attributes:
        reason: for whoever asks why.
        begins_at, ends_at: RFC 3339, with a time zone.
        hosts: hosts or groups; none is all.
        runbooks: none is all.
    """

    reason: Name
    begins_at: datetime
    ends_at: datetime
    hosts: tuple[Name, ...] = ()
    runbooks: tuple[Name, ...] = ()


class Tls(Strict, frozen=True):
    """HTTPS. With ``client_ca``, only clients with a certificate of it are listened to."""

    certificate: Name
    key: Name
    client_ca: str = ""


class Alertmanager(Strict, frozen=True):
    """Where it is asked for silences before a remedy."""

    url: Name
    token_file: str = ""


class Awx(Strict, frozen=True):
    """AWX runs the playbooks: the job template that has the name of the runbook."""

    url: Name
    token_file: Name
    organization: str = ""
    ca: str = ""


class Settings(Strict, frozen=True):
    """The whole file. Paths in it are relative to its folder.

    Attributes:
        state_directory: for the databases of SQLite; 0700.
        database: ``postgresql://``, for several nodes that share the work; SQLite without.
        node: what this one is called among them.
        tokens_file: one token to a line; read again whenever it changes.
        watchdog_alert: an alert that always fires, and only shows that alerts still come.
        drain_seconds: how long runs in progress may take to end after SIGTERM.
        keep_days: how long what has ended is kept.
    """

    inventories: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    state_directory: Name
    runbooks: dict[Name, Route]
    listen: Name = "127.0.0.1:9095"
    database: str = ""
    node: str = msgspec.field(default_factory=socket.gethostname)
    tokens_file: str = ""
    tls: Tls | None = None
    runbook_label: Name = "runbook"
    host_label: Name = "instance"
    watchdog_alert: str = "Watchdog"
    limits: Limits = Limits()
    maintenance: tuple[Window, ...] = ()
    alertmanager: Alertmanager | None = None
    awx: Awx | None = None
    drain_seconds: Seconds = 300
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    keep_environment: tuple[Name, ...] = ()

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen."""
        parts = urlsplit(f"//{self.listen}")
        return parts.hostname or "", parts.port or 0


def load(path: Path) -> Settings:
    """Read the file; OncallError with the line where it is wrong."""
    file = path.expanduser().absolute()
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OncallError(f"cannot read the settings {file}: {getattr(error, 'strerror', '') or error}") from None
    return parse(text, file)


def parse(text: str, file: Path) -> Settings:
    """The settings in ``text``, which is the content of ``file``."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        data = _Loader("").construct_document(root) if root else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise OncallError(f"{file}:{mark.line + 1 if mark else 1}: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise OncallError(f"{file}:1: no YAML: {str(error).splitlines()[0]}") from None
    try:
        _check_entries(data)
        settings = msgspec.convert(data, Settings)
        settings = _absolute(settings, file.parent)
        _check(settings)
    except msgspec.ValidationError as error:
        raise OncallError(f"{file}:{_line(root, str(error))}: {error}") from None
    return settings


class _Loader(yaml.SafeLoader):
    """No key twice, no aliases: what is read is what stands there."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, f"the alias *{event.anchor}; write it out", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _value in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands here twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _check_entries(data: Any) -> None:
    """Entries that are found by their names, of which a message about the whole would not say which one it is."""
    for path, kind in (("runbooks", Route), ("limits.groups", GroupLimit)):
        entries = data
        for part in path.split("."):
            entries = entries.get(part) if isinstance(entries, dict) else None
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            try:
                msgspec.convert(entry, kind)
            except msgspec.ValidationError as error:
                what, _, where = str(error).partition(" - at `$")
                raise _wrong(what, f"{path}.{name}{where.rstrip('`')}") from None


def _line(root: Any, message: str) -> int:
    """The line of the deepest part of ``$.a[0].b`` that is there."""
    found = re.search(r" - at `(?:key in )?\$?([^`]*)`", message)
    node = root
    unknown = re.search(r"unknown field `([^`]*)`", message)
    path = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", found[1]) if found else []
    for name, number in [*path, *([(unknown[1], "")] if unknown else [])]:
        if isinstance(node, yaml.MappingNode):
            pairs = {key.value: (key, value) for key, value in node.value}
            if name not in pairs:
                break
            key, node = pairs[name]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and number and int(number) < len(node.value):
            node = node.value[int(number)]
            line = node.start_mark.line
        else:
            break
    else:
        return (line if path or unknown else 0) + 1
    return (node.start_mark.line if node else 0) + 1


def _absolute(settings: Settings, folder: Path) -> Settings:
    """The same, with paths that hold wherever the service is started."""

    def path(name: str) -> str:
        return str(folder / Path(name).expanduser()) if name else ""

    tls, alertmanager, awx = settings.tls, settings.alertmanager, settings.awx
    return msgspec.structs.replace(
        settings,
        inventories=tuple(name if name.endswith(",") else path(name) for name in settings.inventories),
        state_directory=path(settings.state_directory),
        tokens_file=path(settings.tokens_file),
        tls=tls and Tls(path(tls.certificate), path(tls.key), path(tls.client_ca)),
        alertmanager=alertmanager and Alertmanager(alertmanager.url, path(alertmanager.token_file)),
        awx=awx and msgspec.structs.replace(awx, token_file=path(awx.token_file), ca=path(awx.ca)),
    )


def _check(settings: Settings) -> None:
    """What no type says."""
    owners: dict[str, str] = {}
    for name, route in settings.runbooks.items():
        try:
            catalog.find(name)
        except UnknownRunbook as error:
            raise _wrong(str(error), f"runbooks.{name}") from None
        for alert in route.alerts:
            if owners.setdefault(alert, name) != name:
                raise _wrong(f"the alert {alert} is of {owners[alert]} already", f"runbooks.{name}.alerts")
    for index, window in enumerate(settings.maintenance):
        if window.begins_at.tzinfo is None or window.ends_at.tzinfo is None:
            raise _wrong("begins_at and ends_at need a time zone, as in 2026-01-01T02:00:00Z", f"maintenance[{index}]")
        if window.begins_at >= window.ends_at:
            raise _wrong("it ends before it begins", f"maintenance[{index}].ends_at")
    for name in ("alertmanager", "awx"):
        other = getattr(settings, name)
        if other and urlsplit(other.url).scheme not in ("http", "https"):
            raise _wrong(f"{other.url!r} is no http or https address", f"{name}.url")
    if settings.database and not settings.database.startswith("postgresql://"):
        raise _wrong("database has to begin with postgresql://; leave it out for SQLite", "database")
    _check_listen(settings)


def _check_listen(settings: Settings) -> None:
    try:
        host, port = settings.address
    except ValueError:
        host, port = "", 0
    if not host or not port:
        raise _wrong(f"{settings.listen!r} is no address and port, as 127.0.0.1:9095 or [::1]:9095", "listen")
    protected = settings.tokens_file or (settings.tls and settings.tls.client_ca)
    if not protected and not _is_loopback(host):
        raise _wrong(f"{host} can be reached from outside: name a tokens_file, or tls with a client_ca", "listen")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _wrong(what: str, where: str) -> msgspec.ValidationError:
    return msgspec.ValidationError(f"{what} - at `$.{where}`")


def secret(path: str) -> str:
    """The one line of a file with a secret."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OncallError(f"cannot read {path}: {getattr(error, 'strerror', '') or 'no text'}") from None


def describe_changes(old: Settings, new: Settings) -> Mapping[str, Any]:
    """What a reload cannot change: name -> what it stays."""
    fixed = ("listen", "state_directory", "database", "node", "tls")
    return {name: getattr(old, name) for name in fixed if getattr(old, name) != getattr(new, name)}
