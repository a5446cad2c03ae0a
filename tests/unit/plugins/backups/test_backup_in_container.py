# Copyright: (c) 2026, oncall.runbooks maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module postgres_archive with the real programs of a server, behind a docker that runs them here."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from modules import run_module

from ansible_collections.oncall.runbooks.plugins.module_utils.backups.in_container import command
from ansible_collections.oncall.runbooks.tests.support.backup_stack import KEEPER, PASSWORD, Shop
from ansible_collections.oncall.runbooks.tests.support.postgres_servers import Server, postgres_programs, server

# docker exec -i [-e NAME] CONTAINER PROGRAM ARGUMENTS
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> {log}
shift 2
[ "$1" = -e ] && shift 2
shift
program=$1; shift
exec {programs}/$program "$@"
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        for statement in KEEPER:
            running.execute(statement, dbname="postgres")
        yield running


@pytest.fixture
def shop(postgres, tmp_path, monkeypatch) -> Shop:
    found = Shop(postgres, tmp_path)
    found.fill()
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(DOCKER.format(log=tmp_path / "docker.log", programs=postgres_programs()))
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")
    return found


def reach(shop: Shop, **more: Any) -> dict[str, Any]:
    return shop.reach(transport="docker", container="pg", **more)


def counted(shop: Shop, database: str) -> int:
    ((count,),) = shop.sql("SELECT count(*) FROM users", database=database)
    return int(count)


@pytest.mark.parametrize(("is_plain", "packed"), [(False, ""), (True, ""), (True, "gzip")])
def test_dumped_and_restored(shop, tmp_path, is_plain, packed):
    path = tmp_path / "dump"
    path.touch(0o600)
    form = {"is_plain": is_plain, "packed": packed, "path": str(path)}
    code, result = run_module("postgres_archive", tmp_path, state="dump", database=reach(shop), **form)
    assert (code, result["exit_code"], path.stat().st_mode & 0o777) == (0, 0, 0o600), result
    text = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    assert text.startswith(b"--" if is_plain else b"PGDMP")

    shop.sql("DROP DATABASE IF EXISTS copy WITH (FORCE)", "postgres", "postgres")
    shop.sql("CREATE DATABASE copy OWNER app", "postgres", "postgres")
    code, result = run_module("postgres_archive", tmp_path, state="restore", into="copy", database=reach(shop), **form)
    assert (code, counted(shop, "copy")) == (0, 300), result
    # A second time into the same one ends at the first error, and changes nothing.
    code, result = run_module("postgres_archive", tmp_path, state="restore", into="copy", database=reach(shop), **form)
    assert (code, "already exists" in result["msg"], counted(shop, "copy")) == (1, True, 300), result
    assert PASSWORD not in (tmp_path / "docker.log").read_text() + str(result["msg"])
    shop.sql("DROP DATABASE copy WITH (FORCE)", "postgres", "postgres")


def test_one_that_is_cut_off_is_not_restored(shop, tmp_path):
    path = tmp_path / "dump"
    path.write_bytes(gzip.compress(b"SELECT 1;\n" * 9000)[:-20])
    form = {"is_plain": True, "packed": "gzip", "path": str(path), "into": "shop"}
    code, result = run_module("postgres_archive", tmp_path, state="restore", database=reach(shop), **form)
    assert (code, "it is cut off" in result["msg"]) == (1, True), result


def test_what_is_no_file_is_not_read(shop, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    form = {"path": str(tmp_path / "fifo"), "into": "shop"}
    code, result = run_module("postgres_archive", tmp_path, state="restore", database=reach(shop), **form)
    assert (code, "a FIFO, and no file" in result["msg"]) == (1, True), result


def test_check_mode_and_another_transport(shop, tmp_path):
    form = {"path": str(tmp_path / "dump"), "state": "dump"}
    assert run_module("postgres_archive", tmp_path, check=True, database=reach(shop), **form)[0] == 0
    assert not Path(form["path"]).exists()
    code, result = run_module("postgres_archive", tmp_path, database=shop.reach(), **form)
    assert (code, "only a database with transport docker" in result["msg"]) == (1, True)


def test_the_password_is_in_no_argument_list():
    database = {"container": "pg", "name": "a=b", "user": "keeper", "password": PASSWORD, "port": 5433}
    argv, environment = command(database, "pg_dump", "--format=custom")
    assert argv == [
        "docker",
        "exec",
        "-i",
        "-e",
        "PGPASSWORD",
        "pg",
        "pg_dump",
        "--no-password",
        "--username=keeper",
        "--port=5433",
        "--format=custom",
    ]
    assert environment["PGPASSWORD"] == PASSWORD
