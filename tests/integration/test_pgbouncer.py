"""The database through a real PgBouncer: it is named, asked, and never taken for the server."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from debian_programs import program
from plays import REPOSITORY
from postgres_servers import Server, server
from waiting import until

from lab.layout import as_unprivileged
from lab.ports import free_port
from lab.tools.debian import ensure


def pgbouncer() -> tuple[str, str]:
    """The program of this machine or of Debian's package, unpacked and not installed, and where its libraries are."""
    found = program(lambda cache: ensure("pgbouncer", "pgbouncer", cache, "libc-ares2"), "pgbouncer")
    ours = REPOSITORY / ".cache" / "pgbouncer" / "root"
    unpacked = ours.rglob("libcares.so.2") if Path(found).is_relative_to(ours) else ()
    return found, next((str(path.parent) for path in unpacked), "")


@contextlib.contextmanager
def bouncer(folder: Path, behind: int, **settings: object) -> Iterator[dict[str, Any]]:
    """A PgBouncer before a server, as an inventory says it."""
    found, libraries = pgbouncer()
    port = free_port()
    place = Path(subprocess.check_output(["mktemp", "-d", "/tmp/bouncerXXXXXX"], text=True).strip())
    place.chmod(0o755)
    program = shutil.copy2(found, place / "pgbouncer")
    if libraries:
        shutil.copytree(libraries, place / "lib")
    (place / "users.txt").write_text('"app" ""\n"oncall" ""\n')
    everything = {
        "listen_addr": "127.0.0.1", "listen_port": port, "auth_type": "trust", "auth_file": place / "users.txt",
        "unix_socket_dir": "", "pool_mode": "transaction", "default_pool_size": 2, "stats_users": "oncall", **settings,
    }  # fmt: skip
    lines = ["[databases]", f"shop = host=127.0.0.1 port={behind}", "[pgbouncer]"]
    (place / "pgbouncer.ini").write_text(
        "\n".join([*lines, *(f"{key} = {value}" for key, value in everything.items()), ""])
    )
    process = subprocess.Popen(
        [str(program), "-q", str(place / "pgbouncer.ini")], stderr=subprocess.DEVNULL, cwd="/",
        env={"LD_LIBRARY_PATH": str(place / "lib")}, **as_unprivileged(),
    )  # fmt: skip

    def listens() -> bool:
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, 20)
        yield {"transport": "psycopg", "host": "127.0.0.1", "port": port, "name": "shop", "user": "oncall"}
    finally:
        process.kill()
        process.wait(30)
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.mark.parametrize("settings", [{}, {"ignore_startup_parameters": "options"}, {"pool_mode": "session"}])
def test_the_server_is_seen_through_it_and_it_is_named(postgres, tmp_path, settings):
    with bouncer(tmp_path, postgres.port, **settings) as reached:
        seen = postgres.look(database=reached)
        assert seen["available"] and seen["server"]["user"] == "oncall", seen
        assert seen["pooler"]["name"] == "PgBouncer" and [row["database"] for row in seen["pooler"]["pools"]] == [
            "shop"
        ]
        # Nothing of ours stays in the server's session, which the next client gets.
        with psycopg.connect(
            host="127.0.0.1", port=reached["port"], user="oncall", dbname="shop", autocommit=True
        ) as other:
            left = other.execute(
                "SELECT current_setting('statement_timeout'), current_setting('transaction_read_only')"
            )
            assert left.fetchone() == ("0", "off")


def test_a_server_without_a_pooler_has_none(postgres):
    assert postgres.look()["pooler"] == {"name": "", "pools": [], "reason": ""}


def test_who_may_not_ask_its_console_is_told_what_to_set(postgres, tmp_path):
    with bouncer(tmp_path, postgres.port, stats_users="boss") as reached:
        seen = postgres.look(database=reached)
        assert seen["available"] and "stats_users" in seen["pooler"]["reason"]


def test_a_database_that_it_does_not_know(postgres, tmp_path):
    with bouncer(tmp_path, postgres.port) as reached:
        seen = postgres.look(database={**reached, "name": "nope"})
        assert (seen["available"], seen["error"]) == (False, "pooler_no_database")
        assert "PgBouncer answers" in seen["reason"]


def test_it_has_as_many_clients_as_it_may(postgres, tmp_path):
    with bouncer(tmp_path, postgres.port, max_client_conn=1) as reached, contextlib.ExitStack() as stack:
        client = {"host": "127.0.0.1", "port": reached["port"], "user": "app", "dbname": "shop"}
        stack.enter_context(contextlib.closing(psycopg.connect(**client)))
        seen = postgres.look(database=reached)
        assert (seen["error"], seen["pooler"]["name"]) == ("pooler_full", "PgBouncer")
        assert "more connections for the server would change nothing" in seen["reason"]


def test_it_gets_no_server(tmp_path, postgres):
    with bouncer(tmp_path, 1, query_wait_timeout=1) as reached:
        seen = postgres.look(database=reached)
        assert seen["error"] in ("pooler_waits", "pooler_without_server"), seen
        assert "PgBouncer answers" in seen["reason"]
