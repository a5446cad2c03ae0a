# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was broken in the foreign stack, and what a person who knows such stacks would say; written before any of it was tried."""

from __future__ import annotations

import bz2
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from foreign_stack import POOL, REPLICAS, Foreign

from ansible_collections.oncall.runbooks.tests.support.debian_programs import left_out
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import postgres_programs, until
from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued
from lab.rights import Right, right


@dataclass(frozen=True)
class Case:
    """A breakage, what an expert says of it, and what is right for each runbook that meets it."""

    name: str
    breaks: Callable[[Foreign], AbstractContextManager[None]]
    expert: str
    rights: dict[str, Right]
    variables: dict[str, Any] = field(default_factory=dict)
    # Of tests/coverage.yml.
    covers: tuple[str, ...] = ()

    def settings(self, shop: Foreign) -> dict[str, Any]:
        """Its variables, with the ports of a stack where they name a program."""
        return {name: _filled(value, shop) for name, value in self.variables.items()}


def _filled(value: Any, shop: Foreign) -> Any:
    if isinstance(value, dict):
        return {key: _filled(one, shop) for key, one in value.items()}
    if isinstance(value, str):
        for name, port in shop.port.items():
            if value == f"{{{name}}}":
                return port
            value = value.replace(f"{{{name}}}", str(port))
    return value


# What is broken, and how.


@contextmanager
def replica_stands_still(shop: Foreign) -> Iterator[None]:
    with shop.stopped(shop.pid("ledger-api-2")):
        yield


@contextmanager
def _restarted(shop: Foreign, *names: str) -> Iterator[None]:
    try:
        yield
    finally:
        for name in names:
            # One that starts as wrong as it was takes connections for what comes next.
            if name in REPLICAS:
                shop.wrong(1 + REPLICAS.index(name))
            shop.restart(name)


@contextmanager
def leak_in_one(shop: Foreign) -> Iterator[None]:
    with _restarted(shop, "ledger-api-1"):
        shop.wrong(1, keeps="closed")
        until(lambda: shop.gauge(1, "hikaricp_connections_active") == POOL)
        until(lambda: shop.gauge(1, "hikaricp_connections_pending") > 2)
        time.sleep(3)  # so that they have been unused for db_pool_unused_seconds
        yield


@contextmanager
def open_transactions_in_one(shop: Foreign) -> Iterator[None]:
    with _restarted(shop, "ledger-api-1"):
        shop.wrong(1, keeps="open")
        until(lambda: shop.gauge(1, "hikaricp_connections_active") == POOL)
        until(
            lambda: (
                shop.sql(
                    "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND now() - state_change > '2 s'"
                )[0][0]
                >= POOL
            ),
            told=lambda: str(shop.sql("SELECT pid, usename, state, now() - state_change FROM pg_stat_activity")),
        )
        yield


@contextmanager
def _bouncer(shop: Foreign, **changes: object) -> Iterator[None]:
    """PgBouncer with other settings."""
    shop.write_bouncer(**changes)
    shop.restart("turnstile")
    try:
        yield
    finally:
        shop.write_bouncer()
        shop.restart("turnstile")


@contextmanager
def bouncer_with_one_connection(shop: Foreign) -> Iterator[None]:
    with _bouncer(shop, default_pool_size=1):
        for number in (1, 2):
            shop.wrong(number, slow_statement=0.3)
        until(lambda: all(shop.gauge(number, "hikaricp_connections_pending") > 2 for number in (1, 2)))
        yield


@contextmanager
def bouncer_paused(shop: Foreign) -> Iterator[None]:
    shop.console("PAUSE ledgerbook")
    try:
        until(lambda: all(shop.gauge(number, "hikaricp_connections_pending") > 2 for number in (1, 2)))
        yield
    finally:
        shop.console("RESUME ledgerbook")


@contextmanager
def bouncer_stands_still(shop: Foreign) -> Iterator[None]:
    """It stops between transactions: in the midst of one, that is idle in transaction too, and a second thing to name."""
    pid = shop.pid("turnstile")
    in_the_midst = (
        "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND backend_type = 'client backend' "
        "AND pid <> pg_backend_pid()"
    )

    def stops() -> bool:
        os.kill(pid, signal.SIGSTOP)
        if shop.sql(in_the_midst)[0][0]:
            os.kill(pid, signal.SIGCONT)
            return False
        return True

    until(stops)
    with shop.stopped(pid):
        until(lambda: all(shop.gauge(number, "hikaricp_connections_pending") > 2 for number in (1, 2)))
        yield


@contextmanager
def bouncer_to_nowhere(shop: Foreign) -> Iterator[None]:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with _bouncer(shop, upstream=nobody.getsockname()[1]):
            until(lambda: all(_errors(shop, number) for number in (1, 2)))
            yield


def _errors(shop: Foreign, number: int) -> float:
    """How many answers of a replica to users were errors of its own."""
    return sum(
        value
        for name, value in shop.numbers(number).items()
        if name.startswith("http_server_requests_seconds_count") and "SERVER_ERROR" in name and "actuator" not in name
    )


@contextmanager
def _replica(shop: Foreign, number: int, port: int = 0, wait: bool = True, **changes: object) -> Iterator[None]:
    """A replica with another environment."""
    shop.write_replica(number, port, **changes)
    shop.reread("ledger-api", wait)
    try:
        yield
    finally:
        shop.write_replica(number)
        shop.reread("ledger-api")


@contextmanager
def wrong_password_in_one(shop: Foreign) -> Iterator[None]:
    with _replica(shop, 2, LEDGER_DATABASE=shop.database_url("guess")):
        until(lambda: _errors(shop, 2) > 20)
        yield


@contextmanager
def _role(shop: Foreign, set_: str, back: str) -> Iterator[None]:
    shop.sql(f"ALTER ROLE ledger {set_}")
    shop.restart("turnstile")
    try:
        yield
    finally:
        shop.sql(f"ALTER ROLE ledger {back}")
        shop.restart("turnstile")


