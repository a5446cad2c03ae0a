# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one file that says what ``oncall serve`` listens to, whom it trusts and what each runbook may do."""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
import yaml

from .. import catalog
from ..errors import OncallError, UnknownRunbook

MOST_RUNNING = 200
Mode = Literal["off", "suggest", "approve", "auto"]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 86400)]
Count = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
# No file, no header and no column of text can have a NUL or a line break in it.
PLAIN = r"^[^\x00-\x1f\x7f]*\Z"
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=PLAIN)]
# A path or an address.
Place = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=PLAIN)]
Line = Annotated[str, msgspec.Meta(max_length=4096, pattern=PLAIN)]


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping without unknown keys."""


class Route(Strict, frozen=True):
    """A runbook that alerts may run.

    Attributes:
        mode: ``off``, ``suggest`` (diagnose and publish the plan), ``approve`` (act when a person agrees) or ``auto``.
        alerts: names of alerts that mean this runbook, for those that do not name one themselves.
        approve_seconds: how long a person has to agree.
        timeout_seconds: after which a run is killed.
        settle_seconds: how long another alert of the same incident may fire on after a remedy was proven, before it has a run.
        max_not_helped: after so many remedies in a row on one host that did not help, ``auto`` asks a person there.
        variables: extra vars of the runs; Ansible trusts them as templates.
    """

    mode: Mode = "suggest"
    alerts: tuple[Name, ...] = ()
    approve_seconds: Seconds = 3600
    timeout_seconds: Seconds = 3600
    # Alertmanager says that an alert is over within its group_interval, 5 minutes unless somebody changed it.
    settle_seconds: Seconds = 360
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

    running: Annotated[int, msgspec.Meta(ge=1, le=MOST_RUNNING)] = 4
    remedies_per_hour: Count = 60
    queued_notifications: Count = 10_000
    groups: dict[Name, GroupLimit] = msgspec.field(default_factory=lambda: {"all": GroupLimit()})


class Window(Strict, frozen=True):
    """A time in which nothing is run.

    Attributes:
        reason: `oncall episodes` shows it.
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

    certificate: Place
    key: Place
    client_ca: Line = ""


class Alertmanager(Strict, frozen=True):
    """Where it is asked for silences before a remedy."""

    url: Place
    token_file: Line = ""


class Awx(Strict, frozen=True):
    """AWX runs the playbooks: the job template that has the name of the runbook.

    Attributes:
        queue_seconds: how long a job may wait in AWX's queue; then it is canceled, and nothing ran.
    """

    url: Place
    token_file: Place
    organization: Line = ""
    ca: Line = ""
    queue_seconds: Seconds = 3600


class Incidents(Strict, frozen=True):
    """Alerts and runs become incidents: what belongs together comes together.

    Attributes:
        systems: name -> hosts and groups of the inventory; what is in none has the name that its alert says, or else its host's.
        system_label: of alerts, that names a system.
        watch_seconds: for so long one that was resolved is watched: the same again opens it again, and not another one.
        page: the address under which people reach the page of this service, for links in messages; none without.
    """

    systems: dict[Name, tuple[Name, ...]] = {}
    system_label: Line = "system"
    watch_seconds: Seconds = 1800
    page: Line = ""


RoleName = Literal["viewer", "responder", "admin"]


class Proxy(Strict, frozen=True):
    """A proxy that knows who somebody is, and says so in a header.

    Attributes:
        addresses: of it, as networks: only from there a header is believed.
        user_header: has the name of the person.
        groups_header: has the groups, with commas between; "" for none.
    """

    addresses: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    user_header: Name = "X-Forwarded-User"
    groups_header: Line = "X-Forwarded-Groups"


class OpenId(Strict, frozen=True):
    """An identity provider that speaks OpenID Connect.

    Attributes:
        issuer: its address; where it is described is found from there.
        client_secret_file: with the one line; "" for a public client.
        title: how the page names it.
        name_claim, groups_claim: of the token, that say who somebody is and in which groups.
    """

    issuer: Place
    client_id: Name
    client_secret_file: Line = ""
    title: Name = "single sign-on"
    scopes: tuple[Name, ...] = ("openid", "profile", "email")
    name_claim: Name = "preferred_username"
    groups_claim: Name = "groups"
    ca: Line = ""