@contextmanager
def role_with_one_connection(shop: Foreign) -> Iterator[None]:
    with _role(shop, "CONNECTION LIMIT 1", "CONNECTION LIMIT -1"):
        for number in (1, 2):
            shop.wrong(number, slow_statement=0.3)
        until(lambda: all(shop.gauge(number, "hikaricp_connections_pending") > 2 for number in (1, 2)))
        yield


@contextmanager
def alter_table_behind_a_select(shop: Foreign) -> Iterator[None]:
    with contextlib.ExitStack() as open_:
        reader = open_.enter_context(contextlib.closing(shop.session("nightly-audit")))
        reader.pgconn.send_query(b"SELECT count(*), pg_sleep(600) FROM accounts")
        reader.pgconn.flush()
        until(
            lambda: shop.sql(
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'nightly-audit' AND wait_event = 'PgSleep'"
            )
        )
        change = open_.enter_context(contextlib.closing(shop.session("migration-42")))
        change.pgconn.send_query(b"ALTER TABLE accounts ADD COLUMN currency text")
        change.pgconn.flush()
        try:
            until(lambda: all(shop.gauge(number, "hikaricp_connections_pending") > 2 for number in (1, 2)))
            _blocked_for(shop, 2)
            yield
        finally:
            shop.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name IN ('nightly-audit', 'migration-42')"
            )


def _blocked_for(shop: Foreign, seconds: float) -> None:
    until(
        lambda: shop.sql(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'ledger%' "
            f"AND now() - query_start > '{seconds} s'"
        )
    )


@contextmanager
def prepared_transaction(shop: Foreign) -> Iterator[None]:
    with contextlib.closing(shop.session("settlement", autocommit=False)) as session:
        session.execute("LOCK TABLE accounts")
        session.execute("PREPARE TRANSACTION 'settlement-7'")
    try:
        until(lambda: all(shop.gauge(number, "hikaricp_connections_pending") > 2 for number in (1, 2)))
        _blocked_for(shop, 2)
        yield
    finally:
        with contextlib.closing(shop.session("settlement")) as session:
            session.execute("ROLLBACK PREPARED 'settlement-7'")


@contextmanager
def small_disk_full(shop: Foreign) -> Iterator[None]:
    with _mounted(shop, "size=4m") as spool:
        with contextlib.suppress(OSError), (spool / "receipts.csv").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 65536)
        yield


@contextmanager
def no_inodes(shop: Foreign) -> Iterator[None]:
    with _mounted(shop, "size=4m,nr_inodes=60") as spool:
        with contextlib.suppress(OSError):
            for number in range(100):
                (spool / f"session-{number}").touch()
        yield


@contextmanager
def _mounted(shop: Foreign, options: str) -> Iterator[Path]:
    if os.geteuid() != 0:
        left_out("only root mounts a filesystem")
    spool = shop.home / "spool"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "spool", str(spool)], check=True, timeout=30)
    try:
        yield spool
    finally:
        subprocess.run(["umount", "--lazy", str(spool)], check=True, timeout=30)


@contextmanager
def _larder(shop: Foreign, **settings: object) -> Iterator[None]:
    with contextlib.closing(shop.cache()) as client:
        before = {name: client.config_get(name.replace("_", "-")) for name in settings}
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)
        try:
            yield
        finally:
            for values in before.values():
                for name, value in values.items():
                    client.config_set(name, value)


@contextmanager
def larder_full(shop: Foreign) -> Iterator[None]:
    with contextlib.closing(shop.cache()) as client, _larder(shop, maxmemory_policy="noeviction"):
        client.flushall()
        client.set("big", b"x" * 4_000_000)
        client.config_set("maxmemory", 3_000_000)
        try:
            until(lambda: shop.gauge(1, "ledger_cache_failures_total") > 2)
            yield
        finally:
            client.config_set("maxmemory", "64mb")
            client.delete("big")


@contextmanager
def larder_is_a_replica(shop: Foreign) -> Iterator[None]:
    with contextlib.closing(shop.cache()) as client:
        client.flushall()
        client.execute_command("REPLICAOF", "127.0.0.1", 1)
        try:
            until(lambda: shop.gauge(1, "ledger_cache_failures_total") > 2)
            yield
        finally:
            client.execute_command("REPLICAOF", "NO", "ONE")


@contextmanager
def larder_clients_paused(shop: Foreign) -> Iterator[None]:
    with contextlib.closing(shop.cache()) as client:
        client.execute_command("CLIENT", "PAUSE", 600_000, "WRITE")
        try:
            client.connection_pool.disconnect()
            yield
        finally:
            client.execute_command("CLIENT", "UNPAUSE")


@contextmanager
def larder_wants_a_password(shop: Foreign) -> Iterator[None]:
    with contextlib.closing(shop.cache()) as client:
        client.config_set("requirepass", "jam")
        try:
            yield
        finally:
            client.config_set("requirepass", "")


@contextmanager
def larder_stands_still(shop: Foreign) -> Iterator[None]:
    with shop.stopped(shop.pid("larder")):
        until(lambda: shop.gauge(1, "ledger_cache_failures_total") > 2)
        yield


@contextmanager
def larder_address_wrong_in_one(shop: Foreign) -> Iterator[None]:
    with _replica(shop, 2, LEDGER_CACHE="redis://127.0.0.1:1/0"):
        until(lambda: shop.gauge(2, "ledger_cache_failures_total") > 5)
        yield


@contextmanager
def statement_timeout(shop: Foreign) -> Iterator[None]:
    with _role(shop, "SET statement_timeout = '1 ms'", "RESET statement_timeout"):
        for number in (1, 2):
            shop.wrong(number, slow_statement=0.01)
        until(lambda: all(_errors(shop, number) > 20 for number in (1, 2)))
        yield