class Page(Strict, frozen=True):
    """The page on which people see and decide.

    Attributes:
        address: under which people reach it, such as https://oncall.example.org; without, that of links in messages, or where it listens.
        roles: role -> names of people and groups, of those that a proxy or OpenID Connect names; ``*`` is everybody,
            ``person:NAME`` only a person and ``group:NAME`` only a group.
        session_minutes: after so long without a look somebody signs in again, and after ``session_hours`` in any case.
    """

    address: Line = ""
    proxy: Proxy | None = None
    openid: OpenId | None = None
    roles: dict[RoleName, tuple[Name, ...]] = {}
    session_minutes: Annotated[float, msgspec.Meta(ge=1, le=7 * 1440)] = 60
    session_hours: Annotated[float, msgspec.Meta(ge=0.1, le=7 * 24)] = 12

    @property
    def origin(self) -> str:
        """The address as a browser names where a request comes from."""
        parts = urlsplit(self.address)
        return f"{parts.scheme}://{parts.netloc}".lower() if self.address else ""


class Settings(Strict, frozen=True):
    """The whole file. Paths in it are relative to its folder.

    Attributes:
        state_directory: for the databases of SQLite; 0700.
        database: ``postgresql://``, for several nodes that share the work; SQLite without.
        node: what this one is called among them.
        lease_seconds: a node that was not heard of for so long is gone, and the others take over what it left.
        tokens_file: a TOKEN to a line, or TOKEN ROLE NAME; read again whenever it changes.
        executor: who plays: ansible-runner here, or AWX.
        watchdog_alert: an alert that always fires, and only shows that alerts still come.
        drain_seconds: how long runs in progress may take to end after SIGTERM.
        keep_days: how long what has ended is kept; incidents stay.
        incidents: keeps them of what alerts lead to.
        page: shows all of it to people; none without.
    """

    inventories: Annotated[tuple[Place, ...], msgspec.Meta(min_length=1)]
    state_directory: Place
    runbooks: dict[Name, Route]
    listen: Name = "127.0.0.1:9095"
    database: Line = ""
    node: Name = msgspec.field(default_factory=socket.gethostname)
    lease_seconds: Annotated[float, msgspec.Meta(ge=5, le=600)] = 30
    tokens_file: Line = ""
    tls: Tls | None = None
    runbook_label: Name = "runbook"
    host_label: Name = "instance"
    watchdog_alert: Line = "Watchdog"
    limits: Limits = Limits()
    maintenance: tuple[Window, ...] = ()
    alertmanager: Alertmanager | None = None
    executor: Literal["local", "awx"] = "local"
    awx: Awx | None = None
    drain_seconds: Seconds = 300
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    keep_environment: tuple[Name, ...] = ()
    incidents: Incidents | None = None
    page: Page | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where to listen."""
        parts = urlsplit(f"//{self.listen}")
        return parts.hostname or "", parts.port or 0


def load(path: Path) -> Settings:
    """Read the file; OncallError with the line where it is wrong."""
    try:
        file = path.expanduser().absolute()
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise _problem(file, error.object.count(b"\n", 0, error.start) + 1, "this is not UTF-8") from None
    except (OSError, RuntimeError) as error:
        raise OncallError(f"cannot read the settings {path}: {getattr(error, 'strerror', '') or error}") from None
    return parse(text, file)


def parse(text: str, file: Path) -> Settings:
    """The settings in ``text``, which is the content of ``file``."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        data = _Loader("").construct_document(root) if root else {}
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _problem(file, mark.line + 1 if mark else 1, error.problem or error.context) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _problem(file, line, f"no YAML: the character #x{error.character:04x}") from None
    except RecursionError:
        raise _problem(file, 1, "no YAML: it is nested too deeply") from None
    try:
        _check_entries(data)
        settings = msgspec.convert(data, Settings)
        settings = _absolute(settings, file.parent)
        _check(settings)
    except msgspec.ValidationError as error:
        raise _problem(file, _line(root, str(error)), error) from None
    return settings


def problem_at(file: Path, where: str, what: str) -> OncallError:
    """A fault of the settings that only the inventory shows, with its line in the file."""
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=_Loader)
        return _problem(file, _line(root, str(_wrong(what, where))), f"{where}: {what}")
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        # It was changed meanwhile.
        return OncallError(f"{file}: {where}: {what}")


def _problem(file: Path, line: int, what: object) -> OncallError:
    return OncallError(f"{file}:{line}: {' '.join(str(what).split())}")