@contextmanager
def database_read_only(shop: Foreign) -> Iterator[None]:
    shop.sql("ALTER DATABASE ledgerbook SET default_transaction_read_only = on")
    shop.restart("turnstile")
    try:
        until(lambda: all(_errors(shop, number) > 10 for number in (1, 2)))
        yield
    finally:
        shop.sql(
            "SET default_transaction_read_only = off; ALTER DATABASE ledgerbook RESET default_transaction_read_only",
            "postgres",
        )
        shop.restart("turnstile")


@contextmanager
def postmaster_stands_still(shop: Foreign) -> Iterator[None]:
    pid = int((shop.home / "pg" / "data" / "postmaster.pid").read_text().split()[0])
    with shop.stopped(pid):
        yield


@contextmanager
def database_stopped(shop: Foreign) -> Iterator[None]:
    subprocess.run(shop.postgres_command("stop"), check=True, timeout=60, stdout=subprocess.DEVNULL, cwd="/")
    try:
        until(lambda: _errors(shop, 1) > 5)
        yield
    finally:
        if subprocess.run(shop.postgres_command("status"), check=False).returncode:
            subprocess.run(shop.postgres_command("start"), check=True, timeout=60, stdout=subprocess.DEVNULL, cwd="/")


def shows(
    *names: str, days: float = 90, begins: float = -30, whole: bool = True, above: float = 0
) -> Callable[[Foreign], AbstractContextManager[None]]:
    """The shopfront shows another certificate."""

    @contextmanager
    def breaks(shop: Foreign) -> Iterator[None]:
        by = Issued(above, "Corner Shop Intermediate", by=shop.authority.by) if above else shop.authority
        shop.show(Issued(days, *(names or ("shop.example",)), begins=begins, by=by))
        if not whole:
            parts = (shop.home / "shopfront.pem").read_text().split("-----BEGIN CERTIFICATE-----")
            (shop.home / "shopfront.pem").write_text("-----BEGIN CERTIFICATE-----".join(parts[:2]))
        shop.restart("shopfront")
        try:
            yield
        finally:
            shop.show(Issued(90, "shop.example", by=shop.authority))
            shop.restart("shopfront")

    return breaks


def code(*replicas: int, until_errors: bool = False, **how: Any) -> Callable[[Foreign], AbstractContextManager[None]]:
    """The code of these replicas is wrong."""

    @contextmanager
    def breaks(shop: Foreign) -> Iterator[None]:
        before = {number: _errors(shop, number) for number in replicas}
        for number in replicas:
            shop.wrong(number, **how)
        try:
            if until_errors:
                until(lambda: all(_errors(shop, number) > before[number] + 3 for number in replicas))
            yield
        finally:
            for number in replicas:
                shop.wrong(number)

    return breaks


@contextmanager
def strangers(shop: Foreign) -> Iterator[None]:
    shop.visitors(strangers=0.9)
    until(
        lambda: (
            shop.gauge(1, 'http_server_requests_seconds_count{exception="none",method="GET",outcome="CLIENT_ERROR"')
            > 30
        )
    )
    try:
        yield
    finally:
        shop.visitors()


@contextmanager
def night(shop: Foreign) -> Iterator[None]:
    shop.visitors(rate=0)
    try:
        until(lambda: shop.gauge(1, "http_server_requests_active") == 1)
        time.sleep(1)
        yield
    finally:
        shop.visitors()


def provider(**how: Any) -> Callable[[Foreign], AbstractContextManager[None]]:
    @contextmanager
    def breaks(shop: Foreign) -> Iterator[None]:
        shop.rates(**how)
        try:
            time.sleep(how.get("seconds", 0) + 1)
            yield
        finally:
            shop.rates()

    return breaks


@contextmanager
def replica_on_another_port(shop: Foreign) -> Iterator[None]:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 0))
        with _replica(shop, 2, other.getsockname()[1]):
            time.sleep(3)
            yield


@contextmanager
def stranger_on_the_port(shop: Foreign) -> Iterator[None]:
    shop.rpc("stopProcess", "ledger-api:ledger-api-2")
    listen = "import socket, sys, time; kept = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(3000)"
    other = subprocess.Popen([sys.executable, "-c", listen, str(shop.port["ledger-2"])])
    try:
        until(lambda: _listens(other.pid))
        with contextlib.suppress(Exception):
            shop.rpc("startProcess", "ledger-api:ledger-api-2", False)
        # As of a variable that is missing.
        shop.ends("ledger-api-2", 3)
        yield
    finally:
        other.kill()
        other.wait()
        shop.restart("ledger-api-2")


def _listens(pid: int) -> bool:
    return any(one.status == "LISTEN" for one in psutil.Process(pid).net_connections())


@contextmanager
def worker_does_nothing(shop: Foreign) -> Iterator[None]:
    (shop.home / "still").touch()
    try:
        time.sleep(4)
        yield
    finally:
        (shop.home / "still").unlink()


@contextmanager
def worker_stands_still(shop: Foreign) -> Iterator[None]:
    with shop.stopped(shop.pid("postman")):
        yield


def worker_ends(statement: str, **settings: str) -> Callable[[Foreign], AbstractContextManager[None]]:
    """Instead of the worker a program that ends every second."""

    @contextmanager
    def breaks(shop: Foreign) -> Iterator[None]:
        kept = (shop.home / "conf.d" / "postman.conf").read_text()
        (shop.home / "postman.py").write_text(statement)
        shop.write_program("postman", f"{sys.executable} {shop.home}/postman.py")
        try:
            shop.reread("postman", wait=False)
            shop.ends("postman", 4)
            yield
        finally:
            (shop.home / "conf.d" / "postman.conf").write_text(kept)
            shop.reread("postman")

    return breaks