class _Loader(yaml.SafeLoader):
    """No key twice, no aliases: what the file shows is what is read."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()
            raise yaml.composer.ComposerError(None, None, f"the alias *{event.anchor}; write it out", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        # The loader below reports a value that claims to be a mapping and is none (`!!map [a]`).
        for key, _value in node.value if isinstance(node, yaml.MappingNode) else ():
            if key.tag != "tag:yaml.org,2002:str":
                what = (
                    f"the key {key.value} is no text; put it in quotes"
                    if key.id == "scalar"
                    else "a key has to be text"
                )
                raise yaml.constructor.ConstructorError(None, None, what, key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} is given twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            # 2026-13-01 is no day; it would be said without its line.
            what = f"{node.value!r:.100} is not what {node.tag.rpartition(':')[2]} can be"
            raise yaml.constructor.ConstructorError(None, None, what, node.start_mark) from None


def _check_entries(data: Any) -> None:
    """Entries that are found by their names, of which a message about the whole would not say which one it is."""
    for path, kind in (("runbooks", Route), ("limits.groups", GroupLimit)):
        entries = data
        for part in path.split("."):
            entries = entries.get(part) if isinstance(entries, dict) else None
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if kind is Route and isinstance(entry, dict) and entry.get("mode") is False:
                # What YAML makes of off.
                entry["mode"] = "off"
            try:
                msgspec.convert(entry, kind)
            except msgspec.ValidationError as error:
                what, _, where = str(error).partition(" - at `$")
                raise _wrong(what, f"{path}.{name}{where.rstrip('`')}") from None


def _line(root: Any, message: str) -> int:
    """The line of the deepest part of ``$.a[0].b`` that is there."""
    found = re.search(r" - at `(?:key(?:` in `| in ))?\$?(.*)`", message)
    unknown = re.search(r"unknown field `([^`]*)`", message)
    path = (found[1] if found else "") + (f".{unknown[1]}" if unknown else "")
    node, line = root, 0
    while path:
        if isinstance(node, yaml.MappingNode):
            # A name may have dots in it.
            fits = [pair for pair in node.value if re.match(rf"\.{re.escape(pair[0].value)}(?=[.\[]|$)", path)]
            if not fits:
                break
            key, node = max(fits, key=lambda pair: len(pair[0].value))
            line, path = key.start_mark.line, path[len(key.value) + 1 :]
        else:
            number = re.match(r"\[(\d+)\]", path)
            if not isinstance(node, yaml.SequenceNode) or not number or int(number[1]) >= len(node.value):
                break
            node = node.value[int(number[1])]
            line, path = node.start_mark.line, path[number.end() :]
    return int(line) + 1


def _absolute(settings: Settings, folder: Path) -> Settings:
    """The same, with paths that hold wherever the service is started."""

    def path(where: str, name: str) -> str:
        try:
            return str(folder / Path(name).expanduser()) if name else ""
        except RuntimeError:
            raise _wrong(f"nobody has the home {name.partition('/')[0]}", where) from None

    def paths(where: str, part: Any, *names: str) -> Any:
        changed = {name: path(f"{where}.{name}", getattr(part, name)) for name in names}
        return msgspec.structs.replace(part, **changed)

    tls, alertmanager, awx, page = settings.tls, settings.alertmanager, settings.awx, settings.page
    if page is not None:
        openid = page.openid and paths("page.openid", page.openid, "client_secret_file", "ca")
        address = page.address or (settings.incidents.page if settings.incidents else "")
        page = msgspec.structs.replace(page, openid=openid, address=address)
    return msgspec.structs.replace(
        settings,
        inventories=tuple(
            name if name.endswith(",") else path(f"inventories[{index}]", name)
            for index, name in enumerate(settings.inventories)
        ),
        state_directory=path("state_directory", settings.state_directory),
        tokens_file=path("tokens_file", settings.tokens_file),
        tls=tls and paths("tls", tls, "certificate", "key", "client_ca"),
        alertmanager=alertmanager and paths("alertmanager", alertmanager, "token_file"),
        awx=awx and paths("awx", awx, "token_file", "ca"),
        page=page,
    )


def _check(settings: Settings) -> None:
    """What no type says."""
    owners: dict[str, str] = {}
    for name, route in settings.runbooks.items():
        _check_runbook(name, f"runbooks.{name}")
        try:
            json.dumps(route.variables, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise _wrong(f"{error}; put it in quotes", f"runbooks.{name}.variables") from None
        try:
            catalog.check_variables(route.variables)
        except OncallError as error:
            raise _wrong(str(error), f"runbooks.{name}.variables") from None
        for alert in route.alerts:
            if owners.setdefault(alert, name) != name:
                raise _wrong(f"the alert {alert} is of {owners[alert]} already", f"runbooks.{name}.alerts")
    for index, window in enumerate(settings.maintenance):
        if window.begins_at.tzinfo is None or window.ends_at.tzinfo is None:
            raise _wrong("begins_at and ends_at need a time zone, as in 2026-01-01T02:00:00Z", f"maintenance[{index}]")
        if window.begins_at >= window.ends_at:
            raise _wrong("it ends before it begins", f"maintenance[{index}].ends_at")
        # Of a name that is nobody's, the window would never be one.
        for number, name in enumerate(window.runbooks):
            _check_runbook(name, f"maintenance[{index}].runbooks[{number}]")
    for name in ("alertmanager", "awx"):
        other = getattr(settings, name)
        if other and not _is_url(other.url, "http", "https"):
            raise _wrong(f"{other.url!r} is no http or https address", f"{name}.url")
        if other and "@" in urlsplit(other.url).netloc:
            # Not shown, as the page and the log would show it.
            raise _wrong("no name and no password belong in the address; a token stands in token_file", f"{name}.url")
    if settings.database and not _is_url(settings.database, "postgresql"):
        # Not shown: it may have a password in it.
        raise _wrong("database has to be a postgresql:// address; leave it out for SQLite", "database")
    if settings.executor == "awx" and settings.awx is None:
        raise _wrong("AWX is to play; say where it is: awx: {url: ..., token_file: ...}", "executor")
    if settings.executor == "local" and settings.awx is not None:
        raise _wrong("AWX is named, and does not play; say executor: awx, or leave awx out", "awx")
    _check_listen(settings)
    if settings.page is not None:
        _check_page(settings, settings.page)


def _check_page(settings: Settings, page: Page) -> None:
    """Nobody signs in where others can listen, and somebody can."""
    parts = urlsplit(page.address) if _is_url(page.address, "http", "https") else None
    if page.address and (
        parts is None or parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    ):
        raise _wrong(f"{page.address!r} is no address of a page, as https://oncall.example.org", "page.address")
    if parts and parts.scheme == "http" and not _is_loopback(parts.hostname or ""):
        raise _wrong("people sign in there: it has to be https, or this machine", "page.address")
    if settings.tls is None and not _is_loopback(settings.address[0]):
        raise _wrong(
            f"people sign in on it, and {settings.address[0]} can be reached from outside: give tls, or listen on 127.0.0.1 behind a"
            " proxy that has it",
            "page",
        )
    if not (settings.tokens_file or page.proxy or page.openid):
        raise _wrong("nobody can sign in: name a tokens_file, a proxy or openid", "page")
    for index, network in enumerate(page.proxy.addresses if page.proxy else ()):
        try:
            ipaddress.ip_network(network)
        except ValueError:
            raise _wrong(f"{network!r} is no network, as 10.0.0.0/24", f"page.proxy.addresses[{index}]") from None
    if (page.proxy or page.openid) and not page.roles:
        raise _wrong("say who may do what: roles: {responder: [a group or a person]}", "page.roles")
    if openid := page.openid:
        issuer = urlsplit(openid.issuer) if _is_url(openid.issuer, "http", "https") else None
        if issuer is None or (issuer.scheme == "http" and not _is_loopback(issuer.hostname or "")):
            raise _wrong(f"{openid.issuer!r} is no https address", "page.openid.issuer")
        if "@" in issuer.netloc:
            raise _wrong("no name and no password belong in the address", "page.openid.issuer")
        if "openid" not in openid.scopes:
            raise _wrong("the scope openid has to be among them", "page.openid.scopes")


def _check_runbook(name: str, where: str) -> None:
    try:
        catalog.find(name)
    except UnknownRunbook as error:
        raise _wrong(str(error), where) from None


def _is_url(text: str, *schemes: str) -> bool:
    try:
        parts = urlsplit(text)
        # PostgreSQL's may name no host, which is this machine.
        return parts.scheme in schemes and bool(parts.hostname or schemes == ("postgresql",)) and parts.port != 0
    except ValueError:
        return False


def _check_listen(settings: Settings) -> None:
    try:
        host, port = settings.address
    except ValueError:
        host, port = "", 0
    if not host or not port or re.search(r"[/?#@\s]", settings.listen):
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
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise OncallError(f"cannot read {path}: {getattr(error, 'strerror', '') or 'no text'}") from None
    # Anything else would be no header, and shown in the message that says so.
    if not re.fullmatch(r"[!-~]+", text):
        raise OncallError(f"{path} has to hold one token, in ASCII, on one line")
    return text


def not_reloaded(old: Settings, new: Settings) -> list[str]:
    """The names of what has changed and holds only after the next start."""
    fixed = ("listen", "state_directory", "database", "node", "tokens_file", "tls", "page")
    return [name for name in fixed if getattr(old, name) != getattr(new, name)]