@contextmanager
def variable_missing_in_one(shop: Foreign) -> Iterator[None]:
    shop.write_replica(2, without="LEDGER_CACHE")
    shop.reread("ledger-api", wait=False)
    try:
        # Fewer are no loop where its imports take longer than supervisord waits before it says that it runs.
        shop.ends("ledger-api-2", 3)
        yield
    finally:
        shop.write_replica(2)
        shop.reread("ledger-api")


@contextmanager
def replica_killed_again_and_again(shop: Foreign) -> Iterator[None]:
    for _ in range(4):
        pid = shop.pid("ledger-api-2")
        psutil.Process(pid).send_signal(signal.SIGKILL)
        until(lambda pid=pid: shop.state("ledger-api-2") == "RUNNING" and shop.pid("ledger-api-2") != pid)
    yield


@contextmanager
def killed_after_a_variable_was_missing(shop: Foreign) -> Iterator[None]:
    """The variable is back, and the replica has served since; its log still has the lines."""
    with variable_missing_in_one(shop):
        pass
    until(lambda: shop.gauge(2, "http_server_requests_seconds_count") > 50)
    with replica_killed_again_and_again(shop):
        yield


@contextmanager
def changed_by_hand(shop: Foreign) -> Iterator[None]:
    (shop.checkout / "ledger.txt").write_text("a quick fix\n")
    try:
        yield
    finally:
        shop.git("checkout", "-q", ".")


@contextmanager
def nothing(_shop: Foreign) -> Iterator[None]:
    yield


def both(
    *breaks: Callable[[Foreign], AbstractContextManager[None]],
) -> Callable[[Foreign], AbstractContextManager[None]]:
    @contextmanager
    def all_of_them(shop: Foreign) -> Iterator[None]:
        with contextlib.ExitStack() as broken:
            for one in breaks:
                broken.enter_context(one(shop))
            yield

    return all_of_them


@contextmanager
def larder_stopped(shop: Foreign) -> Iterator[None]:
    shop.rpc("stopProcess", "larder")
    try:
        until(lambda: shop.gauge(1, "ledger_cache_failures_total") > 2)
        yield
    finally:
        shop.rpc("startProcess", "larder")


@contextmanager
def replica_on_ipv6_only(shop: Foreign) -> Iterator[None]:
    with _replica(shop, 2, LEDGER_HOST="::1"):
        time.sleep(3)
        yield


@contextmanager
def manager_stands_still(shop: Foreign) -> Iterator[None]:
    assert shop.manager is not None
    with shop.stopped(shop.manager.pid):
        yield


@contextmanager
def strange_sessions(shop: Foreign) -> Iterator[None]:
    """Another application takes every connection that is left, and does nothing with them."""
    with contextlib.ExitStack() as open_:
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                open_.enter_context(contextlib.closing(shop.session("cron-export", "postman")))
        yield


@contextmanager
def shopfront_stands_still(shop: Foreign) -> Iterator[None]:
    with shop.stopped(shop.pid("shopfront")):
        yield


@contextmanager
def rows_locked_by_backoffice(shop: Foreign) -> Iterator[None]:
    with contextlib.closing(shop.session("backoffice", autocommit=False)) as session:
        session.execute("UPDATE accounts SET balance = balance")
        session.execute("LOCK TABLE accounts")
        until(lambda: all(shop.gauge(number, "hikaricp_connections_pending") > 2 for number in (1, 2)))
        _blocked_for(shop, 2)
        yield
        session.rollback()


@contextmanager
def _version(shop: Foreign, version: int, dirty: bool = False) -> Iterator[None]:
    """The table of the migrations says so."""
    shop.sql(f"UPDATE schema_migrations SET version = {version}, dirty = {dirty}")
    try:
        yield
    finally:
        shop.sql("UPDATE schema_migrations SET version = 2, dirty = false")


@contextmanager
def migration_died(shop: Foreign) -> Iterator[None]:
    with _version(shop, 2, dirty=True):
        yield


@contextmanager
def older_release(shop: Foreign) -> Iterator[None]:
    with _version(shop, 3):
        yield


@contextmanager
def migration_behind_a_report(shop: Foreign) -> Iterator[None]:
    shop.migration("000003_notes").write_text("ALTER TABLE receipts ADD note text;\n")
    try:
        with contextlib.closing(shop.session("yearly-report", autocommit=False)) as session:
            session.execute("SELECT count(*) FROM receipts")
            time.sleep(2)
            yield
            session.rollback()
    finally:
        shop.migration("000003_notes").unlink()


@contextmanager
def unreadable_migrations(shop: Foreign) -> Iterator[None]:
    folder = shop.migration("000003_notes").parent
    folder.rename(folder.with_name("elsewhere"))
    try:
        yield
    finally:
        folder.with_name("elsewhere").rename(folder)


@contextmanager
def larder_evicts(shop: Foreign) -> Iterator[None]:
    with contextlib.closing(shop.cache()) as client:
        client.flushall()
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + 300_000)
        filler = subprocess.Popen([sys.executable, "-c", FILLER, str(shop.port["larder"])])
        try:
            until(lambda: int(client.info("stats")["evicted_keys"]) > 100)
            yield
        finally:
            filler.kill()
            filler.wait()
            client.config_set("maxmemory", "64mb")
            client.flushall()


FILLER = """
import itertools, redis, sys, time
client = redis.Redis(port=int(sys.argv[1]))
for number in itertools.count():
    client.set(f"session:{number}", b"x" * 2000)
    time.sleep(0.01)
"""

# Dumps of the shop's books, which a program of its own packs and puts away.
VAULT = Path(tempfile.gettempdir(), f"vault-{os.getpid()}")
# The outbox is empty whenever all is sent.
BOOKS = {"books": {"path": str(VAULT), "pattern": "books-*.sql.bz2", "tables": ["accounts", "chores"]}}


@contextmanager
def _vault(shop: Foreign, newest: Callable[[bytes], bytes], database: str = "ledgerbook") -> Iterator[None]:
    """Three whole dumps of the nights before, and this one of last night."""
    assert shop.database is not None
    program = str(postgres_programs() / "pg_dump")
    reach = ["--host=127.0.0.1", f"--port={shop.database.port}", "--username=postgres", "--create"]
    VAULT.mkdir()
    try:
        for night, name in enumerate(["ledgerbook", "ledgerbook", "ledgerbook", database]):
            text = subprocess.run([program, *reach, name], check=True, capture_output=True, timeout=120).stdout
            path = VAULT / f"books-{night}.sql.bz2"
            path.write_bytes(bz2.compress(text) if night < 3 else newest(bz2.compress(text)))
            made_at = time.time() - (4 - night) * 20000
            os.utime(path, (made_at, made_at))
        yield
    finally:
        shutil.rmtree(VAULT)


@contextmanager
def vault_cut_off(shop: Foreign) -> Iterator[None]:
    with _vault(shop, lambda packed: packed[: len(packed) // 2]):
        yield


@contextmanager
def vault_of_another(shop: Foreign) -> Iterator[None]:
    with _vault(shop, lambda packed: packed, database="postgres"):
        yield


@contextmanager
def vault_whole(shop: Foreign) -> Iterator[None]:
    with _vault(shop, lambda packed: packed):
        yield


# A program that stands still starts none of its jobs, as soon as that took long enough to be seen; a restart mends it.
BY_RESTART = right(also="scheduler_hangs", remedies="restart_scheduler", healthy=True)
SHORT = {"db_pool_unused_seconds": 2, "db_pool_blocked_seconds": 1, "db_pool_idle_in_transaction_seconds": 2}
UNEXPLAINED = "waiting_unexplained high_usage"

# Where the inventory names the pooler instead of the server.
THROUGH = {
    "host": "127.0.0.1",
    "port": "{turnstile}",
    "name": "ledgerbook",
    "user": "oncall",
    "password": "watch",
    "service": "ledger-db",
}


@contextmanager
def cookie_for_another_host(shop: Foreign) -> Iterator[None]:
    shop.gatehouse(cookie="Path=/; Domain=test.corner-shop.example")
    try:
        yield
    finally:
        shop.gatehouse()


@contextmanager
def a_bot_at_the_gate(shop: Foreign) -> Iterator[None]:
    shop.customers(12, "/basket")
    shop.customers(60, "/basket", client="203.0.113.9", word="guess")
    yield


@contextmanager
def loyalty_is_not_for_everybody(shop: Foreign) -> Iterator[None]:
    shop.gatehouse(closed="/loyalty")
    shop.customers(12, "/basket")
    shop.customers(40, "/loyalty")
    try:
        yield
    finally:
        shop.gatehouse()


@contextmanager
def gatehouse_stands_still(shop: Foreign) -> Iterator[None]:
    with shop.stopped(shop.pid("gatehouse")):
        yield


CASES = [
    Case(
        "a replica stands still",
        replica_stands_still,
        "ledger-api-2 hangs and ledger-api-1 serves: restart ledger-api-2, and nothing else.",
        {
            "api_down": right("part_hangs", says="ledger-api-2"),
            "db_pool": right(),
        },
    ),
    Case(
        "one replica leaks its connections",
        leak_in_one,
        "The pool of ledger-api-1 is used up by connections that do nothing; restart ledger-api-1. Not a larger pool.",
        {
            "db_pool": right(
                "one_replica pool_leak held_without_work",
                remedies="restart_application",
                says="ledger-api-1",
                unknown=False,
            )
        },
        SHORT,
    ),
    Case(
        "one replica leaves transactions open",
        open_transactions_in_one,
        "Five sessions of ledger-api-1 are idle in transaction: end them, and mend the code.",
        {"db_pool": right("idle_in_transaction", remedies="end_idle_in_transaction")},
        SHORT,
    ),
    Case(
        "PgBouncer has one connection to the server",
        bouncer_with_one_connection,
        "Requests wait for PgBouncer's only connection. A larger pool of the application changes nothing.",
        {
            "db_pool": right("pooler_short way_hangs"),
        },
        SHORT,
    ),
    Case(
        "PgBouncer is paused",
        bouncer_paused,
        "PostgreSQL is well; PgBouncer holds everybody back until somebody resumes it.",
        {
            "db_pool": right("way_hangs waiting_unexplained pooler_short"),
            # Its sessions are still in the database: it is not kept out, and db_pool says what holds it up.
            "db_down": right("application_locked_out gets_no_connection"),
        },
        SHORT,
    ),
    Case(
        "PgBouncer stands still",
        bouncer_stands_still,
        "PostgreSQL is well; PgBouncer does not answer. Restart PgBouncer, not the database and not the API.",
        {
            "db_pool": right("way_hangs waiting_unexplained", also="application_unknown"),
            # Its sessions are still in the database: it is not kept out, and db_pool says what holds it up.
            "db_down": right("application_locked_out gets_no_connection"),
        },
        SHORT,
    ),
    Case(
        "PgBouncer asks where nobody listens",
        bouncer_to_nowhere,
        "PostgreSQL is well; PgBouncer has a wrong upstream. Nothing to restart.",
        {
            "db_down": right("application_locked_out"),
            "error_rate": right("errors_unexplained route_failing database_connections", also="database_down"),
        },
    ),
    Case(
        "one replica has a wrong password",
        wrong_password_in_one,
        "ledger-api-2 is refused by the pooler: its configuration. Half of the users get errors. Nothing to restart.",
        {
            "db_down": right("application_locked_out", says="ledger-api-2"),
            "error_rate": right("one_replica", says="ledger-api-2"),
        },
    ),
    Case(
        "the role may have one connection",
        role_with_one_connection,
        "ALTER ROLE ledger CONNECTION LIMIT 1 makes everybody wait. Neither a larger pool nor more max_connections helps.",
        {
            "db_pool": right("limit_reached pooler_short waiting_unexplained"),
        },
        SHORT,
    ),
    Case(
        "ALTER TABLE waits behind a long SELECT",
        alter_table_behind_a_select,
        "nightly-audit holds the table, migration-42 waits for it, and all users wait behind that. The head of the queue is nightly-audit.",
        {
            "db_pool": right("blocker", remedies="end_blocker", says="nightly-audit"),
        },
        SHORT,
    ),
    Case(
        "a prepared transaction holds a lock",
        prepared_transaction,
        "settlement-7 is prepared and holds accounts. Only its owner may commit it or roll it back.",
        {
            "db_pool": right("prepared_transaction", says="settlement-7"),
        },
        SHORT,
    ),
    Case(
        "a small filesystem is full",
        small_disk_full,
        "spool is full of receipts.csv: their owner has to move them. Nothing here is to be deleted.",
        {"disk_full": right("growth", says="spool")},
        covers=("PD-1-5",),
    ),
    Case(
        "a filesystem has no inodes left",
        no_inodes,
        "spool has room and no inodes: a mass of small files.",
        {"disk_full": right("inodes", says="spool")},
        covers=("PD-1-5",),
    ),
    Case(
        "Redis is full and may not evict",
        larder_full,
        "maxmemory is used up with noeviction: writes fail. Change the policy or the limit; a restart loses the cache.",
        {
            "cache": right("out_of_memory", also="unreachable_from_app low_hit_rate"),
            "resource_usage": right("redis_full"),
        },
        covers=("LP-6-4",),
    ),
    Case(
        "Redis is a replica of nobody",
        larder_is_a_replica,
        "It was made a replica, so that it takes no writes. REPLICAOF NO ONE, once somebody knows who the primary is.",
        {"cache": right("read_only", also="unreachable_from_app low_hit_rate")},
    ),
    Case(
        "writes to Redis are paused",
        larder_clients_paused,
        "CLIENT PAUSE WRITE: it ends by itself or with CLIENT UNPAUSE. No restart.",
        {"cache": right("clients_paused", also="unreachable_from_app low_hit_rate")},
    ),
    Case(
        "Redis wants a password",
        larder_wants_a_password,
        "Somebody set requirepass. Whoever connects anew is refused. No restart.",
        {"cache": right("credentials application_refused")},
    ),
    Case(
        "Redis stands still",
        larder_stands_still,
        "It hangs, and the application says so too: restart it.",
        {
            # A test before may have started it a moment ago.
            "cache": right("hangs loading", remedies="restart_redis wait_until_ready"),
            # The health URL of the application says which part it is.
            "api_down": right("errors", says="redis is not well", unknown=False),
        },
    ),
    Case(
        "one replica looks for Redis elsewhere",
        larder_address_wrong_in_one,
        "ledger-api-2 has a wrong address of the cache. Redis is well.",
        {"cache": right("unreachable_from_app")},
        # A test before may have started Redis a moment ago.
        {"cache_reconnect_seconds": 3},
    ),
    Case(
        "statements may take 1 ms",
        statement_timeout,
        "ALTER ROLE ledger SET statement_timeout cancels what takes longer: /accounts fails. The log says so.",
        {
            "error_rate": right("route_failing errors_unexplained", says="statement timeout"),
        },
    ),
    Case(
        "the database takes no writes",
        database_read_only,
        "default_transaction_read_only is on: /transfers fail, reads go on. Take it back.",
        {"db_down": right("read_only"), "error_rate": right("route_failing database_down", says="/transfers")},
    ),
    Case(
        "the postmaster stands still",
        postmaster_stands_still,
        "No new session begins, and those that are open work. Do not restart what serves.",
        {
            "db_down": right("logins_hang"),
        },
        {"db_down_timeout_seconds": 6},
    ),
    Case(
        "the database was stopped",
        database_stopped,
        "PostgreSQL does not run. Start it.",
        {
            "db_down": right("database_down stopped_by_person", remedies="restart_database"),
            # Its names are of a database that refuses one more, and not of one that is gone.
            "db_pool": right(also="connections_refused"),
        },
    ),
    Case(
        "the certificate is for another name",
        shows("www.other.example"),
        "The shopfront shows the certificate of somebody else.",
        {"certificate_expiry": right("wrong_name")},
    ),
    Case(
        "the certificate ended yesterday",
        shows(days=-1),
        "It has to be renewed; nothing here renews it.",
        {"certificate_expiry": right("not_renewed", unknown=False)},
    ),
    Case(
        "the intermediate is not shown",
        shows(whole=False),
        "Clients that do not know the intermediate refuse it: show the whole chain.",
        {"certificate_expiry": right()},
    ),
    Case(
        "the intermediate ends tomorrow",
        shows(above=1),
        "In a day everybody refuses it, though the server's own certificate is good.",
        {"certificate_expiry": right("chain_ends")},
    ),
    Case(
        "the certificate begins tomorrow",
        shows(days=90, begins=1),
        "Not valid yet: the wrong file, or a wrong clock.",
        {"certificate_expiry": right("not_yet_valid")},
    ),
    Case(
        "one route is slow in one replica",
        code(2, slow={"/accounts/{id}": 1.2}),
        "/accounts of ledger-api-2 waits for something that is not the database. A person has to look at the code.",
        {"latency": right("slow_unexplained", says="/accounts")},
    ),
    Case(
        "a statement is slow",
        code(1, 2, slow_statement=0.4),
        "SELECT count(*) of accounts takes 0.4 s: look at its plan. Not a larger pool.",
        {"latency": right("slow_statement pool_exhausted")},
        {"latency_p95_seconds": 0.3},
        covers=("SY-4-3",),
    ),
    Case(
        "users ask for what is not there",
        strangers,
        "404 is the fault of those who ask. All is well here.",
        {"error_rate": right(healthy=True), "api_down": right(healthy=True)},
    ),
    Case(
        "nobody asks",
        night,
        "No traffic: nothing is wrong, and nothing can be said of the speed.",
        {
            "error_rate": right("few_answers", healthy=True),
            "latency": right(healthy=True),
        },
    ),
    Case(
        "no request comes to an end",
        code(1, 2, slow=dict.fromkeys(["/accounts/{id}", "/prices/{id}", "/transfers", "/reports"], 60)),
        "All requests hang, and no error shows it.",
        {
            "error_rate": right("requests_hang"),
        },
    ),
    Case(
        "one route of one replica fails",
        code(2, fails={"/prices/{id}": 500}, until_errors=True),
        "/prices of ledger-api-2 fails: its code. Nothing to restart.",
        {"error_rate": right("route_failing one_replica", says="/prices"), "api_down": right(healthy=True)},
    ),
    Case(
        "the provider is slow",
        provider(seconds=0.9),
        "rates.example takes 0.9 s, so /reports does.",
        {"latency": right("slow_provider", says="rates.example")},
        covers=("SY-4-5",),
    ),
    Case(
        "the provider fails",
        provider(status=503),
        "rates.example answers 503, so /reports fails. Nothing to restart here.",
        {"error_rate": right("provider_failing", says="rates.example")},
    ),
    Case(
        "a replica listens on another port",
        replica_on_another_port,
        "ledger-api-2 runs and does not listen where everybody asks it: a wrong setting.",
        {
            "port_conflict": right("not_listening"),
            "api_down": right("part_hangs", says="ledger-api-2"),
        },
        {"port_conflict_listen_seconds": 2},
    ),
    Case(
        "a stranger has the port",
        stranger_on_the_port,
        "Some other process took the port of ledger-api-2. Ask its owner; end it if nobody misses it.",
        {"port_conflict": right("stranger", remedies="end_process"), "crash_loop": right("port_in_use")},
        covers=("IE-6-3",),
    ),
    Case(
        "the worker does nothing",
        worker_does_nothing,
        "postman runs and has sent nothing for seconds; its health says 503. Running is not working.",
        {"crash_loop": right("does_not_answer", says="postman"), "job_scheduler": BY_RESTART},
    ),
    Case(
        "the worker stands still",
        worker_stands_still,
        "postman is stopped by a signal; its manager says that it runs.",
        {"crash_loop": right("does_not_answer", says="postman"), "job_scheduler": BY_RESTART},
    ),
    Case(
        "the worker ends with 0 every second",
        worker_ends("import time; time.sleep(1.3)"),
        "A program that ends by itself without an error is started again and again: the command is wrong.",
        {"crash_loop": right("ends_without_error")},
    ),
    Case(
        "the worker ends with an error every second",
        worker_ends("import sys, time; time.sleep(1.3); sys.exit('FATAL: ledger: relation \"outbox\" does not exist')"),
        "Its table is not there. A restart is what happens already.",
        {"crash_loop": right("migration_failed unexplained dependency_down", remedies="clean_restart")},
        covers=("LP-7-3",),
    ),
    Case(
        "a variable is missing in one replica",
        variable_missing_in_one,
        "ledger-api-2 ends with KeyError: LEDGER_CACHE. Give it the variable.",
        {
            "crash_loop": right("missing_variable", says="LEDGER_CACHE"),
        },
    ),
    Case(
        "a replica is killed again and again",
        replica_killed_again_and_again,
        "Something kills ledger-api-2. It is up just now: watch it.",
        {"crash_loop": right("unexplained restarted_lately", remedies="clean_restart")},
        {"crash_loop_settled_seconds": 30},
    ),
    Case(
        "a replica is killed, and a variable was missing before",
        killed_after_a_variable_was_missing,
        "Something kills ledger-api-2. The variable is there again: what its log said before does not explain SIGKILL.",
        {"crash_loop": right("unexplained restarted_lately", remedies="clean_restart")},
        {"crash_loop_settled_seconds": 30},
    ),
    Case(
        "the metrics of a replica hang",
        code(2, metrics="hang"),
        "Half cannot be seen; nothing may be said of it.",
        {"error_rate": right(), "db_pool": right()},
    ),
    Case(
        "the metrics of a replica are a page to sign in",
        code(2, metrics="html"),
        "Half cannot be seen; nothing may be said of it.",
        {
            "latency": right(),
        },
    ),
    Case(
        "the metrics of a replica are empty",
        code(2, metrics="empty"),
        "Half cannot be seen; nothing may be said of it.",
        {"db_pool": right()},
    ),
    Case(
        "the metrics of a replica do not move",
        code(2, metrics="old"),
        "ledger-api-2 says the same for ever: half cannot be seen, and whoever reads only sums does not notice.",
        {"error_rate": right(), "latency": right()},
    ),
    Case(
        "the checkout was changed by hand",
        changed_by_hand,
        "Somebody edits on the host: say so before anything is checked out.",
        {"rollback": right("checkout_not_clean")},
        {"rollback_to": "opened"},
    ),
    Case(
        "the revision to go back to is not there",
        nothing,
        "v0.9 is not in the checkout.",
        {"rollback": right("revision_not_found")},
        {"rollback_to": "v0.9"},
    ),
    Case(
        "the provider fails and Redis is stopped",
        both(provider(status=503), larder_stopped),
        "Two faults: both have to be named, or the one that is seen must not hide the other.",
        {
            "error_rate": right("provider_failing cache_down", says="rates.example"),
            "cache": right("redis_down stopped_by_person", remedies="restart_redis"),
        },
    ),
    Case(
        "a leak and a lock at once",
        both(leak_in_one, prepared_transaction),
        "ledger-api-1 leaks, and settlement-7 holds accounts. A restart alone does not help the second.",
        {"db_pool": right("prepared_transaction", also="one_replica pool_leak held_without_work", says="settlement-7")},
        SHORT,
    ),
    Case(
        "a replica listens on ::1 only",
        replica_on_ipv6_only,
        "ledger-api-2 has its port, but not on the address at which everybody asks it.",
        {
            "port_conflict": right("listens_elsewhere", says="::1"),
            "api_down": right("part_hangs", says="ledger-api-2"),
        },
        {"port_conflict_listen_seconds": 2},
    ),
    Case(
        "the manager stands still",
        manager_stands_still,
        "supervisord does not answer: what runs can be asked, what is managed cannot be known.",
        {
            "crash_loop": right(),
            "port_conflict": right(),
        },
    ),
    Case(
        "another application takes every connection",
        strange_sessions,
        "cron-export has all that is left. The shop has its own through PgBouncer and is served; nobody new gets in. End those of cron-export.",
        {
            "db_pool": right("max_connections_reached leaked_sessions connections_refused"),
            "db_down": right("too_many_connections"),
        },
        {"db_pool_idle_seconds": 1},
    ),
    Case(
        "the shopfront stands still",
        shopfront_stands_still,
        "Its port accepts and nobody answers.",
        {"certificate_expiry": right()},
    ),
    Case(
        "the endpoint of the certificate has no TLS",
        nothing,
        "A port that speaks HTTP in the clear shows no certificate.",
        {"certificate_expiry": right()},
        {"certificate_expiry_endpoints": {"shopfront": "tls://127.0.0.1:{ledger-1}?name=shop.example"}},
    ),
    Case(
        "an office program locks all rows",
        rows_locked_by_backoffice,
        "backoffice is idle in a transaction that holds accounts: end its session. It is no session of the shop's.",
        {
            "db_pool": right(
                "blocker idle_in_transaction", remedies="end_blocker end_idle_in_transaction", says="backoffice"
            ),
        },
        SHORT,
    ),
    Case(
        "Redis evicts all the time",
        larder_evicts,
        "Somebody writes more than it holds, and prices are pushed out.",
        {"cache": right("evicting low_hit_rate", healthy=True, says="evicts")},
    ),
    Case(
        "PgBouncer has one connection, and is what the inventory names",
        bouncer_with_one_connection,
        "Requests wait for PgBouncer's only connection.",
        {"db_pool": right("pooler_short pooler_refuses")},
        {**SHORT, "system_database": THROUGH},
    ),
    Case(
        "PgBouncer asks where nobody listens, and is what the inventory names",
        bouncer_to_nowhere,
        "The pooler answers and has no server. PostgreSQL is well; restarting it does not help.",
        {"db_down": right("pooler_answers not_reached_from_here")},
        {"system_database": THROUGH},
    ),
    Case(
        "a migration died and left its mark",
        migration_died,
        "Version 2 is dirty: somebody has to see how far it came, and say so to the tool. Nothing is applied after it.",
        {"migrations": right("failed", says="2 of books", unknown=False)},
    ),
    Case(
        "an older release runs on a newer schema",
        older_release,
        "The database is at version 3, and the release has two migrations. Nothing is pending; the release is the wrong one.",
        {"migrations": right("database_ahead", says="3", unknown=False)},
    ),
    Case(
        "a migration is pending, and a report reads the table",
        migration_behind_a_report,
        "Version 3 is not applied. Now it would wait for yearly-report, and everybody for it; there is no backup either.",
        {"migrations": right("pending", also="held_up", says="yearly-report", unknown=False)},
        {"migrations_long_transaction_seconds": 1},
    ),
    Case(
        "nobody knows what the release has",
        unreadable_migrations,
        "The folder of the migrations is not there. What is applied is known, and not what should be.",
        {"migrations": right()},
    ),
    Case(
        "PgBouncer is what the inventory names for the migrations",
        nothing,
        "Through a pooler no lock can be held. What is applied can be read, and nothing may be done.",
        {"migrations": right()},
        {"system_database": THROUGH},
    ),
    Case(
        "the dump of last night was cut off",
        vault_cut_off,
        "books-3 is half a file: it is no backup. Make another with the program of the shop, which the inventory does not know.",
        {"backup": right("broken_backup", says="books-3", unknown=False)},
        {"system_backups": BOOKS},
    ),
    Case(
        "the dump of last night is of another database",
        vault_of_another,
        "books-3 is fresh, whole, and of the database postgres: the books have no backup of last night.",
        {"backup": right("of_another_database tables_missing", also="shrunk", says="books-3|postgres", unknown=False)},
        {"system_backups": BOOKS},
    ),
    Case(
        "the dumps are whole, and packed as nobody here packs them",
        vault_whole,
        "Nothing is wrong with them.",
        {"backup": right(healthy=True)},
        {"system_backups": BOOKS},
    ),
    Case(
        "the gatehouse sets its cookie for another host",
        cookie_for_another_host,
        "Browsers drop a cookie of another host. Nothing is restarted for it; its settings are put right.",
        {"auth_failures": right("cookie_lost", says="Domain")},
    ),
    Case(
        "one client guesses at the gate",
        a_bot_at_the_gate,
        "A bot is refused, and customers get in. Nobody is locked out.",
        {"auth_failures": right("one_client", says="203.0.113.9")},
    ),
    Case(
        "a feature is not yet for everybody",
        loyalty_is_not_for_everybody,
        "403 of one route is a permission. Whoever is logged in gets in elsewhere.",
        {"auth_failures": right("one_route", says="/loyalty")},
    ),
    Case(
        "the gatehouse stands still",
        gatehouse_stands_still,
        "Nobody logs in, and nobody knows whether the shop takes writes.",
        {"auth_failures": right("login_down"), "break_glass": right()},
        {"auth_failures_timeout_seconds": 3, "break_glass_timeout_seconds": 2},
    ),
]
